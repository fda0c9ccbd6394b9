"""Ids of two types: which prediction finds which label."""

import pyarrow as pa
import pytest

from driftline.domain import DAY
from driftline.errors import LogError
from driftline.profile.rows import LABEL
from driftline.warehouse import open_logs
from tests.conftest import run
from tests.warehouse.test_labels import START, hours, known, predictions, times
from tests.warehouses import Warehouse, documents

IDS = [0, 7, 120, 2**53 - 1]
LATER = START + 3 * DAY
KEYS = pa.table(
    {
        "whole": pa.array(IDS, pa.int64()),
        "text": [str(number) for number in IDS],
        "double": [float(number) for number in IDS],
        "decimal": pa.array(IDS, pa.int64()),
        "cents": pa.array(IDS, pa.int64()),
        "float_text": [f"{number}.0" for number in IDS],
        "document": documents({"id": number} for number in IDS),
        "padded": [f"{number:020d}" for number in IDS],
    }
)
TYPES = {"decimal": "DECIMAL(20,0)", "cents": "DECIMAL(38,2)"}
NUMBERS = ("whole", "double", "decimal", "cents")


def load(warehouse: Warehouse) -> None:
    stamps = times(hours(*range(len(IDS))))
    log = KEYS.append_column("ts", stamps).append_column("score", pa.array([0.5] * len(IDS)))
    # The labels say which row they are of, and stand in another order.
    truth = KEYS.append_column("y", pa.array(range(len(IDS)))).take([2, 0, 3, 1])
    for name, rows in (("predictions", log), ("labels", truth)):
        warehouse.load(name, rows, json=["document"], types=TYPES)


def joined(warehouse: Warehouse, own: str, other: str) -> list[int | None]:
    """Return the labels that predictions find, in the order of their time."""
    monitor = warehouse.monitor(
        predictions={"id": own}, labels={"id": other, "label": "y", "of": "labels"}
    )
    with open_logs(monitor) as logs:
        rows = logs.rows(START, START + DAY, {}).table.sort_by("@@timestamp")
        assert logs.counts(None, None).labelled == len(rows) - rows[LABEL].null_count
    return rows[LABEL].to_pylist()


def test_numbers_and_text_of_one_id_meet(warehouse: Warehouse):
    load(warehouse)
    pairs = [(own, other) for own in NUMBERS for other in (*NUMBERS, "text", "document.id")]
    pairs += [(other, own) for own, other in pairs]
    pairs += [("text", "document.id"), *((number, "float_text") for number in NUMBERS)]
    for own, other in dict.fromkeys(pairs):
        assert joined(warehouse, own, other) == [0, 1, 2, 3], (own, other)


def test_leading_zeros_are_another_id(warehouse: Warehouse):
    load(warehouse)
    for own, other in (("padded", "whole"), ("double", "padded"), ("decimal", "padded")):
        assert joined(warehouse, own, other) == [None] * 4, (own, other)
    assert joined(warehouse, "padded", "padded") == [0, 1, 2, 3]


@pytest.mark.parametrize("warehouse", ["duckdb", "postgresql"], indirect=True)
def test_a_uuid_meets_text_in_any_case_and_without_dashes(warehouse: Warehouse):
    digits = [f"{number:x}".rjust(32, "a") for number in (11, 12, 13)]
    dashed = [f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}" for d in digits]
    warehouse.load("predictions", predictions(dashed), types={"id": "UUID"})
    for written in (digits, dashed, [word.upper() for word in dashed]):
        truth = pa.table({"id": written, "y": [0, 1, 2], "at": times(hours(1, 1, 1))})
        warehouse.load("labels", truth)
        assert sorted(known(warehouse).values()) == [0, 1, 2]
    warehouse.load("labels", truth, types={"id": "UUID"})
    assert sorted(known(warehouse).values()) == [0, 1, 2]


def test_doubles_that_are_not_told_apart_are_refused(warehouse: Warehouse):
    ids = [10**17 + number for number in range(5)]
    warehouse.load("predictions", predictions(ids))
    truth = pa.table({"id": [float(i) for i in ids], "y": range(5), "at": times(hours(*range(5)))})
    warehouse.load("labels", truth)
    with pytest.raises(LogError, match=r"labels\.id: id of .* is .*, which does not tell whole"):
        known(warehouse)
    warehouse.load("labels", predictions(ids).append_column("y", pa.array(range(5))))
    assert known(warehouse, labels={"id": "id", "label": "y", "of": "labels"}) is not None


