"""A monitor that measures nothing any more is told of: late enough, and once for each silence."""

from datetime import timedelta
from typing import Any

import pytest

from driftline.alerts.notice import Notice
from driftline.alerts.silence import PATIENCE, silent_since, tell
from driftline.domain import DAY, HOUR, Suite, Window
from driftline.monitor.config import Monitor
from driftline.store import Store, ledger, outbox
from driftline.store.ledger import Entry, State
from tests.models import START

SETTLE = timedelta(hours=5)
SECOND = timedelta(seconds=1)
LAST = START + 3 * DAY + HOUR
"""When something was measured last."""


def monitor(**changes: Any) -> Monitor:
    predictions = {"table": "p", "timestamp": "ts", "score": "s", "settle": "5h"}
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "duckdb:///logs.db",
            "predictions": predictions,
            "reference": {"window": ["2023-12-01", "2024-01-01"]},
            **changes,
        }
    )


def mark(store: Store, number: int, state: State, recorded: Any, name: str = "model") -> None:
    """Note how the drift of a day was processed, and when."""
    window = Window.ending("1d", START + number * DAY)
    entry = Entry(
        monitor=name,
        window=window,
        suite=Suite.DRIFT,
        state=state,
        as_of=window.end,
        config_hash="c",
    )
    with store.begin() as connection:
        ledger.mark(connection, [entry], run_id="r", recorded_at=recorded)


def since(store: Store, watched: Monitor, now: Any) -> Any:
    with store.read() as connection:
        return silent_since(connection, watched, now)


@pytest.mark.parametrize(
    ("windows", "hourly", "step"),
    [
        (["1d"], True, DAY),
        (["1h", "1d"], True, HOUR),
        (["1h", "1d"], False, DAY),
        (["7d"], True, DAY),
    ],
)
def test_it_may_measure_nothing_for_so_many_runs_and_until_rows_have_settled(
    store: Store, windows: list[str], hourly: bool, step: timedelta
) -> None:
    watched = monitor(windows=windows, schedule={"hourly": hourly})
    mark(store, 3, State.DONE, LAST)
    mark(store, 9, State.DONE, LAST + 9 * DAY, name="another")
    allowed = PATIENCE * step + SETTLE
    assert since(store, watched, LAST + allowed) is None
    assert since(store, watched, LAST + allowed + SECOND) == LAST


def test_what_fails_or_is_begun_measures_nothing(store: Store) -> None:
    mark(store, 3, State.NOT_EVALUATED, LAST)
    for number, state in enumerate([State.FAILED, State.CLAIMED], start=4):
        mark(store, number, state, LAST + number * DAY)
    assert since(store, monitor(), LAST + 9 * DAY) == LAST


def test_one_that_has_failed_from_the_first_is_silent_since_then(store: Store) -> None:
    assert since(store, monitor(), LAST) is None  # it has not begun
    for number in range(5):
        mark(store, number, State.FAILED, LAST + number * DAY)
    assert since(store, monitor(), LAST + 4 * DAY) == LAST


def test_one_whose_schedule_has_ended_is_at_rest(store: Store) -> None:
    mark(store, 3, State.DONE, LAST)
    ended = monitor(schedule={"end": "2024-01-06"})
    assert since(store, ended, START + 5 * DAY) is None
    later = monitor(schedule={"end": "2024-02-06"})
    assert since(store, later, START + 9 * DAY) == LAST


def test_a_silence_is_told_once_to_whom_a_critical_incident_is(store: Store) -> None:
    pages = [{"slack": "#pages"}, {"slack": "#nights"}, {"email": "a@example.com"}]
    routes = {"critical": pages, "warn": [{"slack": "#all"}]}
    now = LAST + 4 * DAY
    with store.begin() as connection:
        for more in (0, 1, 30):
            tell(connection, monitor(routes=routes), LAST, now + more * DAY)
        told = outbox.pending(connection)
        tell(connection, monitor(routes=routes), LAST + 2 * DAY, now + 30 * DAY)
        tell(connection, monitor(routes=routes, monitor="another"), LAST, now)
        assert len(outbox.pending(connection)) == 9
    ways = {(one.channel, one.target) for one in told}
    assert ways == {("slack", "#pages"), ("slack", "#nights"), ("log", "")}
    assert {(one.monitor, one.created) for one in told} == {("model", now)}
    said = Notice.from_json(told[0].body)
    assert (said.monitor, said.severity) == ("model", "critical")
    (finding,) = said.findings
    assert (finding.rule, finding.severity) == ("silent", "critical")
    assert finding.lines == ("nothing was measured for 96 hours",)
    assert said.interval == f"since {finding.since}" == "since 2024-01-04 01:00 UTC"
    assert len(said.causes) == 1
    assert said.look == (str(monitor().path), "the last runs of its DAGs")


def test_beside_an_airflow_with_an_address_a_silence_leads_to_its_runs(store: Store) -> None:
    place = "https://airflow/dags/model__daily/runs"
    with store.begin() as connection:
        tell(connection, monitor(), LAST, LAST + 4 * DAY, place)
        (told,) = outbox.pending(connection)
    assert Notice.from_json(told.body).look[1] == place
