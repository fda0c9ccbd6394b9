"""Messages that are to be sent, written in the transaction of what they speak of.

A deliverer claims a message for a while, sends it, and says how that went. When it dies in between
the message falls due again: each one is sent at least once, and by one deliverer at a time.
One that its channel will never take is given up: it is neither due nor delivered, until a person
has it sent again or discards it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select, update

from driftline.store.rows import Row, upsert
from driftline.store.tables import outbox

LEASE = timedelta(minutes=5)
"""How long a deliverer has, from claiming a message, until another one may send it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to be said on a channel.

    The same message, made again by a rerun, has the same `id`. `attempts` counts how often it was
    claimed, `error` is what the last failed attempt met.
    """

    id: str
    monitor: str
    channel: str
    target: str
    body: str
    created: datetime
    attempts: int = 0
    error: str = ""


def add(connection: Connection, messages: Iterable[Message]) -> None:
    """Put messages into the outbox, due at once; one that is there, sent or not, stays as it is."""
    rows = [
        {
            "id": message.id,
            "monitor": message.monitor,
            "channel": message.channel,
            "target": message.target,
            "body": message.body,
            "created": message.created,
            "due": message.created,
        }
        for message in messages
    ]
    upsert(connection, outbox, rows, keep=None)


def pending(connection: Connection, monitor: str | None = None) -> list[Message]:
    """Return the messages that are still to be sent, due or not, oldest first."""
    asked = select(outbox).where(outbox.c.due.is_not(None), *_of(monitor))
    rows = connection.execute(asked.order_by(outbox.c.created, outbox.c.id)).mappings()
    return [_message(row) for row in rows]


def given_up(connection: Connection, monitor: str | None = None) -> list[Message]:
    """Return the messages that are not tried any more and were not discarded, oldest first."""
    asked = select(outbox).where(*_given_up(monitor))
    rows = connection.execute(asked.order_by(outbox.c.created, outbox.c.id)).mappings()
    return [_message(row) for row in rows]


def send_again(connection: Connection, now: datetime, monitor: str | None = None) -> int:
    """Let what was given up fall due now, as if it had never been tried; return how many."""
    again = update(outbox).where(*_given_up(monitor)).values(due=now, attempts=0)
    return connection.execute(again).rowcount


def discard(connection: Connection, now: datetime, monitor: str | None = None) -> list[Message]:
    """Settle what was given up without sending it; return it.

    The rows stay, as delivered at this moment with the error they met: made again, they are known.
    """
    left = given_up(connection, monitor)
    connection.execute(update(outbox).where(*_given_up(monitor)).values(delivered=now))
    return left


def claim(
    connection: Connection,
    now: datetime,
    *,
    monitor: str | None = None,
    without: Collection[str] = (),
    limit: int = 20,
    lease: timedelta = LEASE,
) -> list[Message]:
    """Take messages that are due, oldest first; until the lease ends nobody else gets them.

    Those of the channels `without` are left. Commit before sending: the claim keeps others away.
    """
    due = select(outbox.c.id).where(*_due(now, monitor), outbox.c.channel.not_in(without))
    due = due.order_by(outbox.c.created, outbox.c.id).limit(limit)
    # PostgreSQL passes over rows that another deliverer is claiming; SQLite has one writer.
    ids = connection.scalars(due.with_for_update(skip_locked=True)).all()
    taken = (
        update(outbox)
        .where(outbox.c.id.in_(ids))
        .values(attempts=outbox.c.attempts + 1, due=now + lease)
        .returning(outbox)
    )
    rows = connection.execute(taken).mappings().all()
    return sorted((_message(row) for row in rows), key=lambda m: (m.created, m.id))


def count_due(connection: Connection, now: datetime, monitor: str | None = None) -> int:
    """Return how many messages are due."""
    return connection.scalars(select(func.count()).where(*_due(now, monitor))).one()


def delivered(connection: Connection, message: Message, at: datetime) -> None:
    """Note that a message was taken by its channel: it is not sent again."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id == message.id, outbox.c.delivered.is_(None))
        .values(delivered=at, due=None, error="")
    )


def failed(
    connection: Connection, message: Message, *, error: str, next_attempt: datetime | None
) -> None:
    """Note that a claimed message could not be sent, and when to try again; None gives it up.

    Says nothing when the lease was over and somebody else has the message by now.
    """
    connection.execute(
        update(outbox)
        .where(
            outbox.c.id == message.id,
            outbox.c.attempts == message.attempts,
            outbox.c.delivered.is_(None),
        )
        .values(due=next_attempt, error=error)
    )


def _due(now: datetime, monitor: str | None) -> list[ColumnElement[bool]]:
    return [outbox.c.due <= now, *_of(monitor)]


def _given_up(monitor: str | None) -> list[ColumnElement[bool]]:
    return [outbox.c.due.is_(None), outbox.c.delivered.is_(None), *_of(monitor)]


def _of(monitor: str | None) -> list[ColumnElement[bool]]:
    return [] if monitor is None else [outbox.c.monitor == monitor]


def _message(row: Row) -> Message:
    return Message(
        id=row["id"],
        monitor=row["monitor"],
        channel=row["channel"],
        target=row["target"],
        body=row["body"],
        created=row["created"],
        attempts=row["attempts"],
        error=row["error"],
    )
