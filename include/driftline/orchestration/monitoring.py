"""The DAGs that watch: `<monitor>__hourly` and `<monitor>__daily`."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    BaseOperatorLink,
    CronDataIntervalTimetable,
    Param,
    TaskGroup,
    TriggerRule,
    XComArg,
)
from airflow.sdk.definitions.param import ParamsDict

from driftline import tasks
from driftline.domain import DAY, HOUR, Suite
from driftline.monitor.config import Monitor
from driftline.orchestration import docs, measuring
from driftline.orchestration.context import WINDOW_END
from driftline.orchestration.links import MetricsLink, ReportLink
from driftline.orchestration.measuring import Step
from driftline.orchestration.operators import Retrain, Settle
from driftline.orchestration.settings import Settings

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""The start of DAGs whose file names none; without a `schedule.start` they do not catch up."""

NAMES = {"1h": "hourly", "1d": "daily"}
CRON = {"1h": "0 * * * *", "1d": "0 0 * * *"}


def dag_id(monitor: Monitor, kind: str) -> str:
    """Return the id of a monitor's DAG: `flight_delay__daily`."""
    return f"{monitor.monitor}__{kind}"


def retraining_dag_id(monitor: Monitor) -> str | None:
    """Return the DAG that retrains the model: driftline's, or the user's own; None without."""
    if monitor.retraining is None:
        return None
    return monitor.retraining.dag or dag_id(monitor, "retrain")


def cadences(monitor: Monitor) -> list[str]:
    """Return which of the two DAGs a monitor has.

    The daily one also measures the performance of hours, fills hours that are missing and looks for
    rows that came late: a monitor has it whatever its windows are.
    """
    hourly = "1h" in monitor.windows and monitor.schedule.hourly
    return [*(["1h"] if hourly else []), "1d"]


def watching(monitor: Monitor, cadence: str, settings: Settings) -> DAG:
    """Return the DAG that measures, judges and tells each hour or day of a monitor.

    settle -> reference -> measure each suite -> judge -> what follows -> done
    """
    schedule, step = monitor.schedule, {"1h": HOUR, "1d": DAY}[cadence]
    path, python = str(monitor.path.resolve()), str(settings.python) if settings.python else None
    take = partial(Step, monitor=path, cadence=cadence, python=python)
    retraining = retraining_dag_id(monitor)
    own_dag = retraining != dag_id(monitor, "retrain")
    with DAG(
        dag_id(monitor, NAMES[cadence]),
        description=f"Watches {monitor.monitor} {NAMES[cadence]}: measures, judges, tells",
        schedule=CronDataIntervalTimetable(CRON[cadence], timezone="UTC"),
        start_date=schedule.start or LONG_AGO,
        end_date=schedule.end - step if schedule.end else None,
        catchup=schedule.start is not None,
        max_active_runs=settings.max_active_hours if cadence == "1h" else settings.max_active_days,
        default_args=settings.default_args(monitor),
        tags=["driftline", monitor.monitor, NAMES[cadence]],
        doc_md=docs.watching(monitor, cadence, retraining),
    ) as dag:
        settle = Settle(
            task_id="settle",
            cadence=cadence,
            settle=monitor.predictions.settle,
            doc_md=docs.SETTLE,
        )
        reference = take(task_id="reference", what="freeze", doc_md=docs.REFERENCE)
        with TaskGroup("measure", tooltip="One task a suite; each records its own numbers"):
            of_suites = [
                take(
                    task_id=suite.value,
                    what="measure",
                    suite=suite.value,
                    doc_md=docs.SUITES[suite],
                )
                for suite in tasks.suites(monitor, cadence)
            ]
            measured = of_suites
            if cadence == "1d" and "1h" in monitor.windows:
                fill = take(task_id="missing_hours", what="fill", doc_md=docs.MISSING_HOURS)
                # What drift counts of the day at once need not be counted hour by hour.
                dag.get_task(f"measure.{Suite.DRIFT}") >> fill
                measured = [*of_suites, fill]
        reported = ["report"] if cadence == "1d" else []
        judge = measuring.judge.override(
            task_id="judge", trigger_rule=TriggerRule.ALL_DONE, doc_md=docs.JUDGE
        )(monitor=path, cadence=cadence, always=reported, retraining=retraining is not None)
        follows: list[Any] = [
            take(task_id="alert", what="alert", doc_md=docs.ALERT),
            EmptyOperator(task_id="all_clear", doc_md=docs.ALL_CLEAR),
            EmptyOperator(task_id="not_clear", doc_md=docs.NOT_CLEAR),
        ]
        if retraining:
            follows.append(_retrain(dag.get_task("judge"), retraining, path if own_dag else None))
        done = EmptyOperator(
            task_id="done",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
            doc_md=docs.DONE,
        )
        settle >> reference >> of_suites
        measured >> judge >> follows >> done
        measured >> done  # a measurement that failed fails the run, whatever was judged
        _link(dag.get_task("judge"), MetricsLink())
        if reported:
            judge >> take(
                task_id="report",
                what="report",
                python=python,
                links=(ReportLink(), MetricsLink()),
                trigger_rule=TriggerRule.ALL_DONE,
                doc_md=docs.REPORT,
            )
    # Last, for the sake of parsing: each operator copies the params that its DAG has by then.
    dag.params = ParamsDict(_PARAMS[cadence])
    return dag


def _link(task: Any, *links: BaseOperatorLink) -> None:
    task.operator_extra_links = links


def _retrain(judge: Any, dag: str, monitor: str | None) -> Retrain:
    return Retrain(
        task_id="retrain",
        monitor=monitor,
        trigger_dag_id=dag,
        trigger_run_id=XComArg(judge, key=measuring.RUN_ID),
        conf=XComArg(judge, key=measuring.REQUEST),
        doc_md=docs.RETRAIN,
    )


def _params(cadence: str) -> dict[str, Param]:
    every = "A full hour" if cadence == "1h" else "A midnight UTC"
    window_end = Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="End of the window",
        description_md=f"{every}, such as `2013-04-04T00:00:00Z`: what a run started by hand "
        "measures. Without it: the data interval of the run, else the last complete one.",
    )
    return {WINDOW_END: window_end}


_PARAMS = {cadence: _params(cadence) for cadence in NAMES}
