from typing import Any

import pytest

from driftline.domain import Series, cadence_length
from driftline.judge import selects
from driftline.monitor.config import Monitor
from driftline.monitor.default_rules import (
    FAR,
    MIN_QUALITY_ROWS,
    default_rules,
    performance_window,
    rules_of,
)
from driftline.monitor.sections import Expectation

FILE: dict[str, Any] = {
    "monitor": "m",
    "task": "binary",
    "warehouse": "sqlite:///x.db",
    "predictions": {"table": "p", "id": "i", "timestamp": "t", "score": "s", "prediction": "c"},
    "labels": {"table": "l", "id": "i", "timestamp": "t", "label": "y"},
    "reference": {"window": ["2013-03-01", "2013-04-01"]},
}


def monitor(**changes: Any) -> Monitor:
    return Monitor.model_validate(FILE | changes)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("windows", [["1h", "1d", "7d"], ["1d"], ["1h", "30d"]])
@pytest.mark.parametrize("method", ["auto", "ks", ["wasserstein", "psi"]])
def test_default_rules_could_stand_in_the_file(task: str, windows: list, method: Any) -> None:
    predictions = dict(FILE["predictions"])
    if task == "multiclass":
        predictions["score"] = {"a": "p_a", "b": "p_b"}
    file = {"task": task, "windows": windows, "predictions": predictions}
    file |= {"drift": {"method": method}}
    found = default_rules(monitor(**file))
    slow = ["features-drift", "score-drift", "performance"]
    assert [rule.name for rule in found] == [*slow, *([FAR] if "1d" in windows else [])]
    assert {rule.window for rule in found if rule.name in slow} == {windows[-1]}
    written = [rule.model_dump(by_alias=True, exclude_defaults=True) for rule in found]
    assert monitor(**file, rules=written).rules == found


def test_default_rules_are_quiet() -> None:
    for rule in default_rules(monitor()):
        assert rule.min_rows >= 100
        if rule.name != FAR:
            assert rule.in_a_row == 3
            assert cadence_length(rule.window or "").days == 7


@pytest.mark.parametrize(
    ("task", "said", "metric", "share"),
    [
        ("regression", {"score": None, "prediction": "c"}, "rmse", "25%"),
        ("binary", {"score": "s"}, "log_loss_ratio", "15%"),
        ("multiclass", {"score": {"a": "p_a", "b": "p_b"}}, "log_loss_ratio", "15%"),
        ("binary", {"score": None, "prediction": "c"}, "balanced_accuracy", "10%"),
        ("multiclass", {"score": None, "prediction": "c"}, "balanced_accuracy", "10%"),
    ],
)
def test_a_day_is_told_at_once_when_it_is_surely_twice_as_far_off(
    task: str, said: dict, metric: str, share: str
) -> None:
    watched = monitor(task=task, predictions=FILE["predictions"] | said)
    *_, slow, day = default_rules(watched)
    assert (slow.metric, slow.model_dump()["worse_by"]) == (metric, share)
    assert (day.metric, day.window, day.in_a_row, day.severity) == (metric, "1d", 1, "critical")
    twice = f"{2 * int(share[:-1])}%"
    assert (day.model_dump()["worse_by"], day.surely) == ((twice, "5sd"), True)


def test_without_labels_there_is_no_performance() -> None:
    names = [rule.name for rule in default_rules(monitor(labels=None))]
    assert names == ["features-drift", "score-drift"]


def test_without_predictions_only_features_drift() -> None:
    log = {"table": "p", "timestamp": "t"}
    of_a_table = monitor(task="none", predictions=log, labels=None)
    assert [rule.name for rule in default_rules(of_a_table)] == ["features-drift"]


def test_without_days_there_is_nothing_to_judge() -> None:
    assert default_rules(monitor(windows=["1h"])) == ()


def test_rules_that_are_written_replace_the_default_ones() -> None:
    own = monitor(rules=[{"metric": "psi", "max": 1}])
    assert [rule.name for rule in rules_of(own, [])] == ["psi"]
    assert rules_of(monitor(rules=[]), []) == ()


def test_every_expectation_is_a_rule_with_its_severity() -> None:
    own = monitor(
        rules=[],
        quality=[{"expect_column_values_to_not_be_null": {"column": "a", "severity": "critical"}}],
    )
    derived = Expectation(type="expect_table_row_count_to_be_between", kwargs={"min_value": 1})
    of_column = Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": "b"})
    written, default, volume = rules_of(own, [of_column, derived])
    assert (written.columns, written.severity, written.min_rows) == (("a",), "critical", 0)
    assert (default.columns, default.severity, default.min_rows) == (
        ("b",),
        "warn",
        MIN_QUALITY_ROWS,
    )
    assert (volume.columns, volume.min_rows) == (("",), 0)
    assert volume.detail == derived.detail != ""


def test_the_rule_of_an_expectation_takes_a_columns_name_as_it_is() -> None:
    expected = Expectation.model_validate({"expect_column_to_exist": {"column": "a*"}})
    (rule,) = rules_of(monitor(rules=[]), [expected])
    series = dict.fromkeys(Series._fields, "") | {"suite": "quality", "metric": rule.metric}
    named = [Series(**series | {"column_name": name}) for name in ("a*", "ab")]
    assert [selects(rule, each) for each in named] == [True, False]


@pytest.mark.parametrize(
    ("changes", "window"),
    [
        ({}, "7d"),
        ({"windows": ["1h", "1d"]}, "1d"),
        ({"windows": ["1h"]}, "1h"),
        ({"windows": ["14d", "30d"]}, "30d"),
        ({"rules": [{"metric": "roc_auc", "window": "1d", "min": 0.5}]}, "1d"),
        ({"rules": [{"metric": "psi", "window": "1d", "max": 0.5}]}, "7d"),
    ],
)
def test_performance_is_looked_at_on_a_window_that_the_monitor_has(
    changes: dict[str, Any], window: str
) -> None:
    assert performance_window(monitor(**changes)) == window
