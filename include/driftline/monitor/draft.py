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

_UNIT = r"(_(ms|us|ns|s|utc|millis|micros|epoch|unix))?"
_WHEN = r"(at|ts|time|timestamp|datetime)"
_TIMES = (
    rf"(predicted|scored)_(at|on|ts){_UNIT}|(prediction|predict|inference|scoring)_{_WHEN}{_UNIT}",
    rf"(timestamp|ts){_UNIT}|(event|request|logged|served|serving)_{_WHEN}{_UNIT}",
    rf"created(_at|_ts)?{_UNIT}",
)
_OTHER_TIMES = (r"time|datetime", r"date")
_KNOWN_TIMES = rf"(labell?ed|label|outcome|observed|observation|resolved|arrived)_{_WHEN}{_UNIT}"
_LABEL_TIMES = (_KNOWN_TIMES, *_TIMES, *_OTHER_TIMES, r"(loaded|ingested|inserted|updated)_at")
_ANY_TIME = rf"(.*_)?(at|ts|time(stamp)?|datetime|date|day|month|year){_UNIT}"
_FILED = r"ds|dt|index|idx|level_0|__index_level_\d+__|unnamed:?_*\d+|_*partition\w*"
_OWN_IDS = (
    r"(request|prediction|inference|event|record|sample|trace|correlation)_?(id|uuid|key)",
    r"_?(id|uuid|guid)",
)
_IDS = (*_OWN_IDS, r".*_(id|uuid|guid|key)|id_\w+")
_SURE_SCORES = (
    r"((y|model|predict|predicted|prediction|pred|positive|scored)_)?"
    r"(score|prob|proba|probability|propensity)|scored_probabilities",
)
_SCORES = (*_SURE_SCORES, r".*_(prob|proba|probability|propensity)", r".*_score", r"p(_\w+)?")
_CLASS_SCORE = re.compile(r"(?:p|prob|proba|probability|score)_(\w+)", re.IGNORECASE)
_SCORES_HOLDER = re.compile(r"(.*_)?(scores|probs|probas|probabilities)", re.IGNORECASE)
_SIDES = (("0", "1"), ("no", "yes"), ("false", "true"), ("neg", "pos"), ("negative", "positive"))
_PREDICTIONS = (
    r"prediction|predicted|pred|y_pred|y_hat|yhat|predicted_(class|label|value)|scored_labels?",
    r"predicted_\w+|.*_(pred(iction|icted)?|hat)|pred_\w+",
    r"(.*_)?(forecast|estimate)",
)
_LABELS = (
    r"label|target|y|y_true|outcome|actual|(ground_)?truth|(true|actual)_(label|class|value)",
    r"(label|target|actual|true|observed)_\w+|\w+_(label|target|actual|true|truth|outcome)",
    r"(is_)?(fraud(ulent)?|churn(ed)?|spam|clicked|converted|default(ed)?|delayed)",
)
_OWN_LABELS = (*_LABELS, r"(is|has|was)_\w+", r"class|value|result")
"""In a table of labels; in a prediction's row they may be features."""
_VERSIONS = (r"model_ver(sion)?", r"version")
_LATENCIES = (r"latency_ms", r"latency|duration_ms|response_time_ms")
_STATUSES = (r"status_code|http_status|response_code", r"status")
"""Patterns of column names, the surest first."""

_WRAPPED = r"(Nullable\(|LowCardinality\()*"
_FLOAT = re.compile(_WRAPPED + r"(DOUBLE|FLOAT|REAL|DEC|NUM)", re.IGNORECASE)
_WHOLE = re.compile(_WRAPPED + r"(U?(TINY|SMALL|BIG|HUGE)?INT|BYTE|SHORT|LONG)", re.IGNORECASE)
_TRUTH = re.compile(_WRAPPED + r"BOOL", re.IGNORECASE)
_TIME = re.compile(_WRAPPED + r"(TIME|DATE)", re.IGNORECASE)
_DATE = re.compile(_WRAPPED + r"DATE(32)?\b", re.IGNORECASE)

