"""Two files or frames, without a monitor: which columns of the second have drifted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import make_url, select

from driftline import metrics
from driftline.domain import ColumnKind, Scope, Window
from driftline.errors import InputError, LogError, WarehouseError
from driftline.monitor.sections import FILES, DriftMethod, Table
from driftline.profile.columns import Bins, CategoryBins, Layout, NumericBins, Profile
from driftline.profile.stream import stream_profiles
from driftline.suites import drift
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects.base import Family
from driftline.warehouse.features import kind_of
from driftline.warehouse.reader import Output, Reader
from driftline.warehouse.source import open_source

LIMIT = 0.5
"""From which share of drifted columns on the whole is said to have drifted."""

_METHOD = DriftMethod.PSI
(_METRIC,) = metrics.DRIFT[_METHOD]
_START = datetime(2000, 1, 1, tzinfo=UTC)
_SCOPE = Scope(monitor="", window=Window.ending("1d", _START), as_of=_START, config_hash="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A column of both: its kind, its PSI (None where `reason` says why), whether it drifted."""

    column: str
    kind: str
    psi: float | None
    drifted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What has drifted between two sets of rows; `share` is that of the measured columns, 0 to 1.

    `left_out` are columns that cannot be compared so: ids, times, documents, free text.
    """

    rows: tuple[int, int]
    columns: tuple[Compared, ...]
    share: float | None
    gone: tuple[str, ...]
    new: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """The columns beyond PSI's usual bound of 0.2."""
        return tuple(each.column for each in self.columns if each.drifted)

    @property
    def is_drift(self) -> bool:
        """Whether more than half of the columns have drifted."""
        return self.share is not None and self.share > LIMIT


def compare(reference: Any, current: Any) -> Comparison:
    """Compare two frames (pandas, Arrow, polars) or files (Parquet, CSV, JSON) by PSI.

    The bins are the reference's. Raises InputError where there is nothing to compare.
    """
    before, now = _rows(reference, "the reference"), _rows(current, "the current rows")
    there = [name for name in before.column_names if name in now.column_names]
    bins: dict[str, Bins] = {}
    for name in there:
        before, now, kind = _alike(before, now, name)
        if kind is not None:
            bins[name] = _bins(before[name], kind)
    if not bins:
        raise InputError(
            "there is no column to compare: both need one of the same name that holds numbers or "
            f"categories; found {', '.join(before.column_names)} and {', '.join(now.column_names)}"
        )
    layout = Layout(bins)
    base, profile = _profile(before, layout), _profile(now, layout)
    found = drift.measure(_SCOPE, profile, base, bins, lambda _: (_METHOD,))
    share = drift.drift_share(_SCOPE, found, list(bins), drift.moved(profile, base))
    bound = drift.BOUNDS[_METRIC]
    return Comparison(
        rows=(len(before), len(now)),
        columns=tuple(
            Compared(
                column=each.column_name,
                kind=str(bins[each.column_name].kind),
                psi=each.value,
                drifted=each.value is not None and bound.broken_by(each.value),
                reason=each.reason,
            )
            for each in found
        ),
        share=share.value,
        gone=tuple(name for name in before.column_names if name not in now.column_names),
        new=tuple(name for name in now.column_names if name not in before.column_names),
        left_out=tuple(name for name in there if name not in bins),
    )


def _rows(given: Any, which: str) -> pa.Table:
    """Return rows as Arrow, numbers as doubles and categories as text; other columns are null."""
    if isinstance(given, str | Path):
        table = _of_file(str(given))
    elif isinstance(given, pa.Table):
        table = given
    elif hasattr(given, "to_arrow"):
        table = given.to_arrow()
    elif hasattr(given, "columns"):
        table = pa.Table.from_pandas(given, preserve_index=False)
    else:
        raise InputError(f"{which}: found {type(given).__name__}; give a path or a frame")
    if not len(table):
        raise InputError(f"{which}: there are no rows")
    plain = {field.name: _plain(table[field.name], field.type) for field in table.schema}
    return pa.table(plain)


def _of_file(path: str) -> pa.Table:
    kind = next((kind for kind in FILES if f".{kind}" in path.rpartition("/")[2]), None)
    if kind is None:
        raise InputError(f"{path}: its name ends with none of {', '.join(FILES)}")
    url = make_url("duckdb:///:memory:")
    with _readable(path), Reader(url, Caller()) as reader:
        source = open_source(reader, Table.model_validate({kind: path}), Path.cwd(), "compare")
        outputs = [
            Output(name, reader.dialect.number(source.relation.c[name], each.family), pa.float64())
            if each.family.is_number
            else Output(name, reader.dialect.string(source.relation.c[name], each.family), _TEXT)
            for name, each in source.columns.items()
            if each.family.is_number or each.family in (Family.TEXT, Family.BOOLEAN)
        ]
        if not outputs:
            raise InputError(f"{path}: no column holds numbers or categories")
        found = reader.table(select(*(each.value for each in outputs)), outputs)
        lost = pa.nulls(len(found))
        named = {n: found[n] if n in found.column_names else lost for n in source.columns}
        return pa.table(named)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Raise a file that cannot be read as the wrong input that it is."""
    try:
        yield
    except (WarehouseError, LogError) as error:
        words = str(error).removeprefix(f"compare: {path}: ")
        raise InputError(f"{path} cannot be read: {words}") from error


_TEXT = pa.string()


def _plain(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(kind):
        return _plain(values.cast(kind.value_type), kind.value_type)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return values.cast(pa.float64(), safe=False)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values.cast(_TEXT)
    return pa.chunked_array([pa.nulls(len(values))])


def _alike(
    before: pa.Table, now: pa.Table, name: str
) -> tuple[pa.Table, pa.Table, ColumnKind | None]:
    """Return both with a column of one type, and how it is compared; None where it is not."""
    one, two = before[name], now[name]
    if one.type != two.type:
        common = one.type if two.null_count == len(two) else _TEXT
        before = before.set_column(before.column_names.index(name), name, one.cast(common))
        now = now.set_column(now.column_names.index(name), name, two.cast(common))
    values = before[name]
    if values.null_count == len(values):  # nothing to compare with
        return before, now, None
    family = Family.FLOAT if pa.types.is_floating(values.type) else Family.TEXT
    return before, now, kind_of(name, family, values)


def _bins(values: pa.ChunkedArray, kind: ColumnKind) -> Bins:
    present = values.drop_null()
    if kind is ColumnKind.NUMERIC:
        numbers = present.to_numpy()
        return NumericBins.of(numbers[~np.isnan(numbers)])
    return CategoryBins.of({e["values"]: e["counts"] for e in pc.value_counts(present).to_pylist()})


def _profile(rows: pa.Table, layout: Layout) -> Profile:
    return stream_profiles([rows.select(list(layout.spans))], layout)[()]
