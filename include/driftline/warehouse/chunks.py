"""Rows of a driver that has no Arrow: fetched in chunks, each turned into columns at once."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

_CHUNK = 50_000


def table_of(cursor: Any) -> pa.Table:
    """Return what is left of a cursor's rows; its columns are named by their places."""
    names = [str(number) for number, _ in enumerate(cursor.description)]
    first = next(chunks := _chunks(cursor), None)
    if first is None:
        return pa.table([pa.array([], pa.null()) for _ in names], names=names)
    tables = [
        pa.table([pa.array(values) for values in zip(*chunk, strict=True)], names=names)
        for chunk in chain([first], chunks)
    ]
    return pa.concat_tables(tables, promote_options="permissive")


def _chunks(cursor: Any) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := cursor.fetchmany(_CHUNK):
        yield chunk
