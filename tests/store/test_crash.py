"""Processes that are killed in the middle, and processes that write at once."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from driftline.store import Store, measurements, outbox
from tests.store.conftest import contents, measured, record
from tests.store.test_outbox import LATE, LEASE, claim, message

WRITER = """
import sys
from sqlalchemy import make_url
from driftline.domain import Outcome, Verdict
from driftline.store import Store, monitors, verdicts
from tests.store.conftest import RUN, measured, record

number, rounds, pause = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "pause"
found = [measured(column_name=f"c{n}", value=number + n / 1000) for n in range(200)]
said = [Verdict(rule="high", measurement=m, outcome=Outcome.WARN, reason="") for m in found]
store = Store.open(make_url(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(rounds):
    with store.begin() as connection:
        monitors.save(connection, "flights", "config-1", **RUN)
        record(connection, *found, run_id=f"run-{number}")
        if pause:
            print("half", flush=True)
            sys.stdin.readline()
        verdicts.replace(connection, said, judged=found, **RUN)
print("whole", flush=True)
"""


class Writer:
    """A process that records two hundred numbers and a verdict on each."""

    def __init__(self, url: URL, number: int, *, rounds: int = 1, pause: bool = False) -> None:
        address = url.render_as_string(hide_password=False)
        arguments = [address, str(number), str(rounds), "pause" if pause else "go"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hears("ready")

    def hears(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def writers() -> Iterator[list[Writer]]:
    started: list[Writer] = []
    yield started
    for writer in started:
        writer.close()


def state(store: Store) -> tuple[object, ...]:
    names = ("measurements", "verdicts", "monitors")
    return tuple(contents(store, name, without=("run_id",)) for name in names)


def test_a_killed_writer_leaves_the_store_as_it_was(
    store: Store, store_url: URL, writers: list[Writer]
) -> None:
    with store.begin() as connection:
        record(connection, measured(), measured(column_name="c1"))
    before = state(store)
    writer = Writer(store_url, 1, pause=True)
    writers.append(writer)
    writer.go()
    writer.hears("half")
    assert state(store) == before
    writer.process.send_signal(signal.SIGKILL)
    writer.process.wait()
    assert state(store) == before

    rerun = Writer(store_url, 1)
    writers.append(rerun)
    rerun.go()
    rerun.hears("whole")
    whole = state(store)
    assert [len(table) for table in whole] == [200, 200, 1]  # type: ignore[arg-type]

    again = Writer(store_url, 1)
    writers.append(again)
    again.go()
    again.hears("whole")
    assert state(store) == whole


def test_two_reruns_at_once_end_as_one(store: Store, store_url: URL, writers: list[Writer]) -> None:
    """Each measured something else, so that a mixture of the two would show."""
    writers += [Writer(store_url, number, rounds=5) for number in (1, 2)]
    for writer in writers:
        writer.go()
    for writer in writers:
        writer.hears("whole")
    with store.read() as connection:
        rows = measurements.current(connection, "flights")
    assert len(rows) == 200
    assert len({row["run_id"] for row in rows}) == 1
    assert {int(row["value"]) for row in rows} == {int(rows[0]["run_id"].removeprefix("run-"))}
    assert {row["verdict"] for row in rows} == {"warn"}


def test_a_deliverer_that_dies_leaves_its_message_to_others(
    store: Store, store_url: URL, writers: list[Writer]
) -> None:
    with store.begin() as connection:
        outbox.add(connection, [message()])
    script = (
        "import sys, os, signal; from sqlalchemy import make_url;"
        "from driftline.store import Store; from tests.store.test_outbox import LATE, claim;"
        "claim(Store.open(make_url(sys.argv[1]))); os.kill(os.getpid(), signal.SIGKILL)"
    )
    address = store_url.render_as_string(hide_password=False)
    died = subprocess.run([sys.executable, "-c", script, address], capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert claim(store) == []
    assert claim(store, LATE + LEASE) == [message(attempts=2)]
