"""The retrainings: what was asked, how far it came, and what was decided."""

import json
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, select

from driftline.domain import Evidence, Retraining, RetrainingState
from driftline.store.engine import lock
from driftline.store.rows import Row, upsert
from driftline.store.tables import retrainings


def save(connection: Connection, row: Retraining, *, run_id: str, recorded_at: datetime) -> None:
    """Write a retraining as it now stands, in place of what stood there."""
    lock(connection, row.monitor)
    plain = asdict(row)
    plain["row_count"] = plain.pop("rows")
    plain["state"] = row.state.value
    plain["evidence"] = json.dumps([asdict(each) for each in row.evidence], ensure_ascii=False)
    upsert(connection, retrainings, [plain | {"run_id": run_id, "recorded_at": recorded_at}])


def get(connection: Connection, monitor: str, as_of: datetime) -> Retraining | None:
    """Return the retraining of a moment; None where there was none."""
    own = retrainings.c
    asked = select(retrainings).where(own.monitor == monitor, own.as_of == as_of)
    row = connection.execute(asked).mappings().first()
    return None if row is None else _retraining(row)


def history(
    connection: Connection, monitor: str, *, before: datetime | None = None
) -> list[Retraining]:
    """Return the retrainings of a monitor, or those before a moment, the newest first."""
    own = retrainings.c
    asked = select(retrainings).where(own.monitor == monitor)
    if before is not None:
        asked = asked.where(own.as_of < before)
    rows = connection.execute(asked.order_by(own.as_of.desc())).mappings()
    return [_retraining(row) for row in rows]


def promotions(connection: Connection, monitor: str) -> list[datetime]:
    """Return the moments as of which models of a monitor were promoted, oldest first."""
    own = retrainings.c
    asked = select(own.as_of).where(
        own.monitor == monitor, own.state == RetrainingState.PROMOTED.value
    )
    return list(connection.scalars(asked.order_by(own.as_of)))


def _retraining(row: Row) -> Retraining:
    plain = {name: row[name] for name in retrainings.c.keys()}  # noqa: SIM118 (columns)
    for name in ("row_count", "run_id", "recorded_at"):
        del plain[name]
    return Retraining(
        **plain
        | {
            "rows": row["row_count"],
            "state": RetrainingState(row["state"]),
            "evidence": tuple(Evidence(**each) for each in json.loads(row["evidence"])),
        }
    )
