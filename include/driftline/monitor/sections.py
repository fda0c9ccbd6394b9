"""The sections of a monitor file, as pydantic models: what a person may write under each key."""

import re
from datetime import timedelta
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from driftline.domain import ColumnKind, Engine, Outcome, digest
from driftline.hidden import covers
from driftline.monitor.fields import (
    Cadence,
    Column,
    Columns,
    Duration,
    Moment,
    Name,
    Pattern,
    Scalar,
    Share,
    Zone,
    fault,
    listed,
    slug,
    written,
)


class Task(StrEnum):
    """What the model predicts; `none`: nothing, a table is watched for its drift and quality."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    NONE = "none"


class Section(BaseModel):
    """A mapping in the file: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )


FILES = ("parquet", "json", "csv")
"""The kinds of files that DuckDB reads in place."""


class Table(Section):
    """Where rows come from: exactly one of a table, a query, files of one kind."""

    table: str | None = Field(None, description="[schema.]table")
    query: str | None = Field(None, description="SELECT ...")
    parquet: str | None = Field(None, description="path/**/*.parquet, read in place by DuckDB")
    json_files: str | None = Field(
        None, alias="json", description="the same of JSON, or lines of it"
    )
    csv: str | None = Field(None, description="the same of CSV")

    @property
    def named(self) -> tuple[str, ...]:
        """Which of these keys hold a value."""
        return tuple(key for key, value in self.places.items() if value)

    @property
    def places(self) -> dict[str, str | None]:
        """What each of the keys holds."""
        return {
            "table": self.table,
            "query": self.query,
            "parquet": self.parquet,
            "json": self.json_files,
            "csv": self.csv,
        }

    @property
    def files(self) -> tuple[str, str] | None:
        """The kind of the files, as the key has it, and their path."""
        found = ((kind, path) for kind in FILES if (path := self.places[kind]))
        return next(found, None)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if len(self.named) > 1:
            found = " and ".join(self.named)
            raise ValueError(f"write one of table, query, parquet, json, csv; found {found}")
        return self


class Status(Section):
    """The serving status of a request, and which values mean that it went well."""

    column: Column
    ok: Annotated[tuple[Scalar, ...], Field(min_length=1)] = (200,)


class Partition(Section):
    """The column that the log is partitioned by; rows of a window lie within `slack` of its day."""

    column: Column
    slack: Duration = timedelta(days=1)


class Predictions(Table):
    """The prediction log; with `task: none` the table that is watched."""

    id: Columns | None = None
    timestamp: Column
    score: Column | dict[str, Column] | None = None
    prediction: Column | None = None
    where: str | None = None
    version: Column | None = None
    latency_ms: Column | None = None
    status: Status | None = None
    positive: Scalar | None = None
    threshold: float = 0.5
    partition: Partition | None = None
    timezone: Zone = "UTC"
    settle: Duration = timedelta(minutes=10)
    lookback: Duration = timedelta(days=3)

    @field_validator("score", mode="before")
    @classmethod
    def _class_names(cls, value: object) -> object:
        if isinstance(value, dict):
            return {str(name): column for name, column in value.items()}
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.named:
            raise ValueError("write one of table, query, parquet, json, csv")
        return self


class Absent(Section):
    """What it means that a prediction of this age has no label: tables of positives only."""

    value: Scalar = Field(description="the label that such a prediction gets")
    after: Duration = Field(description="how old it is by then; before that it has no label")


class EventJoin(Section):
    """Labels that are events of a key: those from the prediction on, for as long as `within`."""

    key: Columns = Field(description="a column of both tables, or a list of them")
    within: Duration = Field(description="how long after the prediction an event still counts")


