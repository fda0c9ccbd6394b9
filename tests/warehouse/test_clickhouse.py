"""What ClickHouse alone does: its sessions, its types, and a run from the log to the store."""

import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import yaml
from sklearn import metrics as sk
from sqlalchemy import column, make_url, select, table

from driftline.connections import resolve
from driftline.errors import MissingExtra, MissingTable, WarehouseError
from driftline.warehouse import open_logs
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects import clickhouse
from driftline.warehouse.dialects.base import Family
from driftline.warehouse.reader import Reader
from tests.models import logs as made_logs
from tests.models import parts
from tests.warehouse.test_labels import hours, known, times
from tests.warehouse.test_labels import predictions as predictions_of
from tests.warehouses import Warehouse

CHDB = "clickhousedb:///default?interface=chdb&path="


@pytest.fixture
def place(tmp_path: Path) -> Warehouse:
    pytest.importorskip("chdb", reason="chdb is opt-in: pip install 'driftline[chdb]'")
    return Warehouse(kind="clickhouse", folder=tmp_path)


def test_a_driver_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(clickhouse, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"driftline\[chdb\]"):
        clickhouse.engine(make_url(f"{CHDB}{tmp_path}"), Caller())
    with pytest.raises(MissingExtra, match=r"driftline\[clickhouse\]"):
        clickhouse.engine(make_url("clickhousedb://me@somewhere/logs"), Caller())


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    url = resolve("clickhousedb:///default?interface=chdb&path=logs", folder=tmp_path)
    with pytest.raises(MissingTable, match="there is no chdb folder"):
        clickhouse.engine(url, Caller())
    assert not (tmp_path / "logs").exists()


def test_a_setting_that_a_user_may_not_change_is_named():
    def setting(value: str, readonly: int = 1) -> SimpleNamespace:
        return SimpleNamespace(value=value, readonly=readonly)

    meant = {name: setting(value) for name, value in clickhouse._MEANINGS.items()}
    bound = {"readonly": setting("1"), "max_execution_time": setting("5")}
    told: dict[str, str] = {}
    client = SimpleNamespace(server_settings=meant | bound, set_client_setting=told.__setitem__)
    clickhouse.start(client, "60")
    assert told == {"param_driftline_key": ""}  # a parameter of statements, and no setting
    client.server_settings["join_use_nulls"] = setting("0")
    with pytest.raises(WarehouseError, match="join_use_nulls is 0 and must be 1"):
        clickhouse.start(client, "60")
    client.server_settings = {name: setting("0", 0) for name in (*meant, *bound)}
    clickhouse.start(client, "60")
    assert list(told)[-1] == "readonly"
    assert told["max_execution_time"] == "60"


