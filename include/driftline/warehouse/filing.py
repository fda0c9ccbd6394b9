"""How a log files its rows, which no model is fed: partitions, numbers of rows, serial ids.

Parquet files say in their path by what they are partitioned. Elsewhere it is seen: the midnight
that a partition names lies before its predictions by the same day in every row.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.warehouse.dialects.base import Family

_NUMBERS_ROWS = re.compile(
    r"__index_level_\d+__|unnamed:?[ _]*\d+|level_0|row_?(id|no|num(ber)?|index)", re.IGNORECASE
)
_MAY_NUMBER_ROWS = re.compile(r"index|idx", re.IGNORECASE)
_IS_PARTITION = re.compile(
    r"ds|dt|_*(p(artition)?|load|ingestion)_?(date|time|day|dt|id|key)", re.IGNORECASE
)
_DAY = (
    r"^(?P<y>\d{4})-?(?P<m>\d\d)-?(?P<d>\d\d)"
    r"(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]00(?::?00)?)?)?$"
)
_ONE_DAY = np.timedelta64(24, "h")
_FIRST, _LAST = np.timedelta64(-14, "h"), np.timedelta64(48, "h")
"""A zone is up to 14 hours ahead; a batch may score the day before."""

JUDGED_FROM = 20
NEARLY_ALL = 0.99
_FEW = 5
_MOSTLY = 0.9
"""Here and there a day has several files."""


def files_rows(
    name: str, family: Family, values: pa.ChunkedArray, times: pa.ChunkedArray | None
) -> bool:
    """Whether a column of a sample says where or in which order rows are kept.

    `times` are when each row was predicted, in UTC; None in a table without times.
    """
    last = name.rpartition(".")[2]
    if times is not None and len(times) != len(values):
        times = None  # of what stands in documents only those are here that have it
    if _NUMBERS_ROWS.fullmatch(last):
        return True
    if _IS_PARTITION.fullmatch(last) and not family.has_fractions:
        return True
    if family.is_number and _is_serial(family, values, times):
        return True
    if family is Family.INTEGER and _MAY_NUMBER_ROWS.fullmatch(last):
        return times is not None and _rises(values, times)
    return times is not None and not family.has_fractions and _is_day_of(values, times)


def _is_serial(family: Family, values: pa.ChunkedArray, times: pa.ChunkedArray | None) -> bool:
    """Whether whole numbers are each row's own: any integers, or what steps or grows with time."""
    numbers, moments = _pairs(values, times)
    size, distinct = len(numbers), len(np.unique(numbers))
    if size < _FEW or distinct < NEARLY_ALL * size or (numbers != np.floor(numbers)).any():
        return False
    if size >= JUDGED_FROM and family is Family.INTEGER:
        return True
    steps = np.diff(numbers[np.lexsort((numbers, moments))])
    grows = size >= JUDGED_FROM and np.mean(steps > 0) >= NEARLY_ALL
    return times is not None and bool(grows or (steps == 1).all())


def _rises(values: pa.ChunkedArray, times: pa.ChunkedArray) -> bool:
    """Whether whole numbers grow with time within each day: a file of a day counts its rows."""
    numbers, moments = _pairs(values, times)
    order = np.lexsort((numbers, moments))
    same_day = np.diff(moments[order].astype("datetime64[D]")) == np.timedelta64(0, "D")
    steps = np.diff(numbers[order])[same_day]
    return len(steps) >= _FEW and bool(np.mean(steps > 0) >= _MOSTLY)


def _is_day_of(values: pa.ChunkedArray, times: pa.ChunkedArray) -> bool:
    """Whether values are the day of their rows' times, in one zone and one day's lag for all."""
    words = values if pa.types.is_string(values.type) else values.cast(pa.int64(), safe=False)
    found = pc.extract_regex(words.cast(pa.string()), _DAY)
    if len(found) == found.null_count or found.null_count > values.null_count:
        return False
    parts = [pc.struct_field(found, name) for name in "ymd"]
    days = pc.strptime(
        pc.binary_join_element_wise(*parts, "-"), "%Y-%m-%d", "us", error_is_null=True
    )
    if days.null_count > values.null_count:
        return False
    lags = pc.subtract(times.cast(pa.timestamp("us")), days).drop_null().to_numpy()
    if not len(lags):
        return False
    least, most = lags.min(), lags.max()
    return bool(least >= _FIRST and most < _LAST and most - least < _ONE_DAY)


def _pairs(
    values: pa.ChunkedArray, times: pa.ChunkedArray | None
) -> tuple[NDArray[np.float64], NDArray[np.datetime64]]:
    """Return what is there of numbers, and the times beside it; one time for all without times."""
    numbers = values.to_numpy().astype(np.float64)
    moments = np.zeros(len(numbers), "datetime64[us]")
    if times is not None:
        moments = times.cast(pa.timestamp("us")).to_numpy()
    there = np.isfinite(numbers)
    return numbers[there], moments[there]
