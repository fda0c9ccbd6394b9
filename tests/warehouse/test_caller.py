"""Every statement says who asks, and none may take for ever."""

import re
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import psycopg
import pyarrow as pa
import pytest
from pydantic import ValidationError
from sqlalchemy import func, literal_column, make_url, select, text
from sqlalchemy.exc import DBAPIError

from driftline import __version__
from driftline.domain import ColumnKind, Scope, Window
from driftline.errors import WarehouseError
from driftline.monitor.config import Monitor
from driftline.suites import quality
from driftline.warehouse import open_logs
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.base import DIALECTS, Dialect, dialect_of
from driftline.warehouse.reader import Output
from tests.suites.test_quality import expect
from tests.warehouses import Warehouse, make_warehouse

START, END = datetime(2013, 4, 1, 5, tzinfo=UTC), datetime(2013, 4, 1, 6, tzinfo=UTC)
SAID = re.compile(r"(\w+)='([^']*)'")
NUMBERS = {
    "duckdb": "SELECT range AS n FROM range(3000000)",
    "postgresql": "SELECT n FROM generate_series(1, 3000000) AS t (n)",
    "sqlite": (
        "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3000000) "
        "SELECT n FROM t"
    ),
    "spark": "SELECT id AS n FROM range(3000000)",
    "clickhouse": "SELECT number AS n FROM numbers(3000000)",
}
"""Three million rows; each with each other is what no database finishes."""

SLOW = (
    "SELECT 'a' AS id, '2013-04-01T05:00:00Z' AS ts, 0.5 AS score, 1.0 AS x "
    "FROM ({0}) AS a CROSS JOIN ({0}) AS b WHERE (a.n * 7 + b.n) % 11 = 12"
)


def predictions() -> pa.Table:
    return pa.table({"id": ["a"], "ts": [START], "score": [0.5], "x": [1.0]})


def slow(warehouse: Warehouse, seconds: int = 1) -> Monitor:
    """Return a monitor whose log takes for ever to read."""
    return warehouse.monitor(
        predictions={"query": SLOW.format(NUMBERS[warehouse.dialect])},
        statement_timeout=f"{seconds}s",
        warehouse=warehouse.url,
        features={"numeric": ["x"]},
    )


def another(owner: str) -> psycopg.Connection:
    """Return a session of its own."""
    uri = make_url(owner).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(uri, autocommit=True)


def test_the_comment_says_who_asks_and_what_for():
    caller = Caller(monitor="flight_delay").of("profiles", START, END)
    assert caller.comment == (
        "/*application='driftline',end='2013-04-01T06:00Z',monitor='flight_delay',"
        f"purpose='profiles',start='2013-04-01T05:00Z',version='{__version__}'*/"
    )
    assert caller.signed(caller.signed("SELECT 1")) == f"{caller.comment} SELECT 1"
    assert caller.of("check", None, None).comment.count("=") == 4


def test_a_hostile_name_stays_in_the_comment(tmp_path):
    name = "x'*/; DROP TABLE logs; --\n/*é"
    with pytest.raises(ValidationError):
        Warehouse(kind="duckdb", folder=tmp_path).monitor(monitor=name)
    caller = Caller(monitor=name)
    assert caller.comment.count("*/") == caller.comment.count("/*") == 1
    assert caller.comment.endswith("'*/")
    assert "\n" not in caller.comment
    assert unquote(dict(SAID.findall(caller.comment))["monitor"]) == name
    for each in (caller, replace(caller, monitor="é" * 100)):
        assert len(each.application.encode()) <= 63


def test_statements_are_signed_on_every_warehouse(warehouse: Warehouse, monkeypatch):
    """What is sent is caught where the drivers take it; that it still runs is the test."""
    warehouse.load("predictions", predictions())
    sent: list[str] = []
    speaker = dialect_of(make_url(warehouse.url))
    batches = speaker.batches
    monkeypatch.setattr(speaker, "batches", lambda e, s: sent.append(s) or batches(e, s))
    with open_logs(warehouse.monitor()) as logs:
        assert logs.counts(START, END).rows == 1
        assert logs.rows(START, END, {"x": ColumnKind.NUMERIC}).total == 1
    assert sent
    for statement in sent:
        said = dict(SAID.findall(statement.partition("*/")[0]))
        assert said["purpose"] == "rows"
        assert (said["start"], said["end"]) == ("2013-04-01T05:00Z", "2013-04-01T06:00Z")


