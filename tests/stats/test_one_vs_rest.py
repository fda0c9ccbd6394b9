"""Estimates of many classes are close to NannyML's published ones; what is exact is exact."""

from functools import cache

import numpy as np
import pytest
from sklearn import metrics

from driftline.stats import one_vs_rest
from driftline.stats.confidence_based import Calibration, calibration, thresholds
from tests import tutorials

# NannyML's tutorial Estimating Performance for Multiclass Classification (docs/example_notebooks/
# Tutorial - Estimating Performance - Multiclass Classification.ipynb): chunks of 6,000 rows.
CHUNK = 6000
PRINTED = {
    "roc_auc": "0.906962 0.909877 0.909887 0.909033 0.907116 "
    "0.819359 0.820096 0.818966 0.819245 0.821429",
    "f1": "0.753301 0.756422 0.758166 0.756557 0.753618 "
    "0.630985 0.631482 0.630552 0.631736 0.633443",
}
PUBLISHED = {metric: [float(each) for each in values.split()] for metric, values in PRINTED.items()}
ERRORS = {"roc_auc": 0.00214318, "f1": 0.00565227}
THRESHOLDS = {"roc_auc": (0.900902, 0.913516), "f1": (0.741254, 0.764944)}
ALERTS = [False] * 5 + [True] * 5
CLASSES = ("highstreet_card", "prepaid_card", "upmarket_card")


def columns(rows):
    labels = rows["y_true"].map(CLASSES.index).to_numpy() if "y_true" in rows else None
    scores = rows[[f"y_pred_proba_{name}" for name in CLASSES]].to_numpy()
    return labels, rows["y_pred"].map(CLASSES.index).to_numpy(), scores


def each_class(labels, predicted, scores, edges):
    """Return the counts of each class against the rest: rows, and sums of scores."""
    count = range(scores.shape[1])
    found = [
        tutorials.counted(
            (labels == k).astype(int), (predicted == k).astype(int), scores[:, k], edges[k]
        )
        for k in count
    ]
    return [rows for rows, _ in found], [sums for _, sums in found]


def read(rows, sums):
    return [
        calibration(n[1].sum(axis=0), n[0].sum(axis=0), s.sum(axis=(0, 1)))
        for n, s in zip(rows, sums, strict=True)
    ]


@cache
def published():
    """Return the reference, its counts and calibrations, and the estimates of later chunks."""
    reference = columns(tutorials.data("mc_reference"))
    edges = [tutorials.quantile_edges(reference[2][:, k], 0.5) for k in range(3)]
    rows, sums = each_class(*reference, edges)
    calibrations = read(rows, sums)
    _, predicted, scores = columns(tutorials.data("mc_analysis"))
    found = []
    for start in range(0, len(predicted), CHUNK):
        part = slice(start, start + CHUNK)
        none = np.full(CHUNK, -1)
        window, totals = each_class(none, predicted[part], scores[part], edges)
        found.append(
            one_vs_rest.estimates(calibrations, [n[0] for n in window], [s[0] for s in totals])
        )
    return reference, rows, sums, calibrations, found


def realized(labels, predicted, scores):
    areas = [metrics.roc_auc_score(labels == k, scores[:, k]) for k in range(3)]
    return {
        "roc_auc": np.mean(areas),
        "f1": metrics.f1_score(labels, predicted, average="macro"),
    }


@pytest.mark.parametrize(("metric", "off"), [("roc_auc", 6e-4), ("f1", 1.6e-3)])
def test_estimates_are_close_to_the_published_ones(metric, off):
    assert off < ERRORS[metric] / 3
    found = [each[metric] for each in published()[-1]]
    assert found == pytest.approx(PUBLISHED[metric], abs=off)


@pytest.mark.parametrize("metric", PUBLISHED)
def test_thresholds_and_alerts_are_the_published_ones(metric):
    reference, *_, found = published()
    came = [
        realized(*(each[start : start + CHUNK] for each in reference))[metric]
        for start in range(0, 60_000, CHUNK)
    ]
    lower, upper = thresholds(came)
    assert (lower, upper) == pytest.approx(THRESHOLDS[metric], abs=6e-7)
    assert [not lower <= each[metric] <= upper for each in found] == ALERTS


