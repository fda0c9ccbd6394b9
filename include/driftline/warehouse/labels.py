"""Where a monitor's labels are, since when each is known, and what it means that one is absent."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    not_,
    select,
    union_all,
)

from driftline.errors import LogError
from driftline.monitor.fields import Scalar
from driftline.monitor.sections import Labels
from driftline.profile.rows import KNOWN, LABEL
from driftline.warehouse.clock import TICK, Clock
from driftline.warehouse.dialects.base import Dialect
from driftline.warehouse.draw import Join
from driftline.warehouse.label_table import Events, LabelTable, Times
from driftline.warehouse.projection import Projection
from driftline.warehouse.reader import Output
from driftline.warehouse.source import Field, Source

ClockOf = Callable[[Source, str, str], Clock]
"""Finds the form of a column of times: in this source, of this name, for this key of the file."""

Stretch = Callable[[Sequence[ColumnElement[Any]], datetime | None, datetime | None], Select[Any]]
"""Selects these columns of the predictions of `[start, end)`."""

_JOIN_KEY = "labels.join.key"
_HELD = {
    pa.types.is_boolean: "booleans",
    pa.types.is_integer: "whole numbers",
    pa.types.is_floating: "numbers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """The labels of a monitor as its file describes them, in a table or in the prediction's row.

    `label` is None only where a log that is partial has none.
    """

    settings: Labels
    project: Projection
    times: Times
    label: Output | None
    table: LabelTable | None

    @classmethod
    def of(
        cls, settings: Labels, project: Projection, source: Source | None, clock_of: ClockOf
    ) -> Self:
        """Find the columns that the file names; `source` is the labels' own table."""

        def clock(column: str | None, key: str) -> Clock | None:
            return clock_of(source or project.source, column, key) if column else None

        times = Times(
            happened=clock(settings.timestamp, "labels.timestamp"),
            loaded=clock(settings.loaded_at, "labels.loaded_at"),
        )
        place, key = source or project.source, "labels.label"
        field = place.field(settings.label, key) if source else project.role(settings.label, key)
        label = project.outcome(LABEL, field) if field else None
        table = None
        if source and label:
            join, happened = settings.join, times.happened
            names, key = (join.key, _JOIN_KEY) if join else (settings.id or (), "labels.id")
            table = LabelTable(
                source=source,
                keys=[source.field(name, key) for name in names],
                label=label,
                times=times,
                events=Events(clock=happened, within=join.within) if join and happened else None,
            )
        return cls(settings=settings, project=project, times=times, label=label, table=table)

    def join(
        self,
        start: datetime | None,
        end: datetime | None,
        as_of: datetime | None,
        *,
        dated: bool = False,
    ) -> Join | None:
        """Return how a draw of a stretch finds its labels; None where they stand in its rows."""
        if self.table is None:
            return None
        keys = self.keys
        return Join(
            table=self.table,
            keys=keys,
            meeting=self.table.meeting(keys, self.project.clock),
            start=start,
            end=end,
            as_of=as_of,
            absent=self._absent(as_of),
            dated=dated,
        )

    @property
    def known(self) -> Output:
        """Since when a label is known."""
        return Output(KNOWN, self.times.since(self.project.source.dialect), pa.int64())

    def in_row(self, as_of: datetime | None, *, dated: bool = False) -> list[Output]:
        """Return the label that stands in the prediction's row, NULL while it is not known."""
        if self.label is None:
            return []
        value, there, absent = self.label.value, self.times.until(as_of), self._absent(as_of)
        if there:
            value = case((and_(*there), value))
        if absent is not None:
            value = func.coalesce(value, absent)
        return [self.label._replace(value=value), *([self.known] if dated else [])]

    def landed(
        self, stretch: Stretch, clock: Clock, after: datetime, until: datetime, since: datetime
    ) -> Select[Any] | None:
        """Return the times `c0` of predictions of `[since, until)` whose label became known in
        `(after, until]`, or that came to the age at which none means one; None where labels have
        no times.

        The second need no labels to be read, and are told from no others of their age.
        """
        if self.times.known is None:
            return None
        at = clock.value.label("c0")
        of_age = self._of_age(after, until, since)
        younger = [not_(and_(*clock.within(*of_age)))] if of_age else []
        if self.table is None:
            known = stretch([at], since, until).where(*self.times.between(after, until), *younger)
        else:
            keys = self.keys
            columns = [v.label(key) for key, v in self.table.meeting(keys, clock).items()]
            said = stretch([at, *columns], since, until).where(*younger).subquery("said")
            known = self.table.landed(said, keys, after, until)
        if of_age is None:
            return known
        both = union_all(known, stretch([at], *of_age)).subquery("known")
        return select(both.c.c0)

    @property
    def there(self) -> Self:
        """The same without what `labels.absent` means: labels that somebody wrote."""
        return replace(self, settings=self.settings.model_copy(update={"absent": None}))

    @property
    def keys_named(self) -> tuple[str, str]:
        """The keys of the file that name what the two tables meet by."""
        return (_JOIN_KEY, _JOIN_KEY) if self.settings.join else ("predictions.id", "labels.id")

    @property
    def keys(self) -> list[Field]:
        """What predictions find their labels by."""
        join, log = self.settings.join, self.project.monitor.predictions
        names = join.key if join else log.id or ()
        return [self.project.source.field(name, self.keys_named[0]) for name in names]

    def _of_age(
        self, after: datetime, until: datetime, since: datetime
    ) -> tuple[datetime, datetime] | None:
        """Return the stretch of predictions for which none came to mean a label in a span."""
        if self.settings.absent is None:
            return None
        age = self.settings.absent.after
        start, end = max(since, after - age + TICK), until - age + TICK
        return (start, end) if start < end else None

    def _absent(self, as_of: datetime | None) -> ColumnElement[Any] | None:
        """Return the label of predictions that are old enough to need none."""
        absent, clock = self.settings.absent, self.project.clock
        if absent is None or self.label is None:
            return None
        value = _constant(absent.value, self.label.type, self.project.source.dialect)
        if as_of is None or clock is None:
            return value
        return case((clock.until(as_of - absent.after), value))


def _constant(value: Scalar, kind: pa.DataType, dialect: Dialect) -> ColumnElement[Any]:
    """Write a label that the file names as the other labels are typed."""
    if pa.types.is_string(kind):
        return literal(str(value).lower() if isinstance(value, bool) else str(value))
    number = math.nan if isinstance(value, str) else float(value)
    if pa.types.is_boolean(kind) and number in (0, 1):
        return dialect.boolean(literal_column("TRUE" if number else "FALSE"))
    if pa.types.is_integer(kind) and number.is_integer():
        return literal(int(number))
    if pa.types.is_floating(kind) and math.isfinite(number):
        return literal_column(dialect.exact(number))
    held = next(words for is_kind, words in _HELD.items() if is_kind(kind))
    raise LogError(f"labels.absent.value: found {value!r}; the labels are {held}")
