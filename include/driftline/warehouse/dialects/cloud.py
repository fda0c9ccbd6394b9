"""What Snowflake, BigQuery, Redshift, Databricks and Trino have in common. None was ever run by us.

Their SQL is compiled, kept in tests/data/sql and parsed in its own dialect. How they are opened
and fetched from is taken from their drivers' sources and documentation.

Patterns have neither backslashes nor braces: what these mean differs between the five.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    case,
    column,
    create_engine,
    func,
    literal,
    literal_column,
    null,
    quoted_name,
    select,
    text,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import TryCast

from driftline.errors import MissingExtra
from driftline.monitor.sections import Profiler
from driftline.profile.rows import BATCH
from driftline.warehouse.dialects.base import Family, column_by_column, double
from driftline.warehouse.dialects.chunks import table_of
from driftline.warehouse.dialects.cost import Cost

profiler = Profiler.SQL

APPLICATION = "driftline"
"""What the warehouse's own lists of queries call us."""

_ZERO = "([Zz]|UTC)$"

ZERO = f" *{_ZERO}"
"""The end of ISO text that is in UTC."""
SUFFIXED = "[0-9.][dDfF] *$"
"""The end of what Java takes for a number, and nobody else does."""


class Writer(SQLCompiler):
    """What is written differently from SQLAlchemy's own compiler of each of the five."""

    exact: Callable[[float], str]

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Write doubles so that they are read exactly."""
        if isinstance(value, float) and math.isfinite(value):
            return type(self).exact(value)
        return super().render_literal_value(value, type_)

    def visit_try_cast(self, element: TryCast[Any], **options: Any) -> str:
        """Write a cast that is NULL where it fails."""
        value = element.clause._compiler_dispatch(self, **options)
        return f"TRY_CAST({value} AS {element.typeclause._compiler_dispatch(self, **options)})"

    def trimmed(self, function: Any, **options: Any) -> str:
        """Write rtrim() where its arguments are other ones."""
        value, characters = (one._compiler_dispatch(self, **options) for one in function.clauses)
        return f"TRIM(TRAILING {characters} FROM {value})"


def opened(url: URL, writer: type[Writer], package: str, extra: str, **arguments: Any) -> Engine:
    """Return an engine of one connection, whose SQL is the writer's and quotes every name.

    A warehouse's reserved words are more than its SQLAlchemy dialect knows.
    """
    try:
        made = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            # Statements are literal: no parameter marks, so a percent sign is a percent sign.
            paramstyle="named",
            **arguments,
        )
    except (NoSuchModuleError, ImportError) as error:
        raise MissingExtra(package, extra) from error
    speaker: Any = made.dialect
    speaker.statement_compiler = type("Compiler", (writer, speaker.statement_compiler), {})
    speaker.identifier_preparer._requires_quotes = lambda name: True
    return made


def literal_select(connection: Connection, relation: FromClause, limit: int | None = None) -> str:
    """Return the SELECT of all columns of a relation."""
    statement = select(text("*")).select_from(relation).limit(limit)
    options = {"literal_binds": True}
    return str(statement.compile(dialect=connection.dialect, compile_kwargs=options))


def fetched(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch in chunks, all statements in one transaction."""
    with engine.connect() as connection:
        quiet = connection.execution_options(no_parameters=True)
        for statement in statements:
            cursor = quiet.exec_driver_sql(statement).cursor
            assert cursor is not None
            yield table_of(cursor)


def batches(tables: Iterable[pa.Table]) -> Generator[pa.RecordBatch, None, None]:
    """Yield the rows of tables in batches."""
    for table in tables:
        yield from table.to_batches(BATCH)


def cost(connection: Connection, statement: str) -> Cost | None:
    """Return None: its plans are words for people, or tell no bytes."""
    return None


def reveals(error: BaseException) -> bool:
    """Return true: whose words were never seen may say anything."""
    return True


def timed_out(error: BaseException) -> bool:
    """Return false: no statement is given a limit, and no error was ever seen."""
    return False


def number_of(
    value: ColumnElement[Any],
    family: Family,
    words: ColumnElement[Any],
    *read: tuple[ColumnElement[bool], Any],
    otherwise: ColumnElement[Any] | None = None,
) -> ColumnElement[Any]:
    """Cast to a double; `read` are the cases of a value that is text, or is one as `words`."""
    if family.is_number:
        return double(value)
    if family is Family.BOOLEAN:
        return double(sql_cast(value, sql.Integer()))
    truth = [(words == "true", literal(1.0)), (words == "false", literal(0.0))]
    return case(*truth, *read, else_=otherwise)


def not_finite(
    words: ColumnElement[Any], nan: ColumnElement[Any], infinity: ColumnElement[Any]
) -> list[tuple[ColumnElement[bool], Any]]:
    """Return the cases of text that writes no finite number, as PostgreSQL reads it."""
    bare = func.lower(func.trim(words))
    return [
        (bare == "nan", nan),
        (bare.in_(["inf", "+inf", "infinity", "+infinity"]), infinity),
        (bare.in_(["-inf", "-infinity"]), -infinity),
    ]


def truth_of(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a boolean as the words true and false."""
    return case((value, "true"), (~value, "false"))


def member_of(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a struct."""
    for key in keys:
        value = value.op(".", precedence=100)(column(quoted_name(key, True)))
    return value


def nothing_of(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Return NULL: what cannot be cut out of a document is hidden with all of it."""
    return sql_cast(null(), sql.Text())


def bin_among(
    value: ColumnElement[Any], edges: Sequence[float], exact: Callable[[float], str]
) -> ColumnElement[Any]:
    """Return how many of the sorted edges a number reaches, found by halving."""

    def half(low: int, high: int) -> ColumnElement[Any]:
        if low == high:
            return literal_column(str(low))
        middle = (low + high) // 2
        below = value < literal_column(exact(edges[middle]))
        return case((below, half(low, middle)), else_=half(middle + 1, high))

    return half(0, len(edges))


in_step = column_by_column
"""Columns lie apart, and one is read for itself."""


def as_it_is(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column: the warehouse has booleans, or orders text by its bytes."""
    return value


def whole(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to 64 bits."""
    return sql_cast(value, sql.BigInteger())


def scientific(value: float) -> str:
    """Write 17 digits with an exponent, which makes a double of them.

    One more would put the greatest double beyond what Spark takes for one.
    """
    return f"{value:.16e}"
