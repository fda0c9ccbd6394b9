"""What is read of a log, the same from every warehouse."""

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sqlalchemy import func, make_url, select

from driftline import hidden
from driftline.domain import ColumnKind
from driftline.errors import LogError, MissingColumn
from driftline.profile.rows import LABEL, PREDICTION, SCORE, TIMESTAMP, VERSION, score_of
from driftline.warehouse import open_logs, open_reference
from tests.warehouses import KINDS, Warehouse, make_warehouse, quoted

START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + timedelta(days=1)
HOSTILE = [
    'a "quoted" name',
    "it's",
    "<script>alert(1)</script>",
    "100%s of %(it)s",
    "a:b ::c",
    "dots.in.it",
    "; DROP TABLE predictions --",
    "back\\slash",
    "Grün 🛫",
    "x" * 60,
]


def times(number: int, step: timedelta = timedelta(minutes=1)) -> pa.Array:
    return pa.array([START + step * place for place in range(number)], pa.timestamp("us", "UTC"))


def log(number: int = 100, **columns: object) -> pa.Table:
    """Rows a minute apart from START: id, ts, score, and these columns."""
    base = {
        "id": pa.array([f"r{place}" for place in range(number)]),
        "ts": times(number),
        "score": pa.array(np.arange(number) / number),
    }
    return pa.table({**base, **columns})


@pytest.mark.core
def test_columns_come_under_the_users_names_and_roles_under_reserved_ones(warehouse: Warehouse):
    warehouse.load(
        "predictions",
        log(
            3,
            distance=pa.array([1, 2, None]),
            carrier=pa.array(["AA", None, "B'6"]),
            late=pa.array([True, False, None]),
            version=pa.array([1, 1, 2]),
            origin=pa.array(["JFK", "LGA", "JFK"]),
        ),
    )
    monitor = warehouse.monitor(predictions={"version": "version"}, segments=["origin"])
    columns = {
        "distance": ColumnKind.NUMERIC,
        "carrier": ColumnKind.CATEGORICAL,
        "late": ColumnKind.CATEGORICAL,
    }
    with open_logs(monitor) as logs:
        rows = logs.rows(START, END, columns)
    table = rows.table.sort_by(TIMESTAMP)
    assert table.schema.types == [
        pa.float64(),
        pa.string(),
        pa.string(),
        pa.string(),
        pa.float64(),
        pa.string(),
        pa.timestamp("us", "UTC"),
    ]
    assert table.to_pydict() == {
        "distance": [1.0, 2.0, None],
        "carrier": ["AA", None, "B'6"],
        "late": ["true", "false", None],
        "origin": ["JFK", "LGA", "JFK"],
        SCORE: [0.0, 1 / 3, 2 / 3],
        VERSION: ["1", "1", "2"],
        TIMESTAMP: times(3).to_pylist(),
    }
    assert (rows.total, rows.share) == (3, 1.0)
    assert rows.where("origin", "JFK").table.num_rows == 2
    assert rows.where("carrier", None).table.num_rows == 1
    assert rows.where("distance", "2").table["carrier"].to_pylist() == [None]


def test_hostile_names_are_only_names(warehouse: Warehouse):
    warehouse.load("predictions", log(2, **{name: pa.array([1.5, None]) for name in HOSTILE}))
    monitor = warehouse.monitor(features={"numeric": HOSTILE}, predictions={"version": HOSTILE[0]})
    with open_logs(monitor) as logs:
        columns = logs.features(START, END)
        assert list(columns) == HOSTILE
        assert logs.check() == []
        rows = logs.rows(START, END, columns, limit=10)
        statistics = logs.statistics(START, END, columns)
        assert set(logs.column_types()) == {"id", "ts", "score", *HOSTILE}
    for name in HOSTILE:
        assert sorted(rows.table[name].to_pylist(), key=str) == [1.5, None]
        assert (statistics.columns[name].nulls, statistics.columns[name].maximum) == (1, 1.5)


def test_hostile_tables_are_only_tables(warehouse: Warehouse):
    if warehouse.kind in ("parquet", "s3"):
        pytest.skip("files have paths, and no names in a schema")
    own = make_url(warehouse.url).database
    schemas = {"postgresql": "public", "clickhouse": "default", "spark": own}
    schema = schemas.get(warehouse.kind, "main")
    doubles = ("DOUBLE", "double precision", "REAL", "Float64", "double")
    names = ("select", 'a "b" %s :c', "dots.in.it", "drop table x; --")
    for name in names[:1] if warehouse.kind == "spark" else names:  # whose catalog has no others
        warehouse.load(name, log(3))
        for written in (quoted(name), f"{schema}.{quoted(name)}"):
            with open_logs(warehouse.monitor(predictions={"table": written})) as logs:
                assert logs.counts(START, END).rows == 3
                assert logs.column_types()["score"] in doubles


