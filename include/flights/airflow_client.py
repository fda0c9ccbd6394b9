"""Airflow's REST API, as far as the demo and the tests need it."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

Json = dict[str, Any]

ENDED = ("success", "failed")
FAILED = ("failed", "upstream_failed")
ATTEMPTS = 5
"""So often is a request made: an API server on SQLite may be too busy to answer one."""


class AirflowError(Exception):
    """Airflow did not come up, refused a request, or a run did not end as it should."""


class Client:
    """Speaks to one Airflow as one user."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._login = {"username": user, "password": password}
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON that a request below `/api/v2/` gives; AirflowError if it is refused."""
        for attempt in range(ATTEMPTS):
            if "Authorization" not in self._http.headers:
                self._log_in()
            try:
                answer = self._http.request(method, f"/api/v2/{path}", **options)
            except httpx.TransportError as error:
                said = str(error)
            else:
                if answer.is_success:
                    return answer.json() if answer.content else None
                said = f"{answer.status_code} {answer.text[:500]}"
                if answer.status_code < 500:
                    break
            time.sleep(0.5 * attempt)
        raise AirflowError(f"{method} {path}: {said}")

    def _log_in(self) -> None:
        answer = self._http.post("/auth/token", json=self._login)
        if not answer.is_success:
            raise AirflowError(f"no token: {answer.status_code} {answer.text[:500]}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def health(self) -> Json | None:
        """Return how the components are; None while nobody answers."""
        try:
            answer = self._http.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return None
        found: Json | None = answer.json() if answer.is_success else None
        return found

    # DAGs

    def dags(self) -> dict[str, Json]:
        """Return the DAGs that Airflow knows, by id."""
        return {dag["dag_id"]: dag for dag in self.request("GET", "dags?limit=1000")["dags"]}

    def wait_for_dags(self, *dag_ids: str, patience: float = 60) -> None:
        """Wait until these DAGs are parsed; AirflowError with the import errors if they are not."""

        def settled() -> bool:
            return self.dags().keys() >= set(dag_ids) or bool(self.import_errors())

        becomes(settled, patience)
        missing = set(dag_ids) - self.dags().keys()
        if missing:
            raise AirflowError(
                f"no such DAG: {', '.join(sorted(missing))}; "
                + f"there are: {', '.join(self.dags()) or 'none'}\n{self.import_errors()}"
            )

    def import_errors(self) -> str:
        """Return what the DAG files failed with; '' when all of them could be read."""
        errors = self.request("GET", "importErrors")["import_errors"]
        return "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Pause a DAG, so that none of its runs goes on."""
        self.request("PATCH", f"dags/{dag_id}", json={"is_paused": paused})

    def unpause(self, *dag_ids: str) -> None:
        """Let runs of these DAGs happen, the scheduled ones too."""
        for dag_id in dag_ids:
            self.pause(dag_id, paused=False)

    # Runs

    def trigger(
        self,
        dag_id: str,
        *,
        run_id: str | None = None,
        logical_date: datetime | None = None,
        run_after: datetime | None = None,
        conf: Mapping[str, Any] | None = None,
        note: str | None = None,
    ) -> str:
        """Start a run and return its id; one that is there under this id already is that run."""
        body = {
            "dag_run_id": run_id,
            "logical_date": logical_date and logical_date.isoformat(),
            "conf": dict(conf or {}),
            "note": note,
            **({"run_after": run_after.isoformat()} if run_after else {}),
        }
        try:
            made = self.request("POST", f"dags/{dag_id}/dagRuns", json=body)
        except AirflowError as error:
            if run_id and ": 409 " in str(error):
                return run_id
            raise
        return str(made["dag_run_id"])

    def runs(self, dag_id: str) -> list[Json]:
        """Return the runs of a DAG, in the order in which they were due."""
        answer = self.request("GET", f"dags/{dag_id}/dagRuns?limit=1000&order_by=run_after")
        found: list[Json] = answer["dag_runs"]
        return found

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return one run."""
        found: Json = self.request("GET", _run(dag_id, run_id))
        return found

    def tasks(self, dag_id: str, run_id: str) -> dict[str, Json]:
        """Return the task instances of a run by task id; a mapped one only by its last index."""
        answer = self.request("GET", f"{_run(dag_id, run_id)}/taskInstances?limit=1000")
        return {task["task_id"]: task for task in answer["task_instances"]}

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return what a task has logged."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{attempt}"
        content = self.request("GET", path, headers={"Accept": "application/json"})["content"]
        return "\n".join(_line(entry) for entry in content)

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Choose an option of a task that waits for a person, such as Approve."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/-1/hitlDetails"
        self.request("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def wait(
        self,
        dag_id: str,
        run_id: str,
        *,
        patience: float = 300,
        seen: Callable[[dict[str, Json]], None] = lambda _: None,
    ) -> Json:
        """Wait for the end of a run and return it; AirflowError naming the tasks that failed.

        `seen` is called with the tasks every time that they are looked at.
        """

        def ended() -> bool:
            seen(self.tasks(dag_id, run_id))
            return self.run(dag_id, run_id)["state"] in ENDED

        if not becomes(ended, patience):
            raise AirflowError(
                f"{dag_id} {run_id} has not ended after {patience:g} s: "
                + self._states(dag_id, run_id)
            )
        run = self.run(dag_id, run_id)
        if run["state"] == "failed":
            raise AirflowError(f"{dag_id} {run_id} failed: {self._failure(dag_id, run_id)}")
        return run

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Collection[str],
        *,
        patience: float = 120,
    ) -> Json:
        """Wait until a task is in one of these states, such as awaiting_input, and return it."""

        def there() -> bool:
            task = self.tasks(dag_id, run_id).get(task_id)
            return task is not None and task["state"] in states

        if not becomes(there, patience):
            raise AirflowError(
                f"{dag_id} {run_id}: {task_id} is not {' or '.join(states)} after {patience:g} s: "
                + self._states(dag_id, run_id)
            )
        return self.tasks(dag_id, run_id)[task_id]

    def _states(self, dag_id: str, run_id: str) -> str:
        tasks = self.tasks(dag_id, run_id).values()
        return ", ".join(f"{task['task_id']} {task['state'] or 'waiting'}" for task in tasks)

    def _failure(self, dag_id: str, run_id: str) -> str:
        failed = {
            task_id: task
            for task_id, task in self.tasks(dag_id, run_id).items()
            if task["state"] == "failed"
        }
        words = [", ".join(failed) or self._states(dag_id, run_id)]
        for task_id, task in failed.items():
            text = self.log(dag_id, run_id, task_id, task["try_number"])
            words.append(f"the end of the log of {task_id}:")
            words += text.splitlines()[-20:]
        return "\n".join(words)


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    words = [str(entry.get("event", ""))]
    for error in entry.get("error_detail") or []:
        words += [f"  {at['filename']}:{at['lineno']} {at['name']}" for at in error["frames"][-5:]]
        words.append(f"{error['exc_type']}: {error['exc_value']}")
    return "\n".join(words)


def becomes(condition: Callable[[], bool], patience: float) -> bool:
    """Return whether a condition becomes true within so many seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True