class Labels(Table):
    """Where the truth comes from; without a table it stands in the prediction's own row."""

    id: Columns | None = None
    timestamp: Column | None = Field(None, description="of several labels the newest counts")
    loaded_at: Column | None = Field(
        None, description="since when a label is known, where its timestamp is of an earlier time"
    )
    label: Column
    absent: Absent | None = None
    join: EventJoin | None = None
    maturity: Duration = Field(
        timedelta(hours=24),
        description="the age at which a window is judged whatever is missing; not below "
        "absent.after",
    )
    min_coverage: Share = 0.8
    lookback: Duration = Field(
        timedelta(days=30),
        description="how old a prediction may be whose label is still looked for; at least "
        "maturity, join.within and a day more than absent.after",
    )

    @model_validator(mode="after")
    def _known_in_time(self) -> Self:
        absent, join = self.absent, self.join
        if join:
            self._joined(join)
        least = {"absent.after": absent.after} if absent else {}
        self._at_least("maturity", least)
        least = {"maturity": self.maturity}
        if absent:
            least["absent.after and a day"] = absent.after + timedelta(days=1)
        if join:
            least["join.within"] = join.within
        self._at_least("lookback", least)
        return self

    def _joined(self, join: EventJoin) -> None:
        """Refuse what events cannot be joined by."""
        if not self.named:
            raise fault("labels.join", "events have a table of their own: write labels.table")
        if self.timestamp is None:
            raise fault("labels.join", "write labels.timestamp: when the events happened")
        if self.id:
            raise fault("labels.join", "write labels.id or labels.join: labels are found by one")
        if self.absent and self.absent.after < join.within:
            raise fault(
                "labels.absent.after",
                f"found {written(self.absent.after)}; events count for {written(join.within)} "
                "(labels.join.within): write that or more",
            )

    def _at_least(self, key: str, bounds: dict[str, timedelta]) -> None:
        """Raise a default that is too short; refuse what is written so."""
        found: timedelta = getattr(self, key)
        name, least = max(bounds.items(), key=lambda bound: bound[1], default=("", found))
        if found >= least:
            return
        if key in self.model_fields_set:
            raise fault(
                f"labels.{key}",
                f"found {written(found)}; labels.{name} asks for {written(least)} or more",
            )
        object.__setattr__(self, key, least)  # frozen, and still not what the file wrote


class Features(Section):
    """Which columns are features; inferred where neither numeric nor categorical is written.

    What stands under text is watched by its length, under timestamp by its age; either way.
    """

    numeric: tuple[Column, ...] | None = None
    categorical: tuple[Column, ...] | None = None
    text: tuple[Column, ...] = Field((), description="free text, watched by its length")
    timestamp: tuple[Column, ...] = Field(
        (), description="times, watched by their age: the seconds from them to the prediction"
    )
    exclude: tuple[Column, ...] = ()
    sensitive: tuple[Column, ...] = Field(
        (), description="watched by hashes of their values, which are never shown"
    )

    def hides(self, name: str) -> bool:
        """Whether a column or path is sensitive, lies inside of what is, or holds some of it."""
        return covers(self.sensitive, name)

    @property
    def listed(self) -> tuple[str, ...]:
        """The features that the file names by the kind that they are."""
        return tuple(name for kind in self._kinds() for name in getattr(self, kind) or ())

    @staticmethod
    def _kinds() -> list[ColumnKind]:
        """Return the kinds that features are listed by; an instant is none of them."""
        return [kind for kind in ColumnKind if kind is not ColumnKind.INSTANT]

    @model_validator(mode="after")
    def _no_overlap(self) -> Self:
        lists = {str(kind): set(getattr(self, kind) or ()) for kind in self._kinds()}
        for (one, these), (other, those) in combinations(lists.items(), 2):
            if both := these & those:
                raise ValueError(f"{', '.join(sorted(both))} cannot be {one} and {other} at once")
        return self


class ReferenceRows(Table):
    """What windows are compared with: a stretch of the log, a table, or a sliding past."""

    window: tuple[Moment, Moment] | None = None
    previous: Duration | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [*self.named, *(k for k in ("window", "previous") if getattr(self, k) is not None)]
        if len(kinds) != 1:
            raise ValueError(
                "write one of window, previous, table, query, parquet, json, csv"
                + (f"; found {' and '.join(kinds)}" if kinds else "")
            )
        if self.window and self.window[0] >= self.window[1]:
            raise ValueError(
                f"the window runs backwards: {self.window[0]:%Y-%m-%d} to {self.window[1]:%Y-%m-%d}"
            )
        if self.previous is not None and self.previous < timedelta(days=1):
            raise ValueError("previous must be a day or longer")
        return self


