"""What SQL counts is what numpy counts, on the same rows, in every warehouse."""

import json
import math
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline import hidden
from driftline.domain import DAY, HOUR, ColumnKind
from driftline.monitor.sections import Profiler
from driftline.profile.bins import bins_of
from driftline.profile.columns import (
    LARGEST,
    MOST_CATEGORIES,
    MOST_KNOWN,
    Bins,
    CategoryBins,
    CategoryProfile,
    Layout,
    NumericBins,
    NumericProfile,
    Profile,
)
from driftline.profile.rows import VERSION
from driftline.warehouse import Logs, open_logs
from driftline.warehouse.cut import Slot
from driftline.warehouse.dialects import base as dialect
from tests.conftest import run
from tests.warehouse.test_rows import END, HOSTILE, START, log, times
from tests.warehouses import Warehouse, make_warehouse

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
ALL = Slot(None, "", "")
RESERVED = [
    *("hour", "version", "segment", "rows", "code", "d", "value", "sum", "squares", "low", "high"),
    *("stretch", "coded", "c0", "c1", "k0", "lot", "one", "place", "select", "from", "order"),
    *("group", "by", "where", "null", "true", "case", "end", "user"),
]


def kinds(layout: Layout) -> dict[str, ColumnKind]:
    return {name: bins.kind for name, bins in layout.bins.items()}


@contextmanager
def counted_by(logs: Logs, profiler: str) -> Iterator[Logs]:
    """The same logs, with this profiler in their monitor's file."""
    drift = logs.monitor.drift.model_copy(update={"profiler": Profiler(profiler)})
    with open_logs(logs.monitor.model_copy(update={"drift": drift})) as other:
        yield other


def agree(one: Profile, other: Profile) -> None:
    """Counts and extremes are equal, sums up to the order in which they were added."""
    assert one.rows == other.rows
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.lows, other.lows)
    assert np.array_equal(one.highs, other.highs)
    for name, bins in one.layout.bins.items():
        if isinstance(bins, NumericBins):
            a, b = numbers(one, name), numbers(other, name)
            assert a.squares == pytest.approx(b.squares, rel=1e-12)
            atol = 1e-12 * math.sqrt(a.usable) * math.sqrt(a.squares)
            np.testing.assert_allclose(a.sums, b.sums, rtol=1e-12, atol=atol)


def both(logs: Logs, layout: Layout, *stretch: Any, **how: Any) -> dict[Slot, Profile]:
    """Return what SQL counts, when numpy has counted the same from a stream."""
    with counted_by(logs, "sql") as warehouse, counted_by(logs, "stream") as numpy:
        found = warehouse.profiles(layout, *stretch, **how)
        expected = numpy.profiles(layout, *stretch, **how)
    assert set(found) == set(expected)
    for slot, one in found.items():
        agree(one, expected[slot])
    return found


def numbers(one: Profile, name: str) -> NumericProfile:
    found = one.column(name)
    assert isinstance(found, NumericProfile)
    return found


def categories(one: Profile, name: str) -> CategoryProfile:
    found = one.column(name)
    assert isinstance(found, CategoryProfile)
    return found


def counts(one: Profile, name: str) -> dict[str, int]:
    """The rows of each category that has a bin."""
    found = categories(one, name)
    return dict(zip(found.bins.categories, found.counts.tolist(), strict=False))


def a_day(number: int = 1500, seed: int = 0) -> dict[str, pa.Array]:
    """Columns of every kind, for rows a minute apart."""
    rng = np.random.default_rng(seed)
    gone = rng.random(number) < 0.1
    return {
        "temp": pa.array(rng.normal(40, 10, number), mask=gone),
        "rain": pa.array(np.where(rng.random(number) < 0.9, 0.0, rng.gamma(2, 1, number))),
        "size": pa.array(rng.integers(0, 500, number)),
        "late": pa.array(rng.random(number) < 0.3, mask=gone),
        "carrier": pa.array(rng.choice(["AA", "B6", "DL", "Grün 🛫"], number), mask=gone),
        "inputs": pa.array(
            [
                json.dumps({"x": float(x), "deep": {"er": str(r)}} if x > 0 else {})
                for x, r in zip(rng.normal(1, 1, number), rng.integers(0, 5, number), strict=True)
            ]
        ),
        "version": pa.array(rng.choice(["1", "2", "3"], number), mask=rng.random(number) < 0.2),
        "gate": pa.array(rng.integers(1, 5, number), mask=gone),
    }


