"""The metrics table: one row a number, replaced a recording at a time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
)

from driftline.domain import Measurement, Suite, Window, utc
from driftline.store.engine import lock
from driftline.store.rows import measurement_of, row_of
from driftline.store.tables import MEASUREMENT, NUMBER, current_measurements, measurements, verdicts

_ORDER = ("window_start", "cadence", "suite", "metric", "column_name", "segment", "model_version")


def replace(
    connection: Connection,
    found: Iterable[Measurement],
    *,
    monitor: str,
    window: Window,
    suite: Suite,
    as_of: datetime,
    config_hash: str,
    run_id: str,
    recorded_at: datetime,
) -> None:
    """Make these all that is recorded of a suite on a window, as known at `as_of`.

    What was recorded before goes, and with it the verdicts on numbers that changed or are gone;
    a verdict on a number that is still the same stays. Raises ValueError for a measurement of
    anything else, StoreError when two speak of the same number.
    """
    found = list(found)
    recording = (monitor, window, suite, utc(as_of), config_hash)
    for m in found:
        if (m.monitor, m.window, m.suite, m.as_of, m.config_hash) != recording:
            raise ValueError(f"{m.series.subject} at {m.window} is no part of {suite} at {window}")
    lock(connection, monitor)
    connection.execute(delete(measurements).where(_recording(measurements, *recording)))
    if found:
        run = {"run_id": run_id, "recorded_at": recorded_at}
        connection.execute(insert(measurements), [row_of(m) | run for m in found])
    unchanged = exists().where(
        *(measurements.c[name] == verdicts.c[name] for name in MEASUREMENT),
        measurements.c.value.is_not_distinct_from(verdicts.c.value),
    )
    connection.execute(delete(verdicts).where(_recording(verdicts, *recording), ~unchanged))


def recorded(
    connection: Connection,
    monitor: str,
    window: Window,
    suite: Suite,
    as_of: datetime,
    config_hash: str,
) -> list[Measurement]:
    """Return what `replace` wrote: one recording, even where more has become known since."""
    own = measurements.c
    recording = _recording(measurements, monitor, window, suite, utc(as_of), config_hash)
    asked = select(measurements).where(recording).order_by(*(own[name] for name in MEASUREMENT))
    return [measurement_of(row) for row in connection.execute(asked).mappings()]


def moments(
    connection: Connection, monitor: str, window: Window, suite: Suite, config_hash: str
) -> list[datetime]:
    """Return as of when numbers of a suite on a window were recorded, in order."""
    own = measurements.c
    asked = (
        select(own.as_of)
        .distinct()
        .where(
            own.monitor == monitor,
            own.cadence == window.cadence,
            own.window_start == window.start,
            own.suite == str(suite),
            own.config_hash == config_hash,
        )
    )
    return sorted(connection.scalars(asked))


def known_before(
    connection: Connection,
    monitor: str,
    window: Window,
    suite: Suite,
    as_of: datetime,
    config_hash: str,
) -> list[Measurement]:
    """Return what was known before a moment of a suite's numbers, the newest of each."""
    asked = newest(monitor, window, config_hash, before=utc(as_of), suite=suite)
    return [measurement_of(row) for row in connection.execute(asked).mappings()]


def of_window(
    connection: Connection, monitor: str, window: Window, config_hash: str
) -> list[Measurement]:
    """Return what is known by now of a window: the newest of each number."""
    asked = newest(monitor, window, config_hash)
    named = sorted(connection.execute(asked).mappings(), key=lambda r: [r[n] for n in MEASUREMENT])
    return [measurement_of(row) for row in named]


def newest(
    monitor: str,
    window: Window,
    config_hash: str,
    *,
    before: datetime | None = None,
    suite: Suite | None = None,
) -> Select[Any]:
    """Return the query for the rows of a window, the newest as_of of each number.

    May be narrowed to what was known `before` a moment, and to one suite.
    """
    own = measurements.c
    last = func.max(own.as_of).over(partition_by=[own[name] for name in NUMBER]).label("newest")
    rows = (
        select(measurements, last)
        .where(
            own.monitor == monitor,
            own.cadence == window.cadence,
            own.window_start == window.start,
            own.config_hash == config_hash,
            *([] if before is None else [own.as_of < before]),
            *([] if suite is None else [own.suite == str(suite)]),
        )
        .subquery()
    )
    return select(*(rows.c[name] for name in own.keys())).where(rows.c.as_of == rows.c.newest)  # noqa: SIM118


def current(connection: Connection, monitor: str, **selected: Any) -> list[dict[str, Any]]:
    """Return rows of `current_measurements`: the newest of each number, with its worst verdict.

    Takes what `history` takes.
    """
    return _rows(connection, current_measurements, monitor, **selected)


def history(connection: Connection, monitor: str, **selected: Any) -> list[dict[str, Any]]:
    """Return rows of `measurements`: every configuration, everything known at any time.

    May be narrowed by `cadence`, `suite`, `metric`, `column`, `segment`, `model_version` and
    `config_hash`, by `start` and `end` (windows inside them), and to the newest `limit` rows.
    Rows are in the order of time and have the table's columns in the table's order.
    """
    return _rows(connection, measurements, monitor, **selected)


def _rows(
    connection: Connection,
    source: FromClause,
    monitor: str,
    *,
    cadence: str | None = None,
    suite: str | None = None,
    metric: str | None = None,
    column: str | None = None,
    segment: str | None = None,
    model_version: str | None = None,
    config_hash: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    equal = {
        "monitor": monitor,
        "cadence": cadence,
        "suite": suite,
        "metric": metric,
        "column_name": column,
        "segment": segment,
        "model_version": model_version,
        "config_hash": config_hash,
    }
    asked = select(source).where(
        *(source.c[name] == value for name, value in equal.items() if value is not None)
    )
    if start is not None:
        asked = asked.where(source.c.window_start >= start)
    if end is not None:
        asked = asked.where(source.c.window_end <= end)
    rest = (name for name in MEASUREMENT if name not in _ORDER)
    order = [source.c[name].desc() for name in (*_ORDER, *rest)]
    rows = connection.execute(asked.order_by(*order).limit(limit)).mappings().all()
    return [dict(row) for row in reversed(rows)]


def _recording(
    table: FromClause, monitor: str, window: Window, suite: Suite, as_of: datetime, config_hash: str
) -> ColumnElement[bool]:
    return and_(
        table.c.monitor == monitor,
        table.c.cadence == window.cadence,
        table.c.window_start == window.start,
        table.c.suite == str(suite),
        table.c.as_of == as_of,
        table.c.config_hash == config_hash,
    )
