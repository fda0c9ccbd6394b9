"""Slots: what parts the profiles of a stretch."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from driftline.domain import ColumnKind
from driftline.profile import Layout
from driftline.warehouse.reader import Output
from driftline.warehouse.rows import RESERVED

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
