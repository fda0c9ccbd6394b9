"""PostgreSQL: psycopg for SQLAlchemy, ADBC for Arrow; every transaction is read-only."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    and_,
    case,
    column,
    create_engine,
    event,
    extract,
    false,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import array as pg_array
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import QueuePool

from driftline import hidden
from driftline.errors import LogError, MissingColumn, MissingExtra, MissingTable
from driftline.monitor.sections import Profiler
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.ahead import ahead
from driftline.warehouse.dialects.base import ISO_WALL, ISO_ZONED, Column, Family, double, varchar
from driftline.warehouse.dialects.cost import Cost

profiler = Profiler.STREAM

_BYTES = 1 << 22
"""About so many make a batch: some BATCH rows of twenty columns."""

_TELL = "SELECT set_config('driftline.key', {}, true)"
"""It is for a transaction, and told as a parameter: statements only say current_setting()."""
_SESSION = "SET LOCAL TIME ZONE 'UTC'"
_TELLS_VALID = (16,)
"""The version that can tell whether a text could be cast, without an error."""
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?([01]?\d?\d|2[0-7]\d))?\s*$"
_LONGEST, _LONGEST_SCALED = 308, 30
"""So many characters, of a number with an exponent so many, never lie beyond a double or so near to
0 that it has none: of both a cast is an error. jsonb writes all digits of 1e400."""
_SMALLEST: ColumnElement[Any] = literal_column("2.5e-324")
_LARGEST: ColumnElement[Any] = literal_column("1.7976931348623157e308")
"""Between them a numeric is a double; beyond, a cast is an error."""
_ZERO: ColumnElement[Any] = literal_column("0.0::float8")
_NOT_FINITE = r"^\s*(nan|[-+]?inf(inity)?)\s*$"

_FAMILIES = {
    "boolean": Family.BOOLEAN,
    "smallint": Family.INTEGER,
    "integer": Family.INTEGER,
    "bigint": Family.INTEGER,
    "real": Family.FLOAT,
    "double precision": Family.FLOAT,
    "numeric": Family.DECIMAL,
    "text": Family.TEXT,
    "character varying": Family.TEXT,
    "character": Family.TEXT,
    "name": Family.TEXT,
    "date": Family.DATE,
    "timestamp without time zone": Family.NAIVE,
    "timestamp with time zone": Family.AWARE,
    "json": Family.JSON,
    "jsonb": Family.JSON,
}
_ABOUT_STATEMENTS = ("08", "25", "28", "3D", "3F", "42", "53", "55", "57", "58")
"""Classes of SQLSTATE whose words hold names and no values."""

UNDEFINED = {
    "42P01": MissingTable,
    "3F000": MissingTable,
    "42703": MissingColumn,
}


def engine(url: URL, caller: Caller) -> Engine:
    """Connect through psycopg; transactions are read-only and in UTC."""
    try:
        made = create_engine(
            named(url, caller),
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,  # it idles while ADBC streams, and may have been cut meanwhile
            # Statements are literal: no parameter marks, so a percent sign is a percent sign.
            paramstyle="named",
            connect_args=one_statement_a_call(),
            execution_options=options(caller),
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", "postgres") from error
    event.listen(made, "begin", start)
    return made


def one_statement_a_call() -> dict[str, Any]:
    """Return how psycopg is to connect: so that it speaks the extended protocol.

    By the simple one, its habit for statements without parameters, a text may hold several, of
    which one ends our transaction and the next one writes. ADBC prepares what it asks.
    """
    import psycopg

    class Single(psycopg.Cursor[Any]):
        def _execute_send(self, query: Any, *, force_extended: bool = False, **rest: Any) -> None:
            super()._execute_send(query, force_extended=True, **rest)

    return {"cursor_factory": Single}


def named(url: URL, caller: Caller) -> URL:
    """Return the address with the caller as the connection's name, where nobody chose another."""
    return url.update_query_dict({"fallback_application_name": caller.application})


def options(caller: Caller) -> dict[str, Any]:
    """Return an engine's options: how its transactions start."""
    limit = f"SET LOCAL statement_timeout = {caller.timeout // timedelta(milliseconds=1)}"
    told = {"postgresql_readonly": True, "start": (_SESSION, limit)}
    return told | {"key": hidden.key()} if caller.discreet else told


