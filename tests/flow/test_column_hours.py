"""How often the warehouse is counted: each hour once, and again only where there is a reason."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from driftline.domain import DAY, HOUR, Suite, Window
from driftline.flow import pipeline
from driftline.flow.column_hours import count as count_hours
from driftline.flow.step import Counted
from driftline.flow.watch import Watch
from driftline.monitor.config import Monitor
from driftline.profile.columns import Parts
from driftline.profile.reference import Reference
from driftline.run import planned, run
from driftline.store import Store, ledger, measurements, profiles
from tests.models import START, logs, parts
from tests.warehouses import Warehouse, make_warehouse

pytestmark = pytest.mark.usefixtures("no_pages", "no_samples", "no_expectations")

LAST = START + 12 * DAY


@pytest.fixture
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    here = make_warehouse(request, "duckdb", tmp_path)
    here.load("predictions", logs()[0])
    return here


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> Counter[datetime]:
    """How often each hour has been counted in the warehouse."""
    seen: Counter[datetime] = Counter()
    count = Watch.count

    def note(
        watch: Watch, reference: Reference, start: datetime, end: datetime
    ) -> dict[datetime, Parts]:
        seen.update(hours(start, end))
        return count(watch, reference, start, end)

    monkeypatch.setattr(Watch, "count", note)
    return seen


def hours(start: datetime, end: datetime) -> list[datetime]:
    return [start + HOUR * n for n in range((end - start) // HOUR)]


def hourly(day: Window) -> list[Window]:
    return [Window.ending("1h", hour + HOUR) for hour in hours(day.start, day.end)]


def monitor_of(warehouse: Warehouse, *windows: str, **changes: Any) -> Monitor:
    return warehouse.monitor(**parts("binary") | {"labels": None, "windows": windows} | changes)


def count(
    monitor: Monitor, store: Store, *intervals: Window, again: bool = False, **how: Any
) -> dict[Window, Counted]:
    """Count what the runs of these intervals need; return what the last one found."""
    with Watch(monitor) as watch:
        for interval in intervals:
            steps = pipeline.steps(monitor, interval)
            compared, _ = pipeline.references_of(store, watch, steps)
            found, failed = count_hours(
                store, watch, steps, compared, run_id="r", again=steps if again else (), **how
            )
            assert not failed
    return found


def change(warehouse: Warehouse, statement: str, **values: Any) -> None:
    with duckdb.connect(str(warehouse.file)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(statement, values)


def arrive(warehouse: Warehouse, moment: datetime, rows: int = 10) -> None:
    """Let rows arrive late, of this moment."""
    change(
        warehouse,
        "INSERT INTO predictions SELECT * REPLACE ($at AS ts) FROM predictions LIMIT $rows",
        at=moment,
        rows=rows,
    )


def profiled(store: Store, monitor: Monitor, window: Window) -> set[datetime]:
    """The hours of a window that are kept."""
    with store.read() as connection:
        reference = pipeline.references.in_force(
            connection, monitor.monitor, monitor.config_hash, window.start
        )
        assert reference is not None
        return set(
            profiles.counted(connection, monitor.monitor, reference.id, window.start, window.end)
        )


@pytest.mark.parametrize("windows", [("1d", "7d"), ("1h", "1d", "7d")])
def test_a_backfill_counts_each_hour_once(
    loaded: Warehouse, store: Store, scans: Counter[datetime], windows: tuple[str, ...]
) -> None:
    monitor = monitor_of(loaded, *windows)
    start, end = START + 5 * DAY, START + 12 * DAY
    found = count(monitor, store, *planned(monitor, start, end), until=end)
    assert scans == Counter(hours(START, end)), "a week reaches back behind the first day"
    at = np.array(logs()[0]["ts"].to_numpy(), "datetime64[us]")
    for window, counted in found.items():
        first, last = (np.datetime64(m.replace(tzinfo=None)) for m in (window.start, window.end))
        assert counted.whole().rows == ((at >= first) & (at < last)).sum()
        assert counted.base().rows == (at < np.datetime64("2024-01-05")).sum()


def test_an_hourly_run_counts_its_hour_alone(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    monitor = monitor_of(loaded, "1h", "1d")
    day = Window.ending("1d", START + 6 * DAY)
    count(monitor, store, *hourly(day)[:5])
    assert scans == Counter(hours(day.start, day.start + 5 * HOUR))
    count(monitor, store, day)
    assert scans == Counter(hours(day.start, day.end))
    count(monitor, store, day)
    assert scans == Counter(hours(day.start, day.end)), "what is kept is not counted"


def test_a_missing_hour_is_filled(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    monitor = monitor_of(loaded, "1h", "1d", "7d")
    day = Window.ending("1d", LAST)
    gap = day.start + 7 * HOUR
    count(monitor, store, *(hour for hour in hourly(day) if hour.start != gap))
    assert scans == Counter(hour for hour in hours(day.start, day.end) if hour != gap)
    found = count(monitor, store, day)
    assert scans == Counter(hours(day.end - 7 * DAY, day.end))
    assert profiled(store, monitor, day) == set(hours(day.start, day.end))
    whole = {window.cadence: counted.whole() for window, counted in found.items()}
    with Watch(monitor) as watch:
        for cadence, one in whole.items():
            window = Window.ending(cadence, day.end)
            alone = watch.logs.counts(window.start, window.end).rows
            assert one.rows == alone


def test_a_step_taken_again_counts_its_last_day_anew(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    monitor = monitor_of(loaded, "7d")
    week = Window.ending("1d", LAST)
    (before,) = count(monitor, store, week).values()
    scans.clear()
    # As many rows as before: nothing but being asked again tells that they are others.
    change(loaded, "UPDATE predictions SET x = x + 100 WHERE ts >= $day", day=LAST - DAY)
    (same,) = count(monitor, store, week).values()
    assert not scans
    assert np.array_equal(same.whole().sums, before.whole().sums)
    (after,) = count(monitor, store, week, again=True).values()
    assert scans == Counter(hours(LAST - DAY, LAST))
    assert after.whole().column("x").maximum > before.whole().column("x").maximum + 50  # type: ignore[union-attr]


def test_hours_taken_again_are_each_counted_once_more(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    monitor = monitor_of(loaded, "1h", "1d")
    day = Window.ending("1d", START + 6 * DAY)
    count(monitor, store, *hourly(day), until=day.end)
    assert scans == Counter(hours(day.start, day.end))
    count(monitor, store, *hourly(day), until=day.end, again=True)
    assert scans == Counter(hours(day.start, day.end) * 2)


def test_late_rows_within_the_lookback_are_counted(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    monitor = monitor_of(loaded, "1d", "7d")
    rows = [each.whole().rows for each in count(monitor, store, Window.ending("1d", LAST)).values()]
    scans.clear()
    late, older = LAST - 2 * DAY + 5 * HOUR, LAST - 5 * DAY
    for moment in (late, older):
        arrive(loaded, moment + timedelta(minutes=1))
    day = Window.ending("1d", LAST)
    with Watch(monitor) as watch:
        pipeline.plan(store, watch, day, "r")
    assert scans == Counter([late]), "three days back, and no further"
    found = count(monitor, store, day)
    assert scans == Counter([late])
    assert [each.whole().rows for each in found.values()] == [rows[0], rows[1] + 10]


def test_a_log_that_begins_in_the_middle_is_not_searched_before(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    begins = START + 3 * DAY + 5 * HOUR + timedelta(minutes=30)
    change(loaded, "DELETE FROM predictions WHERE ts < $begins", begins=begins)
    monitor = monitor_of(loaded, "1d", "7d")
    count(monitor, store, Window.ending("1d", START + 5 * DAY))
    assert min(scans) == START + 3 * DAY + 5 * HOUR
    assert scans == Counter(hours(START + 3 * DAY + 5 * HOUR, START + 5 * DAY))
    count(monitor, store, Window.ending("1d", START + 6 * DAY))
    assert scans == Counter(hours(START + 3 * DAY + 5 * HOUR, START + 6 * DAY))


def test_a_change_of_what_shapes_numbers_counts_anew(
    loaded: Warehouse, store: Store, scans: Counter[datetime]
) -> None:
    day = Window.ending("1d", LAST)
    count(monitor_of(loaded, "1d"), store, day)
    found = count(monitor_of(loaded, "1d", segments=["group"]), store, day)
    assert scans == Counter(hours(day.start, day.end) * 2)
    (counted,) = found.values()
    assert set(counted.segments) == {"group=north", "group=south"}
    pairs = [counted.of_segment(segment) for segment in counted.segments]
    assert sum(now.rows for now, _ in pairs) == counted.whole().rows
    assert sum(base.rows for _, base in pairs) == counted.base().rows


class TestLateRows:
    """The windows that hold them are restated, as known at the end of the day that found them."""

    @pytest.fixture
    def monitor(self, loaded: Warehouse) -> Monitor:
        return monitor_of(loaded, "1h", "1d", "7d")

    @pytest.fixture
    def late(self, loaded: Warehouse, store: Store, monitor: Monitor) -> datetime:
        """An hour to which rows come when it and two days after it have been measured."""
        hour = LAST - 3 * DAY + 5 * HOUR
        for _ in run(monitor, planned(monitor, LAST - 4 * DAY, LAST - DAY), store, page=False):
            pass
        arrive(loaded, hour + timedelta(minutes=7), rows=400)
        return hour

    def restated(self, store: Store) -> dict[Window, int]:
        with store.read() as connection:
            entries = ledger.of(connection, "model", states=[ledger.State.DONE])
        return {
            each.window: each.rows or 0
            for each in entries
            if each.suite is Suite.DRIFT and each.as_of > each.window.end
        }

    def test_every_window_that_holds_them(
        self, store: Store, monitor: Monitor, late: datetime
    ) -> None:
        with store.read() as connection:
            before = {e.window: e.rows for e in ledger.of(connection, "model")}
        (conclusion,) = run(monitor, [Window.ending("1d", LAST)], store, page=False)
        assert conclusion.errors == ()
        found = self.restated(store)
        assert found == {
            window: (before[window] or 0) + 400
            for window in (
                Window.ending("1h", late + HOUR),
                Window.ending("1d", LAST - 2 * DAY),
                Window.ending("7d", LAST - 2 * DAY),
                Window.ending("7d", LAST - DAY),
            )
        }

    def test_what_is_current_is_what_is_known_by_now(
        self, store: Store, monitor: Monitor, late: datetime
    ) -> None:
        for _ in run(monitor, [Window.ending("1d", LAST)], store, page=False):
            pass
        week = Window.ending("7d", LAST - 2 * DAY)
        with store.read() as connection:
            rows = measurements.current(connection, "model", suite="drift", cadence="7d")
        own = [row for row in rows if row["window_start"] == week.start]
        assert {row["as_of"] for row in own} == {LAST}
        (share,) = (row for row in own if row["metric"] == "drift_share")
        assert share["verdict"] is not None

    def test_they_are_found_once(self, store: Store, monitor: Monitor, late: datetime) -> None:
        for _ in range(2):  # a rerun measures the same windows again, and no others
            for _ in run(monitor, [Window.ending("1d", LAST)], store, page=False):
                pass
            assert len(self.restated(store)) == 4
        for _ in run(monitor, [Window.ending("1d", LAST + DAY)], store, page=False):
            pass
        assert len(self.restated(store)) == 4

    def test_a_run_that_died_after_counting_is_taken_up(
        self, store: Store, monitor: Monitor, late: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        day = Window.ending("1d", LAST)
        with Watch(monitor) as watch:
            first, _ = pipeline.plan(store, watch, day, "dead")
        assert self.restated(store) == {}
        monkeypatch.setattr(ledger, "STALE", timedelta(0))
        for _ in run(monitor, [day], store, page=False):
            pass
        assert set(self.restated(store)) == {s.window for s in first if s.window.end < LAST}

    def test_without_lookback_nobody_looks(
        self, loaded: Warehouse, store: Store, scans: Counter[datetime]
    ) -> None:
        monitor = monitor_of(loaded, "1d", "7d", predictions={"lookback": "0d"})
        for _ in run(monitor, planned(monitor, LAST - 3 * DAY, LAST - DAY), store, page=False):
            pass
        arrive(loaded, LAST - 2 * DAY)
        for _ in run(monitor, [Window.ending("1d", LAST)], store, page=False):
            pass
        assert self.restated(store) == {}


class TestBaselines:
    """A window is compared with those before it, out of the same hours."""

    def measured(
        self, monitor: Monitor, store: Store, *intervals: Window
    ) -> dict[tuple[str, str, str], float | None]:
        for _ in run(monitor, intervals, store, page=False):
            pass
        with store.read() as connection:
            rows = measurements.current(connection, "model", suite="drift")
            return {
                (row["cadence"], row["baseline"], row["column_name"]): row["value"]
                for row in rows
                if row["metric"] == "psi" and row["engine"] == "profile" and not row["segment"]
            }

    def test_each_is_the_sum_of_its_windows(
        self, loaded: Warehouse, store: Store, scans: Counter[datetime]
    ) -> None:
        change(loaded, "UPDATE predictions SET x = x + 50 WHERE ts >= $at", at=LAST - 2 * DAY)
        drift = {"method": "psi", "baselines": ["previous", "seasonal"]}
        monitor = monitor_of(loaded, "1h", "1d", "7d", drift=drift)
        day = Window.ending("1d", LAST)
        found = self.measured(monitor, store, day)
        assert set(scans.values()) == {1}
        assert found["1d", "reference", "x"] > 1  # type: ignore[operator]
        assert found["1d", "previous", "x"] < 0.2  # type: ignore[operator]
        assert found["1d", "seasonal", "x"] > 1  # type: ignore[operator]
        assert ("7d", "seasonal", "x") not in found, "the same hours of earlier weeks are its own"
        with Watch(monitor) as watch:
            counts = watch.logs.counts
            (before,) = (counts(w.start, w.end).rows for w in (Window.ending("1d", day.start),))
            week = counts(day.start - 7 * DAY, day.end - 7 * DAY).rows
        counted = count(monitor, store, day)[day]
        rows = {b: counted.base(b).rows for b in counted.earlier}
        assert rows == {"previous": before, "seasonal": week}

    def test_the_default_is_the_reference_alone(self, loaded: Warehouse, store: Store) -> None:
        found = self.measured(monitor_of(loaded, "1d"), store, Window.ending("1d", LAST))
        assert {baseline for _, baseline, _ in found} <= {"reference"}

    def test_a_log_that_has_no_earlier_window_is_not_compared_with_it(
        self, loaded: Warehouse, store: Store
    ) -> None:
        drift = {"method": "psi", "baselines": ["previous", "seasonal"]}
        monitor = monitor_of(loaded, "1d", drift=drift)
        found = self.measured(monitor, store, Window.ending("1d", START + DAY))
        assert {baseline for _, baseline, _ in found} == {"reference"}

    def test_a_rule_names_the_baseline_it_means(self, loaded: Warehouse) -> None:
        rules = [{"metric": "psi", "max": 0.2, "baseline": "previous"}]
        with pytest.raises(ValueError, match=r"drift\.baselines"):
            monitor_of(loaded, "1d", rules=rules)
        monitor_of(loaded, "1d", rules=rules, drift={"baselines": "previous"})
