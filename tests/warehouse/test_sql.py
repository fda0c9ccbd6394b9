"""The SQL of every dialect is what is kept in tests/data/sql, and is parsed by sqlglot in it.

For five of them this is all that is shown: no Snowflake, BigQuery, Redshift, Databricks or Trino
was ever asked. When SQL was meant to change, write the files anew and read what git shows:

    DRIFTLINE_WRITE_SQL=1 pytest -n 0 tests/warehouse/test_sql.py

A dialect whose SQLAlchemy package is not installed is skipped; `make dialects` has them all.
"""

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from sqlalchemy import FromClause, Row, Select, make_url, select, table
from sqlalchemy import column as sql_column
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.sql.functions import Function
from sqlglot import exp

from driftline.domain import HOUR, ColumnKind
from driftline.errors import LogError, MissingExtra
from driftline.monitor.config import Monitor
from driftline.profile.columns import CategoryBins, Layout, NumericBins
from driftline.warehouse.caller import Caller
from driftline.warehouse.cut import Cut
from driftline.warehouse.dialects import cloud
from driftline.warehouse.dialects.base import DIALECTS, Column, Family
from driftline.warehouse.dialects.databricks import column_of as databricks_column
from driftline.warehouse.dialects.trino import column_of as trino_column
from driftline.warehouse.logs import Logs
from driftline.warehouse.reader import Output, Reader

KEPT = Path(__file__).parent.parent / "data" / "sql"
WRITE = "DRIFTLINE_WRITE_SQL"

URLS = {
    "duckdb": "duckdb:///:memory:",
    "postgresql": "postgresql+psycopg://reader@localhost/logs",
    "sqlite": "sqlite:///{file}",
    "snowflake": "snowflake://reader:secret@account/LOGS/PUBLIC?warehouse=SMALL",
    "bigquery": "bigquery://project/logs?user_supplied_client=True",
    "redshift": "redshift://reader:secret@localhost:5439/logs",
    "databricks": "databricks://token:secret@localhost?http_path=/sql/1&catalog=main&schema=logs",
    "trino": "trino://reader@localhost:8080/hive/logs",
}
PARSED_AS = {"postgresql": "postgres"}
RUNNING = {"duckdb", "postgresql", "sqlite"}

HOSTILE_NAME = 'we"ird`\\; -- drop'
HOSTILE_TEXT = "O'Hare \\' \" `%s` %% \\"
HOSTILE_KEY = 'it\'s a."key"\\'  # the dot parts it in two
HOSTILE_KEYS = HOSTILE_KEY.split(".")

ALLOWED = {
    "duckdb": {
        *("JSON_EXTRACT_STRING", "JSON_VALID", "JSON_MERGE_PATCH"),
        *("REGEXP_MATCHES", "TIMEZONE", "STRUCT_EXTRACT", "GETVARIABLE"),
    },
    "postgresql": {
        *("ISFINITE", "JSONB_EXTRACT_PATH_TEXT", "TIMEZONE", "PG_INPUT_IS_VALID", "PG_TYPEOF"),
        *("CONVERT_TO", "CURRENT_SETTING"),
    },
    "sqlite": {
        *("DRIFTLINE_NUMBER", "DRIFTLINE_INSTANT", "DRIFTLINE_MATCHES"),
        *("DRIFTLINE_KEY", "SHA256"),
        *("JSON_VALID", "JSON_REMOVE"),
    },
    "snowflake": {
        "AS_OBJECT",
        "TO_VARIANT",
        "OBJECT_DELETE",
        "TO_TIMESTAMP_NTZ",
        "TO_TIMESTAMP_TZ",
    },
    "bigquery": {"PARSE_JSON"},
    "redshift": {"JSON_SERIALIZE", "TIMEZONE"},
    "databricks": set(),
    "trino": {"MAP_FILTER", "TRANSFORM_VALUES", "WITH_TIMEZONE", "NAN", "INFINITY"},
}
"""Functions that sqlglot does not know, and the dialect's documentation does."""

