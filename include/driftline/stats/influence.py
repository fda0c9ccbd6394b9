"""What each row adds to a metric: numbers whose mean is the metric, whatever the metric is.

A mean is made of its rows as it stands. Any other metric T is a function of how rows are
distributed, P0 on one side and P1 on the other; what a row adds is its influence on T, averaged
over the way from P0 to P1. So both sides share one function of a row: its means are the two
metrics, and rows that are alike add alike. A ratio A/B has it in closed form: (a - R b) / B with
the means of both sides for R and B. So do an entropy, a variance and a ROC area, whose rows are
ranked among those of both sides. Sources: Aumann and Shapley, Values of Non-Atomic Games, 1974 (the
way from one to the other); Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992,
section 5.5 (linearization); Kitagawa, JASA 50, 1955 (the means of both sides).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.metrics import FROM_SCORES
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
    without = metric in FROM_SCORES and any(side.scores is None for side in sides)
    if known is None or without or not all(len(side.truth) for side in sides):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = known(*sides), known(*reversed(sides))
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


def _recalls(rows: Rows, _: Rows) -> list[Ratio]:
    hit = rows.truth == rows.said
    return [
        ratio
        for k in np.unique(rows.truth)
        for ratio in _ratio(hit & (rows.truth == k), rows.truth == k)
    ]


def _log_loss_ratio(rows: Rows, other: Rows) -> list[Ratio]:
    """The log loss, and what a constant costs: the entropy of the classes, by its secants.

    Of two classes by each side's own shares: days then vary as each side's metric does.
    """
    from scipy.special import entr

    size = int(max(rows.truth.max(), other.truth.max())) + 1
    own, theirs = (np.bincount(s.truth, minlength=size) / len(s.truth) for s in (rows, other))
    if size <= 2:
        return _ratio(log_losses(rows.truth, rows.scores), -np.log(own[rows.truth]))
    held = own > 0
    slope = -np.log(np.where(held, own, 1.0)) - 1
    apart = np.abs(own - theirs) > 1e-9
    np.divide(entr(own) - entr(theirs), own - theirs, out=slope, where=apart)
    constant = float(entr(own).sum() - slope @ own)
    return _ratio(log_losses(rows.truth, rows.scores), constant + slope[rows.truth])


def _roc_auc(rows: Rows, other: Rows) -> list[Ratio]:
    """Placements: of a positive the share of the negatives that it outranks, and the converse.

    The negatives, or positives, are those of both sides: of F1 G1 - F0 G0, F and G being the two
    classes' distributions, (F1 - F0)(G0 + G1)/2 is the positives' part. Sources: DeLong, DeLong
    and Clarke-Pearson, Biometrics 44, 1988; Kitagawa, JASA 50, 1955.
    """
    positive, placed = rows.truth == 1, np.full(len(rows.truth), np.nan)
    if any(len(np.unique(side.truth == 1)) < 2 for side in (rows, other)):
        return _mean(placed)
    crossed = 0.0
    for mine in (True, False):
        own = rows.scores[positive == mine]
        ranked = [_outranked(own, s.scores[(s.truth == 1) != mine], mine) for s in (rows, other)]
        placed[positive == mine] = ranked[0] + ranked[1]
        crossed += float(ranked[1].mean()) / 2
    both = [(placed - crossed) * own for own in (positive, ~positive)]
    return [*_ratio(both[0], positive), *_ratio(both[1], ~positive)]


def _outranked(own: Floats, theirs: Floats, above: bool) -> Floats:
    """Return which share of theirs each of our scores is above, or below; ties are half."""
    ordered = np.sort(theirs)
    ends = [np.searchsorted(ordered, own, side) for side in ("left", "right")]
    share = (ends[0] + ends[1]) / 2 / len(ordered)
    return np.asarray(share if above else 1 - share)


def _average_precision(rows: Rows, other: Rows) -> list[Ratio]:
    """The precision at each positive's score, and what a row does to that of the others below it.

    With N positives of precision u/v, where u positives and v rows are scored as high or higher, a
    row of outcome y moves the mean of u/v by (u/v - T) y / N, and by (y - u/v) / v of each positive
    below it. The way from one side to the other is integrated by Gauss and Legendre.
    """
    sides = (rows, other)
    positive = np.concatenate([side.truth == 1 for side in sides]).astype(np.float64)
    values, place = np.unique(np.concatenate([side.scores for side in sides]), return_inverse=True)
    place, size = np.asarray(place).ravel(), len(rows.truth)
    if not all((side.truth == 1).any() for side in sides):
        return _mean(np.full(size, np.nan))

    def at(part: float) -> tuple[Floats, float]:
        """Return of our rows the influence, and the metric, where so much of the way is gone."""
        weight = np.repeat([(1 - part) / size, part / len(other.truth)], [size, len(other.truth)])
        came = np.bincount(place, weights=weight * positive, minlength=len(values))
        whole = np.bincount(place, weights=weight, minlength=len(values))
        hits, above = (np.cumsum(each[::-1])[::-1] for each in (came, whole))
        above = np.where(above > 0, above, np.inf)
        precision, share = hits / above, came / above
        total = came.sum()
        value = float(came @ precision / total)
        below = np.cumsum(share), np.cumsum(share * precision)
        own, y = place[:size], positive[:size]
        lifted = y * (precision[own] - value + below[0][own]) - below[1][own]
        return lifted / total, value

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    found = sum(w / 2 * at((x + 1) / 2)[0] for x, w in zip(nodes, weights, strict=True))
    return _mean(found - np.mean(found) + at(0.0)[1])


_NODES = 12
"""Steps of the way from one side to the other: its end is missed by less than a thousandth."""


def _r2(rows: Rows, other: Rows) -> list[Ratio]:
    """The squared errors, and the variance: about both means alike, less what is too much.

    Where the labels vary alike r2 moves with the errors, and no row is told to bear the variance:
    labels that all rise together would else cost more below their mean, and less above it.
    """
    errors = [SUMS["rmse"](*side) for side in (rows, other)]
    spread = np.array([side.truth.var() for side in (rows, other)])
    square = np.array([each.mean() for each in errors])
    of_spread = square.mean() * abs(1 / spread[0] - 1 / spread[1])
    if of_spread < _ALIKE * abs(square[0] / spread[0] - square[1] / spread[1]):
        return _ratio(errors[0], np.full(len(errors[0]), spread[0]))
    means = [float(side.truth.mean()) for side in (rows, other)]
    about = (rows.truth - sum(means) / 2) ** 2 - (means[0] - means[1]) ** 2 / 4
    return _ratio(errors[0], about)


_ALIKE = 0.2
"""Labels vary alike whose variance makes so small a part of the move."""


def _hits(rows: Rows) -> Labels:
    return np.asarray((rows.truth == 1) & (rows.said == 1))


def _sum(metric: str) -> Callable[[Rows, Rows], Sequence[Ratio]]:
    return lambda rows, _: _mean(SUMS[metric](*rows))


METRICS: Mapping[str, Callable[[Rows, Rows], Sequence[Ratio]]] = {
    **{metric: _sum(metric) for metric in SUMS},
    "balanced_accuracy": _recalls,
    "precision": lambda rows, _: _ratio(_hits(rows), rows.said == 1),
    "recall": lambda rows, _: _ratio(_hits(rows), rows.truth == 1),
    "f1": lambda rows, _: _ratio(2 * _hits(rows), 1 * (rows.truth == 1) + (rows.said == 1)),
    "log_loss_ratio": _log_loss_ratio,
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "r2": _r2,
}
"""Of each metric the ratios of one side, given the other, that it is the mean of, before the root
of `rmse` and `r2`'s 1 less."""

OF_TWO_CLASSES = frozenset({"precision", "recall", "f1", "roc_auc", "average_precision"})
"""Those that are made of rows only where there are two classes."""
