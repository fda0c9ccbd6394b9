"""How far performance fell, and which part of that is the inputs' and which the relation's."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.why.sides import Floats, Times

Places = NDArray[np.int64]

_FEWEST_GROUPS = 5
_FEWEST_SHARED = 30


class Difference(NamedTuple):
    """Window less reference, its standard error, and its 95% interval."""

    value: float
    error: float
    lower: float
    upper: float

    @property
    def z(self) -> float:
        """How many standard errors that is; infinite where there is no error."""
        if self.error > 0:
            return self.value / self.error
        return math.copysign(math.inf, self.value) if self.value else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Days:
    """Which rows of both sides belong together: those of one day, or hour, depend on one another.

    How far such groups lie apart is learnt from the reference alone: a window that broke half-way
    does not get a wider interval for it.
    """

    reference: Places | None
    window: Places | None

    @classmethod
    def of(cls, reference: Times | None, window: Times | None) -> "Days":
        """Return the days of both sides; hours where the window is shorter, or the days few."""
        if reference is None or window is None or not len(reference) or not len(window):
            return cls(reference=None, window=None)
        long = window.max() - window.min() > np.timedelta64(20, "h")
        for unit in ("D", "h") if long else ("h",):
            found, theirs = np.unique(reference.astype(f"datetime64[{unit}]"), return_inverse=True)
            if len(found) >= _FEWEST_GROUPS:
                _, ours = np.unique(window.astype(f"datetime64[{unit}]"), return_inverse=True)
                return cls(reference=theirs.astype(np.int64), window=ours.astype(np.int64))
        return cls(reference=None, window=None)

    def at(self, reference: Places, window: Places) -> "Days":
        """Return the days of some of the rows."""
        if self.reference is None or self.window is None:
            return self
        return Days(reference=self.reference[reference], window=self.window[window])

    def compare(
        self,
        reference: Floats,
        window: Floats,
        weights: tuple[Floats, Floats] | None = None,
    ) -> Difference:
        """Return the difference of two means of rows.

        A mean's variance is that of the groups' means, times the sum of their squared shares, plus
        that of the rows: a one-way random effects model, fitted to the reference by moments.
        Sources: Searle, Casella and McCulloch, Variance Components, 1992, section 3.6; Moulton,
        Journal of Econometrics 32, 1986.

        >>> alone = Days(reference=None, window=None)
        >>> alone.compare(np.array([1.0, 2, 3]), np.array([3.0, 4, 5])).value
        2.0
        """
        ones = weights or (np.ones(len(reference)), np.ones(len(window)))
        means, within = [], 0.0
        for values, weight in zip((reference, window), ones, strict=True):
            total = float(weight.sum())
            means.append(float(weight @ values) / total)
            within += float(weight**2 @ (values - means[-1]) ** 2) / total**2
        between = self.between(reference) * sum(self.crowding(*ones))
        error = math.sqrt(within + between)
        groups = len(reference) if self.reference is None else int(self.reference.max()) + 1
        reach = _quantile(groups - 1) * error
        value = means[1] - means[0]
        return Difference(value, error, value - reach, value + reach)

    def between(self, reference: Floats) -> float:
        """Return the variance of the groups' true means in the reference."""
        if self.reference is None or not len(reference):
            return 0.0
        size = np.bincount(self.reference)
        size = size[size > 0].astype(float)
        rows, groups = len(reference), len(size)
        if groups < 2 or rows <= groups:
            return 0.0
        sums = np.bincount(self.reference, weights=reference)[np.bincount(self.reference) > 0]
        mean = float(reference.mean())
        apart = float((size * (sums / size - mean) ** 2).sum())
        rest = float(((reference - mean) ** 2).sum()) - apart
        usual = (rows - float((size**2).sum()) / rows) / (groups - 1)
        return max(0.0, (apart / (groups - 1) - rest / (rows - groups)) / usual)

    def crowding(self, reference: Floats, window: Floats) -> tuple[float, float]:
        """Return of both sides the sum of the squared shares of the groups; 0 without groups."""
        if self.reference is None or self.window is None:
            return 0.0, 0.0
        found = []
        for places, weight in ((self.reference, reference), (self.window, window)):
            share = np.bincount(places, weights=weight) / weight.sum()
            found.append(float(share @ share))
        return found[0], found[1]


def _quantile(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1), 0.975))


def relation(
    beyond: tuple[Floats, Floats], shared: tuple[Floats, Floats], days: Days
) -> Difference | None:
    """Return what the same inputs cost more in the window: the relation's part of the fall.

    Both sides' losses are averaged over the inputs that they share, with density p q / (p + q):
    that weighs a row of the reference by the chance that it is the window's, and the other way
    round. What is left of the fall is the inputs' part. None where hardly a row is shared.
    `beyond` is what rows cost beyond what a model of the reference expects of their inputs: where
    the weights leave the sides unlike, that makes up for it, and where the model errs, the weights.
    The interval is that of the rows: a shift with edges that both models blur can lie outside.
    Sources: Cai, Namkoong and Yadlowsky, Diagnosing Model Performance Under Distribution Shift,
    2023; Robins, Rotnitzky and Zhao, JASA 89, 1994 (doubly robust).
    """
    for weights in shared:
        total, square = float(weights.sum()), float(weights @ weights)
        if not square or total**2 / square < _FEWEST_SHARED or weights.mean() < 0.02:
            return None
    return days.compare(*beyond, shared)
