"""A monitor with its logs open: freezes its reference and measures its windows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline import metrics
from driftline.config import Monitor
from driftline.connections import Connections, from_environment
from driftline.domain import (
    DAY,
    HOUR,
    ColumnKind,
    Measurement,
    Scope,
    Suite,
    Verdict,
    Window,
    cadence_length,
    digest,
    floor,
)
from driftline.errors import DriftlineError, LogError
from driftline.judge import is_about
from driftline.outcome_profile import ClassProfile, OutcomeParts, OutcomeProfile, coverage
from driftline.profile import Layout, Part, Parts, Profile
from driftline.reference import Reference
from driftline.retraining.reference import outcomes_of, rows_of
from driftline.sections import Baseline, Expectation, Task
from driftline.stats.confidence_based import thresholds
from driftline.store.ledger import State
from driftline.suites import (
    business,
    direct_loss,
    domain_classifier,
    drift,
    estimate,
    evidently,
    operations,
    performance,
    quality,
    report,
)
from driftline.suites.expectations import default_expectations
from driftline.suites.frame import Frame
from driftline.suites.outcomes import outcomes
from driftline.warehouse import Logs, Rows, open_logs, open_reference
from driftline.warehouse.bins import bins_of
from driftline.warehouse.outcome_fold import empty
from driftline.warehouse.outcome_rows import bins_of_outcomes
from driftline.warehouse.rows import LABEL, PREDICTION
from driftline.warehouse.streaming import Segments, stream_parts

FEWEST_WINDOWS = 4
"""With fewer windows of a length a reference cannot tell how a number varies among them."""

MOST_SEGMENTS = 20
"""So many values of a segment column, or model versions, are measured: those with most rows."""

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One suite on one window, with what was known of labels by then."""

    suite: Suite
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step measured, or what kept it from it: an error, or nothing to compare with yet."""

    step: Step
    reference_id: str
    measurements: tuple[Measurement, ...] = ()
    rows: int | None = None
    coverage: float | None = None
    error: str = ""
    not_evaluated: str = ""

    @property
    def state(self) -> State:
        """How the ledger calls it."""
        if self.error:
            return State.FAILED
        return State.NOT_EVALUATED if self.not_evaluated else State.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted of a window, and of the reference on whose bins it was."""

    layout: Layout
    current: Parts
    reference: Parts
    earlier: Mapping[Baseline, Parts] = field(default_factory=dict)
    """The sum of the windows that a baseline stands for."""

    def whole(self) -> Profile:
        """Return the window's profile."""
        return self._total(self.current, "")

    def base(self, baseline: Baseline = Baseline.REFERENCE) -> Profile:
        """Return the profile that the window is compared with."""
        return self._total(self.earlier.get(baseline, self.reference), "")

    @property
    def segments(self) -> list[str]:
        """The segments of the reference, such as `origin=JFK`."""
        return list(dict.fromkeys(part.segment for part in self.reference if part.segment))

    def of_segment(self, segment: str) -> tuple[Profile, Profile]:
        """Return the profiles of one segment, the window's first."""
        return self._total(self.current, segment), self._total(self.reference, segment)

    def versions(self) -> list[tuple[str, Profile]]:
        """Return the model versions of the window with the most rows, each with its profile."""
        own = [(p.version, each) for p, each in self.current.items() if p.version and not p.segment]
        return sorted(own, key=lambda pair: (-pair[1].rows, pair[0]))[:MOST_SEGMENTS]

    def _total(self, parts: Parts, segment: str) -> Profile:
        return self.layout.total(each for part, each in parts.items() if part.segment == segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a window's predictions; for an estimate also what came of the reference's, and
    of which metrics estimates are not believed any more, with the reason.
    """

    current: OutcomeParts
    reference: OutcomeProfile | None = None
    distrusted: Mapping[str, str] = field(default_factory=dict)


Known = Counted | Came
"""What a step measures from: counts of columns, or of outcomes."""


class Watch:
    """A monitor with its logs open; close it, or use it in a `with`."""

    def __init__(self, monitor: Monitor, connections: Connections = from_environment) -> None:
        self.monitor = monitor
        self._connections = connections
        self._opened = ExitStack()
        self.logs = self._opened.enter_context(open_logs(monitor, connections))
        self._reference_rows: dict[tuple[str, bool], Rows] = {}
        self._frames: dict[str, Frame] = {}
        self._layouts: dict[str, Layout] = {}
        self._losses: dict[str, direct_loss.DirectLoss] = {}
        self._reference_outcomes: dict[str, dict[datetime, OutcomeParts]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the warehouse."""
        self._opened.close()

    @cached_property
    def reference_logs(self) -> Logs:
        """Where the reference's rows are: the log itself, or a table of their own."""
        if self.monitor.reference.named:
            return self._opened.enter_context(open_reference(self.monitor, self._connections))
        return self.logs

    @cached_property
    def log_start(self) -> datetime | None:
        """When the log's first row was predicted."""
        return self.logs.first_timestamp()

    # The reference

    def reference_span(self, window: Window) -> tuple[datetime | None, datetime | None]:
        """Return the bounds of the rows that this window is compared with."""
        rows = self.monitor.reference
        if rows.previous is not None:
            return window.start - rows.previous, window.start
        return rows.window or (None, None)

    def reference_id(self, window: Window) -> str:
        """Return the name of the reference that the file gives to this window."""
        return digest(self.monitor.monitor, self.monitor.config_hash, *self.reference_span(window))

    def freeze(self, window: Window) -> Reference:
        """Count the reference of this window in the warehouse, as it is now.

        Raises LogError when it holds no rows.
        """
        start, end = self.reference_span(window)
        logs = self.reference_logs
        columns = logs.features(start, end) | self._said()
        counted = logs.categories(start, end, columns)
        statistics = logs.statistics(start, end, columns, counted)
        if not statistics.rows:
            raise LogError(f"{self.monitor.path}: reference: {self._no_rows(start, end)}")
        reference = Reference(
            id=self.reference_id(window),
            monitor=self.monitor.monitor,
            valid_from=start or _BEFORE_ALL,
            start=start,
            end=end,
            statistics=statistics,
            daily_rows=logs.daily_rows(start, end) if start and end else (),
        )
        table, kinds = self._rows_of(reference, labels=False).table, self.columns(reference)
        values = logs.categories(
            start, end, dict.fromkeys(self.monitor.segments, ColumnKind.CATEGORICAL)
        )
        reference = replace(
            reference,
            bins=bins_of(table, kinds, counted),
            segments={name: tuple(found)[:MOST_SEGMENTS] for name, found in values.items()},
            operations=self._served(logs, start, end),
        )
        if self.monitor.labels is None:
            return reference
        labelled = self._rows_of(reference, labels=True).table
        reference = replace(reference, outcomes=bins_of_outcomes(self.monitor, labelled))
        days = self.reference_outcomes(reference)
        whole = self.none(reference).total(
            [part for parts in days.values() for part in parts.values()]
        )
        scope = self._scope(Step(suite=Suite.PERFORMANCE, window=window, as_of=window.end), "")
        measured = performance.measure(scope, whole)
        numbers = {(m.metric, m.detail): m.value for m in measured if m.value is not None}
        return replace(reference, performance=numbers, spreads=self._spreads(reference, days))

    def _spreads(
        self, reference: Reference, days: Mapping[datetime, OutcomeParts]
    ) -> dict[tuple[str, str, str], tuple[float, float]]:
        """Return how each metric varies over the reference's own windows, one after the other."""
        none, found = self.none(reference), {}
        scope = Scope(
            monitor=self.monitor.monitor,
            window=Window.ending("1d", floor(reference.valid_from, DAY)),
            as_of=reference.valid_from,
            config_hash="",
        )
        for cadence in (each for each in self.monitor.windows if each != "1h"):
            values: dict[tuple[str, str], list[float]] = {}
            for chunk in _chunks(days, cadence_length(cadence)):
                every = [profile for parts in chunk for profile in parts.values()]
                for m in performance.measure(scope, none.total(every)):
                    if m.value is not None:
                        values.setdefault((m.metric, m.detail), []).append(m.value)
            for (metric, detail), known in values.items():
                if len(known) >= FEWEST_WINDOWS:
                    low, high = thresholds(known)
                    found[cadence, metric, detail] = (low + high) / 2, (high - low) / 6
        return found

    def _served(self, logs: Logs, start: datetime | None, end: datetime | None) -> dict[str, float]:
        """Return the reference's own numbers of operations and business."""
        served = operations.of_reference(logs, start, end) if self.monitor.operations else {}
        return served | (business.of_reference(logs, start, end) if self.monitor.business else {})

    def _no_rows(self, start: datetime | None, end: datetime | None) -> str:
        first, last = self.logs.first_timestamp(), self.logs.last_timestamp()
        if start is None or end is None:
            return "its table holds no rows"
        spans = f"the log spans {first:%Y-%m-%d} to {last:%Y-%m-%d}" if first and last else "empty"
        return f"no rows from {start:%Y-%m-%d} to {end:%Y-%m-%d}; {spans}"

    def _said(self) -> dict[str, ColumnKind]:
        """Return the columns that hold what the model said, and how they are compared."""
        classes = self.monitor.task is not Task.REGRESSION and not self.monitor.predictions.score
        kind = ColumnKind.CATEGORICAL if classes else ColumnKind.NUMERIC
        return dict.fromkeys(self.monitor.prediction_columns, kind)

    def columns(self, reference: Reference) -> dict[str, ColumnKind]:
        """Return what drift is measured on: the reference's features and what the model says."""
        return {name: column.kind for name, column in reference.statistics.columns.items()}

    def features(self, reference: Reference) -> list[str]:
        """Return the names of the feature columns."""
        said = self.monitor.prediction_columns
        return [name for name in reference.statistics.columns if name not in said]

    def _rows_of(self, reference: Reference, *, labels: bool) -> Rows:
        if reference.model_version:
            return rows_of(self.monitor, reference)
        key = reference.id, labels
        if key not in self._reference_rows:
            columns = {} if labels else self.columns(reference)
            self._reference_rows = {k: v for k, v in self._reference_rows.items() if k[0] == key[0]}
            self._reference_rows[key] = self.reference_logs.rows(
                reference.start,
                reference.end,
                columns,
                labels=labels,
                limit=self.monitor.drift.rows,
            )
        return self._reference_rows[key]

    @cached_property
    def inferred(self) -> dict[str, ColumnKind]:
        """The features that a reference would have that were frozen now."""
        return self.reference_logs.features(*(self.monitor.reference.window or (None, None)))

    def idle_rules(self) -> list[str]:
        """Return, in words, each rule of the file that is about columns that are not watched."""
        watched = [*self.inferred, *self._said()]
        of_columns = {"null_share", *chain.from_iterable(metrics.DRIFT.values())}
        return [
            f"rules.{number}.columns: no column that is watched is like {', '.join(rule.columns)}; "
            f"there are: {', '.join(watched)}"
            for number, rule in enumerate(self.monitor.rules or ())
            if rule.metric in of_columns and not any(is_about(rule, name) for name in watched)
        ]

    # The measuring

    def measure(self, step: Step, reference: Reference, counted: Known | None = None) -> Result:
        """Run one step; what goes wrong on purpose stands in the result, not in an exception.

        `counted` is what drift and performance are measured from.
        """
        try:
            if isinstance(counted, Counted):
                return self._drift(step, reference, counted)
            if counted is None:
                return _WITHOUT_COUNTS[step.suite](self, step, reference)
            if step.suite is Suite.ESTIMATE:
                return self._estimate(step, reference, counted)
            return self._performance(step, reference, counted.current)
        except DriftlineError as error:
            return Result(step=step, reference_id=reference.id, error=str(error))

    def _scope(self, step: Step, reference_id: str) -> Scope:
        return Scope(
            monitor=self.monitor.monitor,
            window=step.window,
            as_of=step.as_of,
            config_hash=self.monitor.config_hash,
            reference_id=reference_id,
        )

    def _quality(self, step: Step, reference: Reference) -> Result:
        window, columns = step.window, self.columns(reference)
        scope = self._scope(step, reference.id)
        statistics = self.logs.statistics(window.start, window.end, columns)
        measured = quality.measure(scope, statistics)
        expectations = (*self.monitor.quality, *self.default_expectations(reference, window))
        measured += quality.validate(scope, expectations, self.logs, columns, statistics.rows)
        return Result(
            step=step,
            reference_id=reference.id,
            measurements=tuple(measured),
            rows=statistics.rows,
        )

    def default_expectations(self, reference: Reference, window: Window) -> tuple[Expectation, ...]:
        """Return the expectations that the reference leads to, for windows of this cadence."""
        return default_expectations(self.monitor, reference, window.cadence)

    # The counting

    def count(self, reference: Reference, start: datetime, end: datetime) -> dict[datetime, Parts]:
        """Count each of the hours from `start` to `end` on the bins of a reference."""
        hours = [start + HOUR * n for n in range((end - start) // HOUR)]
        counted: dict[datetime, dict[Part, Profile]] = {hour: {} for hour in hours}
        for part, hour, profile in self._counted(self.logs, reference, start, end, hours):
            counted[hour or start][part] = profile
        return dict(counted)

    def count_reference(self, reference: Reference) -> Parts:
        """Count the rows of the reference itself on its bins."""
        if reference.model_version:
            return self._streamed(reference)
        return {
            part: profile
            for part, _, profile in self._counted(
                self.reference_logs, reference, reference.start, reference.end, ()
            )
        }

    def _counted(
        self,
        logs: Logs,
        reference: Reference,
        start: datetime | None,
        end: datetime | None,
        hours: Sequence[datetime],
    ) -> Iterator[tuple[Part, datetime | None, Profile]]:
        layout = self.layout(reference)
        segments = {"": (), **reference.segments}
        found = logs.parts(layout, start, end, hours=hours, segments=segments)
        for column, slots in found.items():
            for slot, profile in slots.items():
                segment = f"{column}={slot.segment}" if column else ""
                yield Part(slot.version, segment), slot.hour, profile

    def _streamed(self, reference: Reference) -> Parts:
        """Count the rows of a promotion's reference, which lie in a file."""
        layout, rows = self.layout(reference), rows_of(self.monitor, reference)
        version = reference.model_version
        asked = [Segments(column, values) for column, values in reference.segments.items()]
        whole, *counted = stream_parts([rows.table], layout, (), [Segments(), *asked])
        parts = {Part(version, ""): whole[()]}
        for (column, values), found in zip(asked, counted, strict=True):
            for value in values:
                profile = found.get((value,), layout.empty())
                parts[Part(version, f"{column}={value}")] = profile
        return parts

    def sql(self, reference: Reference, window: Window) -> list[str]:
        """Return the statements that count the hours of a window on the bins of a reference."""
        hours = [window.start + HOUR * n for n in range((window.end - window.start) // HOUR)]
        layout = self.layout(reference)
        return self.logs.profile_sql(
            layout,
            window.start,
            window.end,
            hours=hours,
            segments={"": (), **reference.segments},
        )

    def layout(self, reference: Reference) -> Layout:
        """Return where the numbers of a reference's columns lie in a profile."""
        if reference.id not in self._layouts:
            self._layouts = {reference.id: Layout(reference.bins)}
        return self._layouts[reference.id]

    def compare(self, step: Step, reference: Reference, counted: Counted) -> list[Measurement]:
        """Measure drift from what was counted: of all rows, of each segment, of each version."""
        columns, said = self.columns(reference), self._said()
        whole, base = counted.whole(), counted.base()
        measured: list[Measurement] = []
        for segment in ("", *counted.segments):
            scope = replace(self._scope(step, reference.id), segment=segment)
            pair = counted.of_segment(segment) if segment else (whole, base)
            found = self._compare(scope, *pair, columns)
            measured += [*found, drift.drift_share(scope, found, self.features(reference))]
        spoken = [m for m in measured if not m.segment and m.column_name in said]
        for version, part in counted.versions():
            scope = replace(self._scope(step, reference.id), model_version=version)
            alone = part.rows == whole.rows
            measured += (
                _as_version(scope, spoken) if alone else self._compare(scope, part, base, said)
            )
        for baseline in counted.earlier:
            scope = self._scope(step, reference.id)
            found = self._compare(scope, whole, counted.base(baseline), columns, baseline)
            share = drift.drift_share(scope, found, self.features(reference), baseline)
            measured += [*found, share]
        return measured

    def _drift(self, step: Step, reference: Reference, counted: Counted) -> Result:
        measured = self.compare(step, reference, counted)
        restated = step.as_of > step.window.end
        if step.window.cadence == self._report_cadence and not restated:
            measured += self._by_evidently(step, reference)
        return Result(
            step=step,
            reference_id=reference.id,
            measurements=tuple(measured),
            rows=counted.whole().rows,
        )

    def _compare(
        self,
        scope: Scope,
        current: Profile,
        base: Profile,
        columns: Mapping[str, ColumnKind],
        baseline: Baseline = Baseline.REFERENCE,
    ) -> list[Measurement]:
        return drift.measure(
            scope,
            current,
            base,
            columns,
            lambda name: self.monitor.drift_methods(name, columns[name]),
            baseline=baseline,
            sensitive=self.monitor.features.sensitive,
        )

    @property
    def _report_cadence(self) -> str:
        """The windows that Evidently looks at: days, else the shortest that are watched."""
        days = [cadence for cadence in self.monitor.windows if cadence != "1h"]
        return days[0] if days else ""

    def _by_evidently(self, step: Step, reference: Reference) -> list[Measurement]:
        """Return what Evidently says of a sample of the window; the rules do not look at it."""
        columns = self.columns(reference)
        sample = Frame.of(self._rows(step, columns, labels=False), columns)
        found = evidently.drift(
            self._scope(step, reference.id),
            sample,
            self._compared(reference),
            columns,
            lambda name: self.monitor.drift_methods(name, columns[name]),
        )
        return found + self._by_classifier(step, reference, sample)

    def _by_classifier(self, step: Step, reference: Reference, sample: Frame) -> list[Measurement]:
        """Return how well a classifier tells this sample's features from the reference's."""
        if not self.monitor.drift.domain_classifier:
            return []
        scope, features = self._scope(step, reference.id), self.features(reference)
        return [domain_classifier.measure(scope, sample, self._compared(reference), features)]

    def _compared(self, reference: Reference) -> Frame:
        """Return the reference's rows, ready to be compared with."""
        if reference.id not in self._frames:
            rows = self._rows_of(reference, labels=False)
            self._frames = {reference.id: Frame.of(rows, self.columns(reference))}
        return self._frames[reference.id]

    # What came of the predictions

    def none(self, reference: Reference) -> OutcomeProfile:
        """Return the outcome profile of no row, on the bins of a reference."""
        assert reference.outcomes is not None
        return empty(self.monitor.task, reference.outcomes, self.monitor.predictions.positive)

    def count_outcomes(
        self, reference: Reference, start: datetime, end: datetime, as_of: datetime
    ) -> dict[datetime, OutcomeParts]:
        """Count what was known at a moment of each of the hours from `start` to `end`."""
        hours = [start + HOUR * n for n in range((end - start) // HOUR)]
        counted: dict[datetime, dict[Part, OutcomeProfile]] = {hour: {} for hour in hours}
        assert reference.outcomes is not None
        for column, values in {"": (), **reference.segments}.items():
            found = self.logs.outcomes(
                reference.outcomes,
                start,
                end,
                as_of=as_of,
                starts=hours,
                segment=column,
                values=values,
            )
            for slot, profile in found.items():
                segment = f"{column}={slot.segment}" if column else ""
                counted[slot.hour or start][Part(slot.version, segment)] = profile
        return dict(counted)

    def reference_outcomes(self, reference: Reference) -> dict[datetime, OutcomeParts]:
        """Count what came of the reference's own predictions, by day, from all labels there are."""
        if reference.id not in self._reference_outcomes:
            self._reference_outcomes = {reference.id: self._outcomes_of(reference)}
        return self._reference_outcomes[reference.id]

    def _outcomes_of(self, reference: Reference) -> dict[datetime, OutcomeParts]:
        assert reference.outcomes is not None
        if reference.model_version:
            return outcomes_of(self.monitor, reference)
        days = list(_days(reference.start, reference.end))
        found: dict[datetime, dict[Part, OutcomeProfile]] = {}
        counted = self.reference_logs.outcomes(
            reference.outcomes, reference.start, reference.end, starts=days
        )
        for slot, profile in counted.items():
            day = slot.hour or reference.valid_from
            found.setdefault(day, {})[Part(slot.version, "")] = profile
        return dict(found) or {reference.valid_from: {}}

    def _performance(self, step: Step, reference: Reference, counted: OutcomeParts) -> Result:
        scope, none = self._scope(step, reference.id), self.none(reference)
        whole = none.total([profile for part, profile in counted.items() if not part.segment])
        measured = performance.measure(scope, whole)
        spoken = list(measured)
        for segment in self._segments(step, reference):
            own = [profile for part, profile in counted.items() if part.segment == segment]
            measured += performance.measure(replace(scope, segment=segment), none.total(own))
        versions = [(p.version, o) for p, o in counted.items() if p.version and not p.segment]
        for version, one in sorted(versions, key=lambda v: (-v[1].rows, v[0]))[:MOST_SEGMENTS]:
            mine = replace(scope, model_version=version)
            alone = one.rows == whole.rows
            measured += _as_version(mine, spoken) if alone else performance.measure(mine, one)
        if step.window.cadence == self._report_cadence and step.as_of == step.window.end:
            measured += self._scored_by_evidently(step, reference)
        return Result(
            step=step,
            reference_id=reference.id,
            measurements=tuple(measured),
            rows=whole.rows,
            coverage=coverage(whole),
        )

    def _estimate(self, step: Step, reference: Reference, came: Came) -> Result:
        scope, none = self._scope(step, reference.id), self.none(reference)
        whole = none.total([o for part, o in came.current.items() if not part.segment])
        if isinstance(whole, ClassProfile):
            assert isinstance(came.reference, ClassProfile)
            measured = estimate.of_scores(scope, whole, came.reference, came.distrusted)
        else:
            measured = self._expected_losses(scope, step, reference, came)
        return Result(
            step=step,
            reference_id=reference.id,
            measurements=tuple(measured),
            rows=whole.rows,
        )

    def _expected_losses(
        self, scope: Scope, step: Step, reference: Reference, came: Came
    ) -> list[Measurement]:
        columns = self.features_of(reference)
        if reference.id not in self._losses:
            rows = self.labelled_reference(reference, columns)
            frame = Frame.of(rows, columns)
            said, actual = (_floats(rows, role) for role in (PREDICTION, LABEL))
            self._losses = {reference.id: direct_loss.fit(frame, said, actual, list(columns))}
        rows = self._rows(step, columns, labels=False)
        window = Frame.of(rows, columns)
        learnt = self._losses[reference.id]
        return estimate.of_losses(scope, learnt, window, _floats(rows, PREDICTION), came.distrusted)

    def features_of(self, reference: Reference) -> dict[str, ColumnKind]:
        """Return the feature columns, and how they are compared."""
        kinds = self.columns(reference)
        return {name: kinds[name] for name in self.features(reference)}

    def labelled_rows(self, step: Step, columns: Mapping[str, ColumnKind]) -> Rows:
        """Return the window's rows, or a sample of them, with these features and the label."""
        return self._rows(step, columns, labels=True)

    def labelled_reference(self, reference: Reference, columns: Mapping[str, ColumnKind]) -> Rows:
        """Return the reference's rows, or a sample of them, with these features and the label."""
        if reference.model_version:
            return rows_of(self.monitor, reference)
        return self.reference_logs.rows(
            reference.start,
            reference.end,
            columns,
            labels=True,
            limit=self.monitor.drift.rows,
        )

    def _segments(self, step: Step, reference: Reference) -> list[str]:
        """Return the segments whose performance is measured: an hour is not parted further."""
        if step.window.cadence == "1h":
            return []
        return [f"{name}={value}" for name, all_ in reference.segments.items() for value in all_]

    def _scored_by_evidently(self, step: Step, reference: Reference) -> list[Measurement]:
        """Return what Evidently says of a sample of the window; the rules do not look at it."""
        rows = self._rows(step, {}, labels=True)
        return evidently.performance(self._scope(step, reference.id), outcomes(self.monitor, rows))

    def _in_sql(self, step: Step, reference: Reference) -> Result:
        suite = operations if step.suite is Suite.OPERATIONS else business
        scope = self._scope(step, reference.id)
        measured = suite.measure(scope, self.logs, reference.segments, MOST_SEGMENTS)
        return Result(
            step=step,
            reference_id=reference.id,
            measurements=tuple(measured),
            rows=measured[0].row_count,  # of all rows, for the whole window comes first
        )

    def _rows(self, step: Step, columns: Mapping[str, ColumnKind], *, labels: bool) -> Rows:
        return self.logs.rows(
            step.window.start,
            step.window.end,
            columns,
            as_of=step.as_of,
            labels=labels,
            limit=self.monitor.drift.rows,
        )

    # The report

    def report(
        self,
        step: Step,
        reference: Reference,
        said: Sequence[Verdict] = (),
        remarks: Sequence[str] = (),
        why: Sequence[str] = (),
    ) -> str:
        """Return the HTML report of a window: what the rules said, drift, and performance."""
        columns = self.columns(reference)
        labelled = self.monitor.labels is not None
        rows = self._rows(step, columns, labels=labelled)
        known = outcomes(self.monitor, rows) if labelled else None
        return report.html(
            self.monitor,
            step.window,
            rows,
            self._compared(reference),
            columns,
            known,
            said,
            remarks=remarks,
            why=why,
        )


def _as_version(scope: Scope, whole: Iterable[Measurement]) -> list[Measurement]:
    """Return the window's measurements as those of the one version that made all of its rows."""
    return [replace(m, model_version=scope.model_version) for m in whole]


def _chunks(
    days: Mapping[datetime, OutcomeParts], length: timedelta
) -> Iterator[list[OutcomeParts]]:
    """Yield the whole windows of a reference's days, one after the other, the newest first."""
    ordered, size = [days[day] for day in sorted(days)], length // DAY
    while len(ordered) >= size:
        yield ordered[-size:]
        ordered = ordered[:-size]


def _floats(rows: Rows, role: str) -> NDArray[np.float64]:
    """Return a column of numbers; what is missing is NaN."""
    if role not in rows.table.column_names:
        return np.full(len(rows.table), np.nan)
    return np.asarray(rows.table[role].cast(pa.float64()).to_numpy(), np.float64)


def _days(start: datetime | None, end: datetime | None) -> Iterator[datetime]:
    """Yield the beginnings of the days of a stretch, the first of them its own."""
    if start is not None and end is not None:
        yield start
        day = floor(start, DAY) + DAY
        while day < end:
            yield day
            day += DAY


_WITHOUT_COUNTS: Mapping[Suite, Callable[[Watch, Step, Reference], Result]] = {
    Suite.QUALITY: Watch._quality,
    Suite.OPERATIONS: Watch._in_sql,
    Suite.BUSINESS: Watch._in_sql,
}
