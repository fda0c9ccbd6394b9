"""Which label a prediction has, as it was known at a moment."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.warehouse import LABEL, TIMESTAMP, Counts, open_logs
from tests.warehouses import Warehouse, documents

START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + DAY
AS_OF = START + 2 * DAY
JOINED = {"id": "id", "timestamp": "at", "label": "y", "of": "labels"}


def predictions(ids: list) -> pa.Table:
    moments = [START + timedelta(minutes=place) for place in range(len(ids))]
    return pa.table(
        {"id": ids, "ts": pa.array(moments, pa.timestamp("us", "UTC")), "score": [0.5] * len(ids)}
    )


def labels(rows: list[tuple]) -> pa.Table:
    """Labels of (id, value, hours after START or None)."""
    at = [None if hours is None else START + timedelta(hours=hours) for *_, hours in rows]
    return pa.table(
        {
            "id": [row[0] for row in rows],
            "y": pa.array([row[1] for row in rows], pa.int64()),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )


def known(warehouse: Warehouse, as_of: datetime | None = AS_OF, **parts) -> dict:
    """Return the label of each prediction id; also hold counts to the rows."""
    with open_logs(warehouse.monitor(**{"labels": JOINED, **parts})) as logs:
        drawn = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, as_of=as_of)
        table = drawn.table
        found = Counts(rows=len(table), labelled=len(table) - table[LABEL].null_count)
        assert logs.counts(START, END, as_of=as_of) == found
        labelled = drawn.labelled().table
        assert len(labelled) == found.labelled
        only = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, as_of=as_of, labelled=True)
        assert sorted(only.table["id"].to_pylist()) == sorted(labelled["id"].to_pylist())
        taught = logs.training_rows(START, END, {}, as_of=as_of, limit=10_000)
        assert taught.table.column_names == [TIMESTAMP, LABEL]
        assert Counter(taught.table[LABEL].to_pylist()) == Counter(labelled[LABEL].to_pylist())
        assert taught.total == found.labelled
        sample = logs.rows(START, END, {"id": ColumnKind.CATEGORICAL}, as_of=as_of, limit=3, seed=5)
        pairs = list(zip(table["id"].to_pylist(), table[LABEL].to_pylist(), strict=True))
        drawn_pairs = zip(
            sample.table["id"].to_pylist(), sample.table[LABEL].to_pylist(), strict=True
        )
        assert set(drawn_pairs) <= set(pairs)
    return dict(pairs) if len(dict(pairs)) == len(pairs) else pairs


def test_the_newest_label_that_was_known_wins(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "b", "c", "d", "e", "f"]))
    warehouse.load(
        "labels",
        labels(
            [
                ("a", 0, 5),
                ("a", 1, 6),  # corrected
                ("b", 1, 48),  # at as_of itself
                ("c", 1, 49),  # of the future
                ("c", 0, 3),
                ("d", 1, 4),
                ("d", None, 7),  # withdrawn
                ("e", 1, None),  # nobody knows when
                ("zz", 1, 5),  # of no prediction
            ]
        ),
    )
    expected = {"a": 1, "b": 1, "c": 0, "d": None, "e": None, "f": None}
    assert known(warehouse) == expected
    assert known(warehouse, None) == expected | {"c": 1}
    assert known(warehouse, START + 5 * HOUR) == {**dict.fromkeys("bef"), "a": 0, "c": 0, "d": 1}


def test_without_a_time_every_label_is_known(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "b"]))
    warehouse.load("labels", labels([("a", 0, 99), ("a", 1, 1), ("b", None, 1), ("b", 0, 2)]))
    rest = {key: value for key, value in JOINED.items() if key != "timestamp"}
    assert known(warehouse, START, labels=rest) == {"a": 1, "b": 0}


def test_labels_that_stand_in_the_row(warehouse: Warehouse):
    rows = predictions(["a", "b", "c"])
    late = [START + HOUR, AS_OF + HOUR, None]
    rows = rows.append_column("y", pa.array([1, 0, 1]))
    rows = rows.append_column("at", pa.array(late, pa.timestamp("us", "UTC")))
    warehouse.load("predictions", rows)
    assert known(warehouse, labels={"label": "y"}) == {"a": 1, "b": 0, "c": 1}
    timed = {"label": "y", "timestamp": "at"}
    assert known(warehouse, labels=timed) == {"a": 1, "b": None, "c": None}
    assert known(warehouse, None, labels=timed) == {"a": 1, "b": 0, "c": None}


def test_one_label_serves_many_predictions_and_doubled_ones_double_nothing(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "a", "b", None]))
    warehouse.load("labels", labels([("a", 1, 2), ("a", 1, 2), ("a", 0, 1), (None, 1, 1)]))
    assert sorted(known(warehouse), key=str) == [("a", 1), ("a", 1), ("b", None), (None, None)]


def test_ids_of_several_columns_and_of_different_types(warehouse: Warehouse):
    rows = predictions(["a", "a", "b"]).append_column("item", pa.array([1, 2, 1]))
    truth = labels([("a", 1, 1), ("a", 0, 1), ("b", 1, 1)])
    truth = truth.append_column("thing", pa.array(["1", "2", "3"]))
    warehouse.load("predictions", rows)
    warehouse.load("labels", truth)
    found = known(
        warehouse,
        predictions={"id": ["id", "item"]},
        labels={**JOINED, "id": ["id", "thing"]},
    )
    assert sorted(found, key=str) == [("a", 0), ("a", 1), ("b", None)]


def test_ids_inside_documents(warehouse: Warehouse):
    rows = predictions(["a", "b"]).append_column("request", documents([{"n": 1}, {"n": 2}]))
    warehouse.load("predictions", rows, json=["request"])
    warehouse.load("labels", labels([(1, 1, 1), (3, 0, 1)]))
    assert known(warehouse, predictions={"id": "request.n"}) == {"a": 1, "b": None}


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
def test_fractions_of_a_second_decide_in_text_too(warehouse: Warehouse, form: str):
    at = START + HOUR
    whole = at.strftime(form)
    later = whole.replace(":00:00", ":00:00.5")
    warehouse.load("predictions", predictions(["a", "b"]))
    truth = pa.table({"id": ["a", "a", "b"], "y": [0, 1, 1], "at": [whole, later, later]})
    warehouse.load("labels", truth)
    assert known(warehouse, at) == {"a": 0, "b": None}
    assert known(warehouse, at + timedelta(milliseconds=499)) == {"a": 0, "b": None}
    assert known(warehouse, at + timedelta(milliseconds=500)) == {"a": 1, "b": 1}


@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0, 1, None]), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    ),
    seed=st.integers(0, 99),
)
def test_the_order_of_arrival_does_not_matter(warehouse: Warehouse, rows: list, seed: int):
    warehouse.load("predictions", predictions(["a", "b", "c"]))
    warehouse.load("labels", labels(rows))
    first = known(warehouse)
    warehouse.load("labels", labels(random.Random(seed).sample(rows, len(rows))))
    assert known(warehouse) == first
    for name in "abc":
        times = [hours for key, _, hours in rows if key == name]
        newest = {value for key, value, hours in rows if key == name and hours == max(times)}
        assert first[name] in (newest or {None})
