"""What a run concludes from what is recorded: incidents, and who is told; no warehouse is asked."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, select

from driftline.alerts.notice import Notice
from driftline.domain import (
    DAY,
    HOUR,
    ColumnKind,
    ColumnStatistics,
    Engine,
    Explanation,
    Incident,
    Outcome,
    Retraining,
    RetrainingState,
    Scope,
    Series,
    Suite,
    Window,
    WindowStatistics,
)
from driftline.flow.conclusion import Conclusion, Unexplained, conclude, unjudged
from driftline.flow.pipeline import planned
from driftline.flow.reports import Links
from driftline.monitor.config import Monitor
from driftline.profile.reference import Reference
from driftline.store import (
    Store,
    explanations,
    incidents,
    ledger,
    measurements,
    outbox,
    references,
    retrainings,
    tables,
    upgrade,
)
from driftline.store.ledger import Entry, State
from driftline.suites.expectations import default_expectations
from tests.models import START

REFERENCE = Reference(
    id="r",
    monitor="model",
    valid_from=START - 30 * DAY,
    start=START - 30 * DAY,
    end=START,
    statistics=WindowStatistics(rows=1000, columns={}),
)
HIGH = {"name": "high", "metric": "psi", "columns": "x", "window": "1d", "max": 0.2}
FINE, BAD = 0.1, 0.5
Said = tuple[Suite, str, float, dict[str, Any]]


def monitor(*rules: dict[str, Any], **changes: Any) -> Monitor:
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "duckdb:///logs.db",
            "predictions": {"table": "p", "timestamp": "ts", "score": "s"},
            "reference": {"window": ["2023-12-01", "2024-01-01"]},
            "windows": ["1h", "1d"],
            "rules": rules,
            **changes,
        }
    )


def day(number: int) -> Window:
    return Window.ending("1d", START + number * DAY)


def record(
    connection: Connection,
    watched: Monitor,
    window: Window,
    value: float,
    as_of: datetime | None = None,
    nulls: float | None = None,
    more: Iterable[Said] = (),
    rows: int = 1000,
) -> None:
    """Record the drift of x in a window, its share of nulls and what more there is of it all."""
    told = {"run_id": "r", "recorded_at": START}
    named = {
        "monitor": "model",
        "window": window,
        "as_of": as_of or window.end,
        "config_hash": watched.config_hash,
    }
    of_x = {"column_name": "x", "engine": Engine.PROFILE, "row_count": 1000}
    scope = Scope(**named, reference_id="r")
    found = [scope.measurement(Suite.DRIFT, "psi", value, baseline="reference", **of_x)]
    if nulls is not None:
        found.append(scope.measurement(Suite.QUALITY, "null_share", nulls, **of_x))
    found += [
        replace(scope.measurement(suite, metric, said, engine=Engine.PROFILE), **rest)
        for suite, metric, said, rest in more
    ]
    for suite in {one.suite for one in found}:
        own = [one for one in found if one.suite is suite]
        measurements.replace(connection, own, suite=suite, **named, **told)
        entry = Entry(**named, suite=suite, state=State.DONE, rows=rows)
        ledger.mark(connection, [entry], **told)


def run(
    store: Store,
    watched: Monitor,
    interval: Window,
    value: float = FINE,
    *,
    nulls: float | None = None,
    more: Iterable[Said] = (),
    page: bool = True,
    compared: bool = True,
    reference: Reference = REFERENCE,
    as_of: datetime | None = None,
    rows: int = 1000,
    **rest: Any,
) -> Conclusion:
    """Conclude an interval of which this drift was measured."""
    watch: Any = SimpleNamespace(monitor=watched, log_start=START - 60 * DAY)
    with store.begin() as connection:
        references.save(connection, reference, config_hash=watched.config_hash)
        record(connection, watched, interval, value, as_of, nulls=nulls, more=more, rows=rows)
        windows = {step.window for step in planned(connection, watched, interval)}
        known = dict.fromkeys(windows, reference) if compared else {}
        own = {"run_id": "r", "page": page, "as_of": as_of}
        return conclude(connection, watch, known, interval, **own, **rest)


def told(store: Store) -> list[list[str]]:
    """The rules of each message."""
    with store.read() as connection:
        sent = outbox.pending(connection)
    return [[f.rule for f in Notice.from_json(message.body).findings] for message in sent]


def firing(store: Store) -> list[Incident]:
    with store.read() as connection:
        return incidents.firing(connection, "model")


def test_a_rule_that_is_not_to_alert_has_incidents_and_tells_nobody(store: Store) -> None:
    quiet = {**HIGH, "name": "quiet", "then": ["retrain"]}
    alone = run(store, monitor(quiet), day(1), BAD)
    assert [one.rule for one in alone.open] == ["quiet"]
    assert (alone.told, told(store)) == (False, [])
    assert run(store, monitor(quiet, HIGH), day(2), BAD).told
    assert told(store) == [["high"]]
    assert {one.rule for one in firing(store)} == {"quiet", "high"}


def test_a_rule_that_alerts_and_retrains_is_told(store: Store) -> None:
    assert run(store, monitor({**HIGH, "then": ["retrain", "alert"]}), day(1), BAD).told


def test_an_incident_whose_start_moves_is_the_one_that_was_told(store: Store) -> None:
    """Rows that come late may show that it began a day earlier, or later, than was told."""
    watched = monitor({**HIGH, "for": 2})
    assert [run(store, watched, day(n), v).told for n, v in ((1, FINE), (2, BAD), (3, BAD))] == [
        *(False, False, True)
    ]
    with store.begin() as connection:  # the day's run finds rows of the first that came late
        record(connection, watched, day(1), BAD, as_of=day(4).end)
    after = run(store, watched, day(4), BAD)
    assert [one.began for one in after.open] == [day(1).end]
    assert not after.told
    with store.begin() as connection:
        for number in (1, 2):
            record(connection, watched, day(number), FINE, as_of=day(5).end)
    later = run(store, watched, day(5), BAD)
    assert [one.began for one in later.open] == [day(3).end]
    assert not later.told
    assert told(store) == [["high"]]
    assert [one.began for one in firing(store)] == [day(3).end]


def test_an_incident_that_a_rerun_moves_is_told_no_second_time(store: Store) -> None:
    watched = monitor(HIGH)
    for number, value in ((1, FINE), (2, BAD), (3, BAD)):
        run(store, watched, day(number), value)
    run(store, watched, day(1), BAD)
    run(store, watched, day(4), BAD)
    assert told(store) == [["high"]]
    assert [one.began for one in firing(store)] == [day(1).end]


def test_what_a_backfill_found_is_told_by_the_next_live_run_though_its_start_moves(
    store: Store,
) -> None:
    watched = monitor(HIGH)
    run(store, watched, day(2), BAD, page=False)
    run(store, watched, day(1), BAD, page=False)
    assert told(store) == []
    assert run(store, watched, day(3), BAD).told


def test_an_incident_that_was_told_and_is_over_is_told_again_when_it_comes_back(
    store: Store,
) -> None:
    watched = monitor(HIGH)
    spoke = [run(store, watched, day(n), v).told for n, v in enumerate((BAD, FINE, BAD), start=1)]
    assert spoke == [True, False, True]


def series(**changes: str) -> Series:
    plain = Series("", "", "1d", "drift", "psi", "x", "", "reference", "profile")
    return plain._replace(**changes)


def orphan(store: Store, rule: str = "gone", **changes: str) -> Incident:
    """An open incident of the day before."""
    found = Incident(
        monitor="model",
        rule=rule,
        series=series(**changes),
        severity=Outcome.WARN,
        began=day(1).end,
        fired=day(1).end,
        last_failed=day(1).end,
    )
    with store.begin() as connection:
        incidents.save(connection, [found])
    return found


@pytest.mark.parametrize(
    "changes",
    [{}, {"column_name": "y"}, {"rule": "high", "segment": "origin=JFK"}],
)
def test_a_run_ends_what_no_rule_is_about_any_more(store: Store, changes: dict[str, Any]) -> None:
    orphan(store, **changes)
    run(store, monitor(HIGH), day(2))
    assert firing(store) == []
    with store.read() as connection:
        (ended,) = incidents.of(connection, "model")
    assert ended.resolved == day(2).end


@pytest.mark.parametrize(
    "changes",
    [
        {"cadence": "1h"},
        {"cadence": "7d"},
        {"suite": "performance", "metric": "f1", "column_name": "", "baseline": ""},
    ],
)
def test_a_run_ends_nothing_that_it_does_not_measure(store: Store, changes: dict[str, Any]) -> None:
    """Its own run, or one with labels again, may have something to say of it."""
    left = orphan(store, **changes)
    run(store, monitor(HIGH), day(2))
    assert firing(store) == [left]


def test_an_hour_ends_no_incident_of_days_nor_does_a_day_that_was_not_compared(
    store: Store,
) -> None:
    left = orphan(store)
    run(store, monitor(HIGH), Window.ending("1h", day(1).end + HOUR))
    run(store, monitor(HIGH), day(2), compared=False)
    assert firing(store) == [left]


EMPTY = {"metric": "null_share", "columns": "x", "max": 0.5, "severity": "critical"}
HOURS_AND_DAYS = [
    *(Window.ending("1h", day(1).end - HOUR * back) for back in (2, 1, 0)),
    day(1),
    *(Window.ending("1h", day(1).end + HOUR * more) for more in (1, 2)),
    day(2),
]


def settled(store: Store) -> list[set[tuple[Any, ...]]]:
    """What stands in the store of verdicts and incidents, without when and by whom."""
    with store.read() as connection:
        judged = connection.execute(select(tables.verdicts)).mappings().all()
        kept = incidents.of(connection, "model")
    own = ("rule", "window_start", "window_end", "verdict", "reason", "streak", "firing")
    return [{tuple(row[name] for name in own) for row in judged}, set(kept)]


@pytest.mark.parametrize("seed", [7, 9])  # with and without hours that mute their days
def test_in_whatever_order_intervals_are_concluded_they_come_to_the_same(
    seed: int, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    watched = monitor(
        {**HIGH, "for": 2},
        {**HIGH, "name": "hourly", "window": "1h", "for": 2},
        EMPTY | {"window": "1h"},
    )
    found = {
        one: (draw.choice([FINE, BAD, BAD]), draw.choice([0.1, 0.9])) for one in HOURS_AND_DAYS
    }
    came = []
    for number in range(2):
        order = HOURS_AND_DAYS if not number else draw.sample(HOURS_AND_DAYS, len(HOURS_AND_DAYS))
        url = make_url(f"sqlite:///{tmp_path / f'{number}.db'}")
        upgrade(url)
        with Store.open(url) as other:
            for one in order:
                run(other, watched, one, found[one][0], nulls=found[one][1], page=False)
            came.append(settled(other))
    assert came[0] == came[1]


def reasons(found: Conclusion) -> dict[str, str]:
    return {verdict.rule: verdict.reason for verdict in found.verdicts}


def notices(store: Store) -> list[Notice]:
    with store.read() as connection:
        return [Notice.from_json(message.body) for message in outbox.pending(connection)]


LOW = {"name": "low", "metric": "f1", "window": "1d", "min": 0.7, "severity": "critical"}
LABELS = {"labels": {"label": "y", "timestamp": "known", "maturity": "24h", "min_coverage": 0.8}}


def f1(value: float, metric: str = "f1", **rest: Any) -> list[Said]:
    return [(Suite.PERFORMANCE, metric, value, {"row_count": 1000, **rest})]


def test_a_value_is_compared_with_the_references_own(store: Store) -> None:
    """Of performance, of nulls, and of operations; by detail, and of its own length of windows."""
    column = ColumnStatistics(kind=ColumnKind.NUMERIC, nulls=100)
    reference = replace(
        REFERENCE,
        statistics=WindowStatistics(rows=1000, columns={"x": column}),
        performance={("f1", ""): 0.8, ("f1", "cat"): 0.5},
        operations={"latency_p95": 20.0},
        spreads={("1d", "roc_auc", ""): (0.9, 0.01), ("7d", "roc_auc", ""): (0.9, 0.1)},
    )
    worse = {"worse_by": 0.05, "window": "1d"}
    watched = monitor(
        {"name": "all", "metric": "f1", **worse},
        {"name": "cat", "metric": "f1", "detail": "cat", **worse},
        {"name": "slow", "metric": "latency_p95", **worse},
        {"name": "empty", "metric": "null_share", **worse},
        {
            "name": "guess",
            "metric": "roc_auc",
            "suite": "estimate",
            "window": "1d",
            "worse_by": "3sd",
        },
        predictions={"table": "p", "timestamp": "ts", "score": "s", "latency_ms": "ms"},
        **LABELS,
    )
    more = [
        *f1(0.76),
        (Suite.PERFORMANCE, "f1", 0.44, {"detail": "cat"}),
        (Suite.OPERATIONS, "latency_p95", 21.0, {}),
        (Suite.ESTIMATE, "roc_auc", 0.86, {"row_count": 1000}),
    ]
    found = run(store, watched, day(1), nulls=0.16, more=more, reference=reference, page=False)
    assert {v.rule: v.outcome for v in found.verdicts} == {
        "all": Outcome.OK,
        **dict.fromkeys(("cat", "slow", "empty", "guess"), Outcome.WARN),
    }
    assert reasons(found)["empty"].endswith("worse than the reference's 0.1 by more than 0.05")


def test_labels_are_waited_for_as_long_as_the_file_says(store: Store) -> None:
    watched = monitor(LOW, **LABELS)
    told = [
        run(store, watched, day(n), more=f1(0.1, coverage=coverage), page=False)
        .verdicts[-1]
        .outcome
        for n, coverage in ((1, 0.79), (2, 0.8))
    ]
    assert told == [Outcome.NOT_EVALUATED, Outcome.CRITICAL]


@pytest.mark.parametrize(("better", "outcome"), [("higher", Outcome.WARN), ("lower", Outcome.OK)])
def test_what_is_better_of_business_is_what_the_file_says(
    store: Store, better: str, outcome: Outcome
) -> None:
    rule = {"name": "less", "metric": "sold", "window": "1d", "worse_by": 0.1}
    business = {"sold": {"sql": "avg(sold)", "better": better}}
    reference = replace(REFERENCE, operations={"sold": 0.5})
    more = [(Suite.BUSINESS, "sold", 0.3, {})]
    found = run(store, monitor(rule, business=business), day(1), more=more, reference=reference)
    assert [verdict.outcome for verdict in found.verdicts] == [outcome]


def promote(store: Store, at: datetime) -> None:
    row = Retraining(
        monitor="model", as_of=at, state=RetrainingState.PROMOTED, reason="it drifts", promoted="2"
    )
    with store.begin() as connection:
        retrainings.save(connection, row, run_id="r", recorded_at=START)


@pytest.mark.parametrize("own_reference", [True, False])  # a sliding past gets none
def test_windows_in_a_row_are_counted_from_a_promotion_on(
    store: Store, own_reference: bool
) -> None:
    """When judged, in incidents, and in what is told."""
    watched = monitor({**HIGH, "for": 2})
    new = replace(REFERENCE, id="p", valid_from=day(2).end, model_version="2")
    found = [run(store, watched, day(n), BAD) for n in (1, 2)]
    promote(store, day(2).end)
    reference = new if own_reference else REFERENCE
    found += [run(store, watched, day(n), BAD, reference=reference) for n in (3, 4, 5)]
    assert [one.verdicts[0].streak for one in found] == [1, 2, 1, 2, 3]
    assert [one.verdicts[0].firing for one in found] == [False, True, False, True, True]
    assert [one.told for one in found] == [False, True, False, True, False]
    assert [[one.began for one in each.open] for each in found] == [
        *([], [day(1).end], [], [day(3).end], [day(3).end])
    ]
    with store.read() as connection:
        kept = incidents.of(connection, "model")
    assert [(one.fired, one.last_failed, one.resolved) for one in kept] == [
        (day(2).end, day(2).end, day(3).end),
        (day(4).end, day(5).end, None),
    ]


def test_the_first_window_that_fails_after_a_promotion_is_news(store: Store) -> None:
    """Somebody was told of the model before it, and that it was retrained."""
    watched = monitor(HIGH)
    spoke = [run(store, watched, day(n), BAD).told for n in (1, 2)]
    promote(store, day(2).end)
    promote(store, day(4).end)
    spoke += [run(store, watched, day(n), BAD).told for n in (3, 4, 5)]
    assert spoke == [True, False, True, False, True]
    assert [one.began for one in firing(store)] == [day(5).end]


def test_what_was_told_before_a_promotion_was_approved_stays_on_record(store: Store) -> None:
    """The promotion is as of a moment that lies before what has been judged meanwhile."""
    watched = monitor({**HIGH, "for": 2})
    for number in (1, 2):
        run(store, watched, day(number), BAD)
    promote(store, day(1).end)
    after = run(store, watched, day(3), BAD)
    assert (after.told, [one.began for one in after.open]) == (True, [day(2).end])
    with store.read() as connection:
        (before, _) = incidents.of(connection, "model")
    assert (before.began, before.resolved) == (day(1).end, day(3).end)


def test_a_broken_column_mutes_its_drift_and_is_named_as_a_cause(store: Store) -> None:
    watched = monitor(HIGH, EMPTY | {"name": "empty", "window": "1d"}, LOW, **LABELS)
    found = run(store, watched, day(1), BAD, nulls=0.9, page=False)
    assert reasons(found)["high"] == "inhibited: empty failed on x"
    assert [one.rule for one in found.open] == ["empty"]
    explain(store, watched, day(2))
    run(store, watched, day(2), BAD, nulls=0.1, more=f1(0.1))
    (said,) = notices(store)
    assert {finding.rule for finding in said.findings} == {"high", "low"}
    assert said.causes == (f"empty failed on x in {day(1)}",)
    assert said.why == ("f1 fell",)


def explain(
    store: Store, watched: Monitor, window: Window, words: str = "f1 fell", **other: Any
) -> None:
    """Say why f1 fell in a window."""
    found = Explanation(reference_value=0.8, window_value=0.1, rows=1000, words=words)
    told = {"monitor": "model", "window": window, "scope": "", "metric": "f1", "as_of": window.end}
    told |= other
    ours = {"config_hash": watched.config_hash, "run_id": "r", "recorded_at": START}
    with store.begin() as connection:
        explanations.save(connection, found, **told, **ours)


def test_a_fall_is_not_told_before_somebody_has_looked_why(store: Store) -> None:
    watched = monitor(LOW, **LABELS)
    for other in ({"scope": "x=1"}, {"metric": "recall"}, {"as_of": day(2).end}):
        explain(store, watched, day(1), **other)
    with pytest.raises(Unexplained) as caught:
        run(store, watched, day(1), more=f1(0.1))
    assert caught.value.asked == ((day(1), day(1).end, "", "f1", day(1).end),)
    assert notices(store) == []
    run(store, watched, day(1), more=f1(0.1), page=False)
    explain(store, watched, day(1))
    assert run(store, watched, day(1), more=f1(0.1)).told
    assert [said.why for said in notices(store)] == [("f1 fell",)]


def test_each_fall_is_explained_by_what_was_found_of_its_own_rows_and_metric(
    store: Store,
) -> None:
    """Drift and what is told in one breath with it need no explanation; two rules share one."""
    part = {**LOW, "name": "part", "segment": "x=1"}
    rules = ({**LOW, "metric": "recall", "name": "found"}, HIGH, part, {**part, "name": "again"})
    watched = monitor(*rules, segments=["x"], **LABELS)
    more = [*f1(0.1, metric="recall"), *f1(0.1, segment="x=1")]
    explain(store, watched, day(1))
    explain(store, watched, day(1), metric="recall")
    with pytest.raises(Unexplained, match="1 falls of performance") as caught:
        run(store, watched, day(1), BAD, more=more)
    assert caught.value.asked == ((day(1), day(1).end, "x=1", "f1", day(1).end),)
    explain(store, watched, day(1), scope="x=1", words="f1 fell there")
    explain(store, watched, day(1), scope="x=1", metric="recall", words="not asked")
    assert run(store, watched, day(1), BAD, more=more).told
    (said,) = notices(store)
    assert {finding.rule for finding in said.findings} == {"high", "found", "part", "again"}
    assert set(said.why) == {"f1 fell", "f1 fell there"}
    assert len(said.why) == 2


def test_who_explains_a_fall_is_told_when_it_began_and_as_of_when_it_is_known(
    store: Store,
) -> None:
    watched = monitor({**LOW, "for": 2}, **LABELS)
    late = {"more": f1(0.1), "as_of": day(3).end}
    assert not run(store, watched, day(1), **late).told  # nobody is to be told of the first
    explain(store, watched, day(2))
    with pytest.raises(Unexplained) as caught:
        run(store, watched, day(2), **late)
    assert caught.value.asked == ((day(2), day(3).end, "", "f1", day(1).end),)
    explain(store, watched, day(2), as_of=day(3).end)
    assert run(store, watched, day(2), **late).told


def test_each_channel_is_told_of_its_own_incidents_once(store: Store) -> None:
    both = [{"slack": "#pages"}, {"slack": "#nights"}]
    routes = {"warn": [{"slack": "#all"}], "critical": [{"slack": "#all"}, *both]}
    empty = EMPTY | {"name": "empty", "window": "1d"}
    watched = monitor({**HIGH, "columns": "y"}, HIGH | {"name": "x"}, empty, routes=routes)
    of_y = {"column_name": "y", "baseline": "reference"}
    for _ in range(2):
        run(store, watched, day(1), FINE, nulls=0.9, more=[(Suite.DRIFT, "psi", BAD, of_y)])
    with store.read() as connection:
        sent = {message.target: message for message in outbox.pending(connection)}
    rules = {to: [f.rule for f in Notice.from_json(m.body).findings] for to, m in sent.items()}
    assert rules == {"#all": ["empty", "high"], "#pages": ["empty"], "#nights": ["empty"]}
    assert {(message.monitor, message.channel) for message in sent.values()} == {("model", "slack")}
    said = Notice.from_json(sent["#all"].body)
    assert (said.monitor, said.interval) == ("model", str(day(1)))
    report, numbers = said.look
    assert report.endswith("artifacts/model/1d/2024-01-01/report.html")  # the run writes it
    assert numbers.endswith(" --from 2024-01-01 --to 2024-01-02 --window 1d")


def test_what_fires_later_in_the_same_interval_is_told_too(store: Store) -> None:
    watched = monitor(HIGH, EMPTY | {"name": "empty", "window": "1d"})
    run(store, watched, day(1), BAD, nulls=0.1)
    run(store, watched, day(1), BAD, nulls=0.9)
    assert sorted(told(store)) == [["empty"], ["high"]]


def test_a_message_leads_to_airflow_and_to_what_the_run_writes(store: Store) -> None:
    """Also one about a day that fires because an hour of it was mended."""
    links = Links(run="https://air/run", pages="https://air/driftline")
    watched = monitor(HIGH, EMPTY | {"window": "1h", "then": ["retrain"]})
    hour = Window.ending("1h", day(1).end)
    run(store, watched, hour, FINE, nulls=0.9, links=links)
    run(store, watched, day(1), BAD, links=links)
    assert notices(store) == []
    run(store, watched, hour, FINE, nulls=0.1, links=links)
    (said,) = notices(store)
    assert said.look[:2] == ("https://air/run", "https://air/driftline/model/report/1d/2024-01-01")


def test_no_report_is_written_of_a_day_without_rows(store: Store) -> None:
    run(store, monitor(HIGH), day(1), BAD, rows=0)
    (said,) = notices(store)
    assert said.look[0].startswith("driftline report ")


def test_what_is_judged_is_what_was_known_as_of_the_run(store: Store) -> None:
    late = day(3).end
    watched = monitor(LOW, **LABELS)
    found = run(store, watched, day(1), more=f1(0.1), as_of=late, page=False)
    assert [verdict.measurement.as_of for verdict in found.verdicts] == [late]


def test_an_interval_that_is_coming_is_left_to_its_turn_and_those_after_it_are_not(
    store: Store,
) -> None:
    watched = monitor({**HIGH, "for": 3})
    for number in (2, 3):
        run(store, watched, day(number), BAD)
    run(store, watched, day(1), BAD, coming={day(2)})
    judged, _ = settled(store)
    streaks = {row[2]: row[5] for row in judged}
    assert streaks == {day(1).end: 1, day(2).end: 1, day(3).end: 3}


def test_a_late_hour_that_is_broken_mutes_its_day_past_hours_that_stay_the_same(
    store: Store,
) -> None:
    watched = monitor(HIGH, EMPTY | {"window": "1h"})
    broken, *others, whole = HOURS_AND_DAYS[:4]
    for one in (*others, whole):
        run(store, watched, one, BAD, nulls=0.1, page=False)
    later = run(store, watched, HOURS_AND_DAYS[5], BAD, nulls=0.1, page=False)
    assert later.verdicts
    assert [one.rule for one in firing(store)] == ["high"]
    again = run(store, watched, broken, FINE, nulls=0.9, page=False)
    assert again.interval == broken
    judged, _ = settled(store)
    (said,) = (row for row in judged if row[0] == "high")
    assert said[4].startswith("inhibited: ")
    same = run(store, watched, others[0], BAD, nulls=0.1, page=False)
    assert same.interval == others[0]  # where nothing moves, the later ones are left as they are


def test_rules_of_what_the_reference_lets_expect_are_judged_too(store: Store) -> None:
    column = ColumnStatistics(kind=ColumnKind.NUMERIC, nulls=0)
    known = WindowStatistics(rows=1000, columns={"x": column})
    reference = replace(REFERENCE, statistics=known)
    (asked,) = default_expectations(monitor(HIGH), reference, "1d")
    of_x = {"column_name": "x", "row_count": 1000, "detail": asked.detail}
    more = [(Suite.QUALITY, asked.type, 0.0, of_x)]
    found = run(store, monitor(HIGH), day(1), BAD, more=more, reference=reference)
    assert [one.rule for one in found.open] == ["column-values-to-not-be-null"]
    assert found.verdicts[-1].reason.startswith("inhibited: ")


def test_windows_in_a_row_reach_behind_the_reference_of_the_file(store: Store) -> None:
    """Before it is in force it is what there is."""
    reference = replace(REFERENCE, valid_from=day(9).start)
    watched = monitor({**HIGH, "for": 2})
    found = [run(store, watched, day(n), BAD, reference=reference) for n in (1, 2)]
    assert [one.verdicts[0].streak for one in found] == [1, 2]


def test_a_quality_rule_that_does_not_fire_yet_is_named_as_a_cause(store: Store) -> None:
    watched = monitor(HIGH, EMPTY | {"name": "empty", "severity": "warn", "window": "1d", "for": 2})
    found = run(store, watched, day(1), BAD, nulls=0.9)
    (said,) = notices(store)
    assert said.causes == (reasons(found)["empty"],)
    assert [finding.rule for finding in said.findings] == ["high"]


def test_of_an_interval_that_could_not_be_compared_all_is_unknown(store: Store) -> None:
    watched = monitor(LOW, **LABELS)
    with store.begin() as connection:
        found = unjudged(connection, watched, day(1), day(2).end)
        asked = planned(connection, watched, day(1), day(2).end)
    assert found.steps == len(found.failed) == len(asked)
    assert {one.as_of for one in found.failed} == {day(1).end, day(2).end}
    assert [one.rule for one in found.unjudged] == ["low"]


def loss(value: float) -> list[Said]:
    return f1(value, metric="log_loss_ratio", lower=value - 0.01, upper=value + 0.01)


@pytest.mark.parametrize("live", [True, False])
def test_a_week_that_fails_for_the_day_that_was_told_is_told_by_itself_no_more(
    store: Store, live: bool
) -> None:
    """By the default rules; without that day, by rules of the file, and where a backfill found the
    day and told nobody, it is news.
    """
    worse = {("log_loss_ratio", ""): 0.5}
    spreads = {("1d", "log_loss_ratio", ""): (0.5, 0.01)}
    reference = replace(REFERENCE, performance=worse, spreads=spreads)
    watched = monitor(rules=None, windows=["1d", "7d"], **LABELS)
    told_of = []
    for number in range(1, 20):
        far, slow = number == 4, number in (4, 5, 6, 7, 14, 15, 16, 17)
        for cadence, value in (("1d", 0.9 if far else 0.5), ("7d", 0.7 if slow else 0.5)):
            window = Window.ending(cadence, day(number).end)
            ours = loss(value)
            explain(store, watched, window, metric="log_loss_ratio")
            with store.begin() as connection:
                record(connection, watched, window, FINE, more=ours)
        ours = loss(0.9 if far else 0.5)
        page = live or number > 4
        if run(store, watched, day(number), more=ours, reference=reference, page=page).told:
            told_of.append(number)
    news = "performance-1d" if live else "performance"
    assert told(store) == [[news], ["performance"]]
    assert told_of == [4 if live else 6, 16]
