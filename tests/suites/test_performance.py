"""Performance against scikit-learn on the raw rows, and what leaves a metric undefined."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from sklearn import metrics as sk

from driftline import metrics
from driftline.profile.outcome_rows import bins_of_outcomes, profile_of
from driftline.profile.outcomes import alike
from driftline.suites import performance
from tests.suites.conftest import monitor_of, rows

RNG = np.random.default_rng(3)
N = 400
SCORE = RNG.random(N)
LABEL = (RNG.random(N) < SCORE * 0.6).astype(int)
CHANCES = RNG.dirichlet(np.ones(3), N)
CLASSES = np.array(["a", "b", "c"])[RNG.integers(0, 3, N)]
COLUMNS = {f"_score:{name}": CHANCES[:, place] for place, name in enumerate("abc")}


def measured(scope, monitor, given):
    bins = bins_of_outcomes(monitor, given.table)
    found = performance.measure(scope, profile_of(monitor, bins, given.table))
    for each in found:
        ends = [each.lower, each.value, each.upper]
        known = [end for end in ends if end is not None]
        assert known == sorted(known)
    keys = [(each.metric, each.detail) for each in found]
    assert len(keys) == len(set(keys))
    return dict(zip(keys, found, strict=True))


def values(found):
    return {metric: each.value for (metric, detail), each in found.items() if not detail}


BINNED = {"roc_auc", "average_precision", "median_absolute_error"}


def agree(found, expected):
    """Metrics that are sums are exact; those of ranks lie within the width of a bin."""
    assert set(found) == set(expected)
    for metric, value in expected.items():
        near = {"abs": 2e-3} if metric in BINNED or "_p9" in metric else {"rel": 1e-9}
        assert found[metric] == pytest.approx(value, **near), metric


def test_binary_metrics_are_scikit_learns(scope, monitor):
    unlabelled = [*LABEL.tolist(), *[None] * 100]
    given = rows(_label=unlabelled, _score=[*SCORE, *[0.5] * 100])
    found = measured(scope, monitor(predictions={"threshold": 0.37}), given)
    y, p, c = LABEL, SCORE, SCORE >= 0.37
    entropy = sk.log_loss(y, np.full(N, y.mean()))
    expected = {
        "accuracy": sk.accuracy_score(y, c),
        "precision": sk.precision_score(y, c),
        "recall": sk.recall_score(y, c),
        "f1": sk.f1_score(y, c),
        "roc_auc": sk.roc_auc_score(y, p),
        "log_loss": sk.log_loss(y, p),
        "balanced_accuracy": sk.balanced_accuracy_score(y, c),
        "average_precision": sk.average_precision_score(y, p),
        "brier": sk.brier_score_loss(y, p),
        "log_loss_ratio": sk.log_loss(y, p) / entropy,
        "observed_predicted_ratio": y.mean() / p.mean(),
    }
    place = np.minimum((p * 10).astype(int), 9)
    gaps = [abs((y - p)[place == n].sum()) for n in range(10)]
    agree(values(found), {**expected, "label_mean": y.mean(), "ece": sum(gaps) / N})
    assert set(values(found)) == set(metrics.PERFORMANCE["binary"])
    assert {each.coverage for each in found.values()} == {0.8}
    assert {each.row_count for each in found.values()} == {N}


def test_multiclass_metrics_are_scikit_learns(scope, monitor):
    found = measured(scope, monitor("multiclass"), rows(_label=CLASSES, **COLUMNS))
    y, c = CLASSES, np.array(["a", "b", "c"])[CHANCES.argmax(axis=1)]
    base = sk.log_loss(y, np.tile([np.mean(y == name) for name in "abc"], (N, 1)))
    expected = {
        "accuracy": sk.accuracy_score(y, c),
        "precision": sk.precision_score(y, c, average="macro"),
        "recall": sk.recall_score(y, c, average="macro"),
        "f1": sk.f1_score(y, c, average="macro"),
        "roc_auc": sk.roc_auc_score(y, CHANCES, multi_class="ovr", average="macro"),
        "log_loss": sk.log_loss(y, CHANCES),
        "balanced_accuracy": sk.balanced_accuracy_score(y, c),
        "log_loss_ratio": sk.log_loss(y, CHANCES) / base,
        "brier": sk.brier_score_loss(y, CHANCES, labels=["a", "b", "c"]),
    }
    weighted = sk.f1_score(y, c, average="weighted")
    agree(values(found), {**expected, "f1_weighted": weighted})
    assert set(values(found)) == set(metrics.PERFORMANCE["multiclass"])
    by_class = {name: found["precision", name].value for name in "abc"}
    scores = sk.precision_score(y, c, average=None, labels=list("abc"))
    assert by_class == pytest.approx(dict(zip("abc", scores, strict=True)))


def test_a_window_in_which_two_of_many_classes_occur(scope, monitor):
    # Evidently takes it for a binary task and raises KeyError(1) on it.
    y, c = ["a", "b", "a", "b", "a"], ["a", "a", "a", "b", "b"]
    labels_only = monitor("multiclass", predictions={"score": None, "prediction": "said"})
    found = measured(scope, labels_only, rows(_label=y, _prediction=c))
    assert values(found) == pytest.approx(
        {
            "accuracy": 0.6,
            "balanced_accuracy": sk.balanced_accuracy_score(y, c),
            "precision": sk.precision_score(y, c, average="macro"),
            "recall": sk.recall_score(y, c, average="macro"),
            "f1": sk.f1_score(y, c, average="macro"),
            "f1_weighted": sk.f1_score(y, c, average="weighted"),
        }
    )


def test_a_multiclass_model_of_two_classes(scope, monitor):
    two = monitor("multiclass", predictions={"score": {"x": "p_x", "y": "p_y"}})
    y = np.where(LABEL == 1, "y", "x")
    found = measured(scope, two, rows(_label=y, **{"_score:x": 1 - SCORE, "_score:y": SCORE}))
    assert found["roc_auc", ""].value == pytest.approx(sk.roc_auc_score(LABEL, SCORE), abs=2e-3)
    assert found["log_loss", ""].value == pytest.approx(sk.log_loss(LABEL, SCORE))


def test_regression_metrics_are_scikit_learns(scope, monitor):
    y, p = RNG.normal(0, 2, N), RNG.normal(0, 2, N)  # labels below 0 too
    found = measured(scope, monitor("regression"), rows(_label=y, _prediction=p))
    agree(
        values(found),
        {
            "mae": sk.mean_absolute_error(y, p),
            "mse": sk.mean_squared_error(y, p),
            "rmse": sk.root_mean_squared_error(y, p),
            "mape": sk.mean_absolute_percentage_error(y, p),
            "r2": sk.r2_score(y, p),
            "bias": (p - y).mean(),
            "median_absolute_error": sk.median_absolute_error(y, p),
            "absolute_error_p90": np.quantile(np.abs(p - y), 0.9),
            "absolute_error_p95": np.quantile(np.abs(p - y), 0.95),
            "label_mean": y.mean(),
        },
    )
    assert set(values(found)) == set(metrics.PERFORMANCE["regression"])


QUANTILES = {
    "median_absolute_error": 0.5,
    "absolute_error_p90": 0.9,
    "absolute_error_p95": 0.95,
}
USUAL = RNG.gamma(2, 50, 1000)
"""Labels of a reference, predicted within a tenth or so."""


def against_usual(scope, monitor, y, p, usual=USUAL, said=None):
    """Measure labels and predictions on the bins of a reference."""
    said = USUAL * RNG.normal(1, 0.1, 1000) if said is None else said
    bins = bins_of_outcomes(monitor, rows(_label=usual, _prediction=said).table)
    given = rows(_label=y, _prediction=p)
    return {
        each.metric: each
        for each in performance.measure(scope, profile_of(monitor, bins, given.table))
    }


@pytest.mark.parametrize("size", [2, 3, 10, 226])
@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1.0, 4.0, 50.0, 1e4, 1e12, 1e30])
def test_quantiles_of_errors_far_from_the_references(scope, monitor, size, factor):
    """The largest error of the reference is some 100: whatever the factor, bounds hold."""
    rng = np.random.default_rng(size)
    y = rng.gamma(2, 50, size)
    error = factor * rng.gamma(2, 50, size)
    found = against_usual(scope, monitor("regression"), y, y + error)
    error = np.abs((y + error) - y)
    for metric, share in QUANTILES.items():
        one, true = found[metric], np.quantile(error, share)
        assert one.lower <= true * (1 + 1e-9), metric
        assert one.upper >= true * (1 - 1e-9), metric
        assert one.lower <= one.value <= one.upper <= error.max() * (1 + 1e-9)
        if 1e-3 < factor < 1e4 and size == 226:  # bins a tenth wide, and few rows in each
            assert one.value == pytest.approx(true, rel=0.1), metric


@pytest.mark.parametrize("said", [USUAL, USUAL[:1], USUAL[:3] * 2, np.zeros(0)])
def test_quantiles_where_the_reference_has_no_errors_or_few(scope, monitor, said):
    usual = USUAL[: len(said)]
    y = RNG.gamma(2, 50, 500)
    found = against_usual(scope, monitor("regression"), y, y + 5 * y, usual, said)
    for metric, share in QUANTILES.items():
        true = np.quantile(5 * y, share)
        assert found[metric].lower <= true <= found[metric].upper
        assert found[metric].value == pytest.approx(true, rel=0.2)


@pytest.mark.parametrize("shift", [0.0, 1e3, -1e6, 1e9, 1e12])
@pytest.mark.parametrize("skill", [0.1, 2.0, 1e6])
def test_labels_far_from_the_references(scope, monitor, shift, skill):
    """Sums about the reference's mean would cancel: up to 1e10 of its standard deviations."""
    y = RNG.normal(0, 70, 400) + shift
    p = y + skill * RNG.normal(0, 70, 400)
    found = against_usual(scope, monitor("regression"), y, p)
    expected = {
        "r2": sk.r2_score(y, p),
        "mse": sk.mean_squared_error(y, p),
        "rmse": sk.root_mean_squared_error(y, p),
        "mae": sk.mean_absolute_error(y, p),
        "mape": sk.mean_absolute_percentage_error(y, p),
        "bias": (p - y).mean(),
        "label_mean": y.mean(),
    }
    for metric, value in expected.items():
        assert found[metric].value == pytest.approx(value, rel=1e-6), metric
        assert found[metric].lower < found[metric].value < found[metric].upper, metric
    # As wide as the bootstrap's, whatever the shift: never to -1e18.
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, 400, 400) for _ in range(200)]
    spread = 1.96 * np.std([sk.r2_score(y[at], p[at]) for at in draws])
    width = (found["r2"].upper - found["r2"].lower) / 2
    assert width == pytest.approx(spread, rel=0.4)


