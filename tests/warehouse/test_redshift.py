"""What Redshift's SQL shares with PostgreSQL's is answered there, and alike. It shows no more."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from tests.warehouse.test_sql import CASES, HOSTILE_NAME, HOSTILE_TEXT, asked
from tests.warehouses import Warehouse

OF_ITS_OWN = {"types", "hostile", "hidden", "struct", "operations", "zulu_text"} | {
    "events",
    "landed",
    "landed_events",
}
"""These read JSON or count microseconds, for which the two have different functions."""


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_redshift_and_postgresql_answer_alike(warehouse: Warehouse, tmp_path: Path) -> None:
    load(warehouse)
    engine = create_engine(warehouse.owner, poolclass=NullPool, paramstyle="named")
    with engine.connect() as connection:
        quiet = connection.execution_options(no_parameters=True)
        quiet.exec_driver_sql("SET TIME ZONE 'UTC'")
        quiet.exec_driver_sql("CREATE SCHEMA logs")
        quiet.exec_driver_sql("ALTER TABLE predictions SET SCHEMA logs")
        for case in sorted(set(CASES) - OF_ITS_OWN):
            found = [
                [
                    sorted(map(plain, quiet.exec_driver_sql(statement)), key=repr)
                    for statement in asked(dialect, case, tmp_path)
                ]
                for dialect in ("redshift", "postgresql")
            ]
            assert found[0] == found[1], case
            assert any(found[0]), case


def plain(row: Any) -> tuple[Any, ...]:
    """Return values that can be compared: NaN is no equal of itself, and true is 1."""
    values = (int(value) if isinstance(value, bool) else value for value in row)
    return tuple("NaN" if value != value else value for value in values)


def load(warehouse: Warehouse) -> None:
    hours = [datetime(2013, 4, 1, hour, 30, tzinfo=UTC) for hour in (10, 11, 11, 12)]
    rows = {
        "id": ["a", "b", "c", "d"],
        "ts": pa.array(hours, pa.timestamp("us", "UTC")),
        "naive": pa.array([each.replace(tzinfo=None, hour=each.hour - 4) for each in hours]),
        "day": [date(2013, 4, 1)] * 4,
        "zulu": [f"{each:%FT%T}Z" for each in hours],
        "mixed": ["2013-04-01 12:30:00+02:00", "2013-04-01 07:30", "2013-04-01T11:30:00Z", None],
        "score": [0.1, 0.2, 0.3, 0.4],
        "version": ["v1", "v1", None, "v2"],
        "distance": [float("nan"), float("-inf"), 0.1, None],
        "seats": [1, 2, 3, 4],
        "carrier": ["AA", "UA", "AA", None],
        HOSTILE_NAME: ["JFK", HOSTILE_TEXT, None, "LGA"],
    }
    known = [datetime(2013, 4, 2, hour, tzinfo=UTC) for hour in (1, 2, 1)]
    labels = {
        "id": ["a", "a", "b"],
        "y": [True, False, True],
        "number": [1.0, 2.0, 3.0],
        "known_at": pa.array(known, pa.timestamp("us", "UTC")),
        "zulu": ["2013-04-02T01:00:00Z", "2013-04-02T01:00:00.5Z", "2013-04-02T01:00:00Z"],
    }
    warehouse.load("predictions", pa.table(rows))
    warehouse.load("labels", pa.table(labels))
