"""What came of the predictions: labels, classes and scores side by side, ready to be scored."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.errors import LogError
from driftline.metrics import FROM_SCORES
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Task
from driftline.printable import amount
from driftline.profile.classes import (
    canonical,
    classes_of,
    negative_class,
    positive_class,
    rows_by_class,
)
from driftline.profile.outcome_rows import probabilities
from driftline.profile.outcomes import (
    NO_CLASS,
    NO_PREDICTED_VALUE,
    NO_PREDICTION,
    NO_SCORE,
    NO_VALUE,
    SLACK,
)
from driftline.profile.rows import LABEL, PREDICTION, SCORE, Rows, sample_of, score_of

OF_ZEROS = (
    "label is 0: no error is relative to it",
    "labels are 0: no error is relative to them",
)
"""Why there is no `mape`."""
_NO_SCORES = "a score is not between 0 and 1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """The labelled rows that can be used, and how many others there were.

    Binary: `y_true` and `y_pred` hold 1 for the positive class, else 0; `scores` is P(positive).
    Multiclass: both hold the place of the class in `classes`; `scores` has a column a class.
    Regression: both hold values. `y_pred` is -1 where a class is not known, `scores` NaN where one
    is no probability: `of` has the rows of one metric. `scores` is None where the log has none.
    `dropped` maps why a labelled row could not be used to how many there were.
    """

    task: Task
    rows: int
    labelled: int
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    scores: NDArray[np.float64] | None = None
    classes: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    """Classes for which the log has no score."""
    unclassed: str = ""
    """Why a row has no predicted class."""
    unusable: str = ""
    """Why a row has no usable score."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    sample: str = ""
    """That the rows are a sample, in words; '' when they are all."""
    kept: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Which of the rows that were given these are."""

    def __len__(self) -> int:
        return len(self.y_true)

    def of(self, metric: str) -> "Outcomes":
        """Return the rows that a metric is of: those with a usable score, or those with a class."""
        if self.task is Task.REGRESSION:
            return self
        why, usable = self.unclassed, self.y_pred >= 0
        if metric in FROM_SCORES:
            if self.scores is None:
                return self
            whole = self.scores if self.scores.ndim == 1 else self.scores.sum(axis=1)
            why, usable = self.unusable, np.isfinite(whole)
        if usable.all():
            return self
        kept = np.zeros_like(self.kept)
        kept[np.flatnonzero(self.kept)[usable]] = True
        return replace(
            self,
            y_true=self.y_true[usable],
            y_pred=self.y_pred[usable],
            scores=None if self.scores is None else self.scores[usable],
            dropped={**self.dropped, why: int((~usable).sum())},
            kept=kept,
        )

    @property
    def coverage(self) -> float | None:
        """The share of the predictions that have a label; None without predictions."""
        return self.labelled / self.rows if self.rows else None

    @property
    def present(self) -> NDArray[Any]:
        """The classes, by place, that the labels hold."""
        return np.unique(self.y_true)

    @property
    def remark(self) -> str:
        """What was sampled or dropped, in words; '' when nothing was."""
        parts = [f"{amount(number, 'row')} left out: {why}" for why, number in self.dropped.items()]
        return "; ".join(filter(None, [self.sample, *parts]))

    @property
    def empty(self) -> str:
        """Why nothing can be measured, in words; '' when something can."""
        if not self.rows:
            return "no predictions"
        if not self.labelled:
            return "no labels"
        if not len(self):
            return f"no labelled row can be used: {self.remark}"
        return "only one labelled row" if len(self) == 1 else ""

    def undefined(self, metric: str, place: int | None = None) -> str:
        """Return why these rows leave a metric undefined (of one class: `place`), '' if not."""
        if self.empty:
            return self.empty
        if metric in ("precision", "recall", "f1") and self.task is not Task.REGRESSION:
            return self._undefined_class_metric(metric, place)
        if metric == "mape" and (zeros := int((self.y_true == 0).sum())):
            return amount(zeros, *OF_ZEROS)
        if metric == "r2" and len(self.present) == 1:
            return "every label is the same: there is no variance to explain"
        if metric in FROM_SCORES and self.unscored:
            return f"no score is logged for {_some(self.unscored)}"
        if metric in _OF_PROBABILITIES and (stray := self._stray):
            return f"the class probabilities of {amount(stray, 'row')} do not add up to 1"
        if metric in _OF_SEVERAL_CLASSES:
            if len(self.present) == 1:
                return f"every label is {self.classes[int(self.present[0])]!r}"
            if metric == "roc_auc" and len(self.present) < len(self.classes):
                absent = set(range(len(self.classes))) - set(self.present.tolist())
                return f"no label is {_some(self.classes[place] for place in sorted(absent))}"
        if (
            metric == "observed_predicted_ratio"
            and self.scores is not None
            and not self.scores.sum()
        ):
            return "every score is 0"
        return ""

    def _undefined_class_metric(self, metric: str, place: int | None) -> str:
        if place is None:
            if self.task is Task.MULTICLASS:
                return ""
            place = 1
        name = repr(self.classes[place])
        labelled, predicted = (self.y_true == place).any(), (self.y_pred == place).any()
        if metric == "precision" and not predicted:
            return f"no row is predicted to be {name}"
        if metric == "recall" and not labelled:
            return f"no label is {name}"
        if metric == "f1" and not (labelled or predicted):
            return f"{name} is neither predicted nor a label"
        return ""

    @property
    def _stray(self) -> int:
        if self.scores is None or self.scores.ndim == 1:
            return 0
        return int((np.abs(self.scores.sum(axis=1) - 1) > SLACK).sum())


_OF_PROBABILITIES = {"log_loss", "log_loss_ratio", "brier"}
_OF_SEVERAL_CLASSES = {"roc_auc", "balanced_accuracy", "log_loss_ratio", "average_precision"}


def _some(names: Iterable[str]) -> str:
    names = [repr(name) for name in names]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def outcomes(monitor: Monitor, rows: Rows) -> Outcomes:
    """Return what came of these rows' predictions.

    Raises LogError where labels or classes are not as the monitor file says.
    """
    table = rows.table
    if LABEL not in table.column_names:
        table = table.append_column(LABEL, pa.nulls(len(table), pa.string()))
    read = {Task.BINARY: _binary, Task.MULTICLASS: _multiclass, Task.REGRESSION: _regression}
    columns = read[monitor.task](table, monitor)
    has_label = pc.is_valid(table[LABEL]).to_numpy()
    kept, dropped = has_label, {}
    for reason, usable in columns.usable.items():
        if lost := int((kept & ~usable).sum()):
            dropped[reason] = lost
        kept = kept & usable
    return Outcomes(
        task=monitor.task,
        rows=table.num_rows,
        labelled=int(has_label.sum()),
        y_true=columns.y_true[kept],
        y_pred=columns.y_pred[kept],
        scores=None if columns.scores is None else columns.scores[kept],
        classes=columns.classes,
        unscored=columns.unscored,
        unclassed=columns.unclassed,
        unusable=columns.unusable,
        dropped=dropped,
        sample=sample_of(table.num_rows, rows.total),
        kept=kept,
    )


class _Columns(NamedTuple):
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    usable: Mapping[str, NDArray[np.bool_]]
    scores: NDArray[np.float64] | None = None
    classes: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    unclassed: str = ""
    unusable: str = ""


def _binary(table: Any, monitor: Monitor) -> _Columns:
    predictions = monitor.predictions
    labels, true = classes_of(table[LABEL], "labels.label")
    logged, predicted = (
        classes_of(table[PREDICTION], "predictions.prediction")
        if PREDICTION in table.column_names
        else ([], None)
    )
    positive = positive_class(predictions.positive)
    columns = [(labels, true)] + ([] if predicted is None else [(logged, predicted)])
    negative = negative_class(rows_by_class(*columns), predictions.positive)
    two = {positive, negative}
    true = _known(two, labels, true)
    predicted = None if predicted is None else _known(two, logged, predicted)
    negative = negative or _opposite(positive)
    usable = {NO_CLASS: true >= 0}
    scores = _probabilities(table[SCORE]) if SCORE in table.column_names else None
    if predicted is not None:
        y_pred = np.where(predicted >= 0, _is(positive, logged, predicted), -1)
    elif scores is None:
        raise LogError("the rows hold neither a score nor a predicted class")
    else:
        with np.errstate(invalid="ignore"):
            y_pred = np.where(np.isfinite(scores), scores >= predictions.threshold, -1)
    return _Columns(
        y_true=_is(positive, labels, true),
        y_pred=y_pred,
        usable=usable,
        scores=scores,
        classes=(negative, positive),
        unclassed=NO_SCORE if predicted is None else NO_PREDICTION,
        unusable=NO_SCORE,
    )


def _multiclass(table: Any, monitor: Monitor) -> _Columns:
    labels, true = classes_of(table[LABEL], "labels.label")
    logged, predicted = (
        classes_of(table[PREDICTION], "predictions.prediction")
        if PREDICTION in table.column_names
        else ([], None)
    )
    prefix = score_of("")
    scored = {
        canonical(name.removeprefix(prefix)): name
        for name in table.column_names
        if name.startswith(prefix)
    }
    usable = {NO_CLASS: true >= 0}
    strays = {*labels} - {*scored, *logged} if scored else set()
    if strays:
        known = _known({*labels} - strays, labels, true)
        usable[f"the model has no score for their label {_some(sorted(strays))}"] = known >= 0
    unscored = tuple(sorted({*labels, *logged} - scored.keys() - strays))
    classes = (*scored, *unscored)
    scores = None
    if scored:
        matrix = [_probabilities(table[name]) for name in scored.values()]
        scores = np.column_stack([*matrix, *(np.zeros(table.num_rows) for _ in unscored)])
    if predicted is not None:
        y_pred = _places(classes, logged, predicted)
    elif scores is None:
        raise LogError("the rows hold neither scores nor a predicted class")
    else:
        whole = np.isfinite(scores).all(axis=1)
        y_pred = np.where(whole, np.nan_to_num(scores, nan=-1.0).argmax(axis=1), -1)
    return _Columns(
        y_true=_places((*classes, *strays), labels, true),
        y_pred=y_pred,
        usable=usable,
        scores=scores,
        classes=classes,
        unscored=unscored if scored else (),
        unclassed=_NO_SCORES if predicted is None else NO_PREDICTION,
        unusable=_NO_SCORES,
    )


def _regression(table: Any, monitor: Monitor) -> _Columns:
    y_true, y_pred = (
        _numbers(table[LABEL], "labels.label"),
        _numbers(table[PREDICTION], "predictions.prediction"),
    )
    usable = {
        NO_VALUE: np.isfinite(y_true),
        NO_PREDICTED_VALUE: np.isfinite(y_pred),
    }
    return _Columns(y_true=y_true, y_pred=y_pred, usable=usable)


def _is(positive: str, names: Iterable[str], places: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([*(int(name == positive) for name in names), 0], dtype=np.int64)[places]


def _places(
    classes: tuple[str, ...], names: Iterable[str], places: NDArray[np.int64]
) -> NDArray[np.int64]:
    return np.array([*(classes.index(name) for name in names), -1], dtype=np.int64)[places]


def _known(
    classes: Collection[str], names: Iterable[str], places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the places of classes that are known, -1 for all others."""
    kept = [place if name in classes else -1 for place, name in enumerate(names)]
    return np.array([*kept, -1], dtype=np.int64)[places]


def _opposite(positive: str) -> str:
    return {"1": "0", "0": "1"}.get(positive, f"not {positive}")


def _numbers(column: Any, key: str) -> NDArray[np.float64]:
    try:
        floats = pc.cast(column, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise LogError(f"{key} holds {column.type}, not numbers") from None
    return np.asarray(floats.to_numpy(), dtype=np.float64)


def _probabilities(column: Any) -> NDArray[np.float64]:
    """Return numbers between 0 and 1, NaN for all else."""
    return probabilities(_numbers(column, "predictions.score"))