def test_equal_labels_have_no_variance_to_explain(scope, monitor):
    found = against_usual(scope, monitor("regression"), np.full(9, 1e9 / 3), np.arange(9.0))
    assert "every label is the same" in found["r2"].reason
    assert found["label_mean"].value == pytest.approx(1e9 / 3)


@pytest.mark.parametrize("odd", [1e200, -1e200, 1e61, np.inf, -np.inf, np.nan])
def test_a_number_out_of_all_bounds_spoils_nothing(scope, monitor, odd):
    """Neither in the window nor in the reference, where it would set the scale of all sums."""
    y = RNG.normal(50, 10, 400)
    p = y + RNG.normal(1, 4, 400)
    given, said = y.copy(), p.copy()
    given[3], said[5] = odd, odd
    used = np.delete(np.arange(400), [3, 5])
    found = against_usual(scope, monitor("regression"), given, said, given, said)
    assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(y[used], p[used]))
    assert found["r2"].value == pytest.approx(sk.r2_score(y[used], p[used]))
    assert "1 row left out: the label is not a finite number" in found["rmse"].reason
    assert "1 row left out: the prediction is not a finite number" in found["rmse"].reason


def test_an_error_relative_to_zero_is_undefined(scope, monitor):
    found = measured(
        scope, monitor("regression"), rows(_label=[0.0, 1, 2], _prediction=[1.0, 1, 1])
    )
    assert found["mape", ""].value is None
    assert found["mae", ""].value == pytest.approx(2 / 3)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_what_needs_two(scope, monitor, label):
    given = rows(_label=[label] * 4, _score=[0.9, 0.2, 0.6, 0.4])
    found = measured(scope, monitor(), given)
    for metric in ("roc_auc", "log_loss_ratio", "balanced_accuracy", "average_precision"):
        assert found[metric, ""].value is None
        assert found[metric, ""].reason == f"every label is '{label}'"
    assert found["accuracy", ""].value == 0.5
    loss = sk.log_loss([label] * 4, [0.9, 0.2, 0.6, 0.4], labels=[0, 1])
    assert found["log_loss", ""].value == pytest.approx(loss)
    assert (found["recall", ""].value is None) == (label == 0)


