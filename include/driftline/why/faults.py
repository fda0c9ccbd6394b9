"""Columns that broke: nulls, new categories, sentinels, another unit, values that stick."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from driftline.domain import CauseKind
from driftline.printable import amount
from driftline.stats.tables import shares_z
from driftline.suites.frame import Column
from driftline.why.columns import Coded
from driftline.why.sides import Floats, Side

_SURE = 4.0
"""Standard errors beyond which a share has jumped: some 1 in 30,000, for each column."""
_WORTH = 0.01
"""A smaller share of the window's rows is not worth a word."""
_STUCK = 0.1
"""So large a share of the rows that varied must have got stuck."""
_FEWEST = 30
"""Rows that a stretch of the reference must hold to say what is natural."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fault:
    """A column that broke: how surely each row of the window is hit, 0 to 1, and in words how."""

    column: str
    kind: CauseKind
    hit: Floats
    words: str
    where: str = field(default="")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """One column's values in both sides, and the stretches of the reference as long as the window.

    What is natural is what such stretches hold: nulls that come in bursts are no news.
    """

    column: Coded
    reference: Floats
    window: Floats
    stretch: NDArray[np.int64]

    def usual(self, held: NDArray[np.bool_]) -> float:
        """Return the largest share of such rows that a stretch of the reference has."""
        size = np.bincount(self.stretch)
        full = size >= min(_FEWEST, size.max())
        return float((np.bincount(self.stretch, weights=held)[full] / size[full]).max())


def faults(reference: Side, window: Side, columns: Sequence[Coded]) -> list[Fault]:
    """Return what broke, at most one fault a column: the one that hits most rows."""
    stretch = stretches(reference, window)
    found = []
    for column in columns:
        both = (
            _Pair(
                column=column,
                reference=_values(reference.frame.columns.get(column.name), column.reference),
                window=_values(window.frame.columns.get(column.name), column.window),
                stretch=stretch,
            )
            if len(column.reference) and len(column.window)
            else None
        )
        kinds = list(_of_column(both)) if both else []
        if kinds:
            found.append(max(kinds, key=_says))
    return found


def _says(fault: Fault) -> float:
    """Return how many rows a fault hits; that values are far out says less than why."""
    return float(fault.hit.sum()) * (0.8 if fault.kind is CauseKind.RANGE else 1.0)


def stretches(reference: Side, window: Side) -> NDArray[np.int64]:
    """Return for each row of the reference the stretch, as long as the window, that it lies in."""
    whole = np.zeros(reference.frame.rows, dtype=np.int64)
    if reference.time is None or window.time is None or not len(whole) or not len(window.time):
        return whole
    hour = np.timedelta64(1, "h")
    length = max(hour, window.time.max() - window.time.min())
    first = reference.time.min()
    if reference.time.max() - first < 2 * length:
        return whole
    return np.asarray((reference.time - first) // length, dtype=np.int64)


def _values(held: Column | None, codes: NDArray[np.int64]) -> Floats:
    if held is None or not held.kind.is_number:
        return codes.astype(np.float64)
    return np.asarray(held.values, dtype=np.float64)


def _of_column(both: _Pair) -> Iterator[Fault]:
    yield from _nulls(both)
    if both.column.numeric:
        yield from _far(both)
        yield from _unit(both)
        yield from _stuck(both)
    else:
        yield from _new(both)
        yield from _constant(both)


def _nulls(both: _Pair) -> Iterator[Fault]:
    column = both.column
    before, now = column.reference == column.null, column.window == column.null
    usual = both.usual(before)
    if now.mean() - usual > _WORTH and _jump(before, now) > _SURE:
        words = f"{column.name} is null in {now.mean():.1%} of the rows; {before.mean():.1%} before"
        yield Fault(
            column=column.name,
            kind=CauseKind.NULLS,
            hit=now * (1 - usual / now.mean()),
            words=words,
            where=f"{column.name} is null",
        )


def _new(both: _Pair) -> Iterator[Fault]:
    """Find categories that the reference lacks, beyond those that every sample brings.

    Of the next rows a share of f1/n is expected to be new, f1 being how many categories came once
    among n. Source: Good, Biometrika 40, 1953.
    """
    column = both.column
    now = column.window == column.new
    expected = len(now) * column.singles / len(column.reference)
    excess = now.sum() - expected
    if now.mean() < _WORTH or excess < _SURE * np.sqrt(max(expected, 1.0)) or now.sum() < 5:
        return
    size = [np.bincount(codes, minlength=column.size) / len(codes) for codes in _codes(column)]
    lost = np.flatnonzero((size[0] > _WORTH) & (size[1] < size[0] / 2))
    words = f"{column.name} holds categories never seen in {now.mean():.1%} of the rows"
    if len(lost):
        words += f", while {column.name} {column.names[lost[0]]} fell "
        words += f"from {size[0][lost[0]]:.1%} to {size[1][lost[0]]:.1%}"
    yield Fault(
        column=column.name,
        kind=CauseKind.NEW_CATEGORY,
        hit=now.astype(float),
        words=words,
        where=f"{column.name} is new",
    )


def _far(both: _Pair) -> Iterator[Fault]:
    """Find values that lie further out than the reference is wide, and apart from all others.

    Where they follow on the others the column moved, as with a season, and nothing broke.
    """
    held = both.reference[~np.isnan(both.reference)]
    if len(held) < _FEWEST:
        return
    low, high = np.quantile(held, [0.005, 0.995])
    least, most = held.min() - (high - low), held.max() + (high - low)
    with np.errstate(invalid="ignore"):
        now = (both.window < least) | (both.window > most)
    others = both.window[~now & ~np.isnan(both.window)]
    if now.any() and len(others) > len(both.window) / 2:
        reach = (high - low) / 2
        now &= (both.window < others.min() - reach) | (both.window > others.max() + reach)
    if high > low and now.mean() >= _WORTH and now.sum() >= 5:
        worst = np.median(both.window[now])
        words = f"{both.column.name} is far out in {now.mean():.1%} of the rows (about "
        words += f"{worst:.4g}); the reference holds {held.min():.4g} to {held.max():.4g}"
        yield Fault(
            column=both.column.name, kind=CauseKind.RANGE, hit=now.astype(float), words=words
        )


_UNITS = {
    "Celsius read as Fahrenheit": (1.8, 32.0),
    "Fahrenheit read as Celsius": (1 / 1.8, -32 / 1.8),
    "Celsius read as kelvin": (1.0, 273.15),
    "kelvin read as Celsius": (1.0, -273.15),
    "the sign turned": (-1.0, 0.0),
    **{
        f"multiplied by {factor:g}": (factor, 0.0)
        for known in (10, 100, 1000, 1e6, 60, 3600, 24, 2.204623, 1.609344, 3.28084, 2.54, 3.6)
        for factor in (known, 1 / known)
    },
}
"""Units that are mistaken for one another: x becomes a x + b."""
_APART = 0.7
"""A column, and it converted, that lie closer (in total variation) could be any drift's."""


