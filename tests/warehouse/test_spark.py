"""What is said of Spark alone: its literals, its names, its driver; and a monitor from end to end.

What asks for a server starts one, where pyspark and Java are installed.
"""

import json
import ssl
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sqlalchemy import column, literal, make_url, select, table
from sqlalchemy.exc import DBAPIError

from driftline.domain import ColumnKind
from driftline.errors import InputError, MissingColumn, MissingExtra, MissingTable, WarehouseError
from driftline.profile.bins import bins_of
from driftline.profile.columns import Layout
from driftline.profile.rows import TIMESTAMP
from driftline.store import Store, measurements
from driftline.warehouse import open_logs
from driftline.warehouse.caller import Caller
from driftline.warehouse.dialects import spark as dialect
from driftline.warehouse.dialects.base import Family, dialect_of
from driftline.warehouse.dialects.spark_sql import SparkDialect, connect_arguments
from driftline.warehouse.failures import mapped
from driftline.warehouse.reader import Output, Reader
from tests.cli.test_cli import driftline
from tests.conftest import PASSWORD
from tests.models import logs as made_logs
from tests.spark import spark
from tests.warehouse.test_failures import family
from tests.warehouse.test_rows import END, HOSTILE, START, log, times
from tests.warehouses import Warehouse, documents, make_warehouse

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
HOSTILE_VALUES = [
    *HOSTILE,
    "${env:HOME}",
    "${spark.app.id}",
    "\\'",
    "\\",
    "\\\\'; --",
    "\\u0041",
    "\\%",
    "\\_",
    "a\nb",
    "\t",
    "''",
]


def written(value: object) -> str:
    """The SQL of a value."""
    options = {"literal_binds": True}
    return str(literal(value).compile(dialect=SparkDialect(), compile_kwargs=options))


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return make_warehouse(request, "spark", tmp_path)


# Without a server.


def test_values_are_written_with_sparks_escapes():
    assert written("it's a \\") == r"'it\'s a \\'"
    assert written(0.1) == "0.1D"
    assert written(7) == "7"


def test_names_stand_in_backticks():
    statement = select(column("a `b`"), column("select")).compile(dialect=SparkDialect())
    assert str(statement) == "SELECT `a ``b```, `select`"


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("hive://u@spark", {"port": 10000, "database": "default", "username": "u"}),
        ("hive://spark:1/logs?auth=NOSASL", {"port": 1, "database": "logs", "auth": "NOSASL"}),
        ("hive://u:secret@spark", {"password": "secret", "auth": "LDAP"}),
        (
            "hive+https://u:secret@spark/logs",
            {
                "scheme": "https",
                "database": "logs",
                "check_hostname": "true",
                "ssl_cert": "required",
            },
        ),
        ("hive+https://spark?ssl_cert=none&check_hostname=false", {"ssl_cert": "none"}),
    ],
)
def test_an_address_says_how_spark_is_reached(url: str, arguments: dict):
    found = connect_arguments(make_url(url))
    assert found["host"] == "spark"
    assert {name: found[name] for name in arguments} == arguments
    assert None not in found.values()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hive+odbc://spark", r"hive\+odbc:// is no way to Spark; hive://, hive\+http://"),
        ("hive://spark?ssl=1&auth=LDAP", "knows no option ssl; it knows auth, kerberos"),
        ("hive+https://spark?check_hostname=True", "True is neither true nor false"),
    ],
)
def test_an_address_that_is_wrong_is_said_to_be(url: str, words: str):
    with pytest.raises(InputError, match=words):
        connect_arguments(make_url(url))


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "puresasl", None)
    with pytest.raises(MissingExtra, match=r"driftline\[spark\]"):
        dialect.engine(make_url("hive://u@127.0.0.1:1/default"), Caller())


