from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from driftline.alerts.incidents import incidents
from driftline.domain import DAY, Incident, Outcome, Series
from driftline.sections import Rule

OK, BAD, OPEN = Outcome.OK, Outcome.WARN, Outcome.NOT_EVALUATED
SERIES = Series("", "", "1d", "drift", "psi", "temp", "", "reference", "evidently")
START = datetime(2013, 4, 1, tzinfo=UTC)

outcomes = st.lists(st.sampled_from([OK, BAD, OPEN]), max_size=30)


def rule(in_a_row: int) -> Rule:
    return Rule.model_validate({"metric": "psi", "max": 0.2, "for": in_a_row})


def found(in_a_row: int, said: list[Outcome]) -> list[tuple[int, int, int, int | None]]:
    """Incidents as day numbers: began, fired, last failed, resolved."""
    history = [(START + day * DAY, outcome) for day, outcome in enumerate(said)]
    return [
        (
            (one.began - START).days,
            (one.fired - START).days,
            (one.last_failed - START).days,
            None if one.resolved is None else (one.resolved - START).days,
        )
        for one in incidents("m", rule(in_a_row), SERIES, history)
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
