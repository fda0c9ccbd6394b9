"""Whatever a channel does is the fault of one message: the others go out, and nothing is raised."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from driftline.alerts import slack
from driftline.alerts.delivery import LONGEST_WAIT, deliver
from driftline.alerts.notice import Notice
from driftline.store import Store, outbox
from driftline.store.tables import outbox as table
from tests.alerts.test_delivery import TOKEN, message
from tests.alerts.unruly import Fault, Unruly, faults, random_fault, says

FEW = 10


@pytest.fixture
def elsewhere() -> Iterator[Unruly]:
    with Unruly(says(b'{"ok": true}')) as server:
        yield server


def test_a_channels_fault_is_one_messages(
    store: Store,
    elsewhere: Unruly,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    many: Callable[[int, int], int],
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setattr(slack, "TIMEOUT", 0.5)
    chance, known = random.Random(4), list(faults(elsewhere.url))
    number = many(FEW, len(known))
    chosen = known if number == len(known) else chance.sample(known, number)
    chosen += [random_fault(seed) for seed in range(many(FEW, 500))]
    for fault in chosen:
        with Unruly(fault.manner) as server:
            monkeypatch.setenv("SLACK_API_URL", server.url)
            caplog.clear()
            check(store, fault, caplog)
        assert len(server.requests) == 1, fault.name
    assert elsewhere.requests == []


def check(store: Store, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    with store.begin() as connection:
        connection.execute(table.delete())
        outbox.add(connection, [message(id="1"), message("log", id="2")])
    errors = deliver(store)
    with store.read() as connection:
        waiting, given_up = outbox.pending(connection), outbox.given_up(connection)
        due = connection.scalars(table.select().with_only_columns(table.c.due)).all()
    assert Notice.from_json(message().body).text in caplog.messages, fault.name
    state = "waits" if waiting else "given up" if given_up else "delivered"
    assert fault.state in (state, "any"), (fault.name, errors)
    assert len(errors) == (state != "delivered"), fault.name
    for error in errors:
        assert error.isprintable(), fault.name
        assert len(error) < 500, fault.name
        assert TOKEN not in error, fault.name
    longest = datetime.now(UTC) + LONGEST_WAIT + timedelta(minutes=1)
    assert all(moment < longest for moment in due if moment), fault.name
