"""Labels that come late, twice, corrected and in any order: one end state, nothing read in vain."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from sqlalchemy import make_url, select

from driftline.domain import DAY, HOUR, Suite, Window, floor
from driftline.flow import measure, pipeline
from driftline.flow.step import Step
from driftline.flow.watch import Watch
from driftline.monitor.config import Monitor
from driftline.store import Store, ledger, measurements, tables, upgrade
from tests.models import START
from tests.warehouses import Warehouse, make_warehouse

pytestmark = pytest.mark.usefixtures("no_pages", "no_samples")

DAYS = 5
PER_DAY = 400
TWO = ["duckdb", "postgresql"]
"""Where the flow is tried; that they all count alike is shown in tests/warehouse."""
KINDS = {"id": "id", "timestamp": "at", "loaded_at": "loaded", "label": "y", "of": "labels"}
TIME = pa.timestamp("us", "UTC")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[datetime]:
    """How often the outcomes of each hour have been read in the warehouse."""
    seen: Counter[datetime] = Counter()
    count = Watch.count_outcomes

    def note(watch: Watch, reference: Any, start: datetime, end: datetime, as_of: datetime) -> Any:
        seen.update(start + HOUR * n for n in range((end - start) // HOUR))
        return count(watch, reference, start, end, as_of)

    monkeypatch.setattr(Watch, "count_outcomes", note)
    return seen


def predictions(days: int = DAYS + 2, seed: int = 1, each: int = PER_DAY) -> pd.DataFrame:
    """A log whose first two days are the reference, with so many rows each day."""
    rng = np.random.default_rng(seed)
    size = days * each
    minutes = np.sort(rng.integers(0, days * 24 * 60, size))
    score = rng.beta(2, 3, size)
    return pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(size)],
            "ts": [START + timedelta(minutes=int(m)) for m in minutes],
            "score": score,
            "y": (rng.random(size) < score).astype(int),
        }
    )


def events(log: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Labels of a log: each once, some corrected later, some doubled, in one order of arrival.

    What they say, and when they say that it was so, is the same whatever the seed: only when they
    were loaded differs.
    """
    order = np.random.default_rng(seed)
    first = log[["id", "y"]].assign(at=log["ts"] + timedelta(hours=1))
    wrong = first.sample(frac=0.2, random_state=1)
    wrong = wrong.assign(y=1 - wrong["y"], at=wrong["at"] - timedelta(minutes=30))
    twice = first.sample(frac=0.1, random_state=2)
    told = pd.concat([first, wrong, twice])
    moments = log.set_index("id")["ts"].loc[told["id"]].reset_index(drop=True)
    room = START + (DAYS + 2) * DAY - moments
    loaded = (moments + room * order.random(len(told))).dt.floor("s")
    return told.assign(loaded=loaded.to_numpy()).sample(frac=1, random_state=seed)


def load(warehouse: Warehouse, log: pd.DataFrame, told: pd.DataFrame) -> None:
    warehouse.load("predictions", table(log.drop(columns="y"), "ts"))
    warehouse.load("labels", table(told, "at", "loaded"))


def table(frame: pd.DataFrame, *times: str) -> pa.Table:
    made = pa.Table.from_pandas(frame, preserve_index=False)
    for name in times:
        place = made.column_names.index(name)
        made = made.set_column(place, name, made[name].cast(TIME))
    return made


def monitor_of(warehouse: Warehouse, *windows: str, **changes: Any) -> Monitor:
    first = f"{START:%Y-%m-%dT%H:%M:%SZ}", f"{START + 2 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    labels = {**KINDS, "maturity": "2d", "min_coverage": 0.5} | changes.pop("labels", {})
    whole = {"labels": labels, "windows": windows or ("1h", "1d"), "reference": {"window": first}}
    return warehouse.monitor(**whole | {"features": {"numeric": []}} | changes)


