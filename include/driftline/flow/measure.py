"""What is measured of a window: one suite a step, from counts or from rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from driftline.domain import ColumnKind, Measurement, Scope, Suite, Window
from driftline.errors import DriftlineError, unforeseen
from driftline.flow.step import MOST_SEGMENTS, Came, Counted, Known, Result, Step
from driftline.flow.watch import Watch
from driftline.monitor.sections import Baseline
from driftline.profile.columns import Profile
from driftline.profile.outcomes import ClassProfile, OutcomeParts, coverage
from driftline.profile.reference import Reference
from driftline.profile.rows import PREDICTION
from driftline.suites import (
    business,
    domain_classifier,
    drift,
    estimate,
    evidently,
    operations,
    performance,
    quality,
)
from driftline.suites.engines import FAILURES, unable
from driftline.suites.expectations import default_expectations
from driftline.suites.frame import Frame
from driftline.suites.outcomes import outcomes


def measure_all(
    watch: Watch,
    steps: Iterable[Step],
    compared: Mapping[Window, Reference],
    counted: Mapping[Step, Known],
) -> list[Result]:
    """Run the steps one after the other, each with the reference of its window."""
    return [measure(watch, step, compared[step.window], counted.get(step)) for step in steps]


def measure(watch: Watch, step: Step, reference: Reference, counted: Known | None = None) -> Result:
    """Run one step; what goes wrong stands in the result, not in an exception.

    `counted` is what drift and performance are measured from.
    """
    try:
        with unforeseen():
            return _measure(watch, step, reference, counted)
    except DriftlineError as error:
        return Result(step=step, reference_id=reference.id, error=str(error))


def _measure(watch: Watch, step: Step, reference: Reference, counted: Known | None) -> Result:
    if isinstance(counted, Counted):
        return _drift(watch, step, reference, counted)
    if counted is None:
        return _WITHOUT_COUNTS[step.suite](watch, step, reference)
    if step.suite is Suite.ESTIMATE:
        return _estimate(watch, step, reference, counted)
    return _performance(watch, step, reference, counted.current)


def _scope(watch: Watch, step: Step, reference_id: str) -> Scope:
    return Scope(
        monitor=watch.monitor.monitor,
        window=step.window,
        as_of=step.as_of,
        config_hash=watch.monitor.config_hash,
        reference_id=reference_id,
    )


def _quality(watch: Watch, step: Step, reference: Reference) -> Result:
    window, columns = step.window, watch.columns(reference)
    scope = _scope(watch, step, reference.id)
    statistics = watch.logs.statistics(window.start, window.end, columns)
    timeless = watch.timeless(window) if window.cadence == watch.report_cadence else 0
    measured = quality.measure(scope, statistics, timeless)
    expectations = (
        *watch.monitor.quality,
        *default_expectations(watch.monitor, reference, window.cadence),
    )
    measured += quality.validate(scope, expectations, watch.logs, columns, statistics.rows)
    known = [name for name in columns if reference.statistics.null_share(name) != 1.0]
    empty = [name for name in known if statistics.null_share(name) == 1.0]
    return Result(
        step=step,
        reference_id=reference.id,
        measurements=tuple(_departed(watch, measured, known, empty)),
        rows=statistics.rows,
    )


def compare(watch: Watch, step: Step, reference: Reference, counted: Counted) -> list[Measurement]:
    """Measure drift from what was counted: of all rows, of each segment, of each version."""
    columns, said = watch.columns(reference), watch.said()
    whole, base = counted.whole(), counted.base()
    measured: list[Measurement] = []
    for segment in ("", *counted.segments):
        scope = replace(_scope(watch, step, reference.id), segment=segment)
        pair = counted.of_segment(segment) if segment else (whole, base)
        found = _compare(watch, scope, *pair, columns)
        share = drift.drift_share(scope, found, watch.features(reference), drift.moved(*pair))
        measured += [*found, share]
    spoken = [m for m in measured if not m.segment and m.column_name in said]
    for version, part in counted.versions():
        scope = replace(_scope(watch, step, reference.id), model_version=version)
        alone = part.rows == whole.rows
        measured += (
            _as_version(scope, spoken) if alone else _compare(watch, scope, part, base, said)
        )
    for baseline in counted.earlier:
        scope = _scope(watch, step, reference.id)
        pair = whole, counted.base(baseline)
        found = _compare(watch, scope, *pair, columns, baseline)
        share = drift.drift_share(
            scope, found, watch.features(reference), drift.moved(*pair), baseline
        )
        measured += [*found, share]
    return measured


def _drift(watch: Watch, step: Step, reference: Reference, counted: Counted) -> Result:
    measured = compare(watch, step, reference, counted)
    restated = step.as_of > step.window.end
    if step.window.cadence == watch.report_cadence and not restated:
        measured += _by_evidently(watch, step, reference)
    return Result(
        step=step,
        reference_id=reference.id,
        measurements=tuple(measured),
        rows=counted.whole().rows,
    )


def _compare(
    watch: Watch,
    scope: Scope,
    current: Profile,
    base: Profile,
    columns: Mapping[str, ColumnKind],
    baseline: Baseline = Baseline.REFERENCE,
) -> list[Measurement]:
    measured = drift.measure(
        scope,
        current,
        base,
        columns,
        lambda name: watch.monitor.drift_methods(name, columns[name]),
        baseline=baseline,
        hides=watch.monitor.features.hides,
    )
    known = [name for name in columns if base.column(name).usable]
    empty = [name for name in known if current.rows and not current.column(name).usable]
    return _departed(watch, measured, known, empty)


def _departed(
    watch: Watch,
    measured: Sequence[Measurement],
    known: Sequence[str],
    empty: Sequence[str],
) -> list[Measurement]:
    """Have what is measured of a column that left the log say that, and not that it is null.

    `known` are the columns that the reference has values of.
    """
    told = watch.logs.departed(known, empty)
    return [
        replace(each, reason=told[each.column_name]) if each.column_name in told else each
        for each in measured
    ]


def _by_evidently(watch: Watch, step: Step, reference: Reference) -> list[Measurement]:
    """Return what Evidently says of a sample of the window; the rules do not look at it."""
    columns = watch.columns(reference)
    sample = Frame.of(watch.rows(step, columns, labels=False), columns)
    found = evidently.drift(
        _scope(watch, step, reference.id),
        sample,
        watch.compared(reference),
        columns,
        lambda name: watch.monitor.drift_methods(name, columns[name]),
    )
    return found + _by_classifier(watch, step, reference, sample)


def _by_classifier(
    watch: Watch, step: Step, reference: Reference, sample: Frame
) -> list[Measurement]:
    """Return how well a classifier tells this sample's features from the reference's."""
    if not watch.monitor.drift.domain_classifier:
        return []
    scope, features = _scope(watch, step, reference.id), watch.features(reference)
    return [domain_classifier.measure(scope, sample, watch.compared(reference), features)]


def _performance(watch: Watch, step: Step, reference: Reference, counted: OutcomeParts) -> Result:
    scope, none = _scope(watch, step, reference.id), watch.none(reference)
    whole = none.total([profile for part, profile in counted.items() if not part.segment])
    measured = performance.measure(scope, whole)
    spoken = list(measured)
    for segment in _segments(watch, step, reference):
        own = [profile for part, profile in counted.items() if part.segment == segment]
        measured += performance.measure(replace(scope, segment=segment), none.total(own))
    versions = [(p.version, o) for p, o in counted.items() if p.version and not p.segment]
    for version, one in sorted(versions, key=lambda v: (-v[1].rows, v[0]))[:MOST_SEGMENTS]:
        mine = replace(scope, model_version=version)
        alone = one.rows == whole.rows
        measured += _as_version(mine, spoken) if alone else performance.measure(mine, one)
    if step.window.cadence == watch.report_cadence and step.as_of == step.window.end:
        measured += _scored_by_evidently(watch, step, reference)
    return Result(
        step=step,
        reference_id=reference.id,
        measurements=tuple(measured),
        rows=whole.rows,
        coverage=coverage(whole),
    )


def _estimate(watch: Watch, step: Step, reference: Reference, came: Came) -> Result:
    scope, none = _scope(watch, step, reference.id), watch.none(reference)
    whole = none.total([o for part, o in came.current.items() if not part.segment])
    if isinstance(whole, ClassProfile):
        assert isinstance(came.reference, ClassProfile)
        measured = estimate.of_scores(scope, whole, came.reference, came.distrusted)
    else:
        measured = _expected_losses(watch, scope, step, reference, came)
    return Result(
        step=step,
        reference_id=reference.id,
        measurements=tuple(measured),
        rows=whole.rows,
    )


def _expected_losses(
    watch: Watch, scope: Scope, step: Step, reference: Reference, came: Came
) -> list[Measurement]:
    columns = watch.features_of(reference)
    rows = watch.rows(step, columns, labels=False)
    window = Frame.of(rows, columns)
    try:
        learnt = watch.direct_loss(reference)
        return estimate.of_losses(scope, learnt, window, rows.floats(PREDICTION), came.distrusted)
    except FAILURES as error:
        return estimate.unknown(scope, watch.monitor.task, unable(error, step.window))


def _segments(watch: Watch, step: Step, reference: Reference) -> list[str]:
    """Return the segments whose performance is measured: an hour is not parted further."""
    if step.window.cadence == "1h":
        return []
    return [f"{name}={value}" for name, all_ in reference.segments.items() for value in all_]


def _scored_by_evidently(watch: Watch, step: Step, reference: Reference) -> list[Measurement]:
    """Return what Evidently says of a sample of the window; the rules do not look at it."""
    rows = watch.rows(step, {}, labels=True)
    return evidently.performance(_scope(watch, step, reference.id), outcomes(watch.monitor, rows))


def _in_sql(watch: Watch, step: Step, reference: Reference) -> Result:
    suite = operations if step.suite is Suite.OPERATIONS else business
    scope = _scope(watch, step, reference.id)
    measured = suite.measure(scope, watch.logs, reference.segments, MOST_SEGMENTS)
    return Result(
        step=step,
        reference_id=reference.id,
        measurements=tuple(measured),
        rows=measured[0].row_count,  # of all rows, for the whole window comes first
    )


def _as_version(scope: Scope, whole: Iterable[Measurement]) -> list[Measurement]:
    """Return the window's measurements as those of the one version that made all of its rows."""
    return [replace(m, model_version=scope.model_version) for m in whole]


_WITHOUT_COUNTS: Mapping[Suite, Callable[[Watch, Step, Reference], Result]] = {
    Suite.QUALITY: _quality,
    Suite.OPERATIONS: _in_sql,
    Suite.BUSINESS: _in_sql,
}
