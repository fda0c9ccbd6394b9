"""SQLite: a file that is opened read-only; any column may hold any value."""

import hashlib
import math
import re
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    TableClause,
    case,
    create_engine,
    event,
    false,
    func,
    select,
    text,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import (
    literal as sql_literal,
)
from sqlalchemy import types as sql
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.pool import QueuePool

from driftline import hidden
from driftline.errors import LogError, MissingColumn, MissingTable
from driftline.monitor.sections import Profiler
from driftline.profile.rows import BATCH
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.base import (
    Column,
    Family,
    column_by_column,
    double,
    is_place,
    tree,
    varchar,
)
from driftline.warehouse.dialects.chunks import chunks, table_of
from driftline.warehouse.dialects.cost import Cost

profiler = Profiler.STREAM

_SAMPLE = 1000
_STEPS = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED = re.compile(rb"\\x([89a-f][0-9a-f])")


def engine(url: URL, caller: Caller) -> Engine:
    """Open a file read-only and lend SQLite the functions that it lacks."""
    if not url.database or url.database == ":memory:" or not Path(url.database).is_file():
        raise MissingTable(f"there is no SQLite file {url.database}")
    path = quote(str(Path(url.database).resolve()))
    made = create_engine(
        url.set(database=f"file:{path}", query={**url.query, "mode": "ro", "uri": "true"}),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
    )
    made.dialect.statement_compiler = _Compiler
    event.listen(made, "connect", lend_functions)
    event.listen(made, "connect", _read_any_text)
    _limit(made, caller.timeout.total_seconds())
    return made


def _limit(engine: Engine, seconds: float) -> None:
    """End a statement, its fetching included, so many seconds after it was sent."""
    ends = math.inf

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_progress_handler(lambda: monotonic() > ends, _STEPS)

    def sent(*_: object) -> None:
        nonlocal ends
        ends = monotonic() + seconds

    event.listen(engine, "connect", connected)
    event.listen(engine, "before_cursor_execute", sent)


def lend_functions(connection: sqlite3.Connection, _record: object = None) -> None:
    """Register on a connection the functions that our SQL calls and SQLite has not."""
    for function in (md5, floor, driftline_number, driftline_matches, driftline_instant):
        connection.create_function(function.__name__, -1, function, deterministic=True)
    connection.create_function("sha256", 1, _sha256, deterministic=True)
    connection.create_function("driftline_key", 0, hidden.key, deterministic=True)


class _Compiler(SQLiteCompiler):
    """Writes what may hold bytes that are no UTF-8: the driver would refuse the statement, or the
    text that it is to hand to a function.
    """

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Write text with a NUL, or that `readable` has made, as its bytes."""
        if isinstance(value, str) and (odd := _odd_bytes(value)) is not None:
            return f"CAST(X'{odd.hex()}' AS TEXT)"
        return super().render_literal_value(value, type_)

    def _of_bytes(self, function: Any, **options: Any) -> str:
        value, *rest = (self.process(each, **options) for each in function.clauses)
        known = f"CASE typeof({value}) WHEN 'text' THEN CAST({value} AS BLOB) END"
        return f"{function.name}({', '.join((known, *rest))})"

    visit_md5_func = visit_sha256_func = _of_bytes
    visit_driftline_number_func = visit_driftline_matches_func = _of_bytes
    visit_driftline_instant_func = _of_bytes


def readable(value: bytes) -> str:
    r"""Return text whatever its bytes are: SQLite keeps what it is given.

    >>> readable(b"caf\xe9"), readable("café".encode())
    ('caf\\xe9', 'café')
    """
    return value.decode(errors="backslashreplace")


def _odd_bytes(value: str) -> bytes | None:
    """Return the bytes of a text that no statement can hold as it stands; None of others."""
    own = value.encode(errors="surrogatepass")
    raw = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), own)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw
    return own if b"\0" in own else None


def _read_any_text(connection: sqlite3.Connection, _record: object) -> None:
    connection.text_factory = readable


def floor(value: float | None) -> int | None:
    """Round down; SQLite itself can where it was built with its mathematical functions."""
    return None if value is None or not math.isfinite(value) else math.floor(value)


def md5(value: bytes | None) -> str | None:
    """Return the digest that md5() returns in the other databases."""
    return None if value is None else hashlib.md5(value).hexdigest()  # noqa: S324


def _sha256(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


def driftline_number(value: bytes | None) -> float | None:
    """Return the number that the text writes, if it is one."""
    try:
        return None if value is None or b"_" in value else float(value)
    except ValueError:
        return {b"true": 1.0, b"false": 0.0}.get(value or b"")


def driftline_matches(value: bytes | None, pattern: str) -> bool:
    """Return whether a text is like a pattern."""
    return value is not None and re.search(pattern, readable(value)) is not None


def driftline_instant(value: bytes | None, zone: str) -> int | None:
    """Return ISO text as microseconds since 1970; without an offset it is a time of the zone."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(readable(value).removesuffix("UTC").rstrip())
        if moment.tzinfo is None:
            wall = moment.replace(tzinfo=_zone(zone))
            moment = max(wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC))
    except (ValueError, OverflowError):  # at the ends of the calendar there is no other zone
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


