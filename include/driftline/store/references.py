"""The references: frozen statistics, each in force from a moment on."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, select

from driftline.domain import ColumnKind, ColumnStatistics, WindowStatistics
from driftline.profile.columns import Bins, CategoryBins, NumericBins
from driftline.profile.outcomes import OutcomeBins
from driftline.profile.reference import Reference
from driftline.store.engine import lock
from driftline.store.rows import Row, upsert
from driftline.store.tables import references


def save(connection: Connection, reference: Reference, config_hash: str) -> None:
    """Keep a reference. It is frozen: the first that is saved under an id is the one that stays,
    for measurements were compared with it.
    """
    lock(connection, reference.monitor)
    row = {
        "monitor": reference.monitor,
        "config_hash": config_hash,
        "reference_id": reference.id,
        "valid_from": reference.valid_from,
        "window_start": reference.start,
        "window_end": reference.end,
        "row_count": reference.statistics.rows,
        "content": _content(reference),
    }
    upsert(connection, references, [row], keep=None)


def in_force(
    connection: Connection, monitor: str, config_hash: str, at: datetime
) -> Reference | None:
    """Return the reference that a window starting at this moment is compared with.

    It is the newest that was valid by then, else the earliest there is.
    """
    own = references.c
    distance = case((own.valid_from <= at, 0), else_=1)
    valid = case((own.valid_from <= at, own.valid_from))
    return _one(
        connection,
        select(references)
        .where(own.monitor == monitor, own.config_hash == config_hash)
        .order_by(distance, valid.desc(), own.valid_from, own.reference_id)
        .limit(1),
    )


def by_id(connection: Connection, monitor: str, reference_id: str) -> Reference | None:
    """Return the reference of this id; None when it was never saved."""
    own = references.c
    return _one(
        connection,
        select(references).where(own.monitor == monitor, own.reference_id == reference_id),
    )


def _one(connection: Connection, asked: Select[Any]) -> Reference | None:
    row = connection.execute(asked).mappings().first()
    return None if row is None else _reference(row)


def _content(reference: Reference) -> str:
    columns = {name: asdict(column) for name, column in reference.statistics.columns.items()}
    performance = [[*subject, value] for subject, value in reference.performance.items()]
    content = {
        "columns": columns,
        "daily_rows": reference.daily_rows,
        "performance": performance,
        "spreads": [[*subject, *spread] for subject, spread in reference.spreads.items()],
        "operations": dict(reference.operations),
        "model_version": reference.model_version,
        "rows_sha256": reference.rows_sha256,
        "bins": {name: asdict(bins) for name, bins in reference.bins.items()},
        "outcomes": asdict(reference.outcomes) if reference.outcomes else None,
        "segments": reference.segments,
        "units": dict(reference.units),
    }
    return json.dumps(content, allow_nan=False)


def _reference(row: Row) -> Reference:
    content = json.loads(row["content"])
    columns = {
        name: ColumnStatistics(**column | {"kind": ColumnKind(column["kind"])})
        for name, column in content["columns"].items()
    }
    return Reference(
        id=row["reference_id"],
        monitor=row["monitor"],
        valid_from=row["valid_from"],
        start=row["window_start"],
        end=row["window_end"],
        statistics=WindowStatistics(rows=row["row_count"], columns=columns),
        daily_rows=tuple(content["daily_rows"]),
        model_version=content["model_version"],
        rows_sha256=content["rows_sha256"],
        performance={(metric, detail): value for metric, detail, value in content["performance"]},
        spreads={tuple(s[:3]): (s[3], s[4]) for s in content["spreads"]},
        operations=content.get("operations", {}),
        bins={name: _bins(bins) for name, bins in content["bins"].items()},
        outcomes=_outcomes(content["outcomes"]),
        units=content.get("units", {}),
        segments={column: tuple(values) for column, values in content["segments"].items()},
    )


def _outcomes(written: Row | None) -> OutcomeBins | None:
    if written is None:
        return None
    errors = written["errors"]
    return OutcomeBins(
        scores={name: tuple(edges) for name, edges in written["scores"].items()},
        errors=None if errors is None else tuple(errors),
        scale=written["scale"],
        negative=written["negative"],
    )


def _bins(written: Row) -> Bins:
    if "edges" in written:
        kind = ColumnKind(written.get("kind", ColumnKind.NUMERIC))
        return NumericBins(edges=tuple(written["edges"]), shift=written["shift"], kind=kind)
    folded = written["folded"]
    return CategoryBins(
        categories=tuple(written["categories"]), folded=None if folded is None else tuple(folded)
    )
