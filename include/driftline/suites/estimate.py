"""Performance before labels: what the scores, or a model of the errors, lead one to expect."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from driftline.domain import Engine, Measurement, Scope, Suite, steady
from driftline.metrics import ESTIMATED, FROM_SCORES
from driftline.monitor.sections import Task
from driftline.printable import amount
from driftline.profile.outcomes import ClassProfile
from driftline.stats import confidence_based, one_vs_rest
from driftline.suites.direct_loss import DirectLoss
from driftline.suites.direct_loss import Estimate as Expected
from driftline.suites.frame import Frame

_Z = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""

_OF_SCORES = FROM_SCORES | {"observed_rate"}
"""What is estimated of scores whether or not a predicted class is known."""

FEWEST = 30
"""Labelled rows of the reference below which nothing is estimated."""


def of_scores(
    scope: Scope, current: ClassProfile, reference: ClassProfile, distrusted: Mapping[str, str]
) -> list[Measurement]:
    """Return what the scores of all predictions of a window lead one to expect (CBPE).

    Scores are calibrated by the reference where they need it. `distrusted` says of which metrics
    the estimates did not hold lately, and how.
    """
    obstacle = _obstacle(current, reference)
    if obstacle:
        task = Task.BINARY if reference.binary else Task.MULTICLASS
        return unknown(scope, task, obstacle)
    names = list(reference.scores)
    ours = [current.scores[name] for name in names]
    theirs = [reference.scores[name] for name in names]
    learnt = [
        confidence_based.calibration(each.truth[1], each.truth[0], each.sums) for each in theirs
    ]
    by_said = ours[0].said.sum(axis=-1)
    size, classed = float(by_said.sum()), float(by_said[:2].sum())
    if reference.binary:
        (one,), (two,), (how,) = ours, theirs, learnt
        values = confidence_based.estimates(how, one.said, one.said_sums)
        errors = confidence_based.sampling_errors(how, two.joint, two.sums, size, classed)
    else:
        values = one_vs_rest.estimates(
            learnt, [each.said for each in ours], [each.said_sums for each in ours]
        )
        places = [reference.classes.index(name) for name in names]
        errors = one_vs_rest.sampling_errors(
            learnt,
            reference.confusion[np.ix_(places, places)],
            [each.truth for each in theirs],
            [each.sums for each in theirs],
            size,
            classed,
        )
    expected = {
        name: Expected(value, value - _Z * errors[name], value + _Z * errors[name])
        for name, value in values.items()
        if name in errors
    }
    rows = {name: int(size if name in _OF_SCORES else classed) for name in expected}
    return _measured(scope, expected, rows, distrusted)


def of_losses(
    scope: Scope,
    learnt: DirectLoss,
    window: Frame,
    predicted: NDArray[np.float64],
    distrusted: Mapping[str, str],
) -> list[Measurement]:
    """Return the errors that a model of a regression's errors expects in a window (DLE)."""
    expected = learnt.estimates(window, predicted)
    if learnt.losses and not expected:
        return unknown(scope, Task.REGRESSION, "no predictions")
    lost = [_unknown(scope, name, why) for name, why in learnt.unlearnt.items()]
    return _measured(scope, expected, dict.fromkeys(expected, window.rows), distrusted) + lost


def unknown(scope: Scope, task: Task, reason: str) -> list[Measurement]:
    """Return that nothing can be estimated of a model of this task, and why."""
    return [_unknown(scope, name, reason) for name in ESTIMATED[task]]


def _obstacle(current: ClassProfile, reference: ClassProfile) -> str:
    if not current.rows:
        return "no predictions"
    if not any(each.said.sum() for each in current.scores.values()):
        return "no prediction has a score between 0 and 1"
    by_label = reference.by_ranked_label
    if (used := int(by_label.sum())) < FEWEST:
        scored = amount(used, "labelled row")
        return f"{scored} with a score in the reference: an estimate takes {FEWEST}"
    if np.count_nonzero(by_label) < 2:
        return "the reference has labels of one class only"
    return ""


def _measured(
    scope: Scope,
    expected: Mapping[str, Expected],
    rows: Mapping[str, int],
    distrusted: Mapping[str, str],
) -> list[Measurement]:
    return [
        scope.measurement(
            Suite.ESTIMATE,
            name,
            steady(each.value),
            engine=Engine.PROFILE,
            lower=steady(each.lower),
            upper=steady(each.upper),
            row_count=rows[name],
            reason=distrusted.get(name, ""),
        )
        for name, each in expected.items()
    ]


def _unknown(scope: Scope, metric: str, reason: str) -> Measurement:
    return scope.measurement(Suite.ESTIMATE, metric, None, engine=Engine.PROFILE, reason=reason)
