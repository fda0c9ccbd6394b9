"""Estimates are NannyML's published ones and scikit-learn's of weighed rows; intervals hold."""

from functools import cache

import numpy as np
import pytest
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from driftline.stats import counted
from driftline.stats.confidence_based import (
    Calibration,
    calibration,
    estimates,
    sampling_errors,
    thresholds,
)
from tests import tutorials

# NannyML's tutorial Estimating Standard Performance Metrics for Binary Classification, on the car
# loan data (docs/example_notebooks/Tutorial - Estimating Standard Performance Metrics - Binary
# Classification.ipynb in NannyML/nannyml): chunks of 5,000 rows; sampling error and thresholds.
CHUNK = 5000
PRINTED = {
    "roc_auc": "0.970744 0.971011 0.971407 0.971091 0.971123 "
    "0.961090 0.961825 0.961073 0.962533 0.961316",
    "accuracy": "0.941792 0.943321 0.945492 0.944816 0.944645 "
    "0.910714 0.911149 0.911193 0.914389 0.911731",
    "f1": "0.943030 0.941324 0.943574 0.943159 0.944204 "
    "0.911753 0.911766 0.911661 0.913763 0.914751",
}
PUBLISHED = {metric: [float(each) for each in values.split()] for metric, values in PRINTED.items()}
ERRORS = {"roc_auc": 0.00181072, "accuracy": 0.0032614, "f1": 0.00643972}
THRESHOLDS = {
    "roc_auc": (0.963317, 0.97866),
    "accuracy": (0.935859, 0.951421),
    "f1": (0.93466, 0.95085),
}
ALERTS = [False] * 5 + [True] * 5


def columns(rows, label):
    labels = rows[label].to_numpy().astype(int) if label else np.zeros(len(rows), int)
    return labels, rows["y_pred"].to_numpy(), rows["y_pred_proba"].to_numpy()


def calibrated(rows, sums):
    return calibration(rows[1].sum(axis=0), rows[0].sum(axis=0), sums.sum(axis=(0, 1)))


@cache
def car_loan(bins):
    """Return the reference by bin (each score in its own for None), and an estimate a chunk."""
    labels, predicted, scores = columns(tutorials.data("synthetic_car_loan_reference"), "repaid")
    edges = np.unique(scores)[1:]
    if bins:
        edges = tutorials.quantile_edges(scores, scores[predicted == 1].min(), bins)
    reference = tutorials.counted(labels, predicted, scores, edges)
    found, later = [], columns(tutorials.data("synthetic_car_loan_analysis"), None)
    for start in range(0, len(later[0]), CHUNK):
        rows, sums = tutorials.counted(*(each[start : start + CHUNK] for each in later), edges)
        found.append(estimates(calibrated(*reference), rows[0], sums[0]))
    return reference, found


def realized(labels, predicted, scores):
    return {
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "f1": metrics.f1_score(labels, predicted),
    }


def chunks(file, label):
    rows = tutorials.data(file)
    return [columns(rows[start : start + CHUNK], label) for start in range(0, len(rows), CHUNK)]


@pytest.mark.parametrize("metric", PUBLISHED)
def test_where_each_score_has_its_bin_estimates_are_the_published_ones(metric):
    found = [each[metric] for each in car_loan(None)[1]]
    assert found == pytest.approx(PUBLISHED[metric], abs=6e-7)  # All the digits that are printed.


@pytest.mark.parametrize(
    ("bins", "metric", "off"),
    [
        (250, "roc_auc", 5e-5),
        (250, "accuracy", 2e-4),
        (250, "f1", 2e-4),
        (50, "roc_auc", 4e-4),
        (50, "accuracy", 9e-4),
        (50, "f1", 9e-4),
    ],
)
def test_from_quantile_bins_estimates_are_close_to_the_published_ones(bins, metric, off):
    assert off < ERRORS[metric]
    found = [each[metric] for each in car_loan(bins)[1]]
    assert found == pytest.approx(PUBLISHED[metric], abs=off)


