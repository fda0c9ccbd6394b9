"""What the databases say differently: a Dialect is a module with these functions."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, cast

import pyarrow as pa
from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, func, literal_column
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql
from sqlalchemy.ext.compiler import compiles

from driftline import hidden
from driftline.errors import InputError, LogError
from driftline.monitor.sections import Profiler
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.cost import Cost

ZONED = r"(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?)$"
"""The end of ISO text that says its zone; a date alone may end so too."""

_30, _28 = "(0[1-9]|[12][0-9]|30)", "(0[1-9]|1[0-9]|2[0-8])"
_LEAP = "([12][0-9](0[48]|[2468][048]|[13579][26])|(12|16|20|24|28)00)"


def _days(dash: str) -> str:
    """Return the pattern of the days that there are, from the year 1000 to 2999."""
    months = f"(0[13578]|1[02]){dash}({_30}|31)|(0[469]|11){dash}{_30}|02{dash}{_28}"
    return f"([12][0-9][0-9][0-9]{dash}({months})|{_LEAP}{dash}02{dash}29)"


DAY = _days("-")
COMPACT_DAY = _days("")
CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?"
OFFSET = "([Zz]|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
ISO_WALL = f"^{DAY}([T ]{CLOCK})?$"
"""ISO text of a wall time that there may be. Patterns have neither backslashes nor braces."""
ISO_ZONED = f"^{DAY}([T ]{CLOCK})? *{OFFSET}$"
"""ISO text that says its offset."""


def usual(words: ColumnElement[Any]) -> ColumnElement[str]:
    """Return ISO text as most write it: it may also have a comma, and small letters."""
    return func.upper(func.replace(words, ",", "."))


DIALECTS = {
    "duckdb": "duckdb",
    "postgresql": "postgresql",
    "sqlite": "sqlite",
    "clickhousedb": "clickhouse",
    "hive": "spark",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "redshift": "redshift",
    "databricks": "databricks",
    "trino": "trino",
}
"""SQLAlchemy's name of a database, and the module of this room that loads its driver."""


NOT_ONE = (
    "a where, query or business expression makes more of its statement than one that reads, and "
    "nothing was run: write one condition, one SELECT, one aggregate"
)


class Family(StrEnum):
    """What kind of values a column holds, whatever the database calls its type."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    """Decimals that may lie beyond a double; those that cannot are FLOAT."""
    TEXT = "text"
    DATE = "date"
    NAIVE = "timestamp without zone"
    AWARE = "timestamp with zone"
    JSON = "json"
    STRUCT = "struct"
    LIST = "list"
    MAP = "map"
    OTHER = "other"

    @property
    def is_number(self) -> bool:
        """Whether its values can be counted with; booleans cannot."""
        return self is Family.INTEGER or self.has_fractions

    @property
    def has_fractions(self) -> bool:
        """Whether its values are numbers that need not be whole."""
        return self in (Family.FLOAT, Family.DECIMAL)


SCALARS = (Family.BOOLEAN, Family.INTEGER, Family.FLOAT, Family.DECIMAL, Family.TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the database describes it; a struct knows its members, a list or map its items.

    What cannot be followed into has none.
    """

    type: str
    family: Family
    members: Mapping[str, "Column"] = field(default_factory=dict)
    item: "Column | None" = None


class TimeLiteral(ColumnElement[Any]):
    """A day, a wall time or an instant written out; a dialect may write it in its own way."""

    inherit_cache = False

    def __init__(self, family: Family, words: object) -> None:
        self.family = family
        self.words = str(words)


@compiles(TimeLiteral)
def _time_literal(element: TimeLiteral, compiler: Any, **options: Any) -> str:
    kinds = {Family.DATE: "DATE", Family.NAIVE: "TIMESTAMP"}
    return f"{kinds.get(element.family, 'TIMESTAMP WITH TIME ZONE')} '{element.words}'"


class Key(ColumnElement[Any]):
    """The key of hidden values, as a session knows it: no statement that is shown holds it."""

    inherit_cache = False
    type = sql.Text()


_KEYS = {
    "duckdb": "getvariable('driftline_key')",
    "postgresql": "current_setting('driftline.key')",
    "sqlite": "driftline_key()",
    "clickhousedb": "{driftline_key:String}",
    "hive": "driftline_key",
}
"""What a session is told beside the statement, by a parameter where the driver has some."""


@compiles(Key)
def _key(element: Key, compiler: Any, **options: Any) -> str:
    if options.get("shown"):
        return ":key"
    held = _KEYS.get(compiler.dialect.name)
    return held or str(compiler.render_literal_value(hidden.key(), element.type))


