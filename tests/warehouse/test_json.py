"""JSON documents of every shape: what SQL reads at a path is what Python's json reads there."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.domain import DAY, ColumnKind
from driftline.profile.rows import SCORE
from driftline.warehouse import open_logs
from tests.warehouses import KINDS, Warehouse

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + DAY


@pytest.fixture(autouse=True)
def _places(warehouse: Warehouse) -> None:
    if warehouse.kind not in KINDS:
        pytest.skip("lists are followed by place on DuckDB, PostgreSQL and SQLite only")


def log(payloads: list[str | None], **columns: Any) -> pa.Table:
    size = len(payloads)
    moments = [START + timedelta(seconds=place) for place in range(size)]
    base = {
        "id": [f"r{place}" for place in range(size)],
        "ts": pa.array(moments, pa.timestamp("us", "UTC")),
        "score": np.arange(size) / size,
        "payload": pa.array(payloads, pa.string()),
    }
    return pa.table({**base, **columns})


def read(warehouse: Warehouse, columns: dict[str, ColumnKind]) -> dict[str, list[Any]]:
    """Return what stands at these paths, in the order of the rows."""
    with open_logs(warehouse.monitor()) as logs:
        table = logs.rows(START, END, columns, limit=100_000).table.sort_by(SCORE)
    return {name: table[name].to_pylist() for name in columns}


ODD = {
    "cut off": '{"x": 1, "y": {"z": 2',
    "two at once": '{"x": 1} {"x": 2}',
    "nothing": "",
    "spaces": "  ",
    "words": "{not JSON}",
    "a bare word": '{"x": nope}',
    "single quotes": "{'x': 1}",
    "no value": '{"x": }',
    "a control character": '{"x": "a\nb"}',
    "a number alone": "7",
    "null": "null",
}
"""Payloads that hold nothing, whatever database reads them."""

LENIENT = {
    "NaN": '{"x": 1, "y": NaN}',
    "infinite": '{"x": 1, "y": -Infinity}',
    "half of a pair": '{"x": 1, "n": "\\ud83d"}',
    "a NUL": '{"x": 1, "note": "a\\u0000b"}',
    "far too large": '{"x": 1, "y": 1e400000}',
    "a comma too many": '{"x": 1,}',
    "no quotes": "{x: 1}",
}
"""Payloads that some databases read all the same."""


@pytest.mark.parametrize("kind", ["text", "json"])
def test_one_odd_payload_is_one_row(warehouse: Warehouse, kind: str):
    """Its paths are null, and every other row's are as they were."""
    odd = [*ODD.values(), *LENIENT.values()] if kind == "text" else ['{"x": 1, "n": "\\ud83d"}']
    good = ['{"x": 1, "y": {"z": 2.5}}', ' \n[{"x": 3}]', "{}"]
    if kind == "json" and warehouse.kind != "postgresql":
        pytest.skip("its documents are valid, or text")
    warehouse.load("predictions", log([*odd, *good]), types={"payload": kind})
    paths = {"payload.x": NUMERIC, "payload.y.z": NUMERIC, "payload.0.x": NUMERIC}
    found = read(warehouse, paths)
    surely = len(ODD) if kind == "text" else len(odd)
    for name in paths:
        assert found[name][:surely] == [None] * surely, name
    assert set(found["payload.x"][: len(odd)]) <= {None, 1.0}
    assert found["payload.x"][len(odd) :] == [1.0, None, None]
    assert found["payload.y.z"][len(odd) :] == [2.5, None, None]
    assert found["payload.0.x"][len(odd) :] == [None, 3.0, None]
    with open_logs(warehouse.monitor(features={"sensitive": ["payload.y.z"]})) as logs:
        logs.features(START, END)
        assert logs.statistics(START, END, paths).rows == len(odd) + len(good)


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_number_that_is_no_double_is_one_row(warehouse: Warehouse, kind: str):
    """IEEE 754: doubles end at 1.797e308, and at 4.9e-324 towards 0."""
    beyond = ["1e400", "-1e309", "9" * 400, "123456789012e299"]
    near = ["1e-400", "0." + "0" * 400 + "1", "0.000000000000000000000000000001e-299"]
    held = ["1.5e250", "-2.5e-250", "0.1000000000000000055511151231257827", "12345678901234567890"]
    payloads = [f'{{"x": {number}, "y": 1}}' for number in (*beyond, *near, *held)]
    warehouse.load("predictions", log(payloads), types={"payload": kind})
    found = read(warehouse, {"payload.x": NUMERIC, "payload.y": NUMERIC})
    assert not any(map(math.isfinite, (x for x in found["payload.x"][:4] if x is not None)))
    assert set(found["payload.x"][4:7]) <= {None, 0.0}
    assert found["payload.x"][7:] == pytest.approx([float(number) for number in held], rel=1e-15)
    assert found["payload.y"] == [1.0] * len(payloads)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e15, 1e15).map(lambda number: round(number, 6))
    | st.text("abÄ🛫 .'%:\\/\n{}[]", max_size=6)
)
KEYS = st.sampled_from(["a", "b", "0", "1", "x y", "Ä", "~1", "a'b", "%s"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths to all that a document holds."""
    if before:
        yield before
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*before, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, (*before, str(place)))


def at(document: Any, path: tuple[str, ...]) -> Any:
    """Return what Python reads at a path; nothing where it leads nowhere."""
    for key in path:
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def same(found: str | None, wanted: Any) -> bool:
    """Whether a database's text is what Python read: the text itself, or its JSON."""
    if wanted is None or isinstance(wanted, str):
        return found == wanted
    if isinstance(wanted, bool):
        return found == str(wanted).lower()
    assert found is not None
    got = json.loads(found)
    if isinstance(wanted, int | float):
        return math.isclose(got, wanted, rel_tol=1e-12)
    return bool(got == wanted)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(KEYS, DOCUMENTS, max_size=3) | st.lists(DOCUMENTS, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_what_sql_reads_at_a_path_is_what_python_reads(warehouse: Warehouse, documents: list[Any]):
    texts = [json.dumps(each, ensure_ascii=False) for each in documents]
    warehouse.load("predictions", log(texts))
    all_paths = dict.fromkeys(path for each in documents for path in paths(each))
    asked = {f"payload.{'.'.join(path)}": path for path in list(all_paths)[:40]}
    if not asked:
        return
    words = read(warehouse, dict.fromkeys(asked, CATEGORICAL))
    numbers = read(warehouse, dict.fromkeys(asked, NUMERIC))
    for name, path in asked.items():
        for place, document in enumerate(documents):
            wanted = at(document, path)
            assert same(words[name][place], wanted), (name, texts[place])
            if isinstance(wanted, bool | int | float):
                assert math.isclose(numbers[name][place], wanted, rel_tol=1e-12), name


def test_lists_and_maps_of_the_database_are_followed(warehouse: Warehouse):
    kinds = {
        "duckdb": {"l": "INTEGER[]", "m": "MAP(VARCHAR, DOUBLE)", "s": "STRUCT(in_ VARCHAR)[]"},
        "postgresql": {"l": "INTEGER[]", "t": "TEXT[]", "d": "JSONB[]"},
    }.get("duckdb" if warehouse.kind == "parquet" else warehouse.kind)
    if kinds is None:
        pytest.skip("it has neither")
    held = {
        "l": ("[7, 8]", "{7,8}"),
        "m": ("{a.b=1.5, c=2}", ""),
        "s": ("[{'in_': x}, {'in_': y}]", ""),
        "t": ("", "{one,two}"),
        "d": ("", '{"{\\"x\\": [1, 5]}"}'),
    }
    postgres = warehouse.kind == "postgresql"
    columns = {name: pa.array([held[name][postgres], None]) for name in kinds}
    warehouse.load("predictions", log([None, None], **columns), types=kinds)
    wanted: dict[str, Any] = {"l.0": 7.0, "l.1": 8.0, "l.2": None}
    if postgres:
        wanted |= {"t.1": "two", "d.0.x.1": 5.0, "d.1.x": None}
    else:
        wanted |= {"m.a.b": 1.5, "m.none": None, "s.1.in_": "y", "s.0.in_": "x"}
    ask = {n: CATEGORICAL if isinstance(v, str) else NUMERIC for n, v in wanted.items()}
    assert read(warehouse, ask) == {name: [value, None] for name, value in wanted.items()}
    with open_logs(warehouse.monitor()) as logs:
        for nowhere in ("l.x", "l.-1", "l.01", "l.0.x", "l.", "l"):
            assert (logs.predictions.find(nowhere) is None) == (nowhere != "l"), nowhere


SCORED = [0.1 + place / 1000 for place in range(60)]
AGES = [20 + place % 50 for place in range(60)]
INCOMES = [30.5 + place % 7 for place in range(60)]
PLANS = [["basic", "plus", "pro"][place % 3] for place in range(60)]
ROWS = [list(each) for each in zip(AGES, INCOMES, PLANS, strict=True)]
RECORDS = [dict(zip(("age", "income", "plan"), row, strict=True)) for row in ROWS]


def split(row: list[Any]) -> dict[str, Any]:
    return {"columns": ["age", "income", "plan"], "index": [0], "data": [row]}


def tensor(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}


SERVED = {
    "dataframe_records": [{"dataframe_records": [row]} for row in RECORDS],
    "dataframe_split": [{"dataframe_split": split(row)} for row in ROWS],
    "instances of objects": [{"instances": [row], "signature_name": "x"} for row in RECORDS],
    "instances of rows": [{"instances": [row]} for row in ROWS],
    "rows alone": [[row] for row in ROWS],
    "Azure ML": [{"data": [row]} for row in ROWS],
    "Azure ML's input_data": [{"input_data": split(row)} for row in ROWS],
    "Open Inference": [
        {"id": f"r{place}", "inputs": [tensor(*pair) for pair in row.items()]}
        for place, row in enumerate(RECORDS)
    ],
}
"""Requests of one prediction each, as serving layers log them."""

ANSWERS = {
    "response.predictions.0": lambda p: {"model_name": "m", "predictions": [p], "took": 1 - p},
    "response.predictions.0.score": lambda p: {"predictions": [{"score": p, "tier": "x"}]},
    "response.outputs.0.data.1": lambda p: {
        "model_name": "m",
        "outputs": [tensor("proba", 1 - p) | {"data": [1 - p, p]}],
    },
    "response.score": lambda p: {"score": p, "tier": "x"},
}


@pytest.mark.parametrize("protocol", SERVED)
def test_what_a_serving_layer_was_asked_is_watched_and_its_answer_is_not(
    warehouse: Warehouse, protocol: str
):
    asked = [json.dumps(each) for each in SERVED[protocol]]
    asked[7] = asked[7][:-3]  # one is cut off
    for score, answer in list(ANSWERS.items())[len(protocol) % 2 :: 2]:
        said = [json.dumps(answer(p)) for p in SCORED]
        rows = log(asked, response=said).rename_columns({"payload": "request"})
        warehouse.load("predictions", rows.drop_columns(["score"]))
        with open_logs(warehouse.monitor(predictions={"score": score})) as logs:
            found = logs.features(None, None)
            signature = [name for name in found if name.endswith("signature_name")]
            names = [name for name in found if name not in signature]
            assert all(name.startswith("request.") for name in found), found
            assert [found[name] for name in names] == [NUMERIC, NUMERIC, CATEGORICAL]
            table = logs.rows(None, None, found).table.sort_by(SCORE)
            assert table[SCORE].to_pylist() == pytest.approx(SCORED)
            kept = [place for place in range(60) if place != 7]
            for name, wanted in zip(names, (AGES, INCOMES, PLANS), strict=True):
                read = table[name].to_pylist()
                assert [read[place] for place in kept] == [wanted[place] for place in kept]
            assert logs.inferred(None, None)[1] == [
                "response holds what the model said: nothing else in it is a feature unless named"
            ]


def test_lists_that_are_left_alone_are_told(warehouse: Warehouse):
    batches = [RECORDS[: 1 + place % 3] for place in range(60)]
    asked = [
        {"instances": batch, "tags": ["a", "b"], "vector": [0.5] * 30, "age": age, "none": []}
        for batch, age in zip(batches, AGES, strict=True)
    ]
    warehouse.load("predictions", log([json.dumps(each) for each in asked]))
    with open_logs(warehouse.monitor()) as logs:
        assert logs.features(None, None) == {"payload.age": NUMERIC}
        told = logs.inferred(None, None)[1]
    assert [words.partition(",")[0] for words in told] == [
        "payload.instances",
        "payload.tags",
        "payload.vector",
    ]
    assert told[0] == (
        "payload.instances, a list of 1 to 3 members, is left alone; "
        "what it holds can be named: payload.instances.0.age"
    )
    assert "a list of 30 members" in told[2]
    with open_logs(warehouse.monitor(features={"numeric": ["payload.instances.0.age"]})) as logs:
        assert logs.inferred(None, None)[1] == []


def test_a_path_that_no_document_has(warehouse: Warehouse):
    """It is an error of the check, with the path that is like it; one rare document is enough."""
    payloads = [
        {"score": p, "features": {"age": age}, **({"rare": 1} if place == 59 else {})}
        for place, (p, age) in enumerate(zip(SCORED, AGES, strict=True))
    ]
    texts = [json.dumps(each) for each in payloads]
    warehouse.load("predictions", log(texts))
    warehouse.load("labels", pa.table({"key": ["r1"], "doc": ['{"label": {"y": 1}}']}))
    typed = {
        "predictions": {"score": "payload.scoer", "version": "payload.rare"},
        "features": {"numeric": ["payload.feature.age", "payload.features.age"]},
        "segments": ["payload.features.plan"],
        "labels": {"id": "key", "label": "doc.label.z", "of": "labels"},
    }
    with open_logs(warehouse.monitor(**typed)) as logs:
        found = [str(error) for error in logs.check()]
    assert [words.partition(":")[0] for words in found] == [
        "predictions.score",
        "features.numeric",
        "segments",
        "labels.label",
    ]
    assert "has 'payload.scoer'; did you mean 'payload.score'?" in found[0]
    assert "did you mean 'payload.features.age'?" in found[1]
    assert "has 'doc.label.z'; did you mean 'doc.label.y'?" in found[3]
    warehouse.load("predictions", log([None] * 60))
    with open_logs(warehouse.monitor(features={"numeric": ["payload.x"]})) as logs:
        assert logs.check() == []  # nothing is known of documents that are not there
