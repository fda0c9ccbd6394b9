"""Tests of 2 x K tables against SciPy, statsmodels and Evidently, and the laws they obey."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare, fisher_exact
from statsmodels.stats.proportion import proportions_ztest

from driftline.stats.tables import (
    chi_square,
    chi_square_p_value,
    g_test,
    g_test_p_value,
    shares_exact_p_value,
    shares_p_value,
    shares_z,
    shares_z_p_value,
)

PEARSON, LIKELIHOOD = (chi_square, chi_square_p_value), (g_test, g_test_p_value)

pairs = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8)


def two(drawn):
    reference, current = np.array(drawn).T
    assume(reference.sum() and current.sum())
    return reference, current


@pytest.mark.parametrize(
    ("own", "scipys"), [(PEARSON, "pearson"), (LIKELIHOOD, "log-likelihood")], ids=["chi", "g"]
)
@given(pairs)
def test_statistics_and_p_values_are_scipys(own, scipys, drawn):
    reference, current = two(drawn)
    table = np.array([reference, current])
    table = table[:, table.sum(axis=0) > 0]
    expected = chi2_contingency(table, correction=False, lambda_=scipys)
    statistic, p_value = own
    assert statistic(reference, current) == pytest.approx(expected.statistic, abs=1e-9)
    assert p_value(reference, current) == pytest.approx(expected.pvalue, abs=1e-9)


def test_evidentlys_chi_square_is_ours_with_a_reference_without_error():
    # Evidently's published p-value of these counts takes the reference as exact: it is the limit
    # of the 2 x K test as the reference grows.
    reference, current = np.array([16, 18, 16, 14, 12, 12]), np.array([16, 16, 16, 16, 16, 8])
    assert chisquare(current, reference).pvalue == pytest.approx(0.67309, abs=1e-5)
    assert chi_square_p_value(reference * 10**6, current) == pytest.approx(0.67309, abs=1e-5)
    assert chi_square_p_value(reference, current) == pytest.approx(0.89853, abs=1e-5)


@pytest.mark.parametrize(("statistic", "p_value"), [PEARSON, LIKELIHOOD])
def test_classes_that_neither_holds_do_not_count(statistic, p_value):
    wide, narrow = ([3, 0, 5, 0], [4, 0, 1, 0]), ([3, 5], [4, 1])
    for each in (statistic, p_value):
        assert each(*map(np.array, wide)) == each(*map(np.array, narrow))


@pytest.mark.parametrize(("statistic", "p_value"), [PEARSON, LIKELIHOOD])
def test_one_class_alone_says_nothing(statistic, p_value):
    counts = np.array([0, 7]), np.array([0, 3])
    assert statistic(*counts) == 0
    assert p_value(*counts) == 1


@pytest.mark.parametrize("statistic", [*PEARSON, *LIKELIHOOD])
@given(pairs)
def test_the_samples_may_change_places(statistic, drawn):
    reference, current = two(drawn)
    expected = pytest.approx(statistic(current, reference), abs=1e-9)
    assert statistic(reference, current) == expected


@pytest.mark.parametrize("statistic", [chi_square, g_test])
@given(pairs)
def test_merging_classes_never_raises_a_statistic(statistic, drawn):
    reference, current = two(drawn)
    merged = [np.concatenate([[each[:2].sum()], each[2:]]) for each in (reference, current)]
    assert 0 <= statistic(*merged) <= statistic(reference, current) + 1e-9


@pytest.mark.parametrize("statistic", [*PEARSON, *LIKELIHOOD])
@pytest.mark.parametrize("counts", [([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], [])])
def test_a_sample_without_rows_is_an_error(statistic, counts):
    with pytest.raises(ValueError, match="without rows"):
        statistic(*map(np.array, counts))


hits = st.integers(1, 80).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


@given(hits, hits)
def test_shares_z_is_statsmodels(reference, current):
    assume(0 < reference[0] + current[0] < reference[1] + current[1])
    expected = proportions_ztest([current[0], reference[0]], [current[1], reference[1]])
    assert shares_z(*reference, *current) == pytest.approx(expected[0], abs=1e-9)
    assert shares_z_p_value(*reference, *current) == pytest.approx(expected[1], abs=1e-9)
    absent = [np.array([each[0], each[1] - each[0]]) for each in (reference, current)]
    assert shares_z(*reference, *current) ** 2 == pytest.approx(chi_square(*absent))


def test_shares_z_is_evidentlys():
    import pandas as pd
    from evidently.legacy.calculations.stattests.registry import get_stattest

    rows = [pd.Series(np.repeat(["no", "yes"], each)) for each in ([60, 40], [30, 35])]
    expected = get_stattest(*rows, "cat", "z")(*rows, "cat", None).drift_score
    assert shares_z_p_value(40, 100, 35, 65) == pytest.approx(expected)
    assert shares_z(40, 100, 35, 65) > 0


@pytest.mark.parametrize(("few", "many"), [(0, 0), (10, 30)])
def test_shares_of_none_or_all_do_not_differ(few, many):
    assert shares_z(few, 10, many, 30) == 0
    assert shares_z_p_value(few, 10, many, 30) == 1


@pytest.mark.parametrize("counts", [(0, 0, 1, 2), (1, 2, 0, 0)])
def test_shares_without_rows_are_an_error(counts):
    with pytest.raises(ValueError, match="without rows"):
        shares_z(*counts)


def cells(reference, current):
    return [[each[0], each[1] - each[0]] for each in (reference, current)]


@given(hits, hits)
def test_the_exact_p_value_is_scipys(reference, current):
    expected = fisher_exact(cells(reference, current)).pvalue
    assert shares_exact_p_value(*reference, *current) == pytest.approx(expected, rel=1e-9)


def test_the_exact_p_value_of_fishers_tea_and_of_convicted_twins():
    # Fisher, The Design of Experiments, 1935: 1 + 16 + 16 + 1 of 70 tables; The Logic of Inductive
    # Inference, 1935: of 13 monozygotic twins 10 were convicted, of 17 dizygotic ones 2.
    assert shares_exact_p_value(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert shares_exact_p_value(10, 13, 2, 17) == pytest.approx(0.000537, abs=5e-7)


@pytest.mark.parametrize("counts", [(3, 10**9, 2, 50), (10**6, 10**9, 4, 50), (7, 10**9, 0, 10**8)])
def test_the_exact_p_value_beside_a_reference_of_a_billion_rows(counts):
    before, n, now, m = counts
    expected = fisher_exact(cells((before, n), (now, m))).pvalue
    assert shares_exact_p_value(*counts) == pytest.approx(expected, rel=1e-5)


@given(hits, hits)
def test_the_exact_p_value_is_taken_where_z_is_not_to_be_trusted(reference, current):
    # Cochran 1954: where fewer than 5 rows are to be expected in some cell.
    table = np.array(cells(reference, current))
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    few = expected.min() < 5
    own = (shares_exact_p_value if few else shares_z_p_value)(*reference, *current)
    assert shares_p_value(*reference, *current) == own
    assert 0 <= own <= 1
    assert shares_p_value(*current, *reference) == pytest.approx(own, rel=1e-9)


def test_without_a_change_small_p_values_are_as_rare_as_they_say():
    rng = np.random.default_rng(1)
    drawn = np.stack([rng.binomial(1000, 0.01, 2000), rng.binomial(20, 0.01, 2000)], axis=1)
    exact = [shares_p_value(int(a), 1000, int(b), 20) for a, b in drawn]
    z = [shares_z_p_value(int(a), 1000, int(b), 20) for a, b in drawn]
    assert np.mean(np.array(exact) < 0.05) <= 0.05
    assert np.mean(np.array(z) < 0.05) > 0.05


@pytest.mark.parametrize("counts", [(0, 0, 1, 2), (1, 2, 0, 0)])
def test_exact_shares_of_no_rows_are_an_error(counts):
    with pytest.raises(ValueError, match="without rows"):
        shares_exact_p_value(*counts)