COLUMNS = {
    "temp": NUMERIC,
    "rain": NUMERIC,
    "size": NUMERIC,
    "late": CATEGORICAL,
    "carrier": CATEGORICAL,
    "inputs.x": NUMERIC,
    "inputs.deep.er": CATEGORICAL,
    "gate": CATEGORICAL,
    "gone": NUMERIC,
    "lost": CATEGORICAL,
}


def layout_of(logs: Logs, columns: Mapping[str, ColumnKind], *stretch: datetime | None) -> Layout:
    start, end = stretch or (None, None)
    return Layout(bins_of(logs.rows(start, end, columns).table, columns))


@pytest.mark.core
def test_sql_counts_what_numpy_counts(warehouse: Warehouse):
    columns = a_day()
    warehouse.load("predictions", log(1500, **columns), json=["inputs"])
    with open_logs(warehouse.monitor()) as logs:
        layout = layout_of(logs, COLUMNS, START, START + DAY / 2)
        whole = both(logs, layout, None, None)[ALL]
        (part,) = both(logs, layout, START + 5 * HOUR, START + 6 * HOUR).values()
    assert (whole.rows, part.rows) == (1500, 60)
    # And once more from the raw columns, without any of our code.
    for name in ("temp", "rain", "size"):
        found, raw = numbers(whole, name), columns[name].drop_null().to_numpy().astype(float)
        edges = np.array([-np.inf, *found.bins.edges, np.inf])
        assert found.counts.tolist() == np.histogram(raw, edges)[0].tolist()
        assert found.nulls == columns[name].null_count
        assert found.mean == pytest.approx(raw.mean(), rel=1e-12)
        assert found.std == pytest.approx(raw.std(), rel=1e-12)
        assert found.minimum == pytest.approx(raw.min(), rel=1e-12, abs=1e-12)
        assert found.maximum == pytest.approx(raw.max(), rel=1e-12)
    for name in ("carrier", "late"):
        raw_counts = Counter(
            str(value).lower() if name == "late" else value
            for value in columns[name].drop_null().to_pylist()
        )
        assert counts(whole, name) == dict(raw_counts)
        assert categories(whole, name).nulls == columns[name].null_count
    held = [json.loads(text) for text in columns["inputs"].to_pylist()]
    assert numbers(whole, "inputs.x").nulls == held.count({})
    assert counts(whole, "inputs.deep.er") == dict(Counter(d["deep"]["er"] for d in held if d))
    assert numbers(whole, "gone").nulls == categories(whole, "lost").nulls == 1500


def test_hours_add_up(warehouse: Warehouse):
    warehouse.load("predictions", log(1500, **a_day()), json=["inputs"])
    with open_logs(warehouse.monitor(predictions={"version": "version"})) as logs:
        layout = layout_of(logs, COLUMNS)
        hours = [START + HOUR * n for n in range(30)]
        found = both(logs, layout, START, START + 30 * HOUR, hours=hours)
        assert {slot.hour for slot in found} == set(hours[:25]), "1500 minutes are 25 hours"
        assert {slot.version for slot in found} == {"", "1", "2", "3"}
        whole = layout.total(logs.profiles(layout, None, None).values())
        agree(layout.total(found.values()), whole)

        @settings(max_examples=5, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.integers(1, 29), max_size=3, unique=True), st.booleans())
        def add_up(cuts: list[int], by_hour: bool) -> None:
            ends = [0, *sorted(cuts), 30]
            parts: list[Profile] = []
            for first, last in pairwise(ends):
                own = hours[first:last] if by_hour else []
                start, end = START + first * HOUR, START + last * HOUR
                parts += logs.profiles(layout, start, end, hours=own).values()
            agree(layout.total(parts), whole)

        add_up()


