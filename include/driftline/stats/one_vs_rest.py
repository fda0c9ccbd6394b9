"""Confidence-based estimates of a model of many classes, from counts of each class by itself.

Each class has bins of its own score, and a calibration; `driftline.stats.confidence_based` says
what they are. Counts of one score do not tell a row's other scores. So the chances of a row's
classes are not made to add up to 1, as NannyML makes them, only those of all rows together; and how
often one class is taken for a certain other is not estimated.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from driftline.stats.confidence_based import Calibration, shrunk
from driftline.stats.counted import (
    Counts,
    Metrics,
    are_probabilities,
    deviations,
    finite,
    mean_scores,
    of_many_classes,
    of_ranks,
    of_scores,
    surprise,
)


def estimates(
    calibrations: Sequence[Calibration], rows: Sequence[Counts], sums: Sequence[Counts]
) -> dict[str, float]:
    """Return the metrics that a window lets expect, from counts of all its predictions.

    Of each class, `rows` are by whether it was predicted (no, yes, and unknown where that is not
    known of all) and by bin of its score, `sums` the sums of these scores. Averages over classes
    are plain (macro), ROC AUC is each class against the rest, log loss and Brier score are
    scikit-learn's of many classes. What the window does not define is left out.

    >>> rows, sums = np.array([[5, 1], [0, 4]]), np.array([[0.5, 0.3], [0.0, 3.6]])
    >>> other, others = rows[::-1, ::-1], (rows - sums)[::-1, ::-1]
    >>> found = estimates([Calibration(), Calibration()], [rows, other], [sums, others])
    >>> round(found["accuracy"], 4), round(found["brier"], 4)
    (0.88, 0.2616)
    """
    read = [each.positives(*both) for each, *both in zip(calibrations, rows, sums, strict=True)]
    total = sum(float(each.sum()) for each in read)
    if total <= 0:
        return {}
    scale = rows[0].sum() / total
    came = [np.minimum(each * scale, held) for each, held in zip(read, rows, strict=True)]
    tables = [
        np.stack([held - each, each]).sum(axis=1) for held, each in zip(rows, came, strict=True)
    ]
    scores = [
        mean_scores(held.sum(axis=0), each.sum(axis=0))
        for held, each in zip(rows, sums, strict=True)
    ]
    hits = np.array([each[1].sum() for each in came])
    labelled = np.array([each[:2].sum() for each in came])
    predicted = np.array([held[1].sum() for held in rows])
    found = of_many_classes(hits, labelled, predicted)
    found["roc_auc"] = np.mean([of_ranks(table)["roc_auc"] for table in tables])
    if all(are_probabilities(each) for each in scores):
        found["brier"] = sum(of_scores(*both)["brier"] for both in zip(tables, scores, strict=True))
        found |= _log_losses([table[1] for table in tables], scores)
    return finite(found)


def sampling_errors(
    calibrations: Sequence[Calibration],
    confusion: Counts,
    rows: Sequence[Counts],
    sums: Sequence[Counts],
    size: float,
    classed: float | None = None,
) -> dict[str, float]:
    """Return the standard error of each estimate of a window of `size` rows, by chance alone.

    The reference's labelled rows: `confusion` by label and predicted class, and of each class
    `rows` by label (another, this) and by bin of its score, `sums` by bin. See
    `confidence_based.sampling_errors`. How the classes' ROC AUC and Brier scores depend on one
    another is not known: their errors are the most they can be, as if all rose and fell together.

    >>> half = np.array([[4, 1], [1, 4]])
    >>> sums = np.array([1.0, 4.0])
    >>> errors = sampling_errors([Calibration()] * 2, half, [half] * 2, [sums] * 2, 100)
    >>> round(errors["accuracy"], 4), round(errors["brier"], 4)
    (0.04, 0.048)
    """
    scores = [mean_scores(table.sum(axis=0), each) for table, each in zip(rows, sums, strict=True)]
    classes = deviations(_of_confusion, confusion)
    found = {"roc_auc": float(np.mean([deviations(of_ranks, each)["roc_auc"] for each in rows]))}
    if all(are_probabilities(each) for each in scores):
        found["brier"] = sum(
            deviations(partial(of_scores, scores=each), table)["brier"]
            for table, each in zip(rows, scores, strict=True)
        )
        lengths = [len(each) for each in scores]
        split = np.cumsum(lengths)[:-1]
        found |= deviations(
            lambda cells: _log_losses(np.split(cells, split, axis=-1), scores),
            np.concatenate([table[1] for table in rows]),
        )
    return shrunk(classes, found, calibrations, float(np.sum(rows[0])), size, classed)


def _of_confusion(confusion: Counts) -> Metrics:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return of_many_classes(hits, confusion.sum(axis=-1), confusion.sum(axis=-2))


def _log_losses(came: Sequence[Counts], scores: Sequence[NDArray[np.float64]]) -> Metrics:
    """Return the losses of what came: of each class, its rows by bin and the bins' mean scores."""
    labelled = np.stack([each.sum(axis=-1) for each in came], axis=-1)
    total = labelled.sum(axis=-1)
    loss = sum(each @ surprise(score) for each, score in zip(came, scores, strict=True)) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = labelled / total[..., None]
        logs = np.where(shares != 0, shares * np.log(shares), 0)
        return {"log_loss": loss, "log_loss_ratio": loss / -logs.sum(axis=-1)}
