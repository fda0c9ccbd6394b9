"""Paths into JSON documents that no document of the log has, which no schema tells."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
from sqlalchemy import Select, literal

from driftline.warehouse.dialects.base import Family
from driftline.warehouse.documents import leaves
from driftline.warehouse.reader import Output, Reader
from driftline.warehouse.source import Source

Rows = Callable[[list[Any]], Select[Any]]
"""Selects columns of the rows that are looked at."""

_SAMPLE = 1000


def nothing_at(reader: Reader, source: Source, rows: Rows, name: str, key: str) -> str:
    """Say that no document has a value at a path, and which path is like it; '' where one has.

    Rows without a document say nothing either way.
    """
    field = source.find(name)
    if field is None or not field.in_json or _any(reader, rows, field.value):
        return ""
    root, holder = next(_documents(source, name))
    if not _any(reader, rows, holder):
        return ""
    known = _paths(reader, rows, root, source)
    near = get_close_matches(name, known, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return f"{key}: no document in {source.name} has {name!r}{guess}"


def _documents(source: Source, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the column or member of a struct that holds the document which a path leads into."""
    parts = name.split(".")
    for size in range(1, len(parts)):
        above = ".".join(parts[:size])
        field = source.find(above)
        if field and field.family in (Family.JSON, Family.TEXT):
            yield above, field.value


def _any(reader: Reader, rows: Rows, value: Any) -> bool:
    """Whether some row has a value: the first one ends the search."""
    return bool(reader.all(rows([literal(1).label("one")]).where(value.is_not(None)).limit(1)))


def _paths(reader: Reader, rows: Rows, root: str, source: Source) -> list[str]:
    """Return the paths that documents of a sample have, those to what holds others included."""
    field = source.field(root, root)
    document = Output("document", source.dialect.string(field.value, field.family), pa.string())
    sample = rows([document.value.label("document")]).limit(_SAMPLE)
    parts = [p.split(".") for p in leaves(root, reader.table(sample, [document])["document"])]
    return sorted({".".join(part[:size]) for part in parts for size in range(2, len(part) + 1)})
