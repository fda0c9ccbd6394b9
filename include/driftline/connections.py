"""From what the file says (a connection id or a URL) to an address that SQLAlchemy can open."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from driftline.errors import InputError, UnknownConnection
from driftline.monitor.config import Monitor
from driftline.monitor.home import expanded

Connections = Callable[[str], str]
"""A function from a connection id to its URI; raises UnknownConnection."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_DIALECTS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
    "hiveserver2": "hive",
    "clickhouse": "clickhousedb",
}
DATABASE_FILES = ("sqlite", "duckdb")
"""Databases that are a file, whose path may be relative."""
_LIBPQ = re.compile(
    "application_name|channel_binding|client_encoding|connect_timeout|fallback_application_name|"
    "gssencmode|gsslib|keepalives(_count|_idle|_interval)?|krbsrvname|load_balance_hosts|options|"
    "passfile|require_auth|requirepeer|service|ssl_(max|min)_protocol_version|"
    "ssl(cert|compression|crl|key|mode|negotiation|rootcert|sni)|target_session_attrs|"
    "tcp_user_timeout"
)
"""The keywords of a PostgreSQL connection, but for those that have places of their own in a URI."""
_THRIFT = re.compile("auth|kerberos_service_name|check_hostname|ssl_cert")
"""Those of a connection to a Thrift server of Spark."""

_SECRETS = ("password", "access_token", "token", "credentials_base64", "aws_session_token")
"""The options of a URL that a warehouse takes for a password."""

_AWS = re.compile("region_name|endpoint_url|aws_session_token|role_arn|external_id")
"""What an Airflow connection to AWS may say beside its key."""
_KEYWORDS = {"hive": _THRIFT, "aws": _AWS}

ASK_AIRFLOW = "DRIFTLINE_ASK_AIRFLOW"

STORE = "driftline_store"
"""The connection that results go to where the file names no store."""


def from_environment(connection_id: str) -> str:
    """Return the URI in `AIRFLOW_CONN_<ID>`, which Airflow itself reads too (URI or JSON).

    With `$DRIFTLINE_ASK_AIRFLOW` (the option --airflow) Airflow's command line is asked for others.
    """
    variable = f"AIRFLOW_CONN_{connection_id.upper()}"
    if not os.environ.get(variable) and os.environ.get(ASK_AIRFLOW):
        os.environ[variable] = _of_airflow(connection_id)  # once, and for the processes we start
    value = os.environ.get(variable)
    if not value:
        raise UnknownConnection(
            f"no connection {connection_id!r}: set {variable} to its URI, or write a URL instead"
            + (", or ask Airflow with --airflow" if "AIRFLOW_HOME" in os.environ else "")
        )
    if value.lstrip().startswith("{"):
        return _uri_of_json(connection_id, value)
    return _without_hook_extras(connection_id, value)


