"""Rows as pandas holds them: what of each column can be compared, converted once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.domain import ColumnKind
from driftline.monitor.sections import DriftMethod
from driftline.printable import amount
from driftline.profile.rows import Rows, sample_of

_FEWEST = 2
"""Values below which a column has no distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its usable values, how many were infinite, and why it cannot be compared."""

    kind: ColumnKind
    values: NDArray[Any]
    """A value a row; NaN or None where there is none to compare."""
    usable: int = 0
    infinite: int = 0
    problem: str = ""
    absent: bool = False
    """Whether there are no values of this kind at all, not even nulls."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Frame:
    """Columns of some rows, ready to be compared; make one of the reference and keep it."""

    columns: Mapping[str, Column]
    rows: int
    total: int
    """Rows of the stretch in the warehouse, of which these are all or a sample."""

    @classmethod
    def of(cls, rows: "Rows | Frame", columns: Mapping[str, ColumnKind]) -> "Frame":
        """Return the frame of these columns; one that is made already passes through."""
        if isinstance(rows, Frame):
            return rows
        return cls(
            columns={name: _column(rows.table, name, kind) for name, kind in columns.items()},
            rows=len(rows.table),
            total=rows.total,
        )

    @property
    def sample(self) -> str:
        """That only a sample was measured, in words; '' when every row was."""
        return sample_of(self.rows, self.total)


def obstacle(name: str, method: DriftMethod, current: Frame, reference: Frame) -> str:
    """Return why a column's drift cannot be measured by this method; '' when it can."""
    ours, theirs = current.columns[name], reference.columns[name]
    if not method.compares(ours.kind):
        others = ", ".join(m for m in DriftMethod if m.compares(ours.kind))
        return f"{method} compares {method.only} columns and {name} is {ours.kind}: use {others}"
    if ours.problem:
        return f"{name} {ours.problem} in the window"
    if theirs.problem:
        return f"{name} {theirs.problem} in the reference"
    return ""


def remark(name: str, current: Frame, reference: Frame) -> str:
    """Return what a reader must know of a column's drift, in words; mostly nothing."""
    parts = [current.sample]
    for frame, place in ((current, "window"), (reference, "reference")):
        if infinite := frame.columns[name].infinite:
            parts.append(f"{amount(infinite, 'infinite value')} of the {place} left out")
    return "; ".join(filter(None, parts))


def _column(table: Any, name: str, kind: ColumnKind) -> Column:
    if name not in table.column_names:
        return _unusable(kind, table, "is missing")
    if not len(table):
        return _unusable(kind, table, "has no rows")
    column = table[name]
    infinite = 0
    if kind.is_number:
        try:
            values = pc.cast(column, pa.float64(), safe=False).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return _unusable(kind, table, f"holds {column.type}, not numbers")
        infinite = int(np.isinf(values).sum())
        values = np.where(np.isfinite(values), values, np.nan)
        usable = int((~np.isnan(values)).sum())
    else:
        # The few distinct texts are made once; a row then holds a pointer to its own.
        try:
            encoded = _encoded(pc.cast(column, pa.string()))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return _unusable(kind, table, f"holds {column.type}, not categories")
        texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
        values = texts[encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)]
        usable = len(table) - column.null_count
    problem = ""
    if not usable:
        problem = "has no finite value" if infinite else "is null in every row"
    elif usable < _FEWEST:
        problem = "has only one value"
    return Column(kind=kind, values=values, usable=usable, infinite=infinite, problem=problem)


def _encoded(column: Any) -> Any:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    return whole.dictionary_encode()


def _unusable(kind: ColumnKind, table: Any, problem: str) -> Column:
    empty = np.full(len(table), np.nan if kind.is_number else None)
    return Column(kind=kind, values=empty, problem=problem, absent=True)
