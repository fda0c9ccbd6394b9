"""Latencies and failures as every warehouse counts them, against numpy on the raw rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Double, column, create_engine, func, select, text
from sqlalchemy import table as table_of

from driftline.errors import MissingColumn
from driftline.warehouse import open_logs
from driftline.warehouse.cut import Cut
from driftline.warehouse.operations import LONGEST, PERCENTILES, Served, _around, _ranked
from tests.warehouses import Warehouse

START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + timedelta(days=1)
HOSTILE = 'took; DROP TABLE "predictions" -- \'ms'
CITIES = ["JFK", "O'Hare", "LGA %s"]


def raw(rows: int = 1500, seed: int = 3) -> pd.DataFrame:
    """Rows of a day and the night before it, with every latency that is none among them."""
    rng = np.random.default_rng(seed)
    latency: Any = rng.gamma(2, 40, rows).round(3)
    latency[rng.random(rows) < 0.2] = 50.0  # ties
    latency[:60] = np.nan  # NULL in the database
    latency[60:80] = -1.5
    latency[80:90] = np.inf
    latency[90:95] = -np.inf
    latency[95:100] = 2 * LONGEST
    seconds = rng.integers(-36_000, 86_400, rows)
    return pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(rows)],
            "ts": pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s"),
            "score": rng.random(rows),
            HOSTILE: latency,
            "status": rng.choice([200, 204, 500, 503], rows, p=[0.8, 0.1, 0.07, 0.03]),
            "origin": rng.choice([*CITIES, "EWR"], rows),
            "version": rng.choice(["1", "2", "3"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


def table(frame: pd.DataFrame, **columns: Any) -> pa.Table:
    return pa.table({**{n: pa.array(frame[n], from_pandas=True) for n in frame}, **columns})


def monitor(warehouse: Warehouse, **log: Any) -> Any:
    own = {"latency_ms": HOSTILE, "status": {"column": "status", "ok": ["200", 204]}} | log
    return warehouse.monitor(
        predictions={"version": "version", **own}, segments=["origin"], features={"numeric": []}
    )


def agrees(found: Served, rows: pd.DataFrame, ok: Any = (200, 204)) -> None:
    latency = rows[HOSTILE]
    timed = latency[(latency >= 0) & (latency <= LONGEST)]
    assert found.rows == len(rows)
    assert found.timed == len(timed)
    assert found.succeeded == rows["status"].isin(ok).sum()
    assert found.mean == pytest.approx(timed.mean(), rel=1e-12)
    expected = np.percentile(timed, PERCENTILES)
    assert [found.percentiles[p] for p in PERCENTILES] == pytest.approx(list(expected), rel=1e-12)


@pytest.mark.core
def test_every_part_is_served_as_numpy_says(warehouse: Warehouse) -> None:
    frame = raw()
    warehouse.load("predictions", table(frame))
    inside = frame[(frame["ts"] >= START) & (frame["ts"] < END)]
    with open_logs(monitor(warehouse)) as logs:
        whole = logs.operations(START, END)
        assert list(whole) == [""]
        agrees(whole[""], inside)
        cities = logs.operations(
            START, END, Cut(segment="origin", values=(*CITIES, "nowhere"), most=9)
        )
        assert list(cities) == [*CITIES, "nowhere"]
        for city in CITIES:
            agrees(cities[city], inside[inside["origin"] == city])
        assert cities["nowhere"].rows == cities["nowhere"].timed == 0
        versions = logs.operations(START, END, Cut(version=True, most=2))
        assert list(versions) == ["1", "2"]  # those with the most rows
        for version, found in versions.items():
            agrees(found, inside[inside["version"] == version])


def test_a_stretch_without_rows_is_a_result(warehouse: Warehouse) -> None:
    warehouse.load("predictions", table(raw(100)))
    with open_logs(monitor(warehouse)) as logs:
        nothing = logs.operations(END + timedelta(days=1), END + timedelta(days=2))[""]
    assert nothing == Served(
        rows=0, succeeded=0, timed=0, mean=None, percentiles=dict.fromkeys(PERCENTILES)
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 21, 101])
def test_few_latencies_have_percentiles_too(warehouse: Warehouse, rows: int) -> None:
    frame = raw(rows + 100, seed=rows).iloc[100:]
    frame["ts"] = pd.Timestamp(START)
    warehouse.load("predictions", table(frame))
    with open_logs(monitor(warehouse)) as logs:
        agrees(logs.operations(START, END)[""], frame)


@pytest.mark.parametrize(
    ("status", "ok", "succeeded"),
    [
        (pa.array([200, 500, None, 200]), [200], 2),
        (pa.array([200, 500, None, 200]), ["200", "200 OK"], 2),
        (pa.array([200.0, 500.5, None, 200.0]), [200], 2),
        (pa.array(["200", "500", None, "it's fine"]), [200.0, "it's fine"], 2),
        (pa.array(["ok", "OK", None, "ok"]), ["ok"], 2),
        (pa.array([True, False, None, True]), [True], 2),
        (pa.array([200, 500, None, 200]), ["fine"], 0),
    ],
)
def test_a_status_is_ok_as_a_number_or_as_text_and_never_when_it_is_absent(
    warehouse: Warehouse, status: pa.Array, ok: list[Any], succeeded: int
) -> None:
    frame = raw(104).iloc[100:]
    frame["ts"] = pd.Timestamp(START)
    warehouse.load("predictions", table(frame, status=status))
    with open_logs(monitor(warehouse, status={"column": "status", "ok": ok})) as logs:
        found = logs.operations(START, END)[""]
    assert (found.rows, found.succeeded) == (4, succeeded)


def test_what_is_written_as_text_or_stands_in_a_document_counts(warehouse: Warehouse) -> None:
    frame = raw(105).iloc[100:].drop(columns=HOSTILE)
    frame["ts"] = pd.Timestamp(START)
    documents = ['{"ms": 10, "code": 200}', '{"ms": 30.5, "code": 500}', "{}", None, '{"ms": "x"}']
    words = pa.array(["12.5", "fast", None, "-3", "17.5"])
    warehouse.load("predictions", table(frame, reply=documents, words=words), json=["reply"])
    inside = monitor(warehouse, latency_ms="reply.ms", status={"column": "reply.code", "ok": [200]})
    with open_logs(inside) as logs:
        found = logs.operations(START, END)[""]
    assert (found.rows, found.succeeded, found.timed) == (5, 1, 2)
    assert found.percentiles[50] == pytest.approx(20.25)
    with open_logs(monitor(warehouse, latency_ms="words")) as logs:
        found = logs.operations(START, END)[""]
    assert (found.timed, found.percentiles[50], found.mean) == (2, 15.0, 15.0)


def test_only_what_the_file_names_is_counted(warehouse: Warehouse) -> None:
    warehouse.load("predictions", table(raw(300)))
    with open_logs(monitor(warehouse, latency_ms=None)) as logs:
        found = logs.operations(START, END)[""]
        assert (found.timed, found.percentiles) == (None, {})
        assert found.succeeded is not None
    with open_logs(monitor(warehouse, status=None)) as logs:
        assert logs.operations(START, END)[""].succeeded is None
    with (
        open_logs(monitor(warehouse, latency_ms="tok")) as logs,
        pytest.raises(MissingColumn, match=r"predictions\.latency_ms: no column 'tok'"),
    ):
        logs.operations(START, END)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_ranking_finds_the_latencies_around_each_percentile(latencies: list[float]) -> None:
    """What databases do that do not sort within an aggregate."""
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("CREATE TABLE log (latency DOUBLE)"))
        marks = [{"x": value} for value in [*latencies, None, None]]
        connection.execute(text("INSERT INTO log VALUES (:x)"), marks)
        log = table_of("log", column("latency", Double()))
        ranked = _ranked(select(log.c.latency).subquery(), keyed=False)
        row = connection.execute(select(func.count(), *_around(ranked)).select_from(ranked)).one()
    for place, percent in enumerate(PERCENTILES):
        low, high = row[1 + 2 * place], row[2 + 2 * place]
        assert low == np.percentile(latencies, percent, method="lower")
        assert high == np.percentile(latencies, percent, method="higher")