class Expectation(Section):
    """A Great Expectations expectation by its own name, its arguments and its severity."""

    type: Annotated[str, Field(pattern=r"^expect_\w+$")]
    kwargs: dict[str, Any] = Field(default_factory=dict)
    severity: Literal["warn", "critical"] = "warn"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict) or "type" in value:
            return value
        if len(value) != 1:
            raise ValueError("write one expectation an entry: - expect_...: {column: ...}")
        ((name, arguments),) = value.items()
        arguments = {} if arguments is None else arguments
        if not isinstance(arguments, dict):
            raise ValueError(f"the arguments of {name} are a mapping, such as {{column: carrier}}")
        kwargs = {key: argument for key, argument in arguments.items() if key != "severity"}
        severity = {"severity": arguments["severity"]} if "severity" in arguments else {}
        return {"type": str(name), "kwargs": kwargs, **severity}

    @model_validator(mode="after")
    def _can_be_named(self) -> Self:
        try:
            assert self.detail is not None
        except TypeError:
            raise ValueError("the keys of a mapping are all words, or all numbers") from None
        return self

    @property
    def column(self) -> str:
        """The column that it speaks of; '' when it is about the table."""
        return str(self.kwargs.get("column", ""))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it speaks of."""
        single = [self.kwargs.get(key) for key in ("column", "column_A", "column_B")]
        several = listed(self.kwargs.get("column_list") or ())
        return tuple(str(name) for name in (*single, *several) if name is not None)

    @property
    def detail(self) -> str:
        """What tells it apart from others of its type on the same column."""
        rest = {key: value for key, value in self.kwargs.items() if key != "column"}
        return digest(rest) if rest else ""


class DriftMethod(StrEnum):
    """How drift is measured, under the names that its measurements carry."""

    PSI = "psi"
    JENSEN_SHANNON = "jensen_shannon"
    KL = "kl"
    HELLINGER = "hellinger"
    TOTAL_VARIATION = "total_variation"
    L_INFINITY = "l_infinity"
    KS = "ks"
    CRAMER_VON_MISES = "cramer_von_mises"
    CHI_SQUARE = "chi_square"
    G_TEST = "g_test"
    WASSERSTEIN = "wasserstein"
    MEAN_SHIFT = "mean_shift"
    NULL_SHARE = "null_share"

    @property
    def only(self) -> ColumnKind | None:
        """What it compares, numbers or categories; None when it compares both."""
        return _ONLY.get(self)

    def compares(self, kind: ColumnKind) -> bool:
        """Whether it compares columns of this kind."""
        return self.only is None or (self.only is ColumnKind.NUMERIC) == kind.is_number


_ONLY = {
    DriftMethod.KS: ColumnKind.NUMERIC,
    DriftMethod.CRAMER_VON_MISES: ColumnKind.NUMERIC,
    DriftMethod.WASSERSTEIN: ColumnKind.NUMERIC,
    DriftMethod.MEAN_SHIFT: ColumnKind.NUMERIC,
    DriftMethod.CHI_SQUARE: ColumnKind.CATEGORICAL,
    DriftMethod.G_TEST: ColumnKind.CATEGORICAL,
}


def _methods(value: object) -> object:
    return () if value == "auto" else listed(value)


Methods = Annotated[tuple[DriftMethod, ...], BeforeValidator(_methods)]


class Profiler(StrEnum):
    """Who counts profiles: the warehouse, or numpy, to which the rows are streamed."""

    AUTO = "auto"
    SQL = "sql"
    STREAM = "stream"


class ColumnDrift(Section):
    """How drift of one column is measured."""

    method: Methods = ()


class Baseline(StrEnum):
    """What a window is compared with: the frozen reference, and windows that came before it."""

    REFERENCE = "reference"
    PREVIOUS = "previous"
    SEASONAL = "seasonal"


class Drift(Section):
    """How drift is measured; an empty `method` is `auto`.

    The reference is always a baseline. Others are the `previous` window, and `seasonal`: the same
    hours of the four weeks before.
    """

    method: Methods = ()
    baselines: Annotated[tuple[Baseline, ...], BeforeValidator(listed)] = (Baseline.REFERENCE,)
    columns: dict[str, ColumnDrift] = Field(default_factory=dict)
    rows: Annotated[int, Field(ge=100, le=100_000_000)] = 100_000
    profiler: Profiler = Profiler.AUTO
    domain_classifier: bool = Field(
        True,
        description="whether a classifier is trained once a day to tell the day's features from "
        "the reference's: domain_classifier_auc, some two seconds of one core",
    )


class Business(Section):
    """A business metric: a SQL aggregate of the log's columns, trusted and reviewed like code."""

    sql: Annotated[str, Field(min_length=1, description="such as avg(price)")]
    better: Literal["higher", "lower"] | None = Field(
        None, description="which way is good; without it rules take min and max only"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"sql": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(core)]}

    @field_validator("sql")
    @classmethod
    def _one_expression(cls, value: str) -> str:
        words = _QUOTED.sub("", value)
        if not words.strip():
            raise ValueError("write a SQL aggregate, such as avg(price)")
        if ";" in words:
            raise ValueError("write one expression, without a semicolon")
        return value


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""What a semicolon may stand in."""


class Worsening(Section):
    """How much worse than the reference a value may be: a share of it, an amount, or so many
    standard deviations of the reference's own windows of that length.
    """

    amount: Annotated[float, Field(ge=0)]
    relative: bool = False
    deviations: bool = False

    @model_serializer
    def _written(self) -> str | float:
        if self.deviations:
            return f"{self.amount:g}sd"
        return f"{self.amount * 100:g}%" if self.relative else self.amount


def _worsenings(value: object) -> object:
    if isinstance(value, list | tuple) and value:
        return tuple(_worsening(each) for each in value)
    return _worsening(value)


def _worsening(value: object) -> object:
    if isinstance(value, str) and value.strip().endswith("sd"):
        try:
            return Worsening(amount=float(value.strip()[:-2]), deviations=True)
        except ValueError:
            pass
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return Worsening(amount=float(value.strip()[:-1]) / 100, relative=True)
        except ValueError:
            pass
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Worsening(amount=float(value))
    if isinstance(value, Worsening):
        return value
    raise ValueError(
        "write a share of the reference's value (5%), an amount (0.05), standard deviations of "
        "the reference's windows (3sd), or a list of them"
    )


_ONE_WORSENING = {"anyOf": [{"type": "string", "pattern": r"(%|sd)\s*$"}, {"type": "number"}]}
Worsenings = Annotated[
    Worsening | Annotated[tuple[Worsening, ...], Field(min_length=1)],
    BeforeValidator(_worsenings),
    WithJsonSchema(
        {"anyOf": [*_ONE_WORSENING["anyOf"], {"type": "array", "items": _ONE_WORSENING}]}
    ),
]


class Rule(Section):
    """A bound on what it selects, how many windows in a row may break it, and what follows."""

    name: Name = ""
    metric: Annotated[str, Field(min_length=1)]
    columns: Pattern = ("*",)
    segment: str = ""
    version: str = ""
    engine: Engine | None = None
    suite: Literal["estimate"] | None = Field(
        None, description="estimate: performance as it is expected before labels come"
    )
    baseline: Baseline | None = None
    detail: str | None = None
    window: Cadence | None = None
    min: float | None = None
    max: float | None = None
    worse_by: Worsenings | None = Field(
        None, description="than the reference; of a list, by every one that the reference tells"
    )
    surely: bool = Field(
        False,
        description="whether the bound must lie outside of the value's 95% interval, whose wider "
        "half is taken for both",
    )
    in_a_row: Annotated[int, Field(ge=1)] = Field(1, alias="for")
    min_rows: Annotated[int, Field(ge=0)] = 0
    severity: Literal["warn", "critical"] = "warn"
    then: tuple[Literal["alert", "retrain"], ...] = ("alert",)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, dict) and not value.get("name") and value.get("metric"):
            columns = listed(value.get("columns", ()))
            words = [str(value["metric"]), *(str(c) for c in columns if c != "*")]
            words = [str(value["suite"]), *words] if value.get("suite") else words
            return {**value, "name": slug(" ".join([*words, str(value.get("window") or "")]))}
        return value

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None and self.worse_by is None:
            raise ValueError("write a bound: min, max or worse_by")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min:g}) is above max ({self.max:g})")
        return self

    @property
    def worsenings(self) -> tuple[Worsening, ...]:
        """What `worse_by` lists."""
        if self.worse_by is None:
            return ()
        return self.worse_by if isinstance(self.worse_by, tuple) else (self.worse_by,)

    @property
    def outcome(self) -> Outcome:
        """What a broken bound is called."""
        return Outcome(self.severity)


class Schedule(Section):
    """When the DAGs run, between which dates they catch up, and in which of Airflow's pools."""

    hourly: bool = True
    start: Moment | None = None
    end: Moment | None = None
    pool: str | None = None
    queue: str | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"it runs backwards: {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}")
        return self


class Route(Section):
    """One channel that a message goes to."""

    slack: str | None = None
    email: str | None = None
    pagerduty: str | None = None

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("write one channel an entry: slack, email or pagerduty")
        return self

    @property
    def channel(self) -> str:
        """The name of the channel."""
        return next(iter(self.model_fields_set))

    @property
    def target(self) -> str:
        """Who is spoken to on it."""
        return str(getattr(self, self.channel))


Severity = Literal["warn", "critical"]
Routes = dict[Severity, tuple[Route, ...]]


class Gate(Section):
    """What a challenger must win to replace the champion."""

    metric: str | None = None
    holdout: Duration = timedelta(days=14)


class Retraining(Section):
    """How the model is retrained: a function, or a DAG of the user's own."""

    train: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None
    dag: Name | None = None
    window: Duration = timedelta(days=60)
    cooldown: Duration = timedelta(days=3)
    gate: Gate = Gate()
    rows: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 1_000_000
    approval: Literal["human", "none"] = "human"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.train is None) == (self.dag is None):
            raise ValueError("write one of train (module:function) and dag (a DAG's id)")
        return self
