"""The logs of one monitor: predictions and their labels, only ever read."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    URL,
    ColumnElement,
    Select,
    func,
    literal,
    quoted_name,
    select,
)

from driftline.domain import DAY, HOUR, ColumnKind, WindowStatistics, floor
from driftline.errors import LogError
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Profiler
from driftline.printable import amount
from driftline.profile.columns import MOST_KNOWN, Layout, Profile
from driftline.profile.outcomes import OutcomeBins, OutcomeProfile
from driftline.profile.rows import LABEL, TIMESTAMP, VERSION, Counts, Rows
from driftline.profile.stream import Segments, stream_parts
from driftline.warehouse import features, renamed
from driftline.warehouse.age import TIMES, hour
from driftline.warehouse.business import Aggregates, aggregate, faulty
from driftline.warehouse.caller import Caller
from driftline.warehouse.check import faults
from driftline.warehouse.clock import EPOCH, INSTANT, Clock
from driftline.warehouse.counting import Asked, count_profiles, statements
from driftline.warehouse.cut import WHOLE, Cut, Slot, key_of, slotted
from driftline.warehouse.dialects.base import Family, backend
from driftline.warehouse.dialects.cost import Cost
from driftline.warehouse.draw import enough, placed
from driftline.warehouse.operations import Served, count_served, latency_of, success_of
from driftline.warehouse.outcome_counting import Stretch, count_outcomes
from driftline.warehouse.reader import Output, Reader, asks
from driftline.warehouse.selection import Selection
from driftline.warehouse.source import Source
from driftline.warehouse.statistics import count_categories, count_statistics

_UNTIMED = {
    "predictions": ("it is in no window", "they are in no window"),
    "labels": ("this label is never known", "these labels are never known"),
}
"""What becomes of one row, or of several, without a time."""


class Logs:
    """Predictions and labels of one monitor; every stretch is `[start, end)` in UTC.

    A bound that is None is open. A prediction without a time is in no stretch. Where `partial`,
    columns that have a role may be missing.
    """

    def __init__(self, monitor: Monitor, reader: Reader, *, partial: bool = False) -> None:
        self.monitor = monitor
        self._reader = reader
        self._selection = Selection(monitor, reader, partial)

    @property
    def url(self) -> URL:
        """Where the warehouse is; its text hides the password."""
        return self._reader.url

    @property
    def caller(self) -> Caller:
        """Who asks the warehouse."""
        return self._reader.caller

    @property
    def dialect(self) -> str:
        """The name of the database, as SQLAlchemy has it."""
        return backend(self.url)

    @property
    def profiler(self) -> Profiler:
        """Who counts: what the file says, else what the database is best served with."""
        asked = self.monitor.drift.profiler
        return self._reader.dialect.profiler if asked is Profiler.AUTO else asked

    def close(self) -> None:
        """Close the connection; leaving `open_logs` does so by itself."""
        self._reader.close()

    @property
    def predictions(self) -> Source:
        """The prediction log; MissingTable when it is not there."""
        return self._selection.predictions

    @property
    def log(self) -> Source:
        """The prediction log, whatever it lacks; MissingTable when it is not there."""
        return self._selection.log

    @property
    def labels(self) -> Source | None:
        """The labels' own table; None where the label stands in the prediction's row."""
        return self._selection.labels

    @property
    def reference(self) -> Source | None:
        """The reference's own table; None where the reference is a stretch of the log."""
        return self._selection.reference

    def column_types(self) -> Mapping[str, str]:
        """Return the predictions' columns, and the paths into structs, with their SQL types."""
        return {name: column.type for name, column in self.predictions.leaves()}

    def label_column_types(self) -> Mapping[str, str]:
        """Return the columns of the labels' own table with their SQL types; none without one."""
        labels = self.labels
        return {name: column.type for name, column in labels.leaves()} if labels else {}

    @asks
    def check(self) -> list[LogError]:
        """Return every table and column that the file names and the warehouse lacks."""
        found = list(faults(self))
        if not found:
            try:
                self._reader.all(self._selection.select([literal(1)], None, None).limit(0))
                # What is written of labels can be asked.
                self._selection.drawn([], None, None, labels=True)
                self._selection.check_sensitive(*(self.monitor.reference.window or (None, None)))
                found += self._selection.absent_paths()
            except LogError as error:
                found.append(error)
        return found or self._faulty_business

    @asks
    def coverage(self, now: datetime) -> tuple[str, LogError | None]:
        """Say which share of the predictions that are older than `labels.maturity` find a label;
        with a LogError where none does.
        """
        labels = self.monitor.labels
        if labels is None:
            return "", None
        mature = self.counts(None, now - labels.maturity, meant=False)
        find = "finds" if mature.rows == 1 else "find"
        said = f"{mature.coverage or 0:.1%} of {amount(mature.rows, 'prediction')} {find} a label"
        if mature.labelled or not mature.rows:
            return said, None
        return said, self._selection.unmet(mature.rows)

    @property
    def units(self) -> Mapping[str, int]:
        """By key of the file: in which unit a column of times counts."""
        return self._selection.units

    def keep(self, units: Mapping[str, int]) -> None:
        """Read columns of times in the units of a reference, whatever a sample would say now."""
        self._selection.keep(units)

    @asks
    def timeless(self, start: datetime | None = None, end: datetime | None = None) -> int:
        """Count the rows of the log that are in no window, for they have no time that can be read.

        Where the log has partitions, those of a stretch are looked at.
        """
        (found,) = self._reader.one(self._selection.timeless(start, end))
        return int(found)

    @asks
    def untimed(self) -> list[str]:
        """Say of each column of times in how many rows there is none."""
        counted = self._selection.untimed()
        found = {key: self._reader.one(statement) for key, statement in counted.items()}
        return [
            f"{key}: {none:,} of {amount(rows, 'row')} {'has' if none == 1 else 'have'} no time "
            f"that can be read: {_UNTIMED[key.partition('.')[0]][none > 1]}"
            for key, (rows, none) in found.items()
            if none
        ]

    @asks
    def first_timestamp(self) -> datetime | None:
        """Return when the log begins, in UTC; None when it is empty."""
        return min(self._extremes(func.min), default=None)

    @asks
    def last_timestamp(self) -> datetime | None:
        """Return when the log ends, in UTC; None when it is empty."""
        return max(self._extremes(func.max), default=None)

    @asks
    def features(self, start: datetime | None, end: datetime | None) -> dict[str, ColumnKind]:
        """Return the features that the file lists, else those that a sample of a stretch shows;
        and what is sensitive, in any case.

        Raises MissingColumn where no row of the stretch has a path that is said to be sensitive:
        what it should have hidden may stand under another name.
        """
        found, _, _ = self._looked_at(start, end)
        return found

    @asks
    def inferred(
        self, start: datetime | None, end: datetime | None
    ) -> tuple[dict[str, ColumnKind], list[str]]:
        """Return what `features` does, and where they are inferred, in words, what is left alone
        and how it could be named; of one sample.
        """
        found, families, sample = self._looked_at(start, end)
        if features.declared(self.monitor) is not None:
            return found, []
        return found, list(features.unwatched(self.monitor, self.predictions, families, sample))

    def _looked_at(
        self, start: datetime | None, end: datetime | None
    ) -> tuple[dict[str, ColumnKind], Mapping[str, Family], pa.Table]:
        """Return the features, and where they are inferred the candidates and a sample of them."""
        self._selection.check_sensitive(start, end)
        found = features.declared(self.monitor)
        families: Mapping[str, Family] = {}
        sample = pa.table({})
        if found is None:
            families = features.candidates(self.monitor, self.predictions)
            if self._selection.clock is None:  # without a time of the prediction nothing has an age
                families = {n: family for n, family in families.items() if family not in TIMES}
            if families:
                undecided = [self._selection.projection.undecided(*p) for p in families.items()]
                sample = self._rows(undecided, start, end, limit=features.SAMPLE).table
            found = features.infer(self.monitor, families, sample)
        by_hash = features.watched_by_hash(self.monitor, self.predictions)
        known = found | {name: kind for name, kind in by_hash.items() if name not in found}
        return known, families, sample

    @asks
    def departed(self, known: Collection[str], empty: Collection[str]) -> dict[str, str]:
        """Return by column what is said of those of the `empty` ones that left the log, or may have
        been renamed; `known` are all that the reference has.
        """
        return renamed.departed(self.monitor, self.predictions, known, empty) if empty else {}

    @asks
    def statistics(
        self,
        start: datetime | None,
        end: datetime | None,
        columns: Mapping[str, ColumnKind],
        categories: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    ) -> WindowStatistics:
        """Count rows, nulls (NaN is one), ranges and categories in the warehouse.

        A column that the log lacks is null in every row; a sensitive one shows its nulls only.
        `categories` are the rows of those that were counted before.
        """
        project = self._selection.projection
        outputs = project.features(columns)
        kinds = {name: project.kind(name, kind) for name, kind in columns.items()}
        rows = self._selection.select([literal(1).label("one"), *placed(outputs)], start, end)
        return count_statistics(
            self._reader, rows, outputs, kinds, self.monitor.features.hides, categories
        )

    @asks
    def categories(
        self, start: datetime | None, end: datetime | None, columns: Mapping[str, ColumnKind]
    ) -> dict[str, dict[str, int]]:
        """Return by column of categories the rows of each, of one more than are remembered."""
        project = self._selection.projection
        found = {}
        for output in project.features(columns):
            if project.kind(output.name, columns[output.name]) is ColumnKind.CATEGORICAL:
                stretch = self._selection.select([output.value.label("c0")], start, end).subquery(
                    "stretch"
                )
                found[output.name] = count_categories(self._reader, stretch.c.c0, MOST_KNOWN + 1)
        return found

    @asks
    def profiles(
        self,
        layout: Layout,
        start: datetime | None,
        end: datetime | None,
        *,
        hours: Sequence[datetime] = (),
        segment: str = "",
        values: Collection[str] = (),
    ) -> dict[Slot, Profile]:
        """Count the profiles of a stretch, by hour, model version and value of a segment's column.

        `hours` are the full hours of the stretch, in order; without them it is one. Of the
        segment's column the `values` count.
        """
        asked = {segment: values}
        return self.parts(layout, start, end, hours=hours, segments=asked)[segment]

    def parts(
        self,
        layout: Layout,
        start: datetime | None,
        end: datetime | None,
        *,
        hours: Sequence[datetime] = (),
        segments: Mapping[str, Collection[str]],
    ) -> dict[str, dict[Slot, Profile]]:
        """Return what `profiles` counts for each segment's column; for '' it is of all rows.

        The warehouse reads the rows once for each of them, a stream serves all.
        """
        if self.profiler is Profiler.STREAM:
            return self._streamed(layout, start, end, hours, segments)
        found = {}
        for name, values in segments.items():
            rows, keys = self._selection.parted(layout, start, end, hours, name, values)
            found[name] = slotted(keys, hours, count_profiles(self._reader, rows, layout, keys))
        return found

    def _streamed(
        self,
        layout: Layout,
        start: datetime | None,
        end: datetime | None,
        hours: Sequence[datetime],
        segments: Mapping[str, Collection[str]],
    ) -> dict[str, dict[Slot, Profile]]:
        """Count in one pass what numpy is handed batch by batch."""
        statement, outputs, keys = self._selection.stream(layout, start, end, hours, segments)
        columns = {name: key_of(name, layout) for name in segments if name}
        with closing(self._reader.batches(statement, outputs)) as batches:
            found = stream_parts(
                batches,
                layout,
                [key.name for key in keys],
                [
                    Segments(columns[name], values) if name else Segments()
                    for name, values in segments.items()
                ],
            )
        own = [*keys, Output("segment", literal(""), pa.string())]
        return {
            name: slotted(own if name else keys, hours, profiles)
            for name, profiles in zip(segments, found, strict=True)
        }

    def profile_sql(
        self,
        layout: Layout,
        start: datetime | None,
        end: datetime | None,
        *,
        hours: Sequence[datetime] = (),
        segments: Mapping[str, Collection[str]] | None = None,
        shown: bool = True,
    ) -> list[str]:
        """Return the statements with which `parts` counts a stretch: as they are shown, the key of
        hidden values being `:key`, or as the session takes them.
        """
        segments = {"": ()} if segments is None else segments
        if self.profiler is Profiler.STREAM:
            statement, _, _ = self._selection.stream(layout, start, end, hours, segments)
            return [self._reader.literal(statement, shown=shown)]
        asked: list[Asked] = []
        for name, values in segments.items():
            rows, keys = self._selection.parted(layout, start, end, hours, name, values)
            asked += statements(self._reader, rows, layout, keys)
        return [self._reader.literal(each.statement, shown=shown) for each in asked]

    @asks
    def cost(self, statement: str) -> Cost | None:
        """Return what one of our statements would read, without running it."""
        return self._reader.cost(statement)

    @asks
    def outcomes(
        self,
        bins: OutcomeBins,
        start: datetime | None,
        end: datetime | None,
        *,
        as_of: datetime | None = None,
        starts: Sequence[datetime] = (),
        segment: str = "",
        values: Collection[str] = (),
    ) -> dict[Slot, OutcomeProfile]:
        """Count what came of the predictions of a stretch, as far as was known at a moment.

        It is parted by model version, by the `values` of a segment's column, and by the hour or
        day in which a prediction lies: `starts` are their beginnings, in order.
        """
        keys = self._selection.keys(starts, segment, values)
        said = [role for role in self._selection.projection.roles() if role.name != VERSION]
        outputs = [*keys, *said]
        statement, shown = self._selection.drawn(outputs, start, end, as_of=as_of, labels=True)
        stretch = Stretch(statement, shown, len(keys), len(shown) > len(outputs))
        return slotted(keys, starts, count_outcomes(self._reader, self.monitor, bins, stretch))

    @asks
    def daily_rows(self, start: datetime | None, end: datetime | None) -> tuple[int, ...]:
        """Return the rows of each UTC day of a stretch, oldest first; an empty day is 0."""
        first, last = start or self.first_timestamp(), end or self.last_timestamp()
        clock = self._selection.clock
        if first is None or last is None or clock is None:
            return ()
        days = [floor(first, DAY)]
        while days[-1] + DAY < last or (end is None and days[-1] + DAY <= last):
            days.append(days[-1] + DAY)
        counted = self._rows_of(clock, days, start, end)
        return tuple(counted.get(day, 0) for day in days)

    @asks
    def hourly_rows(self, start: datetime, end: datetime) -> dict[datetime, int]:
        """Return the rows of the full hours of a stretch; an hour without rows is left out."""
        clock, hours = (
            self._selection.clock,
            [start + HOUR * n for n in range((end - start) // HOUR)],
        )
        return self._rows_of(clock, hours, start, end) if clock and hours else {}

    def _rows_of(
        self,
        clock: Clock,
        starts: Sequence[datetime],
        start: datetime | None,
        end: datetime | None,
    ) -> dict[datetime, int]:
        """Return the rows from each start to the next."""
        place = clock.place(starts).label("place")
        each = self._selection.select([place], start, end).subquery("each").c.place
        grouped = self._reader.all(select(each, func.count()).group_by(each))
        return {starts[row[0]]: row[1] for row in grouped}

    @asks
    def landed(
        self, after: datetime, until: datetime, *, since: datetime
    ) -> dict[datetime, int] | None:
        """Return the hours whose predictions got labels after one moment, until another, and how
        many of them; None where labels have no times: nothing tells which are new.

        Predictions of `[since, until)` are looked at. With `labels.absent` those count too that
        came to the age at which none means a label, whether they had one or not.
        """
        clock, labelling = self._selection.clock, self._selection.labelling
        if clock is None or labelling is None or not after < until > since:
            return {}
        found = labelling.landed(self._selection.select, clock, after, until, since)
        if found is None:
            return None
        times = found.subquery("landed")
        begins = hour(replace(clock, value=times.c.c0), self._reader.dialect).label("hour")
        each = select(begins).select_from(times).subquery("each").c.hour
        grouped = self._reader.all(select(each, func.count()).group_by(each))
        return {EPOCH + HOUR * row[0]: row[1] for row in grouped}

    @asks
    def operations(
        self, start: datetime | None, end: datetime | None, cut: Cut = WHOLE
    ) -> dict[str, Served]:
        """Return how the requests of each part of a stretch were served, in one scan."""
        log, project = self.monitor.predictions, self._selection.projection
        logged: dict[str, ColumnElement[Any]] = {}
        if field := project.role(log.latency_ms, "predictions.latency_ms"):
            logged["latency"] = latency_of(field, self.predictions.dialect)
        if log.status and (field := project.role(log.status.column, "predictions.status.column")):
            logged["succeeded"] = success_of(field, log.status.ok, self.predictions.dialect)
        key, conditions = self._selection.cut(cut)
        if key is not None:
            logged["key"] = key
        columns = [value.label(name) for name, value in logged.items()]
        rows = self._selection.select([literal(1).label("one"), *columns], start, end).where(
            *conditions
        )
        found = count_served(self._reader, rows, logged, cut.most)
        none = Served.nothing(logged)
        return found if cut.keys is None else {k: found.get(k, none) for k in cut.keys}

    @asks
    def business(
        self, start: datetime | None, end: datetime | None, cut: Cut = WHOLE
    ) -> dict[str, Aggregates]:
        """Return the business metrics of each part of a stretch, in one scan.

        Raises LogError about the first expression that the warehouse does not take.
        """
        if self._faulty_business:
            raise self._faulty_business[0]
        key, conditions = self._selection.cut(cut)
        sql = {name: metric.sql for name, metric in self.monitor.business.items()}
        found = aggregate(
            self._reader,
            lambda columns: self._selection.select(columns, start, end).where(*conditions),
            sql,
            key,
            cut.most,
        )
        none = Aggregates(rows=0, values=dict.fromkeys(sql))
        return found if cut.keys is None else {k: found.get(k, none) for k in cut.keys}

    @cached_property
    def _faulty_business(self) -> list[LogError]:
        sql = {name: metric.sql for name, metric in self.monitor.business.items()}
        return faulty(
            self._reader, lambda columns: self._selection.select(columns, None, None), sql
        )

    @asks
    def counts(
        self,
        start: datetime | None,
        end: datetime | None,
        *,
        as_of: datetime | None = None,
        meant: bool = True,
    ) -> Counts:
        """Count predictions, and those whose label was known at a moment (None: all are).

        Unless labels that are only `meant` count, `labels.absent` makes none.
        """
        statement, outputs = self._selection.drawn(
            [], start, end, as_of=as_of, labels=True, meant=meant
        )
        stretch = statement.subquery("stretch")
        labelled = func.count(stretch.c[0]) if outputs else literal(0)
        rows, found = self._reader.one(select(func.count(), labelled).select_from(stretch))
        return Counts(rows=rows, labelled=found)

    @asks
    def rows(
        self,
        start: datetime | None,
        end: datetime | None,
        columns: Mapping[str, ColumnKind],
        *,
        as_of: datetime | None = None,
        labels: bool = True,
        limit: int | None = None,
        seed: int = 0,
        raw: bool = False,
        labelled: bool = False,
        dated: bool = False,
    ) -> Rows:
        """Return features, segments, what the model said and the labels known at a moment.

        With `raw` the features come once more, as the log types them: what models are trained on.
        Where only `labelled` rows are wanted the others are dropped as they come. `dated`, it is
        told since when each label is known.

        With a limit the rows are a uniform sample: the same one for a seed in every database, in
        the same order, whatever order the rows lie in. It is drawn by the id; without one by the
        row itself.
        """
        project = self._selection.projection
        outputs = [*project.features(columns), *project.segments(columns), *project.roles()]
        if raw:
            outputs += project.raw(columns)
        return self._rows(
            outputs,
            start,
            end,
            as_of=as_of,
            labels=labels,
            limit=limit,
            seed=seed,
            labelled=labelled,
            dated=dated,
        )

    def training_rows(
        self,
        start: datetime | None,
        end: datetime | None,
        columns: Mapping[str, ColumnKind],
        *,
        as_of: datetime | None = None,
        limit: int | None = None,
    ) -> Rows:
        """Return what a model is trained on, and nothing else: features as the log types them,
        the time, and the label, of the rows whose label was known at a moment.
        """
        outputs = self._selection.projection.raw(columns)
        how: dict[str, Any] = {"as_of": as_of, "labels": True, "limit": limit, "labelled": True}
        return self._rows(outputs, start, end, **how)

    def _rows(
        self, outputs: list[Output], start: datetime | None, end: datetime | None, **how: Any
    ) -> Rows:
        """Return a draw of these outputs and of the time."""
        clock = self._selection.clock
        if clock is not None:
            outputs = [*outputs, Output(TIMESTAMP, clock.shown, clock.type)]
        table, total = self._draw(outputs, start, end, **how)
        if clock is not None:
            place = table.column_names.index(TIMESTAMP)
            instants = clock.instants(table[TIMESTAMP])
            table = table.set_column(place, pa.field(TIMESTAMP, INSTANT), instants)
        return Rows(table=table, total=total)

    def sql(
        self, start: datetime | None, end: datetime | None, columns: Mapping[str, ColumnKind]
    ) -> str:
        """Return the literal SELECT of a stretch's features, typed as `rows` types them."""
        outputs = self._selection.projection.features(columns)
        named = [output.value.label(quoted_name(output.name, True)) for output in outputs]
        return self._reader.literal(self._selection.select(named, start, end))

    def _extremes(self, aggregate: Any) -> list[datetime]:
        """Return the first or last instants of the log; none where it is empty."""
        clock = self._selection.clock
        if clock is None:
            return []
        ends = [Output(TIMESTAMP, value, clock.type) for value in clock.extremes(aggregate)]
        statement = self._selection.select(placed(ends), None, None)
        found = [clock.moment(each[0].as_py()) for each in self._reader.table(statement, ends)]
        return [moment for moment in found if moment is not None]

    def _draw(
        self,
        outputs: Sequence[Output],
        start: datetime | None,
        end: datetime | None,
        *,
        limit: int | None = None,
        labelled: bool = False,
        **how: Any,
    ) -> tuple[pa.Table, int]:
        """Return the rows of a draw, and how many there are to draw from.

        Of those that are `labelled` the total is what the share of them in the draw makes likely.
        """
        if limit is None:
            table, drawn = self._fetched(
                *self._selection.drawn(outputs, start, end, **how), labelled
            )
            return table, len(table)
        (total,) = self._reader.one(self._selection.select([func.count()], start, end))
        for below in dict.fromkeys([enough(limit, total), ""]):
            asked = self._selection.drawn(outputs, start, end, limit=limit, below=below, **how)
            table, drawn = self._fetched(*asked, labelled)
            if drawn >= min(limit, total):
                break
        return table, round(total * len(table) / drawn) if labelled and drawn else total

    def _fetched(
        self, statement: Select[Any], outputs: Sequence[Output], labelled: bool
    ) -> tuple[pa.Table, int]:
        """Return the rows of a draw as they come, in memory once, and how many were drawn."""
        schema, kept, drawn = pa.schema([(o.name, o.type) for o in outputs]), [], 0
        with closing(self._reader.batches(statement, outputs)) as batches:
            for batch in batches:
                drawn += len(batch)
                if not labelled:
                    kept.append(batch)
                elif LABEL in schema.names:
                    kept.append(batch.filter(pc.is_valid(batch.column(LABEL))))
        return pa.Table.from_batches(kept, schema), drawn
