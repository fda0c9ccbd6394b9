"""What predictions cost, from sums over rows that add up over any hours.

Intervals are the delta method's, on the logarithm of what is above 0; source: Casella and Berger,
Statistical Inference, 2nd edition, section 5.5.4.
"""

import bisect
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.stats.interval import CONFIDENCE, Interval, on_logarithm, share
from driftline.stats.shares import Counts, shares
from driftline.stats.shares import rows as rows_of

Sums = NDArray[Any]
Numbers = NDArray[np.float64]


def rmse(rows: float, squares: float, fourths: float) -> Interval:
    """Return the root of the mean squared error, from the sums of e^2 and e^4; in label units.

    >>> rmse(4, 36.0, 450.0).value
    3.0
    """
    if rows <= 0:
        raise ValueError("no rows have no error")
    square = squares / rows
    if square <= 0:
        return Interval(0.0, 0.0, 0.0)
    # Half the logarithm of the mean square: a quarter of its variance.
    relative = max(0.0, fourths / rows / square**2 - 1) / max(1, rows - 1)
    return on_logarithm(math.sqrt(square), relative / 4, rows)


def r2(
    rows: float,
    *,
    y: float,
    y2: float,
    y3: float,
    y4: float,
    e2: float,
    e4: float,
    e2_y: float,
    e2_y2: float,
) -> Interval:
    """Return 1 - (squared errors / squared deviations of the labels): 1 is perfect, a mean has 0.

    Each argument is a sum over the rows: `y` of the label less a constant, which has to lie near
    the labels' mean lest the powers cancel (the reference's mean will do), `y2` to `y4` of its
    powers, `e2` and `e4` of powers of the error, `e2_y` and `e2_y2` of e^2 y and e^2 y^2. The
    interval is that of 1 - R2. Labels that do not vary are an error.

    >>> sums = {"y": 0.0, "y2": 4.0, "y3": 0.0, "y4": 4.0}
    >>> r2(4, **sums, e2=1.0, e4=0.5, e2_y=0.0, e2_y2=1.0).value
    0.75
    """
    if rows <= 0:
        raise ValueError("no rows have no R2")
    mean, square = y / rows, y2 / rows
    variance = square - mean**2
    if variance <= 1e-12 * square:  # No more than what rounding leaves of equal labels.
        raise ValueError("labels that do not vary have no R2")
    error = e2 / rows
    if error <= 0:
        return Interval(1.0, 1.0, 1.0)
    fourth = y4 / rows - 4 * mean * y3 / rows + 6 * mean**2 * square - 3 * mean**4
    both = (e2_y2 - 2 * mean * e2_y + mean**2 * e2) / rows
    # The mean square of e^2/E(e^2) - (y - mean)^2/Var(y), which is what a row moves the ratio by.
    relative = e4 / rows / error**2 - 2 * both / (error * variance) + fourth / variance**2
    left = on_logarithm(error / variance, max(0.0, relative) / max(1, rows - 1), rows)
    return Interval(1 - left.value, 1 - left.upper, 1 - left.lower)


def log_loss_ratio(rows: Counts, loss: Sums, loss_squares: Sums) -> Interval:
    """Return the log loss over the entropy of the classes: above 1 a constant is better.

    By true class: its rows, and the sums of -log(probability of what came) and of its square. It is
    the normalised entropy of He et al., Practical Lessons from Predicting Clicks on Ads at
    Facebook, ADKDD 2014. The classes' shares are a sample's too. One class has no entropy and is
    an error.

    >>> two, loss = np.array([2, 2]), np.full(2, 2 * np.log(2))
    >>> log_loss_ratio(two, loss, loss**2 / 2).value.__round__(6)
    1.0
    """
    total, held = rows_of(rows), np.asarray(rows) > 0
    logs = np.log(shares(np.asarray(rows)[held]))
    if len(logs) < 2:
        raise ValueError("a single class has no entropy")
    counts, sums, squares = (np.asarray(each)[held] for each in (rows, loss, loss_squares))
    entropy = -float(counts @ logs) / total
    mean = float(sums.sum()) / total
    if mean <= 0:
        return Interval(0.0, 0.0, 0.0)
    # A row of class k that costs L moves the ratio by L/E(L) + log(share of k)/entropy.
    relative = squares / mean**2 + 2 * sums * logs / (mean * entropy)
    relative += counts * (logs / entropy) ** 2
    variance = max(0.0, float(relative.sum())) / total / (total - 1)
    return on_logarithm(mean / entropy, variance, total)


