"""Every statistic against scipy, scikit-learn or a published value, and the laws that it obeys."""

import doctest

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn import metrics

from driftline.stats import categories, probabilities, samples

counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8)
numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40).map(np.array)
scored = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=40)


@pytest.mark.parametrize("module", [categories, probabilities, samples])
def test_the_examples_run(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


@given(numbers, numbers)
def test_ks_is_scipys(reference, current):
    expected = scipy_stats.ks_2samp(reference, current, method="asymp").statistic
    assert samples.ks(reference, current) == pytest.approx(expected)


@given(numbers, st.randoms())
def test_ks_of_the_same_rows_in_any_order_is_zero(reference, random):
    shuffled = reference.copy()
    random.shuffle(shuffled)
    assert samples.ks(reference, shuffled) == 0


@given(counts)
def test_chi_square_is_scipys(pairs):
    reference, current = np.array(pairs).T
    assume(reference.sum() and current.sum())
    table = np.array([reference, current])
    table = table[:, table.sum(axis=0) > 0]
    assume(table.shape[1] > 1)
    expected = scipy_stats.chi2_contingency(table, correction=False).statistic
    assert categories.chi_square(reference, current) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reference", "current", "expected"),
    # NannyML's L-infinity of two categories is their total variation distance.
    [([2, 2, 2, 0], [2, 2, 2, 1], 1 / 7), ([1, 3], [3, 1], 0.5), ([1, 0], [0, 1], 1.0)],
)
def test_total_variation(reference, current, expected):
    found = categories.total_variation(np.array(reference), np.array(current))
    assert found == pytest.approx(expected)


@given(counts)
def test_total_variation_lies_between_0_and_1_and_is_symmetric(pairs):
    reference, current = np.array(pairs).T
    assume(reference.sum() and current.sum())
    found = categories.total_variation(reference, current)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(categories.total_variation(current, reference))


@pytest.mark.parametrize("empty", [categories.total_variation, samples.ks])
def test_a_sample_without_rows_is_an_error(empty):
    with pytest.raises(ValueError, match="without rows"):
        empty(np.array([]), np.array([1.0]))


def test_brier_has_the_published_value():
    observed, predicted = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.3])
    assert probabilities.brier(observed, predicted) == pytest.approx(0.0375)


def test_brier_of_many_classes_is_scikit_learns():
    rng = np.random.default_rng(5)
    observed, predicted = rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300)
    expected = metrics.brier_score_loss(observed, predicted, labels=range(4))
    assert probabilities.brier(observed, predicted) == pytest.approx(expected)


@given(scored)
def test_ece_is_the_weighted_gap_of_ten_bins(pairs):
    observed = np.array([float(label) for label, _ in pairs])
    predicted = np.array([score for _, score in pairs])
    bins = [min(int(score * 10), 9) for score in predicted]
    expected = 0.0
    for each in set(bins):
        rows = np.array(bins) == each
        expected += rows.mean() * abs(observed[rows].mean() - predicted[rows].mean())
    assert probabilities.ece(observed, predicted) == pytest.approx(expected)


def test_the_best_constant_has_a_log_loss_ratio_of_one():
    observed = np.array([0] * 70 + [1] * 30)
    loss = metrics.log_loss(observed, np.full(100, 0.3))
    assert probabilities.log_loss_ratio(observed, loss) == pytest.approx(1.0)
    assert probabilities.entropy(observed) == pytest.approx(scipy_stats.entropy([0.7, 0.3]))


def test_a_single_class_has_no_log_loss_ratio():
    with pytest.raises(ValueError, match="no entropy"):
        probabilities.log_loss_ratio(np.ones(5), 0.1)
