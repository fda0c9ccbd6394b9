"""What the drivers raise becomes what driftline raises, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from driftline.connections import shown, without_secrets
from driftline.errors import WarehouseError
from driftline.warehouse.dialect import Dialect


@contextmanager
def mapped(dialect: Dialect, url: URL) -> Iterator[None]:
    """Raise a driver's error as MissingTable, MissingColumn or WarehouseError, without secrets."""
    try:
        yield
    except (SQLAlchemyError, pa.ArrowException, *dialect.errors()) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        kind = dialect.missing(cause) or WarehouseError
        raise kind(f"{shown(url)}: {without_secrets(_words(cause), url)}") from error


def _words(cause: BaseException) -> str:
    """Return the first line that says something; the rest is the statement and a caret."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[0] if lines else type(cause).__name__