def test_nothing_predicted_positive_has_no_precision(scope, monitor):
    found = measured(scope, monitor(), rows(_label=[0, 1, 0], _score=[0.1, 0.2, 0.3]))
    assert found["precision", ""].reason == "no row is predicted to be '1'"
    assert found["recall", ""].value == 0
    assert found["f1", ""].value == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (rows(_label=[None, None], _score=[0.1, 0.2]), "no labels"),
        (rows(_label=[1], _score=[0.5]), "only one labelled row"),
        (rows(_label=[np.nan] * 2, _score=[0.1, 0.2]), "no labelled row can be used"),
    ],
)
def test_nothing_to_measure_is_said(scope, monitor, given, reason):
    found = measured(scope, monitor(), given)
    assert set(values(found)) == set(metrics.PERFORMANCE["binary"])
    assert all(each.value is None and reason in each.reason for each in found.values())


def test_without_a_usable_score_the_base_rate_is_left(scope, monitor):
    found = measured(scope, monitor(), rows(_label=[1, 0], _score=[None, 7.0]))
    assert found.pop(("label_mean", "")).value == 0.5
    assert set(values(found)) == set(metrics.PERFORMANCE["binary"]) - {"label_mean"}
    for each in found.values():
        assert (each.value, each.row_count) == (None, 0)
        assert each.reason.startswith("no labelled row can be ")
        assert each.reason.endswith(": 2 rows left out: the score is not between 0 and 1")


