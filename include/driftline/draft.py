"""Drafts a monitor file from the columns of its tables: guesses that a person then corrects."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from driftline.domain import DAY, floor
from driftline.errors import InputError
from driftline.printable import printable_lines

_TIMES = (
    r"predicted_at",
    r"prediction_time(stamp)?",
    r"timestamp|ts|event_time|created_at",
    r"time|date(time)?",
)
_LABEL_TIMES = (r"labell?ed_at|label_time(stamp)?|observed_at|arrived_at", *_TIMES)
_IDS = (r"(request|prediction|inference|event)_id", r"id|uuid", r".*_id")
_SCORES = (r"score|prob(ability)?|proba|y_score", r".*_(score|prob|proba|probability)", r"p(_\w+)?")
_CLASS_SCORE = re.compile(r"(?:p|prob|proba|probability|score)_(\w+)", re.IGNORECASE)
_PREDICTIONS = (r"prediction|predicted|pred|y_pred|y_hat|yhat", r"predicted_\w+|.*_pred(iction)?")
_LABELS = (r"label|target|y|y_true|outcome|actual|(ground_)?truth", r"is_\w+")
_VERSIONS = (r"model_version", r"version")
_LATENCIES = (r"latency_ms", r"latency|duration_ms|response_time_ms")
_STATUSES = (r"status(_code)?", r"http_status|response_code")
"""Patterns of column names, the surest first."""

_FLOAT = re.compile(r"DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC", re.IGNORECASE)
_TIME = re.compile(r"TIME|DATE", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What the columns of the two tables seem to be."""

    task: str
    timestamp: str
    id: str | None
    score: str | Mapping[str, str] | None
    """The column of P(positive), or of each class; None where no score is logged."""
    prediction: str | None
    version: str | None
    latency_ms: str | None
    status: str | None
    label: str | None
    label_id: str | None
    label_timestamp: str | None


def guess(
    columns: Mapping[str, str], label_columns: Mapping[str, str], task: str | None = None
) -> Guess:
    """Guess the roles of columns from their names and SQL types.

    Raises InputError where no column looks like the time or like what the model said.
    """
    timed = [name for name, kind in columns.items() if _TIME.search(kind)]
    timestamp = _like(_TIMES, columns) or next(iter(timed), None)
    if timestamp is None:
        raise InputError(f"no column looks like the prediction's time: {', '.join(columns)}")
    rest = [name for name in columns if name != timestamp]
    score, prediction = _like(_SCORES, rest), _like(_PREDICTIONS, rest)
    classes = {m[1]: name for name in rest if (m := _CLASS_SCORE.fullmatch(_last(name)))}
    if score is None and prediction is None:
        raise InputError(
            "no column looks like a score or a prediction, such as probability or prediction: "
            + ", ".join(columns)
        )
    if task is None:
        numeric = prediction is not None and _FLOAT.search(columns[prediction])
        several = len(classes) > 1 and not numeric
        task = "multiclass" if several else "binary" if score else ""
        task = task or ("regression" if numeric else "multiclass")
    id_column = _like(_IDS, rest)
    label_id = id_column if id_column in label_columns else _like(_IDS, label_columns)
    label_timestamp = _like(_LABEL_TIMES, label_columns)
    own = [name for name in label_columns if name not in (label_id, label_timestamp)]
    label = (_like(_LABELS, own) or next(iter(own), None)) if label_columns else None
    return Guess(
        task=task,
        timestamp=timestamp,
        id=id_column,
        score={"binary": score, "multiclass": classes or None}.get(task),
        prediction=prediction or (score if task == "regression" else None),
        version=_like(_VERSIONS, rest),
        latency_ms=_like(_LATENCIES, rest),
        status=_like(_STATUSES, rest),
        label=label or (None if label_columns else _like(_LABELS, rest)),
        label_id=label_id,
        label_timestamp=label_timestamp,
    )


def reference_window(first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """Return the log's first four weeks, or its first half where it is shorter than eight."""
    start = floor(first, DAY)
    days = max(1, min(28, (floor(last, DAY) - start) // DAY // 2))
    return start, start + days * DAY


def document(
    name: str,
    found: Guess,
    *,
    warehouse: str | None,
    predictions: Mapping[str, str],
    labels: Mapping[str, str] | None,
    reference: Sequence[datetime],
) -> dict[str, Any]:
    """Return the monitor file that the guess leads to, as plain values."""
    log = {
        **predictions,
        "id": found.id,
        "timestamp": found.timestamp,
        "score": found.score,
        "prediction": found.prediction,
        "version": found.version,
        "latency_ms": found.latency_ms,
    }
    file: dict[str, Any] = {"monitor": name, "task": found.task}
    if warehouse:
        file["warehouse"] = warehouse
    file["predictions"] = _written(log)
    if found.status:
        file["predictions"]["status"] = {"column": found.status}
    if found.label:
        own = {"id": found.label_id, "timestamp": found.label_timestamp} if labels else {}
        file["labels"] = _written({**(labels or {}), **own, "label": found.label})
    file["reference"] = {"window": [moment.date() for moment in reference]}
    file["windows"] = ["1d", "7d"]
    return file


def to_yaml(file: Mapping[str, Any]) -> str:
    """Return the text of a monitor file."""
    written = _dumped(file, allow_unicode=True)
    # YAML leaves marks that turn or hide text as they are; its escapes show them.
    return written if printable_lines(written) == written else _dumped(file, allow_unicode=False)


def _dumped(file: Mapping[str, Any], *, allow_unicode: bool) -> str:
    return yaml.safe_dump(
        dict(file), sort_keys=False, allow_unicode=allow_unicode, default_flow_style=False
    )


def _like(patterns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the name, or path, whose last part is like the earliest pattern."""
    found = (
        name
        for pattern in patterns
        for name in names
        if re.fullmatch(pattern, _last(name), re.IGNORECASE)
    )
    return next(found, None)


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
