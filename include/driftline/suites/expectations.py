"""What is expected of a window where nobody wrote it down: derived from the frozen reference.

The bounds are wide on purpose. They are there to catch what is broken (a column gone null, a unit
changed, half of the log missing), and to stay quiet about what merely drifts.
"""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from driftline.domain import DAY, ColumnStatistics, cadence_length
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Expectation, Task
from driftline.profile.reference import Reference

NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
ROW_COUNT = "expect_table_row_count_to_be_between"

_MORE_NULLS = 0.1
_MORE_NULLS_IN_AN_HOUR = 0.5
_FULL = 0.01
"""A column with more nulls in the reference than this share has hours of its own for them (before
the first flight no flight was late): only its days are judged."""
_OUTSIDE = 0.01
_UNKNOWN = 0.05
_FEWER, _MORE = 0.5, 2.0


def default_expectations(
    monitor: Monitor, reference: Reference, cadence: str
) -> tuple[Expectation, ...]:
    """Return what a window of this cadence is expected to hold, going by the reference.

    An expectation that the monitor's file states itself, of the same type and column, takes the
    default's place. Sensitive columns are only asked for nulls.
    """
    own = {(each.type, each.column) for each in monitor.quality}
    return tuple(
        each
        for each in _defaults(monitor, reference, cadence)
        if (each.type, each.column) not in own
    )


def _defaults(monitor: Monitor, reference: Reference, cadence: str) -> Iterator[Expectation]:
    rows = reference.statistics.rows
    for name, column in reference.statistics.columns.items():
        nulls = column.nulls / rows if rows else 0.0
        hourly = cadence == "1h"
        allowed = nulls + (1 - nulls) * (_MORE_NULLS_IN_AN_HOUR if hourly else _MORE_NULLS)
        if nulls < 1 and not (hourly and nulls > _FULL):
            yield _expect(NOT_NULL, "critical", column=name, mostly=_share(1 - allowed))
        if monitor.features.hides(name):
            continue
        if column.minimum is not None and column.maximum is not None:
            low, high = _range(monitor, name, column.minimum, column.maximum)
            infinite = column.infinite / (rows - column.nulls)  # no range holds them
            mostly = _share(1 - min(1.0, max(_OUTSIDE, 2 * infinite)))
            yield _expect(BETWEEN, column=name, min_value=low, max_value=high, mostly=mostly)
        # Of the handful of rows in an hour a single newcomer would be too large a share.
        if column.categories and not hourly:
            mostly = _share(1 - _unknown(column))
            yield _expect(IN_SET, column=name, value_set=sorted(column.categories), mostly=mostly)
    if cadence != "1h" and (bounds := _volume(reference.daily_rows, cadence)):
        yield _expect(ROW_COUNT, min_value=bounds[0], max_value=bounds[1])


def _range(monitor: Monitor, name: str, low: float, high: float) -> tuple[float, float]:
    """Return the reference's range, with as much room again on both sides; 0 to 1 for shares."""
    score = monitor.task is not Task.REGRESSION and name in monitor.prediction_columns
    if score and low >= 0 and high <= 1:
        return 0.0, 1.0
    room = (high - low) or abs(high) or 1.0
    return low - room, high + room


def _unknown(column: ColumnStatistics) -> float:
    """Return the share of unknown categories that is allowed.

    By Good and Turing the share of rows in categories seen once is the chance that the next row
    brings a new one; twice that is allowed, at least 5%.
    """
    counts = list((column.categories or {}).values())
    return min(1.0, max(_UNKNOWN, 2 * sum(count == 1 for count in counts) / sum(counts)))


def _volume(daily_rows: Sequence[int], cadence: str) -> tuple[int, int] | None:
    """Return half the fewest and twice the most rows that a window of the reference held."""
    days = cadence_length(cadence) // DAY
    if not daily_rows or not sum(daily_rows):
        return None
    sums = [sum(daily_rows[at : at + days]) for at in range(len(daily_rows) - days + 1)]
    sums = sums or [round(sum(daily_rows) / len(daily_rows) * days)]
    return int(min(sums) * _FEWER), ceil(max(sums) * _MORE)


def _share(value: float) -> float:
    """Round a share: the fifth digit of a tolerance means nothing, and would be read as if."""
    return round(value, 4)


def _expect(kind: str, severity: str = "warn", **kwargs: Any) -> Expectation:
    return Expectation.model_validate({"type": kind, "kwargs": kwargs, "severity": severity})
