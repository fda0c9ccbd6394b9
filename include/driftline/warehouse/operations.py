"""How requests were served in a stretch of the log: its latencies and failures, in one scan."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
)

from driftline.monitor.fields import Scalar
from driftline.warehouse.dialects.base import Dialect, backend
from driftline.warehouse.reader import Reader
from driftline.warehouse.source import Field

PERCENTILES = (50, 95, 99)
LONGEST = 1e15
"""No request took more milliseconds, 30,000 years: what says so is no latency."""

_SHARES = ",".join(f"0.{percent}" for percent in PERCENTILES)
_SORTING: Mapping[str, Callable[[ColumnElement[Any]], ColumnElement[Any]]] = {
    "duckdb": lambda value: func.quantile_cont(value, literal_column(f"[{_SHARES}]")),
    "postgresql": lambda value: func.percentile_cont(
        literal_column(f"'{{{_SHARES}}}'::float8[]")
    ).within_group(value),
}
"""Databases that sort within an aggregate, which is three times as fast as ranking rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Rows, those of them that went well, and latencies in milliseconds; None is not logged.

    `timed` is how many rows have a latency: a number from 0 to LONGEST. A percentile lies between
    the two latencies around its place, in proportion, as numpy's default has it.
    """

    rows: int
    succeeded: int | None = None
    timed: int | None = None
    mean: float | None = None
    percentiles: Mapping[int, float | None] = field(default_factory=dict)

    @classmethod
    def nothing(cls, logged: Collection[str]) -> "Served":
        """Return what a part without rows comes to."""
        return cls(
            rows=0,
            succeeded=0 if "succeeded" in logged else None,
            timed=0 if "latency" in logged else None,
            percentiles=dict.fromkeys(PERCENTILES),
        )


def latency_of(field: Field, dialect: Dialect) -> ColumnElement[Any]:
    """Return the milliseconds of a request; what is no latency is NULL."""
    value = dialect.number(field.value, field.family)
    zero: ColumnElement[float] = literal_column(dialect.exact(0.0))
    longest: ColumnElement[float] = literal_column(dialect.exact(LONGEST))
    return case((value.between(zero, longest), value))


def success_of(field: Field, ok: Sequence[Scalar], dialect: Dialect) -> ColumnElement[Any]:
    """Return 1 where the status is among those that are ok, else NULL: no status is a failure.

    Numbers are compared as numbers, all else as text.
    """
    if field.family.is_number:
        value = dialect.number(field.value, field.family)
        numbers = dict.fromkeys(number for each in ok if (number := _number(each)) is not None)
        allowed = [value == literal_column(dialect.exact(number)) for number in numbers]
    else:
        allowed = [dialect.string(field.value, field.family).in_([_text(each) for each in ok])]
    return case((or_(false(), *allowed), literal_column("1")))


def _number(value: Scalar) -> float | None:
    """Return the number that a status is, or writes; None for a word."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def count_served(
    reader: Reader, rows: Select[Any], logged: Collection[str], most: int
) -> dict[str, Served]:
    """Return how the rows were served, by the value of their `key`.

    `rows` selects what is `logged` of `key`, `latency` and `succeeded`. Without a key all rows are
    one part, called ''; of the keys the `most` that have the most rows count.
    """
    timed, sorting = "latency" in logged, _SORTING.get(backend(reader.url))
    stretch = rows.subquery("stretch")
    if timed and sorting is None:
        stretch = _ranked(stretch, keyed="key" in logged)
    keys = [stretch.c.key] if "key" in logged else []
    wanted: list[ColumnElement[Any]] = [func.count().label("rows")]
    if "succeeded" in logged:
        wanted.append(func.count(stretch.c.succeeded))
    if timed:
        value = stretch.c.latency
        around = [sorting(value)] if sorting else _around(stretch)
        wanted += [func.count(value), func.avg(value), *around]
    statement = select(*keys, *wanted).select_from(stretch)
    if keys:
        (key,) = keys
        ties = reader.dialect.bytewise(key)
        statement = statement.group_by(key).order_by(func.count().desc(), ties).limit(most)
    found = {}
    for row in reader.all(statement):
        key, *answers = row if keys else ("", *row)
        found[str(key)] = _served(iter(answers), logged, ranked=sorting is None)
    return found


def _ranked(stretch: Subquery, *, keyed: bool) -> Subquery:
    """Number the latencies of each part from the shortest on, and say how many it holds."""
    value = stretch.c.latency
    own = [*([stretch.c.key] if keyed else []), case((value.is_(None), 1), else_=0)]
    place = func.row_number().over(partition_by=own, order_by=value)
    held = func.count().over(partition_by=own)
    return select(*stretch.c, place.label("place"), held.label("held")).subquery("ranked")


def _around(ranked: Subquery) -> list[ColumnElement[Any]]:
    """Return for each percentile the two latencies around its place; whole numbers find them."""
    value, place, held = ranked.c.latency, ranked.c.place, ranked.c.held
    found: list[ColumnElement[Any]] = []
    for percent in PERCENTILES:
        sought = (held - 1) * percent
        below = and_((place - 1) * 100 <= sought, sought < place * 100)
        above = and_((place - 2) * 100 < sought, sought <= (place - 1) * 100)
        found += [func.max(case((below, value))), func.max(case((above, value)))]
    return found


def _served(answers: Iterator[Any], logged: Collection[str], *, ranked: bool) -> Served:
    """Read the answers in the order in which they were asked for."""
    rows = next(answers)
    succeeded = next(answers) if "succeeded" in logged else None
    if "latency" not in logged:
        return Served(rows=rows, succeeded=succeeded)
    timed, mean = next(answers), next(answers)
    found = list(_between(answers, timed)) if ranked and timed else next(answers)
    percentiles = (
        dict(zip(PERCENTILES, found, strict=True)) if timed else dict.fromkeys(PERCENTILES)
    )
    return Served(rows=rows, succeeded=succeeded, timed=timed, mean=mean, percentiles=percentiles)


def _between(answers: Iterator[Any], timed: int) -> Iterator[float]:
    """Yield what lies between the two latencies around each percentile's place, in proportion."""
    for percent in PERCENTILES:
        low, high = next(answers), next(answers)
        yield low + (high - low) * ((timed - 1) * percent % 100) / 100
