"""The reference of a new champion: features as it was trained on, scores as it was judged on.

Its rows lie in a Parquet file among the artifacts. What the model says is known of the holdout
only, where its recipe had not seen the labels; in the other rows it is null.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftline.domain import DAY, ColumnKind, ColumnStatistics, Scope, Window, digest, floor
from driftline.errors import LogError
from driftline.monitor.config import Monitor
from driftline.monitor.home import artifacts
from driftline.profile.bins import bins_of
from driftline.profile.classes import canonical
from driftline.profile.columns import Part
from driftline.profile.outcome_rows import bins_of_outcomes, profile_of
from driftline.profile.outcomes import OutcomeParts
from driftline.profile.reference import Reference
from driftline.profile.rows import LABEL, PREDICTION, RESERVED, SCORE, TIMESTAMP, Rows, score_of
from driftline.suites import performance
from driftline.warehouse import Logs

NUMERIC = ColumnKind.NUMERIC
_JUDGED = (LABEL, PREDICTION, TIMESTAMP)


def rows_file(monitor: Monitor, reference_id: str) -> Path:
    """Return where the rows of a promoted reference lie."""
    return artifacts(monitor) / "references" / f"{reference_id}.parquet"


def promoted(
    monitor: Monitor, logs: Logs, before: Reference, holdout: Rows, version: str, as_of: datetime
) -> Reference:
    """Count the reference that comes with a promotion, and write its rows.

    `before` is the reference in force, whose columns it keeps; `holdout` the holdout's labelled
    rows with what the challenger says of them.
    """
    assert monitor.retraining is not None
    start, begins = as_of - monitor.retraining.window, as_of - monitor.retraining.gate.holdout
    said = _said(monitor)
    features = {
        name: column.kind for name, column in before.statistics.columns.items() if name not in said
    }
    counted = logs.statistics(start, as_of, features)
    scores = pa.table(
        {
            name: holdout.table[role].cast(
                pa.float64() if before.statistics.columns[name].kind is NUMERIC else pa.string()
            )
            for name, role in said.items()
        }
    )
    spoken = {name: _statistics(scores[name], before, name) for name in said}
    reference = Reference(
        id=digest(monitor.monitor, monitor.config_hash, version, as_of),
        monitor=monitor.monitor,
        valid_from=as_of,
        start=start,
        end=as_of,
        statistics=replace(counted, columns={**counted.columns, **spoken}),
        daily_rows=logs.daily_rows(start, as_of),
        model_version=version,
        outcomes=bins_of_outcomes(monitor, holdout.table),
        performance=_performance(monitor, holdout, as_of),
        operations=before.operations,  # the new champion has served nobody yet
    )
    share = min(1.0, monitor.drift.rows / max(counted.rows, 1))
    earlier = logs.rows(
        start, begins, features, labels=False, limit=max(1, round(share * monitor.drift.rows))
    ).table
    later = holdout.table.slice(0, max(1, round(share * len(holdout.table))))
    kept = [name for name in earlier.column_names if name in later.column_names]
    kept = [name for name in kept if not name.startswith(RESERVED)]
    roles = [name for name in later.column_names if name in _JUDGED or name.startswith(SCORE)]
    spoken_later = {n: scores[n].slice(0, len(later)) for n in said}
    spoken_later |= {name: later[name] for name in roles}
    silent = {name: pa.nulls(len(earlier), values.type) for name, values in spoken_later.items()}
    table = pa.concat_tables(
        [_with(earlier.select(kept), silent), _with(later.select(kept), spoken_later)]
    )
    kinds = {name: column.kind for name, column in before.statistics.columns.items()}
    reference = replace(reference, bins=bins_of(table, kinds), segments=before.segments)
    content = BytesIO()
    pq.write_table(table, content, compression="zstd")
    _write(rows_file(monitor, reference.id), content.getvalue())
    return replace(reference, rows_sha256=hashlib.sha256(content.getvalue()).hexdigest())


def rows_of(monitor: Monitor, reference: Reference) -> Rows:
    """Return the rows of a promoted reference; LogError where its file is not what was written."""
    path = rows_file(monitor, reference.id)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LogError(f"the rows of the reference {reference.id} are gone: {path}") from None
    if hashlib.sha256(content).hexdigest() != reference.rows_sha256:
        raise LogError(f"{path} does not hold the rows that the promotion wrote")
    return Rows(table=pq.read_table(BytesIO(content)), total=reference.statistics.rows)


def outcomes_of(monitor: Monitor, reference: Reference) -> dict[datetime, OutcomeParts]:
    """Return by day what came of the new champion's predictions on its holdout."""
    assert reference.outcomes is not None
    table = rows_of(monitor, reference).table
    judged = table.filter(pc.is_valid(table[LABEL]))
    days = pc.floor_temporal(judged[TIMESTAMP], unit="day")
    found: dict[datetime, OutcomeParts] = {}
    for day in sorted(pc.unique(days).to_pylist()):
        own = judged.filter(pc.equal(days, pa.scalar(day, days.type)))
        profile = profile_of(monitor, reference.outcomes, own)
        found[day.astimezone(UTC)] = {Part(reference.model_version, ""): profile}
    return found


def _said(monitor: Monitor) -> dict[str, str]:
    """Return by column what the model says, under which name rows hold it."""
    log = monitor.predictions
    if isinstance(log.score, dict):
        return {column: score_of(canonical(name)) for name, column in log.score.items()}
    return {log.score: SCORE} if log.score else {str(log.prediction): PREDICTION}


def _statistics(values: pa.ChunkedArray, before: Reference, name: str) -> ColumnStatistics:
    kind = before.statistics.columns[name].kind
    if kind is NUMERIC:
        finite = values.filter(pc.is_finite(values))
        ends = pc.min_max(finite).as_py()
        return ColumnStatistics(
            kind=kind,
            nulls=0,
            minimum=ends["min"],
            maximum=ends["max"],
            infinite=len(values) - len(finite),
        )
    counts = {one["values"]: one["counts"] for one in pc.value_counts(values).to_pylist()}
    return ColumnStatistics(kind=kind, nulls=0, categories=counts)


def _performance(monitor: Monitor, holdout: Rows, as_of: datetime) -> dict[tuple[str, str], float]:
    scope = Scope(
        monitor=monitor.monitor,
        window=Window.ending("1d", floor(as_of, DAY)),
        as_of=as_of,
        config_hash=monitor.config_hash,
    )
    bins = bins_of_outcomes(monitor, holdout.table)
    measured = performance.measure(scope, profile_of(monitor, bins, holdout.table))
    return {(m.metric, m.detail): m.value for m in measured if m.value is not None}


def _with(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
