"""Performance of the labelled rows: Evidently's metrics, and those that it lacks."""

from collections.abc import Callable, Mapping

import numpy as np

from driftline.config import Task
from driftline.domain import Engine, Measurement, Scope, Suite
from driftline.stats.probabilities import brier, ece, log_loss_ratio, observed_predicted_ratio
from driftline.suites import evidently
from driftline.suites.outcomes import Outcomes


def measure(scope: Scope, outcomes: Outcomes) -> list[Measurement]:
    """Return every performance metric of the labelled rows, a reason where one is undefined."""
    own = _METRICS[outcomes.task]
    if outcomes.scores is None:
        own = {name: metric for name, metric in own.items() if name in _WITHOUT_SCORES}
    return evidently.performance(scope, outcomes) + [
        _measured(scope, name, metric, outcomes) for name, metric in own.items()
    ]


def _measured(
    scope: Scope, name: str, metric: Callable[[Outcomes], float], outcomes: Outcomes
) -> Measurement:
    undefined = outcomes.undefined(name)
    return scope.measurement(
        Suite.PERFORMANCE,
        name,
        None if undefined else metric(outcomes),
        engine=Engine.PROFILE,
        reason=undefined or outcomes.remark,
        row_count=len(outcomes),
        coverage=outcomes.coverage,
    )


def _average_precision(outcomes: Outcomes) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(outcomes.y_true, outcomes.scores))


def _balanced_accuracy(outcomes: Outcomes) -> float:
    # scikit-learn's, without its warning of classes that are predicted and never a label.
    right = outcomes.y_true == outcomes.y_pred
    return float(np.mean([right[outcomes.y_true == place].mean() for place in outcomes.present]))


def _log_loss_ratio(outcomes: Outcomes) -> float:
    from sklearn.metrics import log_loss

    loss = log_loss(outcomes.y_true, outcomes.scores, labels=range(len(outcomes.classes)))
    return log_loss_ratio(outcomes.y_true, float(loss))


def _mape(outcomes: Outcomes) -> float:
    # Evidently's divides by the label and not by its size: one label below 0 makes it absurd.
    from sklearn.metrics import mean_absolute_percentage_error

    return float(mean_absolute_percentage_error(outcomes.y_true, outcomes.y_pred))


def _of_scores(
    statistic: Callable[..., float],
) -> Callable[[Outcomes], float]:
    return lambda outcomes: statistic(outcomes.y_true, outcomes.scores)


_ANY_CLASSES: Mapping[str, Callable[[Outcomes], float]] = {
    "balanced_accuracy": _balanced_accuracy,
    "log_loss_ratio": _log_loss_ratio,
    "brier": _of_scores(brier),
}
_METRICS: Mapping[Task, Mapping[str, Callable[[Outcomes], float]]] = {
    Task.BINARY: {
        **_ANY_CLASSES,
        "average_precision": _average_precision,
        "ece": _of_scores(ece),
        "observed_predicted_ratio": _of_scores(observed_predicted_ratio),
    },
    Task.MULTICLASS: _ANY_CLASSES,
    Task.REGRESSION: {"mape": _mape},
}
_WITHOUT_SCORES = {"balanced_accuracy", "mape"}
