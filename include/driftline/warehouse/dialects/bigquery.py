"""BigQuery. Never run by us: see cloud.py.

It has no session: every statement is in UTC and sees one state of every table; rows that arrive
between two are in the later ones only. Nor can a session be read-only: give driftline an account
with the roles BigQuery Data Viewer and Job User. Its jobs carry the label `app: driftline`.

Of a JSON document only scalars can be read. Wall times need their seconds to be read from text.
"""

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
    event,
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
from driftline.warehouse.dialects.cloud import in_step, profiler, reveals, timed_out
from driftline.warehouse.dialects.cloud import scientific as exact
from driftline.warehouse.dialects.cloud import whole as integer
from driftline.warehouse.dialects.cost import Cost

__all__ = ["boolean", "exact", "in_step", "integer", "profiler", "reveals", "timed_out"]

_FAMILIES = {
    **dict.fromkeys(("BOOLEAN", "BOOL"), Family.BOOLEAN),
    **dict.fromkeys(("INTEGER", "INT64"), Family.INTEGER),
    **dict.fromkeys(("FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC"), Family.FLOAT),
    **dict.fromkeys(("RECORD", "STRUCT"), Family.STRUCT),
    "STRING": Family.TEXT,
    "DATE": Family.DATE,
    "DATETIME": Family.NAIVE,
    "TIMESTAMP": Family.AWARE,
    "JSON": Family.JSON,
}
_NO_TABLE = re.compile(r"Not found: (Table|Dataset|Project)")
_NO_COLUMN = re.compile(r"Unrecognized name|Name .* not found inside|Field name .* does not exist")


def engine(url: URL, caller: Caller) -> Engine:
    """Return an engine whose jobs are labelled."""
    made = cloud.opened(url, _Writer, "sqlalchemy-bigquery", "bigquery")
    preparer: Any = made.dialect.identifier_preparer
    preparer.quote_identifier = _quoted
    event.listen(made, "connect", _label)
    event.listen(made, "before_cursor_execute", _doubled, retval=True)
    return made


def _quoted(name: str) -> str:
    """Quote a name, in which a backslash escapes as it does in text."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _label(connection: Any, _record: object) -> None:
    from google.cloud.bigquery import QueryJobConfig

    client = connection._client
    config = client.default_query_job_config or QueryJobConfig()
    config.labels = {**config.labels, "app": cloud.APPLICATION}
    client.default_query_job_config = config


def _doubled(
    _connection: object, _cursor: object, statement: str, parameters: Any, *_: object
) -> tuple[str, Any]:
    """Double the percent signs: the driver makes one of two, though there are no parameters."""
    return statement.replace("%", "%%"), parameters


def columns(connection: Connection, relation: FromClause) -> dict[str, Column]:
    """Describe a relation by a dry run, which costs nothing and knows the members of structs."""
    job = _dry_run(connection, cloud.literal_select(connection, relation))
    return {field.name: _column(field) for field in job.schema}


def cost(connection: Connection, statement: str) -> Cost:
    """Return what a dry run says would be read."""
    job = _dry_run(connection, statement)
    return Cost(scanned=job.total_bytes_processed, basis="what a dry run says would be processed")


def _dry_run(connection: Connection, statement: str) -> Any:
    from google.cloud.bigquery import QueryJobConfig

    return _client(connection).query(statement, job_config=QueryJobConfig(dry_run=True))


def _client(connection: Connection) -> Any:
    native: Any = connection.connection.driver_connection
    return native._client


def _column(field: Any) -> Column:
    family = _FAMILIES.get(field.field_type, Family.OTHER)
    if field.mode == "REPEATED":
        return Column(type=f"ARRAY<{field.field_type}>", family=Family.OTHER)
    members = {member.name: _column(member) for member in field.fields}
    return Column(type=field.field_type, family=family, members=members)


def arrow(engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Fetch natively; through the Storage API, where google-cloud-bigquery-storage is installed."""
    with engine.connect() as connection:
        for statement in statements:
            yield _client(connection).query(statement).to_arrow()


