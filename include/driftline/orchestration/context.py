"""From the context of an Airflow task to the run of a monitor's interval."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from driftline.domain import DAY, HOUR, Window, floor
from driftline.errors import DriftlineError, InputError, MissingExtra
from driftline.flow.pipeline import refuse_future
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.fields import moment
from driftline.orchestration.addresses import links_to
from driftline.orchestration.connections import airflow_connection, stored
from driftline.tasks import Run

WINDOW_END = "window_end"
"""The Param of a manual run that names the end of its window."""


SKEW = timedelta(minutes=5)
"""By so much the scheduler's clock may be ahead of this machine's."""


def interval_of(cadence: str, context: Mapping[str, Any]) -> Window:
    """Return the hour or day of a DAG run.

    Of a run that somebody starts, the Param `window_end` names the end; without it the data
    interval does; a run that has neither takes the last one that was complete when it was due.
    """
    dag_run = context["dag_run"]
    given = (context.get("params") or {}).get(WINDOW_END)
    if given and dag_run.run_type not in ("scheduled", "backfill"):
        return _named(cadence, str(given))
    end = floor(dag_run.data_interval_end or dag_run.run_after, _step(cadence))
    refuse_future("the end of the run's interval", end, skew=SKEW)
    return Window.ending(cadence, end)


def _named(cadence: str, given: str) -> Window:
    every = "a full hour" if cadence == "1h" else "a midnight"
    allowed = f"allowed is {every} in UTC that is past, such as 2013-04-04T00:00:00Z"
    try:
        window = Window.ending(cadence, moment_of(WINDOW_END, given))
    except ValueError:
        raise InputError(f"{WINDOW_END}: found {given!r}; {allowed}") from None
    if window.end > datetime.now(UTC):
        raise InputError(f"{WINDOW_END}: found {given!r}, which is yet to come; {allowed}")
    return window


def moment_of(name: str, given: str) -> datetime:
    """Return the moment that a Param names, in UTC where it says no zone."""
    try:
        return moment(given)
    except ValueError as error:
        raise InputError(
            f"{name}: found {given!r}; {error}, such as 2013-04-04T00:00:00Z"
        ) from None


def _step(cadence: str) -> timedelta:
    return HOUR if cadence == "1h" else DAY


def run_of(path: str, cadence: str) -> Run:
    """Return the run that the current task belongs to; only backfills tell nobody."""
    context = get_current_context()
    dag_run = context["dag_run"]
    return Run(
        monitor=stored(monitor_of(path)),
        interval=interval_of(cadence, context),
        run_id=f"{dag_run.dag_id}__{dag_run.run_id}",
        page=dag_run.run_type != "backfill",
        connections=airflow_connection,
        links=links_to(dag_run.dag_id, dag_run.run_id),
    )


def monitor_of(path: str) -> Monitor:
    """Read the monitor file that a DAG was made from."""
    return monitor_file.load(Path(path))


@contextmanager
def clearly() -> Iterator[None]:
    """Let a task fail with one clear error: at once where a retry cannot help, else to be retried.

    What is raised comes without its causes, whose words may hold what nobody should read.
    """
    try:
        yield
    except (InputError, MissingExtra) as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from None
    except DriftlineError as error:
        raise AirflowException(f"{type(error).__name__}: {error}") from None
