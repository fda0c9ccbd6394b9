"""The reference: what windows are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from driftline.domain import WindowStatistics
from driftline.profile.columns import Bins
from driftline.profile.outcomes import OutcomeBins


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The frozen statistics that windows are compared with.

    It is in force for windows that start at `valid_from` or later. `start` and `end` bound its
    rows in the log (None where they come from a table of their own); `daily_rows` is the rows of
    each of its days, oldest first; `performance` maps (metric, detail) to the value on its rows,
    `operations` each metric of operations and business.
    """

    id: str
    monitor: str
    valid_from: datetime
    start: datetime | None
    end: datetime | None
    statistics: WindowStatistics
    daily_rows: tuple[int, ...] = ()
    model_version: str = ""
    """The champion with whose promotion it came; '' for the reference of the file."""
    rows_sha256: str = ""
    """Of the file that holds the rows of a promotion's reference; others are read from the log."""
    performance: Mapping[tuple[str, str], float] = field(default_factory=dict)
    spreads: Mapping[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    """By (cadence, metric, detail): mean and standard deviation over its own windows."""
    operations: Mapping[str, float] = field(default_factory=dict)
    bins: Mapping[str, Bins] = field(default_factory=dict)
    """By column: what later rows are counted on."""
    outcomes: OutcomeBins | None = None
    """What outcomes are counted on; None where the monitor has no labels."""
    units: Mapping[str, int] = field(default_factory=dict)
    """By key of the file: the unit in which a column of times counts, as its rows were read."""
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By column: the values whose rows are measured by themselves, those with most rows first."""
