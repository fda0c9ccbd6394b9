"""The expectations that a reference leads to: wide enough to be quiet, narrow enough to break."""

from datetime import UTC, datetime

import pytest

from driftline.domain import ColumnKind, ColumnStatistics, WindowStatistics
from driftline.profile.reference import Reference
from driftline.suites.quality import default_expectations, unknown_types

NOT_NULL, BETWEEN = "expect_column_values_to_not_be_null", "expect_column_values_to_be_between"
IN_SET, COUNT = "expect_column_values_to_be_in_set", "expect_table_row_count_to_be_between"


def numeric(nulls=0, low=10.0, high=60.0):
    return ColumnStatistics(kind=ColumnKind.NUMERIC, nulls=nulls, minimum=low, maximum=high)


def reference(rows=1000, daily=(100,) * 10, **columns):
    start = datetime(2013, 3, 1, tzinfo=UTC)
    return Reference(
        id="r",
        monitor="model",
        valid_from=start,
        start=start,
        end=None,
        statistics=WindowStatistics(rows=rows, columns=columns),
        daily_rows=daily,
    )


def expected(monitor, of, cadence="1d"):
    found = default_expectations(monitor, of, cadence)
    assert not unknown_types(found)
    return {(each.type, each.column): each for each in found}


def test_a_column_gone_null_is_critical_and_the_rest_warns(monitor):
    found = expected(monitor(), reference(temp=numeric(nulls=100)))
    assert {each.severity for (kind, _), each in found.items() if kind == NOT_NULL} == {"critical"}
    assert {each.severity for (kind, _), each in found.items() if kind != NOT_NULL} == {"warn"}
    assert found[NOT_NULL, "temp"].kwargs["mostly"] == pytest.approx(0.9 * 0.9)


def test_an_hour_allows_for_bursts_and_newcomers(monitor):
    carrier = ColumnStatistics(kind=ColumnKind.CATEGORICAL, nulls=0, categories={"UA": 1000})
    found = expected(monitor(), reference(temp=numeric(), carrier=carrier), "1h")
    assert found[NOT_NULL, "temp"].kwargs["mostly"] == 0.5
    assert set(found) == {(NOT_NULL, "temp"), (BETWEEN, "temp"), (NOT_NULL, "carrier")}


@pytest.mark.parametrize(("infinite", "mostly"), [(0, 0.99), (4, 0.99), (100, 0.75), (700, 0.0)])
def test_a_range_allows_for_the_infinities_of_the_reference(monitor, infinite, mostly):
    """No range holds them: of 800 values so many are infinite, and twice as many may be."""
    temp = ColumnStatistics(
        kind=ColumnKind.NUMERIC, nulls=200, minimum=10.0, maximum=60.0, infinite=infinite
    )
    found = expected(monitor(), reference(temp=temp))[BETWEEN, "temp"].kwargs
    assert found["mostly"] == mostly
    assert (found["min_value"], found["max_value"]) == (-40.0, 110.0)


def test_a_column_with_gaps_is_judged_by_the_day_only(monitor):
    gaps = reference(early=numeric(nulls=100), rare=numeric(nulls=10))
    assert (NOT_NULL, "early") in expected(monitor(), gaps, "1d")
    assert (NOT_NULL, "early") not in expected(monitor(), gaps, "1h")
    assert (NOT_NULL, "rare") in expected(monitor(), gaps, "1h")


def test_nothing_is_asked_of_a_column_that_was_always_null(monitor):
    nothing = ColumnStatistics(kind=ColumnKind.NUMERIC, nulls=1000)
    assert set(expected(monitor(), reference(x=nothing))) == {(COUNT, "")}


@pytest.mark.parametrize(
    ("low", "high", "bounds"),
    [(10.0, 60.0, (-40.0, 110.0)), (5.0, 5.0, (0.0, 10.0)), (0.0, 0.0, (-1.0, 1.0))],
)
def test_a_range_has_as_much_room_again_on_both_sides(monitor, low, high, bounds):
    kwargs = expected(monitor(), reference(temp=numeric(low=low, high=high)))[
        BETWEEN, "temp"
    ].kwargs
    assert (kwargs["min_value"], kwargs["max_value"]) == bounds


def test_a_score_lies_between_0_and_1(monitor):
    kwargs = expected(monitor(), reference(p=numeric(low=0.2, high=0.4)))[BETWEEN, "p"].kwargs
    assert (kwargs["min_value"], kwargs["max_value"]) == (0, 1)


def test_categories_seen_once_promise_new_ones(monitor):
    often = ColumnStatistics(kind=ColumnKind.CATEGORICAL, nulls=0, categories={"a": 500, "b": 500})
    rare = {**dict.fromkeys("cdefghijkl", 1), "a": 90}
    seldom = ColumnStatistics(kind=ColumnKind.CATEGORICAL, nulls=0, categories=rare)
    found = expected(monitor(), reference(often=often, seldom=seldom))
    assert found[IN_SET, "often"].kwargs == {
        "column": "often",
        "value_set": ["a", "b"],
        "mostly": 0.95,
    }
    assert found[IN_SET, "seldom"].kwargs["mostly"] == 0.8


@pytest.mark.parametrize(
    ("daily", "cadence", "bounds"),
    [
        ((100, 40, 120), "1d", (20, 240)),
        ((100, 40, 120), "7d", (303, 1214)),
        ((10, 20, 30, 10), "2d", (15, 100)),
    ],
)
def test_volume_follows_the_references_own_windows(monitor, daily, cadence, bounds):
    kwargs = expected(monitor(), reference(daily=daily), cadence)[COUNT, ""].kwargs
    assert (kwargs["min_value"], kwargs["max_value"]) == bounds


def test_no_days_no_volume(monitor):
    assert not expected(monitor(), reference(daily=()))


def test_a_sensitive_column_is_asked_for_nulls_only(monitor):
    hidden = monitor(features={"sensitive": ["postcode"]})
    postcode = ColumnStatistics(kind=ColumnKind.CATEGORICAL, nulls=0, categories={"10115": 5})
    found = expected(hidden, reference(postcode=postcode, daily=()))
    assert set(found) == {(NOT_NULL, "postcode")}


def test_what_the_file_says_takes_the_defaults_place(monitor):
    own = monitor(quality=[{NOT_NULL: {"column": "temp", "mostly": 0.5}}])
    found = expected(own, reference(temp=numeric(), wind=numeric(), daily=()))
    assert set(found) == {(BETWEEN, "temp"), (NOT_NULL, "wind"), (BETWEEN, "wind")}
