"""What is selected of the logs of one monitor: statements, none of which is asked here."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
from sqlalchemy import ColumnElement, Select, case, func, literal, literal_column, select

from driftline.domain import utc
from driftline.errors import LogError, MissingColumn, WarehouseError
from driftline.monitor.config import Monitor
from driftline.printable import amount
from driftline.profile.columns import Layout
from driftline.profile.rows import RESERVED, VERSION
from driftline.warehouse.check import named_columns, named_of_labels
from driftline.warehouse.clock import Clock
from driftline.warehouse.cut import Cut, key_of
from driftline.warehouse.dialects.base import Family, TimeLiteral, varchar
from driftline.warehouse.draw import Lot, draw, placed
from driftline.warehouse.labels import Labelling
from driftline.warehouse.meeting import tell_apart
from driftline.warehouse.paths import nothing_at
from driftline.warehouse.projection import Projection
from driftline.warehouse.reader import Output, Reader
from driftline.warehouse.source import Field, Source, open_source


@dataclass(frozen=True)
class Selection:
    """The predictions and labels that a monitor's file names, as its warehouse has them.

    Where `partial`, columns that have a role may be missing. The reader describes columns, once.
    """

    monitor: Monitor
    reader: Reader
    partial: bool
    units: dict[str, int] = field(default_factory=dict)

    @cached_property
    def predictions(self) -> Source:
        """The prediction log; MissingTable when it is not there, MissingColumn where it lacks what
        is sensitive: that may have been renamed, and would be shown.
        """
        for name in self.monitor.features.sensitive:
            self.log.field(name, "features.sensitive")
        return self.log

    @cached_property
    def log(self) -> Source:
        """The prediction log, whatever it lacks."""
        monitor = self.monitor
        return open_source(self.reader, monitor.predictions, monitor.folder, "predictions")

    def check_sensitive(self, start: datetime | None, end: datetime | None) -> None:
        """Raise MissingColumn about a sensitive path that no document of a stretch has."""
        for name in self.monitor.features.sensitive:
            self.predictions.field(name, "features.sensitive")
            if nothing := nothing_at(
                self.reader,
                self.predictions,
                lambda columns: self.select(columns, start, end),
                name,
                "features.sensitive",
            ):
                raise MissingColumn(
                    f"{nothing} Nothing is measured while it is not found: what it should hide "
                    "may stand under another name"
                )

    def absent_paths(self) -> Iterator[MissingColumn]:
        """Yield an error about each path that the file gives a meaning and no document has."""
        places = [
            (self.predictions, lambda c: self.select(c, None, None), named_columns(self.monitor))
        ]
        if labels := self.labels:
            rows = lambda c: select(*c).select_from(labels.relation)  # noqa: E731
            places.append((labels, rows, named_of_labels(self.monitor)))
        for source, rows, named in places:
            for key, name in named:
                if key not in ("features.exclude", "features.sensitive") and (
                    nothing := nothing_at(self.reader, source, rows, name, key)
                ):
                    yield MissingColumn(nothing)

    @cached_property
    def labels(self) -> Source | None:
        """The labels' own table; None where the label stands in the prediction's row."""
        labels = self.monitor.labels
        if labels is None or not labels.named:
            return None
        return open_source(self.reader, labels, self.monitor.folder, "labels")

    @cached_property
    def reference(self) -> Source | None:
        """The reference's own table; None where the reference is a stretch of the log."""
        own = self.monitor.reference
        if not own.named:
            return None
        return open_source(self.reader, own, self.monitor.folder, "reference")

    @cached_property
    def projection(self) -> Projection:
        """The predictions' columns under the names that they are selected by."""
        return Projection(self.monitor, self.predictions, self.partial, self.clock)

    @cached_property
    def clock(self) -> Clock | None:
        """The time of a prediction; None only where the log is partial and has none."""
        name = self.monitor.predictions.timestamp
        if self.partial and self.predictions.find(name) is None:
            return None
        return self._clock_of(self.predictions, name, "predictions.timestamp")

    @cached_property
    def labelling(self) -> Labelling | None:
        """The labels, as far as the file speaks of them."""
        labels = self.monitor.labels
        if labels is None:
            return None
        found = Labelling.of(labels, self.projection, self.labels, self._clock_of)
        if found.table:
            own, other = found.keys_named
            tell_apart(self.reader, self.predictions, found.keys, own)
            tell_apart(self.reader, found.table.source, found.table.keys, other)
        return found

    def unmet(self, rows: int) -> LogError | None:
        """Return the error that none of so many predictions finds its label; None where labels are
        rare and there is none yet.
        """
        labelling = self.labelling
        if labelling is None:
            return None
        none = f"none of {amount(rows, 'prediction')} older than labels.maturity finds a label"
        if labelling.table is None:
            return LogError(f"labels.label: {none}: {labelling.settings.label} is NULL in all rows")
        _, key = labelling.keys_named
        source = labelling.table.source
        if not self.reader.all(select(literal(1)).select_from(source.relation).limit(1)):
            empty = LogError(f"labels: {none}: {source.name} holds no rows")
            return None if labelling.settings.absent else empty
        pairs = zip(labelling.keys, labelling.table.keys, strict=True)
        said = [
            ", ".join(
                self._shown(*each, hidden=any(map(self.monitor.features.hides, names)))
                for each in ((self.predictions, own), (source, other))
            )
            for own, other in pairs
            for names in [(own.name, other.name)]
        ]
        return LogError(
            f"{key}: {none}: {'; '.join(said)}. Where these are the same ids in two writings "
            "(case, dashes, spaces, leading zeros), let a query: make them alike"
        )

    def _shown(self, source: Source, key: Field, *, hidden: bool) -> str:
        """Describe a column by its name, its type and, unless it is hidden, one of its values."""
        there = select(varchar(key.value)).select_from(source.relation)
        found = self.reader.all(there.where(key.value.is_not(None)).limit(1))
        example = f" (such as {found[0][0]!r})" if found and not hidden else ""
        return f"{key.name} of {source.name} is {key.type}{example}"

    def _clock_of(self, source: Source, name: str, key: str) -> Clock:
        near = self.monitor.reference.window if key == "predictions.timestamp" else None
        found = Clock.read(
            self.reader,
            source,
            name,
            self.monitor.predictions.timezone,
            key,
            unit=self.units.get(key),
            near=near,
        )
        if found.unit is not None:
            self.units[key] = found.unit
        return found

    def keep(self, units: Mapping[str, int]) -> None:
        """Read columns of times in these units."""
        if any(self.units.get(key) != unit for key, unit in units.items()):
            self.units.update(units)
            for known in ("clock", "projection", "labelling"):
                self.__dict__.pop(known, None)

    def timeless(self, start: datetime | None, end: datetime | None) -> Select[Any]:
        """Return the count of rows that have no time."""
        statement = select(func.count()).select_from(self.predictions.relation)
        outside = [self.clock.outside] if self.clock else []
        return statement.where(*self._filed(start, end), *outside)

    def untimed(self) -> dict[str, Select[Any]]:
        """Return by key of the file the rows there are, and of how many a time is none."""
        log, labelling, found = self.predictions, self.labelling, {}
        if self.clock:
            found["predictions.timestamp"] = self._untimed(log, self.clock, self._filed(None, None))
        if labelling and labelling.table:
            times = labelling.times
            for key, clock in (("timestamp", times.happened), ("loaded_at", times.loaded)):
                if clock:
                    found[f"labels.{key}"] = self._untimed(labelling.table.source, clock, [])
        return found

    def _untimed(
        self, source: Source, clock: Clock, conditions: Sequence[ColumnElement[bool]]
    ) -> Select[Any]:
        none = func.count(case((clock.outside, 1)))
        return select(func.count(), none).select_from(source.relation).where(*conditions)

    @cached_property
    def condition(self) -> ColumnElement[bool] | None:
        """The file's `where` in parentheses, after it was taken without them, on no rows.

        What closes a parenthesis that it has not opened stands only inside of ours: it would not
        be a condition, but the rest of a statement.
        """
        where = self.monitor.predictions.where
        if not where:
            return None
        rows = select(literal(1).label("one")).select_from(self.predictions.relation)
        try:
            self.reader.all(rows.where(literal_column(f"\n{where}\n")).limit(0))
        except (LogError, WarehouseError) as error:
            raise type(error)(f"predictions.where: it is not one condition: {error}") from error
        return literal_column(f"({where}\n)")

    def select(
        self, columns: Sequence[ColumnElement[Any]], start: datetime | None, end: datetime | None
    ) -> Select[Any]:
        """Return the SELECT of a stretch: its partitions, the file's `where`, its time."""
        log = self.monitor.predictions
        statement = select(*columns).select_from(self.predictions.relation)
        statement = statement.where(*self._filed(start, end))
        if self.clock is not None:
            return statement.where(*self.clock.within(start, end))
        if start or end:
            raise self.predictions.lacks(log.timestamp, "predictions.timestamp")
        return statement

    def _filed(self, start: datetime | None, end: datetime | None) -> list[ColumnElement[bool]]:
        """Return the predicates of a stretch's partitions, and the file's `where`."""
        log, found = self.monitor.predictions, []
        if log.partition and self._filing:
            found += partition_bounds(*self._filing, log.partition.slack, start, end)
        if self.condition is not None:
            found.append(self.condition)
        return found

    @cached_property
    def _filing(self) -> tuple[Field, str] | None:
        """The column of partitions, and how it writes days."""
        partition, key = self.monitor.predictions.partition, "predictions.partition.column"
        if partition is None:
            return None
        column = self.predictions.field(partition.column, key)
        return column, filed_by(self.reader, self.predictions, column, key)

    def drawn(
        self,
        outputs: Sequence[Output],
        start: datetime | None,
        end: datetime | None,
        *,
        as_of: datetime | None = None,
        labels: bool = False,
        limit: int | None = None,
        below: str = "",
        seed: int = 0,
        meant: bool = True,
        dated: bool = False,
    ) -> tuple[Select[Any], list[Output]]:
        """Return the SELECT of a draw and its outputs, the label last; `dated`, since when it is
        known after it.

        Without labels that are only `meant` (`labels.absent`) it has those that are there.
        """
        project, lot, outputs = self.projection, None, list(outputs)
        labelling = self.labelling if labels else None
        if labelling and not meant:
            labelling = labelling.there
        join = labelling.join(start, end, as_of, dated=dated) if labelling else None
        if labelling and join is None:
            outputs += labelling.in_row(as_of, dated=dated)
        if limit is not None:
            parts = [project.text(each) for each in self._ids]
            parts = parts or [func.coalesce(varchar(output.value), "") for output in outputs]
            lot = Lot(parts=parts, seed=seed, limit=limit, below=below)
        statement = draw(
            lambda columns: self.select(columns, start, end),
            self.predictions.dialect,
            outputs,
            lot,
            join,
        )
        if labelling and join:
            outputs += [join.table.label, *([labelling.known] if dated else [])]
        return statement, outputs

    @cached_property
    def _ids(self) -> list[Field]:
        names = self.monitor.predictions.id or ()
        found = [self.projection.role(name, "predictions.id") for name in names]
        return [each for each in found if each]

    def parted(
        self,
        layout: Layout,
        start: datetime | None,
        end: datetime | None,
        hours: Sequence[datetime],
        segment: str,
        values: Collection[str],
    ) -> tuple[Select[Any], list[Output]]:
        """Return the rows of a stretch with the keys that part them, and these keys."""
        keys = self.keys(hours, segment, values)
        kinds = {name: bins.kind for name, bins in layout.bins.items()}
        columns = [
            *placed(self.projection.features(kinds)),
            *(key.value.label(key.name) for key in keys),
        ]
        return self.select(columns or [literal(1).label("one")], start, end), keys

    def keys(
        self, starts: Sequence[datetime], segment: str = "", values: Collection[str] = ()
    ) -> list[Output]:
        """Return what parts rows by hour or day, model version and a segment's `values`."""
        clock, keys = self.clock, []
        if starts and clock is not None:
            keys.append(Output("hour", clock.place(starts), pa.int64()))
        versions = [each for each in self.projection.roles() if each.name == VERSION]
        keys += [Output("version", func.coalesce(v.value, ""), pa.string()) for v in versions]
        if segment:
            text = self.projection.category(segment).value
            keys.append(Output("segment", case((text.in_(sorted(values)), text)), pa.string()))
        return keys

    def stream(
        self,
        layout: Layout,
        start: datetime | None,
        end: datetime | None,
        hours: Sequence[datetime],
        segments: Iterable[str],
    ) -> tuple[Select[Any], list[Output], list[Output]]:
        """Return the SELECT of what numpy counts, its outputs, and the keys among them."""
        project = self.projection
        keys = [key._replace(name=f"{RESERVED}{key.name}") for key in self.keys(hours)]
        kinds = {name: bins.kind for name, bins in layout.bins.items()}
        names = [name for name in segments if name and key_of(name, layout) != name]
        own = [project.category(name)._replace(name=key_of(name, layout)) for name in names]
        outputs = [*project.features(kinds), *keys, *own]
        outputs = outputs or [Output(f"{RESERVED}one", literal(1), pa.int64())]
        return self.select(placed(outputs), start, end), outputs, keys

    def cut(self, cut: Cut) -> tuple[ColumnElement[Any] | None, list[ColumnElement[bool]]]:
        """Return the key of the parts, and which rows are in one."""
        if cut.segment:
            text = self.projection.category(cut.segment).value
            return text, [text.in_(sorted(cut.values))]
        version = self.projection.role(self.monitor.predictions.version, "predictions.version")
        if cut.version and version:
            text = self.projection.string(version)
            return text, [text != ""]
        return None, []