def test_one_large_double_finds_no_label_and_stops_none(warehouse: Warehouse):
    ids = [1, 2, 2**53 + 1]
    warehouse.load("predictions", predictions(ids))
    rows = {"id": [1.0, 2.0, float(2**53)], "y": [0, 1, 1], "at": times(hours(1, 1, 1))}
    warehouse.load("labels", pa.table(rows))
    assert list(known(warehouse).values()) == [0, 1, None]


@pytest.mark.parametrize("warehouse", ["duckdb", "postgresql"], indirect=True)
def test_doubles_of_32_bits_tell_fewer_apart(warehouse: Warehouse):
    ids = [3, 2**24 + 1]
    warehouse.load("predictions", predictions(ids))
    rows = pa.table({"id": [3.0, 2.0**24], "y": [1, 0], "at": times(hours(1, 1))})
    warehouse.load("labels", rows, types={"id": "REAL"})
    assert list(known(warehouse).values()) == [1, None]


def test_events_meet_by_keys_of_two_types(warehouse: Warehouse):
    log = predictions(["a", "b"]).append_column("customer", pa.array(["5", "12"]))
    warehouse.load("predictions", log)
    events = pa.table({"customer": [5.0, 12.0, 7.0], "at": times(hours(1, 2, 3)), "y": [0, 1, 1]})
    warehouse.load("labels", events)
    join = {"key": "customer", "within": "1d"}
    shape = {"label": "y", "timestamp": "at", "of": "labels", "join": join}
    assert known(warehouse, labels=shape) == {"a": 0, "b": 1}
    with open_logs(warehouse.monitor(labels=shape)) as logs:
        assert sum((logs.landed(START, LATER, since=START) or {}).values()) == 2


@pytest.mark.parametrize("warehouse", ["postgresql", "duckdb"], indirect=True)
def test_an_enumeration_meets_text(warehouse: Warehouse):
    kind = "ENUM('a', 'b')"
    if warehouse.reader:
        run(warehouse.owner, f"CREATE TYPE letter AS {kind}")
        kind = "letter"
    warehouse.load("predictions", predictions(["a", "b"]), types={"id": kind})
    truth = pa.table({"id": ["b", "a"], "y": [1, 0], "at": times(hours(1, 1))})
    warehouse.load("labels", truth)
    assert known(warehouse) == {"a": 0, "b": 1}


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_bytes_are_compared_with_bytes_only(warehouse: Warehouse):
    warehouse.load("predictions", predictions(["a", "b"]), types={"id": "bytea"})
    truth = pa.table({"id": ["b", "a"], "y": [1, 0], "at": times(hours(1, 1))})
    warehouse.load("labels", truth)
    with pytest.raises(LogError, match="ids of two types: id is bytea and id is text; bytes are"):
        known(warehouse)


def test_coverage_is_of_predictions_that_are_old_enough(warehouse: Warehouse):
    def of(own: list, other: list, **parts) -> tuple[str, LogError | None]:
        warehouse.load("predictions", predictions(own))
        stamps = times(hours(*(1 for _ in other)))
        rows = pa.table({"id": other, "y": pa.array([1] * len(other), pa.int64()), "at": stamps})
        warehouse.load("labels", rows)
        shape = {"id": "id", "timestamp": "at", "label": "y", "of": "labels", **parts}
        with open_logs(warehouse.monitor(labels=shape)) as logs:
            return logs.coverage(LATER)

    assert of(["a", "b", "c", "d"], ["a", "d"]) == ("50.0% of 4 predictions find a label", None)
    said, fault = of(["Ab", "Ac"], ["ab", "ac"])
    assert said == "0.0% of 2 predictions find a label"
    assert "labels.id: none of 2 predictions older than labels.maturity finds a" in str(fault)
    assert "'Ab'" in str(fault) or "'Ac'" in str(fault)
    positives = {"absent": {"value": 0, "after": "1d"}}
    _, fault = of(["Ab", "Ac"], ["ab"], **positives)
    assert "none of 2 predictions" in str(fault)
    none_yet = pa.array([], pa.string())
    assert of(["a"], none_yet, **positives)[1] is None
    assert "holds no rows" in str(of(["a"], none_yet)[1])
    young = of(["a", "b"], ["c"], maturity="30d")
    assert young == ("0.0% of 0 predictions find a label", None)
