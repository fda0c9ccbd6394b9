"""Evidence put into words: what each finding carries, when it began, and its numbers."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from driftline.domain import CauseKind
from driftline.stats.ranking import roc_area
from driftline.why.case import Case
from driftline.why.columns import Coded
from driftline.why.facts import Suspect
from driftline.why.faults import Fault
from driftline.why.misjoined import Scrambled, local, scrambled
from driftline.why.onset import onset
from driftline.why.scan import Segment
from driftline.why.shift import Shift
from driftline.why.sides import Context, Floats, Times, Whole

FEWEST = 30
"""Labelled rows of either side below which there is no fall to speak of."""
SURE = 3.0
_TURNED = -0.25
"""An effect of which less is left has turned round."""


def of_fault(case: Case, fault: Fault) -> Suspect | None:
    """Return a fault whose rows cost more than they would if it were mended.

    That must be beyond noise, unless the whole window fell: then a column that broke is suspect.
    """
    added = case.put_back(fault) if min(map(len, case.rows)) >= FEWEST else None
    if added is not None and added.z < (1 if case.total.lower > 0 else SURE):
        return None
    hours = case.context.hours
    counts = None
    if hours is not None:
        kept = {CauseKind.NULLS: hours.nulls, CauseKind.NEW_CATEGORY: hours.new}.get(fault.kind)
        if kept and fault.column in kept:
            rows = np.maximum(hours.rows, 1)
            counts = kept[fault.column] / rows, hours.rows, hours.start
    began = _began(case, fault.hit, np.zeros(case.reference.frame.rows), hours=counts)
    return Suspect(
        kind=fault.kind,
        column=fault.column,
        segment=fault.where,
        carried=None if added is None else added.value,
        words=fault.words,
        began=began,
        hit=fault.hit,
    )


def of_shift(case: Case, shift: Shift) -> Suspect | None:
    """Return a column that moved, and what of it did; None where no words can tell that."""
    column, at = shift.column, shift.bin
    segment = place = _place(column, at)
    if column.ordered and at < column.ordered:
        segment = column.stretch(at, at)
        words = _moved(case, column)
        usual, grown = _filled(column)
        hit, there = (grown > usual)[column.window], (grown > usual)[column.reference]
    else:
        words = _shares(place, shift.before, shift.after)
        hit, there = column.window == at, column.reference == at
    if not words:
        return None
    if shift.lost:
        hit, there = ~hit, ~there
    return Suspect(
        kind=CauseKind.SEGMENT_LOST if shift.lost else CauseKind.SHIFT,
        column=column.name,
        segment=segment,
        carried=shift.carried,
        words=words,
        fact=shift.lost,
        began=_began(case, hit.astype(float), there.astype(float)),
    )


def of_far(case: Case, column: Coded) -> Suspect | None:
    """Return the column that moved furthest, though the fall does not say what that costs."""
    words = _moved(case, column)
    if not words:
        return None
    words = (
        f"{column.name} moved furthest of all columns: {words.removeprefix(_MOVED % column.name)}"
    )
    return Suspect(kind=CauseKind.SHIFT, column=column.name, carried=None, words=words, fact=False)


_MOVED = "%s moved: "


def _moved(case: Case, column: Coded) -> str:
    """Say which of a column's numbers moved most, in widths of the reference; '' where none did.

    For a normal distribution they compare as the divergences that they make do, to first order.
    """
    before, now = (side.frame.columns[column.name].values for side in (case.reference, case.window))
    sides = [v[np.isfinite(v)] for v in (before, now)] if column.ordered else []
    told: dict[str, tuple[float, float, float]] = {}
    if sides and min(map(len, sides)) >= 2:
        low, first, middle, third, high = np.quantile(np.array(before)[np.isfinite(before)], _AT)
        new = np.quantile(sides[1], _AT)
        width = (third - first) / _QUARTILES or (high - low) / _ENDS
        if width > 0:
            spread = new[3] - new[1]
            told["its median is"] = middle, new[2], abs(new[2] - middle) / width / np.sqrt(2)
            if third > first and spread > 0:
                apart = abs(np.log(spread / (third - first)))
                told["from quartile to quartile it spans"] = third - first, spread, apart
            told["its 95th percentile is"] = high, new[4], abs(new[4] - high) / width / 2
            told["its 5th percentile is"] = low, new[0], abs(new[0] - low) / width / 2
    name = max(told, key=lambda each: told[each][2], default="")
    if name:
        usual, found, size = told[name]
        if size > _TOLD and f"{usual:.4g}" != f"{found:.4g}":
            return _MOVED % column.name + f"{name} {found:.4g}, {usual:.4g} before"
    share = _filled(column)
    at = int(np.argmax(np.abs(share[1] - share[0])))
    return _shares(_place(column, at), float(share[0][at]), float(share[1][at]))


_AT = (0.05, 0.25, 0.5, 0.75, 0.95)
_QUARTILES, _ENDS = 1.349, 3.29
"""Standard deviations of a normal distribution between its quartiles, and its 5% and 95%."""
_TOLD = 0.05
"""What moved less is not told; then a share tells more."""


def _filled(column: Coded) -> tuple[Floats, Floats]:
    """Return the share of each bin, in the reference and in the window."""
    before, now = (
        np.bincount(codes, minlength=column.size) / max(len(codes), 1)
        for codes in (column.reference, column.window)
    )
    return before, now


def _place(column: Coded, at: int) -> str:
    """Return which rows a bin holds, as a person reads it."""
    name = column.names[at]
    return f"{column.name}{'=' + name[2:] if name.startswith('= ') else ' ' + name}"


def _shares(place: str, before: float, after: float) -> str:
    """Say which share of the rows a place has, in enough digits; '' where it is the same."""
    for digits in (1, 2, 3):
        if f"{before:.{digits}%}" != f"{after:.{digits}%}":
            return f"{place} has {after:.{digits}%} of the rows; {before:.{digits}%} before"
    return ""


def scrambled_of(case: Case, missing: Suspect | None) -> Scrambled | None:
    """Return the column that was scrambled; labels that are incomplete are not asked."""
    if case.effects is None:
        return None
    return scrambled(
        case.tied,
        case.effects,
        case.all_rows,
        case.days.at(*case.all_rows),
        case.rows,
        case.learnt_days,
        case.residuals if missing is None else None,
    )


def in_segments(case: Case, mixed: Scrambled, segments: Sequence[Segment]) -> bool:
    """Whether a column lost its effect on the labels in these segments, and kept it elsewhere."""
    if not mixed.to_labels or not segments or case.effects is None or case.residuals is None:
        return False
    outside = [np.ones(len(rows), dtype=bool) for rows in case.rows]
    for segment in segments:
        codes = segment.column.reference, segment.column.window
        for held, of_side, rows in zip(outside, codes, case.rows, strict=True):
            held &= ~segment.rows(of_side[rows])
    both = outside[0], outside[1]
    return local(mixed, case.tied, case.effects, case.rows, both, case.residuals)


def of_scrambled(case: Case, found: Scrambled, carried: float) -> Suspect:
    """Return a column that lost its ties; all that the relation costs more is put down to it."""
    name, lost = found.column.name, f"{np.clip(1 - found.kept, 0, 1):.0%}"
    kind = CauseKind.SCRAMBLED
    if not found.to_labels:
        words = f"{name} has lost {lost} of its correlation with the other columns, though its "
        words += "values are the usual ones: they may stand on the wrong rows"
    elif found.kept < _TURNED:
        kind, words = CauseKind.CONCEPT, f"the effect of {name} on the labels has turned round"
    elif found.told:
        kind, words = CauseKind.CONCEPT, f"{name} has lost {lost} of its effect on the labels"
    else:
        words = f"{name} has lost {lost} of its effect on the labels: its values may stand on the "
        words += "wrong rows"
    return Suspect(
        kind=kind,
        column=name,
        carried=carried,
        words=words,
        began=_of_excess(case, None),
    )


def of_segment(case: Case, segment: Segment) -> Suspect:
    """Return a segment in which the same inputs cost more."""
    hit = segment.rows(segment.column.window)
    words = f"{segment.words} ({hit.mean():.1%} of the rows): the same inputs cost "
    words += f"{segment.gap.value:.3g} more than before"
    flipped = _flipped(case, segment)
    if flipped is not None:
        words += f"; labels read as if turned round (ROC AUC {flipped:.2f})"
    return Suspect(
        kind=CauseKind.CONCEPT if flipped is None else CauseKind.LABELS_FLIPPED,
        column=segment.column.name,
        segment=segment.words,
        carried=segment.gap.carried,
        words=words,
        fact=False,
        began=_of_excess(case, segment),
        hit=hit.astype(float),
    )


def everywhere(case: Case, carried: float, whole: Whole | None = None) -> Suspect:
    """Return that the same inputs cost more in all rows that nothing else explains.

    Where the rows are those of a segment it is told whether others do so too.
    """
    flipped = _flipped(case, None)
    words = "the same inputs come out differently, in no segment more than elsewhere"
    own = False
    if whole is not None:
        own, words = _of_segment_alone(whole)
    if flipped is not None:
        words += f"; labels read as if turned round (ROC AUC {flipped:.2f})"
    return Suspect(
        kind=CauseKind.CONCEPT if flipped is None else CauseKind.LABELS_FLIPPED,
        column=whole.column if whole is not None and own else "",
        segment=whole.segment if whole is not None and own else "",
        carried=carried,
        words=words,
        fact=False,
        began=_of_excess(case, None),
    )


def _of_segment_alone(whole: Whole) -> tuple[bool, str]:
    """Return whether the same inputs cost more in a segment and not elsewhere, and say so."""
    words = "the same inputs come out differently"
    every = Case(reference=whole.reference, window=whole.window, context=Context())
    if not every.enough:
        return False, words
    theirs, ours = (held[rows] for held, rows in zip(whole.inside, every.rows, strict=True))
    own, rest = every.excess.gap(ours, theirs), every.excess.gap(~ours, ~theirs)
    if own.z > SURE and rest.error > 0 and rest.kept + 2 * rest.error < own.kept / 2:
        words = f"{whole.segment}: {words}, and elsewhere they do not"
        mixed = scrambled_of(every, None)
        if mixed is not None and mixed.column.name == whole.column:
            words += f"; {of_scrambled(every, mixed, 0.0).words}"
        return True, words
    return False, f"{words}, elsewhere as here" if rest.z > SURE else words


def _flipped(case: Case, segment: Segment | None) -> float | None:
    """Return the area under the ROC curve of such rows where it is surely below chance."""
    side = case.window
    if (
        side.truth is None
        or side.score is None
        or not np.isin(side.truth[side.labelled], (0.0, 1.0)).all()
    ):
        return None
    held = side.labelled & np.isfinite(side.score)
    if segment is not None:
        held &= segment.rows(segment.column.window)
    positive = held & (side.truth == 1)
    negative = held & (side.truth == 0)
    if min(positive.sum(), negative.sum()) < 10:
        return None
    area = roc_area(side.score[positive], side.score[negative])
    return area.value if area.interval[1] < 0.5 else None


def _of_excess(case: Case, segment: Segment | None) -> datetime | None:
    """Return the hour from which rows, or those of a segment, cost more than was expected."""
    before, now = case.times
    if before is None or now is None:
        return None
    if segment is not None:
        codes = segment.column.reference[case.rows[0]], segment.column.window[case.rows[1]]
        theirs, ours = map(segment.rows, codes)
        return onset(
            (case.excess.reference[theirs], before[theirs]), (case.excess.window[ours], now[ours])
        )
    counted, stored = case.context.hours, None
    if counted is not None and counted.loss is not None:
        rows = counted.rows if counted.labelled is None else counted.labelled
        stored = counted.loss - float(case.losses[0].mean()), rows, counted.start
    return onset((case.excess.reference, before), (case.excess.window, now), stored)


def _began(
    case: Case,
    window: Floats,
    reference: Floats,
    *,
    hours: tuple[Floats, Floats, Times] | None = None,
) -> datetime | None:
    if case.window.time is None or case.reference.time is None:
        return onset(None, None, hours)
    return onset((reference, case.reference.time), (window, case.window.time), hours)
