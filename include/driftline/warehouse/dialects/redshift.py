"""Redshift: PostgreSQL as it was at 8.0, and then its own way. Never run by us: see cloud.py.

psycopg2 speaks to it: every transaction is read-only, in UTC and in the query group `driftline`.
All statements of one transaction see the same rows. It cannot cut a key out of JSON: where a
document holds something sensitive, list the features, for none are found in it.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    case,
    event,
    func,
    literal_column,
    or_,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql
from sqlalchemy.ext.compiler import compiles

from driftline.errors import LogError
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects import cloud, postgresql
from driftline.warehouse.dialects.base import (
    ISO_WALL,
    ISO_ZONED,
    Column,
    Family,
    TimeLiteral,
    double,
    varchar,
)
from driftline.warehouse.dialects.cloud import as_it_is as bytewise
from driftline.warehouse.dialects.cloud import cost, in_step, profiler, reveals, timed_out
from driftline.warehouse.dialects.cloud import fetched as arrow
from driftline.warehouse.dialects.cloud import nothing_of as without
from driftline.warehouse.dialects.cloud import whole as integer

__all__ = [
    "arrow",
    "bytewise",
    "cost",
    "in_step",
    "integer",
    "profiler",
    "reveals",
    "timed_out",
    "without",
]

_NUMBER = "^[[:space:]]*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[-+]?[0-2]?[0-9]?[0-9])?[[:space:]]*$"
_MOST_TEXT = 65535
"""What a bare TEXT or VARCHAR is cut to is 256 bytes."""


def engine(url: URL, caller: Caller) -> Engine:
    """Connect through psycopg2; transactions are read-only."""
    made = cloud.opened(
        url,
        _Writer,
        "sqlalchemy-redshift",
        "redshift",
        execution_options={"postgresql_readonly": True},
    )
    event.listen(made, "begin", _start)
    return made


def _start(connection: Connection) -> None:
    connection.exec_driver_sql("SET timezone TO 'UTC'")
    connection.exec_driver_sql(f"SET query_group TO '{cloud.APPLICATION}'")


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation from an empty SELECT, as PostgreSQL; SUPER holds JSON."""
    described = postgresql.columns(connection, relation)
    return {
        name: replace(one, family=Family.JSON) if one.type == "super" else one
        for name, one in described.items()
    }


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch in chunks."""
    return cloud.batches(arrow(engine, [statement]))


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to double precision; text is looked at first, for a cast would raise."""
    words = string(value, family)
    nan: ColumnElement[Any] = literal_column("'NaN'::float8")
    infinity: ColumnElement[Any] = literal_column("'Infinity'::float8")
    is_number = func.lower(words).op("~")(_NUMBER)
    strange = cloud.not_finite(words, nan, infinity)
    return cloud.number_of(value, family, words, (is_number, double(words)), *strange)


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to VARCHAR; booleans and SUPER have no such cast."""
    if family is Family.BOOLEAN:
        return cloud.truth_of(value)
    return func.json_serialize(value) if family is Family.JSON else varchar(value)


def boolean(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return 0 and 1: a boolean of its own has no text, by which labels are ordered."""
    return sql_cast(value, sql.Integer())


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into JSON, at most five; text that is no JSON holds nothing."""
    return func.json_extract_path_text(string(value, family), *keys, literal_column("TRUE"))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.sha2(value, 256)


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number, be that equal to itself or not."""
    return or_(value == literal_column("'NaN'::float8"), value != value)


def exact(value: float) -> str:
    """Write 17 digits; bare they would be a numeric."""
    return f"'{cloud.scientific(value)}'::float8"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons: WIDTH_BUCKET takes no array."""
    return cloud.bin_among(value, edges, exact)


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count the characters of a text."""
    return func.len(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970 as a double; a wall time counts as if it were UTC."""
    wall = func.timezone("UTC", value) if family is Family.AWARE else value
    start: ColumnElement[Any] = literal_column("'1970-01-01'::timestamp")
    moment = sql_cast(wall, sql.TIMESTAMP())
    return double(func.datediff(literal_column("microsecond"), start, moment)) / 1e6


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return value.op("~", is_comparison=True)(pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as timestamptz; without an offset it is a wall time of the zone."""
    wall = func.timezone(zone, sql_cast(value, sql.TIMESTAMP()))
    aware = sql_cast(value, sql.TIMESTAMP(timezone=True))
    read = case(
        (value.op("~")(ISO_WALL), wall),
        (value.op("~")(ISO_ZONED), aware),
    )
    return read, Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read the SQLSTATE."""
    return postgresql.UNDEFINED.get(str(getattr(error, "pgcode", None) or ""))


class _Writer(cloud.Writer):
    exact = staticmethod(exact)

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Write text so that no backslash is in it, which may be an escape or may not."""
        if not isinstance(value, str) or "\\" not in value:
            return super().render_literal_value(value, type_)
        written = (super(_Writer, self).render_literal_value(p, type_) for p in value.split("\\"))
        return "(" + " || CHR(92) || ".join(written) + ")"

    def visit_typeclause(self, typeclause: Any, **options: Any) -> str:
        """Write text at its full length."""
        if isinstance(typeclause.type, sql.Text):
            return f"VARCHAR({_MOST_TEXT})"
        written: str = super().visit_typeclause(typeclause, **options)  # type: ignore[no-untyped-call]
        return written


@compiles(TimeLiteral, "redshift")
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    kinds = {Family.DATE: "date", Family.NAIVE: "timestamp"}
    return f"'{element.words}'::{kinds.get(element.family, 'timestamptz')}"
