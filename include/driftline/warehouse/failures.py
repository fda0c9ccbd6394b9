"""What the drivers raise becomes what driftline raises, in one place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from driftline.connections import shown, without_secrets
from driftline.errors import DriftlineError, WarehouseError
from driftline.fields import written
from driftline.warehouse.dialect import Dialect

_LIBPQ = re.compile(r"^\w+: .*?\w+:  (?=\S)")
"""What ADBC puts before the server's own words, their severity included."""


@contextmanager
def mapped(dialect: Dialect, url: URL, timeout: timedelta | None = None) -> Iterator[None]:
    """Raise whatever a driver raises as MissingTable, MissingColumn or WarehouseError.

    Its class does not matter: pyarrow, the drivers and Python below them have many. Secrets are
    left out.
    """
    try:
        yield
    except DriftlineError:
        raise
    except Exception as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        if timeout and dialect.timed_out(cause):
            raise WarehouseError(f"{shown(url)}: {too_long(timeout)}") from error
        kind = dialect.missing(cause) or WarehouseError
        raise kind(f"{shown(url)}: {without_secrets(_words(cause), url)}") from error


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
    return f"{type(cause).__name__}: {words}".removesuffix(": ") if named else words
