"""A run cut into tasks comes to what `driftline run` comes to, whatever happens in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select, update

from driftline import tasks
from driftline.alerts.notice import Notice
from driftline.domain import Engine, Incident, Outcome, Scope, Suite, Verdict, Window
from driftline.errors import LogError, StepFailed, WindowClaimed
from driftline.flow.reports import Links
from driftline.monitor.config import Monitor
from driftline.run import planned, run
from driftline.store import Store, incidents, ledger, outbox, tables, upgrade
from driftline.store.ledger import State
from tests.models import DAY, START, logs, parts
from tests.test_run import contents, watch

pytestmark = pytest.mark.usefixtures("no_pages")

HOUR = timedelta(hours=1)
DRIFT = {"metric": "psi", "columns": "x", "window": "1d", "max": 0.5, "for": 2}


@pytest.fixture
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A function that loads logs and returns their monitor, whose store is `results.db`."""
    import yaml

    from driftline.monitor import file as monitor_file
    from tests.warehouses import make_warehouse

    place = make_warehouse(request, "parquet", tmp_path)

    def load(predictions: Any, labels: Any, /, **changes: Any) -> Monitor:
        place.load("predictions", predictions)
        place.load("labels", labels)
        store = f"sqlite:///{tmp_path / 'results.db'}"
        written = place.monitor(**parts("binary") | {"store": store, "rules": [DRIFT]} | changes)
        path = tmp_path / "model.yaml"
        plain = written.model_dump(mode="json", by_alias=True, exclude_unset=True)
        path.write_text(yaml.safe_dump(plain), encoding="utf-8")
        return monitor_file.load(path)

    return load


def day(monitor: Monitor, number: int, **rest: Any) -> tasks.Run:
    """The run of the day that ends so many days after START."""
    interval = Window.ending("1d", START + number * DAY)
    return tasks.Run(monitor=monitor, interval=interval, run_id=f"scheduled__{number}", **rest)


def whole(run: tasks.Run) -> tasks.Decision:
    """All tasks of a run, in the order of its graph."""
    tasks.freeze(run)
    for suite in tasks.suites(run.monitor, run.interval.cadence):
        tasks.measure(run, suite)
    decision = tasks.judge(run)
    if decision.alert:
        tasks.alert(run)
    return decision


def test_tasks_come_to_what_a_run_comes_to(model: Any, store: Store, tmp_path: Path) -> None:
    monitor = model(*logs(drift_on=7))
    decisions = [whole(day(monitor, number)) for number in range(6, 11)]
    assert [decision.alert for decision in decisions] == [False, False, False, True, False]
    url = make_url(f"sqlite:///{tmp_path / 'run.db'}")
    upgrade(url)
    with Store.open(url) as other:
        watch(monitor, other, 5, 10)
        expected = contents(other)
    assert dict(contents(store).items()) == expected


def test_every_task_may_be_run_again(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7))
    for number in range(7, 10):
        first = whole(day(monitor, number))
        before = contents(store)
        assert replace(whole(day(monitor, number)), alert=first.alert) == first
        assert contents(store) == before


def test_a_decision_stands_until_its_message_is_sent(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7))
    for number in (8, 9):
        tasks.freeze(day(monitor, number))
        for suite in tasks.suites(monitor, "1d"):
            tasks.measure(day(monitor, number), suite)
        said = tasks.judge(day(monitor, number))
    assert said.alert
    assert tasks.judge(day(monitor, 9)) == said  # a task that was killed after its transaction
    tasks.alert(day(monitor, 9))
    assert not tasks.judge(day(monitor, 9)).alert


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_a_message_of_airflows_leads_there(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7), rules=[{**DRIFT, "for": 1}])
    links = Links(run="https://air/dags/d/runs/r", pages="https://air/driftline")
    whole(day(monitor, 8, links=links))
    with store.read() as connection:
        (body,) = connection.scalars(select(tables.outbox.c.body))
    run_, report, command = Notice.from_json(body).look
    assert run_ == links.run
    assert report == "https://air/driftline/model/report/1d/2024-01-08"
    assert command.endswith("--from 2024-01-08 --to 2024-01-09 --window 1d --metric psi")


