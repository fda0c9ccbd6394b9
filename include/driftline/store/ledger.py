"""The ledger: which windows have been processed, and how that went (table `windows`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, func, select

from driftline.domain import Suite, Window
from driftline.errors import WindowClaimed
from driftline.store.engine import lock
from driftline.store.rows import Row, upsert, window_of, window_row
from driftline.store.tables import windows


class State(StrEnum):
    """How the processing of a window ended, or that a run is at it."""

    DONE = "done"
    FAILED = "failed"
    NOT_EVALUATED = "not_evaluated"
    CLAIMED = "claimed"


STALE = timedelta(hours=1)
"""A claim that is older was left by a run that died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One suite on one window, as known at `as_of`.

    `rows` is how many the window holds, `coverage` the share of its predictions with a label;
    `error` says what went wrong, in words that may be shown to anybody.
    """

    monitor: str
    window: Window
    suite: Suite
    state: State
    as_of: datetime
    config_hash: str
    rows: int | None = None
    coverage: float | None = None
    error: str = ""


def mark(
    connection: Connection, entries: Iterable[Entry], *, run_id: str, recorded_at: datetime
) -> None:
    """Write how windows were processed; a later attempt at the same replaces the earlier one."""
    rows = [
        {
            "monitor": entry.monitor,
            **window_row(entry.window),
            "suite": entry.suite.value,
            "state": entry.state.value,
            "row_count": entry.rows,
            "coverage": entry.coverage,
            "error": entry.error,
            "as_of": entry.as_of,
            "config_hash": entry.config_hash,
            "run_id": run_id,
            "recorded_at": recorded_at,
        }
        for entry in entries
    ]
    for monitor in sorted({str(row["monitor"]) for row in rows}):
        lock(connection, monitor)
    upsert(connection, windows, rows)


def claim(connection: Connection, entries: Iterable[Entry], *, run_id: str, now: datetime) -> None:
    """Mark entries, which are of state `claimed`, as being processed by this run.

    A run may claim again what it holds (a retry), and what another has held for longer than
    `STALE`. Raises WindowClaimed when another run holds one of them.
    """
    taken = list(entries)
    own = windows.c
    for entry in taken:
        lock(connection, entry.monitor)
        held = connection.execute(
            select(own.run_id, own.recorded_at).where(
                own.monitor == entry.monitor,
                own.cadence == entry.window.cadence,
                own.window_start == entry.window.start,
                own.suite == entry.suite.value,
                own.as_of == entry.as_of,
                own.config_hash == entry.config_hash,
                own.state == State.CLAIMED.value,
                own.run_id != run_id,
                own.recorded_at > now - STALE,
            )
        ).first()
        if held:
            raise WindowClaimed(
                f"{entry.suite} of {entry.window} is being measured by {held.run_id} since "
                f"{held.recorded_at:%F %H:%M:%S} UTC; it is free again when that run has ended, or "
                f"{STALE} after that"
            )
    mark(connection, taken, run_id=run_id, recorded_at=now)


def of(
    connection: Connection,
    monitor: str,
    *,
    config_hash: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    states: Sequence[State] = tuple(State),
) -> list[Entry]:
    """Return what was processed of the windows inside `[start, end]`, in the order of time."""
    own = windows.c
    asked = select(windows).where(own.monitor == monitor, own.state.in_([s.value for s in states]))
    if config_hash is not None:
        asked = asked.where(own.config_hash == config_hash)
    if start is not None:
        asked = asked.where(own.window_start >= start)
    if end is not None:
        asked = asked.where(own.window_end <= end)
    order = (own.window_end, own.cadence, own.suite, own.as_of, own.config_hash)
    return [_entry(row) for row in connection.execute(asked.order_by(*order)).mappings()]


def _entry(row: Row) -> Entry:
    return Entry(
        monitor=row["monitor"],
        window=window_of(row),
        suite=Suite(row["suite"]),
        state=State(row["state"]),
        as_of=row["as_of"],
        config_hash=row["config_hash"],
        rows=row["row_count"],
        coverage=row["coverage"],
        error=row["error"],
    )


def known(
    connection: Connection,
    monitor: str,
    *,
    config_hash: str,
    as_of: Iterable[datetime],
    start: datetime,
) -> list[Entry]:
    """Return what was processed as known at these moments, of windows that start then or later."""
    own = windows.c
    asked = select(windows).where(
        own.monitor == monitor,
        own.config_hash == config_hash,
        own.as_of.in_(as_of),
        own.window_start >= start,
    )
    return [_entry(row) for row in connection.execute(asked).mappings()]


def restated(
    connection: Connection, monitor: str, *, config_hash: str, as_of: datetime, suite: Suite
) -> list[Window]:
    """Return the windows that a run measured, or is to measure, after more was known of them.

    They ended before `as_of`, the end of the run's interval; the oldest come first.
    """
    own = windows.c
    asked = select(windows).where(
        own.monitor == monitor,
        own.config_hash == config_hash,
        own.suite == suite.value,
        own.as_of == as_of,
        own.window_end < as_of,
    )
    rows = connection.execute(asked.order_by(own.window_end, own.window_start.desc())).mappings()
    return [window_of(row) for row in rows]


def measured_ends(connection: Connection, monitor: str, *, config_hash: str) -> set[datetime]:
    """Return the ends of the days whose own run measured performance, as known at their end."""
    own = windows.c
    asked = select(own.window_end).where(
        own.monitor == monitor,
        own.config_hash == config_hash,
        own.suite == Suite.PERFORMANCE.value,
        own.cadence != "1h",
        own.state == State.DONE.value,
        own.as_of == own.window_end,
    )
    return set(connection.scalars(asked))


def last_known(
    connection: Connection, monitor: str, interval: Window, *, config_hash: str
) -> datetime:
    """Return the last moment as of which a window that ends within an interval was measured."""
    own = windows.c
    asked = select(func.max(own.as_of)).where(
        own.monitor == monitor,
        own.config_hash == config_hash,
        own.window_end > interval.start,
        own.window_end <= interval.end,
    )
    last: datetime | None = connection.scalar(asked)
    return max(last, interval.end) if last else interval.end


def last_measured(connection: Connection, monitor: str) -> datetime | None:
    """Return when a run measured something of a monitor last, or failed to for the first time.

    None where none ever has tried: a step that fails, however often, has measured nothing.
    """
    own = windows.c
    measured = own.state.in_([State.DONE.value, State.NOT_EVALUATED.value])
    asked = select(
        func.max(own.recorded_at).filter(measured),
        func.min(own.recorded_at).filter(own.state == State.FAILED.value),
    ).where(own.monitor == monitor)
    last, failed = connection.execute(asked).one()
    found: datetime | None = last or failed
    return found


def done(
    connection: Connection,
    monitor: str,
    *,
    config_hash: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> set[tuple[Suite, Window, datetime]]:
    """Return what a backfill need not do again: (suite, window, as_of)."""
    entries = of(
        connection, monitor, config_hash=config_hash, start=start, end=end, states=[State.DONE]
    )
    return {(entry.suite, entry.window, entry.as_of) for entry in entries}
