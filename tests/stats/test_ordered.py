"""Statistics of ordered bins: within their bounds of SciPy's on the values, or equal to them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from driftline.profile.columns import NumericBins
from driftline.stats.ordered import (
    cramer_von_mises,
    cramer_von_mises_p_value,
    ks,
    ks_bound,
    ks_missed,
    ks_p_value,
    mean_shift,
    wasserstein,
    wasserstein_bound,
)

values = st.one_of(st.integers(-9, 9).map(float), st.floats(-100, 100))
numbers = st.lists(values, min_size=1, max_size=40).map(np.array)
edges = st.lists(values, min_size=0, max_size=12, unique=True).map(sorted).map(np.array)


def counted(rows, edges):
    """Return the counts and the sums of rows in the bins of the edges."""
    place = np.searchsorted(edges, rows, side="right")
    size = len(edges) + 1
    return np.bincount(place, minlength=size), np.bincount(place, weights=rows, minlength=size)


def binned(reference, current, edges):
    """Return the arguments of the distances: counts, then sums, edges and extremes by name."""
    counts, sums = zip(counted(reference, edges), counted(current, edges), strict=True)
    both = np.concatenate([reference, current])
    return counts, {
        "reference_sums": sums[0],
        "current_sums": sums[1],
        "edges": edges,
        "minimum": both.min(),
        "maximum": both.max(),
    }


@given(numbers, numbers, edges)
def test_ks_and_its_bound_hold_the_statistic_of_the_values(reference, current, edges):
    counts, _ = binned(reference, current, edges)
    true = scipy_stats.ks_2samp(reference, current, method="asymp").statistic
    assert ks(*counts) <= true + 1e-12
    assert true <= ks_bound(*counts) + 1e-12
    assert ks_bound(*counts) <= 1 + 1e-12


@given(numbers, numbers, edges)
def test_wasserstein_and_its_bound_hold_the_distance_of_the_values(reference, current, edges):
    counts, rest = binned(reference, current, edges)
    true = scipy_stats.wasserstein_distance(reference, current)
    assert wasserstein(*counts, **rest) <= true + 1e-9
    assert true <= wasserstein_bound(*counts, **rest) + 1e-9


@given(numbers, numbers, edges, st.integers(-9, 9))
def test_a_value_with_a_bin_of_its_own_tightens_the_bounds(reference, current, edges, value):
    alone = np.array([float(value), np.nextafter(value, np.inf)])
    edges = np.unique(np.concatenate([edges, alone]))
    single = np.concatenate([[False], np.nextafter(edges[:-1], np.inf) == edges[1:], [False]])
    counts, rest = binned(reference, current, edges)
    true = scipy_stats.ks_2samp(reference, current, method="asymp").statistic
    assert true <= ks_bound(*counts, single) + 1e-12
    assert ks_bound(*counts, single) <= ks_bound(*counts)
    true = scipy_stats.wasserstein_distance(reference, current)
    assert wasserstein(*counts, **rest) - 1e-9 <= true
    assert true <= wasserstein_bound(*counts, **rest) + 1e-9


@given(numbers, numbers)
def test_a_bin_a_value_leaves_nothing_to_guess(reference, current):
    distinct = np.unique(np.concatenate([reference, current]))
    counts, rest = binned(reference, current, distinct[1:])
    expected = scipy_stats.ks_2samp(reference, current, method="asymp").statistic
    assert ks(*counts) == pytest.approx(expected, abs=1e-12)
    single = np.ones(len(distinct), bool)
    assert ks_bound(*counts, single) == pytest.approx(expected, abs=1e-12)
    expected = pytest.approx(scipy_stats.wasserstein_distance(reference, current), abs=1e-9)
    assert wasserstein(*counts, **rest) == expected
    assert wasserstein_bound(*counts, **rest) == expected


@given(numbers, numbers, edges)
def test_sums_alone_are_exact_where_one_sample_lies_above_the_other(reference, current, edges):
    current = current + reference.max() - current.min()
    counts, rest = binned(reference, current, edges)
    expected = pytest.approx(current.mean() - reference.mean(), abs=1e-9)
    assert wasserstein(*counts, **rest) == expected


@given(numbers, numbers, edges)
def test_finer_bins_never_loosen_the_bounds(reference, current, edges):
    coarse, rest = binned(reference, current, edges[::2])
    fine, more = binned(reference, current, edges)
    assert ks(*coarse) <= ks(*fine) + 1e-12
    assert ks_bound(*fine) <= ks_bound(*coarse) + 1e-12
    assert wasserstein(*coarse, **rest) <= wasserstein(*fine, **more) + 1e-9


@given(numbers, edges, st.integers(1, 9))
def test_equal_samples_are_0_apart(rows, edges, times):
    counts, rest = binned(rows, np.tile(rows, times), edges)
    assert ks(*counts) == cramer_von_mises(*counts) == 0
    assert wasserstein(*counts, **rest) == pytest.approx(0, abs=1e-9)


@given(numbers, numbers, edges)
def test_the_samples_may_change_places(reference, current, edges):
    counts, rest = binned(reference, current, edges)
    swapped, other = binned(current, reference, edges)
    for statistic in (ks, ks_bound, cramer_von_mises):
        assert statistic(*counts) == pytest.approx(statistic(*swapped))
    for each in (wasserstein, wasserstein_bound):
        assert each(*counts, **rest) == pytest.approx(each(*swapped, **other), abs=1e-9)


@pytest.mark.parametrize("statistic", [ks, ks_bound, cramer_von_mises])
@pytest.mark.parametrize("counts", [([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], [])])
def test_a_sample_without_rows_is_an_error(statistic, counts):
    with pytest.raises(ValueError, match="without rows"):
        statistic(*map(np.array, counts))


@pytest.mark.parametrize("distance", [wasserstein, wasserstein_bound])
def test_a_distance_to_a_sample_without_rows_is_an_error(distance):
    rest = {"edges": np.array([1.0]), "minimum": 0.0, "maximum": 2.0}
    sums = {"reference_sums": np.array([1.0, 3.0]), "current_sums": np.zeros(2)}
    with pytest.raises(ValueError, match="without rows"):
        distance(np.array([1, 2]), np.array([0, 0]), **sums, **rest)


def test_edges_outside_both_samples_do_no_harm():
    reference, current = np.array([5.0, 6.0]), np.array([6.0, 7.5])
    counts, rest = binned(reference, current, np.array([-3.0, 0.0, 6.5, 100.0]))
    assert wasserstein(*counts, **rest) == pytest.approx(1.25)
    assert wasserstein_bound(*counts, **rest) >= 1.25


@pytest.mark.parametrize("draw", ["normal", "lognormal"])
@pytest.mark.parametrize("shift", [0.05, 0.5])
@pytest.mark.parametrize(("rows", "short"), [(20_000, 2e-3), (200_000, 1e-3)])
def test_sixty_bins_are_enough(draw, shift, rows, short):
    # What KS misses is the noise inside a bin, about 0.2 over the root of nm/(n + m).
    rng = np.random.default_rng(11)
    reference, current = getattr(rng, draw)(0, 1, rows), getattr(rng, draw)(shift, 1.05, rows)
    tails = np.array([0.0001, 0.001, 0.0025, 0.005, 0.01])
    levels = np.sort(np.concatenate([np.arange(1, 50) / 50, tails, 1 - tails]))
    counts, rest = binned(reference, current, np.quantile(reference, levels))
    assert len(counts[0]) == 60
    true = scipy_stats.ks_2samp(reference, current, method="asymp").statistic
    assert ks(*counts) == pytest.approx(true, abs=short)
    assert ks_bound(*counts) == pytest.approx(true, abs=0.021)
    true = scipy_stats.wasserstein_distance(reference, current)
    assert abs(wasserstein(*counts, **rest) - true) < 1e-3 * reference.std()


@pytest.mark.parametrize(
    ("n", "m", "error"),
    [(20, 20, 3e-3), (400, 90, 1e-3), (2000, 2000, 3e-5), (50_000, 50_000, 2e-6)],
)
def test_ks_p_values_are_scipys(n, m, error):
    size = round(n * m / (n + m))
    for statistic in np.concatenate([[0.0], np.linspace(0.2, 3, 80)]) / math.sqrt(size):
        expected = scipy_stats.kstwo.sf(statistic, size)  # As ks_2samp(method="asymp") has it.
        assert ks_p_value(statistic, n, m) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(("n", "m", "shift"), [(300, 100, 0), (2000, 200, 0.15), (30_000, 3000, 0)])
def test_what_ks_misses_between_the_edges_is_what_is_expected(n, m, shift):
    """On average over samples, in the statistic's own scale: the root of nm/(n + m) times it."""
    rng = np.random.default_rng(8)
    missed, expected = [], []
    for _ in range(100):
        reference, current = rng.normal(size=n), rng.normal(shift, 1, m)
        bins = NumericBins.of(reference)
        counts = [counted(each, np.array(bins.edges))[0] for each in (reference, current)]
        true = scipy_stats.ks_2samp(reference, current, method="asymp").statistic
        missed.append(true - ks(*counts))
        expected.append(ks_missed(*counts, bins.single))
    scale = math.sqrt(n * m / (n + m))
    assert np.mean(missed) * scale > 0.05
    assert np.mean(missed) == pytest.approx(np.mean(expected), abs=0.03 / scale)