def _of_airflow(connection_id: str) -> str:
    """Return a connection of Airflow's as JSON, from wherever it keeps it; '' where it has none."""
    command = shutil.which("airflow", path=_path_with_ours())
    if command is None:
        raise InputError("--airflow: there is no command `airflow` here; activate its environment")
    asked = [command, "connections", "get", connection_id, "--output", "json"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    if "Connection not found" in answer.stderr + answer.stdout:
        return ""
    try:
        ((found, *_),) = (json.loads(answer.stdout[answer.stdout.index("[") :]),)
        named = {name: found.get(name) for name in _PARTS}
        return json.dumps(named | {"extra": found.get("extra_dejson") or {}})
    except (ValueError, AttributeError):
        raise InputError(
            f"--airflow: `airflow connections get {connection_id}` ended with {answer.returncode} "
            "and told no connection; try it by hand"
        ) from None


_PARTS = ("conn_type", "host", "login", "password", "schema", "port")


def _path_with_ours() -> str:
    """Return the search path, and at its end where our own interpreter is: Airflow may be there."""
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


def resolve(
    where: str, *, folder: Path, connections: Connections = from_environment, key: str = "warehouse"
) -> URL:
    """Return the address that a connection id or a URL speaks of.

    `${NAME}` is read from the environment, and may be the whole of it; the path of a database file
    is taken from `folder` where it is relative. `key` is where the file says so.
    """
    named = _VARIABLE.sub(_variable, where)
    text = named if "://" in named else connections(named)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        shown = "a URL in the file" if "://" in named else f"the connection {named!r}"
        raise InputError(f"{shown} is no database URL (its text may hold a secret)") from None
    url = url.set(drivername=_DIALECTS.get(url.drivername, url.drivername))
    if url.get_backend_name() in DATABASE_FILES and url.database and url.database != ":memory:":
        url = url.set(database=str(folder / expanded(url.database, key)))
    if url.query.get("interface") == "chdb" and (path := url.query.get("path")):
        url = url.update_query_dict({"path": str(folder / expanded(str(path), key))})
    return url


def shown(url: URL) -> str:
    """Return an address as anybody may read it: no password, and no options, which may be one.

    Of an AWS connection all but its kind may be one.
    """
    if url.get_backend_name() == "aws":
        return "aws://"
    if url.get_backend_name() == "duckdb" and url.database in (None, "", ":memory:"):
        return "DuckDB"  # in memory; what it reads are files
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(words: str, url: URL) -> str:
    """Return words about an address, such as a driver's, with its passwords blotted out."""
    for secret in (url.password, *(url.query.get(name) for name in _SECRETS)):
        words = words.replace(str(secret), "***") if secret else words
    return words


def _variable(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if not value:
        raise UnknownConnection(
            f"the environment variable {match[1]}, of which the file takes {match[0]}, is "
            + ("not set" if value is None else "empty")
        )
    return value


def uri_of(
    connection_id: str,
    *,
    conn_type: str,
    host: str = "",
    login: str = "",
    password: str = "",
    schema: str = "",
    port: int | str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Return the URI of a connection that Airflow keeps in parts.

    Of its extras those go along that the driver knows; what is for Airflow's hooks stays behind.
    The path of a database file may stand in either the schema or the host.
    """
    if not conn_type:
        raise InputError(f"the connection {connection_id!r} has no conn_type, such as postgres")
    if conn_type in DATABASE_FILES:
        return f"{conn_type}:///{schema or host}{_options(conn_type, extra or {})}"
    user = quote(login, safe="") + (":" + quote(password, safe="") if password else "")
    place = f"{user}@{host}" if user else host
    port = f":{port}" if port else ""
    return f"{conn_type}://{place}{port}/{quote(schema, safe='')}{_options(conn_type, extra or {})}"


def connection_ids(monitor: Monitor, connections: Connections) -> list[str]:
    """Return the ids of the connections that a monitor is run with."""
    places = [_VARIABLE.sub(_variable, each) for each in (monitor.warehouse, monitor.store) if each]
    named = [where for where in places if "://" not in where]
    if monitor.store is None:
        try:
            connections(STORE)
        except UnknownConnection:
            return named
        return [*named, STORE]
    return named


def _options(conn_type: str, extra: Mapping[str, Any]) -> str:
    keywords = _KEYWORDS.get(_DIALECTS.get(conn_type, conn_type), _LIBPQ)
    known = {
        name: str(value)
        for name, value in extra.items()
        if isinstance(value, str | int | float)
        and not name.startswith("__")
        and (conn_type in DATABASE_FILES or keywords.fullmatch(name))
    }
    return "?" + urlencode(known) if known else ""


def _uri_of_json(connection_id: str, text: str) -> str:
    try:
        parts = json.loads(text)
        extra = parts.get("extra") or {}
        options = json.loads(extra) if isinstance(extra, str) else extra
        valid = parts.get("conn_type") and isinstance(options, Mapping)
    except (ValueError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise InputError(f"the connection {connection_id!r} is no valid JSON connection") from None
    named = {key: str(parts.get(key) or "") for key in ("conn_type", "host", "login", "schema")}
    return uri_of(
        connection_id,
        **named,
        password=str(parts.get("password") or ""),
        port=parts.get("port"),
        extra=options,
    )


def _without_hook_extras(connection_id: str, uri: str) -> str:
    """Return a URI as Airflow writes it, with its `?__extra__={...}` turned into options."""
    address, _, query = uri.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if "__extra__" not in given:
        return uri
    try:
        extra = json.loads(given["__extra__"])
    except (ValueError, RecursionError):
        raise InputError(f"the extras of the connection {connection_id!r} are no JSON") from None
    return address + _options(address.partition("://")[0], extra if isinstance(extra, dict) else {})
