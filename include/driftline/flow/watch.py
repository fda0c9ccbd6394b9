"""A monitor with its logs open: it freezes the reference, counts hours and draws rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Self

from driftline import metrics
from driftline.connections import Connections, from_environment
from driftline.domain import DAY, HOUR, ColumnKind, Scope, Window, cadence_length, digest, floor
from driftline.errors import LogError
from driftline.flow.step import MOST_SEGMENTS, Step
from driftline.judge import is_about
from driftline.monitor.config import Monitor
from driftline.monitor.home import artifacts
from driftline.monitor.sections import Task
from driftline.printable import amount
from driftline.profile.bins import bins_of
from driftline.profile.columns import Layout, Part, Parts, Profile
from driftline.profile.outcome_groups import empty
from driftline.profile.outcome_rows import bins_of_outcomes
from driftline.profile.outcomes import OutcomeParts, OutcomeProfile
from driftline.profile.reference import Reference
from driftline.profile.rows import LABEL, PREDICTION, Rows
from driftline.profile.stream import Segments, stream_parts
from driftline.retraining.promoted_reference import outcomes_of, rows_of
from driftline.stats.confidence_based import thresholds
from driftline.suites import business, direct_loss, operations, performance
from driftline.suites.frame import Frame
from driftline.warehouse import Logs, open_logs, open_reference

FEWEST_WINDOWS = 4
"""With fewer windows of a length a reference cannot tell how a number varies among them."""

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


class Watch:
    """A monitor with its logs open; close it, or use it in a `with`."""

    def __init__(self, monitor: Monitor, connections: Connections = from_environment) -> None:
        self.monitor = monitor
        self._connections = connections
        artifacts(monitor)  # a place that cannot be is told before anything is measured
        self._opened = ExitStack()
        self.logs = self._opened.enter_context(open_logs(monitor, connections))
        self._reference_rows: dict[tuple[str, bool], Rows] = {}
        self._frames: dict[str, Frame] = {}
        self._layouts: dict[str, Layout] = {}
        self._timeless: dict[tuple[datetime | None, datetime | None], int] = {}
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
        columns = logs.features(start, end) | self.said()
        counted = logs.categories(start, end, columns)
        statistics = logs.statistics(start, end, columns, counted)
        if not statistics.rows:
            raise LogError(f"{self.monitor.path}: reference: {self._no_rows(start, end)}")
        for name in self.said():
            if statistics.columns[name].nulls == statistics.rows:
                raise LogError(
                    f"{self.monitor.path}: reference: {name!r} is null in all of its "
                    f"{amount(statistics.rows, 'row')}: what the model said cannot be watched"
                )
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
            return replace(reference, units=dict(self.logs.units))
        labelled = self._rows_of(reference, labels=True).table
        reference = replace(reference, outcomes=bins_of_outcomes(self.monitor, labelled))
        days = self.reference_outcomes(reference)
        whole = self.none(reference).total(
            [part for parts in days.values() for part in parts.values()]
        )
        measured = performance.measure(self._unnamed(reference), whole)
        numbers = {(m.metric, m.detail): m.value for m in measured if m.value is not None}
        return replace(
            reference,
            performance=numbers,
            spreads=self._spreads(reference, days),
            units=dict(self.logs.units),
        )

    def _spreads(
        self, reference: Reference, days: Mapping[datetime, OutcomeParts]
    ) -> dict[tuple[str, str, str], tuple[float, float]]:
        """Return how each metric varies over the reference's own windows, one after the other."""
        none, found = self.none(reference), {}
        scope = self._unnamed(reference)
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

    def _unnamed(self, reference: Reference) -> Scope:
        """Return a scope for numbers that are kept in the reference, and in no table."""
        return Scope(
            monitor=self.monitor.monitor,
            window=Window.ending("1d", floor(reference.valid_from, DAY)),
            as_of=reference.valid_from,
            config_hash="",
        )

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

    def said(self) -> dict[str, ColumnKind]:
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
    def _inferred(self) -> tuple[dict[str, ColumnKind], list[str]]:
        return self.reference_logs.inferred(*(self.monitor.reference.window or (None, None)))

    @property
    def inferred(self) -> dict[str, ColumnKind]:
        """The features that a reference would have that were frozen now."""
        return self._inferred[0]

    @property
    def unwatched(self) -> list[str]:
        """What is no feature of such a reference, and how it could be named, in words."""
        return self._inferred[1]

    def idle_rules(self) -> list[str]:
        """Return, in words, each rule of the file that is about columns that are not watched."""
        watched = [*self.inferred, *self.said()]
        of_columns = {"null_share", *chain.from_iterable(metrics.DRIFT.values())}
        return [
            f"rules.{number}.columns: no column that is watched is like {', '.join(rule.columns)}; "
            f"there are: {', '.join(watched)}"
            for number, rule in enumerate(self.monitor.rules or ())
            if rule.metric in of_columns and not any(is_about(rule, name) for name in watched)
        ]

    def unanswered(self) -> list[str]:
        """Return, in words, each expectation of the file that has no answer on the newest rows."""
        if not self.monitor.quality or (newest := self.logs.last_timestamp()) is None:
            return []
        from driftline.suites import quality

        window = Window.ending("1d", floor(newest, DAY) + DAY)
        scope = Scope(
            monitor=self.monitor.monitor,
            window=window,
            as_of=window.end,
            config_hash=self.monitor.config_hash,
        )
        rows = self.logs.statistics(window.start, window.end, {}).rows
        return quality.unanswered(scope, self.logs, self.inferred, rows)

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

    def sql(self, reference: Reference, window: Window, *, shown: bool = True) -> list[str]:
        """Return the statements that count the hours of a window on the bins of a reference."""
        hours = [window.start + HOUR * n for n in range((window.end - window.start) // HOUR)]
        layout = self.layout(reference)
        return self.logs.profile_sql(
            layout,
            window.start,
            window.end,
            hours=hours,
            segments={"": (), **reference.segments},
            shown=shown,
        )

    def layout(self, reference: Reference) -> Layout:
        """Return where the numbers of a reference's columns lie in a profile."""
        if reference.id not in self._layouts:
            self._layouts = {reference.id: Layout(reference.bins)}
        return self._layouts[reference.id]

    def timeless(self, window: Window) -> int:
        """Count the rows that have no time: those of a window's partitions, else of all the log."""
        filed = self.monitor.predictions.partition is not None
        key = (window.start, window.end) if filed else (None, None)
        if key not in self._timeless:
            self._timeless[key] = self.logs.timeless(*key)
        return self._timeless[key]

    @property
    def report_cadence(self) -> str:
        """The windows that Evidently looks at: days, else the shortest that are watched."""
        return next(iter(self.monitor.days), "")

    def compared(self, reference: Reference) -> Frame:
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

    def direct_loss(self, reference: Reference) -> direct_loss.DirectLoss:
        """Return what the reference's rows teach of the loss to be expected of a row."""
        if reference.id not in self._losses:
            columns = self.features_of(reference)
            rows = self.labelled_reference(reference, columns)
            said, actual = rows.floats(PREDICTION), rows.floats(LABEL)
            learnt = direct_loss.fit(Frame.of(rows, columns), said, actual, list(columns))
            self._losses = {reference.id: learnt}
        return self._losses[reference.id]

    def features_of(self, reference: Reference) -> dict[str, ColumnKind]:
        """Return the feature columns, and how they are compared."""
        kinds = self.columns(reference)
        return {name: kinds[name] for name in self.features(reference)}

    def labelled_reference(
        self, reference: Reference, columns: Mapping[str, ColumnKind], *, dated: bool = False
    ) -> Rows:
        """Return the reference's rows, or a sample of them, with these features and the label;
        `dated`, also since when that is known, except of a promotion's.
        """
        if reference.model_version:
            return rows_of(self.monitor, reference)
        return self.reference_logs.rows(
            reference.start,
            reference.end,
            columns,
            labels=True,
            limit=self.monitor.drift.rows,
            dated=dated,
        )

    def rows(
        self, step: Step, columns: Mapping[str, ColumnKind], *, labels: bool, dated: bool = False
    ) -> Rows:
        """Return the window's rows, or a sample of them, with these columns."""
        return self.logs.rows(
            step.window.start,
            step.window.end,
            columns,
            as_of=step.as_of,
            labels=labels,
            limit=self.monitor.drift.rows,
            dated=dated,
        )


def _chunks(
    days: Mapping[datetime, OutcomeParts], length: timedelta
) -> Iterator[list[OutcomeParts]]:
    """Yield the whole windows of a reference's days, one after the other, the newest first."""
    ordered, size = [days[day] for day in sorted(days)], length // DAY
    while len(ordered) >= size:
        yield ordered[-size:]
        ordered = ordered[:-size]


def _days(start: datetime | None, end: datetime | None) -> Iterator[datetime]:
    """Yield the beginnings of the days of a stretch, the first of them its own."""
    if start is not None and end is not None:
        yield start
        day = floor(start, DAY) + DAY
        while day < end:
            yield day
            day += DAY
