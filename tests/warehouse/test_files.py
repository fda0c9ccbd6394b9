"""Files are read where they lie, and what other writers left beside them is left alone."""

import logging
from pathlib import Path

import pytest

from driftline.errors import MissingTable
from driftline.warehouse import open_logs
from tests.warehouse.test_rows import log
from tests.warehouses import Warehouse, make_warehouse

LEFT = (
    "logs/ds=2013-04-01/_temporary/0/part-1.parquet",
    "logs/.hive-staging_x/-ext-1/part-1.parquet",
    "logs/_metadata.parquet",
    "logs/ds=2013-04-01/.hidden",
    "logs/ds=2013-04-01/x._COPYING_",
)
EMPTY = ("logs/ds=2013-04-02/part-1.parquet",)


@pytest.fixture(params=["parquet", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Two days of ten rows, in folders that a writer could also have meant to hide."""
    found = make_warehouse(request, request.param, tmp_path)
    for day in ("2013-04-01", "2013-04-02"):
        found.load(f"_own/logs/ds={day}/_hour=1", log(10))
    return found


def put(lake: Warehouse, name: str, content: bytes) -> None:
    if lake.kind == "s3":
        with lake.objects().open_output_stream(f"{lake.bucket}/_own/{name}") as written:
            written.write(content)
    else:
        place = lake.folder / "_own" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def opened(lake: Warehouse, pattern: str):
    root = f"s3://{lake.bucket}/" if lake.kind == "s3" else ""
    return open_logs(lake.monitor(predictions={"parquet": root + pattern}))


def test_what_other_writers_left_is_left_alone_and_named(
    lake: Warehouse, caplog: pytest.LogCaptureFixture
):
    """As Spark, Hive and pyarrow.dataset do it; a folder that the pattern names is asked for."""
    with opened(lake, "_own/logs/**/*.parquet*") as logs:
        assert logs.counts(None, None).rows == 20
    assert not caplog.records
    for name in LEFT:
        put(lake, name, b"PAR1abc")
    for name in EMPTY:
        put(lake, name, b"")
    for pattern, number in (("_own/logs/**/*", 5), ("_own/logs/ds=*/**/*", 3)):
        caplog.clear()
        with opened(lake, pattern) as logs:
            assert logs.counts(None, None).rows == 20
            assert {"ds", "_hour"} <= set(logs.column_types())
        (told,) = caplog.messages
        assert f"{number} files that other writers keep" in told
        assert LEFT[0] in told or LEFT[1] in told
        assert EMPTY[0] in told
        assert caplog.records[0].levelno == logging.WARNING


def test_valid_files_of_an_unfinished_write_are_not_counted_twice(lake: Warehouse):
    lake.load("_own/logs/_temporary/0", log(10))
    with opened(lake, "_own/logs") as logs:
        assert logs.counts(None, None).rows == 20
    with opened(lake, "_own/logs/_temporary/*/*.parquet") as logs:
        assert logs.counts(None, None).rows == 10


def test_where_nothing_else_is_left_the_log_is_missing(lake: Warehouse):
    put(lake, "none/a.parquet", b"")
    with opened(lake, "_own/none") as logs, pytest.raises(MissingTable, match="1 file of 0 bytes"):
        logs.column_types()
    with opened(lake, "_own/no*/b*") as logs, pytest.raises(MissingTable, match="No files"):
        logs.column_types()


def test_a_damaged_file_of_the_log_itself_is_an_error(lake: Warehouse):
    put(lake, "logs/ds=2013-04-02/part-2.parquet", b"PAR1abc")
    with opened(lake, "_own/logs") as logs, pytest.raises(Exception, match=r"part-2\.parquet"):
        logs.column_types()


def test_a_file_may_be_named(lake: Warehouse):
    with opened(lake, "_own/logs/ds=2013-04-01/_hour=1/rows.parquet") as logs:
        assert logs.counts(None, None).rows == 10