@pytest.mark.parametrize("metric", PUBLISHED)
def test_thresholds_and_alerts_are_the_published_ones(metric):
    came = [realized(*rows)[metric] for rows in chunks("synthetic_car_loan_reference", "repaid")]
    lower, upper = thresholds(came)
    assert (lower, upper) == pytest.approx(THRESHOLDS[metric], abs=6e-7)
    found = [each[metric] for each in car_loan(250)[1]]
    assert [not lower <= each <= upper for each in found] == ALERTS


def test_what_came_true_lies_within_three_sampling_errors():
    (rows, sums), found = car_loan(250)
    errors = sampling_errors(calibrated(rows, sums), rows, sums.sum(axis=(0, 1)), CHUNK)
    labels = tutorials.data("synthetic_car_loan_analysis_target")["repaid"].to_numpy()
    for number, (_, predicted, scores) in enumerate(chunks("synthetic_car_loan_analysis", None)):
        came = realized(labels[number * CHUNK : (number + 1) * CHUNK], predicted, scores)
        for metric, value in came.items():
            assert abs(found[number][metric] - value) < 3 * errors[metric], (metric, number)


def test_precision_recall_and_average_precision_are_those_of_nannymls_tests():
    # tests/performance_estimation/CBPE/test_cbpe_metrics.py, the first case. It sorts rows of one
    # score as they come: what goes by rank differs in the sixth digit.
    expected = {
        "roc_auc": (0.9711057564966745, 0.9636286015592977),
        "average_precision": (0.9629778663941202, 0.9576117462271682),
        "f1": (0.9479079222515973, 0.9278089207836576),
        "precision": (0.9436121782324026, 0.9197836255005452),
        "recall": (0.9522429574319092, 0.9359754933378336),
        "accuracy": (0.9478536003143163, 0.9245926106862006),
    }
    reference = columns(tutorials.data("synthetic_sample_reference"), "work_home_actual")
    edges = np.unique(reference[2])[1:]
    read = calibrated(*tutorials.counted(*reference, edges))
    later = columns(tutorials.data("synthetic_sample_analysis"), None)
    for place, part in enumerate((slice(0, 20_000), slice(20_000, 50_000))):
        rows, sums = tutorials.counted(*(each[part] for each in later), edges)
        found = estimates(read, rows[0], sums[0])
        for metric, values in expected.items():
            off = 3e-6 if metric in {"roc_auc", "average_precision"} else 1e-12
            assert found[metric] == pytest.approx(values[place], abs=off), metric


def test_sampling_errors_are_nannymls_where_those_are_right():
    (rows, sums), _ = car_loan(None)
    found = sampling_errors(Calibration(), rows, sums.sum(axis=(0, 1)), CHUNK)
    assert found["accuracy"] == pytest.approx(ERRORS["accuracy"], abs=5e-8)
    # Over draws of the reference NannyML's is two thirds of what it should be for ROC AUC, of
    # which it leaves out a class, and 1.8 times of what it should be for F1.
    drawn = draws(*columns(tutorials.data("synthetic_car_loan_reference"), "repaid"))
    for metric, value in drawn.items():
        assert found[metric] == pytest.approx(value, rel=0.1), metric
    assert ERRORS["roc_auc"] / drawn["roc_auc"] == pytest.approx(0.67, abs=0.07)
    assert ERRORS["f1"] / drawn["f1"] == pytest.approx(1.8, abs=0.2)


def draws(labels, predicted, scores):
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        rows = rng.integers(0, len(labels), CHUNK)
        found.append(realized(labels[rows], predicted[rows], scores[rows]))
    return {name: float(np.std([each[name] for each in found])) for name in found[0]}


