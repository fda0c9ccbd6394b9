"""How well scores put one group of rows above another: the area under the ROC curve."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

_Z = 1.959963984540054
"""The 97.5% quantile of the normal distribution: 95% lie within it on both sides of 0."""


class Area(NamedTuple):
    """An area under the ROC curve, 0 to 1, and the variance of its estimate."""

    value: float
    variance: float

    @property
    def interval(self) -> tuple[float, float]:
        """The normal 95% interval, kept within 0 and 1."""
        reach = _Z * math.sqrt(self.variance)
        return max(0.0, self.value - reach), min(1.0, self.value + reach)


def roc_area(positive: Scores, negative: Scores) -> Area:
    """Return the chance that a positive row scores above a negative one; ties count half.

    The variance is DeLong's, from how each row of either group stands among those of the other; a
    group of one row has none. Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; by
    midranks: Sun and Xu, IEEE Signal Processing Letters 21, 2014.

    >>> roc_area(np.array([0.4, 0.8, 0.9]), np.array([0.1, 0.4])).value.__round__(4)
    0.9167
    """
    above = _places(positive, negative)
    below = 1 - _places(negative, positive)
    variance = sum(
        float(places.var(ddof=1)) / len(places) if len(places) > 1 else 0.0
        for places in (above, below)
    )
    return Area(float(above.mean()), variance)


def cross_validated_area(folds: Iterable[tuple[Scores, Scores]]) -> Area:
    """Return the mean area of K >= 2 folds, each the scores of its positive and negative rows.

    Every fold is scored by a model that was trained on the others. A fold's own variance is
    DeLong's; that of their mean is 1/K + 1/(K - 1) of it and not 1/K, for the models share their
    rows: without that, a 95% interval holds in 88 of 100 cases in which nothing has changed.
    Sources: LeDell, Petersen and van der Laan, Electronic Journal of Statistics 9, 2015; Nadeau
    and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003.

    >>> same = np.array([0.2, 0.6]), np.array([0.1, 0.3])
    >>> cross_validated_area([same, same]).variance / roc_area(*same).variance
    1.5
    """
    areas = [roc_area(*fold) for fold in folds]
    count = len(areas)
    value = sum(area.value for area in areas) / count
    own = sum(area.variance for area in areas) / count
    return Area(value, own * (1 / count + 1 / (count - 1)))


def _places(scores: Scores, others: Scores) -> NDArray[np.float64]:
    """Return for each score the share of the others that lie below it, ties by half."""
    ordered = np.sort(others)
    lower = np.searchsorted(ordered, scores, side="left")
    upper = np.searchsorted(ordered, scores, side="right")
    return np.asarray((lower + upper) / (2 * len(others)))
