"""The names of what is measured, as the metrics table and the rules use them."""

from collections.abc import Collection, Mapping
from itertools import chain

QUALITY = ("row_count", "null_share")
"""Beside these, quality has Great Expectations' own names (`expect_...`)."""

DRIFT: Mapping[str, tuple[str, ...]] = {
    "psi": ("psi",),
    "jensen_shannon": ("jensen_shannon",),
    "kl": ("kl",),
    "hellinger": ("hellinger",),
    "total_variation": ("total_variation",),
    "l_infinity": ("l_infinity",),
    "ks": ("ks", "ks_p_value"),
    "cramer_von_mises": ("cramer_von_mises", "cramer_von_mises_p_value"),
    "chi_square": ("chi_square", "chi_square_p_value"),
    "g_test": ("g_test", "g_test_p_value"),
    "wasserstein": ("wasserstein",),
    "mean_shift": ("mean_shift",),
    "null_share": ("null_share_shift", "null_share_p_value"),
}
"""What each drift method records for a column."""

DRIFT_SHARE = "drift_share"

DOMAIN_CLASSIFIER_AUC = "domain_classifier_auc"
"""How well a classifier tells the window from the reference: less is better, 0.5 is no drift."""

OF_DRIFT = frozenset({*chain.from_iterable(DRIFT.values()), DRIFT_SHARE, DOMAIN_CLASSIFIER_AUC})
"""What is recorded against a baseline."""

_CLASSES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
OF_SCORES = ("roc_auc", "log_loss", "log_loss_ratio", "brier")
"""What is measured of scores, whatever the number of classes."""
FROM_SCORES = frozenset({*OF_SCORES, "average_precision", "ece", "observed_predicted_ratio"})
"""What takes a label and a score, and no predicted class."""
_ERRORS = ("mae", "mse", "rmse", "mape", "r2")
PERFORMANCE: Mapping[str, tuple[str, ...]] = {
    "binary": (
        *(*_CLASSES, *OF_SCORES),
        *("average_precision", "ece", "observed_predicted_ratio", "label_mean"),
    ),
    "multiclass": (*_CLASSES, *OF_SCORES, "f1_weighted"),
    "regression": (
        *_ERRORS,
        *("bias", "median_absolute_error", "absolute_error_p90", "absolute_error_p95"),
        "label_mean",
    ),
    "none": (),
}
"""What is recorded of a model of each task."""

OF_PERFORMANCE = frozenset(chain.from_iterable(PERFORMANCE.values()))

ESTIMATED: Mapping[str, tuple[str, ...]] = {
    "binary": (
        *(*_CLASSES, *OF_SCORES),
        *("average_precision", "observed_predicted_ratio", "observed_rate"),
    ),
    "multiclass": (*_CLASSES, *OF_SCORES),
    "regression": ("mae", "mse", "rmse", "mape"),
    "none": (),
}
"""What is estimated before labels come, under suite `estimate`."""

LATENCY = ("latency_mean", "latency_p50", "latency_p95", "latency_p99")
"""In milliseconds."""

ERROR_SHARE = "error_share"

THROUGHPUT = "throughput"
"""Predictions a second."""

OPERATIONS: Mapping[str, str] = {
    **dict.fromkeys(LATENCY, "predictions.latency_ms"),
    ERROR_SHARE: "predictions.status",
    THROUGHPUT: "predictions.latency_ms or predictions.status",
}
"""What is recorded of how requests are served, and the keys of the file that it needs."""

GATE = (
    *(*_CLASSES, "roc_auc", "log_loss", "brier", "average_precision"),
    *_ERRORS,
)
"""What a challenger may be compared with the champion in."""

HIGHER_IS_BETTER = frozenset(
    {
        "row_count",
        THROUGHPUT,
        "ks_p_value",
        "cramer_von_mises_p_value",
        "chi_square_p_value",
        "g_test_p_value",
        "null_share_p_value",
        "roc_auc",
        "average_precision",
        *_CLASSES,
        "f1_weighted",
        "r2",
    }
)
CLOSER_TO_ONE_IS_BETTER = frozenset({"observed_predicted_ratio"})
CLOSER_TO_ZERO_IS_BETTER = frozenset({"bias"})
ANY_CHANGE_IS_WORSE = frozenset({"label_mean", "observed_rate"})
"""Of every other metric less is better: losses, errors, drift, null shares, latencies."""

WITHOUT_INTERVAL = frozenset({"ece"})
"""The metrics of performance whose rows do not tell how uncertain they are."""

ONE_ROW = "only one labelled row"
"""Why a window has no number, where it has too few labels to have one."""
ONE_CLASS = "every label is "
"""How the reason begins where a metric wants labels of two classes and there is one."""

KNOWN = frozenset(
    {
        *QUALITY,
        *OF_DRIFT,
        *OF_PERFORMANCE,
        *chain.from_iterable(ESTIMATED.values()),
        *OPERATIONS,
    }
)
"""Every name that is driftline's own: a business metric has another."""


def worsening(metric: str, value: float, baseline: float, *, higher: Collection[str] = ()) -> float:
    """Return by how much a value is worse than the baseline; negative when it is better.

    `higher` names metrics of which more is better beside those that are known to be so.

    >>> worsening("roc_auc", 0.5, 0.75), worsening("rmse", 3.0, 2.0)
    (0.25, 1.0)
    """
    if metric in HIGHER_IS_BETTER or metric in higher:
        return baseline - value
    if metric in CLOSER_TO_ONE_IS_BETTER:
        return abs(value - 1) - abs(baseline - 1)
    if metric in CLOSER_TO_ZERO_IS_BETTER:
        return abs(value) - abs(baseline)
    if metric in ANY_CHANGE_IS_WORSE:
        return abs(value - baseline)
    return value - baseline
