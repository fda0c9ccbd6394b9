"""Great Expectations on every warehouse: in SQL with SELECT alone, on a bounded frame on DuckDB."""

import re
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from driftline.domain import ColumnKind, ColumnStatistics, Engine, Scope, Window, WindowStatistics
from driftline.errors import SuiteError
from driftline.monitor.sections import Expectation
from driftline.suites import quality
from driftline.warehouse import open_logs

COLUMNS = {"temp": ColumnKind.NUMERIC, "carrier": ColumnKind.CATEGORICAL}
NOT_NULL, BETWEEN = "expect_column_values_to_not_be_null", "expect_column_values_to_be_between"
IN_SET, COUNT = "expect_column_values_to_be_in_set", "expect_table_row_count_to_be_between"
HOSTILE = "it's :x %s\t$HOME <img src=x onerror=alert(1)>\n"
DAY = datetime(2013, 1, 1, tzinfo=UTC)


def expect(kind, severity="warn", **kwargs):
    return Expectation.model_validate({"type": kind, "kwargs": kwargs, "severity": severity})


def log():
    """Return 200 rows of one day: every tenth carrier is missing, twenty temperatures too hot."""
    number = 200
    return pa.table(
        {
            "id": list(range(number)),
            "ts": [DAY + timedelta(minutes=5 * row) for row in range(number)],
            "score": [row / number for row in range(number)],
            "temp": [float(row) for row in range(number)],
            "carrier": [None if row % 10 == 0 else ("UA", "B6")[row % 2] for row in range(number)],
            HOSTILE: [HOSTILE] * number,
            "secret": ["hunter2"] * number,
        }
    )


@pytest.fixture
def filled(warehouse):
    warehouse.load("predictions", log())
    return warehouse


@pytest.fixture
def scope():
    window = Window.ending("1d", DAY + timedelta(days=1))
    return Scope(monitor="model", window=window, as_of=window.end, config_hash="c")


def validated(warehouse, scope, expectations, number=200, **parts):
    features = {"numeric": ["temp"], "categorical": ["carrier", HOSTILE, "secret"]}
    monitor = warehouse.monitor(features={**features, "sensitive": ["secret"]}, **parts)
    with open_logs(monitor) as logs:
        return quality.validate(scope, expectations, logs, COLUMNS, number)


def test_each_expectation_is_answered_in_order(filled, scope):
    expectations = [
        expect(NOT_NULL, column="carrier", mostly=0.95),
        expect(NOT_NULL, column="carrier", mostly=0.85),
        expect(BETWEEN, column="temp", min_value=0, max_value=179, mostly=0.95),
        expect(IN_SET, column="carrier", value_set=["UA"]),
        expect(COUNT, min_value=150, max_value=250),
        expect(COUNT, max_value=20),
        expect("expect_column_mean_to_be_between", column="temp", min_value=0, max_value=1),
        expect("expect_column_values_to_be_unique", column="id"),
        expect(
            "expect_column_quantile_values_to_be_between",
            column="temp",
            quantile_ranges={"quantiles": [0.5], "value_ranges": [[90, 110]]},
        ),
    ]
    found = validated(filled, scope, expectations)
    assert [(each.metric, each.column_name, each.detail) for each in found] == [
        (each.type, each.column, each.detail) for each in expectations
    ]
    assert [each.value for each in found] == [0, 1, 0, 0, 1, 0, 0, 1, 1]
    assert {each.engine for each in found} == {Engine.GREAT_EXPECTATIONS}
    assert {each.row_count for each in found} == {200}
    assert found[0].reason == "10% of 200 values null, 5% allowed"
    assert re.fullmatch(
        r"10% of 200 values unexpected \(such as 1\d\d, 1\d\d, 1\d\d\), 5% allowed", found[2].reason
    )
    assert "(such as B6), 0% allowed" in found[3].reason
    assert found[5].reason == "found 200; asked for max_value 20"
    assert found[6].reason.startswith("found 99.5; asked for")
    assert [each.reason for each in found if each.value] == ["", "", "", ""]


