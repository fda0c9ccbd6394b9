"""The report of a window as one document, for scripts and CI: what its page says, in JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np

from driftline.domain import Explanation, Measurement, Verdict
from driftline.profile.reference import Reference
from driftline.suites.frame import Column, Frame
from driftline.suites.outcomes import Outcomes
from driftline.suites.report import Content

VERSION = 1
"""It grows when a key is renamed, is dropped, or means another thing; not when one is added."""

MOST_COMMON = 10
"""So many categories of a column are named, those with most rows first."""


def document(
    shown: Content, reference: Reference, as_of: datetime, kept: Iterable[Measurement]
) -> dict[str, Any]:
    """Return the document: times are ISO 8601 in UTC, what is not known or not finite is None.

    `kept` are the numbers of the metrics table about the window; those of all of its rows are told.
    """
    monitor, window = shown.monitor, shown.window
    span = {"cadence": window.cadence, "start": window.start, "end": window.end}
    compared = {"id": reference.id, "start": reference.start, "end": reference.end}
    whole = [one for one in kept if not one.segment]
    found: dict[str, Any] = plain(
        {
            "version": VERSION,
            "monitor": monitor.monitor,
            "task": str(monitor.task),
            "window": span,
            "as_of": as_of,
            "rows": _rows(shown.current),
            "reference": compared | _rows(shown.reference),
            "labels": _labels(shown.outcomes),
            "outcome": str(shown.verdicts[0].outcome) if shown.verdicts else None,
            "verdicts": [_verdict(each) for each in shown.verdicts],
            "why": _why(shown.why),
            "columns": [_column(shown, name) for name in shown.current.columns],
            "measurements": [
                _number(one) for one in whole if not monitor.features.hides(one.column_name)
            ],
            "remarks": shown.remarks,
        }
    )
    return found


def plain(value: Any) -> Any:
    """Return a value as JSON has it: no types of numpy's, no NaN, no infinity.

    >>> plain({"a": (np.float64("nan"), np.int64(3))})
    {'a': [None, 3]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


def _rows(frame: Frame) -> dict[str, int]:
    """Return how many rows there are, and how many of them the report was drawn from."""
    return {"rows": frame.total, "sampled": frame.rows}


def _labels(outcomes: Outcomes | None) -> dict[str, Any] | None:
    if outcomes is None:
        return None
    return {"rows": outcomes.rows, "labelled": outcomes.labelled, "coverage": outcomes.coverage}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule,
        "outcome": str(verdict.outcome),
        "failed": verdict.outcome.failed,
        "firing": verdict.firing,
        "streak": verdict.streak,
        "reason": verdict.reason,
        **_subject(verdict.measurement),
        "value": verdict.measurement.value,
    }


def _subject(one: Measurement) -> dict[str, str]:
    return {
        "suite": str(one.suite),
        "metric": one.metric,
        "column": one.column_name,
        "detail": one.detail,
        "baseline": one.baseline,
        "engine": str(one.engine),
        "model_version": one.model_version,
    }


def _number(one: Measurement) -> dict[str, Any]:
    return _subject(one) | {
        "value": one.value,
        "lower": one.lower,
        "upper": one.upper,
        "rows": one.row_count,
        "coverage": one.coverage,
        "reason": one.reason,
        "as_of": one.as_of,
    }


def _why(found: Explanation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = asdict(found)
    causes = [cause | {"kind": str(cause["kind"])} for cause in told["causes"]]
    return told | {"causes": causes}


def _column(shown: Content, name: str) -> dict[str, Any]:
    method = shown.methods.get(name)
    kind = shown.current.columns[name].kind
    sides = {"window": shown.current, "reference": shown.reference}
    return {
        "column": name,
        "kind": str(kind),
        "method": str(method) if method else None,
        **{side: _distribution(frame.columns[name]) for side, frame in sides.items()},
    }


def _distribution(column: Column) -> dict[str, Any]:
    """Return what is told of a column's values: of numbers quantiles, of categories the common."""
    rows = {"values": column.usable, "missing": len(column.values) - column.usable}
    if column.kind.is_number:
        return rows | _numbers(column.values)
    return rows | _categories(column.values)


def _numbers(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    present = values[~np.isnan(values)]
    if not present.size:
        return dict.fromkeys(("mean", "std", "min", "p25", "p50", "p75", "max"))
    low, *quartiles, high = np.quantile(present, [0, 0.25, 0.5, 0.75, 1])
    spread = present.std(ddof=1) if present.size > 1 else None
    told = {"mean": present.mean(), "std": spread, "min": low}
    return told | dict(zip(("p25", "p50", "p75"), quartiles, strict=True)) | {"max": high}


def _categories(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    import pandas as pd

    counts = pd.Series(values, dtype=object).value_counts()
    common = [{"value": value, "rows": rows} for value, rows in counts.head(MOST_COMMON).items()]
    return {"distinct": len(counts), "common": common}