def _unit(both: _Pair) -> Iterator[Fault]:
    """Find the conversion that makes the window a mixture of the reference and it converted.

    The share of converted rows is fitted to the distribution functions by least squares; what is
    left between them must be noise (Kolmogorov-Smirnov), or a tenth of what was there before.
    """
    ours, theirs = (np.sort(side[~np.isnan(side)]) for side in (both.window, both.reference))
    if len(ours) < _FEWEST or len(theirs) < _FEWEST or theirs[0] == theirs[-1]:
        return
    noise = 1.63 * np.sqrt(1 / len(ours) + 1 / len(theirs))
    grid = np.unique(np.quantile(np.concatenate([ours, theirs]), np.linspace(0, 1, 400)))
    before, now = _below(theirs, grid), _below(ours, grid)
    apart = np.abs(now - before).max()
    usual = [
        np.abs(_below(np.sort(part[~np.isnan(part)]), grid) - before).max()
        for at in np.unique(both.stretch)
        if len(part := both.reference[both.stretch == at]) >= _FEWEST
    ]
    if apart < 2 * max(noise, *usual):
        return
    best = None
    for name, (factor, offset) in _UNITS.items():
        gap = _below(np.sort(factor * theirs + offset), grid) - before
        if np.abs(np.diff(gap[::10], prepend=0, append=0)).sum() / 2 < _APART:
            continue
        square = float(gap @ gap)
        share = float((now - before) @ gap) / square
        left = float(np.abs(now - before - share * gap).max())
        if _WORTH <= share <= 1 + noise and (best is None or left < best[0]):
            best = left, name, min(share, 1.0), factor, offset
    if best is None or best[0] > max(noise, 0.1 * apart):
        return
    left, name, share, factor, offset = best
    edges = np.unique(np.quantile(np.concatenate([ours, factor * theirs + offset]), _FINE))
    converted = np.histogram(factor * theirs + offset, edges)[0] * share
    kept = np.histogram(theirs, edges)[0] * (1 - share)
    chance = converted / np.maximum(converted + kept, 1e-9)
    place = np.clip(np.searchsorted(edges, both.window, side="right") - 1, 0, len(chance) - 1)
    hit = np.where(np.isnan(both.window), 0.0, chance[place])
    yield Fault(
        column=both.column.name,
        kind=CauseKind.UNIT,
        hit=hit,
        words=f"{both.column.name} reads as if in another unit ({name}) in {share:.1%} of the "
        f"rows: its median is {np.median(ours):.4g}, {np.median(theirs):.4g} before",
    )


