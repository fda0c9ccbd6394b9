"""Why performance fell: found before anybody is told, kept, and told in the message."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import select

from driftline import inquiry, pipeline
from driftline.domain import CauseKind, Explanation, Suite, Window
from driftline.errors import WarehouseError
from driftline.run import planned, run
from driftline.steps import Step
from driftline.store import Store, explanations, tables
from driftline.watch import Watch
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
    def gone(*_: object) -> None:
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
