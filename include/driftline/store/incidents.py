"""Incidents, from firing to resolved, and whether anybody was paged about them."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, or_, select, update

from driftline.domain import Incident, Outcome
from driftline.store.engine import lock
from driftline.store.rows import Row, series_of, stored_series, upsert
from driftline.store.tables import incidents


def save(connection: Connection, found: Iterable[Incident]) -> None:
    """Write incidents; one that is known already is brought up to date and stays paged."""
    rows = [_row(replace(one, series=stored_series(one.series))) for one in found]
    for monitor in sorted({row["monitor"] for row in rows}):
        lock(connection, monitor)
    upsert(connection, incidents, rows, keep=["paged_at", "note"])


def firing(connection: Connection, monitor: str) -> list[Incident]:
    """Return the incidents of a monitor that are not resolved, oldest first."""
    return _found(connection, monitor, incidents.c.resolved.is_(None))


def since(connection: Connection, monitor: str, moment: datetime) -> list[Incident]:
    """Return the incidents that are not resolved, or not before this moment, oldest first."""
    own = incidents.c
    return _found(connection, monitor, or_(own.resolved.is_(None), own.resolved >= moment))


def unpaged(connection: Connection, monitor: str) -> list[Incident]:
    """Return the incidents that are not resolved and that nobody was paged about, oldest first."""
    return _found(
        connection, monitor, incidents.c.resolved.is_(None), incidents.c.paged_at.is_(None)
    )


def of(
    connection: Connection,
    monitor: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[Incident]:
    """Return the incidents that fired in `[start, end)`, oldest first."""
    bounds = []
    if start is not None:
        bounds.append(incidents.c.fired >= start)
    if end is not None:
        bounds.append(incidents.c.fired < end)
    return _found(connection, monitor, *bounds)


def never_paged(connection: Connection, monitor: str) -> set[str]:
    """Return the ids of the incidents, resolved or not, that nobody was ever paged about."""
    own = incidents.c
    asked = select(own.id).where(own.monitor == monitor, own.paged_at.is_(None))
    return set(connection.scalars(asked))


def drop(connection: Connection, found: Iterable[Incident]) -> None:
    """Forget incidents that nobody was told of: a restated past holds them no longer."""
    ids = [replace(one, series=stored_series(one.series)).id for one in found]
    own = incidents.c
    connection.execute(delete(incidents).where(own.id.in_(ids), own.paged_at.is_(None)))


def note(connection: Connection, ids: Iterable[str], words: str) -> None:
    """Write down what was done about incidents."""
    connection.execute(update(incidents).where(incidents.c.id.in_(ids)).values(note=words))


def mark_paged(connection: Connection, paged: Iterable[Incident], at: datetime) -> None:
    """Note that somebody was told; the first time counts."""
    ids = [replace(one, series=stored_series(one.series)).id for one in paged]
    connection.execute(
        update(incidents)
        .where(incidents.c.id.in_(ids), incidents.c.paged_at.is_(None))
        .values(paged_at=at)
    )


def _found(
    connection: Connection, monitor: str, *conditions: ColumnElement[bool]
) -> list[Incident]:
    asked = select(incidents).where(incidents.c.monitor == monitor, *conditions)
    rows = connection.execute(asked.order_by(incidents.c.fired, incidents.c.id))
    return [_incident(row) for row in rows.mappings()]


def _row(incident: Incident) -> dict[str, Any]:
    plain = asdict(incident)
    del plain["series"]
    return plain | incident.series._asdict() | {"id": incident.id}


def _incident(row: Row) -> Incident:
    return Incident(
        monitor=row["monitor"],
        rule=row["rule"],
        series=series_of(row),
        severity=Outcome(row["severity"]),
        began=row["began"],
        fired=row["fired"],
        last_failed=row["last_failed"],
        resolved=row["resolved"],
        note=row["note"],
    )
