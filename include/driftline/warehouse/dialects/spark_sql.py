"""Spark's SQL for SQLAlchemy: names in backticks, literals with backslashes, types by their names.

PyHive brings a dialect of its own, which speaks Hive's SQL of ten years ago; of PyHive we take the
driver alone.
"""

from typing import Any

from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import GenericTypeCompiler, IdentifierPreparer, SQLCompiler

from driftline.errors import InputError
from driftline.warehouse.dialects.base import Family, TimeLiteral
from driftline.warehouse.dialects.spark_thrift import refusals

_TIMES = {Family.AWARE: "TIMESTAMP_LTZ", Family.NAIVE: "TIMESTAMP_NTZ", Family.DATE: "DATE"}
_TRANSPORTS = ("", "thrift", "http", "https")
_WORDS = {"check_hostname": ("true", "false"), "ssl_cert": ("required", "optional", "none")}
"""What PyHive knows of certificates; what we ask for where nothing is said comes first."""
_OPTIONS = ("auth", "kerberos_service_name", "check_hostname", "ssl_cert")


def quoted(value: str) -> str:
    """Write text as a literal, which a backslash in it does not leave.

    >>> print(quoted("it's a \\\\"))
    'it\\'s a \\\\'
    """
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class SparkNames(IdentifierPreparer):
    """Every name stands in backticks, so that none is a word of the language."""

    def __init__(self, dialect: Any) -> None:
        super().__init__(dialect, initial_quote="`", escape_quote="`")

    def _requires_quotes(self, value: str) -> bool:
        return True


class SparkCompiler(SQLCompiler):
    """Where Spark writes differently what SQLAlchemy can say."""

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Write text with Spark's escapes, and a double as a double: bare it were a DECIMAL."""
        if isinstance(value, str):
            return quoted(value)
        return (
            f"{value!r}D"
            if isinstance(value, float)
            else super().render_literal_value(value, type_)
        )

    def visit_rtrim_func(self, function: Any, **how: Any) -> str:
        """Trim by SQL's own words: the function has its two arguments the other way round."""
        text, letters = (self.process(each, **how) for each in function.clauses)
        return f"TRIM(TRAILING {letters} FROM {text})"

    def visit_try_cast(self, element: Any, **how: Any) -> str:
        """Cast, or return NULL."""
        value = self.process(element.clause, **how)
        return f"TRY_CAST({value} AS {self.process(element.typeclause, **how)})"


class SparkTypes(GenericTypeCompiler):
    """The names of types."""

    def visit_text(self, type_: Any, **how: Any) -> str:
        """Text has no length."""
        return "STRING"

    visit_string = visit_text

    def visit_TIMESTAMP(self, type_: Any, **how: Any) -> str:  # noqa: N802
        """Name one of the two explicitly: what TIMESTAMP means depends on the session."""
        return "TIMESTAMP_LTZ" if type_.timezone else "TIMESTAMP_NTZ"


class SparkDialect(DefaultDialect):
    """A Thrift server of Spark, reached through PyHive's driver."""

    name = "hive"
    driver = "driftline"
    preparer = SparkNames  # type: ignore[assignment]
    statement_compiler = SparkCompiler
    type_compiler_cls = SparkTypes
    default_paramstyle = "named"
    supports_statement_cache = True
    supports_native_boolean = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """Load PyHive."""
        from pyhive import hive

        return hive

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Do nothing: there are no transactions, and PyHive refuses to roll one back."""

    def do_execute(
        self, cursor: Any, statement: str, parameters: Any, context: Any | None = None
    ) -> None:
        """Execute; what Spark refuses is said in its own words."""
        self.do_execute_no_params(cursor, statement, context)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any | None = None) -> None:
        """Execute a statement as it stands."""
        with refusals():
            cursor.execute(statement)


@compiles(TimeLiteral, SparkDialect.name)
def _time_literal(element: TimeLiteral, compiler: Any, **how: Any) -> str:
    """Write a time by the name of its type: what TIMESTAMP means depends on the session."""
    return f"{_TIMES[element.family]} '{element.words}'"


registry.register("hive.driftline", __name__, SparkDialect.__name__)


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return PyHive's arguments; an InputError says what an address may hold."""
    transport = url.drivername.partition("+")[2]
    if transport not in _TRANSPORTS:
        raise InputError(
            f"{url.drivername}:// is no way to Spark; hive://, hive+http:// and hive+https:// are"
        )
    if strange := [name for name in url.query if name not in _OPTIONS]:
        raise InputError(
            f"hive:// knows no option {', '.join(sorted(strange))}; it knows {', '.join(_OPTIONS)}"
        )
    wanted: dict[str, Any] = {
        "host": url.host or "localhost",
        "port": url.port or 10000,
        "username": url.username,
        "password": url.password,
        "database": url.database or "default",
        **url.query,
    }
    for name, allowed in _WORDS.items():
        if (given := url.query.get(name, allowed[0])) not in allowed:
            raise InputError(f"{name}={given} is neither {' nor '.join(allowed)}")
    if transport == "https":  # PyHive believes every certificate where it is not asked to look
        wanted |= {name: url.query.get(name, words[0]) for name, words in _WORDS.items()}
    if transport in ("http", "https"):
        wanted["scheme"] = transport
    elif url.password and "auth" not in url.query:
        wanted["auth"] = "LDAP"  # PyHive takes a password only with a word about who checks it
    return {name: value for name, value in wanted.items() if value is not None}
