"""Why performance fell: found before anybody is told, kept, and told in the message."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn import metrics as sk
from sqlalchemy import select

from driftline.domain import CauseKind, Explanation, Suite, Window
from driftline.errors import WarehouseError
from driftline.flow import inquiry, pipeline
from driftline.flow.step import Step
from driftline.flow.watch import Watch
from driftline.run import planned, run
from driftline.store import Store, explanations, tables
from tests.models import DAY, START, logs, parts
from tests.warehouses import make_warehouse

pytestmark = pytest.mark.usefixtures("no_samples", "no_expectations")

RULE = {
    "name": "worse",
    "metric": "log_loss",
    "window": "1d",
    "worse_by": "30%",
    "severity": "critical",
}


@pytest.fixture
def monitor(request: pytest.FixtureRequest, tmp_path: Path):
    """A model that no longer sees its feature `x`, which has moved, from the ninth day on."""
    warehouse = make_warehouse(request, "parquet", tmp_path)
    predictions, labels = logs(rows=800, days=12, drift_on=8)
    predictions = predictions.drop_columns(["version"])
    warehouse.load("predictions", predictions)
    warehouse.load("labels", labels)
    whole = parts("binary") | {"predictions": {}, "windows": ["1d"], "rules": [RULE]}
    return warehouse.monitor(**whole)


def test_the_message_waits_for_the_explanation(monitor, store: Store) -> None:
    conclusions = list(run(monitor, planned(monitor, START + 8 * DAY, START + 10 * DAY), store))
    (told,) = [conclusion for conclusion in conclusions if conclusion.told]
    assert [incident.rule for incident in told.open] == ["worse"]
    window = Window.ending("1d", START + 9 * DAY)
    with store.read() as connection:
        found = explanations.newest(connection, monitor.monitor, window, monitor.config_hash)
        (body,) = connection.scalars(select(tables.outbox.c.body)).all()
    assert found is not None
    assert found.fell
    assert found.inputs + found.relation == pytest.approx(found.fall)
    assert [cause.rank for cause in found.causes] == list(range(1, len(found.causes) + 1))
    assert found.causes[0].column == "x" or found.causes[0].kind == "concept"
    why = json.loads(body)["why"]
    assert why == list(found.lines)
    assert why[0].startswith("log_loss is")


def test_what_fired_in_a_backfill_is_explained_when_it_is_told(monitor, store: Store) -> None:
    list(run(monitor, planned(monitor, START + 8 * DAY, START + 9 * DAY), store, page=False))
    list(run(monitor, planned(monitor, START + 9 * DAY, START + 10 * DAY), store))
    with store.read() as connection:
        (body,) = connection.scalars(select(tables.outbox.c.body)).all()
    assert json.loads(body)["why"][0].startswith("log_loss is ")


def test_an_inquiry_that_fails_holds_no_message_back(
    monitor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise WarehouseError("the warehouse does not answer")

    monkeypatch.setattr(Watch, "labelled_reference", gone)
    conclusions = list(run(monitor, planned(monitor, START + 8 * DAY, START + 10 * DAY), store))
    assert [conclusion.told for conclusion in conclusions] == [False, True]
    with store.read() as connection:
        (body,) = connection.scalars(select(tables.outbox.c.body)).all()
    assert json.loads(body)["why"] == ["not explained: the warehouse does not answer"]


@pytest.mark.parametrize(
    ("metric", "by"),
    [("log_loss_ratio", "log_loss_ratio"), ("roc_auc", "roc_auc"), ("ece", "log_loss")],
)
def test_a_window_in_which_nothing_fell_is_said_to_be_so(
    monitor, store: Store, metric: str, by: str
) -> None:
    step = Step(
        suite=Suite.PERFORMANCE, window=Window.ending("1d", START + 8 * DAY), as_of=START + 9 * DAY
    )
    with Watch(monitor) as watch:
        compared, _ = pipeline.references_of(store, watch, [step])
        found = inquiry.inquire(store, watch, compared[step.window], step, metric)
    assert isinstance(found, Explanation)
    assert found.words.startswith(f"{by} is ")
    assert not found.fell
    known = compared[step.window].performance[by, ""]
    assert found.reference_value == pytest.approx(known, rel=0.01)
    assert not [cause for cause in found.causes if cause.share]


def test_the_report_that_the_message_names_is_there(monitor, store: Store) -> None:
    list(run(monitor, planned(monitor, START + 8 * DAY, START + 10 * DAY), store))
    with store.read() as connection:
        (body,) = connection.scalars(select(tables.outbox.c.body)).all()
    page = Path(json.loads(body)["look"][0])
    assert page.is_file()
    assert "Why it fell" in page.read_text()


def test_a_day_of_which_rows_came_late_is_told_of(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store
) -> None:
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    for table, rows in zip(("predictions", "labels"), logs(rows=800, days=12), strict=True):
        warehouse.load(table, rows)
    monitor = warehouse.monitor(**parts("binary") | {"windows": ["1d"], "rules": [RULE]})
    late, day = START + 9 * DAY, Window.ending("1d", START + 9 * DAY)
    held = f"FROM predictions WHERE ts::date = '{day.start:%F}' AND hour(ts) >= 8"
    with duckdb.connect(str(warehouse.file)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE late AS SELECT * {held}")
        connection.execute(f"DELETE {held}")
    for end in (late, late + DAY):
        if end > late:
            with duckdb.connect(str(warehouse.file)) as connection:
                connection.execute("INSERT INTO predictions FROM late")
        list(run(monitor, [Window.ending("1d", end)], store))
    step = Step(suite=Suite.PERFORMANCE, window=day, as_of=late + DAY)
    with Watch(monitor) as watch:
        compared, _ = pipeline.references_of(store, watch, [step])
        found = inquiry.inquire(store, watch, compared[day], step, "log_loss")
        before = inquiry.inquire(store, watch, compared[day], replace(step, as_of=late), "log_loss")
    words = [cause.words for cause in found.causes if cause.kind is CauseKind.FAILED_RUN]
    assert len(words) == 1
    assert "of its rows came late, by" in words[0]
    assert not [cause for cause in before.causes if cause.kind is CauseKind.FAILED_RUN]


def asked(
    monitor, store: Store, metric: str, scope: str = "", *, day: int = 9, known: timedelta = DAY
):
    """Return why a metric is what it is on a day, from what was known so long after its end."""
    window = Window.ending("1d", START + day * DAY)
    step = Step(suite=Suite.PERFORMANCE, window=window, as_of=window.end + known)
    with Watch(monitor) as watch:
        compared, _ = pipeline.references_of(store, watch, [step])
        return inquiry.inquire(store, watch, compared[window], step, metric, scope)


def of(request: pytest.FixtureRequest, folder: Path, said, came, **own):
    warehouse = make_warehouse(request, "parquet", folder)
    warehouse.load("predictions", said.drop_columns(["version"]))
    warehouse.load("labels", came)
    whole = parts("binary") | {"predictions": {}, "windows": ["1d"], "rules": [RULE]}
    return warehouse.monitor(**whole | own)


def since(table, name: str, days: int):
    """Return which rows a table has from some day on."""
    return pc.greater_equal(table[name], pa.scalar(START + days * DAY, table[name].type))


def test_an_alert_about_a_segment_explains_that_segment(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store
) -> None:
    predictions, labels = logs(rows=1500, days=10)
    both = predictions.select(["id", "ts", "group"]).join(labels, "id", join_type="inner")
    turned = pc.and_(since(both, "ts", 8), pc.equal(both["group"], "north"))
    y = pc.if_else(turned, pc.subtract(1, both["y"]), both["y"])
    labels = pa.table({"id": both["id"], "labelled_at": both["labelled_at"], "y": y})
    monitor = of(request, tmp_path, predictions, labels, segments=["group"])
    cause = asked(monitor, store, "log_loss", "group=north").causes[0]
    assert (cause.column, cause.segment) == ("group", "group=north")
    assert (
        "group=north: the same inputs come out differently, and elsewhere they do not"
        in cause.words
    )
    assert cause.kind is CauseKind.LABELS_FLIPPED
    assert not asked(monitor, store, "log_loss", "group=south").fell


def test_a_segment_is_told_when_others_fare_alike(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store
) -> None:
    predictions, labels = logs(rows=1500, days=10)
    both = predictions.select(["id", "ts"]).join(labels, "id", join_type="inner")
    y = pc.if_else(since(both, "ts", 8), pc.subtract(1, both["y"]), both["y"])
    labels = pa.table({"id": both["id"], "labelled_at": both["labelled_at"], "y": y})
    monitor = of(request, tmp_path, predictions, labels, segments=["group"])
    cause = asked(monitor, store, "log_loss", "group=north").causes[0]
    assert cause.column == ""
    assert "elsewhere as here" in cause.words


def test_a_threshold_that_moved_is_seen_in_the_logged_class(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store
) -> None:
    predictions, labels = logs(rows=1500, days=10)
    cut = pc.if_else(since(predictions, "ts", 8), 0.15, 0.5)
    said = pc.cast(pc.greater_equal(predictions["score"], cut), pa.int64())
    predictions = predictions.append_column("class", said)
    own = {"predictions": {"prediction": "class"}}
    found = asked(of(request, tmp_path, predictions, labels, **own), store, "accuracy")
    assert found.causes[0].kind is CauseKind.SCORE
    assert "the threshold was 0.5 and reads 0.15" in found.causes[0].words


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_answers_that_changed_are_seen_beside_a_few_scores_that_are_null(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store, metric: str
) -> None:
    predictions, labels = logs(rows=1500, days=10)
    score = predictions["score"].to_numpy().copy()
    turned = since(predictions, "ts", 8).to_numpy()
    score[turned] = 1 - score[turned]
    said = pa.array((score >= 0.5).astype(int))
    null = np.arange(len(score)) % 100 == 7
    at = predictions.column_names.index("score")
    predictions = predictions.set_column(at, "score", pa.array(score, mask=null))
    predictions = predictions.append_column("class", said)
    own = {"predictions": {"prediction": "class"}}
    found = asked(of(request, tmp_path, predictions, labels, **own), store, metric)
    labelled = set(labels["id"].to_pylist())
    day = pc.and_(since(predictions, "ts", 8), pc.invert(since(predictions, "ts", 9))).to_numpy()
    known = np.array([one in labelled for one in predictions["id"].to_pylist()]) & day
    assert found.rows == (known if metric == "accuracy" else known & ~null).sum()
    assert found.causes[0].kind is CauseKind.SCORE
    assert "the model answers" in found.causes[0].words


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_fall_of_scores_is_explained_of_rows_without_a_class(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store, task: str
) -> None:
    predictions, labels = logs(task, rows=1000, days=10, drift_on=8)
    if task == "binary":
        classes = pc.cast(pc.greater_equal(predictions["score"], 0.5), pa.int64())
    else:
        classes = predictions["prediction"]
        predictions = predictions.drop_columns(["prediction"])
    gone = pc.and_(
        since(predictions, "ts", 7), pa.array(np.arange(len(predictions)) % 5 > 0)
    ).to_numpy(zero_copy_only=False)
    said = pa.array(classes.to_pylist(), mask=gone)
    own = {"predictions": parts(task)["predictions"] | {"prediction": "said"}, "task": task}
    own["predictions"].pop("version")
    monitor = of(request, tmp_path, predictions.append_column("said", said), labels, **own)
    found = asked(monitor, store, "log_loss")
    assert found.fell
    assert found.words.startswith("log_loss is ")
    day = pc.and_(since(predictions, "ts", 8), pc.invert(since(predictions, "ts", 9)))
    joined = predictions.filter(day).to_pandas().merge(labels.to_pandas(), on="id")
    scores = joined[[c for c in joined if c.startswith("p_")] or "score"].to_numpy()
    assert found.rows == len(joined)
    assert found.window_value == pytest.approx(sk.log_loss(joined["y"], scores))
    assert not [cause for cause in found.causes if cause.kind is CauseKind.LABELS_MISSING]


@pytest.mark.parametrize("lost", [False, True])
def test_labels_are_missing_where_they_are_later_than_the_references_were(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store, lost: bool
) -> None:
    """Labels take up to twenty hours: two hours after a day a third of them is still to come."""
    predictions, labels = logs(rows=1500, days=10, drift_on=8)
    if lost:
        gone = pc.and_(since(labels, "labelled_at", 8), pc.equal(labels["y"], 0))
        keep = pc.or_(pc.invert(gone), pa.array(np.arange(len(labels)) % 4 == 0))
        labels = labels.filter(keep)
    monitor = of(request, tmp_path, predictions, labels)
    found = asked(monitor, store, "log_loss", known=timedelta(hours=2))
    assert found.fell
    missing = [cause for cause in found.causes if cause.kind is CauseKind.LABELS_MISSING]
    assert len(missing) == lost
    if lost:
        usual = float(re.search(r"; ([0-9.]+)% is usual at this age", missing[0].words)[1])
        assert 50 < usual < 75


@pytest.mark.parametrize("nulls_from", [8, 9])
def test_only_what_broke_before_the_incident_began_is_named(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store, nulls_from: int
) -> None:
    predictions, labels = logs(rows=200, days=11, drift_on=8)
    broken = pc.if_else(since(predictions, "ts", nulls_from), None, predictions["noise"])
    at = predictions.column_names.index("noise")
    predictions = predictions.set_column(at, "noise", broken)
    rules = [
        {**RULE, "for": 2},
        {"name": "nulls", "metric": "null_share", "columns": "noise", "max": 0.1,
         "severity": "critical", "then": [], "window": "1d"},
    ]  # fmt: skip
    monitor = of(request, tmp_path, predictions, labels, rules=rules)
    list(run(monitor, planned(monitor, START + 8 * DAY, START + 11 * DAY), store))
    with store.read() as connection:
        bodies = [json.loads(each) for each in connection.scalars(select(tables.outbox.c.body))]
    (body,) = [each for each in bodies if each["findings"][0]["rule"] == "worse"]
    named = [cause for cause in body["causes"] if "noise" in cause]
    assert bool(named) == (nulls_from == 8), body["causes"]