def test_sampling_errors_are_those_of_draws():
    reference, rows, sums, _, found = published()
    labels, predicted, scores = reference
    confusion = np.bincount(labels * 3 + predicted, minlength=9).reshape(3, 3)
    errors = one_vs_rest.sampling_errors(
        [Calibration()] * 3,
        confusion,
        [n.sum(axis=1) for n in rows],
        [s.sum(axis=(0, 1)) for s in sums],
        CHUNK,
    )
    assert errors.keys() == found[0].keys()
    rng, drawn = np.random.default_rng(0), []
    came = np.eye(3)[labels]
    losses = -np.log(np.clip(scores[np.arange(len(labels)), labels], np.finfo(float).eps, 1))
    for _ in range(150):
        some = rng.integers(0, len(labels), CHUNK)
        drawn.append(
            realized(labels[some], predicted[some], scores[some])
            | {
                "accuracy": metrics.accuracy_score(labels[some], predicted[some]),
                "balanced_accuracy": metrics.balanced_accuracy_score(labels[some], predicted[some]),
                "brier": ((scores[some] - came[some]) ** 2).sum(axis=1).mean(),
                "log_loss": losses[some].mean(),
            }
        )
    for metric in drawn[0]:
        spread = np.std([each[metric] for each in drawn])
        if metric in {"roc_auc", "brier"}:  # The most they can be.
            assert 0.95 < errors[metric] / spread < 1.4, metric
        else:
            assert errors[metric] == pytest.approx(spread, rel=0.2), metric
    assert errors["f1"] == pytest.approx(ERRORS["f1"], rel=0.05)


def test_estimates_are_scikit_learns_of_rows_that_are_each_class_in_part():
    rng = np.random.default_rng(2)
    # Shares of 20: a score is exactly one of few, and each has its bin.
    scores = rng.multinomial(20, [0.2, 0.3, 0.5], 2000) / 20
    predicted = scores.argmax(axis=1)
    edges = [np.arange(1, 21) / 20 - 1e-9] * 3
    rows, sums = each_class(np.full(2000, -1), predicted, scores, edges)
    found = one_vs_rest.estimates([Calibration()] * 3, [n[0] for n in rows], [s[0] for s in sums])
    labels, weights = np.repeat(np.arange(3), 2000), scores.T.ravel()
    thrice, all_scores = np.tile(predicted, 3), np.tile(scores, (3, 1))
    weighed = {"sample_weight": weights}
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, thrice, **weighed))
    for metric in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{metric}_score")
        assert found[metric] == pytest.approx(score(labels, thrice, average="macro", **weighed))
    assert found["balanced_accuracy"] == pytest.approx(found["recall"])
    areas = [
        metrics.roc_auc_score(labels == k, all_scores[:, k], sample_weight=weights)
        for k in range(3)
    ]
    assert found["roc_auc"] == pytest.approx(np.mean(areas))
    loss = metrics.log_loss(labels, all_scores, **weighed)
    shares = scores.mean(axis=0)
    assert found["log_loss"] == pytest.approx(loss)
    assert found["log_loss_ratio"] == pytest.approx(loss / -(shares * np.log(shares)).sum())
    brier = np.average(((all_scores - np.eye(3)[labels]) ** 2).sum(axis=1), weights=weights)
    assert found["brier"] == pytest.approx(brier)


def test_of_two_classes_accuracy_and_area_are_those_of_one():
    from driftline.stats import confidence_based

    rng = np.random.default_rng(3)
    scores = rng.beta(1, 2, 4000)
    predicted = (scores > 0.5).astype(int)
    both = np.stack([1 - scores, scores], axis=1)
    edges = np.linspace(0.1, 0.9, 9)
    rows, sums = each_class(np.full(4000, -1), predicted, both, [edges, edges])
    found = one_vs_rest.estimates([Calibration()] * 2, [n[0] for n in rows], [s[0] for s in sums])
    alone = confidence_based.estimates(Calibration(), rows[1][0], sums[1][0])
    for metric in ("accuracy", "balanced_accuracy", "roc_auc", "log_loss"):
        assert found[metric] == pytest.approx(alone[metric]), metric
    assert found["brier"] == pytest.approx(2 * alone["brier"])


def test_a_window_without_rows_lets_nothing_expect():
    none = np.zeros((2, 3))
    assert one_vs_rest.estimates([Calibration()] * 2, [none] * 2, [none] * 2) == {}