@pytest.mark.parametrize("day", [datetime(2013, 3, 10), datetime(2013, 11, 3)])
def test_hours_of_a_zone_add_up(warehouse: Warehouse, day: datetime):
    wall = [day + timedelta(minutes=10 * n) for n in range(24 * 6)]
    rows = log(len(wall), x=pa.array(np.arange(len(wall)) / 7))
    rows = rows.set_column(1, "ts", pa.array(wall, pa.timestamp("us")))
    warehouse.load("predictions", rows, types={"ts": "TIMESTAMP"})
    monitor = warehouse.monitor(predictions={"timezone": "America/New_York"})
    first = day.replace(tzinfo=UTC) + 3 * HOUR
    hours = [first + HOUR * n for n in range(28)]
    with open_logs(monitor) as logs:
        layout = layout_of(logs, {"x": NUMERIC})
        whole = logs.profiles(layout, None, None)[ALL]
        found = both(logs, layout, hours[0], hours[-1] + HOUR, hours=hours)
    assert whole.rows == len(wall)
    agree(layout.total(found.values()), whole)
    # What a clock shows twice is later, and the hour before holds nothing of its own.
    filled = len({slot.hour for slot in found})
    assert filled == (24 if day.month == 11 else 23)


@pytest.mark.parametrize(
    ("form", "at"),
    [
        ("epoch", lambda place: 1364774400 + 60 * place),
        ("milliseconds", lambda place: 1364774400000 + 60_000 * place),
        ("text", lambda place: f"{START + timedelta(minutes=place):%Y-%m-%dT%H:%M:%SZ}"),
        ("offsets", lambda place: f"{START + timedelta(minutes=place):%Y-%m-%dT%H:%M:%S}+00:00"),
    ],
)
def test_times_may_be_written_in_any_way(warehouse: Warehouse, form: str, at: Any):
    rows = log(200, x=pa.array(np.arange(200.0)))
    warehouse.load(
        "predictions", rows.set_column(1, "ts", pa.array([at(place) for place in range(200)]))
    )
    hours = [START + HOUR * n for n in range(4)]
    with open_logs(warehouse.monitor()) as logs:
        layout = layout_of(logs, {"x": NUMERIC})
        found = both(logs, layout, START, START + 4 * HOUR, hours=hours)
    assert [found[Slot(hour, "", "")].rows for hour in hours] == [60, 60, 60, 20], form