def start(connection: Connection) -> None:
    """Set what holds for a transaction."""
    for setting in connection.get_execution_options()["start"]:
        connection.exec_driver_sql(setting)
    if (secret := connection.get_execution_options().get("key")) is not None:
        native: Any = connection.connection.driver_connection
        native.execute(_TELL.format("%s"), [secret])


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation from an empty SELECT, which the planner answers without a scan."""
    cursor = connection.exec_driver_sql(
        _literal(connection, select(text("*")).select_from(relation).limit(0))
    ).cursor
    assert cursor is not None
    described: Any = cursor.description
    oid: ColumnElement[int] = literal_column("oid::bigint")
    types = connection.exec_driver_sql(
        _literal(
            connection,
            select(oid, func.format_type(oid, None), literal_column("typtype = 'e'"))
            .select_from(table("pg_type", schema="pg_catalog"))
            .where(oid.in_([column.type_code for column in described])),
        )
    )
    found = {number: _column(name, is_enum) for number, name, is_enum in types}
    return {
        column.name: _declared(found[column.type_code], column.precision, column.scale)
        for column in described
    }


def _column(name: str, is_enum: bool) -> Column:
    if name.endswith("[]"):
        return Column(type=name, family=Family.LIST, item=_column(name.removesuffix("[]"), False))
    family = Family.TEXT if is_enum else _FAMILIES.get(name, Family.OTHER)
    return Column(type=name, family=family)


def _declared(column: Column, precision: int | None, scale: int | None) -> Column:
    """Return a numeric as FLOAT where so few digits are declared that each value is a double."""
    if column.family is not Family.DECIMAL or precision is None or scale is None:
        return column
    bounded = max(precision - scale, scale) <= _LONGEST  # digits before the point, and after it
    return replace(column, family=Family.FLOAT) if bounded else column


def _literal(connection: Connection, statement: Select[Any]) -> str:
    options = {"literal_binds": True}
    return str(statement.compile(dialect=connection.dialect, compile_kwargs=options))


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch by COPY through ADBC, in a read-only transaction of its own."""
    with _transaction(engine) as connection:
        for statement in statements:
            with _asked(connection, statement) as reader:
                yield reader.read_all()


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Stream by COPY through ADBC; the next rows are read while the last are looked at."""
    return ahead(_stream(engine, statement))


def _stream(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    with _transaction(engine) as connection, _asked(connection, statement) as reader:
        yield from reader


@contextmanager
def _transaction(engine: Engine) -> Iterator[Any]:
    """Begin a read-only transaction of ADBC's.

    Its plain interface is spoken to: the one like other drivers' would load pandas.
    """
    try:
        from adbc_driver_manager import AdbcConnection
        from adbc_driver_postgresql import connect
    except ModuleNotFoundError as error:
        raise MissingExtra("adbc-driver-postgresql", "postgres") from error
    with connect(_uri(engine.url)) as database, AdbcConnection(database) as connection:
        connection.set_autocommit(False)
        for setting in (
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            *engine.get_execution_options()["start"],
            # Rows that were taken apart are many, and the planner takes them for few: it would hand
            # each of them from its workers to its leader, when these could have counted them.
            "SET LOCAL parallel_tuple_cost = 1",
        ):
            with _asked(connection, setting) as reader:
                reader.read_all()
        if (secret := engine.get_execution_options().get("key")) is not None:
            with _asked(connection, _TELL.format("$1"), secret) as reader:
                reader.read_all()
        yield connection


def _uri(url: URL) -> str:
    """Return the address as libpq reads it: a plus sign among the options is no space to it."""
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    place, mark, options = text.partition("?")
    return place + mark + options.replace("+", "%20")


@contextmanager
def _asked(connection: Any, text: str, *values: str) -> Iterator[pa.RecordBatchReader]:
    from adbc_driver_manager import AdbcStatement
    from adbc_driver_manager._reader import AdbcRecordBatchReader

    with AdbcStatement(connection) as statement:
        statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BYTES})
        statement.set_sql_query(text)
        if values:
            statement.bind(pa.record_batch([pa.array([value]) for value in values], ["1"]))
        stream, _ = statement.execute_query()
        # Of what the server says while rows come pyarrow makes an OSError without the SQLSTATE.
        with closing(AdbcRecordBatchReader._import_from_c(stream.address)) as reader:
            yield reader


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to double precision; text and decimals are looked at first, for a cast may raise.

    A decimal beyond the largest double is infinite, one nearer to 0 than the smallest is 0.
    """
    if family is Family.DECIMAL:
        return case(
            (func.abs(value).between(_SMALLEST, _LARGEST), double(value)),
            (func.abs(value) < _SMALLEST, _ZERO),
            (value == literal_column("'NaN'"), double(value)),
            (value > 0, literal_column("'inf'::float8")),
            (value < 0, literal_column("'-inf'::float8")),
        )
    if family.is_number:
        return double(value)
    if family is Family.BOOLEAN:
        return double(sql_cast(value, sql.Integer()))
    words = varchar(value)
    return case(
        (and_(words.op("~*")(_NUMBER), _is_double(words)), double(words)),
        (words.op("~*")(_NOT_FINITE), double(words)),
        (words == "true", literal_column("1.0::float8")),
        (words == "false", literal_column("0.0::float8")),
    )


