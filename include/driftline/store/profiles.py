"""The profiles: what was counted of each hour on a reference's bins, and the sums of whole days.

An hour that was counted has a row, also where the log holds none of it. A day has rows of its own
when all of its hours are counted: their sums, so that a month is read from thirty days.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select

from driftline.domain import DAY, floor
from driftline.profile.columns import Layout, Part, Parts
from driftline.store.engine import lock
from driftline.store.rows import Row
from driftline.store.tables import profiles

_REFERENCE = "reference"
_HOURS = 24


def save(
    connection: Connection,
    layout: Layout,
    monitor: str,
    reference_id: str,
    hours: Mapping[datetime, Parts],
    *,
    run_id: str,
    recorded_at: datetime,
) -> None:
    """Make these the profiles of these hours; days that are whole now are summed."""
    lock(connection, monitor)
    own, run = profiles.c, {"run_id": run_id, "recorded_at": recorded_at}
    of_reference = and_(own.monitor == monitor, own.reference_id == reference_id)
    days = sorted({floor(hour, DAY) for hour in hours})
    for cadence, starts in (("1h", sorted(hours)), ("1d", days)):
        anew = and_(of_reference, own.cadence == cadence, own.window_start.in_(starts))
        connection.execute(delete(profiles).where(anew))
    _insert(connection, monitor, reference_id, "1h", hours, run)
    for day in days:
        if len(counted(connection, monitor, reference_id, day, day + DAY)) == _HOURS:
            whole = read(connection, layout, monitor, reference_id, day, day + DAY)
            _insert(connection, monitor, reference_id, "1d", {day: whole}, run)


def save_reference(
    connection: Connection,
    monitor: str,
    reference_id: str,
    valid_from: datetime,
    parts: Parts,
    *,
    run_id: str,
    recorded_at: datetime,
) -> None:
    """Keep the profile of a reference itself; it is frozen, and the first that comes stays."""
    lock(connection, monitor)
    own = profiles.c
    there = select(own.row_count).where(
        own.monitor == monitor, own.reference_id == reference_id, own.cadence == _REFERENCE
    )
    if connection.execute(there.limit(1)).first() is None:
        run = {"run_id": run_id, "recorded_at": recorded_at}
        _insert(connection, monitor, reference_id, _REFERENCE, {valid_from: parts}, run)


def counted(
    connection: Connection, monitor: str, reference_id: str, start: datetime, end: datetime
) -> dict[datetime, int]:
    """Return the hours of `[start, end)` that are counted, with the rows that each held."""
    own = profiles.c
    asked = select(own.window_start, own.row_count).where(
        own.monitor == monitor,
        own.reference_id == reference_id,
        own.cadence == "1h",
        own.segment == "",
        own.window_start >= start,
        own.window_start < end,
    )
    found: dict[datetime, int] = {}
    for hour, rows in connection.execute(asked):
        found[hour] = found.get(hour, 0) + rows
    return found


def read(
    connection: Connection,
    layout: Layout,
    monitor: str,
    reference_id: str,
    start: datetime,
    end: datetime,
) -> Parts:
    """Return the profile of each part of `[start, end)`: the sum of its days and other hours."""
    own = profiles.c
    inside = and_(
        own.monitor == monitor,
        own.reference_id == reference_id,
        own.window_start >= start,
        own.window_start < end,
    )
    found: list[Row] = []
    if end - start >= DAY:
        days = select(profiles).where(inside, own.cadence == "1d", own.window_start <= end - DAY)
        found += connection.execute(days).mappings()
    summed = {row["window_start"] for row in found}
    if len(summed) * DAY < end - start:
        hours = select(profiles).where(inside, own.cadence == "1h", *map(_outside, summed))
        found += connection.execute(hours).mappings()
    # Always in the same order: sums of floating point numbers depend on it.
    return _parts(layout, sorted(found, key=lambda row: row["window_start"]))


def hourly(
    connection: Connection,
    layout: Layout,
    monitor: str,
    reference_id: str,
    start: datetime,
    end: datetime,
) -> dict[datetime, Parts]:
    """Return the parts of each hour of `[start, end)` that is counted, in order."""
    own = profiles.c
    asked = (
        select(profiles)
        .where(
            own.monitor == monitor,
            own.reference_id == reference_id,
            own.cadence == "1h",
            own.window_start >= start,
            own.window_start < end,
        )
        .order_by(own.window_start)
    )
    found: dict[datetime, list[Row]] = {}
    for row in connection.execute(asked).mappings():
        found.setdefault(row["window_start"], []).append(row)
    return {hour: _parts(layout, rows) for hour, rows in found.items()}


def read_reference(
    connection: Connection, layout: Layout, monitor: str, reference_id: str
) -> Parts:
    """Return the profile of each part of a reference."""
    own = profiles.c
    asked = select(profiles).where(
        own.monitor == monitor, own.reference_id == reference_id, own.cadence == _REFERENCE
    )
    return _parts(layout, connection.execute(asked).mappings().all())


def _outside(day: datetime) -> ColumnElement[bool]:
    own = profiles.c
    return or_(own.window_start < day, own.window_start >= day + DAY)


def _parts(layout: Layout, rows: Iterable[Row]) -> Parts:
    return layout.total_parts(
        {Part(row["model_version"], row["segment"]): layout.read(row["row_count"], row["content"])}
        for row in rows
        if row["row_count"]
    )


def _insert(
    connection: Connection,
    monitor: str,
    reference_id: str,
    cadence: str,
    stretches: Mapping[datetime, Parts],
    run: dict[str, Any],
) -> None:
    """Write the parts of each stretch; one that holds no row leaves one without content."""
    key: dict[str, Any] = {"monitor": monitor, "reference_id": reference_id, "cadence": cadence}
    empty = {"model_version": "", "segment": "", "row_count": 0, "content": b""}
    rows: list[dict[str, Any]] = []
    for start, parts in stretches.items():
        held = [
            {
                "model_version": part.version,
                "segment": part.segment,
                "row_count": profile.rows,
                "content": profile.content,
            }
            for part, profile in parts.items()
        ]
        rows += [key | run | {"window_start": start} | one for one in held or [empty]]
    if rows:
        connection.execute(insert(profiles), rows)