def run(monitor: Monitor, store: Store, *days: int) -> list[list[Step]]:
    """Measure the performance of days, as their runs would; return what each measured."""
    measured = []
    with Watch(monitor) as watch:
        for number in days:
            day = Window.ending("1d", START + number * DAY)
            own = [s for s in pipeline.steps(monitor, day) if s.suite is Suite.PERFORMANCE]
            again = pipeline.done_before(store, monitor, own)
            found, unknown = pipeline.plan(store, watch, day, "r", suites=[Suite.PERFORMANCE])
            assert not unknown
            planned = [step for step in found if step.suite is Suite.PERFORMANCE]
            compared, counted, ready, missed = pipeline.prepare(
                store, watch, planned, run_id="r", again=again
            )
            assert not missed
            results = measure.measure_all(watch, ready, compared, counted)
            assert not [result.error for result in results if result.error]
            with store.begin(monitor.monitor) as connection:
                pipeline.record(connection, monitor, results, "r")
            measured.append(planned)
    return measured


def state(store: Store, monitor: Monitor) -> dict[tuple, tuple]:
    """Return the newest of each number, without when it became known."""
    with store.read() as connection:
        rows = measurements.current(connection, monitor.monitor, suite="performance")
    keys = ("cadence", "window_start", "metric", "detail", "segment", "model_version")
    said = ("value", "lower", "upper", "row_count", "coverage", "reason")
    return {tuple(row[k] for k in keys): tuple(row[s] for s in said) for row in rows}


def newest(told: pd.DataFrame, until: datetime | None = None) -> pd.Series:
    """Return by id the label that pandas finds the newest of those that were known."""
    known = told if until is None else told[told["loaded"] <= until]
    return known.sort_values(["at", "loaded"]).groupby("id")["y"].last()


def test_the_state_is_what_pandas_and_scikit_learn_find(warehouse: Warehouse, store: Store) -> None:
    log = predictions()
    told = events(log, 3)
    load(warehouse, log, told)
    monitor = monitor_of(warehouse, "1d", "3d")
    run(monitor, store, *range(3, 8))
    found = state(store, monitor)
    truth = log.set_index("id")["ts"].to_frame().join(newest(told).rename("y"), how="inner")
    truth["score"] = log.set_index("id")["score"].loc[truth.index]
    for day in range(2, 7):
        start = START + day * DAY
        own = truth[(truth["ts"] >= start) & (truth["ts"] < start + DAY)]
        value = found["1d", start, "log_loss", "", "", ""][0]
        assert value == pytest.approx(sk.log_loss(own["y"], own["score"]), rel=1e-9)
        area = found["1d", start, "roc_auc", "", "", ""]
        exact = sk.roc_auc_score(own["y"], own["score"])
        assert area[0] == pytest.approx(exact, abs=2e-3)
        assert area[1] < exact < area[2]
        assert found["1d", start, "accuracy", "", "", ""][4] == 1.0


