"""Expectations about times: asked in seconds since 1970, and told as times."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from driftline.errors import SuiteError
from driftline.monitor.sections import Expectation
from driftline.suites.expectations import BETWEEN

RANGES = (
    BETWEEN,
    *(f"expect_column_{each}_to_be_between" for each in ("min", "max", "mean", "median")),
)
"""The expectations that take a lower and an upper bound which may be times."""

_BOUNDS = ("min_value", "max_value")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


def bounds(expectation: Expectation) -> Mapping[str, datetime]:
    """Return the bounds of an expectation that is about times; none of one that is not.

    A day stands for its beginning. Raises SuiteError where one bound is a time and another is not.
    """
    if expectation.type not in RANGES:
        return {}
    written = {k: v for k in _BOUNDS if (v := expectation.kwargs.get(k)) is not None}
    read = {key: moment for key, value in written.items() if (moment := _moment(value))}
    strange = [key for key in written if key not in read] if read else []
    if strange:
        (time_key, *_), (key, *_) = read, strange
        raise SuiteError(
            f"quality: {expectation.type}: {time_key} is a time and {key} is not: found "
            f"{written[key]!r}; write both as ISO 8601, or both as numbers"
        )
    return read


def in_seconds(expectation: Expectation, zone: str) -> Expectation:
    """Return an expectation with its times as seconds since 1970; wall times are of the zone."""
    seconds = {
        key: (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).timestamp()
        for key, moment in bounds(expectation).items()
    }
    return expectation.model_copy(update={"kwargs": expectation.kwargs | seconds})


def shown(seconds: Any) -> str:
    """Return a number of seconds since 1970 as the time that it is, in UTC.

    >>> shown(1.5e9), shown("none")
    ('2017-07-14 02:40:00Z', 'none')
    """
    try:
        moment = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return str(seconds)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, str) and _ISO.fullmatch(value.strip()):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    return None
