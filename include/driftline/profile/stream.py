"""Profiles counted by numpy, from rows that come in batches of Arrow: the same that SQL counts.

For a warehouse whose computing is dear, and for rows that lie in no warehouse. One pass over the
rows serves all segments, and holds one batch of them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.profile.columns import CategoryBins, Floats, Layout, NumericBins, Profile, Span
from driftline.profile.edges import Edges
from driftline.profile.rows import BATCH
from driftline.profile.tally import (
    Places,
    Tally,
    category_codes,
    coded,
    encoded,
    indices,
    named,
    numbered,
)


class Segments(NamedTuple):
    """Of these rows, those with one of the `values` in a column, by value; all rows without."""

    column: str = ""
    values: Collection[str] = ()


def stream_profiles(
    batches: Iterable[pa.Table | pa.RecordBatch], layout: Layout, keys: Sequence[str] = ()
) -> dict[tuple[Any, ...], Profile]:
    """Return the profile of each combination of the keys' values that some row has.

    The batches hold the layout's columns under their names, numbers as doubles and categories as
    text; a column that they lack is null in every row.
    """
    (found,) = stream_parts(batches, layout, keys, [Segments()])
    return found


def stream_parts(
    batches: Iterable[pa.Table | pa.RecordBatch],
    layout: Layout,
    keys: Sequence[str],
    asked: Sequence[Segments],
) -> list[dict[tuple[Any, ...], Profile]]:
    """Return what `stream_profiles` does for each of the segments' columns that are asked for.

    A segment's value is the last of its keys.
    """
    tallies = [Tally(layout) for _ in asked]
    columns = {
        name: _Numbers(span, span.bins)
        if isinstance(span.bins, NumericBins)
        else _Categories(span, span.bins)
        for name, span in layout.spans.items()
    }
    for batch in _cut(batches):
        if not len(batch):
            continue
        encodings = [encoded(batch.column(key)) for key in keys]
        parts = [
            _grouped(tally, encodings, batch, segments)
            for tally, segments in zip(tallies, asked, strict=True)
        ]
        there = [part for part in parts if len(part.places)]
        for part in there:
            part.tally.add_rows(part.places, part.rows)
        for name, column in columns.items():
            if there:
                column.add(there, batch.column(name) if name in batch.schema.names else None)
    return [tally.profiles() for tally in tallies]


def _cut(batches: Iterable[pa.Table | pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        whole = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        yield from whole.to_batches(max_chunksize=BATCH)


# The groups of a batch


class _Part:
    """A batch's rows by group: `local` numbers the groups that are there, `places` names them.

    Rows of no group have a number of their own, the last one.
    """

    def __init__(self, tally: Tally, places: Places, local: Places) -> None:
        self.tally, self.places, self.local = tally, places, local
        self.alone = len(places) == 1 and not local.any()
        self._counted = np.bincount(local, minlength=len(places) + 1)
        ordered = self.alone or bool((local[1:] >= local[:-1]).all())
        self._order = None if ordered else np.argsort(local, kind="stable")

    @property
    def rows(self) -> Places:
        """The rows of each group."""
        return self._counted[:-1]

    def flat(self, codes: Places, width: int) -> Places:
        """Return the place of each row in a matrix of the groups, and of no group, by codes."""
        return codes if self.alone else self.local * width + codes

    def sums(self, flat: Places, width: int, weights: Floats | None = None) -> NDArray[Any]:
        """Return the matrix: a line for each group."""
        size = len(self.places) + 1
        return np.bincount(flat, weights, minlength=size * width).reshape(size, width)[:-1]

    def ends(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the least and the greatest value of each group; NaN is passed over."""
        if self.alone:
            return np.fmin.reduce(values, keepdims=True), np.fmax.reduce(values, keepdims=True)
        ordered = values if self._order is None else values[self._order]
        *starts, end = np.cumsum(self._counted) - self._counted
        ordered = ordered[:end]
        return np.fmin.reduceat(ordered, starts), np.fmax.reduceat(ordered, starts)


