"""What a stretch of the log holds in each column, counted by the warehouse."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from driftline.domain import ColumnKind, ColumnStatistics, WindowStatistics
from driftline.warehouse.reader import Output, Reader

MOST_CATEGORIES = 200
_LARGEST = 1.7976931348623157e308


def count_statistics(
    reader: Reader,
    rows: Select[Any],
    outputs: Sequence[Output],
    kinds: Mapping[str, ColumnKind],
    hides: Callable[[str], bool],
    categories: Mapping[str, Mapping[str, int]],
) -> WindowStatistics:
    """Count one scan for rows, nulls and ranges, and one for each column of categories.

    `rows` selects the outputs under their positions (`c0`, `c1`, ...). What is known of
    `categories` already is not counted again.
    """
    stretch = rows.subquery("stretch")
    wanted: list[ColumnElement[Any]] = [func.count()]
    for place, output in enumerate(outputs):
        value = stretch.c[f"c{place}"]
        if kinds[output.name].is_number:
            finite = case((value.between(-_LARGEST, _LARGEST), value))
            present = case((~reader.dialect.is_nan(value), value))
            wanted += [func.count(present), func.count(finite)]
            wanted += [func.min(finite), func.max(finite)]
        else:
            wanted += [func.count(value)]
    total, *found = reader.one(select(*wanted).select_from(stretch))
    answers = iter(found)
    columns = {}
    for place, output in enumerate(outputs):
        kind = kinds[output.name]
        present = next(answers)
        nulls = total - present
        if kind.is_number:
            infinite = present - next(answers)
            ends = next(answers), next(answers)
            low, high = (None, None) if hides(output.name) else ends
            columns[output.name] = ColumnStatistics(
                kind=kind, nulls=nulls, minimum=low, maximum=high, infinite=infinite
            )
        else:
            hidden = hides(output.name)
            held = {} if hidden else categories.get(output.name)
            if held is None:
                held = count_categories(reader, stretch.c[f"c{place}"], MOST_CATEGORIES + 1)
            shown = dict(held) if not hidden and len(held) <= MOST_CATEGORIES else None
            columns[output.name] = ColumnStatistics(kind=kind, nulls=nulls, categories=shown)
    return WindowStatistics(rows=total, columns=columns)


def count_categories(reader: Reader, value: ColumnElement[Any], limit: int) -> dict[str, int]:
    """Return the rows of the categories that have the most, most first."""
    first = reader.dialect.bytewise(value)
    counted = reader.all(
        select(value, func.count())
        .where(value.is_not(None))
        .group_by(value)
        .order_by(func.count().desc(), first)
        .limit(limit)
    )
    pairs = [row._tuple() for row in counted]
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
