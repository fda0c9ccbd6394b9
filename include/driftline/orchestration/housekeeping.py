"""The DAG that keeps house: what is left in the outboxes, monitors gone silent, faulty files."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException

from driftline import monitor_file
from driftline.alerts import delivery, silence
from driftline.config import Monitor
from driftline.errors import DriftlineError
from driftline.orchestration import words
from driftline.orchestration.connections import airflow_connection
from driftline.orchestration.settings import Settings
from driftline.store import Store, open_store

log = logging.getLogger(__name__)

HOUSEKEEPING = "housekeeping"
EVERY = "*/15 * * * *"


def housekeeping(folder: Path, settings: Settings) -> DAG:
    """Return the DAG that delivers what is left, and fails where somebody should look."""
    with DAG(
        HOUSEKEEPING,
        description="Delivers what is left in the outboxes; tells of silent monitors, faulty files",
        schedule=CronTriggerTimetable(EVERY, timezone="UTC"),
        start_date=datetime(2000, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={**settings.default_args, "owner": "driftline", "retries": 0},
        tags=["driftline"],
        doc_md=words.HOUSEKEEPING,
    ) as dag:
        given = str(folder)
        _silent.override(task_id="silent_monitors", doc_md=words.SILENT)(given) >> (
            _deliver.override(task_id="deliver", doc_md=words.DELIVER, trigger_rule="all_done")(
                given
            )
        )
        _files.override(task_id="monitor_files", doc_md=words.FILES)(given)
    return dag


@task
def _files(folder: str) -> None:
    """Fail with the faults of every monitor file."""
    monitors, faults = _read(folder)
    names = [monitor.monitor for monitor in monitors]
    faults += [
        f"{monitor.path}: monitor: {monitor.monitor!r} is the name of another file's monitor"
        for number, monitor in enumerate(monitors)
        if monitor.monitor in names[:number]
    ]
    if faults:
        raise AirflowFailException("\n".join(faults))
    log.info("%s monitor files are right: %s", len(names), ", ".join(names))


@task
def _silent(folder: str) -> None:
    """Put a message into the outbox for each monitor that has gone silent, and fail."""
    now = datetime.now(UTC)
    quiet = []
    for monitor, store in _stores(folder):
        with store.begin(monitor.monitor) as connection:
            since = silence.silent_since(connection, monitor, now)
            if since:
                silence.tell(connection, monitor, since, now)
                quiet.append(f"{monitor.monitor}: nothing recorded since {since:%F %H:%M} UTC")
    if quiet:
        raise AirflowFailException("\n".join(quiet))


@task
def _deliver(folder: str) -> None:
    """Send what is due; fail with what no channel took."""
    errors = []
    for monitor, store in _stores(folder):
        errors += delivery.deliver(store, monitor.monitor)
    if errors:
        raise AirflowFailException("\n".join(errors))


def _read(folder: str) -> tuple[list[Monitor], list[str]]:
    monitors, faults = [], []
    for file in monitor_file.monitor_files([Path(folder)]):
        try:
            monitors.append(monitor_file.load(file))
        except DriftlineError as error:
            faults.append(str(error))
    return monitors, faults


def _stores(folder: str) -> Iterator[tuple[Monitor, Store]]:
    """Yield each monitor with its store; fail at the end where a store did not answer."""
    failed = []
    for monitor in _read(folder)[0]:
        try:
            with open_store(monitor, airflow_connection) as store:
                yield monitor, store
        except DriftlineError as error:
            failed.append(f"{monitor.monitor}: {error}")
    if failed:
        raise AirflowFailException("\n".join(failed))
