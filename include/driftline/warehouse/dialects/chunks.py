"""Rows of a driver that has no Arrow: fetched in chunks, each turned into columns at once."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

_CHUNK = 50_000


def table_of(cursor: Any) -> pa.Table:
    """Return what is left of a cursor's rows; its columns are named by their places."""
    tables = [pa.Table.from_batches([batch]) for batch in chunks(cursor, _CHUNK)]
    if not tables:
        names = [str(number) for number, _ in enumerate(cursor.description)]
        return pa.table([pa.array([], pa.null()) for _ in names], names=names)
    return pa.concat_tables(tables, promote_options="permissive")


def chunks(cursor: Any, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield what is left of a cursor's rows, so many at a time."""
    names = [str(number) for number, _ in enumerate(cursor.description)]
    while chunk := cursor.fetchmany(rows):
        columns = [pa.array(values) for values in zip(*chunk, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, names)
