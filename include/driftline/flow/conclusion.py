"""The flow's second half, in one transaction: judge, keep incidents, put the message aside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from driftline.alerts import delivery
from driftline.alerts.incidents import begins_anew, in_a_row, incidents, told_already
from driftline.alerts.notice import may_cause, notice
from driftline.domain import (
    Incident,
    Outcome,
    Series,
    Suite,
    Verdict,
    Window,
    cadence_length,
    digest,
)
from driftline.flow.doubts import Doubts, doubts
from driftline.flow.pipeline import RESTATED, Compared, kept, planned
from driftline.flow.reports import Links, places
from driftline.flow.reports import owed as owed_reports
from driftline.flow.watch import Watch
from driftline.judge import INHIBITED, Baselines, Broken, Evidence, Past, broken, judge, selects
from driftline.monitor.config import Monitor
from driftline.monitor.default_rules import FAR, rules_of
from driftline.monitor.sections import Rule
from driftline.profile.reference import Reference
from driftline.store import explanations, ledger, measurements, outbox, retrainings, verdicts
from driftline.store import incidents as incident_table
from driftline.suites.expectations import default_expectations


class Unexplained(Exception):
    """Incidents of performance are to be told, and nobody has explained them yet.

    `asked` holds of each the window, what was known of it, the segment and the metric, and by when
    the incident had begun.
    """

    def __init__(self, asked: Sequence[tuple[Window, datetime, str, str, datetime]]) -> None:
        self.asked = tuple(asked)
        super().__init__(f"{len(self.asked)} falls of performance are not explained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a run came to: its verdicts, the incidents still open, and whether it spoke of them."""

    interval: Window
    verdicts: tuple[Verdict, ...]
    open: Mapping[Incident, Verdict]
    """The incidents that these verdicts keep open, with the newest verdict of each."""
    failed: tuple[str, ...] = ()
    """The steps that failed, each with its error."""
    undone: tuple[str, ...] = ()
    """What went wrong after that: reports that were not written, messages that were not sent."""
    told: bool = False
    doubts: Doubts = field(default_factory=Doubts)
    """What keeps one from saying that all is well where nothing is open."""

    @property
    def errors(self) -> tuple[str, ...]:
        """All that went wrong."""
        return self.failed + self.undone

    @property
    def opened(self) -> tuple[Incident, ...]:
        """The incidents that fired at the end of this interval."""
        return tuple(incident for incident in self.open if incident.fired == self.interval.end)


def conclude(
    connection: Connection,
    watch: Watch,
    compared: Compared,
    interval: Window,
    *,
    as_of: datetime | None = None,
    run_id: str,
    page: bool,
    coming: Collection[Window] = (),
    links: Links | None = None,
) -> Conclusion:
    """Judge what the run of this interval recorded; write verdicts, incidents and the message.

    `compared` is the reference of each of its windows that has one. All of it belongs to the
    caller's transaction. With `page` off (a backfill) incidents are recorded and nobody is told;
    the next live run that still fails tells it.

    Where later intervals were judged before this one, they are judged again as far as this one
    bears on them: in whatever order runs end, what they say is what they say in the order of time.
    Those that are `coming` anyway are left to their turn.
    """
    own, changed, broke = _conclude(
        connection, watch, compared, interval, as_of, run_id, page, links
    )
    monitor = watch.monitor
    longest = _longest(monitor)
    moved = {"1h": False, "1d": False, interval.cadence: changed}
    muting = interval.end + longest if broke else interval.end
    owed = ledger.last_known(connection, monitor.monitor, interval, config_hash=monitor.config_hash)
    for later in verdicts.judged_after(
        connection, monitor.monitor, interval, monitor.config_hash, longest=longest
    ):
        if later in coming:
            continue
        if not any(moved.values()) and later.end > muting:
            if later.end > owed:
                break
            if later.cadence == "1h":
                continue  # only days judge what was measured again of windows before them
        windows = {step.window for step in planned(connection, monitor, later)}
        known = {window: kept(connection, watch, window) for window in windows}
        there = {window: reference for window, reference in known.items() if reference}
        _, moved[later.cadence], broke = _conclude(
            connection, watch, there, later, None, run_id, page, links
        )
        if broke:
            muting = max(muting, later.end + longest)
    return own


