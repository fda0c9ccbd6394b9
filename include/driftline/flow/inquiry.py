"""The inquiry into why performance fell: what rows and store know, put before `why.explain`.

A message about performance waits for it: what fires is explained before anybody is told.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.domain import DAY, ColumnKind, Engine, Explanation, Suite, Window
from driftline.errors import DriftlineError
from driftline.flow import pipeline
from driftline.flow.conclusion import Conclusion, Unexplained, conclude
from driftline.flow.pipeline import Compared
from driftline.flow.reports import Links
from driftline.flow.step import Result, Step
from driftline.flow.watch import Watch
from driftline.metrics import FROM_SCORES, HIGHER_IS_BETTER
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Task
from driftline.profile.columns import CategoryBins
from driftline.profile.outcomes import ClassProfile, OutcomeParts, OutcomeProfile, coverage
from driftline.profile.reference import Reference
from driftline.profile.rows import KNOWN, PREDICTION, SCORE, TIMESTAMP, VERSION, Rows, scores_of
from driftline.stats import influence
from driftline.stats.paired import SUMS
from driftline.store import Store, explanations, ledger, measurements, outcomes, profiles
from driftline.store.ledger import Entry, State
from driftline.suites.frame import Frame
from driftline.suites.outcomes import Outcomes
from driftline.suites.outcomes import outcomes as scored
from driftline.why import Context, Hours, Run, Side, Whole, explain

_LOOKED_BACK = 7 * DAY
"""So long before the window hours are looked at: a change may be older than it."""
_LATE = 0.1
"""A day of which a larger share of the rows came late is told of."""


def conclude_explained(
    store: Store,
    watch: Watch,
    compared: Compared,
    interval: Window,
    *,
    results: Iterable[Result] = (),
    as_of: datetime | None = None,
    run_id: str,
    page: bool,
    coming: Collection[Window] = (),
    links: Links | None = None,
) -> Conclusion:
    """Record results and conclude the interval, in one transaction; explain what fires.

    Where an incident of performance is to be told that nobody has explained, the transaction is
    taken back, the inquiry is made, and all of it is written at once.
    """
    monitor, held = watch.monitor, list(results)
    found: dict[tuple[Step, str, str], Explanation] = {}
    while True:
        try:
            with store.begin(monitor.monitor) as connection:
                pipeline.record(connection, monitor, held, run_id)
                for (step, scope, metric), explanation in found.items():
                    explanations.save(
                        connection,
                        explanation,
                        monitor=monitor.monitor,
                        window=step.window,
                        scope=scope,
                        metric=metric,
                        as_of=step.as_of,
                        config_hash=monitor.config_hash,
                        run_id=run_id,
                        recorded_at=datetime.now(UTC),
                    )
                return conclude(
                    connection,
                    watch,
                    compared,
                    interval,
                    as_of=as_of,
                    run_id=run_id,
                    page=page,
                    coming=coming,
                    links=links,
                )
        except Unexplained as missing:
            for window, known, scope, metric, since in missing.asked:
                step = Step(suite=Suite.PERFORMANCE, window=window, as_of=known)
                # What fired in a backfill is explained by the live run that tells of it.
                own, missed = pipeline.references_of(store, watch, [step])
                found[step, scope, metric] = (
                    inquire(store, watch, own[window], step, metric, scope, since=since)
                    if not missed
                    else Explanation.unknown(missed[0].error or missed[0].not_evaluated)
                )


def inquire(
    store: Store,
    watch: Watch,
    reference: Reference,
    step: Step,
    metric: str,
    scope: str = "",
    *,
    since: datetime | None = None,
) -> Explanation:
    """Return why a metric fell in a window, or in a segment of it (`scope`).

    A metric that is not made of what rows add is explained by one that is. What went wrong only
    after the fall had begun (`since`) is no cause.

    What goes wrong on purpose is what the explanation says: a message is not kept back by it.
    """
    columns = watch.features_of(reference)
    try:
        theirs = watch.labelled_reference(reference, columns, dated=True)
        ours = watch.rows(step, columns, labels=True, dated=True)
        asked, whole = (theirs, ours), None
        if scope:
            column, _, value = scope.partition("=")
            _, all_rows = _sides(watch.monitor, columns, metric, asked)
            held = theirs.holding(column, value), ours.holding(column, value)
            whole = Whole(reference=all_rows[0], window=all_rows[1], segment=scope, inside=held)
            asked = theirs.where(column, value), ours.where(column, value)
        metric, (before, now) = _sides(watch.monitor, columns, metric, asked)
        context = _context(store, watch, reference, step, metric, scope, since)
        return explain(before, now, context, metric=metric, whole=whole)
    except DriftlineError as error:
        return Explanation.unknown(str(error))


def _sides(
    monitor: Monitor, columns: Mapping[str, ColumnKind], metric: str, asked: tuple[Rows, Rows]
) -> tuple[str, tuple[Side, Side]]:
    """Return both sides, and the metric that their losses add up to."""
    metric, both, losses = _losses(monitor, metric, [scored(monitor, rows) for rows in asked])
    before, now = (
        _side(monitor, rows, columns, known, loss)
        for rows, known, loss in zip(asked, both, losses, strict=True)
    )
    return metric, (before, now)


def _losses(
    monitor: Monitor, metric: str, sides: Sequence[Outcomes]
) -> tuple[str, list[Outcomes], list[NDArray[np.float64]]]:
    """Return the rows that a metric is of, and what each adds to it, larger is worse; those of
    another metric where rows add nothing to this one.
    """
    scored_rows = all(known.scores is not None and not known.unscored for known in sides)
    usual = "log_loss" if scored_rows else "accuracy"
    usual = "mae" if monitor.task is Task.REGRESSION else usual
    made = monitor.task is not Task.MULTICLASS or metric not in influence.OF_TWO_CLASSES
    own = [known.of(metric) for known in sides]
    theirs, ours = (
        influence.Rows(known.y_true, known.y_pred, None if known.unscored else known.scores)
        for known in own
    )
    found = influence.of_sides(metric, (theirs, ours)) if made else None
    if found is None:
        metric, add, own = usual, SUMS[usual], [known.of(usual) for known in sides]
        before, now = (add(known.y_true, known.y_pred, known.scores) for known in own)
        found = before, now
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    return metric, own, [sign * added for added in found]


def _side(
    monitor: Monitor,
    rows: Rows,
    columns: Mapping[str, ColumnKind],
    known: Outcomes,
    added: NDArray[np.float64],
) -> Side:
    table = rows.table
    size = len(table)
    loss, truth = np.full(size, np.nan), np.full(size, np.nan)
    loss[known.kept] = added
    score: NDArray[np.float64] | None = None
    prediction: NDArray[Any] | None = None
    if monitor.task is Task.REGRESSION:
        truth[known.kept] = known.y_true
        score = _finite(rows.floats(PREDICTION))
    else:
        if monitor.task is Task.BINARY:
            truth[known.kept] = known.y_true
            score = _finite(rows.floats(SCORE)) if SCORE in table.column_names else None
            if score is not None and PREDICTION in table.column_names:
                prediction = np.full(size, np.nan)
                prediction[known.kept] = np.where(known.y_pred >= 0, known.y_pred, np.nan)
        else:
            truth[known.kept] = known.y_true == _answers(known)
            own = [name for name in scores_of(monitor).values() if name in table.column_names]
            if own:
                score = np.max([_finite(rows.floats(name)) for name in own], axis=0)
    others = [name for name in monitor.segments if name not in columns]
    return Side(
        frame=Frame.of(rows, columns),
        loss=loss,
        score=score,
        prediction=prediction,
        truth=truth,
        segments={name: _texts(table, name) for name in others if name in table.column_names},
        version=_texts(table, VERSION) if VERSION in table.column_names else None,
        time=_times(table) if TIMESTAMP in table.column_names else None,
        age=_ages(rows) if {KNOWN, TIMESTAMP} <= set(table.column_names) else None,
    )


def _answers(known: Outcomes) -> NDArray[np.int64]:
    """Return the predicted class of each row, that of the highest score where none is logged."""
    if known.scores is None:
        return known.y_pred
    return np.where(known.y_pred >= 0, known.y_pred, known.scores.argmax(axis=1))


def _ages(rows: Rows) -> NDArray[np.float64]:
    """Return the hours from each prediction to when its label was known; NaN without one."""
    return (rows.floats(KNOWN) - _times(rows.table).astype(np.float64)) / 3.6e9


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _texts(table: Any, name: str) -> NDArray[Any]:
    return np.array(pc.fill_null(pc.cast(table[name], "string"), "").to_pylist(), dtype=object)


def _times(table: Any) -> NDArray[np.datetime64]:
    return np.asarray(table[TIMESTAMP].to_numpy()).astype("datetime64[us]")


def _context(
    store: Store,
    watch: Watch,
    reference: Reference,
    step: Step,
    metric: str,
    scope: str,
    since: datetime | None,
) -> Context:
    """Return what the store knows beside the rows of a window, or of a segment of it."""
    monitor, window = watch.monitor, step.window
    layout, start = watch.layout(reference), window.start - _LOOKED_BACK
    with store.read() as connection:
        counted = profiles.hourly(
            connection, layout, monitor.monitor, reference.id, start, window.end
        )
        came = outcomes.hourly(
            connection,
            watch.none(reference),
            monitor.monitor,
            reference.id,
            start,
            window.end,
            step.as_of,
        )
        entries = ledger.of(
            connection,
            monitor.monitor,
            config_hash=monitor.config_hash,
            start=window.start,
            end=window.end,
        )
        usual = _usual_coverage(
            measurements.history(
                connection,
                monitor.monitor,
                suite=Suite.PERFORMANCE,
                metric="mae" if monitor.task is Task.REGRESSION else "accuracy",
                cadence=window.cadence,
                segment=scope,
                model_version="",
                config_hash=monitor.config_hash,
                end=window.start,
                limit=60,
            ),
            step,
        )
    inside = [
        profile
        for hour, each in came.items()
        if hour >= window.start
        for part, profile in each.items()
        if part.segment == scope
    ]
    whole = watch.none(reference).total(inside) if inside else None
    first: dict[str, datetime] = {}
    for hour, each in counted.items():
        for part in each:
            if part.version and not part.segment:
                first.setdefault(part.version, hour)
    begins = min(counted, default=None)
    return Context(
        hours=_hours(watch, reference, counted, came, metric, scope),
        runs=tuple(
            run
            for run in (*_failed(entries, step.as_of), *_late(entries, step.as_of))
            if since is None or run.start < since
        ),
        versions={version: hour for version, hour in first.items() if hour != begins},
        coverage=coverage(whole) if whole else None,
        usual_coverage=usual,
        as_of=step.as_of,
        predictions=whole.rows if whole else None,
    )


def _failed(entries: Iterable[Entry], as_of: datetime) -> Iterator[Run]:
    """Yield the runs of hours and days that failed, and have not been made good."""
    for entry in entries:
        short = entry.window.cadence in ("1h", "1d")
        if short and entry.state is State.FAILED and entry.as_of <= as_of:
            yield Run(start=entry.window.start, end=entry.window.end, problem=entry.error)


def _late(entries: Iterable[Entry], as_of: datetime) -> Iterator[Run]:
    """Yield the days of whose rows a good part came after they had been counted first."""
    counts: dict[Window, dict[datetime, int]] = {}
    for entry in entries:
        counted = entry.suite is Suite.DRIFT and entry.window.cadence == "1d"
        if counted and entry.rows is not None and entry.as_of <= as_of:
            counts.setdefault(entry.window, {})[entry.as_of] = entry.rows
    for window, known in counts.items():
        first, last = known[min(known)], known[max(known)]
        if first < (1 - _LATE) * last:
            problem = (
                f"{1 - first / last:.0%} of its rows came late, by {max(known):%Y-%m-%d %H:%M}"
            )
            yield Run(start=window.start, end=window.end, problem=problem)


def _usual_coverage(rows: Iterable[Mapping[str, Any]], step: Step) -> float | None:
    """Return which share of their predictions windows before had labels of, at this age."""
    age = step.as_of - step.window.end
    shares = [
        row["coverage"]
        for row in rows
        if row["engine"] == Engine.PROFILE
        and row["as_of"] - row["window_end"] == age
        and row["coverage"] is not None
    ]
    return float(np.mean(shares)) if shares else None


def _hours(
    watch: Watch,
    reference: Reference,
    counted: Mapping[datetime, Any],
    came: Mapping[datetime, OutcomeParts],
    metric: str,
    scope: str,
) -> Hours | None:
    """Return the store's counts, an hour each."""
    if not counted:
        return None
    layout, order = watch.layout(reference), sorted(counted)
    totals = [
        layout.total(each for part, each in counted[hour].items() if part.segment == scope)
        for hour in order
    ]
    counts = np.stack([total.counts for total in totals]).astype(np.float64)
    features = [name for name in layout.spans if name in watch.features_of(reference)]
    spans = {name: layout.spans[name] for name in features}
    categories = {n: s for n, s in spans.items() if isinstance(s.bins, CategoryBins)}
    known = [
        [one for part, one in came.get(hour, {}).items() if part.segment == scope] for hour in order
    ]
    losses, labelled = [], []
    for profiles_of_hour in known:
        whole = watch.none(reference).total(profiles_of_hour)
        losses.append(_added(whole, metric, reference))
        labelled.append(_rows_of(whole, metric))
    counted_too = any(loss is not None for loss in losses)
    return Hours(
        start=np.array([hour.replace(tzinfo=None) for hour in order], "datetime64[us]"),
        rows=np.array([total.rows for total in totals], np.float64),
        # NaN, the next place, is a null of numbers; categories have none there.
        nulls={n: counts[:, s.nulls : s.nulls + 2].sum(axis=1) for n, s in spans.items()},
        new={
            name: counts[:, span.counts + span.bins.other + 1]
            for name, span in categories.items()
            if isinstance(span.bins, CategoryBins)
        },
        loss=np.array(losses, np.float64) if counted_too else None,
        labelled=np.array(labelled, np.float64),
    )


