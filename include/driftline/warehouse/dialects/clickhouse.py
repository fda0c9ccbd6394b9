"""ClickHouse: a server over HTTP, or chdb, which is ClickHouse inside the process on a folder.

Every session is read-only, in UTC, and told to be SQL where ClickHouse has habits of its own: a
name is a column before it is an alias, an outer join fills up with NULL, an aggregate of nothing
is NULL.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    and_,
    case,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import QueuePool

from driftline import hidden
from driftline.errors import LogError, MissingColumn, MissingExtra, MissingTable, WarehouseError
from driftline.monitor.sections import Profiler
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.ahead import ahead
from driftline.warehouse.dialects.base import (
    ISO_WALL,
    ISO_ZONED,
    Column,
    Family,
    TimeLiteral,
    column_by_column,
    double,
    varchar,
)
from driftline.warehouse.dialects.cost import Cost

profiler = Profiler.STREAM
"""One statement fetches what several would count: only so do all columns see the same rows."""

_MEANINGS = {
    "session_timezone": "UTC",
    "prefer_column_name_to_alias": "1",
    "join_use_nulls": "1",
    "aggregate_functions_null_for_empty": "1",
    "precise_float_parsing": "1",
}
"""Settings without which a statement would mean something else."""

_TOO_LONG = (159, 160)
_MISSING: dict[int, type[LogError]] = {60: MissingTable, 81: MissingTable, 47: MissingColumn}
_ABOUT_STATEMENTS = (*_TOO_LONG, *_MISSING, 36, 46, 62, 164, 192, 193, 210, 241, 497, 516)
"""Codes whose words hold names and no values: also syntax, rights, the network, memory."""
QUOTE, ESCAPED = "'", "\\'"
_UTC = ("UTC", "Etc/UTC", "Etc/UCT", "UCT", "Etc/Universal", "Universal", "Zulu", "Etc/Zulu")
_SPACE = " \t\n\r\v\f"
_LONGEST_CHANGE = 3 * 3600
"""No zone has put its clocks back by more seconds, as far as people keep logs."""

_FAMILIES = {
    "Bool": Family.BOOLEAN,
    "String": Family.TEXT,
    "FixedString": Family.TEXT,
    "Enum": Family.TEXT,
    "Enum8": Family.TEXT,
    "Enum16": Family.TEXT,
    "Date": Family.DATE,
    "Date32": Family.DATE,
    "JSON": Family.JSON,
    "Map": Family.JSON,
    **{f"{sign}Int{2**size}": Family.INTEGER for sign in ("", "U") for size in range(3, 9)},
    **dict.fromkeys(("Float32", "Float64", "BFloat16", "Decimal"), Family.FLOAT),
}


def engine(url: URL, caller: Caller) -> Engine:
    """Open a session that can only read; a folder for chdb must be there."""
    seconds, options = caller.timeout.total_seconds(), {}
    if _embedded(url):
        path = str(url.query.get("path") or "")
        if not Path(path).is_dir():
            raise MissingTable(f"there is no chdb folder {path}; write ?interface=chdb&path=...")
        if find_spec("chdb") is None:
            raise MissingExtra("chdb", "chdb")
    else:
        # The server ends what is late; should it be gone, the driver does.
        options = {"client_name": caller.application, "send_receive_timeout": int(seconds) + 60}
    if find_spec("clickhouse_connect") is None:
        raise MissingExtra("clickhouse-connect", "clickhouse")
    made = create_engine(
        url,
        connect_args={name: value for name, value in options.items() if name not in url.query},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        paramstyle="named",
        execution_options={"max_execution_time": f"{seconds:g}"},
    )
    speaker: Any = made.dialect
    speaker.statement_compiler = _compiler(speaker.statement_compiler)
    # The driver makes one percent sign of two, for statements with marks; ours have none.
    speaker._ch_pyformat_encoded = lambda context: False
    event.listen(made, "connect", lambda connection, _: start(connection.client, f"{seconds:g}"))
    event.listen(made, "before_cursor_execute", _before)
    return made


def _before(connection: Connection, _: Any, statement: str, *__: Any) -> None:
    driver: Any = connection.connection.driver_connection
    _check(connection.engine, driver.client.query, statement)


def _embedded(url: URL) -> bool:
    return url.query.get("interface") == "chdb"


def start(client: Any, seconds: str) -> None:
    """Make a session what driftline needs, or say which settings its user may not change.

    A user may be bound to read, and to a time of his own; that is kept where it is shorter.
    """
    held = client.server_settings
    for name, value in _MEANINGS.items():
        found = held.get(name)
        if found is not None and found.value == value:
            continue
        if found is not None and found.readonly:
            raise WarehouseError(
                f"ClickHouse: the setting {name} is {found.value or 'empty'} and must be {value}, "
                "and this user may not change it; set it in the user's profile, or let that have "
                "readonly = 2"
            )
        client.set_client_setting(name, value)
    own = held.get("max_execution_time")
    if own is None or not (own.readonly or 0 < float(own.value) < float(seconds)):
        client.set_client_setting("max_execution_time", seconds)
    client.set_client_setting("param_driftline_key", _escaped(hidden.key()))
    # The last one: once a session can only read, it can set nothing.
    if held.get("readonly") is None or held["readonly"].value == "0":
        client.set_client_setting("readonly", "1")


def _check(engine: Engine, ask: Callable[[str], Any], statement: str) -> None:
    """Raise ClickHouse's own error unless the text is one statement.

    A server refuses several by itself. chdb runs them, and one may write files: INTO OUTFILE.
    """
    if _embedded(engine.url):
        ask(f"SELECT formatQuerySingleLine('{_escaped(statement).replace(QUOTE, ESCAPED)}')")


def _escaped(value: str) -> str:
    """Write the value of a parameter as ClickHouse reads it."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation from the types of a SELECT, which is not run.

    A time without a zone is a count of seconds that ClickHouse shows in its server's zone. Where
    that is UTC it is taken for a wall time, as elsewhere; where it is another, text became an
    instant when it was written, and is one.
    """
    statement = select(text("*")).select_from(relation).compile(dialect=connection.dialect)
    described = connection.exec_driver_sql(f"DESCRIBE TABLE ({statement})").fetchall()
    zone = connection.exec_driver_sql("SELECT serverTimezone()").scalar_one()
    bare = Family.NAIVE if zone in _UTC else Family.AWARE
    return {row[0]: _column(row[1], bare) for row in described}


def _column(name: str, bare: Family) -> Column:
    from clickhouse_connect.datatypes.registry import get_from_name
    from clickhouse_connect.driver.exceptions import ClickHouseError

    plain = re.sub(r"\s+", " ", name)
    try:
        kind = get_from_name(plain)
    except ClickHouseError:
        return Column(type=plain, family=Family.OTHER)  # newer than the driver
    return _typed(plain, kind, bare)


def _typed(name: str, kind: Any, bare: Family) -> Column:
    base = kind.base_type
    if base == "SimpleAggregateFunction":
        return _typed(name, kind.element_type, bare)
    if base in ("DateTime", "DateTime64"):
        zoned = Family.AWARE if "'" in name else bare
        return Column(type=name, family=zoned)
    if base == "Tuple" and kind.element_names:
        pairs = zip(kind.element_names, kind.element_types, strict=True)
        members = {member: _typed(each.name, each, bare) for member, each in pairs}
        return Column(type=name, family=Family.STRUCT, members=members)
    return Column(type=name, family=_FAMILIES.get(base, Family.OTHER))


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch natively, in the format of Arrow.

    Each statement sees one state of every table. ClickHouse has no snapshot for several: rows that
    arrive meanwhile are in the later ones only. A log's hours are counted when they are settled,
    and once more where rows came late.
    """
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for statement in statements:
            _check(engine, driver.client.query, statement)
            yield driver.client.query_arrow(statement)


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Stream natively; the next rows are made while the last are looked at."""
    stream = _stream_embedded if _embedded(engine.url) else _stream
    return ahead(stream(engine, statement))


def _stream(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.client.query_arrow_stream(statement) as found:
            for each in found:
                yield from each.to_batches() if isinstance(each, pa.Table) else [each]


def _stream_embedded(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Stream through chdb itself: the driver would hold the whole answer in memory."""
    import chdb
    from clickhouse_connect.driver.exceptions import DatabaseError

    quoted = engine.dialect.identifier_preparer.quote_identifier(engine.url.database or "default")
    limit = engine.get_execution_options()["max_execution_time"]
    settings = {
        **_MEANINGS,
        "max_execution_time": limit,
        "param_driftline_key": _escaped(_escaped(hidden.key())).replace("'", "\\'"),
        "readonly": "1",
    }
    try:
        path = str(Path(str(engine.url.query["path"])).resolve())
        with closing(chdb.connect(path)) as connection:
            for each in (f"USE {quoted}", *(f"SET {n} = '{v}'" for n, v in settings.items())):
                connection.query(each)
            _check(engine, connection.query, statement)
            with closing(connection.send_query(statement, "ArrowStream")) as found:
                for block in found:
                    yield from pa.ipc.open_stream(block.bytes())
    except (chdb.ChdbError, RuntimeError) as error:
        code = re.search(r"Code: (\d+)", str(error))
        raise DatabaseError(str(error), code=int(code[1]) if code else None) from error


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to Float64; the words true and false of a JSON document count as 1 and 0."""
    if family.is_number or family is Family.BOOLEAN:
        return double(value)
    words = varchar(value)
    return case(
        (words == "true", literal(1.0)),
        (words == "false", literal(0.0)),
        else_=func.toFloat64OrNull(func.trimBoth(words, _SPACE)),
    )


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to String."""
    return func.toJSONString(value) if family is Family.JSON else varchar(value)


