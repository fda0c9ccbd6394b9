"""Columns in bins of the reference, with bins of their own for what it does not hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.suites.frame import Column
from driftline.why.sides import Floats, Side

BINS = 20
"""Bins of a number, of like size in the reference."""
CATEGORIES = 60
"""Categories of the reference with a bin of their own: the frequent ones."""

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coded:
    """One column of both sides: the bin of each row, and what the bins hold in words."""

    name: str
    numeric: bool
    reference: Codes
    window: Codes
    names: tuple[str, ...]
    """What each bin holds, as a person reads it. The last are: null, and new (or beyond)."""
    ordered: int
    """So many bins at the beginning are in order of their numbers; 0 for categories."""
    edges: tuple[float, ...] = ()
    singles: int = 0
    """How many categories came once in the reference."""
    feature: bool = True

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.names)

    @property
    def null(self) -> int:
        """The bin of nulls."""
        return self.size - 2

    @property
    def new(self) -> int:
        """The bin of categories that the reference lacks."""
        return self.size - 1

    def stretch(self, first: int, last: int) -> str:
        """Say which values the ordered bins from first to last hold.

        The outer two bins are those below and above all numbers of the reference: hardly a row.
        """
        if first == last:
            return f"{self.name} {self.names[first]}"
        low = self.edges[first - 1] if first > 1 else None
        high = self.edges[last] if last < len(self.edges) - 1 else None
        if low is None:
            return f"{self.name} < {high:.4g}" if high is not None else self.name
        if high is None:
            return f"{self.name} >= {low:.4g}"
        return f"{self.name} {low:.4g} to {high:.4g}"


def coded(reference: Side, window: Side) -> list[Coded]:
    """Return every feature, and every segment column that is none, in bins.

    Columns that one side lacks altogether are left out.
    """
    found = []
    for name, theirs in reference.frame.columns.items():
        ours = window.frame.columns.get(name)
        if ours is None or ours.absent or theirs.absent:
            continue
        make = _numbers if theirs.kind.is_number else _texts
        found.append(make(name, theirs.values, ours.values))
    for name in sorted(reference.segments.keys() & window.segments.keys()):
        if name not in reference.frame.columns:
            found.append(
                _texts(name, reference.segments[name], window.segments[name], feature=False)
            )
    return found


def _numbers(name: str, reference: Floats, window: Floats) -> Coded:
    held = reference[~np.isnan(reference)]
    distinct = np.unique(held) if len(held) else held
    if len(distinct) <= BINS:
        inner = distinct
        names = [f"= {value:.6g}" for value in distinct]
    else:
        inner = np.unique(np.quantile(held, np.arange(BINS) / BINS))
        highs = [*inner[1:], held.max()]
        names = [f"{low:.4g} to {high:.4g}" for low, high in zip(inner, highs, strict=True)]
    # Below the least and above the greatest of the reference lie bins that it does not fill.
    greatest = np.nextafter(held.max(), np.inf) if len(held) else 0.0
    edges = np.append(inner, greatest) if len(held) else np.zeros(0)
    size = len(edges) + 1
    ends = (f"< {inner[0]:.4g}", f"> {held.max():.4g}") if len(held) else ("any number", "")
    names = [ends[0], *names, ends[1]][:size]

    def codes(values: Floats) -> Codes:
        places = np.searchsorted(edges, values, side="right")
        return np.where(np.isnan(values), size, places).astype(np.int64)

    return Coded(
        name=name,
        numeric=True,
        reference=codes(reference),
        window=codes(window),
        names=(*names, "is null", "is new"),
        ordered=size,
        edges=tuple(edges.tolist()),
    )


def _texts(
    name: str, reference: NDArray[Any], window: NDArray[Any], *, feature: bool = True
) -> Coded:
    import pyarrow as pa

    both = pa.array(np.concatenate([reference, window]), pa.string()).dictionary_encode()
    texts = both.dictionary.to_pylist()
    places = both.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    ours, theirs = places[len(reference) :], places[: len(reference)]
    of_reference = np.bincount(theirs, minlength=len(texts) + 1)[:-1]
    order = sorted(range(len(texts)), key=lambda at: (-of_reference[at], texts[at]))
    kept = [at for at in order if of_reference[at] > 0][:CATEGORIES]
    size = len(kept)
    to = np.full(len(texts) + 1, size, dtype=np.int64)  # held by the reference, but rare
    to[:-1][of_reference == 0] = size + 2
    to[-1] = size + 1
    to[kept] = np.arange(size)
    return Coded(
        name=name,
        numeric=False,
        reference=to[theirs],
        window=to[ours],
        names=(*(f"= {texts[at]}" for at in kept), "is rare", "is null", "is new"),
        ordered=0,
        singles=int((of_reference == 1).sum()),
        feature=feature,
    )


def matrix(
    columns: Sequence[Coded], held: Sequence[Column | None], which: str, rows: Codes
) -> Floats:
    """Return features as scikit-learn's trees take them: numbers, and categories as codes."""
    parts = []
    for column, values in zip(columns, held, strict=True):
        if column.numeric and values is not None:
            parts.append(values.values[rows].astype(np.float64))
        else:
            parts.append(getattr(column, which)[rows].astype(np.float64))
    return np.column_stack(parts)
