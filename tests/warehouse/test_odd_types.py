"""Money, intervals, ranges and the like are no numbers: they are categories or left out."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from driftline.domain import ColumnKind
from driftline.profile import CategoryBins, Layout
from driftline.warehouse import open_logs
from tests.warehouse.test_rows import END, START, log
from tests.warehouses import make_warehouse

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
