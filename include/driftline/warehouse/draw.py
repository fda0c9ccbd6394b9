"""A draw: the rows of a stretch, all or a seeded uniform sample, each with its newest label."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Label, Select, and_, func, literal, select

from driftline.warehouse.dialects.base import Dialect
from driftline.warehouse.label_table import LABEL_KNOWN, LABEL_VALUE, LabelTable
from driftline.warehouse.reader import Output
from driftline.warehouse.source import Field

Stretch = Callable[[Sequence[ColumnElement[Any]]], Select[Any]]
"""Selects these columns of a stretch of the log."""

_ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Which label table a draw of a stretch is joined with, and what was known of it.

    `meeting` is by name what predictions find their labels by, made of the `keys`; `absent` is the
    label of those that find none.
    """

    table: LabelTable
    keys: Sequence[Field]
    meeting: Mapping[str, ColumnElement[Any]]
    start: datetime | None
    end: datetime | None
    as_of: datetime | None
    absent: ColumnElement[Any] | None = None
    dated: bool = False
    """Whether is asked for, after the label, since when it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """At most `limit` rows, in the order of a hash of `parts` and the seed; those `below` one."""

    parts: Sequence[ColumnElement[Any]]
    seed: int
    limit: int
    below: str = ""

    def number(self, dialect: Dialect) -> ColumnElement[Any]:
        """Return what rows are drawn by: no order of storage, and the same in every database."""
        key: ColumnElement[Any] = literal(str(self.seed))
        for part in self.parts:
            key = key.concat("\x1f").concat(part)
        return dialect.bytewise(func.md5(key))


def enough(limit: int, total: int) -> str:
    """Return a hash below which more than `limit` of a total of rows lie; '' where all may.

    Rows beyond it need not be sorted. It leaves seven standard deviations more than are wanted;
    only ids that repeat by the thousands can make that too few.
    """
    share = limit / max(total, 1)
    share += 7 * math.sqrt(share / max(total, 1))
    return f"{int(share * 16**8):08x}" if share < 1 else ""


def placed(outputs: Sequence[Output]) -> list[Label[Any]]:
    """Name outputs by their places: a user's names may be anything, of any length."""
    return [output.value.label(f"c{place}") for place, output in enumerate(outputs)]


def draw(
    stretch: Stretch,
    dialect: Dialect,
    outputs: Sequence[Output],
    lot: Lot | None,
    join: Join | None,
) -> Select[Any]:
    """Return a SELECT of the outputs and, with a join, of the newest label after them.

    Labels are looked up for the rows that were drawn only.
    """
    columns = placed(outputs)
    names = [column.name for column in columns]
    if join:
        columns += [value.label(key) for key, value in join.meeting.items()]
        if join.absent is not None:
            columns.append(join.absent.label(_ABSENT))
    order: list[Label[Any]] = []
    if lot:
        number = lot.number(dialect).label("lot")
        order = [number, *columns[: len(names)]]
        columns.append(number)
    inner = stretch(columns or [literal(1).label("one")])
    if lot and lot.below:
        inner = inner.where(lot.number(dialect) < lot.below)
    drawn = inner.order_by(*order).limit(lot.limit if lot else None).cte("drawn")
    kept: list[ColumnElement[Any]] = [drawn.c[name] for name in names] or [literal(1).label("one")]
    if join:
        newest = join.table.newest(
            drawn,
            join.keys,
            list(join.meeting),
            join.as_of,
            join.start,
            join.end,
            dated=join.dated,
        )
        same = and_(*(drawn.c[key] == newest.c[key] for key in join.meeting))
        label: ColumnElement[Any] = newest.c[LABEL_VALUE]
        if join.absent is not None:
            label = func.coalesce(label, drawn.c[_ABSENT]).label(LABEL_VALUE)
        chosen = select(*kept[: len(names)], label)
        if join.dated:
            chosen = chosen.add_columns(newest.c[LABEL_KNOWN])
        statement = chosen.select_from(drawn.outerjoin(newest, same))
    else:
        statement = select(*kept).select_from(drawn)
    return statement.order_by(*(drawn.c[column.name] for column in order))