@pytest.mark.core
def test_values_are_only_values(warehouse: Warehouse):
    warehouse.load("predictions", log(3, city=pa.array([*HOSTILE[:2], "O'Hare :x %s"])))
    where = "city like '%:x %s' or city = 'it''s' -- a comment"
    with open_logs(warehouse.monitor(predictions={"where": where})) as logs:
        rows = logs.rows(START, END, {"city": ColumnKind.CATEGORICAL})
        assert sorted(rows.table["city"].to_pylist()) == ["O'Hare :x %s", "it's"]
        assert logs.counts(None, None).rows == 2


def test_a_query_keeps_its_colons_and_percent_signs(warehouse: Warehouse):
    warehouse.load("predictions", log(10))
    place = warehouse.source("predictions").get("table") or (
        f"read_parquet('{warehouse.folder}/predictions/*.parquet')"
    )
    name = warehouse.quoted("a:b")
    query = f"SELECT p.*, ':no %s' || '%' AS {name} FROM {place} AS p WHERE 7 % 4 = 3 -- end"
    monitor = warehouse.monitor(predictions={"query": query})
    with open_logs(monitor) as logs:
        rows = logs.rows(START, END, {"a:b": ColumnKind.CATEGORICAL})
        assert logs.first_timestamp() == START
    assert set(rows.table["a:b"].to_pylist()) == {":no %s%"}


def test_a_column_that_was_dropped_reads_as_null(warehouse: Warehouse):
    warehouse.load("predictions", log(5))
    columns = {"gone": ColumnKind.NUMERIC, "lost": ColumnKind.CATEGORICAL}
    with open_logs(warehouse.monitor()) as logs:
        rows = logs.rows(START, END, columns)
        statistics = logs.statistics(START, END, columns)
        assert "gone" in logs.sql(START, END, columns)
    assert rows.table["gone"].null_count == rows.table["lost"].null_count == 5
    assert [statistics.columns[name].nulls for name in columns] == [5, 5]
    assert statistics.columns["gone"].maximum is None


@pytest.mark.parametrize("role", ["timestamp", "score", "version", "id"])
def test_a_role_that_was_dropped_is_an_error(warehouse: Warehouse, role: str):
    warehouse.load("predictions", log(5))
    monitor = warehouse.monitor(predictions={role: "scor"})
    with (
        open_logs(monitor) as logs,
        pytest.raises(MissingColumn, match=rf"predictions\.{role}: no column 'scor' .*'score'"),
    ):
        logs.rows(START, END, {}, limit=3)


def test_classes_keep_their_type(warehouse: Warehouse):
    warehouse.load(
        "predictions",
        log(2, said=pa.array([True, False]), y=pa.array([1, None]), a=pa.array(["x", "y"])),
    )
    monitor = warehouse.monitor(predictions={"prediction": "said"}, labels={"label": "y"})
    with open_logs(monitor) as logs:
        table = logs.rows(START, END, {}).table
        assert table[PREDICTION].to_pylist() == [True, False]
        assert table[LABEL].to_pylist() == [1, None]
        assert table[LABEL].type == pa.int64()
    monitor = warehouse.monitor(
        task="multiclass", predictions={"prediction": "a", "score": {"x": "score", "y": "y"}}
    )
    with open_logs(monitor) as logs:
        table = logs.rows(START, END, {}).table
        assert table[score_of("x")].to_pylist() == [0.0, 0.5]
        assert table[score_of("y")].to_pylist() == [1.0, None]
        assert table[PREDICTION].to_pylist() == ["x", "y"]


def test_decimals_are_numbers(warehouse: Warehouse):
    from decimal import Decimal

    money = pa.array([Decimal("1.25"), None], pa.decimal128(10, 2))
    warehouse.load("predictions", log(2, money=money), types={"money": "NUMERIC(10, 2)"})
    monitor = warehouse.monitor(
        task="regression", predictions={"prediction": "money"}, labels={"label": "money"}
    )
    with open_logs(monitor) as logs:
        table = logs.rows(START, END, {"money": ColumnKind.NUMERIC}).table
        for name in ("money", PREDICTION, LABEL):
            assert table[name].type == pa.float64()
            assert table[name].to_pylist() == [1.25, None]
        assert logs.statistics(START, END, {"money": ColumnKind.NUMERIC}).rows == 2


