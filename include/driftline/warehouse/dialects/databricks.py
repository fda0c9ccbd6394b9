"""Databricks SQL. Never run by us: see cloud.py.

A session is in UTC and tagged, but cannot be read-only: give driftline a principal that may only
SELECT. Each statement sees one state of every table; rows that arrive between two are in the later
ones only. It cannot cut a key out of JSON and keep the rest as it is: where a document holds
something sensitive, list the features, for none are found in it.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, case, func, try_cast
from sqlalchemy import cast as sql_cast
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
    varchar,
)
from driftline.warehouse.dialects.cloud import as_it_is as boolean
from driftline.warehouse.dialects.cloud import as_it_is as bytewise
from driftline.warehouse.dialects.cloud import cost, in_step, profiler, reveals, timed_out
from driftline.warehouse.dialects.cloud import nothing_of as without
from driftline.warehouse.dialects.cloud import whole as integer

__all__ = [
    "boolean",
    "bytewise",
    "cost",
    "in_step",
    "integer",
    "profiler",
    "reveals",
    "timed_out",
    "without",
]

_FAMILIES = {
    "boolean": Family.BOOLEAN,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Family.INTEGER),
    **dict.fromkeys(("float", "double", "decimal"), Family.FLOAT),
    **dict.fromkeys(("string", "varchar", "char"), Family.TEXT),
    **dict.fromkeys(("variant", "map"), Family.JSON),
    "date": Family.DATE,
    "timestamp": Family.AWARE,
    "timestamp_ntz": Family.NAIVE,
    "struct": Family.STRUCT,
}
_MISSING: dict[str, type[LogError]] = {
    "[TABLE_OR_VIEW_NOT_FOUND]": MissingTable,
    "[SCHEMA_NOT_FOUND]": MissingTable,
    "[UNRESOLVED_COLUMN.": MissingColumn,
    "[FIELD_NOT_FOUND]": MissingColumn,
}


def engine(url: URL, caller: Caller) -> Engine:
    """Connect; sessions are in UTC and tagged."""
    return cloud.opened(
        url,
        _Writer,
        "databricks-sqlalchemy",
        "databricks",
        connect_args={
            "session_configuration": {"TIMEZONE": "UTC"},
            "query_tags": {"app": cloud.APPLICATION},
            "user_agent_entry": cloud.APPLICATION,
        },
    )


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a SELECT, which is not run."""
    described = f"DESCRIBE QUERY {cloud.literal_select(connection, relation)}"
    rows = connection.exec_driver_sql(described).fetchall()
    return {row[0]: column_of(row[1]) for row in rows}


def column_of(kind: str) -> Column:
    """Return a column by the text of its type, such as `struct<a:int,b:decimal(10,2)>`.

    >>> column_of("struct<a:int,b:array<int>>").members["a"].family.value
    'integer'
    """
    base, _, inside = kind.partition("<")
    family = _FAMILIES.get(base.partition("(")[0].strip().lower(), Family.OTHER)
    members = {}
    if family is Family.STRUCT:
        pairs = (part.split(":", 1) for part in _parts(inside[:-1]))
        members = {name.strip().strip("`"): column_of(member) for name, member in pairs}
    return Column(type=kind, family=family, members=members)


def _parts(inside: str) -> Iterator[str]:
    """Yield what the commas of the outermost level part."""
    depth = start = 0
    for place, letter in enumerate(inside):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            yield inside[start:place]
            start = place + 1
    yield inside[start:]


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch natively, in Arrow."""
    with engine.connect() as connection:
        native: Any = connection.connection.driver_connection
        for statement in statements:
            with native.cursor() as cursor:
                cursor.execute(statement)
                yield cursor.fetchall_arrow()


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch all rows, and yield them in batches."""
    return cloud.batches(arrow(engine, [statement]))


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to DOUBLE; Java alone takes 1d and 1f for numbers."""
    words = string(value, family)
    suffixed = (words.op("RLIKE")(cloud.SUFFIXED), None)
    tried: ColumnElement[Any] = try_cast(words, sql.Double())
    return cloud.number_of(value, family, words, suffixed, otherwise=tried)


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to STRING; VARIANT and maps become JSON."""
    return func.to_json(value) if family is Family.JSON else varchar(value)


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a struct, or into JSON, each level of which is read as a map."""
    if family is Family.STRUCT:
        return cloud.member_of(value, keys)
    found = string(value, family)
    for key in keys:
        found = func.try_element_at(func.from_json(found, "map<string,string>"), key)
    return found


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.sha2(value, 256)


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number; for NULL it is not."""
    return func.isnan(value)


def exact(value: float) -> str:
    """Write 17 digits, with the letter of a double."""
    return f"{cloud.scientific(value)}D"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons."""
    return cloud.bin_among(value, edges, exact)


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count the characters of a text."""
    return func.char_length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970 as a double; a wall time counts as if it were UTC."""
    return func.unix_micros(sql_cast(value, sql.TIMESTAMP())) / 1e6


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return value.op("RLIKE", is_comparison=True)(pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as TIMESTAMP; without an offset it is a wall time of the zone."""
    moment = sql_cast(value, sql.TIMESTAMP())
    read = case(
        (value.op("RLIKE")(ISO_WALL), func.to_utc_timestamp(moment, zone)),
        (value.op("RLIKE")(ISO_ZONED), moment),
    )
    return read, Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read the error class, which stands in its words."""
    words = str(error)
    return next((kind for name, kind in _MISSING.items() if name in words), None)


class _Writer(cloud.Writer):
    exact = staticmethod(exact)
    visit_rtrim_func = cloud.Writer.trimmed


@compiles(TimeLiteral, "databricks")
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    kinds = {Family.DATE: "DATE", Family.NAIVE: "TIMESTAMP_NTZ"}
    return f"{kinds.get(element.family, 'TIMESTAMP')} '{element.words}'"
