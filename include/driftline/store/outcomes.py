"""The outcomes: what came of each hour's predictions, as it was known at one moment and another.

An hour is written anew when more becomes known of it; what was known before stays. An hour that was
counted has a row, also where the log holds none of it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, delete, func, insert, select

from driftline.profile.columns import Part
from driftline.profile.outcomes import OutcomeParts, OutcomeProfile
from driftline.store.engine import lock
from driftline.store.rows import Row
from driftline.store.tables import outcomes

_HOUR, _REFERENCE = "1h", "reference"


def save(
    connection: Connection,
    monitor: str,
    reference_id: str,
    hours: Mapping[datetime, OutcomeParts],
    *,
    as_of: datetime,
    run_id: str,
    recorded_at: datetime,
) -> None:
    """Make these what is known of these hours at a moment."""
    lock(connection, monitor)
    own = outcomes.c
    anew = and_(
        own.monitor == monitor,
        own.reference_id == reference_id,
        own.cadence == _HOUR,
        own.as_of == as_of,
        own.window_start.in_(sorted(hours)),
    )
    connection.execute(delete(outcomes).where(anew))
    run = {"as_of": as_of, "run_id": run_id, "recorded_at": recorded_at}
    _insert(connection, monitor, reference_id, _HOUR, hours, run)


def save_reference(
    connection: Connection,
    monitor: str,
    reference_id: str,
    days: Mapping[datetime, OutcomeParts],
    *,
    run_id: str,
    recorded_at: datetime,
) -> None:
    """Keep the outcomes of a reference's days; it is frozen, and what comes first stays."""
    lock(connection, monitor)
    own = outcomes.c
    there = select(own.row_count).where(
        own.monitor == monitor, own.reference_id == reference_id, own.cadence == _REFERENCE
    )
    if connection.execute(there.limit(1)).first() is None:
        last = max(days)
        run = {"as_of": last, "run_id": run_id, "recorded_at": recorded_at}
        _insert(connection, monitor, reference_id, _REFERENCE, days, run)


def known(
    connection: Connection,
    monitor: str,
    reference_id: str,
    start: datetime,
    end: datetime,
    as_of: datetime,
) -> dict[datetime, datetime]:
    """Return the hours of `[start, end)` that are kept, with when what is known of them was new.

    What became known after `as_of` does not count.
    """
    newest = _newest(monitor, reference_id, start, end, as_of)
    return {row[0]: row[1] for row in connection.execute(select(newest))}


def rows(
    connection: Connection, monitor: str, reference_id: str, start: datetime, end: datetime
) -> dict[datetime, int]:
    """Return the hours of `[start, end)` that are kept, with the newest number of predictions."""
    own = outcomes.c
    last = func.max(own.as_of).over(partition_by=own.window_start).label("newest")
    each = (
        select(own.window_start, own.as_of, own.row_count, last)
        .where(*_hours(monitor, reference_id, start, end), own.segment == "")
        .subquery()
    )
    asked = (
        select(each.c.window_start, func.sum(each.c.row_count))
        .where(each.c.as_of == each.c.newest)
        .group_by(each.c.window_start)
    )
    return {hour: int(number) for hour, number in connection.execute(asked)}


def references_of(
    connection: Connection, monitor: str, hours: Collection[datetime]
) -> dict[str, set[datetime]]:
    """Return by the id of a reference which of these hours are kept on its bins."""
    own = outcomes.c
    asked = (
        select(own.reference_id, own.window_start)
        .distinct()
        .where(own.monitor == monitor, own.cadence == _HOUR, own.window_start.in_(sorted(hours)))
    )
    found: dict[str, set[datetime]] = {}
    for reference_id, hour in connection.execute(asked) if hours else ():
        found.setdefault(reference_id, set()).add(hour)
    return found


def read(
    connection: Connection,
    none: OutcomeProfile,
    monitor: str,
    reference_id: str,
    start: datetime,
    end: datetime,
    as_of: datetime,
) -> OutcomeParts:
    """Return what was known at a moment of each part of `[start, end)`.

    `none` is the profile of no row, on the bins of the reference.
    """
    hours = hourly(connection, none, monitor, reference_id, start, end, as_of)
    found: dict[Part, list[OutcomeProfile]] = {}
    for parts in hours.values():
        for part, profile in parts.items():
            found.setdefault(part, []).append(profile)
    return {part: none.total(profiles) for part, profiles in found.items()}


def hourly(
    connection: Connection,
    none: OutcomeProfile,
    monitor: str,
    reference_id: str,
    start: datetime,
    end: datetime,
    as_of: datetime,
) -> dict[datetime, OutcomeParts]:
    """Return what was known at a moment of each part of each hour of `[start, end)`, in order."""
    newest = _newest(monitor, reference_id, start, end, as_of)
    own = outcomes.c
    asked = (
        select(outcomes)
        .join(newest, and_(own.window_start == newest.c[0], own.as_of == newest.c[1]))
        .where(*_hours(monitor, reference_id, start, end))
        .order_by(own.window_start)  # sums of floating point numbers depend on the order
    )
    return _by_time(none, connection.execute(asked).mappings())


def read_reference(
    connection: Connection, none: OutcomeProfile, monitor: str, reference_id: str
) -> dict[datetime, OutcomeParts]:
    """Return the outcomes of each day of a reference; {} where none are kept."""
    own = outcomes.c
    asked = (
        select(outcomes)
        .where(own.monitor == monitor, own.reference_id == reference_id, own.cadence == _REFERENCE)
        .order_by(own.window_start)
    )
    return _by_time(none, connection.execute(asked).mappings())


def _hours(
    monitor: str, reference_id: str, start: datetime, end: datetime
) -> tuple[ColumnElement[bool], ...]:
    own = outcomes.c
    return (
        own.monitor == monitor,
        own.reference_id == reference_id,
        own.cadence == _HOUR,
        own.window_start >= start,
        own.window_start < end,
    )


def _newest(
    monitor: str, reference_id: str, start: datetime, end: datetime, as_of: datetime
) -> Subquery:
    own = outcomes.c
    return (
        select(own.window_start, func.max(own.as_of).label("newest"))
        .where(*_hours(monitor, reference_id, start, end), own.as_of <= as_of)
        .group_by(own.window_start)
        .subquery("newest")
    )


def _by_time(none: OutcomeProfile, rows: Iterable[Row]) -> dict[datetime, OutcomeParts]:
    found: dict[datetime, dict[Part, OutcomeProfile]] = {}
    for row in rows:
        parts = found.setdefault(row["window_start"], {})
        if row["row_count"]:
            profile = type(none).read(none.bins, row["row_count"], row["labelled"], row["content"])
            parts[Part(row["model_version"], row["segment"])] = profile
    return dict(found)


def _insert(
    connection: Connection,
    monitor: str,
    reference_id: str,
    cadence: str,
    stretches: Mapping[datetime, OutcomeParts],
    run: dict[str, Any],
) -> None:
    """Write the parts of each stretch; one that holds no row leaves one without content."""
    key: dict[str, Any] = {"monitor": monitor, "reference_id": reference_id, "cadence": cadence}
    none = {"model_version": "", "segment": "", "row_count": 0, "labelled": 0, "content": b""}
    rows: list[dict[str, Any]] = []
    for start, parts in stretches.items():
        held = [
            {
                "model_version": part.version,
                "segment": part.segment,
                "row_count": profile.rows,
                "labelled": profile.labelled,
                "content": profile.content,
            }
            for part, profile in parts.items()
        ]
        rows += [key | run | {"window_start": start} | one for one in held or [none]]
    if rows:
        connection.execute(insert(outcomes), rows)
