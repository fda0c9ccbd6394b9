"""Evidence put into words: what each finding carries, when it began, and its numbers."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from driftline.domain import CauseKind
from driftline.stats.ranking import roc_area
from driftline.why.case import Case
from driftline.why.columns import Coded
from driftline.why.facts import Suspect
from driftline.why.faults import Fault
from driftline.why.onset import onset
from driftline.why.scan import Segment
from driftline.why.scrambled import Scrambled, scrambled
from driftline.why.shift import Shift
from driftline.why.sides import Floats, Side, Times

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


def of_shift(case: Case, shift: Shift) -> Suspect:
    """Return a column that moved, with the bin that tells most."""
    column, at = shift.column, shift.bin
    if column.ordered and at < column.ordered:
        segment = column.stretch(at, at)
        middle = [_median(case, side, column.name) for side in (case.reference, case.window)]
        words = f"{column.name} moved: its median is {middle[1]:.4g}, {middle[0]:.4g} before"
        grown = np.bincount(column.window, minlength=column.size) / len(column.window)
        usual = np.bincount(column.reference, minlength=column.size) / len(column.reference)
        hit = (grown > usual)[column.window]
        there = (grown > usual)[column.reference]
    else:
        name = column.names[at]
        segment = f"{column.name}{'=' + name[2:] if name.startswith('= ') else ' ' + name}"
        words = f"{segment} has {shift.after:.1%} of the rows; {shift.before:.1%} before"
        hit, there = column.window == at, column.reference == at
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


def of_far(case: Case, column: Coded) -> Suspect:
    """Return the column that moved furthest, though the fall does not say what that costs."""
    words = f"{column.name} moved furthest of all columns"
    if column.ordered:
        now, before = (_median(case, side, column.name) for side in (case.window, case.reference))
        words += f": its median is {now:.4g}, {before:.4g} before"
    return Suspect(kind=CauseKind.SHIFT, column=column.name, carried=None, words=words, fact=False)


def _median(case: Case, side: Side, name: str) -> float:
    values = side.frame.columns[name].values
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def scrambled_of(case: Case, missing: Suspect | None) -> Scrambled | None:
    """Return the column that was scrambled; labels that are incomplete are not asked."""
    if case.effects is None:
        return None
    columns = [one for one in case.features if case.effects.sizes[one.name] > 0]
    residuals = []
    for side, rows in zip((case.reference, case.window), case.rows, strict=True):
        if missing is None and side.truth is not None and side.score is not None:
            residuals.append(side.truth[rows] - side.score[rows])
    usable = len(residuals) == 2 and all(np.isfinite(each).all() for each in residuals)
    return scrambled(
        columns,
        case.effects,
        case.all_rows,
        case.days.at(*case.all_rows),
        case.rows,
        case.learnt_days,
        (residuals[0], residuals[1]) if usable else None,
    )


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
        began=_of_excess(case, hit[case.rows[1]]),
        hit=hit.astype(float),
    )


def everywhere(case: Case, carried: float) -> Suspect:
    """Return that the same inputs cost more in all rows that nothing else explains."""
    flipped = _flipped(case, None)
    words = "the same inputs come out differently, in no segment more than elsewhere"
    if flipped is not None:
        words += f"; labels read as if turned round (ROC AUC {flipped:.2f})"
    return Suspect(
        kind=CauseKind.CONCEPT if flipped is None else CauseKind.LABELS_FLIPPED,
        carried=carried,
        words=words,
        fact=False,
        began=_of_excess(case, None),
    )


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


def _of_excess(case: Case, hit: NDArray[np.bool_] | None) -> datetime | None:
    """Return the hour from which rows cost more than was to be expected; `hit` tells which."""
    before, now = case.times
    if before is None or now is None:
        return None
    if hit is not None:
        return onset((case.excess.reference, before), (case.excess.window[hit], now[hit]))
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
