"""What keeps a run from saying that all is well: what failed, was not judged, or found no label."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from driftline.domain import Engine, Outcome, Series, Suite, Verdict
from driftline.flow.step import Step
from driftline.judge import INHIBITED, MIN_SHARE_OF_LOG, TOO_FEW
from driftline.metrics import DOMAIN_CLASSIFIER_AUC
from driftline.monitor.config import Monitor
from driftline.monitor.default_rules import suite_of
from driftline.monitor.sections import Baseline, Rule
from driftline.printable import amount
from driftline.store import ledger
from driftline.store.ledger import Entry, State

MOST = 3
"""So many rules that could not be judged are named with their reason; the rest are counted."""

_UNRECORDED = "nothing was recorded of it: its task was not run, or was killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A rule of which `series` of `of` series could not be judged, and why the first could not; it
    met none at all where both are 0.

    `blind` is whether it should have been: not where labels are still to come, the rule itself asks
    for more rows, or a failure that is told of explains it.
    """

    rule: str
    severity: str
    reason: str
    series: int
    of: int
    blind: bool

    @property
    def words(self) -> str:
        """It, as a person reads it."""
        part = f", {self.series} of {self.of} series" if self.series < self.of else ""
        return f"{self.rule} ({self.severity}{part}): {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What is not known of an interval that should be."""

    steps: int = 0
    """How many its run was to measure."""
    failed: tuple[Entry, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    """The worst first."""
    unlabelled: str = ""
    """The longest window whose labels are of age, and of which no prediction has one."""

    @property
    def blind(self) -> tuple[Unjudged, ...]:
        """The critical rules that should have been judged and could not be."""
        critical = str(Outcome.CRITICAL)
        return tuple(one for one in self.unjudged if one.blind and one.severity == critical)

    @property
    def grave(self) -> bool:
        """Whether nobody may say that all is well."""
        return bool(self.failed or self.blind or self.unlabelled)

    @property
    def words(self) -> str:
        """All of it in one line; '' where there is none."""
        return "; ".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """What failed, was not judged, and found no label."""
        found = []
        if self.failed:
            found.append(f"{len(self.failed)} of {amount(self.steps, 'step')} failed")
        if self.unjudged:
            named = [one.words for one in self.unjudged[:MOST]]
            more = len(self.unjudged) - len(named)
            rules = amount(len(self.unjudged), "rule")
            found.append(
                f"{rules} could not be judged: {'; '.join(named)}"
                + (f"; and {more} more" if more else "")
            )
        return (*found, *([self.unlabelled] if self.unlabelled else ()))


def doubts(
    connection: Connection,
    monitor: Monitor,
    planned: Sequence[Step],
    rules: Iterable[Rule] = (),
    verdicts: Collection[Verdict] = (),
    log_start: datetime | None = None,
) -> Doubts:
    """Return what is not known of the interval whose run was to take these steps.

    `rules` are those in force, `verdicts` what they said.
    """
    if not planned:
        return Doubts()
    known = {
        (entry.suite, entry.window, entry.as_of): entry
        for entry in ledger.known(
            connection,
            monitor.monitor,
            config_hash=monitor.config_hash,
            as_of={step.as_of for step in planned},
            start=min(step.window.start for step in planned),
        )
    }
    entries = [
        known.get((step.suite, step.window, step.as_of)) or _unrecorded(monitor, step)
        for step in planned
    ]
    return Doubts(
        steps=len(planned),
        failed=tuple(e for e in entries if e.state in (State.FAILED, State.CLAIMED)),
        unjudged=tuple(
            sorted(
                _unjudged(monitor, planned, rules, verdicts, log_start),
                key=lambda one: (one.severity != Outcome.CRITICAL, not one.blind, one.rule),
            )
        ),
        unlabelled=_unlabelled(monitor, entries),
    )


def _unrecorded(monitor: Monitor, step: Step) -> Entry:
    return Entry(
        monitor=monitor.monitor,
        window=step.window,
        suite=step.suite,
        state=State.FAILED,
        as_of=step.as_of,
        config_hash=monitor.config_hash,
        error=_UNRECORDED,
    )


def _unjudged(
    monitor: Monitor,
    planned: Sequence[Step],
    rules: Iterable[Rule],
    verdicts: Iterable[Verdict],
    log_start: datetime | None,
) -> Iterator[Unjudged]:
    """Yield each rule with a series of which no verdict judged: expectations share their names."""
    said: dict[str, dict[Series, list[Verdict]]] = {}
    for verdict in verdicts:
        of_rule = said.setdefault(verdict.rule, {})
        of_rule.setdefault(verdict.measurement.series, []).append(verdict)
    named: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.name in said or _is_due(monitor, rule, planned):
            named.setdefault(rule.name, []).append(rule)
    for name, own in named.items():
        found = said.get(name)
        one = _open(monitor, own, found, log_start) if found else _unmeasured(own)
        if one:
            yield one


def _severity(rules: Iterable[Rule]) -> str:
    critical = any(rule.outcome is Outcome.CRITICAL for rule in rules)
    return str(Outcome.CRITICAL if critical else Outcome.WARN)


def _unmeasured(rules: Sequence[Rule]) -> Unjudged:
    """Return what is said of a rule that met no number; of the past there may be none yet."""
    return Unjudged(
        rule=rules[0].name,
        severity=_severity(rules),
        reason="nothing that it is about was measured",
        series=0,
        of=0,
        blind=rules[0].baseline in (None, Baseline.REFERENCE),
    )


def _open(
    monitor: Monitor,
    rules: Sequence[Rule],
    said: Mapping[Series, Sequence[Verdict]],
    log_start: datetime | None,
) -> Unjudged | None:
    """Return which series of a rule no verdict judged; of one that warns only where all are."""
    severity, least = _severity(rules), max(rule.min_rows for rule in rules)
    open_ = [
        found
        for found in said.values()
        if all(verdict.outcome is Outcome.NOT_EVALUATED for verdict in found)
    ]
    if not open_ or (severity != Outcome.CRITICAL and len(open_) < len(said)):
        return None
    every = [verdict for found in open_ for verdict in found]
    unseen = [v for v in every if not _waits(monitor, v, least, log_start)]
    return Unjudged(
        rule=rules[0].name,
        severity=severity,
        reason=max(unseen or every, key=lambda v: v.measurement.window.end).reason,
        series=len(open_),
        of=len(said),
        blind=bool(unseen),
    )


def _is_due(monitor: Monitor, rule: Rule, planned: Sequence[Step]) -> bool:
    """Whether these steps should have measured what a rule is about."""
    suite = suite_of(monitor, rule)
    cadences = {step.window.cadence for step in planned if step.suite is suite}
    if rule.engine == Engine.EVIDENTLY or rule.metric == DOMAIN_CLASSIFIER_AUC:
        cadences -= {"1h"}  # a sample is drawn once a day
    return bool(cadences) and rule.window in (None, *cadences)


def _waits(monitor: Monitor, verdict: Verdict, least: int, log_start: datetime | None) -> bool:
    """Whether a rule could not be judged for a reason that goes by, or that was asked for."""
    measured, labels = verdict.measurement, monitor.labels
    if verdict.reason.startswith((INHIBITED, TOO_FEW)):
        return True  # the failure that inhibits is told itself
    if log_start is not None and measured.window.share_after(log_start) < MIN_SHARE_OF_LOG:
        return True
    if measured.value is not None and (measured.row_count or 0) < least:
        return True
    performance = measured.suite is Suite.PERFORMANCE
    if measured.coverage is None if performance else measured.row_count == 0:
        return True  # no rows at all: whether there should be some, the rule of the volume says
    if labels is None or not performance:
        return False
    known = measured.coverage or 0.0
    few = not known or known < labels.min_coverage
    return few and measured.as_of < measured.window.end + labels.maturity


def _unlabelled(monitor: Monitor, entries: Iterable[Entry]) -> str:
    """Say of which window no prediction has a label though all labels are of age."""
    labels = monitor.labels
    if labels is None:
        return ""
    age = labels.maturity if labels.timestamp else timedelta(0)
    without = [
        entry
        for entry in entries
        if entry.suite is Suite.PERFORMANCE
        and entry.rows
        and entry.coverage == 0
        and entry.window.end + age <= entry.as_of
    ]
    if not without:
        return ""
    longest = max(without, key=lambda e: (e.window.end - e.window.start, e.window.end))
    return (
        f"none of the {amount(longest.rows or 0, 'prediction')} of {longest.window} has found a "
        f"label, and all are older than labels.maturity ({_days(labels.maturity)}): compare the "
        "ids of both logs, or see what became of the labels"
    )


def _days(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours / 24:g}d" if hours >= 48 else f"{hours:g}h"