def test_a_class_that_no_label_holds(scope, monitor):
    kept = CLASSES != "c"
    columns = {name: column[kept] for name, column in COLUMNS.items()}
    found = measured(scope, monitor("multiclass"), rows(_label=CLASSES[kept], **columns))
    assert found["roc_auc", ""].reason == "no label is 'c'"
    assert found["recall", "c"].value is None
    expected = sk.log_loss(CLASSES[kept], CHANCES[kept], labels=["a", "b", "c"])
    assert found["log_loss", ""].value == pytest.approx(expected)


def test_probabilities_that_do_not_add_up(scope, monitor):
    columns = {name: column / 2 for name, column in COLUMNS.items()}
    found = measured(scope, monitor("multiclass"), rows(_label=CLASSES, **columns))
    for metric in ("log_loss", "log_loss_ratio", "brier"):
        assert "do not add up to 1" in found[metric, ""].reason


def test_one_stray_label_is_left_out_and_voids_nothing(scope, monitor):
    labels = CLASSES.copy()
    labels[7] = "d"
    kept = np.arange(N) != 7
    y, chances = CLASSES[kept], CHANCES[kept]
    found = measured(scope, monitor("multiclass"), rows(_label=labels, **COLUMNS))
    said = np.array(["a", "b", "c"])[chances.argmax(axis=1)]
    agree(
        {name: values(found)[name] for name in ("accuracy", "log_loss", "roc_auc", "brier")},
        {
            "accuracy": sk.accuracy_score(y, said),
            "log_loss": sk.log_loss(y, chances),
            "roc_auc": sk.roc_auc_score(y, chances, multi_class="ovr"),
            "brier": sk.brier_score_loss(y, chances, labels=["a", "b", "c"]),
        },
    )
    for each in found.values():
        assert each.row_count == N - 1
        assert each.coverage == 1.0
    told = "1 row left out: the model has no score for their label 'd'"
    assert found["log_loss_ratio", ""].reason == told


