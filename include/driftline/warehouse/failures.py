"""What the drivers raise becomes what driftline raises, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

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
        where = url.render_as_string(hide_password=True)
        raise kind(f"{where}: {_words(cause, url)}") from error


def _words(cause: BaseException, url: URL) -> str:
    """Return the first line that says something; the rest is the statement and a caret."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    words = lines[0] if lines else type(cause).__name__
    password = str(url.password or "")
    return words.replace(password, "***") if password else words
