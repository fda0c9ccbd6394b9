"""What the drivers raise becomes what driftline raises, in one place."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from driftline.connections import shown, without_secrets
from driftline.errors import DriftlineError, WarehouseError
from driftline.monitor.fields import written
from driftline.monitor.sections import FILES
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.base import Dialect

_LIBPQ = re.compile(r"^\w+: .*?\w+:  (?=\S)")
"""What ADBC puts before the server's own words, their severity included."""
_LONGEST = 300


@contextmanager
def mapped(
    dialect: Dialect, url: URL, caller: Caller | None = None, files: Collection[str] = ()
) -> Iterator[None]:
    """Raise whatever a driver raises as MissingTable, MissingColumn or WarehouseError.

    Its class does not matter: pyarrow, the drivers and Python below them have many. Secrets are
    left out. For a discreet caller words that may hold values of the log are kept back, and the
    driver's error with them: whoever prints a chain of errors would print it too. Where words name
    none of the `files` that are read, all of these are named.
    """
    try:
        yield
    except DriftlineError:
        raise
    except Exception as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        if caller and dialect.timed_out(cause):
            raise WarehouseError(f"{_place(url, files)}: {too_long(caller.timeout)}") from error
        kind = dialect.missing(cause)
        if caller and caller.discreet and not kind and _may_reveal(dialect, cause):
            raise WarehouseError(f"{_place(url, files)}: {kept_back(cause)}") from None
        said = without_secrets(_words(cause), url)
        named = any(f".{kind}" in said for kind in FILES)
        raise (kind or WarehouseError)(f"{_place(url, () if named else files)}: {said}") from error


def _place(url: URL, files: Collection[str]) -> str:
    """Return what was asked: a database, or the files that it reads in place."""
    return f"{shown(url)}, of {' and '.join(files)}" if files else shown(url)


def kept_back(error: BaseException) -> str:
    """Say that there was an error of this class, and why no more is said."""
    return (
        f"{type(error).__name__}; its words are kept back, for they may hold values of sensitive "
        "columns; the warehouse's own log has them"
    )


def _may_reveal(dialect: Dialect, cause: BaseException) -> bool:
    return not isinstance(cause, ConnectionError | TimeoutError) and dialect.reveals(cause)


def too_long(timeout: timedelta) -> str:
    """Say that a statement took longer, and what helps."""
    return (
        f"the statement took longer than {written(timeout)} (statement_timeout); "
        "allow it more in the monitor's file, or have the warehouse read less: "
        "an index or partitions on the timestamp, fewer columns"
    )


def _words(cause: BaseException) -> str:
    """Return the first line that says something; the rest is the statement and a caret.

    Python's own errors do not speak for themselves: their class is named.
    """
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    words = _LIBPQ.sub("", lines[0]) if lines else ""
    of_python = type(cause).__module__ in ("builtins", "decimal")
    named = not words or (of_python and not isinstance(cause, OSError))
    words = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"  # it may quote a value
    return f"{type(cause).__name__}: {words}".removesuffix(": ") if named else words
