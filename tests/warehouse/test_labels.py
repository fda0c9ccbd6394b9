"""Which label a prediction has, as it was known at a moment, and which hours new ones touch."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.errors import LogError
from driftline.warehouse import LABEL, TIMESTAMP, Counts, Logs, open_logs, open_reference
from driftline.warehouse.cost import nodes
from tests.conftest import run
from tests.warehouses import Warehouse, documents, make_warehouse

START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + DAY
AS_OF = START + 2 * DAY
JOINED = {"id": "id", "timestamp": "at", "label": "y", "of": "labels"}


def times(moments: list[datetime | None]) -> pa.Array:
    return pa.array(moments, pa.timestamp("us", "UTC"))


def hours(*numbers: float | None) -> list[datetime | None]:
    """Return moments so many hours after START."""
    return [None if number is None else START + number * HOUR for number in numbers]


def predictions(ids: list) -> pa.Table:
    moments = [START + timedelta(minutes=place) for place in range(len(ids))]
    return pa.table(
        {"id": ids, "ts": pa.array(moments, pa.timestamp("us", "UTC")), "score": [0.5] * len(ids)}
    )


def labels(rows: list[tuple]) -> pa.Table:
    """Labels of (id, value, hours after START or None, the same of the time of loading)."""
    columns = {
        "id": [row[0] for row in rows],
        "y": pa.array([row[1] for row in rows], pa.int64()),
        "at": times(hours(*(row[2] for row in rows))),
    }
    if rows and len(rows[0]) > 3:
        columns["loaded"] = times(hours(*(row[3] for row in rows)))
    return pa.table(columns)


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


def test_one_label_serves_many_predictions_from_the_moment_it_is_known(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "a", "b"]))
    warehouse.load("labels", labels([("a", 1, 2)]))
    unknown = [("a", None), ("a", None), ("b", None)]
    assert sorted(known(warehouse, START + 2 * HOUR - timedelta(seconds=1))) == unknown
    assert sorted(known(warehouse, START + 2 * HOUR), key=str) == [("a", 1), ("a", 1), ("b", None)]


def test_backdated_labels_are_known_since_they_were_loaded(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "b", "c", "d", "e"]))
    warehouse.load(
        "labels",
        labels(
            [
                ("a", 1, 3, 10),  # newer, and loaded first
                ("a", 0, 2, 20),
                ("b", 0, 2, 20),  # of one time: what was loaded later
                ("b", 1, 2, 30),
                ("c", 1, 5, None),  # nobody knows since when
                ("d", 1, None, 10),  # nobody knows of when: it is the oldest
                ("d", 0, 1, 20),
                ("e", 1, 40, 20),  # of a time to come
            ]
        ),
    )
    backdated = {"labels": {**JOINED, "loaded_at": "loaded"}}
    nothing = dict.fromkeys("abcde")
    for moment, expected in (
        (10 * HOUR - timedelta(microseconds=1), {}),
        (10 * HOUR, {"a": 1, "d": 1}),
        (20 * HOUR, {"a": 1, "b": 0, "d": 0, "e": 1}),
        (30 * HOUR, {"a": 1, "b": 1, "d": 0, "e": 1}),
    ):
        assert known(warehouse, START + moment, **backdated) == nothing | expected
    assert known(warehouse, None, **backdated) == nothing | {"a": 1, "b": 1, "d": 0, "e": 1}
    only = {key: value for key, value in JOINED.items() if key != "timestamp"}
    loaded = known(warehouse, labels={**only, "loaded_at": "loaded"})
    assert loaded == {"a": 0, "b": 1, "c": None, "d": 0, "e": 1}


def test_none_means_a_label_where_a_table_holds_positives_only(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "b", "c"]))
    warehouse.load("labels", labels([("a", 1, 1), ("b", 1, 60)]))
    positives = {"labels": {**JOINED, "absent": {"value": 0, "after": "2d"}}}
    two_days = START + 2 * DAY
    second = timedelta(seconds=1)
    assert known(warehouse, two_days - second, **positives) == {"a": 1, "b": None, "c": None}
    assert known(warehouse, two_days + 60 * second, **positives) == {"a": 1, "b": 0, "c": None}
    assert known(warehouse, two_days + 120 * second, **positives) == {"a": 1, "b": 0, "c": 0}
    assert known(warehouse, START + 60 * HOUR, **positives) == {"a": 1, "b": 1, "c": 0}
    assert known(warehouse, None, **positives) == {"a": 1, "b": 1, "c": 0}


@pytest.mark.parametrize("value", [0, False])
def test_none_means_a_label_in_the_row_too(warehouse: Warehouse, value: object):
    rows = predictions(["a", "b", "c"]).append_column("y", pa.array([True, None, True]))
    rows = rows.append_column("at", times(hours(1, None, 99)))
    warehouse.load("predictions", rows)
    timed = {"label": "y", "timestamp": "at", "absent": {"value": value, "after": "2d"}}
    soon, later = START + 2 * DAY, START + 100 * HOUR
    assert known(warehouse, soon, labels=timed) == {"a": True, "b": None, "c": None}
    late = {"a": True, "b": False, "c": False}
    assert known(warehouse, soon + HOUR, labels=timed) == late
    assert known(warehouse, later, labels=timed) == {**late, "c": True}
    always = {"label": "y", "absent": {"value": value, "after": "2d"}}
    assert known(warehouse, soon, labels=always) == {"a": True, "b": None, "c": True}


@pytest.mark.parametrize(
    ("held", "value", "task", "expected"),
    [
        ("gone'", "it's: %s", "binary", "it's: %s"),
        ("1", 0, "binary", "0"),
        ("true", False, "binary", "false"),
        (1, True, "binary", 1),
        (1, 0.0, "binary", 0),
        (2.5, 0.1, "regression", 0.1),
        (3, 0, "regression", 0.0),
    ],
)
def test_what_none_means_has_the_type_of_the_labels(
    warehouse: Warehouse, held: Any, value: Any, task: str, expected: object
):
    warehouse.load("predictions", predictions(["a", "b"]).append_column("p", pa.array([1.0, 2.0])))
    warehouse.load("labels", pa.table({"id": ["a"], "y": [held]}))
    shape = {"id": "id", "label": "y", "of": "labels", "absent": {"value": value, "after": "1h"}}
    found = known(warehouse, labels=shape, task=task, predictions={"prediction": "p"})
    assert found == {"a": held, "b": expected}
    assert type(found["b"]) is type(expected)


@pytest.mark.parametrize(
    ("held", "value", "said"),
    [(1, "no", "whole numbers"), (1, 0.5, "whole numbers"), (True, 2, "booleans"), (0.5, "no", "")],
)
def test_what_none_means_must_be_a_label(warehouse: Warehouse, held: Any, value: Any, said: str):
    warehouse.load("predictions", predictions(["a"]))
    warehouse.load("labels", pa.table({"id": ["a"], "y": [held]}))
    shape = {"id": "id", "label": "y", "of": "labels", "absent": {"value": value, "after": "1h"}}
    with open_logs(warehouse.monitor(labels=shape)) as logs:
        (fault,) = logs.check()
        with pytest.raises(LogError) as raised:
            logs.counts(START, END)
    assert str(fault) == str(raised.value)
    assert str(fault).startswith(f"labels.absent.value: found {value!r}; the labels are {said}")


EVENTS = {"timestamp": "at", "label": "y", "of": "events"}


def test_events_of_a_key_are_the_labels_of_what_was_said_before(warehouse: Warehouse):
    said = hours(0, 1, 2, 0, 0, 0)
    rows = predictions(["a", "b", "c", "d", "e", "f"]).set_column(1, "ts", times(said))
    rows = rows.append_column("customer", pa.array(["x", "x", "x", "y", "z", None]))
    warehouse.load("predictions", rows)
    tick = 1 / 3600
    warehouse.load(
        "events",
        pa.table(
            {
                "customer": ["x", "x", "y", "y", "z", None, "w"],
                "y": [1, 2, 1, 2, 1, 1, 1],
                "at": times(hours(1, 26, 0, 24, 24 + tick, 1, 1)),
            }
        ),
    )
    joined = {"labels": {**EVENTS, "join": {"key": "customer", "within": "24h"}}}
    nothing = dict.fromkeys("abcdef")
    assert known(warehouse, **joined) == nothing | {"a": 1, "b": 1, "c": 2, "d": 2}
    assert known(warehouse, START + HOUR, **joined) == nothing | {"a": 1, "b": 1, "d": 1}
    assert known(warehouse, START, **joined) == nothing | {"d": 1}
    with open_logs(warehouse.monitor(**joined)) as logs:  # of many events each comes once
        whole = {START: 2, START + HOUR: 1, START + 2 * HOUR: 1}
        assert logs.landed(START - HOUR, START + 30 * HOUR, since=START) == whole
        assert logs.landed(START + DAY - HOUR, START + DAY, since=START) == {START: 1}
    joined["labels"]["absent"] = {"value": 0, "after": "24h"}
    assert known(warehouse, START + DAY, **joined) == {
        **nothing,
        "a": 1,
        "b": 1,
        "d": 2,
        "e": 0,
        "f": 0,
    }


FORMS: dict[str, Callable[[datetime], object]] = {
    "aware": lambda moment: moment,
    "naive": lambda moment: moment.replace(tzinfo=None),
    "wall": lambda moment: moment.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None),
    "text": lambda moment: moment.isoformat().replace("+00:00", "Z"),
    "mixed": lambda moment: f"{moment + 2 * HOUR:%Y-%m-%d %H:%M:%S.%f}+02:00",
    "seconds": lambda moment: moment.timestamp(),
    "milliseconds": lambda moment: round(moment.timestamp() * 1000),
}


@pytest.mark.parametrize(
    ("said", "happened"),
    [
        ("aware", "naive"),
        ("naive", "mixed"),
        ("text", "aware"),
        ("mixed", "milliseconds"),
        ("seconds", "text"),
        ("milliseconds", "seconds"),
        ("wall", "wall"),
        ("wall", "text"),
        ("text", "wall"),
    ],
)
def test_times_of_events_and_predictions_are_written_in_any_form(
    warehouse: Warehouse, said: str, happened: str
):
    moment, tick = START + timedelta(milliseconds=125), timedelta(milliseconds=1)
    if warehouse.kind == "sqlite":  # the tests' SQLite keeps whole seconds of what is typed
        moment, tick = START, timedelta(seconds=1)
    rows = pa.table(
        {
            "id": ["a", "b", "c", "d"],
            "customer": ["p", "q", "r", "s"],
            "ts": [FORMS[said](moment)] * 4,
            "score": [0.5] * 4,
        }
    )
    warehouse.load("predictions", rows)
    at = [moment, moment + HOUR, moment - tick, moment + HOUR + tick]
    warehouse.load(
        "events",
        pa.table(
            {"customer": ["p", "q", "r", "s"], "y": [1] * 4, "at": list(map(FORMS[happened], at))}
        ),
    )
    joined = {**EVENTS, "join": {"key": "customer", "within": "1h"}}
    expected = {"a": 1, "b": 1, "c": None, "d": None}
    zone = {"timezone": "America/New_York" if "wall" in (said, happened) else "UTC"}
    assert known(warehouse, None, labels=joined, predictions=zone) == expected
    with open_logs(warehouse.monitor(labels=joined, predictions=zone)) as logs:
        assert logs.landed(moment, moment + HOUR, since=START) == {START: 1}


def test_an_event_of_no_time_is_no_label(warehouse: Warehouse):
    """Seconds since 1970 from pandas: what is missing is no number."""
    rows = predictions(["a", "b"]).append_column("who", pa.array(["x", "y"]))
    warehouse.load("predictions", rows)
    at = pa.array([float("nan"), START.timestamp() + 60, None, float("inf")])
    who = ["x", "y", "x", "x"]
    warehouse.load("events", pa.table({"who": who, "y": [1, 1, 1, 1], "at": at}))
    joined = {**EVENTS, "join": {"key": "who", "within": "1h"}}
    assert known(warehouse, None, labels=joined) == {"a": None, "b": 1}
    with open_logs(warehouse.monitor(labels=joined)) as logs:
        assert logs.landed(START, END, since=START) == {START: 1}


def test_keys_of_several_columns_with_hostile_names(warehouse: Warehouse):
    one, other, at = 'cust"omer', "it's; -- drop", "moment"
    rows = predictions(["a", "b"]).append_column(one, pa.array([1, 1]))
    rows = rows.append_column(other, pa.array(["p", "q"])).rename_columns(
        {"ts": "before", "score": "place"}
    )
    warehouse.load("predictions", rows)
    truth = pa.table({one: ["1", "1"], other: ["q", "w"], at: times(hours(2, 2)), "label": [1, 0]})
    warehouse.load("events", truth)
    joined = {
        "of": "events",
        "label": "label",
        "timestamp": at,
        "join": {"key": [one, other], "within": "1d"},
        "absent": {"value": 7, "after": "1d"},
    }
    log = {"timestamp": "before", "score": "place"}
    assert known(warehouse, labels=joined, predictions=log) == {"a": 7, "b": 1}
    with open_logs(warehouse.monitor(labels=joined, predictions=log)) as logs:
        assert logs.check() == []
        found = logs.landed(START + HOUR, START + 2 * HOUR, since=START)
        assert found == {START: 1}


def test_columns_that_labels_need_and_are_not_there(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a"]).append_column("who", pa.array(["x"])))
    warehouse.load("labels", labels([("a", 1, 1)]))
    joined = {**JOINED, "loaded_at": "load", "join": {"key": "who", "within": "1d"}}
    del joined["id"]
    with open_logs(warehouse.monitor(labels=joined)) as logs:
        found = [str(fault).partition(" in ")[0] for fault in logs.check()]
    assert found == ["labels.join.key: no column 'who'", "labels.loaded_at: no column 'load'"]
    joined["join"]["key"] = "id_"
    with open_logs(warehouse.monitor(labels=joined)) as logs:
        found = [str(fault).partition(" in ")[0] for fault in logs.check()]
    assert found.count("labels.join.key: no column 'id_'") == 2


def test_hours_that_newly_known_labels_touch(warehouse: Warehouse):
    said = hours(0, 0.5, 1, 1.5, 2, 3)
    rows = predictions(["a", "b", "c", "d", "e", "f"]).set_column(1, "ts", times(said))
    rows = rows.append_column("ds", pa.array(["2013-04-01"] * 5 + ["2013-03-01"]))
    warehouse.load("predictions", rows)
    warehouse.load(
        "labels",
        labels(
            [
                ("a", 1, 5),
                ("b", 1, 5 + 1 / 3600),
                ("b", 0, 6),
                ("b", 0, 6),  # doubled
                ("c", 1, 10),
                ("d", None, 10),  # withdrawn
                ("e", 1, 10 + 1 / 3600),
                ("f", 1, 6),
                ("zz", 1, 6),
            ]
        ),
    )
    after, until = START + 5 * HOUR, START + 10 * HOUR
    first, second, third, fourth = (START + n * HOUR for n in range(4))
    with open_logs(warehouse.monitor(labels=JOINED)) as logs:
        assert logs.landed(after, until, since=START) == {first: 1, second: 2, fourth: 1}
        assert logs.landed(after, until, since=START + 1.25 * HOUR) == {second: 1, fourth: 1}
        assert logs.landed(until, END, since=START) == {third: 1}
        assert logs.landed(START, after, since=START) == {first: 1}
        assert logs.landed(after, after, since=START) == {}
        assert logs.landed(after, until, since=until) == {}
    filed = {"partition": {"column": "ds", "slack": "1d"}}
    with open_logs(warehouse.monitor(labels=JOINED, predictions=filed)) as logs:
        assert logs.landed(after, until, since=START) == {first: 1, second: 2}
    timeless = {key: value for key, value in JOINED.items() if key != "timestamp"}
    absent = {"value": 0, "after": "2h"}
    for shape in (timeless, {**timeless, "absent": absent}):
        with open_logs(warehouse.monitor(labels=shape)) as logs:
            assert logs.landed(after, until, since=START) is None
    with open_logs(warehouse.monitor()) as logs:
        assert logs.landed(after, until, since=START) == {}
    with open_logs(warehouse.monitor(labels={**JOINED, "absent": absent})) as logs:
        early = logs.landed(START + HOUR, START + 3 * HOUR, since=START)
        assert early == {first: 2, second: 1}
        assert logs.landed(START, START + HOUR, since=START) == {}
        assert logs.landed(START, START + 2 * HOUR, since=START) == {first: 1}


def test_hours_that_labels_in_the_row_touch(warehouse: Warehouse):
    rows = predictions(["a", "b", "c", "d"]).set_column(1, "ts", times(hours(0, 1, 2, 3)))
    rows = rows.append_column("y", pa.array([1, None, None, 0]))
    rows = rows.append_column("at", times(hours(5, 6, None, 7)))
    warehouse.load("predictions", rows)
    timed = {"label": "y", "timestamp": "at"}
    after, until = START + 5 * HOUR, START + 7 * HOUR
    withdrawn, came, old = START + HOUR, START + 3 * HOUR, START + 2 * HOUR
    with open_logs(warehouse.monitor(labels=timed)) as logs:
        with noted(logs) as asked:
            assert logs.landed(after, until, since=START) == {withdrawn: 1, came: 1}
        assert "score" not in asked[-1]
        assert logs.landed(after, until, since=START + 2 * HOUR) == {came: 1}
    absent = {**timed, "absent": {"value": 0, "after": "4h"}}
    with open_logs(warehouse.monitor(labels=absent)) as logs:
        found = logs.landed(after, until, since=START)
    assert found == {withdrawn: 1, old: 1, came: 1}


def test_none_means_a_label_in_a_reference_of_its_own_too(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a"]))
    warehouse.load("labels", labels([("a", 1, 1)]))
    frozen = {"score": [0.5, 0.5], "y": pa.array([1, None], pa.int64())}
    warehouse.load("frozen", pa.table(frozen))
    shape = {**JOINED, "absent": {"value": 0, "after": "2d"}}
    monitor = warehouse.monitor(labels=shape, reference=warehouse.source("frozen"))
    with open_reference(monitor) as logs:
        table = logs.rows(None, None, {}).table
    assert sorted(table[LABEL].to_pylist()) == [0, 1]


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"wall"}))
def test_the_watermark_is_exact_in_every_form(warehouse: Warehouse, form: str):
    """A label known exactly at the one moment has landed before, at the other it lands."""
    tick = timedelta(milliseconds=1)
    if warehouse.kind == "sqlite" and form in ("aware", "naive"):
        tick = timedelta(seconds=1)  # what the tests' SQLite keeps of what is typed
    after = START + 5 * HOUR
    until = after + 8 * tick
    at = [after, after + tick, until, until + tick]
    warehouse.load("predictions", predictions(["a", "b", "c", "d"]))
    truth = {"id": ["a", "b", "c", "d"], "y": [1] * 4, "at": list(map(FORMS[form], at))}
    warehouse.load("labels", pa.table(truth))
    with open_logs(warehouse.monitor(labels=JOINED)) as logs:
        for low, high, expected in (
            (after, until, 2),
            (after - tick, until, 3),
            (after, until + tick, 3),
            (after + tick, until, 1),
            (until, until + tick, 1),
            (until + tick, until + 2 * tick, None),
        ):
            assert logs.landed(low, high, since=START).get(START) == expected
            before = logs.counts(START, END, as_of=low).labelled
            assert logs.counts(START, END, as_of=high).labelled - before == (expected or 0)


def test_what_lands_is_found_by_the_time_of_the_labels(request, tmp_path):
    """Neither other labels nor other hours are read: PostgreSQL says what its scans found."""
    warehouse = make_warehouse(request, "postgresql", tmp_path)
    rows, days = 50_000, 50
    step = days * DAY / rows
    moments = [START + n * step for n in range(rows)]
    ids = [f"request-{n}" for n in range(rows)]
    log = {"id": ids, "ts": times(moments), "score": [0.5] * rows}
    warehouse.load("predictions", pa.table(log))
    known_at = times([moment + 2 * DAY for moment in moments])
    warehouse.load("labels", pa.table({"id": ids, "y": [1] * rows, "at": known_at}))
    run(
        warehouse.owner,
        "CREATE INDEX ON predictions (ts)",
        "CREATE INDEX ON labels (at)",
        "ANALYZE predictions",
        "ANALYZE labels",
    )
    until = START + 40 * DAY
    absent = {"value": 0, "after": "3d"}
    with open_logs(warehouse.monitor(labels={**JOINED, "absent": absent})) as logs:
        with noted(logs) as asked:
            found = logs.landed(until - HOUR, until, since=until - 4 * DAY)
        plan = explained(warehouse, asked[-1])
    assert sum(found.values()) == pytest.approx(2 * rows / days / 24, abs=2)
    read = Counter[str]()
    for node in nodes([plan], "Plans"):
        if relation := node.get("Relation Name"):
            loops = node["Actual Loops"]
            lost = node.get("Rows Removed by Filter", 0) + node.get(
                "Rows Removed by Index Recheck", 0
            )
            read[relation] += round((node["Actual Rows"] + lost) * loops)
    hour, stretch = rows / days / 24, 4 * rows / days
    assert read["labels"] <= 1.2 * hour
    assert read["predictions"] <= 1.1 * (stretch + hour)


@contextmanager
def noted(logs: Logs) -> Iterator[list[str]]:
    """Note the statements that are asked for their rows."""
    reader, asked = logs._reader, []
    all_rows = reader.all
    reader.all = lambda statement: asked.append(reader.literal(statement)) or all_rows(statement)
    yield asked
    reader.all = all_rows


def explained(warehouse: Warehouse, statement: str) -> dict[str, Any]:
    """Return what PostgreSQL did for a statement."""
    uri = make_url(warehouse.owner).set(drivername="postgresql")
    with psycopg.connect(uri.render_as_string(hide_password=False)) as connection:
        query: Any = "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.replace("%", "%%")
        (row,) = connection.execute(query).fetchall()
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return dict(found[0]["Plan"])


SHAPES = {
    "plain": JOINED,
    "loaded": {**JOINED, "loaded_at": "loaded"},
    "loaded only": {"id": "id", "loaded_at": "loaded", "label": "y", "of": "labels"},
    "events": {**EVENTS, "of": "labels", "join": {"key": "id", "within": "2h"}},
    "loaded events": {
        **EVENTS,
        "of": "labels",
        "loaded_at": "loaded",
        "join": {"key": "id", "within": "2h"},
    },
}


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    absent=st.sampled_from([None, 2, 3]),
    said=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1, max_size=6),
    rows=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([0, 1, None]),
            st.one_of(st.none(), st.integers(0, 8)),
            st.one_of(st.none(), st.integers(0, 8)),
        ),
        min_size=1,
        max_size=12,
    ),
    after=st.integers(0, 8),
    span=st.integers(1, 8),
    since=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_labels_and_the_hours_they_touch_follow_from_their_definition(
    warehouse: Warehouse,
    shape: str,
    absent: int | None,
    said: list,
    rows: list,
    after: int,
    span: int,
    since: int,
    seed: int,
):
    """Whatever the shape, the order of arrival and what is doubled."""
    part = dict(SHAPES[shape])
    if absent:
        part["absent"] = {"value": 7, "after": f"{absent}h"}
    until = after + span

    def known_at(row: tuple) -> int | None:
        return row[3] if "loaded_at" in part else row[2]

    def could(place: int) -> list[tuple]:
        name, hour = said[place]
        own = [row for row in rows if row[0] == name]
        if "join" in part:
            own = [row for row in own if row[2] is not None and hour <= row[2] <= hour + 2]
        return [row for row in own if known_at(row) is not None]

    def newest(row: tuple) -> tuple:
        happened = row[2] if row[2] is not None and "timestamp" in part else -1
        return happened, known_at(row), row[1] is not None, str(row[1])

    def label(place: int, as_of: int) -> int | None:
        there = [row for row in could(place) if known_at(row) <= as_of]
        value = max(there, key=newest)[1] if there else None
        old = absent is not None and said[place][1] + absent <= as_of
        return 7 if value is None and old else value

    expected = Counter[datetime]()
    for place, (_, hour) in enumerate(said):
        landed = any(after < known_at(row) <= until for row in could(place))
        of_age = absent is not None and after < hour + absent <= until
        if since <= hour < until and (landed or of_age):
            expected[START + hour * HOUR] += 1

    log = pa.table(
        {
            "id": [name for name, _ in said],
            "place": list(range(len(said))),
            "ts": times(hours(*(hour for _, hour in said))),
            "score": [0.5] * len(said),
        }
    )
    warehouse.load("predictions", log)
    shuffled = random.Random(seed).sample(rows + rows[:3], len(rows + rows[:3]))
    warehouse.load("labels", labels(shuffled))
    with open_logs(warehouse.monitor(labels=part)) as logs:
        for as_of in (after, until):
            table = logs.rows(
                START, END, {"place": ColumnKind.NUMERIC}, as_of=START + as_of * HOUR
            ).table
            pairs = zip(table["place"].to_pylist(), table[LABEL].to_pylist(), strict=True)
            assert dict(pairs) == {place: label(place, as_of) for place in range(len(said))}
        moments = (START + n * HOUR for n in (after, until, since))
        low, high, first = moments
        assert logs.landed(low, high, since=first) == dict(expected)


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
        last = max((at for key, _, at in rows if key == name), default=None)
        newest = {value for key, value, at in rows if key == name and at == last}
        assert first[name] in (newest or {None})
