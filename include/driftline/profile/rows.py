"""Rows: a stretch of the log as an Arrow table, whole or sampled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.monitor.config import Monitor
from driftline.printable import amount
from driftline.profile.classes import canonical

BATCH = 1 << 15
"""So many rows make a batch: their columns fit into a processor's cache one by one."""

RESERVED = "@@"
"""No feature's name may begin so; one at sign many have, as Logstash's `@version`."""
TIMESTAMP = "@@timestamp"
SCORE = "@@score"
PREDICTION = "@@prediction"
LABEL = "@@label"
KNOWN = "@@known"
"""Since when the label is known, in microseconds from 1970."""
VERSION = "@@version"
RAW = "@@raw:"
"""Before the name of a feature as the log types it."""


def score_of(class_name: str) -> str:
    """Return the name under which a table of rows holds the score of one class."""
    return f"{SCORE}:{class_name}"


def sample_of(rows: int, total: int) -> str:
    """Say that so many rows are a sample of the total; '' when they are all."""
    return (
        f"a sample: {rows:,} of {amount(total, 'row')} ({rows / total:.1%})" if rows < total else ""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many predictions a stretch holds, and how many of them have a known label."""

    rows: int
    labelled: int

    @property
    def coverage(self) -> float | None:
        """The share of predictions with a label; None without predictions."""
        return self.labelled / self.rows if self.rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a stretch: `table` holds them, or a sample of the `total` in the warehouse."""

    table: pa.Table
    total: int

    @property
    def share(self) -> float:
        """Which share of the stretch the table holds, 0 to 1."""
        return len(self.table) / self.total if self.total else 1.0

    def floats(self, column: str) -> NDArray[np.float64]:
        """Return a column of numbers; what is missing is NaN, also all of it."""
        if column not in self.table.column_names:
            return np.full(len(self.table), np.nan)
        return np.asarray(self.table[column].cast(pa.float64()).to_numpy(), np.float64)

    def where(self, column: str, value: str | None) -> Self:
        """Return the rows in which a column has this value; the total is scaled alike.

        A column of numbers is compared as a number; None selects the nulls.
        """
        table = self.table.filter(pa.array(self.holding(column, value)))
        return type(self)(table=table, total=round(len(table) / self.share) if self.share else 0)

    def holding(self, column: str, value: str | None) -> NDArray[np.bool_]:
        """Return which rows have this value in a column, as `where` compares it."""
        values = self.table[column]
        if value is None:
            return np.asarray(pc.is_null(values).to_numpy(), bool)
        same = pc.equal(values, pa.scalar(value).cast(values.type))
        return np.asarray(pc.fill_null(same, False).to_numpy(), bool)

    def labelled(self) -> Self:
        """Return the rows whose label is known."""
        if LABEL not in self.table.column_names:
            return type(self)(table=self.table.slice(0, 0), total=0)
        table = self.table.filter(pc.is_valid(self.table[LABEL]))
        return type(self)(table=table, total=round(len(table) / self.share) if self.share else 0)


def scores_of(monitor: Monitor) -> Mapping[str, str]:
    """Return by the name of a class what a table of rows calls its score."""
    score = monitor.predictions.score
    classes = score if isinstance(score, dict) else ()
    return {canonical(name): score_of(name) for name in classes}
