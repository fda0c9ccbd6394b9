"""An open store on each dialect, and numbers to put into it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import URL, Connection

from driftline.domain import Engine, Measurement, Suite, Window
from driftline.store import Store, measurements, upgrade

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
MONDAY = Window.ending("1d", datetime(2013, 4, 2, tzinfo=UTC))
RUN: dict[str, Any] = {"run_id": "run-1", "recorded_at": NOON}


@pytest.fixture
def store(store_url: URL) -> Iterator[Store]:
    upgrade(store_url)
    with Store.open(store_url) as opened:
        yield opened


def measured(**changes: Any) -> Measurement:
    """Return a measurement of the day, but for these changes."""
    window = changes.get("window", MONDAY)
    given: dict[str, Any] = {
        "monitor": "flights",
        "window": window,
        "suite": Suite.DRIFT,
        "metric": "psi",
        "engine": Engine.EVIDENTLY,
        "as_of": window.end,
        "value": 0.25,
        "column_name": "temp",
        "row_count": 1000,
        "reference_id": "march",
        "config_hash": "config-1",
    }
    return Measurement(**given | changes)


def read_back(connection: Connection, one: Measurement) -> list[Measurement]:
    """Return the recording that a measurement belongs to."""
    return measurements.recorded(
        connection, one.monitor, one.window, one.suite, one.as_of, one.config_hash
    )


def record(connection: Connection, *found: Measurement, **changes: Any) -> None:
    """Replace the recording that the first measurement belongs to."""
    first = found[0]
    recording = {
        "monitor": first.monitor,
        "window": first.window,
        "suite": first.suite,
        "as_of": first.as_of,
        "config_hash": first.config_hash,
    }
    measurements.replace(connection, found, **recording | RUN | changes)


def contents(store: Store, table: str, *, without: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """Return a table's rows, sorted, but for these columns."""
    with store.read() as connection:
        rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').mappings().all()
    return sorted(
        (tuple(value for name, value in row.items() if name not in without) for row in rows),
        key=repr,
    )