_zone = lru_cache(ZoneInfo)


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation by what its columns are declared as and what a sample really holds."""
    dialect = connection.dialect
    rows = select(text("*")).select_from(relation)

    def literal(statement: Any) -> str:
        return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))

    cursor = connection.exec_driver_sql(literal(rows.limit(0))).cursor
    assert cursor is not None
    names = [description[0] for description in cursor.description]
    declared: dict[str, str] = {}
    if isinstance(relation, TableClause):
        place = [sql_literal(str(n), sql.Text()) for n in (relation.name, relation.schema) if n]
        pragma = func.pragma_table_xinfo(*place).table_valued("name", "type")
        declared = dict(connection.exec_driver_sql(literal(select(pragma))).fetchall())  # type: ignore[arg-type]
    quoted = [dialect.identifier_preparer.quote_identifier(name) for name in names]
    stored = ", ".join(f"group_concat(DISTINCT typeof({name}))" for name in quoted)
    held = connection.exec_driver_sql(
        f"SELECT {stored} FROM (\n{literal(rows.limit(_SAMPLE))}\n)"  # noqa: S608
    ).one()
    return {
        name: _column(declared.get(name, ""), set((kinds or "null").split(",")) - {"null"})
        for name, kinds in zip(names, held, strict=True)
    }


def _column(declared: str, held: set[str]) -> Column:
    words = declared.upper()
    number = {"integer", "real"} & held
    held = held - {"blob"} or held  # stray bytes make it no other column
    if held == {"blob"}:
        family = Family.OTHER
    elif "BOOL" in words and held <= {"integer"}:
        family = Family.BOOLEAN
    elif "text" in held and not (number and _affinity(words).is_number):
        family = Family.TEXT  # stray text in a column of numbers does not make it one of text
    elif "real" in held:
        family = Family.FLOAT
    elif "integer" in held:
        family = Family.FLOAT if _affinity(words) is Family.FLOAT else Family.INTEGER
    else:
        family = _affinity(words)
    return Column(type=declared or "/".join(sorted(held)).upper() or "NULL", family=family)


def _affinity(declared: str) -> Family:
    if "INT" in declared:
        return Family.INTEGER
    if any(part in declared for part in ("REAL", "FLOA", "DOUB", "NUM", "DEC")):
        return Family.FLOAT
    return Family.TEXT


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch in chunks and turn each into columns at once."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")  # else each statement would see what has come by then
        for statement in statements:
            with _bytes_of_text(connection):
                cursor = connection.exec_driver_sql(statement).cursor
                assert cursor is not None
                found = table_of(cursor)
            yield pa.table([_texts(column) for column in found.columns], found.column_names)


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch in chunks; a thread of its own would only wait for Python's lock."""
    with engine.connect() as connection, _bytes_of_text(connection):
        cursor = connection.exec_driver_sql(statement).cursor
        assert cursor is not None
        for batch in chunks(cursor, BATCH):
            columns = [_texts(column) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, batch.schema.names)


