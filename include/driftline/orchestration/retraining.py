"""The DAG that retrains: `<monitor>__retrain`."""

import logging
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, Label, Param, TriggerRule, get_current_context, task
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowException

from driftline import tasks
from driftline.domain import Evidence, Retraining, RetrainingState
from driftline.errors import InputError
from driftline.monitor.config import Monitor
from driftline.orchestration import docs
from driftline.orchestration.addresses import links_to
from driftline.orchestration.child import elsewhere
from driftline.orchestration.connections import airflow_connection, stored
from driftline.orchestration.context import clearly, moment_of, monitor_of
from driftline.orchestration.monitoring import LONG_AGO, dag_id
from driftline.orchestration.operators import ANSWER, Ask
from driftline.orchestration.settings import Settings
from driftline.retraining import steps
from driftline.retraining.request import Request

log = logging.getLogger(__name__)

COMPARISON = "comparison"
"""Under this key `gate` hands on what a person is to approve, in words."""


def retraining(monitor: Monitor, settings: Settings) -> list[DAG]:
    """Return the DAG that trains a challenger and promotes it if it is better; none without
    `retraining: {train: ...}`.

        admit -> challenger -> gate [-> approve] -> refit -> promote -> announce
    """
    if monitor.retraining is None or monitor.retraining.train is None:
        return []
    path = str(monitor.path.resolve())
    python = str(settings.python) if settings.python else None
    take = partial(Step, monitor=path, python=python)
    human = monitor.retraining.approval == "human"
    with DAG(
        dag_id(monitor, "retrain"),
        description=f"Retrains {monitor.monitor}; promotes only what is proven better",
        schedule=None,
        start_date=LONG_AGO,
        max_active_runs=1,
        default_args=settings.default_args(monitor),
        tags=["driftline", monitor.monitor, "retraining"],
        doc_md=docs.retraining(monitor),
    ) as dag:
        admit = _admit.override(task_id="admit", doc_md=docs.ADMIT)(
            monitor=path, go="challenger", stop="refused"
        )
        challenger = take(task_id="challenger", step="challenge", doc_md=docs.CHALLENGER)
        gate = _gate.override(task_id="gate", doc_md=docs.GATE)(
            monitor=path, python=python, go="approve" if human else "refit", stop="refused"
        )
        refused = EmptyOperator(
            task_id="refused",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
            doc_md=docs.REFUSED,
        )
        refit = take(task_id="refit", step="refit", doc_md=docs.REFIT)
        promote = take(task_id="promote", step="promote", doc_md=docs.PROMOTE)
        announce = take(
            task_id="announce",
            step="announce",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
            doc_md=docs.ANNOUNCE,
        )
        admit >> [challenger, refused]
        challenger >> gate >> refused
        if human:
            approve = Ask(
                task_id="approve",
                subject=f"Promote the retrained {monitor.monitor}?",
                body="{{ ti.xcom_pull(task_ids='gate', key='" + COMPARISON + "') }}",
                promote="refit",
                decline="declined",
                patience=settings.approval_timeout,
                doc_md=docs.APPROVE,
            )
            declined = take(task_id="declined", step="decline", doc_md=docs.DECLINED)
            gate >> Label("better") >> approve >> [refit, declined]
            declined >> announce
        else:
            gate >> Label("better") >> refit
        refit >> promote >> announce
        refused >> announce
    dag.params = ParamsDict(
        _PARAMS
    )  # last: each operator copies the params that its DAG has by then
    return [dag]


@task.branch
def _admit(monitor: str, go: str, stop: str) -> str:
    """Refuse what comes too soon, or on broken data; else go on."""
    with clearly():
        request = _request(monitor)
    row = _do("admit", monitor, request=request)
    return stop if row.state.final else go