Said = Mapping[str, Any]
"""What a person said of columns: by role the column, of the id a list of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What the columns of the two tables seem to be."""

    task: str
    timestamp: str
    id: str | Sequence[str] | None = None
    score: str | Mapping[str, str] | None = None
    """The column of P(positive), or of each class; None where no score is logged."""
    prediction: str | None = None
    version: str | None = None
    latency_ms: str | None = None
    status: str | None = None
    label: str | None = None
    label_id: str | Sequence[str] | None = None
    label_timestamp: str | None = None


def guess(
    columns: Mapping[str, str],
    label_columns: Mapping[str, str],
    task: str | None = None,
    said: Said | None = None,
) -> Guess:
    """Guess the roles of columns from their names and SQL types; what a person said is taken.

    Raises InputError where no column looks like the time, like what the model said, or in a table
    of labels like the label.
    """
    said = {role: names for role, names in (said or {}).items() if names}
    timestamp = said.get("timestamp") or _timestamp(columns)
    rest = {name: kind for name, kind in columns.items() if name != timestamp}
    if task == "none":
        ids, _ = _ids(rest, {}, said.get("id"))
        return Guess(task=task, timestamp=timestamp, id=ids)  # all other columns are features
    numbers = {name: kind for name, kind in rest.items() if _may_be_number(kind)}
    score = said.get("score") or _like(_SCORES, numbers)
    classes = {} if "score" in said else _classes(numbers)
    sides = next(
        ([classes[no], classes[yes]] for no, yes in _SIDES if {no, yes} == {*classes}), None
    )
    if sides:
        score, classes = sides[1], {}
    scores = {score, *classes.values(), *(sides or ())}
    timeless = {name: kind for name, kind in rest.items() if not _TIME.match(kind)}
    left = _without(timeless, scores, _IDS, (_ANY_TIME,))
    prediction = said.get("prediction") or _like(_PREDICTIONS, left)
    if score is None and prediction is None:
        raise InputError(
            "no column looks like a score or a prediction, such as probability or prediction; "
            "name it with --score or --prediction, or watch a table without predictions, such as "
            f"a feature store, with --task none: {', '.join(columns)}"
        )
    ids, label_ids = _ids(rest, label_columns, said.get("id"))
    if label_columns and None in (ids, label_ids):
        raise InputError(
            "no column of both tables looks like the id that joins them; name it with --id: "
            f"{', '.join(columns)}"
        )
    label = said.get("label") or (
        _label_of_its_own(label_columns, columns, label_ids)
        if label_columns
        else _like(_LABELS, _without(left, {prediction}))
    )
    known = label_columns or rest
    label_kind = known.get(label, "") if label else ""
    task = task or _task(columns, score, classes, prediction, label_kind, "score" in said)
    known_at = _like(_LABEL_TIMES if label_columns else (_KNOWN_TIMES,), known)
    known_at = known_at or _only_time(label_columns, columns)
    return Guess(
        task=task,
        timestamp=timestamp,
        id=ids,
        score={"binary": score, "multiclass": classes or None}.get(task),
        prediction=prediction or (score if task == "regression" else None),
        version=_like(_VERSIONS, rest),
        latency_ms=_like(_LATENCIES, numbers),
        status=_like(_STATUSES[:1], rest) or _like(_STATUSES, _of(_WHOLE, rest)),
        label=label,
        label_id=label_ids,
        label_timestamp=known_at if label else None,
    )


def _timestamp(columns: Mapping[str, str]) -> str:
    """Return the time of the prediction: by a sure name, else by type, else by any name."""
    able = {name: kind for name, kind in columns.items() if not _TRUTH.match(kind)}
    timed = _without(_of(_TIME, able), (), (_KNOWN_TIMES,))
    moments = {name: kind for name, kind in timed.items() if not _DATE.match(kind)}
    found = _like(_TIMES, able) or _like(_OTHER_TIMES, moments) or next(iter(moments), None)
    found = found or _like(_OTHER_TIMES, able) or next(iter(timed), None)
    if found is None:
        raise InputError(
            "no column looks like the prediction's time; "
            f"name it with --timestamp: {', '.join(columns)}"
        )
    return found


