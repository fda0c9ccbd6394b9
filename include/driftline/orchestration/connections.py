"""Airflow's connections, as driftline asks for them: an id in, a URI out."""

import re
from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from driftline.connections import uri_of
from driftline.errors import InputError, UnknownConnection
from driftline.monitor.config import Monitor
from driftline.store import store_url

_REMOTE = re.compile("celery|kubernetes|edge|ecs|batch|lambda", re.IGNORECASE)
"""What executors are called whose tasks may run on several machines."""


def airflow_connection(connection_id: str) -> str:
    """Return the URI of a connection, from wherever Airflow keeps it; its password is masked.

    Raises UnknownConnection.
    """
    try:
        found = Connection.get(connection_id)
    except AirflowNotFoundException:
        raise UnknownConnection(
            f"no connection {connection_id!r} in Airflow: add it in the UI or the secrets backend, "
            f"or set AIRFLOW_CONN_{connection_id.upper()}"
        ) from None
    if found.password:
        mask_secret(found.password)
        mask_secret(quote(found.password, safe=""))
    return uri_of(
        connection_id,
        conn_type=found.conn_type or "",
        host=found.host or "",
        login=found.login or "",
        password=found.password or "",
        schema=found.schema or "",
        port=found.port,
        extra=found.extra_dejson,
    )


def stored(monitor: Monitor) -> Monitor:
    """Return the monitor; InputError where its tasks cannot all reach the store.

    A SQLite file is on one machine, and the tasks of some executors are on several.
    """
    executor = conf.get("core", "executor")
    if _REMOTE.search(executor):
        url = store_url(monitor.store, folder=monitor.folder, connections=airflow_connection)
        if url.get_backend_name() == "sqlite":
            raise InputError(
                f"{monitor.path}: the store is the SQLite file {url.database}, and with {executor} "
                "tasks may run where it is not; let `store:`, or the connection driftline_store, "
                "be a PostgreSQL database"
            )
    return monitor
