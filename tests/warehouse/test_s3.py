"""Parquet on S3, read through a real S3 endpoint."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import ColumnKind
from driftline.errors import InputError, MissingTable, WarehouseError
from driftline.profile.columns import CategoryBins, Layout, NumericBins
from driftline.warehouse import open_logs
from tests.warehouse.test_rows import END, START, log
from tests.warehouses import SECRET, Warehouse, make_warehouse

X = {"x": ColumnKind.NUMERIC}


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return make_warehouse(request, "s3", tmp_path)


@pytest.mark.parametrize("profiler", ["sql", "stream"])
def test_profiles_and_labelled_rows(lake: Warehouse, profiler: str):
    values = np.arange(300.0)
    lake.load("predictions", log(300, x=pa.array(values), city=pa.array(["A", "b"] * 150)))
    lake.load("labels", pa.table({"key": [f"r{n}" for n in range(50)], "y": [1] * 50}))
    labels = {"of": "labels", "id": "key", "label": "y"}
    monitor = lake.monitor(labels=labels, drift={"profiler": profiler}, predictions={"id": "id"})
    layout = Layout({"x": NumericBins.of(values), "city": CategoryBins.of({"A": 1})})
    with open_logs(monitor) as logs:
        assert logs.check() == []
        (one,) = logs.profiles(layout, START, END).values()
        assert logs.counts(None, None).labelled == 50
        rows = logs.rows(START, END, X, limit=40)
        known = logs.training_rows(START, END, X)
    assert one.rows == 300
    assert one.column("x").counts.sum() == 300
    assert one.column("city").counts.tolist() == [150, 0, 150]
    assert (len(rows.table), rows.total) == (40, 300)
    assert len(known.table) == 50


@pytest.mark.parametrize(
    "path", ["{}/logs/**/*.parquet", "{}/logs", "{}/logs/", "{}/logs/*/*.parquet"]
)
def test_folders_and_partitions(lake: Warehouse, path: str):
    for day in ("2013-04-01", "2013-04-02"):
        lake.load(f"logs/ds={day} it's 100% new", log(30, x=pa.array(np.arange(30.0))))
    monitor = lake.monitor(predictions={"parquet": path.format(f"s3://{lake.bucket}")})
    with open_logs(monitor) as logs:
        assert len(logs.rows(None, None, X).table) == 60
        assert "ds" in logs.column_types()


def test_the_key_is_that_of_the_environment_without_a_connection(
    lake: Warehouse, monkeypatch: pytest.MonkeyPatch
):
    lake.load("predictions", log(7, x=pa.array(np.arange(7.0))))
    monitor = lake.monitor(warehouse=None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", lake.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with open_logs(monitor) as logs:
        assert len(logs.rows(None, None, X).table) == 7


def test_a_connection_may_hold_the_key(lake: Warehouse, monkeypatch: pytest.MonkeyPatch):
    lake.load("predictions", log(7, x=pa.array(np.arange(7.0))))
    extra = {"region_name": "us-east-1", "endpoint_url": lake.endpoint}
    written = {"conn_type": "aws", "login": "testing", "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(written))
    with open_logs(lake.monitor(warehouse="lake")) as logs:
        assert len(logs.rows(None, None, X).table) == 7
        assert logs.dialect == "duckdb"


def test_what_is_missing_and_what_fails_is_told_without_the_key(
    lake: Warehouse, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    lake.load("predictions", log(7, x=pa.array(np.arange(7.0))))
    said = []
    for path in ("s3://no-such-bucket/x/*.parquet", f"s3://{lake.bucket}/nowhere"):
        monitor = lake.monitor(predictions={"parquet": path})
        with open_logs(monitor) as logs, pytest.raises(MissingTable, match="No files") as missing:
            logs.column_types()
        said.append(str(missing.value))
    with open_logs(lake.monitor()) as logs:
        assert len(logs.rows(None, None, {}).table) == 7
    lake.endpoint = "http://127.0.0.1:9"
    with open_logs(lake.monitor()) as logs, pytest.raises(WarehouseError, match="aws://") as down:
        logs.column_types()
    lake.endpoint = "somewhere"
    with open_logs(lake.monitor()) as logs, pytest.raises(InputError, match="endpoint_url"):
        logs.column_types()
    assert SECRET not in " ".join([*said, str(down.value), caplog.text])


def test_an_object_that_is_replaced_is_read_anew(lake: Warehouse):
    for number in (7, 9):
        lake.load("predictions", log(number, x=pa.array(np.arange(float(number)))))
        with open_logs(lake.monitor()) as logs:
            assert len(logs.rows(None, datetime(2014, 1, 1, tzinfo=UTC), X).table) == number
