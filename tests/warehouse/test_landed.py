"""Which hours newly known labels touch."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.profile.rows import LABEL
from driftline.warehouse import Logs, open_logs
from driftline.warehouse.dialects.cost import nodes
from tests.conftest import run
from tests.warehouse.test_labels import (
    END,
    EVENTS,
    FORMS,
    JOINED,
    START,
    hours,
    labels,
    predictions,
    times,
)
from tests.warehouses import Warehouse, make_warehouse


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