def test_one_that_fails_to_run_does_not_spoil_the_others(filled, scope):
    expectations = [
        expect(NOT_NULL, column="absent"),
        expect("expect_column_values_to_match_regex", column="carrier", regex="["),
        expect("expect_column_mean_to_be_between", column="carrier", min_value=0),
        expect(COUNT, min_value=1),
        expect(NOT_NULL, column="temp"),
    ]
    absent, regex, mean, rows, nulls = validated(filled, scope, expectations)
    assert (absent.value, absent.reason) == (0.0, "absent is not in the log")
    assert regex.value is None
    assert "cannot be evaluated" in regex.reason
    # SQLite takes the mean of anything; the others refuse.
    assert mean.value == (1.0 if filled.kind == "sqlite" else None)
    assert (rows.value, nulls.value) == (1.0, 1.0)


def test_paths_into_documents_are_columns(warehouse, scope):
    documents = [f'{{"age": {row}, "plan": "basic"}}' for row in range(200)]
    warehouse.load("predictions", log().append_column("inputs", [documents]), json=["inputs"])
    columns = {"inputs.age": ColumnKind.NUMERIC}
    expectations = [
        expect(BETWEEN, column="inputs.age", min_value=0, max_value=99),
        expect(IN_SET, column="inputs.plan", value_set=["basic"]),
        expect(NOT_NULL, column="inputs.height"),
        expect(NOT_NULL, column="outputs.score"),
    ]
    features = {"numeric": ["inputs.age"]}
    with open_logs(warehouse.monitor(features=features)) as logs:
        age, plan, height, score = quality.validate(scope, expectations, logs, columns, 200)
    assert [age.value, plan.value, height.value, score.value] == [0.0, 1.0, 0.0, 0.0]
    assert age.reason.startswith("50% of 200 values unexpected")
    assert height.reason.startswith("100% of 200 values null")
    assert score.reason == "outputs.score is not in the log"


def test_of_a_text_its_words_are_asked_for_or_its_length(warehouse, scope):
    number = 200
    booked = [DAY + timedelta(minutes=5 * row, days=-(row % 3)) for row in range(number)]
    comments = ["kind crew" + "!" * (row % 5) for row in range(number)]
    rows = log().append_column("comment", [comments])
    rows = rows.append_column("booked", [[moment.isoformat() for moment in booked]])
    warehouse.load("predictions", rows)
    asked = [
        expect("expect_column_values_to_match_regex", column="comment", regex="^kind crew!*$"),
        expect("expect_column_value_lengths_to_be_between", column="comment", max_value=12),
        expect("expect_column_values_to_match_regex", column="booked", regex="^2013-"),
        expect(NOT_NULL, column="comment"),
        expect(BETWEEN, column="comment", min_value=9, max_value=12),
        expect(BETWEEN, column="booked", min_value=0, max_value=86400),
        expect(COUNT, min_value=number),
    ]
    monitor = warehouse.monitor(
        features={"numeric": ["temp"], "text": ["comment"], "timestamp": ["booked"]}
    )
    columns = {"comment": ColumnKind.TEXT, "booked": ColumnKind.TIMESTAMP}
    with open_logs(monitor) as logs:
        found = quality.validate(scope, asked, logs, columns, number)
    assert [each.metric for each in found] == [each.type for each in asked]
    words, lengths, years, there, counted, ages, volume = found
    assert (words.value, lengths.value, lengths.row_count) == (1.0, 0.0, number)
    assert lengths.reason.startswith("20% of 200 values unexpected")
    assert counted.value == 0.0
    assert counted.reason.startswith("20% of 200 values unexpected (such as 13)")
    assert [each.value for each in (years, there, ages, volume)] == [0, 1, 0, 1]
    assert years.reason.startswith("66.5% of 200 values unexpected")
    assert ages.reason.startswith("33% of 200 values unexpected (such as 172800)")


