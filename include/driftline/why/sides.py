"""What an explanation is made from: rows of two stretches, and what is known beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.printable import amount
from driftline.suites.frame import Frame

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """Rows of the reference, or of the window: all or a sample, labelled or not, in any order.

    Every array has a value a row. `score` and `truth` are in one unit: a probability and 0 or 1, a
    predicted value and what came; of several classes, the probability of the predicted one and
    whether it was right. What is None is not used.
    """

    frame: Frame
    """The features."""
    loss: Floats
    """What each row adds to the metric, larger is worse; NaN where it has no label."""
    score: Floats | None = None
    prediction: NDArray[Any] | None = None
    """The class that was logged beside the score, 0 or 1."""
    truth: Floats | None = None
    """NaN where there is no label."""
    segments: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Texts, of segment columns that are no features."""
    version: NDArray[Any] | None = None
    time: Times | None = None
    """When each prediction was made, in UTC."""
    age: Floats | None = None
    """Hours from each prediction to its label; NaN where unknown."""

    def __post_init__(self) -> None:
        arrays = {
            "loss": self.loss,
            "score": self.score,
            "prediction": self.prediction,
            "truth": self.truth,
            "version": self.version,
            "time": self.time,
            "age": self.age,
            **self.segments,
        }
        for name, values in arrays.items():
            if values is not None and len(values) != self.frame.rows:
                raise ValueError(
                    f"{name} has {amount(len(values), 'value')} for {self.frame.rows} rows"
                )

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows have a loss."""
        return np.isfinite(self.loss)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """What the store counted in consecutive hours that end with the window: a value an hour.

    They may reach back before the window, then a change that is older than it can be dated.
    """

    start: Times
    """The first moment of each hour, in UTC, in order."""
    rows: Floats
    nulls: Mapping[str, Floats] = field(default_factory=dict)
    """Rows in which a column is null."""
    new: Mapping[str, Floats] = field(default_factory=dict)
    """Rows with a category that the reference lacks."""
    loss: Floats | None = None
    """What rows added to the metric on average; NaN where nothing was labelled."""
    labelled: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of the ledger, or of what fills the log, that failed or came late."""

    start: datetime
    end: datetime
    """The half-open stretch that it was to bring."""
    problem: str
    """What went wrong, in words."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whole:
    """All rows, where the sides that are explained are those of one segment: what is its own?"""

    reference: Side
    window: Side
    segment: str
    """The segment in words, such as `origin=JFK`."""
    inside: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Which rows of both sides are the segment's."""

    @property
    def column(self) -> str:
        """The column that the segment is of."""
        return self.segment.partition("=")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known beside the rows. Everything may be missing."""

    hours: Hours | None = None
    runs: tuple[Run, ...] = ()
    versions: Mapping[str, datetime] = field(default_factory=dict)
    """The first hour of each model version."""
    coverage: float | None = None
    """Which share of the window's predictions has a label."""
    usual_coverage: float | None = None
    """Which share past windows had at this age."""
    as_of: datetime | None = None
    """When the labels were looked at: how old they could be by then."""
    predictions: int | None = None
    """Predictions in the window, labelled or not."""
