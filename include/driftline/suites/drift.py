"""Drift of columns from their profiles: every row counts, on the bins of the reference."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from driftline import metrics
from driftline.config import DriftMethod
from driftline.domain import Engine, Measurement, Scope, Suite
from driftline.profile import CategoryProfile, Counts, NumericBins, NumericProfile, Profile
from driftline.stats import divergences, ordered, tables


class Bound(NamedTuple):
    """The value beyond which a column is said to have drifted."""

    limit: float
    below: bool = False
    """Whether smaller values are the worse ones, as with p-values."""

    def broken_by(self, value: float) -> bool:
        """Return whether a value lies beyond the bound; one that touches it does not."""
        return value < self.limit if self.below else value > self.limit


BOUNDS: Mapping[str, Bound] = {
    # Lewis, An Introduction to Credit Scoring, 1994; Siddiqi, Credit Risk Scorecards, 2006.
    "psi": Bound(0.2),
    # Evidently's defaults (docs.evidentlyai.com, "Data drift methods").
    "jensen_shannon": Bound(0.1),
    "kl": Bound(0.1),
    "hellinger": Bound(0.1),
    "wasserstein": Bound(0.1),
    # NannyML's default.
    "l_infinity": Bound(0.1),
    # Of the same scale as Hellinger's distance, which bounds it from both sides.
    "total_variation": Bound(0.1),
    # Fisher's 5%.
    "ks_p_value": Bound(0.05, below=True),
    "chi_square_p_value": Bound(0.05, below=True),
    "g_test_p_value": Bound(0.05, below=True),
    "cramer_von_mises_p_value": Bound(0.05, below=True),
}
"""Conventions, by metric: good enough to count drifted columns, too crude to page anybody."""

CLASSES = 10
"""Numbers are compared in so many classes of like size in the reference, spikes apart, by methods
that know no order: the credit scorers' deciles."""

NOISE = 0.02
"""From here on it is said how much PSI is to be expected of so few rows where nothing changed."""

NO_SPREAD = 0.001
"""The standard deviation that a constant counts with, as in Evidently."""


def measure(
    scope: Scope,
    current: Profile,
    reference: Profile,
    columns: Iterable[str],
    methods: Callable[[str], tuple[DriftMethod, ...]],
    *,
    baseline: str = "reference",
    sensitive: Collection[str] = (),
) -> list[Measurement]:
    """Return the drift of each column by each of its methods, in that order.

    A number that the counts do not give exactly has the bounds that hold for it in `lower` and
    `upper`. A column of which nothing is left, or that had nothing and has now, has drifted as far
    as the method can say. Of `sensitive` columns no value is named.
    """
    found = []
    for name in columns:
        pair = Pair.of(reference.column(name), current.column(name), current.rows)
        remarks = "; ".join(pair.remarks(named=name not in sensitive))
        for method in methods(name):
            obstacle, names = pair.obstacle(name, method), metrics.DRIFT[method]
            values = [Value(None, reason=obstacle)] * len(names)
            for metric, value in zip(
                names, values if obstacle else _METHODS[method](pair), strict=True
            ):
                found.append(
                    _measurement(
                        scope,
                        metric,
                        value.value,
                        lower=value.lower,
                        upper=value.upper,
                        reason="; ".join(filter(None, (value.reason, remarks))),
                        column_name=name,
                        baseline=baseline,
                        row_count=pair.rows,
                    )
                )
            remarks = ""  # once a column
    return found


def drift_share(
    scope: Scope, measurements: Iterable[Measurement], features: Collection[str]
) -> Measurement:
    """Return the share of the features beyond the bound of their first method, 0 to 1.

    Features that could not be measured do not count; None when that is all of them.
    """
    first: dict[str, Measurement] = {}
    for each in measurements:
        if each.column_name in features and each.metric in BOUNDS:
            first.setdefault(each.column_name, each)
    measured = [each for each in first.values() if each.value is not None]
    rest: dict[str, Any] = {"baseline": "reference"}
    if not measured:
        rest["reason"] = "no feature could be measured" if features else "there are no features"
        return _measurement(scope, "drift_share", None, **rest)
    if len(measured) < len(features):
        rest["reason"] = f"of the {len(measured)} of {len(features)} features that were measured"
    beyond = sum(
        each.value is not None and BOUNDS[each.metric].broken_by(each.value) for each in measured
    )
    rest["row_count"] = max((each.row_count or 0 for each in measured), default=0)
    return _measurement(scope, "drift_share", beyond / len(measured), **rest)


