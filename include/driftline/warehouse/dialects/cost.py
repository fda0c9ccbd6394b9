"""What a statement would cost, as far as a database says so without running it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a database expects of one statement; None is what it cannot tell."""

    rows: int | None = None
    """The rows that it takes its scans to find."""

    scanned: int | None = None
    """The bytes of its tables or files that it would read, were nothing of them in memory."""

    units: float | None = None
    """The planner's own number, which compares with no other database's."""

    basis: str = ""
    """What the bytes are, in words."""


def nodes(plans: Iterable[Mapping[str, Any]], children: str) -> Iterator[Mapping[str, Any]]:
    """Yield each node of plans that are trees."""
    for plan in plans:
        yield plan
        yield from nodes(plan.get(children) or (), children)
