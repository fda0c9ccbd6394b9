"""Rows' parts of a metric have the metric as their mean, and tell how it moves with each row."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from driftline.stats.influence import METRICS, ONE_CLASS, of_rows


def _ratio(y, _, p):
    labels = list(range(p.shape[1])) if p.ndim == 2 else [0, 1]
    shares = np.bincount(y) / len(y)
    return sklearn.log_loss(y, p, labels=labels) / -(shares @ np.log(shares))


EXPECTED = {
    "accuracy": lambda y, s, _: sklearn.accuracy_score(y, s),
    "balanced_accuracy": lambda y, s, _: sklearn.balanced_accuracy_score(y, s),
    "precision": lambda y, s, _: sklearn.precision_score(y, s),
    "recall": lambda y, s, _: sklearn.recall_score(y, s),
    "f1": lambda y, s, _: sklearn.f1_score(y, s),
    "log_loss": lambda y, _, p: sklearn.log_loss(y, p),
    "log_loss_ratio": _ratio,
    "brier": lambda y, _, p: sklearn.brier_score_loss(y, p, scale_by_half=p.ndim == 1),
    "roc_auc": lambda y, _, p: sklearn.roc_auc_score(y, p),
    "mae": lambda y, s, _: sklearn.mean_absolute_error(y, s),
    "rmse": lambda y, s, _: sklearn.root_mean_squared_error(y, s),
    "mape": lambda y, s, _: sklearn.mean_absolute_percentage_error(y, s),
    "r2": lambda y, s, _: sklearn.r2_score(y, s),
}
OF_VALUES = {"mae", "rmse", "mape", "r2"}
CASES = [(metric, kind) for metric in EXPECTED for kind in ("binary", "multiclass", "regression")]


def rows(kind):
    rng = np.random.default_rng(7)
    if kind == "regression":
        truth = rng.gamma(3.0, 2.0, 3_000)
        return truth, truth + rng.normal(0.2, 1.0, 3_000), None
    if kind == "multiclass":
        scores = rng.dirichlet([2.0, 1.0, 1.0], 3_000)
        truth = (scores.cumsum(axis=1) < rng.random((3_000, 1))).sum(axis=1)
        return truth, scores.argmax(axis=1), scores
    scores = np.round(rng.beta(1, 3, 3_000), 2)  # with ties
    return (rng.random(3_000) < scores).astype(int), (scores > 0.3).astype(int), scores


def defined(metric, kind):
    if kind == "regression" or metric in OF_VALUES:
        return (kind == "regression") == (metric in OF_VALUES)
    return kind == "binary" or metric not in ONE_CLASS


CASES = [case for case in CASES if defined(*case)]


def test_every_metric_is_asked_for():
    assert set(EXPECTED) == set(METRICS)


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_the_mean_is_the_metric(metric, kind):
    truth, said, scores = rows(kind)
    found = of_rows(metric, truth, said, scores)
    assert found.mean() == pytest.approx(EXPECTED[metric](truth, said, scores), rel=1e-12)


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_a_row_more_moves_the_metric_as_the_row_says(metric, kind):
    truth, said, scores = rows(kind)
    found, value = of_rows(metric, truth, said, scores), EXPECTED[metric](truth, said, scores)
    for place in range(40):
        more = [None if each is None else np.append(each, each[[place]], axis=0)
                for each in (truth, said, scores)]  # fmt: skip
        moved = (EXPECTED[metric](*more) - value) * (len(truth) + 1)
        assert moved == pytest.approx(found[place] - value, rel=0.01, abs=0.01)


def test_what_is_not_defined_is_none():
    truth, said = np.array([0, 0, 1]), np.array([0, 0, 0])
    assert of_rows("precision", truth, said) is None
    assert of_rows("log_loss", truth, said) is None
    assert of_rows("roc_auc", np.zeros(3, int), said, np.array([0.1, 0.2, 0.3])) is None
    assert of_rows("r2", np.ones(3), np.zeros(3)) is None
    assert of_rows("ece", truth, said, np.array([0.1, 0.2, 0.3])) is None
    assert of_rows("accuracy", truth[:0], said[:0]) is None