@pytest.mark.parametrize("kind", ["instant", "words", "ticks"])
def test_ranges_of_times_are_asked_of_the_times(warehouse, scope, kind):
    """Rows of 2013-01-01, every 5 minutes from midnight, as pandas compares them."""
    moments = [DAY + timedelta(minutes=5 * row) for row in range(200)]
    columns = {
        "instant": moments,
        "words": [moment.isoformat() for moment in moments],
        "ticks": [int(moment.timestamp() * 1000) for moment in moments],
    }
    warehouse.load("predictions", log().append_column("when", [columns[kind]]))
    asked = [
        expect(BETWEEN, column="when", min_value=date(2012, 12, 1), max_value=date(2013, 2, 1)),
        expect(BETWEEN, column="when", min_value="2013-01-20", max_value="2013-02-01T00:00"),
        expect(BETWEEN, column="when", max_value=datetime(2013, 1, 1, 8, 20)),
        expect(BETWEEN, column="when", max_value="2013-01-01T09:20:00+01:00", mostly=0.5),
        expect("expect_column_max_to_be_between", column="when", max_value=date(2013, 1, 1)),
        expect("expect_column_min_to_be_between", column="when", min_value=date(2013, 1, 1)),
    ]
    with open_logs(warehouse.monitor(quality=asked)) as logs:
        found = quality.validate(scope, asked, logs, COLUMNS, 200)
        assert quality.unanswered(scope, logs, COLUMNS, 200) == []
    assert [each.value for each in found] == [1, 0, 0, 1, 0, 1]
    moment = r"2013-01-01 \d\d:\d[05]:00Z"
    assert found[1].reason.startswith("100% of 200 values unexpected")
    assert re.search(rf"such as {moment}, {moment}, {moment}\), 0% allowed", found[1].reason)
    assert found[2].reason.startswith("49.5% of 200 values unexpected (such as 2013-01-01 ")
    assert found[4].reason == "found 2013-01-01 16:35:00Z; asked for max_value 2013-01-01"


def test_bounds_without_a_zone_are_of_the_logs(warehouse, scope):
    warehouse.load("predictions", log())
    asked = [
        expect(BETWEEN, column="ts", max_value=datetime(2013, 1, 1, 17, 35), mostly=1.0),
        expect(BETWEEN, column="ts", max_value=datetime(2013, 1, 1, 17, 34), mostly=1.0),
    ]
    with open_logs(warehouse.monitor(predictions={"timezone": "Europe/Berlin"})) as logs:
        last, sooner = quality.validate(scope, asked, logs, COLUMNS, 200)
    # The log's own wall times are Berlin's, too, where the warehouse has no zone for them.
    aware = warehouse.kind != "sqlite"
    assert (last.value, sooner.value) == ((1.0, 0.0) if aware else (1.0, 1.0))


def test_what_is_no_time_is_not_within_times(filled, scope):
    asked = [expect(BETWEEN, column="carrier", min_value="2013-01-01")]
    (found,) = validated(filled, scope, asked)
    assert (found.value, found.reason) == (None, "no value could be read as a time")


def test_a_time_and_a_number_bound_nothing(scope):
    mixed = expect(BETWEEN, column="when", min_value=date(2013, 1, 1), max_value=5)
    (problem,) = quality.unknown_types([mixed])
    assert "min_value is a time and max_value is not: found 5; write both as ISO 8601" in problem


