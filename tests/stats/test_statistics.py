"""Every statistic against scipy, scikit-learn or a published value, and the laws that it obeys."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn import metrics

from driftline.stats import (
    confidence_based,
    confusion,
    counted,
    divergences,
    interval,
    losses,
    one_vs_rest,
    ordered,
    probabilities,
    ranking,
    shares,
    tables,
    trust,
)

MODULES = [
    confidence_based,
    confusion,
    counted,
    divergences,
    interval,
    losses,
    one_vs_rest,
    ordered,
    probabilities,
    ranking,
    shares,
    tables,
    trust,
]
scored = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=40)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


def test_no_statistic_needs_all_of_scipy_stats():
    lines = [
        "import sys",
        "from driftline.stats import divergences, interval, losses, ordered, ranking, tables",
        "divergences.psi_p_value(.1, 5, 9, 9), tables.g_test_p_value(*divergences.np.eye(2))",
        "ordered.ks_p_value(.1, 9, 9), ordered.cramer_von_mises_p_value(.1, 9, 9)",
        "ones = divergences.np.ones(3)",
        "interval.mean(4, 10, 30), losses.quantile(ones[:2], ones, .5, 0, 2)",
        "ranking.binned_average_precision(ones, ones), ranking.binned_roc_area(ones, ones)",
        "assert 'scipy.special' in sys.modules and 'scipy.stats' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


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