_FINE = np.linspace(0, 1, 101)


def _stuck(both: _Pair) -> Iterator[Fault]:
    """Find values that repeat as they do in no stretch of the reference that is as long."""
    name, now = both.column.name, both.window
    held = ~np.isnan(now)
    if held.sum() < _FEWEST:
        return
    values, place, rows = np.unique(now[held], return_inverse=True, return_counts=True)
    share = rows / len(now)
    parts = [both.reference[both.stretch == at] for at in np.unique(both.stretch)]
    parts = [part[~np.isnan(part)] for part in parts]
    full = min(_FEWEST, max(len(part) for part in parts))
    repeats = []
    for part in parts:
        if len(part) >= max(full, 2):
            repeats.append(np.unique(part, return_counts=True)[1] / len(part))
    if not repeats:
        return
    usual = max(float(each.max()) for each in repeats)
    top = int(share.argmax())
    stuck = (share[top] - usual) / max(1 - usual, 1e-9)
    if stuck >= _STUCK and _jump(both.reference == values[top], now == values[top]) > _SURE:
        was = float((both.reference == values[top]).mean())
        yield Fault(
            column=name,
            kind=CauseKind.STUCK,
            hit=(now == values[top]) * (1 - usual / share[top]),
            words=f"{name} is {values[top]:.6g} in {share[top]:.1%} of the rows; {was:.1%} before",
            where=f"{name} = {values[top]:.6g}",
        )
        return
    # The chance that two rows hold the same value: its inverse is how many values there are.
    same = max(float((each**2).sum()) for each in repeats)
    many = share > 10 * same
    if float((share**2).sum()) > 5 * same and share[many].sum() - usual >= _STUCK:
        hit = np.zeros(len(now))
        hit[held] = many[place]
        yield Fault(
            column=name,
            kind=CauseKind.STUCK,
            hit=hit,
            words=f"{name} went stale: {amount(int(many.sum()), 'value fills', 'values fill')} "
            f"{hit.mean():.1%} of the rows",
        )


def _constant(both: _Pair) -> Iterator[Fault]:
    column = both.column
    size = [np.bincount(codes, minlength=column.size) / len(codes) for codes in _codes(column)]
    top = int(size[1].argmax())
    usual = both.usual(column.reference == top)
    if top < column.null and size[1][top] > 0.99 and usual < 0.9:
        yield Fault(
            column=column.name,
            kind=CauseKind.STUCK,
            hit=(column.window == top) * (1 - usual / size[1][top]),
            words=f"{column.name} {column.names[top]} in {size[1][top]:.1%} of the rows; "
            f"{size[0][top]:.1%} before",
            where=f"{column.name} {column.names[top]}",
        )


def _codes(column: Coded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return column.reference, column.window


def _jump(before: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
    return shares_z(float(before.sum()), len(before), float(now.sum()), len(now))


def _below(ordered: Floats, grid: Floats) -> Floats:
    return np.searchsorted(ordered, grid, side="right") / len(ordered)