@pytest.mark.parametrize(
    ("metric", "expected"), [("precision", 0.0989), ("recall", 0.0998), ("accuracy", 0.0707)]
)
def test_sampling_errors_are_those_of_nannymls_tests(metric, expected):
    # tests/sampling_error/test_binary_classification_sampling_error.py
    random = np.random.RandomState(1)
    random.random(50)
    labels, predicted = random.binomial(1, 0.5, 10_000), random.binomial(1, 0.5, 10_000)
    rows, sums = tutorials.counted(labels, predicted, predicted / 1.0, np.array([0.5]))
    found = sampling_errors(Calibration(), rows, sums.sum(axis=(0, 1)), 50)
    assert found[metric] == pytest.approx(expected, abs=5e-5)


def test_the_error_of_roc_area_has_nannymls_as_the_part_of_the_scarcer_class():
    # The same file: 0.0575 for 50 rows, half of them positives, of scores that mean nothing.
    random = np.random.RandomState(1)
    random.random(50)
    labels, scores = random.binomial(1, 0.5, 10_000), np.linspace(0, 1, 10_000)
    rows, sums = tutorials.counted(labels, labels, scores, np.arange(1, 500) / 500)
    found = sampling_errors(Calibration(), rows, sums.sum(axis=(0, 1)), 50)["roc_auc"]
    assert found == pytest.approx(0.0575 * np.sqrt(2), rel=0.01)
    # Exact under the null: Mann and Whitney, Annals of Mathematical Statistics 18, 1947.
    assert found == pytest.approx(np.sqrt((25 + 25 + 1) / (12 * 25 * 25)), rel=0.02)


def test_estimates_are_scikit_learns_of_rows_that_are_both_in_part():
    """A row of score p is a positive of weight p and a negative of weight 1 - p."""
    rng = np.random.default_rng(3)
    scores = rng.integers(1, 50, 3000) / 50
    predicted = (scores + rng.normal(0, 0.1, 3000) > 0.4).astype(int)
    rows, sums = tutorials.counted(
        np.zeros(3000, int), predicted, scores, np.unique(scores)[1:] - 1e-9
    )
    found = estimates(Calibration(), rows[0], sums[0])
    labels = np.repeat([1, 0], 3000)
    both, twice = np.tile(scores, 2), np.tile(predicted, 2)
    weights = np.concatenate([scores, 1 - scores])
    for metric in ("accuracy", "balanced_accuracy", "precision", "recall", "f1"):
        score = getattr(metrics, f"{metric}_score")
        assert found[metric] == pytest.approx(score(labels, twice, sample_weight=weights)), metric
    loss = metrics.log_loss(labels, both, sample_weight=weights)
    rate = scores.mean()
    assert found["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(labels, both, sample_weight=weights)
    )
    assert found["brier"] == pytest.approx(
        metrics.brier_score_loss(labels, both, sample_weight=weights)
    )
    assert found["log_loss"] == pytest.approx(loss)
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert found["log_loss_ratio"] == pytest.approx(loss / entropy)
    assert found["observed_rate"] == pytest.approx(rate)
    assert found["observed_predicted_ratio"] == pytest.approx(1)


def test_a_calibration_is_scikit_learns_isotonic_regression():
    rng = np.random.default_rng(4)
    scores = rng.integers(0, 100, 5000) / 100
    labels = (rng.random(5000) < scores**2).astype(int)
    rows, sums = tutorials.counted(labels, labels, scores, np.unique(scores)[1:])
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    assert calibrated(rows, sums).values == pytest.approx(expected.predict(np.unique(scores)))


EDGES = np.linspace(0.02, 0.98, 49)


def drawn(rng, rows, slope, shift, spread=(0.7, 1.5)):
    """Return counts of rows whose chance is the score's, its logit bent and shifted."""
    scores = rng.beta(*spread, rows)
    chances = 1 / (1 + np.exp(-slope * np.log(scores / (1 - scores)) - shift))
    labels = (rng.random(rows) < chances).astype(int)
    return tutorials.counted(labels, (scores >= 0.5).astype(int), scores, EDGES)


@pytest.mark.parametrize("rows", [300, 20_000])
@pytest.mark.parametrize("spread", [(0.7, 1.5), (0.5, 20)])
def test_scores_that_are_right_are_used_as_they_are(rows, spread):
    rng = np.random.default_rng(5)
    fitted = [calibrated(*drawn(rng, rows, 1, 0, spread)).values is not None for _ in range(200)]
    assert np.mean(fitted) < 0.1  # 5% by construction.


