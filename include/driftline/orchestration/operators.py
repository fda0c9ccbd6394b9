"""The operators of driftline's own: one waits, one starts a retraining, one asks a person."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.providers.standard.operators.trigger_dagrun import (
    DagIsPaused,
    TriggerDagRunOperator,
)
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowRuntimeError,
    AirflowSkipException,
    DagRunTriggerException,
)

from driftline.domain import RetrainingState
from driftline.orchestration.connections import airflow_connection
from driftline.orchestration.context import clearly, interval_of, monitor_of
from driftline.retraining import steps
from driftline.retraining.request import Request

log = logging.getLogger(__name__)

PROMOTE, DECLINE = "Promote", "Decline"
"""What a person may answer."""
ANSWER = "answer"
"""Under this key `Ask` hands on who answered, and why."""


class Settle(BaseOperator):
    """Waits, without holding a worker, until an interval's logs are expected to be whole."""

    def __init__(self, *, cadence: str, settle: timedelta, **rest: Any) -> None:
        super().__init__(**rest)
        self.cadence = cadence
        self.settle = settle

    def execute(self, context: Any, event: Any = None) -> None:
        """Go on at once where that moment is past, else let the triggerer go on then."""
        with clearly():
            interval = interval_of(self.cadence, context)
        until = interval.end + self.settle
        log.info("the interval is %s; its logs are whole at %s", interval, until)
        if until > datetime.now(UTC):
            trigger = DateTimeTrigger(moment=until, end_from_trigger=True)
            self.defer(trigger=trigger, method_name="execute")


class Retrain(TriggerDagRunOperator):
    """Starts a retraining DAG; fails where that is paused or unknown: nothing would happen.

    With `monitor` it first records the start in the store, for the cooldown: a DAG of the user's
    own does not.
    """

    def __init__(self, *, monitor: str | None = None, **rest: Any) -> None:
        super().__init__(
            **rest,
            logical_date=None,  # what it is about stands in `conf`; runs never collide on a date
            fail_when_dag_is_paused=True,
            skip_when_already_exists=True,
        )
        self.monitor = monitor

    def execute(self, context: Any) -> None:
        """Start it, once for each run id."""
        try:
            super().execute(context)
        except DagIsPaused:
            raise AirflowException(
                f"the DAG {self.trigger_dag_id} is paused, and nothing would be retrained: "
                "unpause it, then clear this task"
            ) from None
        except AirflowRuntimeError as error:
            raise AirflowException(
                f"the DAG {self.trigger_dag_id} cannot be started ({error}); `retraining.dag` of "
                "the monitor file names it, or the file makes it"
            ) from None
        except DagRunTriggerException:  # all is well: this starts the run
            if self.monitor:
                self._record(self.monitor, context["dag_run"].run_id)
            raise

    def _record(self, monitor: str, run_id: str) -> None:
        with clearly():
            row = steps.admit(
                monitor_of(monitor),
                Request.from_conf(self.conf or {}),
                run_id=run_id,
                connections=airflow_connection,
            )
        if row.state is RetrainingState.REFUSED:
            raise AirflowSkipException(row.decision)


class Ask(HITLBranchOperator):
    """Waits for a person to promote or decline a challenger; no answer in time declines it."""

    def __init__(self, *, promote: str, decline: str, patience: timedelta, **rest: Any) -> None:
        super().__init__(
            **rest,
            options=[PROMOTE, DECLINE],
            options_mapping={PROMOTE: promote, DECLINE: decline},
            defaults=DECLINE,
            response_timeout=patience,
            execution_timeout=None,  # it would count as the patience
        )

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Hand on who answered, and take the branch."""
        user = event.get("responded_by_user") or {}
        who = user.get("name") or user.get("id")
        answer = ", ".join(event.get("chosen_options") or ())
        said = f"{answer} by {who}" if who else f"{answer}: nobody answered in time"
        log.info("%s", said)
        context["ti"].xcom_push(key=ANSWER, value=who or "nobody answered in time")
        return super().execute_complete(context, event)
