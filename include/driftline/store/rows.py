"""From the nouns to table rows and back, and the way to write rows that may be there already."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, and_, bindparam
from sqlalchemy.dialects import postgresql, sqlite

from driftline.domain import Engine, Measurement, Series, Suite, Window
from driftline.store.tables import SERIES
from driftline.store.types import label

Row = Mapping[Any, Any]
"""A row of a result, by the names of its columns."""

_PLAIN = (
    "monitor",
    "model_version",
    "segment",
    "suite",
    "metric",
    "column_name",
    "detail",
    "baseline",
    "engine",
    "value",
    "lower",
    "upper",
    "row_count",
    "coverage",
    "reason",
    "as_of",
    "reference_id",
    "config_hash",
)
_values = attrgetter(*_PLAIN)


def row_of(measurement: Measurement) -> dict[str, Any]:
    """Return a measurement as a row."""
    return {
        **dict(zip(_PLAIN, _values(measurement), strict=True)),
        **window_row(measurement.window),
    }


def measurement_of(row: Row) -> Measurement:
    """Return the measurement that a row holds."""
    plain = {name: row[name] for name in _PLAIN}
    plain |= {"suite": Suite(row["suite"]), "engine": Engine(row["engine"])}
    return Measurement(window=window_of(row), **plain)


def window_row(window: Window) -> dict[str, Any]:
    """Return the three columns of a window."""
    return {"cadence": window.cadence, "window_start": window.start, "window_end": window.end}


def window_of(row: Row) -> Window:
    """Return the window that a row is about."""
    return Window(cadence=row["cadence"], start=row["window_start"], end=row["window_end"])


def series_of(row: Row) -> Series:
    """Return the series that a row belongs to."""
    return Series(*(row[name] for name in SERIES))


def stored_series(series: Series) -> Series:
    """Return the series as it reads when it comes back from the store."""
    return Series(*map(label, series))


def same(table: FromClause, names: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that these columns equal parameters named `key_<column>`."""
    return and_(*(table.c[name] == bindparam(f"key_{name}") for name in names))


def key(row: Row, names: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of `same` for a row."""
    return {f"key_{name}": row[name] for name in names}


def upsert(
    connection: Connection, table: Table, rows: Sequence[Row], *, keep: Iterable[str] | None = ()
) -> None:
    """Insert rows; where the primary key is taken, update what is not in `keep` (None: nothing)."""
    if not rows:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement: Any = insert(table)
    if keep is None:
        statement = statement.on_conflict_do_nothing()
    else:
        kept = {*keep, *table.primary_key.columns.keys()}
        statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in table.c.keys() if name not in kept},  # noqa: SIM118
        )
    connection.execute(statement, list(rows))
