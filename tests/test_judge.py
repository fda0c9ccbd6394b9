from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftline.domain import DAY, Engine, Measurement, Outcome, Scope, Suite, Verdict, Window
from driftline.judge import Broken, Evidence, broken, judge
from driftline.monitor.sections import Rule

END = datetime(2013, 4, 8, tzinfo=UTC)
OK, WARN, CRITICAL, OPEN = Outcome.OK, Outcome.WARN, Outcome.CRITICAL, Outcome.NOT_EVALUATED


def rule(**keys: Any) -> Rule:
    return Rule.model_validate({"metric": "psi", **keys})


def measured(value: float | None, **changes: Any) -> Measurement:
    cadence = changes.pop("cadence", "7d")
    end = changes.pop("end", END)
    scope = Scope(monitor="m", window=Window.ending(cadence, end), as_of=end, config_hash="c")
    suite = changes.pop("suite", Suite.DRIFT)
    metric = changes.pop("metric", "psi")
    return replace(
        scope.measurement(
            suite,
            metric,
            value,
            engine=Engine.PROFILE,
            baseline="reference" if suite is Suite.DRIFT else "",
            reason="no rows",
        ),
        **changes,
    )


def outcome(rule: Rule, measurement: Measurement, **evidence: Any) -> Outcome:
    (verdict,) = judge([rule], [measurement], Evidence(**evidence))
    return verdict.outcome


@pytest.mark.parametrize(
    ("bound", "value", "expected"),
    [
        ({"max": 0.2}, 0.2, OK),
        ({"max": 0.2}, 0.2001, WARN),
        ({"min": 0.2}, 0.2, OK),
        ({"min": 0.2}, 0.1999, WARN),
        ({"min": -1, "max": 1}, 0, OK),
        ({"min": -1, "max": 1}, -1.5, WARN),
        ({"max": 0.2, "severity": "critical"}, 1, CRITICAL),
    ],
)
def test_bounds_belong_to_what_is_allowed(bound: dict, value: float, expected: Outcome) -> None:
    assert outcome(rule(**bound), measured(value)) is expected


@pytest.mark.parametrize(
    ("metric", "worse_by", "value", "expected"),
    [
        ("roc_auc", "5%", 0.7601, OK),  # 5% of 0.8 is 0.04
        ("roc_auc", "5%", 0.7599, WARN),
        ("roc_auc", 0.05, 0.7501, OK),
        ("roc_auc", 0.05, 0.7499, WARN),
        ("roc_auc", 0.4, 0.4, OK),  # to the last bit: what is allowed is no fault
        ("roc_auc", "5%", 0.99, OK),
        ("rmse", "10%", 0.8799, OK),
        ("rmse", "10%", 0.8801, WARN),
        ("rmse", "10%", 0.1, OK),
        ("observed_predicted_ratio", 0.1, 1.31, WARN),  # 0.8 is 0.2 away from 1
        ("observed_predicted_ratio", 0.1, 0.69, WARN),
        ("observed_predicted_ratio", 0.1, 1.0, OK),
        ("bias", 0.1, 0.91, WARN),
        ("bias", 0.1, -0.91, WARN),  # too low is as bad as too high
        ("bias", 0.1, -0.89, OK),
        ("bias", 0.1, 0.0, OK),
        ("label_mean", 0.1, 0.91, WARN),
        ("label_mean", 0.1, 0.69, WARN),
        ("label_mean", 0.1, 0.71, OK),
    ],
)
def test_worse_by_looks_in_the_metrics_bad_direction(
    metric: str, worse_by: Any, value: float, expected: Outcome
) -> None:
    measurement = measured(value, metric=metric, suite=Suite.PERFORMANCE)
    baselines = {(metric, "", ""): 0.8}
    assert outcome(rule(metric=metric, worse_by=worse_by), measurement, baselines=baselines) is (
        expected
    )


def test_relative_worsening_of_a_negative_value_is_worse_still() -> None:
    judged = rule(metric="r2", worse_by="10%")
    base = {("r2", "", ""): -0.5}
    measurement = measured(-0.54, metric="r2", suite=Suite.PERFORMANCE)
    assert outcome(judged, measurement, baselines=base) is OK
    assert outcome(judged, replace(measurement, value=-0.56), baselines=base) is WARN


