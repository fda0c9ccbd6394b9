"""Notices that a monitor has gone silent: its runs have stopped, and nobody would know."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from driftline.alerts import delivery
from driftline.alerts.notice import Finding, Notice
from driftline.domain import DAY, HOUR, Outcome, digest
from driftline.monitor.config import Monitor
from driftline.printable import amount
from driftline.store import ledger, outbox

PATIENCE = 3
"""So many of its intervals a monitor may measure nothing."""


def silent_since(connection: Connection, monitor: Monitor, now: datetime) -> datetime | None:
    """Return when a monitor measured something last, where that is too long ago; else None.

    What failed has measured nothing. One whose schedule has ended is at rest, one that has never
    run has not begun.
    """
    schedule = monitor.schedule
    if schedule.end and schedule.end <= now:
        return None
    last = ledger.last_measured(connection, monitor.monitor)
    step = HOUR if schedule.hourly and "1h" in monitor.windows else DAY
    allowed = PATIENCE * step + monitor.predictions.settle
    return last if last and now - last > allowed else None


def tell(
    connection: Connection, monitor: Monitor, since: datetime, now: datetime, runs: str = ""
) -> None:
    """Put a message about the silence into the outbox, once for each silence.

    `runs` is where the last runs of its DAGs are seen.
    """
    hours = (now - since) / timedelta(hours=1)
    notice = Notice(
        monitor=monitor.monitor,
        severity=str(Outcome.CRITICAL),
        interval=f"since {since:%F %H:%M} UTC",
        findings=(
            Finding(
                rule="silent",
                severity=str(Outcome.CRITICAL),
                lines=(f"nothing was measured for {amount(round(hours), 'hour')}",),
                since=f"{since:%F %H:%M} UTC",
            ),
        ),
        causes=("its DAGs are paused, all their steps fail, or they are not parsed",),
        look=(f"{monitor.path}", runs or "the last runs of its DAGs"),
    )
    ways = delivery.ways(monitor.routes, str(Outcome.CRITICAL))
    outbox.add(
        connection,
        [
            outbox.Message(
                id=digest(monitor.monitor, since, channel, target),
                monitor=monitor.monitor,
                channel=channel,
                target=target,
                body=notice.to_json(),
                created=now,
            )
            for channel, target in ways
        ],
    )
