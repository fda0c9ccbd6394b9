"""Performance of a window, from the counts of what came of its predictions; 95% intervals."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from driftline import metrics
from driftline.domain import Engine, Measurement, Scope, Suite, steady
from driftline.printable import amount
from driftline.profile.outcomes import (
    CALIBRATION_BINS,
    MOMENTS,
    NO_SCORE,
    POSITIVE,
    ClassProfile,
    Counts,
    OutcomeProfile,
    ScoreCounts,
    ValueProfile,
    coverage,
    single,
)
from driftline.stats import confusion, interval, losses, ranking
from driftline.stats.interval import Interval
from driftline.suites.outcomes import OF_ZEROS

Found = Interval | str
"""A number with its interval, or why there is none."""


class Number(NamedTuple):
    """What is measured under a name, of one class (`detail`) or of all; of so many `rows`, which
    are those that can be used where it is None, and what is to be said of the others.
    """

    metric: str
    found: Found
    detail: str = ""
    rows: int | None = None
    remark: str = ""


def measure(scope: Scope, profile: OutcomeProfile) -> list[Measurement]:
    """Return every performance metric of the labelled rows, a reason where one is undefined."""
    if isinstance(profile, ValueProfile):
        known: OutcomeProfile = profile
        numbers = _values(profile)
    else:
        known = _of_known_classes(profile)
        numbers = _classes(known)
    left_out = _left_out(known.dropped)
    return [
        scope.measurement(
            Suite.PERFORMANCE,
            metric,
            None if isinstance(found, str) else steady(found.value),
            engine=Engine.PROFILE,
            lower=None if isinstance(found, str) else steady(found.lower),
            upper=None if isinstance(found, str) else steady(found.upper),
            reason=found if isinstance(found, str) else "; ".join(filter(None, (left_out, remark))),
            detail=detail,
            row_count=known.used if rows is None else rows,
            coverage=coverage(profile),
        )
        for metric, found, detail, rows, remark in numbers
    ]


def _left_out(dropped: Mapping[str, int]) -> str:
    return "; ".join(
        f"{amount(n, 'row')} left out: {why}" for why, n in sorted(dropped.items()) if n
    )


def nothing(profile: OutcomeProfile) -> str:
    """Return why nothing can be measured, in words; '' when something can.

    Where more than half of the labelled rows cannot be used, the others do not speak for them.
    """
    if not profile.rows:
        return "no predictions"
    if not profile.labelled:
        return "no labels"
    return _too_few(profile.used, profile.labelled, "be used", _left_out(profile.dropped))


def _too_few(used: int, labelled: int, what: str, why: str) -> str:
    if not used:
        return f"no labelled row can {what}: {why}"
    if 2 * used < labelled:
        return f"only {used:,} of {amount(labelled, 'labelled row')} can {what}: {why}"
    return metrics.ONE_ROW if used == 1 else ""


def _found(reason: str, number: Callable[[], Interval]) -> Found:
    return reason or number()


# Classes


def _of_known_classes(profile: ClassProfile) -> ClassProfile:
    """Return what is left without labels that the model cannot mean: it has a score for every class
    but theirs, and never says it.
    """
    said, label = profile.confusion.sum(axis=0), profile.by_label
    unknown = [
        place
        for place, name in enumerate(profile.classes)
        if profile.scores and not profile.binary and name not in profile.scores and not said[place]
    ]
    if not label[unknown].any():
        return profile
    kept = [place for place, _ in enumerate(profile.classes) if place not in unknown]
    strays = [profile.classes[place] for place in unknown if label[place]]
    why = f"the model has no score for their label {_some(strays)}"
    return replace(
        profile,
        classes=tuple(profile.classes[place] for place in kept),
        confusion=profile.confusion[np.ix_(kept, kept)],
        unpredicted=profile.unpredicted[kept],
        moments=profile.moments[kept],
        unscored=profile.unscored[kept],
        dropped={**profile.dropped, why: int(label[unknown].sum())},
    )


def _classes(profile: ClassProfile) -> Iterator[Number]:
    yield from _predicted(profile)
    if profile.scores:
        yield from _probabilities(profile)
    if profile.binary:
        share = profile.by_label[POSITIVE]
        mean = _found(nothing(profile), lambda: interval.share(share, profile.used))
        yield Number("label_mean", mean)


def _predicted(profile: ClassProfile) -> Iterator[Number]:
    """Yield what is measured of the rows that have a predicted class."""
    matrix, rows = profile.confusion, profile.predicted
    dropped = {profile.unclassed: int(profile.unpredicted.sum())}
    why = _left_out({**profile.dropped, **dropped})
    empty = nothing(profile) or _too_few(rows, profile.labelled, "be used", why)

    def number(metric: str, found: Found, detail: str = "") -> Number:
        return Number(metric, found, detail, rows=rows, remark=_left_out(dropped))

    def of_class(metric: str, place: int) -> Found:
        undefined = empty or _undefined_of_class(profile, metric, place)
        return _found(undefined, lambda: _OF_ONE_CLASS[metric](matrix, place))

    yield number("accuracy", _found(empty, lambda: confusion.accuracy(matrix)))
    alone = empty or _one_class(profile, matrix.sum(axis=1))
    yield number("balanced_accuracy", _found(alone, lambda: confusion.balanced_accuracy(matrix)))
    for name, metric in _OF_ONE_CLASS.items():
        if profile.binary:
            yield number(name, of_class(name, POSITIVE))
            continue
        whole = _macro(metric)
        yield number(name, _found(empty, lambda whole=whole: whole(matrix)))  # type: ignore[misc]
        for place in _mentioned(profile):
            yield number(name, of_class(name, place), profile.classes[place])
    if not profile.binary:
        yield number("f1_weighted", _found(empty, lambda: confusion.weighted_f1(matrix)))


def _macro(
    metric: Callable[[confusion.Confusion, int], Interval],
) -> Callable[[confusion.Confusion], Interval]:
    return lambda matrix: confusion.macro(metric, matrix)


_OF_ONE_CLASS: Mapping[str, Callable[[confusion.Confusion, int], Interval]] = {
    "precision": confusion.precision,
    "recall": confusion.recall,
    "f1": confusion.f1,
}


def _mentioned(profile: ClassProfile) -> list[int]:
    """Return the places of the classes that are labels or predicted."""
    matrix = profile.confusion
    return np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1)).tolist()


def _called(profile: ClassProfile, place: int) -> str:
    name = profile.classes[place] or profile.bins.negative
    if name:
        return repr(name)
    others = [found for found in profile.found if found != profile.classes[POSITIVE]]
    return repr(others[0]) if others else f"other than {profile.classes[POSITIVE]!r}"


def _one_class(profile: ClassProfile, by_label: Counts) -> str:
    present = np.flatnonzero(by_label)
    return f"{metrics.ONE_CLASS}{_called(profile, int(present[0]))}" if len(present) == 1 else ""


def _undefined_of_class(profile: ClassProfile, metric: str, place: int) -> str:
    matrix, name = profile.confusion, _called(profile, place)
    labelled, predicted = matrix[place].any(), matrix[:, place].any()
    if metric == "precision" and not predicted:
        return f"no row is predicted to be {name}"
    if metric == "recall" and not labelled:
        return f"no label is {name}"
    if metric == "f1" and not (labelled or predicted):
        return f"{name} is neither predicted nor a label"
    return ""


def _probabilities(profile: ClassProfile) -> Iterator[Number]:
    """Yield what is measured of the rows that have a usable score, and of which it is their class,
    whether or not a predicted class is known of them.

    Losses take rows whose probabilities add up to 1; ranks take all.
    """
    places = [place for place, name in enumerate(profile.classes) if name in profile.scores]
    places = [0, POSITIVE] if profile.binary else places
    moments, by_label = profile.moments[places], profile.by_scored_label[places]
    ranked, unscored = profile.by_ranked_label, int(profile.unscored.sum())
    size, rows = int(ranked.sum()), int(by_label.sum())
    dropped = {NO_SCORE: unscored, _unscored(profile): max(0, profile.used - unscored - size)}
    apart = "their class probabilities do not add up to 1"
    why = _left_out({**profile.dropped, **dropped})
    no_ranks = nothing(profile) or _too_few(size, profile.labelled, "be ranked", why)
    why = _left_out({**profile.dropped, **dropped, apart: profile.stray})
    no_loss = nothing(profile) or _too_few(rows, profile.labelled, "be scored", why)
    alone = _one_class(profile, by_label)
    squared, squared2, loss, loss2 = moments.sum(axis=0)[:4]

    def of_ranks(metric: str, found: Found) -> Number:
        return Number(metric, found, rows=size, remark=_left_out(dropped))

    def of_losses(metric: str, found: Found) -> Number:
        remark = _left_out({**dropped, apart: profile.stray})
        return Number(metric, found, rows=rows, remark=remark)

    yield of_ranks("roc_auc", _roc_auc(profile, no_ranks or _one_class(profile, ranked)))
    yield of_losses("log_loss", _found(no_loss, lambda: interval.mean(rows, loss, loss2, least=0)))
    yield of_losses(
        "log_loss_ratio",
        _found(
            no_loss or alone,
            lambda: losses.log_loss_ratio(by_label, moments[:, 2], moments[:, 3]),
        ),
    )
    yield of_losses(
        "brier", _found(no_loss, lambda: interval.mean(rows, squared, squared2, least=0))
    )
    if not profile.binary:
        return
    (scores,), (edges,) = profile.scores.values(), profile.bins.scores.values()
    own = single(edges)
    negative, positive = scores.truth
    yield of_ranks(
        "average_precision",
        _found(
            no_ranks or alone,
            lambda: _area(ranking.binned_average_precision(positive, negative, own)),
        ),
    )
    yield of_ranks("ece", _found(no_ranks, lambda: _ece(scores, edges)))
    silent = "" if scores.sums.sum() else "every score is 0"
    yield of_losses(
        "observed_predicted_ratio",
        _found(
            no_loss or silent,
            lambda: losses.observed_predicted_ratio(by_label, moments[:, 4], moments[:, 5]),
        ),
    )


def _unscored(profile: ClassProfile) -> str:
    lacking = [name for name in profile.classes if name not in profile.scores]
    return f"no score is logged for {_some(lacking)}"


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")


def _roc_auc(profile: ClassProfile, reason: str) -> Found:
    """Return the area of a binary model; of more classes the mean of each against the others."""
    if reason:
        return reason
    absent = [n for n, s in profile.scores.items() if not s.truth[POSITIVE].any()]
    if absent and not profile.binary:
        return f"no label is {_some(absent)}"
    areas = [
        ranking.binned_roc_area(s.truth[POSITIVE], s.truth[0], single(profile.bins.scores[name]))
        for name, s in profile.scores.items()
    ]
    # The mean of intervals: right where the areas move as one, else wider than need be.
    return Interval(*(float(np.mean([getattr(a, end) for a in areas])) for end in Interval._fields))


def _area(area: ranking.BinnedArea) -> Interval:
    return Interval(area.value, area.lower, area.upper)


def _ece(scores: ScoreCounts, edges: tuple[float, ...]) -> Interval:
    """Sum the score's bins to those of the calibration error: its edges are among theirs."""
    lows = np.concatenate([[-np.inf], np.array(edges)])
    bounds = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
    place = np.searchsorted(bounds, lows, side="right")
    observed = np.bincount(place, scores.truth[POSITIVE], CALIBRATION_BINS)
    predicted = np.bincount(place, scores.sums, CALIBRATION_BINS)
    value = losses.ece(observed, predicted, int(scores.truth.sum()))
    return Interval(value, float("nan"), float("nan"))


