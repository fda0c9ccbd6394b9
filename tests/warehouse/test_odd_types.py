"""Money, intervals, ranges and the like are no numbers: they are categories or left out."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import create_engine, literal_column, select

from driftline.domain import ColumnKind
from driftline.profile.columns import CategoryBins, Layout, NumericBins
from driftline.profile.rows import SCORE
from driftline.warehouse import open_logs
from driftline.warehouse.dialects import postgresql
from driftline.warehouse.dialects.base import Family
from tests.warehouse.test_rows import END, START, log
from tests.warehouses import Warehouse, make_warehouse

TYPES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "postgresql": {
        "MONEY": ("1.50", "2.50"),
        "INTERVAL": ("1 day", "2 hours"),
        "INT4RANGE": ("[1,3)", "[2,5)"),
        "NUMRANGE": ("[1,3)", "empty"),
        "TSTZRANGE": ("[2013-04-01,2013-04-02)", "[2013-04-01,)"),
        "INT4MULTIRANGE": ("{[1,3)}", "{}"),
        "TIME": ("10:00", "11:30"),
        "TIMETZ": ("10:00+02", "11:30+00"),
        "INET": ("10.0.0.1", "10.0.0.0/8"),
        "POINT": ("(1,2)", "(2,3)"),
        "BIT(3)": ("101", "111"),
        "BYTEA": ("abc", "def"),
        "TSVECTOR": ("a fat cat", "rat"),
    },
    "duckdb": {
        "INTERVAL": ("1 day", "2 hours"),
        "TIME": ("10:00:00", "11:30:00"),
        "TIMETZ": ("10:00:00+02", "11:30:00+00"),
        "BLOB": ("abc", "def"),
        "BIT": ("101", "111"),
        "UUID": ("5f0c6d0a-0000-4000-8000-000000000001", "5f0c6d0a-0000-4000-8000-000000000002"),
    },
}


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_what_is_no_number_stops_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    place = make_warehouse(request, kind, tmp_path)
    types = {f"c{number}": name for number, name in enumerate(TYPES[kind])}
    columns = {
        f"c{number}": pa.array([*pair] * 60) for number, pair in enumerate(TYPES[kind].values())
    }
    place.load("predictions", log(120, **columns), types=types)
    with open_logs(place.monitor()) as logs:
        assert logs.check() == []
        found = logs.features(None, None)
        assert set(found.values()) <= {ColumnKind.CATEGORICAL}
    listed = place.monitor(features={"categorical": list(types)})
    with open_logs(listed) as logs:
        assert logs.check() == []
        named = logs.features(None, None)
        assert set(named) == set(types)
        seen = logs.categories(None, None, named)
        assert all(sorted(rows.values()) == [60, 60] for rows in seen.values())
        layout = Layout({name: CategoryBins.of(rows) for name, rows in seen.items()})
        for profiler in ("sql", "stream"):
            drift = listed.drift.model_copy(update={"profiler": profiler})
            with open_logs(listed.model_copy(update={"drift": drift})) as each:
                (one,) = each.profiles(layout, START, END).values()
            assert all(one.column(name).usable == 120 for name in types)
        rows = logs.rows(START, END, named).table
        assert all(rows[name].null_count == 0 for name in types)


@pytest.mark.parametrize("profiler", ["sql", "stream"])
def test_a_decimal_beyond_a_double_is_one_infinite_row(
    request: pytest.FixtureRequest, tmp_path: Path, profiler: str
) -> None:
    """Of 1e400 a cast to a double is an error in PostgreSQL, and of 1e-400 too."""
    place = make_warehouse(request, "postgresql", tmp_path)
    odd = ["1e400", "-1e400", "Infinity", "NaN", "1e-400", "-1e-400", "2.5e-324", None]
    largest = "1.7976931348623157e308"
    values = [*odd, largest, f"-{largest}"] * 12
    place.load("predictions", log(120, x=pa.array(values)), types={"x": "NUMERIC"})
    with open_logs(place.monitor(drift={"profiler": profiler})) as logs:
        kinds = {"x": ColumnKind.NUMERIC}
        assert logs.features(None, None) == kinds
        column = logs.statistics(START, END, kinds).columns["x"]
        assert (column.nulls, column.infinite) == (24, 36)
        assert (column.minimum, column.maximum) == (-float(largest), float(largest))
        layout = Layout({"x": NumericBins.of(np.linspace(-1, 1, 50))})
        (one,) = logs.profiles(layout, START, END).values()
        assert (one.rows, one.column("x").usable) == (120, 36)  # of the largest the square is none
        assert logs.rows(START, END, kinds).table["x"].to_pylist().count(0.0) == 24


def test_bytes_that_are_no_text_are_values_like_others(tmp_path: Path) -> None:
    """SQLite keeps as text what it is given: Latin-1, half of a surrogate pair, a NUL."""
    place = Warehouse(kind="sqlite", folder=tmp_path)
    place.load("predictions", log(120, x=pa.array(["north"] * 120)))
    kept = {b"caf\xe9": r"caf\xe9", b"\xed\xa0\x80": r"\xed\xa0\x80", b"a\x00b": "a\x00b"}
    with closing(sqlite3.connect(place.file)) as connection, connection:
        for number, value in enumerate(kept):
            connection.execute(
                "UPDATE predictions SET x = CAST(? AS TEXT) WHERE rowid % 4 = ?", (value, number)
            )
    kinds = {"x": ColumnKind.CATEGORICAL}
    for profiler in ("sql", "stream"):
        monitor = place.monitor(drift={"profiler": profiler}, segments=["x"])
        with open_logs(monitor) as logs:
            assert logs.check() == []
            found = logs.statistics(START, END, kinds).columns["x"]
            assert found.categories == dict.fromkeys([*kept.values(), "north"], 30)
            layout = Layout({"x": CategoryBins.of(found.categories)})
            parts = logs.profiles(layout, START, END, segment="x", values=list(found.categories))
            assert {slot.segment: one.rows for slot, one in parts.items()} == found.categories
            assert len(logs.rows(START, END, kinds, limit=50).table) == 50  # drawn by a digest
    hidden = place.monitor(features={"categorical": ["x"], "sensitive": ["x"]})
    with open_logs(hidden) as logs:
        assert len(set(logs.rows(START, END, kinds).table["x"].to_pylist())) == 4


def test_stray_bytes_make_a_column_no_other(tmp_path: Path) -> None:
    place = Warehouse(kind="sqlite", folder=tmp_path)
    place.load("predictions", log(120, x=pa.array([1.5] * 120)))
    with closing(sqlite3.connect(place.file)) as connection, connection:
        connection.execute("UPDATE predictions SET ts = X'00ff', x = X'00' WHERE rowid <= 2")
    with open_logs(place.monitor()) as logs:
        kinds = {"x": ColumnKind.NUMERIC}
        assert logs.features(None, None) == kinds
        statistics = logs.statistics(START, END, kinds)
        assert (statistics.rows, statistics.columns["x"].nulls) == (118, 0)
        assert logs.timeless() == 2


def test_a_column_may_begin_with_an_at_sign(warehouse: Warehouse) -> None:
    """Logstash writes @timestamp and @version."""
    rows = log(120, **{"@version": pa.array(["1", "2"] * 60), "@score": pa.array([1.5, 2.5] * 60)})
    warehouse.load("predictions", rows.rename_columns({"ts": "@timestamp"}))
    monitor = warehouse.monitor(predictions={"timestamp": "@timestamp"}, segments=["@version"])
    kinds = {"@score": ColumnKind.NUMERIC, "@version": ColumnKind.CATEGORICAL}
    with open_logs(monitor) as logs:
        assert logs.features(None, None) == kinds
        table = logs.rows(START, END, kinds).table
        assert set(table["@score"].to_pylist()) == {1.5, 2.5}
        assert max(table[SCORE].to_pylist()) < 1
        layout = Layout({"@version": CategoryBins.of({"1": 60, "2": 60})})
        parts = logs.profiles(layout, START, END, segment="@version", values=["1", "2"])
        assert [one.rows for one in parts.values()] == [60, 60]


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
@pytest.mark.parametrize("profiler", ["sql", "stream"])
def test_a_segment_may_hold_a_nul(tmp_path: Path, kind: str, profiler: str) -> None:
    """DuckDB keeps chr(0) in text, but reads a statement no further than one."""
    place = Warehouse(kind=kind, folder=tmp_path)
    rows = dict.fromkeys(["\x00", "a", "a\x00b", "a\x00c"], 30)
    place.load("predictions", log(120, x=pa.array([*rows] * 30)))
    with open_logs(place.monitor(drift={"profiler": profiler}, segments=["x"])) as logs:
        kinds = {"x": ColumnKind.CATEGORICAL}
        assert logs.statistics(START, END, kinds).columns["x"].categories == rows
        layout = Layout({"x": CategoryBins.of(rows)})
        parts = logs.profiles(layout, START, END, segment="x", values=[*rows])
        assert {slot.segment: one.rows for slot, one in parts.items()} == rows


def test_a_numeric_is_looked_at_only_where_its_digits_may_be_too_many(postgres_url: str) -> None:
    kinds = {
        "numeric(12, 2)": Family.FLOAT,
        "numeric(308, 308)": Family.FLOAT,
        "numeric": Family.DECIMAL,
        "numeric(309)": Family.DECIMAL,
        "numeric(5, 309)": Family.DECIMAL,
        "numeric(300, -20)": Family.DECIMAL,
    }
    relation = select(*(literal_column(f"NULL::{kind}").label(kind) for kind in kinds)).subquery()
    with create_engine(postgres_url).connect() as connection:
        found = postgresql.columns(connection, relation)
    assert {name: column.family for name, column in found.items()} == kinds
