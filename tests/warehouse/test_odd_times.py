"""Times that are none among those that are: in no window, counted, and no reason to stop."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.errors import LogError
from driftline.profile.rows import TIMESTAMP
from driftline.warehouse import Logs, open_logs
from tests.warehouses import Warehouse

START = datetime(2026, 1, 8, tzinfo=UTC)
MOMENTS = [START + timedelta(minutes=30) * place for place in range(48 * 3)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS = [int((moment - EPOCH).total_seconds()) for moment in MOMENTS]
ZULU = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in MOMENTS]
UNITS = (1, 10**3, 10**6, 10**9)


def load(warehouse: Warehouse, ts: list | pa.Array, types: dict[str, str] | None = None) -> None:
    ts = pa.array(ts)
    number = pa.array([place / 1000 for place in range(len(ts))])
    warehouse.load("predictions", pa.table({"id": number, "ts": ts, "score": number}), types=types)


def read(logs: Logs) -> tuple[list[datetime], list[int], int]:
    """Return the instants of all rows, the rows of each day, and how many have no time."""
    rows = logs.rows(None, None, {}).table.sort_by(TIMESTAMP)[TIMESTAMP].to_pylist()
    assert (
        rows
        == logs.rows(START - DAY, START + 9 * DAY, {})
        .table.sort_by(TIMESTAMP)[TIMESTAMP]
        .to_pylist()
    )
    assert (logs.first_timestamp(), logs.last_timestamp()) == (rows[0], rows[-1])
    days = [logs.counts(START + DAY * n, START + DAY * (n + 1)).rows for n in range(4)]
    assert tuple(days) == logs.daily_rows(START, START + 4 * DAY)
    hours = logs.hourly_rows(START, START + 4 * DAY)
    assert sum(hours.values()) == sum(days)
    assert logs.counts(None, None).rows == len(rows)
    return rows, days, logs.timeless()


def odd(warehouse: Warehouse, ts: list | pa.Array, **log: Any) -> None:
    """Hold that the first 144 values are read as MOMENTS, and all others as no times."""
    load(warehouse, ts)
    with open_logs(warehouse.monitor(predictions=log)) as logs:
        assert read(logs) == (MOMENTS, [48, 48, 48, 0], len(ts) - len(MOMENTS))


@pytest.mark.parametrize("unit", UNITS)
def test_one_row_in_another_unit_is_one_row_out_of_place(warehouse: Warehouse, unit: int):
    strange = [SECONDS[60] * other for other in UNITS if other != unit]
    odd(warehouse, [second * unit for second in SECONDS] + [*strange, 0, -1, None, 20260108])


@pytest.mark.parametrize("unit", UNITS[:3])
def test_what_is_no_number_among_doubles_is_no_time(warehouse: Warehouse, unit: int):
    strange = [float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 0.0, None]
    odd(warehouse, [float(second * unit) for second in SECONDS] + strange)


STRANGE = ["N/A", "", " ", "null", "0", "yesterday", "infinity", "2026-02-30T10:00:00Z", None]
STRANGE += ["2026-01-08T25:00:00Z", "2026-01-08 garbage", "2026-13-01", "9999-12-31T00:00:00Z"]
STRANGE += ["0001-01-01", "0000-00-00 00:00:00", "2026-01-09T10:00:00Z\n;", "now", "\\x00"]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S.%f"])
def test_text_that_is_no_time_is_in_no_window(warehouse: Warehouse, form: str):
    odd(warehouse, [moment.strftime(form) for moment in MOMENTS] + STRANGE)
    odd(warehouse, [moment.strftime(form) for moment in MOMENTS] + STRANGE, timezone="UTC")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_text_in_another_form_than_most_is_read(warehouse: Warehouse, zone: str):
    wall = "2026-01-08T21:30:00"
    local = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    others = ["2026-01-08 09:15:00+02:00", "2026-01-09T00:00:00.5-05:00", wall]
    expected = [
        datetime(2026, 1, 8, 7, 15, tzinfo=UTC),
        datetime(2026, 1, 9, 5, 0, 0, 500_000, tzinfo=UTC),
        local,
    ]
    load(warehouse, [*ZULU, *others, "N/A"])
    with open_logs(warehouse.monitor(predictions={"timezone": zone})) as logs:
        rows, days, none = read(logs)
    assert rows == sorted([*MOMENTS, *expected])
    assert (sum(days), none) == (len(rows), 1)


@pytest.mark.parametrize("unit", [1, 10**6])
def test_text_of_ticks_is_read_as_they_are(warehouse: Warehouse, unit: int):
    odd(warehouse, [str(second * unit) for second in SECONDS] + ["N/A", "", "12", "1e30", None])


@pytest.mark.parametrize("kind", [int, float, str])
def test_a_number_of_eight_digits_is_a_day(warehouse: Warehouse, kind: type):
    days = [kind(f"{moment:%Y%m%d}") for moment in MOMENTS]
    load(warehouse, [*days, kind("20260231"), kind("20261301"), kind("0"), None])
    with open_logs(warehouse.monitor()) as logs:
        rows, counted, none = read(logs)
        assert (counted, none) == ([48, 48, 48, 0], 4)
        assert set(rows) == {START, START + DAY, START + 2 * DAY}
        assert logs.counts(START + HOUR, START + DAY).rows == 0
    with open_logs(warehouse.monitor(predictions={"timezone": "America/New_York"})) as logs:
        assert logs.first_timestamp() == START + 5 * HOUR


@pytest.mark.parametrize("warehouse", ["postgresql", "duckdb"], indirect=True)
@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_infinite_and_sentinel_times_are_in_no_window(warehouse: Warehouse, kind: str):
    sentinels = ["infinity", "-infinity", "9999-12-31", "1900-01-01", "1970-01-01"]
    if kind != "date" or warehouse.reader:
        sentinels.append("0044-03-15 (BC)" if warehouse.kind == "duckdb" else "0044-03-15 BC")
    moments = MOMENTS if kind != "date" else [START + DAY * (n // 48) for n in range(144)]
    words = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments]
    load(warehouse, [*words, *sentinels, None], {"ts": kind})
    with open_logs(warehouse.monitor()) as logs:
        assert read(logs) == (moments, [48, 48, 48, 0], len(sentinels) + 1)
        ages = logs.rows(START, START + DAY, {"ts": ColumnKind.TIMESTAMP}).table["ts"]
        assert set(ages.to_pylist()) == {0.0}


@pytest.mark.parametrize("warehouse", ["postgresql", "duckdb"], indirect=True)
def test_labels_of_strange_times_are_never_known(warehouse: Warehouse):
    load(warehouse, pa.array(MOMENTS, pa.timestamp("us", "UTC")))
    stamps = ["2026-01-09", "infinity", "-infinity", "9999-12-31", None]
    truth = {"id": [place / 1000 for place in range(5)], "y": [1] * 5, "at": stamps}
    warehouse.load("labels", pa.table(truth), types={"at": "timestamp"})
    shape = {"id": "id", "label": "y", "timestamp": "at", "of": "labels"}
    with open_logs(warehouse.monitor(labels=shape)) as logs:
        assert logs.counts(None, None, as_of=START + 30 * DAY).labelled == 1
        assert logs.counts(None, None).labelled == 1
        assert logs.landed(START, START + 30 * DAY, since=START) == {START: 1}
        assert logs.untimed() == [
            "labels.timestamp: 4 of 5 rows have no time that can be read: "
            "these labels are never known"
        ]


def test_what_happened_at_no_time_is_not_the_newest_label(warehouse: Warehouse):
    load(warehouse, pa.array(MOMENTS[:1], pa.timestamp("us", "UTC")))
    truth = {
        "id": [0.0, 0.0, 0.0],
        "y": [0, 1, 1],
        "at": [*ZULU[:1], "N/A", ""],
        "loaded": pa.array([START + HOUR] * 3, pa.timestamp("us", "UTC")),
    }
    warehouse.load("labels", pa.table(truth))
    shape = {"id": "id", "label": "y", "timestamp": "at", "loaded_at": "loaded", "of": "labels"}
    with open_logs(warehouse.monitor(labels=shape)) as logs:
        assert logs.rows(None, None, {}).table["@@label"].to_pylist() == [0]


@pytest.mark.parametrize("ts", [[True] * 3, [b"2026-01-08"] * 3], ids=["booleans", "bytes"])
def test_a_column_that_cannot_hold_times_is_named(warehouse: Warehouse, ts: list):
    if warehouse.kind == "clickhouse" and isinstance(ts[0], bytes):
        pytest.skip("a String of ClickHouse holds text and bytes alike: this one is a day")
    if warehouse.kind == "sqlite" and isinstance(ts[0], bytes):
        load(warehouse, ["x"] * 3)
        with sqlite3.connect(warehouse.file) as connection:
            connection.execute("UPDATE predictions SET ts = CAST('2026-01-08' AS BLOB)")
    else:
        load(warehouse, ts)
    with (
        open_logs(warehouse.monitor()) as logs,
        pytest.raises(LogError, match=r"predictions\.timestamp: ts is .*, which holds no times"),
    ):
        logs.counts(START, START + DAY)


def test_most_of_a_column_must_be_times(warehouse: Warehouse):
    load(warehouse, ["08/01/2026 10:00"] * 3 + ZULU[:2])
    with open_logs(warehouse.monitor()) as logs, pytest.raises(LogError, match="3 of 5 values"):
        logs.counts(START, START + DAY)


@pytest.mark.core
def test_the_unit_is_that_of_the_reference_and_is_kept(warehouse: Warehouse):
    """Whatever lies first in the table, and whatever comes to lie in it."""
    other = [SECONDS[0] * 1000 + 7] * 1200
    load(warehouse, pa.array(other + SECONDS, pa.int64()))
    later = {"reference": {"window": [START + DAY, START + 2 * DAY]}}
    with open_logs(warehouse.monitor(**later)) as logs:
        assert logs.counts(START, START + 3 * DAY).rows == len(SECONDS)
        assert (logs.units, logs.timeless()) == ({"predictions.timestamp": 1}, 1200)
    with open_logs(warehouse.monitor()) as logs:
        assert logs.counts(START, START + 3 * DAY).rows == 1200
        logs.keep({"predictions.timestamp": 1})
        assert logs.counts(START, START + 3 * DAY).rows == len(SECONDS)


def test_ages_of_numbers_and_text_are_read_alike(warehouse: Warehouse):
    born = datetime(2025, 12, 1, tzinfo=UTC)
    ticks = int(born.timestamp())
    written = {
        "seconds": [ticks, 0, None],
        "nanoseconds": [ticks * 10**9, ticks * 1000, -1],
        "day": [20251201, 20251301, 20251201],
        "double": [float(ticks), float("nan"), 1e30],
        "text": ["2025-12-01", str(ticks), "2025-02-30"],
        "words": ["N/A", "", "20251201"],
        "flag": [True, False, None],
    }
    table = pa.table({"id": [1, 2, 3], "ts": [START] * 3, "score": [0.5] * 3, **written})
    warehouse.load("predictions", table)
    kinds = dict.fromkeys(written, ColumnKind.TIMESTAMP)
    with open_logs(warehouse.monitor()) as logs:
        rows = logs.rows(None, None, {**kinds, "id": ColumnKind.NUMERIC}).table.sort_by("id")
    age = (START - born).total_seconds()
    found = {name: rows[name].to_pylist() for name in written}
    assert found["seconds"][0] == age
    assert found["nanoseconds"][:2] == [age, age]
    assert found["day"][0] == found["day"][2] == age
    assert found["double"] == [age, None, None]
    assert found["text"] == [age, age, None]
    assert found["words"] == [None, None, age]
    assert found["flag"][2] is None


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y%m%d", "%Y%m%d%H", int])
def test_partitions_are_read_as_they_are_written(warehouse: Warehouse, form: Any):
    filed = [
        int(f"{moment:%Y%m%d}") if form is int else moment.strftime(form) for moment in MOMENTS
    ]
    rows = {"id": range(144), "ts": MOMENTS, "score": [0.5] * 144, "ds": filed}
    warehouse.load("predictions", pa.table(rows))
    for slack, day in (("0d", START), ("1d", START + DAY)):
        log = {"partition": {"column": "ds", "slack": slack}}
        with open_logs(warehouse.monitor(predictions=log)) as logs:
            assert logs.counts(day, day + DAY).rows == 48
            assert logs.timeless(day, day + DAY) == 0


def test_a_partition_that_is_no_day_is_an_error(warehouse: Warehouse):
    rows = {"id": range(3), "ts": MOMENTS[:3], "score": [0.5] * 3, "ds": [202601] * 3}
    warehouse.load("predictions", pa.table(rows))
    log = {"partition": {"column": "ds"}}
    with (
        open_logs(warehouse.monitor(predictions=log)) as logs,
        pytest.raises(LogError, match=r"partition\.column: ds holds '202601'; a partition is a"),
    ):
        logs.counts(START, START + DAY)