def _measurement(scope: Scope, metric: str, value: float | None, **rest: Any) -> Measurement:
    return scope.measurement(Suite.DRIFT, metric, value, engine=Engine.PROFILE, **rest)


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
    rows: int
    """Of the window that have a value to compare."""
    window_rows: int

    @classmethod
    def of(
        cls,
        reference: NumericProfile | CategoryProfile,
        current: NumericProfile | CategoryProfile,
        window_rows: int,
    ) -> "Pair":
        """Return the pair of two profiles on the same bins."""
        return cls(
            reference=reference, current=current, rows=current.usable, window_rows=window_rows
        )

    def obstacle(self, name: str, method: DriftMethod) -> str:
        """Return why this method cannot measure the column; '' when it can."""
        kind = self.reference.bins.kind
        if method.only not in (None, kind):
            others = ", ".join(m for m in DriftMethod if m.only in (None, kind))
            return f"{method} compares {method.only} columns and {name} is {kind}: use {others}"
        if not self.window_rows:
            return f"{name} has no rows in the window"
        if not self.reference.usable and not self.current.usable:
            return f"{name} has no value, in the reference and in the window"
        return ""

    @property
    def one_sided(self) -> bool:
        """Whether only one of the two has a value to compare."""
        return bool(self.reference.usable) != bool(self.current.usable)

    @cached_property
    def classes(self) -> tuple[Counts, Counts]:
        """The rows of each class, those of the reference first; empty ones are left out.

        Where only one side has values, its having none is a class.
        """
        both = np.array([self.reference.counts, self.current.counts])
        if isinstance(self.reference.bins, NumericBins):
            place = classes_of(self.reference)
            both = np.array([np.bincount(place, weights=side).astype(np.int64) for side in both])
        if self.one_sided:
            rest = [[max(1, self._missing(side)) * (not side.usable)] for side in self._sides]
            both = np.concatenate([both, np.array(rest, np.int64)], axis=1)
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
        return Value(value, reason=said if noise >= NOISE else "")

    def ks(self) -> tuple[Value, Value]:
        """Return the Kolmogorov-Smirnov statistic with its bounds, and its p-value."""
        if self.one_sided:
            return Value(1.0), Value(0.0)
        counts = self.reference.counts, self.current.counts
        value = ordered.ks(*counts)
        upper = ordered.ks_bound(*counts, self.reference.bins.single)
        sizes = self.reference.usable, self.current.usable
        return Value(value, value, upper), Value(ordered.ks_p_value(value, *sizes))

    def cramer_von_mises(self) -> tuple[Value, Value]:
        """Return the Cramer-von Mises statistic and its p-value."""
        if self.one_sided:
            return Value(None, reason="only one side has values"), Value(0.0)
        value = ordered.cramer_von_mises(self.reference.counts, self.current.counts)
        sizes = self.reference.usable, self.current.usable
        return Value(value), Value(ordered.cramer_von_mises_p_value(value, *sizes))

    def wasserstein(self) -> Value:
        """Return the first Wasserstein distance in standard deviations of the reference.

        Where only one side has values, they are as far away as they are spread.
        """
        low = min(side.low for side in self._sides)
        high = max(side.high for side in self._sides)
        if self.one_sided:
            spread = self.spread(self.reference if self.reference.usable else self.current)
            return Value(max(1.0, (high - low) / spread))
        sides = {
            "reference_sums": self.reference.sums,
            "current_sums": self.current.sums,
            "edges": np.array(self.reference.bins.edges) - self.reference.bins.shift,
            "minimum": low,
            "maximum": high,
        }
        counts = self.reference.counts, self.current.counts
        value = ordered.wasserstein(*counts, **sides)
        upper = max(value, ordered.wasserstein_bound(*counts, **sides))
        spread = self.spread(self.reference)
        return Value(value / spread, value / spread, upper / spread)

    def mean_shift(self) -> Value:
        """Return how far the mean has moved, in standard deviations of the reference."""
        if self.one_sided:
            return Value(self.wasserstein().value)
        moved = self.current.mean - self.reference.mean
        return Value(moved / self.spread(self.reference))

    @staticmethod
    def spread(side: NumericProfile) -> float:
        """Return the standard deviation; of a constant, whose own is rounding at most, a floor."""
        size = max(abs(side.minimum or 0.0), abs(side.maximum or 0.0))
        return side.std if side.std > 1e-9 * size else NO_SPREAD

    def remarks(self, *, named: bool) -> list[str]:
        """Return what has happened to the column, where it is known by name."""
        if not self.window_rows:
            return []
        found = [self._nulls(), self._infinite()]
        if isinstance(self.reference, CategoryProfile):
            found += [self._new(), self._vanished(named=named)]
        elif named:
            found.append(self._unit())
        return [each for each in found if each]

    def _nulls(self) -> str:
        nulls = [
            (side.nulls + getattr(side, "nans", 0), side.usable + self._missing(side))
            for side in self._sides
        ]
        (before, n), (now, m) = nulls
        if not n or not m or abs(now / m - before / n) < 0.05:
            return ""
        if tables.shares_z_p_value(before, n, now, m) > 1e-6:
            return ""
        return f"nulls went from {before / n:.1%} to {now / m:.1%}"

    def _infinite(self) -> str:
        infinite = getattr(self.current, "infinite", 0)
        return f"{infinite:,} infinite values of the window left out" if infinite else ""

    def _new(self) -> str:
        share = self.current.new / self.rows if self.rows else 0.0
        return f"{share:.1%} of the values are new categories" if share >= 0.01 else ""

    def _vanished(self, *, named: bool) -> str:
        """Name the categories of which many rows were to be expected and none came."""
        expected = self.reference.counts / max(self.reference.usable, 1) * self.rows
        gone = np.flatnonzero((self.current.counts == 0) & (expected >= 20))
        gone = gone[gone < self.reference.bins.other]
        if not len(gone) or not self.rows:
            return ""
        if not named:
            return f"{len(gone)} categories have vanished"
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


_METHODS: Mapping[DriftMethod, Callable[[Pair], tuple[Value, ...]]] = {
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
}
