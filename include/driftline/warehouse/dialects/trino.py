"""Trino. Never run by us: see cloud.py.

A session is in UTC and has the source `driftline`. Whether it can write is up to the catalog: give
driftline a user that may only SELECT. Each statement sees one state of every table, as far as its
connector has such states; rows that arrive between two are in the later ones only.
"""

from collections.abc import Generator, Sequence
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
from driftline.warehouse.dialects.cloud import fetched as arrow
from driftline.warehouse.dialects.cloud import scientific as exact
from driftline.warehouse.dialects.cloud import whole as integer

__all__ = [
    "arrow",
    "boolean",
    "bytewise",
    "cost",
    "exact",
    "in_step",
    "integer",
    "profiler",
    "reveals",
    "timed_out",
]

_FAMILIES = {
    "boolean": Family.BOOLEAN,
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), Family.INTEGER),
    **dict.fromkeys(("real", "double", "decimal"), Family.FLOAT),
    **dict.fromkeys(("varchar", "char"), Family.TEXT),
    "date": Family.DATE,
    "timestamp": Family.NAIVE,
    "timestamp with time zone": Family.AWARE,
    "json": Family.JSON,
    "row": Family.STRUCT,
}
_MISSING: dict[str, type[LogError]] = {
    "TABLE_NOT_FOUND": MissingTable,
    "SCHEMA_NOT_FOUND": MissingTable,
    "CATALOG_NOT_FOUND": MissingTable,
    "COLUMN_NOT_FOUND": MissingColumn,
}


def engine(url: URL, caller: Caller) -> Engine:
    """Connect; sessions are in UTC and say whose they are."""
    return cloud.opened(
        url,
        _Writer,
        "trino",
        "trino",
        connect_args={"timezone": "UTC", "source": cloud.APPLICATION},
    )


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation from an empty SELECT, which is answered without a scan."""
    empty = cloud.literal_select(connection, relation, limit=0)
    cursor: Any = connection.exec_driver_sql(empty).cursor
    cursor.fetchall()  # until then a failure is not told
    return {one["name"]: column_of(one["typeSignature"]) for one in cursor._query.columns}


def column_of(signature: dict[str, Any]) -> Column:
    """Return a column by the signature of its type, as Trino's protocol writes it."""
    name = signature["rawType"]
    family = _FAMILIES.get(name, Family.OTHER)
    members = {}
    if family is Family.STRUCT:
        inside = [argument["value"] for argument in signature["arguments"]]
        named = [one for one in inside if one.get("fieldName")]
        members = {one["fieldName"]["name"]: column_of(one["typeSignature"]) for one in named}
    return Column(type=name, family=family, members=members)


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch in chunks."""
    return cloud.batches(arrow(engine, [statement]))


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to DOUBLE; Java alone takes 1d and 1f for numbers."""
    words = string(value, family)
    strange = cloud.not_finite(words, func.nan(), func.infinity())
    suffixed = (func.regexp_like(words, cloud.SUFFIXED), None)
    tried: ColumnElement[Any] = try_cast(words, sql.Double())
    return cloud.number_of(value, family, words, *strange, suffixed, otherwise=tried)


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to VARCHAR; JSON has a function of its own."""
    return func.json_format(value) if family is Family.JSON else varchar(value)


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a row, or into JSON, each level of which is read as a map."""
    if family is Family.STRUCT:
        return cloud.member_of(value, keys)
    document = value if family is Family.JSON else _parsed(value)
    for key in keys:
        document = func.element_at(_map(document), key)
    return func.json_extract_scalar(document, "$")


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    return func.json_format(_cut(_parsed(value), keys))


def _cut(document: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    key, *rest = keys
    level = len(rest)
    name: ColumnElement[Any] = literal_column(f"k{level}")
    held: ColumnElement[Any] = literal_column(f"v{level}")
    pair: ColumnElement[Any] = literal_column(f"(k{level}, v{level})")
    if rest:
        inner = case((name == key, _cut(held, rest)), else_=held)
        left = func.transform_values(_map(document), pair.op("->")(inner))
    else:
        left = func.map_filter(_map(document), pair.op("->")(name != key))
    return sql_cast(left, sql.JSON())


def _parsed(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.try_(func.json_parse(varchar(value)))


def _map(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a JSON object as a map; NULL where it is none."""
    return func.driftline_map(document)


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.lower(func.to_hex(func.sha256(func.to_utf8(value))))


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number."""
    return func.is_nan(value)


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons."""
    return cloud.bin_among(value, edges, exact)


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count the characters of a text."""
    return func.length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970 as a double; a wall time counts as if it were UTC."""
    if family is Family.AWARE:
        return func.to_unixtime(value)
    wall = sql_cast(value, sql.TIMESTAMP()) if family is Family.DATE else value
    return func.to_unixtime(func.with_timezone(wall, "UTC"))


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return func.regexp_like(value, pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as an instant, to the millisecond; without an offset as a time of the zone."""
    joined = func.regexp_replace(value, "^(..........) ", "$1T")
    iso = func.regexp_replace(func.regexp_replace(joined, cloud.ZERO, "Z"), " ", "")
    wall = func.from_iso8601_timestamp(joined)
    read = case(
        (
            func.regexp_like(value, ISO_WALL),
            func.with_timezone(sql_cast(wall, sql.TIMESTAMP()), zone),
        ),
        (func.regexp_like(value, ISO_ZONED), func.from_iso8601_timestamp(iso)),
    )
    return read, Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read Trino's own name of the failure."""
    return _MISSING.get(str(getattr(error, "error_name", None) or ""))


class _Writer(cloud.Writer):
    exact = staticmethod(exact)
    visit_rtrim_func = cloud.Writer.trimmed

    def visit_md5_func(self, function: Any, **options: Any) -> str:
        """Write the digest as the text that md5() is elsewhere."""
        return f"lower(to_hex(md5(to_utf8{self.function_argspec(function, **options)})))"

    def visit_driftline_map_func(self, function: Any, **options: Any) -> str:
        """Write the cast of a JSON object to a map."""
        return f"TRY_CAST({self.function_argspec(function, **options)} AS MAP(VARCHAR, JSON))"


@compiles(TimeLiteral, "trino")
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    if element.family is Family.DATE:
        return f"DATE '{element.words}'"
    return f"TIMESTAMP '{element.words.replace('+00:00', ' UTC')}'"
