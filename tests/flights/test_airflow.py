"""A real Airflow starts in a folder, runs a DAG, says what failed, and leaves nothing behind."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flights.airflow import Airflow
from flights.airflow_client import AirflowError
from tests.conftest import heard

pytestmark = [pytest.mark.timeout(300)]

DAG = """
from airflow.sdk import dag, task


@dag(schedule=None, params={"fail": False})
def greeting():
    @task
    def greet():
        print("hello")

    @task.branch(trigger_rule="all_done")
    def choose(params=None):
        return "fail" if params["fail"] else "fine"

    @task
    def fine():
        pass

    @task
    def fail():
        raise ValueError("as was asked for")

    greet() >> choose() >> [fine(), fail()]


greeting()
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    (folder / "dags" / "greeting.py").write_text(DAG)
    with Airflow(folder / "home", dags=folder / "dags", preload=()) as running:
        running.client.wait_for_dags("greeting")
        running.client.unpause("greeting")
        yield running


def test_a_run_ends_well(airflow: Airflow) -> None:
    run = airflow.client.trigger("greeting", run_id="first")
    assert airflow.client.trigger("greeting", run_id="first") == run
    assert airflow.client.wait("greeting", run, patience=90)["state"] == "success"
    states = {name: task["state"] for name, task in airflow.client.tasks("greeting", run).items()}
    assert states == {"greet": "success", "choose": "success", "fine": "success", "fail": "skipped"}
    assert "hello" in airflow.client.log("greeting", run, "greet").splitlines()


def test_a_failed_run_names_its_task_and_the_end_of_its_log(airflow: Airflow) -> None:
    run = airflow.client.trigger("greeting", conf={"fail": True})
    with pytest.raises(AirflowError, match=r"(?s)failed: fail\n.*log of fail.*as was asked for"):
        airflow.client.wait("greeting", run, patience=90)


def test_what_airflow_refuses_is_said(airflow: Airflow) -> None:
    with pytest.raises(AirflowError, match=r"POST dags/absent/dagRuns: 404 .*absent"):
        airflow.client.trigger("absent")
    with pytest.raises(AirflowError, match=r"no such DAG: absent; there are: greeting"):
        airflow.client.wait_for_dags("absent", patience=0)


def test_a_killed_scheduler_can_be_started_again(airflow: Airflow) -> None:
    airflow.kill("scheduler")
    run = airflow.client.trigger("greeting")
    airflow.start("scheduler")
    airflow.wait_until_healthy()
    assert airflow.client.wait("greeting", run, patience=90)["state"] == "success"


def test_it_listens_on_the_loopback_only(airflow: Airflow) -> None:
    found = heard(psutil.Process().children(recursive=True))
    assert airflow.port in {port for _, port in found}
    assert {address for address, _ in found} == {"127.0.0.1"}


KILLED = """
import sys, time
from pathlib import Path
from flights.airflow import Airflow
home = Path(sys.argv[1])
with Airflow(home, dags=home / "dags", preload=()):
    print("up", flush=True)
    time.sleep(600)
"""


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        started = psutil.Process(parent.pid).children(recursive=True)
        names = " ".join(" ".join(process.cmdline()) for process in started)
        assert all(name in names for name in ("scheduler", "triggerer", "api-server"))
        parent.kill()
    gone, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []
    assert gone


def test_a_stop_leaves_nothing_and_a_bad_start_says_why(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    airflow = Airflow(tmp_path, dags=tmp_path, database="sqlite:////nowhere/airflow.db", preload=())
    with pytest.raises(AirflowError, match=r"(?s)db migrate failed.*migrate\.log.*unable to open"):
        airflow.__enter__()
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before
