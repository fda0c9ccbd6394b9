"""Monitors under a real Airflow: logs and store in PostgreSQL, a trainer, a Slack, a scheduler."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, NullPool, create_engine, make_url, select, text

from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.run import planned, run
from driftline.store import Store, tables, upgrade
from flights.airflow import Airflow
from flights.slack import SlackReceiver
from tests.models import logs, parts
from tests.test_run import VOLATILE
from tests.warehouses import Warehouse

QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
}
"""What is lost is found sooner than by default, but not so soon that a busy machine loses some."""

TRAINER = '''
from sklearn.linear_model import LogisticRegression
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline


def train(rows, context):
    """Fit the one feature that matters."""
    model = make_pipeline(make_column_transformer(("passthrough", ["x"])), LogisticRegression())
    return model.fit(rows, rows["y"])
'''

DAGS = """
from datetime import timedelta

from driftline.orchestration import airflow_dags

airflow_dags("{folder}", retries=1, retry_delay=timedelta(seconds=1), max_active_days=1{more})
"""

DRIFT = {
    "name": "x-drifts",
    "metric": "psi",
    "columns": "x",
    "window": "1d",
    "max": 0.5,
    "for": 2,
    "severity": "warn",
    "then": ["alert", "retrain"],
}

BASE = {"rules": [DRIFT], "windows": ["1d"], "schedule": {"end": "2024-01-16"}}
"""What monitors have in common: without an end in the past Airflow would run yesterday, too."""

TOKEN = "xoxb-of-the-tests"
DAYS = 14
TABLES = ("measurements", "verdicts", "windows", "incidents", "references")
"""What a run leaves, but for the messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One Airflow, the monitors that it runs, and what they are made of."""

    folder: Path
    airflow: Airflow
    slack: SlackReceiver
    warehouse: Warehouse
    store: str
    metadata: str

    def monitor(self, name: str) -> Monitor:
        """Return a monitor as its tasks read it."""
        (path,) = self.folder.glob(f"*/{name}.yaml")
        return monitor_file.load(path)

    def connection(self, name: str) -> str:
        """Return what Airflow would for a connection id."""
        return {"warehouse": self.warehouse.url, "driftline_store": self.store}[name]

    def rows(self, name: str, *named: str) -> dict[str, list[str]]:
        """Return what the store holds of a monitor, but for what a rerun may change."""
        with Store.open(make_url(self.store)) as store:
            return contents(store, name, *named)

    def in_process(self, name: str, first: datetime, last: datetime) -> dict[str, list[str]]:
        """Return what `driftline run` leaves for the same windows, in a store of its own."""
        monitor = self.monitor(name)
        url = make_url(f"sqlite:///{self.folder / f'{name}.db'}")
        upgrade(url)
        with Store.open(url) as store:
            todo = planned(monitor, first, last)
            list(run(monitor, todo, store, page=False, connections=self.connection))
            return contents(store, name)

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """Start `airflow backfill create` for the intervals that begin between two moments."""
        command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", dag_id]
        command += ["--from-date", first.isoformat(), "--to-date", last.isoformat()]
        command += ["--max-active-runs", "1"]  # as docs/airflow.md advises
        done = subprocess.run(
            command, env=self.airflow.environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    @contextmanager
    def locked(self, table: str, *, url: str = "", mode: str = "SHARE") -> Iterator["Locked"]:
        """Let nobody write to a table of the store, or of the database at `url`."""
        engine = create_engine(url or self.store, poolclass=NullPool)
        with engine.connect() as ours, engine.connect() as other:
            ours.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))
            yield Locked(table=table, connection=other)
            ours.rollback()


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A table that sessions wait for."""

    table: str
    connection: Connection

    def waiting(self) -> int:
        """Return how many do."""
        return len(self._waiting("pid"))

    def cut(self) -> int:
        """Cut the connections of those who do; return how many."""
        return len(self._waiting("pg_terminate_backend(pid)"))

    def _waiting(self, what: str) -> Sequence[Any]:
        where = f"NOT granted AND relation = '{self.table}'::regclass"
        with self.connection.begin():
            found = self.connection.scalars(text(f"SELECT {what} FROM pg_locks WHERE {where}"))
            return found.all()


