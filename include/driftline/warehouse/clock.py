"""A Clock: a column of times in whatever form the log keeps them.

Windows are half-open in UTC. The bounds are brought into the column's own form, not the column
into theirs, so that an index, a zone map or a partition can serve the comparison.

A wall time that a clock shows twice a year is its later instant; one that it skips is the last
microsecond before the gap. Both follow from comparing wall times, so every row lies in exactly
one window, whatever the zone does. (Only text that mixes offsets and wall times is read by an
expression; there a skipped time counts on from before the gap, as PostgreSQL has it.)

How a column of numbers or text writes its times, most of a sample says. What is no time, or not in
these years, is in no window: NULL, infinities, 'N/A', sentinels, a number in another unit.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    ColumnElement,
    Double,
    and_,
    case,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
)

from driftline.errors import LogError
from driftline.printable import amount
from driftline.warehouse.dialects.base import (
    CLOCK,
    COMPACT_DAY,
    DAY,
    ISO_WALL,
    ISO_ZONED,
    Dialect,
    Family,
    TimeLiteral,
    double,
    usual,
)
from driftline.warehouse.reader import Reader
from driftline.warehouse.source import Field, Source

INSTANT = pa.timestamp("us", tz="UTC")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Between these lie the times of logs. Counted in one unit, they cannot be taken for another's."""
UNITS = (1, 10**3, 10**6, 10**9)
DAYS = 0
"""The unit of numbers that write a day: 20260108."""
_SAMPLE = 1000
TICK = timedelta(microseconds=1)
_WIDEST = timedelta(days=3)
"""Further apart than two writings of one instant can be."""
_ISO = re.compile(f"{ISO_WALL}|{ISO_ZONED}")
_PARTS = re.compile(r"(?:\d{4}-\d\d-\d\d)(?:([T ])[\d:.]+)?\s*(.*)")
_NUMBER = re.compile(r"-?\d+([.]\d*)?([eE][-+]?\d+)?")
_DAY = re.compile(f"{COMPACT_DAY}([.]0+)?")
_FIRST_DAY, _LAST_DAY = (int(f"{moment:%Y%m%d}") for moment in (EARLIEST, LATEST))
_NOTHING = re.compile(r"|[-+]?(nan|inf(inity)?)|n/?a|nat|null|none|-+", re.IGNORECASE)
"""What is written where there is no value."""
_ZERO_OFFSET = re.compile(r"[+-]00(:?00)?|UTC|[Zz]")


class Form(StrEnum):
    """How a column writes an instant."""

    AWARE = "timestamp with zone"
    NAIVE = "wall time"
    DATE = "date"
    TEXT = "ISO text"
    DAYS = "days as 20260108"
    EPOCH = "ticks since 1970"