def _rows_of(profile: OutcomeProfile, metric: str) -> int:
    """Return how many of an hour's rows add to a metric."""
    if not isinstance(profile, ClassProfile):
        return profile.used
    return int(profile.by_scored_label.sum()) if metric in FROM_SCORES else profile.predicted


def _added(profile: OutcomeProfile, metric: str, reference: Reference) -> float | None:
    """Return what an hour's rows add to a metric on average, larger is worse; None if uncounted.

    A ratio is taken as the reference has it: to its value, and to its mean below the line.
    """
    if not (used := _rows_of(profile, metric)):
        return None
    if not isinstance(profile, ClassProfile):
        square = profile.moment("squared") * profile.bins.scale**2 / used
        if metric == "mse":
            return square
        if metric == "rmse":
            usual = reference.performance.get(("rmse", ""))
            return (square + usual**2) / (2 * usual) if usual else None
        return profile.moment("absolute") * profile.bins.scale / used if metric == "mae" else None
    if metric == "accuracy":
        return -float(np.trace(profile.confusion)) / used
    if metric not in FROM_SCORES:
        return None
    rows = profile.by_scored_label
    loss = float(profile.moments[:, 2].sum()) / used
    if metric == "log_loss":
        return loss
    names = ("log_loss", "log_loss_ratio", "label_mean")
    mean, ratio, rate = (reference.performance.get((name, "")) for name in names)
    if metric != "log_loss_ratio" or not (mean and ratio and rate) or not profile.binary:
        return None
    positives = float(rows[1]) / used
    constant = -positives * np.log(rate) - (1 - positives) * np.log(1 - rate)
    return float(ratio + (loss - ratio * constant) * ratio / mean)
