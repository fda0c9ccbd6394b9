"""What a single value of a monitor file may be: durations, moments, names, and their messages."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from driftline.domain import cadence_length

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DURATION = re.compile(r"(\d+)\s*([smhdw])")
LONGEST = timedelta(days=36_500)
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
"""With a hundred years to either side no sum leaves the calendar."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def fault(key: str, problem: str) -> PydanticCustomError:
    """Return an error about this key, for faults that only the whole file shows."""
    return PydanticCustomError("inconsistent", "{problem}", {"key": key, "problem": problem})


def slug(text: str) -> str:
    """Return text as a name made of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9_.]+", "-", text.lower()).strip("-")


def _duration(value: object) -> object:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        count = int(match[1]) if len(match[1]) < 15 else 10**15
        if count * timedelta(**{_UNITS[match[2]]: 1}).total_seconds() > LONGEST.total_seconds():
            raise ValueError(f"write at most {written(LONGEST)}, a hundred years")
        return timedelta(**{_UNITS[match[2]]: count})
    if isinstance(value, timedelta):
        return value
    raise ValueError("write a number and a unit (s, m, h, d, w), such as 10m, 24h or 3d")


def written(length: timedelta) -> str:
    """Return a duration as a file writes it, in the largest unit that divides it: `30m`."""
    units = {unit: timedelta(**{name: 1}) for unit, name in reversed(_UNITS.items())}
    unit = next((unit for unit, one in units.items() if not length % one), "s")
    return f"{length // units[unit]}{unit}"


def moment(value: object) -> datetime:
    """Return a date or a time, or the text of one, in UTC; ValueError says what to write."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("write a date or a time, such as 2013-03-01") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001  # of UTC, see below
    if not isinstance(value, datetime):
        raise ValueError("write a date or a time, such as 2013-03-01")
    zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not EARLIEST <= zoned <= LATEST:
        raise ValueError(f"write a date between the years {EARLIEST.year} and {LATEST.year}")
    return zoned.astimezone(UTC)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # of an unknown one, `../x`, a folder's name
        raise ValueError("write a time zone's name, such as UTC or America/New_York") from None
    return value


def _name(value: str) -> str:
    if not SLUG.fullmatch(value):
        raise ValueError("use letters, digits, dots, dashes and underscores")
    return value


def _cadence(value: str) -> str:
    try:
        cadence_length(value)
    except ValueError:
        raise ValueError("write 1h, or a number of days such as 1d, 7d, 30d") from None
    return value


def listed(value: Any) -> tuple[Any, ...]:
    """Return a value as a tuple: a list is one already, anything else becomes the only member."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda length: f"{length // timedelta(seconds=1)}s", when_used="json"),
]
Moment = Annotated[datetime, BeforeValidator(moment)]
Name = Annotated[str, AfterValidator(_name)]
Cadence = Annotated[str, AfterValidator(_cadence)]
Column = Annotated[str, Field(min_length=1)]
Pattern = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
Columns = Annotated[tuple[Column, ...], BeforeValidator(listed), Field(min_length=1)]
Zone = Annotated[str, AfterValidator(_zone)]
Scalar = bool | int | float | str
Share = Annotated[float, Field(ge=0, le=1)]