def test_a_business_metric_is_worse_the_way_the_file_says() -> None:
    judged = rule(metric="sold", worse_by=0.1)
    base = {("sold", "", ""): 0.5}
    more, less = (measured(value, metric="sold", suite=Suite.BUSINESS) for value in (0.7, 0.3))
    better = {"baselines": base, "higher_is_better": frozenset({"sold"})}
    assert [outcome(judged, each, **better) for each in (more, less)] == [OK, WARN]
    assert [outcome(judged, each, baselines=base) for each in (more, less)] == [WARN, OK]


def test_the_throughput_of_a_part_is_not_compared_with_that_of_the_whole() -> None:
    judged = rule(metric="throughput", worse_by="10%", segment="*", version="*")
    base = {("throughput", "", ""): 2.0}
    whole = measured(1.0, metric="throughput", suite=Suite.OPERATIONS)
    assert outcome(judged, whole, baselines=base) is WARN
    assert outcome(judged, replace(whole, value=3.0), baselines=base) is OK
    assert outcome(judged, replace(whole, segment="origin=JFK"), baselines=base) is OPEN
    assert outcome(judged, replace(whole, model_version="2"), baselines=base) is OPEN


def test_worse_by_without_a_reference_is_not_evaluated() -> None:
    (verdict,) = judge([rule(metric="f1", worse_by=0.1)], [measured(1, metric="f1")], Evidence())
    assert verdict.outcome is OPEN
    assert "reference" in verdict.reason


OF_F1 = {
    "rule": {"metric": "f1"},
    "measured": {"metric": "f1", "suite": Suite.PERFORMANCE, "engine": Engine.PROFILE},
}


@pytest.mark.parametrize(
    ("keys", "changes", "selected"),
    [
        ({}, {"column_name": "temp"}, True),
        ({"columns": "temp"}, {"column_name": "temp"}, True),
        ({"columns": ["temp"]}, {"column_name": "humid"}, False),
        ({"columns": ["te*"]}, {"column_name": "temp"}, True),
        ({"columns": ["a[0]"]}, {"column_name": "a[0]"}, True),
        ({}, {"segment": "origin=JFK"}, False),
        ({"segment": "origin=*"}, {"segment": "origin=JFK"}, True),
        ({"segment": "origin=LGA"}, {"segment": "origin=JFK"}, False),
        ({}, {"model_version": "2"}, False),
        ({"version": "*"}, {"model_version": "2"}, True),
        ({"engine": "profile"}, {}, True),
        ({}, {"engine": Engine.EVIDENTLY}, False),
        ({"engine": "evidently"}, {}, False),
        ({"engine": "evidently"}, {"engine": Engine.EVIDENTLY}, True),
        ({}, {"engine": Engine.SCIKIT_LEARN}, True),
        ({}, {"engine": Engine.SQL, "suite": Suite.BUSINESS, "baseline": ""}, True),
        (
            {"metric": "f1"},
            {"engine": Engine.EVIDENTLY, "metric": "f1", "suite": Suite.PERFORMANCE},
            False,
        ),
        (
            {"metric": "f1"},
            {"engine": Engine.PROFILE, "metric": "f1", "suite": Suite.PERFORMANCE},
            True,
        ),
        ({"baseline": "previous"}, {"baseline": "reference"}, False),
        ({"baseline": "previous"}, {"baseline": "previous"}, True),
        ({}, {"baseline": "previous"}, False),
        ({"window": "7d"}, {}, True),
        ({"window": "1d"}, {}, False),
        ({"metric": "ks"}, {}, False),
        ({}, {"detail": "cat"}, False),
        ({"detail": "cat"}, {"detail": "cat"}, True),
        ({}, {"detail": "cat", "suite": Suite.QUALITY, "baseline": ""}, True),
    ],
)
def test_what_a_rule_selects(keys: dict, changes: dict, selected: bool) -> None:
    verdicts = judge([rule(max=1, **keys)], [measured(0.5, **changes)], Evidence())
    assert bool(verdicts) is selected


@pytest.mark.parametrize(
    ("past", "streak", "firing"),
    [
        ([], 1, False),
        ([WARN], 2, False),
        ([WARN, WARN], 3, True),
        ([WARN, WARN, WARN, WARN], 5, True),
        ([WARN, OK, WARN], 2, False),
        ([WARN, OPEN, WARN], 3, True),
        ([WARN, WARN, OPEN, OPEN], 3, True),
        ([WARN, WARN, OK], 1, False),
        ([CRITICAL, WARN], 3, True),
    ],
)
def test_for_counts_windows_in_a_row(past: list[Outcome], streak: int, firing: bool) -> None:
    judged = rule(**{"max": 0.2, "for": 3})
    measurement = measured(1.0)
    evidence = Evidence(past={(judged.name, measurement.series): past})
    (verdict,) = judge([judged], [measurement], evidence)
    assert (verdict.streak, verdict.firing) == (streak, firing)
    assert verdict.reason.endswith(
        f", window {streak} in a row{'' if firing else ' of 3'}: no rows"
    )


