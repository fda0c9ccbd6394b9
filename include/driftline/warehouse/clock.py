"""A Clock: a column of times in whatever form the log keeps them.

Windows are half-open in UTC. The bounds are brought into the column's own form, not the column
into theirs, so that an index, a zone map or a partition can serve the comparison.

A wall time that a clock shows twice a year is its later instant; one that it skips is the last
microsecond before the gap. Both follow from comparing wall times, so every row lies in exactly
one window, whatever the zone does. (Only text that mixes offsets and wall times is read by an
expression; there a skipped time counts on from before the gap, as PostgreSQL has it.)
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, case, func, literal, select

from driftline.errors import LogError
from driftline.warehouse.dialect import Dialect, Family, TimeLiteral
from driftline.warehouse.reader import Reader
from driftline.warehouse.source import Field, Source

INSTANT = pa.timestamp("us", tz="UTC")
_SAMPLE = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:([T ])\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)
_DIGITS = re.compile(r"\d{9,}(\.\d+)?")
_ZERO_OFFSET = re.compile(r"[+-]00(:?00)?|UTC|[Zz]")


class Form(StrEnum):
    """How a column writes an instant."""

    AWARE = "timestamp with zone"
    NAIVE = "wall time"
    DATE = "date"
    TEXT = "ISO text"
    EPOCH = "ticks since 1970"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A column of times; `ticks` a second where it counts, `separator` where it is text."""

    value: ColumnElement[Any]
    form: Form
    zone: str = "UTC"
    ticks: int = 1
    whole: bool = True
    separator: str = " "
    zulu: bool = False

    @classmethod
    def read(cls, reader: Reader, source: Source, name: str, zone: str, key: str) -> Self:
        """Find the form of a column, after a look at its values where the type does not tell."""
        field = source.field(name, key)
        sample: list[Any] = []
        if field.family is Family.TEXT or field.family.is_number:
            there = select(field.value).select_from(source.relation).where(field.value.is_not(None))
            sample = [row[0] for row in reader.all(there.limit(_SAMPLE))]
            for end in (func.min, func.max):  # one by one: SQLite finds either in an index
                (value,) = reader.one(select(end(field.value)).select_from(source.relation))
                sample += [] if value is None else [value]
        return cls.of(field, zone, sample, source.dialect, key)

    @classmethod
    def of(cls, field: Field, zone: str, sample: Sequence[Any], dialect: Dialect, key: str) -> Self:
        """Find the form of a column from its type and, where that is not enough, a sample."""
        plain = {Family.AWARE: Form.AWARE, Family.NAIVE: Form.NAIVE, Family.DATE: Form.DATE}
        if field.family in plain:
            return cls(value=field.value, form=plain[field.family], zone=zone)
        words = [str(value) for value in sample]
        if field.family.is_number:
            return cls._counting(field.value, field.family, words)
        if words and all(map(_DIGITS.fullmatch, words)):
            return cls._counting(dialect.number(field.value, field.family), Family.FLOAT, words)
        matches = [_ISO.fullmatch(word) for word in words]
        if None in matches:
            strange = words[matches.index(None)]
            raise LogError(f"{key}: {strange!r} is no time; write ISO 8601 or seconds since 1970")
        separators = {match[1] for match in matches if match and match[1]}
        offsets = {match[2] or "" for match in matches if match and match[1]}
        if (
            len(separators) < 2
            and len(offsets) < 2
            and all(not offset or _ZERO_OFFSET.fullmatch(offset) for offset in offsets)
        ):
            offset = "".join(offsets)
            return cls(
                value=dialect.bytewise(field.value),
                form=Form.TEXT,
                zone="UTC" if offset else zone,
                separator="".join(separators) or " ",
                zulu=offset in ("Z", "z"),
            )
        value, family = dialect.instant(field.value, zone)
        if family is Family.AWARE:
            return cls(value=value, form=Form.AWARE)
        return cls(value=value, form=Form.EPOCH, ticks=1_000_000)

    @classmethod
    def _counting(cls, value: ColumnElement[Any], family: Family, words: Sequence[str]) -> Self:
        sizes = (abs(float(word)) for word in words)
        most = max(filter(math.isfinite, sizes), default=0.0)
        ticks = next((t for t in (1, 10**3, 10**6) if most < 1e11 * t), 10**9)
        whole = family is Family.INTEGER
        return cls(value=value, form=Form.EPOCH, ticks=ticks, whole=whole)

    def within(self, start: datetime | None, end: datetime | None) -> list[ColumnElement[bool]]:
        """Return the predicates of `[start, end)`; a NULL time is in no window."""
        bounds = []
        if start is not None:
            bounds += self._from(start)
        if end is not None:
            bounds.append(self._before(end))
        return bounds or [self.value.is_not(None)]

    def until(self, moment: datetime) -> ColumnElement[bool]:
        """Return the predicate of times at or before this moment."""
        return self._before(moment + _TICK)

    def after(self, moment: datetime) -> list[ColumnElement[bool]]:
        """Return the predicates of times after this moment."""
        return self._from(moment + _TICK)

    def place(self, starts: Sequence[datetime]) -> ColumnElement[Any]:
        """Return which of the starts, in order, is the last at or before a time: by halving.

        A time before all of them has the first place.
        """
        return self._place(starts, 0, len(starts))

    def _place(self, starts: Sequence[datetime], low: int, high: int) -> ColumnElement[Any]:
        if high - low == 1:
            return literal(low)
        middle = (low + high) // 2
        before, after = self._place(starts, low, middle), self._place(starts, middle, high)
        return case((self._before(starts[middle]), before), else_=after)

    def _from(self, moment: datetime) -> list[ColumnElement[bool]]:
        """Return the predicates of times from this moment on; an index can serve the first."""
        fraction = timedelta(microseconds=moment.microsecond)
        if not (self.zulu and fraction):
            return [self.value >= self._bound(moment)]
        bare = self.value >= self._bound(moment - fraction)
        return [bare, self.order >= self._bound(moment)]

    def _before(self, moment: datetime) -> ColumnElement[bool]:
        fraction = moment.astimezone(UTC).microsecond
        return (self.order if fraction else self.value) < self._bound(moment)

    @property
    def order(self) -> ColumnElement[Any]:
        """What sorts as the instants do, to the microsecond.

        `...00Z` sorts after `...00.5Z`: the letter must go before fractions are compared.
        """
        return func.rtrim(self.value, "Zz") if self.zulu else self.value

    def _bound(self, moment: datetime) -> ColumnElement[Any]:
        """Return the least value of the column's form whose instant is at or after this one."""
        if self.form is Form.AWARE:
            return TimeLiteral(Family.AWARE, moment.astimezone(UTC))
        if self.form is Form.EPOCH:
            elapsed = (moment - EPOCH) // _TICK
            if self.whole:
                return literal(-(-elapsed * self.ticks // 10**6))
            return literal(elapsed * self.ticks / 10**6)
        wall = wall_time(moment, ZoneInfo(self.zone))
        if self.form is Form.NAIVE:
            return TimeLiteral(Family.NAIVE, wall)
        if self.form is Form.DATE:
            midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
            day = midnight if midnight == wall else midnight + timedelta(days=1)
            return TimeLiteral(Family.DATE, day.date())
        return literal(_shortest(wall, self.separator))

    @property
    def type(self) -> pa.DataType:
        """The Arrow type of the bare column."""
        kinds = {
            Form.AWARE: INSTANT,
            Form.NAIVE: pa.timestamp("us"),
            Form.DATE: pa.date32(),
            Form.TEXT: pa.string(),
        }
        return kinds.get(self.form, pa.int64() if self.whole else pa.float64())

    def instants(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return values of the bare column as UTC instants."""
        if self.form is Form.AWARE:
            return values.cast(INSTANT)
        if self.form is Form.EPOCH:
            if self.whole:
                unit = {1: "s", 10**3: "ms", 10**6: "us", 10**9: "ns"}[self.ticks]
                return values.cast(pa.timestamp(unit)).cast(INSTANT, safe=False)
            micros = pc.round(pc.multiply(values, 1e6 / self.ticks))
            return micros.cast(pa.int64(), safe=False).cast(INSTANT)
        if self.form is Form.TEXT:
            bare = pc.replace_substring_regex(values, r"\s*(Z|z|UTC|[+-]00(:?00)?)$", "")
            values = pc.replace_substring_regex(bare, r"(\.\d{6})\d+$", r"\1")
        local = values.cast(pa.timestamp("us"), safe=False)
        return pc.assume_timezone(
            local, self.zone, ambiguous="latest", nonexistent="earliest"
        ).cast(INSTANT)

    def moment(self, value: Any) -> datetime | None:
        """Return one value of the bare column as an instant."""
        if value is None:
            return None
        found: datetime = self.instants(pa.chunked_array([[value]], self.type))[0].as_py()
        return found.astimezone(UTC)


def wall_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the least wall time whose instant is at or after the moment.

    A repeated wall time is its later instant, so no wall time stands for the first pass: there
    the least is the one at which the second pass begins.

    >>> wall_time(datetime(2013, 11, 3, 5, 30, tzinfo=UTC), ZoneInfo("America/New_York"))
    datetime.datetime(2013, 11, 3, 1, 0)
    """
    local = moment.astimezone(zone)
    later = local.replace(fold=1).utcoffset()
    earlier = local.utcoffset()
    if local.fold == 0 and later is not None and earlier is not None and later < earlier:
        base = moment.replace(microsecond=0)
        low, high = 0, int((earlier - later).total_seconds()) + 1
        while high - low > 1:
            middle = (low + high) // 2
            passed = (base + timedelta(seconds=middle)).astimezone(zone).utcoffset() != earlier
            low, high = (low, middle) if passed else (middle, high)
        local = (base + timedelta(seconds=high)).astimezone(zone)
    return local.replace(tzinfo=None, fold=0)


def _shortest(wall: datetime, separator: str) -> str:
    """Write a time without trailing zeros: it sorts before every longer writing of itself."""
    if wall.microsecond:
        return f"{wall:%Y-%m-%d}{separator}{wall:%H:%M:%S.%f}".rstrip("0")
    if wall.second:
        return f"{wall:%Y-%m-%d}{separator}{wall:%H:%M:%S}"
    if wall.minute:
        return f"{wall:%Y-%m-%d}{separator}{wall:%H:%M}"
    if wall.hour:
        return f"{wall:%Y-%m-%d}{separator}{wall:%H}"
    return f"{wall:%Y-%m-%d}"
