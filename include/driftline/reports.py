"""The HTML reports of windows: where they lie, who owes one, and how one is written."""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from driftline.config import Monitor
from driftline.domain import Verdict, Window
from driftline.home import artifact
from driftline.monitor_file import called
from driftline.reference import Reference
from driftline.store import Store, incidents, verdicts
from driftline.watch import Step, Watch

REPORT = "report.html"


def places(monitor: Monitor, found: Iterable[Verdict]) -> list[str]:
    """Return where to look: the report of each window, and the command that lists the numbers."""
    windows = sorted({verdict.measurement.window for verdict in found}, key=lambda w: w.start)
    daily = [window for window in windows if window.cadence != "1h"]
    reports = [str(artifact(monitor, window, REPORT)) for window in daily]
    period = f"--from {windows[0].start:%F} --to {windows[-1].end:%F}"
    return [*reports, f"driftline metrics {called(monitor)} {period}"]


def owed(store: Store, monitor: Monitor, end: datetime) -> set[Window]:
    """Return the windows in which an incident fired at this moment: somebody will look at them."""
    with store.read() as connection:
        fired = incidents.of(connection, monitor.monitor, start=end)
    cadences = {incident.series.cadence for incident in fired if incident.fired == end}
    return {Window.ending(cadence, end) for cadence in cadences - {"1h"}}


def write_report(store: Store, watch: Watch, reference: Reference, step: Step) -> Path:
    """Build the HTML report of a window, put it among the artifacts and return its path."""
    path = artifact(watch.monitor, step.window, REPORT)
    monitor = watch.monitor
    with store.read() as connection:
        said = verdicts.of_window(connection, monitor.monitor, step.window, monitor.config_hash)
    html = watch.report(step, reference, [v for v in said if not v.measurement.segment])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(html, encoding="utf-8")
    partial.replace(path)  # a reader sees the whole page or none of it
    return path
