"""Profiles counted by numpy, from rows that come in batches of Arrow: the same that SQL counts.

For a warehouse whose computing is dear, and for rows that lie in no warehouse.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.profile import LARGEST, CategoryBins, Floats, Layout, NumericBins, Profile, Span
from driftline.warehouse.tally import Places, Tally


def stream_profiles(
    batches: Iterable[pa.Table], layout: Layout, keys: Sequence[str] = ()
) -> dict[tuple[Any, ...], Profile]:
    """Return the profile of each combination of the keys' values that some row has.

    The batches hold the layout's columns under their names, numbers as doubles and categories as
    text; a column that they lack is null in every row.
    """
    tally = Tally(layout)
    for batch in batches:
        if not len(batch):
            continue
        groups = tally.groups([batch[key] for key in keys], len(batch))
        tally.add_rows(groups, np.ones(len(batch), np.int64))
        for name, span in layout.spans.items():
            _add(tally, groups, name, span, batch)
    return tally.profiles()


def _add(tally: Tally, groups: Places, name: str, span: Span, batch: pa.Table) -> None:
    ones = np.ones(len(batch), np.int64)
    if name not in batch.column_names:
        tally.add_counts(groups, np.full(len(batch), span.nulls), ones)
    elif isinstance(span.bins, CategoryBins):
        tally.add_categories(groups, name, batch[name], ones)
    else:
        codes, shifted = _coded(batch[name], span, span.bins)
        width = span.counts + span.bins.size + 3
        flat = groups * width + codes
        places, first = np.unique(flat, return_inverse=True)
        order = np.argsort(first, kind="stable")
        starts = np.searchsorted(first[order], np.arange(len(places)))
        d = shifted[order]
        tally.add_counts(places // width, places % width, np.diff(starts, append=len(order)))
        tally.add_numbers(
            places // width,
            places % width,
            np.add.reduceat(d, starts),
            np.add.reduceat(d * d, starts),
            np.minimum.reduceat(d, starts),
            np.maximum.reduceat(d, starts),
        )


def _coded(column: Any, span: Span, bins: NumericBins) -> tuple[Places, Floats]:
    """Return where in the vector of counts each row belongs, and its value less the shift."""
    null = pc.is_null(column).to_numpy()
    values = pc.fill_null(column, 0.0).to_numpy()
    finite = np.abs(values) <= LARGEST
    codes = span.counts + np.searchsorted(np.array(bins.edges), values, side="right")
    codes = np.where(finite, codes, span.nulls + 2)
    codes[np.isnan(values)] = span.nulls + 1
    codes[null] = span.nulls
    return codes, np.where(finite, values - bins.shift, 0.0)
