"""docker-compose.yaml is what its specification allows, and its commands work together.

No Docker is at hand, so `Processes` reads the file as Compose would and runs each command as a
plain process, with nothing in its environment but what the file and its image bring. Folders, ports
and hosts are replaced: all of it listens on the loopback, on free ports.
"""

import base64
import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from jsonschema import Draft202012Validator
from sqlalchemy import NullPool, create_engine, make_url, text

from flights.airflow_client import Client
from tests.conftest import heard, run
from tests.models import DAY, START, logs, parts
from tests.warehouses import Warehouse

ROOT = Path(__file__).parent.parent
FILE = (ROOT / "docker-compose.yaml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(FILE)["services"]
SECRETS = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")
PORTS = {"postgres": 5432, "redis": 6379, "airflow-api-server": 8080}
HOME = "/opt/airflow"
PATIENCE = 180


def interpolated(words: str, given: Mapping[str, str]) -> str:
    """Return words with `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$` filled in."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.group("name", "kind", "rest")
        if name is None:
            return "$"
        if not given.get(name) and kind == "?":
            raise ValueError(f"{name}: {rest}")
        return given.get(name) or rest or ""

    return VARIABLE.sub(value, words)


# The file


def test_the_file_is_what_the_specification_allows() -> None:
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text())
    validator = Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(FILE))] == []
    broken = {"services": {"web": {"comand": "sleep"}}}
    assert list(validator.iter_errors(broken)), "the schema refuses nothing"


def test_only_this_machine_reaches_it() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {name: found for name, found in ports.items() if found} == {
        "airflow-api-server": ["127.0.0.1:8080:8080"]
    }
    assert not any("network_mode" in service for service in SERVICES.values())


def test_every_secret_must_be_given() -> None:
    found = list(VARIABLE.finditer(FILE))
    assert {match["name"] for match in found if match["kind"] == "?"} == SECRETS
    assert {match["name"] for match in found if match["name"]} == SECRETS | {"MONITORS"}
    with pytest.raises(ValueError, match=r"_KEY: see \.env\.example"):
        interpolated(FILE, {})
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def test_every_service_is_started_again_and_watched() -> None:
    for name, service in SERVICES.items():
        if name == "airflow-init":
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name
        for other, how in service.get("depends_on", {}).items():
            ends = how["condition"] == "service_completed_successfully"
            assert ends == (SERVICES[other]["restart"] == "no"), (name, other)


def test_what_the_image_copies_is_there_and_not_left_out() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    dockerfile = SERVICES["airflow-worker"]["build"]["dockerfile_inline"]
    copied = [line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY")]
    paths = {path for names in copied for path in names}
    assert paths == kept
    assert all((ROOT / path).exists() for path in paths)
    extras = re.search(r"\.\[(.*)\]", dockerfile)
    assert extras is not None
    known = (ROOT / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in known for extra in extras[1].split(","))


# Its commands


class Processes:
    """The services of the file, as processes that end with this one."""

    def __init__(self, folder: Path, ports: Mapping[str, int], given: Mapping[str, str]) -> None:
        self.folder = folder
        self.home = folder / HOME.strip("/")
        self.ports = ports
        self.given = given
        self.keepers: dict[str, subprocess.Popen[bytes]] = {}
        self.services: dict[str, Any] = self._here(SERVICES)
        self.home.mkdir(parents=True)
        for volume in self.services["airflow-worker"]["volumes"]:
            source, place = volume.split(":")[:2]
            if "/" in source:
                Path(place).symlink_to(ROOT / source)
            else:
                Path(place).mkdir()

    def up(self) -> None:
        """Start the services in their order, each when what it waits for is there."""
        waits = {name: service.get("depends_on", {}) for name, service in self.services.items()}
        for name in TopologicalSorter(waits).static_order():
            for other, how in waits[name].items():
                if how["condition"] == "service_healthy":
                    self.wait_until_healthy(other)
                else:
                    assert self.keepers[other].wait(PATIENCE) == 0, self.said(other)
            if name != "postgres":  # its command is its image's; the tests have a server
                self.keepers[name] = self._start(name)

    def down(self) -> None:
        """End all of it; nothing that was started is left when this returns."""
        for keeper in self.keepers.values():
            if keeper.stdin:
                keeper.stdin.close()
        for keeper in self.keepers.values():
            keeper.wait(PATIENCE)

    def wait_until_healthy(self, name: str) -> None:
        """Run a service's health check until it succeeds."""
        test = self.services[name]["healthcheck"]["test"]
        command = ["sh", "-c", test] if isinstance(test, str) else test[1:]
        end = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(command, capture_output=True, **self._surroundings(name))
            if done.returncode == 0:
                return
            ended = name in self.keepers and self.keepers[name].poll() is not None
            assert not ended, f"{name} has ended\n{self.said(name)}"
            assert time.monotonic() < end, f"{name}: {done.stdout + done.stderr!r}"
            time.sleep(0.5)

    def said(self, name: str, lines: int = 40) -> str:
        """Return the end of what a service has printed."""
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-lines:])

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        command = self.services[name]["command"]
        words = shlex.split(command) if isinstance(command, str) else command
        if name == "redis":
            words = [*words, "--bind", "127.0.0.1"]
        with self._log(name).open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "flights.keeper", *words],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for us: we end it in order
                **self._surroundings(name),
            )

    def _surroundings(self, name: str) -> dict[str, Any]:
        """Return where a service runs: the environment of the file, its image and its container."""
        named = self.services[name].get("environment", {})
        named = {key: value or self.given.get(key) for key, value in named.items()}
        brought = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(self.home),
            "HOSTNAME": socket.gethostname(),
            "AIRFLOW__API__HOST": "127.0.0.1",  # what `ports` says for a container
        }
        said = {key: value for key, value in named.items() if value}
        return {"env": brought | said, "cwd": self.home}

    def _here(self, part: Any) -> Any:
        """Return a part of the file with its variables filled in and its places those of here."""
        if isinstance(part, dict):
            return {key: self._here(value) for key, value in part.items()}
        if isinstance(part, list):
            return [self._here(value) for value in part]
        if not isinstance(part, str):
            return part
        for name, port in PORTS.items():
            part = re.sub(rf"\b{name}:{port}\b", f"127.0.0.1:{self.ports[name]}", part)
            part = re.sub(rf"\b{port}\b", str(self.ports[name]), part)
        return interpolated(part.replace(HOME, str(self.home)), self.given)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def databases(server: str, service: Mapping[str, Any], script: str) -> Iterator[str]:
    """Make on a server what the image of PostgreSQL makes; yields the URL of the first database."""
    user, name, password = (
        service["environment"][f"POSTGRES_{part}"] for part in ("USER", "DB", "PASSWORD")
    )
    run(server, f"CREATE ROLE {user} LOGIN CREATEDB PASSWORD '{password}'")
    owned = make_url(server).set(username=user, password=password)
    try:
        run(server, f"CREATE DATABASE {name} OWNER {user}")
        first = owned.set(database=name).render_as_string(hide_password=False)
        run(first, *filter(str.strip, script.split(";")))
        yield first
    finally:
        query = "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = :user"
        for made in scalars(server, query, user=user):
            run(server, f'DROP DATABASE "{made}" WITH (FORCE)')
        run(server, f"DROP ROLE {user}")