class TestParts:
    def test_versions_and_segments(self, warehouse: Warehouse):
        columns = a_day()
        warehouse.load("predictions", log(1500, **columns), json=["inputs"])
        monitor = warehouse.monitor(
            predictions={"version": "version", "where": "size < 400"}, segments=["gate", "carrier"]
        )
        hours = [START + HOUR * n for n in range(24)]
        with open_logs(monitor) as logs:
            layout = layout_of(logs, COLUMNS, START, END)
            rows = logs.rows(None, None, COLUMNS).table.to_pandas()
            for segment, values in (("gate", ["1", "3", "99"]), ("carrier", ["AA", "Grün 🛫"])):
                how = {"segment": segment, "values": values}
                found = both(logs, layout, None, None, **how)
                both(logs, layout, START, END, hours=hours, **how)
                raw = Counter(
                    (version or "", value)
                    for version, value in zip(rows[VERSION], rows[segment], strict=True)
                    if value in values
                )
                assert {(s.version, s.segment): p.rows for s, p in found.items()} == raw
            assert logs.profiles(layout, None, None, segment="gate", values=[]) == {}
        sizes = np.array(columns["size"])
        assert len(rows) == (sizes < 400).sum()

    def test_hostile_values_are_only_values(self, warehouse: Warehouse):
        odd = [*HOSTILE, "", " ", "null", "%", "_", "\n", "a\tb", "é", "e\u0301", "'", "''", "{}"]
        cities = [*odd, *odd[:5], None]
        rows = log(len(cities), city=pa.array(cities), version=pa.array(cities))
        warehouse.load("predictions", rows)
        monitor = warehouse.monitor(predictions={"version": "version"}, segments=["city"])
        with open_logs(monitor) as logs:
            layout = Layout({"city": CategoryBins.of(Counter(c for c in cities if c is not None))})
            found = both(logs, layout, None, None, segment="city", values=odd)
            whole = layout.total(logs.profiles(layout, None, None).values())
            assert logs.categories(None, None, {"city": CATEGORICAL}) == {
                "city": dict(Counter(cities[:-1]))
            }
        assert set(found) == {Slot(None, value, value) for value in odd}
        for slot, one in found.items():
            assert counts(one, "city")[slot.segment] == one.rows
        assert whole.rows == len(cities)
        assert counts(whole, "city") == dict(Counter(cities[:-1]))
        assert (categories(whole, "city").new, categories(whole, "city").nulls) == (0, 1)

    def test_a_where_and_a_comment(self, warehouse: Warehouse):
        warehouse.load("predictions", log(100, x=pa.array(np.arange(100.0))))
        with open_logs(warehouse.monitor(predictions={"where": "x >= 90 -- :new %s"})) as logs:
            layout = layout_of(logs, {"x": NUMERIC})
            assert both(logs, layout, START, END)[ALL].rows == 10

    def test_an_empty_stretch_has_no_profile(self, warehouse: Warehouse):
        warehouse.load("predictions", log(10, **a_day(10)), json=["inputs"])
        monitor = warehouse.monitor(predictions={"version": "version"}, segments=["gate"])
        with open_logs(monitor) as logs:
            layout = layout_of(logs, COLUMNS, START, END)
            later = (END, END + HOUR)
            assert both(logs, layout, *later) == both(logs, layout, *later, hours=[END]) == {}
            assert both(logs, layout, *later, segment="gate", values=["1"]) == {}
            assert logs.categories(*later, {"carrier": CATEGORICAL}) == {"carrier": {}}
            nothing = layout_of(logs, COLUMNS, *later)
            assert all(bins.size in (1, 2) for bins in nothing.bins.values())
            whole = nothing.total(both(logs, nothing, START, END).values())
        assert categories(whole, "gate").new + categories(whole, "gate").nulls == whole.rows

    def test_without_columns_rows_are_counted(self, warehouse: Warehouse):
        warehouse.load("predictions", log(7))
        with open_logs(warehouse.monitor()) as logs:
            assert logs.profiles(Layout({}), None, None)[ALL].rows == 7

    def test_what_is_sensitive_is_counted_by_its_hash(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv(hidden.VARIABLE, "secret")
        codes = [10115 + place % 3 for place in range(30)]
        warehouse.load("predictions", log(30, postcode=pa.array(codes)))
        monitor = warehouse.monitor(features={"sensitive": ["postcode"]}, segments=["postcode"])
        hashed = Counter(hidden.hashed(str(code), "secret") for code in codes)
        with open_logs(monitor) as logs:
            (known,) = logs.categories(None, None, {"postcode": NUMERIC}).values()
            assert known == dict(hashed)
            layout = Layout({"postcode": CategoryBins.of(known)})
            one = both(logs, layout, None, None)[ALL]
            parts = both(logs, layout, None, None, segment="postcode", values=list(hashed))
            assert logs.profiles(layout, None, None, segment="postcode", values=["10115"]) == {}
            shown = logs.profile_sql(layout, None, None)
            assert ":key" in shown[0]
            assert not any("10115" in text or "secret" in text for text in shown)
        assert counts(one, "postcode") == dict(hashed)
        assert {slot.segment for slot in parts} == set(hashed)


class TestNumbers:
    def test_odd_ones_keep_to_their_places(self, warehouse: Warehouse):
        nan, inf = float("nan"), float("inf")
        odd = [nan, inf, -inf, 1e300, -1e300, LARGEST, -LARGEST, np.nextafter(LARGEST, inf)]
        values = [*odd, -0.0, 0.0, 5e-324, -5e-324, 1e-200, 2.0**62, None, 1.0, 1.0]
        warehouse.load("predictions", log(len(values), x=pa.array(values)))
        finite = np.array([v for v in values if v is not None and abs(v) <= LARGEST])
        bins: dict[str, Bins] = {"x": NumericBins(edges=(-1.0, 0.0, 1.0, LARGEST), shift=0.0)}
        with open_logs(warehouse.monitor()) as logs:
            one = numbers(both(logs, Layout(bins), None, None)[ALL], "x")
        assert one.counts.tolist() == [1, 1, 4, 3, 1]
        lost = warehouse.kind == "sqlite"  # SQLite has no NaN: it stores NULL
        assert (one.nulls, one.nans, one.infinite) == (1 + lost, 1 - lost, 5)
        assert (one.minimum, one.maximum) == (finite.min(), finite.max())
        assert one.squares == pytest.approx((finite * finite).sum(), rel=1e-15)

    def test_whole_numbers_may_be_huge(self, warehouse: Warehouse):
        values = [2**62, 2**62 + 2**10, -(2**62), 2**53 + 1, 0, None]
        warehouse.load("predictions", log(6, n=pa.array(values, pa.int64())))
        edges = tuple(float(value) for value in (-(2**62), 2**53, 2**62, 2**62 + 2**10))
        with open_logs(warehouse.monitor()) as logs:
            layout = Layout({"n": NumericBins(edges=edges, shift=0.0)})
            one = numbers(both(logs, layout, None, None)[ALL], "n")
        assert (one.counts.tolist(), one.nulls) == ([0, 2, 1, 1, 1], 1)

    def test_decimals_hit_their_bins(self, warehouse: Warehouse):
        cents = [Decimal(n % 100) / 100 for n in range(300)]
        tenths = [Decimal(n % 10) / 10 for n in range(300)]
        rows = log(
            300,
            cents=pa.array(cents, pa.decimal128(10, 2)),
            tenths=pa.array(tenths, pa.decimal128(3, 1)),
        )
        kind = {"cents": "NUMERIC(10, 2)", "tenths": "NUMERIC(3, 1)"}
        warehouse.load("predictions", rows, types=kind)
        with open_logs(warehouse.monitor()) as logs:
            bins: dict[str, Bins] = {
                "cents": NumericBins(edges=tuple(n / 100 for n in range(100)), shift=0.5),
                "tenths": NumericBins.of(np.array([float(tenth) for tenth in tenths])),
            }
            one = both(logs, Layout(bins), None, None)[ALL]
        assert numbers(one, "cents").counts.tolist() == [0] + [3] * 100
        tenth = numbers(one, "tenths")
        assert tenth.counts[tenth.bins.single].tolist() == [30] * 10
        assert tenth.counts.sum() == 300

    def test_every_edge_is_the_very_double(self, warehouse: Warehouse):
        edges = sorted(set(any_doubles(2_000)))
        beside = np.nextafter(edges, -np.inf)
        values = np.concatenate([edges, beside, np.nextafter(edges, np.inf)])
        values = values[np.abs(values) <= LARGEST]
        warehouse.load("predictions", log(len(values), x=pa.array(values)))
        with open_logs(warehouse.monitor()) as logs:
            layout = Layout({"x": NumericBins(edges=tuple(edges), shift=edges[700])})
            one = both(logs, layout, None, None)[ALL]
        expected = np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1)
        assert np.array_equal(numbers(one, "x").counts, expected)

    def test_every_shift_is_the_very_double(self, warehouse: Warehouse):
        shifts = any_doubles(60, seed=1)
        columns = {f"x{place}": pa.array([shift] * 2) for place, shift in enumerate(shifts)}
        warehouse.load("predictions", log(2, **columns))
        with open_logs(warehouse.monitor()) as logs:
            layout = Layout(
                {f"x{place}": NumericBins(edges=(), shift=s) for place, s in enumerate(shifts)}
            )
            one = logs.profiles(layout, None, None)[ALL]
        assert not one.lows.any()
        assert not one.highs.any()
        assert not one.sums.any()

    def test_booleans_and_words_may_be_numbers(self, warehouse: Warehouse):
        words = ["1.5", "x", "", " 2 ", "true", "1e3", None]
        flags = [True, False, None, True, True, False, None]
        warehouse.load("predictions", log(7, w=pa.array(words), b=pa.array(flags)))
        with open_logs(warehouse.monitor()) as logs:
            bins = NumericBins(edges=(1.0, 2.0), shift=0.25)
            one = both(logs, Layout({"w": bins, "b": bins}), None, None)[ALL]
        assert (numbers(one, "w").counts.tolist(), numbers(one, "w").nulls) == ([0, 2, 2], 3)
        assert (numbers(one, "b").counts.tolist(), numbers(one, "b").nulls) == ([2, 3, 0], 2)