def test_ks_p_value_is_that_of_ks_2samp():
    rng = np.random.default_rng(2)
    reference, current = rng.normal(0, 1, 900), rng.normal(0.08, 1, 700)
    expected = scipy_stats.ks_2samp(reference, current, method="asymp")
    found = ks_p_value(expected.statistic, 900, 700)
    assert found == pytest.approx(expected.pvalue, abs=1e-3)


@given(st.permutations(range(30)), st.integers(2, 28))
def test_cramer_von_mises_of_a_row_a_bin_is_scipys(order, cut):
    reference, current = np.array(order[:cut], float), np.array(order[cut:], float)
    counts, _ = binned(reference, current, np.arange(1.0, 30))
    expected = scipy_stats.cramervonmises_2samp(reference, current, method="asymptotic")
    found = cramer_von_mises(*counts)
    assert found == pytest.approx(expected.statistic)
    p_value = cramer_von_mises_p_value(found, cut, 30 - cut)
    assert p_value == pytest.approx(expected.pvalue, abs=1e-6)


@pytest.mark.parametrize("rows", [20_000, 2_000])
@pytest.mark.parametrize("shift", [0.0, 0.03])
def test_cramer_von_mises_of_fifty_bins_is_close_to_that_of_the_values(rows, shift):
    rng = np.random.default_rng(0)
    reference, current = rng.normal(0, 1, 20_000), rng.normal(shift, 1, rows)
    counts, _ = binned(reference, current, np.quantile(reference, np.arange(1, 50) / 50))
    expected = scipy_stats.cramervonmises_2samp(reference, current)
    found = cramer_von_mises(*counts)
    assert found == pytest.approx(expected.statistic, abs=0.01, rel=0.03)
    # Midranks of the same bins, for what the docstring says of them.
    places = [np.repeat(np.arange(50), each) for each in counts]
    midranks = scipy_stats.cramervonmises_2samp(*places).statistic
    assert midranks == pytest.approx(found, abs=0.01) if rows == 20_000 else midranks > 5


def test_cramer_von_mises_does_not_depend_on_the_direction():
    reference, current = np.array([4, 0, 3, 9]), np.array([1, 5, 5, 2])
    there, back = (cramer_von_mises(reference[::way], current[::way]) for way in (1, -1))
    assert there == pytest.approx(back)


def test_cramer_von_mises_p_values_fall_from_1_to_0():
    chances = [cramer_von_mises_p_value(t, 500, 300) for t in np.linspace(0, 200, 4001)]
    assert chances[0] == 1
    assert chances[-1] < 1e-14
    assert (np.diff(chances) <= 1e-14).all()
    assert cramer_von_mises_p_value(0.25, 1, 1) == 1


@pytest.mark.parametrize(
    ("means", "std", "expected"),
    [
        ((10, 13), 2, 1.5),
        ((10, 7), 2, -1.5),
        ((10, 10), 0, 0),
        ((10, 11), 0, math.inf),
        ((10, 9), 0, -math.inf),
    ],
)
def test_mean_shift(means, std, expected):
    assert mean_shift(*means, std) == expected
