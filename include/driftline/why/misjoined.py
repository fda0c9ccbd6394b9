"""Columns whose values lie on the wrong rows: each is usual, but goes with nothing any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.stats.divergences import jensen_shannon
from driftline.why.columns import Coded
from driftline.why.fall import Days
from driftline.why.models import Effects
from driftline.why.sides import Floats

_SURE = 5.0
_STILL = 0.05
"""A Jensen-Shannon divergence beyond which the column has moved, and was not just reordered."""
_LOST = 0.05
"""A smaller part of its ties is not worth a word."""
_TIES = 0.1
"""A correlation that is worth losing."""


_FEWEST = 100
"""Rows of either side outside of segments from which a column's tie there is learnt."""
_LOCAL = 1 / 3
"""A column that lost a smaller part of what it lost elsewhere lost it in segments alone."""
_BLOCKS = 8
"""Parts of the reference, of whole days, that say how much ties vary by themselves."""

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scrambled:
    """A column that lost what tied it to others: which part of that is left, and how sure it is."""

    column: Coded
    kept: float
    z: float
    to_labels: bool = False
    """Whether its tie to the labels is what was lost, and not that to other columns."""
    told: bool = True
    """Whether other columns could tell: then the rows are mixed up, else the world may differ."""


class _Ties(NamedTuple):
    """Of each column, which part of its ties is left, and how many standard errors less is."""

    kept: Floats
    z: Floats

    @property
    def best(self) -> int | None:
        """The place of the surest, None where none is sure."""
        best = int(self.z.argmax()) if len(self.z) else None
        return None if best is None or self.z[best] < _SURE else best


def scrambled(
    columns: Sequence[Coded],
    effects: Effects,
    rows: tuple[Places, Places],
    days: Days,
    labelled: tuple[Places, Places],
    labelled_days: Days,
    residuals: tuple[Floats, Floats] | None,
) -> Scrambled | None:
    """Return the column that was scrambled, None where none stands out.

    First its ties to other columns: correlations of what the columns' bins add to the score, in
    the window a multiple of those in the reference; a column that stands on wrong rows loses all of
    its ties by one factor, while the others keep theirs. Then its tie to the labels: what the
    score gets wrong (`residuals`, label less score, of the `labelled` rows) falls as fast as the
    column's effect rises. Of two columns that were tied to each other alone the labels tell which.
    How much ties vary by themselves is seen in parts of the reference.
    """
    if not columns:
        return None
    still = np.array([_moved(one, rows) < _STILL for one in columns])
    values = _effects(columns, effects, rows)
    slopes = _Ties(np.ones(len(columns)), np.zeros(len(columns)))
    design = _effects(columns, effects, labelled)
    if residuals is not None:
        slopes = _slopes(design, residuals, labelled_days)
    ties = _ties(values, days, still)
    if (best := ties.best) is not None:
        partners = np.flatnonzero(ties.z > ties.z[best] / 1.5)
        best = max(partners.tolist(), key=lambda at: (slopes.z[at], ties.z[at]))
        return Scrambled(column=columns[best], kept=float(ties.kept[best]), z=float(ties.z[best]))
    best = slopes.best
    if best is None:
        return None
    if residuals is None or not _alone(design, residuals, best):
        return None
    return Scrambled(
        column=columns[best],
        kept=float(slopes.kept[best]),
        z=float(slopes.z[best]),
        to_labels=True,
        told=bool((np.abs(_correlations(values[0])[best]) > _TIES).any()),
    )


def local(
    found: Scrambled,
    columns: Sequence[Coded],
    effects: Effects,
    labelled: tuple[Places, Places],
    outside: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    residuals: tuple[Floats, Floats],
) -> bool:
    """Whether a column that lost its tie to the labels kept most of it in the rows `outside`."""
    held = labelled[0][outside[0]], labelled[1][outside[1]]
    if min(map(len, held)) < _FEWEST:
        return False
    at = next(place for place, one in enumerate(columns) if one is found.column)
    slopes = [
        _slope(design, residual[rows])[0][at]
        for design, residual, rows in zip(
            _effects(columns, effects, held), residuals, outside, strict=True
        )
    ]
    return bool(slopes[0] - slopes[1] < (1 - found.kept) * _LOCAL)


def _effects(
    columns: Sequence[Coded], effects: Effects, rows: tuple[Places, Places]
) -> tuple[Floats, Floats]:
    theirs = [effects.of[one.name][one.reference[rows[0]]] for one in columns]
    ours = [effects.of[one.name][one.window[rows[1]]] for one in columns]
    return np.column_stack(theirs), np.column_stack(ours)


