"""The bins of a reference: of its categories as they were counted, of the numbers of its rows."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from driftline.domain import ColumnKind
from driftline.profile.columns import Bins, CategoryBins, NumericBins


def bins_of(
    table: pa.Table,
    columns: Mapping[str, ColumnKind],
    categories: Mapping[str, Mapping[str, int]] | None = None,
) -> dict[str, Bins]:
    """Return the bins of these columns of a reference's rows, or of a sample of them.

    `categories` maps columns to the rows of each category, where more is known than the table.
    """
    made: dict[str, Bins] = {}
    for name, kind in columns.items():
        if kind.is_number:
            made[name] = NumericBins.of(pc.drop_null(table[name]).to_numpy(), kind)
        else:
            made[name] = CategoryBins.of((categories or {}).get(name) or _counted(table[name]))
    return made


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    counted = pc.value_counts(pc.drop_null(column)).to_pylist()
    return {one["values"]: one["counts"] for one in counted}
