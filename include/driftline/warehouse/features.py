"""Which columns of a log are features, where its monitor file does not say.

Left out: columns that the file gives a role, times, a model's version, ids (by name, or because
nearly every value of a text or integer column is its own) and free text. Numbers are numeric,
whole numbers too, however few values a quiet week holds: a kind must not change with the stretch
that was looked at. Text and booleans are categorical. JSON documents are taken apart into their
leaves.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from driftline.config import Monitor
from driftline.domain import ColumnKind
from driftline.warehouse.dialect import Family
from driftline.warehouse.source import Source

SAMPLE = 1000
_JUDGED_FROM = 20
_NEARLY_ALL = 0.99
_FREE_TEXT = 0.5
_MOST_VALUES = 200
_ID_NAME = re.compile(r"(?:^|[._\s-])(?:id|uuid|guid)$", re.IGNORECASE)
_VERSION_NAME = re.compile(r"(?:^|[._\s-])(?:model_)?version$", re.IGNORECASE)
_ID_CAMEL = re.compile(r"[a-z]I[dD]$")
_NO_CATEGORY = (
    r"^\d{4}-\d\d-\d\d([T ].*)?$",
    r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
)
SCALARS = (Family.BOOLEAN, Family.INTEGER, Family.FLOAT, Family.TEXT)


def declared(monitor: Monitor) -> dict[str, ColumnKind] | None:
    """Return the features that the file lists; None where it lists none."""
    lists = monitor.features
    if lists.numeric is None and lists.categorical is None:
        return None
    kinds = dict.fromkeys(lists.numeric or (), ColumnKind.NUMERIC)
    kinds |= dict.fromkeys(lists.categorical or (), ColumnKind.CATEGORICAL)
    hidden = set(lists.sensitive) & set(kinds)
    return kinds | dict.fromkeys(hidden, ColumnKind.CATEGORICAL)


def is_free(monitor: Monitor, name: str) -> bool:
    """Whether a column or path may be a feature: it has no role and is not excluded."""
    outputs, others = _roles(monitor)
    beside = {column.rpartition(".")[0] for column in outputs} - {""}
    taken = {*outputs, *others, *monitor.features.exclude, *beside}
    parts = name.split(".")
    return not any(".".join(parts[: size + 1]) in taken for size in range(len(parts)))


def candidates(monitor: Monitor, source: Source) -> dict[str, Family]:
    """Return the columns that may be features or may hold them."""
    return {
        name: column.family
        for name, column in source.leaves()
        if column.family in (*SCALARS, Family.JSON) and is_free(monitor, name)
    }


def infer(
    monitor: Monitor, families: Mapping[str, Family], sample: pa.Table
) -> dict[str, ColumnKind]:
    """Return the features among the candidates, judged by a sample of their values."""
    sensitive = monitor.features.sensitive
    found: dict[str, tuple[Family, pa.ChunkedArray]] = {}
    for name, family in families.items():
        values = sample[name]
        if name in sensitive:
            found[name] = Family.TEXT, values
        elif family is Family.JSON or (family is Family.TEXT and is_document(values)):
            inside = leaves(name, values)
            found |= {path: inner for path, inner in inside.items() if is_free(monitor, path)}
        else:
            found[name] = family, values
    kinds = {name: kind_of(name, *values) for name, values in found.items()}
    # What is sensitive inside a document was cut out of the sample: it is taken at its word.
    unseen = [
        path for path in sensitive if path not in kinds and path.partition(".")[0] in families
    ]
    kinds |= dict.fromkeys(unseen, ColumnKind.CATEGORICAL)
    return {name: kind for name, kind in kinds.items() if kind is not None}


def kind_of(name: str, family: Family, values: pa.ChunkedArray) -> ColumnKind | None:
    """Return how the values of a sample are to be compared; None when they are no feature."""
    if any(pattern.search(name) for pattern in (_ID_NAME, _ID_CAMEL, _VERSION_NAME)):
        return None
    present = values.drop_null()
    distinct = pc.count_distinct(present).as_py()
    share = distinct / len(present) if len(present) >= _JUDGED_FROM else 0.0
    if family.is_number:
        is_id = family is Family.INTEGER and share >= _NEARLY_ALL
        return None if is_id else ColumnKind.NUMERIC
    if family is Family.TEXT and (
        share > _FREE_TEXT or distinct > _MOST_VALUES or _is_no_category(present)
    ):
        return None
    return ColumnKind.CATEGORICAL


def _is_no_category(present: pa.ChunkedArray) -> bool:
    return len(present) > 0 and any(
        pc.all(pc.match_substring_regex(present, pattern)).as_py() for pattern in _NO_CATEGORY
    )


def is_document(values: pa.ChunkedArray) -> bool:
    """Whether every value of a text column is a JSON object."""
    present = values.drop_null()
    return len(present) > 0 and all(
        isinstance(document, dict) for document in map(_parsed, present.to_pylist())
    )


def leaves(root: str, documents: pa.ChunkedArray) -> dict[str, tuple[Family, pa.ChunkedArray]]:
    """Return the paths at which JSON documents hold scalars, and the values that stand there."""
    found: dict[str, list[Any]] = {}
    for document in map(_parsed, documents.drop_null().to_pylist()):
        for path, value in _walk(root, document):
            found.setdefault(path, []).append(value)
    return {path: _column(values) for path, values in found.items()}


def _parsed(document: str) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return None


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key and "." not in key:
                yield from _walk(f"{path}.{key}", member)
    elif isinstance(value, bool | int | float | str):
        yield path, value


def _column(values: Sequence[Any]) -> tuple[Family, pa.ChunkedArray]:
    kinds = set(map(type, values))
    if kinds == {bool}:
        return Family.BOOLEAN, pa.chunked_array([pa.array(values)])
    if kinds <= {int, float}:
        family = Family.INTEGER if kinds == {int} else Family.FLOAT
        return family, pa.chunked_array([pa.array(values, pa.float64())])
    return Family.TEXT, pa.chunked_array([pa.array(list(map(str, values)))])


def _roles(monitor: Monitor) -> tuple[list[str], list[str]]:
    """Return the columns of what the model said or should have said, and those of other roles.

    What stands beside an output in the same document (`outputs.model` beside `outputs.score`) is
    an output too.
    """
    log, labels = monitor.predictions, monitor.labels
    scores = log.score.values() if isinstance(log.score, dict) else (log.score,)
    outputs = [*scores, log.prediction, labels.label if labels else None]
    others = [
        *(log.id or ()),
        log.timestamp,
        log.version,
        log.latency_ms,
        log.status.column if log.status else None,
        log.partition.column if log.partition else None,
        labels.timestamp if labels else None,
    ]
    return [name for name in outputs if name], [name for name in others if name]
