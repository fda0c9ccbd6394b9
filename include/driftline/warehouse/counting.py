"""Profiles counted by the warehouse: SQL puts each row into its bin, and counts the bins.

A numeric column takes one GROUP BY over its bins, a column of categories one over its values, which
are folded here. Where a database does best to read a row once (PostgreSQL), all numeric columns
share one statement.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    literal_column,
    select,
)

from driftline.profile.columns import LARGEST, CategoryBins, Layout, NumericBins, Profile, Span
from driftline.profile.tally import Tally
from driftline.warehouse.dialects.base import Dialect
from driftline.warehouse.reader import Output, Reader

_LEAST: ColumnElement[float] = literal(1e-150)
"""The square of a smaller number is nothing; PostgreSQL refuses to say so."""


class Asked(NamedTuple):
    """One statement, what it returns after the keys, and the column of categories it is about."""

    statement: Select[Any]
    outputs: list[Output]
    categories: str = ""


def count_profiles(
    reader: Reader, rows: Select[Any], layout: Layout, keys: Sequence[Output]
) -> dict[tuple[Any, ...], Profile]:
    """Return the profile of each combination of the keys' values that some row has.

    `rows` selects the columns of the layout under their positions (`c0`, `c1`, ...), numbers as
    doubles and categories as text, and the keys under their names. All statements see the same
    rows, whatever arrives meanwhile.
    """
    tally, asked = Tally(layout), statements(reader, rows, layout, keys)
    tables = reader.tables([(each.statement, [*keys, *each.outputs]) for each in asked])
    for each, table in zip(asked, tables, strict=True):
        groups = tally.groups([table[key.name] for key in keys], len(table))
        counted = table["rows"].to_numpy()
        if each.categories:
            tally.add_categories(groups, each.categories, table["value"], counted)
        elif "code" in table.column_names:
            codes = table["code"].to_numpy()
            tally.add_counts(groups, codes, counted)
            sums = (table[name].to_numpy() for name in ("sum", "squares", "low", "high"))
            tally.add_numbers(groups, codes, *sums)
        else:
            tally.add_rows(groups, counted)
    return tally.profiles()


def statements(
    reader: Reader, rows: Select[Any], layout: Layout, keys: Sequence[Output]
) -> list[Asked]:
    """Return what `count_profiles` asks the warehouse."""
    stretch = rows.subquery("stretch")
    return list(_asked(reader.dialect, stretch, layout, [key.name for key in keys]))


def _asked(
    dialect: Dialect, stretch: Subquery, layout: Layout, keys: Sequence[str]
) -> Iterator[Asked]:
    own = [stretch.c[key] for key in keys]
    count = Output("rows", func.count().label("rows"), pa.int64())
    yield Asked(select(*own, count.value).select_from(stretch).group_by(*own), [count])
    codes, shifted = [], []
    for place, (name, span) in enumerate(layout.spans.items()):
        value = stretch.c[f"c{place}"]
        if isinstance(span.bins, CategoryBins):
            grouped = select(*own, value, count.value).group_by(*own, value)
            yield Asked(grouped, [Output("value", value, pa.string()), count], name)
        else:
            codes.append(_code(dialect, value, span, span.bins))
            shifted.append(_shifted(dialect, value, span.bins))
    for code, less in dialect.in_step(codes, shifted):
        coded = (
            select(*own, code.label("code"), less.label("d")).select_from(stretch).subquery("coded")
        )
        d = coded.c.d
        outputs = [
            Output("code", coded.c.code, pa.int64()),
            count,
            Output("sum", func.sum(d), pa.float64()),
            Output(
                "squares",
                func.sum(case((func.abs(d) > _LEAST, d * d), else_=literal_column("0.0"))),
                pa.float64(),
            ),
            Output("low", func.min(d), pa.float64()),
            Output("high", func.max(d), pa.float64()),
        ]
        grouped_by = [*(coded.c[key] for key in keys), coded.c.code]
        values = [output.value for output in outputs[1:]]
        yield Asked(select(*grouped_by, *values).group_by(*grouped_by), outputs)


def _code(
    dialect: Dialect, value: ColumnElement[Any], span: Span, bins: NumericBins
) -> ColumnElement[Any]:
    """Return where in the vector of counts a row belongs."""
    return case(
        (value.is_(None), _number(span.nulls)),
        (dialect.is_nan(value), _number(span.nulls + 1)),
        (~_finite(dialect, value), _number(span.nulls + 2)),
        else_=dialect.bin_of(value, bins.edges) + _number(span.counts),
    )


def _shifted(dialect: Dialect, value: ColumnElement[Any], bins: NumericBins) -> ColumnElement[Any]:
    """Return a finite value less the shift, else NULL."""
    shift: ColumnElement[float] = literal_column(f"({dialect.exact(bins.shift)})")
    return case((_finite(dialect, value), value - shift))


def _finite(dialect: Dialect, value: ColumnElement[Any]) -> ColumnElement[bool]:
    low: ColumnElement[float] = literal_column(dialect.exact(-LARGEST))
    high: ColumnElement[float] = literal_column(dialect.exact(LARGEST))
    return and_(value >= low, value <= high)


def _number(value: int) -> ColumnElement[Any]:
    return literal_column(str(value))
