"""Performance before the labels come, from counts of scores: confidence-based estimation (CBPE).

A calibrated score is the chance that its row is a positive. So the scores of a window say which
labels to expect, and these give every metric. That holds where the inputs change; where the same
input comes to mean another label no score tells, and `driftline.stats.trust` finds it out later.

Counts are by predicted class (negative, positive, and where it is not known of all rows, unknown)
and by ascending score bin, the bins of one reference; those of labelled rows also by label, in
front. `sums` holds sums of scores. Rows without a predicted class tell of scores and ranks only.
Sources: NannyML 0.13.1, `nannyml/performance_estimation/confidence_based` and the page on CBPE in
How it Works; Białek, Kivimäki, Kuberski and Perrakis, Estimating Model Performance Under Covariate
Shift Without Labels, NeurIPS 2025.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline.stats.counted import (
    Counts,
    are_probabilities,
    deviations,
    finite,
    mean_scores,
    of_classes,
    of_ranks,
    of_scores,
)

_GROUPS = 10
_FEWEST = 5.0
"""The variance of a group's count of positives below which a chi-square test does not hold."""
_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """What a score means: the share of positives in its bin, or the score as it is."""

    values: NDArray[np.float64] | None = None
    """By score bin; None where the scores themselves are probabilities."""

    def positives(self, rows: Counts, sums: Counts) -> NDArray[np.float64]:
        """Return how many of the rows are expected to be positives; bins lie along the last axis.

        >>> Calibration().positives(np.array([4, 10]), np.array([1.0, 9.0])).tolist()
        [1.0, 9.0]
        """
        if self.values is None:
            return np.clip(np.asarray(sums, dtype=np.float64), 0.0, rows)
        return np.asarray(rows * self.values, dtype=np.float64)


def calibration(positive: Counts, negative: Counts, sums: Counts) -> Calibration:
    """Return how to read scores, from the labelled rows of the reference by ascending score bin.

    Scores are used as they are unless the labels refute them: a chi-square test of up to ten groups
    of bins (Hosmer and Lemeshow, Communications in Statistics A 9, 1980) at 5%. Else each bin gets
    the share of positives of an isotonic regression over the bins, as NannyML's calibrator does
    over rows. NannyML asks instead whether the calibration error falls, in ten draws of a tenth of
    the rows; these are too like the rows that it calibrated by, and of sets of scores that are
    right it calibrates more than half.

    >>> right = calibration(np.array([20, 60]), np.array([80, 40]), np.array([20.0, 60.0]))
    >>> wrong = calibration(np.array([20, 60]), np.array([80, 40]), np.array([50.0, 95.0]))
    >>> right.values, wrong.values.tolist()
    (None, [0.2, 0.6])
    """
    from scipy.optimize import isotonic_regression

    rows = np.asarray(positive, dtype=np.float64) + negative
    held = np.flatnonzero(rows)
    if not len(held):
        raise ValueError("no rows have no calibration")
    came, weights = np.asarray(positive)[held], rows[held]
    if _fit(came, weights, np.asarray(sums, dtype=np.float64)[held]):
        return Calibration()
    shares = isotonic_regression(came / weights, weights=weights).x
    return Calibration(values=np.interp(np.arange(len(rows)), held, shares))


def _fit(positive: Counts, rows: Counts, sums: Counts) -> bool:
    """Return whether labels agree with scores as far as so many tell; no bin may be empty."""
    from scipy.special import chdtrc

    scores = sums / rows
    if not are_probabilities(scores):
        return False
    variance = sums * (1 - scores)
    total = variance.sum()
    if total <= 0:  # Every score is 0 or 1.
        return bool(np.array_equal(positive, sums))
    count = int(np.clip(total / _FEWEST, 1, _GROUPS))
    # Groups of equal variance: where positives are rare, most groups of equal rows had none.
    group = np.minimum((np.cumsum(variance) - variance / 2) / total * count, count - 1).astype(int)
    gap, spread = (np.bincount(group, each, count) for each in (positive - sums, variance))
    some = spread > 0
    statistic = float((gap[some] ** 2 / spread[some]).sum())
    return bool(chdtrc(some.sum(), statistic) >= _SIGNIFICANT)


