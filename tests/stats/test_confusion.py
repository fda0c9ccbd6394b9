"""Class metrics of a confusion table: scikit-learn's values, and the delta method's intervals."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from driftline.stats.confusion import (
    accuracy,
    balanced_accuracy,
    f1,
    macro,
    precision,
    recall,
    weighted_f1,
)
from driftline.stats.interval import Z, share

classes = st.integers(0, 4)
pairs = st.lists(st.tuples(classes, classes), min_size=1, max_size=60).map(np.array)
tables = st.lists(st.integers(0, 30), min_size=9, max_size=9).map(lambda c: np.reshape(c, (3, 3)))
ONES = {precision: metrics.precision_score, recall: metrics.recall_score, f1: metrics.f1_score}


def counted(rows, size=5):
    """Return the table of (label, predicted) rows."""
    table = np.zeros((size, size), dtype=int)
    np.add.at(table, tuple(rows.T), 1)
    return table


@given(pairs)
@settings(max_examples=40, deadline=None)
def test_values_are_scikit_learns(rows):
    table, (truth, said) = counted(rows), rows.T
    exact = {"rel": 0, "abs": 1e-12}
    assert accuracy(table).value == pytest.approx(metrics.accuracy_score(truth, said), **exact)
    # scikit-learn's own warns of classes without a label and leaves them out.
    expected = metrics.recall_score(truth, said, labels=np.unique(truth), average="macro")
    assert balanced_accuracy(table).value == pytest.approx(expected, **exact)
    for metric, theirs in ONES.items():
        expected = theirs(truth, said, average="macro", zero_division=0)
        assert macro(metric, table).value == pytest.approx(expected, **exact)
        for place in set(truth) & set(said):
            expected = theirs(truth, said, labels=[place], average=None)[0]
            assert metric(table, place).value == pytest.approx(expected, **exact)
    expected = metrics.f1_score(truth, said, average="weighted", zero_division=0)
    assert weighted_f1(table).value == pytest.approx(expected, **exact)


def test_balanced_accuracy_is_scikit_learns():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, 3, 500), rng.integers(0, 3, 500)])
    expected = metrics.balanced_accuracy_score(*rows.T)
    assert balanced_accuracy(counted(rows)).value == pytest.approx(expected, abs=1e-12)


@given(tables, st.permutations(range(3)))
def test_the_order_of_the_classes_does_not_matter(table, order):
    assume(table.any())
    moved = table[np.ix_(order, order)]
    for metric in ONES:
        assert macro(metric, moved) == pytest.approx(macro(metric, table))
    assert weighted_f1(moved) == pytest.approx(weighted_f1(table))
    assert balanced_accuracy(moved) == pytest.approx(balanced_accuracy(table))


@given(tables)
def test_a_class_that_does_not_occur_changes_nothing(table):
    assume(table.any())
    wider = np.pad(table, ((0, 1), (0, 1)))
    assert macro(f1, wider) == pytest.approx(macro(f1, table))
    assert weighted_f1(wider) == pytest.approx(weighted_f1(table))
    assert balanced_accuracy(wider) == pytest.approx(balanced_accuracy(table))


@given(tables)
def test_intervals_hold_their_value_within_0_and_1(table):
    assume(table.any())
    found = [*(macro(metric, table) for metric in ONES), weighted_f1(table), accuracy(table)]
    for value, lower, upper in [*found, balanced_accuracy(table)]:
        assert 0 <= lower <= value + 1e-12
        assert value <= upper + 1e-12
        assert upper <= 1


AVERAGES = {
    "precision": (
        lambda c: macro(precision, c),
        lambda p: (np.diag(p) / p.sum(axis=0)).mean(),
    ),
    "recall": (lambda c: macro(recall, c), lambda p: (np.diag(p) / p.sum(axis=1)).mean()),
    "f1": (
        lambda c: macro(f1, c),
        lambda p: (2 * np.diag(p) / (p.sum(axis=0) + p.sum(axis=1))).mean(),
    ),
    "weighted_f1": (
        weighted_f1,
        lambda p: (p.sum(axis=1) * 2 * np.diag(p) / (p.sum(axis=0) + p.sum(axis=1))).sum(),
    ),
}


@pytest.mark.parametrize(("ours", "formula"), AVERAGES.values(), ids=AVERAGES)
def test_of_many_rows_the_interval_is_the_multinomial_delta_methods(ours, formula):
    # By numeric slopes: Var = (sum p g^2 - (sum p g)^2) / n (Takahashi et al. 2022, appendix).
    rng = np.random.default_rng(2)
    for _ in range(20):
        size = rng.integers(2, 6)
        shares = rng.dirichlet(np.ones(size**2)).reshape(size, size) + np.eye(size) / 20
        shares /= shares.sum()
        slopes, step = np.zeros_like(shares), 1e-6
        for cell in np.ndindex(shares.shape):
            more, less = shares.copy(), shares.copy()
            more[cell] += step
            less[cell] -= step
            slopes[cell] = (formula(more) - formula(less)) / (2 * step)
        variance = (shares * slopes**2).sum() - (shares * slopes).sum() ** 2
        rows = 10**10
        value, lower, upper = ours(shares * rows)
        assert value == pytest.approx(formula(shares))
        assert (upper - lower) / 2 == pytest.approx(Z * math.sqrt(variance / rows), rel=1e-4)


def test_all_rows_right_are_not_certain():
    table = np.diag([40, 5])
    assert accuracy(table) == share(45, 45)
    for found in (balanced_accuracy(table), macro(f1, table), weighted_f1(table)):
        assert found.value == found.upper == pytest.approx(1)
        assert 0.5 < found.lower < 0.96


def test_many_classes_take_no_time_of_their_own():
    table = np.random.default_rng(0).integers(0, 9, (400, 400))
    assert macro(f1, table).value == pytest.approx(1 / 400, rel=0.2)
    assert weighted_f1(table).lower > 0


@pytest.mark.parametrize(
    ("metric", "says"),
    [(precision, "never predicted"), (recall, "no row's label"), (f1, "neither a label nor")],
)
def test_a_class_that_the_metric_is_not_defined_of_is_an_error(metric, says):
    with pytest.raises(ValueError, match=f"class 1 .*{says}"):
        metric(np.array([[3, 0], [0, 0]]), 1)


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy, weighted_f1])
def test_no_rows_are_an_error(metric):
    with pytest.raises(ValueError, match="no rows have no"):
        metric(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="no rows have no"):
        macro(f1, np.zeros((2, 2)))


def test_a_table_is_square():
    with pytest.raises(ValueError, match=r"square, not \(2, 3\)"):
        accuracy(np.ones((2, 3)))
