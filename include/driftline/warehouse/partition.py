"""The predicate on a log's partition column, so that a window reads its own partitions only."""

import re
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal, select

from driftline.domain import utc
from driftline.errors import LogError
from driftline.warehouse.dialect import Family, TimeLiteral
from driftline.warehouse.reader import Reader
from driftline.warehouse.source import Field, Source

_SAMPLE = 1000
_ISO, _COMPACT, _HOURS = "%Y-%m-%d", "%Y%m%d", "%Y%m%d00"
_WRITTEN = {
    _ISO: re.compile(r"\d{4}-[01]\d-[0-3]\d.*"),
    _COMPACT: re.compile(r"(19|20|21)\d\d[01]\d[0-3]\d"),
    _HOURS: re.compile(r"(19|20|21)\d\d[01]\d[0-3]\d[0-2]\d"),
}


def filed_by(reader: Reader, source: Source, field: Field, key: str) -> str:
    """Return how most partitions of text or whole numbers write a day, as `strftime` has it.

    Raises LogError where they are no days.
    """
    if field.family not in (Family.TEXT, Family.INTEGER):
        return _ISO
    there = select(field.value).select_from(source.relation).where(field.value.is_not(None))
    sample = [str(row[0]) for row in reader.all(there.limit(_SAMPLE))]
    if not sample:
        return _ISO if field.family is Family.TEXT else _COMPACT
    counted = Counter(_way(word) for word in sample)
    ((way, _),) = counted.most_common(1)
    if not way or (way == _ISO and field.family is Family.INTEGER):
        example = next(word for word in sample if _way(word) == way)
        raise LogError(f"{key}: {field.name} holds {example!r}; {_ALLOWED}")
    return way


def partition_bounds(
    field: Field, way: str, slack: timedelta, start: datetime | None, end: datetime | None
) -> list[ColumnElement[bool]]:
    """Return the days, both included, in which rows of `[start, end)` may have been filed."""
    bounds = []
    if start is not None:
        bounds.append(field.value >= _day(field, way, utc(start - slack).date()))
    if end is not None:
        after = utc(end + slack).date() + timedelta(days=1)
        bounds.append(field.value < _day(field, way, after))
    return bounds


_ALLOWED = "a partition is a date, a time, text (2013-04-01, 20130401) or a whole number (20130401)"


def _way(word: str) -> str:
    return next((way for way, pattern in _WRITTEN.items() if pattern.fullmatch(word)), "")


def _day(field: Field, way: str, day: date) -> ColumnElement[Any]:
    if field.family is Family.DATE:
        return TimeLiteral(Family.DATE, day)
    if field.family is Family.NAIVE:
        return TimeLiteral(Family.NAIVE, day)
    if field.family is Family.AWARE:
        return TimeLiteral(Family.AWARE, f"{day} 00:00:00+00:00")
    if field.family is Family.TEXT:
        return literal(day.strftime(way))
    if field.family is Family.INTEGER:
        return literal(int(day.strftime(way)))
    raise LogError(f"predictions.partition.column: {field.name} is {field.type}; {_ALLOWED}")
