"""The predicate on a log's partition column, so that a window reads its own partitions only."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal

from driftline.domain import utc
from driftline.errors import LogError
from driftline.warehouse.dialect import Family, TimeLiteral
from driftline.warehouse.source import Field


def partition_bounds(
    field: Field, slack: timedelta, start: datetime | None, end: datetime | None
) -> list[ColumnElement[bool]]:
    """Return the days, both included, in which rows of `[start, end)` may have been filed."""
    bounds = []
    if start is not None:
        bounds.append(field.value >= _day(field, utc(start - slack).date()))
    if end is not None:
        bounds.append(field.value < _day(field, utc(end + slack).date() + timedelta(days=1)))
    return bounds


def _day(field: Field, day: date) -> ColumnElement[Any]:
    if field.family is Family.DATE:
        return TimeLiteral(Family.DATE, day)
    if field.family is Family.NAIVE:
        return TimeLiteral(Family.NAIVE, day)
    if field.family is Family.AWARE:
        return TimeLiteral(Family.AWARE, f"{day} 00:00:00+00:00")
    if field.family is Family.TEXT:
        return literal(f"{day}")
    if field.family is Family.INTEGER:
        return literal(int(f"{day:%Y%m%d}"))
    raise LogError(
        f"predictions.partition.column: {field.type} is no partition; "
        "a date, a time, text (2013-04-01) or an integer (20130401) is"
    )