def observed_predicted_ratio(rows: Counts, scores: Sums, squares: Sums) -> Interval:
    """Return how many positives came for each one predicted; 1 is unbiased.

    Negative, then positive: their rows, and the sums of their scores and of the scores' squares.
    The error is a ratio estimator's, and that of a share (Wilson) where no positive came. Source:
    Cochran, Sampling Techniques, 3rd edition, section 2.11.

    >>> twos, scores = np.array([2, 2]), np.array([0.4, 0.6])
    >>> observed_predicted_ratio(twos, scores, scores**2 / 2).value
    2.0
    """
    total, positives = rows_of(rows), float(rows[1])
    observed, predicted = positives / total, float(scores.sum()) / total
    if predicted <= 0:
        raise ValueError("no positive was predicted: every score is 0")
    if positives == 0:
        return Interval(0.0, 0.0, share(0, total).upper / predicted)
    # A row moves the ratio by label/E(label) - score/E(score).
    relative = positives / observed**2 - 2 * float(scores[1]) / (observed * predicted)
    relative += float(squares.sum()) / predicted**2
    variance = max(0.0, relative) / total / max(1, total - 1)
    return on_logarithm(observed / predicted, variance, total)


def ece(observed: Sums, predicted: Sums, rows: float) -> float:
    """Return the expected calibration error: |share that came - mean predicted|, averaged.

    By bin of equal width on [0, 1]: the sums of the labels and of the scores. It has no interval:
    it is never below 0 and too large by chance, the more so the fewer rows a bin holds.
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015; Nixon et al., CVPR workshops 2019.

    >>> ece(np.array([1, 2]), np.array([0.4, 1.8]), 4).__round__(2)
    0.2
    """
    if rows <= 0:
        raise ValueError("no rows have no calibration")
    return float(np.abs(np.asarray(observed) - predicted).sum() / rows)


def quantile(
    edges: Numbers,
    counts: Counts,
    q: float,
    low: float,
    high: float,
    single: NDArray[np.bool_] | None = None,
) -> Interval:
    """Return the value below which a share `q` of rows lie, from counts in ascending bins.

    K bins have K - 1 sorted `edges`, and `low` and `high` are the least and the greatest value; a
    `single` bin holds its lower edge alone. Inside a bin the value is interpolated. The interval is
    from one order statistic to another, by the binomial, out to the ends of their bins, so that it
    holds whatever the bins hide; an end for which there are too few rows is NaN.
    Source: David and Nagaraja, Order Statistics, 3rd edition, section 7.1.

    >>> ten = np.full(10, 10)
    >>> quantile(np.arange(1.0, 10), ten, 0.5, 0.0, 10.0)
    Interval(value=5.0, lower=3.0, upper=7.0)
    """
    from scipy.special import bdtr

    if not 0 < q < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
    total = round(rows_of(counts))
    counts, cuts = np.asarray(counts), np.concatenate([[low], np.clip(edges, low, high), [high]])
    held = np.flatnonzero(counts)
    starts, ends = cuts[held], cuts[held + 1]
    if single is not None:
        ends = np.where(single[held], starts, ends)
    steps = np.cumsum(counts[held])

    def bin_of(rank: float) -> int:
        return int(np.searchsorted(steps, rank))

    place = bin_of(q * total)
    inside = 1 - (steps[place] - q * total) / counts[held][place]
    value = starts[place] + inside * (ends[place] - starts[place])
    tail = (1 - CONFIDENCE) / 2
    first = bisect.bisect_right(range(total + 1), tail, key=lambda k: bdtr(k, total, q))
    last = bisect.bisect_left(range(total + 1), 1 - tail, key=lambda k: bdtr(k, total, q)) + 1
    return Interval(
        float(np.clip(value, starts[place], ends[place])),
        float(starts[bin_of(first)]) if first > 0 else math.nan,
        float(ends[bin_of(last)]) if last <= total else math.nan,
    )