def any_doubles(number: int, seed: int = 0) -> list[float]:
    """Numbers of all magnitudes that can be counted, subnormal ones too."""
    rng = np.random.default_rng(seed)
    found = [0.0, 0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, LARGEST, -LARGEST, 1e22, 1e23]
    while len(found) < number:
        (one,) = struct.unpack("<d", rng.bytes(8))
        if abs(one) <= LARGEST:
            found.append(one)
    return found[:number]


class TestNames:
    def test_hostile_names_are_only_names(self, warehouse: Warehouse):
        names = [*HOSTILE, *RESERVED]
        if warehouse.kind != "postgresql":  # which cuts names to 63 bytes
            names.append("y" * 70)
        plain = {name: pa.array([1.0, 2.0, None, float(n)]) for n, name in enumerate(names)}
        # As version, segment and condition there are three that our own SQL uses too.
        plain |= {"version": pa.array(["a", "b", "a", None])}
        plain |= {"segment": pa.array(["s", None, "t", "s"])}
        warehouse.load("predictions", log(4, **plain))
        monitor = warehouse.monitor(
            predictions={
                "version": "version",
                "where": f"{warehouse.quoted('hour')} <> 2 or 1 = 1",
            },
            segments=["segment"],
        )
        bins: dict[str, Bins] = {
            name: NumericBins(edges=(2.0,), shift=1.0)
            for name in names
            if name not in ("version", "segment")
        }
        bins |= {"version": CategoryBins.of({"a": 2}), "segment": CategoryBins.of({"s": 2})}
        texts: dict[str, Bins] = dict.fromkeys(names, CategoryBins.of({}))
        hours = [START, START + HOUR]
        with open_logs(monitor) as logs:
            for layout in (Layout(bins), Layout(texts)):
                both(logs, layout, START, END)
                both(logs, layout, START, START + 2 * HOUR, hours=hours)
                how = {"segment": "segment", "values": ["s", "t"]}
                found = both(logs, layout, START, START + 2 * HOUR, hours=hours, **how)
                assert {(s.version, s.segment) for s in found} == {
                    ("a", "s"),
                    ("a", "t"),
                    ("", "s"),
                }

    def test_roles_may_be_called_like_our_places(self, warehouse: Warehouse):
        rows = pa.table(
            {
                "c1": times(90),
                "c0": pa.array(["1", "2"] * 45),
                "hour": pa.array(np.arange(90.0)),
                "score": pa.array([0.5] * 90),
            }
        )
        warehouse.load("predictions", rows)
        monitor = warehouse.monitor(
            predictions={"id": None, "timestamp": "c1", "version": "c0", "where": "hour < 80"}
        )
        with open_logs(monitor) as logs:
            layout = layout_of(logs, {"hour": NUMERIC, "c0": CATEGORICAL})
            hours = [START, START + HOUR]
            found = both(logs, layout, START, START + 2 * HOUR, hours=hours)
        assert sorted(one.rows for one in found.values()) == [10, 10, 30, 30]


