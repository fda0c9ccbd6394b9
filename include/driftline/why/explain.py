"""From the evidence to a short, ranked list of causes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from driftline.domain import Cause, CauseKind, Explanation
from driftline.metrics import HIGHER_IS_BETTER
from driftline.printable import amount
from driftline.suites.domain_classifier import one_thread
from driftline.why import facts, fall, findings, scan
from driftline.why.case import Case, coded_hours
from driftline.why.facts import Suspect
from driftline.why.fall import Difference
from driftline.why.faults import stretches
from driftline.why.scan import Excess
from driftline.why.shift import furthest, shifts
from driftline.why.sides import Context, Floats, Side, Whole

MOST = 5
"""Causes that are told."""
_LEAST = 0.1
"""A cause that carries a smaller share of the fall is not told."""
_LEAST_FACT = 0.05
"""As `_LEAST`, of what surely happened."""
_SEGMENTS = 2
"""Segments that are looked for, one after the other."""


def explain(
    reference: Side,
    window: Side,
    context: Context | None = None,
    *,
    metric: str = "loss",
    whole: Whole | None = None,
) -> Explanation:
    """Return why a metric is worse in the window than in the reference: what carries it, ranked.

    Where more of the metric is better the losses of the rows have the other sign. Where the sides
    are those of one segment the `whole` tells what is the segment's own.

    What surely happened (a column broke, a version came, labels are missing) is weighed before
    what only the fall speaks for; each by the share of the fall that it carries. Where the fall is
    within noise no share is told, and only causes that are beyond noise themselves. The same rows
    give the same answer. Raises MissingExtra where scikit-learn is not installed.
    """
    case = Case(reference=reference, window=window, context=context or Context())
    if min(map(len, case.rows)) < findings.FEWEST:
        return _without_labels(case)
    total = case.total
    sign = -1.0 if metric in HIGHER_IS_BETTER else 1.0
    before, now = (sign * float(side.loss[side.labelled].mean()) for side in (reference, window))
    with one_thread():
        relation = _relation(case) if case.enough else None
        apart = case.enough and relation is None
        suspects = list(_suspects(case, total, relation, whole))
        causes = _ranked(case, suspects, total)
    return Explanation(
        reference_value=before,
        window_value=now,
        rows=int(window.labelled.sum()),
        fall=total.value,
        lower=total.lower,
        upper=total.upper,
        inputs=total.value - relation.value if relation else total.value if apart else None,
        relation=relation.value if relation else 0.0 if apart else None,
        relation_lower=None if relation is None else relation.lower,
        relation_upper=None if relation is None else relation.upper,
        causes=causes,
        words=_summary(metric, before, now, total, relation, apart=apart),
    )


def _without_labels(case: Case) -> Explanation:
    suspects = [one for fault in case.faults if (one := findings.of_fault(case, fault)) is not None]
    missing = facts.labels(case)
    if missing:
        suspects.append(missing)
    suspects = [replace(one, carried=None) for one in suspects]
    labelled = int(case.window.labelled.sum())
    return Explanation(
        reference_value=None,
        window_value=None,
        rows=labelled,
        words=f"{amount(labelled, 'row')} of the window and "
        f"{int(case.reference.labelled.sum()):,} of the reference have a label: {findings.FEWEST} "
        "of each are needed to say how far it fell",
        causes=_ranked(case, suspects, None),
    )


def _relation(case: Case) -> Difference | None:
    weights = case.side.reference, 1 - case.side.window
    beyond = case.losses[0] - case.cost.reference, case.losses[1] - case.cost.window
    return fall.relation(beyond, weights, case.learnt_days)


def _suspects(
    case: Case, total: Difference, relation: Difference | None, whole: Whole | None
) -> Iterator[Suspect]:
    """Yield everything that may be a cause; each step leaves aside what the ones before explain."""
    ours = np.ones(case.window.frame.rows)
    theirs = np.ones(case.reference.frame.rows)
    for fault in case.faults:
        if (found := findings.of_fault(case, fault)) is not None:
            yield found
            ours = ours * (1 - fault.hit)
    if (double := facts.doubles(case)) is not None and double.hit is not None:
        yield double
        ours = ours * (1 - double.hit)
    if (lost := facts.hours(case)) is not None:
        yield lost
        if case.reference.time is not None and case.window.time is not None:
            clock = coded_hours(case.reference.time, case.window.time)
            theirs = theirs * _as_in_window(clock.reference, clock.window, theirs, ours)
    yield from facts.runs(case)
    if total.value > 0:
        least = _LEAST * max(total.value, total.error)
        losses = case.reference.loss, case.window.loss
        for shift in shifts(case.columns, losses, (theirs, ours), case.days, least=least):
            if (moved := findings.of_shift(case, shift)) is not None:
                yield moved
        asked = [column for column in case.features if column.name in case.matters]
        far = furthest(asked, stretches(case.reference, case.window))
        if far and (moved := findings.of_far(case, far)) is not None:
            yield moved
    missing = facts.labels(case)
    if relation is None:  # hardly an input is shared: nothing is known of what the same ones cost
        if missing:
            yield missing
        return
    yield from _of_relation(case, total, relation.value, missing, whole)


def _of_relation(
    case: Case,
    total: Difference,
    part: float,
    missing: Suspect | None,
    whole: Whole | None,
) -> Iterator[Suspect]:
    """Yield what made the same inputs cost more: version, answers, a mixed-up column, segments."""
    excess, carried = case.excess, 0.0
    if version := facts.version(case):
        yield version
        carried += version.carried or 0.0
        excess = _less(case, excess, version)
    elif score := facts.score(case):
        yield score
        carried += score.carried or 0.0
        excess = _less(case, excess, score)
    local, left, columns = [], excess, case.columns
    for _ in range(_SEGMENTS):
        found = scan.segments(left, columns)
        if not found:
            break
        local.append(found[0])
        columns = [column for column in columns if column is not found[0].column]
        left = _less(case, left, findings.of_segment(case, found[0]))
    alone = not carried and total.lower > 0
    mixed = findings.scrambled_of(case, missing) if alone else None
    if mixed is not None and not findings.in_segments(case, mixed, local):
        yield findings.of_scrambled(case, mixed, part)
        return
    for segment in local:
        yield findings.of_segment(case, segment)
    if missing:
        yield missing
    rest = scan.whole(left)
    if rest.z > findings.SURE and total.lower > 0:
        carried = rest.carried * _share_left(case, left)
        carried -= (missing.carried or 0.0) if missing else 0.0
        yield findings.everywhere(case, carried, whole)


def _share_left(case: Case, excess: Excess) -> float:
    whole = float(case.excess.weights[1].sum())
    return float(excess.weights[1].sum()) / whole if whole else 0.0


def _less(case: Case, excess: Excess, suspect: Suspect) -> Excess:
    """Return the excess of the rows that a suspect does not hit."""
    if suspect.hit is None:
        return replace(excess, weights=(excess.weights[0], np.zeros(len(excess.window))))
    left = 1 - suspect.hit[case.rows[1]]
    return replace(excess, weights=(excess.weights[0], excess.weights[1] * left))


def _as_in_window(
    reference: NDArray[np.int64], window: NDArray[np.int64], theirs: Floats, ours: Floats
) -> Floats:
    size = int(max(reference.max(), window.max())) + 1
    p = np.bincount(reference, weights=theirs, minlength=size) / max(theirs.sum(), 1e-12)
    q = np.bincount(window, weights=ours, minlength=size) / max(ours.sum(), 1e-12)
    ratio = np.divide(q, p, out=np.zeros(size), where=p > 0)
    return np.asarray(ratio[reference])


# Ranking


def _ranked(case: Case, suspects: list[Suspect], total: Difference | None) -> tuple[Cause, ...]:
    """Return the causes in order; of one column only the first."""
    fell = total is not None and total.lower > 0

    def share(one: Suspect) -> float | None:
        if not fell or total is None or one.carried is None:
            return None
        return float(np.clip(one.carried / total.value, 0, 1))

    def told(one: Suspect) -> bool:
        part = share(one)
        if one.carried is None:
            return True
        if one.carried <= 0:
            return False
        if part is None:
            return True
        return part >= (_LEAST_FACT if one.fact else _LEAST)

    def weight(one: Suspect) -> tuple[float, float]:
        part = share(one)
        size = (part if part is not None else 0.0) * (2 if one.fact else 1)
        matters = case.effects.sizes.get(one.column, 0.0) if case.effects else 0.0
        return (size if part is not None else (0.01 if one.fact else 0.0), matters)

    found: list[Suspect] = []
    for one in sorted(filter(told, suspects), key=weight, reverse=True):
        if one.column and any(one.column == other.column for other in found):
            continue
        if one.kind is CauseKind.FAILED_RUN and any(
            other.kind is CauseKind.FAILED_RUN and other.began == one.began for other in found
        ):
            continue
        found.append(one)
    if fell and not found:
        found = [
            Suspect(
                kind=CauseKind.UNEXPLAINED,
                carried=None,
                words="nothing that was looked at explains the fall",
            )
        ]
    return tuple(
        Cause(
            rank=rank,
            kind=one.kind,
            column=one.column,
            segment=one.segment,
            share=share(one),
            began=one.began,
            words=one.words,
        )
        for rank, one in enumerate(found[:MOST], start=1)
    )


def _summary(
    metric: str,
    before: float,
    now: float,
    total: Difference,
    relation: Difference | None,
    *,
    apart: bool,
) -> str:
    interval = f"{total.value:.3g}, 95% interval {total.lower:.3g} to {total.upper:.3g}"
    words = f"{metric} is {now:.3g}; {before:.3g} before (worse by {interval})"
    if total.lower <= 0:
        return words + ": within noise, there is no fall to explain"
    if relation is not None:
        part = float(np.clip(relation.value / total.value, 0, 1))
        words += f": {1 - part:.0%} from other inputs, {part:.0%} from the same inputs costing more"
        words += " (within noise)" if part >= 0.005 and relation.lower <= 0 else ""
    elif apart:
        words += ": hardly a row is like one of the reference, all of it comes with other inputs"
    return words
