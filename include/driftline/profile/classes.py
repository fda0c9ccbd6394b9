"""Classes: their names, the same however a database types them, and the places of rows in them."""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.errors import LogError
from driftline.printable import amount

_INTEGRAL = re.compile(r"([+-]?\d+)\.0*")
_MOST_CLASSES = 1000
_SELF_EXPLAINING = ("0", "-1")
"""What says of itself that it is not 1."""
_MOST = 0.9
"""Of the rows that are not positive so many are of one class where the others are strays."""


def canonical(value: object) -> str:
    """Return a class as text, the same however a database types it.

    >>> [canonical(value) for value in (True, 1, 1.0, "1.0", "true", "yes ")]
    ['1', '1', '1', '1', '1', 'yes']
    """
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return str(int(text.lower() == "true"))
    match = _INTEGRAL.fullmatch(text)
    return match[1] if match else text


def positive_class(chosen: object) -> str:
    """Return the name of the class that a binary model's score speaks of; None stands for 1."""
    return "1" if chosen is None else canonical(chosen)


def negative_class(counts: Mapping[str, int], chosen: object) -> str:
    """Return the name of a binary model's other class; '' where nothing holds it.

    `counts` are the rows of each class of labels and predicted classes, `chosen` what the monitor's
    file says of the positive one, None where it says nothing. What is neither, such as a sentinel,
    is a stray. Raises LogError where the two cannot be told from strays.
    """
    positive, found = positive_class(chosen), sorted(counts)
    others = sorted(set(counts) - {positive}, key=lambda name: (-counts[name], name))
    names = ", ".join(map(repr, found[:5])) + (", ..." if len(found) > 5 else "")
    if chosen is None:
        explaining = [name for name in _SELF_EXPLAINING if name in others]
        if others and not explaining:
            raise LogError(
                f"labels hold {names}; write which one the score speaks of under "
                f"predictions.positive, such as positive: {found[-1]!r}"
            )
        return next(iter(explaining), "")
    if len(others) > 1 and positive not in counts:
        raise LogError(f"predictions.positive is {positive!r}; labels hold {names}")
    if len(others) > 1 and counts[others[0]] < _MOST * sum(counts[name] for name in others):
        raise LogError(
            f"labels and predicted classes hold {amount(len(found), 'value')} ({names}); "
            "a binary model has two"
        )
    return next(iter(others), "")


def rows_by_class(*columns: tuple[Sequence[str], NDArray[np.int64]]) -> dict[str, int]:
    """Return how often each class stands in columns, each as `classes_of` returns it."""
    found: dict[str, int] = {}
    for names, places in columns:
        counted = np.bincount(places[places >= 0], minlength=len(names))
        for name, rows in zip(names, counted.tolist(), strict=True):
            found[name] = found.get(name, 0) + rows
    return found


def classes_of(column: Any, key: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the class names that a column holds and, a row, the place of its own (-1: none)."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    encoded = pa.chunked_array([column.combine_chunks()]).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    values = encoded.dictionary.to_pylist()
    if len(values) > _MOST_CLASSES:
        raise LogError(
            f"{key} holds {amount(len(values), 'distinct value')}: too many to be classes"
        )
    names = ["" if value is None else canonical(value) for value in values]
    distinct = sorted({name for name in names if name})
    places = [distinct.index(name) if name else -1 for name in names]
    codes = encoded.indices.fill_null(len(places)).to_numpy(zero_copy_only=False)
    return distinct, np.array([*places, -1], dtype=np.int64)[codes]
