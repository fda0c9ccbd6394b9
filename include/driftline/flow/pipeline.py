"""The flow's first half, in steps that a task can call: plan, freeze, claim, measure, record.

`run` does in process what the DAGs do in tasks, by the same functions:

    steps of an interval -> measure each -> record -> conclude -> report -> deliver
"""

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from driftline import metrics
from driftline.domain import DAY, HOUR, Measurement, Suite, Window, floor
from driftline.errors import InputError, LogError, SuiteError, WarehouseError, unforeseen
from driftline.flow import column_hours as hours
from driftline.flow import outcome_hours
from driftline.flow.column_hours import hours_of
from driftline.flow.step import Known, Result, Step
from driftline.flow.watch import Watch
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Labels
from driftline.printable import printable
from driftline.profile.reference import Reference
from driftline.store import Store, ledger, measurements, monitors, outcomes, references
from driftline.store.ledger import Entry, State

log = logging.getLogger(__name__)

Compared = Mapping[Window, Reference]
"""The reference of each window that has one."""


def refuse_future(name: str, moment: datetime | None, *, skew: timedelta = timedelta(0)) -> None:
    """Raise InputError for a moment that is yet to come: what is recorded of it would be final.

    `skew` is by how much the clock that chose the moment may be ahead of this one.
    """
    now = datetime.now(UTC)
    if moment is not None and moment > now + skew:
        raise InputError(
            f"{name}, {moment:%F %H:%M} UTC, is yet to come: what is recorded counts as done, and "
            f"nothing would measure it again; it is {now:%F %H:%M} UTC, and allowed is what is past"
        )


def steps(monitor: Monitor, interval: Window, as_of: datetime | None = None) -> list[Step]:
    """Return what the run of this interval (an hour or a day) measures, in order.

    A daily run measures the windows that end with it, the performance of its hours too, and first,
    again, the performance of those whose labels have come of age by now. `as_of` overrides what is
    known of labels.
    """
    end = interval.end
    if interval.cadence == "1h":
        hourly = (Suite.QUALITY, *in_sql(monitor), Suite.DRIFT)
        return [Step(suite=suite, window=interval, as_of=end) for suite in hourly]
    ending = [Window.ending(cadence, end) for cadence in monitor.windows if cadence != "1h"]
    known = as_of or end
    age = _days_to_ripen(monitor)
    ripe = [w for w in _labelled(monitor, end - age) if _judged(monitor, w)] if age else []
    labelled = _labelled(monitor, end) if monitor.labels else []
    foreseen = ending if monitor.estimated else []
    return [
        *(Step(suite=Suite.PERFORMANCE, window=window, as_of=known) for window in ripe),
        *(Step(suite=Suite.QUALITY, window=window, as_of=end) for window in ending[:1]),
        *(Step(suite=s, window=window, as_of=end) for s in in_sql(monitor) for window in ending),
        *(Step(suite=Suite.DRIFT, window=window, as_of=end) for window in ending),
        *(Step(suite=Suite.ESTIMATE, window=window, as_of=end) for window in foreseen),
        *(Step(suite=Suite.PERFORMANCE, window=window, as_of=known) for window in labelled),
    ]


def _judged(monitor: Monitor, window: Window) -> bool:
    """Whether a window is measured again when its labels are of age, whatever came: days are.

    Of an hour that no rule is about nothing is to be judged then.
    """
    performance = metrics.PERFORMANCE[monitor.task]
    return window.cadence != "1h" or any(
        rule.window in (None, "1h") and rule.metric in performance for rule in monitor.rules or ()
    )


def _labelled(monitor: Monitor, end: datetime) -> list[Window]:
    """Return the windows whose performance is measured that end with a day, its hours first."""
    hourly = "1h" in monitor.windows
    hours = [Window.ending("1h", end - HOUR * n) for n in range(23, -1, -1)] if hourly else []
    return hours + [Window.ending(cadence, end) for cadence in monitor.windows if cadence != "1h"]


RESTATED = (Suite.DRIFT, Suite.PERFORMANCE)
"""What is measured again when rows or labels come late."""


def in_sql(monitor: Monitor) -> tuple[Suite, ...]:
    """Return which suites of operations and business a monitor's file asks for."""
    asked = {Suite.OPERATIONS: monitor.operations, Suite.BUSINESS: monitor.business}
    return tuple(suite for suite, metrics in asked.items() if metrics)