@contextmanager
def _bytes_of_text(connection: Connection) -> Iterator[None]:
    """Fetch text as bytes, which Arrow reads faster than the driver does."""
    native: Any = connection.connection.driver_connection
    native.text_factory = bytes
    try:
        yield
    finally:
        native.text_factory = readable


def _texts(column: Any) -> Any:
    """Return a column of bytes as text."""
    if not pa.types.is_binary(column.type):
        return column
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        values = [value if value is None else readable(value) for value in column.to_pylist()]
        return pa.array(values, pa.string())


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to REAL by what each value is stored as; stray text among numbers is NULL."""
    kind = func.typeof(value)
    stored = [(kind == "real", value), (kind == "integer", double(value))]
    if not (family.is_number or family is Family.BOOLEAN):
        stored.append((kind == "text", func.driftline_number(value)))
    return case(*stored)


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to TEXT."""
    if family is Family.BOOLEAN:
        return case((value == 1, "true"), (value == 0, "false"))
    return varchar(value)


def integer(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to INTEGER."""
    return sql_cast(value, sql.BigInteger())


def boolean(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return 0 and 1, which SQLite has for booleans."""
    return integer(value)


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into JSON text; what is no JSON holds nothing."""
    found = []
    for path in _paths(keys):
        kind = func.json_type(value, path)
        found += [
            (kind == "true", "true"),
            (kind == "false", "false"),
            (kind.is_not(None), func.json_extract(value, path)),
        ]
    return case((func.json_valid(value) == 0, None), *found)


def _paths(keys: Sequence[str]) -> list[str]:
    """Return the paths that keys may mean: one of digits is a name, or the place in a list."""
    meant = [[f'."{key}"', f"[{int(key)}]"] if is_place(key) else [f'."{key}"'] for key in keys]
    return ["$" + "".join(each) for each in product(*meant)]


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    return case((func.json_valid(value) == 1, func.json_remove(value, *_paths(keys))))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.sha256(value)


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return false: SQLite stores NaN as NULL."""
    return false()


def exact(value: float) -> str:
    """Write a whole number and powers of two: SQLite reads some decimals off by the last bit."""
    fraction, exponent = math.frexp(value)
    whole, exponent = int(fraction * 2**53), exponent - 53
    sign, powers = "*" if exponent > 0 else "/", abs(exponent)
    steps = [62] * (powers // 62) + [powers % 62]
    return f"({whole}" + "".join(f" {sign} {2**step}.0" for step in steps) + ")"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons."""
    return tree(value, [exact(edge) for edge in edges])


in_step = column_by_column
"""SQLite cannot take a row apart."""


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count characters, up to a NUL."""
    return func.length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the microseconds of `instant` as seconds: SQLite has no types for times."""
    return double(value) / 1e6


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Order by bytes."""
    return value.collate("BINARY")


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return func.driftline_matches(value, pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as microseconds since 1970."""
    return func.driftline_instant(value, zone), Family.INTEGER


def missing(error: BaseException) -> type[LogError] | None:
    """Read the kind of failure off SQLite's words; its errors share one code."""
    words = str(error)
    if words.startswith(("no such table", "no such view", "unknown database")):
        return MissingTable
    return MissingColumn if words.startswith("no such column") else None


def timed_out(error: BaseException) -> bool:
    """Whether it was interrupted, which nothing but the time limit does."""
    return isinstance(error, sqlite3.OperationalError) and str(error) == "interrupted"


def reveals(error: BaseException) -> bool:
    """Whether it is none of SQLite's own, or about a text that is no UTF-8: that one it quotes."""
    return not isinstance(error, sqlite3.Error) or "decode" in str(error)


def cost(connection: Connection, statement: str) -> Cost:
    """Return the file's size: of a part of it SQLite tells nothing without reading it."""
    steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    (size,) = connection.exec_driver_sql(
        "SELECT (page_count - freelist_count) * page_size "
        "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    ).one()
    searched = any(step.detail.startswith("SEARCH") for step in steps)
    basis = "the whole file, of which an index finds a part" if searched else "the whole file"
    return Cost(scanned=size, basis=basis)
