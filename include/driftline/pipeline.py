"""The flow, in steps that a task can call: measure, record, conclude, deliver.

`run` does in process what the DAGs do in tasks, by the same functions:

    steps of an interval -> measure each -> record -> conclude -> report -> deliver
"""

import logging
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from driftline.alerts import delivery
from driftline.alerts.incidents import incidents
from driftline.alerts.notice import notice
from driftline.config import Monitor, Rule
from driftline.domain import (
    DAY,
    Incident,
    Outcome,
    Reference,
    Series,
    Suite,
    Verdict,
    Window,
    cadence_length,
    digest,
)
from driftline.home import artifact
from driftline.judge import Baselines, Broken, Evidence, Past, broken, judge, selects
from driftline.monitor_file import called
from driftline.rules import rules_of
from driftline.store import Store, ledger, measurements, monitors, outbox, references, verdicts
from driftline.store import incidents as incident_table
from driftline.store.ledger import Entry, State
from driftline.watch import Result, Step, Watch

log = logging.getLogger(__name__)


def steps(monitor: Monitor, interval: Window, as_of: datetime | None = None) -> list[Step]:
    """Return what the run of this interval (an hour or a day) measures, in order.

    A daily run measures the windows that end with it, and first, again, the performance of those
    whose labels have come of age by now. `as_of` overrides what is known of labels.
    """
    end = interval.end
    if interval.cadence == "1h":
        return [Step(suite=Suite.QUALITY, window=interval, as_of=end)]
    ending = [Window.ending(cadence, end) for cadence in monitor.windows if cadence != "1h"]
    known = as_of or end
    age = _days_to_ripen(monitor)
    ripe = [Window.ending(window.cadence, end - age) for window in ending] if age else []
    labelled = ending if monitor.labels else []
    return [
        *(Step(suite=Suite.PERFORMANCE, window=window, as_of=known) for window in ripe),
        *(Step(suite=Suite.QUALITY, window=window, as_of=end) for window in ending[:1]),
        *(Step(suite=Suite.DRIFT, window=window, as_of=end) for window in ending),
        *(Step(suite=Suite.PERFORMANCE, window=window, as_of=known) for window in labelled),
    ]


def _days_to_ripen(monitor: Monitor) -> timedelta:
    """Return the days after which a window's labels are of age; none where they are never late."""
    if monitor.labels is None or monitor.labels.timestamp is None:
        return timedelta(0)
    return DAY * math.ceil(monitor.labels.maturity / DAY)


def references_of(store: Store, watch: Watch, planned: Iterable[Step]) -> dict[Window, Reference]:
    """Return the reference of each window; the first time, count it and keep it.

    Raises WarehouseError, so that no later step has to read the warehouse inside a transaction.
    """
    _ = watch.log_start
    return {step.window: _reference(store, watch, step.window) for step in planned}


def _reference(store: Store, watch: Watch, window: Window) -> Reference:
    monitor = watch.monitor
    with store.read() as connection:
        if monitor.reference.previous is not None:
            found = references.by_id(connection, monitor.monitor, watch.reference_id(window))
        else:
            found = references.in_force(
                connection, monitor.monitor, monitor.config_hash, window.start
            )
    if found is not None:
        return found
    reference = watch.freeze(window)
    with store.begin(monitor.monitor) as connection:
        references.save(connection, reference, config_hash=monitor.config_hash)
    return reference