def test_every_error_of_the_driver_is_mapped():
    exc = pytest.importorskip("pyhive.exc")
    from thrift.Thrift import TException

    url = make_url(f"hive://u:{PASSWORD}@somewhere/logs")
    kinds = [kind for base in (exc.Error, TException, DBAPIError) for kind in family(base)]
    assert len(kinds) > 15
    for kind in kinds:
        error = kind.__new__(kind)
        error.args = (f"refused {PASSWORD}",)
        error.message = f"refused {PASSWORD}"  # Thrift's own keep their words so
        if isinstance(error, DBAPIError):
            error.orig, error.statement, error.params = Exception(PASSWORD), "", {}
        with pytest.raises(WarehouseError) as caught, mapped(dialect_of(url), url):
            raise error
        assert PASSWORD not in str(caught.value)


def test_a_server_that_is_not_there_is_a_failure_that_may_pass(tmp_path: Path):
    pytest.importorskip("pyhive")
    nowhere = Warehouse(kind="spark", folder=tmp_path, owner=f"hive://u:{PASSWORD}@127.0.0.1:1/x")
    with open_logs(nowhere.monitor()) as logs, pytest.raises(WarehouseError) as caught:
        logs.column_types()
    assert "127.0.0.1:1" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path):
    pytest.importorskip("pyhive")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    made += ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    heard = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.headers["Authorization"])

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"hive+https://u:{PASSWORD}@127.0.0.1:{server.server_port}/x"
        place = Warehouse(kind="spark", folder=tmp_path, owner=address)
        with open_logs(place.monitor()) as logs, pytest.raises(InputError) as caught:
            logs.column_types()
        server.shutdown()
        thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
    assert heard == []  # no password goes to whom nobody vouches for


@pytest.mark.parametrize(
    ("options", "words"),
    [("?auth=PLAIN", "Only NONE, NOSASL, LDAP"), ("?auth=NOSASL", "Password should be set if")],
)
def test_how_to_log_in_is_said_where_it_is_wrong(tmp_path: Path, options: str, words: str):
    pytest.importorskip("pyhive")
    url = f"hive://u:{PASSWORD}@127.0.0.1:1/x{options}"
    url = url if "NOSASL" in options else url.replace(f":{PASSWORD}", "")
    with open_logs(Warehouse(kind="spark", folder=tmp_path, owner=url).monitor()) as logs:
        with pytest.raises(InputError, match=words) as caught:
            logs.column_types()
        assert PASSWORD not in str(caught.value)


# With a server.


@pytest.mark.core
def test_every_value_is_read_back_as_it_was_written(place: Warehouse):
    with Reader(make_url(place.url), Caller()) as reader:
        outputs = [
            Output(str(at), literal(value).label(f"c{at}"), pa.string())
            for at, value in enumerate(HOSTILE_VALUES)
        ]
        found = reader.table(select(*(each.value for each in outputs)), outputs)
        (row,) = reader.all(select(*(each.value for each in outputs)))
    assert [found[each.name][0].as_py() for each in outputs] == HOSTILE_VALUES
    assert list(row) == HOSTILE_VALUES


def test_hostile_values_part_the_rows(place: Warehouse):
    rows = log(len(HOSTILE_VALUES), city=pa.array(HOSTILE_VALUES))
    place.load("predictions", rows)
    with open_logs(place.monitor(segments=["city"])) as logs:
        layout = Layout({})
        found = logs.profiles(layout, START, END, segment="city", values=HOSTILE_VALUES)
    assert {slot.segment: one.rows for slot, one in found.items()} == dict.fromkeys(
        HOSTILE_VALUES, 1
    )


