"""When a cause began: the hour at which a series of hours changed its level."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from driftline.stats.change_point import change_point
from driftline.why.sides import Floats, Times

_LEVEL = 0.01
_HOUR = np.timedelta64(1, "h")


def onset(
    before: tuple[Floats, Times] | None,
    window: tuple[Floats, Times] | None,
    hours: tuple[Floats, Floats, Times] | None = None,
) -> datetime | None:
    """Return the hour from which rows' values lie higher; None where none does.

    `before` and `window` are values a row with their times; `hours` are means, rows and starts of
    hours that the store counted: they fill what lies between. Nothing began while the reference
    lasted, which is what the window is compared with.
    """
    parts = [_hourly(*part) for part in (before, window) if part is not None and len(part[0])]
    if hours is not None:
        parts.insert(0, hours)
    if not parts:
        return None
    starts = np.concatenate([part[2].astype("datetime64[h]") for part in parts])
    # What the store counted is of every row: it goes before what a sample says of an hour.
    _, kept = np.unique(starts, return_index=True)
    means = np.concatenate([part[0] for part in parts])[kept]
    rows = np.concatenate([part[1] for part in parts])[kept]
    found = change_point(means, rows, first=_after(before, window, starts[kept]))
    if found is None or found.p_value > _LEVEL or found.after <= found.before:
        return None
    return moment(starts[kept][found.place])


def _after(
    before: tuple[Floats, Times] | None, window: tuple[Floats, Times] | None, starts: Times
) -> int:
    """Return the place of the first hour after the reference; 0 where the window lies in it."""
    if before is None or window is None or not len(before[1]) or not len(window[1]):
        return 0
    last = before[1].max()
    return 0 if window[1].min() <= last else int(np.searchsorted(starts, last, side="right"))


def moment(time: np.datetime64) -> datetime:
    """Return the hour of a time as a moment in UTC."""
    seconds = int(time.astype("datetime64[h]").astype("datetime64[s]").astype(np.int64))
    return datetime.fromtimestamp(seconds, UTC)


def _hourly(values: Floats, time: Times) -> tuple[Floats, Floats, Times]:
    starts, place = np.unique(time.astype("datetime64[h]"), return_inverse=True)
    rows = np.bincount(place).astype(np.float64)
    return np.bincount(place, weights=values) / rows, rows, starts


def lost_hours(
    reference: Times, window: Times, hours: tuple[Floats, Times] | None
) -> tuple[NDArray[np.bool_], float, Times] | None:
    """Return which hours of the day lost rows, the share of all rows lost, and the hours in which.

    An hour is compared with the mean of the reference's at this time of day, beside how the whole
    window grew or shrank; its noise is that of the reference's own days. None where none is lost,
    or the reference has fewer than three days. Rows may be a sample: only proportions count.
    """
    _, theirs, first = _hourly(np.ones(len(reference)), reference)
    days = int((first[-1] - first[0]) // (24 * _HOUR)) + 1 if len(first) else 0
    if days < 3 or not len(window):
        return None
    if hours is not None:
        rows, starts = hours[0].astype(float), hours[1].astype("datetime64[h]")
        inside = (starts >= window.min().astype("datetime64[h]")) & (starts <= window.max())
        rows, starts = rows[inside], starts[inside]
        if not len(starts):
            return None
        there = dict(zip(starts.tolist(), rows.tolist(), strict=True))
    else:
        _, counted, present = _hourly(np.ones(len(window)), window)
        there = dict(zip(present.tolist(), counted.tolist(), strict=True))
    start, end = window.min().astype("datetime64[h]"), window.max().astype("datetime64[h]")
    all_hours = np.arange(start, end + _HOUR, _HOUR)
    now = np.array([there.get(hour, 0.0) for hour in all_hours.tolist()])
    table = np.zeros((days, 24))
    day = ((first.astype("datetime64[D]") - first[0].astype("datetime64[D]")).astype(int)).clip(
        0, days - 1
    )
    table[day, first.astype(int) % 24] = theirs
    usual, spread = table.mean(axis=0), table.std(axis=0, ddof=1)
    slot = all_hours.astype(int) % 24
    of_slot, seen = np.bincount(slot, weights=now, minlength=24), np.bincount(slot, minlength=24)
    expected = usual * seen
    held = expected > 0
    if held.sum() < 3:
        return None
    ratio = np.full(24, np.nan)
    ratio[held] = of_slot[held] / expected[held]
    growth = _median(ratio[held], expected[held])
    if growth <= 0:
        return None
    # In a window of other inputs all hours differ: what is lost stands apart from most of them.
    apart = 4 * 1.4826 * _median(np.abs(ratio[held] - growth), expected[held])
    error = np.sqrt(seen * spread**2 + seen**2 * spread**2 / days + expected) * growth
    with np.errstate(invalid="ignore"):
        lost = held & (of_slot < 0.9 * growth * expected)
        lost &= (growth * expected - of_slot > 4 * error) & (ratio < growth - apart)
    if not lost.any():
        return None
    missing = float((growth * expected - of_slot)[lost].sum() / (growth * expected).sum())
    gone = all_hours[lost[slot] & (now < 0.5 * growth * usual[slot])]
    return lost, missing, gone if len(gone) else all_hours[lost[slot]]


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    place = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(values[order][min(int(place), len(values) - 1)])
