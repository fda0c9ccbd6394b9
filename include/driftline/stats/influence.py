"""What each row adds to a metric: numbers whose mean is the metric, whatever the metric is.

A mean is made of its rows as it stands. A ratio of means is not, but to first order it moves with
each row by (a - R b) / mean(b): that, on top of the value, is what the row adds. Sources: Särndal,
Swensson and Wretman, Model Assisted Survey Sampling, 1992, section 5.5 (linearization); Hampel,
JASA 69, 1974 (the influence curve).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.stats.paired import log_losses, squared_errors

Floats = NDArray[np.float64]
Labels = NDArray[Any]


def of_rows(metric: str, truth: Labels, said: Labels, scores: Any = None) -> Floats | None:
    """Return what each row adds to a metric; None where that is not defined for these rows.

    `truth` and `said` hold classes by their place (of two, 1 is the positive one), or values;
    `scores` P(positive), or a column a class.

    >>> truth, said = np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])
    >>> of_rows("recall", truth, said).tolist()
    [1.5, -0.5, 0.5, 0.5]
    """
    known = METRICS.get(metric)
    if known is None or not len(truth) or (scores is None and metric in _OF_SCORES):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        found = known(truth, said, scores)
    return found if np.isfinite(found).all() else None


def ratio(above: Any, below: Any) -> Floats:
    """Return what each row adds to sum(above) / sum(below)."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    value, mean = above.sum() / below.sum(), below.mean()
    return np.asarray(value + (above - value * below) / mean)


def _balanced(truth: Labels, said: Labels, _: Any) -> Floats:
    classes = np.unique(truth)
    recalls = [ratio((truth == k) & (said == k), truth == k) for k in classes]
    return np.asarray(np.mean(recalls, axis=0))


def _log_loss_ratio(truth: Labels, _: Labels, scores: Any) -> Floats:
    shares = np.bincount(truth) / len(truth)
    # The second factor is what a constant costs: its mean is the entropy of the classes.
    return ratio(log_losses(truth, scores), -np.log(shares[truth]))


def _roc_auc(truth: Labels, _: Labels, scores: Any) -> Floats:
    """Placements: of a positive the share of the negatives that it outranks, and the converse.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988.
    """
    positive, placed = truth == 1, np.full(len(truth), np.nan)
    if positive.all() or not positive.any():
        return placed
    sides = scores[positive], scores[~positive]
    for mine, other, above in ((positive, sides[1], True), (~positive, sides[0], False)):
        ordered = np.sort(other)
        below = [np.searchsorted(ordered, scores[mine], side) for side in ("left", "right")]
        share = (below[0] + below[1]) / 2 / len(ordered)
        placed[mine] = share if above else 1 - share
    area, rate = placed[positive].mean(), positive.mean()
    return np.asarray(area + (placed - area) / np.where(positive, rate, 1 - rate))


def _rmse(truth: Labels, said: Labels, _: Any) -> Floats:
    squared = (truth - said) ** 2
    value = np.sqrt(squared.mean())
    return np.asarray(value + (squared - value**2) / (2 * value))


METRICS: Mapping[str, Callable[[Labels, Labels, Any], Floats]] = {
    "accuracy": lambda truth, said, _: (truth == said).astype(np.float64),
    "balanced_accuracy": _balanced,
    "precision": lambda truth, said, _: ratio((truth == 1) & (said == 1), said == 1),
    "recall": lambda truth, said, _: ratio((truth == 1) & (said == 1), truth == 1),
    "f1": lambda truth, said, _: ratio(2.0 * ((truth == 1) & (said == 1)), 1.0 * truth + said),
    "log_loss": lambda truth, _, scores: log_losses(truth, scores),
    "log_loss_ratio": _log_loss_ratio,
    "brier": lambda truth, _, scores: squared_errors(truth, scores),
    "roc_auc": _roc_auc,
    "mae": lambda truth, said, _: np.abs(truth - said),
    "rmse": _rmse,
    "mape": lambda truth, said, _: np.abs(truth - said) / np.abs(truth),
    "r2": lambda truth, said, _: 1 - ratio((truth - said) ** 2, (truth - truth.mean()) ** 2),
}
"""The metrics that are made of what rows add, by task as `metrics.PERFORMANCE` has them."""

_OF_SCORES = frozenset({"log_loss", "log_loss_ratio", "brier", "roc_auc"})

ONE_CLASS = frozenset({"precision", "recall", "f1", "roc_auc"})
"""Those that are made of rows where there are two classes only."""
