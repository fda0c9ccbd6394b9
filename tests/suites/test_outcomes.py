"""Labels, classes and scores as databases write them."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from driftline.errors import LogError
from driftline.profile.classes import canonical
from driftline.suites.outcomes import outcomes
from tests.suites.conftest import rows

SCORES = [0.9, 0.2, 0.6, 0.4]


@pytest.mark.parametrize(
    "labels",
    [
        pa.array([True, False, True, False]),
        pa.array([1, 0, 1, 0]),
        pa.array([1.0, 0.0, 1.0, 0.0]),
        pa.array(["1", "0", "1", "0"]),
        pa.array(["1.0", "0.0", "1.0", "0.0"]),
        pa.array(["True", "False", "true", "false"]),
        pa.array([Decimal("1.00"), Decimal("0.00"), Decimal("1.00"), Decimal("0.00")]),
        pa.array(["1", "0", "1", "0"]).dictionary_encode(),
        pa.array([1, -1, 1, -1]),
    ],
    ids=lambda labels: str(labels.type),
)
def test_a_class_is_the_same_however_it_is_typed(monitor, labels):
    known = outcomes(monitor(), rows(_label=labels, _score=SCORES))
    assert known.y_true.tolist() == [1, 0, 1, 0]
    assert known.y_pred.tolist() == [1, 0, 1, 0]
    assert known.scores.tolist() == SCORES
    assert known.classes[1] == "1"


def test_chunks_and_no_rows_at_all_are_read(monitor):
    chunked = pa.chunked_array([pa.array([1, 0]), pa.array([None, 1])])
    assert outcomes(monitor(), rows(_label=chunked, _score=SCORES)).y_true.tolist() == [1, 0, 1]
    nothing = pa.table({"@@label": pa.array([], pa.int64()), "@@score": pa.array([], pa.float64())})
    known = outcomes(monitor(), rows(_label=nothing["@@label"], _score=nothing["@@score"]))
    assert (len(known), known.coverage, known.empty) == (0, None, "no predictions")


@pytest.mark.parametrize(("positive", "expected"), [("yes", [1, 0, 1, 0]), ("no", [0, 1, 0, 1])])
def test_the_positive_class_is_the_one_in_the_file(monitor, positive, expected):
    labels = ["yes", "no", "yes ", "no"]
    known = outcomes(
        monitor(predictions={"positive": positive}), rows(_label=labels, _score=SCORES)
    )
    assert known.y_true.tolist() == expected


@pytest.mark.parametrize("labels", [["yes", "no", "yes", "no"], [1, 2, 1, 2], ["yes"] * 4])
def test_labels_that_do_not_say_which_is_positive_name_the_key(monitor, labels):
    with pytest.raises(LogError, match=r"predictions\.positive") as raised:
        outcomes(monitor(), rows(_label=labels, _score=SCORES))
    assert all(repr(str(label)) in str(raised.value) for label in set(labels))


def test_more_than_two_classes_or_an_absent_positive_are_errors(monitor):
    three = monitor(predictions={"positive": "high"})
    with pytest.raises(LogError, match="3 values"):
        outcomes(three, rows(_label=["high", "low", "low", "middle"], _score=SCORES))
    chosen = monitor(predictions={"positive": "Yes"})
    with pytest.raises(LogError, match=r"'Yes'.*'no', 'yes'"):
        outcomes(chosen, rows(_label=["yes", "no", "no", "no"], _score=SCORES))


def test_the_logged_class_goes_before_the_threshold(monitor):
    columns = {"_label": [1, 0, 1, 0], "_score": SCORES}
    low = monitor(predictions={"threshold": 0.3})
    assert outcomes(low, rows(**columns)).y_pred.tolist() == [1, 0, 1, 1]
    logged = rows(**columns, _prediction=["0", "1", "1", "0"])
    assert outcomes(low, logged).y_pred.tolist() == [0, 1, 1, 0]


def test_what_cannot_be_used_is_dropped_and_counted(monitor):
    known = outcomes(
        monitor(),
        rows(
            _label=[1.0, 0.0, None, float("nan"), 1.0, 0.0, 1.0, 1.0],
            _score=[0.9, 0.1, 0.5, 0.5, float("nan"), float("inf"), 1.5, None],
        ),
    )
    assert (known.rows, known.labelled, len(known)) == (8, 7, 6)
    assert known.y_pred.tolist() == [1, 0, -1, -1, -1, -1]
    for metric in ("log_loss", "accuracy"):  # the class is what the score says
        own = known.of(metric)
        assert (own.coverage, len(own), own.kept.tolist()) == (7 / 8, 2, [True] * 2 + [False] * 6)
        assert own.dropped == {"the label is not a class": 1, "the score is not between 0 and 1": 4}
        assert "4 rows left out" in own.remark


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_row_counts_for_its_score_or_for_its_class_alone(monitor, task):
    names = ["0", "1"] if task == "binary" else ["a", "b"]
    scores = [0.9, float("nan"), 0.6, None, 0.2]
    held = {"_score": scores}
    if task == "multiclass":
        held = {"_score:a": [None if s is None else 1 - s for s in scores], "_score:b": scores}
    given = rows(
        _label=[names[n] for n in (1, 0, 0, 1, 0)],
        _prediction=[names[1], names[0], None, None, None],
        **held,
    )
    known = outcomes(monitor(task, predictions={"prediction": "said"}), given)
    assert (len(known), known.empty) == (5, "")
    scored, classed = known.of("brier"), known.of("f1")
    assert scored.kept.tolist() == [True, False, True, False, True]
    assert scored.y_true.tolist() == [1, 0, 0]
    assert np.isfinite(scored.scores).all()
    assert classed.kept.tolist() == [True, True, False, False, False]
    assert (classed.y_true.tolist(), classed.y_pred.tolist()) == ([1, 0], [1, 0])
    assert classed.dropped == {"the predicted class is missing": 3}
    assert list(scored.dropped.values()) == [2]


def test_rounding_above_one_is_forgiven(monitor):
    known = outcomes(monitor(), rows(_label=[1, 0], _score=[1.0000001, -1e-9]))
    assert known.scores.tolist() == [1.0, 0.0]


def test_a_log_without_labels_has_none(monitor):
    known = outcomes(monitor(), rows(_score=SCORES))
    assert (known.empty, known.coverage) == ("no labels", 0.0)


def test_many_classes_are_places_and_the_likeliest_is_predicted(monitor):
    known = outcomes(
        monitor("multiclass"),
        rows(
            _label=["b", "a", "z"],
            **{"_score:a": [0.2, 0.6, 0.3], "_score:b": [0.7, 0.3, 0.3], "_score:c": [0.1] * 3},
        ),
    )
    assert known.classes == ("a", "b", "c")
    assert known.y_true.tolist() == [1, 0]
    assert known.y_pred.tolist() == [1, 0]
    assert known.dropped == {"the model has no score for their label 'z'": 1}
    assert known.undefined("log_loss") == ""


def test_a_class_that_the_model_says_without_a_score_is_one(monitor):
    log = {"prediction": "said"}
    scores = {"_score:a": [0.2, 0.6, 0.3], "_score:b": [0.7, 0.3, 0.3], "_score:c": [0.1] * 3}
    labelled = rows(_label=["b", "a", "z"], _prediction=["b", "z", "z"], **scores)
    known = outcomes(monitor("multiclass", predictions=log), labelled)
    assert known.classes == ("a", "b", "c", "z")
    assert known.undefined("log_loss") == "no score is logged for 'z'"
    assert known.undefined("accuracy") == ""


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        ([0, 1, -1, 0], None),
        ([0, 1, 2, 0], None),
        (["0", "1", "unknown", "0"], None),
        (["no", "yes", "n/a", *["no"] * 17], "yes"),
    ],
)
def test_a_sentinel_among_two_classes_is_left_out(monitor, labels, positive):
    chosen = monitor(predictions={"positive": positive} if positive else {})
    known = outcomes(chosen, rows(_label=labels, _score=(SCORES * 5)[: len(labels)]))
    assert known.y_true.tolist() == [0, 1, 0, *[0] * (len(labels) - 4)]
    assert known.dropped == {"the label is not a class": 1}


def test_numbers_are_no_classes(monitor):
    with pytest.raises(LogError, match="too many to be classes"):
        outcomes(monitor(), rows(_label=np.arange(2000) / 7, _score=np.full(2000, 0.5)))


def test_a_label_of_text_is_no_value(monitor):
    with pytest.raises(LogError, match=r"labels\.label holds string"):
        outcomes(monitor("regression"), rows(_label=["much", "little"], _prediction=[1.0, 2.0]))


@pytest.mark.parametrize(
    ("value", "text"), [(np.bool_(True), "1"), ("-3.", "-3"), (2.5, "2.5"), ("1.0.0", "1.0.0")]
)
def test_canonical(value, text):
    assert canonical(value) == text
