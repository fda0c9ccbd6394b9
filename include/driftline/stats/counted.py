"""Metrics from tables of counts, and how much each varies by chance.

Counts may be expected ones, no whole numbers; the first axes of a table, if it has more than named,
are tables side by side. What a table does not define is NaN.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
"""Real, or complex where a derivative is taken."""
Metrics = dict[str, Any]
"""By scikit-learn's names."""

_STEP = 1e-20
_AT_ONCE = 2**20
"""Cells of tables that are held at once: 16 MB."""


def of_classes(table: Counts) -> Metrics:
    """Return what rows by label and predicted class tell, each negative, then positive.

    >>> float(of_classes(np.array([[70, 10], [5, 15]]))["recall"])
    0.75
    """
    passed, false = table[..., 0, 0], table[..., 0, 1]
    missed, hits = table[..., 1, 0], table[..., 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, other = hits / (hits + missed), passed / (passed + false)
        return {
            "accuracy": (hits + passed) / (hits + passed + missed + false),
            "balanced_accuracy": (recall + other) / 2,
            "precision": hits / (hits + false),
            "recall": recall,
            "f1": 2 * hits / (2 * hits + missed + false),
        }


def of_many_classes(hits: Counts, labelled: Counts, predicted: Counts) -> Metrics:
    """Return the same of many classes, from three counts of each; averages are plain (macro).

    A class counts if it is a label or predicted, and 0 where it has none of what is asked.

    >>> found = of_many_classes(np.array([8, 9]), np.array([10, 10]), np.array([9, 11]))
    >>> float(found["accuracy"]), float(found["f1"].round(4))
    (0.85, 0.8496)
    """
    either = labelled + predicted
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "accuracy": hits.sum(axis=-1) / labelled.sum(axis=-1),
            "balanced_accuracy": _mean(hits, labelled, labelled),
            "precision": _mean(hits, predicted, either),
            "recall": _mean(hits, labelled, either),
            "f1": _mean(2 * hits, either, either),
        }


def of_ranks(table: Counts) -> Metrics:
    """Return what rows by label and ascending score bin tell of their order.

    Rows of one bin are taken to lie in it in any order, one as likely as another.

    >>> float(of_ranks(np.array([[3, 1], [1, 3]]))["roc_auc"])
    0.75
    """
    negative, positive = (side[..., ::-1] for side in _halves(table))
    rows = negative + positive
    with np.errstate(divide="ignore", invalid="ignore"):
        hits, seen = np.cumsum(positive, axis=-1), np.cumsum(rows, axis=-1)
        below = negative.sum(axis=-1, keepdims=True) - np.cumsum(negative, axis=-1) + negative / 2
        area = (positive * below).sum(axis=-1) / (hits[..., -1] * negative.sum(axis=-1))
        # Precision while a bin is gone through, averaged over it: an integral of a + b / x.
        share, before = _share(positive, rows), seen - rows
        bend = (hits - positive - share * before) / rows * np.log(seen / before)
        passed = share + np.where((rows != 0) & (before != 0), bend, 0)
        precision = (positive * passed).sum(axis=-1) / hits[..., -1]
    return {"roc_auc": area, "average_precision": precision}


def of_scores(table: Counts, scores: NDArray[np.float64]) -> Metrics:
    """Return what rows by label and score bin say of the bins' mean scores.

    Losses are of a bin's rows as if each had the bin's mean score, and missing where that is no
    probability.

    >>> float(of_scores(np.array([[3, 1], [1, 3]]), np.array([0.25, 0.75]))["brier"])
    0.1875
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = table.sum(axis=(-1, -2))
        rate = table[..., 1, :].sum(axis=-1) / rows
        found = {
            "observed_rate": rate,
            "observed_predicted_ratio": rate * rows / (table.sum(axis=-2) * scores).sum(axis=-1),
        }
        if not are_probabilities(scores):
            return found
        squares = np.stack([scores**2, (1 - scores) ** 2])
        losses = np.stack([surprise(1 - scores), surprise(scores)])
        loss = (table * losses).sum(axis=(-1, -2)) / rows
        entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
        return {
            **found,
            "brier": (table * squares).sum(axis=(-1, -2)) / rows,
            "log_loss": loss,
            "log_loss_ratio": loss / entropy,
        }


def deviations(metrics: Callable[[Counts], Metrics], table: Counts) -> dict[str, float]:
    """Return each metric's standard deviation over tables of one row; of n, it is 1/sqrt(n) of it.

    By the infinitesimal jackknife: what a row adds to a metric is its derivative by the share of
    rows in its cell, taken exactly by a step along the imaginary axis. Of ROC AUC it is DeLong's.
    A table without rows has none.
    Sources: Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, chapter 6; Squire
    and Trapp, Using Complex Variables to Estimate Derivatives, SIAM Review 40, 1998.

    >>> deviations(of_classes, np.array([[40, 10], [10, 40]]))["accuracy"].__round__(12)
    0.4
    """
    if not table.any():
        return {}
    shares = np.asarray(table / table.sum(), dtype=np.float64)
    cells = np.flatnonzero(shares)
    variances: dict[str, float] = {}
    for block in np.array_split(cells, math.ceil(len(cells) * shares.size / _AT_ONCE)):
        moved = np.tile(shares.ravel().astype(np.complex128), (len(block), 1))
        moved[np.arange(len(block)), block] += _STEP * 1j
        for name, value in metrics(moved.reshape(-1, *shares.shape)).items():
            pull = np.imag(value) / _STEP
            variances[name] = variances.get(name, 0.0) + float(shares.ravel()[block] @ pull**2)
    return {name: math.sqrt(variance) for name, variance in variances.items()}


def mean_scores(rows: Counts, sums: Counts) -> NDArray[np.float64]:
    """Return the mean score of each bin, 0 where it has no rows.

    >>> mean_scores(np.array([4, 0]), np.array([1.0, 0.0])).tolist()
    [0.25, 0.0]
    """
    return np.divide(sums, rows, out=np.zeros(np.shape(rows)), where=np.asarray(rows) > 0)


def are_probabilities(scores: NDArray[np.float64]) -> bool:
    """Return whether no score lies outside 0 to 1.

    >>> are_probabilities(np.array([0.0, 1.5]))
    False
    """
    return bool(scores.min() >= 0 and scores.max() <= 1)


def surprise(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log(p) in nats, p kept from 0 and 1 by the machine's precision, as in scikit-learn.

    >>> surprise(np.array([0.5])).round(4).tolist()
    [0.6931]
    """
    least = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(probability, least, 1 - least)))


def finite(metrics: Metrics) -> dict[str, float]:
    """Return the metrics that have a value.

    >>> finite({"accuracy": np.float64(0.5), "precision": np.nan})
    {'accuracy': 0.5}
    """
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _halves(table: Counts) -> tuple[Counts, Counts]:
    return table[..., 0, :], table[..., 1, :]


def _share(part: Counts, whole: Counts) -> Counts:
    return np.divide(part, whole, out=np.zeros_like(part / 1.0), where=whole != 0)


def _mean(part: Counts, whole: Counts, counted: Counts) -> Any:
    return _share(part, whole).sum(axis=-1) / np.count_nonzero(counted, axis=-1)
