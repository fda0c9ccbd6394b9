"""What each row adds to a metric: numbers whose mean is the metric, whatever the metric is.

A mean is made of its rows as it stands. A ratio A/B is not, but to first order a row with parts a
and b moves it by (a - R b) / B. With the means of both sides for R and B that is exact for two
sides at once: the means of what rows add are the ratios, and a row weighs the same on either side.
Sources: Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, section 5.5
(linearization); Kitagawa, JASA 50, 1955 (the means of both sides).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.metrics import OF_SCORES
from driftline.stats.paired import SUMS, log_losses

Floats = NDArray[np.float64]
Labels = NDArray[Any]


class Rows(NamedTuple):
    """Labels and what the model said: classes by place (of two, 1 is positive), or values.

    `scores` holds P(positive), or a column a class.
    """

    truth: Labels
    said: Labels
    scores: Any = None


def of_sides(metric: str, sides: tuple[Rows, Rows]) -> tuple[Floats, Floats] | None:
    """Return what each row of both sides adds to a metric; None where that is not defined.

    >>> one = Rows(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]))
    >>> other = Rows(np.array([1, 1, 0, 0]), np.array([1, 1, 0, 0]))
    >>> [float(added.mean()) for added in of_sides("recall", (one, other))]
    [0.5, 1.0]
    """
    known = METRICS.get(metric)
    without = metric in OF_SCORES and any(side.scores is None for side in sides)
    if known is None or without or not all(len(side.truth) for side in sides):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (known(side) for side in sides)
        if len(first) != len(second):  # a class that one side lacks
            return None
        pairs = [_linear(*pair) for pair in zip(first, second, strict=True)]
        found = [np.mean(added, axis=0) for added in zip(*pairs, strict=True)]
        if metric == "rmse":
            roots = [np.sqrt(added.mean()) for added in found]
            # R1 - R0 = (S1 - S0) / (R1 + R0), of mean squares S and their roots R.
            found = [(added + roots[0] * roots[1]) / sum(roots) for added in found]
        if metric == "r2":
            found = [1 - added for added in found]
    return (found[0], found[1]) if all(np.isfinite(added).all() for added in found) else None


class Ratio(NamedTuple):
    """A number and what it is divided by, of each row."""

    above: Floats
    below: Floats


def _linear(first: Ratio, second: Ratio) -> tuple[Floats, Floats]:
    """Return what each row adds to the ratio of its side."""
    below = [side.below.mean() for side in (first, second)]
    values = [side.above.mean() / mean for side, mean in zip((first, second), below, strict=True)]
    middle, size = sum(values) / 2, sum(below) / 2
    rest = values[0] + below[0] * (values[1] - values[0]) / 2 / size
    one, other = (rest + (side.above - middle * side.below) / size for side in (first, second))
    return one, other


def _ratio(above: Any, below: Any) -> list[Ratio]:
    return [Ratio(np.asarray(above, np.float64), np.asarray(below, np.float64))]


def _mean(values: Any) -> list[Ratio]:
    return _ratio(values, np.ones(len(values)))


def _recalls(rows: Rows) -> list[Ratio]:
    hit = rows.truth == rows.said
    return [
        ratio
        for k in np.unique(rows.truth)
        for ratio in _ratio(hit & (rows.truth == k), rows.truth == k)
    ]


def _log_loss_ratio(rows: Rows) -> list[Ratio]:
    """The log loss, and what a constant costs: its mean is the entropy of the classes."""
    shares = np.bincount(rows.truth) / len(rows.truth)
    return _ratio(log_losses(rows.truth, rows.scores), -np.log(shares[rows.truth]))


def _roc_auc(rows: Rows) -> list[Ratio]:
    """Placements: of a positive the share of the negatives that it outranks, and the converse.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988.
    """
    positive, placed = rows.truth == 1, np.full(len(rows.truth), np.nan)
    if positive.all() or not positive.any():
        return _mean(placed)
    for mine, above in ((positive, True), (~positive, False)):
        ordered = np.sort(rows.scores[~mine])
        ends = [np.searchsorted(ordered, rows.scores[mine], side) for side in ("left", "right")]
        share = (ends[0] + ends[1]) / 2 / len(ordered)
        placed[mine] = share if above else 1 - share
    return [*_ratio(placed * positive, positive), *_ratio(placed * ~positive, ~positive)]


def _hits(rows: Rows) -> Labels:
    return np.asarray((rows.truth == 1) & (rows.said == 1))


def _sum(metric: str) -> Callable[[Rows], Sequence[Ratio]]:
    return lambda rows: _mean(SUMS[metric](*rows))


METRICS: Mapping[str, Callable[[Rows], Sequence[Ratio]]] = {
    **{metric: _sum(metric) for metric in SUMS},
    "balanced_accuracy": _recalls,
    "precision": lambda rows: _ratio(_hits(rows), rows.said == 1),
    "recall": lambda rows: _ratio(_hits(rows), rows.truth == 1),
    "f1": lambda rows: _ratio(2 * _hits(rows), 1 * (rows.truth == 1) + (rows.said == 1)),
    "log_loss_ratio": _log_loss_ratio,
    "roc_auc": _roc_auc,
    "r2": lambda rows: _ratio(SUMS["rmse"](*rows), (rows.truth - rows.truth.mean()) ** 2),
}
"""Of each metric the ratios that it is the mean of, before the root of `rmse` and `r2`'s 1 less."""

OF_TWO_CLASSES = frozenset({"precision", "recall", "f1", "roc_auc"})
"""Those that are made of rows only where there are two classes."""
