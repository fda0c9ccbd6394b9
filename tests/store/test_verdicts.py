"""What rules said: replaced with what was judged, and counted from window to window."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from driftline.domain import Measurement, Outcome, Suite, Verdict, Window
from driftline.store import Store, verdicts
from driftline.store.verdicts import REACH
from tests.store.conftest import MONDAY, RUN, contents, measured, read_back, record

LATER = timedelta(days=1)


def day(number: int) -> Window:
    return Window.ending("1d", MONDAY.end + number * LATER)


def verdict(measurement: Measurement, outcome: str, rule: str = "high", **more: Any) -> Verdict:
    return Verdict(
        rule=rule, measurement=measurement, outcome=Outcome(outcome), reason="says so", **more
    )


def judge(store: Store, *found: Verdict) -> None:
    judged = [one.measurement for one in found]
    with store.begin() as connection:
        verdicts.replace(connection, found, judged=judged, **RUN)


def say(store: Store, number: int, outcome: str, **changes: Any) -> None:
    """Record a measurement of this day, and what was said of it."""
    found = measured(**{"window": day(number), "as_of": day(number).end} | changes)
    with store.begin() as connection:
        known = read_back(connection, found)
        others = [m for m in known if m.series != found.series]
        record(connection, found, *others)
    judge(store, verdict(found, outcome))


def past(store: Store, before: int, **changes: Any) -> dict[str, list[str]]:
    asked = {"cadence": "1d", "config_hash": "config-1", "limit": 10, **changes}
    with store.read() as connection:
        found = verdicts.outcomes(
            connection, "flights", ["high"], before=day(before).start, **asked
        )
    return {series.column_name: [str(o) for o in said] for (_, series), said in found.items()}


def test_verdicts_come_back_as_they_were(store: Store) -> None:
    one, other = measured(), measured(column_name="wind", value=None, reason="no rows")
    with store.begin() as connection:
        record(connection, one, other)
    said = [
        verdict(one, "critical", streak=3, firing=True),
        verdict(one, "warn", rule="higher", streak=1),
        verdict(other, "not_evaluated"),
    ]
    judge(store, *said)
    with store.read() as connection:
        found = verdicts.of_window(connection, "flights", MONDAY, "config-1")
    assert sorted(found, key=repr) == sorted(said, key=repr)


def test_judging_again_replaces_what_was_said_by_whichever_rules(store: Store) -> None:
    one, other = measured(), measured(column_name="wind")
    with store.begin() as connection:
        record(connection, one, other)
    judge(store, verdict(one, "ok", rule="old"), verdict(one, "warn"), verdict(other, "ok"))
    judge(store, verdict(one, "critical"))
    judge(store, verdict(one, "critical"))
    with store.read() as connection:
        found = verdicts.of_window(connection, "flights", MONDAY, "config-1")
    assert {(v.measurement.column_name, v.rule, str(v.outcome)) for v in found} == {
        ("temp", "high", "critical"),
        ("wind", "high", "ok"),
    }


def test_judging_without_rules_takes_back_what_was_said(store: Store) -> None:
    with store.begin() as connection:
        record(connection, measured())
    judge(store, verdict(measured(), "warn"))
    with store.begin() as connection:
        verdicts.replace(connection, [], judged=[], **RUN)
    assert len(contents(store, "verdicts")) == 1
    with store.begin() as connection:
        verdicts.replace(connection, [], judged=[measured()], **RUN)
    assert contents(store, "verdicts") == []


def test_a_verdict_must_be_on_what_was_judged(store: Store) -> None:
    with (
        pytest.raises(ValueError, match="high speaks of psi, which was not judged"),
        store.begin() as connection,
    ):
        verdicts.replace(
            connection,
            [verdict(measured(column_name="wind"), "ok")],
            judged=[measured()],
            **RUN,
        )


def test_outcomes_are_of_earlier_windows_oldest_first(store: Store) -> None:
    for number, outcome in [(2, "critical"), (0, "ok"), (1, "warn"), (3, "ok")]:
        say(store, number, outcome)
    assert past(store, before=3) == {"temp": ["ok", "warn", "critical"]}
    assert past(store, before=0) == {}


def test_the_limit_is_of_each_series(store: Store) -> None:
    for number in range(4):
        say(store, number, "warn" if number % 2 else "ok")
    say(store, 0, "critical", column_name="wind")
    assert past(store, before=4, limit=2) == {"temp": ["ok", "warn"], "wind": ["critical"]}


def test_what_could_not_be_evaluated_neither_counts_nor_resets(store: Store) -> None:
    say(store, 0, "warn")
    for number in range(1, 20):
        say(store, number, "not_evaluated")
    assert past(store, before=20, limit=1) == {"temp": ["warn"]}


def test_a_long_silence_ends_a_series(store: Store) -> None:
    say(store, 0, "warn")
    assert past(store, before=REACH, limit=1) == {"temp": ["warn"]}
    assert past(store, before=REACH + 1, limit=1) == {}


def test_only_the_newest_as_of_counts(store: Store) -> None:
    say(store, 0, "critical")
    say(store, 0, "ok", as_of=day(3).end)
    assert past(store, before=1) == {"temp": ["ok"]}


def test_a_newer_as_of_that_could_not_be_evaluated_hides_the_older(store: Store) -> None:
    say(store, 0, "critical")
    say(store, 0, "not_evaluated", as_of=day(3).end, value=None, reason="the labels are gone")
    assert past(store, before=1) == {}


def test_other_configurations_cadences_and_rules_do_not_count(store: Store) -> None:
    say(store, 0, "critical", config_hash="config-0")
    say(store, 0, "warn", window=Window.ending("7d", day(0).end))
    say(store, 0, "ok")
    assert past(store, before=1) == {"temp": ["ok"]}
    assert past(store, before=1, config_hash="config-0") == {"temp": ["critical"]}
    with store.read() as connection:
        assert not verdicts.history(
            connection, "flights", ["low"], cadence="1d", config_hash="config-1"
        )


def test_other_monitors_do_not_count(store: Store) -> None:
    say(store, 0, "ok")
    say(store, 1, "critical", monitor="ferries")
    assert past(store, before=2) == {"temp": ["ok"]}


def test_the_history_tells_when(store: Store) -> None:
    for number, outcome in enumerate(["ok", "warn", "not_evaluated", "critical"]):
        say(store, number, outcome)
    with store.read() as connection:
        found = verdicts.history(
            connection,
            "flights",
            ["high"],
            cadence="1d",
            config_hash="config-1",
            start=day(1).start,
        )
    assert found == {
        ("high", measured().series): [
            (day(1).end, Outcome.WARN),
            (day(3).end, Outcome.CRITICAL),
        ]
    }


def test_failures_are_what_still_stands(store: Store) -> None:
    say(store, 0, "critical")
    say(store, 1, "critical")
    say(store, 1, "ok", as_of=day(5).end)  # restated
    say(store, 2, "warn")
    say(store, 3, "critical", config_hash="config-2")
    say(store, 4, "critical")

    def failed(outcome: str = "critical", suite: Suite = Suite.DRIFT, end: int = 9) -> list[Window]:
        with store.read() as connection:
            found = verdicts.failures(
                connection,
                "flights",
                suite=suite,
                outcome=Outcome(outcome),
                config_hash="config-1",
                start=day(0).start,
                end=day(end).end,
            )
        assert {(rule, series) for rule, series, _ in found} <= {("high", measured().series)}
        return [window for _, _, window in found]

    assert failed() == [day(0), day(4)]
    assert failed(end=3) == [day(0)]
    assert failed("warn") == [day(2)]
    assert failed(suite=Suite.QUALITY) == []


def test_replacing_tells_whether_anything_is_said_that_was_not(store: Store) -> None:
    one = measured()
    with store.begin() as connection:
        record(connection, one)

        def replaced(*found: Verdict) -> bool:
            return verdicts.replace(connection, found, judged=[one], **RUN)

        assert not replaced()
        assert replaced(verdict(one, "warn"))
        assert not replaced(verdict(one, "warn"))
        assert replaced(verdict(one, "ok"))
        assert replaced()
        assert not replaced()
        assert replaced(verdict(one, "ok"), verdict(one, "ok", rule="another"))
    assert all("run-1" in row for row in contents(store, "verdicts"))


def test_what_was_judged_after_an_interval_comes_in_order(store: Store) -> None:
    """Hours and days that end later, a day after the hour that ends with it."""
    hour = timedelta(hours=1)
    noon = Window.ending("1h", day(1).end - 12 * hour)
    evening = Window.ending("1h", day(1).end)
    for window in (day(1), evening, noon, day(2), Window.ending("7d", day(1).end), day(9)):
        say(store, 0, "ok", window=window, as_of=window.end)
    say(store, 3, "ok", as_of=day(4).end)  # not judged in its own turn
    say(store, 4, "ok", config_hash="config-2")
    say(store, 5, "ok", monitor="ferries")

    def after(interval: Window, longest: timedelta = 7 * LATER) -> list[Window]:
        with store.read() as connection:
            return verdicts.judged_after(
                connection, "flights", interval, "config-1", longest=longest
            )

    assert after(noon, 2 * LATER) == [evening, day(1), day(2), day(9)]
    assert after(evening, LATER) == [day(1), day(2), day(9)]
    assert after(day(1), LATER) == [day(2), day(9)]
    assert after(day(2), LATER) == [day(9)]
    assert after(day(9)) == []


def test_whether_a_reason_begins_so_is_asked_of_a_stretch_of_time(store: Store) -> None:
    say(store, 1, "ok")
    other = measured(window=day(1), as_of=day(1).end, config_hash="config-2")
    with store.begin() as connection:
        record(connection, other)
    judge(store, replace(verdict(other, "ok"), reason="100% of it"))

    def said(beginning: str, after: int, until: int, **place: str) -> bool:
        asked = {"monitor": "flights", "config_hash": "config-1", **place}
        bounds = {"after": day(after).end, "until": day(until).end}
        with store.read() as connection:
            return verdicts.says(connection, beginning=beginning, **asked, **bounds)

    assert said("says", 0, 1)
    assert not any([said("says", 1, 9), said("says", 0, 0), said("so", 0, 1), said("s%s", 0, 1)])
    assert not said("says", 0, 1, monitor="ferries")
    assert not said("says", 0, 1, config_hash="config-2")
    assert said("100%", 0, 1, config_hash="config-2")


def test_failures_are_of_windows_inside_the_stretch(store: Store) -> None:
    say(store, 1, "critical", suite=Suite.QUALITY)
    own = {"suite": Suite.QUALITY, "outcome": Outcome.CRITICAL, "config_hash": "config-1"}

    def windows(start: timedelta, end: timedelta) -> list[Window]:
        span = {"start": day(1).start + start, "end": day(1).end + end}
        with store.read() as connection:
            found = verdicts.failures(connection, "flights", **own, **span)
        return [window for *_, window in found]

    second = timedelta(seconds=1)
    assert windows(0 * second, 0 * second) == [day(1)]
    assert windows(second, LATER) == windows(-LATER, -second) == []


def test_the_verdicts_of_a_window_come_in_order(store: Store) -> None:
    columns = [measured(column_name=name) for name in ("c", "a", "b")]
    with store.begin() as connection:
        record(connection, *columns)
    judge(store, *(verdict(one, "ok", rule=rule) for one in columns for rule in ("z", "y")))
    with store.read() as connection:
        found = verdicts.of_window(connection, "flights", MONDAY, "config-1")
    order = [(one.rule, one.measurement.column_name) for one in found]
    assert order == [(rule, name) for rule in "yz" for name in "abc"]