def test_what_has_no_value_is_not_evaluated_and_says_why() -> None:
    (verdict,) = judge([rule(max=1)], [measured(None)], Evidence())
    assert (verdict.outcome, verdict.reason) == (OPEN, "no rows")
    assert not verdict.firing


def test_a_window_mostly_before_the_log_is_not_evaluated() -> None:
    begins = END - 5 * DAY  # 71% of the week
    assert outcome(rule(max=0.2), measured(1), log_start=begins) is OPEN
    assert outcome(rule(max=0.2), measured(1), log_start=END - timedelta(days=5.7)) is WARN
    month = measured(1, cadence="30d")
    assert outcome(rule(max=0.2), month, log_start=END - 24 * DAY) is WARN  # 80% of it is enough


def test_too_few_rows_for_the_rule() -> None:
    judged = rule(max=0.2, min_rows=100)
    assert outcome(judged, measured(1, row_count=99)) is OPEN
    assert outcome(judged, measured(1, row_count=100)) is WARN
    assert outcome(judged, measured(1)) is WARN


@pytest.mark.parametrize(
    ("coverage", "age", "expected"),
    [
        (0.5, 0, OPEN),
        (0.8, 0, WARN),
        (None, 0, WARN),
        (0.5, 23, OPEN),
        (0.5, 24, WARN),
        (0.0, 48, WARN),
    ],
)
def test_performance_waits_for_coverage_or_maturity(
    coverage: float | None, age: int, expected: Outcome
) -> None:
    measurement = measured(
        0.5,
        metric="roc_auc",
        suite=Suite.PERFORMANCE,
        coverage=coverage,
        as_of=END + timedelta(hours=age),
    )
    judged = rule(metric="roc_auc", min=0.6)
    waits = {"min_coverage": 0.8, "maturity": timedelta(hours=24)}
    assert outcome(judged, measurement, **waits) is expected
    assert outcome(rule(max=0.2), measured(1, coverage=coverage), **waits) is WARN  # not of labels


def failure(column: str, cadence: str = "1d", end: datetime = END) -> Broken:
    return Broken(column=column, window=Window.ending(cadence, end), rule="not-null")


@pytest.mark.parametrize(
    ("fault", "column", "expected"),
    [
        (failure("temp"), "temp", OPEN),
        (failure("temp"), "humid", WARN),
        (failure(""), "humid", OPEN),
        (failure("temp", end=END - 6 * DAY), "temp", OPEN),
        (failure("temp", end=END - 7 * DAY), "temp", WARN),
        (failure("temp", end=END + DAY), "temp", WARN),
    ],
)
def test_broken_data_inhibits_drift_of_the_same_column(
    fault: Broken, column: str, expected: Outcome
) -> None:
    said = outcome(rule(max=0.2), measured(1, column_name=column), broken=[fault])
    assert said is expected


@pytest.mark.parametrize(("column", "named"), [("temp", "temp"), ("", "the table")])
def test_what_is_inhibited_names_what_failed(column: str, named: str) -> None:
    measurement = measured(1, column_name="temp")
    (verdict,) = judge([rule(max=0.2)], [measurement], Evidence(broken=[failure(column)]))
    assert verdict.reason == f"inhibited: not-null failed on {named}"


def test_broken_data_never_mutes_performance() -> None:
    measurement = measured(0.5, metric="f1", suite=Suite.PERFORMANCE)
    assert outcome(rule(metric="f1", min=0.6), measurement, broken=[failure("")]) is WARN


def test_only_critical_quality_breaks_a_column() -> None:
    rules = [
        rule(name="a", metric="null_share", columns="temp", max=0.1, severity="critical"),
        rule(name="b", metric="null_share", columns="humid", max=0.1, severity="warn"),
    ]
    found = [
        measured(0.5, metric="null_share", suite=Suite.QUALITY, column_name="temp"),
        measured(0.5, metric="null_share", suite=Suite.QUALITY, column_name="humid"),
    ]
    (only,) = broken(judge(rules, found, Evidence()))
    assert only == Broken(column="temp", rule="a", window=found[0].window)


