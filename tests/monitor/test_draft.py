"""What is guessed from the names and types of columns, on tables as people name them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from driftline.cli import main
from driftline.errors import InputError
from driftline.monitor.draft import guess, reference_window
from driftline.warehouse import Logs
from driftline.warehouse.features import SAMPLE

TIME, TEXT, REAL, WHOLE = "TIMESTAMP", "VARCHAR", "DOUBLE", "BIGINT"


def test_a_binary_log_with_a_table_of_labels() -> None:
    log = {"request_id": TEXT, "predicted_at": TIME, "probability": REAL, "model_version": TEXT}
    labels = {"request_id": TEXT, "labelled_at": TIME, "churned": WHOLE}
    found = guess(log, labels)
    assert (found.task, found.timestamp, found.id) == ("binary", "predicted_at", "request_id")
    assert (found.score, found.version) == ("probability", "model_version")
    assert (found.label, found.label_timestamp) == ("churned", "labelled_at")


def test_a_label_in_the_predictions_row() -> None:
    found = guess({"id": WHOLE, "ts": TIME, "y_score": REAL, "y_true": WHOLE}, {})
    assert (found.label, found.label_id) == ("y_true", None)


def test_a_score_for_each_class() -> None:
    log = {"ts": TIME, "p_stay": REAL, "p_leave": REAL, "p_pause": REAL, "pred": TEXT}
    found = guess(log, {})
    assert (found.task, found.prediction) == ("multiclass", "pred")
    assert found.score == {"stay": "p_stay", "leave": "p_leave", "pause": "p_pause"}


@pytest.mark.parametrize(
    ("kind", "task"), [(REAL, "regression"), ("NUMERIC(10, 2)", "regression"), (TEXT, "multiclass")]
)
def test_a_prediction_without_a_score(kind: str, task: str) -> None:
    found = guess({"event_time": TIME, "predicted": kind}, {})
    assert (found.task, found.score, found.prediction) == (task, None, "predicted")


def test_a_task_that_is_given_decides() -> None:
    found = guess({"ts": TIME, "score": REAL}, {}, "regression")
    assert (found.score, found.prediction) == (None, "score")


def test_structs_are_looked_into() -> None:
    found = guess({"meta.id": TEXT, "meta.ts": TIME, "outputs.probability": REAL}, {})
    assert (found.timestamp, found.score) == ("meta.ts", "outputs.probability")


def test_columns_as_azure_names_them() -> None:
    """Scored Labels and Scored Probabilities: Azure Machine Learning designer, Score Model."""
    log = {"correlationid": TEXT, "timestamp": TIME, "Scored Labels": TEXT, "age": REAL}
    log |= {"Scored Probabilities": REAL}
    found = guess(log, {"correlationid": TEXT, "actual": WHOLE})
    assert (found.task, found.score) == ("binary", "Scored Probabilities")
    assert (found.prediction, found.id, found.label_id) == (
        "Scored Labels",
        "correlationid",
        "correlationid",
    )


def test_labels_that_nothing_joins_want_an_id() -> None:
    with pytest.raises(InputError, match="--id"):
        guess({"ts": TIME, "score": REAL, "who": TEXT}, {"who": TEXT, "y": WHOLE})


@pytest.mark.parametrize(
    ("times", "known"),
    [(("sold_at",), "sold_at"), (("begun", "ended"), None), (("ts",), "ts"), ((), None)],
)
def test_the_only_time_of_labels_is_when_they_are_known(times: tuple, known: str | None) -> None:
    labels = {"id": TEXT, "price": REAL} | dict.fromkeys(times, TIME)
    found = guess({"id": TEXT, "ts": TIME, "predicted_price": REAL}, labels)
    assert (found.label, found.label_timestamp) == ("price", known)


def test_of_a_table_without_predictions_only_time_and_key_are_guessed() -> None:
    columns = {"customer_id": TEXT, "event_timestamp": TIME, "credit_score": REAL, "churned": REAL}
    found = guess(columns, {}, "none")
    assert (found.task, found.timestamp, found.id) == ("none", "event_timestamp", "customer_id")
    assert (found.score, found.prediction, found.label, found.status) == (None,) * 4
    with pytest.raises(InputError, match="--task none"):
        guess({"customer_id": TEXT, "event_timestamp": TIME, "spend": REAL}, {})


def test_init_says_which_numbers_it_takes_for_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sample tells both what is a feature and what is none."""
    draw, drawn = Logs._draw, []
    monkeypatch.setattr(Logs, "_draw", lambda *a, **kw: drawn.append(kw) or draw(*a, **kw))
    at = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(60)]
    rows = {"ts": at, "score": [0.5] * 60, "income": [100 * n % 6007 for n in range(60)]}
    pq.write_table(pa.table(rows | {"age": [n % 9 for n in range(60)]}), tmp_path / "log.parquet")
    made = CliRunner().invoke(main, ["init", "--predictions", f"{tmp_path}/log.parquet"])
    assert made.exit_code == 0, made.output
    assert "1 feature: age" in made.stderr
    assert "income is no feature: it looks like an id" in made.stderr
    assert "features.numeric" in made.stderr
    assert drawn == [{"limit": SAMPLE}]


@pytest.mark.parametrize("columns", [{"a": REAL}, {"ts": TIME, "a": REAL}])
def test_without_a_time_or_a_score_there_is_no_guess(columns: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no column looks like"):
        guess(columns, {})


@pytest.mark.parametrize("kind", [TIME, "DATE", "TIMESTAMPTZ", "Nullable(DateTime64(6))"])
def test_a_time_is_no_label(kind: str) -> None:
    log = {"request_id": TEXT, "ts": TIME, "score": REAL}
    with pytest.raises(InputError, match=r"looks like the label .*--label"):
        guess(log, {"request_id": TEXT, "labelled_at": TIME, "resolved": kind, "due_date": TEXT})
    found = guess(log, {"request_id": TEXT, "resolved": kind, "bought": WHOLE})
    assert found.label == "bought"


def test_a_feature_named_like_a_question_is_no_label_of_its_row() -> None:
    assert guess({"ts": TIME, "score": REAL, "is_weekend": WHOLE}, {}).label is None


def test_what_is_said_is_taken() -> None:
    log = {"request_id": TEXT, "sku": TEXT, "ts": TIME, "moment": TIME, "eta": REAL, "took": REAL}
    said = {"timestamp": "moment", "prediction": "eta", "label": "took", "id": ["sku"]}
    found = guess(log, {}, said=said)
    assert (found.task, found.timestamp, found.id) == ("regression", "moment", "sku")
    assert (found.prediction, found.score, found.label) == ("eta", None, "took")


@pytest.mark.parametrize(("days", "taken"), [(1, 1), (10, 5), (300, 28)])
def test_the_reference_is_the_first_half_or_four_weeks(days: int, taken: int) -> None:
    first = datetime(2024, 1, 1, 5, tzinfo=UTC)
    start, end = reference_window(
        first, datetime.fromtimestamp(first.timestamp() + days * 86400, UTC)
    )
    assert start == datetime(2024, 1, 1, tzinfo=UTC)
    assert (end - start).days == taken
