"""Opening a store: where it is, what it refuses, what a transaction means."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import OperationalError

from driftline.connections import from_environment
from driftline.errors import InputError, StoreError, StoreNotReady, UnknownConnection
from driftline.store import Store, measurements, store_url, upgrade
from driftline.store.engine import HEAD
from tests.store.conftest import contents, measured, record

FOLDER = Path("/monitors")


def where(store: str | None) -> URL:
    return store_url(store, folder=FOLDER, connections=from_environment)


def test_the_file_speaks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DRIFTLINE_STORE", "postgresql://somebody@db/connection")
    assert where("sqlite:///results.db").database == "/monitors/results.db"


def test_then_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DRIFTLINE_STORE", "postgresql://somebody@db/connection")
    assert where(None) == make_url("postgresql+psycopg://somebody@db/connection")


def test_then_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRIFTLINE_HOME", str(tmp_path))
    assert where(None) == make_url(f"sqlite:///{tmp_path}/driftline.db")
    monkeypatch.delenv("DRIFTLINE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert where(None) == make_url(f"sqlite:///{tmp_path}/.driftline/driftline.db")


def test_a_connection_that_the_file_names_must_be_there() -> None:
    with pytest.raises(UnknownConnection, match="elsewhere"):
        where("elsewhere")


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("duckdb:///results.duckdb", "SQLite or PostgreSQL, not duckdb"),
        ("mysql://somebody:secret@db/x", "SQLite or PostgreSQL, not mysql"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite://", "name a file"),
    ],
)
def test_other_databases_are_refused(store: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        where(store)
    assert "secret" not in str(refused.value)


def test_a_folder_that_is_nobodys_is_told_by_its_key() -> None:
    with pytest.raises(InputError, match=r"store: .*nosuchuser"):
        where("sqlite:///~nosuchuser/x.db")


def test_a_store_without_tables_is_not_opened(store_url: URL) -> None:
    with pytest.raises(StoreNotReady, match="has no tables yet; run: driftline store upgrade"):
        Store.open(store_url)
    if store_url.get_backend_name() == "sqlite":
        assert not Path(str(store_url.database)).exists()


def test_a_store_of_another_revision_is_not_opened(store: Store, store_url: URL) -> None:
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE driftline_version SET version_num = '9999'")
    with pytest.raises(StoreNotReady, match="is at revision 9999"):
        Store.open(store_url)
    with pytest.raises(StoreNotReady, match="upgrade driftline"):
        upgrade(store_url)


def test_a_server_that_is_away_is_a_store_error_without_its_password() -> None:
    away = make_url("postgresql+psycopg://somebody:kept-secret@127.0.0.1:1/x?sslkey=kept-key")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1") as failed:
        Store.open(away)
    assert "somebody" in str(failed.value)
    assert "kept" not in str(failed.value)


@pytest.mark.parametrize("where", ["somebody:kept@db/x", "somebody@db/x?password=kept"])
def test_a_driver_that_repeats_the_password_is_not_repeated(where: str) -> None:
    store = Store(make_url(f"postgresql://{where}"))

    def refuse(*_: object) -> None:
        raise OperationalError("", {}, Exception("somebody, kept: wrong"))

    event.listen(store._engine, "do_connect", refuse)
    with pytest.raises(StoreError, match=r"somebody, \*\*\*: wrong"), store.begin():
        pass


def test_what_the_database_refuses_is_a_store_error_without_statements(store: Store) -> None:
    with pytest.raises(StoreError, match=r"(?i)unique") as failed, store.begin() as connection:
        record(connection, measured(), measured())
    assert "INSERT" not in str(failed.value)
    assert "hide_parameters" in str(failed.value.__cause__)  # a traceback shows it with its cause
    assert "[parameters:" not in str(failed.value.__cause__)
    assert contents(store, "measurements") == []


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("this is a letter, and a long one" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(make_url(f"sqlite:///{tmp_path}/store.db"))


def test_an_error_leaves_the_store_as_it_was(store: Store) -> None:
    with store.begin() as connection:
        record(connection, measured())
    before = contents(store, "measurements")

    def interrupted() -> None:
        with store.begin() as connection:
            record(connection, measured(value=0.5), measured(column_name="wind"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert contents(store, "measurements") == before


def test_a_reader_sees_one_picture(store: Store) -> None:
    with store.begin() as connection:
        record(connection, measured())
    with store.read() as reader:
        first = measurements.history(reader, "flights")
        with store.begin() as writer:
            record(writer, measured(value=0.5))
        assert measurements.history(reader, "flights") == first
    with store.read() as reader:
        assert measurements.history(reader, "flights")[0]["value"] == 0.5


def test_a_reader_cannot_write_on_postgresql(store: Store) -> None:
    if store._engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no read-only transactions")
    with pytest.raises(StoreError, match="read-only"), store.read() as connection:
        record(connection, measured())


def test_one_writer_a_monitor(store: Store) -> None:
    """What a transaction read still holds when it writes: the second waits for the first."""
    inside = threading.Event()
    order: list[str] = []

    def second() -> None:
        inside.wait()
        with store.begin("flights") as connection:
            order.append(f"second sees {measurements.history(connection, 'flights')[0]['value']}")

    thread = threading.Thread(target=second)
    with store.begin("flights") as connection:
        thread.start()
        inside.set()
        record(connection, measured(value=0.75))
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second sees 0.75"]


def test_writers_of_two_monitors_do_not_wait_on_postgresql(store: Store) -> None:
    if store._engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    with store.begin("flights") as one, store.begin("ferries") as other:
        record(one, measured())
        record(other, measured(monitor="ferries"))
    assert len(contents(store, "measurements")) == 2


def test_sqlite_waits_and_lets_readers_read(store: Store) -> None:
    if store._engine.dialect.name != "sqlite":
        pytest.skip("a matter of SQLite's settings")
    with store.read() as connection:
        said = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        ]
    assert said == ["wal", 30_000, 1]


def test_no_ddl_outside_upgrade(store: Store) -> None:
    statements: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    with store.begin("flights") as connection:
        record(connection, measured())
        measurements.current(connection, "flights")
    assert any("INSERT INTO measurements" in statement for statement in statements)
    words = {statement.split()[0].upper() for statement in statements}
    assert words <= {"BEGIN", "SELECT", "INSERT", "DELETE", "PRAGMA"}


@pytest.mark.parametrize(("patience", "waits"), [(30, True), (0.1, False)])
def test_what_makes_a_file_waits_for_who_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float, waits: bool
) -> None:
    """SQLite changes no journal while somebody writes, and does not wait by itself."""
    monkeypatch.setattr("driftline.store.engine.PATIENCE", patience)
    path = tmp_path / "store.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE held (x INTEGER)")
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, other.execute, ["COMMIT"])
    release.start()
    url = make_url(f"sqlite:///{path}")
    try:
        if waits:
            assert upgrade(url) == [HEAD]
        else:
            with pytest.raises(StoreError, match="locked"):
                upgrade(url)
    finally:
        release.join()
        other.close()


def test_a_connection_that_the_server_has_closed_is_made_anew_on_postgresql(store: Store) -> None:
    if store._engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no server")
    with store.read() as connection:
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with Store(store._url) as other, other.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({own}, 5000)")
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != own