def test_a_backfill_tells_nobody(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7))
    assert not any(whole(day(monitor, number, page=False)).alert for number in range(7, 10))
    with store.read() as connection:
        assert outbox.pending(connection) == []
        assert len(incidents.firing(connection, "model")) == 1


def test_two_runs_do_not_measure_the_same(model: Any, store: Store) -> None:
    monitor = model(*logs())
    run = day(monitor, 7)
    planned = [step for step in run.steps if step.suite is Suite.DRIFT]
    tasks.pipeline.claim(store, monitor, planned, "another")
    with pytest.raises(WindowClaimed, match=r"drift of 1d 2024-01-07 to 2024-01-08 .* by another"):
        tasks.measure(run, Suite.DRIFT)
    tasks.measure(run, Suite.QUALITY)
    tasks.measure(replace(run, run_id="another"), Suite.DRIFT)  # its own claim, a retry
    tasks.measure(run, Suite.DRIFT)  # recorded: free again


def test_a_claim_of_a_run_that_died_goes_stale(model: Any, store: Store) -> None:
    monitor = model(*logs())
    run = day(monitor, 7)
    tasks.pipeline.claim(store, monitor, run.steps, "dead")
    with store.begin() as connection:
        old = datetime.now(UTC) - ledger.STALE - timedelta(seconds=1)
        connection.execute(update(tables.windows).values(recorded_at=old))
    assert tasks.measure(run, Suite.DRIFT)


def test_a_day_fills_the_hours_that_no_run_has_measured(model: Any, store: Store) -> None:
    monitor = model(*logs(), windows=["1h", "1d"])
    measured = Window.ending("1h", START + 7 * DAY + 5 * HOUR)
    whole(tasks.Run(monitor=monitor, interval=measured, run_id="hourly"))
    held = Window.ending("1h", START + 7 * DAY + 6 * HOUR)
    other = tasks.Run(monitor=monitor, interval=held, run_id="hourly")
    tasks.pipeline.claim(store, monitor, other.steps, other.run_id)
    filled = tasks.fill(day(monitor, 8))
    ends = [START + 7 * DAY + HOUR * number for number in range(25)]
    assert [hour.end for hour in filled] == [e for e in ends if e not in (measured.end, held.end)]
    assert tasks.fill(day(monitor, 8)) == []
    with store.read() as connection:
        entries = ledger.of(connection, "model", states=[State.CLAIMED])
    assert {entry.window for entry in entries} == {held}


@pytest.mark.usefixtures("no_samples", "no_expectations")
@pytest.mark.parametrize(("windows", "labelled"), [("1h", False), ("1h", True), ("7d", False)])
def test_whatever_windows_there_are_a_midnight_passes(
    model: Any, store: Store, windows: str, labelled: bool
) -> None:
    """Hours alone, without labels, leave a day nothing to measure: it is no fault."""
    rules = [{"metric": "row_count", "min": 1}]
    without = {} if labelled else {"labels": None}
    monitor = model(*logs(days=8), windows=[windows], rules=rules, **without)
    midnight = day(monitor, 8).interval
    todo = planned(monitor, midnight.end - HOUR, midnight.end)
    ended = list(run(monitor, todo, store))
    assert [conclusion.errors for conclusion in ended] == [()] * len(todo)
    assert ended[-1].interval == midnight
    assert not whole(day(monitor, 8)).alert
    assert tasks.report(day(monitor, 8)) == []
    with store.read() as connection:
        suites = {entry.suite for entry in ledger.of(connection, "model")}
    assert (Suite.PERFORMANCE in suites) is labelled


