"""How well classes are told apart, 0 to 1, from a table of counts.

A confusion table has a row a true class and a column a predicted one, in the same order. Values are
scikit-learn's. The interval of one class is Wilson's; that of an average is put together from
those of its classes, so that a class of which all rows are right is not taken for certain.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.stats.interval import Interval, Z, share

Confusion = NDArray[Any]
Numbers = NDArray[np.float64]
OfClass = Callable[[Confusion, int], Interval]
"""`precision`, `recall` or `f1`."""


def accuracy(confusion: Confusion) -> Interval:
    """Return the share of rows whose class was predicted, with Wilson's interval.

    >>> accuracy(np.array([[8, 2], [1, 9]])).value
    0.85
    """
    table = _table(confusion)
    return share(table.trace(), table.sum())


def balanced_accuracy(confusion: Confusion) -> Interval:
    """Return the mean recall of the classes that have labels.

    Source: Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010.

    >>> balanced_accuracy(np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])).value.__round__(2)
    0.85
    """
    table = _table(confusion)
    labelled = np.flatnonzero(table.sum(axis=1)).tolist()
    return _average([recall(table, place) for place in labelled])


def precision(confusion: Confusion, place: int) -> Interval:
    """Return the share of the rows predicted to be of a class that are; at least one must be.

    >>> precision(np.array([[8, 2], [1, 9]]), 1).value.__round__(4)
    0.8182
    """
    table = _table(confusion)
    if not table[:, place].any():
        raise ValueError(f"class {place} was never predicted and has no precision")
    return share(table[place, place], table[:, place].sum())


def recall(confusion: Confusion, place: int) -> Interval:
    """Return the share of the rows of a class that were predicted so; at least one must be.

    >>> recall(np.array([[8, 2], [1, 9]]), 1).value
    0.9
    """
    table = _table(confusion)
    if not table[place].any():
        raise ValueError(f"class {place} is no row's label and has no recall")
    return share(table[place, place], table[place].sum())


def f1(confusion: Confusion, place: int) -> Interval:
    """Return the harmonic mean of precision and recall of a class that occurs.

    It is 2J / (1 + J) where J is the share of hits among the rows that are of the class or
    predicted so: the ends of its interval are those of J, carried over. Source: Hand, Christen and
    Kirielle, F*: an interpretable transformation of the F-measure, Machine Learning 110, 2021.

    >>> f1(np.array([[8, 2], [1, 9]]), 1).value.__round__(4)
    0.8571
    """
    table = _table(confusion)
    hits = table[place, place]
    either = table[place].sum() + table[:, place].sum() - hits
    if either <= 0:
        raise ValueError(f"class {place} is neither a label nor predicted and has no F1")
    return Interval(*(2 * end / (1 + end) for end in share(hits, either)))


def macro(metric: OfClass, confusion: Confusion) -> Interval:
    """Return the plain mean of a metric over the classes that are labels or predicted.

    A class of which the metric is not defined counts 0 in it, as in scikit-learn.

    >>> macro(f1, np.array([[8, 2], [1, 9]])).value.__round__(4)
    0.8496
    """
    table = _table(confusion)
    labels, predicted = table.sum(axis=1), table.sum(axis=0)
    rows: dict[OfClass, Numbers] = {precision: predicted, recall: labels, f1: labels + predicted}
    defined, held = rows[metric] > 0, np.flatnonzero(rows[f1]).tolist()
    parts = [metric(table, place) if defined[place] else Interval(0, 0, 0) for place in held]
    return _average(parts, _alike(table[np.ix_(held, held)]) if metric is f1 else None)


def weighted_f1(confusion: Confusion) -> Interval:
    """Return the mean F1 of the classes, each weighing as many rows as have its label.

    The weights are a sample's too: what they add is one more part of the interval.

    >>> weighted_f1(np.array([[8, 2], [1, 4]])).value.__round__(4)
    0.8038
    """
    table = _table(confusion)
    held = np.flatnonzero(table.sum(axis=1) + table.sum(axis=0))
    table, total = table[np.ix_(held, held)], table.sum()
    if total <= 0:
        raise ValueError("no rows have no F1")
    labels, hits = table.sum(axis=1), table.diagonal()
    parts = np.array([f1(table, place) for place in range(len(held))])
    weights = labels / total
    away = parts[:, 0] - weights @ parts[:, 0]
    spread = math.sqrt(weights @ away**2)
    reach = Z * spread / math.sqrt(total)
    # How the weights' part goes with that of each class: their covariance over all cells.
    either = labels + table.sum(axis=0) - hits
    own = hits * away - hits / either * (labels * away + away @ table - hits * away)
    with_own = np.sqrt(hits * (either - hits) / either) * spread * math.sqrt(total)
    shared = np.divide(own, with_own, out=np.zeros_like(own), where=with_own > 0)
    correlation = np.eye(len(held) + 1)
    correlation[:-1, :-1] = _alike(table)
    correlation[-1, :-1] = correlation[:-1, -1] = shared
    moves = np.vstack([parts * weights[:, None], [0.0, -reach, reach]])
    return _sum(moves, correlation)


def _average(parts: list[Interval], correlation: Numbers | None = None) -> Interval:
    if not parts:
        raise ValueError("no rows have no average")
    return _sum(np.array(parts) / len(parts), correlation)


def _sum(parts: Numbers, correlation: Numbers | None = None) -> Interval:
    """Return the sum of parts, each with its interval, by the square root of their reaches' sum.

    Each end is as far off as the parts' own ends allow, which the delta method's symmetric error is
    not. Recalls do not depend on one another, nor do precisions: they count disjoint rows.
    Source: Zou and Donner, Construction of confidence limits about effect measures, Statistics in
    Medicine 27, 2008; Zou, American Journal of Epidemiology 168, 2008 (with correlation).
    """
    value = float(parts[:, 0].sum())
    below, above = parts[:, 0] - parts[:, 1], parts[:, 2] - parts[:, 0]
    matrix = np.eye(len(parts)) if correlation is None else correlation
    # Rounding may leave a square a hair below 0.
    squares = (float(reach @ matrix @ reach) for reach in (below, above))
    down, up = (math.sqrt(max(0.0, each)) for each in squares)
    return Interval(value, max(0.0, value - down), min(1.0, value + up))


def _alike(table: Numbers) -> Numbers:
    """Return how the F1 of classes correlate: a row of one taken for another counts in both.

    It is that of the delta method for multinomial counts. Source: Takahashi et al., Confidence
    interval for micro-averaged F1 and macro-averaged F1 scores, Applied Intelligence 52, 2022.
    """
    hits = table.diagonal()
    either = table.sum(axis=0) + table.sum(axis=1) - hits
    missed = (either - hits) * either
    pull = np.sqrt(np.divide(hits, missed, out=np.zeros_like(missed), where=missed > 0))
    correlation = (table + table.T) * np.outer(pull, pull)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def _table(confusion: Confusion) -> Numbers:
    table = np.asarray(confusion, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"a confusion table is square, not {table.shape}")
    return table
