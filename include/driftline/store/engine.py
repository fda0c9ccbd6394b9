"""Where the store is, and how it is opened: one transaction at a time, one writer a monitor."""

import hashlib
import io
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from driftline.connections import STORE, Connections, resolve, shown, without_secrets
from driftline.errors import InputError, MissingExtra, StoreError, StoreNotReady, UnknownConnection
from driftline.monitor.config import Monitor
from driftline.monitor.home import home

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

HEAD = "0001"
"""The migration that this code was written for; a test holds it to the newest one."""

VERSION_TABLE = "driftline_version"
"""Not Alembic's own name: the database may hold an application that migrates itself."""

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
PATIENCE = 30
"""Seconds that SQLite waits for another writer, and PostgreSQL for a connection."""

_UPGRADE = "run: driftline store upgrade --monitor NAME (or --url URL)"


def store_url(store: str | None, *, folder: Path, connections: Connections) -> URL:
    """Return where results go: what the file says, else the connection `driftline_store`, else
    the SQLite file in `$DRIFTLINE_HOME` (`~/.driftline`).

    Raises InputError for any database but SQLite and PostgreSQL.
    """
    try:
        url = resolve(store or STORE, folder=folder, connections=connections, key="store")
    except UnknownConnection:
        if store:
            raise
        return URL.create("sqlite", database=str(home() / "driftline.db"))
    return _checked(url)


class Store:
    """An open store; close it, or use it in a `with`."""

    def __init__(self, url: URL) -> None:
        self._url = _checked(url)
        self._engine = _engine(self._url)

    @classmethod
    def open(cls, url: URL) -> Self:
        """Open a store whose tables are there; raises StoreNotReady when they are not."""
        found = revision(url)
        where = shown(url)
        if found is None:
            raise StoreNotReady(f"the store {where} has no tables yet; {_UPGRADE}")
        if found != HEAD:
            raise StoreNotReady(
                f"the store {where} is at revision {found}, this driftline works with {HEAD}; "
                f"{_UPGRADE}, with the newest driftline that writes to it"
            )
        return cls(url)

    @contextmanager
    def begin(self, monitor: str = "") -> Iterator[Connection]:
        """Open a transaction that writes: all of it is kept, or on an error none.

        With a monitor's name nobody else writes to that monitor meanwhile, so that what is read
        here still holds when it is written. SQLite has one writer in any case.
        """
        with _mapped(self._url), self._engine.connect() as connection:
            connection = connection.execution_options(driftline_writes=True)
            with connection.begin():
                if monitor:
                    lock(connection, monitor)
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that reads: one picture of the store, whoever writes meanwhile."""
        with _mapped(self._url), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_store(monitor: Monitor, connections: Connections) -> Iterator[Store]:
    """Open a monitor's store; a SQLite file that is not there yet is made, with a log line."""
    url = store_url(monitor.store, folder=monitor.folder, connections=connections)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        upgrade(url)
        log.warning("made the store %s", Path(str(url.database)).resolve())
    with Store.open(url) as opened:
        yield opened


def lock(connection: Connection, monitor: str) -> None:
    """Wait until no other transaction writes to this monitor; it holds until this one ends."""
    if connection.dialect.name == "postgresql":
        name = hashlib.sha256(f"driftline {monitor}".encode("utf-8", "replace")).digest()
        key = int.from_bytes(name[:8], "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(key)))


# The schema


def revision(url: URL) -> str | None:
    """Return the migration that the store is at; None when it has no tables."""
    url = _checked(url)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return None  # connecting would make an empty file
    engine = _engine(url, poolclass=NullPool)
    with _mapped(url), engine.connect() as connection:
        return _revision(connection)


def upgrade(url: URL) -> list[str]:
    """Bring the tables to the newest revision; returns the revisions that were applied.

    The only DDL that driftline ever runs. Two that run at once wait for each other.
    """
    url = _checked(url)
    if url.get_backend_name() == "sqlite":
        _prepare_file(url)
    with Store(url) as store, store.begin("the schema") as connection:
        from alembic import command
        from alembic.script import ScriptDirectory

        found = _revision(connection)
        config = _config(connection=connection)
        script = ScriptDirectory.from_config(config)
        known = [step.revision for step in script.walk_revisions()]
        if found is not None and found not in known:
            raise StoreNotReady(
                f"the store {shown(url)} is at revision {found}, which this driftline does not "
                "know; upgrade driftline"
            )
        command.upgrade(config, "head")
        return list(reversed(known[: known.index(found)] if found else known))


def upgrade_sql(url: URL) -> str:
    """Return the DDL of all migrations as text, for somebody else to run; connects to nothing."""
    from alembic import command

    written = io.StringIO()
    config = _config(url=_checked(url))
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return None if found is None else str(found)


def _config(**attributes: Any) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "driftline:store/migrations")
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


def _prepare_file(url: URL) -> None:
    """Make the folder of a SQLite store, and let readers read while one writes (WAL)."""
    file = Path(str(url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of the store {file} cannot be made: {error}") from error
    engine = _engine(url, poolclass=NullPool)
    with _mapped(url), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        patient_until = time.monotonic() + PATIENCE
        while True:  # this one statement does not wait for others by itself
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > patient_until:
                    raise
                time.sleep(0.05)


# The connections


def _checked(url: URL) -> URL:
    """Return the URL with the driver that driftline uses."""
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        raise InputError(f"a store is SQLite or PostgreSQL, not {backend}; {shown(url)}")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError("a store in memory ends with its process: name a file, sqlite:///PATH")
    return url.set(drivername=DRIVERS[backend])


def _engine(url: URL, **options: Any) -> Engine:
    if url.get_backend_name() == "postgresql":
        options["connect_args"] = {"connect_timeout": PATIENCE}
        options.setdefault("pool_pre_ping", True)
    else:
        options["connect_args"] = {"timeout": PATIENCE}
    try:
        engine = create_engine(url, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "postgres") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(dbapi_connection: Any, _: Any) -> None:
    dbapi_connection.isolation_level = None  # the driver begins no transactions of its own
    dbapi_connection.execute("PRAGMA foreign_keys = ON")


def _on_begin(connection: Connection) -> None:
    """Take SQLite's only write lock at once: taken later it may fail, for what was read is old."""
    options = connection.get_execution_options()
    writes = options.get("driftline_writes", False)
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _mapped(url: URL) -> Iterator[None]:
    """Turn what SQLAlchemy raises into StoreError, without secrets and statements."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = " ".join(str(cause).split())
        said = without_secrets(said, url)
        raise StoreError(f"the store {shown(url)} failed: {said}") from error
