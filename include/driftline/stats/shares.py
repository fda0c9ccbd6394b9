"""Counts of rows in classes or bins, and the shares that they are of their sample."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
"""Rows in each class or bin; both samples list the same ones in the same order."""


def rows(counts: Counts) -> float:
    """Return how many rows a sample has; one without rows is an error.

    >>> rows(np.array([3, 1]))
    4.0
    """
    total = float(counts.sum())
    if total <= 0:
        raise ValueError("a sample without rows cannot be compared")
    return total


def shares(counts: Counts) -> NDArray[np.float64]:
    """Return the share of the rows that each class holds, 0 to 1.

    >>> shares(np.array([3, 1])).tolist()
    [0.75, 0.25]
    """
    return np.asarray(counts / rows(counts), dtype=np.float64)
