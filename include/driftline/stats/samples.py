"""How far two samples of numbers lie apart, from the numbers themselves."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
"""Finite numbers, in any order."""


def ks(reference: Numbers, current: Numbers) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic: the largest |F(x) - G(x)|, 0 to 1.

    Source: Conover, Practical Nonparametric Statistics, section 6.3.

    >>> ks(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0]))
    0.5
    """
    if not len(reference) or not len(current):
        raise ValueError("a sample without rows has no distribution")
    reference, current = np.sort(reference), np.sort(current)
    steps = np.concatenate([reference, current])
    below_reference = np.searchsorted(reference, steps, side="right") / len(reference)
    below_current = np.searchsorted(current, steps, side="right") / len(current)
    return float(np.abs(below_reference - below_current).max())
