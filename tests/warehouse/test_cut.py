"""A connection to PostgreSQL that ends at each stage, and what the server says in the middle.

A socket between client and server closes both sides when a word goes by, or so many bytes.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import literal_column, make_url, select, text

from driftline.cli import main
from driftline.domain import ColumnKind, Suite
from driftline.errors import WarehouseError
from driftline.monitor.config import Monitor
from driftline.run import planned, run
from driftline.store import Store, ledger
from driftline.store.ledger import State
from driftline.warehouse import Logs, open_logs
from driftline.warehouse.reader import Output
from tests import conftest
from tests.models import DAY, START, logs, parts
from tests.warehouses import make_warehouse

ROWS = 200_000
"""So many are several batches, and fill every buffer between client and server."""

DAY_OF_ALL = datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 2, tzinfo=UTC)


class Proxy:
    """A socket on the loopback before a server; `cut` says when it closes a connection."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self.word, self.bytes, self.met = b"", 0, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, word: bytes = b"", *, after: int = 0) -> None:
        """Close a connection in which the client says this word, once as many bytes came after."""
        self.word, self.bytes, self.met = word, after, 0

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.bytes < 0:
                    self.met += 1
                    client.close()
                    continue
                server = socket.create_connection(self._server)
                self._open += [client, server]
                said = [False]
                for ends in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(*ends, said), daemon=True).start()

    def _pass(
        self, source: socket.socket, sink: socket.socket, asks: bool, said: list[bool]
    ) -> None:
        came = 0
        with suppress(OSError):
            while chunk := source.recv(65_536):
                if asks and self.word and self.word in chunk:
                    said[0] = True
                came += len(chunk) if said[0] and not asks else 0
                if said[0] and (came if self.bytes else asks) and came >= self.bytes:
                    self.met += 1
                    break
                sink.sendall(chunk)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    server = make_url(postgres_url)
    with closing(Proxy(str(server.host), int(server.port or 5432))) as made:
        yield made


def of_many_rows(database: str, value: str = "n", **changes: Any) -> Monitor:
    """A monitor of 200,000 predictions of one day that no table holds."""
    rows = (
        f"SELECT n AS id, timestamptz '2013-04-01 05:00:00Z' AS ts, 0.5::float8 AS score, "
        f"({value})::float8 AS x FROM generate_series(1, {ROWS}) AS n"
    )
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": database,
            "predictions": {"query": rows, "id": "id", "timestamp": "ts", "score": "score"},
            "reference": {"window": ["2013-01-01", "2013-02-01"]},
            **changes,
        }
    )


def aggregate(logs: Logs) -> object:
    return logs._reader.one(select(text("1")).limit(1))


def streamed(logs: Logs) -> object:
    return logs.rows(*DAY_OF_ALL, {"x": ColumnKind.NUMERIC}).total


def collected(logs: Logs) -> object:
    asked = select(text("n")).select_from(text(f"generate_series(1, {ROWS}) AS n"))
    (found,) = logs._reader.tables([(asked, [Output("n", literal_column("n"), pa.int64())])])
    return len(found)