def test_an_empty_window_and_one_row(warehouse: Warehouse):
    warehouse.load("predictions", log(1, x=pa.array([2.0])))
    columns = {"x": ColumnKind.NUMERIC, "id": ColumnKind.CATEGORICAL}
    with open_logs(warehouse.monitor(labels={"label": "x"})) as logs:
        assert logs.daily_rows(START, START + 3 * timedelta(days=1)) == (1, 0, 0)
        assert logs.daily_rows(None, None) == (1,)
        one = logs.rows(START, END, columns, limit=1)
        assert (one.total, one.share, len(one.table)) == (1, 1.0, 1)
        assert logs.counts(START, END) == type(logs.counts(START, END))(rows=1, labelled=1)
        later = (END, END + timedelta(days=1))
        none = logs.rows(*later, columns)
        assert (none.total, none.share, len(none.table)) == (0, 1.0, 0)
        assert none.table.schema == one.table.schema
        assert logs.statistics(*later, columns).rows == 0
        assert logs.counts(*later).coverage is None
        assert logs.first_timestamp() == logs.last_timestamp() == START
    warehouse.load("predictions", log(0, x=pa.array([], pa.float64())))
    with open_logs(warehouse.monitor()) as logs:
        assert logs.first_timestamp() is None
        assert logs.daily_rows(None, None) == ()


