"""Columns that the reference had and the log has no more, and what they may be called now."""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from driftline.monitor.config import Monitor
from driftline.warehouse.features import is_free
from driftline.warehouse.source import Source

_ALIKE = 0.6
"""From which ratio on difflib takes two names for one."""


def departed(
    monitor: Monitor, source: Source, known: Collection[str], empty: Collection[str]
) -> dict[str, str]:
    """Return by column what is said of those of the `empty` ones that left the log, or that have a
    likely new name.

    `known` are the columns of the reference. Files of a log that differ have the columns of all:
    there one that was renamed is still found, and null.
    """
    new = [name for name, _ in source.leaves() if name not in known and is_free(monitor, name)]
    told = {}
    for name in empty:
        gone = source.find(name) is None
        said = f"{name} is {'not in the log any more' if gone else 'null in every row'}"
        if nearest := _nearest(name, new):
            told[name] = f"{said}; {nearest} is new: renamed?"
        elif gone:
            told[name] = said
    return told


def _nearest(name: str, new: Sequence[str]) -> str | None:
    """Return the new name that is most like a name, or contains it or is contained in it."""

    def likeness(other: str) -> float:
        one, two = name.casefold(), other.casefold()
        ratio = SequenceMatcher(None, one, two).ratio()
        within = min(len(one), len(two)) > 2 and (one in two or two in one)
        return max(ratio, _ALIKE) if within else ratio

    best = max(new, key=likeness, default=None)
    return best if best is not None and likeness(best) >= _ALIKE else None