_SAMPLE = 1000
_ISO, _COMPACT, _HOURS = "%Y-%m-%d", "%Y%m%d", "%Y%m%d00"
_WRITTEN = {
    _ISO: re.compile(r"\d{4}-[01]\d-[0-3]\d.*"),
    _COMPACT: re.compile(r"(19|20|21)\d\d[01]\d[0-3]\d"),
    _HOURS: re.compile(r"(19|20|21)\d\d[01]\d[0-3]\d[0-2]\d"),
}


def filed_by(reader: Reader, source: Source, field: Field, key: str) -> str:
    """Return how most partitions of text or whole numbers write a day, as `strftime` has it.

    Raises LogError where they are no days.
    """
    if field.family not in (Family.TEXT, Family.INTEGER):
        return _ISO
    there = select(field.value).select_from(source.relation).where(field.value.is_not(None))
    sample = [str(row[0]) for row in reader.all(there.limit(_SAMPLE))]
    if not sample:
        return _ISO if field.family is Family.TEXT else _COMPACT
    counted = Counter(_way(word) for word in sample)
    ((way, _),) = counted.most_common(1)
    if not way or (way == _ISO and field.family is Family.INTEGER):
        example = next(word for word in sample if _way(word) == way)
        raise LogError(f"{key}: {field.name} holds {example!r}; {_ALLOWED}")
    return way