def _moved(column: Coded, rows: tuple[Places, Places]) -> float:
    theirs = np.bincount(column.reference[rows[0]], minlength=column.size)
    ours = np.bincount(column.window[rows[1]], minlength=column.size)
    return float(jensen_shannon(theirs, ours)) ** 2


def _blocks(days: Days, size: int) -> tuple[list[Places], float]:
    """Return parts of the reference, and how many times as many days they have as the window."""
    if days.reference is None or days.window is None:
        return np.array_split(np.random.default_rng(0).permutation(size), _BLOCKS), 0.0
    found = np.unique(days.reference)
    parts = np.array_split(found, min(_BLOCKS, len(found)))
    longer = len(found) / len(parts) / len(np.unique(days.window))
    return [np.flatnonzero(np.isin(days.reference, part)) for part in parts], longer


def _error(parts: Sequence[Floats], alone: Floats, longer: float) -> Floats:
    """Return the standard errors of a window's numbers: as parts vary, at least as rows do."""
    varied = np.array(parts).var(axis=0, ddof=1) * (longer + 1 / len(parts)) if longer else 0.0
    return np.asarray(np.sqrt(np.maximum(varied, alone)))


def _correlations(values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    centred /= np.where(spread > 1e-12, spread, np.inf)
    found = centred.T @ centred / len(values)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _ties(values: tuple[Floats, Floats], days: Days, still: NDArray[np.bool_]) -> _Ties:
    """Return which multiple of its correlations each column has left."""
    usual, now = _correlations(values[0]), _correlations(values[1])
    held = np.abs(usual) > max(_TIES, 3 / np.sqrt(len(values[0])))
    held &= still  # a partner that moved loses ties of its own accord
    blocks, longer = _blocks(days, len(values[0]))
    varied = [_correlations(values[0][rows]) for rows in blocks]

    def left(known: NDArray[np.bool_]) -> _Ties:
        square = (usual**2 * known).sum(axis=1)
        some = np.where(square > 0, square, np.inf)

        def kept(found: Floats) -> Floats:
            return np.asarray(np.where(square > 0, (found * usual * known).sum(axis=1) / some, 1.0))

        alone = (1 / len(values[0]) + 1 / len(values[1])) / some
        error = _error([kept(each) for each in varied], alone, longer)
        lost = 1 - kept(now)
        usable = still & (square > 0) & (lost > _LOST)
        return _Ties(1 - lost, np.where(usable, lost / np.where(error > 0, error, np.inf), 0.0))

    first = left(held)
    if (top := first.best) is None:
        return first
    # Its partners lost their tie to it alone: with others that they have they must stand as before.
    rest = held.copy()
    rest[:, top] = False
    again = left(rest)
    keeps = (np.arange(len(still)) == top) | ~rest.any(axis=1)
    return _Ties(np.where(keeps, first.kept, again.kept), np.where(keeps, first.z, again.z))


def _slopes(
    design: tuple[Floats, Floats],
    residuals: tuple[Floats, Floats],
    days: Days,
) -> _Ties:
    """Return which part of each column's effect on the labels is left (least squares)."""
    usual, theirs = _slope(design[0], residuals[0])
    now, ours = _slope(design[1], residuals[1])
    blocks, longer = _blocks(days, len(design[0]))
    varied = [_slope(design[0][rows], residuals[0][rows])[0] for rows in blocks]
    error = _error(varied, theirs + ours, longer)
    lost = usual - now
    usable = (lost > _LOST) & (error > 0)
    return _Ties(1 - lost, np.where(usable, lost / np.where(error > 0, error, np.inf), 0.0))


def _alone(design: tuple[Floats, Floats], residuals: tuple[Floats, Floats], at: int) -> bool:
    """Whether the other columns, as one, have kept their effect, but for a third as much."""
    slopes = []
    for columns, residual in zip(design, residuals, strict=True):
        rest = np.delete(columns, at, axis=1).sum(axis=1)
        slopes.append(_slope(np.column_stack([columns[:, at], rest]), residual)[0])
    own, others = slopes[0] - slopes[1]
    return bool(others < own / 3)


def _slope(design: Floats, residual: Floats) -> tuple[Floats, Floats]:
    """Return the slopes and their variances."""
    centred = design - design.mean(axis=0)
    inverse = np.linalg.pinv(centred.T @ centred)
    slope = inverse @ (centred.T @ (residual - residual.mean()))
    left = residual - residual.mean() - centred @ slope
    return slope, np.diag(inverse) * float(left.var())
