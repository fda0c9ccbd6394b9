"""The engines beside ours: whatever they raise is mapped here, so that one that fails fails alone.

What an engine cannot say is a row without a value whose reason tells why; our own rows stand.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from driftline.errors import DriftlineError, MissingExtra, SuiteError

log = logging.getLogger(__name__)

FAILURES = (SuiteError, MissingExtra)
"""How an engine fails once it is mapped: it raised something, or it is not installed."""

_LONGEST = 160


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Raise SuiteError for whatever an engine raises: there is no telling what that may be."""
    try:
        yield
    except DriftlineError:
        raise
    except Exception as error:
        raise SuiteError(f"{name} failed: {words(error)}") from error


@contextmanager
def importing(package: str, module: str, extra: str) -> Iterator[None]:
    """Raise MissingExtra where a package is not there, SuiteError where its import fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == module:
            raise MissingExtra(package, extra) from error
        raise SuiteError(f"{package} cannot be imported: {words(error)}") from error
    except Exception as error:
        raise SuiteError(f"{package} cannot be imported: {words(error)}") from error


def words(error: BaseException) -> str:
    """Return what a foreign exception says, short and on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]


def unable(error: Exception, what: object) -> str:
    """Return the reason of the rows that an engine could not fill, and say so in the log."""
    log.warning("%s: %s; its rows have this reason and no value, all others stand", what, error)
    return str(error)
