"""A Thrift server of Spark for the tests: small, on the loopback, gone when they end.

It needs `pip install '.[warehouses]'` and Java 17. Its metastore is in memory. Or
`DRIFTLINE_TEST_SPARK` names a server on this machine, where databases may be made.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import end_with_parent

SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
_numbers = count()


@pytest.fixture(scope="session")
def spark_url() -> Iterator[str]:
    """The address of a Thrift server, without a database."""
    if given := os.environ.get("DRIFTLINE_TEST_SPARK"):
        yield given
        return
    pytest.importorskip("pyspark", reason="pip install '.[warehouses]' brings a Spark to start")
    with tempfile.TemporaryDirectory(prefix="driftline-spark-") as folder:
        server, url = _start(Path(folder))
        try:
            yield url
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(30)


@pytest.fixture
def spark_database(spark_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database that lives as long as the test."""
    name = f"driftline_{os.getpid()}_{next(_numbers)}"
    spark(spark_url, f"CREATE DATABASE {name} LOCATION '{tmp_path / 'spark'}'")
    yield f"{spark_url}/{name}"
    spark(spark_url, f"DROP DATABASE {name} CASCADE")


def spark(url: str, *statements: str) -> None:
    """Run statements one by one, in a session that may write."""
    from pyhive import hive
    from sqlalchemy import make_url

    where = make_url(url)
    session = hive.connect(
        where.host, where.port, username=where.username, database=where.database or "default"
    )
    with closing(session), closing(session.cursor()) as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute("SET spark.sql.legacy.parquet.nanosAsLong = true")
        for statement in statements:
            cursor.execute(statement)


def load(url: str, folder: Path, name: str, rows: pa.Table, types: dict[str, str]) -> None:
    """Replace a table by these rows: Parquet in place, or a copy where `types` ask for others."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_null(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.int32()))
    files = folder / f"parquet-{next(_numbers)}"
    files.mkdir()
    pq.write_table(rows, files / "rows.parquet")
    table, columns = quoted(name), []
    for column in rows.column_names:
        value, kind = quoted(column), types.get(column)
        if kind == "JSON":
            value = f"parse_json({value})"
        elif kind:
            value = f"CAST({value} AS {'TIMESTAMP_NTZ' if kind == 'TIMESTAMP' else kind})"
        columns.append(f"{value} AS {quoted(column)}")
    made = f"CREATE TABLE {table} USING parquet LOCATION '{files}'"
    if types:
        chosen = f"SELECT {', '.join(columns)} FROM parquet.`{files}`"
        made = f"CREATE TABLE {table} USING parquet AS {chosen}"
    spark(url, f"DROP TABLE IF EXISTS {table}", made)


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    import pyspark

    home = Path(pyspark.__file__).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder} -Dderby.system.home={folder}",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
    }
    command = [str(home / "bin" / "spark-submit"), "--class", SERVER, "--master", "local[2]"]
    command += ["--driver-memory", "1g"]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    command += ["--hiveconf", f"hive.server2.thrift.port={port}"]
    command += ["--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1", "spark-internal"]
    log = folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=folder,
            env={**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"},
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    url = f"hive://tester@127.0.0.1:{port}"
    for _ in range(240):
        if "HiveThriftServer2 started" in log.read_text(errors="replace"):
            return server, url
        if server.poll() is not None:
            break
        time.sleep(0.5)
    server.kill()
    raise RuntimeError(f"Spark did not start: {log.read_text(errors='replace')[-2000:]}")
