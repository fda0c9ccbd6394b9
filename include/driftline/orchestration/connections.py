"""Airflow's connections, as driftline asks for them: an id in, a URI out."""

from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from driftline.connections import uri_of
from driftline.errors import UnknownConnection


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
