"""The steps of a retraining, each of which may be taken again after whatever end.

    admit -> challenge -> gate [-> a person approves] -> refit -> promote -> announce

What has been found so far stands in the store; a step reads it there, and the models from the
registry by the digests that stand in the store.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time

from sqlalchemy import Connection

from driftline.alerts import delivery
from driftline.alerts.notice import Finding, Notice
from driftline.connections import Connections, from_environment
from driftline.domain import Outcome, Retraining, RetrainingState, digest
from driftline.errors import InputError
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Retraining as How
from driftline.printable import amount
from driftline.profile.reference import Reference
from driftline.profile.rows import Rows
from driftline.retraining import admission, promoted_reference
from driftline.retraining.gate import compare
from driftline.retraining.registry import POINTER, Version, registry_of
from driftline.retraining.request import Request
from driftline.retraining.training import TrainingContext, fit, scored, training_set
from driftline.store import Store, incidents, open_store, outbox, references, retrainings
from driftline.warehouse import Logs, open_logs

MIN_TRAINING_ROWS = 1000
"""With fewer labelled rows nothing is trained."""

LOGGED = "the model of the logs"
"""What the champion is called while the registry has none: its logged scores stand for it."""


def admit(
    monitor: Monitor,
    request: Request,
    *,
    run_id: str,
    connections: Connections = from_environment,
) -> Retraining:
    """Begin a retraining, or refuse it: too soon, on broken data, done already."""
    with open_store(monitor, connections) as store, store.begin(monitor.monitor) as connection:
        known = retrainings.get(connection, monitor.monitor, request.as_of)
        if known and known.state is RetrainingState.PROMOTED:
            return known
        refusal = admission.refusal(connection, monitor, request)
        champion = _champion(connection, monitor)
        row = Retraining(
            monitor=monitor.monitor,
            as_of=request.as_of,
            state=RetrainingState.REFUSED if refusal else RetrainingState.ADMITTED,
            reason=request.reason,
            evidence=request.evidence,
            decision=f"refused: {refusal}" if refusal else "admitted",
            champion=champion.name if champion else LOGGED,
            champion_sha256=champion.sha256 if champion else "",
            metric=monitor.gate_metric,
        )
        _save(connection, row, run_id)
        return row


def challenge(
    monitor: Monitor,
    as_of: datetime,
    *,
    run_id: str,
    connections: Connections = from_environment,
) -> Retraining:
    """Train a challenger on labelled rows that end before the holdout begins."""
    with _at(monitor, as_of, connections) as (store, row, how):
        begins = row.as_of - how.gate.holdout
        start = begins - how.window
        with open_logs(monitor, connections) as logs:
            given = training_set(monitor, logs, start, begins, as_of=begins)
        many = len(given)
        row = replace(row, train_start=start, holdout_start=begins)
        if many < MIN_TRAINING_ROWS:
            words = (
                f"refused: {amount(many, 'labelled row')} from {start:%F} to {begins:%F}; "
                f"{MIN_TRAINING_ROWS:,} are wanted to train on"
            )
            return _kept(store, replace(row, state=RetrainingState.REFUSED, decision=words), run_id)
        model = fit(monitor, given, _context(monitor, row, start, begins))
        version = registry_of(monitor).register(f"{_name(row.as_of)}-challenger", model)
        return _kept(
            store,
            replace(
                row,
                state=RetrainingState.TRAINED,
                challenger=version.name,
                challenger_sha256=version.sha256,
                decision=f"a challenger was trained on {amount(many, 'row')}",
            ),
            run_id,
        )


def gate(
    monitor: Monitor,
    as_of: datetime,
    *,
    run_id: str,
    connections: Connections = from_environment,
) -> Retraining:
    """Compare champion and challenger on the same holdout; only what is surely better passes."""
    with _at(monitor, as_of, connections) as (store, row, _):
        if not row.challenger:
            return row  # it was refused before there was one
        with open_logs(monitor, connections) as logs:
            rows = _holdout(monitor, logs, row)
        registry = registry_of(monitor)
        challenger = scored(monitor, registry.load(_challenger(row)), rows)
        with store.read() as connection:
            champion = _champion(connection, monitor)
        logged = champion is None
        before = rows if champion is None else scored(monitor, registry.load(champion), rows)
        found = compare(monitor, row.metric, before, challenger)
        against = " (the champion's logged scores stand for it)" if logged else ""
        row = replace(
            row,
            champion=champion.name if champion else LOGGED,
            champion_sha256=champion.sha256 if champion else "",
            state=RetrainingState.PASSED if found.better else RetrainingState.REFUSED,
            decision=f"{'passed' if found.better else 'refused'}: {found.words}{against}",
            champion_value=found.champion,
            challenger_value=found.challenger,
            gain=found.gain,
            lower=found.lower,
            upper=found.upper,
            rows=found.rows,
        )
        return _kept(store, row, run_id)


def decline(
    monitor: Monitor,
    as_of: datetime,
    *,
    who: str,
    run_id: str,
    connections: Connections = from_environment,
) -> Retraining:
    """Record that a person declined what had passed the gate, or that nobody answered."""
    with _at(monitor, as_of, connections) as (store, row, _):
        words = f"refused: declined by {who}; before that it {row.decision}"
        if row.state is RetrainingState.REFUSED:
            return row
        return _kept(store, replace(row, state=RetrainingState.REFUSED, decision=words), run_id)


def refit(
    monitor: Monitor,
    as_of: datetime,
    *,
    run_id: str,
    connections: Connections = from_environment,
) -> Retraining:
    """Fit the same recipe on all labelled rows up to now, and register the model."""
    with _at(monitor, as_of, connections) as (store, row, how):
        _passed(row)
        if row.state is RetrainingState.PROMOTED:
            return row
        start = row.as_of - how.window
        with open_logs(monitor, connections) as logs:
            given = training_set(monitor, logs, start, row.as_of, as_of=row.as_of)
        model = fit(monitor, given, _context(monitor, row, start, row.as_of))
        version = registry_of(monitor).register(_name(row.as_of), model)
        return _kept(
            store,
            replace(
                row,
                state=RetrainingState.REFITTED,
                promoted=version.name,
                promoted_sha256=version.sha256,
            ),
            run_id,
        )


def promote(
    monitor: Monitor,
    as_of: datetime,
    *,
    run_id: str,
    connections: Connections = from_environment,
) -> Retraining:
    """Make the refitted model the champion, with a new reference; note it on the incidents.

    First the files, then the store in one transaction, then the pointer: killed anywhere in
    between, calling it again completes it.
    """
    with _at(monitor, as_of, connections) as (store, row, _):
        _passed(row)
        registry = registry_of(monitor)
        version = Version(name=row.promoted, sha256=row.promoted_sha256)
        if row.state is RetrainingState.PROMOTED:
            _point(store, monitor, row, version)
            return row
        new = None
        if monitor.reference.previous is None:
            with open_logs(monitor, connections) as logs, store.read() as connection:
                before = _in_force(connection, monitor, row)
                rows = _holdout(monitor, logs, row)
                judged = scored(monitor, registry.load(_challenger(row)), rows)
                new = promoted_reference.promoted(
                    monitor, logs, before, judged, version.name, row.as_of
                )
        words = row.decision.partition("; promoted ")[0]
        row = replace(
            row,
            state=RetrainingState.PROMOTED,
            decision=f"{words}; promoted {version.name}, fitted through {row.as_of:%F}",
        )
        with store.begin(monitor.monitor) as connection:
            if new:
                references.save(connection, new, config_hash=monitor.config_hash)
            _save(connection, row, run_id)
        _point(store, monitor, row, version)
        return row


def announce(
    monitor: Monitor,
    as_of: datetime,
    *,
    run_id: str,
    link: str = "",
    connections: Connections = from_environment,
) -> None:
    """Put what came of it into the outbox, once, and note it on the incidents it was about.

    `link` is where the run is seen that did it.
    """
    with open_store(monitor, connections) as store, store.begin(monitor.monitor) as connection:
        row = _found(connection, monitor, as_of)
        said = _NOTES[row.state]
        incidents.note(
            connection, {each.incident for each in row.evidence}, f"{said} {row.as_of:%F}"
        )
        notice = Notice(
            monitor=monitor.monitor,
            severity=str(Outcome.WARN),
            interval=f"as of {row.as_of:%F %H:%M} UTC",
            findings=(
                Finding(
                    rule=said,
                    severity=str(Outcome.WARN),
                    lines=(row.decision, f"asked for because: {row.reason}"),
                    since=f"{row.as_of:%F %H:%M} UTC",
                ),
            ),
            look=(link,) if link else (),
        )
        ways = delivery.ways(monitor.routes, str(Outcome.WARN))
        outbox.add(
            connection,
            [
                outbox.Message(
                    id=digest(monitor.monitor, str(row.as_of), said, row.decision, *way),
                    monitor=monitor.monitor,
                    channel=way[0],
                    target=way[1],
                    body=notice.to_json(),
                    created=datetime.now(UTC),
                )
                for way in ways
            ],
        )


_NOTES = {
    RetrainingState.ADMITTED: "retraining has begun",
    RetrainingState.TRAINED: "retraining: a challenger is trained",
    RetrainingState.PASSED: "retraining awaits approval",
    RetrainingState.REFITTED: "retraining: about to promote",
    RetrainingState.REFUSED: "retraining refused",
    RetrainingState.PROMOTED: "retrained and promoted",
}


def found(
    monitor: Monitor, as_of: datetime, *, connections: Connections = from_environment
) -> Retraining:
    """Return how far the retraining of a moment has come; InputError where there is none."""
    with open_store(monitor, connections) as store, store.read() as connection:
        return _found(connection, monitor, as_of)


@contextmanager
def _at(
    monitor: Monitor, as_of: datetime, connections: Connections
) -> Iterator[tuple[Store, Retraining, How]]:
    if monitor.retraining is None:
        raise InputError(f"{monitor.path}: retraining: nothing is set up under this key")
    with open_store(monitor, connections) as store:
        with store.read() as connection:
            row = _found(connection, monitor, as_of)
        yield store, row, monitor.retraining


def _found(connection: Connection, monitor: Monitor, as_of: datetime) -> Retraining:
    row = retrainings.get(connection, monitor.monitor, as_of)
    if row is None:
        raise InputError(f"{monitor.monitor}: no retraining was asked for as of {as_of:%F %T}")
    return row


def _save(connection: Connection, row: Retraining, run_id: str) -> None:
    retrainings.save(connection, row, run_id=run_id, recorded_at=datetime.now(UTC))


def _kept(store: Store, row: Retraining, run_id: str) -> Retraining:
    with store.begin(row.monitor) as connection:
        _save(connection, row, run_id)
    return row


def _passed(row: Retraining) -> None:
    """Refuse to go on with what has not passed the gate, whoever calls."""
    if row.state not in (
        RetrainingState.PASSED,
        RetrainingState.REFITTED,
        RetrainingState.PROMOTED,
    ):
        raise InputError(f"{row.monitor}: as of {row.as_of:%F} nothing has passed: {row.decision}")


def _name(as_of: datetime) -> str:
    return f"v{as_of:%Y-%m-%d}" if as_of.time() == time() else f"v{as_of:%Y-%m-%dT%H%M%S}"


def _challenger(row: Retraining) -> Version:
    return Version(name=row.challenger, sha256=row.challenger_sha256)


def _champion(connection: Connection, monitor: Monitor) -> Version | None:
    """Return the model in service; InputError where the store knows it by another digest, or not.

    Pointer and model lie in one folder: who can replace one can replace both. The first model may
    have been put there by hand; from its first retraining on it is known, and no other is taken.
    """
    registry = registry_of(monitor)
    champion, rows = registry.champion(), retrainings.history(connection, monitor.monitor)
    promoted = [row for row in rows if row.state is RetrainingState.PROMOTED]
    known = {(row.promoted, row.promoted_sha256) for row in promoted}
    known |= {(row.champion, row.champion_sha256) for row in rows if row.champion_sha256}
    if champion is None or not known or (champion.name, champion.sha256) in known:
        return champion
    last = promoted[0].promoted if promoted else "none"
    raise InputError(
        f"{registry.folder / POINTER} names {champion.name} with the SHA-256 {champion.sha256}, "
        f"which the store does not know; it is not loaded. Restore pointer and model (the last "
        f"promotion was {last}; known are {', '.join(sorted({name for name, _ in known}))}), "
        "and find out who changed them"
    )


def _context(monitor: Monitor, row: Retraining, start: datetime, end: datetime) -> TrainingContext:
    return TrainingContext(
        monitor=monitor.monitor,
        reason=row.reason,
        start=start,
        end=end,
        as_of=row.as_of,
        champion=row.champion,
    )


def _in_force(connection: Connection, monitor: Monitor, row: Retraining) -> Reference:
    """Return the reference whose columns are watched now."""
    found = references.in_force(connection, monitor.monitor, monitor.config_hash, row.as_of)
    if found is None:
        raise InputError(f"{monitor.monitor} has measured nothing yet: it has no reference")
    return found


def _holdout(monitor: Monitor, logs: Logs, row: Retraining) -> Rows:
    """Return the rows of the holdout whose label was known, with features as the log has them."""
    assert monitor.retraining is not None
    assert row.holdout_start is not None
    start, end = row.holdout_start, row.as_of
    return logs.rows(
        start,
        end,
        logs.features(start, end),
        as_of=end,
        limit=monitor.retraining.rows,
        raw=True,
        labelled=True,
    )


def _point(store: Store, monitor: Monitor, row: Retraining, version: Version) -> None:
    """Move the champion's pointer, unless a later promotion has moved it on."""
    with store.read() as connection:
        rows = retrainings.history(connection, monitor.monitor)
    newest = next(r for r in rows if r.state is RetrainingState.PROMOTED)
    if newest.as_of == row.as_of:
        registry_of(monitor).promote(version)
