"""Drift of columns whichever engine counted it: conventional bounds, and the share beyond them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from driftline.config import DriftMethod
from driftline.domain import ColumnKind, Engine, Measurement, Scope, Suite
from driftline.stats.categories import chi_square, total_variation
from driftline.stats.samples import ks
from driftline.suites import evidently
from driftline.suites.frame import Column, Frame, obstacle, remark
from driftline.warehouse.rows import Rows


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
    # Of the same scale as Hellinger's distance, which bounds it from both sides.
    "total_variation": Bound(0.1),
    # Fisher's 5%.
    "ks_p_value": Bound(0.05, below=True),
    "chi_square_p_value": Bound(0.05, below=True),
}
"""Conventions, by metric: good enough to count drifted columns, too crude to page anybody."""


def measure(
    scope: Scope,
    current: Rows | Frame,
    reference: Rows | Frame,
    columns: Mapping[str, ColumnKind],
    methods: Callable[[str], tuple[DriftMethod, ...]],
) -> list[Measurement]:
    """Return the drift of each column by each of its methods, in that order.

    Evidently measures what it has; its test statistics, which it keeps to itself, and the total
    variation distance (of which it gives a permutation p-value) come from the same rows here.
    """
    current, reference = Frame.of(current, columns), Frame.of(reference, columns)
    own = [
        _own(scope, name, method, current, reference)
        for name in columns
        for method in methods(name)
        if method in _OWN
    ]
    names = list(columns)
    return sorted(
        own + evidently.drift(scope, current, reference, columns, methods),
        key=lambda each: (
            names.index(each.column_name),
            methods(each.column_name).index(DriftMethod(each.metric.removesuffix("_p_value"))),
        ),
    )


def drift_share(
    scope: Scope, measurements: Iterable[Measurement], features: Collection[str]
) -> Measurement:
    """Return the share of the features beyond the bound of their first method, 0 to 1.

    Features that could not be measured do not count; None when that is all of them.
    """
    first: dict[str, Measurement] = {}
    for each in measurements:
        if each.column_name in features and each.metric in BOUNDS:
            first.setdefault(each.column_name, each)
    measured = [each for each in first.values() if each.value is not None]
    rest: dict[str, Any] = {"baseline": "reference"}
    if not measured:
        rest["reason"] = "no feature could be measured" if features else "there are no features"
        return _measurement(scope, "drift_share", None, **rest)
    if len(measured) < len(features):
        rest["reason"] = f"of the {len(measured)} of {len(features)} features that were measured"
    beyond = sum(
        each.value is not None and BOUNDS[each.metric].broken_by(each.value) for each in measured
    )
    rest["row_count"] = max((each.row_count or 0 for each in measured), default=0)
    return _measurement(scope, "drift_share", beyond / len(measured), **rest)


def _own(
    scope: Scope, name: str, method: DriftMethod, current: Frame, reference: Frame
) -> Measurement:
    rest: dict[str, Any] = {
        "column_name": name,
        "baseline": "reference",
        "row_count": current.columns[name].usable,
    }
    if reason := obstacle(name, method, current, reference):
        return _measurement(scope, method, None, reason=reason, **rest)
    value = _OWN[method](reference.columns[name], current.columns[name])
    return _measurement(scope, method, value, reason=remark(name, current, reference), **rest)


def _measurement(scope: Scope, metric: str, value: float | None, **rest: Any) -> Measurement:
    return scope.measurement(Suite.DRIFT, str(metric), value, engine=Engine.PROFILE, **rest)


def _by_counts(statistic: Callable[[Any, Any], float]) -> Callable[[Column, Column], float]:
    def of_columns(reference: Column, current: Column) -> float:
        both = np.concatenate([reference.present, current.present]).astype(str)
        names, places = np.unique(both, return_inverse=True)
        cut = reference.usable
        return statistic(
            np.bincount(places[:cut], minlength=len(names)),
            np.bincount(places[cut:], minlength=len(names)),
        )

    return of_columns


_OWN: Mapping[DriftMethod, Callable[[Column, Column], float]] = {
    DriftMethod.KS: lambda reference, current: ks(reference.present, current.present),
    DriftMethod.CHI_SQUARE: _by_counts(chi_square),
    DriftMethod.TOTAL_VARIATION: _by_counts(total_variation),
}
