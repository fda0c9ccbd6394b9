"""Intervals of shares and means against published ones and SciPy's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.special import expit, logit

from driftline.stats.interval import Z, mean, on_logarithm, on_logit, share, student

# Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17,
# 1998, table I, method 3.
PUBLISHED = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611)}
PUBLISHED |= {(1, 29): (0.0061, 0.1718)}


@pytest.mark.parametrize(("counts", "expected"), PUBLISHED.items())
def test_shares_have_the_published_interval(counts, expected):
    found = share(*counts)
    assert found.value == counts[0] / counts[1]
    assert found[1:] == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_shares_are_scipys(rows, part):
    hits = round(part * rows)
    expected = scipy_stats.binomtest(hits, rows).proportion_ci(method="wilson")
    found = share(hits, rows)
    assert found[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.lower <= found.value <= found.upper <= 1


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=50).map(np.array))
def test_means_are_scipys(values):
    found = mean(len(values), values.sum(), (values**2).sum())
    assert found.value == pytest.approx(values.mean())
    reach = scipy_stats.t.ppf(0.975, len(values) - 1) * scipy_stats.sem(values)
    assert (found.upper - found.lower) / 2 == pytest.approx(reach, abs=1e-5)


def test_a_mean_stays_where_means_can_be():
    assert mean(3, 1.0, 1.0, least=0).lower == 0
    assert mean(3, 2.0, 2.0, most=1).upper == 1
    assert mean(3, 1.0, 1.0).lower < 0


def test_one_row_tells_no_spread():
    assert np.isnan(mean(1, 2.0, 4.0)[1:]).all()
    assert np.isnan(on_logarithm(2.0, 0.0, 1)[1:]).all()


@given(st.floats(0.001, 0.999), st.floats(0, 0.1), st.integers(2, 10**6))
def test_areas_are_normal_on_the_logit(value, variance, degrees):
    found = on_logit(value, variance, degrees)
    reach = scipy_stats.t.ppf(0.975, degrees) * math.sqrt(variance) / (value * (1 - value))
    with np.errstate(over="ignore"):
        expected = expit(logit(value) - reach), expit(logit(value) + reach)
    assert found[1:] == pytest.approx(expected, abs=1e-9)


def test_student_ends_as_the_normal():
    assert student(10) == pytest.approx(scipy_stats.t.ppf(0.975, 10))
    assert student(1e9) == pytest.approx(Z)


@pytest.mark.parametrize("hits", [-1, 11])
def test_hits_are_among_the_rows(hits):
    with pytest.raises(ValueError, match="not among 10 rows"):
        share(hits, 10)


def test_no_rows_are_an_error():
    with pytest.raises(ValueError, match="no rows have no share"):
        share(0, 0)
    with pytest.raises(ValueError, match="no rows have no mean"):
        mean(0, 0.0, 0.0)
