"""A Cut: by what a stretch of the log is parted when the warehouse aggregates it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from driftline.domain import ColumnKind
from driftline.profile.columns import Layout
from driftline.profile.rows import RESERVED
from driftline.warehouse.reader import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """All rows as one; or by `version`, the `most` that have most rows; or by a column's values."""

    version: bool = False
    segment: str = ""
    values: tuple[str, ...] = ()
    most: int = 0

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The parts that there are; None where the rows tell."""
        if self.version:
            return None
        return self.values if self.segment else ("",)


WHOLE = Cut()


def cuts(segments: Mapping[str, tuple[str, ...]], *, version: bool, most: int) -> Iterator[Cut]:
    """Yield all rows, each segment's column, and the model versions where the log names them."""
    yield WHOLE
    for column, values in segments.items():
        if values:
            yield Cut(segment=column, values=values, most=len(values))
    if version:
        yield Cut(version=True, most=most)


Counted = TypeVar("Counted")


class Slot(NamedTuple):
    """What part of a stretch a profile is of: its hour, model version, and segment's value."""

    hour: datetime | None
    version: str
    segment: str


def key_of(segment: str, layout: Layout) -> str:
    """Return what a segment's column is called in a stream: one of categories is there already."""
    own = layout.bins.get(segment)
    return segment if own and own.kind is ColumnKind.CATEGORICAL else f"{RESERVED}key:{segment}"


def slotted(
    keys: Sequence[Output], hours: Sequence[datetime], found: Mapping[tuple[Any, ...], Counted]
) -> dict[Slot, Counted]:
    """Return profiles by slot instead of by the keys' values; those of no segment are left out."""
    names, slots = [key.name.removeprefix(RESERVED) for key in keys], {}
    for combination, profile in found.items():
        own = dict(zip(names, combination, strict=True))
        if own.get("segment", "") is None:
            continue
        hour = hours[own["hour"]] if "hour" in own else None
        slots[Slot(hour, own.get("version", ""), own.get("segment", ""))] = profile
    return slots
