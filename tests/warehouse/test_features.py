"""Which columns are features, and what a stretch holds in them."""

import math
import sqlite3
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import DAY, ColumnKind
from driftline.profile.rows import LABEL, PREDICTION, SCORE, VERSION
from driftline.warehouse import open_logs
from driftline.warehouse.statistics import MOST_CATEGORIES
from tests.warehouses import Warehouse, documents

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
START = datetime(2013, 4, 1, tzinfo=UTC)
ROWS = 120
END = START + DAY


def log(**columns) -> pa.Table:
    moments = [START + timedelta(minutes=place) for place in range(ROWS)]
    base = {
        "request": [f"r-{place}" for place in range(ROWS)],
        "ts": pa.array(moments, pa.timestamp("us", "UTC")),
        "score": np.linspace(0, 1, ROWS),
    }
    return pa.table({**base, **columns})


def cycle(*values, size: int = ROWS) -> list:
    return [values[place % len(values)] for place in range(size)]


def test_what_is_inferred_and_what_is_left_out(warehouse: Warehouse):
    warehouse.load(
        "predictions",
        log(
            distance=np.arange(ROWS) % 37,
            temp=np.random.default_rng(1).normal(size=ROWS),
            empty=pa.array([None] * ROWS, pa.float64()),
            flag=cycle(0, 1),
            is_new=pa.array(cycle(True, False, None)),
            carrier=cycle("AA", "UA", None),
            size=cycle("1", "2"),
            said=cycle(True, False),
            rev=cycle("v1", "v2"),
            took=np.random.default_rng(2).random(ROWS),
            code=cycle(200, 500),
            ds=cycle("2013-04-01", "2013-04-02"),
            y=cycle(0, 1),
            seen=pa.array([datetime(2013, 1, 1)] * ROWS, pa.timestamp("us")),
            customer_id=cycle(1, 2, 3),
            userId=cycle(1, 2),
            uuid=[str(uuid.UUID(int=place)) for place in range(ROWS)],
            session=[str(uuid.UUID(int=place % 3)) for place in range(ROWS)],
            row=np.random.default_rng(3).permutation(ROWS) + 7,
            note=[f"wrote {place} words" for place in range(ROWS)],
            email=cycle("a@b.c", "d@e.f"),
        ),
    )
    monitor = warehouse.monitor(
        predictions={
            "id": "request",
            "prediction": "said",
            "version": "rev",
            "latency_ms": "took",
            "status": {"column": "code"},
            "partition": {"column": "ds"},
        },
        labels={"label": "y"},
        features={"exclude": ["email"]},
    )
    expected = {
        "distance": NUMERIC,
        "temp": NUMERIC,
        "empty": NUMERIC,
        "flag": NUMERIC,
        "is_new": CATEGORICAL,
        "carrier": CATEGORICAL,
        "size": CATEGORICAL,
    }
    with open_logs(monitor) as logs:
        assert logs.features(START, END) == expected
        assert logs.check() == []
    listed = warehouse.monitor(
        features={"numeric": ["temp", "took"], "sensitive": ["took", "note"]}
    )
    with open_logs(listed) as logs:
        expected = {"temp": NUMERIC, "took": CATEGORICAL, "note": CATEGORICAL}
        assert logs.features(None, None) == expected


def test_how_a_log_files_its_rows_is_no_feature(warehouse: Warehouse):
    moments = [START + timedelta(hours=5 * place) for place in range(ROWS)]
    local = [moment - timedelta(hours=7) for moment in moments]
    born = [START - timedelta(days=400 * (place % 9)) for place in range(ROWS)]
    warehouse.load(
        "predictions",
        log(
            ts=pa.array(moments, pa.timestamp("us", "UTC")),
            day=pa.array([moment.date() for moment in moments]),
            local_day=pa.array([moment.date() for moment in local]),
            day_before=pa.array([moment.date() - DAY for moment in moments]),
            midnight=pa.array([datetime(*m.timetuple()[:3]) for m in moments], pa.timestamp("us")),
            date_key=[int(f"{moment:%Y%m%d}") for moment in moments],
            compact=[f"{moment:%Y%m%d}" for moment in moments],
            dt=cycle("a", "b"),
            __index_level_0__=np.arange(ROWS) % 5,
            **{"Unnamed: 0": np.arange(ROWS) % 5, "index": np.arange(ROWS) % 40},
            serial=np.arange(ROWS) + 1e6,
            id_customer=cycle(1, 2),
            userid=cycle(1, 2),
            # What is like one of them, and none:
            born=pa.array([moment.date() for moment in born]),
            month=[moment.month for moment in moments],
            hour=[moment.hour for moment in moments],
            born_key=[int(f"{moment:%Y%m%d}") for moment in born],
            whole=np.random.default_rng(5).permutation(ROWS) * 3.0,
            paid=cycle(0, 1, 2),
        ),
    )
    with open_logs(warehouse.monitor(predictions={"id": "request"})) as logs:
        found = logs.features(None, None)
    born_as = {"born": ColumnKind.TIMESTAMP} if warehouse.kind != "sqlite" else {}
    numbers = ("month", "hour", "born_key", "whole", "paid")
    assert found == born_as | dict.fromkeys(numbers, NUMERIC)


