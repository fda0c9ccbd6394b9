"""The ledger: what was processed, so that a backfill can skip it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from driftline.domain import Suite, Window
from driftline.errors import WindowClaimed
from driftline.store import Store, ledger
from driftline.store.ledger import Entry, State
from tests.store.conftest import MONDAY, RUN, contents

LATER, HOURLY = timedelta(days=1), timedelta(hours=1)
TUESDAY = Window.ending("1d", MONDAY.end + LATER)
HOUR = Window.ending("1h", MONDAY.end)
DONE = Entry(
    monitor="flights",
    window=MONDAY,
    suite=Suite.DRIFT,
    state=State.DONE,
    as_of=MONDAY.end,
    config_hash="config-1",
    rows=1000,
    coverage=0.5,
)


def mark(store: Store, *entries: Entry) -> None:
    with store.begin() as connection:
        ledger.mark(connection, entries, **RUN)


def test_entries_come_back_as_they_were_in_the_order_of_time(store: Store) -> None:
    failed = replace(
        DONE, window=HOUR, state=State.FAILED, error="the log\0 is away", rows=None, coverage=None
    )
    idle = replace(DONE, window=TUESDAY, state=State.NOT_EVALUATED, suite=Suite.QUALITY)
    mark(store, idle, failed, DONE)
    mark(store)
    with store.read() as connection:
        found = ledger.of(connection, "flights")
        assert found == [DONE, replace(failed, error="the log\ufffd is away"), idle]
        assert ledger.of(connection, "flights", start=HOUR.start, end=HOUR.end) == found[1:2]
        assert ledger.of(connection, "flights", states=[State.FAILED]) == found[1:2]
        assert ledger.of(connection, "flights", config_hash="config-2") == []
        assert ledger.of(connection, "ferries") == []


def test_a_later_attempt_replaces_the_earlier(store: Store) -> None:
    mark(store, replace(DONE, state=State.FAILED, error="the log is away"))
    mark(store, DONE)
    before = contents(store, "windows")
    mark(store, DONE)
    assert contents(store, "windows") == before
    with store.read() as connection:
        assert ledger.of(connection, "flights") == [DONE]


def test_a_step_that_fails_has_measured_nothing(store: Store) -> None:
    """A monitor whose every step fails is as silent as one that does not run."""

    def last() -> object:
        with store.read() as connection:
            return ledger.last_measured(connection, "flights")

    def mark_at(entry: Entry, days: int) -> None:
        with store.begin() as connection:
            ledger.mark(connection, [entry], run_id="r", recorded_at=MONDAY.end + days * LATER)

    assert last() is None
    mark_at(replace(DONE, window=TUESDAY, state=State.FAILED), 1)
    mark_at(replace(DONE, window=HOUR, state=State.FAILED), 3)
    assert last() == MONDAY.end + LATER
    mark_at(DONE, 4)
    mark_at(replace(DONE, window=HOUR, state=State.FAILED), 5)
    mark_at(replace(DONE, suite=Suite.QUALITY, state=State.CLAIMED), 6)
    assert last() == MONDAY.end + 4 * LATER


def test_only_what_is_done_is_done(store: Store) -> None:
    restated = replace(DONE, as_of=TUESDAY.end)
    mark(
        store,
        DONE,
        restated,
        replace(DONE, window=TUESDAY, state=State.FAILED),
        replace(DONE, window=HOUR, state=State.NOT_EVALUATED),
        replace(DONE, suite=Suite.QUALITY, config_hash="config-0"),
        replace(DONE, suite=Suite.QUALITY, monitor="ferries"),
    )
    with store.read() as connection:
        done = ledger.done(connection, "flights", config_hash="config-1")
        later = ledger.done(connection, "flights", config_hash="config-1", start=MONDAY.end)
    assert done == {(Suite.DRIFT, MONDAY, MONDAY.end), (Suite.DRIFT, MONDAY, TUESDAY.end)}
    assert later == set()


def test_a_claim_holds_what_it_names_for_an_hour(store: Store) -> None:
    claimed = replace(DONE, state=State.CLAIMED)
    others = [
        replace(claimed, **change)
        for change in (
            {"monitor": "ferries"},
            {"window": TUESDAY},
            {"window": Window(cadence="2d", start=MONDAY.start, end=TUESDAY.end)},
            {"suite": Suite.QUALITY},
            {"as_of": TUESDAY.end},
            {"config_hash": "config-2"},
        )
    ]

    def claim(run_id: str, hours: float, *entries: Entry) -> None:
        now = MONDAY.end + hours * HOURLY
        with store.begin() as connection:
            ledger.claim(connection, entries, run_id=run_id, now=now)

    claim("r", 0, claimed)
    claim("r", 0.5, claimed)
    with pytest.raises(WindowClaimed, match="is being measured by r since 2013-04-02 00:30:00"):
        claim("s", 1.4, claimed)
    claim("s", 1.4, *others)
    with pytest.raises(WindowClaimed):
        claim("r", 1.5, others[-1])
    claim("s", 1.5, claimed)
    mark(store, DONE)
    claim("r", 1.5, claimed)


def test_what_was_known_at_a_moment_and_what_a_run_measures_again(store: Store) -> None:
    hour, evening = Window.ending("1h", MONDAY.end), Window.ending("7d", MONDAY.end)
    again = [
        replace(DONE, window=window, as_of=TUESDAY.end, suite=Suite.PERFORMANCE)
        for window in (evening, hour, MONDAY, Window.ending("1d", MONDAY.start))
    ]
    own = replace(again[0], window=TUESDAY)
    others = [
        replace(again[1], monitor="ferries"),
        replace(again[1], config_hash="config-2"),
        replace(again[1], suite=Suite.DRIFT),
        replace(again[1], as_of=TUESDAY.end + LATER),
    ]
    mark(store, DONE, own, *again, *others)
    asked = {"config_hash": "config-1", "as_of": TUESDAY.end}
    with store.read() as connection:
        found = ledger.restated(connection, "flights", suite=Suite.PERFORMANCE, **asked)
        asked["as_of"] = [TUESDAY.end]
        known = ledger.known(connection, "flights", start=MONDAY.start, **asked)
    assert found == [Window.ending("1d", MONDAY.start), hour, MONDAY, evening]
    assert {(one.suite, one.window) for one in known} == {
        *((Suite.PERFORMANCE, window) for window in (hour, MONDAY, TUESDAY)),
        (Suite.DRIFT, hour),
    }


def test_how_far_labels_were_followed(store: Store) -> None:
    performance = replace(DONE, suite=Suite.PERFORMANCE)
    late = replace(performance, window=TUESDAY, as_of=TUESDAY.end + 5 * LATER)
    mark(
        store,
        performance,
        late,
        replace(performance, window=Window.ending("1h", MONDAY.end + HOURLY), as_of=MONDAY.end),
        replace(performance, window=Window.ending("1d", MONDAY.start), state=State.FAILED),
        replace(performance, monitor="ferries", window=TUESDAY, as_of=TUESDAY.end),
        replace(performance, config_hash="config-2", window=TUESDAY, as_of=TUESDAY.end),
        replace(performance, suite=Suite.DRIFT, window=TUESDAY, as_of=TUESDAY.end),
        replace(performance, monitor="ferries", as_of=TUESDAY.end + 9 * LATER),
        replace(performance, config_hash="config-2", as_of=TUESDAY.end + 9 * LATER),
    )
    mine = {"config_hash": "config-1"}
    with store.read() as connection:
        assert ledger.measured_ends(connection, "flights", **mine) == {MONDAY.end}
        last = [
            ledger.last_known(connection, "flights", window, **mine)
            for window in (MONDAY, TUESDAY, Window.ending("1d", TUESDAY.end + LATER))
        ]
    assert last == [MONDAY.end, late.as_of, TUESDAY.end + LATER]
