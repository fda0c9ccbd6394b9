"""What is selected of a prediction: features under their own names, roles under reserved ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import ColumnElement, func, null
from sqlalchemy import cast as sql_cast
from sqlalchemy import types as sql

from driftline.domain import ColumnKind
from driftline.errors import LogError
from driftline.hidden import DIGITS, holds
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Task
from driftline.profile.rows import PREDICTION, RAW, RESERVED, SCORE, VERSION, score_of
from driftline.warehouse.age import TIMES, age, instant
from driftline.warehouse.clock import INSTANT, Clock
from driftline.warehouse.dialects.base import Dialect, Family, Key
from driftline.warehouse.reader import Output
from driftline.warehouse.source import Field, Source

_OF_TIMES = {
    Family.AWARE: INSTANT,
    Family.NAIVE: pa.timestamp("us"),
    Family.DATE: pa.date32(),
}


@dataclass(frozen=True)
class Projection:
    """Outputs of one prediction log; where `partial`, columns with a role may be missing.

    Ages are taken at the time of the `clock`.
    """

    monitor: Monitor
    source: Source
    partial: bool
    clock: Clock | None

    @property
    def _dialect(self) -> Dialect:
        return self.source.dialect

    def hides(self, name: str) -> bool:
        """Whether the values of a column leave the warehouse hashed only."""
        return self.monitor.features.hides(name)

    def kind(self, name: str, kind: ColumnKind) -> ColumnKind:
        """Return how a column is compared: a hash is a category, whatever it was.

        Of a text that is sensitive only the length leaves the warehouse.
        """
        hashed = self.hides(name) and kind is not ColumnKind.TEXT
        return ColumnKind.CATEGORICAL if hashed else kind

    def features(self, columns: Mapping[str, ColumnKind]) -> list[Output]:
        """Return features as doubles and text; what the log lacks is NULL.

        A text is its length, a timestamp its age.
        """
        taken = [name for name in columns if name.startswith(RESERVED)]
        if taken:
            raise LogError(
                f"features cannot be called {', '.join(taken)}: names that begin with {RESERVED} "
                "are reserved; name them under features.exclude, or rename them in a query:"
            )
        return [self._feature(name, self.kind(name, kind)) for name, kind in columns.items()]

    def _feature(self, name: str, kind: ColumnKind) -> Output:
        field = self.source.find(name)
        if kind.is_number:
            empty: ColumnElement[Any] = sql_cast(null(), sql.Double())
            return Output(name, self._number(field, kind) if field else empty, pa.float64())
        value = self.string(field) if field else sql_cast(null(), sql.Text())
        return Output(name, self._hashed(value) if self.hides(name) else value, pa.string())

    def _number(self, field: Field, kind: ColumnKind) -> ColumnElement[Any]:
        """Return the number that stands for a value of a column."""
        if kind is ColumnKind.TEXT:
            return self._dialect.number(self._dialect.length(self.string(field)), Family.INTEGER)
        if kind is ColumnKind.TIMESTAMP:
            log = self.monitor.predictions
            if self.clock is None:
                raise self.source.lacks(log.timestamp, "predictions.timestamp")
            return age(field, self.clock, log.timezone, self._dialect)
        if kind is ColumnKind.INSTANT:
            return instant(field, self.monitor.predictions.timezone, self._dialect)
        return self._dialect.number(field.value, field.family)

    def raw(self, columns: Mapping[str, ColumnKind]) -> list[Output]:
        """Return features as the log types them: whole numbers, doubles, booleans, times, else
        text. A sensitive one is among them only where the file lists it as a feature too.
        """
        outputs = []
        for name, kind in columns.items():
            if self.hides(name) and not self._is_given(name):
                continue
            field = self.source.field(name, "features")
            family = field.family
            if kind is ColumnKind.TIMESTAMP and family in TIMES:
                outputs.append(Output(RAW + name, field.value, _OF_TIMES[family]))
                continue
            if kind is ColumnKind.NUMERIC and not family.is_number and family is not Family.BOOLEAN:
                family = Family.FLOAT
            outputs.append(self._typed(RAW + name, field, family))
        return outputs

    def _is_given(self, name: str) -> bool:
        features = self.monitor.features
        return name in features.listed and not holds(name, features.sensitive)

    def segments(self, columns: Mapping[str, ColumnKind]) -> list[Output]:
        """Return the segments' columns that are not selected as features already, as text."""
        names = [name for name in self.monitor.segments if name not in columns]
        for name in names:
            self.source.field(name, "segments")
        return [self.category(name) for name in names]

    def category(self, name: str) -> Output:
        """Return a column as text, whatever it holds."""
        return self._feature(name, ColumnKind.CATEGORICAL)

    def undecided(self, name: str, family: Family) -> Output:
        """Return a column of which it is still to be found out whether it is a feature.

        What is sensitive inside a JSON document is cut out of it in the warehouse.
        """
        sensitive = self.monitor.features.sensitive
        if family.is_number or (self.hides(name) and not holds(name, sensitive)):
            return self._feature(name, self.kind(name, ColumnKind.NUMERIC))
        field = self.source.field(name, "features")
        inside = [path for path in sorted(sensitive) if path.startswith(f"{name}.")]
        value = self.string(field)
        for path in inside:
            value = self._dialect.without(value, path.removeprefix(f"{name}.").split("."))
        return Output(name, value, pa.string())

    def roles(self) -> Iterator[Output]:
        """Yield what the model said, and its version; the time is the clock's to give."""
        log = self.monitor.predictions
        scores = log.score if isinstance(log.score, dict) else {}
        named = {score_of(name): column for name, column in scores.items()}
        if isinstance(log.score, str):
            named = {SCORE: log.score}
        for name, column in named.items():
            if field := self.role(column, "predictions.score"):
                yield Output(name, self._dialect.number(field.value, field.family), pa.float64())
        if field := self.role(log.prediction, "predictions.prediction"):
            yield self.outcome(PREDICTION, field)
        if field := self.role(log.version, "predictions.version"):
            yield Output(VERSION, self.string(field), pa.string())

    def role(self, column: str | None, key: str) -> Field | None:
        """Return a column that the file gives a role; MissingColumn when it is not there."""
        if column is None or (self.partial and self.source.find(column) is None):
            return None
        return self.source.field(column, key)

    def outcome(self, name: str, field: Field) -> Output:
        """Return a class in its own type, as far as Arrow can compare it, or a number."""
        regression = self.monitor.task is Task.REGRESSION
        return self._typed(name, field, Family.FLOAT if regression else field.family)

    def _typed(self, name: str, field: Field, wanted: Family) -> Output:
        value, family = field.value, field.family
        if wanted.has_fractions:
            return Output(name, self._dialect.number(value, family), pa.float64())
        if family is Family.BOOLEAN:
            return Output(name, self._dialect.boolean(value), pa.bool_())
        if family is Family.INTEGER:
            return Output(name, self._dialect.integer(value), pa.int64())
        return Output(name, self._dialect.string(value, family), pa.string())

    def text(self, field: Field) -> ColumnElement[Any]:
        """Return a column as text, NULL as nothing."""
        return func.coalesce(self.string(field), "")

    def string(self, field: Field) -> ColumnElement[Any]:
        """Return a column as text."""
        return self._dialect.string(field.value, field.family)

    def _hashed(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        text = Key().concat(value).concat(Key())
        return func.substr(self._dialect.sha256(text), 1, DIGITS)