def _is_double(words: ColumnElement[Any]) -> ColumnElement[bool]:
    plain = and_(func.length(words) <= _LONGEST, words.op("!~*", is_comparison=True)("e"))
    return or_(func.length(words) <= _LONGEST_SCALED, plain)


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to text."""
    return varchar(value)


def integer(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to bigint."""
    return sql_cast(value, sql.BigInteger())


def boolean(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column: PostgreSQL has booleans."""
    return value


class _IsDocument(ColumnElement[bool]):
    """Whether a text is a JSON object or list that jsonb takes.

    PostgreSQL 15 and older can only look how it begins: there what is cut off ends the statement.
    """

    inherit_cache = False
    type = sql.Boolean()

    def __init__(self, words: ColumnElement[Any]) -> None:
        self.words = words


@compiles(_IsDocument, "postgresql")
def _is_document(element: _IsDocument, compiler: Any, **options: Any) -> str:
    words = compiler.process(element.words, **options)
    begins = rf"{words} ~ '^\s*[[{{]'"
    known = compiler.dialect.server_version_info or _TELLS_VALID
    return begins if known < _TELLS_VALID else f"{begins} AND pg_input_is_valid({words}, 'jsonb')"


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into json or jsonb, text that holds either, or an array."""
    if family is Family.LIST:
        return type_coerce(value, ARRAY(sql.Text()))[int(keys[0]) + 1]
    return func.jsonb_extract_path_text(_document(value, family), *keys)


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    document, path = _document(value, Family.TEXT), pg_array(keys, type_=sql.Text())
    there = document.op("#>")(path).is_not(None)  # a name is an error where a list is
    return varchar(case((there, document.op("#-")(path)), else_=document))


def _document(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    words = varchar(value)
    read = case((_IsDocument(words), sql_cast(words, JSONB())))
    if family is not Family.JSON:
        return read
    # A column of json may hold what jsonb does not take: \u0000, half of a surrogate pair.
    is_jsonb = func.pg_typeof(value) == literal_column("'jsonb'::regtype")
    return case((is_jsonb, sql_cast(value, JSONB())), else_=read)


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.encode(func.sha256(func.convert_to(value, "UTF8")), "hex")


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number, which PostgreSQL holds equal to itself."""
    return value == literal_column("'NaN'::float8")


def exact(value: float) -> str:
    """Write 17 digits; bare they would be a numeric."""
    return f"'{value:.17e}'::float8"


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by halving, which PostgreSQL has built in."""
    array = ",".join(f"{edge:.17e}" for edge in edges)
    return func.width_bucket(value, literal_column(f"'{{{array}}}'::float8[]"))


def in_step(
    codes: Sequence[ColumnElement[Any]], values: Sequence[ColumnElement[Any]]
) -> Iterable[tuple[ColumnElement[Any], ColumnElement[Any]]]:
    """Take each row apart: rows lie together, and are read once for all columns."""
    if not codes:
        return []
    return [(func.unnest(pg_array(list(codes))), func.unnest(pg_array(list(values))))]


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count characters, whatever the database's encoding."""
    return func.char_length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Extract the epoch, a numeric, as double precision; an infinite time has none."""
    return case((func.isfinite(value), double(extract("epoch", value))))


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Order by bytes: a language's collation passes over spaces and dashes."""
    return value.collate("C")


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return value.op("~", is_comparison=True)(pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as timestamptz; without an offset it is a wall time of the zone."""
    aware = sql_cast(value, sql.TIMESTAMP(timezone=True))
    naive = sql_cast(value, sql.TIMESTAMP())
    read = case(
        (value.op("~")(ISO_WALL), func.timezone(zone, naive)),
        (value.op("~")(ISO_ZONED), aware),
    )
    return read, Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read the SQLSTATE, which both drivers carry."""
    return UNDEFINED.get(_state(error))


def timed_out(error: BaseException) -> bool:
    """Read the SQLSTATE, which it shares with what a person has cancelled."""
    return _state(error) == "57014" and "user request" not in str(error)


def reveals(error: BaseException) -> bool:
    """Whether it is none about names, rights, the connection or what there is of resources."""
    return not _state(error).startswith(_ABOUT_STATEMENTS) and not _is_refused(error)


def _is_refused(error: BaseException) -> bool:
    """Whether psycopg got no connection, or lost it: such errors have no SQLSTATE."""
    return type(error).__name__ == "OperationalError" and not _state(error)


def cost(connection: Connection, statement: str) -> Cost:
    """Ask the planner: its rows and its cost, and the size of the tables that its scans read.

    Of a partitioned table the plan has the partitions that are left. An index is taken to find
    rows that lie together, as those of a time mostly do.
    """
    ((plan,),) = connection.exec_driver_sql(f"EXPLAIN (VERBOSE, FORMAT JSON) {statement}").scalars()
    scans = list(_scans(plan["Plan"], 1.0))
    sizes = _sizes(connection, {_relation(node) for node, _ in scans})
    rows, scanned = 0.0, 0.0
    for node, workers in scans:
        size, held = sizes[_relation(node)]
        found = node["Plan Rows"] * workers
        whole = node["Node Type"] in ("Seq Scan", "Sample Scan") or held <= 0
        scanned += size if whole else size * min(1.0, found / held)
        rows += found
    remote = any(node["Node Type"] == "Foreign Scan" for node, _ in scans)
    return Cost(
        rows=round(rows) if scans else None,
        scanned=None if remote else round(scanned),
        units=plan["Plan"]["Total Cost"],
        basis="foreign tables, whose size is not known here"
        if remote
        else "the tables and partitions of the plan, without what lies out of line (TOAST)",
    )


def _scans(node: Mapping[str, Any], workers: float) -> Iterator[tuple[Mapping[str, Any], float]]:
    """Yield the scans of relations, and by how many their rows are divided in the plan."""
    if "Relation Name" in node:
        yield node, workers
    if planned := node.get("Workers Planned", 0):
        workers = planned + max(0.0, 1 - 0.3 * planned)  # the leader helps, as the planner reckons
    for each in node.get("Plans") or ():
        yield from _scans(each, workers)


def _relation(node: Mapping[str, Any]) -> tuple[str, str]:
    return node["Schema"], node["Relation Name"]


def _sizes(
    connection: Connection, names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, float]]:
    """Return the bytes and the rows of these relations, as far as they have been analyzed."""
    relation = table("pg_class", *map(column, ("oid", "relname", "relnamespace", "reltuples")))
    space = table("pg_namespace", column("oid"), column("nspname"))
    statement = (
        select(
            space.c.nspname,
            relation.c.relname,
            func.pg_relation_size(relation.c.oid),
            relation.c.reltuples,
        )
        .join_from(relation, space, relation.c.relnamespace == space.c.oid)
        .where(
            or_(
                false(),
                *(and_(space.c.nspname == s, relation.c.relname == name) for s, name in names),
            )
        )
    )
    found = connection.exec_driver_sql(_literal(connection, statement))
    return {(schema, name): (size or 0, held) for schema, name, size, held in found}


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")
