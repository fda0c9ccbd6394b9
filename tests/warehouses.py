"""One warehouse, many ways: the same Arrow table in DuckDB, Parquet, PostgreSQL, SQLite and others.

Ask for the fixture `warehouse`; it gives an empty one, once for each kind:

    def test_it(warehouse):
        warehouse.load("predictions", pa.table({...}), json=["inputs"])
        monitor = warehouse.monitor(features={"numeric": ["x"]})
        with open_logs(monitor) as logs: ...
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from adbc_driver_postgresql import dbapi
from pyarrow.fs import S3FileSystem
from sqlalchemy import make_url

from driftline.monitor.config import Monitor
from driftline.monitor.sections import FILES
from tests import spark

SECRET = "kept-out-of-messages-too"
"""It is there so that a leak of it can be seen: the S3 server takes any key."""

KINDS = ("duckdb", "parquet", "postgresql", "sqlite")
"""Every run tests these; `pytest --warehouses=duckdb,...` names others, also of MORE."""

MORE: tuple[str, ...] = ("s3", "spark", "clickhouse")
"""What takes minutes to install or to start: tested on demand."""


@dataclass
class Warehouse:
    """A place for logs; `load` fills it and `url` opens it for reading only."""

    kind: str
    folder: Path
    owner: str = ""
    reader: Callable[[], str] | None = None
    endpoint: str = ""
    bucket: str = ""

    @property
    def dialect(self) -> str:
        """The database that reads it."""
        return "duckdb" if self.kind in ("parquet", "s3") else self.kind

    @property
    def url(self) -> str:
        """The address for reading; on PostgreSQL a role that may only SELECT."""
        if self.reader:
            return self.reader()
        if self.kind == "s3":
            options = urlencode({"region_name": "us-east-1", "endpoint_url": self.endpoint})
            return f"aws://testing:{SECRET}@/?{options}"
        if self.kind == "spark":
            return self.owner
        if self.kind == "clickhouse":
            return f"clickhousedb:///default?interface=chdb&path={self.file}"
        return "duckdb:///:memory:" if self.kind == "parquet" else f"{self.kind}:///{self.file}"

    @property
    def file(self) -> Path:
        return self.folder / f"logs.{self.kind}"

    def quoted(self, name: str) -> str:
        """Write a name as this database's own SQL does, for a query or a condition."""
        return spark.quoted(name) if self.kind == "spark" else quoted(name)

    def load(
        self,
        name: str,
        rows: pa.Table,
        *,
        json: Iterable[str] = (),
        types: Mapping[str, str] | None = None,
    ) -> None:
        """Replace a table by these rows; `json` columns hold JSON text, `types` are SQL's own."""
        kinds = {**dict.fromkeys(json, "JSONB" if self.reader else "JSON"), **(types or {})}
        getattr(self, f"_load_{self.kind}")(name, rows, kinds)
        if self.reader:
            self.reader()  # grants SELECT on the new table

    def source(self, name: str) -> dict[str, str]:
        """Return what a monitor's file writes to name the table."""
        if self.kind == "s3":
            return {"parquet": f"s3://{self.bucket}/{name}/*.parquet"}
        return {"parquet": f"{name}/*.parquet"} if self.kind == "parquet" else {"table": name}

    def monitor(self, **parts: Any) -> Monitor:
        """Return a binary classifier's monitor on `predictions`, with these parts of its file.

        `predictions` is merged with id, timestamp `ts` and `score`; a part that is None is left
        out. Labels are none unless given; `labels={"label": "y"}` reads them from the row, and
        `labels={"id": .., "of": "labels", ..}` from that table.
        """
        log: dict[str, Any] = {"id": "id", "timestamp": "ts", "score": "score"}
        if not {"table", "query", *FILES} & set(parts.get("predictions", {})):
            log |= self.source("predictions")
        log |= parts.pop("predictions", {})
        labels = parts.pop("labels", None)
        if labels and "of" in labels:
            labels = {**{k: v for k, v in labels.items() if k != "of"}, **self.source(labels["of"])}
        whole = {
            "monitor": "model",
            "task": "binary",
            "warehouse": None if {*FILES} & set(log) and self.kind != "s3" else self.url,
            "predictions": {key: value for key, value in log.items() if value is not None},
            "labels": labels,
            "reference": {"window": ["2013-01-01", "2013-02-01"]},
            **parts,
        }
        monitor = Monitor.model_validate(whole)
        monitor._path = self.folder / "model.yaml"
        return monitor

    def _load_duckdb(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        with duckdb.connect(str(self.file)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("arriving", rows)
            connection.execute(
                f"CREATE OR REPLACE TABLE {quoted(name)} AS "
                f"SELECT {_cast(rows, types)} FROM arriving"
            )

    def _load_parquet(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        (self.folder / name).mkdir(exist_ok=True, parents=True)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("arriving", rows)
            # Parquet has no JSON of its own that all writers know: documents stay text.
            kept = {column: kind for column, kind in types.items() if kind != "JSON"}
            found = connection.sql(f"SELECT {_cast(rows, kept)} FROM arriving")
            pq.write_table(found.to_arrow_table(), self.folder / name / "rows.parquet")

    def _load_s3(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        self._load_parquet(name, rows, types)
        content = (self.folder / name / "rows.parquet").read_bytes()
        with self.objects().open_output_stream(f"{self.bucket}/{name}/rows.parquet") as written:
            written.write(content)

    def objects(self) -> S3FileSystem:
        """The S3 server, for writing."""
        return S3FileSystem(
            access_key="testing",
            secret_key=SECRET,
            region="us-east-1",
            scheme="http",
            endpoint_override=self.endpoint.removeprefix("http://"),
            allow_bucket_creation=True,
            allow_delayed_open=True,  # what is small is one PUT
        )

    def _load_postgresql(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        uri = make_url(self.owner).set(drivername="postgresql")
        with (
            dbapi.connect(uri.render_as_string(hide_password=False)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
            cursor.execute("DROP TABLE IF EXISTS arriving")
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.adbc_ingest("arriving", _plain(rows))
            cursor.execute(
                f"CREATE TABLE {quoted(name)} AS SELECT {_cast(rows, types)} FROM arriving"
            )
            cursor.execute("DROP TABLE arriving")
            connection.commit()

    def _load_spark(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        spark.load(self.owner, self.folder, name, rows, dict(types))

    def _load_clickhouse(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        import chdb

        rows = _without_null_type(rows)
        kinds = [types.get(f.name) or clickhouse_type(f.type) for f in rows.schema]
        # As elsewhere in ClickHouse: a column may be NULL only where some value is.
        declared = [
            f"Nullable({kind})" if rows[field.name].null_count else kind
            for field, kind in zip(rows.schema, kinds, strict=True)
        ]
        names = [f"`{_escaped(column)}`" for column in rows.column_names]
        pairs = ", ".join(f"{n} {kind}" for n, kind in zip(names, declared, strict=True))
        arriving = self.folder / "arriving.arrow"
        numbered = rows.rename_columns([f"c{place}" for place, _ in enumerate(names)])
        with pa.ipc.new_file(arriving, numbered.schema) as file:
            file.write_table(numbered)
        with closing(chdb.connect(str(self.file))) as connection:
            table = f"`{_escaped(name)}`"
            for statement in (
                "SET session_timezone = 'UTC'",
                # Else its JSON takes text for times, and may lose their fractions.
                "SET input_format_try_infer_datetimes = 0",
                "SET input_format_try_infer_dates = 0",
                # The names of the file are places; by the table's names nothing would be found.
                "SET use_structure_from_insertion_table_in_table_functions = 0",
                f"DROP TABLE IF EXISTS {table} SYNC",
                f"CREATE TABLE {table} ({pairs}) ENGINE = MergeTree ORDER BY tuple()",
                f"INSERT INTO {table} SELECT * FROM file('{arriving}', 'Arrow')",
            ):
                connection.query(statement)
        arriving.unlink()

    def _load_sqlite(self, name: str, rows: pa.Table, types: Mapping[str, str]) -> None:
        rows = _plain(rows)
        declared = [types.get(f.name, _sqlite_type(f.type)) for f in rows.schema]
        columns = [_sqlite_values(column) for column in rows.columns]
        with sqlite3.connect(self.file) as connection:
            connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
            names = [quoted(column) for column in rows.column_names]
            pairs = ", ".join(f"{n} {kind}" for n, kind in zip(names, declared, strict=True))
            connection.execute(f"CREATE TABLE {quoted(name)} ({pairs})")
            marks = ", ".join("?" for _ in names)
            connection.executemany(
                f"INSERT INTO {quoted(name)} VALUES ({marks})", zip(*columns, strict=True)
            )
        connection.close()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def documents(values: Iterable[Any]) -> pa.Array:
    """Return JSON text of each value."""
    return pa.array([None if value is None else json.dumps(value) for value in values])


def _cast(rows: pa.Table, types: Mapping[str, str]) -> str:
    return ", ".join(
        f"{quoted(n)}::{types[n]} AS {quoted(n)}" if n in types else quoted(n)
        for n in rows.column_names
    )


def _plain(rows: pa.Table) -> pa.Table:
    """Return structs as JSON text for the databases that have none."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_struct(field.type):
            rows = rows.set_column(place, field.name, documents(rows[field.name].to_pylist()))
    return rows


def _without_null_type(rows: pa.Table) -> pa.Table:
    """Return columns that hold nothing as text."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_null(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.string()))
    return rows


def clickhouse_type(kind: pa.DataType) -> str:
    """Return what a column of this Arrow type is in ClickHouse."""
    if pa.types.is_timestamp(kind):
        return "DateTime64(6, 'UTC')" if kind.tz else "DateTime64(6)"
    if pa.types.is_decimal(kind):
        return f"Decimal({kind.precision}, {kind.scale})"
    if pa.types.is_struct(kind):
        members = (f"`{_escaped(f.name)}` {clickhouse_type(f.type)}" for f in kind)
        return f"Tuple({', '.join(members)})"
    if pa.types.is_list(kind):
        return f"Array({clickhouse_type(kind.value_type)})"
    names = {"bool": "Bool", "double": "Float64", "float": "Float32", "date32[day]": "Date32"}
    plain = str(kind)
    return names.get(plain) or (
        plain.title().replace("Uint", "UInt") if plain[-1].isdigit() else "String"
    )


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


def _sqlite_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_integer(kind):
        return "INTEGER"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "REAL"
    return "TEXT"


def _sqlite_values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column, format="%Y-%m-%d %H:%M:%S")
    elif pa.types.is_decimal(column.type):  # Arrow's own cast misses 0.3 by the last bit
        return [None if value is None else float(value) for value in column.to_pylist()]
    elif pa.types.is_date(column.type):
        column = column.cast(pa.string())
    return column.to_pylist()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--warehouses",
        default=",".join(KINDS),
        help=f"on which warehouses the shared tests run, of {', '.join((*KINDS, *MORE))}",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a `warehouse` once for each of the kinds that are asked for."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "warehouse" in metafunc.fixturenames and all(m.args[0] != "warehouse" for m in marks):
        kinds = metafunc.config.getoption("warehouses").split(",")
        if strange := set(kinds) - {*KINDS, *MORE}:
            raise pytest.UsageError(f"--warehouses: there is no {', '.join(sorted(strange))}")
        metafunc.parametrize("warehouse", kinds, indirect=True)


@pytest.fixture
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """An empty warehouse, once for each kind."""
    return make_warehouse(request, request.param, tmp_path)


def make_warehouse(request: pytest.FixtureRequest, kind: str, folder: Path) -> Warehouse:
    """Return an empty warehouse of one kind."""
    if kind == "s3":
        made = Warehouse(
            kind=kind,
            folder=folder,
            endpoint=request.getfixturevalue("s3_endpoint"),
            bucket=f"logs-{uuid4().hex}",
        )
        made.objects().create_dir(made.bucket)
        return made
    if kind == "spark":
        return Warehouse(kind=kind, folder=folder, owner=request.getfixturevalue("spark_database"))
    if kind != "postgresql":
        return Warehouse(kind=kind, folder=folder)
    owner = request.getfixturevalue("postgres_database")
    return Warehouse(
        kind=kind, folder=folder, owner=owner, reader=request.getfixturevalue("postgres_reader")
    )
