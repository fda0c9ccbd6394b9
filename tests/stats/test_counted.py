"""Metrics of counts are scikit-learn's, and vary over draws as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from driftline.stats import counted
from driftline.stats.ranking import roc_area

tables = st.lists(st.integers(1, 40), min_size=8, max_size=8).map(lambda c: np.reshape(c, (2, 4)))
SCORES = np.array([0.05, 0.3, 0.6, 0.9])


def rows_of(table):
    labels = np.repeat([0, 1], table.sum(axis=1))
    bins = np.concatenate([np.repeat(np.arange(table.shape[1]), side) for side in table])
    return labels, bins


@given(tables)
def test_classes_are_scikit_learns(table):
    labels, bins = rows_of(table)
    predicted = (bins > 1).astype(int)
    found = counted.of_classes(np.stack([table[:, :2].sum(axis=1), table[:, 2:].sum(axis=1)], 1))
    for name, value in found.items():
        expected = getattr(metrics, f"{name}_score")(labels, predicted)
        assert value == pytest.approx(expected), name


@given(st.lists(st.integers(0, 9), min_size=16, max_size=16))
def test_many_classes_are_scikit_learns(counts):
    confusion = np.reshape(counts, (4, 4))
    confusion[0, 0] += 1
    labels = np.repeat(np.arange(4), confusion.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(4), each) for each in confusion])
    found = counted.of_many_classes(
        confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    )
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    recalls = metrics.recall_score(labels, predicted, average=None, labels=np.unique(labels))
    assert found["balanced_accuracy"] == pytest.approx(recalls.mean())
    for name in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{name}_score")
        expected = score(labels, predicted, average="macro", zero_division=0)
        assert found[name] == pytest.approx(expected), name


@given(tables)
def test_ranks_and_scores_are_scikit_learns(table):
    labels, bins = rows_of(table)
    found = counted.of_ranks(table) | counted.of_scores(table, SCORES)
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels, SCORES[bins]))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, SCORES[bins]))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(labels, SCORES[bins]))
    assert found["observed_rate"] == pytest.approx(labels.mean())
    ratio = labels.sum() / SCORES[bins].sum()
    assert found["observed_predicted_ratio"] == pytest.approx(ratio)


def test_average_precision_is_that_of_rows_in_any_order_within_their_bin():
    table = np.array([[200, 90, 40, 10], [20, 40, 90, 150]])
    labels, bins = rows_of(table)
    rng = np.random.default_rng(0)
    drawn = [
        metrics.average_precision_score(labels, bins + rng.random(len(bins))) for _ in range(400)
    ]
    found = counted.of_ranks(table)["average_precision"]
    assert found == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 20 + 1e-3)
    assert metrics.average_precision_score(labels, bins) != pytest.approx(found, abs=5e-3)


def test_average_precision_of_rows_each_in_a_bin_of_its_own_is_scikit_learns():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 500)
    table = np.stack([1 - labels, labels])
    found = counted.of_ranks(table)["average_precision"]
    expected = metrics.average_precision_score(labels, np.arange(500))
    # Within a row precision rises or falls too: as much as a row weighs.
    assert found == pytest.approx(expected, abs=5 / 500)


@given(tables)
def test_the_deviation_of_the_area_is_delongs(table):
    labels, bins = rows_of(table)
    area = roc_area(bins[labels == 1].astype(float), bins[labels == 0].astype(float))
    share = counted.deviations(counted.of_ranks, table)["roc_auc"] ** 2 / table.sum()
    positive, negative = table[1].sum(), table[0].sum()
    # DeLong's groups lose a degree of freedom each, which the jackknife of shares does not.
    low, high = sorted(1 - 1 / np.array([positive, negative]))
    assert low * area.variance - 1e-12 <= share <= high * area.variance + 1e-12


@pytest.mark.parametrize(
    ("metric", "table"),
    [
        (counted.of_classes, np.array([[600, 80], [70, 250]])),
        (counted.of_ranks, np.array([[400, 200, 60, 20], [30, 60, 110, 120]])),
        (
            lambda table: counted.of_scores(table, SCORES),
            np.array([[400, 200, 60, 20], [30, 60, 110, 120]]),
        ),
    ],
)
def test_deviations_are_those_of_draws(metric, table):
    rng = np.random.default_rng(2)
    drawn = rng.multinomial(2000, table.ravel() / table.sum(), size=4000)
    found = metric(drawn.reshape(-1, *table.shape))
    for name, value in counted.deviations(metric, table).items():
        assert value / np.sqrt(2000) == pytest.approx(np.std(found[name]), rel=0.05), name


def test_what_a_table_does_not_define_is_left_out():
    never = counted.finite(counted.of_classes(np.array([[5, 0], [3, 0]])))
    assert never.keys() == {"accuracy", "balanced_accuracy", "recall", "f1"}
    alone = np.array([[3, 4], [0, 0]])
    assert counted.finite(counted.of_ranks(alone)) == {}
    found = counted.finite(counted.of_scores(alone, np.array([0.2, 0.9])))
    assert found.keys() == {"observed_rate", "observed_predicted_ratio", "brier", "log_loss"}


def test_scores_that_are_no_probabilities_have_no_losses():
    found = counted.of_scores(np.array([[3, 1], [1, 3]]), np.array([-2.0, 7.0]))
    assert found.keys() == {"observed_rate", "observed_predicted_ratio"}