def planned(
    connection: Connection, monitor: Monitor, interval: Window, as_of: datetime | None = None
) -> list[Step]:
    """Return the steps of an interval, and before them those that late rows and labels added."""
    if interval.cadence == "1h":
        return steps(monitor, interval, as_of)
    restated = [
        Step(suite=suite, window=window, as_of=interval.end)
        for suite in RESTATED
        for window in ledger.restated(
            connection,
            monitor.monitor,
            config_hash=monitor.config_hash,
            as_of=interval.end,
            suite=suite,
        )
    ]
    return list(dict.fromkeys([*restated, *steps(monitor, interval, as_of)]))


def plan(
    store: Store,
    watch: Watch,
    interval: Window,
    run_id: str,
    as_of: datetime | None = None,
    *,
    suites: Collection[Suite] = RESTATED,
    pending: Iterable[Step] = (),
) -> tuple[list[Step], list[Result]]:
    """Return what a run measures, after a day's run has looked for what came late, and what came of
    steps that cannot be measured without knowing.

    Rows that came late restate the drift of the windows that hold them, and these and labels their
    performance, as far as it is one of these `suites`. Steps that are `pending` are measured
    by the same run and not recorded yet.
    """
    added: list[Step] = []
    unknown = ""
    daily = interval.cadence != "1h"
    if daily and Suite.DRIFT in suites:
        try:
            with unforeseen():
                _restate(store, watch, interval, run_id)
        except (WarehouseError, SuiteError) as error:  # the next day's run looks again
            log.warning(
                "late rows were not looked for before %s: %s", interval.end, printable(str(error))
            )
    if daily and Suite.PERFORMANCE in suites and as_of in (None, interval.end):
        try:
            if watch.monitor.labels:
                known = [step for step in pending if step.suite is Suite.PERFORMANCE]
                with unforeseen():
                    added = _follow_labels(store, watch, interval, run_id, known)
        except (WarehouseError, LogError, SuiteError) as error:
            unknown = str(error)  # measured without, the day would be passed over
    with store.read() as connection:
        found = planned(connection, watch.monitor, interval, as_of)
    steps = list(dict.fromkeys([*found, *added]))
    if not unknown:
        return steps, []
    lost = [step for step in steps if step.suite is Suite.PERFORMANCE]
    failed = [Result(step=step, reference_id="", error=unknown) for step in lost]
    return [step for step in steps if step not in lost], failed


def _follow_labels(
    store: Store, watch: Watch, day: Window, run_id: str, pending: Collection[Step]
) -> list[Step]:
    """Count anew the hours of which labels tell more by now; claim the windows that hold them.

    Where later days were measured before this one, its own windows are also measured as known at
    the ends of those in which labels of them came: these steps are returned.
    """
    monitor = watch.monitor
    progress = outcome_hours.Progress.before(store, watch, day.end, pending)
    own = [step.window for step in steps(monitor, day) if step.suite is Suite.PERFORMANCE]
    if progress.leads:
        late = _late_hours(store, watch, day)
        touched = outcome_hours.follow(store, watch, day, progress, late, run_id, pending)
        restated = [_restating(window, day.end) for window in touched if window not in own]
        claim(store, monitor, restated, run_id)
        return []
    windows = [window for window in own if window.cadence in ("1h", "1d")]
    start = min(window.start for window in windows)
    with store.read() as connection:
        done = ledger.done(
            connection, monitor.monitor, config_hash=monitor.config_hash, start=start, end=day.end
        )
    added, last = [], day.end
    for end in progress.later:
        landed = watch.logs.landed(last, end, since=start) or {}
        added += [
            _restating(window, end)
            for window in windows
            if any(window.start <= hour < window.end for hour in landed)
            and (Suite.PERFORMANCE, window, end) not in done
        ]
        last = end
    claim(store, monitor, added, run_id)
    return added


def _restating(window: Window, as_of: datetime) -> Step:
    return Step(suite=Suite.PERFORMANCE, window=window, as_of=as_of)


def _late_hours(store: Store, watch: Watch, day: Window) -> set[datetime]:
    """Return the hours whose outcomes are kept and that hold another number of rows by now."""
    monitor = watch.monitor
    span = floor(day.end - monitor.predictions.lookback, HOUR), day.end
    if span[0] == day.end:
        return set()
    with store.read() as connection:
        own = outcomes.references_of(connection, monitor.monitor, hours_of(*span))
        counted = {name: outcomes.rows(connection, monitor.monitor, name, *span) for name in own}
    rows = watch.logs.hourly_rows(*span) if counted else {}
    return {
        hour
        for kept in counted.values()
        for hour, number in kept.items()
        if rows.get(hour, 0) != number
    }


