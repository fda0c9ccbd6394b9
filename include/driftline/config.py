"""What a person writes: the monitor file as pydantic models. Reading it is `monitor_file`'s job."""

import difflib
import re
from datetime import timedelta
from enum import StrEnum
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from driftline import metrics
from driftline.domain import ColumnKind, Outcome, cadence_length, digest
from driftline.fields import (
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
    listed,
    slug,
    written,
)


def _fault(key: str, problem: str) -> PydanticCustomError:
    """Return an error about this key, for faults that only the whole file shows."""
    return PydanticCustomError("inconsistent", "{problem}", {"key": key, "problem": problem})


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Section(BaseModel):
    """A mapping in the file: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Table(Section):
    """Where rows come from: exactly one of a table, a query, Parquet files."""

    table: str | None = Field(None, description="[schema.]table")
    query: str | None = Field(None, description="SELECT ...")
    parquet: str | None = Field(None, description="path/**/*.parquet, read in place by DuckDB")

    @property
    def named(self) -> tuple[str, ...]:
        """Which of the three keys hold a value."""
        return tuple(key for key in ("table", "query", "parquet") if getattr(self, key))

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if len(self.named) > 1:
            found = " and ".join(self.named)
            raise ValueError(f"write one of table, query, parquet; found {found}")
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
    """The prediction log."""

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
            raise ValueError("write one of table, query, parquet")
        if self.score is None and self.prediction is None:
            raise ValueError("write score, prediction or both")
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
            raise _fault("labels.join", "events have a table of their own: write labels.table")
        if self.timestamp is None:
            raise _fault("labels.join", "write labels.timestamp: when the events happened")
        if self.id:
            raise _fault("labels.join", "write labels.id or labels.join: labels are found by one")
        if self.absent and self.absent.after < join.within:
            raise _fault(
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
            raise _fault(
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
    sensitive: tuple[Column, ...] = ()

    @model_validator(mode="after")
    def _no_overlap(self) -> Self:
        lists = {str(kind): set(getattr(self, kind) or ()) for kind in ColumnKind}
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
                "write one of window, previous, table, query, parquet"
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

    @property
    def column(self) -> str:
        """The column that it speaks of; '' when it is about the table."""
        return str(self.kwargs.get("column", ""))

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
    rows: Annotated[int, Field(ge=100)] = 100_000
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


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
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
        "write a share of the reference's value (5%), an amount (0.05) or standard deviations of "
        "the reference's windows (3sd)"
    )


class Rule(Section):
    """A bound on what it selects, how many windows in a row may break it, and what follows."""

    name: Name = ""
    metric: Annotated[str, Field(min_length=1)]
    columns: Pattern = ("*",)
    segment: str = ""
    version: str = ""
    engine: str | None = None
    suite: Literal["estimate"] | None = Field(
        None, description="estimate: performance as it is expected before labels come"
    )
    baseline: Baseline | None = None
    detail: str | None = None
    window: Cadence | None = None
    min: float | None = None
    max: float | None = None
    worse_by: Annotated[Worsening, BeforeValidator(_worsening)] | None = None
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
    rows: Annotated[int, Field(ge=1000)] = 1_000_000
    approval: Literal["human", "none"] = "human"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.train is None) == (self.dag is None):
            raise ValueError("write one of train (module:function) and dag (a DAG's id)")
        return self


class Defaults(Section):
    """`driftline.yaml`: what holds for every monitor of its folder that does not say otherwise."""

    warehouse: str | None = None
    store: str | None = None
    artifacts: str | None = None
    owner: str = "driftline"
    schedule: Schedule = Schedule()
    windows: tuple[Cadence, ...] = ("1h", "1d", "7d")
    statement_timeout: Duration = timedelta(minutes=30)
    routes: Routes = Field(default_factory=dict)

    @field_validator("windows")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("write at least one window, such as 1d")
        return tuple(sorted(set(value), key=cadence_length))

    @field_validator("statement_timeout")
    @classmethod
    def _some_time(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(days=24):  # PostgreSQL counts no further
            raise ValueError("write 1s to 24d, such as 30m")
        return value


_OF_HASHES = (
    "expect_column_to_exist",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_be_null",
    "expect_column_values_to_be_unique",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
)
"""What can be expected of a column whose values are hashed."""


class Monitor(Defaults):
    """One model under watch."""

    monitor: Name
    task: Task
    predictions: Predictions
    labels: Labels | None = None
    reference: ReferenceRows
    features: Features = Features()
    segments: tuple[Column, ...] = ()
    quality: tuple[Expectation, ...] = ()
    drift: Drift = Drift()
    business: dict[Name, Business] = Field(default_factory=dict)
    rules: tuple[Rule, ...] | None = None
    retraining: Retraining | None = None

    _path: Path = PrivateAttr(default=Path("monitor.yaml"))

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return self._path

    @property
    def folder(self) -> Path:
        """The folder that its relative paths start from."""
        return self._path.resolve().parent

    @property
    def prediction_columns(self) -> tuple[str, ...]:
        """The columns that hold what the model said: scores, else the prediction."""
        score = self.predictions.score
        if isinstance(score, dict):
            return tuple(score.values())
        return (score,) if score else (self.predictions.prediction or "",)

    @property
    def estimated(self) -> bool:
        """Whether performance can be estimated before labels: from scores, or predicted values."""
        scored = self.task is Task.REGRESSION or self.predictions.score is not None
        return self.labels is not None and scored

    @property
    def gate_metric(self) -> str:
        """What the gate compares in: as the file says, else log loss, accuracy or RMSE."""
        if self.retraining and self.retraining.gate.metric:
            return self.retraining.gate.metric
        if self.task is Task.REGRESSION:
            return "rmse"
        return "log_loss" if self.predictions.score else "accuracy"

    @property
    def not_acted_on(self) -> tuple[str, ...]:
        """What the file asks for and this version reads, but does not do yet."""
        routed = {route.channel for routes in self.routes.values() for route in routes}
        asked = {
            "rules: `then: retrain` has no effect without `retraining:`": self.retraining is None
            and any("retrain" in r.then for r in self.rules or ()),
            "routes: email and pagerduty go to the log yet": routed - {"slack"},
        }
        return tuple(note for note, written in asked.items() if written)

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of what is measured of how requests are served; none without its columns."""
        latency = metrics.LATENCY if self.predictions.latency_ms else ()
        failures = (metrics.ERROR_SHARE,) if self.predictions.status else ()
        return (metrics.THROUGHPUT, *latency, *failures) if latency or failures else ()

    def drift_methods(self, column: str, kind: ColumnKind | None = None) -> tuple[DriftMethod, ...]:
        """Return how drift of a column is measured; `auto` is PSI and what the rules speak of.

        What is written for all columns holds where it compares this kind, else PSI does.
        """
        own = self.drift.columns.get(column)
        if own and own.method:
            return own.method
        asked = {rule.metric for rule in self.rules or ()}
        general = self.drift.method or tuple(
            method
            for method in DriftMethod
            if method is DriftMethod.PSI or asked & set(metrics.DRIFT[method])
        )
        fitting = (m for m in general if kind is None or m.compares(kind))
        return tuple(fitting) or (DriftMethod.PSI,)

    @property
    def config_hash(self) -> str:
        """A name for all that shapes the numbers; rules, routes and schedules do not.

        Nor does `drift.domain_classifier`: with it there is a number more, the others are the same.
        """
        shaping = self.model_dump(
            mode="json",
            include={"task", "predictions", "labels", "reference", "features", "segments"},
            exclude={
                "predictions": {"settle", "lookback"},
                "labels": {"maturity", "min_coverage", "lookback"},
            },
        )
        methods = {name: self.drift_methods(name) for name in ("", *self.drift.columns)}
        business = {name: metric.sql for name, metric in self.business.items()}
        # A file without them keeps the name that it had before there were any.
        return digest(
            shaping, self.warehouse, methods, self.drift.rows, *([business] if business else ())
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        predictions, labels = self.predictions, self.labels
        if self.warehouse is None and "parquet" not in predictions.named:
            raise _fault("warehouse", "write a connection id or a URL (only parquet: needs none)")
        if labels and labels.named and not labels.join:
            if not labels.id or not predictions.id:
                raise _fault(
                    "labels",
                    "write id here and under predictions: it joins the two "
                    "(or join, for events without it)",
                )
            if len(labels.id) != len(predictions.id):
                raise _fault(
                    "labels.id",
                    f"it has {len(labels.id)} columns and predictions.id {len(predictions.id)}; "
                    "they are joined one by one",
                )
        if self.task is Task.MULTICLASS:
            if isinstance(predictions.score, str):
                raise _fault(
                    "predictions.score",
                    "that of a multiclass model maps each class to its column, "
                    "such as {cat: p_cat, dog: p_dog}",
                )
        elif isinstance(predictions.score, dict):
            raise _fault("predictions.score", f"that of a {self.task} model is one column")
        if self.task is Task.REGRESSION and predictions.prediction is None:
            raise _fault("predictions", "write prediction: the value that the model predicts")
        names = [rule.name for rule in self.rules or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise _fault("rules", f"each needs a name of its own; twice: {', '.join(twice)}")
        asked = [(each.type, each.column, each.detail) for each in self.quality]
        for number, one in enumerate(asked):
            if one in asked[:number]:
                raise _fault(f"quality.{number}", f"the same as quality.{asked.index(one)}")
            if one[1] in self.features.sensitive and one[0] not in _OF_HASHES:
                raise _fault(
                    f"quality.{number}",
                    f"{one[1]} is sensitive: its values are hashed and can only be asked for "
                    + ", ".join(_OF_HASHES),
                )
        by_number = {*self.features.text, *self.features.timestamp}
        if parting := by_number & set(self.segments):
            raise _fault(
                "segments",
                f"{', '.join(sorted(parting))} stands under features.text or timestamp: "
                "what is watched by its length or age parts no rows",
            )
        if predictions.timestamp in self.features.timestamp:
            raise _fault(
                "features.timestamp",
                f"{predictions.timestamp} is the time of the prediction: its age is always 0",
            )
        if taken := sorted(set(self.business) & metrics.KNOWN):
            raise _fault(f"business.{taken[0]}", "the name is that of another metric; take another")
        if self.retraining:
            self._can_be_retrained(self.retraining)
        for number, rule in enumerate(self.rules or ()):
            self._can_be_judged(f"rules.{number}", rule)
        return self

    @property
    def _days(self) -> list[str]:
        return [window for window in self.windows if window != "1h"]

    def _can_be_retrained(self, how: Retraining) -> None:
        """Refuse a retraining that could never pass its gate."""
        if how.train is None:
            return
        if self.labels is None:
            raise _fault("retraining", "a model is trained on labels; write labels:")
        compared = set(metrics.PERFORMANCE[self.task]) & set(metrics.GATE)
        if self.gate_metric not in compared:
            allowed = ", ".join(sorted(compared))
            raise _fault(
                "retraining.gate.metric",
                f"found {self.gate_metric!r}; a {self.task} model is compared in: {allowed}",
            )

    def _can_be_estimated(self, key: str, rule: Rule) -> None:
        """Refuse a rule on an estimate that is never made."""
        if not self.estimated:
            raise _fault(
                f"{key}.suite",
                "estimates are made of scores or predicted values, and "
                "learnt from labels: write both",
            )
        known = metrics.ESTIMATED[self.task]
        if rule.metric not in known:
            allowed = ", ".join(known)
            raise _fault(f"{key}.metric", f"found {rule.metric!r}; estimated are: {allowed}")
        if rule.window == "1h":
            raise _fault(f"{key}.window", "estimates are made for windows of days")

    def _can_be_judged(self, key: str, rule: Rule) -> None:
        """Refuse a rule that no measurement can ever meet: it would be silent for ever."""
        if rule.window and rule.window not in self.windows:
            raise _fault(
                f"{key}.window", f"{rule.window} is not among windows: {', '.join(self.windows)}"
            )
        if rule.baseline not in (None, Baseline.REFERENCE, *self.drift.baselines):
            raise _fault(f"{key}.baseline", f"{rule.baseline} is not among drift.baselines")
        drift = [metrics.DRIFT_SHARE]
        if self.drift.domain_classifier and (days := self._days):
            drift.append(metrics.DOMAIN_CLASSIFIER_AUC)
            if rule.metric == metrics.DOMAIN_CLASSIFIER_AUC and rule.window not in (None, days[0]):
                raise _fault(
                    f"{key}.window",
                    f"found {rule.window}; {rule.metric} is measured once a day, on {days[0]}",
                )
        for column in ("", *self.drift.columns):
            drift += (name for m in self.drift_methods(column) for name in metrics.DRIFT[m])
        performance = metrics.PERFORMANCE[self.task] if self.labels else ()
        if rule.suite:
            self._can_be_estimated(key, rule)
            return
        own = (*self.operations, *self.business)
        known = [*metrics.QUALITY, *dict.fromkeys(drift), *performance, *own]
        business = self.business.get(rule.metric)
        if rule.worse_by and business and business.better is None:
            raise _fault(
                f"{key}.worse_by",
                f"nothing says which way {rule.metric} is worse: write min or max here, or "
                f"business.{rule.metric}: {{sql: ..., better: higher}} (or lower)",
            )
        if rule.metric in known or rule.metric.startswith("expect_"):
            return
        nearest = difflib.get_close_matches(rule.metric, known, n=1)
        hint = f". Did you mean {nearest[0]!r}?" if nearest else ""
        if rule.metric in metrics.OPERATIONS:
            hint = f". It needs {metrics.OPERATIONS[rule.metric]}"
        raise _fault(
            f"{key}.metric",
            f"nothing here measures {rule.metric!r}; there are: {', '.join(known)}{hint}",
        )