def test_a_class_that_the_model_says_counts_among_classes_and_not_scores(scope, monitor):
    labels, said = CLASSES.copy(), CLASSES[::-1].copy()
    labels[:20], said[5:25] = "d", "d"
    log = {"prediction": "said"}
    given = rows(_label=labels, _prediction=said, **COLUMNS)
    found = measured(scope, monitor("multiclass", predictions=log), given)
    assert found["accuracy", ""].value == pytest.approx(sk.accuracy_score(labels, said))
    assert found["f1", ""].value == pytest.approx(sk.f1_score(labels, said, average="macro"))
    assert found["log_loss", ""].value == pytest.approx(sk.log_loss(labels[20:], CHANCES[20:]))
    auc = sk.roc_auc_score(labels[20:], CHANCES[20:], multi_class="ovr")
    assert found["roc_auc", ""].value == pytest.approx(auc, abs=2e-3)
    assert (found["accuracy", ""].row_count, found["log_loss", ""].row_count) == (N, N - 20)
    assert found["log_loss", ""].reason == "20 rows left out: no score is logged for 'd'"


def test_some_probabilities_that_do_not_add_up_are_left_out_of_losses(scope, monitor):
    columns = {name: column.copy() for name, column in COLUMNS.items()}
    for column in columns.values():
        column[:9] /= 2
    found = measured(scope, monitor("multiclass"), rows(_label=CLASSES, **columns))
    assert found["log_loss", ""].value == pytest.approx(sk.log_loss(CLASSES[9:], CHANCES[9:]))
    assert "9 rows left out: their class probabilities" in found["brier", ""].reason
    assert (found["log_loss", ""].row_count, found["roc_auc", ""].row_count) == (N - 9, N)


@pytest.mark.parametrize("sentinel", ["-1", "2", "unknown", ""])
def test_a_sentinel_in_a_binary_label_is_left_out(scope, monitor, sentinel):
    labels = LABEL.astype(str).astype(object)
    labels[:30] = sentinel
    found = measured(scope, monitor(), rows(_label=labels.tolist(), _score=SCORE))
    y, p = LABEL[30:], SCORE[30:]
    assert found["accuracy", ""].value == pytest.approx(sk.accuracy_score(y, p >= 0.5))
    assert found["log_loss", ""].value == pytest.approx(sk.log_loss(y, p))
    assert found["label_mean", ""].value == pytest.approx(y.mean())
    assert {each.row_count for each in found.values()} == {N - 30}
    assert "30 rows left out: the label is not a class" in found["roc_auc", ""].reason


@pytest.mark.parametrize("unusable", [None, float("nan"), 7.0, -1.0, float("inf")])
def test_class_metrics_need_no_score(scope, monitor, unusable):
    scores, said = [*[unusable] * 50, *SCORE[50:]], (SCORE >= 0.4).astype(int)
    log = {"prediction": "said"}
    given = rows(_label=LABEL, _score=pa.array(scores, pa.float64()), _prediction=said)
    found = measured(scope, monitor(predictions=log), given)
    expected = {
        "accuracy": sk.accuracy_score(LABEL, said),
        "balanced_accuracy": sk.balanced_accuracy_score(LABEL, said),
        "precision": sk.precision_score(LABEL, said),
        "recall": sk.recall_score(LABEL, said),
        "f1": sk.f1_score(LABEL, said),
        "label_mean": LABEL.mean(),
        "log_loss": sk.log_loss(LABEL[50:], SCORE[50:]),
        "brier": sk.brier_score_loss(LABEL[50:], SCORE[50:]),
        "roc_auc": sk.roc_auc_score(LABEL[50:], SCORE[50:]),
        "average_precision": sk.average_precision_score(LABEL[50:], SCORE[50:]),
        "observed_predicted_ratio": LABEL[50:].mean() / SCORE[50:].mean(),
    }
    agree({name: values(found)[name] for name in expected}, expected)
    assert (found["f1", ""].row_count, found["f1", ""].reason) == (N, "")
    assert found["roc_auc", ""].row_count == N - 50
    assert found["roc_auc", ""].reason == "50 rows left out: the score is not between 0 and 1"


OF_CLASSES = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}


