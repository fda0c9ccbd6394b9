"""Whether a retraining may begin: not too soon, not on broken data, not twice."""

from datetime import datetime

from sqlalchemy import Connection

from driftline.domain import Outcome, Retraining, RetrainingState, Suite, cadence_length
from driftline.monitor.config import Monitor
from driftline.retraining.request import Request
from driftline.store import retrainings, verdicts


def refusal(connection: Connection, monitor: Monitor, request: Request) -> str:
    """Return in words why a retraining may not begin; '' when it may.

    The cooldown counts from the last one that was decided by the gate or a person; one that was
    not admitted does not count. A retraining that is asked for again, at the same moment, may go
    on unless it has promoted a model.
    """
    how = monitor.retraining
    if how is None:
        return f"{monitor.path}: retraining: nothing is set up under this key"
    own = retrainings.get(connection, monitor.monitor, request.as_of)
    if own and own.state is RetrainingState.PROMOTED:
        return f"it was done: {own.promoted} was promoted as of {_moment(own.as_of)}"
    before = retrainings.history(connection, monitor.monitor, before=request.as_of)
    last = next((row for row in before if _counts(row, own_dag=how.dag is None)), None)
    if last and request.as_of - last.as_of < how.cooldown:
        return (
            f"within the cooldown: the last was decided as of {_moment(last.as_of)} "
            f"({last.state}), the next may be from {_moment(last.as_of + how.cooldown)} on"
        )
    longest = max(cadence_length(cadence) for cadence in monitor.windows)
    broken = verdicts.failures(
        connection,
        monitor.monitor,
        suite=Suite.QUALITY,
        outcome=Outcome.CRITICAL,
        config_hash=monitor.config_hash,
        start=request.as_of - longest,
        end=request.as_of,
    )
    if broken:
        rule, series, window = broken[-1]
        return (
            f"the data are broken: {rule} failed on {series.column_name or 'the table'} in {window}"
        )
    return ""


def _counts(row: Retraining, *, own_dag: bool) -> bool:
    """Whether the cooldown begins with it; of a DAG of the user's own only the start is known."""
    if not own_dag:
        return row.state is RetrainingState.ADMITTED
    return row.state is RetrainingState.PROMOTED or (
        row.state is RetrainingState.REFUSED and bool(row.challenger)
    )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
