"""From what the file says (a connection id or a URL) to an address that SQLAlchemy can open."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from driftline.errors import InputError, UnknownConnection

Connections = Callable[[str], str]
"""A function from a connection id to its URI; raises UnknownConnection."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_DIALECTS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
}
_FILES = ("sqlite", "duckdb")


def from_environment(connection_id: str) -> str:
    """Return the URI in `AIRFLOW_CONN_<ID>`, which Airflow itself reads too (URI or JSON)."""
    variable = f"AIRFLOW_CONN_{connection_id.upper()}"
    value = os.environ.get(variable)
    if not value:
        raise UnknownConnection(
            f"no connection {connection_id!r}: set {variable} to its URI, or write a URL instead"
        )
    return _uri_of_json(connection_id, value) if value.lstrip().startswith("{") else value


def resolve(where: str, *, folder: Path, connections: Connections = from_environment) -> URL:
    """Return the address that a connection id or a URL speaks of.

    `${NAME}` in a URL is read from the environment; the path of a database file is taken from
    `folder` where it is relative.
    """
    text = _VARIABLE.sub(_variable, where) if "://" in where else connections(where)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        shown = "a URL in the file" if "://" in where else f"the connection {where!r}"
        raise InputError(f"{shown} is no database URL (its text may hold a secret)") from None
    url = url.set(drivername=_DIALECTS.get(url.drivername, url.drivername))
    if url.get_backend_name() in _FILES and url.database and url.database != ":memory:":
        url = url.set(database=str(folder / Path(url.database).expanduser()))
    return url


def shown(url: URL) -> str:
    """Return an address as anybody may read it: no password, and no options, which may be one."""
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(words: str, url: URL) -> str:
    """Return words about an address, such as a driver's, with its passwords blotted out."""
    for secret in (url.password, url.query.get("password")):
        words = words.replace(str(secret), "***") if secret else words
    return words


def _variable(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if value is None:
        raise UnknownConnection(f"the environment variable {match[1]} is not set")
    return value


def _uri_of_json(connection_id: str, text: str) -> str:
    try:
        parts = json.loads(text)
        extra = parts.get("extra") or {}
        options = json.loads(extra) if isinstance(extra, str) else extra
        valid = parts.get("conn_type") and isinstance(options, Mapping)
    except (json.JSONDecodeError, AttributeError):
        valid = False
    if not valid:
        raise InputError(f"the connection {connection_id!r} is no valid JSON connection") from None
    login = quote(str(parts.get("login") or ""), safe="")
    if parts.get("password"):
        login += ":" + quote(str(parts["password"]), safe="")
    host = str(parts.get("host") or "")
    port = f":{parts['port']}" if parts.get("port") else ""
    query = "?" + urlencode(options) if options else ""
    at = "@" if login else ""
    return f"{parts['conn_type']}://{login}{at}{host}{port}/{parts.get('schema') or ''}{query}"
