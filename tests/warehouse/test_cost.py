"""What a database says that a statement would cost: the right order of size, and nothing is run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftline.domain import ColumnKind
from driftline.warehouse import Logs, open_logs
from tests.conftest import run
from tests.warehouses import Warehouse, make_warehouse

START, ROWS = datetime(2013, 1, 1, tzinfo=UTC), 400_000
DAY = timedelta(days=1)
WHOLE = (START, START + 100 * DAY)
ONE = (START + 50 * DAY, START + 51 * DAY)


def predictions() -> pa.Table:
    """Return a hundred days of rows in the order of their time; `x` is bulky, `flag` is not."""
    rng = np.random.default_rng(0)
    step = 100 * 86_400_000_000 // ROWS
    at = int(START.timestamp()) * 1_000_000 + np.arange(ROWS) * step
    return pa.table(
        {
            "id": np.arange(ROWS),
            "ts": pa.array(at).cast(pa.timestamp("us", "UTC")),
            "score": rng.random(ROWS),
            'it\'s "x": %s': rng.random(ROWS),
            "flag": np.ones(ROWS, dtype=np.int64),
        }
    )


X = 'it\'s "x": %s'


def cost(logs: Logs, stretch: tuple[datetime, datetime], *columns: str) -> Any:
    statement = logs.sql(*stretch, dict.fromkeys(columns, ColumnKind.NUMERIC))
    return logs.cost(statement)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows as a DuckDB file, as Parquet files and as a SQLite file."""
    folder = tmp_path_factory.mktemp("logs")
    rows = predictions()
    for kind in ("duckdb", "parquet", "sqlite"):
        Warehouse(kind=kind, folder=folder).load("predictions", rows)
    return folder


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_duckdb_reads_the_columns_and_the_times_that_are_asked_for(filled: Path, kind: str):
    if kind == "parquet":
        file = filled / "predictions" / "rows.parquet"
        pq.write_table(pq.read_table(file), file, row_group_size=20_480)
    with open_logs(Warehouse(kind=kind, folder=filled).monitor()) as logs:
        whole, narrow, day = (
            cost(logs, WHOLE, X, "score"),
            cost(logs, WHOLE, "flag"),
            cost(logs, ONE, X, "score"),
        )
    doubles = 2 * 8 * ROWS
    assert doubles * 0.9 < whole.scanned < doubles * 2
    assert narrow.scanned < whole.scanned / 2
    groups = {"duckdb": 122_880, "parquet": 20_480}[kind]
    assert day.rows <= groups
    assert day.scanned < whole.scanned * groups / ROWS * 1.5
    assert whole.rows <= ROWS


def test_files_that_are_listed_one_by_one_are_costed_as_their_pattern_is(tmp_path: Path):
    rows = predictions().slice(0, 20_000)
    (tmp_path / "predictions").mkdir()
    for name in ("it's a", "b"):
        pq.write_table(rows, tmp_path / "predictions" / f"{name}.parquet")
    told = []
    for name in ("", "_unfinished"):  # beside which the others are named one by one
        (tmp_path / "predictions" / f"{name or 'b'}.parquet").touch()
        if not name:
            pq.write_table(rows, tmp_path / "predictions" / "b.parquet")
        with open_logs(Warehouse(kind="parquet", folder=tmp_path).monitor()) as logs:
            told.append(cost(logs, WHOLE, "score"))
    assert told[0].scanned == told[1].scanned > 0


def test_postgresql_says_what_its_planner_thinks(request, tmp_path):
    warehouse = make_warehouse(request, "postgresql", tmp_path)
    warehouse.load("predictions", predictions())
    run(warehouse.owner, "ANALYZE predictions")
    monitor = warehouse.monitor()
    with open_logs(monitor) as logs:
        reader = logs._reader
        pages = reader.dialect.engine(reader.url, logs.caller)
        with pages.connect() as connection:
            size = connection.exec_driver_sql("SELECT pg_relation_size('predictions')").scalar()
        pages.dispose()
        whole, unaided = cost(logs, WHOLE, X), cost(logs, ONE, X)
        run(warehouse.owner, "CREATE INDEX ON predictions (ts)")
        day = cost(logs, ONE, X)
    assert whole.scanned == unaided.scanned == size
    assert whole.rows == pytest.approx(ROWS, rel=0.02)
    assert unaided.rows == pytest.approx(ROWS / 100, rel=0.3)
    assert day.rows == pytest.approx(ROWS / 100, rel=0.3)
    assert day.scanned == pytest.approx(size / 100, rel=0.3)
    assert day.units < unaided.units


def test_postgresql_leaves_out_the_partitions_that_are_pruned(request, tmp_path):
    warehouse = make_warehouse(request, "postgresql", tmp_path)
    warehouse.load("loaded", predictions())
    months = [(f"2013-0{m}-01", f"2013-0{m + 1}-01") for m in range(1, 5)]
    run(
        warehouse.owner,
        "CREATE TABLE predictions (LIKE loaded) PARTITION BY RANGE (ts)",
        *(
            f"CREATE TABLE part_{n} PARTITION OF predictions "
            f"FOR VALUES FROM ('{low} 00:00Z') TO ('{high} 00:00Z')"
            for n, (low, high) in enumerate(months)
        ),
        "INSERT INTO predictions SELECT * FROM loaded",
        "ANALYZE predictions",
    )
    with open_logs(warehouse.monitor()) as logs:
        whole, day = cost(logs, WHOLE, X), cost(logs, ONE, X)
    assert 0.2 < day.scanned / whole.scanned < 0.4


def test_sqlite_says_how_large_the_file_is(filled: Path):
    warehouse = Warehouse(kind="sqlite", folder=filled)
    with open_logs(warehouse.monitor()) as logs:
        found = cost(logs, ONE, X)
    assert found.scanned == warehouse.file.stat().st_size
    assert found.basis == "the whole file"
    assert found.rows is None


def test_a_query_is_estimated_too(warehouse: Warehouse):
    warehouse.load("predictions", predictions().slice(0, 1000))
    source = warehouse.source("predictions")
    if warehouse.kind == "s3":
        pytest.skip("DuckDB opens what a query names itself, by an extension that it downloads")
    of = source.get("table") or f"read_parquet('{warehouse.folder}/{source['parquet']}')"
    query = {"query": f"SELECT * FROM {of} WHERE flag = 1"}
    with open_logs(warehouse.monitor(predictions=query, warehouse=warehouse.url)) as logs:
        found = cost(logs, WHOLE, X)
    assert 8_000 < found.scanned < 1_000_000


def test_what_duckdb_cannot_tell(tmp_path):
    """A name that its own storage_info does not read, files that the statement does not name."""
    warehouse = Warehouse(kind="duckdb", folder=tmp_path)
    name = 'logs "of" all'
    warehouse.load(name, predictions().slice(0, 1000))
    named = warehouse.monitor(predictions={"table": '"logs ""of"" all"'})
    with open_logs(named) as logs:
        found = cost(logs, WHOLE, X)
        assert logs.counts(None, None).rows == 1000
    assert found.scanned is None
    assert "of" in found.basis
    place = Warehouse(kind="parquet", folder=tmp_path)
    place.load("predictions", predictions().slice(0, 1000))
    files = f"concat('{tmp_path}/predictions/', 'rows.parquet')"
    listed = place.monitor(
        predictions={"query": f"SELECT * FROM read_parquet({files})"}, warehouse=place.url
    )
    with open_logs(listed) as logs:
        assert cost(logs, WHOLE, X).scanned is None