def test_hostile_tables_are_only_tables(place: Warehouse):
    # The metastore allows letters, digits and _ alone; a catalog may allow more.
    for name in ("select", "order", "x" * 100):
        place.load(name, log(3))
        schema = make_url(place.url).database
        for written_so in (f'"{name}"', f'{schema}."{name}"'):
            with open_logs(place.monitor(predictions={"table": written_so})) as logs:
                assert logs.counts(START, END).rows == 3
                assert logs.column_types()["score"] == "double"
    for name in ("a `b`; DROP TABLE `select`", "${env:HOME}", "%s"):
        with open_logs(place.monitor(predictions={"table": f'"{name}"'})) as logs:
            with pytest.raises(MissingTable) as caught:
                logs.counts(START, END)
            assert name.replace("`", "``") in str(caught.value)


def test_a_sample_is_the_one_that_duckdb_draws(place: Warehouse, tmp_path: Path):
    (tmp_path / "duckdb").mkdir()
    other = Warehouse(kind="duckdb", folder=tmp_path / "duckdb")
    drawn = []
    for here in (place, other):
        here.load("predictions", log(1000))
        with open_logs(here.monitor()) as logs:
            drawn.append(logs.rows(START, END, {"id": CATEGORICAL}, limit=100, seed=1).table)
    assert drawn[0].equals(drawn[1])


KEYS = [
    "a:b",
    "x y",
    "it's",
    'say "it"',
    "`tick`",
    "<int>",
    "a,b",
    "b[0]",
    "*",
    "${env:HOME}",
    "%s",
]


@pytest.mark.parametrize("form", ["struct", "text", "json"])
def test_members_of_any_name(place: Warehouse, form: str):
    inside = [{key: at + 0.5 for at, key in enumerate(KEYS)}] * 3
    held = [{"deep": each, "other": 1} for each in inside]
    kind = pa.array(held) if form == "struct" else documents(held)
    place.load("predictions", log(3, inputs=kind), json=["inputs"] if form == "json" else [])
    names = [f"inputs.deep.{key}" for key in KEYS]
    with open_logs(place.monitor()) as logs:
        if form == "struct":
            assert set(names) < set(logs.column_types())
        table = logs.rows(START, END, dict.fromkeys(names, NUMERIC)).table
    for at, name in enumerate(names):
        assert table[name].to_pylist() == [at + 0.5] * 3, name


def test_what_is_sensitive_deep_in_a_document_is_cut_out(place: Warehouse):
    held = documents(
        [{"a": {"it's": "Zoe", "size": 1, "none": None}, "b": [1]}, {"a": 7}, {"c": True}]
    )
    rows = log(5, v=pa.array([*held.to_pylist(), "Zoe", None]))
    place.load("predictions", rows)
    with Reader(make_url(place.url), Caller()) as reader:
        cut = dialect.without(column("v"), ["a", "it's"])
        ordered = select(cut).select_from(table("predictions")).order_by(column("id"))
        found = [row[0] for row in reader.all(ordered)]
    assert [None if text is None else json.loads(text) for text in found] == [
        {"a": {"size": 1, "none": None}, "b": [1]},
        {"a": None},  # what is no object is left out whole
        {"c": True},
        None,
        None,
    ]


def test_a_wall_time_that_comes_twice_is_the_later(place: Warehouse):
    wall = ["2013-11-03T01:30:00", "2013-03-10T02:30:00", "2013-07-01 05", "2013-07-01"]
    offsets = [
        *("2013-11-03T01:30-04:00", "2013-11-03 01+00", "2013-11-03T01:30:00.5z"),
        *("2013-11-03 01:30:00 UTC", "2013-11-03T01:30:00.25-0400"),
    ]
    stamps = pa.array([*wall, *offsets])
    place.load("predictions", log(len(stamps)).set_column(1, "ts", stamps))
    zone = {"timezone": "America/New_York"}
    with open_logs(place.monitor(predictions=zone)) as logs:
        table = logs.rows(None, None, {"id": CATEGORICAL}).table.sort_by("id")
    new_york = ZoneInfo("America/New_York")
    assert table[TIMESTAMP].to_pylist() == [
        datetime(2013, 11, 3, 6, 30, tzinfo=UTC),
        datetime(2013, 3, 10, 7, 30, tzinfo=UTC),
        datetime(2013, 7, 1, 5, tzinfo=new_york),
        datetime(2013, 7, 1, tzinfo=new_york),
        datetime(2013, 11, 3, 5, 30, tzinfo=UTC),
        datetime(2013, 11, 3, 1, tzinfo=UTC),
        datetime(2013, 11, 3, 1, 30, 0, 500_000, tzinfo=UTC),
        datetime(2013, 11, 3, 1, 30, tzinfo=UTC),
        datetime(2013, 11, 3, 5, 30, 0, 250_000, tzinfo=UTC),
    ]


