"""Divergences of counts against published values, SciPy and Evidently, and the laws they obey."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import entropy as scipy_entropy

from driftline.stats import divergences
from driftline.stats.divergences import (
    hellinger,
    jensen_shannon,
    jensen_shannon_noise,
    kl,
    l_infinity,
    psi,
    psi_noise,
    total_variation,
)

EVERY = [psi, kl, jensen_shannon, hellinger, total_variation, l_infinity]
BOUNDED = [jensen_shannon, hellinger, total_variation, l_infinity]
SYMMETRIC = [psi, *BOUNDED]

pairs = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8)
full_pairs = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=8)


def two(drawn):
    reference, current = np.array(drawn).T
    assume(reference.sum() and current.sum())
    return reference, current


@pytest.fixture
def frouros():
    """The bins of frouros' integration tests: ten of equal width over both samples."""
    random = np.random.RandomState(31)
    reference, current = random.normal(1, 1, 500), random.normal(1, 1, 500)
    edges = np.histogram_bin_edges(np.concatenate([reference, current]), 10)
    return np.histogram(reference, edges)[0], np.histogram(current, edges)[0]


def test_psi_of_the_population_stability_index_walkthrough():
    # Three of its 120 rows lie in no bin: here they are a class more, whose term is taken off.
    shares = [0.01, 0.01, 0.04, 0.08, 0.27, 0.22, 0.16, 0.12, 0.06, 0.03]
    counts = [0, 3, 6, 15, 18, 23, 26, 14, 9, 3]
    found = psi(np.array([*shares, 0]), np.array([*counts, 3]), zero=0.001)
    outside = (0.001 - 3 / 120) * np.log(0.001 / (3 / 120))
    assert found - outside == pytest.approx(0.15275591, abs=1e-8)


def test_frouros_values(frouros):
    assert psi(*frouros) == pytest.approx(0.01840072, abs=1e-8)
    assert hellinger(*frouros) == pytest.approx(0.04792538, abs=1e-8)


def test_evidentlys_values():
    # The values 3, 2, 2 against 1, 2, 3: counts of 1, 2 and 3.
    assert psi(np.array([0, 2, 1]), np.array([1, 1, 1])) == pytest.approx(2.93, abs=0.005)
    reference, current = np.array([16, 18, 16, 14, 12, 12]), np.array([16, 16, 16, 16, 16, 8])
    assert hellinger(reference, current) == pytest.approx(0.06812, abs=1e-5)
    natural = jensen_shannon(reference, current) * np.sqrt(np.log(2))
    assert natural == pytest.approx(0.06804820, abs=1e-8)


def test_nannymls_values():
    assert l_infinity(np.array([2, 2, 2, 0]), np.array([2, 2, 2, 1])) == pytest.approx(1 / 7)
    assert l_infinity(np.array([2, 2, 2]), np.array([0, 5, 0])) == pytest.approx(2 / 3)
    found = jensen_shannon(np.array([1, 1, 1, 1, 0]), np.array([1, 1, 1, 0, 1]))
    assert found == pytest.approx(0.5)
    assert found * np.sqrt(np.log(2)) == pytest.approx(0.419, abs=0.005)


@pytest.mark.parametrize(
    ("reference", "current", "expected"),
    [([2, 2, 2, 0], [2, 2, 2, 1], 1 / 7), ([1, 3], [3, 1], 0.5), ([1, 0], [0, 1], 1.0)],
)
def test_total_variation(reference, current, expected):
    found = total_variation(np.array(reference), np.array(current))
    assert found == pytest.approx(expected)


@given(full_pairs)
def test_kl_and_jensen_shannon_are_scipys(drawn):
    reference, current = two(drawn)
    assert kl(reference, current) == pytest.approx(scipy_entropy(reference, current), abs=1e-12)
    expected = distance.jensenshannon(reference, current, base=2)
    # A root makes 1e-8 of a rounding error of 1e-16.
    assert jensen_shannon(reference, current) == pytest.approx(np.nan_to_num(expected), abs=1e-7)


EVIDENTLY = {
    "psi": psi,
    "kl_div": kl,
    "jensenshannon": lambda *counts: jensen_shannon(*counts) * np.sqrt(np.log(2)),
    "hellinger": hellinger,
}


def evidently(name, reference, current, kind):
    import pandas as pd
    from evidently.legacy.calculations.stattests.registry import get_stattest
    from evidently.legacy.core import ColumnType

    kind = ColumnType(kind)
    reference, current = pd.Series(reference), pd.Series(current)
    return get_stattest(reference, current, kind, name)(reference, current, kind, None).drift_score