# Values

QUANTILES = {
    "median_absolute_error": 0.5,
    "absolute_error_p90": 0.9,
    "absolute_error_p95": 0.95,
}


def _values(profile: ValueProfile) -> Iterator[Number]:
    empty, rows, scale = nothing(profile), profile.used, profile.bins.scale
    total = profile.moment

    def scaled(found: Interval) -> Interval:
        return Interval(*(scale * each for each in found))

    def size(name: str, squares: str) -> Interval:
        return interval.mean(rows, total(name), total(squares), least=0)

    yield Number("mae", _found(empty, lambda: scaled(size("absolute", "squared"))))
    yield Number("mse", _found(empty, lambda: scaled(scaled(size("squared", "fourth")))))
    yield Number(
        "rmse", _found(empty, lambda: scaled(losses.rmse(rows, total("squared"), total("fourth"))))
    )
    zeros = amount(profile.zeros, *OF_ZEROS) if profile.zeros else ""
    yield Number("mape", _found(empty or zeros, lambda: size("relative", "relative_squared")))
    same = "" if total("label_squared") else "every label is the same: no variance to explain"
    yield Number("r2", _found(empty or same, lambda: _r2(profile)))
    yield Number(
        "bias", _found(empty, lambda: scaled(interval.mean(rows, total("error"), total("squared"))))
    )
    for name, share in QUANTILES.items():
        yield Number(name, _found(empty, lambda share=share: _quantile(profile, share)))  # type: ignore[misc]

    def label_mean() -> Interval:
        mean = scaled(interval.mean(rows, total("label"), total("label_squared")))
        return Interval(*(profile.least + each for each in mean))

    yield Number("label_mean", _found(empty, label_mean))


def _quantile(profile: ValueProfile, share: float) -> Interval:
    """Return the absolute error below which a share of rows lies.

    Where rows are too few for an end of the interval it is the least or the largest there can be
    of these rows.
    """
    edges = np.array(profile.bins.errors)
    most, own = profile.largest, single(profile.bins.errors or ())
    value, lower, upper = losses.quantile(edges, profile.errors, share, 0.0, most, own)
    return Interval(value, np.nan_to_num(lower, nan=0.0), np.nan_to_num(upper, nan=most))


def _r2(profile: ValueProfile) -> Interval:
    assert profile.mean_label is not None
    sums = dict(zip(MOMENTS, profile.about(profile.mean_label), strict=True))
    return losses.r2(
        profile.used,
        y=sums["label"],
        y2=sums["label_squared"],
        y3=sums["label_cubed"],
        y4=sums["label_fourth"],
        e2=sums["squared"],
        e4=sums["fourth"],
        e2_y=sums["squared_label"],
        e2_y2=sums["squared_label_squared"],
    )
