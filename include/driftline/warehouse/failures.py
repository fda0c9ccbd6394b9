"""What the drivers raise becomes what driftline raises, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pyarrow as pa
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from driftline.connections import shown, without_secrets
from driftline.errors import WarehouseError
from driftline.fields import written
from driftline.warehouse.dialect import Dialect


@contextmanager
def mapped(dialect: Dialect, url: URL, timeout: timedelta | None = None) -> Iterator[None]:
    """Raise a driver's error as MissingTable, MissingColumn or WarehouseError, without secrets."""
    try:
        yield
    except (SQLAlchemyError, pa.ArrowException, *dialect.errors()) as error:
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
    """Return the first line that says something; the rest is the statement and a caret."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(cause).__name__
