"""The metrics table: never half, never double, and the view that people read."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from driftline.domain import Measurement, Outcome, Suite, Verdict, Window
from driftline.errors import StoreError
from driftline.store import Store, measurements, monitors, verdicts
from driftline.store.tables import metadata
from tests.store.conftest import MONDAY, NOON, RUN, contents, measured, read_back, record

RERUN = ("run_id", "recorded_at")  # "not part of 'a rerun changes nothing'"
TUESDAY = Window.ending("1d", MONDAY.end + timedelta(days=1))
HOUR = Window.ending("1h", MONDAY.end)
LATER = timedelta(days=1)


def use(store: Store, config_hash: str = "config-1") -> None:
    with store.begin() as connection:
        monitors.save(connection, "flights", config_hash, **RUN)


def judge(store: Store, measurement: Measurement, **outcomes: str) -> None:
    found = [
        Verdict(rule=rule, measurement=measurement, outcome=Outcome(outcome), reason="as a test")
        for rule, outcome in outcomes.items()
    ]
    with store.begin() as connection:
        verdicts.replace(connection, found, judged=[measurement], **RUN)


def put(store: Store, *found: Measurement, **changes: Any) -> None:
    with store.begin() as connection:
        record(connection, *found, **changes)


def shown(store: Store, **selected: Any) -> list[Any]:
    with store.read() as connection:
        rows = measurements.current(connection, "flights", **selected)
    return [(row["column_name"], row["value"], row["verdict"]) for row in rows]


@contextmanager
def counted(store: Store) -> Iterator[list[tuple[str, bool]]]:
    """Collect the statements that reach the driver, and whether many rows go with each."""
    seen: list[tuple[str, bool]] = []

    def note(*given: Any) -> None:
        seen.append((given[2], given[5]))

    event.listen(store._engine, "before_cursor_execute", note)
    yield seen
    event.remove(store._engine, "before_cursor_execute", note)


# Writing

WINDOWS = [MONDAY, TUESDAY, HOUR]
RECORDINGS = st.fixed_dictionaries(
    {
        "window": st.sampled_from(WINDOWS),
        "suite": st.sampled_from([Suite.DRIFT, Suite.QUALITY]),
        "late": st.booleans(),
        "config_hash": st.sampled_from(["config-1", "config-2"]),
    }
)


def recording(window: Window, suite: Suite, late: bool, config_hash: str) -> list[Measurement]:
    """Return what a run measures: a function of what it was asked, as every run is."""
    as_of = window.end + LATER if late else window.end
    columns = ["temp", "wind", "carrier"][: 2 + late]
    return [
        measured(
            window=window,
            suite=suite,
            as_of=as_of,
            config_hash=config_hash,
            column_name=column,
            value=len(column) + late + len(config_hash) / 100,
        )
        for column in columns
    ]


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(RECORDINGS, min_size=1, max_size=6), st.data())
def test_any_order_and_repetition_ends_as_one(
    store: Store, asked: list[dict[str, Any]], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(asked), max_size=6))
    shuffled = data.draw(st.permutations(asked + again))
    states = []
    for number, order in enumerate((asked, shuffled)):
        with store.begin() as connection:
            connection.exec_driver_sql("DELETE FROM measurements")
        for one in order:
            found = recording(**one)
            put(store, *found, run_id=f"run-{number}", recorded_at=NOON + number * LATER)
        states.append(contents(store, "measurements", without=RERUN))
    assert states[0] == states[1]
    distinct = {json.dumps(one, default=str, sort_keys=True) for one in asked}
    expected = sum(2 + json.loads(one)["late"] for one in distinct)
    assert len(states[0]) == expected


def test_a_rerun_replaces_its_recording_and_no_other(store: Store) -> None:
    put(store, measured(), measured(column_name="gone", value=1.0))
    neighbours = [
        measured(window=TUESDAY),
        measured(window=HOUR),
        measured(suite=Suite.QUALITY),
        measured(as_of=MONDAY.end + LATER),
        measured(config_hash="config-2"),
        measured(monitor="ferries"),
    ]
    for neighbour in neighbours:
        put(store, neighbour)
    put(store, measured(value=0.5), run_id="run-2")
    rows = contents(store, "measurements")
    assert len(rows) == 1 + len(neighbours)
    assert [row for row in rows if "run-2" in row and 0.5 in row]
    assert not [row for row in rows if "gone" in row]


def test_a_recording_may_be_empty(store: Store) -> None:
    put(store, measured())
    with store.begin() as connection:
        measurements.replace(
            connection,
            [],
            monitor="flights",
            window=MONDAY,
            suite=Suite.DRIFT,
            as_of=MONDAY.end,
            config_hash="config-1",
            **RUN,
        )
    assert contents(store, "measurements") == []


@pytest.mark.parametrize(
    "stranger",
    [
        {"monitor": "ferries"},
        {"window": TUESDAY},
        {"suite": Suite.QUALITY},
        {"as_of": TUESDAY.end},
        {"config_hash": "config-2"},
    ],
)
def test_a_recording_holds_no_strangers(store: Store, stranger: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is no part of drift at 1d 2013-04-01"):
        put(store, measured(), measured(column_name="wind", **stranger))
    assert contents(store, "measurements") == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_null_with_a_reason(store: Store, value: float) -> None:
    put(store, measured(value=value, lower=value, upper=value))
    ((row),) = contents(store, "measurements")
    with store.read() as connection:
        (row,) = measurements.history(connection, "flights")
    assert (row["value"], row["lower"], row["upper"]) == (None, None, None)
    assert row["reason"] == f"the value is not finite ({value})"


def test_the_database_itself_wants_a_reason(store: Store) -> None:
    put(store, measured())
    with pytest.raises(StoreError, match="measurements_missing_has_reason"), store.begin() as c:
        c.exec_driver_sql("UPDATE measurements SET value = NULL")


def test_numbers_come_back_as_they_were(store: Store) -> None:
    numbers = [0.1, 1e-320, -1.7976931348623157e308, 5e-324, 1 / 3, 0.0]
    found = [measured(column_name=str(n), value=number) for n, number in enumerate(numbers)]
    put(store, *found)
    with store.read() as connection:
        assert read_back(connection, found[0]) == found


def test_a_hundred_thousand_rows_are_few_statements(store: Store) -> None:
    found = [measured(column_name=f"c{n}") for n in range(100_000)]
    with counted(store) as seen:
        put(store, *found)
    inserts = [many for statement, many in seen if statement.startswith("INSERT")]
    assert inserts == [True]
    assert len(seen) <= 6
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM measurements").scalar() == 100_000


def test_a_window_is_found_by_the_index(store: Store) -> None:
    for number in range(40):
        window = Window.ending("1d", MONDAY.end + number * LATER)
        found = [measured(window=window, column_name=f"c{n}") for n in range(50)]
        said = [Verdict(rule="high", measurement=m, outcome=Outcome.WARN, reason="") for m in found]
        with store.begin() as connection:
            record(connection, *found)
            verdicts.replace(connection, said, judged=found, **RUN)
    with store.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        plan = connection.exec_driver_sql(
            f"{explain} SELECT * FROM current_measurements WHERE monitor = 'flights' "
            "AND cadence = '1d' AND window_start = '2013-04-01 00:00:00+00:00'"
        ).all()
    text = " ".join(str(row) for row in plan)
    wanted = {
        "sqlite": (
            "SEARCH measurements USING INDEX sqlite_autoindex_measurements_1 "
            "(monitor=? AND cadence=? AND window_start=?",
            "SEARCH v USING INDEX sqlite_autoindex_verdicts_1 (monitor=? AND cadence=?",
        ),
        "postgresql": ("Index Scan on measurements_", "Index Scan using verdicts_pkey"),
    }
    for part in wanted[store._engine.dialect.name]:
        assert part in text, text


# Verdicts, when numbers are measured again


def test_a_rerun_that_measures_the_same_keeps_the_verdicts(store: Store) -> None:
    put(store, measured(), measured(column_name="wind", value=None, reason="no rows"))
    judge(store, measured(), high="critical")
    judge(store, measured(column_name="wind", value=None, reason="no rows"), high="not_evaluated")
    before = contents(store, "verdicts")
    put(store, measured(), measured(column_name="wind", value=None, reason="no rows"), run_id="2")
    assert contents(store, "verdicts") == before
    assert len(before) == 2


def test_no_verdict_outlives_its_number(store: Store) -> None:
    use(store)
    put(store, measured(), measured(column_name="wind"), measured(column_name="gone"))
    for column in ("temp", "wind", "gone"):
        judge(store, measured(column_name=column), high="critical")
    put(store, measured(value=0.1), measured(column_name="wind"))
    assert shown(store) == [("temp", 0.1, None), ("wind", 0.25, "critical")]
    assert len(contents(store, "verdicts")) == 1


# The view


def test_the_view_shows_the_newest_as_of_of_each_number(store: Store) -> None:
    use(store)
    put(store, measured(value=0.3, as_of=MONDAY.end + LATER))
    put(store, measured(value=0.2), measured(value=0.7, column_name="wind"))
    assert shown(store) == [("temp", 0.3, None), ("wind", 0.7, None)]
    with store.read() as connection:
        assert len(measurements.history(connection, "flights")) == 3


def test_a_verdict_on_what_was_known_before_is_not_shown(store: Store) -> None:
    use(store)
    put(store, measured(value=0.9))
    judge(store, measured(value=0.9), high="critical")
    put(store, measured(value=0.1, as_of=MONDAY.end + LATER))
    assert shown(store) == [("temp", 0.1, None)]
    judge(store, measured(value=0.1, as_of=MONDAY.end + LATER), high="ok")
    assert shown(store) == [("temp", 0.1, "ok")]
    assert len(contents(store, "verdicts")) == 2  # what was said then is history, and kept


def test_the_view_shows_the_current_configuration_only(store: Store) -> None:
    put(store, measured(value=0.1))
    put(store, measured(value=0.2, config_hash="config-2", as_of=MONDAY.end + LATER))
    assert shown(store) == []
    use(store)
    assert shown(store) == [("temp", 0.1, None)]
    use(store, "config-2")
    assert shown(store) == [("temp", 0.2, None)]
    with store.read() as connection:
        assert len(measurements.history(connection, "flights")) == 2
        assert len(measurements.history(connection, "flights", config_hash="config-1")) == 1


@pytest.mark.parametrize(
    ("said", "worst"),
    [
        (["ok", "critical", "warn", "not_evaluated"], "critical"),
        (["not_evaluated", "ok", "warn"], "warn"),
        (["not_evaluated", "ok"], "ok"),
        (["not_evaluated"], "not_evaluated"),
        ([], None),
    ],
)
def test_the_view_shows_the_worst_verdict(store: Store, said: list[str], worst: str) -> None:
    use(store)
    put(store, measured(), measured(column_name="wind"))
    judge(store, measured(), **{f"rule-{number}": verdict for number, verdict in enumerate(said)})
    assert shown(store) == [("temp", 0.25, worst), ("wind", 0.25, None)]


SERIES = st.fixed_dictionaries(
    {
        "model_version": st.sampled_from(["", "v1"]),
        "segment": st.sampled_from(["", "origin=JFK"]),
        "detail": st.sampled_from(["", "x"]),
        "column_name": st.sampled_from(["", "temp"]),
        "window": st.sampled_from([MONDAY, HOUR]),
        "days": st.integers(0, 2),
        "config_hash": st.sampled_from(["config-1", "config-2"]),
    }
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SERIES, max_size=25), st.sampled_from(["config-1", "config-2"]))
def test_the_view_is_the_newest_of_each_key(
    store: Store, drawn: list[dict[str, Any]], config_hash: str
) -> None:
    with store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM measurements")
        monitors.save(connection, "flights", config_hash, **RUN)
        by_recording: dict[Any, dict[Any, Measurement]] = {}
        for number, one in enumerate(drawn):
            plain = {name: value for name, value in one.items() if name != "days"}
            as_of = one["window"].end + timedelta(days=one["days"])
            m = measured(as_of=as_of, value=float(number), **plain)
            by_recording.setdefault((m.window, m.as_of, m.config_hash), {})[m.series] = m
        for group in by_recording.values():
            record(connection, *group.values())
        rows = measurements.current(connection, "flights")
    newest: dict[Any, Measurement] = {}
    for _, group in sorted(by_recording.items(), key=lambda item: item[0][1]):
        for m in group.values():
            if m.config_hash == config_hash:
                newest[m.series, m.window] = m
    assert sorted(row["value"] for row in rows) == sorted(m.value for m in newest.values())


# Reading


def test_rows_have_the_columns_of_the_table_in_its_order(store: Store) -> None:
    use(store)
    put(store, measured())
    with store.read() as connection:
        (row,) = measurements.current(connection, "flights")
        (old,) = measurements.history(connection, "flights")
    assert list(row) == [*metadata.tables["measurements"].c.keys(), "verdict"]
    names = (
        "monitor model_version segment cadence window_start window_end suite metric column_name "
        "detail baseline engine value lower upper row_count coverage reason as_of reference_id "
        "config_hash run_id recorded_at"
    )
    assert " ".join(old) == names


def test_rows_are_selected_and_come_in_the_order_of_time(store: Store) -> None:
    use(store)
    for window in (TUESDAY, MONDAY, HOUR):
        put(store, measured(window=window), measured(window=window, column_name="wind"))
    put(store, measured(suite=Suite.QUALITY, metric="row_count", column_name="", segment="a=b"))

    def windows(**selected: Any) -> list[str]:
        with store.read() as connection:
            rows = measurements.current(connection, "flights", **selected)
        return [f"{row['window_start']:%d %H} {row['column_name']}" for row in rows]

    assert windows(column="temp") == ["01 00 temp", "01 23 temp", "02 00 temp"]
    assert windows(cadence="1h") == ["01 23 temp", "01 23 wind"]
    assert windows(suite="quality") == windows(metric="row_count") == ["01 00 "]
    assert windows(segment="a=b") == ["01 00 "]
    assert windows(column="wind", segment="") == ["01 00 wind", "01 23 wind", "02 00 wind"]
    assert windows(start=HOUR.start, end=TUESDAY.start) == ["01 23 temp", "01 23 wind"]
    assert windows(limit=3) == ["01 23 wind", "02 00 temp", "02 00 wind"]
    assert windows(model_version="v9") == []
    with store.read() as connection:
        assert measurements.current(connection, "ferries") == []
        assert measurements.history(connection, "ferries") == []


def test_monitors_are_known_by_their_last_run(store: Store) -> None:
    with store.read() as connection:
        assert monitors.current(connection, "flights") is None
        assert monitors.names(connection) == []
    use(store, "config-1")
    use(store, "config-2")
    with store.read() as connection:
        assert monitors.current(connection, "flights") == "config-2"
        assert monitors.names(connection) == ["flights"]
    ((*_, run_id, _),) = contents(store, "monitors")
    assert run_id == RUN["run_id"]


def test_a_recording_is_read_back_as_it_was_made(store):
    early, late = measured(value=0.4), measured(value=0.5, as_of=MONDAY.end + LATER)
    put(store, early)
    put(store, late)
    with store.read() as connection:
        assert [read_back(connection, one) for one in (early, late)] == [[early], [late]]
        assert read_back(connection, measured(config_hash="another")) == []


def test_what_was_known_of_a_window_before_and_what_is_by_now(store: Store) -> None:
    later, last = MONDAY.end + LATER, MONDAY.end + 2 * LATER
    first, second = measured(value=0.1), measured(value=0.2, as_of=later)
    wind = measured(column_name="wind", metric="ks", value=0.3, as_of=last)
    apart = last + timedelta(hours=1)
    ratio = measured(suite=Suite.PERFORMANCE, metric="f1", column_name="", as_of=apart)
    hour = Window.ending("1h", MONDAY.start + timedelta(hours=1))
    others = [{"monitor": "ferries"}, {"config_hash": "config-2"}, {"window": hour}]
    others += [{"window": Window.ending("1d", later)}]
    for one in (first, second, wind, ratio, *(measured(as_of=apart, **each) for each in others)):
        put(store, one)
    place = ("flights", MONDAY, Suite.DRIFT)
    with store.read() as connection:
        known = measurements.of_window(connection, "flights", MONDAY, "config-1")
        assert known == [wind, second, ratio]
        found = measurements.moments(connection, *place, "config-1")
        assert found == [MONDAY.end, later, last]
        before = [
            measurements.known_before(connection, *place, at, "config-1")
            for at in (MONDAY.end, later, last, last + LATER)
        ]
    assert [sorted(each, key=repr) for each in before] == [
        *([], [first], [second]),
        sorted([second, wind], key=repr),
    ]
