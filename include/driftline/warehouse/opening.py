"""Opening the logs that a monitor's file names, and the reference where it has its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL

from driftline.connections import Connections, from_environment, resolve
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Labels, Table
from driftline.warehouse.caller import Caller
from driftline.warehouse.logs import Logs
from driftline.warehouse.reader import Reader

_MEMORY = URL.create("duckdb", database=":memory:")


@contextmanager
def open_logs(monitor: Monitor, connections: Connections = from_environment) -> Iterator[Logs]:
    """Open the logs that a monitor's file names, for reading.

    Raises UnknownConnection, MissingTable and WarehouseError.
    """
    with Reader(_address(monitor, connections), _caller(monitor)) as reader:
        reader.look_in(monitor.folder)
        yield Logs(monitor, reader)


@contextmanager
def open_reference(monitor: Monitor, connections: Connections = from_environment) -> Iterator[Logs]:
    """Open a reference that is a table, a query or files of its own.

    Its columns are named like the log's. Roles that it lacks are left out of its rows, the time
    too; the label, where it has one, stands in the row.
    """
    own = monitor.reference
    place = {key: getattr(own, key) for key in Table.model_fields}
    log = monitor.predictions.model_copy(update={**place, "where": None, "partition": None})
    own_labels = monitor.labels
    label = Labels(label=own_labels.label, absent=own_labels.absent) if own_labels else None
    frozen = monitor.model_copy(update={"predictions": log, "labels": label})
    with Reader(_address(frozen, connections), _caller(frozen)) as reader:
        reader.look_in(monitor.folder)
        yield Logs(frozen, reader, partial=True)


def _address(monitor: Monitor, connections: Connections) -> URL:
    if monitor.warehouse is None:
        return _MEMORY
    return resolve(monitor.warehouse, folder=monitor.folder, connections=connections)


def _caller(monitor: Monitor) -> Caller:
    return Caller(
        monitor=monitor.monitor,
        timeout=monitor.statement_timeout,
        discreet=bool(monitor.features.sensitive),
    )
