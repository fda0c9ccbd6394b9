"""What goes wrong, in words; nothing foreign and no password gets out."""

import sqlite3
from collections.abc import Iterator
from decimal import InvalidOperation
from typing import Any

import adbc_driver_manager
import duckdb
import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, StatementError

from driftline.errors import (
    DriftlineError,
    InputError,
    LogError,
    MissingColumn,
    MissingTable,
    WarehouseError,
)
from driftline.monitor.config import Monitor
from driftline.warehouse import open_logs
from driftline.warehouse.dialects.base import dialect_of
from driftline.warehouse.failures import mapped
from tests.conftest import PASSWORD
from tests.warehouses import Warehouse

BASES = {
    "duckdb": (duckdb.Error,),
    "postgresql": (psycopg.Error, adbc_driver_manager.Error),
    "sqlite": (sqlite3.Error,),
}

OF_PYTHON = (OSError, OverflowError, InvalidOperation, ValueError, KeyError, MemoryError, TypeError)
"""Python's own, which drivers and pyarrow let pass or raise themselves."""


def predictions() -> pa.Table:
    return pa.table({"id": ["a"], "ts": ["2013-04-01 00:00:00"], "score": [0.5]})


def family(base: type[Any]) -> Iterator[type[Any]]:
    yield base
    for child in base.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize("dialect", BASES)
def test_every_error_of_every_driver_is_mapped(dialect: str):
    url = make_url(f"{dialect}://someone:{PASSWORD}@somewhere/logs")
    words = f"refused {PASSWORD}"
    errors: list[Exception] = [StatementError(words, "SELECT", {}, Exception(words))]
    errors += [kind(words, {}, Exception(words)) for kind in family(DBAPIError)]
    for kind in (kind for base in (*BASES[dialect], pa.ArrowException) for kind in family(base)):
        error = kind.__new__(kind)
        error.args = (words,)
        errors.append(error)
    assert len(errors) > 20
    errors += [kind(words) for kind in OF_PYTHON]
    errors.append(UnicodeDecodeError("utf-8", b"\xff", 0, 1, words))
    for error in errors:
        with pytest.raises(DriftlineError) as caught, mapped(dialect_of(url), url):
            raise error
        assert PASSWORD not in str(caught.value)


def test_a_missing_table(warehouse: Warehouse):
    warehouse.load("predictions", predictions())
    nowhere = warehouse.source("nowhere")
    with open_logs(warehouse.monitor(predictions=nowhere)) as logs:
        with pytest.raises(MissingTable, match="nowhere"):
            logs.column_types()
        assert [type(error) for error in logs.check()] == [MissingTable]
    if warehouse.kind not in ("parquet", "s3"):
        elsewhere = {"table": "no_schema.predictions"}
        with open_logs(warehouse.monitor(predictions=elsewhere)) as logs:
            assert [type(error) for error in logs.check()] == [MissingTable]


def test_a_check_names_every_fault_at_once(warehouse: Warehouse):
    warehouse.load("predictions", predictions())
    warehouse.load("labels", pa.table({"id": ["a"], "late": [1]}))
    monitor = warehouse.monitor(
        predictions={"score": "scor", "version": "colour", "partition": {"column": "ds"}},
        labels={"id": "key", "label": "lat", "timestamp": "late", "of": "labels"},
        features={"numeric": ["x"], "categorical": ["id.deep"], "exclude": ["ts.x"]},
        segments=["origin"],
        quality=[{"expect_column_values_to_not_be_null": {"column": "carrier"}}],
        drift={"columns": {"temp": {"method": "psi"}}},
        reference=warehouse.source("frozen"),
    )
    with open_logs(monitor) as logs:
        found = logs.check()
    keys = [str(error).partition(":")[0] for error in found if isinstance(error, MissingColumn)]
    assert keys == [
        "predictions.version",
        "predictions.partition.column",
        "predictions.score",
        "features.numeric",
        "segments",
        "quality.expect_column_values_to_not_be_null",
        "drift.columns",
        "labels.id",
        "labels.label",
    ]
    assert "no column 'scor' in" in str(found[2])
    assert "did you mean 'score'? It has id, ts, score" in str(found[2])
    assert isinstance(found[-1], MissingTable)


