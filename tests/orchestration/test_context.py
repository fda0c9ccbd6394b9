"""Which interval a run is about, and which store its tasks may use."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from driftline import tasks
from driftline.domain import HOUR, floor
from driftline.errors import InputError, UnknownConnection, WarehouseError
from driftline.monitor import file as monitor_file
from driftline.orchestration import context as of
from driftline.orchestration import measuring
from driftline.orchestration.connections import airflow_connection, stored
from driftline.orchestration.context import clearly, interval_of, run_of
from driftline.retraining.request import Request
from tests.orchestration.conftest import Folder

MIDNIGHT = datetime(2013, 4, 4, tzinfo=UTC)


def a_run(run_type: str = "manual", **given: Any) -> dict[str, Any]:
    params = {"window_end": given.pop("window_end", None)}
    plain = {
        "dag_id": "m__daily",
        "run_id": f"{run_type}__x",
        "run_type": run_type,
        "run_after": datetime(2013, 4, 9, 10, 20, tzinfo=UTC),
        "data_interval_end": None,
    }
    return {"dag_run": SimpleNamespace(**plain | given), "params": params}


@pytest.mark.parametrize(
    ("cadence", "context", "end"),
    [
        ("1d", a_run("scheduled", data_interval_end=MIDNIGHT), "2013-04-04 00:00"),
        ("1h", a_run("scheduled", data_interval_end=MIDNIGHT), "2013-04-04 00:00"),
        ("1d", a_run(), "2013-04-09 00:00"),
        ("1h", a_run(), "2013-04-09 10:00"),
        ("1d", a_run(data_interval_end=MIDNIGHT), "2013-04-04 00:00"),
        ("1d", a_run(window_end="2013-04-03T00:00:00Z"), "2013-04-03 00:00"),
        ("1d", a_run(window_end="2013-04-03"), "2013-04-03 00:00"),
        ("1d", a_run(window_end="2013-04-03T02:00:00+02:00"), "2013-04-03 00:00"),
        ("1h", a_run(window_end="2013-04-03T05:00:00Z"), "2013-04-03 05:00"),
        (
            "1d",
            a_run(data_interval_end=MIDNIGHT, window_end="2013-04-03T00:00:00Z"),
            "2013-04-03 00:00",
        ),
        (
            "1d",
            a_run("backfill", data_interval_end=MIDNIGHT, window_end="2013-04-03T00:00:00Z"),
            "2013-04-04 00:00",
        ),
    ],
)
def test_the_interval_of_a_run(cadence: str, context: dict[str, Any], end: str) -> None:
    interval = interval_of(cadence, context)
    assert f"{interval.end:%F %H:%M}" == end
    assert interval.cadence == cadence


@pytest.mark.parametrize(
    ("cadence", "given", "allowed"),
    [
        ("1d", "2013-04-03T05:00:00Z", "a midnight in UTC"),
        ("1h", "2013-04-03T05:30:00Z", "a full hour in UTC"),
        ("1d", "yesterday", "2013-04-04T00:00:00Z"),
        ("1d", "2013-04-03T00:00:00+02:00", "a midnight in UTC"),
        ("1d", "2999-01-01", "yet to come"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_what_can(
    cadence: str, given: str, allowed: str
) -> None:
    with pytest.raises(InputError) as said:
        interval_of(cadence, a_run(window_end=given))
    assert given in str(said.value)
    assert allowed in str(said.value)


def test_an_interval_that_is_yet_to_come_is_refused() -> None:
    """What is recorded of it would count as done; a clock may be minutes ahead."""
    now = datetime.now(UTC)
    with pytest.raises(InputError, match="is yet to come"):
        interval_of("1d", a_run(data_interval_end=now + timedelta(days=2)))
    soon = interval_of("1h", a_run("scheduled", data_interval_end=floor(now, HOUR)))
    assert soon.end <= now


@pytest.mark.parametrize(
    ("run_type", "page"),
    [("scheduled", True), ("manual", True), ("operator_triggered", True), ("backfill", False)],
)
def test_only_a_backfill_tells_nobody(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, run_type: str, page: bool
) -> None:
    path = folder.add("m")
    context = a_run(run_type, data_interval_end=MIDNIGHT)
    monkeypatch.setattr(of, "get_current_context", lambda: context)
    run = run_of(str(path), "1d")
    assert run.page is page
    assert run.run_id == f"m__daily__{run_type}__x"
    assert run.interval.start == MIDNIGHT - timedelta(days=1)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air/flow/")
    links = run_of(str(path), "1d").links
    assert links is not None
    assert links.run == f"https://air/flow/dags/m__daily/runs/{run_type}__x"
    assert links.pages == "https://air/flow/driftline"


@pytest.mark.parametrize(
    ("alert", "clear", "follows"),
    [(False, True, "all_clear"), (False, False, "not_clear"), (True, False, "alert")],
)
def test_all_is_clear_only_where_nothing_is_in_doubt(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, alert: bool, clear: bool, follows: str
) -> None:
    path = str(folder.add("m"))
    decided = tasks.Decision(alert=alert, retrain=None, clear=clear, reason="0 verdicts")
    monkeypatch.setattr(of, "get_current_context", lambda: a_run(data_interval_end=MIDNIGHT))
    monkeypatch.setattr(tasks, "judge", lambda run: decided)
    ways = measuring.judge.function(monitor=path, cadence="1d", always=["report"], retraining=False)
    assert ways == [follows, "report"]


def test_what_a_retry_cannot_mend_is_not_retried() -> None:
    with pytest.raises(AirflowFailException, match=r"^InputError: no such key"), clearly():
        raise InputError("no such key")
    with pytest.raises(AirflowException, match=r"^WarehouseError: it is down") as said, clearly():
        raise WarehouseError("it is down")
    assert not isinstance(said.value, AirflowFailException)
    assert said.value.__suppress_context__


def test_connections_come_from_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_LOGS",
        "postgres://me:p%40ss%2Fword@host:5433/db?sslmode=require&__extra__=%7B%22a%22%3A+1%7D",
    )
    assert airflow_connection("logs") == "postgres://me:p%40ss%2Fword@host:5433/db"
    monkeypatch.setenv(
        "AIRFLOW_CONN_LOGS",
        '{"conn_type": "postgres", "host": "host", "login": "me", "password": "p@ss/word", '
        '"schema": "db", "extra": {"sslmode": "require", "cursor": "x"}}',
    )
    assert airflow_connection("logs") == "postgres://me:p%40ss%2Fword@host/db?sslmode=require"
    for uri in ("sqlite:////a/b.db", "duckdb:////a/b.db", "duckdb:///:memory:"):
        monkeypatch.setenv("AIRFLOW_CONN_LOGS", uri)
        assert airflow_connection("logs") == uri
    with pytest.raises(UnknownConnection, match="AIRFLOW_CONN_NOT_THERE"):
        airflow_connection("not_there")


@pytest.mark.parametrize(
    ("alert", "retrain", "clear", "followed"),
    [
        (False, False, True, ["all_clear"]),
        (False, False, False, ["not_clear"]),
        (True, False, False, ["alert"]),
        (True, False, True, ["alert"]),  # a message of before waits
        (False, True, False, ["retrain"]),
        (True, True, False, ["alert", "retrain"]),
    ],
)
def test_the_branch_goes_where_the_decision_says(
    monkeypatch: pytest.MonkeyPatch, alert: bool, retrain: bool, clear: bool, followed: list[str]
) -> None:
    wish = Request(monitor="m", as_of=MIDNIGHT, reason="it drifts") if retrain else None
    said = tasks.Decision(alert=alert, retrain=wish, clear=clear, reason="so")
    handed: dict[str, Any] = {}
    instance = SimpleNamespace(xcom_push=lambda key, value: handed.update({key: value}))
    monkeypatch.setattr(measuring, "run_of", lambda *_: None)
    monkeypatch.setattr(tasks, "judge", lambda _: said)
    monkeypatch.setattr(measuring, "get_current_context", lambda: {"ti": instance})

    def branch(retraining: bool) -> list[str]:
        found: list[str] = measuring.judge.function("m.yaml", "1d", ["report"], retraining)
        return found

    assert branch(True) == [*followed, "report"]
    if wish:
        assert handed == {measuring.REQUEST: wish.to_conf(), measuring.RUN_ID: wish.run_id}
    # Without a DAG that retrains the wish leads nowhere.
    without = [name for name in followed if name != "retrain"]
    assert branch(False) == [*(without or ["not_clear"]), "report"]


@pytest.mark.parametrize(
    ("executor", "right"),
    [
        ("LocalExecutor", True),
        ("CeleryExecutor", False),
        ("LocalExecutor,KubernetesExecutor", False),
        ("airflow.providers.celery.executors.celery_executor.CeleryExecutor", False),
    ],
)
def test_a_sqlite_store_is_refused_where_tasks_run_on_several_machines(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, executor: str, right: bool
) -> None:
    monitor = monitor_file.load(folder.add("m"))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    if right:
        assert stored(monitor) is monitor
        return
    with pytest.raises(InputError, match="PostgreSQL") as said:
        stored(monitor)
    assert executor in str(said.value)
    assert "driftline.db" in str(said.value)


def test_a_postgresql_store_is_fine_everywhere(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.add("m")
    path.write_text(path.read_text().replace("store: sqlite:///driftline.db\n", ""))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_DRIFTLINE_STORE", "postgres://me@host/results")
    monitor = monitor_file.load(path)
    assert stored(monitor) is monitor