def test_the_reason_says_what_how_much_and_against_what() -> None:
    judged = rule(max=0.2, columns="temp", **{"for": 3})
    (verdict,) = judge([judged], [measured(0.33611, column_name="temp", reason="")], Evidence())
    assert verdict.reason == "psi of temp (7d) is 0.3361, above 0.2, window 1 in a row of 3"


def test_the_reason_shows_the_references_own_value() -> None:
    measurement = measured(1.04, metric="log_loss_ratio", suite=Suite.PERFORMANCE, reason="")
    judged = rule(metric="log_loss_ratio", max=1)
    evidence = Evidence(baselines={("log_loss_ratio", "", ""): 0.8857})
    (verdict,) = judge([judged], [measurement], evidence)
    assert verdict.reason == "log_loss_ratio (7d) is 1.04, above 1 (in the reference 0.8857)"
    assert outcome(judged, replace(measurement, value=0.9), baselines=evidence.baselines) is OK


@pytest.mark.parametrize(
    ("worse_by", "words"), [("10%", "by more than 10%"), (0.05, "by more than 0.05")]
)
def test_the_reason_says_how_much_worse_is_allowed(worse_by: Any, words: str) -> None:
    found = measured(0.5, metric="f1", suite=Suite.PERFORMANCE, reason="")
    evidence = Evidence(baselines={("f1", "", ""): 0.8})
    (verdict,) = judge([rule(metric="f1", worse_by=worse_by)], [found], evidence)
    assert verdict.reason == f"f1 (7d) is 0.5, worse than the reference's 0.8 {words}"


def test_an_expectation_has_failed_whatever_number_says_so() -> None:
    name = "expect_column_values_to_not_be_null"
    found = measured(0.5, metric=name, suite=Suite.QUALITY, reason="half is null")
    (verdict,) = judge([rule(metric=name, min=1, **{"for": 2})], [found], Evidence())
    assert verdict.reason == f"{name} (7d) failed, window 1 in a row of 2: half is null"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, {"outcome": OPEN, "reason": "no rows"}),
        (0.1, {"outcome": OK, "reason": "psi (7d) is 0.1, within its bound"}),
        (
            0.5,
            {
                "outcome": CRITICAL,
                "reason": "psi (7d) is 0.5, above 0.2: no rows",
                "streak": 1,
                "firing": True,
            },
        ),
    ],
)
def test_a_verdict_says_whose_it_is_and_of_what(value: float | None, said: dict) -> None:
    found = measured(value)
    judged = rule(name="drifts", max=0.2, severity="critical")
    assert judge([judged], [found], Evidence()) == [
        Verdict(rule="drifts", measurement=found, **said)
    ]


def of_rmse(value: float | None, lower: float = 0.0, upper: float = 0.0, **changes: Any) -> Any:
    keys = {"suite": Suite.PERFORMANCE, "metric": "rmse", "lower": lower, "upper": upper}
    return measured(value, coverage=1.0, reason="", row_count=500, **keys | changes)


@pytest.mark.parametrize(
    ("bound", "of", "expected"),
    [
        ({"worse_by": "50%"}, (3.4, 3.2, 3.61), WARN),  # the reference's is 2: 3 is allowed
        ({"worse_by": "50%"}, (3.4, 3.2, 3.79), WARN),
        ({"worse_by": "50%"}, (3.4, 3.2, 3.81), OK),  # the wider half counts: 3.4 - .41
        ({"worse_by": "50%"}, (3.4, 2.99, 3.5), OK),
        ({"worse_by": 1.2}, (3.4, 3.3, 3.5), WARN),
        ({"worse_by": 1.35}, (3.4, 3.3, 3.5), OK),
        ({"max": 3}, (3.4, 3.2, 3.6), WARN),
        ({"max": 3}, (3.4, 2.9, 3.6), OK),
        ({"min": 4}, (3.4, 3.2, 3.9), WARN),
        ({"min": 4}, (3.4, 3.2, 4.1), OK),
    ],
)
def test_who_wants_to_be_sure_looks_beyond_the_interval(
    bound: dict, of: tuple[float, float, float], expected: Outcome
) -> None:
    judged = rule(metric="rmse", surely=True, **bound)
    baselines = {("rmse", "", ""): 2.0}
    assert outcome(judged, of_rmse(*of), baselines=baselines) is expected
    assert outcome(rule(metric="rmse", **bound), of_rmse(*of), baselines=baselines) is WARN


