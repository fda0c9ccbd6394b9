"""The reports of windows: where they lie, who owes one, and how one is written."""

import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from driftline.domain import Suite, Verdict, Window
from driftline.flow.step import Step
from driftline.flow.watch import Watch
from driftline.monitor.config import Monitor
from driftline.monitor.file import called
from driftline.monitor.home import artifact
from driftline.printable import amount
from driftline.profile.reference import Reference
from driftline.store import Store, explanations, incidents, ledger, measurements, verdicts
from driftline.suites import report, report_document
from driftline.suites.outcomes import outcomes

REPORT = "report.html"

_LOOKED_BACK = 14
"""So many windows before tell how early labels differ from all."""
_FEWEST = 3
_GAP = 0.05
"""A mean of the labels that moves by a smaller share of itself is not worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where a run of Airflow is seen, and below which address driftline's pages are."""

    run: str
    pages: str

    def report(self, monitor: Monitor, window: Window) -> str:
        """Return where the report of a window is read."""
        return f"{self.pages}/{monitor.monitor}/report/{window.cadence}/{window.start:%F}"


def places(
    monitor: Monitor,
    found: Collection[Verdict],
    written: Collection[Window],
    links: Links | None = None,
) -> list[str]:
    """Return where to look: the run, each window's report, and the command that lists the numbers.

    Of a window whose report is not among those that are `written` by the run, and is not there
    already, it is the command that makes one.
    """
    windows = sorted({verdict.measurement.window for verdict in found}, key=lambda w: w.start)
    look = [links.run] if links else []
    for window in (window for window in windows if window.cadence != "1h"):
        path = artifact(monitor, window, REPORT)
        if window not in written and not path.exists():
            look.append(f"driftline report {_name(monitor)} {_chosen(window)}")
        else:
            look.append(links.report(monitor, window) if links else str(path))
    return [*look, f"driftline metrics {_name(monitor)} {_period(windows, found)}"]


def _name(monitor: Monitor) -> str:
    return shlex.quote(called(monitor))


def _chosen(window: Window) -> str:
    return f"--window {window.cadence} --end {window.end:%F}"


def _period(windows: Sequence[Window], found: Collection[Verdict]) -> str:
    """Return the options that list what the verdicts are about."""
    form = "%Y-%m-%dT%H:%M" if any(w.cadence == "1h" for w in windows) else "%Y-%m-%d"
    start, end = min(w.start for w in windows), max(w.end for w in windows)
    period = [f"--from {start:{form}} --to {end:{form}}"]
    cadences = {window.cadence for window in windows}
    metrics = {verdict.measurement.metric for verdict in found}
    period += [f"--window {each}" for each in cadences if len(cadences) == 1]
    return " ".join([*period, *(f"--metric {each}" for each in metrics if len(metrics) == 1)])


def owed(connection: Connection, monitor: Monitor, end: datetime) -> set[Window]:
    """Return the windows in which an incident fired at this moment: somebody will look at them.

    Labels may tell only now of a window that ended before.
    """
    told = ledger.restated(
        connection,
        monitor.monitor,
        config_hash=monitor.config_hash,
        as_of=end,
        suite=Suite.PERFORMANCE,
    )
    first = min((window.start for window in told), default=end)
    fired = incidents.of(connection, monitor.monitor, start=first)
    windows = {Window.ending(cadence, end) for cadence in monitor.windows} | {*told}
    subjects = {(incident.series.cadence, incident.fired) for incident in fired}
    return {w for w in windows if w.cadence != "1h" and (w.cadence, w.end) in subjects}


def early_labels(rows: Iterable[Mapping[str, Any]]) -> str:
    """Say how the labels that came first differ from all that have come; '' where they do not.

    `rows` are those of `label_mean`, each window's in the order in which more became known.
    """
    windows: dict[datetime, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["value"] is not None and row["row_count"]:
            windows.setdefault(row["window_start"], []).append(row)
    told = [every for every in windows.values() if every[-1]["row_count"] > every[0]["row_count"]]
    if len(told) < _FEWEST:
        return ""
    first, last = ([every[place] for every in told] for place in (0, -1))
    counted = [sum(row["row_count"] for row in known) for known in (first, last)]
    means = [
        sum(row["value"] * row["row_count"] for row in known) / count
        for known, count in zip((first, last), counted, strict=True)
    ]
    share, gap = counted[0] / counted[1], abs(means[1] - means[0])
    if gap < _GAP * max(map(abs, means)):
        return ""
    return (
        f"early labels are biased: in {amount(len(told), 'window')} before, the {share:.0%} of the "
        f"labels that were known first have a mean of {means[0]:.3g}, all that are known now "
        f"{means[1]:.3g}; what is measured from the first of them leans the same way"
    )


def write_report(
    store: Store, watch: Watch, reference: Reference, step: Step, path: Path | None = None
) -> Path:
    """Build the HTML report of a window and return its path, which is among the artifacts unless
    another is given.
    """
    page = report.html(_content(store, watch, reference, step))
    return write(path or artifact(watch.monitor, step.window, REPORT), page)


def write(path: Path, text: str) -> Path:
    """Write a file whole: a reader sees what was there before, or all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)


def document(store: Store, watch: Watch, reference: Reference, step: Step) -> dict[str, Any]:
    """Return what the report of a window says, for programs; see `report_document.document`."""
    shown = _content(store, watch, reference, step)
    with store.read() as connection:
        kept = measurements.of_window(
            connection, watch.monitor.monitor, step.window, watch.monitor.config_hash
        )
    return report_document.document(shown, reference, step.as_of, kept)


def _content(store: Store, watch: Watch, reference: Reference, step: Step) -> report.Content:
    monitor = watch.monitor
    with store.read() as connection:
        said = verdicts.of_window(connection, monitor.monitor, step.window, monitor.config_hash)
        rows = measurements.history(
            connection,
            monitor.monitor,
            metric="label_mean",
            suite=Suite.PERFORMANCE,
            cadence=step.window.cadence,
            segment="",
            model_version="",
            config_hash=monitor.config_hash,
            start=step.window.start - _LOOKED_BACK * (step.window.end - step.window.start),
            end=step.window.end,
        )
        found = explanations.newest(connection, monitor.monitor, step.window, monitor.config_hash)
    early = early_labels(rows)
    columns = watch.columns(reference)
    labelled = monitor.labels is not None
    sample = watch.rows(step, columns, labels=labelled)
    return report.content(
        monitor,
        step.window,
        sample,
        watch.compared(reference),
        columns,
        outcomes(monitor, sample) if labelled else None,
        [verdict for verdict in said if not verdict.measurement.segment],
        why=found,
        remarks=[early] if early else [],
    )