def partition_bounds(
    field: Field, way: str, slack: timedelta, start: datetime | None, end: datetime | None
) -> list[ColumnElement[bool]]:
    """Return the days, both included, in which rows of `[start, end)` may have been filed."""
    bounds = []
    if start is not None:
        bounds.append(field.value >= _day(field, way, utc(start - slack).date()))
    if end is not None:
        after = utc(end + slack).date() + timedelta(days=1)
        bounds.append(field.value < _day(field, way, after))
    return bounds


_ALLOWED = "a partition is a date, a time, text (2013-04-01, 20130401) or a whole number (20130401)"


def _way(word: str) -> str:
    return next((way for way, pattern in _WRITTEN.items() if pattern.fullmatch(word)), "")


def _day(field: Field, way: str, day: date) -> ColumnElement[Any]:
    if field.family is Family.DATE:
        return TimeLiteral(Family.DATE, day)
    if field.family is Family.NAIVE:
        return TimeLiteral(Family.NAIVE, day)
    if field.family is Family.AWARE:
        return TimeLiteral(Family.AWARE, f"{day} 00:00:00+00:00")
    if field.family is Family.TEXT:
        return literal(day.strftime(way))
    if field.family is Family.INTEGER:
        return literal(int(day.strftime(way)))
    raise LogError(f"predictions.partition.column: {field.name} is {field.type}; {_ALLOWED}")
