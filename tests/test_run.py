"""The whole flow on real warehouses and stores: what is measured, judged, told, and kept."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn import metrics as sk
from sqlalchemy import URL, make_url, select

from driftline.alerts.notice import Notice
from driftline.domain import Outcome, Suite, Window
from driftline.errors import InputError, LogError
from driftline.flow.conclusion import Conclusion
from driftline.monitor import file as monitor_file
from driftline.monitor import home
from driftline.monitor.config import Monitor
from driftline.run import planned, run
from driftline.store import Store, incidents, ledger, measurements, outbox, tables, upgrade
from driftline.store.ledger import State
from tests.models import DAY, START, logs, parts
from tests.warehouses import Warehouse

pytestmark = pytest.mark.usefixtures("no_pages")

EXACT = {"rel": 1e-9}
NEAR = {metric: {"abs": 5e-3} for metric in ("roc_auc", "average_precision")}
"""What is counted by ranges of the score; all else is a sum."""

VOLATILE = {"run_id", "recorded_at", "created", "due", "delivered", "paged_at"}


def watch(
    monitor: Monitor, store: Store, first: int, last: int, **options: Any
) -> list[Conclusion]:
    """Run the days that end after `first` and not after `last`, counted from START."""
    todo = planned(monitor, START + first * DAY, START + last * DAY)
    return list(run(monitor, todo, store, **options))


def contents(store: Store) -> dict[str, list[str]]:
    """Everything in the store but what a rerun may change.

    The counts of outcomes are sums of floating point numbers: their last digit is chance.
    """
    found = {}
    with store.read() as connection:
        for table in tables.metadata.sorted_tables:
            counts = {"content"} if table is tables.outcomes else set()
            kept = [column for column in table.columns if column.name not in VOLATILE | counts]
            found[table.name] = sorted(
                repr(tuple(row)) for row in connection.execute(select(*kept))
            )
    return found


def values(store: Store, monitor: Monitor, **selected: Any) -> dict[str, float | None]:
    with store.read() as connection:
        rows = measurements.current(connection, monitor.monitor, **selected)
    return {row["metric"]: row["value"] for row in rows if not row["detail"]}


def truth(predictions: Any, labels: Any, end: datetime, days: int) -> pd.DataFrame:
    """The window's labelled rows as they were known at its end, by pandas alone."""
    frame = predictions.to_pandas().merge(labels.to_pandas(), on="id")
    inside = (frame["ts"] >= end - days * DAY) & (frame["ts"] < end)
    return frame[inside & (frame["labelled_at"] <= end)]


def test_a_binary_model_is_measured_as_scikit_learn_would(warehouse: Any, store: Store) -> None:
    predictions, labels = logs("binary")
    warehouse.load("predictions", predictions)
    warehouse.load("labels", labels)
    monitor = warehouse.monitor(**parts("binary"))
    watch(monitor, store, 6, 8)
    end = START + 8 * DAY
    for cadence, days in (("1d", 1), ("3d", 3)):
        rows = truth(predictions, labels, end, days)
        y, score = rows["y"], rows["score"]
        found = values(
            store,
            monitor,
            suite="performance",
            cadence=cadence,
            segment="",
            model_version="",
            start=end - days * DAY,
        )
        expected = {
            "roc_auc": sk.roc_auc_score(y, score),
            "average_precision": sk.average_precision_score(y, score),
            "log_loss": sk.log_loss(y, score),
            "brier": sk.brier_score_loss(y, score),
            "accuracy": sk.accuracy_score(y, score >= 0.5),
            "balanced_accuracy": sk.balanced_accuracy_score(y, score >= 0.5),
            "precision": sk.precision_score(y, score >= 0.5),
            "recall": sk.recall_score(y, score >= 0.5),
            "f1": sk.f1_score(y, score >= 0.5),
            "observed_predicted_ratio": y.mean() / score.mean(),
            "log_loss_ratio": sk.log_loss(y, score) / sk.log_loss(y, np.full(len(y), y.mean())),
        }
        for metric, value in expected.items():
            assert found[metric] == pytest.approx(value, **NEAR.get(metric, EXACT)), metric
        assert 0 <= found["ece"] <= 1


