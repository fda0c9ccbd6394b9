"""DAG runs by a real scheduler end as they should, and leave what `driftline run` leaves."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, inspect, make_url, text

from driftline.domain import RetrainingState
from driftline.retraining.registry import registry_of
from driftline.store import Store, outbox, references, retrainings
from flights.airflow import LOGIN
from flights.airflow_client import AirflowError, Client, Json, becomes
from tests.conftest import PASSWORD, a_database, a_reader
from tests.models import DAY, START
from tests.orchestration.world import DAYS, DRIFT, World, world
from tests.warehouses import Warehouse

pytestmark = [pytest.mark.timeout(600)]

HOUR = timedelta(hours=1)
END = START + DAYS * DAY
RETRAINING = {
    "train": "trainer:train",
    "window": "5d",
    "cooldown": "2d",
    "gate": {"holdout": "6d"},
    "approval": "human",
}
AT_ONCE = DRIFT | {"for": 1}
MONITORS = {
    "hours": {
        "windows": ["1h"],
        "rules": [],
        "schedule": {"start": "2024-01-08", "end": "2024-01-08T02:00"},
    },
    "days": {
        "windows": ["1d", "3d"],
        "schedule": {"start": "2024-01-13", "end": "2024-01-15"},
        "retraining": RETRAINING,
    },
    "past": {"retraining": RETRAINING},
    "killed": {},
    "once": {"rules": [AT_ONCE], "retraining": RETRAINING | {"approval": "none"}},
    "declined": {"retraining": RETRAINING},
    "owned": {"rules": [AT_ONCE], "retraining": {"dag": "my_own"}},
    "started": {"rules": [AT_ONCE], "retraining": {"dag": "my_own"}},
    "down": {"warehouse": "down"},
    "lost": {},
    "apart": {"_folder": "apart"},
}
DAG_IDS = ["hours__hourly", "my_own", "housekeeping"]
DAG_IDS += [f"{name}__daily" for name in MONITORS if name != "hours"]
DAG_IDS += [f"{name}__retrain" for name in ("days", "past", "once", "declined")]


@pytest.fixture(scope="module")
def live(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with (
        a_database(postgres_url) as logs,
        a_database(postgres_url) as store,
        a_database(postgres_url) as metadata,
        a_reader(logs) as reader,
        world(
            folder,
            Warehouse(kind="postgresql", folder=folder, owner=logs, reader=reader),
            store,
            metadata,
            MONITORS,
        ) as made,
    ):
        made.airflow.client.wait_for_dags(*DAG_IDS)
        yield made


@pytest.fixture
def client(live: World) -> Client:
    return live.airflow.client


def states(client: Client, dag_id: str, run_id: str) -> dict[str, str]:
    return {name: task["state"] for name, task in client.tasks(dag_id, run_id).items()}


def day(client: Client, name: str, end: datetime = END, **rest: Any) -> str:
    """Start a daily run by hand, for the day that ends then."""
    client.unpause(f"{name}__daily")
    return client.trigger(f"{name}__daily", conf={"window_end": f"{end.isoformat()}"}, **rest)


def clear(client: Client, dag_id: str, run_id: str, **which: Any) -> None:
    asked = {"dry_run": False, "dag_run_id": run_id, **which}
    client.request("POST", f"dags/{dag_id}/clearTaskInstances", json=asked)


def wait_for_question(live: World, client: Client, dag_id: str, run_id: str) -> None:
    client.wait_for_task(dag_id, run_id, "approve", ["awaiting_input"])
    # Airflow 3.3 takes an answer for a crash that comes before its scheduler has seen the
    # worker's process end, many seconds on a busy machine, and asks again; no person is as quick.
    key = f"TaskInstanceKey(dag_id='{dag_id}', task_id='approve', run_id='{run_id}', try_number=1"
    seen = f"Received executor event with state success for task instance {key}"
    log = live.airflow.log("scheduler")
    assert becomes(lambda: seen in log.read_text(encoding="utf-8", errors="replace"), 120)
    time.sleep(1)  # it says so before it looks at the task


def ended(client: Client, dag_id: str, count: int) -> list[Json]:
    """Wait for so many runs of a DAG."""

    def all_ended() -> bool:
        return sum(run["state"] in ("success", "failed") for run in client.runs(dag_id)) >= count

    assert becomes(all_ended, 240), client.runs(dag_id)
    return client.runs(dag_id)


def heard(live: World, name: str) -> list[str]:
    return [m["text"] for m in live.slack.messages if m["text"].startswith(f"{name}:")]


def asked(live: World, name: str) -> Any:
    """The newest retraining of a monitor, as the store holds it."""
    with Store.open(make_url(live.store)) as store, store.read() as connection:
        return retrainings.history(connection, name)[0]


def test_scheduled_hours_leave_what_a_run_leaves(live: World, client: Client) -> None:
    client.unpause("hours__hourly")
    runs = ended(client, "hours__hourly", 2)
    assert [(run["run_type"], run["state"]) for run in runs] == [("scheduled", "success")] * 2
    begins = START + 7 * DAY
    assert [datetime.fromisoformat(run["data_interval_start"]) for run in runs] == [
        begins + number * HOUR for number in range(2)
    ]
    assert live.rows("hours") == live.in_process("hours", begins, begins + 2 * HOUR)
    assert states(client, "hours__hourly", runs[0]["dag_run_id"])["all_clear"] == "success"
    assert heard(live, "hours") == []


def test_scheduled_days_tell_ask_for_a_retraining_and_a_person_promotes(
    live: World, client: Client
) -> None:
    client.unpause("days__daily", "days__retrain")
    first, second = ended(client, "days__daily", 2)
    assert (first["run_type"], first["state"], second["state"]) == (
        "scheduled",
        "success",
        "success",
    )
    follows = ("alert", "retrain", "all_clear")
    before, after = (states(client, "days__daily", run["dag_run_id"]) for run in (first, second))
    assert [before[name] for name in follows] == ["skipped", "skipped", "success"]
    assert [after[name] for name in follows] == ["success", "success", "skipped"]
    assert before["done"] == after["done"] == after["report"] == "success"
    assert live.rows("days") == live.in_process("days", END - 2 * DAY, END)
    (told, *_) = heard(live, "days")
    assert "x-drifts (warn" in told

    (retraining,) = client.runs("days__retrain")
    run_id = retraining["dag_run_id"]
    assert run_id == "retrain__2024-01-15T00:00:00"
    assert retraining["conf"]["evidence"][0]["rule"] == "x-drifts"
    wait_for_question(live, client, "days__retrain", run_id)
    waiting = asked(live, "days")
    assert waiting.state is RetrainingState.PASSED
    path = f"dags/days__retrain/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    question = client.request("GET", path)
    assert question["options"] == ["Promote", "Decline"]
    assert f"{waiting.gain:+.4f} [{waiting.lower:+.4f}, {waiting.upper:+.4f}]" in question["body"]
    assert any("approv" in text for text in heard(live, "days"))
    client.answer("days__retrain", run_id, "approve", "Promote")
    client.wait("days__retrain", run_id)
    done = states(client, "days__retrain", run_id)
    assert (done["promote"], done["declined"], done["refused"]) == ("success", "skipped", "skipped")
    row = asked(live, "days")
    champion = registry_of(live.monitor("days")).champion()
    assert row.state is RetrainingState.PROMOTED
    assert (champion.name, champion.sha256) == (row.promoted, row.promoted_sha256)
    with Store.open(make_url(live.store)) as store, store.read() as connection:
        new = references.in_force(connection, "days", live.monitor("days").config_hash, END + HOUR)
    assert (new.model_version, new.valid_from) == (row.promoted, END)
    assert any("promoted" in text for text in heard(live, "days"))
    (incident,) = live.rows("days", "incidents")["incidents"]
    assert "retrained and promoted 2024-01-15" in incident


def test_a_retraining_by_rest_within_the_cooldown_is_refused_and_green(
    live: World, client: Client
) -> None:
    with pytest.raises(AirflowError, match=r"400 .*reason"):
        client.trigger("days__retrain")
    run_id = client.trigger(
        "days__retrain",
        conf={"reason": "a new feature", "as_of": (END + DAY).isoformat()},
    )
    assert client.wait("days__retrain", run_id)["state"] == "success"
    done = states(client, "days__retrain", run_id)
    assert (done["refused"], done["challenger"], done["announce"]) == (
        "success",
        "skipped",
        "success",
    )
    row = asked(live, "days")
    assert row.reason == "a new feature"
    assert "within the cooldown" in row.decision
    assert any("within the cooldown" in str(m) for m in live.slack.messages)


def test_a_person_may_decline(live: World, client: Client) -> None:
    client.unpause("declined__retrain")
    run_id = client.trigger(
        "declined__retrain", conf={"reason": "by hand", "as_of": END.isoformat()}
    )
    wait_for_question(live, client, "declined__retrain", run_id)
    client.answer("declined__retrain", run_id, "approve", "Decline")
    client.wait("declined__retrain", run_id)
    assert states(client, "declined__retrain", run_id)["promote"] == "skipped"
    row = asked(live, "declined")
    assert row.state is RetrainingState.REFUSED
    assert "declined by admin" in row.decision
    assert registry_of(live.monitor("declined")).champion() is None


def test_a_backfill_leaves_what_a_run_leaves_and_pages_nobody(live: World, client: Client) -> None:
    client.unpause("past__daily", "past__retrain")
    live.backfill("past__daily", END - 2 * DAY, END - DAY)
    runs = ended(client, "past__daily", 2)
    assert {(run["run_type"], run["state"]) for run in runs} == {("backfill", "success")}
    left, expected = live.rows("past"), live.in_process("past", END - 2 * DAY, END)
    for rows in (left, expected):  # when labels were followed depends on the order of the runs
        rows["windows"] = [row for row in rows["windows"] if "'performance'" not in row]
    assert left == expected
    assert live.rows("past", "incidents")["incidents"]
    assert live.rows("past", "outbox")["outbox"] == []
    assert heard(live, "past") == []
    assert client.runs("past__retrain") == []


def test_a_task_killed_while_it_writes_is_retried_and_nothing_is_half(
    live: World, client: Client
) -> None:
    with live.locked("measurements") as lock:
        run_id = day(client, "killed")
        assert becomes(lambda: lock.waiting() > 0, 90)
        task = client.wait_for_task("killed__daily", run_id, "measure.quality", ["running"])
        os.kill(task["pid"], signal.SIGKILL)
    client.wait("killed__daily", run_id)
    tasks = client.tasks("killed__daily", run_id)
    assert tasks["measure.quality"]["try_number"] == 2
    assert live.rows("killed") == live.in_process("killed", END - DAY, END)


def test_a_scheduler_killed_between_decision_and_retraining_retrains_once(
    live: World, client: Client
) -> None:
    client.unpause("once__retrain")
    with live.locked("incidents") as lock:
        run_id = day(client, "once")
        assert becomes(lambda: lock.waiting() > 0, 90)
        client.pause("once__daily")
    client.wait_for_task("once__daily", run_id, "judge", ["success"])
    live.airflow.kill("scheduler")
    assert client.runs("once__retrain") == []
    live.airflow.start("scheduler")
    client.unpause("once__daily")
    assert client.wait("once__daily", run_id)["state"] == "success"
    (retraining,) = client.runs("once__retrain")
    client.wait("once__retrain", retraining["dag_run_id"])
    assert asked(live, "once").state is RetrainingState.PROMOTED
    clear(client, "once__daily", run_id, task_ids=["retrain"], only_failed=False)
    client.wait("once__daily", run_id)
    assert len(client.runs("once__retrain")) == 1


@pytest.mark.soak
def test_a_scheduler_killed_while_it_starts_a_retraining_starts_it_once(
    live: World, client: Client
) -> None:
    client.unpause("my_own")
    with live.locked("retrainings") as lock:
        run_id = day(client, "started")
        client.wait_for_task("started__daily", run_id, "retrain", ["running"])
        assert becomes(lambda: lock.waiting() > 0, 60)
        live.airflow.kill("scheduler")
    assert client.runs("my_own") == []
    live.airflow.start("scheduler")
    assert client.wait("started__daily", run_id)["state"] == "success"
    assert [run["dag_run_id"] for run in ended(client, "my_own", 1)] == [
        "retrain__2024-01-15T00:00:00"
    ]
    client.pause("my_own")


def test_a_retraining_that_is_paused_fails_the_run_until_it_is_not(
    live: World, client: Client
) -> None:
    run_id = day(client, "owned", END - DAY)
    with pytest.raises(AirflowError, match="my_own is paused, and nothing would be retrained"):
        client.wait("owned__daily", run_id)
    client.unpause("my_own")
    clear(client, "owned__daily", run_id, only_failed=True)
    client.wait("owned__daily", run_id)
    own = client.wait("my_own", "retrain__2024-01-14T00:00:00")
    assert own["state"] == "success"
    assert set(own["conf"]) == {"monitor", "as_of", "reason", "evidence"}
    (evidence,) = own["conf"]["evidence"]
    assert evidence["value"] > 0.5
    said = client.log("my_own", own["dag_run_id"], "retrain")
    assert f"asked for because {own['conf']['reason']}" in said


def test_a_run_by_hand_says_what_it_measured_or_what_is_wrong(live: World, client: Client) -> None:
    client.unpause("killed__daily")
    yesterday = client.trigger("killed__daily")
    client.wait("killed__daily", yesterday)
    last = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f"1d {datetime.now(UTC) - DAY:%Y-%m-%d} to {last}" in client.log(
        "killed__daily", yesterday, "settle"
    )
    wrong = client.trigger("killed__daily", conf={"window_end": "2024-01-05T01:30:00Z"})
    with pytest.raises(AirflowError, match=r"window_end: found .*01:30.*allowed is a midnight"):
        client.wait("killed__daily", wrong)
    assert client.tasks("killed__daily", wrong)["settle"]["try_number"] == 1


@pytest.mark.soak
def test_the_engines_may_live_in_another_python(live: World, client: Client) -> None:
    run_id = day(client, "apart")
    client.wait("apart__daily", run_id)
    assert live.rows("apart") == live.in_process("apart", END - DAY, END)
    assert "numbers are recorded" in client.log("apart__daily", run_id, "measure.drift")


def test_a_warehouse_that_is_down_fails_the_run_clearly_and_is_in_the_ledger(
    live: World, client: Client
) -> None:
    run_id = day(client, "down")
    with pytest.raises(AirflowError, match=r"(?s)failed: reference.*StepFailed: .*127\.0\.0\.1"):
        client.wait("down__daily", run_id)
    assert client.tasks("down__daily", run_id)["reference"]["try_number"] == 2
    ledger = live.rows("down", "windows", "measurements")
    # Quality, drift, performance, its estimate, and the day whose labels are of age by now.
    assert len(ledger["windows"]) == 5
    assert all("failed" in row for row in ledger["windows"])
    assert ledger["measurements"] == []


@pytest.mark.soak
def test_a_warehouse_that_is_slow_and_lets_go_is_asked_again(live: World, client: Client) -> None:
    def ledger() -> list[str]:
        return live.rows("lost", "windows")["windows"]

    assert live.warehouse.owner
    with live.locked("predictions", url=live.warehouse.owner, mode="ACCESS EXCLUSIVE") as lock:
        run_id = day(client, "lost")
        assert becomes(lambda: lock.waiting() > 0, 90)
        client.wait_for_task("lost__daily", run_id, "reference", ["running"])
        assert live.rows("lost", "measurements")["measurements"] == []
        assert becomes(lambda: lock.cut() == 0 and bool(ledger()), 60)
        assert all("failed" in row for row in ledger())
    assert client.wait("lost__daily", run_id)["state"] == "success"
    assert client.tasks("lost__daily", run_id)["reference"]["try_number"] == 2
    said = client.log("lost__daily", run_id, "reference", 1)
    assert "StepFailed" in said
    assert "terminating connection" in said
    assert live.rows("lost") == live.in_process("lost", END - DAY, END)


def test_the_buttons_open_pages_for_who_is_logged_in(live: World, client: Client) -> None:
    run_id = ended(client, "days__daily", 2)[-1]["dag_run_id"]
    base, name = live.airflow.url, LOGIN[0]
    answer = httpx.post(f"{base}/auth/token", json={"username": name, "password": LOGIN[1]})
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def button(task: str, label: str) -> str:
        path = f"dags/days__daily/dagRuns/{run_id}/taskInstances/{task}/links"
        return str(client.request("GET", path)["extra_links"][label])

    report, metrics = button("report", "Report"), button("judge", "Metrics")
    assert report == f"{base}/driftline/days/report/1d/2024-01-14"
    assert metrics == f"{base}/driftline/days/metrics"
    for url in (report, metrics):
        assert httpx.get(url).status_code == 401
    page = httpx.get(report, headers=token)
    assert page.status_code == 200
    assert page.headers["content-security-policy"].startswith("sandbox ")
    numbers = httpx.get(metrics, headers=token)
    assert numbers.headers["content-security-policy"].startswith("default-src 'none'")
    assert "x-drifts" in numbers.text
    for path in ("nobody/metrics", "days/report/1d/2020-01-01", "days/report/1d/..%2F..%2Fdays"):
        assert httpx.get(f"{base}/driftline/{path}", headers=token).status_code == 404


def test_housekeeping_has_nothing_to_do(live: World, client: Client) -> None:
    client.unpause("housekeeping")
    run = client.trigger("housekeeping")
    client.wait("housekeeping", run)
    with Store.open(make_url(live.store)) as store, store.read() as connection:
        assert outbox.pending(connection) == []


def test_no_password_is_in_what_airflow_keeps(live: World) -> None:
    home = live.airflow.home
    files = [path for path in home.rglob("*") if path.is_file()]
    assert sum("task_id=" in str(path) for path in files) > 50
    wanted = (PASSWORD, "xoxb-of-the-tests")
    assert [p for p in files if any(secret.encode() in p.read_bytes() for secret in wanted)] == []
    engine = create_engine(live.metadata, poolclass=NullPool)
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        quoted = [engine.dialect.identifier_preparer.quote(name) for name in names]

        def holding(secret: str) -> list[str]:
            query = "SELECT count(*) FROM {} t WHERE position(:secret in t::text) > 0"
            return [
                name
                for name in quoted
                if connection.scalar(text(query.format(name)), {"secret": secret})
            ]

        assert "task_instance" in holding("measure.drift")
        assert [holding(secret) for secret in wanted] == [[], []]
