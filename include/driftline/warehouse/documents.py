"""JSON documents of a sample, taken apart: the paths to what they hold, and what is left alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from driftline.warehouse.dialects.base import Family

LONGEST = 20
"""So many members of a list may be features of their own; an embedding has more."""

_MOSTLY = 0.9
_DESCRIBES = frozenset(("columns", "index", "name", "shape", "datatype", "parameters"))
"""What stands beside `data` in the protocols of serving layers, and says how to read it."""

_PLACES = frozenset(map(str, range(LONGEST)))


def is_document(values: pa.ChunkedArray) -> bool:
    """Whether nearly every value of a text column is a JSON object, or a list of lists or objects.

    One of them may be cut off: it does not hide what the others hold.
    """
    present = values.drop_null()
    found = sum(map(_is_nested, map(_parsed, present.to_pylist())))
    return found > 0 and found >= _MOSTLY * len(present)


def leaves(root: str, documents: pa.ChunkedArray) -> dict[str, tuple[Family, pa.ChunkedArray]]:
    """Return the paths at which JSON documents hold scalars, and the values that stand there.

    Lists are followed by place where all are of one length, up to `LONGEST`, and it is one, or they
    are rows or tensors: lists of lists or objects, what these lists hold, and `data`.
    """
    _, found, alone = _taken_apart(root, documents)
    return {
        path: _column(values)
        for path, values in found.items()
        if not any(above in alone for above in _above(path))
    }


def left_alone(root: str, documents: pa.ChunkedArray) -> dict[str, tuple[str, str]]:
    """Return the lists whose members are no leaves: how many they have, and the path of one."""
    lengths, found, alone = _taken_apart(root, documents)
    told = {}
    for path in sorted(alone):
        inside = next((each for each in found if each.startswith(f"{path}.")), "")
        if inside and not any(above in alone for above in _above(path)[:-1]):
            fewest, most = min(lengths[path]), max(lengths[path])
            told[path] = (f"{fewest} to {most}" if fewest < most else f"{most}"), inside
    return told


def is_list_place(key: str) -> bool:
    """Whether a part of a path is the place in a list."""
    return key in _PLACES


def _taken_apart(
    root: str, documents: pa.ChunkedArray
) -> tuple[dict[str, set[int]], dict[str, list[Any]], set[str]]:
    """Return the lengths of lists, the scalars, and which lists are not followed, all by path."""
    lengths: dict[str, set[int]] = {}
    found: dict[str, list[Any]] = {}
    alone: set[str] = set()
    for document in map(_parsed, documents.drop_null().to_pylist()):
        for path, value in _walk(root, document):
            if not isinstance(value, list):
                found.setdefault(path, []).append(value)
                continue
            lengths.setdefault(path, set()).add(len(value))
            above, _, key = path.rpartition(".")
            if len(value) > 1 and not (_is_nested(value) or above in lengths or key == "data"):
                alone.add(path)
    uneven = {p for p, own in lengths.items() if len(own - {0}) > 1 or max(own) > LONGEST}
    return lengths, found, alone | uneven


def _above(path: str) -> list[str]:
    """Return the paths that lead to a path, the path itself the last."""
    parts = path.split(".")
    return [".".join(parts[: size + 1]) for size in range(len(parts))]


def _parsed(document: str) -> Any:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value)
    )


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the scalars and the lists of a document, each with its path."""
    if isinstance(value, Mapping):
        described = isinstance(value.get("data"), list)
        for key, member in value.items():
            if key and "." not in key and not (described and key in _DESCRIBES):
                yield from _walk(f"{path}.{key}", member)
    elif isinstance(value, list):
        yield path, value
        for place, member in enumerate(value[:LONGEST]):
            yield from _walk(f"{path}.{place}", member)
    elif isinstance(value, bool | int | float | str):
        yield path, value


def _column(values: Sequence[Any]) -> tuple[Family, pa.ChunkedArray]:
    kinds = set(map(type, values))
    if kinds == {bool}:
        return Family.BOOLEAN, pa.chunked_array([pa.array(values)])
    if kinds <= {int, float}:
        family = Family.INTEGER if kinds == {int} else Family.FLOAT
        return family, pa.chunked_array([pa.array(list(map(_float, values)), pa.float64())])
    words = (str(value).encode(errors="replace").decode() for value in values)
    return Family.TEXT, pa.chunked_array([pa.array(list(words))])


def _float(number: float) -> float:
    """Return a number as a double: JSON holds whole ones that have none."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
