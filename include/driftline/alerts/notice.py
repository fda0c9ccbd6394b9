"""What one message says, before a channel gives it a form."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby

from pydantic import TypeAdapter

from driftline.domain import Incident, Measurement, Outcome, Suite, Verdict, Window
from driftline.metrics import worsening
from driftline.printable import amount, printable

MOST_LINES = 5
"""So many series of one rule are listed; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that fires: what was found on which series, and since when."""

    rule: str
    severity: str
    lines: tuple[str, ...]
    since: str

    def __post_init__(self) -> None:
        _show(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One grouped message about one monitor and one run."""

    monitor: str
    severity: str
    interval: str
    findings: tuple[Finding, ...]
    why: tuple[str, ...] = ()
    """Why performance fell, a line each."""
    causes: tuple[str, ...] = ()
    look: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _show(self)

    @property
    def title(self) -> str:
        """The message in one line."""
        rules = [finding.rule for finding in self.findings]
        more = f" and {len(rules) - 2} more" if len(rules) > 2 else ""
        return f"{self.monitor}: {', '.join(rules[:2])}{more} ({self.severity}, {self.interval})"

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        lines = [self.title]
        for finding in self.findings:
            lines += [f"{finding.rule} ({finding.severity}), since {finding.since}"]
            lines += [f"  {line}" for line in finding.lines]
        lines += [f"why: {line}" for line in self.why]
        lines += [f"probable cause: {cause}" for cause in self.causes]
        lines += [f"look: {place}" for place in self.look]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the notice as the outbox keeps it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Notice":
        """Return the notice that `to_json` wrote; ValueError where it is not one."""
        return TypeAdapter(cls).validate_json(text)


def _show(said: Finding | Notice) -> None:
    """Make every text printable, on one line: what is said holds names and values of the data."""
    for field in fields(said):
        value = getattr(said, field.name)
        if isinstance(value, str):
            object.__setattr__(said, field.name, printable(value))
        elif field.name != "findings":
            object.__setattr__(said, field.name, tuple(map(printable, value)))


def notice(
    monitor: str,
    interval: Window,
    firing: Mapping[Incident, Verdict],
    quality: Iterable[Verdict],
    look: Sequence[str],
    earlier: Sequence[str] = (),
    *,
    why: Sequence[str] = (),
) -> Notice:
    """Return the message about these incidents, the worst first.

    `firing` maps an incident to the verdict of this run that keeps it alive; `quality` holds the
    run's failed quality verdicts, named as probable causes where they are not incidents themselves
    and `may_cause` one; so are those of `earlier` windows, in words.
    """
    told = {verdict.rule for verdict in firing.values()}
    # A broken column explains a number, not another broken column.
    to_explain = any(each.measurement.suite is not Suite.QUALITY for each in firing.values())
    causes = [
        verdict.reason
        for verdict in quality
        if to_explain
        and verdict.measurement.suite is Suite.QUALITY
        and verdict.rule not in told
        and may_cause(verdict.measurement.window, firing)
    ]
    causes += earlier if to_explain else ()
    findings = sorted(
        (
            _finding(rule, list(pairs))
            for rule, pairs in groupby(
                sorted(firing.items(), key=lambda pair: (pair[0].rule, pair[0].series)),
                key=lambda pair: pair[0].rule,
            )
        ),
        key=lambda finding: (finding.severity != Outcome.CRITICAL, finding.rule),
    )
    return Notice(
        monitor=monitor,
        severity=findings[0].severity,
        interval=str(interval),
        findings=tuple(findings),
        why=_first(why),
        causes=_first(causes),
        look=tuple(look),
    )


def may_cause(broken: Window, firing: Iterable[Incident]) -> bool:
    """Whether what broke in a window may have caused one of these incidents.

    It must have begun before the first window that failed was over, and not have ended before that
    began: what broke later is a consequence or a coincidence, and what was mended before is over.
    """
    return any(
        broken.start < incident.first.end and broken.end >= incident.first.start
        for incident in firing
        if incident.series.suite != Suite.QUALITY
    )


def _finding(rule: str, pairs: Sequence[tuple[Incident, Verdict]]) -> Finding:
    worst = sorted(pairs, key=lambda pair: _badness(pair[1].measurement), reverse=True)
    return Finding(
        rule=rule,
        severity=_severity(incident for incident, _ in pairs),
        lines=_first([_line(verdict) for _, verdict in worst]),
        since=f"the window of {min(pairs, key=lambda pair: pair[0].began)[0].first.span}",
    )


def _badness(measurement: Measurement) -> float:
    return worsening(measurement.metric, measurement.value or 0.0, 0.0)


def _severity(incidents: Iterable[Incident]) -> str:
    critical = any(incident.severity is Outcome.CRITICAL for incident in incidents)
    return str(Outcome.CRITICAL if critical else Outcome.WARN)


def _line(verdict: Verdict) -> str:
    measurement = verdict.measurement
    facts = [amount(measurement.row_count, "row")] if measurement.row_count is not None else []
    if measurement.coverage is not None:
        facts.append(f"{measurement.coverage:.0%} labelled")
    return verdict.reason + (f" ({', '.join(facts)})" if facts else "")


def _first(lines: Sequence[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return (*lines[:MOST_LINES], *more)
