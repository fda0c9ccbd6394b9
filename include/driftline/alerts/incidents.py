"""From the verdicts of one rule on one series to its incidents: a pure function."""

from collections.abc import Iterable
from datetime import datetime

from driftline.domain import Incident, Outcome, Series
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
