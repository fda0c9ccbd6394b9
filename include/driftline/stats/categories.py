"""How far two samples of categories lie apart, from their counts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
"""Rows in each category; both samples list the same categories in the same order."""


def total_variation(reference: Counts, current: Counts) -> float:
    """Return the total variation distance: half the sum of |p - q|, between 0 and 1.

    Source: Levin and Peres, Markov Chains and Mixing Times, proposition 4.2.

    >>> total_variation(np.array([3, 1]), np.array([1, 3]))
    0.5
    """
    return float(np.abs(_shares(reference) - _shares(current)).sum() / 2)


def chi_square(reference: Counts, current: Counts) -> float:
    """Return Pearson's statistic of the 2 x K table: sum of (observed - expected)^2 / expected.

    Both samples count as samples; categories that neither holds are left out.
    Source: Pearson 1900; NIST/SEMATECH e-Handbook, 7.4.5.

    >>> chi_square(np.array([10, 20]), np.array([20, 10])).__round__(4)
    6.6667
    """
    table = np.array([reference, current], dtype=float)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def _shares(counts: Counts) -> NDArray[np.float64]:
    total = counts.sum()
    if total <= 0:
        raise ValueError("a sample without rows has no shares")
    return np.asarray(counts / total, dtype=np.float64)