@pytest.mark.parametrize("name", EVIDENTLY)
@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([5, 9, 1], [3, 3, 8]),
        ([5, 0, 1, 7], [0, 3, 8, 7]),
        ([30_000, 1, 0, 0], [20_000, 0, 4, 1]),  # Shares below 1e-4: the other rule of the fill.
        ([9_999, 1, 0], [10_000, 0, 5]),  # A share of 1e-4 itself.
    ],
)
def test_evidentlys_categories(name, reference, current):
    classes = [f"class {n}" for n in range(len(reference))]
    expected = evidently(name, np.repeat(classes, reference), np.repeat(classes, current), "cat")
    found = EVIDENTLY[name](np.array(reference), np.array(current))
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("name", EVIDENTLY)
def test_evidentlys_numbers_in_its_own_bins(name):
    rng = np.random.default_rng(3)
    # A gap between the two leaves bins that neither fills.
    reference = rng.normal(0, 1, 400)
    current = np.concatenate([rng.normal(0.5, 1, 250), rng.normal(30, 1, 10)])
    edges = np.histogram_bin_edges(np.concatenate([reference, current]), "sturges")
    counts = [np.histogram(each, edges)[0] for each in (reference, current)]
    assert (sum(counts) == 0).any()
    assert EVIDENTLY[name](*counts) == pytest.approx(evidently(name, reference, current, "num"))


def test_evidentlys_total_variation():
    import pandas as pd
    from evidently.legacy.calculations.stattests import tvd_stattest

    reference, current = [5, 0, 1, 7], [0, 3, 8, 7]
    rows = [pd.Series(np.repeat(list("abcd"), each)) for each in (reference, current)]
    expected = tvd_stattest._total_variation_distance(*rows)
    assert total_variation(np.array(reference), np.array(current)) == pytest.approx(expected)


def test_zero_is_what_an_empty_class_counts_as():
    reference, current = np.array([1, 1]), np.array([1, 0])
    expected = (0.5 - 1) * np.log(0.5) + (0.5 - 0.01) * np.log(0.5 / 0.01)
    assert psi(reference, current, zero=0.01) == pytest.approx(expected)
    filled = np.array([1, 0.01]) / 1.01
    assert kl(reference, current, zero=0.01) == pytest.approx(scipy_entropy([0.5, 0.5], filled))
    # A million times less than the smallest share where that is not above zero.
    rare = np.array([999, 1, 0])
    assert divergences._filled(rare, 0.01)[2] == pytest.approx(1e-9)


@pytest.mark.parametrize("statistic", EVERY)
@pytest.mark.parametrize("counts", [([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], [])])
def test_a_sample_without_rows_is_an_error(statistic, counts):
    with pytest.raises(ValueError, match="without rows"):
        statistic(*map(np.array, counts))


@pytest.mark.parametrize("statistic", EVERY)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(1, 9))
def test_equal_shares_are_0_apart(statistic, counts, times):
    counts = np.array(counts)
    assume(counts.sum())
    assert statistic(counts, times * counts) == 0


@pytest.mark.parametrize("statistic", EVERY)
@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_classes_does_not_matter(statistic, drawn, random):
    shuffled = random.sample(drawn, len(drawn))
    assert statistic(*two(drawn)) == pytest.approx(statistic(*two(shuffled)), abs=1e-7)


@pytest.mark.parametrize("statistic", EVERY)
@given(pairs)
def test_none_is_below_0(statistic, drawn):
    assert statistic(*two(drawn)) >= 0


@pytest.mark.parametrize("statistic", SYMMETRIC)
@given(pairs)
def test_the_samples_may_change_places(statistic, drawn):
    reference, current = two(drawn)
    expected = pytest.approx(statistic(current, reference), abs=1e-7)
    assert statistic(reference, current) == expected


@pytest.mark.parametrize("statistic", BOUNDED)
@given(pairs)
def test_none_is_above_1(statistic, drawn):
    assert statistic(*two(drawn)) <= 1 + 1e-12


@pytest.mark.parametrize("statistic", BOUNDED)
def test_samples_that_share_nothing_are_1_apart(statistic):
    assert statistic(np.array([4, 0]), np.array([0, 7])) == 1


@given(pairs)
def test_hellinger_holds_total_variation_on_both_sides(drawn):
    counts = two(drawn)
    between = total_variation(*counts)
    assert hellinger(*counts) ** 2 <= between + 1e-12
    assert between <= np.sqrt(2) * hellinger(*counts) + 1e-12


@pytest.mark.parametrize("statistic", [psi, kl, jensen_shannon, hellinger, total_variation])
@given(full_pairs)
def test_merging_classes_brings_no_sample_further_apart(statistic, drawn):
    reference, current = two(drawn)
    merged = [np.concatenate([[each[:2].sum()], each[2:]]) for each in (reference, current)]
    assert statistic(*merged) <= statistic(reference, current) + 1e-7


def test_noise_is_right_where_nothing_has_changed():
    rng = np.random.default_rng(0)
    classes, n, m, draws = 8, 4000, 1500, 800
    truth = rng.dirichlet(np.full(classes, 9.0))
    samples = [rng.multinomial(size, truth, draws) for size in (n, m)]
    stable = np.array([psi(*each) for each in zip(*samples, strict=True)])
    assert stable.mean() == pytest.approx(psi_noise(classes, n, m), rel=0.08)
    apart = np.array([jensen_shannon(*each) for each in zip(*samples, strict=True)])
    noise = jensen_shannon_noise(classes, n, m)
    assert np.sqrt((apart**2).mean()) == pytest.approx(noise, rel=0.04)
