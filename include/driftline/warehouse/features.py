"""Which columns of a log are features, where its monitor file does not say.

Left out: columns that the file gives a role, a model's version, ids (by name, or because nearly
every value of a text or integer column is its own), what files rows (see `filing`), text with so
many values that is no prose (hashes, URLs, names), times as text, and a time that is the same in
every row: it only grows older.
Numbers are numeric, whole numbers too, however few values a quiet week holds: a kind must not
change with the stretch that was looked at. Text and booleans are categorical; prose, in words with
spaces between them, is text, and what has the type of a time is a timestamp. JSON documents are
taken apart into their leaves, lists of one member, rows and tensors too.
"""

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from driftline.domain import ColumnKind
from driftline.monitor.config import Monitor
from driftline.profile.rows import TIMESTAMP
from driftline.warehouse.age import TIMES
from driftline.warehouse.dialects.base import SCALARS, Family
from driftline.warehouse.documents import is_document, is_list_place, leaves, left_alone
from driftline.warehouse.filing import JUDGED_FROM, files_rows
from driftline.warehouse.source import Source

SAMPLE = 1000
_FREE_TEXT = 0.5
_MOST_VALUES = 200
_ID_NAME = re.compile(
    r"(?:^|[._\s-])(?:(?:id|uuid|guid|pk|sk)$|(?:user|customer|client|account|request|session|order|"
    r"product|event|trace|device|entity|transaction|record)id$|id_[^.]*$)",
    re.IGNORECASE,
)
_VERSION_NAME = re.compile(r"(?:^|[._\s-])(?:model_)?version$", re.IGNORECASE)
_ID_CAMEL = re.compile(r"[a-z]I[dD]$")
_NO_CATEGORY = (
    r"^\d{4}-\d\d-\d\d([T ].*)?$",
    r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
)
_SENTENCE = 4
"""Words that prose has at least, in half of its values."""
_PROSE = 20
"""Characters that it has on average."""
_LETTERS = 0.6
"""Their share that are letters."""
_LENGTHS = 10
"""Different lengths that its values have at least: machines write what is always as long."""


def declared(monitor: Monitor) -> dict[str, ColumnKind] | None:
    """Return the features that the file lists by their kind; None where they are to be inferred."""
    lists = monitor.features
    if lists.numeric is None and lists.categorical is None:
        return None
    kinds = dict.fromkeys(lists.numeric or (), ColumnKind.NUMERIC)
    kinds |= dict.fromkeys(lists.categorical or (), ColumnKind.CATEGORICAL)
    return _hashed(monitor, kinds | read_by_number(monitor))


def read_by_number(monitor: Monitor) -> dict[str, ColumnKind]:
    """Return what the file lists as text or timestamps, which it may whether it lists others or
    not.
    """
    kinds = dict.fromkeys(monitor.features.text, ColumnKind.TEXT)
    return _hashed(monitor, kinds | dict.fromkeys(monitor.features.timestamp, ColumnKind.TIMESTAMP))


def _hashed(monitor: Monitor, kinds: Mapping[str, ColumnKind]) -> dict[str, ColumnKind]:
    """Make categories of what is sensitive, for it is hashed; of a text the length says nothing."""
    return {
        name: ColumnKind.CATEGORICAL
        if monitor.features.hides(name) and kind is not ColumnKind.TEXT
        else kind
        for name, kind in kinds.items()
    }


def watched_by_hash(monitor: Monitor, source: Source) -> dict[str, ColumnKind]:
    """Return what is sensitive and may be a feature: of a struct, what it holds."""
    leaves = [name for name, _ in source.leaves()]
    found: list[str] = []
    for name in filter(lambda name: is_free(monitor, name), monitor.features.sensitive):
        inside = [leaf for leaf in leaves if leaf.startswith(f"{name}.")]
        found += [leaf for leaf in inside or [name] if is_free(monitor, leaf)]
    return dict.fromkeys(found, ColumnKind.CATEGORICAL)


def is_free(monitor: Monitor, name: str) -> bool:
    """Whether a column or path may be a feature: it has no role and is not excluded."""
    outputs, others = _roles(monitor)
    beside = set(map(_answer, outputs)) - {""}
    taken = {*outputs, *others, *monitor.features.exclude, *beside}
    parts = name.split(".")
    return not any(".".join(parts[: size + 1]) in taken for size in range(len(parts)))


def _answer(output: str) -> str:
    """Return the document that an output stands in; '' where it is a column of its own.

    Of `response.outputs.0.data.1` that is `response`: a list belongs to what stands beside it.
    """
    parts = output.split(".")
    places = [place for place, part in enumerate(parts) if place and is_list_place(part)]
    size = max(places[0] - 1, 1) if places else len(parts) - 1
    return ".".join(parts[:size])


def candidates(monitor: Monitor, source: Source) -> dict[str, Family]:
    """Return the columns that may be features or may hold them: those of files, not of paths."""
    return {
        name: column.family
        for name, column in source.leaves()
        if name not in source.partitions
        and column.family in (*SCALARS, *TIMES, Family.JSON)
        and is_free(monitor, name)
    }


