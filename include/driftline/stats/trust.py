"""Whether a metric's estimates have held, now that what they foresaw is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ends = tuple[float, float, float]
"""A value and the lower and upper end of its 95% interval; NaN for an end that is not known."""

LAST = 14
"""So many past windows are asked."""
FEWEST = 5
"""Windows below which nothing can be said."""
_UNLIKELY = 0.002
"""How likely right estimates may look wrong to one of the two tests."""
_OUTSIDE = 0.05
"""How many right estimates are off by more than they allow, at most, as a share."""
_ALIKE = 0.1
"""How far what windows are off by is taken to correlate."""
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whether to believe a metric's estimates, and why, in words."""

    trusted: bool
    reason: str


def trust(metric: str, estimated: Sequence[Ends], realized: Sequence[Ends]) -> Trust:
    """Return whether a metric's estimates are to be believed, from past windows in order of time.

    Each window must have rows of its own: of windows that overlap, give every n-th. An estimate is
    off by more than it allows where its distance from what came true exceeds the root of the summed
    squares of how far the two intervals reach towards each other. Estimates are not believed where,
    of the last 14, so many are off by more as would be with a chance below 0.2% if each were so in
    1 of 20 cases; or where their mean distance, in standard errors, is as unlikely. For this what
    they are off by is taken to correlate by 0.1: they share one reference.

    Right estimates are disbelieved in less than 1 of 100 cases, if the reference has the rows of
    four windows or more; those that are all off by what is allowed, in 4 of 5 after five windows
    and nearly always after eight.

    >>> said, came = [(0.80, 0.78, 0.82)] * 6, [(0.74, 0.72, 0.76)] * 6
    >>> print(trust("roc_auc", said, came).reason)
    of the last 6 estimates of roc_auc 6 were off by more than they allowed, by 0.06 on average
    >>> print(trust("roc_auc", said, said).reason)
    the last 6 estimates of roc_auc held
    """
    off, allowed = _compared(estimated, realized)
    count = len(off)
    if count < FEWEST:
        return Trust(
            trusted=True,
            reason=f"the estimates of {metric} are not tested yet: labels have come for {count} of "
            f"the {FEWEST} windows that this takes",
        )
    outside = int((np.abs(off) > allowed).sum())
    mean = float((off / allowed).mean()) * _Z
    sigmas = abs(mean) / math.sqrt((1 + (count - 1) * _ALIKE) / count)
    if _at_least(outside, count) < _UNLIKELY:
        by = f"{np.abs(off).mean():.2g} on average"
        found = f"{outside} were off by more than they allowed, by {by}"
        return Trust(trusted=False, reason=f"of the last {count} estimates of {metric} {found}")
    if math.erfc(sigmas / math.sqrt(2)) < _UNLIKELY:
        way = "high" if mean > 0 else "low"
        found = f"were too {way}, by {abs(off.mean()):.2g} on average"
        return Trust(trusted=False, reason=f"the last {count} estimates of {metric} {found}")
    return Trust(trusted=True, reason=f"the last {count} estimates of {metric} held")


def _compared(
    estimated: Sequence[Ends], realized: Sequence[Ends]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much the last estimates were too high, and by how much they might be off.

    A pair without a value, or without an interval at all, tells nothing and does not count.
    """
    if len(estimated) != len(realized):
        raise ValueError(f"{len(estimated)} estimates are not {len(realized)} that came true")
    pairs = np.array([estimated, realized], dtype=np.float64).reshape(2, -1, 3)
    said, came = pairs[:, :, 0]
    off = said - came
    reaches = np.nan_to_num(np.abs(pairs[:, :, 1:] - pairs[:, :, :1]))
    high = off > 0
    towards = np.where(high, reaches[0, :, 0], reaches[0, :, 1])
    back = np.where(high, reaches[1, :, 1], reaches[1, :, 0])
    allowed = np.hypot(towards, back)
    known = np.flatnonzero(np.isfinite(off) & (allowed > 0))[-LAST:]
    return off[known], allowed[known]


def _at_least(hits: int, rows: int) -> float:
    """Return the chance of so many hits or more among rows, each a hit with a chance of 5%."""
    return sum(
        math.comb(rows, k) * _OUTSIDE**k * (1 - _OUTSIDE) ** (rows - k)
        for k in range(hits, rows + 1)
    )
