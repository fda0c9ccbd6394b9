"""The demo as a whole, through a real Airflow: what it finds, what it leaves, and that it ends."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree

import duckdb
import psutil
import pytest
from rich.console import Console

from driftline.connections import from_environment
from driftline.domain import Suite
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.store import ledger, measurements, open_store, outbox, retrainings
from flights import story
from flights.story import tell

pytestmark = [pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
SHORTER = {
    "FIRST": datetime(2013, 4, 1, tzinfo=UTC),
    "LAST": datetime(2013, 4, 24, tzinfo=UTC),
}
"""Days that are watched less, at the beginning and at the end: three seconds each."""
HOURS = 2
"""Of the demo's 24 live hours; each is a DAG run of ten tasks."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Run the demo in a folder of its own; give the folder and what was shown."""
    folder = tmp_path_factory.mktemp("demo")
    _lay_out(folder)
    console = Console(file=io.StringIO(), width=160)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("SLACK_BOT_TOKEN", raising=False)
        for name, day in SHORTER.items():
            patched.setattr(story, name, day)
        tell(Path(".demo"), console)
        yield folder, console.file.getvalue()


@pytest.fixture
def monitor(demo: tuple[Path, str]) -> Monitor:
    return monitor_file.load(demo[0] / "include" / "monitors" / "flight_delay.yaml")


def test_it_tells_of_the_days_that_are_known(demo: tuple[Path, str]) -> None:
    lines = (demo[0] / ".demo" / "slack.jsonl").read_text().splitlines()
    told = [json.loads(line)["text"] for line in lines]
    drifted = [text for text in told if "scores-have-drifted (warn" in text]
    worse = [text for text in told if "worse-than-a-constant (critical" in text]
    assert [text.rpartition(" to ")[2] for text in drifted] == ["2013-04-04)"]
    # The second fired in history, of which nobody is told; the first live run after it tells.
    assert [text.rpartition(" to ")[2] for text in worse] == ["2013-04-12)", "2013-04-21)"]


def test_every_run_of_airflow_ended_well(demo: tuple[Path, str]) -> None:
    with sqlite3.connect(demo[0] / ".demo/airflow/airflow.db") as connection:
        runs = connection.execute(
            "SELECT dag_id, run_type, state, count(*) FROM dag_run GROUP BY 1, 2, 3 ORDER BY 1"
        ).fetchall()
    assert runs == [
        ("flight_delay__daily", "manual", "success", 3),
        ("flight_delay__hourly", "scheduled", "success", HOURS),
        ("flight_delay__retrain", "operator_triggered", "success", 2),
    ]


def test_the_days_and_hours_are_whole(demo: tuple[Path, str], monitor: Monitor) -> None:
    with open_store(monitor, from_environment) as store, store.read() as connection:
        entries = ledger.of(
            connection,
            "flight_delay",
            config_hash=monitor.config_hash,
            start=datetime(2013, 4, 12, 21, tzinfo=UTC),
            end=datetime(2013, 4, 12, 23, tzinfo=UTC),
        )
        assert outbox.pending(connection) == []
    assert {entry.state for entry in entries} == {ledger.State.DONE}
    hours = [(entry.suite, entry.window) for entry in entries if entry.window.cadence == "1h"]
    assert {suite for suite, _ in hours} == {
        Suite.QUALITY,
        Suite.OPERATIONS,
        Suite.DRIFT,
        Suite.PERFORMANCE,
    }
    assert sum(suite is Suite.QUALITY for suite, _ in hours) == HOURS


def test_what_came_of_the_retrainings_is_shown(demo: tuple[Path, str], monitor: Monitor) -> None:
    with open_store(monitor, from_environment) as store, store.read() as connection:
        found = {
            f"{row.as_of:%m-%d}": row for row in retrainings.history(connection, "flight_delay")
        }
    assert {day: row.state.value for day, row in found.items()} == {
        "04-04": "refused",
        "04-22": "promoted",
    }
    gated = found["04-22"]
    assert gated.gain == pytest.approx(-0.0155, abs=5e-4)
    assert gated.upper is not None
    assert gated.upper < 0
    shown = demo[1]
    assert all(row.decision in shown for row in found.values())
    assert "not retrained: within the cooldown" in shown
    assert "v2013-04-22, in service" in shown
    assert "is no evidence" in shown


def test_the_days_after_the_promotion_are_the_new_models(demo: tuple[Path, str]) -> None:
    logs = f"{demo[0]}/.demo/logs/predictions/**/*.parquet"
    with duckdb.connect() as connection:
        served = connection.sql(
            "SELECT model_version, min(ds)::text, max(ds)::text "
            f"FROM '{logs}' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert served == [
        ("v2013-03-01", "2013-02-01", "2013-04-21"),
        ("v2013-04-22", "2013-04-22", "2013-04-23"),
    ]


def test_the_numbers_are_those_that_are_known(demo: tuple[Path, str], monitor: Monitor) -> None:
    with open_store(monitor, from_environment) as store, store.read() as connection:

        def weekly(metric: str, **selected: object) -> dict[str, float]:
            rows = measurements.history(
                connection,
                "flight_delay",
                metric=metric,
                cadence="7d",
                model_version="",
                **selected,
            )
            seen = {row["window_end"]: row for row in rows if row["window_end"] == row["as_of"]}
            return {f"{end:%m-%d}": row["value"] for end, row in seen.items()}

        psi = weekly("psi", column="probability", suite=str(Suite.DRIFT))
        # PSI of the score over the week by the reference's deciles, as published with the data.
        assert [psi[day] for day in ("04-02", "04-03", "04-04")] == pytest.approx(
            [0.286, 0.268, 0.268], abs=6e-4
        )
        ratio = weekly("log_loss_ratio", suite=str(Suite.PERFORMANCE))
        assert round(ratio["04-13"], 3) == 0.968  # it recovers by itself: no evidence of a cure
        assert [day for day in ("04-10", "04-11", "04-12") if ratio[day] <= 1] == []


def test_nothing_of_it_is_left(demo: tuple[Path, str]) -> None:
    assert _processes_of(demo[0]) == []


def test_a_ctrl_c_stops_all_of_it(tmp_path: Path) -> None:
    _lay_out(tmp_path)
    command = [sys.executable, "-u", "-m", "flights"]
    environment = {k: v for k, v in os.environ.items() if k != "SLACK_BOT_TOKEN"}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("History in process"):
                break
        assert _processes_of(tmp_path)
        os.killpg(demo.pid, signal.SIGINT)
        said = demo.stdout.read()
        assert demo.wait(60) == 130
    assert "Stopped." in said
    assert "Traceback" not in said
    assert _processes_of(tmp_path) == []


def _lay_out(folder: Path) -> None:
    for name in ("dags", "include/monitors"):
        copytree(ROOT / name, folder / name)
    file = folder / "include" / "monitors" / "flight_delay.yaml"
    whole, part = "start: 2013-04-11T23:00", "start: 2013-04-12T21:00"
    assert whole in file.read_text()
    text = file.read_text().replace(whole, part)
    file.write_text(text + "drift: {domain_classifier: false}  # a second a day\n")


def _processes_of(folder: Path) -> list[str]:
    """Return what runs with its Airflow home below this folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("AIRFLOW_HOME", "").startswith(str(folder)):
                found.append(" ".join(process.cmdline()))
    return found
