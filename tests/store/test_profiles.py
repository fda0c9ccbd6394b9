"""Profiles: hours as they were counted, and days that are their sums."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from driftline.domain import DAY, HOUR, floor
from driftline.profile.columns import CategoryBins, Layout, NumericBins, Part, Parts, Profile
from driftline.store import Store, profiles, tables
from tests.store.conftest import RUN, contents

MONDAY = datetime(2013, 4, 1, tzinfo=UTC)
LAYOUT = Layout({"x": NumericBins(edges=(0.0, 1.0), shift=0.3), "c": CategoryBins.of({"a": 1})})
ALL = Part("", "")
PARTS = (ALL, Part("2", ""), Part("2", "origin=JFK"), Part("", "origin='; DROP TABLE profiles"))


def one(hour: datetime, rows: int = 7, part: Part = ALL) -> Profile:
    """A profile that no other hour and part has."""
    rng = np.random.default_rng([int(hour.timestamp()), rows, len(part.version + part.segment)])
    return Profile(
        layout=LAYOUT,
        rows=rows,
        counts=rng.integers(0, rows + 1, LAYOUT.counts),
        sums=rng.normal(0, 1, LAYOUT.sums),
        lows=rng.normal(-5, 1, LAYOUT.numeric),
        highs=rng.normal(5, 1, LAYOUT.numeric),
    )


def hours(start: datetime, number: int, rows: int = 7) -> dict[datetime, Parts]:
    starts = [start + HOUR * n for n in range(number)]
    return {hour: {part: one(hour, rows, part) for part in PARTS} for hour in starts}


def save(store: Store, counted: Mapping[datetime, Parts], reference: str = "march") -> None:
    """Save hours as the pipeline does: each day in a transaction of its own."""
    for day in sorted({floor(hour, DAY) for hour in counted}):
        own = {hour: parts for hour, parts in counted.items() if floor(hour, DAY) == day}
        with store.begin("flights") as connection:
            profiles.save(connection, LAYOUT, "flights", reference, own, **RUN)


def read(store: Store, start: datetime, end: datetime, reference: str = "march") -> Parts:
    with store.read() as connection:
        return profiles.read(connection, LAYOUT, "flights", reference, start, end)


def counted(store: Store, start: datetime, end: datetime, reference: str = "march") -> dict:
    with store.read() as connection:
        return profiles.counted(connection, "flights", reference, start, end)


def total(stretches: Iterable[Parts]) -> Parts:
    parts = list(stretches)
    return {part: LAYOUT.total(each[part] for each in parts) for part in PARTS}


def same(found: Parts, expected: Parts, rel: float = 0.0) -> bool:
    assert set(found) == set(expected)
    for part, mine in found.items():
        other = expected[part]
        assert mine.rows == other.rows
        assert np.array_equal(mine.counts, other.counts)
        assert np.array_equal(mine.lows, other.lows)
        assert np.array_equal(mine.highs, other.highs)
        np.testing.assert_allclose(mine.sums, other.sums, rtol=rel, atol=rel)
    return True


def days(store: Store, reference: str = "march") -> set[datetime]:
    """The days that have a row of their own."""
    own = tables.profiles.c
    asked = select(own.window_start).where(own.cadence == "1d", own.reference_id == reference)
    with store.read() as connection:
        return set(connection.scalars(asked))


def test_an_hour_comes_back_as_it_was(store: Store) -> None:
    day = hours(MONDAY, 3)
    save(store, day)
    for hour, parts in day.items():
        assert same(read(store, hour, hour + HOUR), parts)
    assert same(read(store, MONDAY, MONDAY + DAY), total(day.values()))
    assert read(store, MONDAY + 3 * HOUR, MONDAY + DAY) == {}
    assert counted(store, MONDAY, MONDAY + DAY) == dict.fromkeys(day, 14), "of both versions"
    assert counted(store, MONDAY + HOUR, MONDAY + 2 * HOUR) == {MONDAY + HOUR: 14}


def test_hours_are_read_one_by_one_in_order(store: Store) -> None:
    day = hours(MONDAY, 24)
    save(store, dict(reversed(day.items())))  # and the day that they add up to
    save(store, hours(MONDAY, 2, rows=5), "april")
    first, last = MONDAY + HOUR, MONDAY + 4 * HOUR
    with store.read() as connection:
        found = profiles.hourly(connection, LAYOUT, "flights", "march", first, last)
        assert profiles.hourly(connection, LAYOUT, "ferries", "march", first, last) == {}
    assert list(found) == [first, first + HOUR, first + 2 * HOUR]
    assert all(same(parts, day[hour]) for hour, parts in found.items())


def test_an_hour_without_rows_is_counted(store: Store) -> None:
    save(store, {MONDAY: {}, MONDAY + HOUR: hours(MONDAY + HOUR, 1)[MONDAY + HOUR]})
    assert counted(store, MONDAY, MONDAY + DAY) == {MONDAY: 0, MONDAY + HOUR: 14}
    assert read(store, MONDAY, MONDAY + HOUR) == {}
    save(store, {MONDAY + HOUR * n: {} for n in range(24)})
    assert counted(store, MONDAY, MONDAY + DAY) == {MONDAY + HOUR * n: 0 for n in range(24)}
    assert days(store) == {MONDAY}
    assert read(store, MONDAY, MONDAY + DAY) == {}
    assert read(store, MONDAY + HOUR, MONDAY + 2 * HOUR) == {}, "rows that were there are gone"


def test_a_day_is_the_sum_of_its_hours(store: Store) -> None:
    day = hours(MONDAY, 24)
    whole = total(day.values())
    first = {hour: day[hour] for hour in list(day)[:23]}
    save(store, first)
    assert days(store) == set()
    save(store, {hour: parts for hour, parts in day.items() if hour not in first})
    assert days(store) == {MONDAY}
    assert same(read(store, MONDAY, MONDAY + DAY), whole)
    assert same(read(store, MONDAY, MONDAY + 23 * HOUR), total(first.values()))


def test_an_hour_that_is_counted_anew_takes_its_day_with_it(store: Store) -> None:
    day = hours(MONDAY, 24)
    save(store, day)
    before = contents(store, "profiles")
    save(store, hours(MONDAY + DAY, 3))
    again = {MONDAY + 5 * HOUR: hours(MONDAY + 5 * HOUR, 1, rows=9)[MONDAY + 5 * HOUR]}
    save(store, again)
    assert days(store) == {MONDAY}
    assert same(read(store, MONDAY, MONDAY + DAY), total((day | again).values()))
    save(store, {hour: day[hour] for hour in again})
    assert [row for row in contents(store, "profiles") if row in before] == before


def test_saving_twice_changes_nothing(store: Store) -> None:
    day = hours(MONDAY, 24)
    save(store, day)
    before = contents(store, "profiles")
    save(store, day)
    save(store, dict(reversed(day.items())))
    assert contents(store, "profiles") == before
    assert len(before) == 25 * len(PARTS)


def test_a_part_that_is_gone_leaves_nothing(store: Store) -> None:
    day = hours(MONDAY, 24)
    save(store, day)
    save(store, {hour: {ALL: parts[ALL]} for hour, parts in day.items()})
    assert set(read(store, MONDAY, MONDAY + DAY)) == {ALL}
    assert set(read(store, MONDAY, MONDAY + HOUR)) == {ALL}


def test_a_month_is_read_from_its_days(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    month = hours(MONDAY, 24 * 31)
    save(store, month)
    held = reading(monkeypatch)
    start, end = MONDAY + DAY, MONDAY + 31 * DAY
    found = read(store, start, end)
    assert len(held) == 30 * len(PARTS)
    assert same(found, total(month[h] for h in month if start <= h < end), rel=1e-12)
    # A day that is not whole is read hour by hour, and so are ends within a day.
    held.clear()
    found = read(store, start + 5 * HOUR, end - 2 * HOUR)
    assert len(held) == (28 + 19 + 22) * len(PARTS)
    inside = [month[h] for h in month if start + 5 * HOUR <= h < end - 2 * HOUR]
    assert same(found, total(inside), rel=1e-12)


def test_what_is_missing_of_a_month_is_not_there(store: Store) -> None:
    month = hours(MONDAY, 24 * 5)
    gap = MONDAY + 2 * DAY + 7 * HOUR
    del month[gap]
    save(store, month)
    assert days(store) == {MONDAY + DAY * n for n in (0, 1, 3, 4)}
    assert gap not in counted(store, MONDAY, MONDAY + 5 * DAY)
    assert same(read(store, MONDAY, MONDAY + 5 * DAY), total(month.values()), rel=1e-12)


def test_references_and_monitors_are_apart(store: Store) -> None:
    march, april = hours(MONDAY, 24), hours(MONDAY, 24, rows=5)
    save(store, march)
    save(store, {hour: april[hour] for hour in list(april)[:2]}, "april")
    assert same(read(store, MONDAY, MONDAY + DAY), total(march.values()))
    assert set(counted(store, MONDAY, MONDAY + DAY, "april").values()) == {10}
    assert (days(store), days(store, "april")) == ({MONDAY}, set())
    with store.read() as connection:
        stranger = profiles.read(connection, LAYOUT, "ferries", "march", MONDAY, MONDAY + DAY)
        assert stranger == profiles.read_reference(connection, LAYOUT, "ferries", "march") == {}
        assert profiles.counted(connection, "ferries", "march", MONDAY, MONDAY + DAY) == {}


def test_a_reference_is_frozen(store: Store) -> None:
    def keep(parts: Parts, reference: str = "march") -> None:
        with store.begin("flights") as connection:
            profiles.save_reference(connection, "flights", reference, MONDAY, parts, **RUN)

    def kept(reference: str = "march") -> Parts:
        with store.read() as connection:
            return profiles.read_reference(connection, LAYOUT, "flights", reference)

    first, second = hours(MONDAY, 1)[MONDAY], hours(MONDAY, 1, rows=9)[MONDAY]
    assert kept() == {}
    keep(first)
    keep(second)
    keep({ALL: second[ALL]}, "april")
    assert same(kept(), first)
    assert same(kept("april"), {ALL: second[ALL]})
    # It lies beside the hours and days, and is none of them.
    assert read(store, MONDAY, MONDAY + DAY) == {}
    assert counted(store, MONDAY, MONDAY + DAY) == {}
    save(store, hours(MONDAY, 24, rows=3))
    assert same(kept(), first)


def reading(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the rows of each profile that is unpacked."""
    held: list[int] = []
    unpack: Callable[..., Profile] = Layout.read

    def note(layout: Layout, rows: int, content: bytes) -> Any:
        held.append(rows)
        return unpack(layout, rows, content)

    monkeypatch.setattr(Layout, "read", note)
    return held
