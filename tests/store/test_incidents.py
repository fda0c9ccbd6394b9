"""Incidents: known again by a rerun, paged about once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from driftline.domain import Incident, Outcome
from driftline.store import Store, incidents
from tests.store.conftest import MONDAY, NOON, contents, measured

LATER = timedelta(days=1)
FIRING = Incident(
    monitor="flights",
    rule="high",
    series=measured().series,
    severity=Outcome.CRITICAL,
    began=MONDAY.end,
    fired=MONDAY.end + LATER,
    last_failed=MONDAY.end + 2 * LATER,
)
RESOLVED = replace(FIRING, rule="low", resolved=MONDAY.end + 3 * LATER)


def save(store: Store, *found: Incident) -> None:
    with store.begin() as connection:
        incidents.save(connection, found)


def ask(store: Store, question: Any, **bounds: Any) -> list[Incident]:
    with store.read() as connection:
        return list(question(connection, "flights", **bounds))


def test_incidents_come_back_as_they_were(store: Store) -> None:
    save(store, FIRING, RESOLVED, replace(FIRING, monitor="ferries"))
    save(store)
    assert ask(store, incidents.firing) == [FIRING]
    assert set(ask(store, incidents.of)) == {FIRING, RESOLVED}
    assert ask(store, incidents.of, start=FIRING.fired + LATER) == []
    assert ask(store, incidents.of, end=FIRING.fired) == []
    assert len(ask(store, incidents.of, start=FIRING.fired, end=FIRING.fired + LATER)) == 2


def test_saving_again_brings_up_to_date(store: Store) -> None:
    save(store, FIRING)
    later = replace(FIRING, last_failed=MONDAY.end + 5 * LATER)
    save(store, later)
    assert ask(store, incidents.of) == [later]
    before = contents(store, "incidents")
    save(store, later)
    assert contents(store, "incidents") == before
    save(store, replace(later, resolved=MONDAY.end + 6 * LATER))
    assert ask(store, incidents.firing) == []


def test_nobody_is_paged_twice(store: Store) -> None:
    other = replace(FIRING, rule="other")
    save(store, FIRING, other, RESOLVED)
    assert set(ask(store, incidents.unpaged)) == {FIRING, other}
    with store.begin() as connection:
        incidents.mark_paged(connection, [FIRING], NOON)
        incidents.mark_paged(connection, [FIRING], NOON + LATER)
        incidents.mark_paged(connection, [], NOON)
    save(store, FIRING)
    assert ask(store, incidents.unpaged) == [other]
    paged = [row for row in contents(store, "incidents") if FIRING.id in row]
    assert [str(value) for value in paged[0]][-2].startswith("2013-04-01 12:00:00")


def test_an_incident_of_a_hostile_series_is_found_again(store: Store) -> None:
    hostile = replace(FIRING, series=FIRING.series._replace(segment="origin=\0" + "x" * 9999))
    save(store, hostile)
    (found,) = ask(store, incidents.unpaged)
    save(store, hostile, found)
    for named in (hostile, found):
        with store.begin() as connection:
            incidents.mark_paged(connection, [named], NOON)
    assert ask(store, incidents.unpaged) == []
    assert len(contents(store, "incidents")) == 1


def test_an_incident_of_a_hostile_series_is_dropped_by_either_name(store: Store) -> None:
    hostile = replace(FIRING, series=FIRING.series._replace(segment="origin=\0" + "x" * 9999))
    for again in (True, False):
        save(store, hostile)
        (found,) = ask(store, incidents.unpaged)
        with store.begin() as connection:
            incidents.drop(connection, [hostile if again else found])
        assert ask(store, incidents.of) == []


def test_what_was_told_stays_and_what_never_was_is_dropped(store: Store) -> None:
    """Of another monitor nothing is known; a note is kept with what it was written to."""
    told = replace(FIRING, rule="told")
    save(store, FIRING, RESOLVED, told, replace(FIRING, monitor="ferries"))
    with store.begin() as connection:
        incidents.mark_paged(connection, [told], NOON)
        incidents.note(connection, [told.id], "retrained")
        assert incidents.never_paged(connection, "flights") == {FIRING.id, RESOLVED.id}
        assert RESOLVED.resolved
        later = incidents.since(connection, "flights", RESOLVED.resolved + LATER)
        assert {one.rule for one in later} == {"high", "told"}
        assert len(incidents.since(connection, "flights", RESOLVED.resolved)) == 3
        incidents.drop(connection, [FIRING, told])
    assert set(ask(store, incidents.of)) == {RESOLVED, replace(told, note="retrained")}
    with store.read() as connection:
        assert len(incidents.of(connection, "ferries")) == 1


def test_the_oldest_come_first(store: Store) -> None:
    days = [replace(FIRING, rule=f"{n}", fired=FIRING.fired + n * LATER) for n in (2, 0, 1)]
    save(store, *days)
    assert [one.rule for one in ask(store, incidents.firing)] == ["0", "1", "2"]


def test_those_that_fired_at_once_come_in_one_order(store: Store) -> None:
    same = [replace(FIRING, rule=f"{n}") for n in range(9)]
    ordered = sorted(same, key=lambda one: one.id)
    for one in reversed(ordered):
        save(store, one)
    assert ask(store, incidents.firing) == ordered
