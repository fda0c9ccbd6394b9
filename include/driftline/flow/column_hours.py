"""The hours that are kept: each counted once, filled where missing, anew where rows came late."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, groupby

from driftline.domain import DAY, HOUR, Suite, Window, floor
from driftline.errors import SuiteError, WarehouseError, unforeseen
from driftline.flow.baselines import earlier
from driftline.flow.step import Counted, Result, Step
from driftline.flow.watch import Watch
from driftline.profile.columns import Parts
from driftline.profile.reference import Reference
from driftline.store import Store, profiles

Span = tuple[datetime, datetime]


def count(
    store: Store,
    watch: Watch,
    planned: Sequence[Step],
    compared: Mapping[Window, Reference],
    *,
    run_id: str,
    again: Collection[Step] = (),
    until: datetime | None = None,
) -> tuple[dict[Window, Counted], list[Result]]:
    """Return what was counted of the windows whose drift is measured, and the steps that failed.

    Hours of which nothing is kept yet are counted now, each once, and kept; `until` names a moment
    up to which the rest of a day may be counted along. The last hour or day of steps that are taken
    `again` is counted anew: the log may have been mended.
    """
    found: dict[Window, Counted] = {}
    failed: list[Result] = []
    recounted: set[str] = set()
    for step in planned:
        reference = compared.get(step.window)
        if step.suite is not Suite.DRIFT or reference is None:
            continue
        # Windows that end together share their last day: it is counted anew for the first of them.
        anew = step in again and reference.id not in recounted
        try:
            with unforeseen():
                found[step.window] = _counted(
                    store, watch, step.window, reference, run_id, anew, until
                )
            recounted.add(reference.id)
        except (WarehouseError, SuiteError) as error:
            failed.append(Result(step=step, reference_id=reference.id, error=str(error)))
    return found, failed


def _counted(
    store: Store,
    watch: Watch,
    window: Window,
    reference: Reference,
    run_id: str,
    anew: bool,
    until: datetime | None,
) -> Counted:
    name, layout = watch.monitor.monitor, watch.layout(reference)
    with store.read() as connection:
        base = profiles.read_reference(connection, layout, name, reference.id)
    if not base:
        base = watch.count_reference(reference)
        with store.begin(name) as connection:
            profiles.save_reference(
                connection,
                name,
                reference.id,
                reference.valid_from,
                base,
                run_id=run_id,
                recorded_at=datetime.now(UTC),
            )
    # On a sliding past each window has bins of its own: earlier windows were counted on others.
    wanted = () if watch.monitor.reference.previous else watch.monitor.drift.baselines
    before = earlier(window, wanted, watch.log_start)
    missing = {
        *_missing(store, watch, window, reference, anew, until),
        *_missing_before(store, watch, window, reference, chain(*before.values())),
    }
    recount(store, watch, reference, missing, run_id)
    with store.read() as connection:

        def parts(span: Window) -> Parts:
            return profiles.read(connection, layout, name, reference.id, span.start, span.end)

        sums = {
            baseline: layout.total_parts(map(parts, spans)) for baseline, spans in before.items()
        }
        there = {baseline: total for baseline, total in sums.items() if total}
        return Counted(layout=layout, current=parts(window), reference=base, earlier=there)


def recount(
    store: Store, watch: Watch, reference: Reference, hours: Iterable[datetime], run_id: str
) -> None:
    """Count these hours on the bins of a reference, day by day, and keep what was counted."""
    for _, each in groupby(sorted(hours), lambda hour: floor(hour, DAY)):
        day = list(each)
        counted = watch.count(reference, day[0], day[-1] + HOUR)
        with store.begin(watch.monitor.monitor) as connection:
            profiles.save(
                connection,
                watch.layout(reference),
                watch.monitor.monitor,
                reference.id,
                counted,
                run_id=run_id,
                recorded_at=datetime.now(UTC),
            )


def changed(
    store: Store, watch: Watch, reference: Reference, rows: Mapping[datetime, int], span: Span
) -> set[datetime]:
    """Return the hours of a stretch that are kept and hold another number of `rows` by now."""
    kept = _kept_hours(store, watch, reference, *span)
    return {hour for hour, counted in kept.items() if rows.get(hour, 0) != counted}


def _missing(
    store: Store,
    watch: Watch,
    window: Window,
    reference: Reference,
    anew: bool,
    until: datetime | None,
) -> list[datetime]:
    """Return the hours of a window that are to be counted, and those that may be along with it."""
    last = min(until, floor(window.end - HOUR, DAY) + DAY) if until else window.end
    kept = _kept_hours(store, watch, reference, window.start, last)
    mended = window.end - DAY if anew else window.end
    hours = _hours(watch, window.start, last)
    missing = [hour for hour in hours if hour not in kept or mended <= hour < window.end]
    # What comes later has time.
    return missing if any(hour < window.end for hour in missing) else []


def _missing_before(
    store: Store,
    watch: Watch,
    window: Window,
    reference: Reference,
    earlier: Iterable[Window],
) -> Iterator[datetime]:
    """Yield the hours of earlier windows that are not counted yet.

    They come in whole days: the run of the next hour looks back at the next hour of the same ones.
    """
    days = {
        floor(span.start, DAY) + DAY * n
        for span in earlier
        for n in range(-((floor(span.start, DAY) - span.end) // DAY))
    }
    for day in days:
        end = min(day + DAY, window.start)
        kept = _kept_hours(store, watch, reference, day, end)
        yield from (hour for hour in _hours(watch, day, end) if hour not in kept)


def hours_of(start: datetime, end: datetime) -> list[datetime]:
    """Return the beginnings of the hours of a stretch."""
    return [start + HOUR * n for n in range((end - start) // HOUR)]


def _hours(watch: Watch, start: datetime, end: datetime) -> list[datetime]:
    """Return the hours of a stretch, from the one on in which the log begins."""
    begins = floor(watch.log_start, HOUR) if watch.log_start else end
    return [hour for hour in hours_of(start, end) if hour >= begins]


def _kept_hours(
    store: Store, watch: Watch, reference: Reference, start: datetime, end: datetime
) -> dict[datetime, int]:
    with store.read() as connection:
        return profiles.counted(connection, watch.monitor.monitor, reference.id, start, end)
