"""The migrations make what `tables` describes, once, whoever else is upgrading."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, inspect, make_url
from sqlalchemy.pool import NullPool

import driftline.store
from driftline.store import Store, engine, revision, upgrade, upgrade_sql
from driftline.store.tables import current_measurements, metadata
from tests.conftest import run
from tests.store.conftest import contents, measured, record


def open_engine(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool)


def shape(url: URL) -> dict[str, Any]:
    """Return all that the database says of its tables, but for the migrations' own."""
    look = inspect(open_engine(url))
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in look.get_columns(name)
            ],
            "key": look.get_pk_constraint(name)["constrained_columns"],
            "checks": sorted(
                (c["name"], re.sub(r"\s+", " ", c["sqltext"]))
                for c in look.get_check_constraints(name)
            ),
            "indexes": sorted((i["name"], i["column_names"]) for i in look.get_indexes(name)),
            "links": look.get_foreign_keys(name),
        }
        for name in sorted(look.get_table_names())
        if name != engine.VERSION_TABLE
    }


def beside(url: URL) -> URL:
    """Return the address of another empty database of the same kind."""
    if url.get_backend_name() == "sqlite":
        return url.set(database=f"{url.database}-other")
    other = url.set(database=f"{url.database}_other")
    run(url.render_as_string(hide_password=False), f'CREATE DATABASE "{other.database}"')
    return other


@pytest.fixture
def other_url(store_url: URL) -> Any:
    other = beside(store_url)
    yield other
    if other.get_backend_name() == "postgresql":
        run(
            store_url.render_as_string(hide_password=False),
            f'DROP DATABASE "{other.database}" WITH (FORCE)',
        )


def test_the_migrated_tables_are_those_described(store_url: URL, other_url: URL) -> None:
    upgrade(store_url)
    metadata.create_all(open_engine(other_url))
    assert shape(store_url) == shape(other_url)
    assert set(shape(store_url)) == set(metadata.tables)


def test_alembic_finds_nothing_to_migrate(store_url: URL) -> None:
    upgrade(store_url)
    with open_engine(store_url).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": engine.VERSION_TABLE, "compare_server_default": True},
        )
        assert compare_metadata(context, metadata) == []


def test_the_view_has_the_columns_described(store_url: URL) -> None:
    upgrade(store_url)
    look = inspect(open_engine(store_url))
    assert look.get_view_names() == ["current_measurements"]
    columns = [column["name"] for column in look.get_columns("current_measurements")]
    assert columns == current_measurements.c.keys()
    assert columns == [*metadata.tables["measurements"].c.keys(), "verdict"]


def test_upgrading_again_changes_nothing(store_url: URL) -> None:
    assert revision(store_url) is None
    assert upgrade(store_url) == ["0001"]
    assert revision(store_url) == engine.HEAD
    with Store.open(store_url) as store:
        with store.begin() as connection:
            record(connection, measured())
        before = contents(store, "measurements")
        assert upgrade(store_url) == []
        assert contents(store, "measurements") == before


def test_the_sql_makes_the_same_tables(store_url: URL, other_url: URL) -> None:
    upgrade(store_url)
    script = upgrade_sql(other_url)
    if other_url.get_backend_name() == "sqlite":
        raw = open_engine(other_url).raw_connection()
        raw.driver_connection.executescript(script)  # type: ignore[union-attr]
        raw.close()
    else:
        run(other_url.render_as_string(hide_password=False), script)
    assert shape(other_url) == shape(store_url)
    assert revision(other_url) == engine.HEAD
    with Store.open(other_url) as store, store.begin() as connection:
        record(connection, measured())
        assert connection.exec_driver_sql("SELECT * FROM current_measurements").all() == []


@pytest.mark.parametrize("where", ["postgresql://somebody@db/x", "sqlite:///x.db"])
def test_the_sql_is_one_transaction(where: str) -> None:
    lines = [line for line in upgrade_sql(make_url(where)).splitlines() if line]
    assert (lines[0], lines[-1]) == ("BEGIN;", "COMMIT;")


def test_the_sql_needs_no_server() -> None:
    script = upgrade_sql(make_url("postgresql://somebody:secret@nowhere.invalid/x"))
    assert "CREATE VIEW current_measurements" in script
    assert "secret" not in script


def test_two_that_upgrade_at_once(store_url: URL, tmp_path: Path) -> None:
    script = (
        "import sys; from sqlalchemy import make_url; from driftline.store import upgrade;"
        "print('ready', flush=True); sys.stdin.readline(); print(upgrade(make_url(sys.argv[1])))"
    )
    url = store_url.render_as_string(hide_password=False)
    upgraders = [
        subprocess.Popen(
            [sys.executable, "-c", script, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for upgrader in upgraders:
        assert upgrader.stdout is not None
        assert upgrader.stdout.readline() == "ready\n"
    for upgrader in upgraders:
        assert upgrader.stdin is not None
        upgrader.stdin.write("go\n")
        upgrader.stdin.flush()
    said = [upgrader.communicate() for upgrader in upgraders]
    assert sorted(out.strip() for out, _ in said) == ["['0001']", "[]"], said


def test_a_failed_upgrade_leaves_nothing(store_url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it or nothing, in SQLite too, whose driver would commit each statement."""
    from alembic import command

    whole = command.upgrade

    def breaks(*given: Any, **named: Any) -> None:
        whole(*given, **named)
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", breaks)
    with pytest.raises(ZeroDivisionError):
        upgrade(store_url)
    assert inspect(open_engine(store_url)).get_table_names() == []


def test_the_code_knows_the_newest_migration() -> None:
    script = ScriptDirectory.from_config(engine._config())
    assert script.get_current_head() == engine.HEAD


def test_opening_a_store_loads_no_migrations(store: Store, store_url: URL) -> None:
    script = (
        "import sys; from sqlalchemy import make_url; from driftline.store import Store;"
        "Store.open(make_url(sys.argv[1])); print('alembic' in sys.modules)"
    )
    url = store_url.render_as_string(hide_password=False)
    said = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True)
    assert said.stdout == "False\n", said.stderr


def test_the_migrations_are_in_the_package() -> None:
    folder = Path(driftline.store.__file__).parent / "migrations"
    assert [file.name for file in sorted((folder / "versions").glob("*.py"))] == [
        "0001_first_tables.py"
    ]