@pytest.mark.core
def test_a_session_can_only_read(place: Warehouse):
    place.load("predictions", pa.table({"id": ["a"]}))
    with Reader(make_url(place.url), Caller()) as reader:
        for statement in (
            "INSERT INTO predictions VALUES ('b')",
            "CREATE TABLE made (a Int8) ENGINE = Memory",
            "DROP TABLE predictions",
            "SET readonly = 0",
            "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        ):
            with pytest.raises(Exception, match="readonly"), reader._engine.connect() as asked:
                asked.exec_driver_sql(statement)
        (count,) = reader.one(select(column("id")).select_from(table("predictions")))
        assert count == "a"


def test_a_wall_time_is_read_as_elsewhere(place: Warehouse):
    """A repeated one is its later instant; one that is skipped counts on from before the gap."""
    for zone, days in {
        "America/New_York": ((2013, 3, 10), (2013, 11, 3)),
        "Australia/Lord_Howe": ((2013, 4, 7), (2013, 10, 6)),
    }.items():
        there = ZoneInfo(zone)
        walls = [
            datetime(*day) + timedelta(minutes=10 * step) for day in days for step in range(-9, 40)
        ]
        rows = {"id": range(len(walls)), "w": [f"{w:%Y-%m-%dT%H:%M}" for w in walls]}
        place.load("walls", pa.table(rows))
        source = table("walls", column("id"), column("w"))
        moment, family = clickhouse.instant(source.c.w, zone)
        assert family is Family.AWARE
        with Reader(make_url(place.url), Caller()) as reader:
            seconds = clickhouse.epoch(moment, family)
            found = reader.all(select(seconds).select_from(source).order_by(source.c.id))
        both = [[w.replace(tzinfo=there, fold=fold) for fold in (0, 1)] for w in walls]
        expected = [max(one.timestamp() for one in pair) for pair in both]
        assert [row[0] for row in found] == expected, zone


TYPES = {
    "a DateTime": ("'2013-04-01 00:00:00'", Family.NAIVE, "2013-04-01 00:00:00", None),
    "b DateTime('UTC')": ("'2013-04-01 00:00:00'", Family.AWARE, "2013-04-01 00:00:00", None),
    "c LowCardinality(Nullable(String))": ("'1.5'", Family.TEXT, "1.5", 1.5),
    "d Enum8('x' = 1, 'y' = 2)": ("'y'", Family.TEXT, "y", None),
    "e UInt64": ("18446744073709551615", Family.INTEGER, "18446744073709551615", 2.0**64),
    "f Int128": ("-5", Family.INTEGER, "-5", -5.0),
    "g Decimal(40, 3)": ("12345.678", Family.FLOAT, "12345.678", 12345.678),
    "h Map(String, Float64)": ("{'a': 1.5}", Family.JSON, '{"a":1.5}', None),
    "j UUID": ("'61f0c404-5cb3-11e7-907b-a6006ad3dba0'", Family.OTHER, None, None),
    "k FixedString(4)": ("'ab'", Family.TEXT, "ab", None),
    "l Date": ("'2013-04-01'", Family.DATE, "2013-04-01", None),
    "m Float32": ("0.5", Family.FLOAT, "0.5", 0.5),
    "n SimpleAggregateFunction(max, UInt8)": ("3", Family.INTEGER, "3", 3.0),
}


def test_types_are_what_they_hold(place: Warehouse):
    import chdb

    with closing(chdb.connect(str(place.file))) as owner:
        owner.query(f"CREATE TABLE t ({', '.join(TYPES)}) ENGINE = MergeTree ORDER BY tuple()")
        values = (value for value, *_ in TYPES.values())
        owner.query(f"INSERT INTO t VALUES ({', '.join(values)})")
    with Reader(make_url(place.url), Caller()) as reader:
        described = reader.columns(table("t"))
        own = table("t", *(column(name) for name in described))
        for declared, (_, family, text, number) in TYPES.items():
            name = declared[0]
            assert described[name].family is family, declared
            asked = clickhouse.string(own.c[name], family), clickhouse.number(own.c[name], family)
            found = reader.one(select(*asked))
            assert tuple(found) == (text or found[0], number), declared
        inside = clickhouse.member(own.c.h, Family.JSON, ["a"])
        assert reader.one(select(inside))[0] == "1.5"
        with pytest.raises(WarehouseError, match="cannot be safely converted"):
            reader.one(select(clickhouse.integer(own.c.e)))


def test_ids_of_two_types_that_no_type_holds_meet(place: Warehouse):
    place.load(
        "predictions", predictions_of(pa.array([1, 2, 2**63], pa.uint64())), types={"id": "UInt64"}
    )
    truth = pa.table({"id": [1, 2, -(2**63)], "y": [0, 1, 1], "at": times(hours(1, 1, 1))})
    place.load("labels", truth)
    assert list(known(place).values()) == [0, 1, None]


@pytest.mark.core
def test_a_run_of_two_days(place: Warehouse):
    """From the log to the store by the command, in a process that holds chdb for itself."""
    predictions, labels = made_logs("binary", days=8)
    place.load("predictions", predictions)
    place.load("labels", labels)
    said = parts("binary")
    written = {
        "monitor": "model",
        "task": "binary",
        "warehouse": f"{CHDB}{place.file.name}",  # from the folder of the file
        "store": "sqlite:///results.db",
        "predictions": {"table": "predictions", "id": "id", "timestamp": "ts", "score": "score"},
        "labels": {"table": "labels", "id": "id", "timestamp": "labelled_at", "label": "y"},
        "reference": said["reference"],
        "windows": ["1d"],
    }
    file = place.folder / "model.yaml"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")

    def driftline(*words: str) -> str:
        command = [sys.executable, "-m", "driftline.cli", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=place.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    driftline("run", str(file), "--from", "2024-01-06", "--to", "2024-01-08")
    rows = json.loads(driftline("metrics", str(file), "--format", "json"))
    assert {row["suite"] for row in rows} >= {"quality", "drift", "performance"}
    assert {row["engine"] for row in rows} >= {"profile", "great_expectations"}
    end = datetime(2024, 1, 8, tzinfo=UTC)
    frame = predictions.to_pandas().merge(labels.to_pandas(), on="id")
    day = frame[(frame["ts"] >= end - timedelta(days=1)) & (frame["labelled_at"] <= end)]
    found = {
        row["engine"]: row["value"]
        for row in rows
        if (row["suite"], row["metric"]) == ("performance", "roc_auc")
        and row["window_end"] == "2024-01-08T00:00:00Z"
        and not (row["segment"] or row["model_version"])
    }
    exact = sk.roc_auc_score(day["y"], day["score"])
    assert found["evidently"] == pytest.approx(exact, rel=1e-9)
    assert found["profile"] == pytest.approx(exact, abs=2e-3)  # by the bins of the score
    with open_logs(place.monitor()) as again:  # the process has let go of the folder
        assert again.counts(None, None).rows == len(predictions)
