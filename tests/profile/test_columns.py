"""Bins, layouts and profiles: what is added up, and what is read off it."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.profile import columns
from driftline.profile.columns import (
    LARGEST,
    MOST_CATEGORIES,
    MOST_KNOWN,
    MOST_VALUES,
    CategoryBins,
    CategoryProfile,
    Layout,
    NumericBins,
    NumericProfile,
    Profile,
)

NOTHING = np.array([])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def places(bins: NumericBins, values: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.array(bins.edges), values, side="right")


def numeric(values: np.ndarray, bins: NumericBins) -> NumericProfile:
    """The profile of one column of finite numbers, by numpy."""
    layout, d = Layout({"x": bins}), values - bins.shift
    counts = np.bincount(places(bins, values), minlength=bins.size)
    sums = np.bincount(places(bins, values), d, minlength=bins.size)
    whole = Profile(
        layout=layout,
        rows=len(values),
        counts=np.concatenate([counts, [0, 0, 0]]),
        sums=np.concatenate([sums, [np.sum(d * d)]]),
        lows=np.array([d.min(initial=np.inf)]),
        highs=np.array([d.max(initial=-np.inf)]),
    )
    found = whole.column("x")
    assert isinstance(found, NumericProfile)
    return found


class TestNumbers:
    def test_edges_are_quantiles_and_fill_the_bins_alike(self):
        values = rng().normal(0, 1, 100_000)
        bins = NumericBins.of(values)
        assert list(bins.edges) == sorted(set(bins.edges))
        assert set(np.quantile(values, [0.0001, 0.01, 0.02, 0.5, 0.98, 0.9999])) <= set(bins.edges)
        filled = np.bincount(places(bins, values), minlength=bins.size) / len(values)
        assert filled.max() == pytest.approx(0.02, abs=1e-4)
        assert filled[[0, -1]] == pytest.approx(0.0001, abs=2e-5)
        assert bins.shift == pytest.approx(values.mean())
        assert not bins.single.any()

    def test_a_value_of_many_rows_has_a_bin_of_its_own(self):
        values = rng().normal(0, 1, 10_000)
        values[:9_100] = 0.0
        bins = NumericBins.of(values)
        (own,) = places(bins, np.array([0.0]))
        assert bins.single.tolist() == [place == own for place in range(bins.size)]
        assert np.bincount(places(bins, values))[own] == 9_100
        below, above = np.nextafter(0.0, -1), np.nextafter(0.0, 1)
        assert places(bins, np.array([below, above])).tolist() == [own - 1, own + 1]
        assert bins.size > 50, "the other tenth is told apart still"

    def test_neighbouring_spikes_share_an_edge(self):
        one, other = 1.0, float(np.nextafter(1.0, 2.0))
        bins = NumericBins.of(np.array([one, other] * 10))
        assert bins.edges == (one, other, float(np.nextafter(other, 2.0)))
        assert bins.single.tolist() == [False, True, True, False]

    @pytest.mark.parametrize("value", [0.0, -0.0, 3.5, -1e150, 5e-324])
    def test_a_constant_has_one_bin_and_two_sides(self, value: float):
        bins = NumericBins.of(np.full(1000, value))
        assert bins.edges == (value, float(np.nextafter(value, np.inf)))
        assert bins.shift == value
        assert places(bins, np.array([-np.inf, value, np.inf])).tolist() == [0, 1, 2]

    def test_few_distinct_values_have_a_bin_each(self):
        values = np.repeat(np.arange(MOST_VALUES) / 10, [1] * (MOST_VALUES - 1) + [100_000])
        bins = NumericBins.of(values)
        assert bins.single.sum() == MOST_VALUES
        assert np.bincount(places(bins, values), minlength=bins.size)[bins.single].tolist() == (
            [1] * (MOST_VALUES - 1) + [100_000]
        )
        one_more = NumericBins.of(np.append(values, 99.0))
        assert one_more.single.sum() == 1

    def test_without_numbers_there_is_one_bin(self):
        for values in (NOTHING, np.array([np.nan, np.inf, -np.inf, 1e151, -1.7e308])):
            bins = NumericBins.of(values)
            assert (bins.edges, bins.shift, bins.size) == ((), 0.0, 1)
            assert bins.single.tolist() == [False]

    def test_what_is_not_finite_makes_no_edge(self):
        values = np.concatenate([rng().normal(0, 1, 1000), [np.nan, np.inf, -np.inf] * 300])
        assert NumericBins.of(values) == NumericBins.of(values[:1000])
        assert NumericBins.of(np.array([1.0, 2e150, -2e150])) == NumericBins.of(np.array([1.0]))
        wide = NumericBins.of(np.array([LARGEST, -LARGEST]))
        assert (wide.edges[0], wide.edges[2], wide.shift) == (-LARGEST, LARGEST, 0.0)

    @given(st.lists(st.floats(-LARGEST, LARGEST) | st.sampled_from([0.0, 0.1, 1.0]), max_size=200))
    def test_edges_rise_and_every_number_has_a_bin(self, values: list[float]):
        bins = NumericBins.of(np.array(values))
        assert (np.diff(bins.edges) > 0).all()
        assert np.isfinite([*bins.edges, bins.shift]).all()
        counts = np.bincount(places(bins, np.array(values)), minlength=bins.size)
        assert (len(counts), counts.sum(), len(bins.single)) == (bins.size, len(values), bins.size)


class TestCategories:
    def test_the_most_frequent_have_bins_and_the_rest_is_folded(self):
        rows = {f"c{number:05d}": 5_000 - number for number in range(MOST_CATEGORIES + 10)}
        bins = CategoryBins.of(dict(reversed(rows.items())))
        assert bins.categories == tuple(rows)[:MOST_CATEGORIES]
        assert bins.folded == tuple(rows)[MOST_CATEGORIES:]
        assert (bins.other, bins.size) == (MOST_CATEGORIES, MOST_CATEGORIES + 2)

    def test_ties_go_by_name(self):
        rows = Counter({"b": 2, "": 2, "B": 2, "é": 2, "z": 3})
        assert CategoryBins.of(rows) == CategoryBins(categories=("z", "", "B", "b", "é"))
        assert CategoryBins.of({}) == CategoryBins(categories=())

    def test_more_than_can_be_remembered_are_never_new(self):
        known = {str(number): 1 for number in range(MOST_KNOWN)}
        folded = CategoryBins.of(known).folded
        assert folded is not None
        assert len(folded) == MOST_KNOWN - MOST_CATEGORIES
        assert CategoryBins.of(known | {"one more": 1}).folded is None


def any_bins() -> st.SearchStrategy:
    numbers = st.lists(st.floats(-LARGEST, LARGEST), max_size=40).map(
        lambda values: NumericBins.of(np.array(values))
    )
    names = st.dictionaries(st.text(max_size=3), st.integers(1, 5), max_size=5).map(CategoryBins.of)
    return numbers | names


@st.composite
def profiles(draw: st.DrawFn, layout: Layout, most: int = 2**40) -> Profile:
    def floats(size: int) -> np.ndarray:
        # No NaN: nothing that is counted makes one.
        return np.array(draw(st.lists(st.floats(allow_nan=False), min_size=size, max_size=size)))

    rows = draw(st.integers(0, most))
    counts = st.lists(st.integers(0, rows), min_size=layout.counts, max_size=layout.counts)
    return Profile(
        layout=layout,
        rows=rows,
        counts=np.array(draw(counts), np.int64),
        sums=floats(layout.sums),
        lows=floats(layout.numeric),
        highs=floats(layout.numeric),
    )


def same(one: Profile, other: Profile) -> bool:
    vectors = zip(
        (one.counts, one.sums, one.lows, one.highs),
        (other.counts, other.sums, other.lows, other.highs),
        strict=True,
    )
    return one.rows == other.rows and all(np.array_equal(a, b) for a, b in vectors)


@given(st.data(), st.dictionaries(st.text(max_size=4), any_bins(), max_size=3))
def test_what_is_written_is_read(data: st.DataObject, bins: dict):
    layout = Layout(bins)
    one = data.draw(profiles(layout))
    again = layout.read(one.rows, one.content)
    assert same(again, one)
    assert again.content == one.content
    assert again.counts.dtype == np.int64


@pytest.mark.parametrize("rows", [2**31 - 1, 2**31, 2**40])
def test_counts_may_be_wide(rows: int):
    layout = Layout({"c": CategoryBins(categories=("a",))})
    nothing = layout.empty()
    one = Profile(
        layout=layout,
        rows=rows,
        counts=np.array([rows, 0, 0, 0, 0, 0]),
        sums=nothing.sums,
        lows=nothing.lows,
        highs=nothing.highs,
    )
    assert one.content[:1] == (b"4" if rows < 2**31 else b"8")
    assert layout.read(rows, one.content).column("c").usable == rows
    assert layout.total([one, one]).column("c").usable == 2 * rows


def test_the_total_of_none_is_empty():
    layout = Layout({"x": NumericBins(edges=(1.0,), shift=0.5), "c": CategoryBins.of({"a": 1})})
    nothing = layout.total([])
    assert same(nothing, layout.empty())
    assert same(layout.total([nothing, nothing]), nothing)
    assert same(layout.read(0, nothing.content), nothing)
    x, c = nothing.column("x"), nothing.column("c")
    assert isinstance(x, NumericProfile)
    assert isinstance(c, CategoryProfile)
    assert (x.usable, x.nulls, x.minimum, x.maximum) == (0, 0, None, None)
    assert math.isnan(x.mean)
    assert math.isnan(x.std)
    assert (c.usable, c.new, c.nulls) == (0, 0, 0)


def test_columns_lie_side_by_side():
    layout = Layout(
        {
            "x": NumericBins(edges=(0.0, 1.0), shift=0.0),
            "c": CategoryBins.of({"a": 1}),
            "y": NumericBins(edges=(), shift=0.0),
        }
    )
    assert (layout.counts, layout.sums, layout.numeric) == (6 + 6 + 4, 4 + 2, 2)
    spans = layout.spans
    assert [spans[name].counts for name in "xcy"] == [0, 6, 12]
    assert [spans[name].nulls for name in "xcy"] == [3, 9, 13]
    assert [(spans[name].sums, spans[name].place) for name in "xy"] == [(0, 0), (4, 1)]
    of_sum = layout.of_numbers[:, 0].tolist()
    assert of_sum == [0, 1, 2, -1, -1, -1, *[-1] * 6, 4, -1, -1, -1]
    assert layout.of_numbers[[0, 12], 1:].tolist() == [[3, 0], [5, 1]]


@pytest.mark.parametrize(
    "values",
    [
        rng().normal(0, 1, 10_000),
        rng().lognormal(10, 2, 10_000),
        rng().choice([0.1, 0.2, 0.3], 1000),
        np.full(100, 0.1),
        np.array([-LARGEST, LARGEST]),
        np.array([7.25]),
    ],
    ids=["normal", "skewed", "few", "constant", "extreme", "one"],
)
def test_moments_are_those_of_numpy(values: np.ndarray):
    found = numeric(values, NumericBins.of(values))
    assert found.usable == len(values)
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-12, abs=1e-12)
    assert found.minimum == pytest.approx(values.min(), rel=1e-12)
    assert found.maximum == pytest.approx(values.max(), rel=1e-12)


def test_variances_do_not_cancel():
    spread = rng().normal(0, 1, 100_000)
    values = 1e9 + spread
    bins = NumericBins.of(values[:5_000])
    parts = [numeric(part, bins) for part in np.array_split(values, 24)]
    whole = numeric(values, bins)
    assert whole.std == pytest.approx(values.std(), abs=1e-6)
    assert whole.mean - 1e9 == pytest.approx((values - 1e9).mean(), abs=1e-6)
    assert (whole.minimum, whole.maximum) == (values.min(), values.max())
    squares = sum(part.squares for part in parts)
    assert squares == pytest.approx(whole.squares, rel=1e-12)


def test_no_rounding_makes_a_variance_negative():
    found = numeric(np.full(1_000, 0.1), NumericBins(edges=(), shift=0.3))
    assert 0 <= found.std < 1e-7


def test_quantiles_are_finer_in_the_tails():
    shares = columns._QUANTILES
    assert (np.diff(shares) > 0).all()
    assert shares == pytest.approx(1 - shares[::-1])