def test_an_expectation_of_the_file_that_has_no_answer_is_broken_and_lint_says_so(filled, scope):
    regex = expect("expect_column_values_to_match_regex", column="carrier", regex="[")
    beside = expect(NOT_NULL, column="temp")
    found, _ = validated(filled, scope, [regex, beside], quality=[regex])
    assert (found.value, found.reason) == (0.0, "it cannot be evaluated")  # a column is hidden
    derived, _ = validated(filled, scope, [regex, beside])
    assert derived.value is None
    with open_logs(filled.monitor(quality=[regex])) as logs:
        (problem,) = quality.unanswered(scope, logs, COLUMNS, 200)
    assert problem.startswith("quality.expect_column_values_to_match_regex: it cannot be evaluated")


def test_hostile_names_and_values_are_data(filled, scope):
    found = validated(
        filled,
        scope,
        [
            expect(IN_SET, column=HOSTILE, value_set=[HOSTILE]),
            expect(IN_SET, column=HOSTILE, value_set=["y"]),
        ],
        predictions={"where": "carrier <> ':x' or carrier is null"},
    )
    assert [each.value for each in found] == [1.0, 0.0]
    assert "<" not in found[1].reason
    assert found[1].column_name == HOSTILE


def test_values_of_sensitive_columns_are_never_told(filled, scope):
    found = validated(
        filled,
        scope,
        [
            expect(IN_SET, column="secret", value_set=["nothing"]),
            expect(
                "expect_column_most_common_value_to_be_in_set", column="secret", value_set=["x"]
            ),
        ],
    )
    assert [each.value for each in found] == [0.0, 0.0]
    assert "such as" not in found[0].reason
    assert found[1].reason == "not as expected"


def test_a_window_without_rows_answers_for_the_table_only(filled, scope):
    empty = Window.ending("1d", DAY)
    scope = Scope(monitor="model", window=empty, as_of=empty.end, config_hash="c")
    expectations = [expect(NOT_NULL, column="temp"), expect(COUNT, min_value=1)]
    nulls, rows = validated(filled, scope, expectations, 0)
    assert (nulls.value, nulls.reason) == (None, "no rows")
    assert rows.value == 0.0


def test_the_same_expectation_twice_is_one(filled, scope):
    assert len(validated(filled, scope, [expect(NOT_NULL, column="temp")] * 2)) == 1


@pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
def test_a_frame_is_bounded_and_says_so_but_every_row_is_counted(filled, scope):
    expectations = [expect(NOT_NULL, column="temp"), expect(COUNT, min_value=200, max_value=200)]
    nulls, rows = validated(filled, scope, expectations, drift={"rows": 100})
    assert (nulls.value, nulls.row_count, nulls.reason) == (1.0, 100, "on 100 of 200 rows")
    assert (rows.value, rows.row_count, rows.reason) == (1.0, 200, "")


def test_what_great_expectations_does_not_know_is_an_error(filled, scope):
    unknown = expect("expect_column_values_to_not_be_nul", column="temp")
    misspelt = expect(NOT_NULL, column="temp", mosty=0.9)
    lacking = expect(NOT_NULL)
    first, second, third = quality.unknown_types(
        [unknown, misspelt, lacking, expect(NOT_NULL, column="temp")]
    )
    assert "did you mean expect_column_values_to_not_be_null?" in first
    assert "takes no mosty; did you mean mostly?" in second
    assert "column: field required" in third
    with pytest.raises(SuiteError, match="knows no expect_column_values_to_not_be_nul;"):
        validated(filled, scope, [unknown], 5)


def test_counts_of_the_warehouse_are_measurements(scope):
    temp = ColumnStatistics(kind=ColumnKind.NUMERIC, nulls=3)
    found = quality.measure(scope, WindowStatistics(rows=12, columns={"temp": temp}))
    assert [(each.metric, each.column_name, each.value) for each in found] == [
        ("row_count", "", 12.0),
        ("null_share", "temp", 0.25),
    ]
    assert {each.engine for each in found} == {Engine.SQL}
    empty = quality.measure(scope, WindowStatistics(rows=0, columns={"temp": temp}))
    assert [each.value for each in empty] == [0.0, None]
