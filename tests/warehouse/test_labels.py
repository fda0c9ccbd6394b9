"""Which label a prediction has, as it was known at a moment."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.errors import LogError
from driftline.profile.rows import KNOWN, LABEL, TIMESTAMP, Counts
from driftline.warehouse import open_logs, open_reference
from tests.warehouses import Warehouse, documents

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


def test_since_when_each_label_is_known(warehouse: Warehouse):
    """By the time of loading where there is one; of a label that a row lacks there is none."""
    warehouse.load("predictions", predictions(["a", "b", "c", "d"]))
    warehouse.load(
        "labels", labels([("a", 0, 5, 8), ("a", 1, 6, 9), ("b", 1, 4, 48), ("c", 1, 4, 49)])
    )
    loaded = JOINED | {"loaded_at": "loaded"}
    untimed = {key: value for key, value in JOINED.items() if key != "timestamp"}
    for asked, since in ((JOINED, (6, 4, 4)), (loaded, (9, 48, None)), (untimed, (None,) * 3)):
        with open_logs(warehouse.monitor(labels=asked)) as logs:
            columns = {"id": ColumnKind.CATEGORICAL}
            for limit in (None, 4):
                drawn = logs.rows(START, END, columns, as_of=AS_OF, limit=limit, dated=True)
                found = dict(
                    zip(*(drawn.table[name].to_pylist() for name in ("id", KNOWN)), strict=True)
                )
                moments = [m and int(m.timestamp()) * 1_000_000 for m in hours(*since, None)]
                assert found == dict(zip("abcd", moments, strict=True))
            assert KNOWN not in logs.rows(START, END, columns, as_of=AS_OF).table.column_names


def test_since_when_a_label_in_the_row_is_known(warehouse: Warehouse):
    rows = predictions(["a", "b"]).append_column("y", pa.array([1, None], pa.int64()))
    warehouse.load("predictions", rows.append_column("at", times(hours(3, None))))
    own = {"label": "y", "timestamp": "at"}
    with open_logs(warehouse.monitor(labels=own)) as logs:
        drawn = logs.rows(START, END, {}, as_of=AS_OF, dated=True).table
        (moment,) = hours(3)
        assert drawn[KNOWN].to_pylist() == [int(moment.timestamp()) * 1_000_000, None]


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
