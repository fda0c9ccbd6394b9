"""Times in every form that logs keep them in; each row lies in exactly one window."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.errors import LogError
from driftline.profile.rows import TIMESTAMP
from driftline.warehouse import open_logs
from driftline.warehouse.clock import wall_time
from tests.warehouses import Warehouse, documents

START = datetime(2013, 4, 1, tzinfo=UTC)
STEP = timedelta(minutes=7, microseconds=500_000)
MOMENTS = [START + STEP * place for place in range(400)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
ISO = "%Y-%m-%d %H:%M:%S.%f"


def elapsed(ticks: int) -> pa.Array:
    micros = [(moment - EPOCH) // timedelta(microseconds=1) for moment in MOMENTS]
    return pa.array([value * ticks // 10**6 for value in micros], pa.int64())


def text(form: str, zone: ZoneInfo | None = None) -> pa.Array:
    return pa.array([moment.astimezone(zone or UTC).strftime(form) for moment in MOMENTS])


FORMS = {
    "aware": lambda: pa.array(MOMENTS, pa.timestamp("us", "UTC")),
    "naive": lambda: pa.array([m.replace(tzinfo=None) for m in MOMENTS], pa.timestamp("us")),
    "text with a space": lambda: text(ISO),
    "text with a T": lambda: text("%Y-%m-%dT%H:%M:%S.%f"),
    "text with a Z": lambda: text("%Y-%m-%dT%H:%M:%S.%fZ"),
    "text with a zero offset": lambda: text("%Y-%m-%d %H:%M:%S.%f+00:00"),
    "text with an offset": lambda: text("%Y-%m-%dT%H:%M:%S.%f%z", NEW_YORK),
    "text of mixed forms": lambda: pa.array(
        [
            m.strftime(ISO) if place % 3 else m.astimezone(NEW_YORK).isoformat()
            for place, m in enumerate(MOMENTS)
        ]
    ),
    "text with a comma": lambda: pa.array([f"{m:%Y-%m-%d %H:%M:%S},{m:%f}" for m in MOMENTS]),
    "text with a small t and z": lambda: text("%Y-%m-%dt%H:%M:%S.%fz"),
    "text of which some has a comma": lambda: pa.array(
        [
            f"{m:%Y-%m-%dT%H:%M:%S}{'.' if place % 3 else ','}{m:%f}Z"
            for place, m in enumerate(MOMENTS)
        ]
    ),
    "microseconds": lambda: elapsed(10**6),
    "nanoseconds": lambda: elapsed(10**9),
    "float seconds": lambda: pa.array([m.timestamp() for m in MOMENTS]),
}


def load(warehouse: Warehouse, ts: pa.Array) -> None:
    number = np.arange(len(ts))
    warehouse.load("predictions", pa.table({"id": number, "ts": ts, "score": number / 1000}))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_as_the_same_instants(warehouse: Warehouse, form: str):
    load(warehouse, FORMS[form]())
    with open_logs(warehouse.monitor()) as logs:
        assert logs.rows(None, None, {}).table.sort_by(TIMESTAMP)[TIMESTAMP].to_pylist() == MOMENTS
        assert (logs.first_timestamp(), logs.last_timestamp()) == (MOMENTS[0], MOMENTS[-1])
        for start in (
            START,
            START + 5 * HOUR,
            MOMENTS[17],
            MOMENTS[17] + timedelta(microseconds=1),
        ):
            for end in (start + HOUR, MOMENTS[100]):
                expected = [moment for moment in MOMENTS if start <= moment < end]
                assert logs.counts(start, end).rows == len(expected)
        days = np.bincount([(moment - START) // DAY for moment in MOMENTS])
        assert logs.daily_rows(None, None) == tuple(days)
        assert logs.daily_rows(START - DAY, START + DAY) == (0, days[0])


@pytest.mark.parametrize(("ticks", "kind"), [(1, pa.int64()), (1, pa.int32()), (1000, pa.int64())])
def test_coarse_ticks_are_read_by_their_size(warehouse: Warehouse, ticks: int, kind: pa.DataType):
    load(warehouse, elapsed(ticks).cast(kind))
    coarse = timedelta(seconds=1) / ticks
    with open_logs(warehouse.monitor()) as logs:
        assert logs.first_timestamp() == START
        found = logs.rows(START + HOUR, START + 2 * HOUR, {}).table[TIMESTAMP].to_pylist()
    floored = [EPOCH + (moment - EPOCH) // coarse * coarse for moment in MOMENTS]
    assert sorted(found) == [m for m in floored if START + HOUR <= m < START + 2 * HOUR]


def test_a_date_lies_at_its_midnight(warehouse: Warehouse):
    load(warehouse, pa.array([moment.date() for moment in MOMENTS], pa.date32()))
    days = np.bincount([(moment - START) // DAY for moment in MOMENTS])
    with open_logs(warehouse.monitor()) as logs:
        assert logs.daily_rows(START, START + 2 * DAY) == tuple(days)
        assert logs.counts(START, START + HOUR).rows == days[0]
        assert logs.counts(START + HOUR, START + DAY).rows == 0
        assert logs.first_timestamp() == START


def test_a_time_may_stand_inside_a_document(warehouse: Warehouse):
    stamps = [moment.isoformat().replace("+00:00", "Z") for moment in MOMENTS]
    inside = documents({"at": {"ts": stamp}} for stamp in stamps)
    rows = pa.table({"id": range(len(stamps)), "request": inside, "score": [0.5] * len(stamps)})
    warehouse.load("predictions", rows, json=["request"])
    with open_logs(warehouse.monitor(predictions={"timestamp": "request.at.ts"})) as logs:
        expected = [moment for moment in MOMENTS if START + HOUR <= moment < START + 2 * HOUR]
        found = logs.rows(START + HOUR, START + 2 * HOUR, {}).table[TIMESTAMP].to_pylist()
        assert sorted(found) == expected


def test_rows_without_a_time_are_in_no_window(warehouse: Warehouse):
    load(warehouse, pa.array([None, START, None], pa.timestamp("us", "UTC")))
    with open_logs(warehouse.monitor()) as logs:
        assert logs.counts(None, None).rows == 1
        assert logs.counts(None, START).rows == 0
        assert len(logs.rows(None, None, {}).table) == 1
        assert logs.statistics(None, None, {}).rows == 1


def test_text_that_is_no_time_is_an_error(warehouse: Warehouse):
    load(warehouse, pa.array(["yesterday", "2013-04-01 00:00:00", "today"]))
    with (
        open_logs(warehouse.monitor()) as logs,
        pytest.raises(LogError, match=r"predictions\.timestamp: 'yesterday' is no time"),
    ):
        logs.counts(START, START + DAY)


@pytest.mark.parametrize("day", [datetime(2013, 3, 10), datetime(2013, 11, 3)])
@pytest.mark.parametrize("form", ["naive", "text"])
def test_daylight_saving_loses_and_doubles_no_row(warehouse: Warehouse, day: datetime, form: str):
    walls = [day + timedelta(minutes=10) * place for place in range(-36, 180)]
    naive = pa.array(walls, pa.timestamp("us"))
    load(warehouse, naive if form == "naive" else pa.array([str(wall) for wall in walls]))
    monitor = warehouse.monitor(predictions={"timezone": "America/New_York"})
    first = day.replace(tzinfo=UTC) - DAY
    with open_logs(monitor) as logs:
        hours = [first + HOUR * place for place in range(72)]
        counted = [logs.counts(hour, hour + HOUR).rows for hour in hours]
        table = logs.rows(first, first + 3 * DAY, {}).table
        days = logs.daily_rows(first, first + 3 * DAY)
    assert sum(counted) == sum(days) == len(walls)
    read = [(moment - first) // HOUR for moment in table[TIMESTAMP].to_pylist()]
    assert counted == np.bincount(read, minlength=72).tolist()
    certain = [wall for wall in walls if wall.hour not in (1, 2)]
    expected = {wall.replace(tzinfo=NEW_YORK).astimezone(UTC) for wall in certain}
    assert expected <= set(table[TIMESTAMP].to_pylist())
    if day.month == 11:
        repeated = day.replace(hour=1, minute=30, tzinfo=NEW_YORK, fold=1)
        assert repeated.astimezone(UTC) in table[TIMESTAMP].to_pylist()
        assert counted[hours.index(datetime(2013, 11, 3, 5, tzinfo=UTC))] == 0


ZONES = ("UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Europe/Dublin")


@given(
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    wall=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),
    zone=st.sampled_from(ZONES),
)
def test_comparing_wall_times_is_comparing_instants(moment: datetime, wall: datetime, zone: str):
    there = ZoneInfo(zone)
    passes = {wall.replace(tzinfo=there, fold=fold).astimezone(UTC) for fold in (0, 1)}
    instant = max(passes)
    if instant.astimezone(there).replace(tzinfo=None) != wall:
        return  # a wall time that the zone skips
    assert (wall >= wall_time(moment, there)) == (instant >= moment)


@pytest.mark.parametrize("minutes", range(0, 180, 10))
def test_no_wall_time_stands_for_the_first_pass_of_a_repeated_hour(minutes: int):
    moment = datetime(2013, 11, 3, 4, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    walls = [datetime(2013, 11, 3) + timedelta(minutes=5 * place) for place in range(60)]
    later = [wall.replace(tzinfo=NEW_YORK, fold=1).astimezone(UTC) for wall in walls]
    bound = wall_time(moment, NEW_YORK)
    assert [wall >= bound for wall in walls] == [instant >= moment for instant in later]


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    minutes=st.lists(st.integers(-90, 24 * 60 + 90), min_size=1, max_size=60),
    zone=st.sampled_from(ZONES),
    form=st.sampled_from(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]),
)
def test_hours_add_up_to_the_day(warehouse: Warehouse, minutes: list[int], zone: str, form: str):
    day = datetime(2013, 4, 7)
    walls = [(day + timedelta(minutes=minute)).strftime(form) for minute in minutes]
    load(warehouse, pa.array(walls))
    start = datetime(2013, 4, 7, tzinfo=UTC)
    with open_logs(warehouse.monitor(predictions={"timezone": zone})) as logs:
        hours = [start + HOUR * place for place in range(24)]
        counted = sum(logs.counts(hour, hour + HOUR).rows for hour in hours)
        assert (counted,) == logs.daily_rows(start, start + DAY)
        assert counted == logs.counts(start, start + DAY).rows
        assert logs.counts(None, None).rows == len(minutes)


@pytest.mark.parametrize("kind", ["date", "text"])
def test_a_partition_is_widened_by_its_slack(warehouse: Warehouse, kind: str):
    filed = [(moment + DAY).date() for moment in MOMENTS]  # every row is filed a day late
    days = pa.array(filed, pa.date32()) if kind == "date" else pa.array(map(str, filed))
    number = np.arange(len(MOMENTS))
    table = {"id": number, "ts": MOMENTS, "score": number / 1000, "ds": days}
    warehouse.load("predictions", pa.table(table))
    noon = START + 12 * HOUR
    expected = sum(noon <= moment < noon + HOUR for moment in MOMENTS)
    assert expected
    for slack, found in (("1d", expected), ("0d", 0)):
        log = {"partition": {"column": "ds", "slack": slack}}
        with open_logs(warehouse.monitor(predictions=log)) as logs:
            assert logs.counts(noon, noon + HOUR).rows == found
            assert logs.counts(None, None).rows == len(MOMENTS)


def test_parquet_is_read_by_its_hive_partitions(tmp_path):
    """A column that was dropped in mid-log is null from then on, and files are pruned."""
    warehouse = Warehouse(kind="parquet", folder=tmp_path)
    for day, extra in (("2013-04-01", {"x": [1.0]}), ("2013-04-02", {})):
        moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
        row = {"id": [day], "ts": [moment], "score": [0.5], **extra}
        (tmp_path / "log").mkdir(exist_ok=True)
        warehouse.load(f"log/ds={day}", pa.table(row))
    log = {"parquet": "log/**/*.parquet", "partition": {"column": "ds"}}
    with open_logs(warehouse.monitor(predictions=log)) as logs:
        assert logs.column_types()["ds"] == "DATE"
        rows = logs.rows(START, START + 3 * DAY, {"x": ColumnKind.NUMERIC}).table
        assert rows.sort_by(TIMESTAMP)["x"].to_pylist() == [1.0, None]
    with open_logs(warehouse.monitor(predictions={"parquet": "log"})) as logs:
        assert logs.daily_rows(None, None) == (1, 1)
