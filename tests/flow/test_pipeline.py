"""Which windows a run measures, what comes before, and what is kept: no warehouse is asked."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from driftline.domain import DAY, HOUR, Engine, Measurement, Scope, Suite, Window, WindowStatistics
from driftline.errors import InputError, LogError, WarehouseError, WindowClaimed
from driftline.flow import pipeline
from driftline.flow.pipeline import missing_hours, plan, planned, record, references_of, steps
from driftline.flow.step import Result, Step
from driftline.monitor.config import Monitor
from driftline.profile.reference import Reference
from driftline.store import Store, ledger, measurements, references
from driftline.store.ledger import State
from tests.models import START

END = START + 10 * DAY
MIDNIGHT = Window.ending("1d", END)
TOLD: Any = {"run_id": "r"}


def monitor(windows: list[str], more: dict[str, Any] | None = None, **labels: Any) -> Monitor:
    own = {"table": "l", "id": "id", "timestamp": "at", "label": "y", **labels}
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "duckdb:///logs.db",
            "predictions": {"table": "p", "id": "id", "timestamp": "ts", "score": "s"},
            "labels": own,
            "reference": {"window": ["2023-12-01", "2024-01-01"]},
            "windows": windows,
            **(more or {}),
        }
    )


def day(number: int, cadence: str = "1d") -> Window:
    """The window that ends so many days after START."""
    return Window.ending(cadence, START + number * DAY)


def reference(name: str = "r", **changes: Any) -> Reference:
    plain = Reference(
        id=name,
        monitor="model",
        valid_from=START - 30 * DAY,
        start=START - 30 * DAY,
        end=START,
        statistics=WindowStatistics(rows=1000, columns={}),
    )
    return replace(plain, **changes)


class Watched:
    """What a step asks of the warehouse, said beforehand; `asked` holds what it asked for."""

    def __init__(self, watched: Monitor, **said: Any) -> None:
        self.monitor, self.said, self.asked = watched, said, []
        self.logs = SimpleNamespace(
            keep=lambda units: self.asked.append(("keep", units)),
            hourly_rows=lambda *span: self._say("hourly_rows", span),
            landed=lambda *span, since: self._say("landed", (*span, since)),
        )

    def _say(self, name: str, asked: Any) -> Any:
        self.asked.append((name, asked))
        said = self.said.get(name, {})
        if isinstance(said, Exception):
            raise said
        return said(*asked) if callable(said) else said

    @property
    def log_start(self) -> datetime:
        return START - 60 * DAY

    def reference_id(self, window: Window) -> str:
        return f"r {window}"

    def freeze(self, window: Window) -> Reference:
        return self._say("freeze", (window,))


@pytest.mark.parametrize(
    ("maturity", "days"),
    [("1h", 1), ("24h", 1), ("25h", 2), ("36h", 2), ("48h", 2), ("49h", 3), ("30d", 30)],
)
def test_a_window_is_measured_again_on_the_first_day_on_which_its_labels_are_of_age(
    maturity: str, days: int
) -> None:
    watched = monitor(["1d", "7d"], maturity=maturity)
    assert watched.labels
    planned = [step for step in steps(watched, MIDNIGHT) if step.suite is Suite.PERFORMANCE]
    ripe = [step.window for step in planned if step.window.end < END]
    assert ripe == [Window.ending(cadence, END - days * DAY) for cadence in ("1d", "7d")]
    assert {step.as_of for step in planned} == {END}
    assert END - DAY < ripe[0].end + watched.labels.maturity <= END


def test_a_day_leaves_the_hour_that_has_just_ended_to_its_own_run(store: Store) -> None:
    """It fills the hour before its own, and of its own those that ended an hour ago or longer."""
    watched = monitor(["1h", "1d"])

    def ends(now: Any) -> list[Any]:
        return [hour.end for hour in missing_hours(store, watched, MIDNIGHT, now)]

    whole = [END - DAY + HOUR * number for number in range(25)]
    assert ends(END) == ends(END + HOUR - timedelta(seconds=1)) == whole[:-1]
    assert ends(END + HOUR) == whole
    assert ends(END - 3 * HOUR) == whole[:-4]
    first, second = (Window.ending("1h", end) for end in whole[:2])
    done = [*steps(watched, first), steps(watched, second)[0]]  # of the second one step of two
    with store.begin() as connection:
        record(connection, watched, [Result(step=one, reference_id="r") for one in done], "r")
    assert ends(END + HOUR) == whole[1:]


def said(found: Iterable[Step]) -> list[tuple[str, str, int, int]]:
    """Suite, cadence, and how many hours before END a window ends and is measured as known."""
    return [
        (
            str(one.suite),
            one.window.cadence,
            (END - one.window.end) // HOUR,
            (END - one.as_of) // HOUR,
        )
        for one in found
    ]


ALL = {
    "predictions": {
        "table": "p",
        "id": "id",
        "timestamp": "ts",
        "score": "s",
        "prediction": "c",
        "latency_ms": "ms",
    },
    "business": {"sold": "avg(sold)"},
    "rules": [{"metric": "f1", "window": "1h", "min": 0.5}],
}


def test_what_a_day_measures_in_order() -> None:
    """What labels of age restate first, then the day; of its hours performance only."""
    watched = monitor(["1h", "1d", "7d"], ALL, maturity="24h")
    found = said(steps(watched, MIDNIGHT))
    assert found == [
        *(("performance", "1h", 24 + hour, 0) for hour in range(23, -1, -1)),
        *(("performance", cadence, 24, 0) for cadence in ("1d", "7d")),
        ("quality", "1d", 0, 0),
        *(
            (suite, cadence, 0, 0)
            for suite in ("operations", "business")
            for cadence in ("1d", "7d")
        ),
        *(("drift", cadence, 0, 0) for cadence in ("1d", "7d")),
        *(("estimate", cadence, 0, 0) for cadence in ("1d", "7d")),
        *(("performance", "1h", hour, 0) for hour in range(23, -1, -1)),
        *(("performance", cadence, 0, 0) for cadence in ("1d", "7d")),
    ]
    later = steps(watched, MIDNIGHT, END + DAY)
    assert {one.as_of for one in later if one.suite is Suite.PERFORMANCE} == {END + DAY}
    assert {one.as_of for one in later if one.suite is not Suite.PERFORMANCE} == {END}


def test_what_an_hour_measures_and_what_a_plain_monitor_does() -> None:
    hour = Window.ending("1h", END)
    whole = said(steps(monitor(["1h", "1d"], ALL), hour, END + DAY))
    assert whole == [(s, "1h", 0, 0) for s in ("quality", "operations", "business", "drift")]
    bare = monitor(["1d"], {"labels": None})
    assert said(steps(bare, MIDNIGHT)) == [("quality", "1d", 0, 0), ("drift", "1d", 0, 0)]
    assert said(steps(bare, hour)) == [("quality", "1h", 0, 0), ("drift", "1h", 0, 0)]
    known_at_once = monitor(["1d"], {"labels": {"label": "y"}})
    assert [one[:3] for one in said(steps(known_at_once, MIDNIGHT))][-1] == ("performance", "1d", 0)
    assert {one[2] for one in said(steps(known_at_once, MIDNIGHT))} == {0}  # nothing ripens


@pytest.mark.parametrize(
    ("rule", "ripens"),
    [
        ({"metric": "f1", "window": "1h", "min": 0.5}, True),
        ({"metric": "f1", "min": 0.5}, True),
        ({"metric": "f1", "window": "1d", "min": 0.5}, False),
        ({"metric": "psi", "window": "1h", "max": 0.5}, False),
    ],
)
def test_an_hour_ripens_where_a_rule_is_about_it(rule: dict[str, Any], ripens: bool) -> None:
    watched = monitor(["1h", "1d"], {"rules": [rule]}, maturity="24h")
    old = [one for one in steps(watched, MIDNIGHT) if one.window.end <= END - DAY]
    assert {one.window.cadence for one in old} == ({"1h", "1d"} if ripens else {"1d"})


def test_what_came_late_is_measured_before_the_day(store: Store) -> None:
    watched = monitor(["1h", "1d"])
    late = [
        Step(suite=suite, window=day(number), as_of=END)
        for suite in (Suite.PERFORMANCE, Suite.DRIFT, Suite.QUALITY)
        for number in (4, 3)
    ]
    pipeline.claim(
        store, watched, [*late, Step(suite=Suite.DRIFT, window=day(2), as_of=START)], "r"
    )
    with store.read() as connection:
        found = planned(connection, watched, MIDNIGHT)
        hour = planned(connection, watched, Window.ending("1h", END))
    assert hour == steps(watched, Window.ending("1h", END))
    before = [("drift", 3), ("drift", 4), ("performance", 3), ("performance", 4)]
    assert [(str(one.suite), (one.window.end - START) // DAY) for one in found[:4]] == before
    assert found[4:] == steps(watched, MIDNIGHT)
    assert len(found) == len(set(found))


def test_what_is_yet_to_come_is_refused() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    with pytest.raises(InputError, match=rf"^--to, {soon:%F %H:%M} UTC, is yet to come"):
        pipeline.refuse_future("--to", soon)
    pipeline.refuse_future("--to", soon, skew=timedelta(minutes=1))
    pipeline.refuse_future("--to", None)
    pipeline.refuse_future("--to", datetime.now(UTC))


def test_a_step_is_one_runs_until_it_is_recorded(store: Store) -> None:
    watched = monitor(["1d"])
    step, other = steps(watched, MIDNIGHT)[:2]
    pipeline.claim(store, watched, [step], "r")
    pipeline.claim(store, watched, [step], "r")
    with pytest.raises(WindowClaimed, match="is being measured by r"):
        pipeline.claim(store, watched, [other, step], "s")
    assert pipeline.done_before(store, watched, [step, other]) == []
    with store.begin() as connection:
        record(connection, watched, [Result(step=step, reference_id="r", rows=5)], "r")
    pipeline.claim(store, watched, [other], "s")
    assert pipeline.done_before(store, watched, [step, other]) == [step]
    assert pipeline.done_before(store, watched, [replace(step, as_of=END + DAY)]) == []
    assert pipeline.done_before(store, watched, []) == []


def test_what_a_step_came_to_stands_in_the_ledger(store: Store) -> None:
    watched = monitor(["1d"])
    first, second, third = steps(watched, MIDNIGHT)[:3]
    with store.begin() as connection:
        results = [
            Result(step=first, reference_id="r", rows=5, coverage=0.5),
            Result(step=second, reference_id="r", error="it is down"),
            Result(step=third, reference_id="r", not_evaluated="no log yet"),
        ]
        record(connection, watched, results, "r")
        found = {
            (one.suite, one.window, one.as_of): (one.state, one.rows, one.coverage, one.error)
            for one in ledger.of(connection, "model", config_hash=watched.config_hash)
        }
    assert found == {
        (first.suite, first.window, first.as_of): (State.DONE, 5, 0.5, ""),
        (second.suite, second.window, second.as_of): (State.FAILED, None, None, "it is down"),
        (third.suite, third.window, third.as_of): (State.NOT_EVALUATED, None, None, "no log yet"),
    }


def measured(step: Step, watched: Monitor, value: float, coverage: float = 1.0) -> Measurement:
    scope = Scope(
        monitor="model", window=step.window, as_of=step.as_of, config_hash=watched.config_hash
    )
    return scope.measurement(
        step.suite, "f1", value, engine=Engine.PROFILE, row_count=10, coverage=coverage
    )


def know(store: Store, watched: Monitor, *known: tuple[float, float, float]) -> list[list[float]]:
    """Record what was known of a day's f1 (after hours, value, coverage); return what is kept."""
    window = day(3)
    kept = []
    with store.begin() as connection:
        for hours, value, coverage in known:
            step = Step(
                suite=Suite.PERFORMANCE, window=window, as_of=window.end + timedelta(hours=hours)
            )
            found = (measured(step, watched, value, coverage),)
            record(
                connection, watched, [Result(step=step, reference_id="r", measurements=found)], "r"
            )
        for hours in sorted({hours for hours, *_ in known}):
            at = window.end + timedelta(hours=hours)
            recorded = measurements.recorded(
                connection, "model", window, Suite.PERFORMANCE, at, watched.config_hash
            )
            kept += [[hours, one.value, one.coverage] for one in recorded]
    return kept


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ([(0, 0.5, 0.1), (24, 0.5, 0.1)], [[0, 0.5, 0.1]]),
        ([(0, 0.5, 0.1), (24, 0.6, 0.1)], [[0, 0.5, 0.1], [24, 0.6, 0.1]]),
        ([(24, 0.6, 0.1)], [[24, 0.6, 0.1]]),
        # Of age after 36 hours: what was not judged for want of labels is said once more, once.
        ([(0, 0.5, 0.1), (36, 0.5, 0.1), (48, 0.5, 0.1)], [[0, 0.5, 0.1], [36, 0.5, 0.1]]),
        ([(0, 0.5, 0.1), (35, 0.5, 0.1)], [[0, 0.5, 0.1]]),
        ([(0, 0.5, 0.8), (48, 0.5, 0.8)], [[0, 0.5, 0.8]]),
        ([(36, 0.5, 0.1), (48, 0.5, 0.1)], [[36, 0.5, 0.1]]),
        # What is measured late takes the news from what was measured before it.
        ([(24, 0.6, 0.1), (0, 0.6, 0.1)], [[0, 0.6, 0.1]]),
        ([(24, 0.6, 0.1), (0, 0.5, 0.1)], [[0, 0.5, 0.1], [24, 0.6, 0.1]]),
    ],
)
def test_only_what_is_news_is_kept_of_what_was_known_later(
    store: Store, known: list[Any], kept: list[Any]
) -> None:
    watched = monitor(["1d"], maturity="36h", min_coverage=0.8)
    assert know(store, watched, *known) == kept