@pytest.mark.parametrize("missing", [None, "", " ", "unknown"])
@pytest.mark.parametrize("share", [0.2, 0.6, 1.0])
def test_score_metrics_need_no_class(scope, monitor, missing, share):
    gone = np.arange(N) < share * N
    said = np.where(SCORE >= 0.4, "1", "0")
    logged = pa.array([missing if g else c for c, g in zip(said, gone, strict=True)], pa.string())
    if missing == "unknown" and share == 1:
        logged = pa.nulls(N, pa.string())  # with labels 0 and 1 it would be the positive class's
    given = rows(_label=LABEL, _score=SCORE, _prediction=logged)
    found = measured(scope, monitor(predictions={"prediction": "said"}), given)
    alone = measured(scope, monitor(), rows(_label=LABEL, _score=SCORE))
    assert {key for key in found if key[0] not in OF_CLASSES} == {
        key for key in alone if key[0] not in OF_CLASSES
    }
    for (metric, _), each in found.items():
        if metric not in OF_CLASSES:
            assert each == alone[metric, ""], metric
            assert (each.row_count, each.reason) == (N, "")
    assert found["log_loss", ""].value == pytest.approx(sk.log_loss(LABEL, SCORE))
    lost, y, c = int(gone.sum()), LABEL[~gone], (said == "1").astype(int)[~gone]
    left_out = f"{lost} rows left out: the predicted class is missing"
    for metric, score in OF_CLASSES.items():
        one = found[metric, ""]
        assert one.row_count == N - lost
        if share < 0.5:
            assert (one.value, one.reason) == (pytest.approx(score(y, c)), left_out)
        else:
            few = f"only {N - lost} of {N} labelled rows" if share < 1 else "no labelled row"
            assert (one.value, one.reason) == (None, f"{few} can be used: {left_out}")


def test_a_log_of_classes_in_which_all_are_missing(scope, monitor):
    log = monitor(predictions={"score": None, "prediction": "said"})
    found = measured(scope, log, rows(_label=LABEL, _prediction=pa.nulls(N, pa.string())))
    assert found.pop(("label_mean", "")).value == pytest.approx(LABEL.mean())
    assert {metric for metric, _ in found} == {*OF_CLASSES}
    why = f"no labelled row can be used: {N} rows left out: the predicted class is missing"
    assert {each.reason for each in found.values()} == {why}


def test_half_without_a_class_and_the_other_half_without_a_score(scope, monitor):
    """No row has both: each kind of metric has its own half, which is enough."""
    first = np.arange(N) < N // 2
    said = (SCORE >= 0.4).astype(float)
    given = rows(
        _label=LABEL,
        _score=np.where(first, SCORE, np.nan),
        _prediction=pa.array(said, mask=first),
    )
    found = values(measured(scope, monitor(predictions={"prediction": "said"}), given))
    expected = {metric: score(LABEL[~first], said[~first]) for metric, score in OF_CLASSES.items()}
    expected["log_loss"] = sk.log_loss(LABEL[first], SCORE[first])
    expected["roc_auc"] = sk.roc_auc_score(LABEL[first], SCORE[first])
    expected["label_mean"] = LABEL.mean()
    agree({name: found[name] for name in expected}, expected)


def test_a_stray_label_without_class_or_score_is_counted_once(scope, monitor):
    """It is left out for its label, and neither for its score nor for its class again."""
    labels, said = CLASSES.astype(object), CLASSES[::-1].astype(object)
    columns = {name: column.copy() for name, column in COLUMNS.items()}
    labels[:8], said[4:12], columns["_score:a"][6:20] = "d", None, np.nan
    given = rows(_label=labels.tolist(), _prediction=said.tolist(), **columns)
    found = measured(scope, monitor("multiclass", predictions={"prediction": "said"}), given)
    stray = "8 rows left out: the model has no score for their label 'd'"
    assert found["accuracy", ""].reason == (
        f"{stray}; 4 rows left out: the predicted class is missing"
    )
    assert found["accuracy", ""].value == pytest.approx(
        sk.accuracy_score(CLASSES[12:], CLASSES[::-1][12:])
    )
    assert found["log_loss", ""].reason == (
        f"{stray}; 12 rows left out: the score is not between 0 and 1"
    )
    assert found["log_loss", ""].value == pytest.approx(sk.log_loss(CLASSES[20:], CHANCES[20:]))
    assert {found[name, ""].row_count for name in ("accuracy", "f1_weighted")} == {N - 12}
    assert {found[name, ""].row_count for name in ("log_loss", "roc_auc")} == {N - 20}


