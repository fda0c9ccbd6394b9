"""The newest label of each prediction, as it was known at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Subquery, and_, func, select

from driftline.warehouse.clock import Clock
from driftline.warehouse.dialect import Dialect, Family, varchar
from driftline.warehouse.reader import Output
from driftline.warehouse.source import Field, Source

LABEL_VALUE = "label"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """Labels in a table of their own; without a clock each is known from the start."""

    source: Source
    ids: Sequence[Field]
    label: Output
    clock: Clock | None

    def join_keys(self, ids: Sequence[Field]) -> list[ColumnElement[Any]]:
        """Return the predictions' ids in the form in which they meet the labels'."""
        pairs = zip(ids, self.ids, strict=True)
        return [_meeting(own, other, self.source.dialect) for own, other in pairs]

    def newest(
        self, drawn: CTE, ids: Sequence[Field], keys: Sequence[str], as_of: datetime | None
    ) -> Subquery:
        """Return the keys of each labelled prediction and its newest label.

        `drawn` holds the window's predictions, `keys` names their join keys in it. Only their
        labels are ranked: a join and one sort, which need no index. Where two labels came at the
        same time the label itself decides, so that the answer does not depend on their order.
        """
        dialect = self.source.dialect
        wanted = select(*(drawn.c[key] for key in keys)).distinct().subquery("wanted")
        own = [_meeting(field, other, dialect) for field, other in zip(self.ids, ids, strict=True)]
        newest_first = [] if self.clock is None else [self.clock.order.desc()]
        missing_last = self.label.value.is_(None)
        words = dialect.bytewise(varchar(self.label.value))
        place = func.row_number().over(
            partition_by=own, order_by=[*newest_first, missing_last, words.desc()]
        )
        ranked = (
            select(
                *(value.label(key) for value, key in zip(own, keys, strict=True)),
                self.label.value.label(LABEL_VALUE),
                place.label("place"),
            )
            .select_from(self.source.relation)
            .join(wanted, and_(*(v == wanted.c[k] for v, k in zip(own, keys, strict=True))))
            .where(*known(self.clock, as_of))
            .subquery("ranked")
        )
        columns = [ranked.c[key] for key in (*keys, LABEL_VALUE)]
        return select(*columns).where(ranked.c.place == 1).subquery("newest")


def known(clock: Clock | None, as_of: datetime | None) -> list[ColumnElement[bool]]:
    """Return the predicates of labels that were there at a moment; no time, never there."""
    if clock is None:
        return []
    return [clock.until(as_of) if as_of else clock.value.is_not(None)]


def _meeting(own: Field, other: Field, dialect: Dialect) -> ColumnElement[Any]:
    """Return an id as it is where both sides are of one kind, else as text."""
    numbers = own.family.is_number and other.family.is_number
    alike = own.family is other.family and (
        own.family is not Family.OTHER or own.type == other.type
    )
    if (numbers or alike) and not (own.in_json or other.in_json):
        return own.value
    return dialect.string(own.value, own.family)
