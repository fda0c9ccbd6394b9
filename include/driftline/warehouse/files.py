"""Files as something to SELECT from, without what other writers left beside them."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import column, func, literal, select

from driftline.errors import LogError, MissingTable
from driftline.monitor.home import expanded
from driftline.printable import amount
from driftline.warehouse.dialects import s3
from driftline.warehouse.dialects.base import backend
from driftline.warehouse.failures import mapped
from driftline.warehouse.reader import Reader

_PARTITION = re.compile(r"/([^/=]+)=[^/]*(?=/)")
_WILD = re.compile(r"[*?\[]")
_LEFTOVER = (
    "file that other writers keep (_ or . begins its name or a folder's)",
    "files that other writers keep (_ or . begins their name or a folder's)",
)
_EMPTY = ("file of 0 bytes", "files of 0 bytes")
_SHOWN = 3
"""How many of the files that are left alone are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The SELECT of files, and what is said of those that it leaves alone."""

    select: str
    left_alone: str = ""
    partitions: frozenset[str] = frozenset()
    """The columns that their paths name."""


def open_files(reader: Reader, kind: str, path: str, folder: Path, key: str) -> Files:
    """Return the SELECT of the files of a kind (parquet, json, csv) that a pattern names, or that a
    folder holds. `key` is what names them.

    Raises LogError where the warehouse is not DuckDB, MissingTable where no file is left.
    """
    name = backend(reader.url)
    if name != "duckdb":
        raise LogError(f"{key}: {path}: only DuckDB reads {kind} files; the warehouse is {name}")
    if path.startswith(s3.SCHEME):
        path = s3.files_of(path, kind)
        sizes = _in_bucket(reader, path)
    else:
        local = folder.absolute() / expanded(path, key)
        path = str(local / "**" / f"*.{kind}" if local.is_dir() else local)
        sizes = _on_disk(reader, path)
    odd = dict(_odd(path, sizes))
    first = next((file for file in sizes if file not in odd), path)
    partitions = frozenset(_PARTITION.findall(first))
    if not odd:  # a pattern keeps the statements short, however many files there are
        return Files(select=_select(kind, literal_of(path)), partitions=partitions)
    said = _said(odd)
    if len(odd) == len(sizes):
        raise MissingTable(f"{key}: {path}: no files are left to read: {said}")
    files = ", ".join(literal_of(each) for each in sizes if each not in odd)
    return Files(select=_select(kind, f"[{files}]"), left_alone=said, partitions=partitions)


def literal_of(words: str) -> str:
    """Return words as a literal of SQL."""
    return str(literal(words).compile(compile_kwargs={"literal_binds": True}))


def _select(kind: str, files: str) -> str:
    """Return the SELECT of files, with the columns of all of them.

    The types of text are inferred from all of it: the first rows and files do not speak for the
    others.
    """
    whole = "" if kind == "parquet" else ", sample_size = -1"
    return f"SELECT * FROM read_{kind}({files}, union_by_name = true{whole})"  # noqa: S608


def _on_disk(reader: Reader, pattern: str) -> Mapping[str, int]:
    """Return the sizes of the files that DuckDB finds; one that is named is left to DuckDB."""
    if not _WILD.search(pattern):
        return {}
    found = reader.all(select(column("file")).select_from(func.glob(pattern)))
    return {file: _size(file) for (file,) in found}


def _size(file: str) -> int:
    """Return the bytes of a file, -1 where it is gone by now: DuckDB tells, if it is of the log."""
    try:
        return os.path.getsize(file)
    except OSError:
        return -1


def _in_bucket(reader: Reader, pattern: str) -> Mapping[str, int]:
    bucket = reader.attach("s3", s3.file_system)
    if not _WILD.search(pattern):
        return {}
    with mapped(reader.dialect, reader.url, reader.caller):
        found = bucket.glob(pattern, detail=True)
    return {f"{s3.SCHEME}{file}": told["size"] for file, told in found.items()}


def _odd(pattern: str, sizes: Mapping[str, int]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each file that is no part of the log, and why."""
    fixed, asked_for = _parts(pattern)
    for file, size in sizes.items():
        below = file.split("/")[fixed:]
        if any(_is_leftover(each) for each in below if each not in asked_for):
            yield file, _LEFTOVER
        elif size == 0:
            yield file, _EMPTY


def _parts(pattern: str) -> tuple[int, set[str]]:
    """Return how many parts of a pattern are fixed, and the later ones that name one thing."""
    parts = pattern.split("/")
    fixed = next((n for n, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return fixed, {part for part in parts[fixed:] if not _WILD.search(part)}


def _is_leftover(name: str) -> bool:
    """Whether Spark, Hive and Arrow would leave a file or a folder alone.

    A partition by a column whose name begins with `_` is none. Source: Spark 4.0,
    HadoopFSUtils.shouldFilterOutPathName.
    """
    if name.endswith("._COPYING_"):
        return True
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _said(odd: Mapping[str, tuple[str, str]]) -> str:
    kinds = ((why, sorted(file for file in odd if odd[file] == why)) for why in (_LEFTOVER, _EMPTY))
    return "; ".join(f"{amount(len(f), *why)}: {_named(f)}" for why, f in kinds if f)


def _named(files: Sequence[str]) -> str:
    more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
    return ", ".join(files[:_SHOWN]) + more