@given_any(st.integers(0, 2**32 - 1), st.sampled_from(["binary", "multiclass"]), st.booleans())
def test_stretches_add_up_to_the_whole_in_any_order(seed, task, logged):
    rng = np.random.default_rng(seed)
    size, names = int(rng.integers(2, 60)), ["0", "1"] if task == "binary" else ["a", "b", "c", "d"]

    def some(of, share=0.3):
        return [None if rng.random() < share else str(name) for name in rng.choice(of, size)]

    scored = ["_score"] if task == "binary" else list(COLUMNS)
    columns = {
        name: pa.array(rng.dirichlet(np.ones(3), size)[:, 0], mask=rng.random(size) < 0.2)
        for name in scored
    }
    own = monitor_of(task, {"prediction": "said"} if logged else {})
    columns["_label"] = pa.array(some(names), pa.string())
    if logged:
        columns["_prediction"] = pa.array(some(names, 0.5), pa.string())
    table = rows(**columns).table
    bins = replace(bins_of_outcomes(own, table), negative="0" if task == "binary" else "")
    cuts = np.sort(rng.integers(0, size + 1, 4))
    ends = zip([0, *cuts], [*cuts, size], strict=True)
    parts = [profile_of(own, bins, table.slice(first, last - first)) for first, last in ends]
    rng.shuffle(parts)
    whole, none = profile_of(own, bins, table), profile_of(own, bins, table.slice(0, 0))
    halves = [none.total(parts[:2]), none.total(parts[2:])]
    total = none.total([type(p).read(bins, p.rows, p.labelled, p.content) for p in halves])
    # Classes come in the order in which a stretch that holds them all has them.
    assert alike(none.total([whole]), total)
    assert whole.used == sum(label is not None for label in columns["_label"].to_pylist())


def test_where_most_rows_cannot_be_used_nothing_is_measured_of_the_rest(scope, monitor):
    labels = LABEL.astype(str).astype(object)
    labels[: N // 2 + 1] = "unknown"
    found = measured(scope, monitor(), rows(_label=labels.tolist(), _score=SCORE))
    assert {each.value for each in found.values()} == {None}
    assert "only 199 of 400 labelled rows can be used" in found["log_loss", ""].reason
    half = rows(_label=LABEL, _score=[*[None] * 300, *SCORE[300:]], _prediction=LABEL)
    found = measured(scope, monitor(predictions={"prediction": "said"}), half)
    assert found["accuracy", ""].value == 1.0
    assert found["log_loss", ""].value is None
    assert "only 100 of 400 labelled rows can be scored: 300 rows" in found["log_loss", ""].reason


def test_the_order_of_rows_does_not_matter(scope, monitor):
    order = RNG.permutation(N)
    one = measured(scope, monitor(), rows(_label=LABEL, _score=SCORE))
    other = measured(scope, monitor(), rows(_label=LABEL[order], _score=SCORE[order]))
    assert values(one) == pytest.approx(values(other), rel=1e-12)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_label_counts_as_one_though_its_row_cannot_be_used(scope, monitor, task):
    """Coverage says whether labels have come; what they cannot be used for is another fault."""
    said = {
        "binary": {"_label": LABEL, "_score": SCORE},
        "multiclass": {"_label": CLASSES, **COLUMNS},
        "regression": {"_label": SCORE, "_prediction": SCORE / 2},
    }[task]
    given = {name: values[:100].tolist() for name, values in said.items()}
    given["_label"][80:] = [None] * 20
    for name in given.keys() - {"_label"}:
        given[name][60:80] = [float("nan")] * 20
    found = measured(scope, monitor(task), rows(**given))
    loss = found["rmse" if task == "regression" else "log_loss", ""]
    assert (loss.row_count, loss.coverage) == (60, 0.8)
    assert "20 rows left out" in loss.reason
    assert {each.coverage for each in found.values()} == {0.8}
