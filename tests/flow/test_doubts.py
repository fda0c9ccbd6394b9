"""What keeps a run from saying that all is well, and what does not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from driftline.domain import Engine, Outcome, Scope, Suite, Verdict, Window
from driftline.flow.doubts import Doubts, doubts
from driftline.flow.step import Step
from driftline.monitor.config import Monitor
from driftline.store import Store, ledger
from driftline.store.ledger import Entry, State
from tests.models import DAY, START

NOW = START + 10 * DAY
WINDOW = Window.ending("1d", NOW)
RULES = [
    {"name": "auc", "metric": "roc_auc", "window": "1d", "min": 0.6, "severity": "critical"},
    {"name": "drift", "metric": "psi", "columns": "x", "window": "7d", "max": 0.2},
]
MONITOR = Monitor.model_validate(
    {
        "monitor": "model",
        "task": "binary",
        "warehouse": "duckdb:///logs.db",
        "predictions": {"table": "p", "id": "id", "timestamp": "ts", "score": "score"},
        "labels": {"table": "l", "id": "id", "timestamp": "at", "label": "y", "maturity": "2d"},
        "reference": {"window": ["2023-12-01", "2024-01-01"]},
        "rules": RULES,
    }
)
STEPS = [
    Step(suite=Suite.DRIFT, window=WINDOW, as_of=NOW),
    Step(suite=Suite.PERFORMANCE, window=WINDOW, as_of=NOW),
    Step(suite=Suite.PERFORMANCE, window=Window.ending("1d", NOW - 2 * DAY), as_of=NOW),
]
DONE = [
    Entry(
        monitor="model",
        window=step.window,
        suite=step.suite,
        state=State.DONE,
        as_of=step.as_of,
        config_hash=MONITOR.config_hash,
        rows=150,
        coverage=0.97 if step.suite is Suite.PERFORMANCE else None,
    )
    for step in STEPS
]


def said(step: Step = STEPS[1], outcome: str = "not_evaluated", **changes: Any) -> Verdict:
    """A verdict of the critical rule: by default on a number that there is not."""
    scope = Scope(monitor="model", window=step.window, as_of=step.as_of, config_hash="c")
    values = {"value": None, "reason": "no score", "coverage": 0.97, "row_count": 145} | changes
    measured = scope.measurement(
        Suite.PERFORMANCE, "roc_auc", values.pop("value"), engine=Engine.PROFILE, **values
    )
    return Verdict(
        rule="auc", measurement=measured, outcome=Outcome(outcome), reason=values["reason"]
    )


def found(store: Store, entries: list[Entry], verdicts: list[Verdict], **rest: Any) -> Doubts:
    with store.begin() as connection:
        ledger.mark(connection, entries, run_id="r", recorded_at=NOW)
        return doubts(connection, MONITOR, STEPS, MONITOR.rules or (), verdicts, **rest)


def test_without_doubts_there_are_no_words(store: Store) -> None:
    calm = found(store, DONE, [said(outcome="ok", value=0.8)])
    assert (calm.lines, calm.grave) == ((), False)


def test_what_failed_was_killed_or_never_ran_is_a_doubt(store: Store) -> None:
    failed = [replace(DONE[0], state=State.FAILED), replace(DONE[1], state=State.CLAIMED)]
    grave = found(store, failed, [said(outcome="ok", value=0.8)])
    assert grave.lines == ("3 of 3 steps failed",)
    assert grave.grave
    assert found(store, DONE, [said(outcome="ok", value=0.8)]).lines == ()


@pytest.mark.parametrize(
    ("changes", "blind"),
    [
        ({}, True),  # labels are in, and yet there is no number
        ({"coverage": 0.0, "reason": "no labels"}, False),  # they may come until tomorrow
        ({"coverage": 0.2, "value": 0.7}, False),
        ({"step": STEPS[2], "coverage": 0.0, "reason": "no labels"}, True),  # they are of age
        ({"value": 0.7, "reason": "the reference has no roc_auc to compare with"}, True),
        ({"coverage": None, "row_count": 0, "reason": "no predictions"}, False),  # volume is judged
        ({"value": 0.7, "reason": "inhibited: not-null failed on x"}, False),
        ({"reason": "too few rows: every label is '0'"}, False),
        ({"reason": "every label is '0'"}, True),
    ],
)
def test_a_critical_rule_that_should_have_been_judged_is_grave(
    store: Store, changes: dict[str, Any], blind: bool
) -> None:
    doubt = found(store, DONE, [said(**changes)])
    reason = changes.get("reason", "no score")
    assert doubt.lines == (f"1 rule could not be judged: auc (critical): {reason}",)
    assert bool(doubt.blind) is doubt.grave is blind


def test_a_window_before_the_log_is_no_fault(store: Store) -> None:
    assert not found(store, DONE, [said()], log_start=NOW - timedelta(hours=3)).grave


def test_a_rule_is_judged_where_one_window_of_its_series_is(store: Store) -> None:
    early, ripe = said(coverage=0.1), said(STEPS[2], "ok", value=0.8)
    assert found(store, DONE, [early, ripe]).lines == ()
    other = said(detail="a", reason="every label is 'a'")
    (line,) = found(store, DONE, [early, ripe, other]).lines
    assert line.endswith("auc (critical, 1 of 2 series): every label is 'a'")


def test_a_rule_that_met_no_number_could_not_be_judged(store: Store) -> None:
    (line,) = found(store, DONE, []).lines  # of 7d nothing was to be measured
    assert line == (
        "1 rule could not be judged: auc (critical): nothing that it is about was measured"
    )


def test_predictions_that_are_old_enough_and_have_no_label_are_grave(store: Store) -> None:
    verdicts = [said(outcome="ok", value=0.8)]
    early = found(store, [*DONE[:1], replace(DONE[1], coverage=0.0), DONE[2]], verdicts)
    assert not early.grave
    old = found(store, [*DONE[:2], replace(DONE[2], coverage=0.0)], verdicts)
    assert old.grave
    assert "none of the 150 predictions of 1d 2024-01-08 to 2024-01-09 has found" in old.unlabelled
    assert "labels.maturity (2d)" in old.unlabelled
    assert not found(store, [*DONE[:2], replace(DONE[2], coverage=0.0, rows=0)], verdicts).grave
