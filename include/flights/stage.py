"""Where the story is played: an Airflow that runs the monitor's DAGs, and what of it is shown."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.markup import escape

from driftline.connections import from_environment
from driftline.domain import HOUR, Retraining
from driftline.monitor.config import Monitor
from driftline.retraining.request import Request
from driftline.run import planned, run
from driftline.store import open_store, retrainings
from flights.airflow import Airflow
from flights.airflow_client import AirflowError, Json, becomes

PATIENCE = 900
BEHIND_IT = {"success", "skipped", "failed", "upstream_failed", "removed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A monitor, the Airflow that runs its DAGs, and the console that tells what happens."""

    monitor: Monitor
    airflow: Airflow
    console: Console

    def dag(self, kind: str) -> str:
        """Return the id of one of the monitor's DAGs: hourly, daily or retrain."""
        return f"{self.monitor.monitor}__{kind}"

    def open(self) -> None:
        """Wait until Airflow is up and has read the DAGs; let the daily one and retraining run."""
        kinds = [self.dag(kind) for kind in ("hourly", "daily", "retrain")]
        with waiting(self.console, "Airflow comes up") as say:
            self.airflow.wait_until_healthy()
            say("its DAG processor reads the DAGs")
            self.airflow.client.wait_for_dags(*kinds)
        self.airflow.client.unpause(self.dag("daily"), self.dag("retrain"))

    def remember(self, start: datetime, end: datetime, jobs: int = 1) -> None:
        """Measure the days that end in `(start, end]` in process, as a backfill: nobody is told."""
        days = [one for one in planned(self.monitor, start, end) if one.cadence == "1d"]
        words = f"History in process, {days[0].end:%F} to {days[-1].end:%F}"
        with (
            waiting(self.console, words) as say,
            open_store(self.monitor, from_environment) as store,
        ):
            for number, told in enumerate(run(self.monitor, days, store, page=False, jobs=jobs), 1):
                if told.errors:
                    raise AirflowError("\n".join(told.errors))
                say(f"{number} of {len(days)} days")

    def day(self, end: datetime) -> str:
        """Have the daily DAG run for the day that ends here; return what its branch decided."""
        dag_id, client = self.dag("daily"), self.airflow.client
        run_id = client.trigger(
            dag_id,
            run_id=f"manual__{end:%FT%H:%M:%S}",
            run_after=end,
            conf={"window_end": end.isoformat()},
        )
        self._wait(f"Daily run to {end:%F}", dag_id, run_id)
        judged = next(name for name in client.tasks(dag_id, run_id) if name.endswith("judge"))
        said = client.log(dag_id, run_id, judged).splitlines()
        return next((line for line in said if " verdicts, " in line), "it said nothing")

    def hours(self, start: datetime, end: datetime) -> None:
        """Let the scheduler run the hours of `schedule:`, and wait for all of them."""
        dag_id, due = self.dag("hourly"), int((end - start) / HOUR)
        client = self.airflow.client
        client.unpause(dag_id)
        with waiting(
            self.console, f"{due} hourly runs, ending {start + HOUR:%F %H:%M} to {end:%H:%M}"
        ) as say:

            def all_ended() -> bool:
                runs = client.runs(dag_id)
                for failed in (run for run in runs if run["state"] == "failed"):
                    client.wait(dag_id, failed["dag_run_id"])
                ended = sum(run["state"] == "success" for run in runs)
                say(f"{ended} of {due} have ended")
                return ended >= due

            if not becomes(all_ended, PATIENCE):
                raise AirflowError(f"{dag_id}: its {due} runs have not ended after {PATIENCE} s")

    def retraining(self, as_of: datetime) -> Retraining | None:
        """Wait for the retraining that the branch started as of this moment; None if it did not."""
        asked = Request(monitor=self.monitor.monitor, as_of=as_of, reason="")
        dag_id = self.dag("retrain")
        if asked.run_id not in [run["dag_run_id"] for run in self.airflow.client.runs(dag_id)]:
            return None
        self._wait(f"Retraining as of {as_of:%F}", dag_id, asked.run_id)
        with open_store(self.monitor, from_environment) as store, store.read() as connection:
            return retrainings.get(connection, self.monitor.monitor, as_of)

    def _wait(self, words: str, dag_id: str, run_id: str) -> None:
        def seen(tasks: dict[str, Json]) -> None:
            ended = [task for task in tasks.values() if task["state"] in BEHIND_IT]
            at = [name for name, task in tasks.items() if task["state"] == "running"]
            say(f"{len(ended)} of {len(tasks)} tasks; {', '.join(at) or 'the scheduler'}")

        with waiting(self.console, words) as say:
            self.airflow.client.wait(dag_id, run_id, seen=seen)


@contextmanager
def waiting(console: Console, words: str) -> Iterator[Callable[[str], None]]:
    """Say what is waited for while it is, and how long that took in the end."""
    started = time.monotonic()

    def say(state: str) -> None:
        status.update(f"{words}: {escape(state)}")

    if not console.is_terminal:
        console.print(f"{words} ...", highlight=False)
    with console.status(words) as status:
        yield say
    console.print(f"{words}: {time.monotonic() - started:.0f} s", highlight=False)
