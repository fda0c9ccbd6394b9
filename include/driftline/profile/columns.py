"""A profile: additive statistics of each column in one stretch of a log, on a reference's bins.

Whatever counts them, the warehouse or numpy, the same rows make the same profile: the counts to
the last row, the sums up to the rounding of floating point addition. Profiles of parts add up to
the profile of the whole.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.domain import ColumnKind

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LARGEST = 1e150
"""A number beyond it counts as infinite: its square is no double."""

MOST_VALUES = 30
"""A numeric column with so few distinct values has a bin for each of them."""

SPIKE = 0.02
"""A value that so large a share of the rows has gets a bin of its own."""

MOST_CATEGORIES = 1_000
"""So many categories have bins of their own: those with the most rows."""

MOST_KNOWN = 10_000
"""So many are remembered by name; those without a bin of their own are counted together."""

_TAIL = (0.0001, 0.001, 0.0025, 0.005, 0.01)
_QUANTILES = np.array([*_TAIL, *np.arange(1, 50) / 50, *(1 - p for p in reversed(_TAIL))])


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericBins:
    """Bins of numbers: `edges[i - 1] <= x < edges[i]`, the first and the last of them open.

    `shift` is taken from each number before it is summed, lest variances cancel. `kind` says what
    the numbers are of.
    """

    edges: tuple[float, ...]
    shift: float
    kind: ColumnKind = ColumnKind.NUMERIC

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1

    @property
    def single(self) -> NDArray[np.bool_]:
        """Which bins hold one value only."""
        edges = np.array(self.edges)
        own = np.nextafter(edges[:-1], np.inf) == edges[1:]
        return np.concatenate([[False], own, [False]]) if len(edges) else np.array([False])

    @classmethod
    def of(cls, values: Floats, kind: ColumnKind = ColumnKind.NUMERIC) -> "NumericBins":
        """Return the bins of a reference, from its numbers or a sample of them.

        They are its quantiles with refined tails, and one bin for each value that many rows have.
        """
        values = values[np.abs(values) <= LARGEST]
        if not len(values):
            return cls(edges=(), shift=0.0, kind=kind)
        distinct, rows = np.unique(values, return_counts=True)
        few = len(distinct) <= MOST_VALUES
        spikes = distinct if few else distinct[rows >= SPIKE * len(values)]
        rest = values[~np.isin(values, spikes)]
        quantiles = np.quantile(rest, _QUANTILES) if len(rest) else rest
        edges = np.unique(np.concatenate([quantiles, spikes, np.nextafter(spikes, np.inf)]))
        return cls(edges=tuple(edges.tolist()), shift=float(values.mean()), kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryBins:
    """Bins of categories: one each, then one for what is `folded`, then one for what is new.

    Where the reference holds more than could be remembered, `folded` is None and all others are
    one: nothing is called new.
    """

    categories: tuple[str, ...]
    folded: tuple[str, ...] | None = ()

    @property
    def kind(self) -> ColumnKind:
        """Categories."""
        return ColumnKind.CATEGORICAL

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.categories) + 2

    @property
    def other(self) -> int:
        """The bin of what is folded; the next is that of what is new."""
        return len(self.categories)

    @classmethod
    def of(cls, rows: Mapping[str, int]) -> "CategoryBins":
        """Return the bins of a reference, from the rows of each of its categories."""
        ranked = sorted(rows, key=lambda name: (-rows[name], name))
        folded = tuple(ranked[MOST_CATEGORIES:]) if len(ranked) <= MOST_KNOWN else None
        return cls(categories=tuple(ranked[:MOST_CATEGORIES]), folded=folded)


Bins = NumericBins | CategoryBins


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where the numbers of one column lie in a profile's vectors."""

    bins: Bins
    counts: int
    """The place of its first bin; after the bins come nulls, NaN and infinities."""
    sums: int = 0
    """The place of its first bin's sum; after the bins comes the sum of squares."""
    place: int = 0
    """Its place among the numeric columns."""

    @property
    def nulls(self) -> int:
        """The place of the count of nulls; NaN and infinities follow."""
        return self.counts + self.bins.size


class Part(NamedTuple):
    """Which rows of a stretch a profile is of: those of a model version, and of a segment.

    `segment` reads `origin=JFK`, or is '' for all rows; '' as version is that of rows without one.
    """

    version: str
    segment: str


