"""The ledger: what was processed, so that a backfill can skip it."""

from dataclasses import replace
from datetime import timedelta

from driftline.domain import Suite, Window
from driftline.store import Store, ledger
from driftline.store.ledger import Entry, State
from tests.store.conftest import MONDAY, RUN, contents

LATER = timedelta(days=1)
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
