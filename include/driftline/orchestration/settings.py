"""What a DAG file may set for all the DAGs that it makes."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from driftline.monitor.config import Monitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the tasks run: where, how often again, and in which Python.

    `python` names the interpreter of an environment that holds driftline with Great Expectations
    and Evidently; the tasks that measure run in it, so that Airflow's own need not hold them.
    `approval_timeout` is how long a retraining waits for a person before it counts as declined.
    """

    pool: str | None = None
    queue: str | None = None
    python: Path | None = None
    retries: int = 2
    retry_delay: timedelta = timedelta(minutes=1)
    execution_timeout: timedelta = timedelta(hours=2)
    max_active_hours: int = 4
    max_active_days: int = 1
    approval_timeout: timedelta = timedelta(days=7)

    def default_args(self, monitor: Monitor | None = None) -> dict[str, Any]:
        """Return the arguments that every task gets; a monitor's own pool and queue come first."""
        schedule = monitor.schedule if monitor else None
        given = {
            "owner": monitor.owner if monitor else "driftline",
            "retries": self.retries,
            "retry_delay": self.retry_delay,
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=30),
            "execution_timeout": self.execution_timeout,
            "pool": (schedule and schedule.pool) or self.pool,
            "queue": (schedule and schedule.queue) or self.queue,
        }
        return {name: value for name, value in given.items() if value is not None}
