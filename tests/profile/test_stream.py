"""What makes a stream fast, and keeps it small."""

import threading
from collections.abc import Generator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from driftline.errors import WarehouseError
from driftline.monitor.sections import Profiler
from driftline.profile.columns import LARGEST, CategoryBins, Layout, NumericBins, Profile
from driftline.profile.edges import Edges
from driftline.profile.rows import BATCH
from driftline.profile.stream import Segments, stream_parts, stream_profiles
from driftline.warehouse import open_logs
from driftline.warehouse.dialects.ahead import ahead
from tests.warehouse.test_profiles import agree, any_doubles
from tests.warehouse.test_rows import log
from tests.warehouses import Warehouse

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(0, 1, 5_000)


@pytest.mark.parametrize(
    "values",
    [
        NORMAL,
        np.exp(3 * NORMAL),
        np.where(NORMAL < 1, 0.0, NORMAL),
        np.round(NORMAL * 5),
        1.4e9 + 3600 * NORMAL,  # times: their first digits are all the same
        1e15 + np.round(NORMAL),
        np.full(9, 7.0),
        np.array(any_doubles(3_000)),
        -np.exp(NORMAL),
        np.array([]),
    ],
)
def test_edges_are_looked_up_as_they_would_be_searched(values):
    searched(NumericBins.of(values), values)


@pytest.mark.parametrize("shift", [0.0, 1.02, 5.0])
@pytest.mark.parametrize("many", [1, 8, 9, 60, 1_000])
def test_however_many_edges_begin_alike_a_value_on_one_reaches_it(many, shift):
    """Edges that share their first digits, near the mean or far from it."""
    edges = (-3.0, *(1 + n / 100_000 for n in range(many)), 4.0)
    searched(NumericBins(edges=edges, shift=shift), np.array([1.5]))


def searched(bins, values):
    """Look up the values, the edges and what lies beside them; numpy searches for the same."""
    odd = [0.0, -0.0, 5e-324, -5e-324, np.inf, -np.inf, LARGEST, -LARGEST, 1e300, -1e300]
    edges = np.array([-LARGEST, *bins.edges, np.nextafter(LARGEST, np.inf)])
    beside = [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
    asked = np.concatenate([values, edges, *beside, odd])
    found = Edges(bins).reached(asked)
    assert np.array_equal(found, np.searchsorted(edges, asked, side="right"))


def test_nan_has_no_bin():
    found = Edges(NumericBins.of(NORMAL)).reached(np.array([np.nan, -np.nan]))
    assert set(found.tolist()) <= {0, NumericBins.of(NORMAL).size + 1}


def table(rows: int) -> tuple[pa.Table, Layout]:
    values = RNG.normal(0, 1, rows)
    words = pa.array(["a", "b", "c", None]).take(pa.array(RNG.integers(0, 4, rows)))
    layout = Layout({"x": NumericBins.of(values), "w": CategoryBins.of({"a": 2, "b": 1})})
    return pa.table({"x": pa.array(values, mask=values > 2), "w": words}), layout


def test_groups_may_be_more_than_fit_a_matrix():
    rows, layout = table(40_000)
    keys = pa.array(RNG.integers(0, 15_000, len(rows)))
    found = stream_profiles([rows.append_column("k", keys)], layout, ["k"])
    assert len(found) == len(set(keys.to_pylist()))
    (whole,) = stream_profiles([rows], layout).values()
    agree(layout.total(found.values()), whole)


def test_one_pass_serves_every_segment():
    rows, layout = table(3 * BATCH)
    hour = pa.array(np.sort(RNG.integers(0, 3, len(rows))))
    rows = rows.append_column("h", hour)
    asked = [Segments(), Segments("w", ["a", "c"]), Segments("w", ["z"])]
    parts = stream_parts(rows.to_batches(max_chunksize=10_000), layout, ["h"], asked)
    assert set(parts[1]) == {(h, w) for h in range(3) for w in ("a", "c")}
    assert parts[2] == {}
    for (h, w), one in parts[1].items():
        own = rows.filter((pc.field("h") == h) & (pc.field("w") == w))
        agree(one, stream_profiles([own], layout)[()])
    assert isinstance(parts[0][(0,)], Profile)


class TestAhead:
    def test_it_yields_what_the_source_yields(self):
        assert list(ahead(n for n in range(20))) == list(range(20))

    def test_an_error_is_raised_where_it_is_read(self):
        def source() -> Generator[int, None, None]:
            yield 1
            raise WarehouseError("gone")

        found = ahead(source())
        assert next(found) == 1
        with pytest.raises(WarehouseError, match="gone"):
            next(found)

    def test_few_wait_and_the_source_is_closed_in_its_own_thread(self):
        made, closed = [], []

        def source() -> Generator[int, None, None]:
            try:
                for number in range(1000):
                    made.append(threading.get_ident())
                    yield number
            finally:
                closed.append(threading.get_ident())

        found = ahead(source())
        assert next(found) == 0
        found.close()
        assert len(made) <= 5
        assert closed == made[:1] != [threading.get_ident()]


def test_rows_come_in_batches(warehouse: Warehouse):
    number = 2 * BATCH + 5
    warehouse.load("predictions", log(number, x=pa.array(np.arange(float(number)))))
    with open_logs(warehouse.monitor(drift={"profiler": "stream"})) as logs:
        layout = Layout({"x": NumericBins(edges=(10.0,), shift=0.0)})
        sizes, fetch = [], logs._reader.dialect.batches

        def watched(*asked):
            for batch in fetch(*asked):
                sizes.append(len(batch))
                yield batch

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(logs._reader.dialect, "batches", watched)
            (one,) = logs.profiles(layout, None, None).values()
    assert one.rows == sum(sizes) == number
    assert max(sizes) <= 4 * BATCH


def test_what_goes_wrong_in_a_stream_is_told_as_ever(warehouse: Warehouse):
    warehouse.load("predictions", log(10, x=pa.array(np.arange(10.0))))
    monitor = warehouse.monitor(drift={"profiler": "stream"}, predictions={"where": "nowhere > 1"})
    with open_logs(monitor) as logs, pytest.raises(Exception, match="nowhere") as found:
        logs.profiles(Layout({}), None, None)
    assert type(found.value).__name__ == "MissingColumn", found.value


def test_who_counts(warehouse: Warehouse):
    warehouse.load("predictions", log(10, x=pa.array(np.arange(10.0)), c=pa.array(["a"] * 10)))
    layout = Layout({"x": NumericBins.of(np.arange(10.0)), "c": CategoryBins.of({"a": 1})})
    segments = {"": (), "c": ["a"]}
    for asked, count in {"sql": 6, "stream": 1}.items():
        with open_logs(warehouse.monitor(drift={"profiler": asked})) as logs:
            assert logs.profiler is Profiler(asked)
            assert len(logs.profile_sql(layout, None, None, segments=segments)) == count
    with open_logs(warehouse.monitor()) as logs:
        # Spark is for logs that outgrow one machine: what counts there are its own machines.
        assert logs.profiler is (Profiler.SQL if warehouse.kind == "spark" else Profiler.STREAM)