class TestCategories:
    def test_what_is_folded_and_what_is_new(self, warehouse: Warehouse):
        values = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + [None] + ["A"]
        warehouse.load("predictions", log(len(values), v=pa.array(values), w=pa.array(values)))
        bins: dict[str, Bins] = {
            "v": CategoryBins(categories=("b", "a"), folded=("c", "z")),
            "w": CategoryBins(categories=("b", "a"), folded=None),
        }
        with open_logs(warehouse.monitor()) as logs:
            one = both(logs, Layout(bins), None, None)[ALL]
        assert categories(one, "v").counts.tolist() == [4, 5, 3, 3]
        assert categories(one, "w").counts.tolist() == [4, 5, 6, 0]
        assert categories(one, "v").nulls == categories(one, "w").nulls == 1

    def test_thousands_of_them(self, warehouse: Warehouse):
        number = MOST_KNOWN + 5
        names = [f"c{place:05d}" for place in range(number)]
        values = [*names, *names[:50]]
        table = pa.table(
            {
                "ts": times(len(values), timedelta(seconds=1)),
                "v": values,
                "score": [0.5] * len(values),
            }
        )
        warehouse.load("predictions", table)
        with open_logs(warehouse.monitor(predictions={"id": None})) as logs:
            (known,) = logs.categories(None, None, {"v": CATEGORICAL}).values()
            early = logs.categories(None, START + timedelta(seconds=5_000), {"v": CATEGORICAL})
            assert len(known) == MOST_KNOWN + 1
            assert list(known) == names[: MOST_KNOWN + 1]
            bins: dict[str, Bins] = {"v": CategoryBins.of(known)}
            one = categories(both(logs, Layout(bins), None, None)[ALL], "v")
            bins = {"v": CategoryBins.of(early["v"])}
            other = categories(both(logs, Layout(bins), None, None)[ALL], "v")
        assert one.counts[:50].tolist() == [2] * 50
        assert (one.counts[-2], one.new) == (number - MOST_CATEGORIES, 0)
        assert (other.counts[-2], other.new) == (5_000 - MOST_CATEGORIES, number - 5_000)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_all_statements_see_the_same_rows(
    request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """DuckDB's file cannot be written while it is read; Parquet files are as they are found."""
    warehouse = make_warehouse(request, kind, tmp_path)
    columns = a_day(100)
    warehouse.load("predictions", log(100, **columns))
    more = "INSERT INTO predictions SELECT * FROM predictions WHERE id = 'r1'"
    if kind == "sqlite":
        with sqlite3.connect(warehouse.file) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
    speaker = dialect.dialect_of(dialect.URL.create(kind))
    arrow = speaker.arrow
    asked = []

    def meddling(engine: Any, statements: Any) -> Iterator[pa.Table]:
        for table in arrow(engine, statements):
            asked.append(table)
            if kind == "sqlite":
                with sqlite3.connect(warehouse.file) as writer:
                    writer.execute(more)
                writer.close()
            else:
                run(warehouse.owner, more)
            yield table

    with open_logs(warehouse.monitor(drift={"profiler": "sql"})) as logs:
        layout = layout_of(logs, {"temp": NUMERIC, "carrier": CATEGORICAL, "late": CATEGORICAL})
        monkeypatch.setattr(speaker, "arrow", meddling)
        one = logs.profiles(layout, None, None)[ALL]
        monkeypatch.undo()
        after = logs.profiles(layout, None, None)[ALL]
    assert len(asked) > 2
    assert one.rows == 100
    assert after.rows > 100
    for span in layout.spans.values():
        assert one.counts[span.counts : span.nulls + 3].sum() == 100