START = datetime(2013, 4, 1, 10, tzinfo=UTC)
END = START + 3 * HOUR
HOURS = [START, START + HOUR, START + 2 * HOUR]
AS_OF = datetime(2013, 4, 3, 0, 0, 0, 250_000, tzinfo=UTC)
NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL


STRUCTS = {"duckdb", "bigquery", "databricks", "trino"}
_TEXT = Column(type="text", family=Family.TEXT)
_INNER = Column(type="struct", family=Family.STRUCT, members={HOSTILE_NAME: _TEXT})
NESTED = Column(type="struct", family=Family.STRUCT, members={"in": _INNER})


class Recorder(Reader):
    """A Reader that connects to nothing: tables are as it is told, and it notes what is asked."""

    def __init__(
        self,
        url: str,
        tables: Mapping[str, Mapping[str, Family]],
        samples: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__(make_url(url), Caller())
        self.described, self.samples = tables, samples
        self.asked: list[str] = []

    def columns(self, relation: FromClause) -> dict[str, Column]:
        found = self.described[str(relation.name)]  # type: ignore[attr-defined]
        described = {name: Column(type=family, family=family) for name, family in found.items()}
        if self.url.get_backend_name() in STRUCTS:
            described["nested"] = NESTED
        return described

    def all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        name = next(iter(statement.selected_columns)).name
        if name in ("distance", "score", "number"):  # ids of doubles are looked at
            return [(1.0,)]  # type: ignore[list-item]
        if name in self.samples:
            return [(value,) for value in self.samples[name]]  # type: ignore[misc]
        self.asked.append(self.literal(statement))
        nothing = self.asked[-1].endswith("1 = 0")  # of which an aggregate is one row
        return [(None,)] if nothing else []  # type: ignore[list-item]

    def one(self, statement: Select[Any]) -> Row[Any]:
        columns = list(statement.selected_columns)
        if isinstance(columns[0], Function) and columns[0].name in ("min", "max"):
            return (None,)  # type: ignore[return-value]
        self.asked.append(self.literal(statement))
        return (0,) * len(columns)  # type: ignore[return-value]

    def tables(self, asked: Sequence[tuple[Select[Any], Sequence[Output]]]) -> Iterator[pa.Table]:
        for statement, outputs in asked:
            self.asked.append(self.literal(statement))
            yield _empty(outputs)

    def batches(
        self, statement: Select[Any], outputs: Sequence[Output]
    ) -> Generator[pa.RecordBatch, None, None]:
        self.asked.append(self.literal(statement))
        yield from _empty(outputs).to_batches()


def _empty(outputs: Sequence[Output]) -> pa.Table:
    return pa.schema([(one.name, one.type) for one in outputs]).empty_table()


def monitor(**parts: Any) -> Monitor:
    log = {"table": "logs.predictions", "id": "id", "timestamp": "ts", "score": "score"}
    whole = {
        "monitor": "model",
        "task": "binary",
        "warehouse": "elsewhere",
        "predictions": log | parts.pop("predictions", {}),
        "labels": {"table": "labels", "id": "id", "label": "y", "timestamp": "known_at"},
        "drift": {"profiler": "sql"},
        "reference": {"window": ["2013-01-01", "2013-02-01"]},
        **parts,
    }
    return Monitor.model_validate(whole)


PREDICTIONS = {
    "id": Family.TEXT,
    "ts": Family.AWARE,
    "naive": Family.NAIVE,
    "day": Family.DATE,
    "zulu": Family.TEXT,
    "mixed": Family.TEXT,
    "score": Family.FLOAT,
    "version": Family.TEXT,
    "distance": Family.FLOAT,
    "seats": Family.INTEGER,
    "written": Family.TEXT,
    "carrier": Family.TEXT,
    "late": Family.BOOLEAN,
    "postcode": Family.TEXT,
    "inputs": Family.JSON,
    "document": Family.TEXT,
    HOSTILE_NAME: Family.TEXT,
}
LABELS = {
    "id": Family.TEXT,
    "y": Family.BOOLEAN,
    "known_at": Family.AWARE,
    "zulu": Family.TEXT,
    "number": Family.FLOAT,
}
MEETING = {"table": "labels", "id": ["id", "number", "id", "number"], "label": "y"}
"""Whole numbers with text, text with doubles, doubles with text and with doubles."""
SAMPLES = {
    "zulu": ["2013-04-01T10:00:00Z", "2013-04-01T10:00:00.5Z"],
    "mixed": ["2013-04-01 10:00:00+02:00", "2013-04-01 10:00:00"],
}
EVENTS = {
    "table": "labels",
    "label": "y",
    "timestamp": "known_at",
    "loaded_at": "zulu",
    "join": {"key": "id", "within": "1h"},
    "absent": {"value": False, "after": "2h"},
}
KINDS = {"distance": NUMERIC, "carrier": CATEGORICAL}
HOSTILE = {
    HOSTILE_NAME: CATEGORICAL,
    f"inputs.{HOSTILE_KEY}": CATEGORICAL,
    f"document.{HOSTILE_KEY}": NUMERIC,
}
TYPED = {
    "written": NUMERIC,
    "seats": NUMERIC,
    "late": NUMERIC,
    "inputs.speed": NUMERIC,
    "document.class": CATEGORICAL,
    "postcode": CATEGORICAL,
}
LAYOUT = Layout(
    {
        "distance": NumericBins(edges=(-1e-9, 0.1, 2.5, 1e12), shift=-0.3),
        "carrier": CategoryBins.of({"AA": 3, "UA": 2}),
    }
)
VERSIONED = {"version": "version", "timezone": "America/New_York"}


def profiles(logs: Logs) -> None:
    logs.profiles(
        LAYOUT, START, END, hours=HOURS, segment=HOSTILE_NAME, values=("JFK", HOSTILE_TEXT)
    )


def land(logs: Logs) -> None:
    logs.landed(AS_OF - HOUR, AS_OF, since=AS_OF - 3 * HOUR)


def draw(logs: Logs) -> None:
    logs.rows(START, END, KINDS, as_of=AS_OF, limit=100, seed=7)


def served(logs: Logs) -> None:
    logs.operations(START, END)
    logs.operations(START, END, Cut(version=True, most=20))


Case = tuple[Monitor, Callable[[Logs], object]]

CASES: dict[str, Case] = {
    "profile": (monitor(predictions=VERSIONED, segments=[HOSTILE_NAME]), profiles),
    "draw": (monitor(), draw),
    "landed": (monitor(), land),
    "landed_events": (monitor(predictions={"timestamp": "naive"}, labels=EVENTS), land),
    "events": (monitor(predictions={"timestamp": "naive"}, labels=EVENTS), draw),
    "statistics": (monitor(), lambda logs: logs.statistics(START, END, KINDS)),
    "categories": (monitor(), lambda logs: logs.categories(START, END, KINDS)),
    "operations": (
        monitor(
            predictions={
                **VERSIONED,
                "latency_ms": "inputs.took",
                "status": {"column": "written", "ok": [200, HOSTILE_TEXT]},
            }
        ),
        served,
    ),
    "business": (
        monitor(
            predictions=VERSIONED,
            segments=[HOSTILE_NAME],
            business={"pairs": "count(*) / 2.0"},
        ),
        lambda logs: logs.business(
            START, END, Cut(segment=HOSTILE_NAME, values=("JFK", HOSTILE_TEXT), most=2)
        ),
    ),
    "hourly_rows": (monitor(), lambda logs: logs.hourly_rows(START, END)),
    "types": (
        monitor(features={"sensitive": ["postcode"]}),
        lambda logs: logs.rows(START, END, TYPED),
    ),
    "hostile": (monitor(), lambda logs: logs.rows(START, END, HOSTILE)),
    "hidden": (
        monitor(features={"sensitive": ["inputs.home.postcode", "document.email"]}),
        lambda logs: logs.features(START, END),
    ),
    "meeting": (
        monitor(predictions={"id": ["seats", "id", "distance", "score"]}, labels=MEETING),
        lambda logs: logs.counts(START, END),
    ),
    "struct": (
        monitor(),
        lambda logs: logs.rows(START, END, {f"nested.in.{HOSTILE_NAME}": CATEGORICAL}),
    ),
    "wall_times": (
        monitor(predictions={"timestamp": "naive", **VERSIONED}),
        lambda logs: logs.hourly_rows(START, END),
    ),
    "days": (
        monitor(predictions={"partition": {"column": "day", "slack": "1d"}}),
        lambda logs: logs.hourly_rows(START, END),
    ),
    "mixed_text": (
        monitor(predictions={"timestamp": "mixed", **VERSIONED}),
        lambda logs: logs.hourly_rows(START, END),
    ),
    "zulu_text": (
        monitor(
            predictions={"timestamp": "zulu"},
            labels={"table": "labels", "id": "id", "label": "y", "timestamp": "zulu"},
        ),
        draw,
    ),
}


@pytest.fixture(params=list(URLS))
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(dialect: str, folder: Path) -> Recorder:
    file = folder / "logs.db"
    file.touch()
    tables = {"predictions": PREDICTIONS, "labels": LABELS}
    try:
        reader = Recorder(URLS[dialect].format(file=file), tables, SAMPLES)
    except MissingExtra as error:
        pytest.skip(f"{error}; `make dialects` has it")
    if dialect == "postgresql":  # as a server says when it is connected to
        reader._engine.dialect._backslash_escapes = False  # type: ignore[attr-defined]
    return reader


def asked(dialect: str, case: str, folder: Path) -> list[str]:
    """Return the statements of a case, written by the dialect."""
    about, ask = CASES[case]
    if case == "struct" and dialect not in STRUCTS:
        pytest.skip(f"{dialect} has no structs, or they are JSON to us")
    with opened(dialect, folder) as reader:
        ask(Logs(about, reader))
        return reader.asked


def parsed(dialect: str, statements: Sequence[str]) -> list[exp.Expression]:
    read = PARSED_AS.get(dialect, dialect)
    return [sqlglot.parse_one(statement, dialect=read) for statement in statements]


def test_every_dialect_is_here() -> None:
    assert set(URLS) <= set(DIALECTS)


@pytest.mark.parametrize("case", CASES)
def test_the_sql_is_as_it_is_kept(dialect: str, case: str, tmp_path: Path) -> None:
    text = "".join(f"{statement};\n\n" for statement in asked(dialect, case, tmp_path))
    file = KEPT / dialect / f"{case}.sql"
    if os.environ.get(WRITE):
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{file}; {WRITE}=1 writes it anew"


@pytest.mark.parametrize("case", CASES)
def test_the_sql_is_read_in_its_dialect(dialect: str, case: str, tmp_path: Path) -> None:
    for tree in parsed(dialect, asked(dialect, case, tmp_path)):
        assert isinstance(tree, exp.Select)
        unknown = {one.name.upper() for one in tree.find_all(exp.Anonymous)}
        assert unknown <= ALLOWED[dialect]
        assert not list(tree.find_all(exp.Command, exp.Filter))
        if dialect != "postgresql":
            assert not list(tree.find_all(exp.Unnest, exp.Explode, exp.WidthBucket))
        if dialect not in RUNNING:
            bare = {name.name for name in tree.find_all(exp.Identifier) if not name.quoted}
            assert {one for one in bare if not known_bare(one)} == set()


def known_bare(name: str) -> bool:
    """Whether a name is one of BigQuery's prefixes, a named argument or a lambda's variable."""
    return name in ("SAFE", "wide_number_mode") or bool(re.fullmatch(r"[kv]\d", name))


def test_a_profile_is_grouped_by_its_keys(dialect: str, tmp_path: Path) -> None:
    rows, *columns = parsed(dialect, asked(dialect, "profile", tmp_path))
    keys = ["hour", "version", "segment"]
    assert grouped(rows) == keys
    assert sorted(map(grouped, columns)) == sorted([[*keys, "c1"], [*keys, "code"]])
    assert all(list(tree.find_all(exp.Count)) for tree in [rows, *columns])


def grouped(tree: exp.Expression) -> list[str]:
    return [one.name for one in tree.args["group"].expressions]


def test_a_draw_is_limited_and_takes_the_newest_label(dialect: str, tmp_path: Path) -> None:
    *_, tree = parsed(dialect, asked(dialect, "draw", tmp_path))
    (limit,) = tree.find_all(exp.Limit)
    assert limit.expression.name == "100"
    (window,) = tree.find_all(exp.Window)
    assert isinstance(window.this, exp.RowNumber)
    assert list(tree.find_all(exp.MD5, exp.LowerHex))
    (join,) = [one for one in tree.find_all(exp.Join) if one.side]
    assert join.side == "LEFT"


def test_a_hostile_name_and_text_reach_the_database_as_they_are(
    dialect: str, tmp_path: Path
) -> None:
    trees = parsed(dialect, asked(dialect, "hostile", tmp_path))
    names = {one.name for tree in trees for one in tree.find_all(exp.Identifier)}
    assert HOSTILE_NAME in names
    if dialect in ("snowflake", "bigquery", "redshift", "databricks", "trino"):
        assert set(HOSTILE_KEYS) <= texts(trees)
    profile = parsed(dialect, asked(dialect, "profile", tmp_path))
    assert HOSTILE_TEXT in texts(profile)
    if dialect in STRUCTS:
        (tree,) = parsed(dialect, asked(dialect, "struct", tmp_path))
        inside = {one.name for one in tree.find_all(exp.Identifier)} | texts([tree])
        assert {"in", HOSTILE_NAME} <= inside


def texts(trees: Sequence[exp.Expression]) -> set[str]:
    """Return the texts that the statements write, those that Redshift joins too."""
    found = {one.name for tree in trees for one in tree.find_all(exp.Literal) if one.is_string}
    joined = (one for tree in trees for one in tree.find_all(exp.Paren))
    return found | {text_of(one.this) for one in joined}


def text_of(node: exp.Expression) -> str:
    if isinstance(node, exp.DPipe):
        return text_of(node.this) + text_of(node.expression)
    if isinstance(node, exp.Chr):
        return chr(int(node.expressions[0].name))
    return node.name


SAFE = {"duckdb", "snowflake", "bigquery", "databricks", "trino"}


def test_text_is_read_as_a_number_where_it_is_one(dialect: str, tmp_path: Path) -> None:
    (tree,) = parsed(dialect, asked(dialect, "types", tmp_path))
    tried = [one for one in tree.find_all(exp.TryCast) if one.to.is_type("double")]
    assert bool(tried) is (dialect in SAFE)
    if dialect == "redshift":
        assert list(tree.find_all(exp.RegexpLike))


TIMES = {
    "snowflake": ("TIMESTAMPTZ", "TIMESTAMPNTZ"),
    "bigquery": ("TIMESTAMPTZ", "TIMESTAMP"),
    "redshift": ("TIMESTAMPTZ", "TIMESTAMP"),
    "databricks": ("TIMESTAMPTZ", "TIMESTAMPNTZ"),
    "trino": ("TIMESTAMPTZ", "TIMESTAMP"),
}


@pytest.mark.parametrize("dialect", TIMES)
def test_a_time_is_written_as_an_instant_or_as_a_wall_time(dialect: str, tmp_path: Path) -> None:
    for case, kind in zip(("hourly_rows", "wall_times"), TIMES[dialect], strict=True):
        (tree,) = parsed(dialect, asked(dialect, case, tmp_path))
        written = [one for one in tree.find_all(exp.Cast) if isinstance(one.this, exp.Literal)]
        assert {one.to.this.value for one in written} == {kind}


def test_bigquery_gets_every_percent_sign_back(tmp_path: Path) -> None:
    """Its driver halves them; what is fetched as Arrow does not pass through it."""
    with opened("bigquery", tmp_path) as reader:
        from google.cloud.bigquery.dbapi import Connection
        from google.cloud.bigquery.dbapi.cursor import _format_operation

        from driftline.warehouse.dialects.bigquery import _doubled

        statement, _ = _doubled(Connection, None, "LIKE '%% 5 %'", None)
        assert _format_operation(statement, None)[0] == "LIKE '%% 5 %'"
        assert "%%" in HOSTILE_TEXT
        assert "`%s` %% " in "".join(asked("bigquery", "profile", tmp_path))
        assert reader.asked == []


def test_bigquery_says_what_it_cannot_cut_out_of_json(tmp_path: Path) -> None:
    with opened("bigquery", tmp_path) as reader:
        value: Any = sql_column("x")
        with pytest.raises(LogError, match="holds a quote"):
            reader.dialect.without(value, ["home", 'a"b'])


@pytest.mark.parametrize("dialect", TIMES)
@pytest.mark.parametrize("family", [Family.AWARE, Family.NAIVE, Family.DATE])
def test_lengths_and_epochs_are_read_in_their_dialect(
    dialect: str, family: Family, tmp_path: Path
) -> None:
    with opened(dialect, tmp_path) as reader:
        value: Any = sql_column("x")
        own: Any = reader.dialect
        asked = select(own.length(value), own.epoch(value, family)).select_from(table("t", value))
        (tree,) = parsed(dialect, [reader.literal(asked)])
    assert list(tree.find_all(exp.Length))
    unknown = {one.name.upper() for one in tree.find_all(exp.Anonymous)}
    assert unknown <= ALLOWED[dialect]


def test_the_text_of_a_type_of_databricks_is_taken_apart() -> None:
    kind = databricks_column("struct<a:int,`b c`:decimal(10,2),d:struct<e:array<map<int,int>>>>")
    assert {name: one.family for name, one in kind.members.items()} == {
        "a": Family.INTEGER,
        "b c": Family.FLOAT,
        "d": Family.STRUCT,
    }
    assert kind.members["d"].members["e"].family is Family.OTHER


def test_the_signature_of_a_type_of_trino_is_taken_apart() -> None:
    text = {"rawType": "varchar", "arguments": []}
    inside = {"fieldName": {"name": "b c"}, "typeSignature": text}
    row = {"rawType": "row", "arguments": [{"kind": "NAMED_TYPE", "value": inside}]}
    assert trino_column(row).members["b c"].family is Family.TEXT
    assert trino_column({"rawType": "uuid", "arguments": []}).family is Family.OTHER


@pytest.mark.parametrize("dialect", sorted(set(URLS) - RUNNING))
def test_a_dialect_that_is_not_installed_names_its_extra(
    dialect: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise NoSuchModuleError(f"Can't load plugin: {dialect}")

    monkeypatch.setattr(cloud, "create_engine", absent)
    with pytest.raises(MissingExtra, match=rf"driftline\[{dialect}\]"):
        Reader(make_url(URLS[dialect]), Caller())


def test_the_drivers_have_what_is_asked_of_them() -> None:
    """No more than names: that they are there, in the versions that are pinned."""
    cursor = pytest.importorskip("snowflake.connector.cursor").SnowflakeCursor
    assert "force_return_table" in signature(cursor.fetch_arrow_all).parameters
    assert "operation" in signature(cursor.describe).parameters
    config = import_module("snowflake.connector.connection_config").ConnectionConfig
    assert {"session_parameters", "application"} <= set(signature(config).parameters)

    bigquery = pytest.importorskip("google.cloud.bigquery")
    assert bigquery.QueryJobConfig(dry_run=True, labels={"app": "driftline"}).dry_run
    assert "job_config" in signature(bigquery.Client.query).parameters
    assert hasattr(bigquery.QueryJob, "schema")
    assert hasattr(bigquery.QueryJob, "to_arrow")
    assert bigquery.Client.default_query_job_config.fset

    databricks = pytest.importorskip("databricks.sql.client")
    given = set(signature(databricks.Connection.__init__).parameters)
    assert {"session_configuration", "query_tags", "kwargs"} <= given
    assert hasattr(databricks.Cursor, "fetchall_arrow")

    trino = pytest.importorskip("trino.dbapi")
    assert {"timezone", "source"} <= set(signature(trino.Connection.__init__).parameters)
    assert "_query" in vars(trino.Connection("localhost", user="reader").cursor())
