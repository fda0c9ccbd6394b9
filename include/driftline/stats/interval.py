"""A number with its 95% interval: shares, means, and the scales on which other numbers are normal.

All take rows for independent of one another. Rows of one hour or one user often are not; intervals
of such rows are too narrow.
"""

import math
from typing import NamedTuple

CONFIDENCE = 0.95

Z = 1.959963984540054
"""The 97.5% quantile of the normal distribution: 95% lie within it on both sides of 0."""


class Interval(NamedTuple):
    """A value and the ends of its 95% interval; an end that the rows do not tell is NaN."""

    value: float
    lower: float
    upper: float


def share(hits: float, rows: float) -> Interval:
    """Return the share of rows that are hits, 0 to 1, with Wilson's score interval.

    Source: Wilson, Journal of the American Statistical Association 22, 1927; Brown, Cai and
    DasGupta, Statistical Science 16, 2001.

    >>> [round(end, 4) for end in share(15, 148)]
    [0.1014, 0.0624, 0.1605]
    """
    if rows <= 0:
        raise ValueError("no rows have no share")
    if not 0 <= hits <= rows:
        raise ValueError(f"{hits} hits are not among {rows} rows")
    hits, rows = float(hits), float(rows)
    value, scale = hits / rows, 1 + Z**2 / rows
    centre = (value + Z**2 / (2 * rows)) / scale
    reach = Z / scale * math.sqrt(value * (1 - value) / rows + (Z / (2 * rows)) ** 2)
    # Rounding may carry an end past the value, or out of 0 to 1.
    lower, upper = max(0.0, centre - reach), min(1.0, centre + reach)
    return Interval(value, min(value, lower), max(value, upper))


def mean(
    rows: float,
    total: float,
    squares: float,
    *,
    least: float = -math.inf,
    most: float = math.inf,
) -> Interval:
    """Return the mean of rows from their sum and the sum of their squares, in the values' units.

    The interval is Student's t, kept between the `least` and the `most` that a mean can be; a
    single row has none. Where values lie far from 0 for their spread, sum them less a constant.
    Source: Student, Biometrika 6, 1908.

    >>> [round(end, 4) for end in mean(4, 10.0, 30.0)]
    [2.5, 0.4457, 4.5543]
    """
    _some(rows)
    value = float(total / rows)
    if rows < 2:
        return Interval(value, math.nan, math.nan)
    variance = max(0.0, squares - total * value) / (rows - 1)
    reach = student(rows - 1) * math.sqrt(variance / rows)
    return Interval(value, max(value - reach, least), min(value + reach, most))


def on_logarithm(value: float, variance: float, rows: float) -> Interval:
    """Return the interval of a number above 0 whose logarithm has this variance.

    By the delta method that is the variance of the number over its square. Tails of losses are
    long to the right, and so is the interval. Source: Casella and Berger, Statistical Inference,
    2nd edition, section 5.5.4.

    >>> [round(end, 4) for end in on_logarithm(2.0, 0.01, 1000)]
    [2.0, 1.6436, 2.4336]
    """
    value = float(value)
    if rows < 2:
        return Interval(value, math.nan, math.nan)
    factor = math.exp(student(rows - 1) * math.sqrt(variance))
    return Interval(value, value / factor, value * factor)


def on_logit(value: float, variance: float, degrees: float) -> Interval:
    """Return the interval of an area strictly between 0 and 1 that has this variance.

    It is Student's t of so many degrees of freedom on log(value / (1 - value)), and so never leaves
    0 to 1. Source: Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2.

    >>> [round(end, 4) for end in on_logit(0.9, 0.0009, 1000)]
    [0.9, 0.8239, 0.9454]
    """
    odds = value / (1 - value)
    reach = student(degrees) * math.sqrt(variance) / (value * (1 - value))
    factor = math.exp(min(reach, 700.0))  # Beyond, it overflows: that is all of 0 to 1.
    return Interval(value, odds / (odds + factor), odds / (odds + 1 / factor))


def student(degrees: float) -> float:
    """Return the 97.5% quantile of Student's t distribution.

    >>> round(student(10), 3)
    2.228
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))


def _some(rows: float) -> None:
    if rows <= 0:
        raise ValueError("no rows have no mean")