def _grouped(tally: Tally, keys: Sequence[Any], batch: pa.RecordBatch, segments: Segments) -> _Part:
    """Find the groups of a batch: the combinations of its keys, and of a segment's value."""
    chosen = None
    if segments.column:
        own = encoded(batch.column(segments.column))
        wanted = pc.is_in(own.dictionary, pa.array(sorted(segments.values), pa.string()))
        chosen = np.asarray(wanted.to_numpy(zero_copy_only=False))[indices(own)]
        keys = [*keys, own]
    code, size = coded(keys, len(batch))
    if chosen is not None:
        code = np.where(chosen, code, size)
    there, local = numbered(code, size + 1)
    if there[-1] == size and chosen is not None:
        there = there[:-1]
    return _Part(tally, tally.places(named(keys, there)), local)


# The columns


class _Numbers:
    """Counts a column of numbers.

    Its codes are the edges that a value reaches: 0 and `size + 1` are infinite, the bins lie
    between; then nulls and NaN.
    """

    def __init__(self, span: Span, bins: NumericBins) -> None:
        self._span, self._edges, self._shift = span, Edges(bins), bins.shift
        self._width = bins.size + 4

    def add(self, parts: Sequence[_Part], column: pa.Array | None) -> None:
        """Add a batch's values; without any they are null."""
        size, width = self._span.bins.size, self._width
        if column is None or column.null_count == len(column):
            for part in parts:
                part.tally.add_nulls(part.places, self._span, part.rows)
            return
        values = column.to_numpy(zero_copy_only=False)  # a null becomes NaN
        codes = self._edges.reached(values)
        with np.errstate(invalid="ignore", over="ignore"):
            shifted = values - self._shift
            squares = shifted * shifted
        odd = np.flatnonzero((codes == 0) | (codes > size))
        if len(odd):
            codes[odd[np.isnan(values[odd])]] = size + 3
            if column.null_count:
                codes[np.asarray(column.is_null().to_numpy(zero_copy_only=False))] = size + 2
            shifted[odd] = np.nan
        for part in parts:
            if len(part.places) * width > 4 * len(codes) + 65_536:
                self._add_each(part, codes, shifted, squares)
                continue
            flat = part.flat(codes, width)
            lows, highs = part.ends(shifted)
            counts = part.sums(flat, width)
            part.tally.add_numbers_of(
                part.places,
                self._span,
                np.column_stack([counts[:, 1 : size + 1], self._beside(counts)]),
                part.sums(flat, width, shifted)[:, 1 : size + 1],
                part.sums(flat, width, squares)[:, 1 : size + 1].sum(axis=1),
                lows,
                highs,
            )

    def _beside(self, counts: Places) -> Places:
        """Return the rows that have no bin: null, NaN, infinite."""
        size = self._span.bins.size
        infinite = counts[:, 0] + counts[:, size + 1]
        return np.column_stack([counts[:, size + 2 : size + 4], infinite])

    def _add_each(self, part: _Part, codes: Places, shifted: Floats, squares: Floats) -> None:
        """Add row by row: with so many groups a matrix would be larger than the batch."""
        size, span = self._span.bins.size, self._span
        own = part.local < len(part.places)
        groups, codes = part.places[part.local[own]], codes[own]
        moved = np.concatenate([[size + 2], np.arange(size), [size + 2, size, size + 1]])
        at = span.counts + moved[codes]
        part.tally.add_counts(groups, at, np.ones(len(at), np.int64))
        d = shifted[own]
        part.tally.add_numbers(groups, at, d, squares[own], d, d)


class _Categories:
    """Counts a column of categories: each of its values is looked up once a batch."""

    def __init__(self, span: Span, bins: CategoryBins) -> None:
        self._span, self._bins = span, bins

    def add(self, parts: Sequence[_Part], column: pa.Array | None) -> None:
        """Add a batch's values; without any they are null."""
        if column is None or column.null_count == len(column):
            for part in parts:
                part.tally.add_nulls(part.places, self._span, part.rows)
            return
        encoding, width = encoded(column), self._bins.size + 1
        known = pa.chunked_array([encoding.dictionary])
        codes = category_codes(self._bins, known)[indices(encoding)]
        for part in parts:
            if len(part.places) * width > 4 * len(codes) + 65_536:
                own = part.local < len(part.places)
                at = self._span.counts + codes[own]
                groups = part.places[part.local[own]]
                part.tally.add_counts(groups, at, np.ones(len(at), np.int64))
            else:
                counts = part.sums(part.flat(codes, width), width)
                part.tally.add_counts_of(part.places, self._span, counts)
