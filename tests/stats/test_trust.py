"""Estimates that are right are believed, and those that are not are found out."""

import numpy as np
import pytest

from driftline.stats.trust import FEWEST, LAST, trust


def ends(values, reach):
    return [(value, value - reach, value + reach) for value in values]


def disbelieved(count, *, bias=0.0, reference=30, trials=1500, known=False):
    """Return how often estimates are not believed, of windows whose labels vary by 1.

    `bias` is in units of what they may be off by; all share a reference of so many windows' rows,
    which their intervals count. What came true is a sample itself, unless it is all `known`.
    """
    rng, found = np.random.default_rng(0), 0
    reach = 1.96 * np.sqrt(1 + 1 / reference)
    own = 1e-9 if known else 1.96
    for _ in range(trials):
        shared = rng.normal(0, np.sqrt(1 / reference)) + bias * np.hypot(reach, own)
        off = rng.normal(0, 1, count) + shared
        found += not trust("m", ends(off, reach), ends(np.zeros(count), own)).trusted
    return found / trials


@pytest.mark.parametrize("count", [5, 8, 14, 40])
@pytest.mark.parametrize("reference", [4, 30])
def test_right_estimates_are_believed(count, reference):
    assert disbelieved(count, reference=reference) <= 0.002


@pytest.mark.parametrize("count", [5, 8, 14])
def test_right_estimates_are_believed_also_where_intervals_are_no_wider_than_they_must(count):
    assert disbelieved(count, known=True, reference=10_000) <= 0.01


@pytest.mark.parametrize(
    ("bias", "count", "least"),
    [(0.75, 8, 0.5), (0.75, 14, 0.8), (1, 5, 0.8), (1, 8, 0.95), (1, 14, 0.99), (1.5, 5, 0.99)],
)
def test_estimates_that_are_off_are_found_out(bias, count, least):
    assert disbelieved(count, bias=bias, trials=500) >= least
    assert disbelieved(count, bias=-bias, trials=500) >= least


def test_a_year_of_right_estimates_raises_no_doubt():
    rng, doubts = np.random.default_rng(1), 0
    for _ in range(100):
        off = rng.normal(0, 1, 52) + rng.normal(0, 0.2)
        said, came = ends(off, 2.0), ends(np.zeros(52), 1.96)
        doubts += any(not trust("m", said[:n], came[:n]).trusted for n in range(FEWEST, 53))
    assert doubts <= 1


def test_estimates_that_vary_too_much_are_found_out_though_right_on_average():
    off = 4.0 * (-1.0) ** np.arange(LAST)
    found = trust("log_loss", ends(off, 1.96), ends(np.zeros(LAST), 1.96))
    assert not found.trusted
    assert found.reason == (
        "of the last 14 estimates of log_loss 14 were off by more than they allowed, "
        "by 4 on average"
    )


def test_a_bias_within_the_intervals_is_found_out():
    found = trust("roc_auc", ends([0.78] * 14, 0.02), ends([0.755] * 14, 0.02))
    assert found.reason == "the last 14 estimates of roc_auc were too high, by 0.025 on average"
    found = trust("roc_auc", ends([0.73] * 14, 0.02), ends([0.755] * 14, 0.02))
    assert found.reason == "the last 14 estimates of roc_auc were too low, by 0.025 on average"


def test_few_windows_are_no_test():
    found = trust("roc_auc", ends([0.9] * 4, 0.01), ends([0.5] * 4, 0.01))
    assert found.trusted
    assert found.reason == (
        "the estimates of roc_auc are not tested yet: labels have come for 4 of the 5 windows "
        "that this takes"
    )


def test_only_the_last_windows_count():
    said, came = ends([0.9] * 10 + [0.7] * LAST, 0.01), ends([0.7] * (10 + LAST), 0.01)
    assert trust("roc_auc", said, came).trusted
    assert not trust("roc_auc", said[:-5], came[:-5]).trusted


def test_a_pair_that_tells_nothing_does_not_count():
    nan = float("nan")
    said = [*ends([0.9] * 5, 0.01), (nan, nan, nan), (0.9, nan, nan)]
    came = [*ends([0.7] * 5, 0.01), (0.7, 0.6, 0.8), (0.7, nan, nan)]
    assert "of the last 5 estimates" in trust("roc_auc", said, came).reason


def test_an_interval_counts_on_the_side_of_the_other():
    # The estimate is too high; that it could be higher still is no excuse.
    said, came = [(0.9, 0.89, 1.5)] * 6, [(0.7, 0.1, 0.71)] * 6
    assert not trust("roc_auc", said, came).trusted
    assert trust("roc_auc", [(0.9, 0.6, 0.91)] * 6, came).trusted


def test_pairs_are_pairs():
    with pytest.raises(ValueError, match="2 estimates are not 1"):
        trust("roc_auc", ends([0.9] * 2, 0.1), ends([0.9], 0.1))
