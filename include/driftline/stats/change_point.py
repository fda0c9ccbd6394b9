"""When a series of hourly means changed its level."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class ChangePoint(NamedTuple):
    """The first place after the change, the means on both sides, the chance of it by luck."""

    place: int
    before: float
    after: float
    p_value: float


def change_point(
    means: Numbers, weights: Numbers, *, first: int = 0, draws: int = 199, seed: int = 0
) -> ChangePoint | None:
    """Return where one split makes a series likeliest, each mean weighted by its rows.

    It is the largest weighted sum of squares between the two sides, the maximum likelihood split of
    normal means and the first step of binary segmentation; the chance is that of as large a sum in
    the same hours in random order. No change is looked for before the place `first`. Hours without
    weight are passed over; None with fewer than four, or with none from `first` on.
    Source: Scott and Knott, Biometrics 30, 1974; Hinkley, Biometrika 57, 1970.

    >>> change_point(np.array([0.0, 1, 0, 9, 8, 9, 9, 8]), np.ones(8)).place
    3
    """
    held = np.flatnonzero((weights > 0) & np.isfinite(means))
    least = max(int(np.searchsorted(held, first)), 1)
    if len(held) < 4 or least >= len(held):
        return None
    values, rows = means[held], weights[held]
    between, place = _best(values, rows, least)
    rng = np.random.default_rng(seed)
    luck = 0
    for _ in range(draws):
        order = rng.permutation(len(values))
        luck += _best(values[order], rows[order], least)[0] >= between
    return ChangePoint(
        place=int(held[place]),
        before=float(np.average(values[:place], weights=rows[:place])),
        after=float(np.average(values[place:], weights=rows[place:])),
        p_value=(1 + luck) / (1 + draws),
    )


def _best(values: Numbers, rows: Numbers, least: int) -> tuple[float, int]:
    sums, size = np.cumsum(values * rows)[:-1], np.cumsum(rows)[:-1]
    total, whole = float((values * rows).sum()), float(rows.sum())
    gap = sums / size - (total - sums) / (whole - size)
    between = gap**2 * size * (whole - size) / whole
    place = int(between[least - 1 :].argmax()) + least
    return float(between[place - 1]), place
