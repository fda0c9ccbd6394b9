"""What the tasks of an hourly or daily run do: each calls one function of `driftline.tasks`."""

import json
import logging
import os
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from airflow.sdk import BaseOperator, BaseOperatorLink, get_current_context, task
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


class Step(BaseOperator):
    """Takes one step of a run: `freeze`, `measure` (a suite), `fill`, `report` or `alert`.

    With `python` it does so in another Python than Airflow's.
    """

    def __init__(
        self,
        *,
        what: str,
        monitor: str,
        cadence: str,
        suite: str = "",
        python: str | None = None,
        links: Sequence[BaseOperatorLink] = (),
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.what = what
        self.monitor = monitor
        self.cadence = cadence
        self.suite = suite
        self.python = python
        self.operator_extra_links = links

    def execute(self, context: Any) -> None:
        """Take it, and say in the log what came of it."""
        with clearly():
            run = run_of(self.monitor, self.cadence)
            if self.what == "alert":
                tasks.alert(run)
                return
            if self.python is None:
                found = tasks.call(self.what, run, self.suite)
            else:
                asked = {
                    "do": self.what,
                    "monitor": self.monitor,
                    "cadence": self.cadence,
                    "end": run.interval.end.isoformat(),
                    "run_id": run.run_id,
                    "page": run.page,
                    "suite": self.suite,
                    "links": asdict(run.links) if run.links else None,
                }
                found = elsewhere(self.python, "driftline.tasks", asked, self.monitor)
        several = isinstance(found, list)
        log.info(SAID[self.what], ", ".join(found) or "none" if several else found)


SAID = {
    "freeze": "compared with: %s",
    "measure": "%s numbers are recorded",
    "fill": "hours that were missing and are measured now: %s",
    "report": "reports: %s",
}


@task.branch
def judge(monitor: str, cadence: str, always: list[str], retraining: bool) -> list[str]:
    """Judge what was recorded; go on to the alert, the retraining, both, or say how it stands.

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
    standing = "all_clear" if decision.clear else "not_clear"
    return [*(chosen or [standing]), *always]


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