def infer(
    monitor: Monitor, families: Mapping[str, Family], sample: pa.Table
) -> dict[str, ColumnKind]:
    """Return the features among the candidates, judged by a sample of their values."""
    found: dict[str, tuple[Family, pa.ChunkedArray]] = {}
    for name, family in families.items():
        values = sample[name]
        if family is Family.JSON or (family is Family.TEXT and is_document(values)):
            inside = leaves(name, values)
            found |= {path: inner for path, inner in inside.items() if is_free(monitor, path)}
        else:
            found[name] = family, values
    # What is sensitive is taken at its word, and watched whatever it holds.
    times = sample[TIMESTAMP] if TIMESTAMP in sample.column_names else None
    kinds = {
        name: kind_of(name, *values, times)
        for name, values in found.items()
        if not monitor.features.hides(name)
    }
    found_kinds = {
        name: kind
        for name, kind in kinds.items()
        if kind is not None and not (kind.counted and name in monitor.segments)
    }
    return found_kinds | read_by_number(monitor)


def unwatched(
    monitor: Monitor, source: Source, families: Mapping[str, Family], sample: pa.Table
) -> Iterator[str]:
    """Say what inference leaves alone that holds more than one value, and what could be named."""
    for name, column in source.leaves():
        if column.item is not None and is_free(monitor, name):
            key = "0" if column.family is Family.LIST else "KEY"
            yield f"{name} ({column.type}) is left alone; its members have paths: {name}.{key}"
    for name, family in families.items():
        if (
            family.is_number
            and not monitor.features.hides(name)  # its values are hashes
            and not _is_named(name)
            and files_rows(name, family, sample[name], None)
        ):
            yield (
                f"{name} is no feature: it looks like an id or a number of rows (nearly every "
                "value is another); if it is a measure, list it under features.numeric"
            )
        if family is not Family.JSON and not (family is Family.TEXT and is_document(sample[name])):
            continue
        for path, (members, inside) in left_alone(name, sample[name]).items():
            if is_free(monitor, path):
                yield (
                    f"{path}, a list of {members} members, is left alone; "
                    f"what it holds can be named: {inside}"
                )
    for answer in sorted({_answer(output) for output in _roles(monitor)[0]} - {""}):
        yield f"{answer} holds what the model said: nothing else in it is a feature unless named"


def kind_of(
    name: str, family: Family, values: pa.ChunkedArray, times: pa.ChunkedArray | None = None
) -> ColumnKind | None:
    """Return how the values of a sample are to be compared; None when they are no feature.

    `times` are those of the predictions.
    """
    if _is_named(name):
        return None
    if files_rows(name, family, values, times):
        return None
    if family.is_number:
        return ColumnKind.NUMERIC
    present = values.drop_null()
    distinct = pc.count_distinct(present).as_py()
    share = distinct / len(present) if len(present) >= JUDGED_FROM else 0.0
    if family in TIMES:
        return ColumnKind.TIMESTAMP if distinct > 1 else None
    if family is Family.TEXT and _is_no_category(present):
        return None
    if family is Family.TEXT and (share > _FREE_TEXT or distinct > _MOST_VALUES):
        return ColumnKind.TEXT if _is_prose(present) else None
    return ColumnKind.CATEGORICAL


def _is_named(name: str) -> bool:
    """Whether a column calls itself an id or a version."""
    return any(pattern.search(name) for pattern in (_ID_NAME, _ID_CAMEL, _VERSION_NAME))


def _is_prose(present: pa.ChunkedArray) -> bool:
    """Whether texts seem to be written by people: words with spaces between them.

    Scripts that write no spaces are not recognised.
    """
    lengths = pc.utf8_length(present)
    letters = pc.count_substring_regex(present, r"\pL")
    words = pc.count_substring_regex(present, r"\pL[^\s]*")
    return bool(
        pc.mean(pc.greater_equal(words, _SENTENCE)).as_py() >= 0.5
        and pc.mean(lengths).as_py() >= _PROSE
        and pc.sum(letters).as_py() >= _LETTERS * pc.sum(lengths).as_py()
        and pc.count_distinct(lengths).as_py() >= _LENGTHS
    )


def _is_no_category(present: pa.ChunkedArray) -> bool:
    return len(present) > 0 and any(
        pc.all(pc.match_substring_regex(present, pattern)).as_py() for pattern in _NO_CATEGORY
    )


def _roles(monitor: Monitor) -> tuple[list[str], list[str]]:
    """Return the columns of what the model said or should have said, and those of other roles.

    What stands beside an output in the same document (`outputs.model` beside `outputs.score`) is
    an output too; see `_answer`.
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
        labels.loaded_at if labels else None,
        *(labels.join.key if labels and labels.join else ()),
    ]
    return [name for name in outputs if name], [name for name in others if name]