def test_in_whatever_order_labels_come_one_state_and_only_touched_windows_are_recomputed(
    tmp_path: Path, request: pytest.FixtureRequest, many: Callable[[int, int], int]
) -> None:
    log = predictions(each=1100)
    assert len(events(log, 0)) > 10_000
    first: dict[tuple, tuple] | None = None
    for seed in range(many(10, 50)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        warehouse = make_warehouse(request, "duckdb", folder)
        told = events(log, seed)
        load(warehouse, log, told)
        monitor = monitor_of(warehouse, "1d", labels={"maturity": "9d"})
        url = make_url(f"sqlite:///{folder / 'results.db'}")
        upgrade(url)
        with Store.open(url) as store:
            days, last = (3, 5, 7), START + 3 * DAY
            there = {Window.ending("1d", START + number * DAY) for number in days}
            for number, planned in zip(days, run(monitor, store, *days), strict=True):
                end = START + number * DAY
                again = {s.window for s in planned if s.as_of > s.window.end > START + 2 * DAY}
                assert again == touched(log, told, last, end) & there
                last = end
            found = state(store, monitor)
        first = first or found
        assert found == first


def touched(log: pd.DataFrame, told: pd.DataFrame, last: datetime, end: datetime) -> set[Window]:
    """Return the earlier days for whose predictions labels were loaded between two moments."""
    landed = told[(told["loaded"] > last) & (told["loaded"] <= end)]
    moments = log.set_index("id")["ts"].loc[landed["id"]]
    earlier = moments[moments < end - DAY]
    return {Window.ending("1d", floor(m.to_pydatetime(), DAY) + DAY) for m in earlier}


def test_hours_that_no_label_touches_are_not_read(
    tmp_path: Path, request: pytest.FixtureRequest, store: Store, reads: Counter[datetime]
) -> None:
    log = predictions()
    told = log[["id", "y"]].assign(at=log["ts"], loaded=log["ts"] + timedelta(minutes=5))
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    load(warehouse, log, told[told["loaded"] < START + 7 * DAY - HOUR])
    monitor = monitor_of(warehouse, "1h", "1d", "3d")
    run(monitor, store, 3, 4, 5, 6)
    assert set(reads.values()) == {1} | ({2} if reads[START + 2 * DAY + 23 * HOUR] == 2 else set())
    reads.clear()
    late = START + 3 * DAY + 5 * HOUR
    own = log[(log["ts"] >= late) & (log["ts"] < late + HOUR)].head(2)
    corrected = own[["id", "y"]].assign(
        y=1 - own["y"], at=own["ts"] + HOUR, loaded=START + 6 * DAY + HOUR
    )
    load(warehouse, log, pd.concat([told, corrected]))
    run(monitor, store, 7)
    today = {START + 6 * DAY + HOUR * n for n in range(24)}
    # Labels of the last hour of the day before were loaded after its end.
    assert set(reads) - today <= {late, START + 6 * DAY - HOUR}
    assert reads[late] == 1


@pytest.mark.parametrize("warehouse", TWO, indirect=True)
def test_a_rerun_changes_nothing(warehouse: Warehouse, store: Store) -> None:
    log = predictions()
    load(warehouse, log, events(log, 5))
    monitor = monitor_of(warehouse, "1h", "1d", "3d")
    run(monitor, store, 3, 4, 5)
    before = everything(store)
    run(monitor, store, 5)
    assert everything(store) == before
    run(monitor, store, 4)
    assert everything(store) == before


def test_a_rerun_changes_nothing_where_the_warehouse_adds_up_in_another_order(
    tmp_path: Path, request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = predictions()
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    load(warehouse, log, events(log, 5))
    monitor = monitor_of(warehouse, "1h", "1d")
    run(monitor, store, 4, 5)
    before = everything(store)
    count = Watch.count_outcomes

    def rounded(watch: Watch, *asked: Any) -> Any:
        return {
            hour: {
                part: replace(one, moments=np.nextafter(one.moments, np.inf))
                for part, one in parts.items()
            }
            for hour, parts in count(watch, *asked).items()
        }

    monkeypatch.setattr(Watch, "count_outcomes", rounded)
    run(monitor, store, 5)
    assert everything(store) == before


def everything(store: Store) -> dict[str, list[str]]:
    found = {}
    with store.read() as connection:
        for one in (tables.measurements, tables.windows, tables.outcomes):
            kept = [c for c in one.columns if c.name not in ("run_id", "recorded_at")]
            found[one.name] = sorted(repr(tuple(row)) for row in connection.execute(select(*kept)))
    return found


def test_in_whatever_order_days_are_run_the_end_is_the_same(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    log = predictions(each=100)
    told = events(log, 9)
    states = []
    for order in ((3, 4, 5, 6), (6, 5, 4, 3), (5, 3, 6, 4)):
        folder = tmp_path / "-".join(map(str, order))
        folder.mkdir()
        warehouse = make_warehouse(request, "duckdb", folder)
        load(warehouse, log, told)
        monitor = monitor_of(warehouse, "1h", "1d")
        url = make_url(f"sqlite:///{folder / 'results.db'}")
        upgrade(url)
        with Store.open(url) as store:
            run(monitor, store, *order)
            states.append(state(store, monitor))
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("warehouse", TWO, indirect=True)
def test_what_was_known_when_is_kept(warehouse: Warehouse, store: Store) -> None:
    log = predictions()
    told = events(log, 11)
    load(warehouse, log, told)
    monitor = monitor_of(warehouse, "1d")
    run(monitor, store, *range(3, 8))
    day = START + 3 * DAY
    with store.read() as connection:
        rows = measurements.history(
            connection,
            monitor.monitor,
            suite="performance",
            metric="log_loss",
            start=day,
            end=day + DAY,
        )
    assert [row["as_of"] for row in rows] == [START + n * DAY for n in (4, 5, 6, 7)]
    own = log[(log["ts"] >= day) & (log["ts"] < day + DAY)].set_index("id")
    for row in rows:
        known = own[["score"]].join(newest(told, row["as_of"]).rename("truth"), how="inner")
        assert row["value"] == pytest.approx(sk.log_loss(known["truth"], known["score"]), rel=1e-9)
        assert row["coverage"] == pytest.approx(len(known) / len(own))


@pytest.mark.parametrize("warehouse", TWO, indirect=True)
def test_a_long_window_is_measured_when_it_ends_and_once_more_when_labels_are_of_age(
    warehouse: Warehouse, store: Store
) -> None:
    log = predictions()
    load(warehouse, log, events(log, 2))
    monitor = monitor_of(warehouse, "1d", "3d")
    planned = run(monitor, store, *range(3, 8))
    moments: dict[Window, list[datetime]] = {}
    for step in (step for steps in planned for step in steps if step.window.cadence == "3d"):
        moments.setdefault(step.window, []).append(step.as_of)
    end = START + 5 * DAY
    assert moments[Window.ending("3d", end)] == [end, end + 2 * DAY]


def test_labels_without_a_time_are_known_from_when_they_were_first_seen(
    tmp_path: Path, request: pytest.FixtureRequest, store: Store
) -> None:
    log = predictions()
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    told = log[["id", "y"]].assign(at=log["ts"], loaded=log["ts"])
    early = log["ts"] < START + 5 * DAY + 12 * HOUR
    load(warehouse, log, told[early])
    monitor = monitor_of(
        warehouse, "1h", "1d", labels={"timestamp": None, "loaded_at": None, "maturity": "1h"}
    )
    run(monitor, store, 3, 4, 5, 6)
    load(warehouse, log, told)
    (planned,) = run(monitor, store, 7)
    again = {step.window for step in planned if step.window.end <= START + 6 * DAY}
    half = {Window.ending("1h", START + 5 * DAY + HOUR * n) for n in range(13, 25)}
    assert again == half | {Window.ending("1d", START + 6 * DAY)}
    with store.read() as connection:
        rows = measurements.history(
            connection,
            monitor.monitor,
            metric="accuracy",
            cadence="1d",
            start=START + 5 * DAY,
            end=START + 6 * DAY,
        )
    assert [round(row["coverage"], 1) for row in rows] == [0.4, 1.0]


def test_rows_that_come_late_restate_performance_too(
    tmp_path: Path, request: pytest.FixtureRequest, store: Store
) -> None:
    log = predictions()
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    told = log[["id", "y"]].assign(at=log["ts"], loaded=log["ts"] + timedelta(minutes=1))
    hour = START + 4 * DAY + 7 * HOUR
    held = (log["ts"] >= hour) & (log["ts"] < hour + HOUR)
    load(warehouse, log[~held], told)
    monitor = monitor_of(warehouse, "1h", "1d")
    run(monitor, store, 3, 4, 5)
    load(warehouse, log, told)
    (planned,) = run(monitor, store, 6)
    again = {step.window for step in planned if step.as_of > step.window.end}
    assert Window.ending("1h", hour + HOUR) in again
    assert Window.ending("1d", START + 5 * DAY) in again
    with duckdb.connect(str(warehouse.file), read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM predictions").fetchone() == (len(log),)


def test_a_day_that_failed_is_not_lost(
    tmp_path: Path, request: pytest.FixtureRequest, store: Store
) -> None:
    """The labels of a day whose run failed, or never was, are followed by the next one."""
    log = predictions()
    told = events(log, 4)
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    load(warehouse, log, told)
    monitor = monitor_of(warehouse, "1h", "1d")
    run(monitor, store, 3, 4, 7)
    with store.read() as connection:
        done = ledger.done(connection, monitor.monitor, config_hash=monitor.config_hash)
    day = Window.ending("1d", START + 4 * DAY)
    assert (Suite.PERFORMANCE, day, START + 7 * DAY) in done
    value = state(store, monitor)["1d", day.start, "log_loss", "", "", ""][0]
    own = log[(log["ts"] >= day.start) & (log["ts"] < day.end)].set_index("id")
    known = own[["score"]].join(newest(told, START + 7 * DAY).rename("truth"), how="inner")
    assert value == pytest.approx(sk.log_loss(known["truth"], known["score"]), rel=1e-9)