def integer(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to Int64; a number that does not fit is an error, and not another number."""
    return func.accurateCast(value, "Nullable(Int64)")


def boolean(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column: ClickHouse has booleans."""
    return value


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a named tuple, or into JSON; what is no JSON holds nothing."""
    if family is Family.STRUCT:
        for key in keys:
            value = func.tupleElement(value, key)
        return value
    return func.JSONExtract(string(value, family), *keys, "Nullable(String)")


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Put null under the keys of a JSON document; other text is NULL."""
    patch: dict[str, Any] | None = None
    for key in reversed(keys):
        patch = {key: patch}
    words = varchar(value)
    is_document = func.JSONType(words) == "Object"
    # Both branches of a condition are computed, and no JSON is an error.
    document = case((is_document, words), else_="{}")
    return case((is_document, func.JSONMergePatch(document, json.dumps(patch))))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.lower(func.hex(func.SHA256(value)))


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number."""
    return func.isNaN(value)


def exact(value: float) -> str:
    """Write 17 digits; with an exponent they are a Float64."""
    return f"{value:.17e}"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by halving, which `roundDown` has built in: it returns the edge below.

    For 60 edges it takes what a tree of comparisons does, for 250 a seventh.
    """
    if not edges:
        return literal_column("0")
    array = ", ".join(map(exact, edges))
    below: ColumnElement[Any] = literal_column(f"[{array}]")
    places: ColumnElement[Any] = literal_column(f"range(1, {len(edges) + 1})")
    least: ColumnElement[Any] = literal_column(exact(edges[0]))
    edge = func.roundDown(func.assumeNotNull(value), below)
    return case((value < least, 0), else_=func.transform(edge, below, places, 0))


in_step = column_by_column
"""Columns lie apart, and taking rows apart is no faster."""


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the text: ClickHouse orders by bytes."""
    return value


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return func.match(value, pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as DateTime64; without an offset it is a wall time of the zone."""

    def read(zone: str) -> ColumnElement[Any]:
        return func.parseDateTime64BestEffortOrNull(value, 6, zone)

    def offset(moment: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.timezoneOffset(func.toTimeZone(moment, zone))

    def later(seconds: Any) -> ColumnElement[Any]:
        return func.addSeconds(read(zone), seconds)

    # ClickHouse reads a wall time that the zone skips as one before the gap, and of two instants
    # of a repeated one the earlier.
    seconds = func.toUnixTimestamp(read("UTC")) - func.toUnixTimestamp(read(zone))
    skipped = seconds - offset(read(zone))
    put_back = offset(read(zone)) - offset(later(_LONGEST_CHANGE))
    repeated = and_(put_back > 0, offset(later(put_back)) == offset(read(zone)) - put_back)
    wall = later(skipped + case((repeated, put_back), else_=0))
    moment = case(
        (func.match(value, ISO_WALL), func.toTimeZone(wall, "UTC")),
        (func.match(value, ISO_ZONED), read("UTC")),
    )
    return moment, Family.AWARE


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count code points, not bytes."""
    return func.lengthUTF8(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970 of a time or a day as a double."""
    exactly = func.toDateTime64(value, 6, "UTC")
    return func.toUnixTimestamp64Micro(exactly) / literal(1e6)


def missing(error: BaseException) -> type[LogError] | None:
    """Read ClickHouse's own code of the failure."""
    return _MISSING.get(getattr(error, "code", None) or 0)


def reveals(error: BaseException) -> bool:
    """Whether it is none about names, syntax, rights, time or memory."""
    return getattr(error, "code", None) not in _ABOUT_STATEMENTS


def timed_out(error: BaseException) -> bool:
    """Whether it took too long, or would have by ClickHouse's own reckoning."""
    return getattr(error, "code", None) in _TOO_LONG


_HELD = "SELECT database, name, total_rows, total_bytes FROM system.tables WHERE total_rows > 0"


def cost(connection: Connection, statement: str) -> Cost | None:
    """Return what is left of tables by their order and parts: rows, with all of their columns."""
    left = connection.exec_driver_sql(f"EXPLAIN ESTIMATE {statement}").fetchall()
    if not left:
        return None
    held = {tuple(row[:2]): row[3] / row[2] for row in connection.exec_driver_sql(_HELD)}
    sizes = [part.rows * held.get((part.database, part.table), 0.0) for part in left]
    return Cost(
        rows=sum(part.rows for part in left),
        scanned=round(sum(sizes)),
        basis="all columns of the rows, compressed",
    )


def _compiler(base: Any) -> Any:
    """Return SQLAlchemy's compiler for ClickHouse with what driftline's SQL needs beside it."""

    class Compiler(base):  # type: ignore[misc]
        def visit_cast(self, cast: Any, **options: Any) -> str:
            """Keep NULL, which a cast to a bare type refuses."""
            kind = cast.typeclause._compiler_dispatch(self, **options)
            return f"CAST({cast.clause._compiler_dispatch(self, **options)} AS Nullable({kind}))"

        def visit_md5_func(self, function: Any, **options: Any) -> str:
            """Write the digest as the text that md5() is elsewhere."""
            return f"lower(hex(MD5{self.function_argspec(function, **options)}))"

    return Compiler


@compiles(TimeLiteral, "clickhousedb")
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    if element.family is Family.DATE:
        return f"toDate32('{element.words}')"
    wall = element.words.removesuffix("+00:00")
    return f"toDateTime64('{wall}', 6, 'UTC')"
