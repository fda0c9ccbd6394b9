"""From the verdicts of one rule on one series to its incidents: a pure function."""

from collections.abc import Iterable
from datetime import datetime

from driftline.domain import Incident, Outcome, Series, Window
from driftline.sections import Rule


def incidents(
    monitor: str, rule: Rule, series: Series, history: Iterable[tuple[datetime, Outcome]]
) -> list[Incident]:
    """Return the incidents in a history of (window end, outcome), oldest first.

    A run of failures at least `rule.in_a_row` long is an incident; the first `ok` after it resolves
    it; what could not be evaluated is passed over. The same history gives the same incidents.
    """
    found: list[Incident] = []
    run: list[datetime] = []
    for end, outcome in history:
        if outcome.failed:
            run.append(end)
        elif outcome is Outcome.OK:
            found += _incident(monitor, rule, series, run, resolved=end)
            run = []
    return found + _incident(monitor, rule, series, run, resolved=None)


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
