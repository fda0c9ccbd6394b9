"""Spark SQL, 4.0 or newer, behind its Thrift server: for logs that outgrow one machine.

Only SELECT and DESCRIBE are sent, and a session's SETs. There is no snapshot over several
statements. On plain files a session comes near to one: it lists the files of a table, or of a
partition, once, and does not see what is added to them later. A partition that is new is seen, and
a file that was replaced meanwhile makes the statement fail; a retry reads what is there then.
"""

import math
import re
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
    column,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    quoted_name,
    select,
    text,
    try_cast,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql
from sqlalchemy.pool import QueuePool

from driftline import hidden
from driftline.connections import shown
from driftline.errors import InputError, LogError, MissingColumn, MissingExtra, MissingTable
from driftline.monitor.sections import Profiler
from driftline.profile.rows import BATCH
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.base import (
    ZONED,
    Column,
    Family,
    column_by_column,
    double,
    tree,
    varchar,
)
from driftline.warehouse.dialects.cost import Cost
from driftline.warehouse.dialects.spark_sql import SparkDialect, SparkNames, connect_arguments
from driftline.warehouse.dialects.spark_thrift import refusals, side_by_side

profiler = Profiler.SQL

_SESSION = (
    "SET TIME ZONE 'UTC'",
    "SET spark.sql.variable.substitute = false",  # else ${env:NAME} in a value would be read
    "SET spark.sql.parser.escapedStringLiterals = false",  # a backslash in a literal is an escape
    # Times in nanoseconds, as pandas writes them, are no type of Spark's: they come as numbers.
    "SET spark.sql.legacy.parquet.nanosAsLong = true",
)
_TELL = "DECLARE OR REPLACE VARIABLE driftline_key STRING DEFAULT {}"
"""PyHive has no parameters: so the key stands in one statement of a session, and in no other."""
_TIMEOUT = "SET spark.sql.thriftServer.queryTimeout"
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_NOT_FINITE = r"(?i)^\s*(nan|[-+]?inf(inity)?)\s*$"
_MINUTES = rf"([T ]\d\d:\d\d)(\s*{ZONED})"
_HOURS = rf"([T ]\d\d)(\s*{ZONED})"
_VARIANTS = "MAP<STRING, VARIANT>"
_NAMES = SparkNames(SparkDialect())

_FAMILIES = {
    "boolean": Family.BOOLEAN,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Family.INTEGER),
    **dict.fromkeys(("float", "double", "decimal"), Family.FLOAT),
    **dict.fromkeys(("string", "char", "varchar"), Family.TEXT),
    "date": Family.DATE,
    "timestamp_ntz": Family.NAIVE,
    "timestamp": Family.AWARE,
    "variant": Family.JSON,
    "struct": Family.STRUCT,
}
_NAME = re.compile(r"\[(\w+)")
_UNDEFINED = {
    "TABLE_OR_VIEW_NOT_FOUND": MissingTable,
    "SCHEMA_NOT_FOUND": MissingTable,
    "PATH_NOT_FOUND": MissingTable,
    "UNRESOLVED_COLUMN": MissingColumn,
    "FIELD_NOT_FOUND": MissingColumn,
}


def engine(url: URL, caller: Caller) -> Engine:
    """Connect through PyHive's driver; sessions are in UTC."""
    try:
        import puresasl  # noqa: F401
        import pyhive.hive
        import thrift_sasl  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra("pyhive", "spark") from error
    wanted = connect_arguments(url)

    def connect() -> Any:
        try:
            with refusals():
                return pyhive.hive.connect(**wanted)
        except (ImportError, NotImplementedError, ValueError) as error:
            raise InputError(f"{shown(url)}: {error}") from error

    made = create_engine(
        "hive+driftline://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        paramstyle="named",  # statements are literal: a percent sign is a percent sign
    )
    seconds = math.ceil(caller.timeout.total_seconds())

    told = [_TELL.format(_quoted(hidden.key()))] if caller.discreet else []

    def start(connection: Any, _record: object) -> None:
        with refusals(), connection.cursor() as cursor:
            for statement in (*_SESSION, f"{_TIMEOUT} = {seconds}s", *told):
                cursor.execute(statement)

    event.listen(made, "connect", start)
    return made