def record(
    connection: Connection, monitor: Monitor, results: Iterable[Result], run_id: str
) -> None:
    """Write what steps measured, each in place of what it wrote before; mark the ledger."""
    name, config_hash, now = monitor.monitor, monitor.config_hash, datetime.now(UTC)
    monitors.save(connection, name, config_hash, run_id=run_id, recorded_at=now)
    entries = []
    for result in results:
        step = result.step
        if result.state is State.DONE:
            measurements.replace(
                connection,
                result.measurements,
                monitor=name,
                window=step.window,
                suite=step.suite,
                as_of=step.as_of,
                config_hash=config_hash,
                run_id=run_id,
                recorded_at=now,
            )
        entries.append(
            Entry(
                monitor=name,
                window=step.window,
                suite=step.suite,
                state=result.state,
                as_of=step.as_of,
                config_hash=config_hash,
                rows=result.rows,
                coverage=result.coverage,
                error=result.error or result.not_evaluated,
            )
        )
    ledger.mark(connection, entries, run_id=run_id, recorded_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a run came to: its verdicts, the incidents still open, and whether it spoke of them."""

    interval: Window
    verdicts: tuple[Verdict, ...]
    open: Mapping[Incident, Verdict]
    """The incidents that these verdicts keep open, with the newest verdict of each."""
    errors: tuple[str, ...] = ()
    told: bool = False

    @property
    def opened(self) -> tuple[Incident, ...]:
        """The incidents that fired at the end of this interval."""
        return tuple(incident for incident in self.open if incident.fired == self.interval.end)


def conclude(
    connection: Connection,
    watch: Watch,
    compared: Mapping[Window, Reference],
    interval: Window,
    *,
    as_of: datetime | None = None,
    run_id: str,
    page: bool,
) -> Conclusion:
    """Judge what the run of this interval recorded; write verdicts, incidents and the message.

    `compared` is the reference of each of its windows that has one. All of it belongs to the
    caller's transaction. With `page` off (a backfill) incidents are recorded and nobody is told;
    the next live run that still fails tells it.
    """
    monitor = watch.monitor
    planned = [step for step in steps(monitor, interval, as_of) if step.window in compared]
    now = datetime.now(UTC)
    expected = [
        expectation
        for step in planned
        if step.suite is Suite.QUALITY
        for expectation in watch.default_expectations(compared[step.window], step.window)
    ]
    rules = rules_of(monitor, expected)
    before = _broken_before(connection, monitor, interval)
    evidence = Evidence(
        broken=before,
        log_start=watch.log_start,
        min_coverage=monitor.labels.min_coverage if monitor.labels else 0.0,
        maturity=monitor.labels.maturity if monitor.labels else timedelta(0),
    )
    found: list[Verdict] = []
    past: dict[Window, Past] = {}
    for step in planned:
        measured = measurements.recorded(
            connection,
            monitor.monitor,
            step.window,
            step.suite,
            step.as_of,
            monitor.config_hash,
        )
        if step.window not in past:
            past[step.window] = verdicts.outcomes(
                connection,
                monitor.monitor,
                {rule.name for rule in rules},
                cadence=step.window.cadence,
                before=step.window.start,
                config_hash=monitor.config_hash,
                limit=max((rule.in_a_row for rule in rules), default=1),
            )
        baselines = _baselines(compared[step.window])
        known_before = replace(evidence, past=past[step.window], baselines=baselines)
        judged = judge(rules, measured, known_before)
        evidence = replace(evidence, broken=(*evidence.broken, *broken(judged)))
        verdicts.replace(connection, judged, judged=measured, run_id=run_id, recorded_at=now)
        found += judged
    covered = {(str(step.suite), step.window.cadence) for step in planned}
    _close_orphans(connection, monitor, rules, interval, covered)
    alive = _keep_incidents(connection, monitor, rules, interval, found)
    told = page and _tell(connection, monitor, interval, rules, alive, found, before, now)
    return Conclusion(interval=interval, verdicts=tuple(found), open=alive, told=told)


def _broken_before(connection: Connection, monitor: Monitor, interval: Window) -> list[Broken]:
    """Return the critical quality failures of earlier windows that longer windows still hold."""
    horizon = max(cadence_length(cadence) for cadence in monitor.windows)
    failures = verdicts.failures(
        connection,
        monitor.monitor,
        suite=Suite.QUALITY,
        outcome=Outcome.CRITICAL,
        config_hash=monitor.config_hash,
        start=interval.end - horizon,
        end=interval.start,
    )
    return [
        Broken(column=series.column_name, window=window, rule=rule)
        for rule, series, window in failures
    ]


def _baselines(reference: Reference) -> Baselines:
    statistics = reference.statistics
    nulls = {("null_share", c, ""): statistics.null_share(c) for c in statistics.columns}
    performance = {(metric, "", detail): v for (metric, detail), v in reference.performance.items()}
    return {key: value for key, value in nulls.items() if value is not None} | performance


def _close_orphans(
    connection: Connection,
    monitor: Monitor,
    rules: Sequence[Rule],
    interval: Window,
    covered: Collection[tuple[str, str]],
) -> None:
    """Resolve the open incidents of rules that are gone, as far as this run covers their series."""
    orphans = [
        replace(incident, resolved=interval.end)
        for incident in incident_table.firing(connection, monitor.monitor)
        if (incident.series.suite, incident.series.cadence) in covered
        and not any(r.name == incident.rule and selects(r, incident.series) for r in rules)
    ]
    incident_table.save(connection, orphans)


def _keep_incidents(
    connection: Connection,
    monitor: Monitor,
    rules: Sequence[Rule],
    interval: Window,
    found: Sequence[Verdict],
) -> dict[Incident, Verdict]:
    """Bring the incidents of every series that fails, or was failing, up to date.

    Returns those that stay open, each with the newest verdict of this run that keeps it so.
    """
    newest: dict[tuple[str, Series], Verdict] = {}
    for verdict in sorted(found, key=lambda verdict: verdict.measurement.window.end):
        newest[verdict.rule, verdict.measurement.series] = verdict
    before = {(i.rule, i.series): i for i in incident_table.firing(connection, monitor.monitor)}
    unpaged = {i.id for i in incident_table.unpaged(connection, monitor.monitor)}
    alive: dict[Incident, Verdict] = {}
    for cadence in monitor.windows:
        touched = {
            subject: verdict
            for subject, verdict in newest.items()
            if verdict.measurement.window.cadence == cadence
            and (verdict.outcome.failed or subject in before)
        }
        if not touched:
            continue
        history = verdicts.history(
            connection,
            monitor.monitor,
            {name for name, _ in touched},
            cadence=cadence,
            config_hash=monitor.config_hash,
        )
        for (name, series), verdict in touched.items():
            rule = next(rule for rule in rules if rule.name == name and selects(rule, series))
            said = history.get((name, series), [])
            current = incidents(monitor.monitor, rule, series, said)
            earlier = before.get((name, series))
            if earlier and earlier.id not in {incident.id for incident in current}:
                # What it was built on has been restated: it goes on under its new beginning.
                incident_table.save(connection, [replace(earlier, resolved=interval.end)])
            incident_table.save(connection, current)
            end = verdict.measurement.window.end
            for incident in current:
                if incident.began <= end <= incident.last_failed and verdict.outcome.failed:
                    alive[incident] = verdict
                    if earlier and earlier.id not in unpaged and incident.resolved is None:
                        incident_table.mark_paged(connection, [incident], interval.end)
    return alive


def _tell(
    connection: Connection,
    monitor: Monitor,
    interval: Window,
    rules: Sequence[Rule],
    alive: Mapping[Incident, Verdict],
    found: Sequence[Verdict],
    before: Sequence[Broken],
    now: datetime,
) -> bool:
    """Put one grouped message a channel into the outbox, about what nobody has been told yet."""
    silent = {rule.name for rule in rules if "alert" not in rule.then}
    unpaged = {incident.id for incident in incident_table.unpaged(connection, monitor.monitor)}
    fresh = {
        incident: verdict
        for incident, verdict in alive.items()
        if incident.id in unpaged and incident.rule not in silent
    }
    if not fresh:
        return False
    failed_quality = [
        verdict
        for verdict in found
        if verdict.measurement.suite is Suite.QUALITY and verdict.outcome.failed
    ]
    earlier = [f"{b.rule} failed on {b.column or 'the table'} in {b.window}" for b in before]
    messages = []
    for channel, target, part in delivery.routed(monitor.routes, fresh):
        look = places(monitor, part.values())
        said = notice(monitor.monitor, interval, part, failed_quality, look, earlier)
        told = sorted(incident.id for incident in part)
        messages.append(
            outbox.Message(
                id=digest(monitor.monitor, str(interval), channel, target, told),
                monitor=monitor.monitor,
                channel=channel,
                target=target,
                body=said.to_json(),
                created=now,
            )
        )
    outbox.add(connection, messages)
    incident_table.mark_paged(connection, fresh, now)
    return True


def places(monitor: Monitor, found: Iterable[Verdict]) -> list[str]:
    """Return where to look: the report of each window, and the command that lists the numbers."""
    windows = sorted({verdict.measurement.window for verdict in found}, key=lambda w: w.start)
    daily = [window for window in windows if window.cadence != "1h"]
    reports = [str(artifact(monitor, window, REPORT)) for window in daily]
    period = f"--from {windows[0].start:%F} --to {windows[-1].end:%F}"
    return [*reports, f"driftline metrics {called(monitor)} {period}"]


REPORT = "report.html"


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
