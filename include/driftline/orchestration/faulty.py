"""The DAG that stands for a monitor file with faults: `<stem>__faulty`, red until it is mended."""

from pathlib import Path
from typing import Any, NoReturn

from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowFailException

from driftline.monitor import file as monitor_file
from driftline.orchestration import docs
from driftline.orchestration.monitoring import LONG_AGO
from driftline.orchestration.settings import Settings

EVERY = "0 * * * *"


def faulty_id(file: Path) -> str:
    """Return the id of the DAG that stands for a file with faults."""
    return f"{monitor_file.plain_stem(file)}__faulty"


def faulty(file: Path, faults: str, settings: Settings) -> DAG:
    """Return a DAG whose one task fails, at once and then every hour, with the faults of a file."""
    with DAG(
        faulty_id(file),
        description="A monitor file has faults: nothing of it is watched",
        schedule=CronDataIntervalTimetable(EVERY, timezone="UTC"),
        start_date=LONG_AGO,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,  # else nobody would be told
        default_args={**settings.default_args(), "retries": 0},
        tags=["driftline", "faulty"],
        doc_md=docs.faulty(faults),
    ) as dag:
        Faulty(task_id="monitor_file", faults=faults, doc_md=docs.FAULTY)
    return dag


class Faulty(BaseOperator):
    """Fails with what is wrong in a monitor file; its words are no template."""

    def __init__(self, *, faults: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.faults = faults

    def execute(self, context: Any) -> NoReturn:
        """Fail."""
        raise AirflowFailException(self.faults)