def test_a_where_that_is_wrong_is_found_by_the_check(warehouse: Warehouse):
    warehouse.load("predictions", predictions())
    with open_logs(warehouse.monitor(predictions={"where": "shadow = 1"})) as logs:
        (error,) = logs.check()
        assert isinstance(error, MissingColumn)
        assert "shadow" in str(error)


def test_a_failing_statement_leaves_the_connection_usable(warehouse: Warehouse):
    warehouse.load("predictions", predictions())
    with open_logs(warehouse.monitor(predictions={"where": "not sql at all ("})) as logs:
        for _ in range(2):
            with pytest.raises(WarehouseError):
                logs.counts(None, None)
        assert list(logs.column_types()) == ["id", "ts", "score"]


def test_a_warehouse_cannot_be_written(warehouse: Warehouse):
    """The role or the file forbids it; on PostgreSQL the transaction does, whatever the role.

    Spark runs one statement, and what we send begins as a SELECT.
    """
    if warehouse.kind in ("parquet", "s3"):
        pytest.skip("an in-memory database holds nothing to write to")
    warehouse.load("predictions", predictions())
    query = {"query": "SELECT 1 AS id) AS x; CREATE TABLE made (a int); SELECT * FROM (SELECT 2"}
    for url in {warehouse.url, warehouse.owner or warehouse.url}:
        monitor = warehouse.monitor(predictions=query, warehouse=url)
        # ClickHouse takes one statement, and this is then none; test_clickhouse.py writes to it.
        words = r"one statement|extra input 'CREATE'|Syntax error"
        words += "|more of its statement than one that reads|multiple commands"
        refusal = pytest.raises((WarehouseError, LogError), match=words)
        with open_logs(monitor) as logs, refusal:
            logs.column_types()
        again = warehouse.monitor(warehouse=url, predictions={"table": "made"})
        with open_logs(again) as logs, pytest.raises(MissingTable):
            logs.column_types()


def test_a_password_is_in_no_message(postgres_database: str):
    url = make_url(postgres_database).set(username="nobody", password=PASSWORD)
    text = url.render_as_string(hide_password=False)
    whole = {
        "monitor": "m",
        "task": "binary",
        "warehouse": text,
        "predictions": {"table": "t", "timestamp": "ts", "score": "s"},
        "reference": {"previous": "7d"},
    }
    with (
        pytest.raises(WarehouseError, match="nobody") as caught,
        open_logs(Monitor.model_validate(whole)) as logs,
    ):
        logs.column_types()
    assert PASSWORD not in str(caught.value)


def test_files_and_databases_that_are_not_there(tmp_path):
    for kind in ("duckdb", "sqlite"):
        absent = Warehouse(kind=kind, folder=tmp_path)
        with pytest.raises(MissingTable, match="there is no"), open_logs(absent.monitor()):
            pass
        assert not absent.file.exists()
    strange = Warehouse(kind="duckdb", folder=tmp_path).monitor(warehouse="mysql://x/y")
    with pytest.raises(InputError, match="duckdb, postgresql, sqlite"), open_logs(strange):
        pass
    warehouse = Warehouse(kind="sqlite", folder=tmp_path)
    warehouse.load("predictions", predictions())
    with (
        open_logs(
            warehouse.monitor(predictions={"parquet": "x/*.parquet"}, warehouse=warehouse.url)
        ) as logs,
        pytest.raises(LogError, match="only DuckDB reads parquet files"),
    ):
        logs.column_types()


def test_words_of_an_error_are_short():
    """A database quotes the value that it could not read, however long."""
    url = make_url("duckdb:///logs.db")
    with pytest.raises(WarehouseError) as said, mapped(dialect_of(url), url):
        raise duckdb.ConversionException(f"Could not convert {'9' * 5000} to DOUBLE")
    assert "Could not convert 999" in str(said.value)
    assert len(str(said.value)) < 400