def _classes(numbers: Mapping[str, str]) -> dict[str, str]:
    """Return by class the column of its score: p_cat, or probabilities.cat in a struct."""
    inside = {
        _last(name): name
        for name in numbers
        if _SCORES_HOLDER.fullmatch(_last(name.rpartition(".")[0]))
    }
    if len(inside) > 1:
        return inside
    named = {m[1]: name for name in numbers if (m := _CLASS_SCORE.fullmatch(_last(name)))}
    return named if len(named) > 1 else {}


def _task(
    columns: Mapping[str, str],
    score: str | None,
    classes: Mapping[str, str],
    prediction: str | None,
    label_kind: str,
    sure: bool,
) -> str:
    """Return what the model seems to predict: a number, one of two classes, or one of several."""
    kind = columns.get(prediction, "") if prediction else ""
    numeric = bool(_FLOAT.match(kind) or (_WHOLE.match(kind) and _FLOAT.match(label_kind)))
    sure = sure or _like(_SCORES[:2], [score] if score else []) is not None
    if classes and not numeric:
        return "multiclass"
    if score and (sure or not numeric):
        return "binary"
    if numeric:
        return "regression"
    return "binary" if _TRUTH.match(kind) else "multiclass"


def _ids(
    rest: Mapping[str, str], label_columns: Mapping[str, str], said: Sequence[str] | None
) -> tuple[Any, Any]:
    """Return the id of predictions and of labels: what both tables have, else what is like one."""
    if said:
        names = said[0] if len(said) == 1 else list(said)
        return names, names if label_columns else None
    shared = [name for name in rest if name in label_columns]
    if one := _like(_OWN_IDS, shared):
        return one, one
    several = [name for name in shared if _like(_IDS, [name])]
    if several:
        names = several[0] if len(several) == 1 else several
        return names, names
    return _like(_IDS, rest), _like(_IDS, label_columns)


def _label_of_its_own(
    label_columns: Mapping[str, str], columns: Mapping[str, str], ids: str | Sequence[str] | None
) -> str:
    """Return the label in a table of labels: no time, no id, nothing that the log has too."""
    taken = {ids} if isinstance(ids, str) else set(ids or ())
    timeless = {name: kind for name, kind in label_columns.items() if not _TIME.match(kind)}
    own = _without(timeless, taken, _IDS, (_ANY_TIME, _FILED), _VERSIONS)
    new = {name: kind for name, kind in own.items() if name not in columns}
    numbers = [name for name, kind in new.items() if _may_be_number(kind) or _TRUTH.match(kind)]
    found = _like(_OWN_LABELS, own) or next(iter([*numbers, *new]), None)
    if found is None:
        raise InputError(
            "no column of the labels looks like the label (ids, times and columns of the "
            f"predictions are none); name it with --label: {', '.join(label_columns)}"
        )
    return found


def _only_time(label_columns: Mapping[str, str], columns: Mapping[str, str]) -> str | None:
    """Return the one time that labels have and the log has not: a sale is known when it is sold."""
    own = [name for name in _of(_TIME, label_columns) if name not in columns]
    return own[0] if len(own) == 1 else None


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
        own = {"id": found.label_id if labels else None, "timestamp": found.label_timestamp}
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


def _without(
    columns: Mapping[str, str], taken: Iterable[str | None], *patterns: Iterable[str]
) -> dict[str, str]:
    """Return the columns that are not taken and like none of the patterns."""
    taken = set(taken)
    return {
        name: kind
        for name, kind in columns.items()
        if name not in taken and not any(_like(group, [name]) for group in patterns)
    }


def _of(kind: re.Pattern[str], columns: Mapping[str, str]) -> dict[str, str]:
    return {name: found for name, found in columns.items() if kind.match(found)}


def _may_be_number(kind: str) -> bool:
    """Whether a type is a number's; SQLite's columns may have none."""
    return not kind or bool(_FLOAT.match(kind) or _WHOLE.match(kind))


def _like(patterns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the name, or path, whose last part is like the earliest pattern; `predictedAt` is
    read as `predicted_At`.
    """
    names = list(names)
    found = (
        name
        for pattern in patterns
        for name in names
        if re.fullmatch(pattern, _CAMEL.sub("_", _last(name)), re.IGNORECASE)
    )
    return next(found, None)


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+")


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