STAGES: dict[str, tuple[Callable[[Logs], object], bytes, int]] = {
    "connecting": (aggregate, b"", -1),
    "greeting": (aggregate, b"user\0", 0),
    "beginning": (aggregate, b"BEGIN", 0),
    "setting up": (aggregate, b"TIME ZONE", 0),
    "the first statement": (aggregate, b"LIMIT 1", 0),
    "its answer": (aggregate, b"LIMIT 1", 1),
    "connecting for rows": (streamed, b"", -1),
    "greeting for rows": (streamed, b"user\0", 0),
    "setting up for rows": (streamed, b"TIME ZONE", 0),
    "asking for rows": (streamed, b"COPY", 0),
    "the first rows": (streamed, b"COPY", 1),
    "the midst of the rows": (streamed, b"COPY", 2_000_000),
    "the midst of a table": (collected, b"COPY", 1_000_000),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_that_is_cut(stage: str, postgres_database: str, proxy: Proxy):
    ask, word, after = STAGES[stage]
    through = make_url(postgres_database).set(port=proxy.port)
    with open_logs(of_many_rows(through.render_as_string(hide_password=False))) as logs:
        proxy.cut(word, after=after)
        with pytest.raises(WarehouseError) as caught:
            ask(logs)
        assert proxy.met
        assert conftest.PASSWORD not in str(caught.value)
        assert "\n" not in str(caught.value)
        proxy.cut()
        assert ask(logs)


@pytest.mark.parametrize("ask", [aggregate, streamed, collected])
@pytest.mark.parametrize("word", [b"ROLLBACK", b"COMMIT", b"X\0\0\0\4"])
def test_a_connection_that_is_cut_when_all_is_said(
    ask: Callable[[Logs], object], word: bytes, postgres_database: str, proxy: Proxy
):
    """What was answered stands, or it is a WarehouseError; the next question is answered."""
    through = make_url(postgres_database).set(port=proxy.port)
    with open_logs(of_many_rows(through.render_as_string(hide_password=False))) as logs:
        proxy.cut(word)
        with suppress(WarehouseError):
            assert ask(logs)
        proxy.cut()
        assert ask(logs)
        proxy.cut(word)


MIDST = ROWS - 10_000
"""The row at which something goes wrong, when many have come."""

FAULTS = {
    f"CASE WHEN n = {MIDST} THEN (SELECT 1 FROM pg_sleep(60)) ELSE n END": r"longer than 1s \(stat",
    f"n / (n - {MIDST})": r"/\w+: division by zero$",
    f"exp(CASE WHEN n = {MIDST} THEN 1000 ELSE 1 END)": "out of range: overflow",
    f"(CASE WHEN n = {MIDST} THEN 'x' ELSE '1' END)::int": "invalid input syntax for type integer",
    f"CASE WHEN n = {MIDST} THEN pg_terminate_backend(pg_backend_pid())::int ELSE n END": (
        "terminating connection due to administrator command"
    ),
}


@pytest.mark.parametrize("value", FAULTS)
def test_what_the_server_says_in_the_midst_of_rows(value: str, postgres_database: str):
    """Of the second read the connection is another, or the same one in a new transaction."""
    columns = {"x": ColumnKind.NUMERIC}
    with open_logs(of_many_rows(postgres_database, value, statement_timeout="1s")) as logs:
        for ask in (logs.rows, logs.statistics):
            with pytest.raises(WarehouseError, match=FAULTS[value]):
                ask(*DAY_OF_ALL, columns)
            assert aggregate(logs)


@pytest.mark.usefixtures("no_pages", "no_samples", "no_expectations")
def test_a_day_that_cannot_be_read_is_one_of_many(
    request: pytest.FixtureRequest, tmp_path: Any, postgres_database: str
):
    """Other suites and days go on; the exit code is 1, and the day can be run again."""
    place = make_warehouse(request, "postgresql", tmp_path)
    for name, rows in zip(("kept", "labels"), logs(days=8), strict=True):
        place.load(name, rows)
    bad, last = START + 6 * DAY, START + 7 * DAY
    columns = 'id, ts, score, x / ({}) AS x, noise, "group", version'
    view = f"CREATE OR REPLACE VIEW predictions AS SELECT {columns} FROM kept"
    divisor = f"CASE WHEN ts >= '{bad:%F}' AND ts < '{last:%F}' THEN 0 ELSE 1 END"
    conftest.run(place.owner, view.format(divisor))
    store_url = f"sqlite:///{tmp_path}/results.db"
    monitor = place.monitor(**parts("binary") | {"windows": ["1d"]}, store=store_url)
    file = tmp_path / "model.yaml"
    written = monitor.model_dump(mode="json", by_alias=True, exclude_unset=True)
    file.write_text(yaml.safe_dump(written))
    period = [f"--from={bad:%F}", f"--to={last + DAY:%F}"]
    result = CliRunner().invoke(main, ["run", str(file), *period])
    assert result.exit_code == 1, result.output
    with Store.open(make_url(store_url)) as store:
        with store.read() as connection:
            entries = list(ledger.of(connection, "model", start=bad))
        assert {e.state for e in entries if e.window.start == last} == {State.DONE}
        errors = {e.suite: e.error for e in entries if e.window.start == bad}
        assert errors.pop(Suite.PERFORMANCE) == errors.pop(Suite.ESTIMATE) == ""
        assert errors.keys() == {Suite.QUALITY, Suite.DRIFT}
        assert all(error.endswith("division by zero") for error in errors.values())
        todo = planned(monitor, bad, last + DAY, store)
        assert [window.end for window in todo] == [last]
        conftest.run(place.owner, view.format("1"))
        assert [conclusion.errors for conclusion in run(monitor, todo, store)] == [()]
        assert planned(monitor, bad, last + DAY, store) == []
