"""The gate: a challenger passes only if it is surely better than the champion on the same rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.errors import InputError
from driftline.metrics import worsening
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Task
from driftline.printable import amount
from driftline.profile.rows import TIMESTAMP, Rows
from driftline.stats import paired
from driftline.suites.outcomes import Outcomes, outcomes

MICROSECONDS_A_DAY = 86_400_000_000
MIN_ROWS, MIN_DAYS = 200, 5
"""With fewer labelled rows, or days to draw, no interval deserves its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Champion and challenger in one metric on the same rows; `gain` is challenger minus champion.

    `too_little` says why they cannot be compared, '' where they can; then the numbers are None.
    """

    metric: str
    rows: int
    champion: float | None = None
    challenger: float | None = None
    gain: float | None = None
    lower: float | None = None
    upper: float | None = None
    too_little: str = ""

    @property
    def better(self) -> bool:
        """Whether the whole 95% interval is a gain."""
        if self.lower is None or self.upper is None:
            return False
        return all(worsening(self.metric, edge, 0.0) < 0 for edge in (self.lower, self.upper))

    @property
    def words(self) -> str:
        """What was found, in one line."""
        if self.too_little:
            return self.too_little
        verdict = "better" if self.better else "not surely better"
        return (
            f"the challenger is {verdict}: {self.metric} {self.challenger:.4f} against "
            f"{self.champion:.4f}, {self.gain:+.4f} [{self.lower:+.4f}, {self.upper:+.4f}] "
            f"on {amount(self.rows, 'row')}"
        )


def compare(monitor: Monitor, metric: str, champion: Rows, challenger: Rows) -> Comparison:
    """Compare what two models say of the same rows, in the same order.

    Only rows count that can be scored for both.
    """
    kept = [outcomes(monitor, rows).of(metric).kept for rows in (champion, challenger)]
    tables = [rows.table.filter(kept[0] & kept[1]) for rows in (champion, challenger)]
    first, second = (outcomes(monitor, Rows(table=t, total=len(t))).of(metric) for t in tables)
    days = tables[0][TIMESTAMP].cast("int64").to_numpy() // MICROSECONDS_A_DAY
    missing = first.undefined(metric) or second.undefined(metric)
    if not missing and (len(first) < MIN_ROWS or len(np.unique(days)) < MIN_DAYS):
        missing = (
            f"{amount(len(first), 'labelled row')} on {amount(len(np.unique(days)), 'day')} in the "
            f"holdout {'is' if len(first) == 1 else 'are'} too few to compare on: {MIN_ROWS} rows "
            f"on {MIN_DAYS} days are wanted"
        )
    if missing:
        return Comparison(metric=metric, rows=len(first), too_little=missing)
    found = _paired(metric, first, second, days)
    return Comparison(
        metric=metric,
        rows=len(first),
        champion=found.first,
        challenger=found.second,
        gain=found.difference,
        lower=found.lower,
        upper=found.upper,
    )


def _paired(metric: str, first: Outcomes, second: Outcomes, days: NDArray[Any]) -> paired.Paired:
    if metric in paired.SUMS:
        loss = paired.SUMS[metric]
        return paired.of_sums(
            loss(first.y_true, first.y_pred, first.scores),
            loss(second.y_true, second.y_pred, second.scores),
            days,
            np.sqrt if metric == "rmse" else np.asarray,
        )
    value = _of_rows(metric, first.task)
    return paired.of_rows(lambda at: value(first, at), lambda at: value(second, at), days)


def _of_rows(metric: str, task: Task) -> Callable[[Outcomes, NDArray[np.int64]], float]:
    """Return a metric as scikit-learn has it, of the rows at some places."""
    from sklearn import metrics as sk

    average = "binary" if task is Task.BINARY else "macro"
    of_scores: Mapping[str, Callable[..., float]] = {
        "roc_auc": lambda t, s: sk.roc_auc_score(
            t, s, **({} if task is Task.BINARY else {"multi_class": "ovr"})
        ),
        "average_precision": sk.average_precision_score,
    }
    of_classes: Mapping[str, Callable[..., float]] = {
        "balanced_accuracy": sk.balanced_accuracy_score,
        "precision": lambda t, p: sk.precision_score(t, p, average=average, zero_division=0),
        "recall": lambda t, p: sk.recall_score(t, p, average=average, zero_division=0),
        "f1": lambda t, p: sk.f1_score(t, p, average=average, zero_division=0),
        "r2": sk.r2_score,
    }

    def value(outcomes: Outcomes, at: NDArray[np.int64]) -> float:
        truth = outcomes.y_true[at]
        if metric in of_scores:
            assert outcomes.scores is not None
            if len(np.unique(truth)) < 2:
                return float("nan")
            return float(of_scores[metric](truth, outcomes.scores[at]))
        return float(of_classes[metric](truth, outcomes.y_pred[at]))

    known = {*of_scores, *of_classes}
    if metric not in known:
        allowed = ", ".join(sorted(known | paired.SUMS.keys()))
        raise InputError(f"the gate cannot compare {metric!r}; allowed are {allowed}")
    return value
