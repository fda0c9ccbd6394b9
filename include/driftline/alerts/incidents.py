"""From the verdicts of one rule on one series to its incidents: a pure function."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime

from driftline.domain import Incident, Outcome, Series, Window, cadence_length
from driftline.monitor.sections import Rule


def incidents(
    monitor: str,
    rule: Rule,
    series: Series,
    history: Iterable[tuple[datetime, Outcome]],
    promotions: Sequence[datetime] = (),
) -> list[Incident]:
    """Return the incidents in a history of (window end, outcome), oldest first.

    A run of failures at least `rule.in_a_row` long is an incident; the first `ok` after it resolves
    it, or the first window after a promotion, whatever is said of that: windows in a row are
    counted anew. What could not be evaluated is passed over. The same history gives the same
    incidents.
    """
    found: list[Incident] = []
    run: list[datetime] = []
    for end, outcome in history:
        if outcome is Outcome.NOT_EVALUATED:
            continue
        if not outcome.failed or (run and not in_a_row(series, run[-1], end, promotions)):
            found += _incident(monitor, rule, series, run, resolved=end)
            run = []
        if outcome.failed:
            run.append(end)
    return found + _incident(monitor, rule, series, run, resolved=None)


def begins_anew(start: datetime, promotions: Sequence[datetime]) -> datetime | None:
    """Return since when windows are counted in a row with the one that starts at this moment: the
    last of the promotions (oldest first) that it lies after; None where there is none.
    """
    before = bisect_right(promotions, start)
    return promotions[before - 1] if before else None


def in_a_row(
    series: Series, one: datetime, other: datetime, promotions: Sequence[datetime]
) -> bool:
    """Whether two windows of a series, which end at these moments, are counted in one row."""
    length = cadence_length(series.cadence)
    return begins_anew(one - length, promotions) == begins_anew(other - length, promotions)


def told_already(incident: Incident, window: Window, told: Iterable[Incident]) -> bool:
    """Whether an incident of another rule on the same metric, on windows of any length, told this.

    It did if one of the windows that it told of overlaps the newest one that this incident is
    about: a week fails because of the day that was told. What goes on without that day is news.
    """
    return any(
        other.rule != incident.rule
        and other.series._replace(cadence="") == incident.series._replace(cadence="")
        and other.first.start < window.end
        and other.last_failed > window.start
        for other in told
    )


def _incident(
    monitor: str, rule: Rule, series: Series, run: list[datetime], resolved: datetime | None
) -> list[Incident]:
    if len(run) < rule.in_a_row:
        return []
    return [
        Incident(
            monitor=monitor,
            rule=rule.name,
            series=series,
            severity=rule.outcome,
            began=run[0],
            fired=run[rule.in_a_row - 1],
            last_failed=run[-1],
            resolved=resolved,
        )
    ]