@pytest.mark.parametrize(("slope", "shift"), [(0.6, 0), (1.5, 0), (1, 0.3), (1, -0.3)])
def test_scores_that_are_wrong_are_calibrated(slope, shift):
    rng = np.random.default_rng(6)
    assert all(calibrated(*drawn(rng, 5000, slope, shift)).values is not None for _ in range(50))


@pytest.mark.parametrize(
    ("slope", "shift", "reference", "size", "spread"),
    [
        (1, 0, 5000, 5000, (0.7, 1.5)),
        (0.6, 0.3, 5000, 5000, (0.7, 1.5)),
        (0.6, 0.3, 20_000, 1000, (0.7, 1.5)),
        (0.6, 0.3, 20_000, 1000, (1.0, 1.2)),
    ],
)
def test_what_comes_true_lies_in_the_interval(slope, shift, reference, size, spread):
    rng, inside = np.random.default_rng(7), {}
    for _ in range(150):
        rows, sums = drawn(rng, reference, slope, shift)
        read = calibrated(rows, sums)
        errors = sampling_errors(read, rows, sums.sum(axis=(0, 1)), size)
        window, scores = drawn(rng, size, slope, shift, spread)
        found = estimates(read, window.sum(axis=0), scores.sum(axis=0))
        means = counted.mean_scores(window.sum(axis=(0, 1)), scores.sum(axis=(0, 1)))
        came = (
            counted.of_classes(window.sum(axis=2))
            | counted.of_ranks(window.sum(axis=1))
            | counted.of_scores(window.sum(axis=1), means)
        )
        for metric, value in came.items():
            held = abs(found[metric] - value) < 1.96 * errors[metric]
            inside.setdefault(metric, []).append(held)
    assert len(inside) == 12
    for metric, each in inside.items():
        assert np.mean(each) > 0.9, metric


def test_a_bin_that_the_reference_has_no_rows_in_lies_between_its_neighbours():
    positive, negative = np.array([0, 5, 0, 45, 0]), np.array([0, 95, 0, 55, 0])
    read = calibration(positive, negative, np.array([0.0, 40.0, 0.0, 90.0, 0.0]))
    assert read.values.tolist() == pytest.approx([0.05, 0.05, 0.25, 0.45, 0.45])


def test_scores_that_are_no_probabilities_are_always_calibrated():
    read = calibration(np.array([1, 9]), np.array([9, 1]), np.array([-10.0, 30.0]))
    found = estimates(read, np.array([[10, 0], [0, 10]]), np.array([[-9.0, 0], [0, 31.0]]))
    assert found["accuracy"] == pytest.approx(0.9)
    assert "log_loss" not in found
    assert "brier" not in found


def test_scores_of_0_and_1_are_right_or_not():
    ones = np.array([0.0, 50.0])
    assert calibration(np.array([0, 50]), np.array([50, 0]), ones).values is None
    assert calibration(np.array([1, 49]), np.array([49, 1]), ones).values.tolist() == [0.02, 0.98]


def test_few_labels_refute_no_scores():
    assert calibration(np.array([1, 1]), np.array([3, 1]), np.array([0.8, 1.4])).values is None


def test_no_labels_no_calibration_and_no_chunks_no_thresholds():
    with pytest.raises(ValueError, match="no rows"):
        calibration(np.zeros(3), np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="not of 1"):
        thresholds([0.7, float("nan")])


def test_what_a_window_does_not_define_is_left_out():
    found = estimates(Calibration(), np.array([[50, 50], [0, 0]]), np.array([[5.0, 10.0], [0, 0]]))
    assert "precision" not in found
    assert found["recall"] == 0
    assert found["accuracy"] == pytest.approx(0.85)


def test_a_window_without_rows_lets_nothing_expect():
    none = np.zeros((2, 3))
    assert estimates(Calibration(), none, none) == {}
