"""Columns whose values lie on the wrong rows: each is usual, but goes with nothing any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.stats.divergences import jensen_shannon
from driftline.why.columns import Coded
from driftline.why.models import Effects
from driftline.why.sides import Floats

_SURE = 5.0
_STILL = 0.05
"""A Jensen-Shannon divergence beyond which the column has moved, and was not just reordered."""
_TIES = 0.1
"""A correlation that is worth losing."""


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


class _Tie(NamedTuple):
    kept: float
    z: float


def scrambled(
    columns: Sequence[Coded],
    effects: Effects,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    labelled: tuple[NDArray[np.int64], NDArray[np.int64]],
    residuals: tuple[Floats, Floats] | None,
) -> Scrambled | None:
    """Return the column that was scrambled, None where none stands out.

    First its ties to other columns: correlations of what the columns' bins add to the score, in
    the window a multiple of those in the reference; a column that stands on wrong rows loses all of
    its ties by one factor, while the others keep theirs. Then its tie to the labels: what the
    score gets wrong (`residuals`, label less score, of the `labelled` rows) falls as fast as the
    column's effect rises. Of two columns that were tied to each other alone the labels tell which.
    """
    values = _effects(columns, effects, rows)
    still = np.array([_moved(one, rows) < _STILL for one in columns])
    ties = _ties(values[0], values[1], still)
    best = _first(ties)
    slopes = (
        [_Tie(1.0, 0.0)] * len(columns)
        if residuals is None
        else _slopes(_effects(columns, effects, labelled), residuals, still)
    )
    if best is not None:
        partners = [at for at, one in enumerate(ties) if one.z > ties[best].z / 1.5]
        best = max(partners, key=lambda at: (slopes[at].z, ties[at].z))
        return Scrambled(column=columns[best], kept=ties[best].kept, z=ties[best].z)
    best = _alone(slopes)
    if best is None:
        return None
    told = bool((np.abs(_correlations(values[0])[best]) > _TIES).any())
    return Scrambled(
        column=columns[best], kept=slopes[best].kept, z=slopes[best].z, to_labels=True, told=told
    )


def _effects(
    columns: Sequence[Coded], effects: Effects, rows: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> list[Floats]:
    return [
        np.column_stack([effects.of[one.name][getattr(one, which)[at]] for one in columns])
        for which, at in zip(("reference", "window"), rows, strict=True)
    ]


def _first(found: Sequence[_Tie]) -> int | None:
    """Return the place of the surest, None where none is sure."""
    best = max(range(len(found)), key=lambda at: found[at].z, default=None)
    return None if best is None or found[best].z < _SURE else best


def _alone(found: Sequence[_Tie]) -> int | None:
    """Return the place of the one that is sure, and half as sure again as any other."""
    best = _first(found)
    if best is None or found[best].kept < -0.25:  # turned round, and not lost
        return None
    others = [one.z for at, one in enumerate(found) if at != best]
    return None if others and max(others) > found[best].z / 1.5 else best


def _moved(column: Coded, rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> float:
    counts = [
        np.bincount(codes[at], minlength=column.size)
        for codes, at in zip((column.reference, column.window), rows, strict=True)
    ]
    return float(jensen_shannon(*counts)) ** 2


def _correlations(values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    centred /= np.where(spread > 1e-12, spread, np.inf)
    found = centred.T @ centred / len(values)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _ties(theirs: Floats, ours: Floats, still: NDArray[np.bool_]) -> list[_Tie]:
    """Return of each column which multiple of its correlations is left, and how sure less is."""
    before, now = _correlations(theirs), _correlations(ours)
    noise = 1 / len(theirs) + 1 / len(ours)
    held = np.abs(before) > max(_TIES, 3 / np.sqrt(len(theirs)))

    def tie(at: int, others: NDArray[np.bool_]) -> _Tie:
        known = held[at] & others
        square = float((before[at][known] ** 2).sum())
        if not square or not still[at]:
            return _Tie(1.0, 0.0)
        kept = float(now[at][known] @ before[at][known]) / square
        return _Tie(kept, (1 - kept) * np.sqrt(square / noise) if kept < 0.95 else 0.0)

    every = np.ones(len(before), dtype=bool)
    first = [tie(at, every) for at in range(len(before))]
    top = _first(first)
    if top is None:
        return first
    # Its partners lost their tie to it alone: with others that they have they must stand as before.
    others = every.copy()
    others[top] = False
    return [
        first[at] if at == top or not (held[at] & others).any() else tie(at, others)
        for at in range(len(first))
    ]


def _slopes(
    values: Sequence[Floats], residuals: tuple[Floats, Floats], still: NDArray[np.bool_]
) -> list[_Tie]:
    """Return of each column what is left of its effect on the labels, and how sure less is."""
    fitted = []
    for design, residual in zip(values, residuals, strict=True):
        centred = design - design.mean(axis=0)
        gram = centred.T @ centred + np.eye(design.shape[1]) * 1e-9
        inverse = np.linalg.pinv(gram)
        slope = inverse @ (centred.T @ (residual - residual.mean()))
        left = residual - residual.mean() - centred @ slope
        fitted.append((slope, np.diag(inverse) * float(left.var())))
    gap = fitted[1][0] - fitted[0][0]
    error = np.sqrt(fitted[0][1] + fitted[1][1])
    return [
        _Tie(1 + float(g), -float(g) / float(e) if s and e > 0 and g < -0.05 else 0.0)
        for g, e, s in zip(gap, error, still, strict=True)
    ]