def test_the_hours_of_a_day_add_up_to_it(model: Any, store: Store) -> None:
    monitor = model(*logs(), windows=["1h", "1d"])
    tasks.fill(day(monitor, 8))
    tasks.measure(day(monitor, 8), Suite.QUALITY)
    with store.read() as connection:
        entries = ledger.of(connection, "model", start=START + 7 * DAY, states=[State.DONE])
    hours = [e.rows or 0 for e in entries if (e.window.cadence, e.suite) == ("1h", Suite.QUALITY)]
    (total,) = [entry.rows for entry in entries if entry.window.cadence == "1d"]
    assert len(hours) == 24
    assert sum(hours) == total


def test_a_warehouse_that_is_down_is_in_the_ledger_and_the_error(
    model: Any, store: Store, tmp_path: Path
) -> None:
    monitor = model(*logs())
    whole(day(monitor, 7))
    hidden = tmp_path / "hidden"
    folder = Path(monitor.predictions.parquet or "").parent
    (monitor.folder / folder).rename(hidden)
    with pytest.raises(LogError, match="No files found"):
        tasks.measure(day(monitor, 8), Suite.QUALITY)
    hidden.rename(monitor.folder / folder)
    with store.read() as connection:
        (entry,) = ledger.of(connection, "model", states=[State.FAILED])
    assert entry.error
    tasks.measure(day(monitor, 8), Suite.QUALITY)
    with store.read() as connection:
        assert ledger.of(connection, "model", states=[State.FAILED]) == []


def test_a_step_that_fails_fails_its_task_and_the_others_are_judged(
    model: Any, store: Store
) -> None:
    monitor = model(*logs(drift_on=7), quality=[{"expect_no_such_thing": {"column": "x"}}])
    for number in (8, 9):
        run = day(monitor, number)
        tasks.freeze(run)
        with pytest.raises(StepFailed, match=r"quality of 1d .*expect_no_such_thing"):
            tasks.measure(run, Suite.QUALITY)
        tasks.measure(run, Suite.DRIFT)
        said = tasks.judge(run)
    assert said.alert
    assert not said.clear
    assert "7 of 9 steps failed" in said.reason  # one task failed, that of performance never ran


@pytest.mark.parametrize(
    ("page", "then", "asked", "said"),
    [
        (True, ["retrain"], True, "to be retrained: psi is 1"),
        (True, ["alert", "retrain"], True, "to be retrained: psi is 1"),
        (True, ["alert"], False, "nothing asks for retraining"),
        (False, ["retrain"], False, "a backfill retrains nothing"),
    ],
)
def test_a_live_run_retrains_where_a_rule_asks_for_it_and_a_backfill_never(
    store: Store, page: bool, then: list[str], asked: bool, said: str
) -> None:
    monitor = Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "duckdb:///logs.db",
            "predictions": {"table": "p", "timestamp": "ts", "score": "s"},
            "labels": {"label": "y"},
            "reference": {"window": ["2023-12-01", "2024-01-01"]},
            "rules": [{**DRIFT, "name": "drift", "then": then}],
            "retraining": {"train": "a:b"},
        }
    )
    run_ = day(monitor, 9, page=page)
    scope = Scope(monitor="model", window=run_.interval, as_of=run_.interval.end, config_hash="c")
    measured = scope.measurement(Suite.DRIFT, "psi", 1.0, engine=Engine.PROFILE, column_name="x")
    found = Verdict(rule="drift", measurement=measured, outcome=Outcome.WARN, reason="psi is 1")
    end = run_.interval.end
    incident = Incident(
        monitor="model",
        rule="drift",
        series=measured.series,
        severity=Outcome.WARN,
        began=end,
        fired=end,
        last_failed=end,
    )
    request, reason = tasks._retraining(store, run_, {incident: found})
    assert reason == said
    assert (request is not None) is asked
    if request:
        assert (request.as_of, request.reason) == (end, "psi is 1")