def test_a_multiclass_model(warehouse: Any, store: Store) -> None:
    predictions, labels = logs("multiclass")
    warehouse.load("predictions", predictions)
    warehouse.load("labels", labels)
    monitor = warehouse.monitor(**parts("multiclass"))
    watch(monitor, store, 7, 8)
    rows = truth(predictions, labels, START + 8 * DAY, 3)
    scores = rows[["p_cat", "p_dog", "p_eel"]]
    found = values(
        store, monitor, suite="performance", cadence="3d", model_version="", start=START + 5 * DAY
    )
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(rows["y"], rows["prediction"]))
    assert found["f1"] == pytest.approx(sk.f1_score(rows["y"], rows["prediction"], average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(rows["y"], scores))


def test_a_regression_model(warehouse: Any, store: Store) -> None:
    predictions, labels = logs("regression")
    warehouse.load("predictions", predictions)
    warehouse.load("labels", labels)
    monitor = warehouse.monitor(**parts("regression"))
    watch(monitor, store, 7, 8)
    rows = truth(predictions, labels, START + 8 * DAY, 3)
    y, said = rows["y"], rows["prediction"]
    found = values(
        store, monitor, suite="performance", cadence="3d", model_version="", start=START + 5 * DAY
    )
    expected = {
        "mae": sk.mean_absolute_error(y, said),
        "rmse": sk.root_mean_squared_error(y, said),
        "mape": sk.mean_absolute_percentage_error(y, said),
        "r2": sk.r2_score(y, said),
        "bias": (said - y).mean(),
        "label_mean": y.mean(),
    }
    assert {metric: found[metric] for metric in expected} == pytest.approx(expected)
    assert found["median_absolute_error"] == pytest.approx(
        sk.median_absolute_error(y, said), rel=0.02
    )


# The rest does not depend on the warehouse: DuckDB over Parquet stands for all.


@pytest.fixture
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A function that loads the logs of a binary model and returns its monitor."""
    from tests.warehouses import make_warehouse

    place = make_warehouse(request, "parquet", tmp_path)

    def load(predictions: Any, labels: Any, **changes: Any) -> Monitor:
        warehouse = place
        warehouse.load("predictions", predictions)
        warehouse.load("labels", labels)
        monitor = warehouse.monitor(**parts("binary") | changes)
        written = monitor.model_dump(mode="json", by_alias=True, exclude_unset=True)
        path = tmp_path / "model.yaml"
        path.write_text(yaml.safe_dump(written), encoding="utf-8")
        return monitor_file.load(path)

    load.warehouse = place  # type: ignore[attr-defined]
    return load


CRITICAL = {"severity": "critical"}
DRIFT = {"metric": "psi", "columns": "x", "window": "1d", "max": 0.5, "for": 2}


def test_a_table_without_predictions(warehouse: Any, store: Store) -> None:
    """A feature store: drift and quality are as anywhere, and nothing is said of a model."""
    rows = logs("binary", drift_on=8)[0].drop_columns(["score", "version"])
    rows = rows.append_column("plan", pa.array(["a", "b", "c"] * (len(rows) // 3)))
    warehouse.load("predictions", rows)
    monitor = warehouse.monitor(
        task="none",
        predictions={"score": None, "id": None},
        features={"categorical": ["plan", "group"], "numeric": ["x"], "sensitive": ["plan"]},
        segments=["group"],
        reference={"window": ["2024-01-01", "2024-01-05"]},
        windows=["1d"],
        drift={"domain_classifier": False},
        rules=[{"metric": "total_variation", "columns": "*", "max": 0.25, "min_rows": 100}],
    )
    (calm,) = watch(monitor, store, 5, 6)
    (ended,) = watch(monitor, store, 8, 9)
    assert not calm.open
    assert not calm.doubts.grave
    assert [verdict.measurement.column_name for verdict in ended.open.values()] == ["x"]
    (found,) = (verdict.measurement.value for verdict in ended.open.values())
    frame = rows.to_pandas()
    before, now = (
        frame["x"][(frame["ts"] >= START + first * DAY) & (frame["ts"] < START + last * DAY)]
        for first, last in ((0, 4), (8, 9))
    )
    edges = np.quantile(before, np.linspace(0.1, 0.9, 9))
    shares = [
        np.bincount(np.searchsorted(edges, side), minlength=10) / len(side)
        for side in (before, now)
    ]
    assert found == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2, abs=0.01)
    with store.read() as connection:
        kept = measurements.current(connection, monitor.monitor)
        entries = ledger.of(connection, monitor.monitor)
    assert {row["suite"] for row in kept} == {"drift", "quality"}
    assert {row["segment"] for row in kept} == {"", "group=north", "group=south"}
    assert {row["column_name"] for row in kept} == {"", "x", "plan", "group"}
    assert {entry.state for entry in entries} == {State.DONE}


def test_a_rerun_changes_nothing(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7), rules=[DRIFT])
    watch(monitor, store, 6, 10)
    before = contents(store)
    assert before["measurements"]
    assert before["incidents"]
    watch(monitor, store, 6, 10)
    watch(monitor, store, 7, 9)
    assert contents(store) == before


def test_processes_that_measure_ahead_change_nothing(
    model: Any, store: Store, tmp_path: Path
) -> None:
    monitor = model(*logs(drift_on=7), rules=[DRIFT])
    watch(monitor, store, 5, 10)
    url = make_url(f"sqlite:///{tmp_path / 'parallel.db'}")
    upgrade(url)
    with Store.open(url) as other:
        watch(monitor, other, 5, 10, jobs=2)
        assert contents(other) == contents(store)


def test_days_in_any_order_come_to_the_same(model: Any, store: Store, tmp_path: Path) -> None:
    predictions, labels = logs(days=12, drift_on=7)
    frame = predictions.to_pandas()
    day = (predictions["ts"].to_numpy() - np.datetime64("2024-01-01")) // np.timedelta64(1, "D")
    frame.loc[day == 8, "noise"] = np.nan  # mutes the drift of noise as long as windows hold it
    frame.loc[day == 10, "x"] -= 2.0  # and the drift of x ends
    monitor = model(
        pa.Table.from_pandas(frame, preserve_index=False),
        labels,
        windows=["1d", "3d"],
        quality=[{"expect_column_values_to_not_be_null": {"column": "noise", **CRITICAL}}],
        rules=[DRIFT, {"metric": "psi", "columns": "*", "window": "3d", "max": 0.3, "for": 2}],
    )
    watch(monitor, store, 6, 11, page=False)
    expected = settled(store)
    assert any("inhibited" in row for row in expected["verdicts"])
    assert len(expected["incidents"]) >= 2
    for number, order in enumerate([(9, 7, 8, 10, 11), (11, 10, 9, 8, 7), (8, 9, 11, 7, 10)]):
        url = make_url(f"sqlite:///{tmp_path / f'shuffled{number}.db'}")
        upgrade(url)
        with Store.open(url) as other:
            for last in order:
                watch(monitor, other, last - 1, last, page=False)
            assert settled(other) == expected, order


@pytest.fixture
def hourly(model: Any) -> Any:
    """A monitor of hours and days; in one hour `noise` was not logged, which mutes its day."""
    predictions, labels = logs(days=8, rows=480)
    frame = predictions.to_pandas()
    hour = START + 6 * DAY + timedelta(hours=20)
    lost = (frame["ts"] >= hour) & (frame["ts"] < hour + timedelta(hours=1))

    def load(*, mended: bool = False) -> tuple[Monitor, list[Window], Window]:
        rows = frame if mended else frame.assign(noise=frame["noise"].mask(lost))
        monitor = model(
            pa.Table.from_pandas(rows, preserve_index=False),
            labels,
            windows=["1h", "1d"],
            rules=[
                {
                    "metric": "null_share",
                    "columns": "noise",
                    "window": "1h",
                    "max": 0.5,
                    **CRITICAL,
                },
                {"metric": "psi", "columns": "x", "window": "1h", "max": 0.1, "for": 2},
                {"metric": "psi", "columns": "*", "window": "1d", "max": 0.01},
            ],
        )
        edge = START + 7 * DAY
        todo = planned(monitor, edge - timedelta(hours=4), edge + timedelta(hours=3))
        return monitor, todo, Window.ending("1h", hour + timedelta(hours=1))

    return load


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_hours_and_days_in_any_order_come_to_the_same(
    hourly: Any, store: Store, tmp_path: Path
) -> None:
    monitor, todo, _ = hourly()
    assert [interval.cadence for interval in todo] == ["1h"] * 4 + ["1d"] + ["1h"] * 3
    list(run(monitor, todo, store, page=False))
    expected = settled(store)
    assert any("inhibited" in row and "'1d'" in row for row in expected["verdicts"])
    for seed in range(6):
        order = list(reversed(todo)) if not seed else random.Random(seed).sample(todo, len(todo))
        url = make_url(f"sqlite:///{tmp_path / f'shuffled{seed}.db'}")
        upgrade(url)
        with Store.open(url) as other:
            for interval in order:
                list(run(monitor, [interval], other, page=False))
            assert settled(other) == expected, order


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_an_hour_that_was_mended_inhibits_its_day_no_longer(hourly: Any, store: Store) -> None:
    def inhibited() -> list[str]:
        with store.read() as connection:
            rows = connection.execute(select(tables.verdicts)).mappings()
            return [r["cadence"] for r in rows if r["reason"].startswith("inhibited")]

    monitor, todo, hour = hourly()
    list(run(monitor, todo, store))
    assert "1d" in inhibited()
    monitor, _, _ = hourly(mended=True)
    list(run(monitor, [hour], store))
    assert inhibited() == []


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_a_live_run_of_hours_reports_its_days(hourly: Any, store: Store) -> None:
    monitor, todo, _ = hourly()
    found = list(run(monitor, todo, store))
    assert [conclusion.errors for conclusion in found] == [()] * len(todo)
    reports = {path.parent.parent.name for path in home.artifacts(monitor).rglob("report.html")}
    assert reports == {"1d"}


def settled(store: Store) -> dict[str, list[str]]:
    """Return what does not depend on the order in which days are run."""
    found = contents(store)
    # Hours are counted as of the moments at which they were asked for.
    assert found["outcomes"]
    # And in the ledger stands when labels were followed, also where they told nothing new.
    found["windows"] = [row for row in found["windows"] if "'performance'" not in row]
    tables = ("measurements", "verdicts", "incidents", "windows", "references")
    return {table: found[table] for table in tables}


def test_labels_count_as_they_were_known(model: Any, store: Store) -> None:
    monitor = model(*logs())
    watch(monitor, store, 7, 9)
    with store.read() as connection:
        rows = measurements.history(
            connection,
            "model",
            suite="performance",
            metric="accuracy",
            cadence="1d",
            model_version="",
            segment="",
            start=START + 7 * DAY,
            end=START + 8 * DAY,
        )
    rows = [row for row in rows if row["engine"] == "profile"]
    early, late = sorted(rows, key=lambda row: row["as_of"])
    assert (early["as_of"], late["as_of"]) == (START + 8 * DAY, START + 9 * DAY)
    assert early["coverage"] < 0.8 < late["coverage"] < 1
    assert early["row_count"] < late["row_count"]


def test_a_rerun_of_an_older_day_judges_what_that_day_knew(model: Any, store: Store) -> None:
    monitor = model(*logs(), rules=[{"metric": "roc_auc", "window": "1d", "min": 0.99}])
    watch(monitor, store, 6, 9)
    before = contents(store)
    (again,) = watch(monitor, store, 7, 8)
    own = Window.ending("1d", START + 8 * DAY)
    (verdict,) = (
        v for v in again.verdicts if v.measurement.window == own and v.rule == "roc_auc-1d"
    )
    assert verdict.measurement.as_of == START + 8 * DAY
    assert verdict.outcome is Outcome.NOT_EVALUATED  # too few labels by then
    assert contents(store) == before


def test_a_drift_fires_once_and_is_told_once(model: Any, store: Store, caplog: Any) -> None:
    monitor = model(*logs(drift_on=7), rules=[DRIFT])
    conclusions = watch(monitor, store, 5, 10)
    fired = {c.interval.end: [i.rule for i in c.opened] for c in conclusions if c.opened}
    assert fired == {START + 9 * DAY: ["psi-x-1d"]}
    assert [c.told for c in conclusions] == [False, False, False, True, False]
    assert caplog.text.count("psi-x-1d (warn), since the window of 2024-01-08 to 2024-01-09") == 1
    with store.read() as connection:
        assert outbox.pending(connection) == []
        (incident,) = incidents.firing(connection, "model")
    assert (incident.began, incident.last_failed) == (START + 8 * DAY, START + 10 * DAY)


def test_a_backfill_tells_nobody_and_the_next_live_run_does(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7), rules=[DRIFT])
    past = watch(monitor, store, 5, 9, page=False)
    assert not any(conclusion.told for conclusion in past)
    assert past[-1].opened
    (live,) = watch(monitor, store, 9, 10)
    assert live.told
    assert not watch(monitor, store, 10, 11)[0].told


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_a_run_delivers_its_own_messages_only(model: Any, store: Store, caplog: Any) -> None:
    waiting = outbox.Message(
        id="other", monitor="other", channel="log", target="", body="{}", created=START
    )
    with store.begin() as connection:
        outbox.add(connection, [waiting])
    watch(model(*logs(drift_on=7), rules=[{**DRIFT, "for": 1}]), store, 7, 8)
    assert "psi-x-1d" in caplog.text
    with store.read() as connection:
        assert outbox.pending(connection) == [waiting]


@pytest.mark.parametrize("ahead", [{"end": DAY}, {"as_of": DAY}])
def test_what_is_yet_to_come_is_not_measured(model: Any, store: Store, ahead: Any) -> None:
    """It would stand in the ledger as done, and no later run would measure it."""
    monitor, now = model(*logs()), datetime.now(UTC)
    moments = {"end": now, "as_of": now} | {name: now + more for name, more in ahead.items()}
    with pytest.raises(InputError, match="is yet to come"):
        planned(monitor, START, moments["end"], store, moments["as_of"])


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_where_a_message_says_to_look_there_is_something(model: Any, store: Store) -> None:
    """A report that is written, or the command that makes one: of an empty day, of a past week."""

    def looked() -> list[str]:
        with store.read() as connection:
            bodies = connection.scalars(select(tables.outbox.c.body))
            return [place for body in bodies for place in Notice.from_json(body).look]

    empty = {"metric": "row_count", "window": "1d", "min": 1, "name": "empty"}
    days = [{**DRIFT, "window": w, "for": 1, "name": w, "max": 0.1} for w in ("1d", "3d")]
    monitor = model(*logs(days=10, drift_on=7), rules=[*days, empty])
    name = monitor_file.called(monitor)
    watch(monitor, store, 7, 8, page=False)
    watch(monitor, store, 8, 10)
    watch(monitor, store, 10, 11)
    said = looked()
    (report,) = {place for place in said if place.endswith("report.html")}
    assert Path(report).is_file()
    assert Path(report).parent.name == "2024-01-09"
    made = {place for place in said if place.startswith("driftline report")}
    ends = (("3d", "2024-01-10"), ("1d", "2024-01-12"))
    assert made == {f"driftline report {name} --window {w} --end {end}" for w, end in ends}


def test_an_incident_is_resolved_when_the_data_are_mended(model: Any, store: Store) -> None:
    monitor = model(*logs(drift_on=7), rules=[DRIFT])
    watch(monitor, store, 6, 9)
    model(*logs())
    watch(monitor, store, 6, 9)
    with store.read() as connection:
        assert incidents.firing(connection, "model") == []


def test_an_incident_ends_with_its_rule(model: Any, store: Store) -> None:
    data = logs(drift_on=7)
    watch(model(*data, rules=[DRIFT, {**DRIFT, "name": "other"}]), store, 6, 9)
    (conclusion,) = watch(model(*data, rules=[DRIFT]), store, 9, 10)
    assert [incident.rule for incident in conclusion.open] == ["psi-x-1d"]
    with store.read() as connection:
        assert [one.rule for one in incidents.firing(connection, "model")] == ["psi-x-1d"]


def test_a_broken_column_inhibits_its_own_drift_only(model: Any, store: Store) -> None:
    predictions, labels = logs(drift_on=7)
    day = (predictions["ts"].to_numpy() - np.datetime64("2024-01-01")) // np.timedelta64(1, "D")
    frame = predictions.to_pandas()
    frame.loc[day == 7, "noise"] = np.nan
    frame.loc[(day == 7) & (frame.index % 3 == 0), "noise"] = 40.0
    monitor = model(
        pa.Table.from_pandas(frame, preserve_index=False),
        labels,
        rules=[{"metric": "psi", "window": "1d", "max": 0.5}],
    )
    (conclusion,) = watch(monitor, store, 7, 8)
    said = {
        verdict.measurement.column_name: verdict
        for verdict in conclusion.verdicts
        if verdict.measurement.metric == "psi"
    }
    assert said["noise"].outcome is Outcome.NOT_EVALUATED
    assert "inhibited" in said["noise"].reason
    assert said["x"].outcome is Outcome.WARN


def test_a_step_that_fails_is_kept_in_the_ledger_and_can_be_rerun(model: Any, store: Store) -> None:
    predictions, labels = logs()
    monitor = model(predictions, labels)
    watch(monitor, store, 5, 6)
    file = model.warehouse.folder / "labels" / "rows.parquet"
    hidden = file.rename(file.with_suffix(".gone"))
    (conclusion,) = watch(monitor, store, 6, 7)
    assert any("labels" in error for error in conclusion.errors)
    with store.read() as connection:
        states = {
            (entry.suite, entry.state)
            for entry in ledger.of(connection, "model", end=START + 7 * DAY)
            if entry.as_of == START + 7 * DAY
        }
    assert (Suite.PERFORMANCE, ledger.State.FAILED) in states
    assert {(Suite.QUALITY, ledger.State.DONE), (Suite.DRIFT, ledger.State.DONE)} <= states
    assert planned(monitor, START + 5 * DAY, START + 7 * DAY, store) == [
        Window.ending("1d", START + 7 * DAY)
    ]
    hidden.rename(file)
    (again,) = watch(monitor, store, 6, 7)
    assert again.errors == ()
    assert planned(monitor, START + 5 * DAY, START + 7 * DAY, store) == []


@pytest.mark.usefixtures("no_samples", "no_expectations")
@pytest.mark.parametrize(
    ("broken", "failed"),
    [
        ("driftline.suites.quality.measure", {Suite.QUALITY}),
        ("driftline.flow.watch.Watch.count", {Suite.DRIFT}),
        ("driftline.flow.watch.Watch.count_outcomes", {Suite.PERFORMANCE, Suite.ESTIMATE}),
        ("driftline.flow.watch.Watch.freeze", set(Suite)),
    ],
)
def test_what_nobody_foresaw_ends_its_own_step_only(
    model: Any, store: Store, monkeypatch: pytest.MonkeyPatch, broken: str, failed: set[Suite]
) -> None:
    monitor = model(*logs(days=6))
    with monkeypatch.context() as patched:
        patched.setattr(broken, lambda *_, **__: 10.0**400)
        (conclusion,) = watch(monitor, store, 5, 6)
    assert conclusion.errors
    assert all("OverflowError" in error for error in conclusion.errors)
    with store.read() as connection:
        states = {entry.suite: entry.state for entry in ledger.of(connection, "model")}
    wanted = {suite: State.FAILED if suite in failed else State.DONE for suite in states}
    assert states == wanted
    (again,) = watch(monitor, store, 5, 6)
    assert again.errors == ()


@pytest.mark.parametrize(
    "reference", [{"window": ["2024-01-01", "2024-01-05"]}, {"previous": "4d"}]
)
def test_a_score_that_is_null_in_all_of_the_reference_is_no_calm(
    model: Any, store: Store, reference: dict[str, Any]
) -> None:
    """A reference of its own is a fault of the file; of a sliding past each step says so."""
    predictions, labels = logs(days=6)
    blank = predictions.set_column(
        predictions.column_names.index("score"), "score", [pa.nulls(len(predictions), pa.float64())]
    )
    monitor = model(blank, labels, reference=reference)
    words = r"'score' is null in all of its \d+ rows: what the model said cannot be watched"
    if "window" in reference:
        with pytest.raises(LogError, match=words):
            watch(monitor, store, 5, 6)
        return
    (conclusion,) = watch(monitor, store, 5, 6)
    assert conclusion.verdicts == ()
    with store.read() as connection:
        entries = list(ledger.of(connection, "model"))
    assert {entry.state for entry in entries} == {State.NOT_EVALUATED}
    assert all(re.search(words, entry.error) for entry in entries)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_rule_on_scores_is_judged_where_over_half_of_the_classes_are_null(
    task: str, warehouse: Any, store: Store
) -> None:
    predictions, labels = logs(task, days=8)
    if task == "binary":
        said = pc.cast(pc.greater_equal(predictions["score"], 0.5), pa.int64())
    else:
        said = predictions["prediction"]
        predictions = predictions.drop_columns(["prediction"])
    gone = np.arange(len(predictions)) % 5 > 1
    said = pa.array(said.to_pylist(), mask=gone)
    warehouse.load("predictions", predictions.append_column("said", said))
    warehouse.load("labels", labels)
    rules = [
        {"name": name, "metric": name, "window": "1d", bound: limit}
        for name, bound, limit in (("log_loss", "max", 0.1), ("accuracy", "min", 0.99))
    ]
    own = parts(task)
    own["predictions"] |= {"prediction": "said"}
    monitor = warehouse.monitor(**own | {"rules": rules, "windows": ["1d"]})
    (conclusion,) = watch(monitor, store, 7, 8)
    day = Window.ending("1d", START + 7 * DAY)  # whose labels have come a day later
    rows = truth(predictions, labels, START + 8 * DAY, 2)
    rows = rows[rows["ts"] < day.end]
    scores = rows[[name for name in rows if name.startswith("p_")] or "score"].to_numpy()
    with store.read() as connection:
        found = {
            row["metric"]: row
            for row in measurements.current(
                connection, monitor.monitor, suite="performance", segment="", model_version=""
            )
            if row["window_start"] == day.start and not row["detail"]
        }
    loss = found["log_loss"]
    assert loss["value"] == pytest.approx(sk.log_loss(rows["y"], scores), **EXACT)
    assert (loss["row_count"], loss["reason"]) == (len(rows), "")
    assert found["accuracy"]["value"] is None
    assert "rows left out: the predicted class is missing" in found["accuracy"]["reason"]
    judged = {v.rule: v.outcome for v in conclusion.verdicts if v.measurement.window == day}
    assert (judged["log_loss"], judged["accuracy"]) == (Outcome.WARN, Outcome.NOT_EVALUATED)


def test_a_window_whose_statement_took_too_long_can_be_rerun(tmp_path: Path, store: Store) -> None:
    """With more time it is the same configuration: what was measured before stands."""
    place = Warehouse(kind="duckdb", folder=tmp_path)
    for name, rows in zip(("predictions", "labels"), logs(), strict=True):
        place.load(name, rows)
    hasty = place.monitor(**parts("binary"), statement_timeout="3s")
    assert watch(hasty, store, 5, 6)[0].errors == ()
    numbers = "range(3000000) AS a, range(3000000) AS b WHERE (a.range * 7 + b.range) % 11 = 12"
    with duckdb.connect(place.file) as connection:
        connection.execute("ALTER TABLE labels RENAME TO kept")
        connection.execute(f"CREATE VIEW labels AS SELECT kept.* FROM kept, {numbers}")
    (conclusion,) = watch(hasty, store, 6, 7)
    assert any("longer than 3s (statement_timeout)" in error for error in conclusion.errors)
    with store.read() as connection:
        failed = [e for e in ledger.of(connection, "model") if e.state is ledger.State.FAILED]
    # An estimate is learnt from the labels of the reference.
    assert {entry.suite for entry in failed} == {Suite.PERFORMANCE, Suite.ESTIMATE}
    patient = place.monitor(**parts("binary"), statement_timeout="1h")
    assert planned(patient, START + 5 * DAY, START + 7 * DAY, store) == [
        Window.ending("1d", START + 7 * DAY)
    ]
    with duckdb.connect(place.file) as connection:
        connection.execute("DROP VIEW labels")
        connection.execute("ALTER TABLE kept RENAME TO labels")
    assert watch(patient, store, 6, 7)[0].errors == ()
    assert planned(patient, START + 5 * DAY, START + 7 * DAY, store) == []


def test_a_warehouse_that_fails_before_the_reference_is_kept_in_the_ledger_too(
    model: Any, store: Store
) -> None:
    monitor = model(*logs())
    file = model.warehouse.folder / "predictions" / "rows.parquet"
    whole = file.read_bytes()
    file.write_bytes(b"PAR1 torn PAR1")
    conclusions = watch(monitor, store, 5, 7)
    assert all(conclusion.errors for conclusion in conclusions)
    with store.read() as connection:
        assert {e.state for e in ledger.of(connection, "model")} == {ledger.State.FAILED}
    assert len(planned(monitor, START + 5 * DAY, START + 7 * DAY, store)) == 2
    file.write_bytes(whole)
    assert all(conclusion.errors == () for conclusion in watch(monitor, store, 5, 7))
    assert planned(monitor, START + 5 * DAY, START + 7 * DAY, store) == []


def test_a_sample_is_named_wherever_it_was_measured(model: Any, store: Store) -> None:
    predictions, labels = logs(rows=400)
    monitor = model(predictions, labels, drift={"rows": 200, "method": ["psi", "ks", "chi_square"]})
    watch(monitor, store, 6, 7)
    with store.read() as connection:
        rows = measurements.current(
            connection, "model", segment="", cadence="1d", start=START + 6 * DAY
        )
    sampled = [row for row in rows if row["engine"] == "evidently" and row["suite"] != "quality"]
    day = predictions["ts"].to_pandas().between(START + 6 * DAY, START + 7 * DAY, "left").sum()
    words = f"a sample: 200 of {day} rows ({200 / day:.1%})"
    assert {row["reason"] for row in sampled} == {words}
    counted = [row for row in rows if row["engine"] == "profile" and row["suite"] == "drift"]
    assert {row["row_count"] for row in counted} == {day}
    assert not any("sample" in row["reason"] for row in counted)
    (classified,) = [row for row in rows if row["engine"] == "scikit_learn"]
    assert (classified["metric"], classified["row_count"]) == ("domain_classifier_auc", 200)
    assert classified["reason"] == words
    methods = {(row["column_name"], row["metric"]) for row in rows if row["suite"] == "drift"}
    assert {("x", "ks"), ("group", "chi_square")} <= methods
    assert not {("x", "chi_square"), ("group", "ks")} & methods


def test_texts_and_timestamps_are_watched_as_numbers(model: Any, store: Store) -> None:
    predictions, labels = logs(drift_on=7)
    rng = np.random.default_rng(4)
    ts = predictions["ts"].to_numpy()
    late = ts >= np.datetime64(START.replace(tzinfo=None) + 7 * DAY)
    sizes = rng.integers(6, 40, len(late)) // (1 + 3 * late)
    kindly = [" ".join(rng.choice(["kindly", "said", "the", "crew"], size)) for size in sizes]
    ages = rng.gamma(2, 86_400, len(late)) * (1 + 4 * late)
    columns = {
        "comment": pa.array(kindly, mask=late & (rng.random(len(late)) < 0.06)),
        "booked": pa.array(ts - ages.astype("timedelta64[s]")).cast(pa.timestamp("us", "UTC")),
    }
    for name, column in columns.items():
        predictions = predictions.append_column(name, column)
    monitor = model(
        predictions,
        labels,
        drift={"method": ["psi", "null_share"]},
        rules=[{"metric": "psi", "columns": name, "window": "1d", "max": 0.5} for name in columns],
    )
    watch(monitor, store, 6, 8)
    with store.read() as connection:
        rows = measurements.current(connection, monitor.monitor, cadence="1d")
    found = {
        (row["column_name"], row["metric"], row["window_start"]): row
        for row in rows
        if row["engine"] != "evidently" and not row["model_version"]
    }
    calm, changed = START + 6 * DAY, START + 7 * DAY
    for name, counted in (("comment", "length in characters"), ("booked", "age in seconds")):
        assert found[name, "psi", calm]["verdict"] == "ok"
        row = found[name, "psi", changed]
        assert (row["verdict"], row["value"] > 0.5) == ("warn", True)
        assert f"what counts is its {counted}" in row["reason"]
        between = "expect_column_values_to_be_between"
        assert found[name, between, calm]["value"] == 1
        assert found[name, "null_share", calm]["value"] == 0
    shift = found["comment", "null_share_shift", changed]
    share = found["comment", "null_share", changed]["value"]
    assert share == shift["value"] > 0.03
    assert found["comment", "null_share_p_value", changed]["value"] < 1e-4
    assert found["booked", "null_share_p_value", changed]["value"] == 1
    asked = [row for row in rows if row["engine"] == "evidently" and row["metric"] == "psi"]
    assert {row["column_name"] for row in asked} >= set(columns)
    assert all(row["value"] is not None for row in asked)
    with store.read() as connection:
        fired = incidents.firing(connection, monitor.monitor)
    assert {one.series.subject for one in fired} >= {f"psi of {name} (1d)" for name in columns}


def test_a_rule_looks_at_the_classifier_of_the_day(model: Any, store: Store) -> None:
    rule = {"metric": "domain_classifier_auc", "max": 0.75}
    predictions, labels = logs(drift_on=7)
    before, after = watch(model(predictions, labels, rules=[rule], drift={}), store, 6, 8)
    said = [v for each in (before, after) for v in each.verdicts if v.rule == rule["metric"]]
    assert [v.measurement.window.cadence for v in said] == ["1d", "1d"]
    assert [v.outcome for v in said] == [Outcome.OK, Outcome.WARN]
    assert said[1].reason.endswith("above 0.75: the window's rows are told apart most by x")
    off = model(predictions, labels, drift={"domain_classifier": False})
    watch(off, store, 7, 8)
    found = values(store, off, cadence="1d", suite="drift", start=START + 7 * DAY)
    assert "psi" in found
    assert "domain_classifier_auc" not in found


def test_an_empty_day_is_a_result(model: Any, store: Store) -> None:
    predictions, labels = logs(days=6)
    monitor = model(predictions, labels, rules=[DRIFT])
    conclusions = watch(monitor, store, 6, 11)
    assert all(conclusion.errors == () for conclusion in conclusions)
    last = conclusions[-1]
    assert not any(v.firing for v in last.verdicts if v.measurement.suite is not Suite.QUALITY)
    volume = [v for v in last.verdicts if v.measurement.metric.startswith("expect_table_row_count")]
    assert [v.outcome for v in volume] == [Outcome.WARN]
    counted = values(store, monitor, metric="row_count", start=START + 10 * DAY)
    assert counted == {"row_count": 0}
    with store.read() as connection:
        rows = measurements.current(
            connection, "model", metric="psi", column="x", cadence="1d", start=START + 10 * DAY
        )
    (row,) = [row for row in rows if row["engine"] == "profile"]
    assert (row["value"], row["verdict"]) == (None, "not_evaluated")
    assert row["reason"]


@pytest.mark.parametrize(
    ("renamed", "told"),
    [
        ("", "noise is not in the log any more"),
        ("noise_db", "noise is not in the log any more; noise_db is new: renamed?"),
        ("Nois", "noise is not in the log any more; Nois is new: renamed?"),
        ("wholly_other", "noise is not in the log any more"),
    ],
)
def test_a_dropped_column_is_told_as_that_and_the_rest_is_measured(
    model: Any, store: Store, caplog: Any, renamed: str, told: str
) -> None:
    predictions, labels = logs()
    monitor = model(predictions, labels, rules=[DRIFT])
    watch(monitor, store, 6, 7)
    later = predictions.drop_columns(["noise"])
    if renamed:
        later = later.append_column(renamed, predictions["noise"])
    model.warehouse.load("predictions", later)
    (conclusion,) = watch(monitor, store, 7, 8)
    failed = [v for v in conclusion.verdicts if v.outcome is Outcome.CRITICAL]
    assert {v.measurement.column_name for v in failed} == {"noise"}
    assert all(told in v.reason and "100%" not in v.reason for v in failed)
    with store.read() as connection:
        rows = measurements.current(
            connection, monitor.monitor, column="noise", cadence="1d", start=START + 7 * DAY
        )
    reasons = {(row["suite"], row["metric"]): row["reason"] for row in rows}
    assert reasons["quality", "null_share"] == reasons["drift", "psi"] == told
    assert told in caplog.text
    found = values(store, monitor, metric="psi", column="x", cadence="1d", start=START + 7 * DAY)
    assert found["psi"] < 0.5


def test_a_column_that_later_files_rename_is_told_too(model: Any, store: Store) -> None:
    """Files that differ have the columns of all of them: the old name is there, and null."""
    predictions, labels = logs()
    early = pc.less(predictions["ts"], START + 7 * DAY)
    monitor = model(predictions.filter(early), labels, rules=[DRIFT])
    later = predictions.filter(pc.invert(early)).rename_columns({"noise": "noise_db"})
    pq.write_table(later, monitor.folder / "predictions" / "later.parquet")
    (conclusion,) = watch(monitor, store, 7, 8)
    failed = [v for v in conclusion.verdicts if v.outcome is Outcome.CRITICAL]
    assert {v.measurement.column_name for v in failed} == {"noise"}
    told = "noise is null in every row; noise_db is new: renamed?"
    assert all(told in verdict.reason for verdict in failed)


def test_segments_and_versions_are_measured_apart(model: Any, store: Store) -> None:
    predictions, labels = logs(rows=300)
    monitor = model(predictions, labels, segments=["group"], windows=["1d", "3d"])
    watch(monitor, store, 6, 7)
    rows = truth(predictions, labels, START + 7 * DAY, 3)
    with store.read() as connection:
        found = {
            (row["segment"], row["model_version"]): row["value"]
            for row in measurements.current(
                connection,
                "model",
                suite="performance",
                metric="accuracy",
                cadence="3d",
                start=START + 4 * DAY,
            )
        }
    expected = {("", ""): rows}
    expected |= {(f"group={g}", ""): rows[rows["group"] == g] for g in ("north", "south")}
    expected |= {("", v): rows[rows["version"] == v] for v in ("1", "2")}
    assert found == {
        key: pytest.approx(sk.accuracy_score(part["y"], part["score"] >= 0.5))
        for key, part in expected.items()
    }


@pytest.mark.parametrize("reference", ["previous", "query"])
def test_references_that_slide_or_stand_apart(model: Any, store: Store, reference: str) -> None:
    given = {
        "previous": {"previous": "4d"},
        "query": {"query": "SELECT x, noise, \"group\", score FROM 'predictions/*.parquet'"},
    }[reference]
    if reference == "query":
        given = {"parquet": "predictions/*.parquet"}
    monitor = model(*logs(drift_on=7), reference=given, rules=[DRIFT])
    conclusions = watch(monitor, store, 6, 10)
    assert all(conclusion.errors == () for conclusion in conclusions)
    with store.read() as connection:
        rows = measurements.current(
            connection, "model", metric="psi", column="x", cadence="1d", start=START + 6 * DAY
        )
    rows = [row for row in rows if row["engine"] == "profile"]
    assert len({row["reference_id"] for row in rows}) == (4 if reference == "previous" else 1)
    assert rows[1]["value"] > rows[0]["value"]


def test_a_sliding_reference_that_has_not_begun_is_no_end(model: Any, store: Store) -> None:
    monitor = model(*logs(), reference={"previous": "4d"}, windows=["1d"])
    assert all(conclusion.errors == () for conclusion in watch(monitor, store, 0, 3))
    with store.read() as connection:
        entries = ledger.of(connection, "model")
    open_ = {e.window.start for e in entries if e.state is ledger.State.NOT_EVALUATED}
    assert open_ == {START - DAY, START}
    assert {e.window.start for e in entries} - open_ == {START + DAY, START + 2 * DAY}
    assert "no rows from 2023-12-28 to 2024-01-01" in str([entry.error for entry in entries])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_leaves_the_store_before_or_after_and_a_rerun_makes_it_whole(
    model: Any, store: Store, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    monitor = model(*logs(days=18, rows=60, drift_on=12), rules=[DRIFT])
    watch(monitor, store, 10, 17)
    whole = contents(store)
    url = _other(kind, tmp_path, request)
    upgrade(url)
    address = url.render_as_string(hide_password=False)
    with monitor.path.open("a", encoding="utf-8") as file:
        file.write(f"store: {address}\n")
    command = [sys.executable, "-m", "driftline.cli", "run", str(monitor.path)]
    command += ["--from", "2024-01-11", "--to", "2024-01-18"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Store.open(url) as other:
        try:
            _until_some_are_done(other, child)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        for name in ("measurements", "verdicts", "windows"):
            assert set(contents(other)[name]) < set(whole[name])
        with other.read() as connection:
            done = ledger.of(connection, "model")
        days = {entry.as_of for entry in done}
        per_day = {day: sum(entry.as_of == day for entry in done) for day in days}
        assert set(per_day.values()) == {9}, "a day is there whole or not at all"
        watch(monitor, other, 10, 17)
        assert contents(other) == whole


def _other(kind: str, folder: Path, request: pytest.FixtureRequest) -> URL:
    if kind == "sqlite":
        return make_url(f"sqlite:///{folder / 'killed.db'}")
    return make_url(request.getfixturevalue("postgres_database"))


def _until_some_are_done(store: Store, child: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        with store.read() as connection:
            if len({entry.as_of for entry in ledger.of(connection, "model")}) >= 3:
                return
        time.sleep(0.02)
    raise AssertionError(f"the run ended too early or did nothing: {child.poll()}")


def test_everything_is_isolated_from_the_environment() -> None:
    assert "AIRFLOW_CONN_DRIFTLINE_STORE" not in os.environ
    assert timedelta(days=1) == DAY
