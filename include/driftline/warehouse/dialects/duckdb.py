"""DuckDB: a file that is opened read-only, or Parquet read in place by an in-memory database."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    case,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
    try_cast,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.elements import TryCast

from driftline import hidden
from driftline.errors import LogError, MissingColumn, MissingTable
from driftline.monitor.sections import Profiler
from driftline.profile.rows import BATCH
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects import duckdb_cost
from driftline.warehouse.dialects.ahead import ahead
from driftline.warehouse.dialects.base import (
    NOT_ONE,
    ZONED,
    Column,
    Family,
    column_by_column,
    double,
    tree,
    varchar,
)
from driftline.warehouse.dialects.deadline import deadline

profiler = Profiler.STREAM

_THREADS = 4
_MEMORY = "256MB"
"""What DuckDB may keep of files and of its work before it uses the disk. Counting is no faster with
more; `?memory_limit=2GB` behind the address gives more to queries that would be.
"""
_NO_TABLE = re.compile(r"(Table|View|Schema).* does not exist")
_NO_COLUMN = re.compile(r"column .*not found|not have a column|Could not find key", re.IGNORECASE)

SELECT, EXPLAIN = duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN

_ABOUT_STATEMENTS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)

_FAMILIES = {
    "boolean": Family.BOOLEAN,
    "float": Family.FLOAT,
    "double": Family.FLOAT,
    "decimal": Family.FLOAT,
    "varchar": Family.TEXT,
    "enum": Family.TEXT,
    "date": Family.DATE,
    "timestamp": Family.NAIVE,
    "timestamp_s": Family.NAIVE,
    "timestamp_ms": Family.NAIVE,
    "timestamp_ns": Family.NAIVE,
    "timestamp with time zone": Family.AWARE,
    "json": Family.JSON,
    "struct": Family.STRUCT,
    "list": Family.LIST,
    "array": Family.LIST,
    "map": Family.MAP,
    **{
        f"{sign}{size}": Family.INTEGER
        for sign in ("", "u")
        for size in ("tinyint", "smallint", "integer", "bigint", "hugeint")
    },
}


def engine(url: URL, caller: Caller) -> Engine:
    """Open a file read-only, or an in-memory database; no extension is fetched from the network.

    The address of an Airflow connection to AWS opens one in memory, for files on S3.
    """
    if url.get_backend_name() != "duckdb":
        url = URL.create("duckdb", database=":memory:")
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory and not Path(str(url.database)).is_file():
        raise MissingTable(f"there is no DuckDB file {url.database}")
    config = {
        "autoinstall_known_extensions": False,
        "threads": min(_THREADS, os.cpu_count() or 1),
        "memory_limit": _MEMORY,
        "temp_directory": _spill(None if in_memory else Path(str(url.database))),
    }
    made = create_engine(
        url,
        connect_args={"read_only": not in_memory, "config": config},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        paramstyle="named",
        execution_options={"timeout": caller.timeout},
    )
    # duckdb-engine never asks, as PostgreSQL's dialect would: here a backslash is only itself.
    made.dialect._backslash_escapes = False  # type: ignore[attr-defined]
    compiler: Any = made.dialect.statement_compiler
    made.dialect.statement_compiler = _compiler(compiler)
    event.listen(made, "connect", _start)
    event.listen(made, "do_execute_no_params", _execute)
    return made


@cache
def _compiler(compiler: Any) -> Any:
    """Return a compiler of literals with a NUL: DuckDB's values may hold it, its statements not."""

    class Compiler(compiler):  # type: ignore[misc]
        def render_literal_value(self, value: Any, type_: Any) -> str:
            if not isinstance(value, str) or "\0" not in value:
                return str(super().render_literal_value(value, type_))
            written = super().render_literal_value
            parts = [written(part, type_) for part in value.split("\0")]
            return f"({' || chr(0) || '.join(parts)})"

    return Compiler


def _spill(file: Path | None) -> str:
    """Return a folder that DuckDB makes when memory is short, and removes when it closes.

    Each database has one of its own: their files there have the same names. Connections of one
    process to one file are one database, and must be alike.
    """
    name = hashlib.sha256(bytes(file.resolve())).hexdigest()[:16] if file else uuid4().hex
    return str(Path(gettempdir(), f"driftline-{os.getpid()}-{name}"))


def _execute(cursor: Any, statement: str, context: Any) -> bool:
    native = context.root_connection.connection.driver_connection
    _check(native, statement)
    with deadline(context.execution_options["timeout"], native.interrupt):
        cursor.execute(statement)  # all of it is done then: only the answer is left to fetch
    return True


def _check(native: Any, statement: str) -> None:
    """Raise LogError unless the text is one statement that reads: DuckDB would run several.

    A database that is opened read-only still writes files (COPY), opens others (ATTACH) and loads
    what runs as code (INSTALL, LOAD). To parse takes a thousandth of what the statement takes.
    """
    kinds = [found.type for found in native.extract_statements(statement)]
    if len(kinds) != 1 or kinds[0] not in (SELECT, EXPLAIN):
        raise LogError(NOT_ONE)