def estimates(calibration: Calibration, rows: Counts, sums: Counts) -> dict[str, float]:
    """Return the metrics that a window lets expect, from counts of all its predictions.

    Names are scikit-learn's, and `observed_rate`, the share of positives. What the window does not
    define is left out, as precision where no row is predicted positive. `ece` is not estimated: a
    calibration takes it for 0.

    >>> rows, sums = np.array([[80, 20], [0, 100]]), np.array([[8, 8], [0, 90]])
    >>> found = estimates(Calibration(), rows, sums)
    >>> [round(found[name], 4) for name in ("accuracy", "precision", "observed_rate")]
    [0.87, 0.9, 0.53]
    """
    came = calibration.positives(rows, sums)
    table = np.stack([rows - came, came])
    binned = table.sum(axis=1)
    scores = mean_scores(rows.sum(axis=0), sums.sum(axis=0))
    classes = of_classes(table.sum(axis=2)[:, :2])
    return finite(classes | of_ranks(binned) | of_scores(binned, scores))


def sampling_errors(
    calibration: Calibration,
    rows: Counts,
    sums: Counts,
    size: float,
    classed: float | None = None,
) -> dict[str, float]:
    """Return the standard error of each estimate of a window of `size` rows, by chance alone.

    Of these the predicted class of `classed` is known, or of all. `rows` of the reference are by
    label, predicted class and score bin, `sums` by score bin. The error is how much a metric varies
    over draws of so many rows of the reference. Where scores had to be calibrated, as much is added
    for the reference's own rows. An estimate's 95% interval reaches 1.96 errors to either side;
    NannyML's confidence band, 3. Its errors of accuracy, precision and recall are these; of ROC AUC
    it counts the scarcer class alone, of F1 it is nearly twice too far.

    >>> rows = np.array([[[40, 5], [0, 5]], [[10, 0], [0, 40]]])
    >>> errors = sampling_errors(Calibration(), rows, np.array([10.0, 40.0]), 100)
    >>> round(errors["accuracy"], 6) == round((0.85 * 0.15 / 100) ** 0.5, 6)
    True
    """
    binned = rows.sum(axis=1)
    scores = mean_scores(binned.sum(axis=0), sums)
    classes = deviations(of_classes, rows.sum(axis=2)[:, :2])
    found = deviations(of_ranks, binned)
    found |= deviations(lambda table: of_scores(table, scores), binned)
    return shrunk(classes, found, [calibration], float(rows.sum()), size, classed)


def shrunk(
    classes: Mapping[str, float],
    scores: Mapping[str, float],
    calibrations: Sequence[Calibration],
    reference: float,
    size: float,
    classed: float | None = None,
) -> dict[str, float]:
    """Return the standard errors of estimates of predicted classes and of scores.

    From a single row's deviations; of a window of `size` rows, `classed` of them with a class.
    """
    found: dict[str, float] = {}
    for deviated, held in ((scores, size), (classes, size if classed is None else classed)):
        if held:
            share = shrinking(calibrations, reference, held)
            found |= finite({name: value * share for name, value in deviated.items()})
    return found


def shrinking(calibrations: Sequence[Calibration], reference: float, size: float) -> float:
    """Return by what a single row's standard deviation shrinks in an estimate of `size` rows.

    >>> shrinking([Calibration()], 100, 400)
    0.05
    """
    fitted = any(each.values is not None for each in calibrations)
    return math.sqrt(1 / size + (1 / reference if fitted else 0.0))


def thresholds(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest value that is no alert: 3 standard deviations off the mean.

    `values` came true in the chunks of the reference, each as long as a window; in the metric's
    units. Source: NannyML 0.13.1, `nannyml.thresholds.StandardDeviationThreshold`.

    >>> [round(end, 4) for end in thresholds([0.70, 0.72, 0.74])]
    [0.671, 0.769]
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        raise ValueError(f"thresholds want the values of two chunks at least, not of {len(known)}")
    middle, reach = float(known.mean()), 3 * float(known.std())
    return middle - reach, middle + reach
