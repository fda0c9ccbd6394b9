"""The explanations: why performance fell, with the causes that each names, the likeliest first."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select

from driftline.domain import Cause, CauseKind, Explanation, Window
from driftline.store.engine import lock
from driftline.store.rows import window_row
from driftline.store.tables import causes, explanations

_NUMBERS = (
    "reference_value",
    "window_value",
    "words",
    "fall",
    "lower",
    "upper",
    "inputs",
    "relation",
    "relation_lower",
    "relation_upper",
)


def save(
    connection: Connection,
    explanation: Explanation,
    *,
    monitor: str,
    window: Window,
    scope: str,
    metric: str,
    as_of: datetime,
    config_hash: str,
    run_id: str,
    recorded_at: datetime,
) -> None:
    """Make this why a metric fell in a window, or in a segment of it (`scope`)."""
    lock(connection, monitor)
    key: dict[str, Any] = {
        "monitor": monitor,
        **window_row(window),
        "scope": scope,
        "metric": metric,
        "as_of": as_of,
        "config_hash": config_hash,
    }
    for table in (explanations, causes):
        same = [table.c[name] == value for name, value in key.items()]
        connection.execute(delete(table).where(and_(*same)))
    run = {"run_id": run_id, "recorded_at": recorded_at}
    numbers = {name: getattr(explanation, name) for name in _NUMBERS}
    row = key | run | numbers | {"row_count": explanation.rows}
    connection.execute(insert(explanations), [row])
    told = [
        key
        | run
        | {
            "rank": cause.rank,
            "kind": str(cause.kind),
            "column_name": cause.column,
            "segment": cause.segment,
            "share": cause.share,
            "began": cause.began,
            "words": cause.words,
        }
        for cause in explanation.causes
    ]
    if told:
        connection.execute(insert(causes), told)


def newest(
    connection: Connection,
    monitor: str,
    window: Window,
    config_hash: str,
    *,
    scope: str = "",
    metric: str | None = None,
    as_of: datetime | None = None,
) -> Explanation | None:
    """Return the newest explanation of a window; of a metric, or a moment, where they are given."""
    own = explanations.c
    asked = select(explanations).where(
        own.monitor == monitor,
        own.cadence == window.cadence,
        own.window_start == window.start,
        own.scope == scope,
        own.config_hash == config_hash,
    )
    if as_of is not None:
        asked = asked.where(own.as_of == as_of)
    if metric is not None:
        asked = asked.where(own.metric == metric)
    row = (
        connection.execute(asked.order_by(own.as_of.desc(), own.metric).limit(1)).mappings().first()
    )
    if row is None:
        return None
    told = causes.c
    ranked = select(causes).where(
        told.monitor == monitor,
        told.cadence == window.cadence,
        told.window_start == window.start,
        told.scope == scope,
        told.metric == row["metric"],
        told.config_hash == config_hash,
        told.as_of == row["as_of"],
    )
    found = [
        Cause(
            rank=each["rank"],
            kind=CauseKind(each["kind"]),
            words=each["words"],
            column=each["column_name"],
            segment=each["segment"],
            share=each["share"],
            began=each["began"],
        )
        for each in connection.execute(ranked.order_by(told.rank)).mappings()
    ]
    numbers = {name: row[name] for name in _NUMBERS}
    return Explanation(**numbers, rows=row["row_count"], causes=tuple(found))