def _conclude(
    connection: Connection,
    watch: Watch,
    compared: Compared,
    interval: Window,
    as_of: datetime | None,
    run_id: str,
    page: bool,
    links: Links | None,
) -> tuple[Conclusion, bool, bool]:
    """Conclude one interval; return also whether any verdict is another than it was before, and
    whether what it breaks, for windows that hold it, is.
    """
    monitor = watch.monitor
    asked = planned(connection, monitor, interval, as_of)
    taken = [step for step in asked if step.window in compared]
    now = datetime.now(UTC)
    expected = [
        expectation
        for step in taken
        if step.suite is Suite.QUALITY
        for expectation in default_expectations(monitor, compared[step.window], step.window.cadence)
    ]
    rules = rules_of(monitor, expected)
    since = interval.end - _longest(monitor)
    known = _broken(connection, monitor, since, interval.end)
    hours_of_day = interval.cadence != "1h"
    before = [
        one
        for one in known
        if one.window.end <= interval.start or (hours_of_day and one.window.cadence == "1h")
    ]
    evidence = Evidence(
        broken=before,
        higher_is_better=frozenset(n for n, m in monitor.business.items() if m.better == "higher"),
        log_start=watch.log_start,
        min_coverage=monitor.labels.min_coverage if monitor.labels else 0.0,
        maturity=monitor.labels.maturity if monitor.labels else timedelta(0),
    )
    promotions = retrainings.promotions(connection, monitor.monitor)
    found: list[Verdict] = []
    changed = False
    past: dict[Window, Past] = {}
    for step in taken:
        measured = measurements.recorded(
            connection,
            monitor.monitor,
            step.window,
            step.suite,
            step.as_of,
            monitor.config_hash,
        )
        if not measured or not any(r.window in (None, step.window.cadence) for r in rules):
            changed |= verdicts.replace(
                connection, (), judged=measured, run_id=run_id, recorded_at=now
            )
            continue
        if step.window not in past:
            past[step.window] = verdicts.outcomes(
                connection,
                monitor.monitor,
                {rule.name for rule in rules},
                cadence=step.window.cadence,
                after=begins_anew(step.window.start, promotions),
                before=step.window.start,
                config_hash=monitor.config_hash,
                limit=max((rule.in_a_row for rule in rules), default=1),
            )
        baselines = _baselines(compared[step.window])
        spreads = {
            (metric, "", detail): spread
            for (cadence, metric, detail), spread in compared[step.window].spreads.items()
            if cadence == step.window.cadence
        }
        known_before = replace(
            evidence, past=past[step.window], baselines=baselines, spreads=spreads
        )
        judged = judge(rules, measured, known_before)
        evidence = replace(evidence, broken=(*evidence.broken, *broken(judged)))
        changed |= verdicts.replace(
            connection, judged, judged=measured, run_id=run_id, recorded_at=now
        )
        found += judged
    covered = {(str(step.suite), step.window.cadence) for step in taken}
    _close_orphans(connection, monitor, rules, interval, covered)
    alive = _keep_incidents(connection, monitor, rules, interval, found, promotions)
    told = page and _tell(connection, monitor, interval, rules, alive, found, now, links)
    broke = set(_broken(connection, monitor, since, interval.end)) != set(known)
    # A failure that went with its number is not known any more, only what it inhibits.
    broke = broke or (
        changed
        and verdicts.says(
            connection,
            monitor.monitor,
            INHIBITED,
            config_hash=monitor.config_hash,
            after=interval.end,
            until=interval.end + _longest(monitor),
        )
    )
    conclusion = Conclusion(
        interval=interval,
        verdicts=tuple(found),
        open=alive,
        told=told,
        doubts=doubts(connection, monitor, asked, rules, found, watch.log_start),
    )
    return conclusion, changed, broke


