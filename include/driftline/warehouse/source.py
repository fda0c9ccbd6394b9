"""A Source: a table, a query or files as something to SELECT from, and its columns."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    column,
    quoted_name,
    table,
    text,
)

from driftline.errors import LogError, MissingColumn
from driftline.monitor.sections import Table
from driftline.warehouse.dialects.base import SCALARS, Column, Dialect, Family, is_place
from driftline.warehouse.files import open_files
from driftline.warehouse.reader import Reader

log = logging.getLogger(__name__)

_PART = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column, or what stands at a path inside a JSON column, as an expression."""

    value: ColumnElement[Any]
    family: Family
    type: str
    in_json: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows that can be selected from; `name` is what a person calls them."""

    name: str
    relation: FromClause
    columns: Mapping[str, Column]
    dialect: Dialect
    partitions: frozenset[str] = frozenset()
    """The columns that files say in their path: .../ds=2013-04-01/part.parquet."""

    def find(self, name: str) -> Field | None:
        """Return a column of this very name, else what the path leads to inside a column."""
        return self._descend(self.columns, None, name)

    def field(self, name: str, key: str) -> Field:
        """Return what `find` does; MissingColumn says which key of the file named it."""
        found = self.find(name)
        if found is None:
            raise self.lacks(name, key)
        return replace(found, name=name)

    def lacks(self, name: str, key: str) -> MissingColumn:
        """Return the error for a column that is not there, with those that are."""
        known = [known for known, _ in self.leaves()]
        near = [each for each in known if each.casefold() == name.casefold()]
        near = near or get_close_matches(name, known, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else "."
        return MissingColumn(
            f"{key}: no column {name!r} in {self.name}{guess} It has {', '.join(known)}"
        )

    def leaves(self) -> Iterator[tuple[str, Column]]:
        """Yield the columns, and for structs the paths of what they hold."""
        yield from _leaves("", self.columns)

    def _descend(
        self, columns: Mapping[str, Column], parent: ColumnElement[Any] | None, name: str
    ) -> Field | None:
        if name in columns:
            found = columns[name]
            return Field(value=self._member(parent, name), family=found.family, type=found.type)
        root, dot, rest = name.partition(".")
        if not dot or not rest or root not in columns:
            return None
        return self._inside(columns[root], self._member(parent, root), rest)

    def _inside(self, holder: Column, value: ColumnElement[Any], path: str) -> Field | None:
        """Return what a path leads to from a column's value on; None where that is nowhere."""
        if holder.family is Family.STRUCT:
            return self._descend(holder.members, value, path)
        if holder.family in (Family.JSON, Family.TEXT):
            value = self.dialect.member(value, holder.family, path.split("."))
            return Field(value=value, family=Family.TEXT, type=holder.type, in_json=True)
        item = holder.item
        if item is None:
            return None
        nested = item.family not in SCALARS
        key, _, rest = path.partition(".") if nested else (path, "", "")
        if holder.family is Family.LIST and not is_place(key):
            return None
        found = self.dialect.member(value, holder.family, [key])
        if rest:
            return self._inside(item, found, rest)
        return Field(value=found, family=item.family, type=item.type)

    def _member(self, parent: ColumnElement[Any] | None, name: str) -> ColumnElement[Any]:
        if parent is None:
            return self.relation.c[name]
        return self.dialect.member(parent, Family.STRUCT, [name])


def _leaves(prefix: str, columns: Mapping[str, Column]) -> Iterator[tuple[str, Column]]:
    for name, found in columns.items():
        if found.family is Family.STRUCT:
            yield from _leaves(f"{prefix}{name}.", found.members)
        else:
            yield prefix + name, found


def open_source(reader: Reader, where: Table, folder: Path, default: str) -> Source:
    """Describe what a section of the file names; MissingTable when it is not there."""
    bare: str | tuple[str, ...]
    partitions: frozenset[str] = frozenset()
    if where.table:
        name, bare = f"table {where.table}", _table(where.table)
    elif where.query:
        name, bare = f"the query of {default}", where.query
    else:
        kind, name = where.files or ("", "")
        reader.files.append(name)
        files = open_files(reader, kind, name, folder, f"{default}.{kind}")
        bare, partitions = files.select, files.partitions
        if files.left_alone:
            _warn(f"{default}: {name}: these are left alone: {files.left_alone}")
    try:
        columns = reader.columns(_relation(bare, {}, default))
    except LogError as error:
        raise type(error)(f"{default}: {name}: {error}") from None
    return Source(
        name=name,
        relation=_relation(bare, columns, default),
        columns=columns,
        dialect=reader.dialect,
        partitions=partitions,
    )


@cache
def _warn(words: str) -> None:
    """Log a warning, once: each step of a run opens the same files."""
    log.warning(words)


def _relation(bare: str | tuple[str, ...], columns: Mapping[str, Column], alias: str) -> FromClause:
    quoted: list[ColumnClause[Any]] = [column(quoted_name(name, True)) for name in columns]
    if isinstance(bare, str):
        # The line break ends a comment on the query's last line; \: keeps colons from being marks.
        escaped = bare.strip().rstrip(";").replace(":", r"\:") + "\n"
        return text(escaped).columns(*quoted).subquery(alias)
    *schemas, name = (quoted_name(part, True) for part in bare)
    if len(schemas) > 1:
        raise LogError(f"{'.'.join(bare)!r}: write a table as name or schema.name")
    return table(name, *quoted, schema=schemas[0] if schemas else None)


def _table(name: str) -> tuple[str, ...]:
    """Split `schema.table`; double quotes keep a dot inside a name."""
    return tuple(
        match[1].replace('""', '"') if match[1] else match[2] for match in _PART.finditer(name)
    )
