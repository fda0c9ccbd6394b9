"""The outbox: every message at least once, by one deliverer at a time."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import URL

from driftline.store import Store, outbox
from driftline.store.outbox import LEASE, Message
from tests.store.conftest import NOON, contents

MINUTE = timedelta(minutes=1)


def message(number: int = 1, **changes: object) -> Message:
    plain = Message(
        id=f"message-{number:03}",
        monitor="flights",
        channel="slack",
        target="#ml-alerts",
        body='{"text": "psi of temp is 0.25"}',
        created=NOON + number * timedelta(seconds=1),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


LATE = NOON + 10 * MINUTE


def add(store: Store, *messages: Message) -> None:
    with store.begin() as connection:
        outbox.add(connection, messages)


def claim(store: Store, now: object = LATE, **options: object) -> list[Message]:
    with store.begin() as connection:
        return outbox.claim(connection, now, **options)  # type: ignore[arg-type]


def pending(store: Store, monitor: str | None = None) -> list[Message]:
    with store.read() as connection:
        return outbox.pending(connection, monitor)


def test_a_message_is_written_once_however_often_it_is_made(store: Store) -> None:
    add(store, message(), message(2))
    add(store, message(body="made again"), message(3))
    add(store)
    assert pending(store) == [message(1), message(2), message(3)]
    assert pending(store, "ferries") == []


def test_a_message_goes_with_the_transaction_it_is_written_in(store: Store) -> None:
    def interrupted() -> None:
        with store.begin() as connection:
            outbox.add(connection, [message()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert pending(store) == []


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(store: Store) -> None:
    add(store, message())
    assert claim(store) == [message(attempts=1)]
    assert claim(store) == claim(store, LATE + LEASE - MINUTE) == []
    assert pending(store) == [message(attempts=1)]
    assert claim(store, LATE + LEASE) == [message(attempts=2)]


def test_messages_are_claimed_oldest_first_so_many_at_a_time(store: Store) -> None:
    add(store, *(message(number) for number in (3, 1, 5, 2, 4)))
    assert [m.id[-1] for m in claim(store, limit=3)] == ["1", "2", "3"]
    assert [m.id[-1] for m in claim(store, limit=3)] == ["4", "5"]


def test_messages_of_one_moment_come_in_one_order(store: Store) -> None:
    same = [message(number, created=NOON) for number in range(9)]
    for one in reversed(same):
        add(store, one)
    assert pending(store) == same
    claimed = claim(store, limit=5) + claim(store)
    assert [one.id for one in claimed] == [one.id for one in same]
    with store.begin() as connection:
        for one in claimed:
            outbox.failed(connection, one, error="400", next_attempt=None)
        assert [one.id for one in outbox.given_up(connection)] == [one.id for one in same]


def test_what_is_not_due_or_of_another_monitor_is_not_claimed(store: Store) -> None:
    add(store, message(1, monitor="ferries"), message(2, created=LATE + MINUTE))
    assert claim(store, monitor="flights") == []
    assert [m.monitor for m in claim(store)] == ["ferries"]


def test_a_delivered_message_is_never_sent_again(store: Store) -> None:
    add(store, message())
    (claimed,) = claim(store)
    with store.begin() as connection:
        outbox.delivered(connection, claimed, LATE)
    before = contents(store, "outbox")
    add(store, message())
    assert claim(store, LATE + 99 * LEASE) == pending(store) == []
    assert contents(store, "outbox") == before


def test_a_failed_message_is_tried_again_when_it_is_told(store: Store) -> None:
    add(store, message())
    (claimed,) = claim(store)
    again = LATE + 2 * LEASE
    with store.begin() as connection:
        outbox.failed(connection, claimed, error="503", next_attempt=again)
    assert claim(store, again - MINUTE) == []
    assert claim(store, again) == [message(attempts=2, error="503")]


def test_a_message_that_is_given_up_stays_to_be_read(store: Store) -> None:
    add(store, message())
    (claimed,) = claim(store)
    with store.begin() as connection:
        outbox.failed(connection, claimed, error="400 no such channel", next_attempt=None)
    assert claim(store, LATE + 99 * LEASE) == pending(store) == []
    assert "400 no such channel" in contents(store, "outbox")[0]


def test_who_comes_late_changes_nothing(store: Store) -> None:
    """A deliverer that hung beyond its lease must not disturb the one that took over."""
    add(store, message())
    (slow,) = claim(store)
    (quick,) = claim(store, LATE + LEASE)
    with store.begin() as connection:
        outbox.failed(connection, slow, error="timed out", next_attempt=LATE)
    assert claim(store, LATE + LEASE + MINUTE) == []
    with store.begin() as connection:
        outbox.delivered(connection, quick, LATE + LEASE)
        outbox.failed(connection, quick, error="too late", next_attempt=LATE)
        outbox.delivered(connection, slow, LATE + 9 * LEASE)
    assert claim(store, LATE + 99 * LEASE) == []
    assert "too late" not in contents(store, "outbox")[0]


def test_deliverers_that_race_share_the_messages_out(store_url: URL, store: Store) -> None:
    add(store, *(message(number) for number in range(60)))
    start = threading.Barrier(4)
    taken: list[str] = []

    def deliver() -> None:
        with Store.open(store_url) as own:
            start.wait()
            while claimed := claim(own, limit=3):
                taken.extend(m.id for m in claimed)

    deliverers = [threading.Thread(target=deliver) for _ in range(4)]
    for deliverer in deliverers:
        deliverer.start()
    for deliverer in deliverers:
        deliverer.join()
    assert len(taken) == len(set(taken)) == 60


def test_a_deliverer_does_not_wait_for_another_on_postgresql(store: Store) -> None:
    if store._engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    add(store, message(1), message(2))
    with store.begin() as one, store.begin() as other:
        first = outbox.claim(one, LATE, limit=1)
        second = outbox.claim(other, LATE, limit=1)
    assert [m.id[-1] for m in (*first, *second)] == ["1", "2"]
