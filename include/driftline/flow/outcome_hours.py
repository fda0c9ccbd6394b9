"""What came of each hour's predictions: counted once, and anew where labels arrived or rows did.

Every hour is kept as it was known at the end of the daily interval that counted it. After a run,
what is kept of each hour is what was known at the end of the newest interval.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from driftline.domain import DAY, HOUR, Suite, Window, floor
from driftline.errors import LogError, SuiteError, WarehouseError, unforeseen
from driftline.flow import estimates
from driftline.flow.column_hours import hours_of
from driftline.flow.step import Came, Result, Step
from driftline.flow.watch import Watch
from driftline.profile.outcomes import OutcomeParts, alike
from driftline.profile.reference import Reference
from driftline.store import Store, ledger, outcomes, references


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far labels have been followed before a run: to the end of the day before, the `last` one
    that was measured, and to the ends of `later` days. None before the first.
    """

    last: datetime | None
    later: tuple[datetime, ...]

    @classmethod
    def before(
        cls, store: Store, watch: Watch, end: datetime, pending: Iterable[Step] = ()
    ) -> "Progress":
        """Return the progress before a run of the interval that ends at this moment.

        Steps that are `pending` are being measured just now, by the same run.
        """
        monitor = watch.monitor
        with store.read() as connection:
            ends = ledger.measured_ends(
                connection, monitor.monitor, config_hash=monitor.config_hash
            )
        ends |= {step.as_of for step in pending if step.as_of == step.window.end}
        before = (moment for moment in ends if moment < end)
        later = (moment for moment in ends if moment > end)
        return cls(last=max(before, default=None), later=tuple(sorted(later)))

    @property
    def leads(self) -> bool:
        """Whether no later day was measured: nobody knows more than this run will."""
        return not self.later


def follow(
    store: Store,
    watch: Watch,
    day: Window,
    progress: Progress,
    late: Iterable[datetime],
    run_id: str,
    pending: Collection[Step] = (),
) -> list[Window]:
    """Count anew the hours whose labels, or rows, arrived since the last interval.

    Returns the hours and days that hold them and were measured before. `late` are hours to which
    rows came late. Windows that are not touched are not read.
    """
    monitor, end = watch.monitor, day.end
    if monitor.labels is None or progress.last is None or not progress.leads:
        return []
    since = floor(end - monitor.labels.lookback, HOUR)
    with store.read() as connection:
        done = ledger.done(
            connection, monitor.monitor, config_hash=monitor.config_hash, start=since, end=end
        )
    measured = {w for suite, w, _ in done if suite is Suite.PERFORMANCE and w.end < end}
    measured |= {step.window for step in pending if step.window.end < end}
    if not measured:
        return []
    landed = watch.logs.landed(progress.last, end, since=since)
    touched = {*late, *(hours_of(since, end) if landed is None else landed)}
    with store.read() as connection:
        kept = outcomes.references_of(connection, monitor.monitor, touched)
        known = {name: references.by_id(connection, monitor.monitor, name) for name in kept}
    changed: set[datetime] = set()
    sure = landed is not None
    for name, one in known.items():
        if one is not None and one.outcomes is not None:
            changed |= recount(store, watch, one, kept[name], end, run_id, sure=sure)
    return sorted(
        (
            window
            for window in measured
            if window.cadence in ("1h", "1d")
            and any(window.start <= hour < window.end for hour in changed)
        ),
        key=lambda window: (window.end, window.start),
    )


def recount(
    store: Store,
    watch: Watch,
    reference: Reference,
    hours: Collection[datetime],
    as_of: datetime,
    run_id: str,
    *,
    sure: bool = True,
) -> set[datetime]:
    """Count these hours as known at a moment; return those that changed, all where that is `sure`.

    Those that hold what they held, but for rounding, are left as they are.
    """
    name = watch.monitor.monitor
    changed: set[datetime] = set()
    for start, end in _stretches(hours):
        counted = watch.count_outcomes(reference, start, end, as_of)
        with store.read() as connection:
            before = outcomes.hourly(
                connection, watch.none(reference), name, reference.id, start, end, as_of
            )
        anew = {
            hour: parts
            for hour, parts in counted.items()
            if hour not in before or not _equal(before[hour], parts)
        }
        with store.begin(name) as connection:
            outcomes.save(
                connection,
                name,
                reference.id,
                anew,
                as_of=as_of,
                run_id=run_id,
                recorded_at=datetime.now(UTC),
            )
        changed |= counted.keys() if sure else anew.keys()
    return changed


