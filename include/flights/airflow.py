"""A real Airflow of one's own: its scheduler, DAG processor, triggerer and API server in a folder.

    with Airflow(Path(".demo/airflow"), dags=Path("dags")) as airflow:
        run = airflow.client.trigger("flight_delay__daily", conf={"window_end": "2013-04-04"})
        airflow.client.wait("flight_delay__daily", run)

It listens on 127.0.0.1 only. Whatever it started ends with it, also when this process is killed.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from flights.airflow_client import AirflowError, Client

COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""What `airflow standalone` runs too; but its log servers listen on every address."""

PRELOAD = (
    "airflow",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.task_runner",
    "driftline.warm",
    "sklearn.compose",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.pipeline",
)
"""What the fork server imports once, so that no task has to."""

LOGIN = "admin", "admin"
PATIENCE = 120


class Airflow:
    """A context manager that runs Airflow with its home, its logs and its database in `home`.

    `database` is the SQLAlchemy URL of its metadata, SQLite in the folder by default. `preload`
    names the modules that the fork server imports ahead of all tasks; with none each task imports
    what it needs. `environment` is added to this process's own. Without `wait` it still comes up
    when the block begins: `wait_until_healthy` before it is spoken to.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags: Path,
        plugins: Path | None = None,
        database: str = "",
        parallelism: int = 0,
        preload: Sequence[str] = PRELOAD,
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> None:
        self.home = home.resolve()
        self.port = _free_port()
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")
        }
        self.environment |= {
            "AIRFLOW_HOME": str(self.home),
            "DO_NOT_TRACK": "1",
            "SCARF_ANALYTICS": "False",
            "PYTHONUNBUFFERED": "1",
            **_settings(self.home, self.port),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str((plugins or self.home / "plugins").resolve()),
            "AIRFLOW__CORE__PARALLELISM": str(parallelism or _cores()),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database
            or f"sqlite:///{self.home / 'airflow.db'}",
            **(environment or {}),
        }
        if preload:
            self.environment |= {
                "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
                "AIRFLOW__SCHEDULER__MP_FORKSERVER_PRELOAD": ",".join(preload),
            }
        self.client = Client(self.url, *LOGIN)
        self._keepers: dict[str, subprocess.Popen[bytes]] = {}
        self._wait = wait

    @property
    def url(self) -> str:
        """Where its UI is; LOGIN opens it."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "passwords.json").write_text(json.dumps({LOGIN[0]: LOGIN[1]}))
        try:
            self._migrate()
            for component in COMPONENTS:
                self.start(component)
            if self._wait:
                self.wait_until_healthy()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def log(self, component: str) -> Path:
        """Return the file that holds what a component has printed."""
        return self.home / f"{component}.log"

    def pid(self, component: str) -> int:
        """Return the process below which a component runs."""
        return self._keepers[component].pid

    def start(self, component: str) -> None:
        """Start one component; it need not be healthy yet on return."""
        self._keepers[component] = self._keep(component, *COMPONENTS[component])

    def kill(self, component: str) -> None:
        """Kill one component and all that it started, as a machine that loses power would."""
        keeper = self._keepers.pop(component)
        for process in psutil.Process(keeper.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        keeper.wait(PATIENCE)

    def stop(self) -> None:
        """Stop all of it; nothing that it started is left when this returns."""
        self.client.close()
        for keeper in self._keepers.values():
            _let_go(keeper)
        for keeper in self._keepers.values():
            keeper.wait(PATIENCE)
        self._keepers.clear()

    def wait_until_healthy(self, patience: float = PATIENCE) -> None:
        """Wait for every component; AirflowError with the end of the log of one that fails."""
        end = time.monotonic() + patience
        while waiting := self._unhealthy():
            for component, keeper in self._keepers.items():
                if keeper.poll() is not None:
                    raise AirflowError(f"Airflow's {component} ended:\n{self._tail(component)}")
            if time.monotonic() > end:
                raise AirflowError(
                    f"not healthy after {patience:g} s: {', '.join(waiting)}\n"
                    + "\n".join(self._tail(component) for component in waiting)
                )
            time.sleep(0.3)

    def _unhealthy(self) -> list[str]:
        health = self.client.health()
        names = {
            "scheduler": "scheduler",
            "dag-processor": "dag_processor",
            "triggerer": "triggerer",
        }
        if health is None:
            return ["api-server"]
        return [name for name, key in names.items() if health[key]["status"] != "healthy"]

    def _migrate(self) -> None:
        keeper = self._keep("migrate", "db", "migrate")
        self._keepers["migrate"] = keeper
        if keeper.wait(PATIENCE):
            raise AirflowError(f"airflow db migrate failed:\n{self._tail('migrate')}")
        _let_go(self._keepers.pop("migrate"))

    def _keep(self, name: str, *command: str) -> "subprocess.Popen[bytes]":
        with self.log(name).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (ours)
                [sys.executable, "-m", "flights.keeper", sys.executable, "-m", "airflow", *command],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for us: we stop it in order
            )

    def _tail(self, component: str, lines: int = 25) -> str:
        path = self.log(component)
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join([f"the end of {path}:", *text.splitlines()[-lines:]])


def _settings(home: Path, port: int) -> dict[str, str]:
    """Return what holds for every Airflow that is run here."""
    url = f"http://127.0.0.1:{port}"
    values = {
        "core.load_examples": "False",
        "core.execution_api_server_url": f"{url}/execution/",
        "core.simple_auth_manager_users": f"{LOGIN[0]}:admin",
        "core.simple_auth_manager_passwords_file": str(home / "passwords.json"),
        "api.host": "127.0.0.1",
        "api.port": str(port),
        "api.base_url": url,
        "api.workers": "1",
        "api.secret_key": secrets.token_hex(),
        "api_auth.jwt_secret": secrets.token_hex(),
        "scheduler.scheduler_idle_sleep_time": "0.25",
        "dag_processor.refresh_interval": "5",
        "dag_processor.parsing_processes": "1",
        "usage_data_collection.enabled": "False",
    }
    return {"AIRFLOW__" + key.upper().replace(".", "__"): value for key, value in values.items()}


def _cores() -> int:
    """Return how many tasks run at once: they wait for one another more than for a core."""
    return min(4, 1 + (os.cpu_count() or 1))


def _let_go(keeper: "subprocess.Popen[bytes]") -> None:
    if keeper.stdin:
        keeper.stdin.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
