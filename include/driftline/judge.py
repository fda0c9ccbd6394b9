"""Judges measurements by rules: pure functions, no clock, no store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from driftline.domain import Engine, Measurement, Outcome, Series, Suite, Verdict, Window
from driftline.metrics import ONE_CLASS, ONE_ROW, THROUGHPUT, worsening
from driftline.monitor.sections import Baseline, Rule, Worsening
from driftline.printable import amount

MIN_SHARE_OF_LOG = 0.8
"""A window is judged when at least this share of it lies after the log's first row."""

Past = Mapping[tuple[str, Series], Sequence[Outcome]]
"""What each rule said of each series in earlier windows, oldest first."""

Baselines = Mapping[tuple[str, str, str], float]
"""The reference's own value by (metric, column, detail): what `worse_by` compares with."""


INHIBITED = "inhibited:"
"""How the reason begins of what is not judged because a quality failure explains it."""

TOO_FEW = "too few rows:"
"""How the reason begins of what has no number, and need not have one: chance may do that."""

CHANCE = 0.001
"""What is likelier than this may be chance: of a class with a share of p in the reference no row
is among n with a chance of (1 - p)^n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A critical quality failure: in this window, this column ('' is the table) is not itself."""

    column: str
    window: Window
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known beside the measurements of a window."""

    past: Past = field(default_factory=dict)
    baselines: Baselines = field(default_factory=dict)
    spreads: Mapping[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    """Mean and standard deviation of the reference's own windows of this length."""
    broken: Sequence[Broken] = ()
    higher_is_better: frozenset[str] = frozenset()
    """The business metrics of which the file says so."""
    log_start: datetime | None = None
    min_coverage: float = 0.0
    maturity: timedelta = timedelta(0)


def judge(
    rules: Iterable[Rule], measurements: Sequence[Measurement], evidence: Evidence
) -> list[Verdict]:
    """Return one verdict for every rule and measurement that it selects."""
    shares = {_part(m): m.value for m in measurements if m.metric == "label_mean"}
    return [
        _verdict(rule, measurement, evidence, shares.get(_part(measurement)))
        for rule in rules
        for measurement in measurements
        if selects(rule, measurement.series)
    ]


def _part(one: Measurement) -> tuple[Window, str, str, Engine]:
    """Return which rows were measured, and by whom."""
    return one.window, one.segment, one.model_version, one.engine


def selects(rule: Rule, series: Series) -> bool:
    """Whether a rule speaks of a series; patterns are those of a shell (`*`, `origin=*`)."""
    any_detail = "*" if series.suite == Suite.QUALITY else ""
    return (
        rule.metric == series.metric
        and (series.suite == Suite.ESTIMATE) == (rule.suite is not None)
        and rule.window in (None, series.cadence)
        and (series.engine == rule.engine if rule.engine else not _sampled(series))
        and series.baseline == (rule.baseline or _baseline_of(series))
        and is_about(rule, series.column_name)
        and _matches(series.segment, rule.segment)
        and _matches(series.model_version, rule.version)
        and _matches(series.detail, any_detail if rule.detail is None else rule.detail)
    )


def _sampled(series: Series) -> bool:
    """Whether a number is Evidently's of a sample, which no rule means that names no engine."""
    measured = series.suite in (Suite.DRIFT, Suite.PERFORMANCE)
    return measured and series.engine == Engine.EVIDENTLY


def _baseline_of(series: Series) -> str:
    """Return what a rule means that names no baseline: of drift, the frozen reference."""
    return str(Baseline.REFERENCE) if series.suite == Suite.DRIFT else series.baseline


def is_about(rule: Rule, column: str) -> bool:
    """Whether one of the rule's patterns fits a column's name."""
    return any(_matches(column, pattern) for pattern in rule.columns)


def broken(verdicts: Iterable[Verdict]) -> list[Broken]:
    """Return what the critical quality verdicts say is not itself."""
    return [
        Broken(
            column=verdict.measurement.column_name,
            window=verdict.measurement.window,
            rule=verdict.rule,
        )
        for verdict in verdicts
        if verdict.outcome is Outcome.CRITICAL and verdict.measurement.suite is Suite.QUALITY
    ]


def _matches(text: str, pattern: str) -> bool:
    return text == pattern or fnmatchcase(text, pattern)


def _verdict(
    rule: Rule, measurement: Measurement, evidence: Evidence, positives: float | None
) -> Verdict:
    open_question = _not_evaluated(rule, measurement, evidence, positives)
    if open_question:
        return Verdict(
            rule=rule.name,
            measurement=measurement,
            outcome=Outcome.NOT_EVALUATED,
            reason=open_question,
        )
    fault = _fault(rule, measurement, evidence)
    subject = measurement.series.subject
    if fault is None:
        return Verdict(
            rule=rule.name,
            measurement=measurement,
            outcome=Outcome.OK,
            reason=f"{subject} is {measurement.value:.4g}, within its bound",
        )
    expected = measurement.metric.startswith("expect_")
    finding = "failed" if expected else f"is {measurement.value:.4g}, {fault}"
    streak = 1 + _streak(evidence.past.get((rule.name, measurement.series), ()))
    firing = streak >= rule.in_a_row
    reason = f"{subject} {finding}"
    if rule.in_a_row > 1:
        reason += f", window {streak} in a row" + ("" if firing else f" of {rule.in_a_row}")
    if measurement.reason:
        reason += f": {measurement.reason}"
    return Verdict(
        rule=rule.name,
        measurement=measurement,
        outcome=rule.outcome,
        reason=reason,
        streak=streak,
        firing=firing,
    )


def _streak(past: Sequence[Outcome]) -> int:
    streak = 0
    for outcome in reversed(past):
        if outcome is Outcome.OK:
            break
        streak += outcome.failed
    return streak


