"""JSON and CSV are read as Parquet is, and relative paths start from the file's folder."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml

from driftline.domain import ColumnKind
from driftline.errors import LogError, UnknownConnection
from driftline.monitor import file as monitor_file
from driftline.warehouse import open_logs
from tests.warehouse.test_rows import log
from tests.warehouses import Warehouse

X = {"x": ColumnKind.NUMERIC, "late": ColumnKind.NUMERIC}


def written(folder: Path, kind: str) -> Path:
    """Two days of a log: the second has a column more, and `x` turns from integers to fractions in
    the very last row, far beyond what a sample sees.
    """
    rows = 30_000
    for day, last in (("2013-04-01", 5.0), ("2013-04-02", 5.5)):
        table = log(rows, x=pa.array([1.0] * (rows - 1) + [last]))
        if last != 5.0:
            table = table.append_column("late", pa.array([2] * rows))
        place = folder / "logs" / f"ds={day}"
        place.mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("arriving", table)
            whole = "CASE WHEN x = floor(x) THEN x::BIGINT::VARCHAR ELSE x::VARCHAR END"
            chosen = f"* REPLACE ({whole} AS x)" if kind == "csv" else "*"
            connection.execute(
                f"COPY (SELECT {chosen} FROM arriving) TO '{place}/part-0.{kind}' (FORMAT {kind})"
            )
    (folder / "logs" / "_SUCCESS").touch()
    (folder / "logs" / f"empty.{kind}").touch()
    return folder / "logs"


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_files_of_every_kind_are_read_with_their_partitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    written(tmp_path, kind)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    place = Warehouse(kind="parquet", folder=tmp_path)
    whole = "" if kind == "parquet" else ", sample_size = -1"
    query = f"SELECT * FROM read_{kind}('logs/*/*.{kind}', union_by_name = true{whole})"
    for source, url in (
        ({kind: f"logs/**/*.{kind}"}, None),
        ({kind: "logs"}, None),
        ({"query": query}, "duckdb:///:memory:"),
    ):
        monitor = place.monitor(predictions=source, warehouse=url)
        with open_logs(monitor) as logs:
            assert logs.column_types()["ds"] == "DATE"
            found = logs.rows(None, None, X).table
        assert (found["x"].null_count, found["late"].null_count) == (0, 30_000)
        assert sum(found["x"].to_pylist()) == 2 * 29_999 + 5.0 + 5.5


def test_a_table_in_a_file_and_files_beside_it(tmp_path: Path) -> None:
    """Two monitors of two folders share a database of DuckDB, and each finds its own files."""
    with duckdb.connect(str(tmp_path / "logs.duckdb")) as connection:
        connection.execute("CREATE TABLE names (id VARCHAR)")
    for name, rows in (("it's one", 3), ("two", 4)):
        own = Warehouse(kind="parquet", folder=tmp_path / name)
        own.load("predictions", log(rows))
    found = {}
    for name in ("it's one", "two"):
        own = Warehouse(kind="parquet", folder=tmp_path / name)
        query = "SELECT * FROM 'predictions/*.parquet' WHERE id NOT IN (SELECT id FROM names)"
        monitor = own.monitor(predictions={"query": query}, warehouse="duckdb:///../logs.duckdb")
        found[name] = open_logs(monitor)
    with found["it's one"] as one, found["two"] as two:
        assert (one.counts(None, None).rows, two.counts(None, None).rows) == (3, 4)


def test_json_that_nests_has_paths(tmp_path: Path) -> None:
    rows = [
        {"id": n, "ts": f"2013-04-01T00:00:{n:02d}Z", "score": 0.5, "inputs": {"age": n}}
        for n in range(20)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    place = Warehouse(kind="parquet", folder=tmp_path)
    with open_logs(place.monitor(predictions={"json": "log.jsonl"})) as logs:
        found = logs.rows(None, None, {"inputs.age": ColumnKind.NUMERIC}).table
    assert sorted(found["inputs.age"].to_pylist()) == list(range(20))


def test_one_kind_of_place_and_duckdb_only(tmp_path: Path) -> None:
    place = Warehouse(kind="sqlite", folder=tmp_path)
    place.load("predictions", log(3))
    monitor = place.monitor(predictions={"csv": "x.csv"}, warehouse=place.url)
    with open_logs(monitor) as logs, pytest.raises(LogError, match="only DuckDB reads csv"):
        logs.column_types()
    with pytest.raises(ValueError, match="found parquet and csv"):
        place.monitor(predictions={"csv": "x.csv", "parquet": "x.parquet"})


def test_the_whole_address_may_be_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Warehouse(kind="sqlite", folder=tmp_path)
    place.load("predictions", log(3))
    monitor = place.monitor(warehouse="${LOGS_URL}", store="${RESULTS}")
    file = monitor.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
    loaded = monitor_file.load(tmp_path / "model.yaml")
    for value, told in ((None, "LOGS_URL.*not set"), ("", "LOGS_URL.*empty")):
        if value is not None:
            monkeypatch.setenv("LOGS_URL", value)
        with pytest.raises(UnknownConnection, match=told), open_logs(loaded):
            pass
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", "sqlite:///logs.sqlite")
    for value in ("sqlite:///logs.sqlite", "logs"):
        monkeypatch.setenv("LOGS_URL", value)
        with open_logs(loaded) as logs:
            assert logs.counts(None, None).rows == 3