def test_a_reference_is_frozen_once_and_failures_are_those_of_their_windows(store: Store) -> None:
    watched = monitor(["1d", "7d"])
    watch: Any = Watched(watched, freeze=lambda window: reference(units={"ts": 6}))
    both = [Step(suite=Suite.DRIFT, window=day(9, one), as_of=END) for one in ("1d", "7d")]
    compared, missed = references_of(store, watch, [*both, both[0]])
    assert (set(compared), missed) == ({one.window for one in both}, [])
    assert {one.id for one in compared.values()} == {"r"}
    # The second window finds it kept, and learns in which unit its times were read.
    assert watch.asked == [("freeze", (both[0].window,)), ("keep", {"ts": 6})]
    with store.read() as connection:
        known = references.in_force(connection, "model", watched.config_hash, START)
    assert known == compared[both[0].window]


@pytest.mark.parametrize(
    ("error", "sliding", "state"),
    [
        (WarehouseError("it is down"), False, State.FAILED),
        (WarehouseError("it is down"), True, State.FAILED),
        (ZeroDivisionError("oh"), False, State.FAILED),
        (LogError("no rows"), True, State.NOT_EVALUATED),
        (LogError("no rows"), False, None),
    ],
)
def test_a_window_without_a_reference_is_a_result_of_all_its_steps(
    store: Store, error: Exception, sliding: bool, state: State | None
) -> None:
    sort = {"reference": {"previous": "28d"}} if sliding else {}
    watch: Any = Watched(monitor(["1d"], sort), freeze=error)
    todo = [Step(suite=suite, window=day(9), as_of=END) for suite in (Suite.DRIFT, Suite.QUALITY)]
    if state is None:
        with pytest.raises(LogError):
            references_of(store, watch, todo)
        return
    compared, missed = references_of(store, watch, todo)
    assert compared == {}
    assert [(one.step, one.state, one.reference_id) for one in missed] == [
        (step, state, "") for step in todo
    ]
    assert all(one.error or one.not_evaluated for one in missed)
    assert len([asked for asked in watch.asked if asked[0] == "freeze"]) == 1