def unjudged(
    connection: Connection, monitor: Monitor, interval: Window, as_of: datetime | None
) -> Doubts:
    """Return what is not known of an interval of which nothing could be compared or judged."""
    asked = planned(connection, monitor, interval, as_of)
    return doubts(connection, monitor, asked, rules_of(monitor, []))


def _longest(monitor: Monitor) -> timedelta:
    """Return the length of the longest window, at least a day."""
    return max(cadence_length(cadence) for cadence in (*monitor.windows, "1d"))


def _broken(
    connection: Connection, monitor: Monitor, start: datetime, end: datetime
) -> list[Broken]:
    """Return the critical quality failures of the windows of a stretch."""
    failures = verdicts.failures(
        connection,
        monitor.monitor,
        suite=Suite.QUALITY,
        outcome=Outcome.CRITICAL,
        config_hash=monitor.config_hash,
        start=start,
        end=end,
    )
    return [
        Broken(column=series.column_name, window=window, rule=rule)
        for rule, series, window in failures
    ]


def _baselines(reference: Reference) -> Baselines:
    statistics = reference.statistics
    nulls = {("null_share", c, ""): statistics.null_share(c) for c in statistics.columns}
    performance = {(metric, "", detail): v for (metric, detail), v in reference.performance.items()}
    operations = {(metric, "", ""): value for metric, value in reference.operations.items()}
    known = {key: value for key, value in nulls.items() if value is not None}
    return known | performance | operations


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
    promotions: Sequence[datetime],
) -> dict[Incident, Verdict]:
    """Bring the incidents of every series that fails, or was failing, up to date.

    Returns those that stay open, each with the newest verdict of this run that keeps it so.
    """
    newest: dict[tuple[str, Series], Verdict] = {}
    for verdict in sorted(found, key=lambda verdict: verdict.measurement.window.end):
        subject = verdict.rule, verdict.measurement.series
        # What cannot be judged yet does not hide what labels have just told of a window before.
        if verdict.outcome is not Outcome.NOT_EVALUATED or subject not in newest:
            newest[subject] = verdict
    first = min((verdict.measurement.window.end for verdict in found), default=interval.end)
    before = incident_table.since(connection, monitor.monitor, first)
    subjects = {(incident.rule, incident.series) for incident in before}
    firing = {(i.rule, i.series): i for i in before if i.resolved is None}
    unpaged = incident_table.never_paged(connection, monitor.monitor)
    alive: dict[Incident, Verdict] = {}
    for cadence in monitor.windows:
        touched = {
            subject: verdict
            for subject, verdict in newest.items()
            if verdict.measurement.window.cadence == cadence
            and (verdict.outcome.failed or subject in subjects)
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
            current = incidents(monitor.monitor, rule, series, said, promotions)
            known = {incident.id for incident in current}
            gone = [i for i in before if (i.rule, i.series) == (name, series) and i.id not in known]
            # What these were built on is now another: they go on under another beginning, or never
            # were. What somebody was told of stays on record, and what another file judged.
            told_from = min([first, *(end for end, _ in said[:1])])
            unsaid = [i for i in gone if i.began >= told_from and i.id in unpaged]
            incident_table.drop(connection, unsaid)
            ended = [i for i in gone if i.resolved is None and i not in unsaid]
            incident_table.save(connection, [replace(i, resolved=interval.end) for i in ended])
            earlier = firing.get((name, series))
            incident_table.save(connection, current)
            end = verdict.measurement.window.end
            for incident in current:
                if incident.began <= end <= incident.last_failed and verdict.outcome.failed:
                    alive[incident] = verdict
                    if (
                        earlier
                        and earlier.id not in unpaged
                        and incident.resolved is None
                        and in_a_row(series, earlier.began, incident.began, promotions)
                    ):
                        incident_table.mark_paged(connection, [incident], interval.end)
    return alive


def _tell(
    connection: Connection,
    monitor: Monitor,
    interval: Window,
    rules: Sequence[Rule],
    alive: Mapping[Incident, Verdict],
    found: Sequence[Verdict],
    now: datetime,
    links: Links | None,
) -> bool:
    """Put one grouped message a channel into the outbox, about what nobody has been told yet."""
    silent = {rule.name for rule in rules if "alert" not in rule.then}
    unpaged = {incident.id for incident in incident_table.unpaged(connection, monitor.monitor)}
    fresh = {
        incident: verdict
        for incident, verdict in alive.items()
        if incident.id in unpaged and incident.rule not in silent
    }
    if fresh and monitor.rules is None:  # who writes two rules wants to hear of both
        far = _told_of_days(connection, monitor, interval)
        fresh = {i: v for i, v in fresh.items() if not told_already(i, v.measurement.window, far)}
    if not fresh:
        return False
    failed_quality = [
        verdict
        for verdict in found
        if verdict.measurement.suite is Suite.QUALITY and verdict.outcome.failed
    ]
    told_now = {(v.rule, v.measurement.column_name, v.measurement.window) for v in failed_quality}
    first = min(incident.first.start for incident in fresh) - _longest(monitor)
    before = [
        one
        for one in _broken(connection, monitor, first, interval.end)
        if (one.rule, one.column, one.window) not in told_now
    ]
    why = _explained(connection, monitor, fresh)
    written = _written(connection, monitor, interval)
    messages = []
    for channel, target, part in delivery.routed(monitor.routes, fresh):
        look = places(monitor, list(part.values()), written, links)
        lines = [line for incident in part for line in why.get(incident.id, ())]
        earlier = [
            f"{one.rule} failed on {one.column or 'the table'} in {one.window}"
            for one in before
            if may_cause(one.window, part)
        ]
        said = notice(
            monitor.monitor,
            interval,
            part,
            failed_quality,
            look,
            earlier,
            why=list(dict.fromkeys(lines)),
        )
        told = sorted(incident.id for incident in part)
        messages.append(
            outbox.Message(
                id=digest(channel, target, told),  # an incident is told once
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


def _told_of_days(connection: Connection, monitor: Monitor, interval: Window) -> list[Incident]:
    """Return the days of late on which performance had fallen far, and of which somebody was told.

    That it falls far after a week's slow decline was told is news; the other way round it is not.
    """
    silent = incident_table.never_paged(connection, monitor.monitor)
    since = interval.end - _longest(monitor)
    late = incident_table.since(connection, monitor.monitor, since)
    return [incident for incident in late if incident.rule == FAR and incident.id not in silent]


def _written(connection: Connection, monitor: Monitor, interval: Window) -> set[Window]:
    """Return the windows whose reports a run that tells writes: its day, and where incidents fire.

    There is none of a window without rows, and no window of days ends with every hour.
    """
    if interval.cadence == "1h":
        return set()
    owed = owed_reports(connection, monitor, interval.end) | {interval}
    entries = ledger.known(
        connection,
        monitor.monitor,
        config_hash=monitor.config_hash,
        as_of=[interval.end],
        start=min(window.start for window in owed),
    )
    return owed & {e.window for e in entries if e.rows and e.suite in RESTATED}


def _explained(
    connection: Connection, monitor: Monitor, fresh: Mapping[Incident, Verdict]
) -> dict[str, tuple[str, ...]]:
    """Return by incident why performance fell; Unexplained where nobody has looked yet."""
    found, missing = {}, []
    for incident, verdict in fresh.items():
        measured = verdict.measurement
        if measured.suite is not Suite.PERFORMANCE:
            continue
        explanation = explanations.newest(
            connection,
            monitor.monitor,
            measured.window,
            monitor.config_hash,
            scope=measured.segment,
            metric=measured.metric,
            as_of=measured.as_of,
        )
        if explanation is None:
            about = measured.window, measured.as_of, measured.segment, measured.metric
            missing.append((*about, incident.first.end))
        else:
            found[incident.id] = explanation.lines
    if missing:
        raise Unexplained(list(dict.fromkeys(missing)))
    return found
