"""Drift of columns from their profiles: every row counts, on the bins of the reference."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from driftline import metrics
from driftline.domain import Engine, Measurement, Scope, Suite
from driftline.monitor.sections import Baseline, DriftMethod
from driftline.printable import amount
from driftline.profile.columns import Profile
from driftline.suites.pair import METHODS, Pair, Value


class Bound(NamedTuple):
    """The value beyond which a column is said to have drifted."""

    limit: float
    below: bool = False
    """Whether smaller values are the worse ones, as with p-values."""

    def broken_by(self, value: float) -> bool:
        """Return whether a value lies beyond the bound; one that touches it does not."""
        return value < self.limit if self.below else value > self.limit


BOUNDS: Mapping[str, Bound] = {
    # Lewis, An Introduction to Credit Scoring, 1994; Siddiqi, Credit Risk Scorecards, 2006.
    "psi": Bound(0.2),
    # Evidently's defaults (docs.evidentlyai.com, "Data drift methods").
    "jensen_shannon": Bound(0.1),
    "kl": Bound(0.1),
    "hellinger": Bound(0.1),
    "wasserstein": Bound(0.1),
    # NannyML's default.
    "l_infinity": Bound(0.1),
    # Of the same scale as Hellinger's distance, which bounds it from both sides.
    "total_variation": Bound(0.1),
    # Fisher's 5%.
    "ks_p_value": Bound(0.05, below=True),
    "chi_square_p_value": Bound(0.05, below=True),
    "g_test_p_value": Bound(0.05, below=True),
    "cramer_von_mises_p_value": Bound(0.05, below=True),
    "null_share_p_value": Bound(0.05, below=True),
}
"""Conventions, by metric: good enough to count drifted columns, too crude to page anybody."""

MOVED = 0.1
"""A test with a p-value below its bound counts a column as drifted only where more than this share
of the rows lies elsewhere: of enough rows everything is significant (Cohen, Statistical Power
Analysis for the Behavioral Sciences, 1988, chapter 1)."""


_METHOD_OF = {metric: DriftMethod(m) for m, names in metrics.DRIFT.items() for metric in names}


def measure(
    scope: Scope,
    current: Profile,
    reference: Profile,
    columns: Iterable[str],
    methods: Callable[[str], tuple[DriftMethod, ...]],
    *,
    baseline: Baseline = Baseline.REFERENCE,
    hides: Callable[[str], bool] = lambda _: False,
) -> list[Measurement]:
    """Return the drift of each column by each of its methods, in that order.

    A number that the counts do not give exactly has the bounds that hold for it in `lower` and
    `upper`. A column of which nothing is left, or that had nothing and has now, has drifted as far
    as the method can say. Of a column that `hides` no value is named.
    """
    found = []
    for name in columns:
        pair = Pair(
            reference=reference.column(name),
            current=current.column(name),
            window_rows=current.rows,
        )
        remarks = "; ".join(pair.remarks(named=not hides(name)))
        for method in methods(name):
            names, obstacle = metrics.DRIFT[method], pair.obstacle(name, method)
            nothing = (Value(None, reason=obstacle),) * len(names)
            values = nothing if obstacle else METHODS[method](pair)
            for metric, value in zip(names, values, strict=True):
                found.append(
                    _measurement(
                        scope,
                        metric,
                        value.value,
                        lower=value.lower,
                        upper=value.upper,
                        reason="; ".join(filter(None, (value.reason, remarks))),
                        column_name=name,
                        baseline=baseline,
                        row_count=pair.rows_of(method),
                    )
                )
                remarks = ""  # once a column
    return found


def moved(current: Profile, reference: Profile) -> Callable[[str, str], float]:
    """Return the function that `drift_share` asks which share of a column's rows has moved."""

    def of(name: str, metric: str) -> float:
        pair = Pair(
            reference=reference.column(name),
            current=current.column(name),
            window_rows=current.rows,
        )
        return pair.moved(_METHOD_OF[metric])

    return of


def drift_share(
    scope: Scope,
    measurements: Iterable[Measurement],
    features: Collection[str],
    moved: Callable[[str, str], float],
    baseline: Baseline = Baseline.REFERENCE,
) -> Measurement:
    """Return the share of the features beyond the bound of their first method, 0 to 1.

    `moved` returns the share of the rows that lies elsewhere, of a column by the method of a
    metric: where the bound is one of p-values, that counts too. Features that could not be measured
    do not count; None when that is all of them.
    """
    first: dict[str, Measurement] = {}
    for each in measurements:
        if each.column_name in features and each.metric in BOUNDS:
            first.setdefault(each.column_name, each)
    measured = [each for each in first.values() if each.value is not None]
    rest: dict[str, Any] = {"baseline": baseline}
    if not measured:
        rest["reason"] = "no feature could be measured" if features else "there are no features"
        return _measurement(scope, "drift_share", None, **rest)
    if len(measured) < len(features):
        rest["reason"] = (
            f"of the {len(measured)} of {amount(len(features), 'feature')} that were measured"
        )
    beyond = sum(
        each.value is not None
        and (bound := BOUNDS[each.metric]).broken_by(each.value)
        and not (bound.below and moved(each.column_name, each.metric) <= MOVED)
        for each in measured
    )
    rest["row_count"] = max((each.row_count or 0 for each in measured), default=0)
    return _measurement(scope, "drift_share", beyond / len(measured), **rest)


def _measurement(scope: Scope, metric: str, value: float | None, **rest: Any) -> Measurement:
    return scope.measurement(Suite.DRIFT, metric, value, engine=Engine.PROFILE, **rest)