def test_to_be_sure_of_a_fall_it_must_be_below_with_its_upper_end() -> None:
    judged = rule(metric="f1", worse_by=0.1, surely=True)
    known = {"baselines": {("f1", "", ""): 0.9}}
    for upper, expected in ((0.79, WARN), (0.81, OK)):
        value = of_rmse(0.7, 0.68, upper, metric="f1")
        assert outcome(judged, value, **known) is expected


def test_without_an_interval_nobody_is_sure() -> None:
    value = of_rmse(9.0, upper=None)
    (verdict,) = judge([rule(metric="rmse", max=1, surely=True)], [value], Evidence())
    assert verdict.outcome is OPEN
    assert verdict.reason == "rmse has no interval, and the rule wants to be sure"


@pytest.mark.parametrize(
    ("spread", "value", "expected"),
    [
        ((2.0, 0.1), 3.1, WARN),  # more than 50% of 2, and more than 5 x 0.1
        ((2.0, 0.3), 3.1, OK),
        ((2.0, 0.1), 2.9, OK),
        (None, 3.1, WARN),  # a reference without windows of its own
        (None, 2.9, OK),
    ],
)
def test_of_several_ways_to_be_worse_all_that_are_known_count(
    spread: tuple[float, float] | None, value: float, expected: Outcome
) -> None:
    key = ("rmse", "", "")
    known = {"baselines": {key: 2.0}, "spreads": {key: spread} if spread else {}}
    judged = rule(metric="rmse", worse_by=["50%", "5sd"])
    assert outcome(judged, of_rmse(value), **known) is expected
    assert outcome(judged, of_rmse(value)) is OPEN


def test_what_is_surely_worse_in_two_ways_says_both() -> None:
    key = ("rmse", "", "")
    judged = rule(metric="rmse", worse_by=["50%", "5sd"], surely=True)
    known = Evidence(baselines={key: 2.0}, spreads={key: (2.1, 0.1)})
    (verdict,) = judge([judged], [of_rmse(4.0, 3.8, 4.2)], known)
    assert verdict.reason == (
        "rmse (7d) is 4, surely worse than the reference's 2 by more than 50%, "
        "and more than 5 standard deviations worse than the 2.1 of the reference's own windows, "
        "of which one is 0.1"
    )


@pytest.mark.parametrize(
    ("usual", "positives", "rows", "coverage", "few"),
    [
        (0.01, 0.0, 600, 1.0, True),  # .99^600 is 0.24%
        (0.01, 0.0, 800, 1.0, False),  # .99^800 is 0.03%
        (0.01, 1.0, 600, 1.0, False),  # all of the rare class are no chance
        (0.99, 1.0, 600, 1.0, True),
        (0.01, 0.0, 600, 0.5, False),  # labels are missing
        (0.01, 0.0, 600, None, False),
        (0.01, 0.0, 600, 0.8, True),  # as many as are wanted
        (0.001, 1.0, 1, 1.0, False),  # a chance of one in a thousand, to the bit
        (None, 0.0, 600, 1.0, False),  # nobody knows how rare it is
    ],
)
def test_a_rare_class_of_which_there_is_no_row_may_be_chance(
    usual: float | None, positives: float, rows: int, coverage: float | None, few: bool
) -> None:
    of = {"suite": Suite.PERFORMANCE, "row_count": rows, "coverage": coverage}
    reason = "every label is '0'"
    number = measured(None, metric="log_loss_ratio", **of | {"reason": reason})
    share = measured(positives, metric="label_mean", **of)
    known = {("label_mean", "", ""): usual} if usual is not None else {}
    evidence = Evidence(baselines=known, min_coverage=0.8)
    (verdict,) = judge([rule(metric="log_loss_ratio", max=1)], [number, share], evidence)
    assert verdict.reason == (f"too few rows: {reason}" if few else reason)


@pytest.mark.parametrize(("coverage", "few"), [(1.0, True), (0.002, False)])
def test_a_window_of_one_row_is_too_small(coverage: float, few: bool) -> None:
    of = {"suite": Suite.PERFORMANCE, "row_count": 1, "coverage": coverage}
    number = measured(None, metric="rmse", **of | {"reason": "only one labelled row"})
    (verdict,) = judge([rule(metric="rmse", max=1)], [number], Evidence(min_coverage=0.8))
    assert verdict.reason.startswith("too few rows: ") is few
