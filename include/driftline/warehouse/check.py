"""What a monitor's file names and the warehouse lacks; `lint --connect` shows it."""

from collections.abc import Callable, Iterator
from typing import Protocol

from driftline.errors import LogError, MissingColumn, MissingTable
from driftline.monitor.config import Monitor
from driftline.warehouse.age import TIMES
from driftline.warehouse.source import Source


class Opened(Protocol):
    """Logs as far as a check needs them."""

    monitor: Monitor

    @property
    def log(self) -> Source:
        """The prediction log, whatever it lacks."""

    @property
    def labels(self) -> Source | None:
        """The labels' own table."""

    @property
    def reference(self) -> Source | None:
        """The reference's own table."""


def named_columns(monitor: Monitor) -> Iterator[tuple[str, str]]:
    """Yield each key of the file that names a column of the prediction log, and the column."""
    log, labels, lists = monitor.predictions, monitor.labels, monitor.features
    yield "predictions.timestamp", log.timestamp
    for name in log.id or ():
        yield "predictions.id", name
    scores = log.score if isinstance(log.score, dict) else {"": log.score}
    single = {
        "predictions.prediction": log.prediction,
        "predictions.version": log.version,
        "predictions.latency_ms": log.latency_ms,
        "predictions.status.column": log.status.column if log.status else None,
        "predictions.partition.column": log.partition.column if log.partition else None,
        **{f"predictions.score{f'.{name}' if name else ''}": c for name, c in scores.items()},
    }
    if labels and not labels.named:
        single |= {
            "labels.label": labels.label,
            "labels.timestamp": labels.timestamp,
            "labels.loaded_at": labels.loaded_at,
        }
    yield from ((key, name) for key, name in single.items() if name)
    for name in labels.join.key if labels and labels.join else ():
        yield "labels.join.key", name
    for key in ("numeric", "categorical", "text", "timestamp", "exclude", "sensitive"):
        for name in getattr(lists, key) or ():
            yield f"features.{key}", name
    for name in monitor.segments:
        yield "segments", name
    for expectation in monitor.quality:
        if expectation.column:
            yield f"quality.{expectation.type}", expectation.column
    for name in monitor.drift.columns:
        yield "drift.columns", name


def named_of_labels(monitor: Monitor) -> Iterator[tuple[str, str]]:
    """Yield each key that names a column of the labels' own table, and the column."""
    labels = monitor.labels
    if labels is None or not labels.named:
        return
    for name in labels.id or ():
        yield "labels.id", name
    for name in labels.join.key if labels.join else ():
        yield "labels.join.key", name
    single = {
        "labels.label": labels.label,
        "labels.timestamp": labels.timestamp,
        "labels.loaded_at": labels.loaded_at,
    }
    yield from ((key, name) for key, name in single.items() if name)


def faults(logs: Opened) -> Iterator[LogError]:
    """Yield an error for each table and column that is missing, in the order of the file."""
    log = _opened(lambda: logs.log)
    if isinstance(log, Source):
        yield from _lacking(log, named_columns(logs.monitor))
    elif log:
        yield log
    settings = logs.monitor.labels
    if settings and settings.named:
        labels = _opened(lambda: logs.labels)
        if isinstance(labels, Source):
            yield from _lacking(labels, named_of_labels(logs.monitor))
        elif labels:
            yield labels
    rows = _opened(lambda: logs.reference)
    if isinstance(rows, LogError):
        yield rows


def _opened(source: Callable[[], Source | None]) -> Source | LogError | None:
    try:
        return source()
    except (MissingTable, MissingColumn) as error:
        return error


def _lacking(source: Source, wanted: Iterator[tuple[str, str]]) -> Iterator[LogError]:
    for key, name in wanted:
        found = source.find(name)
        if found is None:
            yield source.lacks(name, key)
        elif key == "labels.label" and found.family in TIMES:
            said = f"{name!r} is a time ({found.type}), and no model predicts one; name the outcome"
            yield LogError(f"{key}: {said}")
