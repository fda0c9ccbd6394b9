"""What the tasks of an hourly or daily run do: each calls one function of `driftline.tasks`."""

import json
import logging
import os
import subprocess
from collections import deque
from contextlib import suppress
from typing import Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from driftline import tasks
from driftline.connections import connection_ids
from driftline.orchestration.connections import airflow_connection
from driftline.orchestration.context import clearly, monitor_of, run_of

log = logging.getLogger(__name__)

REQUEST = "request"
"""Under this key `judge` hands the retraining's configuration on, and under the next its run id."""
RUN_ID = "request_run_id"

LAST = 20
"""So many of the last lines of another Python go into the error of a task."""


@task
def freeze(monitor: str, cadence: str, python: str | None) -> None:
    """Count and keep the references that the run's windows are compared with."""
    with clearly():
        log.info("%s", _call("freeze", monitor, cadence, python))


@task
def measure(monitor: str, cadence: str, suite: str, python: str | None) -> None:
    """Measure one suite and record its numbers."""
    with clearly():
        log.info("%s numbers are recorded", _call("measure", monitor, cadence, python, suite))


@task
def fill(monitor: str, cadence: str, python: str | None) -> None:
    """Measure and judge the hours of the day that no run has measured."""
    with clearly():
        hours = _call("fill", monitor, cadence, python)
    log.info("%s hours were missing: %s", len(hours), ", ".join(hours) or "none")


@task.branch
def judge(monitor: str, cadence: str, always: list[str], retraining: bool) -> list[str]:
    """Judge what was recorded; go on to the alert, the retraining, both, or neither.

    `always` is what follows whatever is decided: the report.
    """
    with clearly():
        decision = tasks.judge(run_of(monitor, cadence))
    log.info("%s", decision.reason)
    chosen = ["alert"] if decision.alert else []
    if decision.retrain and retraining:
        instance = get_current_context()["ti"]
        instance.xcom_push(key=REQUEST, value=decision.retrain.to_conf())
        instance.xcom_push(key=RUN_ID, value=decision.retrain.run_id)
        chosen.append("retrain")
    return [*(chosen or ["all_clear"]), *always]


@task
def alert(monitor: str, cadence: str) -> None:
    """Send what is due in the outbox."""
    with clearly():
        tasks.alert(run_of(monitor, cadence))


@task
def report(monitor: str, cadence: str, python: str | None) -> None:
    """Write the HTML reports of the day and of the windows in which an incident opened."""
    with clearly():
        for path in _call("report", monitor, cadence, python):
            log.info("report: %s", path)


def _call(what: str, monitor: str, cadence: str, python: str | None, suite: str = "") -> Any:
    """Call a task here, or in the Python that holds the engines."""
    run = run_of(monitor, cadence)
    if python is None:
        return tasks.call(what, run, suite)
    asked = {
        "do": what,
        "monitor": monitor,
        "cadence": cadence,
        "end": run.interval.end.isoformat(),
        "run_id": run.run_id,
        "page": run.page,
        "suite": suite,
    }
    return elsewhere(python, "driftline.tasks", asked, monitor)


def elsewhere(python: str, module: str, asked: dict[str, Any], monitor: str) -> Any:
    """Run a module's `main` in another Python and return what it prints; its log becomes ours.

    The connections that the monitor names go along in the child's environment. The child ends
    with this process, however that ends.
    """
    given = {
        f"AIRFLOW_CONN_{name.upper()}": airflow_connection(name)
        for name in connection_ids(monitor_of(monitor), airflow_connection)
    }
    lines: deque[str] = deque(maxlen=LAST)
    with subprocess.Popen(  # noqa: S603 (the deployment's own interpreter)
        [python, "-m", module, json.dumps(asked | {"attached": True})],
        env=os.environ | given,
        stdin=subprocess.PIPE,  # which ends with us, and the child with it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            for line in child.stdout or ():
                lines.append(line.rstrip())
                log.info("%s", lines[-1])
        except BaseException:
            child.kill()
            raise
    return _result(f"{python} -m {module}", child.returncode, lines)


def _result(command: str, code: int, lines: deque[str]) -> Any:
    """Return what a child said last; raise what it failed with."""
    if code == 0:
        for line in reversed(lines):
            with suppress(json.JSONDecodeError):
                return json.loads(line)
    words = "\n".join(lines)
    if code == 2:  # what a person wrote is wrong: a retry cannot help
        raise AirflowFailException(words)
    raise AirflowException(f"{command} ended with {code}; the last it said:\n{words}")
