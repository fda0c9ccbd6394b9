"""One column in two profiles: how far they lie apart, and what is to be said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from driftline.monitor.sections import DriftMethod
from driftline.printable import amount
from driftline.profile.columns import CategoryProfile, Counts, NumericBins, NumericProfile
from driftline.stats import divergences, ordered, tables

CLASSES = 10
"""Numbers are compared in so many classes of like size in the reference, spikes apart, by methods
that know no order: the credit scorers' deciles."""

NOISE = 0.02
"""From here on it is said how much PSI is to be expected of so few rows where nothing changed."""

NO_SPREAD = 0.001
"""The standard deviation that a constant counts with, as in Evidently."""


class Value(NamedTuple):
    """A number with the bounds that are known to hold it, and what is to be said of it."""

    value: float | None
    lower: float | None = None
    upper: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One column in the reference and in the window."""

    reference: Any
    current: Any
    window_rows: int

    @property
    def rows(self) -> int:
        """How many of the window are compared: those with a value, or without where none has."""
        return self.current.usable or self._missing(self.current) * self.one_sided

    def rows_of(self, method: DriftMethod) -> int:
        """Return how many rows of the window a method compares."""
        return self._nulls[1][1] if method is DriftMethod.NULL_SHARE else self.rows

    def obstacle(self, name: str, method: DriftMethod) -> str:
        """Return why this method cannot measure the column; '' when it can."""
        kind = self.reference.bins.kind
        if not method.compares(kind):
            others = ", ".join(m for m in DriftMethod if m.compares(kind))
            return f"{method} compares {method.only} columns and {name} is {kind}: use {others}"
        if not self.window_rows:
            return f"{name} has no rows in the window"
        if method is DriftMethod.NULL_SHARE:
            return "" if self._nulls[0][1] else f"{name} has no rows in the reference"
        if not self.reference.usable and not self.current.usable:
            return f"{name} has no value, in the reference and in the window"
        return ""

    @property
    def one_sided(self) -> bool:
        """Whether only one of the two has a value to compare."""
        return bool(self.reference.usable) != bool(self.current.usable)

    @cached_property
    def counts(self) -> tuple[Counts, Counts]:
        """The rows of each bin, those of the reference first.

        Where only one side has values, having none is one more bin, the last.
        """
        both = np.array([side.counts for side in self._sides])
        if self.one_sided:
            rest = [[max(1, self._missing(side)) * (not side.usable)] for side in self._sides]
            both = np.concatenate([both, np.array(rest, np.int64)], axis=1)
        return both[0], both[1]

    @cached_property
    def classes(self) -> tuple[Counts, Counts]:
        """The rows of each class, those of the reference first; empty ones are left out."""
        both = np.array(self.counts)
        if isinstance(self.reference.bins, NumericBins):
            place = classes_of(self.reference)
            if self.one_sided:
                place = np.append(place, place.max() + 1)
            both = np.array([np.bincount(place, weights=side).astype(np.int64) for side in both])
        both = both[:, both.sum(axis=0) > 0]
        return both[0], both[1]

    @property
    def _sides(self) -> tuple[Any, Any]:
        return self.reference, self.current

    @staticmethod
    def _missing(side: Any) -> int:
        return int(side.nulls) + int(getattr(side, "nans", 0)) + int(getattr(side, "infinite", 0))

    def by_classes(self, distance: Callable[[Counts, Counts], float]) -> Value:
        """Return a distance of the two, class by class."""
        return Value(distance(*self.classes))

    def psi(self) -> Value:
        """Return PSI; of few rows with what is to be expected of so few."""
        reference, current = self.classes
        value = divergences.psi(reference, current)
        noise = divergences.psi_noise(
            int((reference > 0).sum()), int(reference.sum()), int(current.sum())
        )
        said = f"{noise:.2g} is to be expected of so few rows without a change"
        return Value(value, reason="" if noise < NOISE or self.one_sided else said)

    def ks(self) -> tuple[Value, Value]:
        """Return the Kolmogorov-Smirnov statistic and its p-value, each with its bounds.

        The statistic is what the bins' edges show, the p-value that of what is to be expected
        between them, too.
        """
        value = upper = likely = ordered.ks(*self.counts)
        if not self.one_sided:
            single = self.reference.bins.single
            upper = max(value, ordered.ks_bound(*self.counts, single))
            likely = min(upper, value + ordered.ks_missed(*self.counts, single))
        p, low, high = (ordered.ks_p_value(d, *self._sizes) for d in (likely, upper, value))
        return Value(value, value, upper), Value(p, low, high)

    def cramer_von_mises(self) -> tuple[Value, Value]:
        """Return the Cramer-von Mises statistic and its p-value."""
        value = ordered.cramer_von_mises(*self.counts)
        return Value(value), Value(ordered.cramer_von_mises_p_value(value, *self._sizes))

    @property
    def _sizes(self) -> tuple[int, int]:
        reference, current = self.counts
        return int(reference.sum()), int(current.sum())

    def wasserstein(self) -> Value:
        """Return the first Wasserstein distance in standard deviations of the reference.

        Where only one side has values, they are as far away as they are spread.
        """
        low, high = self._ends
        if self.one_sided:
            side = self.reference if self.reference.usable else self.current
            return Value(max(1.0, (high - low) / self.spread(side)))
        sides = {
            "reference_sums": self.reference.sums,
            "current_sums": self.current.sums,
            "edges": np.array(self.reference.bins.edges) - self.reference.bins.shift,
            "minimum": low,
            "maximum": high,
        }
        value = ordered.wasserstein(*self.counts, **sides)
        upper = max(value, ordered.wasserstein_bound(*self.counts, **sides))
        spread = self.spread(self.reference)
        return Value(value / spread, value / spread, upper / spread)

    def mean_shift(self) -> Value:
        """Return how far the mean has moved, in standard deviations of the reference."""
        if self.one_sided:
            return self.wasserstein()
        means = self.reference.mean, self.current.mean
        return Value(ordered.mean_shift(*means, self.spread(self.reference)))

    def spread(self, side: NumericProfile) -> float:
        """Return the standard deviation of one side, or what a constant counts with.

        That is Evidently's floor, and less where both together span less than 1: whatever its
        unit, a constant that has moved has moved far.
        """
        low, high = self._ends
        # A constant's own deviation is rounding at most.
        own = side.std if side.low < side.high else 0.0
        return own or NO_SPREAD * min(1.0, high - low) or NO_SPREAD

    @property
    def _ends(self) -> tuple[float, float]:
        """The least and the greatest value of both sides, less the bins' shift."""
        return min(side.low for side in self._sides), max(side.high for side in self._sides)

    def moved(self, method: DriftMethod) -> float:
        """Return which share of the rows, at least, lies elsewhere than in the reference, 0 to 1.

        Unlike a p-value it does not depend on how many rows there are.
        """
        if method is DriftMethod.NULL_SHARE:
            return abs(self.null_share()[0].value or 0.0)
        if isinstance(self.reference, CategoryProfile):
            return divergences.total_variation(*self.classes)
        return ordered.ks(*self.counts)

    def remarks(self, *, named: bool) -> list[str]:
        """Return what has happened to the column, where it is known by name."""
        if not self.window_rows:
            return []
        kind = self.reference.bins.kind
        found = [f"what counts is its {kind.counted}"] if kind.counted else []
        found += [self._more_nulls(), self._infinite()]
        if isinstance(self.reference, CategoryProfile):
            found += [self._new(), self._vanished(named=named)]
        elif named and not kind.counted:
            found.append(self._unit())
        return [each for each in found if each]

    @property
    def _nulls(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The nulls of each side, NaN among them, and its rows; those of the reference first."""
        before, now = (
            (int(side.nulls) + int(getattr(side, "nans", 0)), side.usable + self._missing(side))
            for side in self._sides
        )
        return before, now

    def null_share(self) -> tuple[Value, Value]:
        """Return by how much the share of nulls has grown, and the p-value of that."""
        (before, n), (now, m) = self._nulls
        return Value(now / m - before / n), Value(tables.shares_p_value(before, n, now, m))

    def _more_nulls(self) -> str:
        (before, n), (now, m) = self._nulls
        if not n or not m or abs(now / m - before / n) < 0.05:
            return ""
        if tables.shares_p_value(before, n, now, m) > 1e-6:
            return ""
        return f"nulls went from {before / n:.1%} to {now / m:.1%}"

    def _infinite(self) -> str:
        infinite = getattr(self.current, "infinite", 0)
        said = f"{amount(infinite, 'infinite value')} of the window left out"
        return said if infinite else ""

    def _new(self) -> str:
        share = self.current.new / max(self.current.usable, 1)
        return f"{share:.1%} of the values are new categories" if share >= 0.01 else ""

    def _vanished(self, *, named: bool) -> str:
        """Name the categories of which many rows were to be expected and none came."""
        expected = self.reference.counts / max(self.reference.usable, 1) * self.current.usable
        gone = np.flatnonzero((self.current.counts == 0) & (expected >= 20))
        gone = gone[gone < self.reference.bins.other]
        if not len(gone):
            return ""
        if not named:
            return f"{amount(len(gone), 'category has', 'categories have')} vanished"
        names = [self.reference.bins.categories[at] for at in gone[:3]]
        return f"vanished: {', '.join(names)}" + (", ..." if len(gone) > 3 else "")

    def _unit(self) -> str:
        """Say so where all values seem to be multiplied by one factor."""
        before, now = self.reference, self.current
        if before.usable < 2 or now.usable < 2 or not before.std or not before.mean:
            return ""
        factor, of_std = now.mean / before.mean, now.std / before.std
        alike = factor > 0 and abs(of_std / factor - 1) < 0.25
        if not alike or 1 / 3 < factor < 3:
            return ""
        return f"the values are about {factor:.3g} times the reference's: another unit?"


def classes_of(reference: NumericProfile) -> Counts:
    """Return the class of each bin: spikes for themselves, the other bins grouped by their rows.

    Bins in which the reference has no row are one class, the last: what lies there is new.
    """
    counts, single = reference.counts, reference.bins.single
    rest = np.where(single, 0, counts)
    total = rest.sum()
    middle = np.cumsum(rest) - rest / 2
    place = np.minimum((middle * CLASSES / max(total, 1)).astype(np.int64), CLASSES - 1)
    place = np.where(single, CLASSES + np.arange(len(counts)), place)
    place = np.where(counts == 0, CLASSES + len(counts), place)
    return np.unique(place, return_inverse=True)[1]


METHODS: Mapping[DriftMethod, Callable[[Pair], tuple[Value, ...]]] = {
    DriftMethod.PSI: lambda pair: (pair.psi(),),
    DriftMethod.JENSEN_SHANNON: lambda pair: (pair.by_classes(divergences.jensen_shannon),),
    DriftMethod.KL: lambda pair: (pair.by_classes(divergences.kl),),
    DriftMethod.HELLINGER: lambda pair: (pair.by_classes(divergences.hellinger),),
    DriftMethod.TOTAL_VARIATION: lambda pair: (pair.by_classes(divergences.total_variation),),
    DriftMethod.L_INFINITY: lambda pair: (pair.by_classes(divergences.l_infinity),),
    DriftMethod.CHI_SQUARE: lambda pair: (
        pair.by_classes(tables.chi_square),
        pair.by_classes(tables.chi_square_p_value),
    ),
    DriftMethod.G_TEST: lambda pair: (
        pair.by_classes(tables.g_test),
        pair.by_classes(tables.g_test_p_value),
    ),
    DriftMethod.KS: Pair.ks,
    DriftMethod.CRAMER_VON_MISES: Pair.cramer_von_mises,
    DriftMethod.WASSERSTEIN: lambda pair: (pair.wasserstein(),),
    DriftMethod.MEAN_SHIFT: lambda pair: (pair.mean_shift(),),
    DriftMethod.NULL_SHARE: Pair.null_share,
}
"""The values of each method, in the order of its names in `metrics.DRIFT`."""