def test_lengths_and_seconds(place: Warehouse):
    moment = datetime(2013, 4, 1, 12, 0, 0, 250_000)
    rows = pa.table(
        {
            "t": ["Grün 🛫", "", None],
            "aware": pa.array([moment, None, None], pa.timestamp("us", "UTC")),
            "naive": pa.array([moment, None, None], pa.timestamp("us")),
            "day": pa.array([moment.date(), None, None], pa.date32()),
        }
    )
    place.load("odd", rows)
    seconds = moment.replace(tzinfo=UTC).timestamp()
    with Reader(make_url(place.url), Caller()) as reader:
        families = {
            name: each.family
            for name, each in reader.columns(
                select(*map(column, rows.column_names)).select_from(table("odd")).subquery()
            ).items()
        }
        values = [dialect.length(column("t"))]
        values += [dialect.epoch(column(n), families[n]) for n in ("aware", "naive", "day")]
        outputs = [
            Output(str(at), value, pa.float64() if at else pa.int64())
            for at, value in enumerate(values)
        ]
        found = reader.table(select(*values).select_from(table("odd")), outputs)
    assert list(families.values()) == [Family.TEXT, Family.AWARE, Family.NAIVE, Family.DATE]
    assert [each.to_pylist() for each in found.columns] == [
        [6, 0, None],
        [seconds, None, None],
        [seconds, None, None],
        [seconds // 86400 * 86400, None, None],
    ]


def test_rows_that_arrive_while_columns_are_counted(place: Warehouse):
    """A session lists a plain table's files once: what is added later is not seen by it."""
    place.load("predictions", log(100, **{f"x{at}": pa.array([1.0] * 100) for at in range(12)}))
    columns = {f"x{at}": NUMERIC for at in range(12)}
    with open_logs(place.monitor()) as logs:
        layout = Layout(bins_of(logs.rows(None, None, columns).table, columns))
        before = logs.profiles(layout, None, None)
        spark(place.url, "INSERT INTO predictions SELECT * FROM predictions")
        (during,) = logs.profiles(layout, None, None).values()
    with open_logs(place.monitor()) as logs:
        (after,) = logs.profiles(layout, None, None).values()
    assert (next(iter(before.values())).rows, during.rows, after.rows) == (100, 100, 200)


def test_what_fails_while_it_runs_is_said_in_sparks_words(place: Warehouse):
    place.load("predictions", log(3, word=pa.array(["1", "x", "2"])))
    failing = place.monitor(predictions={"where": "CAST(word AS INT) > 0"})
    with open_logs(failing) as logs:
        for _ in range(2):
            with pytest.raises(WarehouseError, match=r": \[CAST_INVALID_INPUT\] The value 'x'"):
                logs.rows(START, END, {})
        assert "word" in logs.column_types()
    unresolved = pytest.raises(MissingColumn, match=r"\[UNRESOLVED_COLUMN[^\n]*`wrod`[^\n]*$")
    with open_logs(place.monitor(predictions={"where": "wrod = 1"})) as logs, unresolved:
        logs.rows(START, END, {})
    gone = place.monitor(warehouse=place.url + "_gone")
    with open_logs(gone) as logs, pytest.raises(MissingTable, match="SCHEMA_NOT_FOUND"):
        logs.column_types()


def test_many_rows_come_in_chunks(place: Warehouse):
    number = 120_000
    values = {"x": pa.array(range(number)), "k": pa.array([None, "a", "b"] * (number // 3))}
    place.load("predictions", pa.table({"ts": times(number, timedelta(milliseconds=1)), **values}))
    monitor = place.monitor(predictions={"id": None, "score": "x"})
    with open_logs(monitor) as logs:
        table = logs.rows(START, END, {"x": NUMERIC, "k": CATEGORICAL}).table
    assert sorted(table["x"].to_pylist()) == list(range(number))
    assert Counter(table["k"].to_pylist()) == dict.fromkeys([None, "a", "b"], number // 3)


def test_a_log_in_partitions_is_watched_from_its_yaml(place: Warehouse, tmp_path: Path):
    """Two days of `driftline run`: quality on a bounded frame, drift, performance."""
    predictions, labels = made_logs(drift_on=8)
    days = pa.array([f"{each:%Y-%m-%d}" for each in predictions["ts"].to_pylist()])
    pq.write_to_dataset(predictions.append_column("ds", days), tmp_path / "log", ["ds"])
    spark(
        place.url,
        "CREATE TABLE predictions (id STRING, ts TIMESTAMP, x DOUBLE, noise DOUBLE, "
        "`group` STRING, version STRING, score DOUBLE, ds STRING) "
        f"USING parquet PARTITIONED BY (ds) LOCATION '{tmp_path / 'log'}'",
        "MSCK REPAIR TABLE predictions",
    )
    place.load("labels", labels)
    file = tmp_path / "model.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "monitor": "model",
                "task": "binary",
                "warehouse": place.url,
                "store": "sqlite:///results.db",
                "artifacts": "artifacts",
                "predictions": {
                    "table": "predictions",
                    "id": "id",
                    "timestamp": "ts",
                    "score": "score",
                    "version": "version",
                    "partition": {"column": "ds"},
                },
                "labels": {
                    "table": "labels",
                    "id": "id",
                    "timestamp": "labelled_at",
                    "label": "y",
                },
                "reference": {"window": ["2024-01-01", "2024-01-05"]},
                "windows": ["1d"],
                "quality": [{"expect_column_values_to_not_be_null": {"column": "x"}}],
                "drift": {"rows": 100},
                "rules": [{"metric": "psi", "columns": "x", "window": "1d", "max": 0.5}],
            }
        ),
        encoding="utf-8",
    )
    assert driftline("lint", file, "--connect").exit_code == 0
    ended = driftline(
        "run", file, "--from", "2024-01-08", "--to", "2024-01-10", "--fail-on", "warn"
    )
    assert ended.exit_code == 3, ended.output
    assert "psi-x-1d" in ended.output
    with Store.open(make_url(f"sqlite:///{tmp_path}/results.db")) as store, store.read() as reading:
        rows = measurements.current(reading, "model")
    found = {
        (row["suite"], row["metric"], row["column_name"], row["window_start"].day): row
        for row in rows
        if row["cadence"] == "1d" and not row["segment"] and not row["model_version"]
    }
    count = days.to_pylist().count("2024-01-09")
    checked = found["quality", "expect_column_values_to_not_be_null", "x", 9]
    assert (checked["value"], checked["engine"]) == (1.0, "great_expectations")
    assert f"on 100 of {count:,} rows" in checked["reason"]
    assert found["quality", "row_count", "", 9]["value"] == count
    assert found["drift", "psi", "x", 8]["value"] < 0.5 < found["drift", "psi", "x", 9]["value"]
    assert 0.7 < found["performance", "roc_auc", "", 8]["value"] < 1
    assert 0.3 < found["performance", "roc_auc", "", 9]["value"] < 0.6  # it no longer sees x
    assert {"x", "noise", "group"} <= {row["column_name"] for row in rows}
    assert "ds" not in {row["column_name"] for row in rows}