def scalars(url: str, query: str, **values: Any) -> list[Any]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return list(connection.scalars(text(query), values))


def write_monitor(folder: Path) -> None:
    """Make a folder of monitors as a user would: one file, and its logs beside it."""
    folder.mkdir()
    warehouse = Warehouse(kind="parquet", folder=folder)
    for name, rows in zip(("predictions", "labels"), logs(), strict=True):
        warehouse.load(name, rows)
    made = warehouse.monitor(**parts("binary"), monitor="churn", schedule={"end": START + 12 * DAY})
    (folder / "churn.yaml").write_text(
        yaml.safe_dump(made.model_dump(mode="json", by_alias=True, exclude_unset=True))
    )


@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("redis-server"), reason="there is no redis-server here")
def test_its_commands_run_a_monitor_through_celery(postgres_url: str, tmp_path: Path) -> None:
    write_monitor(tmp_path / "monitors")
    given = {name: secrets.token_hex(32) for name in SECRETS}
    given["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    given["MONITORS"] = str(tmp_path / "monitors")
    ports = {name: free_port() for name in PORTS}
    ports["postgres"] = make_url(postgres_url).port or PORTS["postgres"]
    processes = Processes(tmp_path, ports, given)
    before = set(psutil.Process().children(recursive=True))
    script = yaml.safe_load(FILE)["configs"]["databases"]["content"]
    with databases(postgres_url, processes.services["postgres"], script) as metadata:
        try:
            processes.up()
            for name, service in processes.services.items():
                if "healthcheck" in service:
                    processes.wait_until_healthy(name)
            url = f"http://127.0.0.1:{ports['airflow-api-server']}"
            client = Client(url, "admin", given["AIRFLOW_ADMIN_PASSWORD"])
            client.wait_for_dags("churn__daily", "housekeeping")
            client.unpause("churn__daily")
            end = (START + 9 * DAY).isoformat()
            run_id = client.trigger("churn__daily", conf={"window_end": end})
            client.wait("churn__daily", run_id)

            ours = set(psutil.Process().children(recursive=True)) - before
            assert {address for address, _ in heard(ours)} == {"127.0.0.1"}
            ran = [task for task in client.tasks("churn__daily", run_id).values() if task["pid"]]
            assert "recorded" in client.log("churn__daily", run_id, "measure.drift")
            client.close()
        finally:
            processes.down()
        assert set(psutil.Process().children(recursive=True)) <= before
        store = processes.services["airflow-worker"]["environment"]["AIRFLOW_CONN_DRIFTLINE_STORE"]
        measured = "SELECT DISTINCT suite FROM measurements WHERE monitor = 'churn'"
        store = store.replace("postgresql:", "postgresql+psycopg:")
        assert set(scalars(store, measured)) == {"quality", "drift", "performance", "estimate"}
        states = scalars(metadata, "SELECT status FROM celery_taskmeta")
        assert states == ["SUCCESS"] * len(ran)
    assert list((processes.home / "driftline" / "artifacts" / "churn").rglob("*.html"))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