def contents(store: Store, monitor: str, *named: str) -> dict[str, list[str]]:
    """Return what a store holds of a monitor, table by table, in a fixed order."""
    found = {}
    with store.read() as connection:
        for name in named or TABLES:
            table = tables.metadata.tables[name]
            kept = [column for column in table.columns if column.name not in VOLATILE]
            query = select(*kept).where(table.c.monitor == monitor)
            found[name] = sorted(repr(tuple(row)) for row in connection.execute(query))
    return found


@contextmanager
def world(
    folder: Path,
    warehouse: Warehouse,
    store: str,
    metadata: str,
    monitors: Mapping[str, Mapping[str, Any]],
) -> Iterator[World]:
    """Make the logs, the files and the DAGs, and run an Airflow on them until the end.

    Its metadata is in PostgreSQL: of SQLite a busy Airflow asks for the lock in vain at times.
    """
    predictions, labels = logs(days=DAYS, rows=400, drift_on=4)
    warehouse.load("predictions", predictions)
    warehouse.load("labels", labels)
    upgrade(make_url(store))
    for name, changes in monitors.items():
        _write(folder, warehouse, name, dict(changes))
    (folder / "dags").mkdir()
    (folder / "dags" / "watched.py").write_text(
        DAGS.format(folder=folder / "monitors", more="")
        + DAGS.format(
            folder=folder / "apart", more=f', kinds=["monitoring"], python="{sys.executable}"'
        )
    )
    (folder / "dags" / "own.py").write_text(OWN)
    (folder / "trainer.py").write_text(TRAINER)
    with SlackReceiver(token=TOKEN) as slack:
        environment = QUICK | {
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
            "DRIFTLINE_HOME": str(folder / "home"),
            "DRIFTLINE_MONITORS": str(folder / "monitors"),  # for the pages behind the buttons
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_API_URL": slack.url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata,  # else it asks for asyncpg
            "AIRFLOW_CONN_WAREHOUSE": _airflows(warehouse.url),
            "AIRFLOW_CONN_DOWN": _airflows(warehouse.url, port=1),
            "AIRFLOW_CONN_DRIFTLINE_STORE": _airflows(store),
        }
        home, dags = folder / "airflow", folder / "dags"
        with Airflow(home, dags=dags, database=metadata, environment=environment) as airflow:
            yield World(
                folder=folder,
                airflow=airflow,
                slack=slack,
                warehouse=warehouse,
                store=store,
                metadata=metadata,
            )


OWN = '''
from airflow.sdk import dag, task


@dag(schedule=None)
def my_own():
    """A retraining of the user's own."""

    @task
    def retrain(dag_run=None):
        print("asked for because", dag_run.conf["reason"])

    retrain()


my_own()
'''


def _write(folder: Path, warehouse: Warehouse, name: str, changes: dict[str, Any]) -> None:
    place = folder / changes.pop("_folder", "monitors")
    place.mkdir(exist_ok=True)
    made = warehouse.monitor(**parts("binary") | BASE | changes)
    plain = made.model_dump(mode="json", by_alias=True, exclude_unset=True)
    plain |= {"monitor": name, "warehouse": changes.get("warehouse", "warehouse")}
    plain |= {"artifacts": "../artifacts"}
    plain |= {"routes": {"warn": [{"slack": "#alerts"}], "critical": [{"slack": "#alerts"}]}}
    (place / f"{name}.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")


def _airflows(url: str, port: int | None = None) -> str:
    """Return a URL as a connection of Airflow's."""
    found = make_url(url).set(drivername="postgres")
    return (found.set(port=port) if port else found).render_as_string(hide_password=False)