def test_the_number_of_a_row_of_few_is_no_feature(warehouse: Warehouse):
    few = log(number=np.arange(ROWS) + 1, size=np.arange(ROWS) * 2).slice(0, 7)
    warehouse.load("predictions", few)
    with open_logs(warehouse.monitor(predictions={"id": "request"})) as logs:
        assert logs.features(None, None) == {"size": NUMERIC}


def test_what_parquet_files_are_partitioned_by_is_no_feature(tmp_path):
    lake = Warehouse("parquet", tmp_path)
    for region in ("eu", "us"):
        for hour in (1, 2):
            lake.load(f"log/region={region}/hour={hour}", log(x=np.arange(ROWS) % 7))
    for where in ("log/**/*.parquet", "log/region=eu/*/*.parquet"):
        with open_logs(lake.monitor(predictions={"parquet": where, "id": "request"})) as logs:
            assert {"region", "hour"} <= set(logs.column_types())
            assert logs.features(None, None) == {"x": NUMERIC}


SERVED = [
    {
        "inputs": {
            "age": 20 + place % 30,
            "name": 'O\'Neil "x"' if place % 2 else "Zoe",
            "member": place % 2 == 0,
            "home": {"zip": f"1000{place % 3}", "lat": 52 + place / 7},
            "tags": ["a", "b"],
            "a/b ~": 1.5,
            "broken": "n/a" if place % 4 else place / 4,
        },
        "outputs": {"score": place / ROWS, "label": "yes" if place % 3 else "no", "model": "m1"},
    }
    for place in range(ROWS)
]
FEATURES = {
    "inputs.age": NUMERIC,
    "inputs.name": CATEGORICAL,
    "inputs.member": CATEGORICAL,
    "inputs.home.zip": CATEGORICAL,
    "inputs.home.lat": NUMERIC,
    "inputs.a/b ~": NUMERIC,
    "inputs.broken": CATEGORICAL,
}


def test_a_log_of_roles_alone_has_no_features(warehouse: Warehouse):
    warehouse.load("predictions", log().select(["ts", "score"]))
    with open_logs(warehouse.monitor()) as logs:
        assert logs.features(None, None) == {}


@pytest.mark.parametrize("form", ["json", "text", "struct"])
def test_nested_logs_of_a_serving_layer(warehouse: Warehouse, form: str):
    served = [{**row["inputs"], "broken": str(row["inputs"]["broken"])} for row in SERVED]
    columns = {
        "inputs": pa.array(served) if form == "struct" else documents(served),
        "outputs": (pa.array if form == "struct" else documents)([r["outputs"] for r in SERVED]),
    }
    rows = log(**columns, y=cycle("yes", "no")).drop_columns(["score"])
    warehouse.load("predictions", rows, json=["inputs", "outputs"] if form == "json" else [])
    monitor = warehouse.monitor(
        predictions={
            "id": "request",
            "score": "outputs.score",
            "prediction": "outputs.label",
            "version": "outputs.model",
            "positive": "yes",
        },
        labels={"label": "y"},
        segments=["inputs.home.zip"],
    )
    with open_logs(monitor) as logs:
        found = logs.features(START, END)
        assert {k: v for k, v in found.items() if k != "inputs.broken"} == {
            k: v for k, v in FEATURES.items() if k != "inputs.broken"
        }
        assert logs.check() == []
        columns = FEATURES | {"inputs.broken": NUMERIC, "inputs.none.such": NUMERIC}
        table = logs.rows(START, END, columns, limit=1000).table.sort_by(SCORE)
        statistics = logs.statistics(START, END, columns)
    assert table[SCORE].to_pylist() == [row["outputs"]["score"] for row in SERVED]
    assert table[PREDICTION].to_pylist() == [row["outputs"]["label"] for row in SERVED]
    assert set(table[VERSION].to_pylist()) == {"m1"}
    assert table[LABEL].to_pylist() == cycle("yes", "no")
    for name, read in {
        "inputs.age": lambda row: row["age"],
        "inputs.name": lambda row: row["name"],
        "inputs.member": lambda row: str(row["member"]).lower(),
        "inputs.home.zip": lambda row: row["home"]["zip"],
        "inputs.home.lat": lambda row: row["home"]["lat"],
        "inputs.a/b ~": lambda row: row["a/b ~"],
        "inputs.broken": lambda row: None if row["broken"] == "n/a" else row["broken"],
        "inputs.none.such": lambda row: None,
    }.items():
        assert table[name].to_pylist() == [read(row["inputs"]) for row in SERVED], name
    assert statistics.columns["inputs.broken"].nulls == ROWS - ROWS // 4
    assert statistics.columns["inputs.home.lat"].maximum == 52 + (ROWS - 1) / 7
    zips = Counter(row["inputs"]["home"]["zip"] for row in SERVED)
    assert statistics.columns["inputs.home.zip"].categories == zips


