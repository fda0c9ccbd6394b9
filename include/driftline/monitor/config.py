"""The monitor file as a pydantic model; `sections` has its parts, `monitor_file` reads it."""

import difflib
import re
from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from driftline import hidden, metrics
from driftline.domain import ColumnKind, Engine, cadence_length, digest
from driftline.monitor.fields import Cadence, Column, Duration, Name, fault
from driftline.monitor.sections import (
    Baseline,
    Business,
    Drift,
    DriftMethod,
    Expectation,
    Features,
    Labels,
    Predictions,
    ReferenceRows,
    Retraining,
    Routes,
    Rule,
    Schedule,
    Section,
    Task,
)
from driftline.printable import amount


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
    "expect_column_pair_values_to_be_equal",
    "expect_compound_columns_to_be_unique",
    "expect_select_column_values_to_be_unique_within_record",
)
"""What can be expected of a column whose values are hashed."""


_HASH = re.compile(rf"[0-9a-f]{{{hidden.DIGITS}}}|\*?")
"""How a rule can name values that are hidden: one by its hash, or all of them."""

_OF_A_MODEL = ("score", "prediction", "positive", "threshold")
"""What may stand under `predictions` only where a model predicts."""


class Monitor(Defaults):
    """One model under watch, or, with `task: none`, one table."""

    monitor: Annotated[Name, Field(max_length=100)]  # a tag in Airflow has no more characters
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
        """The columns that hold what the model said: scores, else the prediction, if any."""
        score, prediction = self.predictions.score, self.predictions.prediction
        if isinstance(score, dict):
            return tuple(score.values())
        return tuple(name for name in (score or prediction,) if name)

    @property
    def row(self) -> str:
        """What a row of the log is called."""
        return "row" if self.task is Task.NONE else "prediction"

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
            "drift.baselines: with reference.previous each window is compared with that past "
            "only, and these have no effect": self.reference.previous is not None
            and {*self.drift.baselines} - {Baseline.REFERENCE},
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
        secret = hidden.fingerprint(hidden.key()) if self.features.sensitive else ""
        return digest(
            shaping,
            self.warehouse,
            methods,
            self.drift.rows,
            *([business] if business else ()),
            *([{"key": secret}] if secret else ()),
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        predictions, labels = self.predictions, self.labels
        if self.warehouse is None and predictions.files is None:
            raise fault(
                "warehouse", "write a connection id or a URL (only parquet, json, csv need none)"
            )
        if self.task is Task.NONE:
            self._has_no_model()
        elif not self.prediction_columns:
            raise fault(
                "predictions",
                "write score, prediction or both; a table without predictions has task: none",
            )
        if labels and labels.named and not labels.join:
            if not labels.id or not predictions.id:
                raise fault(
                    "labels",
                    "write id here and under predictions: it joins the two "
                    "(or join, for events without it)",
                )
            if len(labels.id) != len(predictions.id):
                raise fault(
                    "labels.id",
                    f"it has {amount(len(labels.id), 'column')} and predictions.id "
                    f"{len(predictions.id)}; they are joined one by one",
                )
        if self.task is Task.MULTICLASS:
            if isinstance(predictions.score, str):
                raise fault(
                    "predictions.score",
                    "that of a multiclass model maps each class to its column, "
                    "such as {cat: p_cat, dog: p_dog}",
                )
        elif isinstance(predictions.score, dict):
            raise fault("predictions.score", f"that of a {self.task} model is one column")
        if self.task is Task.REGRESSION and predictions.prediction is None:
            raise fault("predictions", "write prediction: the value that the model predicts")
        names = Counter(rule.name for rule in self.rules or ())
        twice = sorted(name for name, times in names.items() if times > 1)
        if twice:
            raise fault("rules", f"each needs a name of its own; twice: {', '.join(twice)}")
        asked: dict[tuple[str, str, str], int] = {}
        for number, each in enumerate(self.quality):
            one = (each.type, each.column, each.detail)
            if (first := asked.setdefault(one, number)) != number:
                raise fault(f"quality.{number}", f"the same as quality.{first}")
            secret = [name for name in each.columns if self.features.hides(name)]
            if secret and each.type not in _OF_HASHES:
                raise fault(
                    f"quality.{number}",
                    f"{secret[0]} is sensitive: its values are hashed and can only be asked for "
                    + ", ".join(_OF_HASHES),
                )
        self._roles_are_shown()
        by_number = {*self.features.text, *self.features.timestamp}
        if parting := by_number & set(self.segments):
            raise fault(
                "segments",
                f"{', '.join(sorted(parting))} stands under features.text or timestamp: "
                "what is watched by its length or age parts no rows",
            )
        if predictions.timestamp in self.features.timestamp:
            raise fault(
                "features.timestamp",
                f"{predictions.timestamp} is the time of the prediction: its age is always 0",
            )
        if taken := sorted(set(self.business) & metrics.KNOWN):
            raise fault(f"business.{taken[0]}", "the name is that of another metric; take another")
        if self.retraining:
            self._can_be_retrained(self.retraining)
        known = self._measured
        for number, rule in enumerate(self.rules or ()):
            self._can_be_judged(f"rules.{number}", rule, known)
            if rule.baseline is not None:
                self._can_be_compared(f"rules.{number}.baseline", rule)
            if rule.engine is Engine.EVIDENTLY:
                self._can_be_sampled(f"rules.{number}", rule)
            if rule.segment:
                self._can_be_parted(f"rules.{number}.segment", rule)
        return self

    def _roles_are_shown(self) -> None:
        """Refuse to hide what the numbers and messages are about."""
        log, labels = self.predictions, self.labels
        scores = log.score.values() if isinstance(log.score, dict) else (log.score,)
        own = labels if labels and not labels.named else None
        roles: dict[str | None, str] = dict.fromkeys(scores, "predictions.score")
        roles |= {
            log.prediction: "predictions.prediction",
            log.timestamp: "predictions.timestamp",
            log.version: "predictions.version",
            log.latency_ms: "predictions.latency_ms",
            log.status.column if log.status else None: "predictions.status",
            own.label if own else None: "labels.label",
            own.timestamp if own else None: "labels.timestamp",
        }
        for name, key in roles.items():
            if name and self.features.hides(name):
                raise fault(
                    "features.sensitive",
                    f"{name} is {key}, which is shown: name the columns or paths that are "
                    "sensitive, and nothing that holds this one",
                )

    def _has_no_model(self) -> None:
        """Refuse what is about a model where there is none: it would silently do nothing."""
        said = self.predictions.model_fields_set
        written = [f"predictions.{key}" for key in _OF_A_MODEL if key in said]
        for key in [*written, *(k for k in ("labels", "retraining") if getattr(self, k))]:
            raise fault(
                key,
                "task: none watches the drift and quality of a table, in which no model predicts: "
                f"leave {key} out, or write task: binary, multiclass or regression",
            )
        for number, rule in enumerate(self.rules or ()):
            if "retrain" in rule.then:
                raise fault(
                    f"rules.{number}.then",
                    "task: none has no model to retrain: write alert, or leave then out",
                )

    @property
    def days(self) -> list[str]:
        """Its windows of days, the shortest first."""
        return [window for window in self.windows if window != "1h"]

    def _can_be_retrained(self, how: Retraining) -> None:
        """Refuse a retraining that could never pass its gate."""
        if how.train is None:
            return
        if self.labels is None:
            raise fault("retraining", "a model is trained on labels; write labels:")
        compared = set(metrics.PERFORMANCE[self.task]) & set(metrics.GATE)
        if self.gate_metric not in compared:
            allowed = ", ".join(sorted(compared))
            raise fault(
                "retraining.gate.metric",
                f"found {self.gate_metric!r}; a {self.task} model is compared in: {allowed}",
            )

    def _can_be_estimated(self, key: str, rule: Rule) -> None:
        """Refuse a rule on an estimate that is never made."""
        if not self.estimated:
            lacking = "task: none has neither" if self.task is Task.NONE else "write both"
            raise fault(
                f"{key}.suite",
                "estimates are made of scores or predicted values, and "
                f"learnt from labels: {lacking}",
            )
        known = metrics.ESTIMATED[self.task]
        if rule.metric not in known:
            allowed = ", ".join(known)
            raise fault(f"{key}.metric", f"found {rule.metric!r}; estimated are: {allowed}")
        if rule.window == "1h":
            raise fault(f"{key}.window", "estimates are made for windows of days")

    @property
    def _measured(self) -> dict[str, None]:
        """The metrics that a rule without a suite may be about."""
        drift = [metrics.DRIFT_SHARE]
        if self.drift.domain_classifier and self.days:
            drift.append(metrics.DOMAIN_CLASSIFIER_AUC)
        own = (method for column in self.drift.columns.values() for method in column.method)
        for method in dict.fromkeys((*self.drift_methods(""), *own)):
            drift += metrics.DRIFT[method]
        performance = metrics.PERFORMANCE[self.task] if self.labels else ()
        named = (*self.operations, *self.business)
        return dict.fromkeys((*metrics.QUALITY, *drift, *performance, *named))

    def _without_performance(self, metric: str) -> str:
        """Say why a metric of performance is not measured."""
        if self.task is Task.NONE:
            return "task: none has no predictions whose performance could be measured"
        if not self.labels:
            return "Performance needs labels:"
        return f"It is not measured of a {self.task} model"

    def _can_be_compared(self, key: str, rule: Rule) -> None:
        """Refuse a baseline that what a rule is about is never compared with."""
        if rule.suite or rule.metric not in metrics.OF_DRIFT:
            raise fault(
                key,
                f"only drift is measured against a baseline, and {rule.metric} is no drift: leave "
                "baseline out (worse_by compares with the reference)",
            )
        if rule.baseline is Baseline.REFERENCE:
            return
        if rule.baseline not in self.drift.baselines:
            raise fault(key, f"{rule.baseline} is not among drift.baselines")
        if self.reference.previous is not None:
            raise fault(
                key,
                f"found {rule.baseline}; with reference.previous each window is compared with "
                "that past only: write reference, or leave baseline out",
            )
        if rule.metric == metrics.DOMAIN_CLASSIFIER_AUC:
            raise fault(
                key,
                f"found {rule.baseline}; {rule.metric} is measured against the reference only",
            )
        if rule.engine is Engine.EVIDENTLY:
            raise fault(
                key,
                f"found {rule.baseline}; Evidently compares with the reference only: leave "
                "baseline or engine out",
            )

    def _can_be_sampled(self, key: str, rule: Rule) -> None:
        """Refuse a rule on what Evidently measures in no window: a sample is drawn once a day."""
        if rule.segment:
            raise fault(
                f"{key}.segment", "Evidently measures no segments: leave segment or engine out"
            )
        if rule.window not in (None, *self.days[:1]):
            raise fault(
                f"{key}.window",
                f"found {rule.window}; Evidently measures "
                + (f"once a day, on {self.days[0]}" if self.days else "windows of days only"),
            )

    def _can_be_parted(self, key: str, rule: Rule) -> None:
        """Refuse a segment that no rows are measured by."""
        column, given, value = rule.segment.partition("=")
        parted = [name for name in self.segments if fnmatchcase(name, column)]
        if not parted and (given or "*" not in column):
            near = difflib.get_close_matches(column, self.segments, n=1)
            there = ", ".join(f"{name}=..." for name in self.segments) or "none; write segments:"
            raise fault(
                key,
                f"found {rule.segment!r}; no rows are measured so, there are: {there}"
                + (f". Did you mean {near[0] + '=' + value!r}?" if near else ""),
            )
        if parted and all(map(self.features.hides, parted)) and not _HASH.fullmatch(value):
            raise fault(
                key,
                f"found a value of {parted[0]}, which is sensitive: its segments are named by "
                f"hashes. Write {parted[0]}=* for each, or the 12 digits that driftline metrics "
                "shows",
            )

    def _has_interval(self, rule: Rule) -> bool:
        """Whether what a rule is about says how uncertain it is."""
        known = metrics.ESTIMATED if rule.suite else metrics.PERFORMANCE
        named = {*known[self.task], metrics.ERROR_SHARE} - metrics.WITHOUT_INTERVAL
        return rule.engine != Engine.EVIDENTLY and rule.metric in named

    def _can_be_judged(self, key: str, rule: Rule, known: Collection[str]) -> None:
        """Refuse a rule that no measurement can ever meet: it would be silent for ever."""
        if rule.window and rule.window not in self.windows:
            raise fault(
                f"{key}.window", f"{rule.window} is not among windows: {', '.join(self.windows)}"
            )
        daily = self.days[:1]
        asked = rule.metric == metrics.DOMAIN_CLASSIFIER_AUC and rule.metric in known
        if asked and rule.window not in (None, *daily):
            raise fault(
                f"{key}.window",
                f"found {rule.window}; {rule.metric} is measured once a day, on {daily[0]}",
            )
        if rule.surely and not self._has_interval(rule):
            raise fault(
                f"{key}.surely",
                f"found {rule.metric}, which has no interval; {metrics.ERROR_SHARE} has, and what "
                "driftline measures or estimates of performance, but for ece",
            )
        if rule.suite:
            self._can_be_estimated(key, rule)
            return
        business = self.business.get(rule.metric)
        if rule.worse_by and business and business.better is None:
            raise fault(
                f"{key}.worse_by",
                f"nothing says which way {rule.metric} is worse: write min or max here, or "
                f"business.{rule.metric}: {{sql: ..., better: higher}} (or lower)",
            )
        if rule.metric in metrics.QUALITY or rule.metric.startswith("expect_"):
            checked = [w for w in self.windows if w == "1h" or w == self.days[0]]
            if rule.window not in (None, *checked):
                raise fault(
                    f"{key}.window",
                    f"found {rule.window}; quality is measured on: {', '.join(checked)}",
                )
            return
        if rule.metric in known:
            return
        nearest = difflib.get_close_matches(rule.metric, known, n=1)
        hint = f". Did you mean {nearest[0]!r}?" if nearest else ""
        if rule.metric in metrics.OPERATIONS:
            hint = f". It needs {metrics.OPERATIONS[rule.metric]}"
        if rule.metric in metrics.OF_PERFORMANCE:
            hint = f". {self._without_performance(rule.metric)}"
        raise fault(
            f"{key}.metric",
            f"nothing here measures {rule.metric!r}; there are: {', '.join(known)}{hint}",
        )
