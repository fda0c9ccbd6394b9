"""A person's own SQL on every warehouse: against pandas, and what it must not do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from driftline.errors import LogError, WarehouseError
from driftline.monitor.sections import Business
from driftline.warehouse import open_logs
from driftline.warehouse.cut import Cut
from tests.conftest import run
from tests.warehouses import Warehouse

START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + timedelta(days=1)
HOSTILE = "price\"; -- it's %s"
SQL = {
    "conversion": "avg(case when purchased = 'yes' then 1e0 else 0e0 end)",
    "revenue": "sum({price})",
    "buyers": "count(distinct case when purchased = 'yes' then customer end) -- of all",
    "a.rate-2": "sum(case when customer like 'c1%' then 1 else 0 end) * 1e2 / count(*)",
}


def raw(rows: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    seconds = rng.integers(-36_000, 86_400, rows)
    return pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(rows)],
            "ts": pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s"),
            "score": rng.random(rows),
            "purchased": rng.choice(["yes", "no"], rows),
            HOSTILE: rng.integers(1, 100, rows) / 4,
            "customer": [f"c{n}" for n in rng.integers(0, 50, rows)],
            "origin": rng.choice(["JFK", "O'Hare"], rows),
            "version": rng.choice(["1", "2"], rows, p=[0.7, 0.3]),
        }
    )


def monitor(warehouse: Warehouse, business: dict[str, Any]) -> Any:
    return warehouse.monitor(
        predictions={"version": "version"},
        segments=["origin"],
        features={"numeric": []},
        business={
            n: sql.replace("{price}", warehouse.quoted(HOSTILE)) for n, sql in business.items()
        },
    )


def expected(rows: pd.DataFrame) -> dict[str, float]:
    bought = rows["purchased"] == "yes"
    return {
        "conversion": bought.mean(),
        "revenue": rows[HOSTILE].sum(),
        "buyers": rows["customer"][bought].nunique(),
        "a.rate-2": 100 * rows["customer"].str.startswith("c1").mean(),
    }


@pytest.mark.core
def test_every_part_is_what_pandas_says(warehouse: Warehouse) -> None:
    frame = raw()
    warehouse.load("predictions", pa.Table.from_pandas(frame))
    inside = frame[(frame["ts"] >= START) & (frame["ts"] < END)]
    with open_logs(monitor(warehouse, SQL)) as logs:
        assert logs.check() == []
        (whole,) = logs.business(START, END).values()
        assert whole.rows == len(inside)
        assert whole.values == pytest.approx(expected(inside), rel=1e-12)
        cities = logs.business(
            START, END, Cut(segment="origin", values=("JFK", "O'Hare", "LGA"), most=9)
        )
        for city in ("JFK", "O'Hare"):
            own = inside[inside["origin"] == city]
            assert cities[city].values == pytest.approx(expected(own), rel=1e-12)
        assert cities["LGA"].values == dict.fromkeys(SQL)
        versions = logs.business(START, END, Cut(version=True, most=9))
        assert list(versions) == ["1", "2"]
        for version, found in versions.items():
            own = inside[inside["version"] == version]
            assert (found.rows, found.values) == (len(own), pytest.approx(expected(own)))
        (empty,) = logs.business(END, END + timedelta(days=1)).values()
        assert empty.rows == 0
        assert (empty.values["conversion"], empty.values["buyers"]) == (None, 0.0)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("avg(purchas)", "purchas"),
        ("avg(score", ""),
        ("score", ""),
        ("no_such_function(score)", "no_such_function"),
        ("(select avg(x) from elsewhere)", "elsewhere"),
    ],
)
def test_a_bad_expression_is_named_and_the_others_are_not(
    warehouse: Warehouse, sql: str, said: str
) -> None:
    warehouse.load("predictions", pa.Table.from_pandas(raw(50)))
    with open_logs(monitor(warehouse, {**SQL, "broken": sql})) as logs:
        (error,) = logs.check()
        assert str(error).startswith(f"business.broken: {sql}: ")
        assert said in str(error)
        assert "\n" not in str(error)
        with pytest.raises(LogError, match=r"business\.broken"):
            logs.business(START, END)
        # What failed leaves the connection as it was.
        assert logs.counts(START - timedelta(days=1), END).rows == 50


def test_what_fails_on_some_rows_only_is_named_too(warehouse: Warehouse) -> None:
    if warehouse.dialect == "sqlite":
        sql = "sum(abs(case when score > -1 then -9223372036854775807 - 1 end))"
    else:
        sql = "sum(cast(purchased as integer))"
    warehouse.load("predictions", pa.Table.from_pandas(raw(50)))
    with open_logs(monitor(warehouse, {**SQL, "broken": sql})) as logs:
        assert logs.check() == []  # nothing is wrong with it where there are no rows
        with pytest.raises(LogError, match=r"business\.broken: sum\("):
            logs.business(None, None)


def test_a_value_that_is_no_number_is_refused(warehouse: Warehouse) -> None:
    warehouse.load("predictions", pa.Table.from_pandas(raw(50)))
    with (
        open_logs(monitor(warehouse, {"last": "max(customer)"})) as logs,
        pytest.raises(
            LogError, match=r"business\.last: max\(customer\): it is no number but a str"
        ),
    ):
        logs.business(None, None)


def test_decimals_and_booleans_are_numbers(warehouse: Warehouse) -> None:
    prices = pa.array([Decimal("0.10"), Decimal("0.25"), None], pa.decimal128(10, 2))
    rows = pa.Table.from_pandas(raw(3)).append_column("exact", prices)
    warehouse.load("predictions", rows)
    own = {"paid": "sum(exact)", "any_paid": "sum(exact) > 0", "none": "avg(exact) + null"}
    with open_logs(monitor(warehouse, own)) as logs:
        (found,) = logs.business(None, None).values()
    assert found.values == {"paid": pytest.approx(0.35), "any_paid": 1.0, "none": None}


def test_a_warehouse_that_is_gone_is_no_fault_of_an_expression(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.load("predictions", pa.Table.from_pandas(raw(50)))
    with open_logs(monitor(warehouse, SQL)) as logs:
        assert logs.check() == []

        def gone(_: object) -> Any:
            raise WarehouseError("it is gone")

        monkeypatch.setattr(logs._reader, "all", gone)
        with pytest.raises(WarehouseError, match=r"^it is gone$"):
            logs.business(START, END)


WRITES = {
    "duckdb": ["(select nextval('numbers'))", "1) from predictions); delete from predictions; --"],
    "postgresql": [
        "nextval('numbers')",
        "max(emptied())",
        "1) from predictions; delete from predictions; --",
    ],
    "sqlite": ["1) from predictions; delete from predictions; --"],
}


EMPTIED = (
    "CREATE FUNCTION emptied() RETURNS int LANGUAGE sql VOLATILE "
    "AS 'WITH gone AS (DELETE FROM predictions RETURNING 1) SELECT count(*)::int FROM gone'"
)


@pytest.mark.parametrize("warehouse", ["duckdb", "postgresql", "sqlite"], indirect=True)
def test_an_expression_cannot_write(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions only read, even those of the tables' owner."""
    warehouse.load("predictions", pa.Table.from_pandas(raw(50)))
    sequence = "CREATE SEQUENCE numbers"
    if warehouse.kind == "postgresql":
        run(warehouse.owner, sequence, EMPTIED)
        monkeypatch.setattr(warehouse, "reader", lambda: warehouse.owner)
    elif warehouse.kind == "duckdb":
        with duckdb.connect(str(warehouse.file)) as connection:
            connection.execute(sequence)
    for sql in WRITES[warehouse.kind]:
        about = monitor(warehouse, {"written": "count(*)"})
        about.business["written"] = Business.model_construct(sql=sql)  # past the file's own checks
        with open_logs(about) as logs, pytest.raises(LogError, match=r"business\.written: "):
            logs.business(None, None)
    with open_logs(monitor(warehouse, {"there": "count(*)"})) as logs:
        assert logs.business(None, None)[""].values == {"there": 50.0}


@pytest.mark.parametrize("sql", ["count(*); delete from t", "count(*) /* ' */; drop table t -- '"])
def test_one_expression_is_no_two_statements(sql: str) -> None:
    with pytest.raises(ValueError, match="without a semicolon"):
        Business(sql=sql)
    Business(sql="count(*) /* ; */ + sum(case when x = 'a;b' then 1 end) -- ;")
