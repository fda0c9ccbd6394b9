"""Classes: their names, the same however a database types them, and the places of rows in them."""

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.errors import LogError

_INTEGRAL = re.compile(r"([+-]?\d+)\.0*")
_MOST_CLASSES = 1000
_SELF_EXPLAINING = ({"0", "1"}, {"-1", "1"})


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


def check_binary(found: Sequence[str], chosen: object) -> None:
    """Raise LogError where a binary model's labels and predicted classes are not of two classes.

    `chosen` is what the monitor's file says of the positive one, None where it says nothing.
    """
    positive = positive_class(chosen)
    names = ", ".join(map(repr, found[:5])) + (", ..." if len(found) > 5 else "")
    if len(found) > 2:
        raise LogError(
            f"labels and predicted classes hold {len(found)} values ({names}); "
            "a binary model has two"
        )
    if chosen is None and found and not any(set(found) <= pair for pair in _SELF_EXPLAINING):
        raise LogError(
            f"labels hold {names}; write which one the score speaks of under "
            f"predictions.positive, such as positive: {found[-1]!r}"
        )
    if len(found) == 2 and positive not in found:
        raise LogError(f"predictions.positive is {positive!r}; labels hold {names}")


def classes_of(column: Any, key: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the class names that a column holds and, a row, the place of its own (-1: none)."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    encoded = pa.chunked_array([column.combine_chunks()]).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    values = encoded.dictionary.to_pylist()
    if len(values) > _MOST_CLASSES:
        raise LogError(f"{key} holds {len(values):,} distinct values: too many to be classes")
    names = ["" if value is None else canonical(value) for value in values]
    distinct = sorted({name for name in names if name})
    places = [distinct.index(name) if name else -1 for name in names]
    codes = encoded.indices.fill_null(len(places)).to_numpy(zero_copy_only=False)
    return distinct, np.array([*places, -1], dtype=np.int64)[codes]
