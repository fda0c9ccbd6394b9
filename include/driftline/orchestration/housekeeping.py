"""The DAG that keeps house: what is left in the outboxes, and monitors gone silent."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError
from sqlalchemy import URL

from driftline.alerts import delivery, silence
from driftline.errors import ConfigError, DriftlineError
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.orchestration import docs
from driftline.orchestration.addresses import runs_of
from driftline.orchestration.connections import airflow_connection, stored
from driftline.orchestration.monitoring import NAMES, cadences, dag_id
from driftline.orchestration.settings import Settings
from driftline.store import Store, open_store, store_url

log = logging.getLogger(__name__)

HOUSEKEEPING = "housekeeping"
EVERY = "*/15 * * * *"


def housekeeping(folder: Path, settings: Settings) -> DAG:
    """Return the DAG that delivers what is left, and fails where somebody should look."""
    with DAG(
        HOUSEKEEPING,
        description="Delivers what is left in the outboxes, and tells of silent monitors",
        schedule=CronTriggerTimetable(EVERY, timezone="UTC"),
        start_date=datetime(2000, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={**settings.default_args(), "retries": 0},
        tags=["driftline"],
        doc_md=docs.HOUSEKEEPING,
    ) as dag:
        given = str(folder)
        _silent.override(task_id="silent_monitors", doc_md=docs.SILENT)(given) >> (
            _deliver.override(task_id="deliver", doc_md=docs.DELIVER, trigger_rule="all_done")(
                given
            )
        )
    return dag


@task
def _silent(folder: str) -> None:
    """Put a message into the outbox for each monitor that has gone silent, and fail."""
    _in_each_store(folder, _tell_of_silence)


@task
def _deliver(folder: str) -> None:
    """Send what is due; fail with what no channel took, and with what was given up."""
    _in_each_store(folder, lambda store, _: _left(store))


def _left(store: Store) -> list[str]:
    given_up = delivery.given_up(store)  # first: what is given up now is told by the delivery
    return [*delivery.deliver(store), *given_up]


def _tell_of_silence(store: Store, monitors: Sequence[Monitor]) -> list[str]:
    """Put a message into the outbox for each that is silent; return who is, and since when."""
    now, quiet = datetime.now(UTC), []
    for monitor in monitors:
        with store.begin(monitor.monitor) as connection:
            since = silence.silent_since(connection, monitor, now)
            if since is None:
                continue
            said = f"{monitor.monitor}: nothing measured since {since:%F %H:%M} UTC"
            if _paused(monitor):
                log.info("%s; its DAGs are paused", said)
                continue
            runs = runs_of(dag_id(monitor, NAMES[cadences(monitor)[0]]))
            silence.tell(connection, monitor, since, now, runs)
            quiet.append(said)
    return quiet


def _paused(monitor: Monitor) -> bool:
    """Whether somebody has paused all DAGs that watch a monitor; one that is missing is not."""
    instance = get_current_context()["ti"]
    try:
        return all(
            instance.get_dag(dag_id(monitor, NAMES[cadence])).is_paused
            for cadence in cadences(monitor)
        )
    except AirflowRuntimeError:
        return False


def _in_each_store(folder: str, act: Callable[[Store, Sequence[Monitor]], Iterable[str]]) -> None:
    """Do something in each store of the monitors; fail with all that went wrong, at the end."""
    wrong: list[str] = []
    stores: dict[URL, list[Monitor]] = {}
    for monitor in _monitors(folder):
        try:
            url = store_url(
                stored(monitor).store, folder=monitor.folder, connections=airflow_connection
            )
            stores.setdefault(url, []).append(monitor)
        except DriftlineError as error:
            wrong.append(f"{monitor.monitor}: {error}")
    for monitors in stores.values():
        try:
            with open_store(monitors[0], airflow_connection) as store:
                wrong += act(store, monitors)
        except DriftlineError as error:
            wrong.append(f"{', '.join(each.monitor for each in monitors)}: {error}")
    if wrong:
        raise AirflowFailException("\n".join(wrong))


def _monitors(folder: str) -> list[Monitor]:
    """Return the monitors of a folder; files with faults have a DAG of their own that tells."""
    found: dict[str, Monitor] = {}
    for file in monitor_file.monitor_files([Path(folder)]):
        with suppress(ConfigError):
            monitor = monitor_file.load(file)
            found.setdefault(monitor.monitor, monitor)
    return list(found.values())
