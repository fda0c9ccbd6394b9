"""The nouns of driftline: what is computed, frozen and validated when it is made."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_CADENCE = re.compile(r"1h|[1-9]\d{0,2}d")


def cadence_length(cadence: str) -> timedelta:
    """Return the length of a window of this cadence: `1h`, or a number of days such as `7d`.

    >>> cadence_length("7d")
    datetime.timedelta(days=7)
    """
    if not _CADENCE.fullmatch(cadence):
        raise ValueError(f"{cadence!r} is no cadence: 1h, or a number of days such as 1d, 7d, 30d")
    return HOUR if cadence == "1h" else DAY * int(cadence[:-1])


def utc(moment: datetime) -> datetime:
    """Return the same instant in UTC; a moment without a zone is an error."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


def digest(*parts: Any) -> str:
    """Return a short, stable name (16 hexadecimal digits) for these values."""
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def steady(value: float) -> float:
    """Return a value without its last bits, which depend on the order in which it was summed.

    Databases add up in parallel, and Evidently over sets of texts: a rerun must change nothing.
    """
    return float(f"{value:.12g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open interval `[start, end)` in UTC that ends on its cadence's grid.

    >>> str(Window.ending("7d", datetime(2013, 4, 8, tzinfo=UTC)))
    '7d 2013-04-01 to 2013-04-08'
    """

    cadence: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.end - self.start != cadence_length(self.cadence):
            raise ValueError(f"{self.start} to {self.end} is not {self.cadence} long")
        if self.end != floor(self.end, HOUR if self.cadence == "1h" else DAY):
            raise ValueError(f"a {self.cadence} window cannot end at {self.end}")

    @classmethod
    def ending(cls, cadence: str, end: datetime) -> "Window":
        """Return the window of this cadence that ends at this moment."""
        return cls(cadence=cadence, start=end - cadence_length(cadence), end=end)

    def share_after(self, moment: datetime | None) -> float:
        """Return which share of the window lies after this moment; 0 when there is none."""
        if moment is None:
            return 0.0
        return min(1.0, max(0.0, (self.end - moment) / (self.end - self.start)))

    @property
    def span(self) -> str:
        """Its two ends, as a person reads them."""
        form = "%Y-%m-%dT%H:%M" if self.cadence == "1h" else "%Y-%m-%d"
        return f"{self.start:{form}} to {self.end:{form}}"

    def __str__(self) -> str:
        return f"{self.cadence} {self.span}"


def floor(moment: datetime, step: timedelta) -> datetime:
    """Round a moment down to the UTC grid of this step (an hour or a day)."""
    moment = utc(moment)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step


def intervals(cadences: Iterable[str], start: datetime, end: datetime) -> Iterator[Window]:
    """Yield in order the hours and days that end in `(start, end]`, as scheduled runs would.

    An hour stands for an hourly run (only where `1h` is watched), a day for a daily one.
    """
    hourly = "1h" in set(cadences)
    step = HOUR if hourly else DAY
    moment = floor(start, step) + step
    while moment <= end:
        if hourly:
            yield Window.ending("1h", moment)
        if moment == floor(moment, DAY):
            yield Window.ending("1d", moment)
        moment += step


class Suite(StrEnum):
    """Which family of questions a measurement answers."""

    QUALITY = "quality"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    ESTIMATE = "estimate"
    OPERATIONS = "operations"
    BUSINESS = "business"


class Engine(StrEnum):
    """What counted a measurement."""

    PROFILE = "profile"
    EVIDENTLY = "evidently"
    GREAT_EXPECTATIONS = "great_expectations"
    SCIKIT_LEARN = "scikit_learn"
    SQL = "sql"


class Series(NamedTuple):
    """What a rule follows from window to window: a measurement without its time."""

    model_version: str
    segment: str
    cadence: str
    suite: str
    metric: str
    column_name: str
    detail: str
    baseline: str
    engine: str

    @property
    def subject(self) -> str:
        """What is measured, as a person reads it: `psi of temp (7d, origin=JFK)`."""
        name = f"{self.metric} of {self.column_name}" if self.column_name else self.metric
        notes = (self.cadence, self.segment, self.model_version)
        return f"{name} ({', '.join(filter(None, notes))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number about one window: one row of the metrics table, whichever engine made it.

    A value that is missing or not finite is None and `reason` says why. `row_count` is how many
    rows were measured, `coverage` the share of the window's predictions that had a label.
    """

    monitor: str
    window: Window
    suite: Suite
    metric: str
    engine: Engine
    as_of: datetime
    value: float | None
    model_version: str = ""
    segment: str = ""
    column_name: str = ""
    detail: str = ""
    baseline: str = ""
    lower: float | None = None
    upper: float | None = None
    row_count: int | None = None
    coverage: float | None = None
    reason: str = ""
    reference_id: str = ""
    config_hash: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of", utc(self.as_of))
        for name in ("value", "lower", "upper", "coverage"):
            number = getattr(self, name)
            if number is None:
                continue
            number = float(number)
            if name == "value" and not math.isfinite(number) and not self.reason:
                object.__setattr__(self, "reason", f"the value is not finite ({number})")
            object.__setattr__(self, name, number if math.isfinite(number) else None)
        if self.value is None and not self.reason:
            raise ValueError(f"{self.metric}: a missing value needs a reason")

    @property
    def series(self) -> Series:
        """What this measurement has in common with those of other windows."""
        return Series(
            model_version=self.model_version,
            segment=self.segment,
            cadence=self.window.cadence,
            suite=str(self.suite),
            metric=self.metric,
            column_name=self.column_name,
            detail=self.detail,
            baseline=self.baseline,
            engine=str(self.engine),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What all measurements of one pass over one window share; makes them."""

    monitor: str
    window: Window
    as_of: datetime
    config_hash: str
    reference_id: str = ""
    model_version: str = ""
    segment: str = ""

    def measurement(
        self, suite: Suite, metric: str, value: float | None, *, engine: Engine, **rest: Any
    ) -> Measurement:
        """Return a measurement of this scope."""
        return Measurement(
            monitor=self.monitor,
            window=self.window,
            as_of=self.as_of,
            config_hash=self.config_hash,
            reference_id=self.reference_id,
            model_version=self.model_version,
            segment=self.segment,
            suite=suite,
            metric=metric,
            value=value,
            engine=engine,
            **rest,
        )


class Outcome(StrEnum):
    """What a rule says of a measurement."""

    OK = "ok"
    WARN = "warn"
    CRITICAL = "critical"
    NOT_EVALUATED = "not_evaluated"

    @property
    def failed(self) -> bool:
        """Whether the rule's bound was broken."""
        return self in (Outcome.WARN, Outcome.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says of one measurement.

    `streak` counts the windows in a row, up to and with this one, that broke the bound (a window
    that could not be evaluated is passed over); `firing` is whether that is long enough.
    """

    rule: str
    measurement: Measurement
    outcome: Outcome
    reason: str
    streak: int = 0
    firing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A rule that has failed long enough on one series, from firing to resolved."""

    monitor: str
    rule: str
    series: Series
    severity: Outcome
    began: datetime
    """End of the first failing window of the run of failures that fired."""
    fired: datetime
    """End of the window at which the run was long enough."""
    last_failed: datetime
    resolved: datetime | None = None
    note: str = field(default="", compare=False)
    """What was done about it, such as a retraining."""

    @property
    def first(self) -> Window:
        """The first window that failed."""
        return Window.ending(self.series.cadence, self.began)

    @property
    def id(self) -> str:
        """The same incident, found again by a rerun, has the same id."""
        return digest(self.monitor, self.rule, self.series, self.began.isoformat())


class ColumnKind(StrEnum):
    """How a column's values are to be compared: as numbers, or as categories.

    A text is the number of its characters, a timestamp its age: the seconds from it to the
    prediction, below 0 where it lies in the future. An instant is the seconds from 1970 to it; no
    feature is compared so, but expectations whose bounds are times.
    """

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TEXT = "text"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"

    @property
    def is_number(self) -> bool:
        """Whether numbers are compared."""
        return self is not ColumnKind.CATEGORICAL

    @property
    def counted(self) -> str:
        """Which number stands for a value, in words; '' where the value stands for itself."""
        return _COUNTED.get(self, "")

    def heading(self, name: str) -> str:
        """Name a column of this kind, with what is counted of it.

        >>> ColumnKind.TEXT.heading("comment"), ColumnKind.NUMERIC.heading("temp")
        ('comment (length in characters)', 'temp')
        """
        return f"{name} ({self.counted})" if self.counted else name


_COUNTED = {ColumnKind.TEXT: "length in characters", ColumnKind.TIMESTAMP: "age in seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """What the reference, or a window, holds in one column.

    `categories` maps a category to its rows and is None where there are too many to list or the
    column is sensitive; `minimum` and `maximum` are of the finite values of numeric columns, others
    are `infinite`.
    """

    kind: ColumnKind
    nulls: int
    minimum: float | None = None
    maximum: float | None = None
    infinite: int = 0
    categories: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStatistics:
    """Rows and columns of a stretch of the log, counted in the warehouse."""

    rows: int
    columns: Mapping[str, ColumnStatistics]

    def null_share(self, column: str) -> float | None:
        """Return the share of rows in which the column is null; None without rows."""
        return self.columns[column].nulls / self.rows if self.rows else None


class RetrainingState(StrEnum):
    """How far a retraining has come."""

    ADMITTED = "admitted"
    TRAINED = "trained"
    PASSED = "passed"
    REFUSED = "refused"
    REFITTED = "refitted"
    PROMOTED = "promoted"

    @property
    def final(self) -> bool:
        """Whether it has ended: the model was promoted, or the champion stays."""
        return self in (RetrainingState.REFUSED, RetrainingState.PROMOTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One verdict that asks for retraining; `incident` is the id of the incident it keeps open."""

    rule: str
    subject: str
    value: float | None
    window: str
    reason: str
    incident: str

    @classmethod
    def of(cls, incident: Incident, verdict: Verdict) -> "Evidence":
        """Return what a verdict that keeps an incident open says."""
        measurement = verdict.measurement
        return cls(
            rule=incident.rule,
            subject=measurement.series.subject,
            value=measurement.value,
            window=str(measurement.window),
            reason=verdict.reason,
            incident=incident.id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """One retraining of a monitor's model, on what was known `as_of` a moment.

    `decision` says in words what came of it and why. The challenger was trained on rows from
    `train_start` to `holdout_start` and compared with the champion on `rows` rows from there to
    `as_of`; `gain` is challenger minus champion in `metric`, with its 95% interval. `promoted` is
    the same recipe fitted on everything up to `as_of`. Digests are SHA-256, of the files.
    """

    monitor: str
    as_of: datetime
    state: RetrainingState
    reason: str
    evidence: tuple[Evidence, ...] = ()
    decision: str = ""
    champion: str = ""
    champion_sha256: str = ""
    challenger: str = ""
    challenger_sha256: str = ""
    promoted: str = ""
    promoted_sha256: str = ""
    metric: str = ""
    champion_value: float | None = None
    challenger_value: float | None = None
    gain: float | None = None
    lower: float | None = None
    upper: float | None = None
    rows: int | None = None
    train_start: datetime | None = None
    holdout_start: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of", utc(self.as_of))


class CauseKind(StrEnum):
    """What kind of thing made a model's performance fall."""

    NULLS = "nulls"
    NEW_CATEGORY = "new_category"
    RANGE = "range"
    """Values far beyond those of the reference, such as a sentinel."""
    UNIT = "unit"
    STUCK = "stuck"
    """A value, or a few, that repeat as they never did: a constant, a feature that went stale."""
    SCRAMBLED = "scrambled"
    """Values that no longer go with the other columns and the labels: joined to the wrong row."""
    SHIFT = "shift"
    SEGMENT_LOST = "segment_lost"
    ROWS_LOST = "rows_lost"
    DUPLICATES = "duplicates"
    CONCEPT = "concept"
    """The same inputs come out differently: everywhere, or in one segment."""
    LABELS_FLIPPED = "labels_flipped"
    LABELS_MISSING = "labels_missing"
    VERSION = "version"
    SCORE = "score"
    """The model answers otherwise than it did on such rows, under the same version."""
    FAILED_RUN = "failed_run"
    UNEXPLAINED = "unexplained"

    @property
    def of_inputs(self) -> bool:
        """Whether it is a fault or a shift of one column's values."""
        return self in _OF_INPUTS


_OF_INPUTS = {
    CauseKind.NULLS,
    CauseKind.NEW_CATEGORY,
    CauseKind.RANGE,
    CauseKind.UNIT,
    CauseKind.STUCK,
    CauseKind.SCRAMBLED,
    CauseKind.SHIFT,
    CauseKind.SEGMENT_LOST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that can explain why performance fell; the likeliest has rank 1.

    `share` is the part of the fall that it carries, 0 to 1 (causes overlap: shares need not add up
    to 1), None where it is unknown. `segment` reads `origin=JFK` or `temp >= 61.3`. `began` is the
    hour in which it began. `words` says it in a sentence with its numbers.
    """

    rank: int
    kind: CauseKind
    words: str
    column: str = ""
    segment: str = ""
    share: float | None = None
    began: datetime | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError(f"a share is between 0 and 1, not {self.share}")
        if self.began is not None:
            object.__setattr__(self, "began", utc(self.began))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a metric is worse in a window than in the reference: how much is whose, and the causes.

    `fall` is by how much, in the metric's units and its bad direction, with its 95% interval.
    `inputs` is the part that other inputs explain, `relation` what the same inputs now cost more,
    with its 95% interval; they add up to the fall, and are None where too few rows are labelled to
    tell.
    """

    reference_value: float | None
    window_value: float | None
    rows: int
    """Labelled rows of the window that were looked at."""
    words: str
    fall: float | None = None
    lower: float | None = None
    upper: float | None = None
    inputs: float | None = None
    relation: float | None = None
    relation_lower: float | None = None
    relation_upper: float | None = None
    causes: tuple[Cause, ...] = ()

    @classmethod
    def unknown(cls, why: str) -> "Explanation":
        """Return that there is no explanation, and why."""
        return cls(reference_value=None, window_value=None, rows=0, words=f"not explained: {why}")

    @property
    def lines(self) -> tuple[str, ...]:
        """What a message says of it: the fall, and the first two causes."""
        return (self.words, *(f"{cause.rank}. {cause.words}" for cause in self.causes[:2]))

    @property
    def fell(self) -> bool:
        """Whether performance fell beyond its noise."""
        return self.lower is not None and self.lower > 0
