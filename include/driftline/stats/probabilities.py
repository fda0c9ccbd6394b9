"""How good probabilities are, given what came of them.

`observed` holds 0 or 1 a row, or the place of the class that came; `predicted` the probability
of the positive class, or a row of probabilities, one a class.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Observed = NDArray[Any]
Predicted = NDArray[np.float64]


def brier(observed: Observed, predicted: Predicted) -> float:
    """Return the Brier score: the mean of (predicted - observed)^2, summed over the classes.

    With two classes only the positive one counts (0 to 1), with more all do (0 to 2), as in
    scikit-learn. Source: Brier, Monthly Weather Review 78, 1950.

    >>> brier(np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.3])).__round__(4)
    0.0375
    """
    if predicted.ndim == 1:
        return float(((predicted - observed) ** 2).mean())
    came = np.eye(predicted.shape[1])[observed]
    return float(((predicted - came) ** 2).sum(axis=1).mean())


def ece(observed: Observed, predicted: Predicted, bins: int = 10) -> float:
    """Return the expected calibration error: |share that came - mean predicted|, averaged.

    The average is over bins of equal width on [0, 1], each weighing as many rows as it holds.
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015.

    >>> ece(np.array([0, 1, 1, 1]), np.array([0.2, 0.2, 0.9, 0.9])).__round__(2)
    0.2
    """
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=observed - predicted, minlength=bins)
    return float(np.abs(gap).sum() / len(predicted))


def observed_predicted_ratio(observed: Observed, predicted: Predicted) -> float:
    """Return how many positives came for each one predicted; 1 is unbiased.

    >>> observed_predicted_ratio(np.array([0, 1, 1, 0]), np.array([0.1, 0.2, 0.4, 0.3]))
    2.0
    """
    return float(observed.sum() / predicted.sum())


def entropy(observed: Observed) -> float:
    """Return the entropy of the classes' shares in nats: the log loss of the best constant.

    >>> entropy(np.array([0, 1])).__round__(4)
    0.6931
    """
    shares = np.unique(observed, return_counts=True)[1] / len(observed)
    return float(-(shares * np.log(shares)).sum())


def log_loss_ratio(observed: Observed, loss: float) -> float:
    """Return a log loss over the entropy of the classes in its rows: above 1 a constant is better.

    It is the normalised entropy of He et al., Practical Lessons from Predicting Clicks on Ads at
    Facebook, ADKDD 2014. One class alone has no entropy and is an error.

    >>> log_loss_ratio(np.array([0, 1, 0, 1]), np.log(2)).__round__(6)
    1.0
    """
    base = entropy(observed)
    if base <= 0:
        raise ValueError("a single class has no entropy")
    return float(loss / base)