def test_postgresql_shows_who_asks(postgres_database: str, tmp_path):
    """Both drivers, and Great Expectations, in the server's own list of what runs."""
    warehouse = Warehouse("postgresql", tmp_path, postgres_database, lambda: postgres_database)
    warehouse.load("predictions", predictions())
    seen: set[tuple[str, str]] = set()
    slowly = {"where": "pg_sleep(0.3) IS NOT NULL"}
    columns = {"x": ColumnKind.NUMERIC}
    window = Window.ending("1h", END)
    scope = Scope(monitor="model", window=window, as_of=END, config_hash="c")
    done = threading.Event()

    def look() -> None:
        with another(postgres_database) as connection:
            while not done.wait(0.02):
                seen.update(
                    connection.execute(
                        "SELECT application_name, query FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

    looking = threading.Thread(target=look)
    looking.start()
    try:
        with open_logs(warehouse.monitor(predictions=slowly)) as logs:
            logs.counts(START, END)
            logs.rows(START, END, columns)
            asked = [expect("expect_column_values_to_not_be_null", column="x")]
            (found,) = quality.validate(scope, asked, logs, columns, 1)
            assert found.value == 1.0
    finally:
        done.set()
        looking.join()
    ours = [query for name, query in seen if name == f"driftline {__version__} model"]
    purposes = {
        (dict(SAID.findall(query)).get("purpose"), query.startswith("COPY"))
        for query in ours
        if "pg_sleep" in query
    }
    assert purposes >= {("counts", False), ("rows", True), ("expectations", False)}
    assert all("start='2013-04-01T05:00Z'" in query for query in ours if "pg_sleep" in query)


def test_a_name_that_the_address_gives_is_kept(postgres_database: str):
    own = {"application_name": "the nightly+one", "options": "-c work_mem=7MB"}
    url = make_url(postgres_database).update_query_dict(own)
    speaker = dialect_of(url)
    engine = speaker.engine(url, Caller(monitor="model"))
    names = ("application_name", "work_mem", "statement_timeout", "TimeZone")
    shown = [f"current_setting('{name}')" for name in names]
    found = ["the nightly+one", "7MB", "30min", "UTC"]
    with engine.connect() as connection:
        assert list(connection.execute(text(f"SELECT {', '.join(shown)}")).one()) == found
    (table,) = speaker.arrow(engine, [f"SELECT {', '.join(shown)}"])
    assert [column[0].as_py() for column in table.columns] == found
    engine.dispose()


def test_a_statement_that_takes_too_long_is_ended(warehouse: Warehouse):
    """By both ways of asking; what comes after it is answered, and no thread is left."""
    warehouse.load("predictions", predictions())
    before = threading.active_count()
    with open_logs(slow(warehouse)) as logs:
        for ask in (
            lambda: logs.counts(START, END),
            lambda: logs.rows(START, END, {"x": ColumnKind.NUMERIC}),
        ):
            began = time.monotonic()
            with pytest.raises(WarehouseError, match=r"longer than 1s \(statement_timeout\)"):
                ask()
            assert time.monotonic() - began < 10
        assert logs._reader.one(select(literal_column("1")))[0] == 1
        assert logs._reader.one(select(func.count()).select_from(text("(SELECT 1) AS a")))[0] == 1
    assert threading.active_count() == before


def test_statements_that_end_in_time_are_let_be(warehouse: Warehouse):
    """The time is a statement's own: many short ones may take longer together."""
    warehouse.load("predictions", predictions())
    monitor = warehouse.monitor(statement_timeout="1s")
    before = threading.active_count()
    with open_logs(monitor) as logs:
        until = time.monotonic() + 1.3
        while time.monotonic() < until:
            assert logs.counts(START, END).rows == 1
            assert logs.rows(START, END, {"x": ColumnKind.NUMERIC}).total == 1
    assert threading.active_count() == before


def test_the_timeout_is_of_each_of_many_statements(warehouse: Warehouse):
    """`arrow` runs them in one transaction, and whoever takes them may take his time."""
    warehouse.load("predictions", predictions())
    with open_logs(warehouse.monitor(statement_timeout="1s")) as logs:
        one = select(literal_column("1").label("one"))
        asked = [(one, [Output("one", literal_column("1"), pa.int64())])] * 3
        for found in logs._reader.tables(asked):
            assert found["one"].to_pylist() == [1]
            time.sleep(0.7)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_great_expectations_are_ended_too(request, kind: str, tmp_path):
    warehouse = make_warehouse(request, kind, tmp_path)
    warehouse.load("predictions", predictions())
    window = Window.ending("1h", END)
    scope = Scope(monitor="model", window=window, as_of=END, config_hash="c")
    asked = [expect("expect_column_values_to_not_be_null", column="x")]
    with (
        open_logs(slow(warehouse)) as logs,
        pytest.raises(WarehouseError, match=r"longer than 1s \(statement_timeout\)"),
    ):
        quality.validate(scope, asked, logs, {"x": ColumnKind.NUMERIC}, 1)


def test_what_a_person_cancels_took_not_too_long(postgres_database: str):
    url = make_url(postgres_database)
    with (
        dialect_of(url).engine(url, Caller()).connect() as connection,
        another(postgres_database) as other,
    ):
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        cancel = lambda: other.execute("SELECT pg_cancel_backend(%s)", [pid])  # noqa: E731
        stop = threading.Timer(0.5, cancel)
        stop.start()
        with pytest.raises(DBAPIError, match="user request") as caught:
            connection.execute(text("SELECT pg_sleep(20)"))
        stop.join()
    assert not dialect_of(url).timed_out(caught.value.orig)


def test_the_timeout_shapes_no_number(tmp_path):
    warehouse = Warehouse(kind="duckdb", folder=tmp_path)
    usual, longer = warehouse.monitor(), warehouse.monitor(statement_timeout="2h")
    assert usual.statement_timeout == timedelta(minutes=30)
    assert usual.config_hash == longer.config_hash
    for wrong in ("0s", "25d", "soon"):
        with pytest.raises(ValidationError, match="such as"):
            warehouse.monitor(statement_timeout=wrong)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_has_every_function_that_is_asked_of_it(name: str):
    speaker: Any = dialect_of(make_url(f"{name}://"))
    wanted = {each for each in vars(Dialect) if not each.startswith("_")}
    assert {each for each in wanted if not hasattr(speaker, each)} == set()
