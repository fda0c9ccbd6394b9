"""The ledger of estimates: what each foresaw, what came true, and whether they are believed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from driftline.domain import Engine, Suite, Window
from driftline.monitor.config import Monitor
from driftline.stats.trust import LAST, Ends, trust
from driftline.store import measurements

Told = Mapping[tuple[datetime, str], Mapping[str, Any]]
"""Rows of the metrics table by the start of their window and by metric."""


def distrusted(connection: Connection, monitor: Monitor, window: Window) -> dict[str, str]:
    """Return by metric how its estimates failed lately, of those that are not believed any more.

    Compared are the last windows before this one that have rows of their own, as they were known
    at its end, and of whose predictions enough had a label.
    """
    length = window.end - window.start
    start = window.start - LAST * length
    foreseen = _told(connection, monitor, window, Suite.ESTIMATE, start)
    came = _told(connection, monitor, window, Suite.PERFORMANCE, start)
    found = {}
    for metric in sorted({metric for _, metric in foreseen}):
        pairs = [
            (foreseen[key], came[key])
            for n in range(LAST, 0, -1)
            if (key := (window.start - n * length, metric)) in foreseen and key in came
        ]
        told = trust(metric, [_ends(one) for one, _ in pairs], [_ends(two) for _, two in pairs])
        if not told.trusted:
            found[metric] = f"no longer trusted: {told.reason}"
    return found


def _told(
    connection: Connection, monitor: Monitor, window: Window, suite: Suite, start: datetime
) -> Told:
    rows = measurements.history(
        connection,
        monitor.monitor,
        suite=suite,
        cadence=window.cadence,
        segment="",
        model_version="",
        config_hash=monitor.config_hash,
        start=start,
        end=window.start,
    )
    least = monitor.labels.min_coverage if monitor.labels else 0.0
    found: dict[tuple[datetime, str], Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["as_of"]):
        known = row["engine"] == Engine.PROFILE and row["as_of"] <= window.end
        enough = row["coverage"] is None or row["coverage"] >= least
        if known and enough and row["value"] is not None and not row["detail"]:
            found[row["window_start"], row["metric"]] = row
    return found


def _ends(row: Mapping[str, Any]) -> Ends:
    nan = float("nan")
    value, lower, upper = (nan if row[k] is None else row[k] for k in ("value", "lower", "upper"))
    return value, lower, upper