def count(
    store: Store,
    watch: Watch,
    planned: Sequence[Step],
    compared: Mapping[Window, Reference],
    *,
    run_id: str,
    again: Collection[Step] = (),
) -> tuple[dict[Step, Came], list[Result]]:
    """Return what is known of the windows whose performance is measured, and the steps that failed.

    Hours of which nothing is kept are counted now. The last day of steps that are taken `again` is
    counted anew. Where `follow` has not looked for labels up to a step's moment, it is asked which
    hours they have touched since these were counted.
    """
    followed = _followed(store, watch, planned)
    found: dict[Step, Came] = {}
    failed: list[Result] = []
    fresh: set[tuple[str, datetime, datetime]] = set()
    # The longest window first: what it counts serves the others.
    for step in sorted(planned, key=lambda step: (step.as_of, step.window.start - step.window.end)):
        reference = compared.get(step.window)
        if step.suite not in OF_OUTCOMES or reference is None or reference.outcomes is None:
            continue
        try:
            with unforeseen():
                sure = step.as_of in followed
                stale = _stale(store, watch, step, reference, step in again, sure)
                stale = {h for h in stale if (reference.id, step.as_of, h) not in fresh}
                recount(store, watch, reference, stale, step.as_of, run_id, sure=False)
                fresh |= {(reference.id, step.as_of, hour) for hour in stale}
                found[step] = _came(store, watch, step, reference, run_id)
        except (WarehouseError, LogError, SuiteError) as error:
            failed.append(Result(step=step, reference_id=reference.id, error=str(error)))
    return found, failed


OF_OUTCOMES = (Suite.PERFORMANCE, Suite.ESTIMATE)
"""What is measured from outcomes."""


def _came(store: Store, watch: Watch, step: Step, reference: Reference, run_id: str) -> Came:
    """Return what is kept of a window, and what an estimate of it starts from."""
    name, none = watch.monitor.monitor, watch.none(reference)
    with store.read() as connection:
        current = outcomes.read(
            connection,
            none,
            name,
            reference.id,
            step.window.start,
            step.window.end,
            step.as_of,
        )
        if step.suite is not Suite.ESTIMATE:
            return Came(current=current)
        distrusted = estimates.distrusted(connection, watch.monitor, step.window)
        days = outcomes.read_reference(connection, none, name, reference.id)
    if not days:
        days = watch.reference_outcomes(reference)
        with store.begin(name) as connection:
            now = datetime.now(UTC)
            outcomes.save_reference(
                connection, name, reference.id, days, run_id=run_id, recorded_at=now
            )
    every = [profile for parts in days.values() for profile in parts.values()]
    return Came(current=current, reference=none.total(every), distrusted=distrusted)


def _followed(store: Store, watch: Watch, planned: Sequence[Step]) -> set[datetime]:
    """Return the moments up to which this very run has followed labels."""
    own = {step.as_of for step in planned if step.window.end == step.as_of}
    return {end for end in own if Progress.before(store, watch, end).leads}


def _stale(
    store: Store, watch: Watch, step: Step, reference: Reference, again: bool, followed: bool
) -> set[datetime]:
    """Return the hours of a window that are to be counted as known at the step's moment."""
    window, as_of = step.window, step.as_of
    begins = floor(watch.log_start, HOUR) if watch.log_start else window.end
    hours = [hour for hour in hours_of(window.start, window.end) if hour >= begins]
    with store.read() as connection:
        known = outcomes.known(
            connection, watch.monitor.monitor, reference.id, window.start, window.end, as_of
        )
    stale = {hour for hour in hours if hour not in known}
    if again:
        stale |= {hour for hour in hours if hour >= window.end - DAY}
    if not followed:
        moments = sorted({moment for moment in known.values() if moment < as_of})
        for moment in moments:
            landed = watch.logs.landed(moment, as_of, since=window.start)
            stale |= {h for h, m in known.items() if m == moment and landed and h in landed}
    return stale


def _stretches(hours: Collection[datetime]) -> Iterable[tuple[datetime, datetime]]:
    """Yield the stretches of hours in a row, none of them longer than a day."""
    ordered = sorted(hours)
    runs = groupby(
        enumerate(ordered), key=lambda pair: (floor(pair[1], DAY), pair[1] - HOUR * pair[0])
    )
    for _, run in runs:
        row = [hour for _, hour in run]
        yield row[0], row[-1] + HOUR


def _equal(before: OutcomeParts, after: OutcomeParts) -> bool:
    return before.keys() == after.keys() and all(
        alike(before[part], one) for part, one in after.items()
    )
