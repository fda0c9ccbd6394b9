"""What a run concludes from what is recorded: incidents, and who is told; no warehouse is asked."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection

from driftline.alerts.notice import Notice
from driftline.conclusion import Conclusion, conclude
from driftline.config import Monitor
from driftline.domain import (
    DAY,
    HOUR,
    Engine,
    Incident,
    Outcome,
    Scope,
    Series,
    Suite,
    Window,
    WindowStatistics,
)
from driftline.pipeline import planned
from driftline.reference import Reference
from driftline.store import Store, incidents, ledger, measurements, outbox, references
from driftline.store.ledger import Entry, State
from tests.models import START

REFERENCE = Reference(
    id="r",
    monitor="model",
    valid_from=START - 30 * DAY,
    start=START - 30 * DAY,
    end=START,
    statistics=WindowStatistics(rows=1000, columns={}),
)
HIGH = {"name": "high", "metric": "psi", "columns": "x", "window": "1d", "max": 0.2}
FINE, BAD = 0.1, 0.5


def monitor(*rules: dict[str, Any]) -> Monitor:
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "duckdb:///logs.db",
            "predictions": {"table": "p", "timestamp": "ts", "score": "s"},
            "reference": {"window": ["2023-12-01", "2024-01-01"]},
            "windows": ["1h", "1d"],
            "rules": rules,
        }
    )


def day(number: int) -> Window:
    return Window.ending("1d", START + number * DAY)


def record(
    connection: Connection,
    watched: Monitor,
    window: Window,
    value: float,
    as_of: datetime | None = None,
) -> None:
    """Record the drift of x in a window, as a task would."""
    told = {"run_id": "r", "recorded_at": START}
    named = {
        "monitor": "model",
        "window": window,
        "as_of": as_of or window.end,
        "config_hash": watched.config_hash,
    }
    drift = Scope(**named, reference_id="r").measurement(
        Suite.DRIFT, "psi", value, engine=Engine.PROFILE, column_name="x", baseline="reference"
    )
    measurements.replace(connection, [drift], suite=Suite.DRIFT, **named, **told)
    entry = Entry(**named, suite=Suite.DRIFT, state=State.DONE, rows=1000)
    ledger.mark(connection, [entry], **told)


def run(
    store: Store,
    watched: Monitor,
    interval: Window,
    value: float = FINE,
    *,
    page: bool = True,
    compared: bool = True,
) -> Conclusion:
    """Conclude an interval of which this drift was measured."""
    watch: Any = SimpleNamespace(monitor=watched, log_start=START - 60 * DAY)
    with store.begin() as connection:
        references.save(connection, REFERENCE, config_hash=watched.config_hash)
        record(connection, watched, interval, value)
        windows = {step.window for step in planned(connection, watched, interval)}
        known = dict.fromkeys(windows, REFERENCE) if compared else {}
        return conclude(connection, watch, known, interval, run_id="r", page=page)


def told(store: Store) -> list[list[str]]:
    """The rules of each message."""
    with store.read() as connection:
        sent = outbox.pending(connection)
    return [[f.rule for f in Notice.from_json(message.body).findings] for message in sent]


def firing(store: Store) -> list[Incident]:
    with store.read() as connection:
        return incidents.firing(connection, "model")


def test_a_rule_that_is_not_to_alert_has_incidents_and_tells_nobody(store: Store) -> None:
    quiet = {**HIGH, "name": "quiet", "then": ["retrain"]}
    alone = run(store, monitor(quiet), day(1), BAD)
    assert [one.rule for one in alone.open] == ["quiet"]
    assert (alone.told, told(store)) == (False, [])
    assert run(store, monitor(quiet, HIGH), day(2), BAD).told
    assert told(store) == [["high"]]
    assert {one.rule for one in firing(store)} == {"quiet", "high"}


def test_a_rule_that_alerts_and_retrains_is_told(store: Store) -> None:
    assert run(store, monitor({**HIGH, "then": ["retrain", "alert"]}), day(1), BAD).told


def test_an_incident_whose_start_moves_is_the_one_that_was_told(store: Store) -> None:
    """Rows that come late may show that it began a day earlier, or later, than was told."""
    watched = monitor({**HIGH, "for": 2})
    assert [run(store, watched, day(n), v).told for n, v in ((1, FINE), (2, BAD), (3, BAD))] == [
        *(False, False, True)
    ]
    with store.begin() as connection:  # the day's run finds rows of the first that came late
        record(connection, watched, day(1), BAD, as_of=day(4).end)
    after = run(store, watched, day(4), BAD)
    assert [one.began for one in after.open] == [day(1).end]
    assert not after.told
    with store.begin() as connection:
        for number in (1, 2):
            record(connection, watched, day(number), FINE, as_of=day(5).end)
    later = run(store, watched, day(5), BAD)
    assert [one.began for one in later.open] == [day(3).end]
    assert not later.told
    assert told(store) == [["high"]]
    assert [one.began for one in firing(store)] == [day(3).end]


def test_an_incident_that_a_rerun_moves_is_told_no_second_time(store: Store) -> None:
    watched = monitor(HIGH)
    for number, value in ((1, FINE), (2, BAD), (3, BAD)):
        run(store, watched, day(number), value)
    run(store, watched, day(1), BAD)
    run(store, watched, day(4), BAD)
    assert told(store) == [["high"]]
    assert [one.began for one in firing(store)] == [day(1).end]


def test_what_a_backfill_found_is_told_by_the_next_live_run_though_its_start_moves(
    store: Store,
) -> None:
    watched = monitor(HIGH)
    run(store, watched, day(2), BAD, page=False)
    run(store, watched, day(1), BAD, page=False)
    assert told(store) == []
    assert run(store, watched, day(3), BAD).told


def test_an_incident_that_was_told_and_is_over_is_told_again_when_it_comes_back(
    store: Store,
) -> None:
    watched = monitor(HIGH)
    spoke = [run(store, watched, day(n), v).told for n, v in enumerate((BAD, FINE, BAD), start=1)]
    assert spoke == [True, False, True]


def series(**changes: str) -> Series:
    plain = Series("", "", "1d", "drift", "psi", "x", "", "reference", "profile")
    return plain._replace(**changes)


def orphan(store: Store, rule: str = "gone", **changes: str) -> Incident:
    """An open incident of the day before."""
    found = Incident(
        monitor="model",
        rule=rule,
        series=series(**changes),
        severity=Outcome.WARN,
        began=day(1).end,
        fired=day(1).end,
        last_failed=day(1).end,
    )
    with store.begin() as connection:
        incidents.save(connection, [found])
    return found


@pytest.mark.parametrize(
    "changes",
    [{}, {"column_name": "y"}, {"rule": "high", "segment": "origin=JFK"}],
)
def test_a_run_ends_what_no_rule_is_about_any_more(store: Store, changes: dict[str, Any]) -> None:
    orphan(store, **changes)
    run(store, monitor(HIGH), day(2))
    assert firing(store) == []
    with store.read() as connection:
        (ended,) = incidents.of(connection, "model")
    assert ended.resolved == day(2).end


@pytest.mark.parametrize(
    "changes",
    [
        {"cadence": "1h"},
        {"cadence": "7d"},
        {"suite": "performance", "metric": "f1", "column_name": "", "baseline": ""},
    ],
)
def test_a_run_ends_nothing_that_it_does_not_measure(store: Store, changes: dict[str, Any]) -> None:
    """Its own run, or one with labels again, may have something to say of it."""
    left = orphan(store, **changes)
    run(store, monitor(HIGH), day(2))
    assert firing(store) == [left]


def test_an_hour_ends_no_incident_of_days_nor_does_a_day_that_was_not_compared(
    store: Store,
) -> None:
    left = orphan(store)
    run(store, monitor(HIGH), Window.ending("1h", day(1).end + HOUR))
    run(store, monitor(HIGH), day(2), compared=False)
    assert firing(store) == [left]