def test_a_column_of_this_very_name_comes_before_a_path(warehouse: Warehouse):
    both = log(**{"in": documents([{"x": 1}] * ROWS), "in.x": pa.array([2.0] * ROWS)})
    warehouse.load("predictions", both, json=["in"])
    with open_logs(warehouse.monitor()) as logs:
        assert set(logs.rows(START, END, {"in.x": NUMERIC}).table["in.x"].to_pylist()) == {2.0}


def test_text_that_is_no_document_holds_nothing(warehouse: Warehouse):
    warehouse.load("predictions", log(note=cycle("plain", "", None, '{"x": 1}', "[1, 2]", "7")))
    with open_logs(warehouse.monitor()) as logs:
        values = logs.rows(START, END, {"note.x": NUMERIC}).table["note.x"].to_pylist()
    assert Counter(values) == {None: ROWS * 5 // 6, 1.0: ROWS // 6}


def test_numbers_that_are_none_break_nothing(warehouse: Warehouse):
    odd = pa.array(cycle(1.5, math.nan, math.inf, -math.inf, None, -2.0))
    words = cycle("1.5", "nan", "inf", "abc", None, " -2e0 ", "", "1_0", "0x1f", "1e", ".5", "+4.")
    blank = pa.array([math.nan, None] * (ROWS // 2))
    warehouse.load("predictions", log(odd=odd, words=words, blank=blank, gone=[None] * ROWS))
    columns = dict.fromkeys(("odd", "words", "blank", "gone"), NUMERIC)
    with open_logs(warehouse.monitor(predictions={"id": "request"})) as logs:
        statistics = logs.statistics(START, END, columns)
        table = logs.rows(START, END, columns).table
        again = logs.rows(START, END, columns | {"gone": CATEGORICAL}, limit=50).table
    sixth = ROWS // 6
    seen = statistics.columns
    assert (seen["odd"].nulls, seen["odd"].minimum, seen["odd"].maximum) == (2 * sixth, -2.0, 1.5)
    read = [v for v in table["words"].to_pylist() if v is not None and not math.isnan(v)]
    assert Counter(read) == dict.fromkeys((1.5, math.inf, -2.0, 0.5, 4.0), ROWS // 12)
    assert seen["words"].nulls == ROWS - len(read)
    assert (seen["words"].minimum, seen["words"].maximum) == (-2.0, 4.0)
    assert (seen["blank"].nulls, seen["blank"].minimum) == (ROWS, None)
    assert (seen["gone"].nulls, seen["gone"].maximum) == (ROWS, None)
    assert statistics.null_share("gone") == 1.0
    finite = [v for v in table["odd"].to_pylist() if v is not None and math.isfinite(v)]
    assert Counter(finite) == {1.5: sixth, -2.0: sixth}
    assert len(again) == 50


def test_what_is_sensitive_is_not_said_to_look_like_an_id(warehouse: Warehouse):
    warehouse.load("predictions", log(x=np.arange(ROWS), y=np.arange(ROWS)))
    monitor = warehouse.monitor(predictions={"id": "request"}, features={"sensitive": ["x"]})
    with open_logs(monitor) as logs:
        told = " ".join(logs.inferred(None, None)[1])
    assert "y is no feature" in told
    assert "x is no feature" not in told


def test_text_in_a_column_of_numbers_is_null(tmp_path):
    warehouse = Warehouse(kind="sqlite", folder=tmp_path)
    warehouse.load("predictions", log(x=np.arange(ROWS) / 2))
    with sqlite3.connect(warehouse.file) as connection:
        connection.execute("UPDATE predictions SET x = 'n/a' WHERE x < 5")
    connection.close()
    with open_logs(warehouse.monitor()) as logs:
        column = logs.statistics(START, END, {"x": NUMERIC}).columns["x"]
        assert (column.nulls, column.minimum, column.maximum) == (10, 5.0, (ROWS - 1) / 2)


def test_categories_are_counted_or_are_too_many(warehouse: Warehouse):
    many = pa.table(
        {
            "id": range(MOST_CATEGORIES + 1),
            "ts": pa.array([START] * (MOST_CATEGORIES + 1), pa.timestamp("us", "UTC")),
            "score": [0.5] * (MOST_CATEGORIES + 1),
            "wide": [f"{place}" for place in range(MOST_CATEGORIES + 1)],
            "just": [f"{place % MOST_CATEGORIES}" for place in range(MOST_CATEGORIES + 1)],
        }
    )
    warehouse.load("predictions", many)
    with open_logs(warehouse.monitor()) as logs:
        columns = logs.statistics(START, END, {"wide": CATEGORICAL, "just": CATEGORICAL}).columns
    assert columns["wide"].categories is None
    assert columns["just"].categories == Counter(many["just"].to_pylist())
    assert max(columns["just"].categories.values()) == 2