def _quoted(value: str) -> str:
    """Write a text without a character that Spark could read as anything else."""
    return f"decode(unhex('{value.encode().hex()}'), 'UTF-8')"


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation, level by level: the text of a struct's type does not quote its names."""

    def within(path: Sequence[str]) -> dict[str, Column]:
        star = ".".join([*map(_NAMES.quote_identifier, path), "*"])
        # What stands in a name is no mark of SQLAlchemy's.
        chosen = select(text(star.replace(":", r"\:"))).select_from(relation)
        statement = chosen.compile(dialect=connection.dialect)
        described = connection.exec_driver_sql(f"DESCRIBE QUERY {statement}").fetchall()
        found = {}
        for name, kind, *_ in described:
            word = kind.partition("<")[0].partition("(")[0].partition(" ")[0]
            family = _FAMILIES.get(word, Family.OTHER)
            members = within([*path, name]) if family is Family.STRUCT else {}
            found[name] = Column(type=kind, family=family, members=members)
        return found

    return within([])


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Start a few statements at a time, and fetch their columns."""
    with engine.connect() as connection:
        yield from side_by_side(connection.connection.driver_connection, statements)


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch all rows, and yield them in batches."""
    for table in arrow(engine, [statement]):
        yield from table.to_batches(BATCH)


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to DOUBLE; text is looked at first, for Java reads more as numbers, such as 1d."""
    if family.is_number or family is Family.BOOLEAN:
        return double(value)
    words = string(value, family)
    return case(
        (words.op("RLIKE")(_NUMBER), try_cast(words, sql.Double())),
        (words.op("RLIKE")(_NOT_FINITE), try_cast(words, sql.Double())),
        (words == "true", literal(1.0)),
        (words == "false", literal(0.0)),
    )


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to STRING, which is compared byte by byte, whatever the column's collation."""
    return func.to_json(value) if family is Family.JSON else varchar(value)


def integer(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to BIGINT."""
    return sql_cast(value, sql.BigInteger())


def boolean(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column: Spark has booleans."""
    return value


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a struct; JSON is first read as structs of these keys and no others.

    A path for get_json_object could not hold every key.
    """
    if family is not Family.STRUCT:
        schema = "STRING"
        for key in reversed(keys):
            schema = f"STRUCT<{_NAMES.quote_identifier(key)}: {schema}>"
        value = func.from_json(string(value, family), schema)
    for key in keys:
        value = value.op(".")(column(quoted_name(key, True)))
    return value


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    return func.to_json(_without(func.from_json(varchar(value), _VARIANTS), keys))


def _without(entries: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    first, *rest = keys
    pair: ColumnElement[Any] = literal_column("(k, v)")
    key: ColumnElement[Any] = literal_column("k")
    held: ColumnElement[Any] = literal_column("v")
    if not rest:
        return func.map_filter(entries, pair.op("->")(key != first))
    kept = func.to_variant_object(_without(func.try_variant_get(held, "$", _VARIANTS), rest))
    return func.transform_values(entries, pair.op("->")(case((key == first, kept), else_=held)))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.sha2(value, 256)


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number, which Spark holds equal to itself and the greatest."""
    return func.isnan(value)


def exact(value: float) -> str:
    """Write 17 digits; without the letter they could be a DECIMAL."""
    return f"{value:.17e}D"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons, which Spark compiles."""
    return tree(value, [exact(edge) for edge in edges])


in_step = column_by_column
"""Columns lie apart, and code for one is short enough to be compiled."""


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the text: strings are ordered by their bytes."""
    return value


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count the characters of a text."""
    return func.length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970; a session in UTC takes a wall time for one in UTC."""
    aware = value if family is Family.AWARE else sql_cast(value, sql.TIMESTAMP(timezone=True))
    return double(func.unix_micros(aware)) / literal(1e6)


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return value.op("RLIKE", is_comparison=True)(pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as a TIMESTAMP; without an offset it is a wall time of the zone."""
    # Before an offset Spark wants minutes and seconds.
    hours = func.regexp_replace(func.upper(value), _HOURS, "$1:00:00$2")
    words = func.regexp_replace(hours, _MINUTES, "$1:00$2")
    read = try_cast(words, sql.TIMESTAMP(timezone=True))
    offset = words.op("RLIKE")("[T ].*" + ZONED)
    # Of a time that the clock shows twice Spark takes the first: what the offset of a day later
    # makes of it is the second.
    first = func.to_utc_timestamp(read, zone)
    after = first + literal_column("INTERVAL '24' HOUR")
    ahead = func.unix_micros(func.from_utc_timestamp(after, zone)) - func.unix_micros(after)
    second = func.timestamp_micros(func.unix_micros(read) - ahead)
    shown = case((func.from_utc_timestamp(second, zone) == read, second))
    return case((offset, read), else_=func.greatest(first, shown)), Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read the name of the error, with which Spark begins."""
    name = _NAME.match(str(error))
    return _UNDEFINED.get(name[1]) if name else None


def reveals(error: BaseException) -> bool:
    """Whether it is none about names and syntax."""
    named = _NAME.search(str(error))
    return named is None or not (named[1] in _UNDEFINED or named[1].startswith("PARSE"))


def timed_out(error: BaseException) -> bool:
    """Read the state of a statement that Spark has ended."""
    return "TIMEDOUT" in str(error)


def cost(connection: Connection, statement: str) -> Cost:
    """Sum what the optimizer takes the relations to hold; files are as large as they lie there."""
    told = "\n".join(connection.exec_driver_sql(f"EXPLAIN COST {statement}").scalars())
    plan = told.partition("== Physical Plan ==")[0]
    sizes = [float(size) * _UNITS[unit] for size, unit in _RELATION.findall(plan)]
    return Cost(scanned=round(sum(sizes)) if sizes else None, basis="the files of the tables")


_UNITS = {
    unit: 1024.0**power for power, unit in enumerate(["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}
_RELATION = re.compile(r"Relation .*Statistics\(sizeInBytes=([\d.]+(?:E\+\d+)?) (\w+)")
