"""How far two samples lie apart, from their counts in the same unordered classes."""

import numpy as np
from numpy.typing import NDArray

from driftline.stats.shares import Counts, shares

ZERO = 1e-4
"""What the share of an empty class counts as where a logarithm needs one, as in Evidently."""


def psi(reference: Counts, current: Counts, zero: float = ZERO) -> float:
    """Return the population stability index: the sum of (p - q) log(p / q), in nats, from 0 up.

    The share of an empty class counts as `zero`, or as a millionth of the smallest share of its
    sample where that is not above `zero`: Evidently's rule. Nothing is scaled back to a sum of 1.
    Source: Siddiqi, Credit Risk Scorecards, 2006; Evidently 0.7.23, stattests/utils.py.

    >>> psi(np.array([3, 1]), np.array([1, 3])).__round__(4)
    1.0986
    """
    p, q = _filled(reference, zero), _filled(current, zero)
    return float(((p - q) * np.log(p / q)).sum())


def psi_noise(classes: int, reference_rows: int, current_rows: int) -> float:
    """Return the PSI to expect where nothing has changed: (classes - 1)(1/n + 1/m).

    It holds for classes that both samples fill well. Source: Yurdakul and Naranjo, Statistical
    properties of the population stability index, Journal of Risk Model Validation 14(4), 2020.

    >>> psi_noise(10, 1000, 500)
    0.027
    """
    return (classes - 1) * (1 / reference_rows + 1 / current_rows)


def kl(reference: Counts, current: Counts, zero: float = ZERO) -> float:
    """Return the Kullback-Leibler divergence: the sum of p log(p / q), in nats, from 0 up.

    p is the reference, as in Evidently: what is lost by taking the current shares for it. Empty
    classes are filled as for `psi`, and the shares then scaled back to a sum of 1.
    Source: Kullback and Leibler 1951; Evidently 0.7.23, stattests/kl_div.py.

    >>> kl(np.array([3, 1]), np.array([1, 1])).__round__(4)
    0.1308
    """
    p, q = _filled(reference, zero), _filled(current, zero)
    p, q = p / p.sum(), q / q.sum()
    return max(0.0, float((p * np.log(p / q)).sum()))


def jensen_shannon(reference: Counts, current: Counts) -> float:
    """Return the Jensen-Shannon distance: the root of the divergence in bits, 0 to 1.

    Times the root of log 2 it is Evidently's and SciPy's, which take natural logarithms.
    Source: Lin, IEEE Transactions on Information Theory 37, 1991; Endres and Schindelin, 2003.

    >>> jensen_shannon(np.array([1, 1, 1, 1, 0]), np.array([1, 1, 1, 0, 1]))
    0.5
    """
    p, q = shares(reference), shares(current)
    bits = (_bits(p, (p + q) / 2) + _bits(q, (p + q) / 2)) / 2
    return float(np.sqrt(np.clip(bits, 0, 1)))


def jensen_shannon_noise(classes: int, reference_rows: int, current_rows: int) -> float:
    """Return the distance to expect where nothing has changed: the root of its mean square.

    The square is an eighth of PSI / log 2 for small changes. Source: Menendez, Morales, Pardo and
    Salicru, Asymptotic behaviour and statistical applications of divergence measures, Statistical
    Papers 36, 1995.

    >>> jensen_shannon_noise(10, 1000, 500).__round__(4)
    0.0698
    """
    return float(np.sqrt(psi_noise(classes, reference_rows, current_rows) / (8 * np.log(2))))


def hellinger(reference: Counts, current: Counts) -> float:
    """Return the Hellinger distance: the root of half the sum of (sqrt p - sqrt q)^2, 0 to 1.

    Source: Le Cam and Yang, Asymptotics in Statistics, section 3.2; Evidently has the same.

    >>> hellinger(np.array([1, 0]), np.array([0, 1]))
    1.0
    """
    apart = np.sqrt(shares(reference)) - np.sqrt(shares(current))
    return min(1.0, float(np.sqrt((apart**2).sum() / 2)))


def total_variation(reference: Counts, current: Counts) -> float:
    """Return the total variation distance: half the sum of |p - q|, between 0 and 1.

    Source: Levin and Peres, Markov Chains and Mixing Times, proposition 4.2.

    >>> total_variation(np.array([3, 1]), np.array([1, 3]))
    0.5
    """
    return float(np.abs(shares(reference) - shares(current)).sum() / 2)


def l_infinity(reference: Counts, current: Counts) -> float:
    """Return the largest |p - q| of any class, between 0 and 1.

    Source: NannyML, "Univariate drift detection methods", L-infinity distance.

    >>> l_infinity(np.array([2, 1, 1]), np.array([0, 2, 2]))
    0.5
    """
    return float(np.abs(shares(reference) - shares(current)).max())


def _filled(counts: Counts, zero: float) -> NDArray[np.float64]:
    held = shares(counts)
    least = held[held > 0].min()
    return np.where(held > 0, held, zero if least > zero else least / 10**6)


def _bits(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    held = p > 0
    return float((p[held] * np.log2(p[held] / q[held])).sum())