def _restate(store: Store, watch: Watch, day: Window, run_id: str) -> None:
    """Count anew the hours to which rows have come late, as far back as `lookback`.

    The drift of the windows that hold them and were measured before is claimed, to be measured
    again as known at the day's end. Windows that end with the day are measured anyway.
    """
    monitor = watch.monitor
    span = floor(day.end - monitor.predictions.lookback, HOUR), day.end
    if monitor.reference.previous is not None or span[0] == day.end:
        return  # a sliding past has bins of its own for each window
    ending = {Window.ending(cadence, day.end) for cadence in monitor.windows}
    with store.read() as connection:
        longest = max(window.end - window.start for window in ending)
        done = ledger.done(
            connection,
            monitor.monitor,
            config_hash=monitor.config_hash,
            start=span[0] - longest,
            end=day.end,
        )
        measured = {w for suite, w, _ in done if suite is Suite.DRIFT and span[0] < w.end < day.end}
        compared = {window: kept(connection, watch, window) for window in measured | ending}
    references = {reference.id: reference for reference in compared.values() if reference}
    rows = watch.logs.hourly_rows(*span) if references else {}
    late = {
        name: found
        for name, reference in references.items()
        if (found := hours.changed(store, watch, reference, rows, span))
    }
    restated = [
        Step(suite=Suite.DRIFT, window=window, as_of=day.end)
        for window in measured
        if (reference := compared[window])
        and any(window.start <= hour < window.end for hour in late.get(reference.id, ()))
    ]
    claim(store, monitor, restated, run_id)
    for name, found in late.items():
        hours.recount(store, watch, references[name], found, run_id)


def _days_to_ripen(monitor: Monitor) -> timedelta:
    """Return the days after which a window's labels are of age; none where they are never late."""
    if monitor.labels is None or monitor.labels.timestamp is None:
        return timedelta(0)
    return DAY * math.ceil(monitor.labels.maturity / DAY)


def references_of(
    store: Store, watch: Watch, planned: Sequence[Step]
) -> tuple[Compared, list[Result]]:
    """Return the references of the steps' windows, and what came of the steps without one.

    The first time a reference is needed it is counted and kept. The warehouse is read here, so that
    no later step has to read it inside a transaction. Raises LogError where the file is wrong.
    """
    compared: dict[Window, Reference] = {}
    missed: dict[Window, Result] = {}
    for step in planned:
        if step.window in compared or step.window in missed:
            continue
        try:
            with unforeseen():
                compared[step.window] = _reference(store, watch, step.window)
                _ = watch.log_start
        except (WarehouseError, SuiteError) as error:
            missed[step.window] = Result(step=step, reference_id="", error=str(error))
        except LogError as error:
            if watch.monitor.reference.previous is None:
                raise  # the file is wrong; a sliding past may only not have begun yet
            missed[step.window] = Result(step=step, reference_id="", not_evaluated=str(error))
    without = [step for step in planned if step.window in missed]
    return compared, [replace(missed[step.window], step=step) for step in without]


def kept(connection: Connection, watch: Watch, window: Window) -> Reference | None:
    """Return the reference of a window from the store; None before it was first needed."""
    monitor = watch.monitor
    if monitor.reference.previous is not None:
        return references.by_id(connection, monitor.monitor, watch.reference_id(window))
    return references.in_force(connection, monitor.monitor, monitor.config_hash, window.start)


def _reference(store: Store, watch: Watch, window: Window) -> Reference:
    with store.read() as connection:
        found = kept(connection, watch, window)
    if found is not None:
        watch.logs.keep(found.units)
        return found
    reference = watch.freeze(window)
    monitor = watch.monitor
    with store.begin(monitor.monitor) as connection:
        references.save(connection, reference, config_hash=monitor.config_hash)
        return references.by_id(connection, monitor.monitor, reference.id) or reference


def prepare(
    store: Store,
    watch: Watch,
    planned: Sequence[Step],
    *,
    run_id: str,
    again: Collection[Step] = (),
    until: datetime | None = None,
) -> tuple[Compared, Mapping[Step, Known], list[Step], list[Result]]:
    """Return the references of the windows, what was counted of them, the steps that can be
    measured from these, and what came of the others. See `references_of` and `count`.
    """
    compared, missed = references_of(store, watch, planned)
    columns, failed = hours.count(
        store, watch, planned, compared, run_id=run_id, again=again, until=until
    )
    known, unknown = outcome_hours.count(
        store, watch, planned, compared, run_id=run_id, again=again
    )
    counted: dict[Step, Known] = {**known}
    counted |= {
        s: columns[s.window] for s in planned if s.suite is Suite.DRIFT and s.window in columns
    }
    gone = {result.step for result in (*missed, *failed, *unknown)}
    ready = [step for step in planned if step not in gone]
    return compared, counted, ready, [*missed, *failed, *unknown]


