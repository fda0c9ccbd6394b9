"""A tally: rows counted bin by bin and group by group, on their way to profiles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.profile.columns import CategoryBins, Floats, Layout, Profile, Span

Places = NDArray[np.int64]


class Tally:
    """Adds up what is found of a layout's columns; a group is a combination of keys' values."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._places: dict[tuple[Any, ...], int] = {}
        self._rows = np.zeros(0, np.int64)
        self._counts = np.zeros((0, layout.counts), np.int64)
        self._sums = np.zeros((0, layout.sums))
        self._lows = np.full((0, layout.numeric), np.inf)
        self._highs = np.full((0, layout.numeric), -np.inf)

    def groups(self, keys: Sequence[pa.ChunkedArray], rows: int) -> Places:
        """Return the place of each row's group; a new combination gets the next one."""
        encodings = [encoded(key) for key in keys]
        there, local = numbered(*coded(encodings, rows))
        return self.places(named(encodings, there))[local]

    def places(self, names: Sequence[tuple[Any, ...]]) -> Places:
        """Return the places of groups by their keys' values; a new one gets the next."""
        found = [self._places.setdefault(name, len(self._places)) for name in names]
        self._grow()
        return np.array(found, np.int64)

    def add_rows(self, groups: Places, rows: Places) -> None:
        """Add rows to groups."""
        np.add.at(self._rows, groups, rows)

    def add_counts(self, groups: Places, codes: Places, rows: Places) -> None:
        """Add rows to bins; `codes` are places in the layout's vector of counts."""
        np.add.at(self._counts, (groups, codes), rows)

    def add_numbers(
        self,
        groups: Places,
        codes: Places,
        sums: Floats,
        squares: Floats,
        lows: Floats,
        highs: Floats,
    ) -> None:
        """Add the sums and extremes of numeric bins; those of other places are left out.

        They are added in the order of the bins: what comes out depends on no order of the rows.
        """
        of_sum, of_square, of_end = self._layout.of_numbers[codes].T
        order = np.argsort(codes, kind="stable")
        own = order[of_sum[order] >= 0]
        groups = groups[own]
        np.add.at(self._sums, (groups, of_sum[own]), sums[own])
        np.add.at(self._sums, (groups, of_square[own]), squares[own])
        np.minimum.at(self._lows, (groups, of_end[own]), lows[own])
        np.maximum.at(self._highs, (groups, of_end[own]), highs[own])

    def add_counts_of(self, places: Places, span: Span, rows: Places) -> None:
        """Add rows to the first bins of a column, for groups each of which is named once."""
        self._counts[places, span.counts : span.counts + rows.shape[1]] += rows

    def add_nulls(self, places: Places, span: Span, rows: Places) -> None:
        """Add rows in which a column is null, for groups each of which is named once."""
        self._counts[places, span.nulls] += rows

    def add_numbers_of(
        self,
        places: Places,
        span: Span,
        rows: Places,
        sums: Floats,
        squares: Floats,
        lows: Floats,
        highs: Floats,
    ) -> None:
        """Add what a column of numbers holds, for groups each of which is named once.

        Where it holds no number in a group, the extremes are NaN.
        """
        self.add_counts_of(places, span, rows)
        end = span.sums + span.bins.size
        self._sums[places, span.sums : end] += sums
        self._sums[places, end] += squares
        self._lows[places, span.place] = np.fmin(self._lows[places, span.place], lows)
        self._highs[places, span.place] = np.fmax(self._highs[places, span.place], highs)

    def add_categories(self, groups: Places, name: str, values: Any, rows: Places) -> None:
        """Add rows to the bins of a column of categories."""
        span = self._layout.spans[name]
        assert isinstance(span.bins, CategoryBins)
        self.add_counts(groups, span.counts + category_codes(span.bins, values), rows)

    def profiles(self) -> dict[tuple[Any, ...], Profile]:
        """Return the profile of each group."""
        return {
            key: Profile(
                layout=self._layout,
                rows=int(self._rows[at]),
                counts=self._counts[at],
                sums=self._sums[at],
                lows=self._lows[at],
                highs=self._highs[at],
            )
            for key, at in self._places.items()
        }

    def _grow(self) -> None:
        missing = len(self._places) - len(self._rows)
        if missing <= 0:
            return
        more = [(0, missing), (0, 0)]
        self._rows = np.pad(self._rows, more[0])
        self._counts = np.pad(self._counts, more)
        self._sums = np.pad(self._sums, more)
        self._lows = np.pad(self._lows, more, constant_values=np.inf)
        self._highs = np.pad(self._highs, more, constant_values=-np.inf)


def category_codes(bins: CategoryBins, values: Any) -> Places:
    """Return the bin of each value: its own, that of others, of new ones; after them nulls."""
    own = pc.index_in(values, pa.array(bins.categories, pa.string()))
    codes: Places = pc.fill_null(own, -1).to_numpy().astype(np.int64)
    elsewhere = codes < 0
    if elsewhere.any():
        known = np.ones(len(codes), bool)
        if bins.folded is not None:
            known = pc.is_in(values, pa.array(bins.folded, pa.string())).to_numpy()
        codes[elsewhere] = np.where(known[elsewhere], bins.other, bins.other + 1)
        codes[np.asarray(pc.is_null(values).to_numpy())] = bins.size
    return codes


def encoded(column: Any) -> Any:
    """Return a key's column as a dictionary and places in it; a null is an entry like others."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    return whole.dictionary_encode(null_encoding="encode")


def indices(encoding: Any) -> Places:
    """Return the place of each row in a key's dictionary."""
    found: Places = encoding.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def coded(encodings: Sequence[Any], rows: int) -> tuple[Places, int]:
    """Return a code of each row's combination of keys, and how many codes there may be."""
    code, size = np.zeros(rows, np.int64), 1
    for one in encodings:
        many = len(one.dictionary)
        code, size = code * many + indices(one), size * many
    return code, size


def numbered(code: Places, size: int) -> tuple[Places, Places]:
    """Return which codes there are, in order, and which of them each row has."""
    if size > 4 * len(code):
        return np.unique(code, return_inverse=True)
    there = np.flatnonzero(np.bincount(code, minlength=size))
    numbers = np.zeros(size, np.int64)
    numbers[there] = np.arange(len(there))
    return there, numbers[code]


def named(encodings: Sequence[Any], codes: Places) -> list[tuple[Any, ...]]:
    """Return the keys' values that codes stand for."""
    values: list[list[Any]] = []
    for one in reversed(encodings):
        many = len(one.dictionary)
        known = one.dictionary.to_pylist()
        values.insert(0, [known[at] for at in (codes % many).tolist()])
        codes = codes // many
    return list(zip(*values, strict=True)) if encodings else [()] * len(codes)
