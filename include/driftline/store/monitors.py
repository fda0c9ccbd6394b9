"""The configuration that each monitor ran with last: what `current_measurements` shows."""

from datetime import datetime

from sqlalchemy import Connection, select

from driftline.store.engine import lock
from driftline.store.rows import upsert
from driftline.store.tables import monitors


def save(
    connection: Connection, monitor: str, config_hash: str, *, run_id: str, recorded_at: datetime
) -> None:
    """Make this the current configuration of the monitor. Every run says so before it records."""
    lock(connection, monitor)
    row = {
        "monitor": monitor,
        "config_hash": config_hash,
        "run_id": run_id,
        "recorded_at": recorded_at,
    }
    upsert(connection, monitors, [row])


def current(connection: Connection, monitor: str) -> str | None:
    """Return the config_hash that the monitor ran with last; None when it never ran."""
    asked = select(monitors.c.config_hash).where(monitors.c.monitor == monitor)
    return connection.scalar(asked)


def names(connection: Connection) -> list[str]:
    """Return the names of all monitors that ever ran."""
    return list(connection.scalars(select(monitors.c.monitor).order_by(monitors.c.monitor)))