def _not_evaluated(
    rule: Rule, measurement: Measurement, evidence: Evidence, positives: float | None
) -> str:
    """Return why the rule cannot be judged on this measurement; '' when it can.

    `positives` is the share of positives among the labels of the same rows, of a binary model.
    """
    window = measurement.window
    share = window.share_after(evidence.log_start)
    if evidence.log_start is not None and share < MIN_SHARE_OF_LOG:
        return f"only {share:.0%} of the window lies after the log's first row"
    if measurement.value is None:
        few = _may_be_chance(measurement, evidence, positives)
        return f"{TOO_FEW} {measurement.reason}" if few else measurement.reason
    if measurement.suite is Suite.ESTIMATE and measurement.reason:
        return measurement.reason
    if measurement.row_count is not None and measurement.row_count < rule.min_rows:
        return f"{amount(measurement.row_count, 'row')}, fewer than the rule's {rule.min_rows}"
    if measurement.suite is Suite.DRIFT:
        for fault in evidence.broken:
            about = fault.column in ("", measurement.column_name)
            if about and fault.window.start < window.end and fault.window.end > window.start:
                return f"{INHIBITED} {fault.rule} failed on {fault.column or 'the table'}"
    ripe = measurement.as_of >= window.end + evidence.maturity
    coverage = measurement.coverage if measurement.suite is Suite.PERFORMANCE else None
    if coverage is not None and coverage < evidence.min_coverage and not ripe:
        return (
            f"{coverage:.0%} of the predictions have a label, "
            f"fewer than {evidence.min_coverage:.0%}, and more may come"
        )
    if rule.surely and None in (measurement.lower, measurement.upper):
        return f"{measurement.metric} has no interval, and the rule wants to be sure"
    known = [_is_known(limit, measurement, evidence) for limit in rule.worsenings]
    if known and not any(known):
        if rule.worsenings[0].deviations:
            return f"the reference has too few windows to know how {measurement.metric} varies"
        return f"the reference has no {measurement.metric} to compare with"
    return ""


def _may_be_chance(measurement: Measurement, evidence: Evidence, positives: float | None) -> bool:
    """Whether a number may be missing only because there are few rows, or none of a rare class."""
    if (measurement.coverage or 0.0) < evidence.min_coverage:
        return False
    usual = evidence.baselines.get(("label_mean", "", ""))
    if not measurement.reason.startswith(ONE_CLASS) or usual is None or positives is None:
        return measurement.reason == ONE_ROW
    likely = usual if positives else 1 - usual
    return bool(likely ** (measurement.row_count or 0) > CHANCE)


def _is_known(limit: Worsening, measurement: Measurement, evidence: Evidence) -> bool:
    if limit.deviations:
        return _key(measurement) in evidence.spreads
    return _baseline(measurement, evidence.baselines) is not None


def _baseline(measurement: Measurement, baselines: Baselines) -> float | None:
    """Return the reference's own value; what grows with the rows says nothing of a part of them."""
    if measurement.metric == THROUGHPUT and (measurement.segment or measurement.model_version):
        return None
    return baselines.get(_key(measurement))


def _key(measurement: Measurement) -> tuple[str, str, str]:
    return measurement.metric, measurement.column_name, measurement.detail


def _fault(rule: Rule, measurement: Measurement, evidence: Evidence) -> str | None:
    """Return which bound the value breaks, in words; None when it keeps them all."""
    value = measurement.value
    assert value is not None
    unsure = wider_half(measurement) if rule.surely else 0.0
    surely = "surely " if rule.surely else ""
    baseline = _baseline(measurement, evidence.baselines)
    own = "" if baseline is None else f" (in the reference {baseline:.4g})"
    if rule.max is not None and value - unsure > rule.max:
        return f"{surely}above {rule.max:g}{own}"
    if rule.min is not None and value + unsure < rule.min:
        return f"{surely}below {rule.min:g}{own}"
    limits = [each for each in rule.worsenings if _is_known(each, measurement, evidence)]
    faults = [_worse_by(limit, measurement, evidence, unsure) for limit in limits]
    return surely + ", and ".join(filter(None, faults)) if limits and all(faults) else None


def wider_half(measurement: Measurement) -> float:
    """Return the wider half of a number's interval, in its own unit.

    A few large losses carry the value far beyond all others, and its far end with it, but hardly
    its near end, which they make look sure.
    """
    value, lower, upper = measurement.value, measurement.lower, measurement.upper
    assert value is not None
    assert lower is not None
    assert upper is not None
    return max(value - lower, upper - value)


def _worse_by(
    limit: Worsening, measurement: Measurement, evidence: Evidence, unsure: float
) -> str | None:
    """Return by what the value is worse than is allowed, in words; None when it is not."""
    value, baseline = measurement.value, _baseline(measurement, evidence.baselines)
    mean, deviation = evidence.spreads.get(_key(measurement), (0.0, 0.0))
    assert value is not None
    if limit.deviations:
        than, allowed = mean, limit.amount * deviation
    else:
        assert baseline is not None
        than, allowed = baseline, limit.amount * (abs(baseline) if limit.relative else 1.0)
    worse = worsening(measurement.metric, value, than, higher=evidence.higher_is_better)
    if worse - unsure <= allowed:
        return None
    if limit.deviations:
        return (
            f"more than {limit.amount:g} standard deviations worse than the {mean:.4g} "
            f"of the reference's own windows, of which one is {deviation:.2g}"
        )
    share = f"{limit.amount:.0%}" if limit.relative else f"{limit.amount:.4g}"
    return f"worse than the reference's {baseline:.4g} by more than {share}"
