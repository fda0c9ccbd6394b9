"""Whether two samples may come from one population, from the 2 x K table of their counts.

Both samples count as samples, the reference too; classes that neither holds are left out.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.stats.shares import Counts, rows


def chi_square(reference: Counts, current: Counts) -> float:
    """Return Pearson's statistic of the 2 x K table: sum of (observed - expected)^2 / expected.

    Source: Pearson 1900; NIST/SEMATECH e-Handbook, 7.4.5.

    >>> chi_square(np.array([10, 20]), np.array([20, 10])).__round__(4)
    6.6667
    """
    table = _table(reference, current)
    return float(((table.observed - table.expected) ** 2 / table.expected).sum())


def chi_square_p_value(reference: Counts, current: Counts) -> float:
    """Return the chance of so large a `chi_square` where nothing has changed, 0 to 1.

    The degrees of freedom are the classes that are held less one; a single class gives 1. It is
    good where most expected counts are 5 or more (Cochran 1954).

    >>> chi_square_p_value(np.array([10, 20]), np.array([20, 10])).__round__(4)
    0.0098
    """
    return _tail(chi_square(reference, current), reference, current)


def g_test(reference: Counts, current: Counts) -> float:
    """Return the likelihood ratio statistic of the table: 2 sum of observed log(observed/expected).

    Source: Woolf 1957; Sokal and Rohlf, Biometry, section 17.4.

    >>> g_test(np.array([10, 20]), np.array([20, 10])).__round__(4)
    6.796
    """
    observed, expected = _table(reference, current)
    held = observed > 0
    ratio = np.log(observed[held] / expected[held])
    return max(0.0, float(2 * (observed[held] * ratio).sum()))


def g_test_p_value(reference: Counts, current: Counts) -> float:
    """Return the chance of so large a `g_test` where nothing has changed, 0 to 1.

    Degrees of freedom and limits are those of `chi_square_p_value`.

    >>> g_test_p_value(np.array([10, 20]), np.array([20, 10])).__round__(4)
    0.0091
    """
    return _tail(g_test(reference, current), reference, current)


def shares_z(
    reference_count: float, reference_rows: float, current_count: float, current_rows: float
) -> float:
    """Return how many standard errors the current share lies above the reference's.

    The error is that of both shares pooled; where every row or none counts it is 0, and so is the
    statistic. Its square is the `chi_square` of the 2 x 2 table. Source: NIST/SEMATECH e-Handbook,
    7.3.3.

    >>> shares_z(10, 30, 20, 30).__round__(4)
    2.582
    """
    if reference_rows <= 0 or current_rows <= 0:
        raise ValueError("a sample without rows cannot be compared")
    pooled = (reference_count + current_count) / (reference_rows + current_rows)
    variance = pooled * (1 - pooled) * (1 / reference_rows + 1 / current_rows)
    if variance <= 0:
        return 0.0
    difference = current_count / current_rows - reference_count / reference_rows
    return float(difference / math.sqrt(variance))


def shares_z_p_value(
    reference_count: float, reference_rows: float, current_count: float, current_rows: float
) -> float:
    """Return the chance of a `shares_z` so far from 0 on either side, 0 to 1.

    >>> shares_z_p_value(10, 30, 20, 30).__round__(4)
    0.0098
    """
    z = shares_z(reference_count, reference_rows, current_count, current_rows)
    return math.erfc(abs(z) / math.sqrt(2))


FEWEST_EXPECTED = 5
"""Cells of which fewer rows are to be expected make a 2 x 2 table too small for `shares_z`."""


def shares_exact_p_value(
    reference_count: int, reference_rows: int, current_count: int, current_rows: int
) -> float:
    """Return the chance of shares so far apart where nothing has changed, from all tables, 0 to 1.

    It is the sum over the 2 x 2 tables of the same margins that are no likelier than this one.
    Source: Fisher 1935; SciPy's `fisher_exact`.

    >>> shares_exact_p_value(8, 10, 1, 6).__round__(4)
    0.035
    """
    if reference_rows <= 0 or current_rows <= 0:
        raise ValueError("a sample without rows cannot be compared")
    both = reference_count + current_count
    least, most = max(0, both - reference_rows), min(both, current_rows)
    held = np.arange(least, most, dtype=float)
    # Each table's chance as a multiple of the one before: no factorial overflows or cancels.
    steps = np.log((both - held) * (current_rows - held)) - np.log(
        (held + 1) * (reference_rows - both + held + 1)
    )
    chances = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.exp(chances - chances.max())
    own = chances[current_count - least]
    return float(min(1.0, chances[chances <= own * (1 + 1e-7)].sum() / chances.sum()))


def shares_p_value(
    reference_count: int, reference_rows: int, current_count: int, current_rows: int
) -> float:
    """Return the chance of shares so far apart where nothing has changed, 0 to 1.

    It is that of `shares_z`, or the exact one where the table is too small for it (Cochran 1954).

    >>> shares_p_value(10, 30, 20, 30) == shares_z_p_value(10, 30, 20, 30)
    True
    >>> shares_p_value(8, 10, 1, 6) == shares_exact_p_value(8, 10, 1, 6)
    True
    """
    held = reference_count + current_count
    rest = reference_rows + current_rows - held
    fewest = min(held, rest) * min(reference_rows, current_rows)
    if fewest < FEWEST_EXPECTED * (reference_rows + current_rows):
        return shares_exact_p_value(reference_count, reference_rows, current_count, current_rows)
    return shares_z_p_value(reference_count, reference_rows, current_count, current_rows)


class _Table(NamedTuple):
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]


def _table(reference: Counts, current: Counts) -> _Table:
    observed = np.array([reference, current], dtype=float)
    observed = observed[:, observed.sum(axis=0) > 0]
    sizes = np.array([[rows(reference)], [rows(current)]])
    return _Table(observed, sizes * observed.sum(axis=0) / sizes.sum())


def _tail(statistic: float, reference: Counts, current: Counts) -> float:
    from scipy.special import chdtrc

    classes = int(((reference + current) > 0).sum())
    return float(chdtrc(classes - 1, statistic)) if classes > 1 else 1.0
