"""Business metrics: a person's own SQL aggregates over a stretch of the log, all in one scan.

The SQL is trusted and reviewed like code. It is run as the monitor's other statements are: read
only, within `statement_timeout`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal_column

from driftline.errors import LogError, WarehouseError
from driftline.warehouse.reader import Reader

_LONGEST = 80

Rows = Callable[[Sequence[ColumnElement[Any]]], Select[Any]]
"""Makes the SELECT of these columns from a stretch of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    """How many rows a part has, and what each expression is of them."""

    rows: int
    values: Mapping[str, float | None]


def aggregate(
    reader: Reader,
    rows: Rows,
    expressions: Mapping[str, str],
    key: ColumnElement[Any] | None,
    most: int,
) -> dict[str, Aggregates]:
    """Return what the expressions are of the rows, by the value of the key.

    Without a key all rows are one part, called ''; of the keys the `most` that have the most rows
    count. Raises LogError about the first expression that the warehouse cannot compute, and
    WarehouseError when it computes nothing at all.
    """
    try:
        return _aggregate(reader, rows, expressions, key, most)
    except (LogError, WarehouseError):
        _aggregate(reader, rows, {}, key, most)  # it fails too where the expressions are not it
        for name, sql in expressions.items():
            try:
                _aggregate(reader, rows, {name: sql}, key, most)
            except (LogError, WarehouseError) as error:
                raise _fault(name, sql, error) from error
        raise


def _aggregate(
    reader: Reader,
    rows: Rows,
    expressions: Mapping[str, str],
    key: ColumnElement[Any] | None,
    most: int,
) -> dict[str, Aggregates]:
    # Under names that nobody's column has: some databases would take the one for the other.
    keys = [] if key is None else [key.label("driftline_key")]
    asked = [_column(sql) for sql in expressions.values()]
    statement = rows([*keys, func.count().label("driftline_rows"), *asked])
    if key is not None:
        ties = reader.dialect.bytewise(key)
        statement = statement.group_by(key).order_by(func.count().desc(), ties).limit(most)
    found = {}
    for row in reader.all(statement):
        own, total, *answers = row if key is not None else ("", *row)
        pairs = zip(expressions.items(), answers, strict=True)
        values = {name: _number(name, sql, answer) for (name, sql), answer in pairs}
        found[str(own)] = Aggregates(rows=total, values=values)
    return found


def faulty(reader: Reader, rows: Rows, expressions: Mapping[str, str]) -> list[LogError]:
    """Return an error for each expression that the warehouse does not take, or is no aggregate.

    They are tried on no rows at all: an aggregate of nothing is one row, anything else none.
    """
    found = []
    for name, sql in expressions.items():
        nothing: ColumnElement[bool] = literal_column("1 = 0")
        try:
            # What is more than an expression only stands inside of our parentheses.
            reader.all(rows([literal_column(f"{sql}\n")]).where(nothing))
            answers = reader.all(rows([_column(sql)]).where(nothing))
        except (LogError, WarehouseError) as error:
            found.append(_fault(name, sql, error))
            continue
        if len(answers) != 1:
            found.append(_fault(name, sql, "it is no aggregate, such as avg(...) or count(*)"))
    return found


def _column(sql: str) -> ColumnElement[Any]:
    """Return an expression as it is written; the line break ends a comment at its end."""
    return literal_column(f"({sql}\n)")


def _number(name: str, sql: str, answer: object) -> float | None:
    if answer is None:
        return None
    if isinstance(answer, bool | int | float | Decimal):
        return float(answer)
    raise _fault(name, sql, f"it is no number but a {type(answer).__name__}")


def _fault(name: str, sql: str, problem: object) -> LogError:
    words = " ".join(sql.split())
    shown = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return LogError(f"business.{name}: {shown}: {problem}")
