"""Takes messages from the outbox to their channels, each at least once."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic

from driftline.alerts import slack
from driftline.alerts.notice import Notice
from driftline.domain import Incident, Verdict
from driftline.errors import DeliveryError, DriftlineError
from driftline.monitor.sections import Routes
from driftline.printable import amount, printable
from driftline.store import Store, outbox
from driftline.store.outbox import Message

log = logging.getLogger(__name__)

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
"""A message that failed is tried again after twice the wait before, at most this long."""
MOST_ATTEMPTS = 80
"""After so many, three days, a message is given up: what it tells is no news any more."""
LONGEST_DELIVERY = 60
"""Seconds after which a delivery takes up no other message: it is measuring that waits for it."""


def _log(notice: Notice, target: str) -> None:
    log.warning("%s", notice.text)


CHANNELS: Mapping[str, Callable[[Notice, str], None]] = {"slack": slack.send, "log": _log}
"""How a notice is sent on each channel; what has no channel of its own yet goes to the log."""


LOG = ("log", "")
"""The way of what has no other."""


def routed(
    routes: Routes, incidents: Mapping[Incident, Verdict]
) -> Iterator[tuple[str, str, dict[Incident, Verdict]]]:
    """Yield channel, target and the incidents that go there; without a route it is the log."""
    groups: dict[tuple[str, str], dict[Incident, Verdict]] = {}
    for incident, verdict in incidents.items():
        for way in ways(routes, incident.severity):
            groups.setdefault(way, {})[incident] = verdict
    for (channel, target), part in groups.items():
        yield channel, target, part


def ways(routes: Routes, severity: str) -> list[tuple[str, str]]:
    """Return channel and target of each route of a severity; without a route it is the log."""
    found = [
        (route.channel, route.target) if route.channel in CHANNELS else LOG
        for named, given in routes.items()
        if named == severity
        for route in given
    ]
    return found or [LOG]


def deliver(store: Store, monitor: str | None = None) -> list[str]:
    """Send what is due, of one monitor or of all; return what went wrong.

    What goes wrong with a message is that message's fault: it falls due again, or is given up where
    its channel will never take it, and the others go out. A channel that did not answer in time
    is not asked again by this delivery.
    """
    errors: list[str] = []
    mute: set[str] = set()
    end = monotonic() + LONGEST_DELIVERY
    while monotonic() < end:
        with store.begin() as connection:
            claimed = outbox.claim(
                connection, datetime.now(UTC), monitor=monitor, without=mute, limit=1
            )
        if not claimed:
            break
        errors += _delivered(store, claimed[0], mute)
    with store.read() as connection:
        late = mute or monotonic() >= end
        if late and (left := outbox.count_due(connection, datetime.now(UTC), monitor)):
            errors.append(
                amount(
                    left,
                    "more message was not tried and waits in the outbox",
                    "more messages were not tried and wait in the outbox",
                )
            )
    return errors


def _delivered(store: Store, message: Message, mute: set[str]) -> list[str]:
    """Send one message and note how that went; return what went wrong."""
    try:
        _send(message)
    except DeliveryError as error:
        if error.timed_out:
            mute.add(message.channel)
        return [_failed(store, message, error)]
    with store.begin() as connection:
        outbox.delivered(connection, message, datetime.now(UTC))
    return []


def _send(message: Message) -> None:
    """Send a message; whatever keeps it from being sent is a DeliveryError."""
    channel = CHANNELS.get(message.channel)
    if channel is None:
        raise DeliveryError(f"there is no such channel: {', '.join(CHANNELS)}", permanent=True)
    try:
        notice = Notice.from_json(message.body)
    except ValueError:
        raise DeliveryError("the message in the outbox is damaged", permanent=True) from None
    try:
        channel(notice, message.target)
    except DeliveryError:
        raise
    except DriftlineError as error:
        raise DeliveryError(str(error)) from error
    except Exception as error:
        log.exception("sending message %s failed", message.id)
        raise DeliveryError(f"{type(error).__name__}, see the log") from error


def _failed(store: Store, message: Message, error: DeliveryError) -> str:
    """Note when a message that failed is tried again, if ever; return what to say."""
    given_up = error.permanent or message.attempts >= MOST_ATTEMPTS
    wait = FIRST_WAIT * 2 ** min(message.attempts - 1, 10)
    wish = timedelta(seconds=min(error.retry_after or 0, LONGEST_WAIT.total_seconds()))
    again = datetime.now(UTC) + max(wish, min(wait, LONGEST_WAIT))
    with store.begin() as connection:
        outbox.failed(
            connection, message, error=str(error), next_attempt=None if given_up else again
        )
    said = printable(f"{message.channel} {message.target}: {error}")
    if not given_up:
        return f"{said}; it stays in the outbox"
    log.error("given up: %s; the message was: %s", said, printable(message.body))
    return f"{said}; it is given up: {mend(message)}"


def given_up(store: Store, monitor: str | None = None) -> list[str]:
    """Return what is to be said of messages that are not tried any more, a line each."""
    with store.read() as connection:
        left = outbox.given_up(connection, monitor)
    return [
        printable(f"{each.channel} {each.target}: {each.error}; given up: {mend(each)}")
        for each in left
    ]


def mend(message: Message) -> str:
    """Return what a person may do about a message that was given up."""
    return (
        f"when that is mended, `driftline store deliver --failed --monitor {message.monitor}`; "
        f"else `driftline store discard --monitor {message.monitor}`"
    )