def batches(engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
    """Fetch all rows, and yield them in batches."""
    return cloud.batches(arrow(engine, [statement]))


def number(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to FLOAT64."""
    words = string(value, family)
    return cloud.number_of(value, family, words, otherwise=try_cast(words, sql.Double()))


def string(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Cast to STRING; JSON has a function of its own."""
    return func.to_json_string(value) if family is Family.JSON else varchar(value)


def member(value: ColumnElement[Any], family: Family, keys: Sequence[str]) -> ColumnElement[Any]:
    """Follow the keys into a struct, or by subscripts into JSON, where no key is special."""
    if family is Family.STRUCT:
        return cloud.member_of(value, keys)
    document = value if family is Family.JSON else _parsed(varchar(value))
    for key in keys:
        document = func.driftline_subscript(document, key)
    return func.json_value(document)


def without(value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Take what stands under the keys out of a JSON document; other text is NULL."""
    strange = [key for key in keys if '"' in key or "\\" in key]
    if strange:
        raise LogError(f"BigQuery cannot take {strange[0]!r} out of JSON: it holds a quote")
    path = "$" + "".join(f'."{key}"' for key in keys)
    return func.to_json_string(func.json_remove(_parsed(varchar(value)), path))


def _parsed(words: ColumnElement[Any]) -> ColumnElement[Any]:
    """Read JSON, with NULL for other text; a number that is no double is rounded to one."""
    return func.SAFE.PARSE_JSON(words, literal_column("wide_number_mode => 'round'"))


def sha256(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the digest of a text as hexadecimal digits."""
    return func.to_hex(func.sha256(value))


def is_nan(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a double is not a number."""
    return func.is_nan(value)


def bin_of(value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
    """Find the bin by a tree of comparisons."""
    return cloud.bin_among(value, edges, exact)


def bytewise(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Order by bytes, whatever collation the column has."""
    return func.collate(value, "")


def length(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Count the characters of a text."""
    return func.char_length(value)


def epoch(value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
    """Return the seconds since 1970 as a double; a wall time counts as if it were UTC."""
    moment = value if family is Family.AWARE else func.timestamp(value)
    return func.unix_micros(moment) / 1e6


def matches(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text is like a pattern."""
    return func.regexp_contains(value, pattern)


def instant(value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
    """Read ISO text as TIMESTAMP; without an offset it is a wall time of the zone."""
    wall = func.timestamp(sql_cast(value, sql.DateTime()), zone)
    read = case(
        (func.regexp_contains(value, ISO_WALL), wall),
        (func.regexp_contains(value, ISO_ZONED), sql_cast(value, sql.TIMESTAMP())),
    )
    return read, Family.AWARE


def missing(error: BaseException) -> type[LogError] | None:
    """Read the kind of failure off BigQuery's words."""
    words = str(error)
    if _NO_TABLE.search(words):
        return MissingTable
    return MissingColumn if _NO_COLUMN.search(words) else None


class _Writer(cloud.Writer):
    exact = staticmethod(exact)

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Write text as Python does, whose escapes BigQuery shares."""
        return repr(value) if isinstance(value, str) else super().render_literal_value(value, type_)

    def visit_try_cast(self, element: Any, **options: Any) -> str:
        """Write the cast that is NULL where it fails."""
        return super().visit_try_cast(element, **options).replace("TRY_CAST", "SAFE_CAST", 1)

    def visit_md5_func(self, function: Any, **options: Any) -> str:
        """Write the digest as the text that md5() is elsewhere."""
        return f"TO_HEX(MD5{self.function_argspec(function, **options)})"

    def visit_driftline_subscript_func(self, function: Any, **options: Any) -> str:
        """Write a subscript."""
        value, key = (one._compiler_dispatch(self, **options) for one in function.clauses)
        return f"{value}[{key}]"


@compiles(TimeLiteral, "bigquery")
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    kinds = {Family.DATE: "DATE", Family.NAIVE: "DATETIME"}
    return f"{kinds.get(element.family, 'TIMESTAMP')} '{element.words}'"
