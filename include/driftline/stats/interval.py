"""Intervals that hold the true value in 95 of 100 samples."""

import math
from typing import NamedTuple

_Z = 1.959963984540054


class Interval(NamedTuple):
    """A value and the 95% interval around it."""

    value: float
    lower: float
    upper: float


def share(hits: float, rows: float) -> Interval:
    """Return which share of the rows are hits, with Wilson's score interval.

    Without rows it is an error. Wilson 1927, JASA 22(158), 209-212, doi:10.2307/2276774.

    >>> [round(bound, 4) for bound in share(1, 10)]
    [0.1, 0.0179, 0.4042]
    """
    if rows <= 0:
        raise ValueError("there is no share of no rows")
    value, weight = hits / rows, _Z**2 / rows
    centre = (value + weight / 2) / (1 + weight)
    spread = _Z * math.sqrt(value * (1 - value) / rows + weight / (4 * rows)) / (1 + weight)
    # At 0 and at 1 a bound is the share itself, but for its last bit.
    return Interval(value, min(value, max(0.0, centre - spread)), max(value, centre + spread))
