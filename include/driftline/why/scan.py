"""Where the same inputs cost more: the rows of one segment, range or version, or all of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.why.columns import Coded
from driftline.why.fall import Days
from driftline.why.sides import Floats

_FEWEST = 20
"""Rows of either side that a segment must hold."""
_LEVEL = 0.01
"""The chance of one false segment among all that are looked at."""
_MOST_OF_RANGE, _MOST_OF_CATEGORY = 0.5, 0.75
"""A range, or category, that holds a larger share of the rows is no segment: it is everywhere."""
_BROAD = 0.2
"""A segment of more rows than that must carry four fifths of the excess itself."""
_REST = 1 / 4
"""The excess of other rows, as a share of the segment's, from which it is not the segment's own."""
_WHOLLY = 3.0
"""Standard errors beyond which losses count in full."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excess:
    """What each row costs beyond what the reference would lead to expect, and how it counts.

    `weights` are those of inputs that both sides share; rows of a column that broke have none.
    """

    reference: Floats
    window: Floats
    """No loss counts for more than the reference's largest: one row is no evidence."""
    full: Floats
    """The window's with all of every loss: what is told of a segment that is sure."""
    weights: tuple[Floats, Floats]
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Which rows of both sides these are."""
    days: Days

    def gap(self, ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> "Gap":
        """Return how much more such rows cost, in the window than in the reference."""
        place = [side.astype(np.int64) for side in (theirs, ours)]
        table = _table(self, place[0], place[1], 2)[:, :, 1:]
        shared = _of_days(self, _by_day(self, place[0], place[1], 2)[:, :, :, 1:], self.between)
        return _gaps(table, float(self.weights[1].sum()), shared)[0]

    @property
    def between(self) -> float:
        """The variance of what whole days, or hours, cost more or less."""
        return self.days.between(self.reference)


class Gap(NamedTuple):
    """How much more some rows cost than the reference's."""

    kept: float
    """Where no loss counts for more than the reference's largest: what there is evidence of."""
    error: float
    """The standard error of that."""
    share: float
    """The share of the window's weight that they hold."""
    value: float
    """With all of every loss, where one row does not make it."""

    @property
    def z(self) -> float:
        """How many standard errors that is."""
        return self.kept / self.error if self.error > 0 else 0.0

    @property
    def carried(self) -> float:
        """What they add to the window's mean."""
        return self.value * self.share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """Rows of one bin, or of neighbouring bins, of a column that cost more than they did."""

    column: Coded
    first: int
    last: int
    gap: Gap

    @property
    def words(self) -> str:
        """Which rows, as a person reads it."""
        if self.column.ordered and self.last < self.column.ordered:
            return self.column.stretch(self.first, self.last)
        name = self.column.names[self.first]
        return f"{self.column.name}{'=' + name[2:] if name.startswith('= ') else ' ' + name}"

    def rows(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows are in it."""
        return (codes >= self.first) & (codes <= self.last)


def whole(excess: Excess) -> Gap:
    """Return how much more all rows cost."""
    ones = [np.ones(len(side), dtype=bool) for side in (excess.window, excess.reference)]
    return excess.gap(ones[0], ones[1])


def segments(excess: Excess, columns: Sequence[Coded]) -> list[Segment]:
    """Return segments that cost more and hold most of it, the likeliest first, one a column.

    A segment's likelihood is that of a shift of its rows alone, z^2 / 2: of the segments that carry
    the same excess the smallest has the largest, and it falls with rows that have none. A segment
    counts where its z is beyond the noise of all that were looked at (Bonferroni) and the rest of
    the rows has less than a quarter of its excess. Sources: Kulldorff, A spatial scan statistic,
    Communications in Statistics 26, 1997; Neill, Fast subset scan, JRSS B 74, 2012.
    """
    found, looked, total = [], 0, float(excess.weights[1].sum())
    between = excess.between
    for column in columns:
        every = list(_stretches(column))
        looked += len(every)
        if len(every) < 2 or total <= 0:
            continue
        codes = column.reference[excess.rows[0]], column.window[excess.rows[1]]
        first, last = np.array(every).T
        inside, rest = _split(_table(excess, *codes, column.size), first, last)
        gaps = [
            _gaps(part, total, _of_days(excess, day, between))
            for part, day in zip(
                (inside, rest),
                _split(_by_day(excess, *codes, column.size), first, last),
                strict=True,
            )
        ]
        best = None
        for (low, high), gap, others in zip(every, *gaps, strict=True):
            most = _MOST_OF_RANGE if low < high else _MOST_OF_CATEGORY
            if gap.share > most or gap.kept <= 0 or others.kept > _REST * gap.kept:
                continue
            if others.kept + 2 * others.error > gap.kept / 2:
                continue
            if gap.share > _BROAD and others.kept * others.share > gap.kept * gap.share / 4:
                continue
            if best is None or gap.z > best.gap.z:
                best = Segment(column=column, first=low, last=high, gap=gap)
        if best is not None:
            found.append(best)
    sure = _quantile(_LEVEL / max(looked, 1))
    return sorted((one for one in found if one.gap.z > sure), key=lambda segment: -segment.gap.z)


def _stretches(column: Coded) -> Iterator[tuple[int, int]]:
    if column.ordered:
        for first in range(column.ordered):
            for last in range(first, column.ordered):
                yield first, last
    for place in range(column.ordered, column.size):
        yield place, place


def _table(
    excess: Excess, reference: NDArray[np.int64], window: NDArray[np.int64], size: int
) -> Floats:
    """Return, of both sides and each bin, rows, and the sums that a mean and its error are made of.

    Those are w, w^2, then we, w^2 e, w^2 e^2 where losses are kept down, and where they are full.
    """
    parts = []
    for codes, e, full, weight in zip(
        (reference, window),
        (excess.reference, excess.window),
        (excess.reference, excess.full),
        excess.weights,
        strict=True,
    ):
        square = weight**2
        columns = (
            *(weight > 0, weight, square),
            *(weight * e, square * e, square * e**2),
            *(weight * full, square * full, square * full**2),
        )
        parts.append([np.bincount(codes, weights=each, minlength=size) for each in columns])
    return np.array(parts)


def _by_day(
    excess: Excess, reference: NDArray[np.int64], window: NDArray[np.int64], size: int
) -> Floats:
    """Return, of both sides and each of their days and bins, the sums of w and of we."""
    theirs, ours = excess.days.reference, excess.days.window
    if theirs is None or ours is None:
        return np.zeros((2, 2, 1, size))
    many = int(max(theirs.max(), ours.max())) + 1
    parts = []
    for day, codes, e, weight in zip(
        (theirs, ours),
        (reference, window),
        (excess.reference, excess.window),
        excess.weights,
        strict=True,
    ):
        place = day * size + codes
        parts.append(
            [
                np.bincount(place, weights=each, minlength=many * size).reshape(many, size)
                for each in (weight, weight * e)
            ]
        )
    return np.array(parts)


def _split(
    table: Floats, first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return sums over the bins of each stretch, and over all others."""
    sums = np.concatenate([np.zeros((*table.shape[:-1], 1)), np.cumsum(table, axis=-1)], axis=-1)
    inside = sums[..., last + 1] - sums[..., first]
    return inside, sums[..., -1:] - inside


def _of_days(excess: Excess, days: Floats, between: float) -> Floats:
    """Return the variance that whole days add to a difference of means.

    It is that of all rows' days, or that of the same rows' days in the reference where they differ
    more from each other: storms do not come on all days.
    """
    if excess.days.reference is None:
        return np.zeros(days.shape[-1])
    total = days[:, 0].sum(axis=1)
    some = np.where(total > 0, total, 1.0)
    crowding = (days[:, 0] ** 2).sum(axis=1) / some**2
    mean = days[0, 1].sum(axis=0) / some[0]
    apart = ((days[0, 1] - mean * days[0, 0]) ** 2).sum(axis=0) / some[0] ** 2
    usual = np.where(crowding[0] > 0, crowding[0], np.inf)
    own = apart * (1 + crowding[1] / usual)
    return np.asarray(np.maximum(own, between * crowding.sum(axis=0)))


def _gaps(table: Floats, total: float, between: Floats) -> list[Gap]:
    rows, weight, square, *sums = table.transpose(1, 0, 2)
    enough = (rows >= _FEWEST).all(axis=0) & (weight > 0).all(axis=0)
    found = []
    for linear, cross, squares in (sums[:3], sums[3:]):
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = linear / weight
            variance = (squares - 2 * mean * cross + mean**2 * square) / weight**2
        gap = np.where(enough, mean[1] - mean[0], 0.0)
        error = np.sqrt(np.where(enough, np.maximum(variance.sum(axis=0), 0) + between, 0.0))
        found.append((gap, error))
    (kept, spread), (full, full_spread) = found
    value = np.where(full > _WHOLLY * full_spread, full, kept)
    return [
        Gap(float(k), float(s), float(w / total) if total else 0.0, float(v))
        for k, s, w, v in zip(kept, spread, weight[1], value, strict=True)
    ]


def _quantile(chance: float) -> float:
    from scipy.special import ndtri

    return -float(ndtri(chance)) if chance > 0 else math.inf
