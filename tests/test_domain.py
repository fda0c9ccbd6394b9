from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.domain import (
    DAY,
    HOUR,
    Engine,
    Incident,
    Measurement,
    Outcome,
    Scope,
    Suite,
    Window,
    cadence_length,
    floor,
    intervals,
)

MIDNIGHT = datetime(2013, 4, 8, tzinfo=UTC)
WEEK = Window.ending("7d", MIDNIGHT)

moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def scope(**changes: object) -> Scope:
    return replace(Scope(monitor="m", window=WEEK, as_of=MIDNIGHT, config_hash="c"), **changes)


@pytest.mark.parametrize("cadence", ["", "2h", "0d", "7", "1w", "1000d", "-1d"])
def test_an_unknown_cadence_is_refused(cadence: str) -> None:
    with pytest.raises(ValueError, match="cadence"):
        cadence_length(cadence)


def test_a_window_is_kept_in_utc() -> None:
    new_york = timezone(timedelta(hours=-4))
    window = Window.ending("1h", datetime(2013, 4, 1, 20, tzinfo=new_york))
    assert window.end == datetime(2013, 4, 2, 0, tzinfo=UTC)
    assert window.end.tzinfo is UTC
    assert str(window) == "1h 2013-04-01T23:00 to 2013-04-02T00:00"


@pytest.mark.parametrize(
    ("cadence", "end"),
    [
        ("1h", MIDNIGHT + timedelta(minutes=1)),
        ("1d", MIDNIGHT + HOUR),
        ("7d", datetime(2013, 4, 8)),
    ],
)
def test_a_window_off_its_grid_cannot_exist(cadence: str, end: datetime) -> None:
    with pytest.raises(ValueError, match=r"cannot end|no time zone"):
        Window.ending(cadence, end)


def test_a_window_of_another_length_cannot_exist() -> None:
    with pytest.raises(ValueError, match="not 7d long"):
        Window(cadence="7d", start=MIDNIGHT - DAY, end=MIDNIGHT)


@given(moments, st.sampled_from([HOUR, DAY]))
def test_floor_is_the_last_grid_point(moment: datetime, step: timedelta) -> None:
    down = floor(moment, step)
    assert down <= moment < down + step
    assert floor(down, step) == down


@given(moments, st.integers(0, 60), st.integers(0, 60))
def test_intervals_of_parts_are_those_of_the_whole(start: datetime, a: int, b: int) -> None:
    middle, end = start + a * HOUR, start + (a + b) * HOUR
    cadences = ["1h", "1d"]
    parts = [*intervals(cadences, start, middle), *intervals(cadences, middle, end)]
    assert parts == list(intervals(cadences, start, end))


def test_intervals_end_inside() -> None:
    day = list(intervals(["1h", "7d"], MIDNIGHT - DAY, MIDNIGHT))
    assert [window.cadence for window in day] == ["1h"] * 24 + ["1d"]
    assert list(intervals(["7d"], MIDNIGHT - DAY, MIDNIGHT)) == [Window.ending("1d", MIDNIGHT)]
    assert list(intervals(["1d"], MIDNIGHT, MIDNIGHT)) == []


def test_the_share_of_a_window_after_the_logs_first_row() -> None:
    assert WEEK.share_after(WEEK.start - DAY) == 1
    assert WEEK.share_after(WEEK.start + DAY) == pytest.approx(6 / 7)
    assert WEEK.share_after(WEEK.end + DAY) == 0
    assert WEEK.share_after(None) == 0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_missing_with_a_reason(number: float) -> None:
    measured = scope().measurement(Suite.DRIFT, "psi", number, engine=Engine.PROFILE)
    assert measured.value is None
    assert "not finite" in measured.reason


def test_a_missing_value_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        scope().measurement(Suite.DRIFT, "psi", None, engine=Engine.PROFILE)


def test_a_series_reads_well() -> None:
    measured = scope(segment="origin=JFK").measurement(
        Suite.DRIFT, "psi", 0.5, engine=Engine.PROFILE, column_name="temp"
    )
    assert measured.series.subject == "psi of temp (7d, origin=JFK)"


def test_an_incident_that_is_found_again_is_the_same() -> None:
    series = scope().measurement(Suite.DRIFT, "psi", 1, engine=Engine.PROFILE).series
    first = Incident(
        monitor="m",
        rule="r",
        series=series,
        severity=Outcome.WARN,
        began=MIDNIGHT,
        fired=MIDNIGHT,
        last_failed=MIDNIGHT,
    )
    later = replace(first, last_failed=MIDNIGHT + DAY, resolved=MIDNIGHT + 2 * DAY)
    assert later.id == first.id
    assert replace(first, began=MIDNIGHT + DAY).id != first.id


def test_measurements_cannot_be_changed() -> None:
    measured = scope().measurement(Suite.DRIFT, "psi", 1, engine=Engine.PROFILE)
    with pytest.raises(AttributeError):
        measured.value = 2.0  # type: ignore[misc]
    assert isinstance(measured, Measurement)
