"""Estimates: held against what came true, and no longer believed where they failed."""

from datetime import UTC, datetime

import pytest

from driftline.domain import DAY, Engine, Outcome, Scope, Suite, Window
from driftline.flow.estimates import distrusted
from driftline.judge import Evidence, judge
from driftline.monitor.config import Monitor
from driftline.store import Store, measurements
from tests.store.conftest import RUN

START = datetime(2024, 1, 1, tzinfo=UTC)
RULE = {"metric": "roc_auc", "suite": "estimate", "window": "1d", "worse_by": "3sd"}


def monitor(**changes) -> Monitor:
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "w",
            "predictions": {"table": "log", "timestamp": "ts", "score": "p"},
            "labels": {"label": "y"},
            "reference": {"window": ["2023-01-01", "2023-02-01"]},
            "windows": ["1d"],
            "rules": [RULE],
            **changes,
        }
    )


def scope(day: int, as_of: int) -> Scope:
    window = Window.ending("1d", START + day * DAY)
    return Scope(
        monitor="model",
        window=window,
        as_of=START + as_of * DAY,
        config_hash=monitor().config_hash,
    )


def tell(store: Store, suite: Suite, day: int, value: float, *, later: int = 0, **rest) -> None:
    here = scope(day, day + later)
    near = {"lower": value - 0.02, "upper": value + 0.02}
    found = here.measurement(suite, "roc_auc", value, engine=Engine.PROFILE, **near, **rest)
    with store.begin("model") as connection:
        measurements.replace(
            connection,
            [found],
            monitor="model",
            window=here.window,
            suite=suite,
            as_of=here.as_of,
            config_hash=here.config_hash,
            **RUN,
        )


def doubted(store: Store, day: int) -> dict[str, str]:
    with store.read() as connection:
        return distrusted(connection, monitor(), Window.ending("1d", START + day * DAY))


def test_estimates_that_failed_are_believed_no_more(store: Store) -> None:
    for day in range(1, 9):
        tell(store, Suite.ESTIMATE, day, 0.80)
        tell(store, Suite.PERFORMANCE, day, 0.79 if day < 4 else 0.60, later=1, coverage=0.95)
    assert doubted(store, 5) == {}
    assert "no longer trusted: of the last 8 estimates of roc_auc" in doubted(store, 9)["roc_auc"]


def test_what_came_true_counts_as_it_was_known_then_and_when_enough_is_labelled(
    store: Store,
) -> None:
    for day in range(1, 9):
        tell(store, Suite.ESTIMATE, day, 0.80)
        tell(store, Suite.PERFORMANCE, day, 0.60, later=1, coverage=0.5)
        tell(store, Suite.PERFORMANCE, day, 0.60, later=10, coverage=0.95)
    assert doubted(store, 9) == {}
    assert "roc_auc" in doubted(store, 18)


def estimate(value: float, reason: str = ""):
    return scope(1, 1).measurement(
        Suite.ESTIMATE, "roc_auc", value, engine=Engine.PROFILE, reason=reason, row_count=5000
    )


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.75, Outcome.OK), (0.703125, Outcome.OK), (0.70, Outcome.WARN)]
)
def test_a_rule_in_standard_deviations_of_the_references_windows(value, outcome) -> None:
    evidence = Evidence(spreads={("roc_auc", "", ""): (0.75, 1 / 64)})
    (verdict,) = judge(monitor().rules, [estimate(value)], evidence)
    assert verdict.outcome is outcome
    if outcome is Outcome.WARN:
        assert "more than 3 standard deviations worse than the 0.75" in verdict.reason


def test_a_rule_does_not_judge_what_is_not_believed_nor_what_varies_unknown() -> None:
    (verdict,) = judge(monitor().rules, [estimate(0.1, "no longer trusted: it failed")], Evidence())
    assert verdict.outcome is Outcome.NOT_EVALUATED
    assert verdict.reason == "no longer trusted: it failed"
    (verdict,) = judge(monitor().rules, [estimate(0.1)], Evidence())
    assert "too few windows" in verdict.reason


def test_a_rule_that_names_no_suite_means_what_was_measured() -> None:
    plain = monitor(rules=[{"metric": "roc_auc", "min": 0.9}])
    assert judge(plain.rules, [estimate(0.1)], Evidence()) == []


@pytest.mark.parametrize(
    ("rule", "changes", "words"),
    [
        ({**RULE, "metric": "ece"}, {}, "estimated are: accuracy"),
        (RULE, {"predictions": {"table": "l", "timestamp": "t", "prediction": "c"}}, "write both"),
        ({**RULE, "window": "1h"}, {"windows": ["1h", "1d"]}, "windows of days"),
        ({**RULE, "worse_by": "some sd"}, {}, "standard deviations"),
    ],
)
def test_a_rule_on_what_is_never_estimated_is_refused(rule, changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        monitor(rules=[rule], **changes)
