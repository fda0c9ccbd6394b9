from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.alerts.incidents import incidents, told_already
from driftline.domain import DAY, Incident, Outcome, Series, Window
from driftline.monitor.sections import Rule

OK, BAD, OPEN = Outcome.OK, Outcome.WARN, Outcome.NOT_EVALUATED
SERIES = Series("", "", "1d", "drift", "psi", "temp", "", "reference", "evidently")
START = datetime(2013, 4, 1, tzinfo=UTC)

outcomes = st.lists(st.sampled_from([OK, BAD, OPEN]), max_size=30)


def rule(in_a_row: int) -> Rule:
    return Rule.model_validate({"metric": "psi", "max": 0.2, "for": in_a_row})


def found(
    in_a_row: int, said: list[Outcome], promoted: tuple[int, ...] = (), series: Series = SERIES
) -> list[tuple[int, int, int, int | None]]:
    """Incidents as day numbers: began, fired, last failed, resolved."""
    promotions = [START + day * DAY for day in promoted]
    history = [(START + day * DAY, outcome) for day, outcome in enumerate(said)]
    return [
        (
            (one.began - START).days,
            (one.fired - START).days,
            (one.last_failed - START).days,
            None if one.resolved is None else (one.resolved - START).days,
        )
        for one in incidents("m", rule(in_a_row), series, history, promotions)
    ]


def test_an_incident_fires_when_it_has_failed_long_enough() -> None:
    assert found(3, [BAD, BAD]) == []
    assert found(3, [BAD, BAD, BAD]) == [(0, 2, 2, None)]
    assert found(1, [OK, BAD]) == [(1, 1, 1, None)]


def test_an_incident_says_whose_it_is_and_of_what() -> None:
    named = Rule.model_validate({"name": "r", "metric": "psi", "max": 0.2, "severity": "critical"})
    days = [START + number * DAY for number in range(3)]
    history = zip(days, [BAD, OK, BAD], strict=True)
    own = {"monitor": "m", "rule": "r", "series": SERIES, "severity": Outcome.CRITICAL}
    assert incidents("m", named, SERIES, history) == [
        Incident(**own, began=days[0], fired=days[0], last_failed=days[0], resolved=days[1]),
        Incident(**own, began=days[2], fired=days[2], last_failed=days[2]),
    ]


def test_an_incident_is_resolved_by_the_first_ok() -> None:
    assert found(2, [BAD, BAD, BAD, OK, OK]) == [(0, 1, 2, 3)]
    assert found(1, [BAD, OK, BAD]) == [(0, 0, 0, 1), (2, 2, 2, None)]


def test_what_could_not_be_evaluated_neither_counts_nor_resets() -> None:
    assert found(3, [BAD, OPEN, BAD, OPEN, OPEN, BAD]) == [(0, 5, 5, None)]
    assert found(2, [BAD, BAD, OPEN, OK]) == [(0, 1, 1, 3)]
    assert found(1, [OPEN, OPEN]) == []


def test_windows_after_a_promotion_are_counted_in_a_row_of_their_own() -> None:
    """A window of a day ends on day n and starts on day n - 1; what began before is over."""
    assert found(2, [BAD, BAD], promoted=(0,)) == []
    assert found(2, [BAD, BAD], promoted=(1,)) == [(0, 1, 1, None)]
    assert found(2, [BAD, BAD, BAD, BAD], promoted=(1,)) == [(0, 1, 1, 2), (2, 3, 3, None)]
    assert found(1, [BAD, BAD, BAD], promoted=(0, 1)) == [
        *((0, 0, 0, 1), (1, 1, 1, 2), (2, 2, 2, None))
    ]
    assert found(1, [BAD, OPEN, OK, BAD], promoted=(0,)) == [(0, 0, 0, 2), (3, 3, 3, None)]
    assert found(1, [BAD, OPEN], promoted=(0,)) == [(0, 0, 0, None)]


def test_a_week_that_holds_the_promotion_is_counted_with_those_before_it() -> None:
    weeks = SERIES._replace(cadence="7d")
    assert found(2, [BAD] * 8, promoted=(0,), series=weeks) == [(0, 1, 6, 7)]


@given(st.integers(1, 4), outcomes)
def test_incidents_do_not_overlap_and_only_the_last_may_be_open(n: int, said: list) -> None:
    incidents = found(n, said)
    for began, fired, last, resolved in incidents:
        assert began <= fired <= last
        assert resolved is None or resolved > last
    for (*_, resolved), (began, *_) in pairwise(incidents):
        assert resolved is not None
        assert resolved < began


@given(st.integers(1, 4), outcomes, outcomes)
def test_more_history_keeps_what_was_resolved(n: int, said: list, more: list) -> None:
    resolved = [one for one in found(n, said) if one[3] is not None]
    assert found(n, said + more)[: len(resolved)] == resolved


def failing(rule: str, series: Series, first: int, last: int) -> Incident:
    """An incident whose first and last failing windows end on these days."""
    began, last_failed = START + first * DAY, START + last * DAY
    return Incident(
        monitor="m",
        rule=rule,
        series=series,
        severity=Outcome.CRITICAL,
        began=began,
        fired=began,
        last_failed=last_failed,
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (failing("day", SERIES, 8, 8), True),
        (failing("day", SERIES, 4, 4), True),  # the first day of the week that ends on day 10
        (failing("day", SERIES, 3, 3), False),  # it goes on without the day that was told
        (failing("day", SERIES, 2, 9), True),
        (failing("day", SERIES, 11, 11), False),
        (failing("week", SERIES, 8, 8), False),  # the same rule
        (failing("day", SERIES._replace(segment="x=1"), 8, 8), False),
        (failing("day", SERIES._replace(metric="ks"), 8, 8), False),
        (failing("day", SERIES._replace(model_version="2"), 8, 8), False),
    ],
)
def test_a_week_that_fails_because_of_a_day_that_was_told_is_no_news(
    told: Incident, expected: bool
) -> None:
    week = failing("week", SERIES._replace(cadence="7d"), 8, 10)
    window = Window.ending("7d", START + 10 * DAY)
    assert told_already(week, window, [told]) is expected
    assert not told_already(week, window, [])