class Step(BaseOperator):
    """Takes one step of a retraining: `challenge`, `refit`, `promote`, `decline` or `announce`."""

    def __init__(self, *, step: str, monitor: str, python: str | None = None, **rest: Any) -> None:
        super().__init__(**rest)
        self.step = step
        self.monitor = monitor
        self.python = python

    def execute(self, context: Any) -> None:
        """Take it."""
        if self.step == "announce":
            _tell(self.monitor)
        elif self.step == "decline":
            who = context["ti"].xcom_pull(task_ids="approve", key=ANSWER)
            _do("decline", self.monitor, who=who)
        else:
            _do(self.step, self.monitor, self.python)


@task.branch
def _gate(monitor: str, python: str | None, go: str, stop: str) -> str:
    """Compare the challenger with the champion; go on only if it is better."""
    row = _do("gate", monitor, python)
    if row.state is RetrainingState.REFUSED:
        return stop
    get_current_context()["ti"].xcom_push(key=COMPARISON, value=docs.comparison(row))
    if go == "approve":
        try:
            _tell(monitor)
        except AirflowException as error:  # nobody need wait for it: housekeeping sends it
            log.warning("the message is not sent yet: %s", error)
    return go


def _tell(monitor: str) -> None:
    with clearly():
        loaded = stored(monitor_of(monitor))
        dag_run = get_current_context()["dag_run"]
        links = links_to(dag_run.dag_id, dag_run.run_id)
        steps.announce(
            loaded,
            _as_of(),
            run_id=_run_id(),
            link=links.run if links else f"the DAG {dag_run.dag_id}",
            connections=airflow_connection,
        )
        tasks.deliver(loaded, airflow_connection)


def _do(step: str, monitor: str, python: str | None = None, **rest: Any) -> Retraining:
    """Take a step here, or in the Python that holds the engines; log what came of it."""
    with clearly():
        as_of, loaded = _as_of(), stored(monitor_of(monitor))
        if python:
            asked = {
                "do": step,
                "monitor": monitor,
                "as_of": as_of.isoformat(),
                "run_id": _run_id(),
            }
            elsewhere(python, "driftline.retraining", asked, monitor)
            row = steps.found(loaded, as_of, connections=airflow_connection)
        elif step == "admit":
            row = steps.admit(
                loaded, rest["request"], run_id=_run_id(), connections=airflow_connection
            )
        else:
            row = getattr(steps, step)(
                loaded, as_of, run_id=_run_id(), connections=airflow_connection, **rest
            )
    log.info("%s: %s", row.state, row.decision)
    return row


def _request(monitor: str) -> Request:
    params = get_current_context()["params"]
    return Request(
        monitor=monitor_of(monitor).monitor,
        as_of=_as_of(),
        reason=params["reason"],
        evidence=tuple(Evidence(**each) for each in params["evidence"] or ()),
    )


def _as_of() -> datetime:
    """Return the moment that the retraining is about: the Param, else when the run was due."""
    context = get_current_context()
    given = context["params"]["as_of"]
    moment = moment_of("as_of", given) if given else context["dag_run"].run_after
    if moment > datetime.now(UTC):
        raise InputError(f"as_of: found {given!r}, which is yet to come")
    return moment.replace(microsecond=0)


def _run_id() -> str:
    dag_run = get_current_context()["dag_run"]
    return f"{dag_run.dag_id}__{dag_run.run_id}"


_EVIDENCE = [field.name for field in fields(Evidence)]


_PARAMS = {
    "reason": Param(
        type="string",
        minLength=3,
        title="Reason",
        description_md="Why the model is to be retrained; the store and the message say it.",
    ),
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="As of",
        description_md="What is known: rows and labels up to this moment. Without it: now.",
    ),
    "evidence": Param(
        [],
        type="array",
        items={
            "type": "object",
            "properties": {
                name: {"type": ["number", "null"] if name == "value" else "string"}
                for name in _EVIDENCE
            },
            "required": _EVIDENCE,
            "additionalProperties": False,
        },
        title="Evidence",
        description_md="The verdicts that ask for it; filled by the branch of the daily run.",
    ),
}