class TestSampling:
    def test_the_same_seed_draws_the_same_rows_whatever_their_order(self, warehouse: Warehouse):
        rows = log(500)
        monitor = warehouse.monitor()
        drawn = []
        for order in (rows, rows.take(np.random.default_rng(7).permutation(500))):
            warehouse.load("predictions", order)
            with open_logs(monitor) as logs:
                sample = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, limit=50, seed=3)
                assert (sample.total, sample.share) == (500, 0.1)
                drawn.append(sample.table["id"].to_pylist())
                other = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, limit=50, seed=4)
                assert other.table["id"].to_pylist() != drawn[0]
        assert drawn[0] == drawn[1]
        assert len(set(drawn[0])) == 50

    def test_without_ids_rows_are_drawn_by_what_they_hold(self, warehouse: Warehouse):
        rows = log(300)
        monitor = warehouse.monitor(predictions={"id": None})
        drawn = []
        for order in (rows, rows.slice(150), rows.take(np.arange(299, -1, -1))):
            warehouse.load("predictions", order)
            with open_logs(monitor) as logs:
                sample = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, limit=100)
                drawn.append(sample.table["id"].to_pylist())
        assert drawn[0] == drawn[2]
        assert drawn[0] != drawn[1]

    def test_rows_that_share_an_id_are_drawn_all_the_same(self, warehouse: Warehouse):
        """Where few ids have all the rows, the part of them that is sorted first is not enough."""
        rows = log(3000)
        shared = pa.array(np.where(np.arange(3000) % 2, "a", "b"))
        warehouse.load("predictions", rows.set_column(0, "id", shared))
        with open_logs(warehouse.monitor()) as logs:
            drawn = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, limit=50)
        assert (len(drawn.table), drawn.total) == (50, 1440)
        assert len(set(drawn.table["id"].to_pylist())) == 1

    def test_a_few_of_many_are_those_with_the_least_hashes(self, warehouse: Warehouse):
        warehouse.load("predictions", log(5000))
        with open_logs(warehouse.monitor()) as logs:
            drawn = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, limit=20)
            names = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}).table["id"].to_pylist()
        hashed = sorted(names, key=lambda name: hashlib.md5(f"0\x1f{name}".encode()).hexdigest())
        assert drawn.table["id"].to_pylist() == hashed[:20]

    def test_it_is_uniform_and_equal_in_every_database(
        self, request: pytest.FixtureRequest, tmp_path
    ):
        drawn = {}
        asked = request.config.getoption("warehouses").split(",")
        for kind in dict.fromkeys([*KINDS, *asked]):
            place = tmp_path / kind
            place.mkdir()
            here = make_warehouse(request, kind, place)
            here.load("predictions", log(1000, part=pa.array(np.arange(1000) // 100)))
            monitor = here.monitor(predictions={"id": ["id", "part"]})
            with open_logs(monitor) as logs:
                columns = {"id": ColumnKind.CATEGORICAL, "part": ColumnKind.NUMERIC}
                drawn[kind] = logs.rows(START, END, columns, limit=400, seed=1).table
        first = drawn["duckdb"]
        assert all(table["id"].equals(first["id"]) for table in drawn.values())
        parts = np.bincount(first["part"].to_numpy().astype(int), minlength=10)
        assert stats.chisquare(parts).pvalue > 0.01


def sha(key: str, value: str) -> str:
    return hashlib.sha256(f"{key}{value}{key}".encode()).hexdigest()[:12]


@pytest.mark.parametrize("key", ["", 'it\'s \\a "key": ü'])
def test_what_is_sensitive_leaves_hashed_only(
    warehouse: Warehouse, key: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(hidden.VARIABLE, key)
    warehouse.load(
        "predictions",
        log(
            30,
            postcode=pa.array([10115 + place % 3 for place in range(30)]),
            inputs=pa.array(['{"name": "Zoe", "size": 1.5}'] * 30),
        ),
        json=["inputs"],
    )
    lists = {"sensitive": ["postcode", "inputs.name"]}
    monitor = warehouse.monitor(features=lists, segments=["postcode"])
    with open_logs(monitor) as logs:
        columns = logs.features(START, END)
        assert columns == {
            "postcode": ColumnKind.CATEGORICAL,
            "inputs.name": ColumnKind.CATEGORICAL,
            "inputs.size": ColumnKind.NUMERIC,
        }
        table = logs.rows(START, END, columns | {"postcode": ColumnKind.NUMERIC}).table
        statistics = logs.statistics(START, END, columns | {"postcode": ColumnKind.NUMERIC})
        assert key not in logs.sql(START, END, columns) or not key
        segment = logs.rows(START, END, {}).table["postcode"]
    expected = {sha(key, str(10115 + place)) for place in range(3)}
    assert set(table["postcode"].to_pylist()) == set(segment.to_pylist()) == expected
    assert set(table["inputs.name"].to_pylist()) == {sha(key, "Zoe")} == {hidden.hashed("Zoe", key)}
    found = statistics.columns["postcode"]
    assert (found.kind, found.nulls) == (ColumnKind.CATEGORICAL, 0)
    assert (found.minimum, found.maximum, found.categories) == (None, None, None)


def test_a_reference_may_be_a_table_without_times(warehouse: Warehouse):
    warehouse.load("predictions", log(5, y=pa.array([1, 0, 1, 0, 1])))
    warehouse.load("frozen", pa.table({"x": [1.0, 2.0], "y": [0, 1], "score": [0.1, 0.9]}))
    monitor = warehouse.monitor(
        labels={"id": "id", "label": "y", "of": "predictions"},
        predictions={"version": "version", "where": "id <> 'r0'"},
        reference=warehouse.source("frozen"),
    )
    with open_reference(monitor) as logs:
        rows = logs.rows(None, None, {"x": ColumnKind.NUMERIC})
        assert rows.table.select(["x", SCORE, LABEL]).to_pydict() == {
            "x": [1.0, 2.0],
            SCORE: [0.1, 0.9],
            LABEL: [0, 1],
        }
        assert rows.table.num_columns == 3
        assert logs.statistics(None, None, {"x": ColumnKind.NUMERIC}).columns["x"].maximum == 2.0
        assert logs.counts(None, None).labelled == 2
        assert logs.first_timestamp() is None
        with pytest.raises(MissingColumn, match=r"predictions\.timestamp"):
            logs.rows(START, END, {})


def test_a_reserved_name_is_no_feature(warehouse: Warehouse):
    warehouse.load("predictions", log(2))
    with open_logs(warehouse.monitor()) as logs, pytest.raises(LogError, match="reserved"):
        logs.rows(START, END, {SCORE: ColumnKind.NUMERIC})


def test_duckdb_keeps_to_a_memory_that_the_address_may_raise(tmp_path):
    warehouse = Warehouse(kind="duckdb", folder=tmp_path)
    warehouse.load("predictions", log(3))
    for options, limit in {"": "244.1 MiB", "?memory_limit=2GB": "1.8 GiB"}.items():
        with open_logs(warehouse.monitor(warehouse=warehouse.url + options)) as logs:
            row = logs._reader.one(select(func.current_setting("memory_limit")))
            assert row[0] == limit
            assert logs.counts(START, END).rows == 3
            with open_logs(logs.monitor) as another:  # of one process to one file
                assert another.counts(START, END).rows == 3