def drifted(store: Store, watched: Monitor, *windows: Window) -> None:
    """Say that the drift of these windows was measured."""
    found = [
        Result(step=Step(suite=Suite.DRIFT, window=one, as_of=one.end), reference_id="r")
        for one in windows
    ]
    with store.begin() as connection:
        references.save(connection, reference(), config_hash=watched.config_hash)
        record(connection, watched, found, "r")


def test_rows_that_came_late_restate_the_windows_that_hold_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = monitor(["1d", "7d"], {"labels": None})
    assert watched.predictions.lookback == 3 * DAY
    drifted(store, watched, day(6), day(7), day(8), day(9), day(8, "7d"), day(9, "7d"), MIDNIGHT)
    late = {END - 2 * DAY}  # the first hour of day 9
    seen: list[Any] = []

    def changed(_: Any, __: Any, of: Reference, rows: Any, span: Any) -> set[datetime]:
        seen.append((of.id, rows, span))
        return late

    monkeypatch.setattr("driftline.flow.column_hours.changed", changed)
    monkeypatch.setattr(
        "driftline.flow.column_hours.recount", lambda *given: seen.append(given[2:])
    )
    watch: Any = Watched(watched, hourly_rows={END: 5})
    todo, failed = plan(store, watch, MIDNIGHT, "r")
    assert failed == []
    restated = [one.window for one in todo if one.window.end < END]
    assert restated == [day(9), day(9, "7d")]
    assert {one.as_of for one in todo} == {END}
    span = END - 3 * DAY, END
    assert watch.asked == [("hourly_rows", span)]
    assert seen == [("r", {END: 5}, span), (reference(), late, "r")]


