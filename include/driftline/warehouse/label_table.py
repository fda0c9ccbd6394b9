"""Labels in a table of their own: the newest of each prediction, and those that came of late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, case, func, null, or_, select
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql

from driftline.warehouse.age import microseconds
from driftline.warehouse.clock import TICK, Clock
from driftline.warehouse.dialects.base import Dialect, varchar
from driftline.warehouse.meeting import meeting
from driftline.warehouse.reader import Output
from driftline.warehouse.source import Field, Source

LABEL_VALUE = "label"
LABEL_KNOWN = "known"
_MOMENT = "moment"
_BEFORE = "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When labels happened and since when they are known: that moment, unless they were loaded
    later; without either it is from the start.
    """

    happened: Clock | None
    loaded: Clock | None

    @property
    def known(self) -> Clock | None:
        """Since when each is known."""
        return self.happened if self.loaded is None else self.loaded

    def until(self, as_of: datetime | None) -> list[ColumnElement[bool]]:
        """Return the predicates of labels that were there at a moment; no time, never there."""
        known = self.known
        if known is None:
            return []
        return [known.until(as_of)] if as_of else known.within(None, None)

    def since(self, dialect: Dialect) -> ColumnElement[Any]:
        """Return since when each is known, in microseconds from 1970; NULL where nothing tells."""
        if self.known is None:
            return sql_cast(null(), sql.BigInteger())
        return microseconds(self.known, dialect)

    def between(self, after: datetime, until: datetime) -> list[ColumnElement[bool]]:
        """Return the predicates of labels that became known after one moment, until another."""
        if self.known is None:
            return []
        return self.known.within(after + TICK, until + TICK)

    @property
    def newest_first(self) -> list[ColumnElement[Any]]:
        """The order of labels, those that nobody knows the time of last."""
        if self.happened is None or self.loaded is None:
            return [self.known.order.desc()] if self.known else []
        happened = case((and_(*self.happened.within(None, None)), self.happened.order))
        return [happened.is_(None), happened.desc(), self.loaded.order.desc()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """When the events of a table happened, and for how long after a prediction they count."""

    clock: Clock
    within: timedelta

    def count(
        self, said: ColumnElement[Any], happened: ColumnElement[Any]
    ) -> list[ColumnElement[bool]]:
        """Return the predicates of events that count for a prediction, both ends included."""
        longest = self.within // timedelta(microseconds=1)
        return [happened >= said, happened - said <= longest]

    def of(self, start: datetime | None, end: datetime | None) -> list[ColumnElement[bool]]:
        """Return the predicates of events that count for a stretch; an index can serve them."""
        return self.clock.within(start, end + self.within if end else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """Labels that predictions find by their ids, or events that they find by a key."""

    source: Source
    keys: Sequence[Field]
    label: Output
    times: Times
    events: Events | None = None

    def meeting(self, own: Sequence[Field], clock: Clock | None) -> dict[str, ColumnElement[Any]]:
        """Return by name what predictions find their labels by: keys, and of events the time."""
        dialect, pairs = self.source.dialect, zip(own, self.keys, strict=True)
        found = {f"k{n}": meeting(*pair, dialect) for n, pair in enumerate(pairs)}
        if self.events and clock:
            found[_MOMENT] = microseconds(clock, dialect)
        return found

    def _met(self, own: Sequence[Field]) -> dict[str, ColumnElement[Any]]:
        """Return by name the keys of labels in the form in which they meet the predictions'."""
        dialect, pairs = self.source.dialect, zip(self.keys, own, strict=True)
        return {f"k{n}": meeting(*pair, dialect) for n, pair in enumerate(pairs)}

    def newest(
        self,
        drawn: CTE,
        own: Sequence[Field],
        names: Sequence[str],
        as_of: datetime | None,
        start: datetime | None,
        end: datetime | None,
        *,
        dated: bool = False,
    ) -> Subquery:
        """Return what each labelled prediction is found by, and its newest label; `dated`, since
        when that is known.

        `drawn` holds predictions of a stretch, under `names` what they find labels by. Only their
        labels are ranked: a join and one sort, which need no index. Where two labels came at the
        same time the label itself decides, so that the answer does not depend on their order.
        """
        wanted = select(*(drawn.c[name] for name in names)).distinct().subquery("wanted")
        keys = self._met(own)
        same = and_(*(value == wanted.c[name] for name, value in keys.items()))
        conditions = self.times.until(as_of)
        if self.events:
            keys[_MOMENT] = wanted.c[_MOMENT]
            moment = microseconds(self.events.clock, self.source.dialect)
            conditions += self.events.of(start, end)
            conditions += self.events.count(wanted.c[_MOMENT], moment)
        missing_last = self.label.value.is_(None)
        words = self.source.dialect.bytewise(varchar(self.label.value))
        place = func.row_number().over(
            partition_by=[*keys.values()],
            order_by=[*self.times.newest_first, missing_last, words.desc()],
        )
        ranked = (
            select(
                *(value.label(name) for name, value in keys.items()),
                self.label.value.label(LABEL_VALUE),
                *([self.times.since(self.source.dialect).label(LABEL_KNOWN)] if dated else []),
                place.label("place"),
            )
            .select_from(self.source.relation)
            .join(wanted, same)
            .where(*conditions)
            .subquery("ranked")
        )
        told = (LABEL_VALUE, LABEL_KNOWN) if dated else (LABEL_VALUE,)
        columns = [ranked.c[name] for name in (*names, *told)]
        return select(*columns).where(ranked.c.place == 1).subquery("newest")

    def landed(
        self, said: Subquery, own: Sequence[Field], after: datetime, until: datetime
    ) -> Select[Any]:
        """Return the moments `c0` of predictions for which a label became known in a span.

        Of the labels those of the span are read, and each prediction comes once: an id is listed
        once, and of the events that a prediction could have the first is taken.
        """
        keys = self._met(own)
        new = self.times.between(after, until)
        columns: list[Any] = [value.label(name) for name, value in keys.items()]
        conditions: list[ColumnElement[bool]] = []
        if self.events is None:
            fresh = select(*columns).distinct().where(*new).subquery("fresh")
        else:
            moment = microseconds(self.events.clock, self.source.dialect)
            before = func.max(moment).over(
                partition_by=[*keys.values()], order_by=moment, rows=(None, -1)
            )
            columns += [moment.label(_MOMENT), before.label(_BEFORE)]
            fresh = select(*columns).where(*new).subquery("fresh")
            first = or_(fresh.c[_BEFORE].is_(None), said.c[_MOMENT] > fresh.c[_BEFORE])
            conditions = [*self.events.count(said.c[_MOMENT], fresh.c[_MOMENT]), first]
        same = and_(*(said.c[name] == fresh.c[name] for name in keys))
        return select(said.c.c0).select_from(said.join(fresh, same)).where(*conditions)
