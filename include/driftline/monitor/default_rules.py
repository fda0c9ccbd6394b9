"""The rules that hold where a monitor file writes none, and those that expectations bring along."""

from collections.abc import Iterable
from glob import escape
from typing import Any

from driftline import metrics
from driftline.domain import Suite, cadence_length
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Expectation, Rule, Task

MIN_ROWS = 200
"""A default drift or performance rule looks at no window with fewer rows: noise alone breaks it."""

MIN_LABELLED_ROWS = 1_000
"""The default rule of a week's performance wants so many: on 350 rows a loss is uncertain by 15%
of itself.
"""

FAR = "performance-1d"
"""The default rule on a day whose performance has fallen far."""

DEVIATIONS = 5
"""A day is told of when its performance is worse than that of the reference's days by more of their
standard deviations, and by twice what a week may be worse: benchmarks/quiet.py.
"""

MIN_QUALITY_ROWS = 30
"""A default expectation of a column is judged on so many rows: one odd value is no large share."""

_SCORE_DRIFT = {"psi": 0.25, "wasserstein": 0.25, "jensen_shannon": 0.2, "ks": 0.2, "kl": 0.25}


def rules_of(monitor: Monitor, defaults: Iterable[Expectation]) -> tuple[Rule, ...]:
    """Return all rules in force: the file's, else default ones, and one for each expectation.

    `defaults` are the expectations that were derived from the reference.
    """
    written = monitor.rules if monitor.rules is not None else default_rules(monitor)
    return (
        *written,
        *(_expected(expectation, 0) for expectation in monitor.quality),
        # Too few rows to judge a column by are no excuse for the volume, and none at all least so.
        *(_expected(each, MIN_QUALITY_ROWS if each.column else 0) for each in defaults),
    )


def default_rules(monitor: Monitor) -> tuple[Rule, ...]:
    """Return quiet rules: drift of what a model says and of many features at once, performance.

    Each looks at the longest window of at most a week and wants it to fail three times in a row;
    performance that has surely fallen far is told on the first day. Nulls, ranges, categories and
    volume are watched by the expectations.
    """
    if not monitor.days:
        return ()
    said = monitor.prediction_columns
    method = str(monitor.drift_methods(said[0])[0]) if said else ""
    rules: list[dict[str, Any]] = [
        {"name": "features-drift", "metric": "drift_share", "max": 0.5, "severity": "warn"}
    ]
    if method in _SCORE_DRIFT:
        bound = {"max": _SCORE_DRIFT[method], "severity": "warn"}
        rules.append({"name": "score-drift", "metric": method, "columns": said} | bound)
    if monitor.labels:
        metric, share = _performance(monitor)
        watched = {"metric": metric, "severity": "critical"}
        slow = {"name": "performance", "worse_by": f"{share}%", "min_rows": MIN_LABELLED_ROWS}
        rules.append(watched | slow)
        if "1d" in monitor.windows:
            far = {"worse_by": [f"{2 * share}%", f"{DEVIATIONS}sd"], "surely": True}
            rules.append(watched | far | {"name": FAR, "window": "1d", "for": 1})
    shared = {"window": _weekly(monitor), "for": 3, "min_rows": MIN_ROWS}
    return tuple(Rule.model_validate(shared | rule) for rule in rules)


def _weekly(monitor: Monitor) -> str:
    """Return the longest window of at most a week, else the longest that there is."""
    days = monitor.days or ["1h"]
    return ([window for window in days if cadence_length(window).days <= 7] or days)[-1]


def suite_of(monitor: Monitor, rule: Rule) -> Suite:
    """Return which suite measures what a rule is about."""
    if rule.suite:
        return Suite(rule.suite)
    if rule.metric in metrics.QUALITY or rule.metric.startswith("expect_"):
        return Suite.QUALITY
    if rule.metric in metrics.PERFORMANCE[monitor.task]:
        return Suite.PERFORMANCE
    if rule.metric in metrics.OPERATIONS:
        return Suite.OPERATIONS
    return Suite.BUSINESS if rule.metric in monitor.business else Suite.DRIFT


def performance_metric(monitor: Monitor) -> str:
    """Return the metric of performance that the first rule on it, or a default one, looks at."""
    return next((r.metric for r in _asked(monitor)), _performance(monitor)[0])


def performance_window(monitor: Monitor) -> str:
    """Return the window that the first rule on performance, or a default one, looks at."""
    return next((r.window for r in _asked(monitor) if r.window), _weekly(monitor))


def _asked(monitor: Monitor) -> Iterable[Rule]:
    """Return the rules of the file that are about performance."""
    known = metrics.PERFORMANCE[monitor.task]
    return (rule for rule in monitor.rules or () if rule.metric in known and not rule.suite)


def _performance(monitor: Monitor) -> tuple[str, int]:
    """Return a metric that moves with the model and not with the base rate, and by how many
    hundredths of the reference's it may be worse in a week.
    """
    if monitor.task is Task.REGRESSION:
        return "rmse", 25
    if monitor.predictions.score is not None:
        return "log_loss_ratio", 15
    return "balanced_accuracy", 10


def _expected(expectation: Expectation, min_rows: int) -> Rule:
    name = expectation.type.removeprefix("expect_").replace("_", "-")
    return Rule.model_validate(
        {
            "name": name,
            "metric": expectation.type,
            "columns": (escape(expectation.column),),
            "detail": expectation.detail,
            "min": 1,
            "min_rows": min_rows,
            "severity": expectation.severity,
        }
    )
