"""The user's training function: how it is found, what it is given, what its model says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from driftline.errors import InputError, TrainingError
from driftline.monitor.config import Monitor
from driftline.monitor.fields import written
from driftline.monitor.sections import Task
from driftline.profile.classes import canonical
from driftline.profile.rows import LABEL, PREDICTION, RAW, SCORE, TIMESTAMP, Rows, score_of
from driftline.retraining.gate import MIN_DAYS
from driftline.warehouse import Logs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingContext:
    """What a training function may know of the retraining; rows are of `[start, end)`."""

    monitor: str
    reason: str
    start: datetime
    end: datetime
    as_of: datetime
    champion: str


def recipe(monitor: Monitor) -> Callable[..., Any]:
    """Return the function that the file names under `retraining.train`; InputError without it."""
    named = monitor.retraining.train if monitor.retraining else None
    if named is None:
        raise InputError(f"{monitor.path}: retraining.train: no training function is named")
    module, _, function = named.partition(":")
    try:
        found = getattr(import_module(module), function, None)
    except Exception as error:
        raise InputError(
            f"{monitor.path}: retraining.train: {module} cannot be imported here: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise InputError(f"{monitor.path}: retraining.train: {module} has no function {function!r}")
    return found  # type: ignore[no-any-return]


def unready(monitor: Monitor) -> list[str]:
    """Return what can be known to stop every retraining of a monitor, each after its key."""
    how, found = monitor.retraining, []
    if how is None or how.train is None:
        return []
    try:
        recipe(monitor)
    except InputError as error:
        found.append(str(error).removeprefix(f"{monitor.path}: "))
    absent = monitor.labels.absent if monitor.labels else None
    least, why = timedelta(days=MIN_DAYS), f"the gate compares {MIN_DAYS} days or more"
    if absent:
        least += absent.after
        why += f", and what has no label is known after {written(absent.after)} (labels.absent)"
    if how.gate.holdout < least:
        said = f"found {written(how.gate.holdout)}; {why}: write {written(least)} or more"
        found.append(f"retraining.gate.holdout: {said}")
    return found


def training_set(
    monitor: Monitor, logs: Logs, start: datetime, end: datetime, *, as_of: datetime
) -> "pd.DataFrame":
    """Return the labelled rows of a stretch as a training function gets them.

    At most `retraining.rows` of them, in memory once: what has come by batches is given up column
    by column while the frame is made.
    """
    assert monitor.retraining is not None
    table = logs.training_rows(
        start, end, logs.features(start, end), as_of=as_of, limit=monitor.retraining.rows
    ).table
    table = _under_their_names(monitor, table)
    return table.to_pandas(self_destruct=True)


def fit(monitor: Monitor, given: "pd.DataFrame", context: TrainingContext) -> Any:
    """Train a model on labelled rows; TrainingError names the function and what it raised."""
    train, name = recipe(monitor), monitor.retraining.train if monitor.retraining else ""
    try:
        model = train(given, context)
    except Exception as error:  # noqa: BLE001 (it is the user's code)
        raise _failure(monitor, f"{name} raised", error) from _shown(monitor, error)
    wanted = "predict_proba" if _has_scores(monitor) else "predict"
    if not hasattr(model, wanted):
        raise TrainingError(f"{name} returned a {type(model).__name__}, which has no {wanted}")
    return model


def _failure(monitor: Monitor, what: str, error: Exception) -> TrainingError:
    """Return the error of the user's code; its words may hold values of sensitive columns."""
    if not monitor.features.sensitive:
        return TrainingError(f"{what} {type(error).__name__}: {error}")
    return TrainingError(
        f"{what} {type(error).__name__}; its words are kept back, for they may hold values of "
        "sensitive columns. It is given those only that the file also lists under "
        "numeric, categorical, text or timestamp"
    )


def _shown(monitor: Monitor, error: Exception) -> Exception | None:
    return None if monitor.features.sensitive else error


def frame(monitor: Monitor, rows: Rows) -> "pd.DataFrame":
    """Return rows as a training function gets them: features under their own names and types,
    the label and the time of the prediction under theirs.
    """
    return _under_their_names(monitor, rows.table).to_pandas()


def _under_their_names(monitor: Monitor, table: pa.Table) -> pa.Table:
    assert monitor.labels is not None
    roles = {TIMESTAMP: monitor.predictions.timestamp, LABEL: monitor.labels.label}
    names = [*(name for name in table.column_names if name.startswith(RAW)), *roles]
    own = [roles.get(name, name.removeprefix(RAW)) for name in names]
    return table.select(names).rename_columns(own)


def scored(monitor: Monitor, model: Any, rows: Rows) -> Rows:
    """Return the same rows with what this model says in place of what the log says."""
    given = frame(monitor, rows).drop(columns=monitor.labels.label if monitor.labels else [])
    table = rows.table
    said = [SCORE, PREDICTION, score_of("")]
    table = table.drop_columns(
        [name for name in table.column_names if name in said or name.startswith(score_of(""))]
    )
    try:
        for name, values in _said(monitor, model, given):
            table = table.append_column(name, pa.array(values))
    except TrainingError:
        raise
    except Exception as error:  # noqa: BLE001 (it is the user's code)
        raise _failure(monitor, "the model failed to predict:", error) from _shown(monitor, error)
    return Rows(table=table, total=rows.total)


def _said(monitor: Monitor, model: Any, given: "pd.DataFrame") -> list[tuple[str, Any]]:
    if not _has_scores(monitor):
        return [(PREDICTION, np.asarray(model.predict(given)))]
    probabilities = np.asarray(model.predict_proba(given), dtype=float)
    places = {canonical(value): place for place, value in enumerate(model.classes_)}
    log = monitor.predictions
    if monitor.task is Task.BINARY:
        positive = "1" if log.positive is None else canonical(log.positive)
        if positive not in places:
            raise TrainingError(
                f"the model knows the classes {', '.join(places)}, not the positive {positive!r}"
            )
        return [(SCORE, probabilities[:, places[positive]])]
    return [(score_of(name), probabilities[:, place]) for name, place in places.items()]


def _has_scores(monitor: Monitor) -> bool:
    return monitor.task is not Task.REGRESSION and monitor.predictions.score is not None
