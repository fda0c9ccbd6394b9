"""Who asks a warehouse, what for, and how long a statement may take."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, event

from driftline import __version__
from driftline.monitor.config import Defaults

_OPENING = "/*application='driftline'"
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A monitor, and what it asks for: which part of driftline, of which stretch of the log."""

    monitor: str = ""
    timeout: timedelta = Defaults().statement_timeout
    purpose: str = ""
    start: datetime | None = None
    end: datetime | None = None
    discreet: bool = False
    """Whether some columns are sensitive: words of an error that may hold values are kept back."""

    @property
    def application(self) -> str:
        """The name of a connection in lists of sessions, at most 63 characters of ASCII."""
        return quote(f"driftline {__version__} {self.monitor}".strip(), " ")[:_LONGEST_NAME]

    @property
    def comment(self) -> str:
        """What the caller is, as the comment of SQL that sqlcommenter has made usual.

        Names of monitors and times have no character that is written with a percent sign, which
        some drivers would take for the mark of a parameter.
        """
        said = {
            "end": _moment(self.end),
            "monitor": self.monitor,
            "purpose": self.purpose,
            "start": _moment(self.start),
            "version": __version__,
        }
        pairs = (f",{key}='{quote(value, ':')}'" for key, value in said.items() if value)
        return f"{_OPENING}{''.join(pairs)}*/"

    def of(self, purpose: str, start: datetime | None, end: datetime | None) -> "Caller":
        """Return the caller as it asks for this stretch of the log."""
        return replace(self, purpose=purpose, start=start, end=end)

    def signed(self, statement: str) -> str:
        """Return the statement behind the comment: lists of sessions cut off what stands late."""
        return statement if statement.startswith(_OPENING) else f"{self.comment} {statement}"


def sign(engine: Engine, caller: Callable[[], Caller]) -> None:
    """Have each statement of an engine say who asks, at the time when it is sent."""

    def signed(
        _: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any
    ) -> tuple[str, Any]:
        return caller().signed(statement), parameters

    event.listen(engine, "before_cursor_execute", signed, retval=True)


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%MZ}" if value else ""
