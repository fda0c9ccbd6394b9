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

from driftline import hours
from driftline.config import Monitor
from driftline.domain import DAY, HOUR, Suite, Window, floor
from driftline.errors import LogError, WarehouseError
from driftline.reference import Reference
from driftline.store import Store, ledger, measurements, monitors, references
from driftline.store.ledger import Entry, State
from driftline.watch import Counted, Result, Step, Watch

log = logging.getLogger(__name__)

Compared = Mapping[Window, Reference]
"""The reference of each window that has one."""


def steps(monitor: Monitor, interval: Window, as_of: datetime | None = None) -> list[Step]:
    """Return what the run of this interval (an hour or a day) measures, in order.

    A daily run measures the windows that end with it, and first, again, the performance of those
    whose labels have come of age by now. `as_of` overrides what is known of labels.
    """
    end = interval.end
    if interval.cadence == "1h":
        hourly = (Suite.QUALITY, *in_sql(monitor), Suite.DRIFT)
        return [Step(suite=suite, window=interval, as_of=end) for suite in hourly]
    ending = [Window.ending(cadence, end) for cadence in monitor.windows if cadence != "1h"]
    known = as_of or end
    age = _days_to_ripen(monitor)
    ripe = [Window.ending(window.cadence, end - age) for window in ending] if age else []
    labelled = ending if monitor.labels else []
    return [
        *(Step(suite=Suite.PERFORMANCE, window=window, as_of=known) for window in ripe),
        *(Step(suite=Suite.QUALITY, window=window, as_of=end) for window in ending[:1]),
        *(Step(suite=s, window=window, as_of=end) for s in in_sql(monitor) for window in ending),
        *(Step(suite=Suite.DRIFT, window=window, as_of=end) for window in ending),
        *(Step(suite=Suite.PERFORMANCE, window=window, as_of=known) for window in labelled),
    ]


def in_sql(monitor: Monitor) -> tuple[Suite, ...]:
    """Return which suites of operations and business a monitor's file asks for."""
    asked = {Suite.OPERATIONS: monitor.operations, Suite.BUSINESS: monitor.business}
    return tuple(suite for suite, metrics in asked.items() if metrics)


def planned(
    connection: Connection, monitor: Monitor, interval: Window, as_of: datetime | None = None
) -> list[Step]:
    """Return the steps of an interval, and before them those that late rows added to it."""
    late = ledger.restated(
        connection,
        monitor.monitor,
        config_hash=monitor.config_hash,
        as_of=interval.end,
        suite=Suite.DRIFT,
    )
    restated = [Step(suite=Suite.DRIFT, window=each, as_of=interval.end) for each in late]
    return [*restated, *steps(monitor, interval, as_of)]


def plan(
    store: Store, watch: Watch, interval: Window, run_id: str, as_of: datetime | None = None
) -> list[Step]:
    """Return what a run measures, after a day's run has looked for rows that came late."""
    if interval.cadence != "1h":
        try:
            _restate(store, watch, interval, run_id)
        except WarehouseError as error:  # the next day's run looks again
            log.warning("late rows were not looked for before %s: %s", interval.end, error)
    with store.read() as connection:
        return planned(connection, watch.monitor, interval, as_of)


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
        for window in sorted(measured, key=lambda window: (window.end, window.start))
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
            _ = watch.log_start
            compared[step.window] = _reference(store, watch, step.window)
        except WarehouseError as error:
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
) -> tuple[Compared, Mapping[Window, Counted], list[Step], list[Result]]:
    """Return the references of the windows, what was counted of them, the steps that can be
    measured from these, and what came of the others. See `references_of` and `count`.
    """
    compared, missed = references_of(store, watch, planned)
    counted, failed = hours.count(
        store, watch, planned, compared, run_id=run_id, again=again, until=until
    )
    gone = {result.step for result in (*missed, *failed)}
    ready = [step for step in planned if step not in gone]
    return compared, counted, ready, [*missed, *failed]


def done_before(store: Store, monitor: Monitor, planned: Sequence[Step]) -> list[Step]:
    """Return the steps that the ledger says are done: they are about to be taken again."""
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
        entry = _entry(monitor, step, result.state)
        error = result.error or result.not_evaluated
        entries.append(replace(entry, rows=result.rows, coverage=result.coverage, error=error))
    ledger.mark(connection, entries, run_id=run_id, recorded_at=now)


def _entry(monitor: Monitor, step: Step, state: State) -> Entry:
    return Entry(
        monitor=monitor.monitor,
        window=step.window,
        suite=step.suite,
        state=state,
        as_of=step.as_of,
        config_hash=monitor.config_hash,
    )
