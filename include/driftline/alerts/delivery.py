"""Takes messages from the outbox to their channels, each at least once."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from driftline.alerts import slack
from driftline.alerts.notice import Notice
from driftline.domain import Incident, Verdict
from driftline.errors import DeliveryError, DriftlineError
from driftline.sections import Routes
from driftline.store import Store, outbox

log = logging.getLogger(__name__)

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
"""A message that failed is tried again after twice the wait before, at most this long."""


def _log(notice: Notice, target: str) -> None:
    log.warning("%s", notice.text)


CHANNELS: Mapping[str, Callable[[Notice, str], None]] = {"slack": slack.send, "log": _log}
"""How a notice is sent on each channel; what has no channel of its own yet goes to the log."""


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
        (route.channel, route.target) if route.channel in CHANNELS else ("log", "")
        for named, given in routes.items()
        if named == severity
        for route in given
    ]
    return found or [("log", "")]


def deliver(store: Store, monitor: str | None = None) -> list[str]:
    """Send what is due, of one monitor or of all; return what went wrong.

    A message that fails stays in the outbox and falls due again; nothing is lost.
    """
    now = datetime.now(UTC)
    with store.begin() as connection:
        messages = outbox.claim(connection, now, monitor=monitor)
    errors = []
    for message in messages:
        try:
            CHANNELS[message.channel](Notice.from_json(message.body), message.target)
        except DriftlineError as error:
            wait = min(FIRST_WAIT * 2 ** (message.attempts - 1), LONGEST_WAIT)
            if isinstance(error, DeliveryError) and error.retry_after:
                wait = max(wait, min(timedelta(seconds=error.retry_after), LONGEST_WAIT))
            with store.begin() as connection:
                outbox.failed(connection, message, error=str(error), next_attempt=now + wait)
            errors.append(f"{message.channel} {message.target}: {error}; it stays in the outbox")
        else:
            with store.begin() as connection:
                outbox.delivered(connection, message, datetime.now(UTC))
    return errors
