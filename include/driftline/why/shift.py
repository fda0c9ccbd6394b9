"""Columns that moved: how much of the fall comes of other inputs, without one that broke."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline.stats.divergences import jensen_shannon, jensen_shannon_noise
from driftline.why.columns import Coded
from driftline.why.fall import Days
from driftline.why.sides import Floats

_SURE = 3.0
_MOST = 4
"""Columns that are looked for, one after the other."""
_FAR = 0.1
"""A Jensen-Shannon divergence, in bits, from which a move is worth a word whatever it costs."""
_RATIO = 10.0
"""A bin that the window fills so many times as much says of itself what it costs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shift:
    """A column that moved, what it adds to the loss, and the bin that tells most."""

    column: Coded
    carried: float
    divergence: float
    bin: int
    before: float
    after: float
    """The share of the rows that this bin had, and has."""
    lost: bool = False
    """Whether the bin emptied and the others kept their proportions."""


def shifts(
    columns: Sequence[Coded],
    losses: tuple[Floats, Floats],
    weights: tuple[Floats, Floats],
    days: Days,
    *,
    least: float,
) -> list[Shift]:
    """Return the columns whose shift carries at least so much of the fall, in units of the loss.

    What a shift carries is the composition effect: the change of each bin's share times what its
    rows cost in the reference, or in the window where that fills it ten times as much. The column
    that moved furthest comes first; then the reference is weighted so that it no longer differs in
    this column, and the rest is asked again: what only moved along drops out. That the driver moves
    furthest is the data processing inequality. Sources: Kitagawa, Components of a Difference
    Between Two Rates, JASA 50, 1955; weights as of DiNardo, Fortin and Lemieux, Econometrica 64,
    1996.
    """
    ours, theirs = weights[1].astype(float), weights[0].astype(float)
    found: list[Shift] = []
    left = list(columns)
    while left and len(found) < _MOST:
        if min(_effective(ours), _effective(theirs)) < 50:
            break
        candidates = [
            shift
            for column in left
            if (shift := shift_of(column, losses, (theirs, ours), days)) is not None
            and shift.carried >= least
        ]
        if not candidates:
            break
        first = max(candidates, key=lambda shift: (shift.divergence, shift.carried))
        found.append(first)
        left = [column for column in left if column is not first.column]
        theirs, ours = _without(first.column, theirs, ours)
    return found


def _effective(weights: Floats) -> float:
    square = float(weights @ weights)
    return float(weights.sum()) ** 2 / square if square else 0.0


def furthest(columns: Sequence[Coded], stretch: NDArray[np.int64]) -> Coded | None:
    """Return the column that moved furthest, if far and twice as far as in the reference itself.

    `stretch` tells the parts of the reference that are as long as the window.
    """

    def apart(column: Coded, rows: NDArray[np.int64]) -> float:
        usual = np.bincount(column.reference, minlength=column.size)
        return float(jensen_shannon(usual, np.bincount(rows, minlength=column.size))) ** 2

    best: tuple[float, Coded] | None = None
    for column in columns:
        moved = apart(column, column.window)
        if moved < _FAR or (best and moved <= best[0]):
            continue
        parts = [column.reference[stretch == at] for at in np.unique(stretch)]
        if moved > 2 * max(apart(column, part) for part in parts):
            best = moved, column
    return best[1] if best else None


def shift_of(
    column: Coded, losses: tuple[Floats, Floats], weights: tuple[Floats, Floats], days: Days
) -> Shift | None:
    """Return how a column moved and what the fall owes to that; None where that is noise."""
    size = column.size
    rows, cost, effective = [], [], []
    for codes, loss, weight in zip((column.reference, column.window), losses, weights, strict=True):
        held = np.isfinite(loss) & (weight > 0)
        rows.append(np.bincount(codes, weights=weight, minlength=size))
        known = np.bincount(codes[held], weights=weight[held], minlength=size)
        sums = np.bincount(codes[held], weights=(weight * loss)[held], minlength=size)
        cost.append(np.divide(sums, known, out=np.full(size, np.nan), where=known > 0))
        effective.append(_effective(weight))
    p, q = rows[0] / rows[0].sum(), rows[1] / rows[1].sum()
    mean = np.where((q > _RATIO * p) | np.isnan(cost[0]), cost[1], cost[0])
    mean = np.where(np.isnan(mean), float(np.nanmean(cost[0])), mean)
    moved = days.compare(mean[column.reference], mean[column.window], weights)
    filled = int(((p > 0) | (q > 0)).sum())
    luck = jensen_shannon_noise(filled, int(effective[0]), int(effective[1])) ** 2
    divergence = float(jensen_shannon(p, q)) ** 2
    if moved.z < _SURE or divergence < 2 * luck:
        return None
    average = float((p + q) @ mean) / 2
    at = int(np.argmax((q - p) * (mean - average)))
    return Shift(
        column=column,
        carried=moved.value,
        divergence=divergence - luck,
        bin=at,
        before=float(p[at]),
        after=float(q[at]),
        lost=_lost(p, q, at),
    )


def _lost(p: Floats, q: Floats, at: int) -> bool:
    """Whether a bin lost half of its rows or more, and among the others hardly anything moved."""
    if q[at] > p[at] / 2 or p[at] < 0.01:
        return False
    rest = [np.delete(share, at) for share in (p, q)]
    if min(share.sum() for share in rest) <= 0:
        return False
    return float(jensen_shannon(*rest)) < float(jensen_shannon(p, q)) / 3


def _without(column: Coded, theirs: Floats, ours: Floats) -> tuple[Floats, Floats]:
    """Weigh the reference as the window is in this column; leave out rows without counterpart."""
    size = column.size
    p = np.bincount(column.reference, weights=theirs, minlength=size) / theirs.sum()
    q = np.bincount(column.window, weights=ours, minlength=size) / ours.sum()
    known = (p > 0) & (q <= _RATIO * p)
    ratio = np.divide(q, p, out=np.zeros(size), where=known)
    return theirs * ratio[column.reference], ours * known[column.window]
