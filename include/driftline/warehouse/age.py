"""The age of a time: the seconds from it to the prediction, below 0 where it lies in the future.

Two wall times are subtracted as they stand: where the clocks were changed between them the age is
off by that hour. Otherwise both are instants, and a wall time is read in the log's `timezone`: one
that a clock shows twice as its later instant, one that it skips as if it had not been changed yet.
Text is always read so, for it may say its offset. A column that counts does so from 1970: in
seconds, milli-, micro- or nanoseconds, by the size of each value, or writes a day as 20260108. What
cannot be read is NULL.
"""

from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column
from sqlalchemy import types as sql

from driftline.warehouse.clock import Clock, Form
from driftline.warehouse.dialects.base import Dialect, Family, double, usual
from driftline.warehouse.source import Field

TIMES = (Family.AWARE, Family.NAIVE, Family.DATE)
_WALLS = (Family.NAIVE, Family.DATE)
_FAMILIES = {
    Form.AWARE: Family.AWARE,
    Form.NAIVE: Family.NAIVE,
    Form.DATE: Family.DATE,
    Form.TEXT: Family.TEXT,
    Form.DAYS: Family.TEXT,
}


def age(field: Field, clock: Clock, zone: str, dialect: Dialect) -> ColumnElement[Any]:
    """Return how many seconds a time lies before that of the prediction, as a double.

    `zone` is that of wall times in the column.
    """
    if field.family in _WALLS and clock.form in (Form.NAIVE, Form.DATE):
        now = dialect.epoch(clock.value, _FAMILIES[clock.form])
        return now - dialect.epoch(field.value, field.family)
    return _of_clock(clock, dialect) - instant(field, zone, dialect)


def microseconds(clock: Clock, dialect: Dialect) -> ColumnElement[Any]:
    """Return the whole microseconds from 1970 to the instants of a clock; NULL where it is none.

    So the times of two tables are compared, in whatever forms they are kept.
    """
    found = _of_clock(clock, dialect)
    whole = dialect.integer(func.round(found * _exactly(10**6, dialect)))
    if clock.form is Form.DATE:
        return whole
    # NaN is no whole number, and what lies beyond has more digits than one may have.
    return case((func.abs(found) < _exactly(10**11, dialect), whole))


def hour(clock: Clock, dialect: Dialect) -> ColumnElement[Any]:
    """Return how many full hours after 1970 the hour of an instant begins.

    However many hours there are, it is one expression. Windows have a time that a clock skips end
    the hour before the gap, here it lies as far after it.
    """
    hours = double(microseconds(clock, dialect)) / _exactly(3600 * 10**6, dialect)
    return dialect.integer(func.floor(hours))


def _of_clock(clock: Clock, dialect: Dialect) -> ColumnElement[Any]:
    """Return the seconds from 1970 to the instants of a clock, as a double."""
    if clock.form is Form.EPOCH:
        ticks = dialect.number(clock.value, Family.INTEGER if clock.whole else Family.FLOAT)
        return ticks / _exactly(clock.ticks, dialect)
    value = clock.iso if clock.form is Form.DAYS else clock.value
    return _seconds(value, _FAMILIES[clock.form], clock.zone, dialect)


def instant(field: Field, zone: str, dialect: Dialect) -> ColumnElement[Any]:
    """Return the seconds from 1970 to a time, as a double; `zone` is that of wall times."""
    if field.family.is_number:
        return _counted(dialect.number(field.value, field.family), zone, dialect)
    seconds = _seconds(field.value, field.family, zone, dialect)
    if field.family in TIMES:
        return seconds
    # Text may write a number, and a document hold one where another holds text.
    number = dialect.number(field.value, field.family)
    return func.coalesce(seconds, _counted(number, zone, dialect))


def _seconds(
    value: ColumnElement[Any], family: Family, zone: str, dialect: Dialect
) -> ColumnElement[Any]:
    """Return the seconds from 1970 to an instant, or to a wall time of the zone."""
    if family not in TIMES or (family in _WALLS and zone != "UTC"):
        value, family = dialect.instant(usual(dialect.string(value, family)), zone)
    return dialect.epoch(value, family)


def _counted(number: ColumnElement[Any], zone: str, dialect: Dialect) -> ColumnElement[Any]:
    """Return ticks since 1970 as seconds; a second is told from its parts as `Clock` does it.

    20260108 is a day. What is larger than any time is none.
    """
    size = func.abs(number)
    first, last = _exactly(19000101, dialect), _exactly(21991231, dialect)
    day = dialect.integer(func.floor(case((number.between(first, last), number))))
    written = Clock(value=day, form=Form.DAYS, dialect=dialect, zone=zone)
    return case(
        (number.between(first, last), func.coalesce(_of_clock(written, dialect), number)),
        (size < _exactly(10**11, dialect), number),
        *(
            (size < _exactly(10**11 * ticks, dialect), number / _exactly(ticks, dialect))
            for ticks in (10**3, 10**6, 10**9)
        ),
    )


def _exactly(number: int, dialect: Dialect) -> ColumnElement[float]:
    return literal_column(dialect.exact(float(number)), sql.Double())
