"""What a person writes into a statement is a part of it, and cannot become more than that."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from driftline.domain import ColumnKind
from driftline.errors import LogError, WarehouseError
from driftline.suites.quality import _engine as engine_of_expectations
from driftline.warehouse import Logs, open_logs
from driftline.warehouse.business import Aggregates
from tests.warehouse.test_rows import END, START, log
from tests.warehouses import Warehouse

COLUMNS = {"x": ColumnKind.NUMERIC}
REFUSED = (LogError, WarehouseError)

STACKED = {
    "ends our transaction": "1=1); COMMIT; CREATE TABLE made AS SELECT 1; SELECT (1=1",
    "comes before the end": "1=1; CREATE TABLE made AS SELECT 1",
    "is commented out": "1=1); CREATE TABLE made AS SELECT 1; --",
    "sets what is allowed": "1=1); SET TRANSACTION READ WRITE; DROP TABLE predictions; --",
    "writes a file": "1=1); COPY (SELECT 1) TO '{file}'; SELECT (1=1",
    "opens another database": "1=1); ATTACH '{file}' AS made; SELECT (1=1",
    "loads code": "1=1); INSTALL httpfs; LOAD httpfs; SELECT (1=1",
    "writes as ClickHouse does": "1=1); SELECT 1 INTO OUTFILE '{file}'; SELECT (1=1",
    "closes our parenthesis": "1=1) UNION ALL SELECT 7 FROM others WHERE (1=1",
    "leaves the rest in a comment": "1=1) UNION ALL SELECT 7 FROM others --",
    "never ends its comment": "1=1) /*",
}


@pytest.fixture
def loaded(warehouse: Warehouse) -> Warehouse:
    warehouse.load("predictions", log(5, x=pa.array([1.0, 2.0, 3.0, 4.0, 5.0])))
    warehouse.load("others", log(3, x=pa.array([7.0, 7.0, 7.0])))
    return warehouse


def all_ways(logs: Logs) -> list[Any]:
    """Ask in each way in which a statement is sent: driver, Arrow, stream, plan."""
    asked = [
        lambda: logs.counts(START, END),
        lambda: logs.rows(START, END, COLUMNS),
        lambda: logs.first_timestamp(),
        lambda: logs.statistics(START, END, COLUMNS),
    ]
    found = []
    for ask in asked:
        with pytest.raises(REFUSED) as caught:
            ask()
        found.append(caught.value)
    return found


@pytest.mark.parametrize("where", STACKED.values(), ids=STACKED)
def test_a_condition_is_one_condition(loaded: Warehouse, where: str, tmp_path: Path) -> None:
    file = tmp_path / "made"
    monitor = loaded.monitor(predictions={"where": where.format(file=file)})
    with open_logs(monitor) as logs:
        for error in all_ways(logs):
            assert "predictions.where: it is not one condition" in str(error)
            assert len(str(error)) < 800
    assert not file.exists()
    with open_logs(loaded.monitor()) as logs:
        assert logs.counts(START, END).rows == 5  # it is still there, and alone
    made = loaded.monitor(predictions={"query": "SELECT * FROM made"})
    with open_logs(made) as logs, pytest.raises(REFUSED):
        logs.counts(START, END)


@pytest.mark.parametrize(
    "where", ["x > 1 OR x < 0 -- both", "(x > 1) /* ;) */", "x > 1 AND 'it''s); ' <> ';'"]
)
def test_a_condition_may_hold_what_looks_like_more(loaded: Warehouse, where: str) -> None:
    with open_logs(loaded.monitor(predictions={"where": where})) as logs:
        assert logs.counts(START, END).rows == 4


@pytest.mark.parametrize("where", ["1=1); CREATE TABLE made AS SELECT 1; SELECT (1=1"])
def test_no_way_of_sending_takes_two_statements(
    loaded: Warehouse, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The protocol refuses them where the file's condition was not tried before."""
    from sqlalchemy import literal_column

    with open_logs(loaded.monitor(predictions={"where": where})) as logs:
        monkeypatch.setitem(logs._selection.__dict__, "condition", literal_column(f"({where}\n)"))
        assert len(all_ways(logs)) == 4
    with open_logs(loaded.monitor()) as logs:
        assert logs.counts(START, END).rows == 5


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM predictions) p; CREATE TABLE made AS SELECT 1; SELECT * FROM (SELECT 1",
        "SELECT * FROM predictions; DROP TABLE predictions",
        "CREATE TABLE made AS SELECT 1",
        "DELETE FROM predictions RETURNING *",
        "WITH gone AS (DELETE FROM predictions RETURNING *) SELECT * FROM gone",
    ],
)
def test_a_query_is_one_select(loaded: Warehouse, query: str) -> None:
    if loaded.kind in ("parquet", "s3"):
        pytest.skip("its tables are files")
    monitor = loaded.monitor(predictions={"query": query})
    with open_logs(monitor) as logs, pytest.raises(REFUSED):
        logs.counts(START, END)
    with open_logs(loaded.monitor()) as logs:
        assert logs.counts(START, END).rows == 5


@pytest.mark.parametrize(
    "sql",
    [
        "count(*)) FROM others UNION ALL SELECT 7, (7",
        "count(*)) --",
    ],
)
def test_an_expression_is_one_expression(loaded: Warehouse, sql: str) -> None:
    with open_logs(loaded.monitor(business={"odd": sql})) as logs:
        assert "business.odd" in str(logs.check()[0])
        with pytest.raises(LogError, match=r"business\.odd"):
            logs.business(START, END)
    with open_logs(loaded.monitor(business={"sum": "sum(x) -- of all"})) as logs:
        assert logs.business(START, END) == {"": Aggregates(rows=5, values={"sum": 15.0})}


def test_great_expectations_is_given_no_second_statement(loaded: Warehouse) -> None:
    if loaded.kind not in ("postgresql", "sqlite"):
        pytest.skip("it gets a frame there")
    with open_logs(loaded.monitor()) as logs:
        engine = engine_of_expectations(logs.url, logs.caller)
    try:
        for end in ("", "; SELECT 2", "; COMMIT; CREATE TABLE made AS SELECT 1"):
            with engine.connect() as connection:
                if not end:
                    assert connection.exec_driver_sql(f"SELECT 1{end}").scalar_one() == 1
                    continue
                with pytest.raises(Exception, match=r"multiple commands|one statement"):
                    connection.exec_driver_sql(f"SELECT 1{end}")
    finally:
        engine.dispose()


def test_a_setting_that_is_changed_inside_a_select_opens_nothing(loaded: Warehouse) -> None:
    if loaded.kind != "postgresql":
        pytest.skip("it is PostgreSQL that has such functions")
    where = "set_config('{}', 'off', {}) IS NOT NULL"
    for name in ("transaction_read_only", "default_transaction_read_only"):
        for local in ("true", "false"):
            monitor = loaded.monitor(predictions={"where": where.format(name, local)})
            with open_logs(monitor) as logs:
                try:
                    logs.counts(START, END)
                except WarehouseError as error:
                    assert "read-write" in str(error) or "transaction" in str(error)  # noqa: PT017
                with logs._reader._engine.begin() as connection:
                    shown = connection.exec_driver_sql("SHOW transaction_read_only").scalar_one()
                assert shown == "on"
