"""Which of two models is better on the same rows, and how sure that is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]
"""What each row costs a model."""
Days = NDArray[Any]
"""The day that each row belongs to; rows of a day depend on one another."""

DRAWS = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The values of two models, the difference second minus first, and its interval."""

    first: float
    second: float
    difference: float
    lower: float
    upper: float


def of_sums(
    first: Losses,
    second: Losses,
    days: Days,
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]] = np.asarray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Paired:
    """Compare a metric that is a function of the mean of each row's loss.

    The interval is a percentile bootstrap of whole days (a cluster bootstrap), the same days for
    both models: their differences, not their levels, are what it spreads. Source: Cameron, Gelbach
    and Miller, Bootstrap-Based Improvements for Inference with Clustered Errors, 2008.

    >>> days = np.repeat(np.arange(10), 5)
    >>> same = of_sums(np.ones(50), np.ones(50), days)
    >>> same.difference, same.lower, same.upper
    (0.0, 0.0, 0.0)
    """
    _, place = np.unique(days, return_inverse=True)
    count = int(place.max()) + 1
    sums = np.stack([np.bincount(place, weights=each, minlength=count) for each in (first, second)])
    rows = np.bincount(place, minlength=count).astype(float)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    size = drawn @ rows
    both = value(drawn @ sums[0] / size), value(drawn @ sums[1] / size)
    now = value(np.array([first.mean()])), value(np.array([second.mean()]))
    return _paired(float(now[0][0]), float(now[1][0]), both[1] - both[0])


def of_rows(
    first: Callable[[NDArray[np.int64]], float],
    second: Callable[[NDArray[np.int64]], float],
    days: Days,
    *,
    draws: int = 200,
    seed: int = 0,
) -> Paired:
    """Compare a metric that is computed anew from the rows of each draw of days.

    `first` and `second` return the metric of each model on the rows at these places. A draw in
    which the metric is not defined is left out.
    """
    order = np.argsort(days, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(days[order]) != 0) + 1)
    rng, differences = np.random.default_rng(seed), []
    for _ in range(draws):
        chosen = np.concatenate([parts[n] for n in rng.integers(0, len(parts), len(parts))])
        differences.append(second(chosen) - first(chosen))
    everything = np.arange(len(days))
    finite = np.asarray([d for d in differences if np.isfinite(d)])
    return _paired(first(everything), second(everything), finite)


def _paired(first: float, second: float, differences: NDArray[np.float64]) -> Paired:
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(differences, [tail, 1 - tail])
    return Paired(
        first=first,
        second=second,
        difference=second - first,
        lower=float(lower),
        upper=float(upper),
    )


def log_losses(observed: NDArray[Any], predicted: NDArray[np.float64]) -> Losses:
    """Return -log of the probability that each row gave to what came, in nats.

    Probabilities are kept from 0 and 1 by the machine's precision, as in scikit-learn.
    """
    if predicted.ndim == 1:
        predicted = np.column_stack([1 - predicted, predicted])
    epsilon = np.finfo(predicted.dtype).eps
    kept = np.clip(predicted / predicted.sum(axis=1, keepdims=True), epsilon, 1 - epsilon)
    return np.asarray(-np.log(kept[np.arange(len(observed)), observed]))


def squared_errors(observed: NDArray[Any], predicted: NDArray[np.float64]) -> Losses:
    """Return the squared error of each row, summed over the classes of a multiclass model."""
    if predicted.ndim == 1:
        return np.asarray((predicted - observed) ** 2, dtype=np.float64)
    came = np.eye(predicted.shape[1])[observed]
    return np.asarray(((predicted - came) ** 2).sum(axis=1))


SUMS: Mapping[str, Callable[[NDArray[Any], NDArray[Any], Any], Losses]] = {
    "log_loss": lambda truth, _, scores: log_losses(truth, scores),
    "brier": lambda truth, _, scores: squared_errors(truth, scores),
    "accuracy": lambda truth, said, _: (truth == said).astype(float),
    "mae": lambda truth, said, _: np.abs(truth - said),
    "mse": lambda truth, said, _: (truth - said) ** 2,
    "rmse": lambda truth, said, _: (truth - said) ** 2,
    "mape": lambda truth, said, _: np.abs(truth - said) / np.abs(truth),
}
"""What each row adds to a metric, from labels, classes or values, and scores."""
