"""What the tasks of an hourly or daily run do: each calls one function of `driftline.tasks`."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from airflow.sdk import BaseOperator, BaseOperatorLink, get_current_context, task

from driftline import tasks
from driftline.orchestration.child import elsewhere
from driftline.orchestration.context import clearly, run_of

log = logging.getLogger(__name__)

REQUEST = "request"
"""Under this key `judge` hands the retraining's configuration on, and under the next its run id."""
RUN_ID = "request_run_id"


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