class Dialect(Protocol):
    """How one database is opened, described and spoken to. All expressions are SQLAlchemy's."""

    @property
    def profiler(self) -> Profiler:
        """Who counts profiles where the monitor's file leaves it to us.

        The three databases stream: a million rows of 16 numbers and 4 categories took DuckDB 1.3 s
        in SQL (2.4 of CPU) and 0.8 s by the stream (1.1); PostgreSQL 5.5 s (8.4 of CPU of its
        server) and 2.7 s (1.3 of the server, 2.9 here); SQLite 44 s of CPU and 7. SQL reads the
        rows once more for each segment's column, a stream does not. SQL is for a warehouse that is
        far away, or that has more cores than its client.
        """

    def engine(self, url: URL, caller: Caller) -> Engine:
        """Return an engine that only reads, whose sessions are in UTC.

        It ends a statement that takes longer than `caller.timeout`, those of `arrow` too; where
        the database lists its sessions they have the name `caller.application`.
        """

    def columns(self, connection: Connection, relation: FromClause) -> dict[str, Column]:
        """Describe what a SELECT from this relation returns, in its order."""

    def arrow(self, engine: Engine, statements: Sequence[str]) -> Iterator[pa.Table]:
        """Run literal SELECTs and yield the rows of each, column by column; names do not matter.

        All of them see the same rows of the tables, whatever arrives meanwhile.
        """

    def batches(self, engine: Engine, statement: str) -> Generator[pa.RecordBatch, None, None]:
        """Run a literal SELECT and yield its rows in batches, however many they are."""

    def number(self, value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
        """Cast to a double; what is no number is NULL."""

    def string(self, value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
        """Cast to text; booleans are `true` and `false`."""

    def integer(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Cast an INTEGER column to 64 bits."""

    def boolean(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a BOOLEAN column as the driver's own boolean, or as 0 and 1."""

    def member(
        self, value: ColumnElement[Any], family: Family, keys: Sequence[str]
    ) -> ColumnElement[Any]:
        """Return what stands under these keys of a JSON document (as text) or of a struct.

        A key of digits is the place in a list too, the first is 0. Of text that is no document
        nothing stands there. Where a Column has an `item`, also what a list has at a place and a
        map under a key.
        """

    def without(self, value: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[Any]:
        """Return a JSON document as text, without what stands under the keys."""

    def sha256(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the digest of a text in UTF-8, as 64 hexadecimal digits in lower case."""

    def is_nan(self, value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a double is not a number; NULL is neither."""

    def exact(self, value: float) -> str:
        """Write a finite double so that the database reads this very one."""

    def bin_of(self, value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
        """Return how many of the sorted edges a finite double reaches: its bin."""

    def in_step(
        self, codes: Sequence[ColumnElement[Any]], values: Sequence[ColumnElement[Any]]
    ) -> Iterable[tuple[ColumnElement[Any], ColumnElement[Any]]]:
        """Return the pairs of the two lists, each for a statement of its own; or both lists taken
        apart row by row, in step, for one statement.
        """

    def length(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return how many characters (code points) a text has, as a whole number."""

    def epoch(self, value: ColumnElement[Any], family: Family) -> ColumnElement[Any]:
        """Return the seconds from 1970 to an AWARE, NAIVE or DATE column, as a double.

        A wall time counts as if it were UTC. Where a database has no types for times, it is what
        `instant` returns that is read.
        """

    def bytewise(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return text that is ordered by its bytes, whatever the database's collation."""

    def matches(self, value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether the whole of a text is like a pattern from `^` to `$`.

        Patterns have neither backslashes nor braces: what these mean differs.
        """

    def instant(self, value: ColumnElement[Any], zone: str) -> tuple[ColumnElement[Any], Family]:
        """Read ISO text of any form as an instant: AWARE, or INTEGER microseconds since 1970."""

    def missing(self, error: BaseException) -> type[LogError] | None:
        """Tell a missing table or column from all other failures."""

    def timed_out(self, error: BaseException) -> bool:
        """Whether a statement was ended because it took too long."""

    def reveals(self, error: BaseException) -> bool:
        """Whether the words of an error may hold a value of the log."""

    def cost(self, connection: Connection, statement: str) -> Cost | None:
        """Return what a literal SELECT would read, without running it; None where nobody can."""


def is_place(key: str) -> bool:
    """Whether a key may be a place in a list: as JSON Pointer has it, no sign and no zeros."""
    return key.isascii() and key.isdigit() and (key == "0" or key[0] != "0") and len(key) < 10


def backend(url: URL) -> str:
    """Return the name of the database behind an address: files on S3 are read by DuckDB."""
    name = url.get_backend_name()
    return "duckdb" if name == "aws" else name


def dialect_of(url: URL) -> Dialect:
    """Return what speaks to this address; an InputError names those that there are."""
    name = backend(url)
    if name not in DIALECTS:
        raise InputError(f"the warehouse is {name}; driftline reads {', '.join(DIALECTS)}")
    return cast(Dialect, import_module(f"driftline.warehouse.dialects.{DIALECTS[name]}"))


def column_by_column(
    codes: Sequence[ColumnElement[Any]], values: Sequence[ColumnElement[Any]]
) -> Iterable[tuple[ColumnElement[Any], ColumnElement[Any]]]:
    """Return the pairs of the two lists, each for a statement of its own."""
    return zip(codes, values, strict=True)


def tree(value: ColumnElement[Any], edges: Sequence[str]) -> ColumnElement[Any]:
    """Return how many of the sorted edges, as SQL, a number reaches: found by halving."""
    name = str(value.compile(compile_kwargs={"literal_binds": True}))

    def half(low: int, high: int) -> str:
        if low == high:
            return str(low)
        middle = (low + high) // 2
        below, above = half(low, middle), half(middle + 1, high)
        return f"CASE WHEN {name} < {edges[middle]} THEN {below} ELSE {above} END"

    return literal_column(f"({half(0, len(edges))})")


def double(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to a double as SQL has it; it may raise."""
    return sql_cast(value, sql.Double())


def varchar(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast to text as SQL has it."""
    return sql_cast(value, sql.Text())