def done_before(store: Store, monitor: Monitor, planned: Sequence[Step]) -> list[Step]:
    """Return the steps that the ledger says are done: they are about to be taken again."""
    if not planned:
        return []  # the day of a monitor that watches hours only, and has no labels
    with store.read() as connection:
        done = ledger.done(
            connection,
            monitor.monitor,
            config_hash=monitor.config_hash,
            start=min(step.window.start for step in planned),
            end=max(step.window.end for step in planned),
        )
    return [step for step in planned if (step.suite, step.window, step.as_of) in done]


def claim(store: Store, monitor: Monitor, planned: Sequence[Step], run_id: str) -> None:
    """Take these steps for this run, so that no other measures them meanwhile.

    Raises WindowClaimed when another run holds one of them; its claim ends when it has recorded
    what it measured, or when it has been silent for long (`ledger.STALE`).
    """
    entries = [_entry(monitor, step, State.CLAIMED) for step in planned]
    with store.begin(monitor.monitor) as connection:
        ledger.claim(connection, entries, run_id=run_id, now=datetime.now(UTC))


def missing_hours(store: Store, monitor: Monitor, day: Window, now: datetime) -> list[Window]:
    """Return the hours of a day, and the one before it, that no run has measured.

    An hour that ended less than an hour ago is left to the hourly run that is about to come.
    """
    first = day.start - HOUR
    asked = [Window.ending("1h", first + HOUR * n) for n in range(1, (day.end - first) // HOUR + 1)]
    with store.read() as connection:
        done = ledger.done(
            connection, monitor.monitor, config_hash=monitor.config_hash, start=first, end=day.end
        )
    return [
        hour
        for hour in asked
        if now - hour.end >= HOUR
        and any((s.suite, s.window, s.as_of) not in done for s in steps(monitor, hour))
    ]


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
            found = result.measurements
            if step.suite is Suite.PERFORMANCE and step.as_of > step.window.end:
                found = _news(connection, monitor, step, found)
            _replace(connection, monitor, step, found, run_id, now)
            if step.suite is Suite.PERFORMANCE:
                _reduce(connection, monitor, step, run_id, now)
        entry = _entry(monitor, step, result.state)
        error = result.error or result.not_evaluated
        entries.append(replace(entry, rows=result.rows, coverage=result.coverage, error=error))
    ledger.mark(connection, entries, run_id=run_id, recorded_at=now)


def _replace(
    connection: Connection,
    monitor: Monitor,
    step: Step,
    found: Iterable[Measurement],
    run_id: str,
    now: datetime,
) -> None:
    measurements.replace(
        connection,
        found,
        monitor=monitor.monitor,
        window=step.window,
        suite=step.suite,
        as_of=step.as_of,
        config_hash=monitor.config_hash,
        run_id=run_id,
        recorded_at=now,
    )


def _reduce(
    connection: Connection, monitor: Monitor, step: Step, run_id: str, now: datetime
) -> None:
    """Drop from what was recorded as known later what is no news after this step."""
    moments = measurements.moments(
        connection, monitor.monitor, step.window, step.suite, monitor.config_hash
    )
    for as_of in (moment for moment in moments if moment > step.as_of):
        later = replace(step, as_of=as_of)
        said = measurements.recorded(
            connection, monitor.monitor, step.window, step.suite, as_of, monitor.config_hash
        )
        kept = _news(connection, monitor, later, said)
        if len(kept) < len(said):
            _replace(connection, monitor, later, kept, run_id, now)


def _news(
    connection: Connection, monitor: Monitor, step: Step, found: Sequence[Measurement]
) -> tuple[Measurement, ...]:
    """Return the measurements that say another thing than was known before of their numbers.

    When labels come of age all of them do: what could not be judged for want of labels now can.
    """
    before = measurements.known_before(
        connection,
        monitor.monitor,
        step.window,
        step.suite,
        step.as_of,
        monitor.config_hash,
    )
    labels = monitor.labels
    assert labels is not None
    of_age = step.window.end + labels.maturity
    said = {each.series: each for each in before}

    def new(one: Measurement) -> bool:
        old = said.get(one.series)
        if old is None or (old.as_of < of_age <= step.as_of and _poor(old, labels)):
            return True
        return replace(old, as_of=one.as_of) != one

    return tuple(filter(new, found))


def _poor(measurement: Measurement, labels: Labels) -> bool:
    return measurement.coverage is None or measurement.coverage < labels.min_coverage


def _entry(monitor: Monitor, step: Step, state: State) -> Entry:
    return Entry(
        monitor=monitor.monitor,
        window=step.window,
        suite=step.suite,
        state=state,
        as_of=step.as_of,
        config_hash=monitor.config_hash,
    )