_PLAIN = {Family.AWARE: Form.AWARE, Family.NAIVE: Form.NAIVE, Family.DATE: Form.DATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A column of times; `ticks` a second where it counts, `separator` where it is text.

    Of text, what is `like` the most of it is compared as it stands; where that is `zoned`, it is in
    UTC. `zone` is that of wall times.
    """

    value: ColumnElement[Any]
    form: Form
    dialect: Dialect
    family: Family = Family.INTEGER
    zone: str = "UTC"
    ticks: int = 1
    whole: bool = True
    separator: str = " "
    zulu: bool = False
    zoned: bool = False
    like: str = ""

    @classmethod
    def read(
        cls,
        reader: Reader,
        source: Source,
        name: str,
        zone: str,
        key: str,
        *,
        unit: int | None = None,
        near: tuple[datetime, datetime] | None = None,
    ) -> Self:
        """Find the form of a column, after a look at its values where the type does not tell.

        A `unit` that was found before is kept. Numbers are looked at `near` the reference.
        """
        field = source.field(name, key)
        sample: list[Any] = []
        if field.family is Family.TEXT or field.family.is_number:
            there = select(field.value).select_from(source.relation).where(field.value.is_not(None))
            if near and field.family.is_number and unit is None:
                close = there.where(or_(*_counted_from(field.value, *near)))
                sample = [row[0] for row in reader.all(close.limit(_SAMPLE))]
            sample = sample or [row[0] for row in reader.all(there.limit(_SAMPLE))]
        return cls.of(field, zone, sample, source.dialect, key, unit=unit)

    @classmethod
    def of(
        cls,
        field: Field,
        zone: str,
        sample: Sequence[Any],
        dialect: Dialect,
        key: str,
        *,
        unit: int | None = None,
    ) -> Self:
        """Find the form of a column from its type and, where that is not enough, a sample.

        Raises LogError where the column holds no times.
        """
        if field.family in _PLAIN:
            form = _PLAIN[field.family]
            return cls(value=field.value, form=form, dialect=dialect, zone=zone)
        if field.family is not Family.TEXT and not field.family.is_number:
            raise LogError(
                f"{key}: {field.name} is {field.type}, which holds no times; a timestamp, a date, "
                "ISO 8601 text and numbers since 1970 do"
            )
        words = [word for value in sample if not _NOTHING.fullmatch(word := str(value).strip())]
        if unit is None:
            unit = _unit(words, field, key)
        if unit is not None:
            return cls._counting(field, unit, zone, dialect)
        return cls._written(field, words, zone, dialect)

    @classmethod
    def _counting(cls, field: Field, unit: int, zone: str, dialect: Dialect) -> Self:
        value, family = field.value, field.family
        if unit == DAYS:
            if family.has_fractions:
                value, family = _whole_day(value, dialect), Family.INTEGER
            value = dialect.bytewise(value) if family is Family.TEXT else value
            return cls(value=value, form=Form.DAYS, dialect=dialect, family=family, zone=zone)
        if family is Family.TEXT:
            value = dialect.number(value, family)
        whole = family is Family.INTEGER
        return cls(value=value, form=Form.EPOCH, dialect=dialect, ticks=unit, whole=whole)

    @classmethod
    def _written(cls, field: Field, words: Sequence[str], zone: str, dialect: Dialect) -> Self:
        """Return the clock of ISO text: as it stands where it is written in one way."""
        # What is written with a comma or a small t is read one by one: it is no way of its own.
        parts = [match for word in words if _ISO.fullmatch(word) and (match := _PARTS.match(word))]
        parts = parts if 2 * len(parts) >= len(words) else []
        ways = Counter((match[1], match[2]) for match in parts if match[1] or match[2])
        separator, offset = next(iter(ways.most_common(1)), ((" ", ""), 0))[0]
        if separator and (not offset or _ZERO_OFFSET.fullmatch(offset)):
            return cls(
                value=dialect.bytewise(field.value),
                form=Form.TEXT,
                dialect=dialect,
                zone=zone,
                zoned=bool(offset),
                separator=separator,
                zulu=offset in ("Z", "z"),
                like=f"^{DAY}({separator}{CLOCK} *{re.sub('[+]', '[+]', offset)})?$",
            )
        value, family = dialect.instant(usual(field.value), zone)
        if family is Family.AWARE:
            return cls(value=value, form=Form.AWARE, dialect=dialect)
        return cls(value=value, form=Form.EPOCH, dialect=dialect, ticks=1_000_000)

    @property
    def unit(self) -> int | None:
        """The unit of a column that counts; None of others."""
        return {Form.DAYS: DAYS, Form.EPOCH: self.ticks}.get(self.form)

    def within(self, start: datetime | None, end: datetime | None) -> list[ColumnElement[bool]]:
        """Return the predicates of `[start, end)`; what is no time is in no window."""
        start, end = start or EARLIEST, end or LATEST
        bounds = [*self._from(start), self._before(end)]
        if self.form is Form.DAYS:
            return [*bounds, self._is_day]
        if self.form is not Form.TEXT:
            return bounds
        moment = self._instant
        return [
            self.value >= literal(f"{start - _WIDEST:%Y-%m-%d}"),
            self.value < literal(f"{end + _WIDEST:%Y-%m-%d}"),
            case(
                (self._is_like, and_(*bounds)),
                else_=and_(*moment._from(start), moment._before(end)),
            ),
        ]

    def until(self, moment: datetime) -> ColumnElement[bool]:
        """Return the predicate of times at or before this moment."""
        return and_(*self.within(None, moment + TICK))

    @property
    def outside(self) -> ColumnElement[bool]:
        """Whether a row has no time."""
        # Of NaN no comparison holds: neither that it is a time, nor that it is none.
        if self.form in (Form.TEXT, Form.DAYS) or not self.whole:
            return case((and_(*self.within(None, None)), 0), else_=1) == 1
        return or_(
            self.value.is_(None), *map(not_, self._from(EARLIEST)), not_(self._before(LATEST))
        )

    @property
    def _is_like(self) -> ColumnElement[bool]:
        return self.dialect.matches(self.value, self.like)

    @property
    def _is_day(self) -> ColumnElement[bool]:
        words = self.dialect.string(self.value, self.family)
        return self.dialect.matches(words, f"^{COMPACT_DAY}$")

    @property
    def _instant(self) -> Self:
        """The clock that reads text of any ISO form, one by one."""
        value, family = self.dialect.instant(usual(self.value), self.zone)
        form = Form.AWARE if family is Family.AWARE else Form.EPOCH
        return type(self)(value=value, form=form, dialect=self.dialect, ticks=1_000_000)

    @property
    def iso(self) -> ColumnElement[Any]:
        """The days of a column that writes them as 20260108, as ISO text."""
        words = self.dialect.string(self.value, self.family)
        parts = [func.substr(words, *place) for place in ((1, 4), (5, 2), (7, 2))]
        return parts[0].concat("-").concat(parts[1]).concat("-").concat(parts[2])

    def place(self, starts: Sequence[datetime]) -> ColumnElement[Any]:
        """Return which of the starts, in order, is the last at or before a time: by halving.

        A time before all of them has the first place.
        """
        places = self._place(starts, 0, len(starts))
        if self.form is not Form.TEXT:
            return places
        return case((self._is_like, places), else_=self._reckoned(starts))

    def _reckoned(self, starts: Sequence[datetime]) -> ColumnElement[Any]:
        """Return the place of text of another form: by division, for it is long to write."""
        micros, steps = self._micros, {after - before for before, after in pairwise(starts)}
        if len(steps) != 1:
            counted = replace(self._instant, value=micros, form=Form.EPOCH, whole=True)
            return counted._place(starts, 0, len(starts))
        exact = self.dialect.exact(steps.pop() / TICK)
        step: ColumnElement[float] = literal_column(exact, Double())
        since = double(micros - literal((starts[0] - EPOCH) // TICK))
        last = literal((starts[-1] - EPOCH) // TICK)
        places = self.dialect.integer(func.floor(since / step))
        return case(
            (since < 0, literal(0)), (micros >= last, literal(len(starts) - 1)), else_=places
        )

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
            elapsed = (moment - EPOCH) // TICK
            if self.whole:
                return literal(-(-elapsed * self.ticks // 10**6))
            return literal(elapsed * self.ticks / 10**6)
        wall = wall_time(moment, ZoneInfo("UTC" if self.zoned else self.zone))
        if self.form is Form.NAIVE:
            return TimeLiteral(Family.NAIVE, wall)
        if self.form is Form.TEXT:
            return literal(_shortest(wall, self.separator))
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        day = midnight if midnight == wall else midnight + timedelta(days=1)
        if self.form is Form.DATE:
            return TimeLiteral(Family.DATE, day.date())
        written = f"{day:%Y%m%d}"
        return literal(written if self.family is Family.TEXT else int(written))

    @property
    def shown(self) -> ColumnElement[Any]:
        """What is fetched of the column: text that is unlike the most of it as microseconds."""
        if self.form is Form.DAYS:
            return self.iso
        if self.form is not Form.TEXT:
            return self.value
        micros = self.dialect.string(self._micros, Family.INTEGER)
        return case((self._is_like, self.value), else_=micros)

    def extremes(self, aggregate: Any) -> list[ColumnElement[Any]]:
        """Return what is shown of the first or last time, or the two of which one is it."""
        if self.form is not Form.TEXT:
            return [aggregate(self.shown)]
        others = aggregate(case((not_(self._is_like), self._micros)))
        like = aggregate(case((self._is_like, self.value)))
        return [like, self.dialect.string(others, Family.INTEGER)]

    @property
    def _micros(self) -> ColumnElement[Any]:
        """Text of any ISO form as microseconds since 1970."""
        clock = self._instant
        if clock.form is Form.EPOCH:
            return clock.value
        seconds = self.dialect.epoch(clock.value, Family.AWARE)
        return self.dialect.integer(func.round(seconds * literal(1e6)))

    @property
    def type(self) -> pa.DataType:
        """The Arrow type of what is shown."""
        kinds = {
            Form.AWARE: INSTANT,
            Form.NAIVE: pa.timestamp("us"),
            Form.DATE: pa.date32(),
            Form.TEXT: pa.string(),
            Form.DAYS: pa.string(),
        }
        return kinds.get(self.form, pa.int64() if self.whole else pa.float64())

    def instants(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return what is shown of a column as UTC instants."""
        if self.form is Form.AWARE:
            return values.cast(INSTANT)
        if self.form is Form.EPOCH:
            if self.whole:
                unit = {1: "s", 10**3: "ms", 10**6: "us", 10**9: "ns"}[self.ticks]
                return values.cast(pa.timestamp(unit)).cast(INSTANT, safe=False)
            micros = pc.round(pc.multiply(values, 1e6 / self.ticks))
            return micros.cast(pa.int64(), safe=False).cast(INSTANT)
        if self.form is Form.TEXT:
            counted = pc.match_substring_regex(values, r"^-?\d+$")
            others = pc.if_else(counted, values, None).cast(pa.int64()).cast(INSTANT)
            return pc.coalesce(self._read(pc.if_else(counted, None, values)), others)
        return self._local(values)

    def _read(self, words: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return ISO text as instants, to the microsecond."""
        bare = pc.replace_substring_regex(words, r"\s*(Z|z|UTC|[+-]00(:?00)?)$", "")
        return self._local(pc.replace_substring_regex(bare, r"(\.\d{6})\d+$", r"\1"))

    def _local(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return wall times of the zone as instants."""
        local = values.cast(pa.timestamp("us"), safe=False)
        zone = "UTC" if self.zoned else self.zone
        return pc.assume_timezone(local, zone, ambiguous="latest", nonexistent="earliest").cast(
            INSTANT
        )

    def moment(self, value: Any) -> datetime | None:
        """Return one value that is shown as an instant."""
        if value is None:
            return None
        found: datetime = self.instants(pa.chunked_array([[value]], self.type))[0].as_py()
        return found.astimezone(UTC)


def _counted_from(
    value: ColumnElement[Any], start: datetime, end: datetime
) -> Iterator[ColumnElement[bool]]:
    """Yield the predicate of a stretch in each unit in which a column may count."""
    low, high = int(start.timestamp()), int(end.timestamp())
    yield from (and_(value >= low * unit, value < high * unit) for unit in UNITS)
    yield and_(value >= int(f"{start:%Y%m%d}"), value < int(f"{end:%Y%m%d}"))


def _unit(words: Sequence[str], field: Field, key: str) -> int | None:
    """Return the unit in which most of a sample count; None where they are ISO text.

    Raises LogError where most of them are no times.
    """
    if not words:
        return 1 if field.family.is_number else None
    counted = Counter(_unit_of(word, field) for word in words)
    strange = counted.pop("", 0)
    if 2 * strange > len(words):
        example = next(word for word in words if _unit_of(word, field) == "")
        raise LogError(
            f"{key}: {example!r} is no time, as are {strange:,} of {amount(len(words), 'value')} "
            f"of a sample of {field.name}; write ISO 8601, a day as 20260108, or seconds since 1970"
        )
    ((unit, _),) = counted.most_common(1)
    return None if unit == "iso" else int(unit)


def _unit_of(word: str, field: Field) -> str:
    """Return the unit of one value of numbers or text, `iso`, or '' where it is no time."""
    if field.family is Family.TEXT and _ISO.fullmatch(word.replace(",", ".").upper()):
        return "iso"
    if _DAY.fullmatch(_digits(word) if field.family.has_fractions else word):
        return str(DAYS)
    if not _NUMBER.fullmatch(word):
        return ""
    low, high, size = EARLIEST.timestamp(), LATEST.timestamp(), float(word)
    return next((str(unit) for unit in UNITS if low * unit <= size < high * unit), "")


def _digits(word: str) -> str:
    """Return a double that is a whole number without a point or an exponent."""
    number = float(word) if _NUMBER.fullmatch(word) else math.inf
    return f"{number:.0f}" if number.is_integer() else word


def _whole_day(value: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any]:
    """Return a double that may be a day, as pandas keeps 20260108 beside a null, as an integer."""
    may = and_(value >= _FIRST_DAY, value <= _LAST_DAY, func.floor(value) == value)
    return case((may, dialect.integer(value)))


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
