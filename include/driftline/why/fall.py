"""How far performance fell, and which part of that is the inputs' and which the relation's."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.why.sides import Floats, Side, Times

_FEWEST_GROUPS = 5


class Mean(NamedTuple):
    """A mean, the variance of it, and on how many independent groups of rows that rests."""

    value: float
    variance: float
    groups: int


class Difference(NamedTuple):
    """A difference with its 95% interval."""

    value: float
    lower: float
    upper: float


def mean_of(values: Floats, time: Times | None, weights: Floats | None = None) -> Mean:
    """Return the mean of rows of which those of one day, or of one hour, depend on one another.

    Groups are days where there are five, else hours, else rows. Source: Cameron and Miller, A
    Practitioner's Guide to Cluster-Robust Inference, Journal of Human Resources 50, 2015.

    >>> mean_of(np.array([1.0, 2, 3]), None).value
    2.0
    """
    weights = np.ones(len(values)) if weights is None else weights
    total = float(weights.sum())
    value = float((weights * values).sum() / total)
    place = _groups(time, len(values))
    count = int(place.max()) + 1
    apart = np.bincount(place, weights=weights * (values - value), minlength=count)
    variance = float((apart**2).sum()) / total**2 * count / max(count - 1, 1)
    return Mean(value, variance, count)


def _groups(time: Times | None, size: int) -> NDArray[np.int64]:
    if time is not None:
        for unit in ("D", "h"):
            found, place = np.unique(time.astype(f"datetime64[{unit}]"), return_inverse=True)
            if len(found) >= _FEWEST_GROUPS:
                return np.asarray(place, dtype=np.int64)
    return np.arange(size)


def difference(first: Mean, second: Mean) -> Difference:
    """Return second less first, by Welch's interval.

    >>> difference(Mean(1.0, 0.5, 1000), Mean(2.0, 0.5, 1000)).lower.__round__(2)
    -0.96
    """
    from scipy.special import stdtrit

    value, variance = second.value - first.value, first.variance + second.variance
    if not variance:
        return Difference(value, value, value)
    parts = sum(
        mean.variance**2 / max(mean.groups - 1, 1) for mean in (first, second)
    )  # Satterthwaite, Biometrics Bulletin 2, 1946
    reach = float(stdtrit(variance**2 / parts, 0.975)) * math.sqrt(variance)
    return Difference(value, value - reach, value + reach)


def fall_of(reference: Side, window: Side) -> tuple[Mean, Mean]:
    """Return the mean losses of both sides' labelled rows."""
    means = []
    for side in (reference, window):
        held = side.labelled
        means.append(mean_of(side.loss[held], None if side.time is None else side.time[held]))
    return means[0], means[1]


def relation(
    reference: Floats,
    window: Floats,
    shared: tuple[Floats, Floats],
    times: tuple[Times | None, Times | None],
) -> Difference | None:
    """Return what the same inputs cost more in the window: the relation's part of the fall.

    Both sides' losses are averaged over the inputs that they share, with density p q / (p + q):
    that weighs a row of the reference by the chance that it is the window's, and the other way
    round. What is left of the fall is the inputs' part. None where hardly a row is shared.
    Source: Cai, Namkoong and Yadlowsky, Diagnosing Model Performance Under Distribution Shift,
    2023.
    """
    means = []
    for losses, weights, time in zip((reference, window), shared, times, strict=True):
        if weights.sum() <= 0 or weights.sum() ** 2 / float(weights @ weights) < 30:
            return None
        if weights.mean() < 0.02:
            return None
        means.append(mean_of(losses, time, weights))
    return difference(means[0], means[1])
