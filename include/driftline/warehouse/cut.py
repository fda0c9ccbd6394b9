"""A Cut: by what a stretch of the log is parted when the warehouse aggregates it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


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
