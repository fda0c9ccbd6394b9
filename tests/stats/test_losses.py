"""Losses from sums over rows: the values of scikit-learn or of the rows themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.stats import entropy
from sklearn import metrics

from driftline.stats.losses import ece, log_loss_ratio, observed_predicted_ratio, quantile, r2, rmse

rows_of_two = st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.999)), min_size=2, max_size=60)


def moments(label, error, shift):
    """Return the sums that `r2` is made of, the labels less a constant."""
    y, square = label - shift, error**2
    sums = {f"y{power}": (y**power).sum() for power in (2, 3, 4)}
    sums |= {"y": y.sum(), "e2": square.sum(), "e4": (square**2).sum()}
    return sums | {"e2_y": (square * y).sum(), "e2_y2": (square * y**2).sum()}


def of_classes(label, *values, size=2):
    """Return the rows of each class and the sums of values over them."""
    weights = [None, *values]
    return [np.bincount(label, weights=each, minlength=size) for each in weights]


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
@pytest.mark.parametrize("shift", [0.0, 40.0])
def test_rmse_and_r2_are_scikit_learns(scale, shift):
    rng = np.random.default_rng(0)
    label = rng.normal(37, 5, 5000) * scale
    said = label + rng.laplace(0.3, 2, 5000) * scale
    error = said - label
    found = rmse(5000, (error**2).sum(), (error**4).sum())
    expected = metrics.root_mean_squared_error(label, said)
    assert found.value == pytest.approx(expected, rel=1e-12)
    sums = moments(label, error, shift * scale)
    assert r2(5000, **sums).value == pytest.approx(metrics.r2_score(label, said), rel=1e-12)


def test_the_shift_of_the_labels_does_not_matter():
    rng = np.random.default_rng(1)
    label, error = rng.gamma(2, 3, 3000), rng.laplace(0, 2, 3000)
    here, there = (r2(3000, **moments(label, error, shift)) for shift in (6.0, -20.0))
    assert here == pytest.approx(there, rel=1e-9)


def test_a_model_worse_than_the_mean_has_an_r2_below_0():
    rng = np.random.default_rng(2)
    label = rng.normal(0, 1, 500)
    label -= label.mean()
    found = r2(500, **moments(label, 2 * label, 0.0))
    assert found == pytest.approx((-3, -3, -3))  # Every row's error is in proportion: no doubt.


@given(rows_of_two)
def test_log_loss_ratio_is_scikit_learns_over_the_entropy(rows):
    label, score = np.array([r[0] for r in rows]).astype(int), np.array([r[1] for r in rows])
    loss = -np.log(np.where(label == 1, score, 1 - score))
    sums = of_classes(label, loss, loss**2)
    if label.all() or not label.any():
        with pytest.raises(ValueError, match="single class"):
            log_loss_ratio(*sums)
        return
    expected = metrics.log_loss(label, score) / scipy_stats.entropy(sums[0])
    found = log_loss_ratio(*sums)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.lower <= found.value <= found.upper


def test_log_loss_ratio_of_many_classes_leaves_out_those_without_rows():
    rng = np.random.default_rng(3)
    label, score = rng.integers(0, 4, 900), rng.dirichlet(np.ones(5), 900)
    loss = -np.log(score[np.arange(900), label])
    found = log_loss_ratio(*of_classes(label, loss, loss**2, size=5))
    expected = metrics.log_loss(label, score, labels=range(5)) / entropy(np.bincount(label))
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert log_loss_ratio(*of_classes(label, loss, loss**2, size=4)) == pytest.approx(found)


@given(rows_of_two)
def test_observed_predicted_ratio_is_that_of_the_rows(rows):
    label, score = np.array([r[0] for r in rows]).astype(int), np.array([r[1] for r in rows])
    found = observed_predicted_ratio(*of_classes(label, score, score**2))
    expected = label.mean() / score.mean()
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.lower <= found.value <= found.upper


def test_no_positive_yet_may_be_a_few():
    found = observed_predicted_ratio(np.array([100, 0]), np.array([10.0, 0]), np.array([1.0, 0]))
    assert found.value == found.lower == 0
    # Wilson's end at no hits is z^2 / (n + z^2), here over a mean score of 0.1.
    assert found.upper == pytest.approx(3.8415 / 103.8415 * 10, rel=1e-4)


@given(rows_of_two)
def test_ece_is_that_of_the_rows(rows):
    label, score = np.array([float(r[0]) for r in rows]), np.array([r[1] for r in rows])
    place = np.minimum((score * 10).astype(int), 9)
    sums = (np.bincount(place, weights=each, minlength=10) for each in (label, score))
    expected = 0.0
    for each in set(place.tolist()):
        rows_of_bin = place == each
        apart = label[rows_of_bin].mean() - score[rows_of_bin].mean()
        expected += rows_of_bin.mean() * abs(apart)
    assert ece(*sums, len(rows)) == pytest.approx(expected, rel=1e-12)


LEVELS = (0.05, 0.5, 0.95, 0.99)


@pytest.mark.parametrize("q", LEVELS)
@pytest.mark.parametrize("size", [5, 100, 4000])
def test_quantiles_are_those_of_the_values_within_a_bin(q, size):
    values = np.random.default_rng(size).lognormal(0, 1, size)
    edges = np.quantile(values, np.arange(1, 50) / 50)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=50)
    found = quantile(edges, counts, q, values.min(), values.max())
    cuts = np.array([values.min(), *edges, values.max()])
    true = np.quantile(values, q, method="inverted_cdf")
    place = min(np.searchsorted(edges, true, side="right"), 49)
    assert cuts[place] <= found.value <= cuts[place + 1]
    # SciPy's interval runs from order statistic to order statistic, one side at a time here.
    sides = {"lower": "greater", "upper": "less"}
    for end, side in sides.items():
        test = scipy_stats.quantile_test(values, q=true, p=q, alternative=side)
        ends = test.confidence_interval(0.975)
        expected = ends.low if end == "lower" else ends.high
        ours = getattr(found, end)
        if math.isnan(expected):
            assert math.isnan(ours)
            continue
        place = min(np.searchsorted(edges, expected, side="right"), 49)
        assert ours == cuts[place if end == "lower" else place + 1]


@pytest.mark.parametrize("q", LEVELS)
def test_ranks_of_many_rows_are_the_binomials(q):
    rows = 10_000_000
    edges = np.arange(1.0, rows, 100)  # So fine that bins tell ranks.
    found = quantile(edges, np.full(len(edges) + 1, 100), q, 0.0, float(edges[-1] + 1))
    size = 100 * (len(edges) + 1)
    low, high = scipy_stats.binom.ppf([0.025, 0.975], size, q)
    assert found.lower == pytest.approx(low, abs=200)
    assert found.upper == pytest.approx(high, abs=200)
    assert found.value == pytest.approx(q * size, abs=200)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).map(np.array), st.floats(0.01, 0.99))
def test_a_bin_a_value_gives_the_quantile_itself(values, q):
    edges = np.repeat(np.arange(6.0), 2)
    edges[1::2] = np.nextafter(edges[::2], np.inf)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=13)
    single = np.concatenate([[False], np.nextafter(edges[:-1], np.inf) == edges[1:], [False]])
    found = quantile(edges, counts, q, values.min(), values.max(), single)
    steps = np.cumsum(np.bincount(values)) >= q * len(values)
    assert found.value == np.flatnonzero(steps)[0]
    assert not found.lower > found.value
    assert not found.upper < found.value


def test_errors_of_nothing_but_0_are_0():
    assert rmse(3, 0.0, 0.0) == (0, 0, 0)
    assert r2(9, **moments(np.arange(9.0), np.zeros(9), 4.0)) == (1, 1, 1)
    assert log_loss_ratio(np.array([1, 1]), np.zeros(2), np.zeros(2)) == (0, 0, 0)


def test_what_is_not_defined_is_an_error():
    zeros, twos = np.zeros(2), np.array([2, 2])
    for call, says in (
        (lambda: rmse(0, 0.0, 0.0), "no rows"),
        (lambda: ece(zeros, zeros, 0), "no rows"),
        (lambda: r2(0, **moments(zeros[:0], zeros[:0], 0.0)), "no rows"),
        (lambda: r2(3, **moments(np.full(3, 7.1), np.ones(3), 7.0)), "do not vary"),
        (lambda: log_loss_ratio(zeros, zeros, zeros), "without rows"),
        (lambda: observed_predicted_ratio(zeros, zeros, zeros), "without rows"),
        (lambda: observed_predicted_ratio(twos, zeros, zeros), "every score is 0"),
        (lambda: quantile(np.array([1.0]), zeros, 0.5, 0.0, 2.0), "without rows"),
        (lambda: quantile(np.array([1.0]), twos, 1.0, 0.0, 2.0), "between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