def _start(connection: Any, _record: object) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET VARIABLE driftline_key = $1", [hidden.key()])
    # Else a table that is missing may be found among the variables of a Python frame.
    connection.execute("SET python_enable_replacements = false")
    # Columns are asked for one by one, and each would read the end of every Parquet file again.
    connection.execute("SET parquet_metadata_cache = true")
    # The least and greatest value that Parquet keeps of a column are without NaN: by them 1.5.6
    # takes `x <= 1` for true in every row, and NaN for a score between 0 and 1.
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation; the members of structs are found in the text of their type."""
    statement = select(text("*")).select_from(relation).compile(dialect=connection.dialect)
    described = connection.exec_driver_sql(f"DESCRIBE {statement}").fetchall()
    return {row[0]: _column(duckdb.sqltype(row[1])) for row in described}


def _column(kind: Any) -> Column:
    name = "json" if str(kind).upper() == "JSON" else kind.id
    family = _FAMILIES.get(name, Family.OTHER)
    # A list has a child, an array its size beside it; a map has a key and a value.
    parts = dict(kind.children) if family in (Family.LIST, Family.MAP) else {}
    item = parts.get("value" if str(parts.get("key")) == "VARCHAR" else "child")
    members = dict(kind.children) if family is Family.STRUCT else {}
    return Column(
        type=str(kind),
        family=family,
        members={member: _column(child) for member, child in members.items()},
        item=_column(item) if item else None,
    )


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch natively: DuckDB hands over Arrow's own buffers."""
    with engine.connect() as connection:
        native: Any = connection.connection.driver_connection
        native.begin()
        try:
            for statement in statements:
                _check(native, statement)
                with deadline(engine.get_execution_options()["timeout"], native.interrupt):
                    found = native.sql(statement).to_arrow_table()
                yield found
        finally:
            native.rollback()


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Stream natively; the next rows are made while the last are looked at."""
    return ahead(_stream(engine, statement))


def _stream(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    with engine.connect() as connection:
        native: Any = connection.connection.driver_connection
        _check(native, statement)
        with deadline(engine.get_execution_options()["timeout"], native.interrupt):
            yield from native.execute(statement).to_arrow_reader(BATCH)


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to DOUBLE; the words true and false of a JSON document count as 1 and 0."""
    if family.is_number or family is Family.BOOLEAN:
        return double(value)
    words = varchar(value)
    return case(
        (words == "true", literal(1.0)),
        (words == "false", literal(0.0)),
        (func.contains(words, "_"), None),  # DuckDB alone reads 1_000 as a thousand
        else_=try_cast(words, sql.Double()),
    )


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to VARCHAR."""
    return varchar(value)


def integer(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to BIGINT."""
    return sql_cast(value, sql.BigInteger())


def boolean(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column: DuckDB has booleans."""
    return value


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a struct, list or map, or into JSON by a JSON Pointer, where no key is
    special.
    """
    if family in _NESTED:
        for key in keys:
            value = _NESTED[family](value, key)
        return value
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    words = varchar(value)  # of Parquet's own JSON nobody knows whether it is valid
    return case((func.json_valid(words), func.json_extract_string(words, pointer)))


_NESTED: Mapping[Family, Callable[[ColumnElement[Any], str], ColumnElement[Any]]] = {
    Family.STRUCT: lambda value, key: func.struct_extract(value, key),
    Family.LIST: lambda value, key: func.list_extract(value, int(key) + 1),
    Family.MAP: lambda value, key: func.map_extract_value(value, key),
}


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    patch: dict[str, Any] | None = None
    for key in reversed(keys):
        patch = {key: patch}
    document = case((func.json_valid(varchar(value)), varchar(value)))
    return varchar(func.json_merge_patch(document, json.dumps(patch)))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.sha256(value)


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number."""
    return func.isnan(value)


def exact(value: float) -> str:
    """Write 17 digits; without an exponent they would be a DECIMAL."""
    return f"{value:.17e}"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons."""
    return tree(value, [exact(edge) for edge in edges])


in_step = column_by_column
"""Columns lie apart, and one is read for itself."""


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count code points."""
    return func.length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return DuckDB's own epoch; an infinite time has none."""
    return func.epoch(value)


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the text: DuckDB orders by bytes."""
    return value


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return func.regexp_matches(value, pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as TIMESTAMPTZ; without an offset it is a wall time of the zone."""
    aware = try_cast(value, sql.TIMESTAMP(timezone=True))
    naive = try_cast(value, sql.TIMESTAMP())
    offset = func.regexp_matches(value, "[T ].*" + ZONED)
    return case((offset, aware), else_=func.timezone(zone, naive)), Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read the kind of failure off DuckDB's words; its errors carry no code."""
    words = str(error)
    if isinstance(error, FileNotFoundError):
        return MissingTable
    if isinstance(error, duckdb.CatalogException) and _NO_TABLE.search(words):
        return MissingTable
    if isinstance(error, duckdb.IOException) and "No files found" in words:
        return MissingTable
    if isinstance(error, duckdb.BinderException) and _NO_COLUMN.search(words):
        return MissingColumn
    return None


def timed_out(error: BaseException) -> bool:
    """Whether it was interrupted, which nothing but the deadline does."""
    return isinstance(error, duckdb.InterruptException)


def reveals(error: BaseException) -> bool:
    """Whether it is about values, and not about names, syntax, files or what there is of memory."""
    return not isinstance(error, (*_ABOUT_STATEMENTS, OSError))


cost = duckdb_cost.cost


@compiles(TryCast, "duckdb")
def _try_cast(element: TryCast[Any], compiler: Any, **options: Any) -> str:
    value = compiler.process(element.clause, **options)
    return f"TRY_CAST({value} AS {compiler.process(element.typeclause, **options)})"