class Layout:
    """The bins of all columns of a reference, and where their numbers lie in a profile."""

    def __init__(self, bins: Mapping[str, Bins]) -> None:
        self.bins = dict(bins)
        self.spans: dict[str, Span] = {}
        self.numeric = 0
        counts = sums = 0
        for name, one in self.bins.items():
            self.spans[name] = Span(bins=one, counts=counts, sums=sums, place=self.numeric)
            counts += one.size + 3
            if isinstance(one, NumericBins):
                sums += one.size + 1
                self.numeric += 1
        self.counts, self.sums = counts, sums
        self.of_numbers = np.full((counts, 3), -1)
        """For the place of a numeric bin: those of its sum, the squares, and the extremes."""
        for span in self.spans.values():
            if isinstance(span.bins, NumericBins):
                own = self.of_numbers[span.counts : span.nulls]
                own[:, 0] = span.sums + np.arange(span.bins.size)
                own[:, 1:] = span.sums + span.bins.size, span.place

    def empty(self) -> "Profile":
        """Return the profile of no row."""
        return Profile(
            layout=self,
            rows=0,
            counts=np.zeros(self.counts, np.int64),
            sums=np.zeros(self.sums),
            lows=np.full(self.numeric, np.inf),
            highs=np.full(self.numeric, -np.inf),
        )

    def total(self, profiles: Iterable["Profile"]) -> "Profile":
        """Return the sum of profiles: that of all their rows."""
        parts = list(profiles)
        if not parts:
            return self.empty()
        return Profile(
            layout=self,
            rows=sum(part.rows for part in parts),
            counts=np.sum([part.counts for part in parts], axis=0),
            sums=np.sum([part.sums for part in parts], axis=0),
            lows=np.min([part.lows for part in parts], axis=0),
            highs=np.max([part.highs for part in parts], axis=0),
        )

    def total_parts(self, stretches: Iterable["Parts"]) -> "Parts":
        """Return the sum of stretches, part by part."""
        found: dict[Part, list[Profile]] = {}
        for stretch in stretches:
            for part, profile in stretch.items():
                found.setdefault(part, []).append(profile)
        return {part: self.total(profiles) for part, profiles in found.items()}

    def read(self, rows: int, content: bytes) -> "Profile":
        """Return the profile that `Profile.content` wrote."""
        wide, raw = content[:1] == b"8", zlib.decompress(content[1:])
        kind = np.dtype("<i8" if wide else "<i4")
        cut = self.counts * kind.itemsize
        counts = np.frombuffer(raw[:cut], kind).astype(np.int64)
        rest = np.frombuffer(raw[cut:], "<f8")
        lows = self.sums + self.numeric
        return Profile(
            layout=self,
            rows=rows,
            counts=counts,
            sums=rest[: self.sums],
            lows=rest[self.sums : lows],
            highs=rest[lows:],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """What one stretch of a log holds in each column of a layout."""

    layout: Layout
    rows: int
    counts: Counts
    sums: Floats
    lows: Floats
    highs: Floats

    def column(self, name: str) -> "NumericProfile | CategoryProfile":
        """Return what it holds in one column."""
        span = self.layout.spans[name]
        bins, counts = span.bins, self.counts[span.counts : span.nulls]
        nulls, nans, infinite = (int(n) for n in self.counts[span.nulls : span.nulls + 3])
        if isinstance(bins, CategoryBins):
            return CategoryProfile(bins=bins, counts=counts, nulls=nulls)
        end = span.sums + bins.size
        return NumericProfile(
            bins=bins,
            counts=counts,
            sums=self.sums[span.sums : end],
            squares=float(self.sums[end]),
            nulls=nulls,
            nans=nans,
            infinite=infinite,
            low=float(self.lows[span.place]),
            high=float(self.highs[span.place]),
        )

    @property
    def content(self) -> bytes:
        """Its vectors, packed."""
        wide = bool(self.rows > np.iinfo(np.int32).max)
        counts = self.counts.astype("<i8" if wide else "<i4").tobytes()
        rest = np.concatenate([self.sums, self.lows, self.highs]).astype("<f8").tobytes()
        return (b"8" if wide else b"4") + zlib.compress(counts + rest, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NumericProfile:
    """One numeric column: rows and sums in each bin, of finite values less the bins' shift."""

    bins: NumericBins
    counts: Counts
    sums: Floats
    squares: float
    nulls: int
    nans: int
    infinite: int
    low: float
    high: float

    @property
    def usable(self) -> int:
        """Rows with a finite value."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean of the finite values; NaN without any."""
        return self.bins.shift + self.sums.sum() / self.usable if self.usable else float("nan")

    @property
    def std(self) -> float:
        """Their standard deviation (of the population, ddof 0); NaN without any."""
        if not self.usable:
            return float("nan")
        mean = self.sums.sum() / self.usable
        return float(np.sqrt(max(0.0, self.squares / self.usable - mean * mean)))

    @property
    def minimum(self) -> float | None:
        """The least finite value, up to rounding; None without any."""
        return self.low + self.bins.shift if self.usable else None

    @property
    def maximum(self) -> float | None:
        """The greatest finite value, up to rounding; None without any."""
        return self.high + self.bins.shift if self.usable else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CategoryProfile:
    """One column of categories: rows in each bin."""

    bins: CategoryBins
    counts: Counts
    nulls: int

    @property
    def usable(self) -> int:
        """Rows with a value."""
        return int(self.counts.sum())

    @property
    def new(self) -> int:
        """Rows with a category that the reference does not hold."""
        return int(self.counts[-1])


Parts = Mapping[Part, Profile]
"""The profile of each part of a stretch; parts without a row are not in it."""