@pytest.mark.parametrize(
    ("more", "interval"),
    [
        ({"reference": {"previous": "28d"}}, MIDNIGHT),
        (
            {"predictions": {"table": "p", "timestamp": "t", "score": "s", "lookback": "0h"}},
            MIDNIGHT,
        ),
        ({}, Window.ending("1h", END)),
    ],
)
def test_where_nothing_may_come_late_the_log_is_not_asked(
    store: Store, more: dict[str, Any], interval: Window
) -> None:
    watched = monitor(["1d"], {"labels": None, **more})
    drifted(store, watched, day(9))
    watch: Any = Watched(watched, hourly_rows=WarehouseError("it was asked"))
    assert plan(store, watch, interval, "r") == (steps(watched, interval), [])
    assert watch.asked == []


def test_a_log_that_cannot_be_asked_for_late_rows_is_asked_the_next_day(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    watched = monitor(["1d"], {"labels": None})
    drifted(store, watched, day(9))
    watch: Any = Watched(watched, hourly_rows=WarehouseError("it is\ndown"))
    with caplog.at_level(logging.WARNING):
        assert plan(store, watch, MIDNIGHT, "r") == (steps(watched, MIDNIGHT), [])
    assert "late rows were not looked for before" in caplog.text
    assert len(caplog.records) == 1
    assert plan(store, watch, MIDNIGHT, "r", suites=[Suite.PERFORMANCE])[1] == []
    assert len(caplog.records) == 1


def test_performance_is_not_measured_where_labels_cannot_be_followed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> Any:
        raise WarehouseError("it is down")

    monkeypatch.setattr("driftline.flow.outcome_hours.follow", down)
    watched = monitor(["1d"])
    watch: Any = Watched(watched)
    todo, failed = plan(store, watch, MIDNIGHT, "r")
    own = steps(watched, MIDNIGHT)
    assert todo == [one for one in own if one.suite is not Suite.PERFORMANCE]
    assert [(one.step, one.error, one.reference_id) for one in failed] == [
        (one, "it is down", "") for one in own if one.suite is Suite.PERFORMANCE
    ]
    for unasked in ({"suites": [Suite.DRIFT]}, {"as_of": END + DAY}):
        assert plan(store, watch, MIDNIGHT, "r", **unasked)[1] == []
    assert plan(store, watch, MIDNIGHT, "r", as_of=END)[1] == failed


def test_labels_restate_what_they_touch_but_for_the_days_own_windows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def follow(*given: Any) -> list[Window]:
        asked.append(given[2:])
        return [day(8), MIDNIGHT]

    monkeypatch.setattr("driftline.flow.outcome_hours.follow", follow)
    watched = monitor(["1d"], maturity="30d")
    pending = steps(watched, day(9))
    watch: Any = Watched(watched)
    todo, failed = plan(store, watch, MIDNIGHT, "r", pending=pending)
    assert (failed, watch.asked) == ([], [])  # of what is not kept no rows can be late
    restated = Step(suite=Suite.PERFORMANCE, window=day(8), as_of=END)
    assert todo == [restated, *steps(watched, MIDNIGHT)]
    ((interval, progress, late, run_id, known),) = asked
    assert (interval, late, run_id) == (MIDNIGHT, set(), "r")
    assert known == [one for one in pending if one.suite is Suite.PERFORMANCE]
    assert (progress.last, progress.later) == (day(9).end, ())
    with pytest.raises(WindowClaimed):
        pipeline.claim(store, watched, [restated], "s")


def test_a_day_that_is_measured_after_later_ones_says_what_each_of_them_could_know(
    store: Store,
) -> None:
    """Labels of day 8 came on the days after; days 9 and 10 were measured, and 9 knew it."""
    watched = monitor(["1h", "1d", "7d"], maturity="24h")
    later = [
        Result(
            step=Step(suite=Suite.PERFORMANCE, window=day(n), as_of=day(n).end), reference_id="r"
        )
        for n in (9, 10, 11)
    ]
    known = Step(suite=Suite.PERFORMANCE, window=day(8), as_of=day(9).end)
    with store.begin() as connection:
        record(connection, watched, [*later, Result(step=known, reference_id="r")], "r")
    first, last = day(8).start, day(8).end - HOUR

    def landed(after: datetime, end: datetime, since: datetime) -> Any:
        assert since == day(7).start  # the day whose labels are of age by now
        assert after == end - DAY
        return {day(9).end: {first: 1}, day(10).end: {last: 2}, day(11).end: None}[end]

    watch: Any = Watched(watched, landed=landed)
    todo, failed = plan(store, watch, day(8), "r", suites=[Suite.PERFORMANCE])
    assert failed == []
    added = [(one.window, (one.as_of - START) // DAY) for one in todo if one.as_of > day(8).end]
    assert added == [
        (Window.ending("1h", first + HOUR), 9),
        (Window.ending("1h", last + HOUR), 10),
        (day(8), 10),
    ]


def test_the_reference_that_another_run_kept_meanwhile_is_the_one(store: Store) -> None:
    watched = monitor(["1d"])

    def freeze(_: Window) -> Reference:
        with store.begin() as connection:
            references.save(connection, reference(daily_rows=(1,)), watched.config_hash)
        return reference(daily_rows=(2,))

    watch: Any = Watched(watched, freeze=freeze)
    compared, _ = references_of(store, watch, steps(watched, MIDNIGHT))
    assert compared[MIDNIGHT].daily_rows == (1,)


def test_what_is_counted_is_what_the_ready_steps_are_measured_from(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that cannot be counted fail alone; quality is measured from the log itself."""
    watched = monitor(["1d", "7d"])
    watch: Any = Watched(watched, freeze=lambda _: reference())
    todo = steps(watched, MIDNIGHT)
    drift, week = (one for one in todo if one.suite is Suite.DRIFT)
    performance, *others = (one for one in todo if one.suite is Suite.PERFORMANCE)
    columns, outcomes = object(), object()
    given = []

    def count(known: Any, failed: Step) -> Any:
        def counted(*args: Any, **named: Any) -> Any:
            given.append((*args, named))
            return known, [Result(step=failed, reference_id="r", error="it is down")]

        return counted

    monkeypatch.setattr("driftline.flow.column_hours.count", count({MIDNIGHT: columns}, week))
    monkeypatch.setattr(
        "driftline.flow.outcome_hours.count", count({performance: outcomes}, others[0])
    )
    named: Any = {"run_id": "r", "again": [drift]}
    compared, counted, ready, failed = pipeline.prepare(store, watch, todo, **named, until=END)
    assert set(compared) == {one.window for one in todo}
    assert counted == {performance: outcomes, drift: columns}
    assert ready == [one for one in todo if one not in (week, others[0])]
    assert [one.step for one in failed] == [week, others[0]]
    same = (store, watch, todo, compared)
    assert given == [(*same, named | {"until": END}), (*same, named)]
