"""Snowflake. Never run by us: see cloud.py.

Names are quoted, so the file writes them as Snowflake keeps them: in capitals, unless they were
made in quotes. A session has no way to be read-only: give driftline a role that may only SELECT.
Statements are told apart by their query tag. Each sees one state of every table; rows that arrive
between two are in the later ones only.
"""

import json
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    case,
    func,
    literal_column,
    try_cast,
)
from sqlalchemy import types as sql
from sqlalchemy.ext.compiler import compiles

from driftline.errors import LogError, MissingColumn, MissingTable
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects import cloud
from driftline.warehouse.dialects.base import (
    ISO_WALL,
    ISO_ZONED,
    Column,
    Family,
    TimeLiteral,
    double,
    varchar,
)
from driftline.warehouse.dialects.cloud import as_it_is as boolean
from driftline.warehouse.dialects.cloud import in_step, profiler, reveals, timed_out
from driftline.warehouse.dialects.cloud import whole as integer
from driftline.warehouse.dialects.cost import Cost

__all__ = ["boolean", "in_step", "integer", "profiler", "reveals", "timed_out"]

_SESSION = {
    "TIMEZONE": "UTC",
    "QUERY_TAG": cloud.APPLICATION,
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "DATE_INPUT_FORMAT": "AUTO",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
}
"""An account may have other defaults for each of these."""
_FAMILIES = {
    "BOOLEAN": Family.BOOLEAN,
    "REAL": Family.FLOAT,
    "TEXT": Family.TEXT,
    "DATE": Family.DATE,
    "TIMESTAMP_NTZ": Family.NAIVE,
    "TIMESTAMP_LTZ": Family.AWARE,
    "TIMESTAMP_TZ": Family.AWARE,
    "VARIANT": Family.JSON,
    "OBJECT": Family.JSON,
}
_MISSING: dict[int, type[LogError]] = {2003: MissingTable, 2043: MissingTable, 904: MissingColumn}


def engine(url: URL, caller: Caller) -> Engine:
    """Connect; sessions are in UTC and tagged."""
    return cloud.opened(
        url,
        _Writer,
        "snowflake-sqlalchemy",
        "snowflake",
        connect_args={"session_parameters": _SESSION, "application": cloud.APPLICATION},
    )


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a SELECT, which is not run."""
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    native: Any = connection.connection.driver_connection
    described = native.cursor().describe(cloud.literal_select(connection, relation))
    return {one.name: _column(FIELD_ID_TO_NAME[one.type_code], one.scale) for one in described}


def _column(name: str, scale: int | None) -> Column:
    if name == "FIXED":
        return Column(type="NUMBER", family=Family.FLOAT if scale else Family.INTEGER)
    return Column(type=name, family=_FAMILIES.get(name, Family.OTHER))


def cost(connection: Connection, statement: str) -> Cost:
    """Return the size of the micro-partitions that the plan leaves."""
    plan = json.loads(connection.exec_driver_sql(f"EXPLAIN USING JSON {statement}").scalar_one())
    return Cost(scanned=plan["GlobalStats"]["bytesAssigned"], basis="micro-partitions, compressed")


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch natively, in Arrow."""
    with engine.connect() as connection:
        native: Any = connection.connection.driver_connection
        for statement in statements:
            with native.cursor() as cursor:
                cursor.execute(statement)
                yield cursor.fetch_arrow_all(force_return_table=True)


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch all rows, and yield them in batches."""
    return cloud.batches(arrow(engine, [statement]))


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to DOUBLE; only text can be tried."""
    words = varchar(value)
    return cloud.number_of(value, family, words, otherwise=try_cast(words, sql.Double()))


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to TEXT; a VARIANT that is no text becomes JSON."""
    return varchar(value)


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys with GET, to which no key is special."""
    document = value if family is Family.JSON else func.try_parse_json(varchar(value))
    for key in keys:
        document = func.get(document, key)
    return varchar(document)


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    return func.to_json(_cut(func.try_parse_json(varchar(value)), keys))


def _cut(document: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    held, (key, *rest) = func.as_object(document), keys
    if not rest:
        return func.object_delete(held, key)
    inner = _cut(func.get(held, key), rest)
    return func.object_insert(held, key, func.to_variant(inner), literal_column("TRUE"))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.sha2(value, 256)


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number, which Snowflake holds equal to itself."""
    return value == literal_column("'NaN'::DOUBLE")


def exact(value: float) -> str:
    """Write 17 digits; bare they might be a NUMBER."""
    return f"'{cloud.scientific(value)}'::DOUBLE"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons."""
    return cloud.bin_among(value, edges, exact)


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Order by bytes, whatever collation the column has."""
    return func.collate(value, "")


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count the characters of a text."""
    return func.length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970 as a double; a wall time counts as if it were UTC."""
    moment = value if family is Family.AWARE else func.to_timestamp_ntz(value)
    return double(func.date_part("epoch_microsecond", moment)) / 1e6


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return func.regexp_like(value, pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as TIMESTAMP_TZ; without an offset it is a wall time of the zone."""
    offset = func.regexp_replace(value, cloud.ZERO, "+00:00")
    wall = func.convert_timezone(zone, "UTC", func.to_timestamp_ntz(value))
    read = case(
        (func.regexp_like(value, ISO_WALL), func.to_timestamp_tz(wall)),
        (func.regexp_like(value, ISO_ZONED), func.to_timestamp_tz(offset)),
    )
    return read, Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read Snowflake's own code of the failure."""
    return _MISSING.get(getattr(error, "errno", None) or 0)


class _Writer(cloud.Writer):
    exact = staticmethod(exact)


@compiles(TimeLiteral, "snowflake")
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    kinds = {Family.DATE: "DATE", Family.NAIVE: "TIMESTAMP_NTZ"}
    return f"'{element.words}'::{kinds.get(element.family, 'TIMESTAMP_TZ')}"
