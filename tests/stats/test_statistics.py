"""Every statistic against scipy, scikit-learn or a published value, and the laws that it obeys."""

import doctest
import subprocess
import sys

import pytest

from driftline.stats import (
    confidence_based,
    confusion,
    counted,
    divergences,
    interval,
    losses,
    one_vs_rest,
    ordered,
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
    ranking,
    shares,
    tables,
    trust,
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module):
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


def test_no_statistic_needs_all_of_scipy_stats():
    lines = [
        "import sys",
        "from driftline.stats import divergences, interval, losses, ordered, ranking, tables",
        "divergences.psi_noise(5, 9, 9), tables.g_test_p_value(*divergences.np.eye(2))",
        "ordered.ks_p_value(.1, 9, 9), ordered.cramer_von_mises_p_value(.1, 9, 9)",
        "ones = divergences.np.ones(3)",
        "interval.mean(4, 10, 30), losses.quantile(ones[:2], ones, .5, 0, 2)",
        "ranking.binned_average_precision(ones, ones), ranking.binned_roc_area(ones, ones)",
        "assert 'scipy.special' in sys.modules and 'scipy.stats' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
