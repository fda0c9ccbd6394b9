"""What happened beside the columns: versions, the model's answers, labels, hours, doubles."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.domain import CauseKind
from driftline.stats.tables import shares_z
from driftline.why import models, onset
from driftline.why.case import Case, coded_hours
from driftline.why.fall import Difference
from driftline.why.scan import Gap
from driftline.why.shift import shift_of
from driftline.why.sides import Floats, Side

_SURE = 4.0
_WORTH = 0.02
"""A version, or answers of another kind, in fewer of the window's rows are not looked at."""
_GONE = 0.05
"""So large a share of the labels that are usual must be missing."""
_DATED = 0.98
"""So large a share of the reference's labels must have a time, to learn from it how late they are.
"""
_MODELLED = 0.5
"""The share of the score's variance that features must explain before it is judged by them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Suspect:
    """A cause before it is ranked: what it carries, in units of the loss, None where unknown."""

    kind: CauseKind
    words: str
    carried: float | None
    column: str = ""
    segment: str = ""
    began: datetime | None = None
    fact: bool = True
    """Whether it surely happened; else only the fall speaks for it."""
    hit: Floats | None = None
    """Which rows of the window it hits, and how surely; None for all of them."""


def version(case: Case) -> Suspect | None:
    """Return a version that the reference lacks and whose rows cost more than those of the others.

    Where it answers all rows they are compared with the reference.
    """
    ours, theirs = case.window.version, case.reference.version
    if ours is None or theirs is None or not case.enough:
        return None
    known = set(np.unique(theirs.astype(str)).tolist())
    now = ours.astype(str)
    names, rows = np.unique(now, return_counts=True)
    best: tuple[Gap, str] | None = None
    for name, count in zip(names.tolist(), rows.tolist(), strict=True):
        if name in known or count < _WORTH * len(now):
            continue
        own = now[case.rows[1]] == name
        gap = case.excess.gap(own, np.ones(len(case.rows[0]), dtype=bool))
        rest = case.excess.gap(~own, np.ones(len(case.rows[0]), dtype=bool))
        if gap.z > _SURE and rest.kept < gap.kept / 2 and (not best or gap.z > best[0].z):
            best = gap, name
    if best is None:
        return None
    gap, name = best
    hit = now == name
    began = case.context.versions.get(name)
    if began is None and case.window.time is not None:
        began = onset.moment(case.window.time[hit].min())
    return Suspect(
        kind=CauseKind.VERSION,
        segment=f"version={name}",
        carried=gap.carried,
        words=f"model version {name} is new and answers {hit.mean():.1%} of the rows: like rows "
        f"cost {gap.value:.3g} more than before",
        began=began,
        hit=hit.astype(float),
    )


def score(case: Case) -> Suspect | None:
    """Return that the model answers otherwise than it did on like rows.

    A model of the score tells what the reference's would answer; rows whose score misses that by
    more than 99% of the reference's rows did are answered by something else. So are those whose
    logged class is not what the reference's threshold makes of their score.
    """
    if not case.enough or case.reference.score is None or case.window.score is None:
        return None
    return _threshold(case) or _answers(case, case.reference.score, case.window.score)


def _answers(case: Case, theirs: Floats, ours: Floats) -> Suspect | None:
    both = [side[rows] for side, rows in zip((theirs, ours), case.rows, strict=True)]
    if not all(np.isfinite(side).all() for side in both):
        return None
    logits = all(side.min() >= 0 and side.max() <= 1 for side in both)
    if logits:
        both = [
            np.log(side / (1 - side)) for side in (np.clip(side, 1e-4, 1 - 1e-4) for side in both)
        ]
    spread = float(both[0].std())
    if not spread:
        return None
    said = models.regression(*case.matrices, both[0], case.categorical)
    missed = np.abs(both[0] - said.reference), np.abs(both[1] - said.window)
    if 1 - float((missed[0] ** 2).mean()) / spread**2 < _MODELLED:
        return None
    own = missed[1] > 2 * float(np.quantile(missed[0], 0.99))
    shared = case.excess.weights[1]
    share = float((own * shared).sum() / shared.sum()) if shared.sum() > 0 else 0.0
    if share < _WORTH:
        return None
    part = _cost_of_answers(case, both, said)
    if part is None:
        gap = case.excess.gap(own, np.ones(len(missed[0]), dtype=bool))
        sure, carried = gap.z, gap.carried
    else:
        sure, carried = part.z, part.value * case.total.value
    if sure < _SURE:
        return None
    return Suspect(
        kind=CauseKind.SCORE,
        carried=carried,
        words=f"the model answers {share:.1%} of the rows otherwise than it did: the middle of "
        f"their scores is {np.median(ours[case.rows[1]][own]):.3g}, and "
        f"{np.median(_scores(said.window[own], logits)):.3g} was to be expected",
        hit=_spread(case, own) if share < 0.5 else None,
    )


def _cost_of_answers(case: Case, scores: list[Floats], said: models.Learnt) -> Difference | None:
    """Return which part of the fall would not be, had the model answered as it did before.

    By the log loss of two classes, or the squared error, of the score and of what was to be
    expected, whatever the loss is; None where the truth is not known.
    """
    truths = []
    for side, rows in zip((case.reference, case.window), case.rows, strict=True):
        if side.truth is None:
            return None
        truths.append(side.truth[rows])
    classes = all(np.isin(truth, (0.0, 1.0)).all() for truth in truths)

    def loss(truth: Floats, score: Floats) -> Floats:
        if not classes:
            return np.asarray((truth - score) ** 2)
        return np.asarray(np.logaddexp(0, np.where(truth == 1, -score, score)))

    kept = said.reference, said.window
    costs = [loss(*pair) for pair in zip(truths, scores, strict=True)]
    added = [
        cost - loss(truth, score) for cost, truth, score in zip(costs, truths, kept, strict=True)
    ]
    fell = case.learnt_days.compare(costs[0], costs[1])
    if fell.value <= 0:
        return None
    found = case.learnt_days.compare(added[0], added[1], case.excess.weights)
    return Difference(*(number / fell.value for number in found))


def _threshold(case: Case) -> Suspect | None:
    theirs, ours = case.reference, case.window
    if theirs.prediction is None or ours.prediction is None:
        return None
    if theirs.score is None or ours.score is None:
        return None
    cut = _cut(theirs.prediction, theirs.score)
    if cut is None:
        return None
    usual = _unlike(theirs.prediction, theirs.score, cut)
    now = _unlike(ours.prediction, ours.score, cut)
    usual, known = usual[np.isfinite(theirs.prediction)], np.isfinite(ours.prediction)
    share = float(now[known].mean()) if known.any() else 0.0
    if share - usual.mean() < _WORTH or _jump(usual, now[known]) < _SURE:
        return None
    moved = _cut(ours.prediction, ours.score)
    gap = case.excess.gap(now[case.rows[1]], np.ones(len(case.rows[0]), dtype=bool))
    return Suspect(
        kind=CauseKind.SCORE,
        carried=gap.carried if gap.z > 0 else None,
        words=f"the logged class is not what the score says in {share:.1%} of the rows: the "
        f"threshold was {cut:.3g}" + (f" and reads {moved:.3g} now" if moved is not None else ""),
        hit=now.astype(float),
    )


def _unlike(said: NDArray[Any], score: Floats, cut: float) -> NDArray[np.bool_]:
    """Return which rows have a class that a threshold does not make of their score."""
    known = np.isfinite(said) & np.isfinite(score)
    return np.asarray(known & ((said > 0.5) != (score >= cut)))


def _cut(said: NDArray[Any], at: Floats) -> float | None:
    """Return the threshold on the score that makes the classes, None where none nearly does."""
    held = np.isfinite(said) & np.isfinite(at)
    if not held.any():
        return None
    order = np.argsort(at[held], kind="stable")
    classes, scores = said[held][order] > 0.5, at[held][order]
    # Wrong rows where everything from here on is positive.
    wrong = np.concatenate([[0], np.cumsum(classes)]) + np.concatenate(
        [np.cumsum(~classes[::-1])[::-1], [0]]
    )
    place = int(wrong.argmin())
    if wrong[place] > 0.02 * len(classes) or place in (0, len(classes)):
        return None
    return float(scores[place])


def labels(case: Case) -> Suspect | None:
    """Return that labels are missing, and what of the fall they may be guilty of.

    What early labels make of the fall is seen in the reference: its rows, counted by how many
    labels of their age the window has, against all of them. Without ages only a bound is known: had
    the rows whose label is missing cost nothing, the mean would be lower by their share; half of it
    is taken.
    """
    sides = (case.reference, case.window)
    usual, now = _usual_coverage(case), case.context.coverage
    now = _coverage(sides[1]) if now is None else now
    rows = case.context.predictions or case.window.frame.rows
    if not usual or now is None or not rows:
        return None
    gone = 1 - now / usual
    if gone < _GONE or shares_z(usual * rows, rows, now * rows, rows) > -_SURE:
        return None
    words = f"only {now:.1%} of the predictions have a label; {usual:.1%} is usual at this age"
    held = case.window.labelled
    carried = None
    if held.any():
        loss = case.window.loss[held]  # of any sign: how far it lies above that of good answers
        most = gone * float(loss.mean() - np.quantile(loss, 0.05))
        carried = min(most, max(case.total.value, 0.0)) / 2
        words += f"; those without may hide up to {most:.3g}"
        chosen = _chosen(case)
        if chosen is not None:
            carried = chosen
            words = words.split("; those")[0]
            words += f"; by which they are, the others would make it {carried:.3g} less"
    early = _early(case)
    if early is not None and (carried is None or early > 0):
        carried = early
        words = words.split("; those")[0]
        words += f"; by their ages those that came would cost {early:+.3g} in the reference"
    return Suspect(kind=CauseKind.LABELS_MISSING, carried=carried, words=words)


def _usual_coverage(case: Case) -> float | None:
    """Return which share of the window's predictions would have a label, had it been as usual.

    The reference's labels tell which share is there at each age: that of the window's rows counts.
    """
    theirs, labelled = case.reference.age, case.reference.labelled
    if theirs is None or not labelled.any() or np.isfinite(theirs[labelled]).mean() < _DATED:
        usual = case.context.usual_coverage
        return _coverage(case.reference) if usual is None else usual
    elapsed = _elapsed(case)
    if elapsed is None:
        return case.context.usual_coverage
    there = np.searchsorted(np.sort(theirs[np.isfinite(theirs)]), elapsed, side="right")
    return float(there.mean()) / len(theirs)


def _elapsed(case: Case) -> Floats | None:
    """Return the hours from each of the window's rows to when its labels were read."""
    known, time = case.context.as_of, case.window.time
    if known is None or time is None or not len(time):
        return None
    moment = np.datetime64(known.astimezone(UTC).replace(tzinfo=None), "us")
    return np.asarray((moment - time.astype("datetime64[us]")).astype(np.float64) / 3.6e9)


def _coverage(side: Side) -> float | None:
    return float(side.labelled.mean()) if side.frame.rows else None


def _chosen(case: Case) -> float | None:
    """Return what it costs that labels are missing of one outcome rather than of the other.

    Were labels of outcome z there with chance a, of the other with b, then of rows that have z
    with chance p a share of b + (a - b) p would be labelled: a line, fitted to the window by least
    squares with the reference's p by score. Rows count 1 / a and 1 / b times. None where the line
    is level: as far as the scores tell, labels are missing anywhere. Source: Horvitz and Thompson,
    JASA 47, 1952 (the weights).
    """
    theirs, ours = case.reference, case.window
    if theirs.score is None or ours.score is None or theirs.truth is None:
        return None
    known, there = theirs.labelled & np.isfinite(theirs.score), np.isfinite(ours.score)
    if min(known.sum(), there.sum()) < models.FEWEST:
        return None
    classes = bool(np.isin(theirs.truth[known], (0.0, 1.0)).all())
    middle = 0.0 if classes else float(np.median(theirs.loss[known]))
    of_interest = [
        side.truth if classes and side.truth is not None else np.where(side.loss > middle, 1.0, 0.0)
        for side in (theirs, ours)
    ]
    edges = np.unique(np.quantile(theirs.score[known], np.linspace(0, 1, 21)[1:-1]))
    place = np.searchsorted(edges, theirs.score[known], side="right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    chance = np.bincount(place, weights=of_interest[0][known], minlength=len(edges) + 1)
    p = (chance / np.maximum(rows, 1))[np.searchsorted(edges, ours.score[there], side="right")]
    spread, labelled = float(((p - p.mean()) ** 2).sum()), ours.labelled[there].astype(np.float64)
    if not spread:
        return None
    slope = float((p - p.mean()) @ labelled) / spread
    level = float(labelled.mean() - slope * p.mean())
    if abs(slope) < _SURE * np.sqrt(float(labelled.var()) / spread):
        return None
    share = np.clip([level, level + slope], _LEAST_LABELLED, 1.0)
    held = ours.labelled
    weight = 1 / np.where(of_interest[1][held] > 0.5, share[1], share[0])
    loss = ours.loss[held]
    return float(loss.mean() - weight @ loss / weight.sum())


_LEAST_LABELLED = 0.05
"""A row counts at most for so small a share: for twenty."""


def _early(case: Case) -> float | None:
    """Return what the reference's rows cost more, counted by how many labels of their age came.

    None where, of those that could have come by then, labels of all ages are there alike.
    """
    theirs, ours = case.reference.age, case.window.age
    if theirs is None or ours is None:
        return None
    held = case.reference.labelled & np.isfinite(theirs)
    came = ours[case.window.labelled & np.isfinite(ours)]
    if min(held.sum(), len(came)) < models.FEWEST:
        return None
    edges = np.unique(np.quantile(theirs[held], np.linspace(0, 1, 21)[1:-1]))
    place, size = np.searchsorted(edges, theirs[held], side="right"), len(edges) + 1
    usual = np.bincount(place, minlength=size) / len(theirs)
    now = np.bincount(np.searchsorted(edges, came, side="right"), minlength=size) / len(ours)
    share = np.clip(np.divide(now, usual, out=np.ones(size), where=usual > 0), 0, 1)
    elapsed, could = _elapsed(case), np.ones(held.sum())
    if elapsed is not None:
        could = 1 - np.searchsorted(np.sort(elapsed), theirs[held], side="left") / len(elapsed)
    due = np.bincount(place, weights=could, minlength=size) / len(theirs)
    groups = np.arange(0, size, 5)  # a twentieth alone holds too few labels to tell
    came_of, due_of = np.add.reduceat(now, groups), np.add.reduceat(due, groups)
    enough = due_of * len(ours) >= _FEW_DUE
    if not enough.any() or np.ptp(np.clip(came_of[enough] / due_of[enough], 0, 1)) < _UNEVEN:
        return None
    loss, weight = case.reference.loss[held], share[place]
    return float(weight @ loss / weight.sum() - loss.mean())


_UNEVEN = 0.25
"""Labels of one age must be missing by so much more than of another."""
_FEW_DUE = 50
"""Of an age of which fewer labels were to come nothing is concluded."""


def hours(case: Case) -> Suspect | None:
    """Return that hours of the day lost rows, and what the fall owes to it."""
    theirs, ours = case.reference.time, case.window.time
    if theirs is None or ours is None or not len(theirs) or not len(ours):
        return None
    counted = case.context.hours
    lost = onset.lost_hours(
        theirs, ours, None if counted is None else (counted.rows, counted.start)
    )
    if lost is None:
        return None
    _, missing, gone = lost
    shift = shift_of(
        coded_hours(theirs, ours),
        (case.reference.loss, case.window.loss),
        (np.ones(len(theirs)), np.ones(len(ours))),
        case.days,
    )
    began = onset.moment(gone[0])
    runs = [
        run
        for run in case.context.runs
        if any(run.start <= onset.moment(hour) < run.end for hour in gone)
    ]
    words = f"{missing:.1%} of the rows are missing, from {began:%Y-%m-%d %H:%M} on"
    if runs:
        words += f"; a run of those hours: {runs[0].problem}"
    return Suspect(
        kind=CauseKind.FAILED_RUN if runs else CauseKind.ROWS_LOST,
        carried=shift.carried if shift else None,
        words=words,
        began=began,
    )


def runs(case: Case) -> Iterator[Suspect]:
    """Yield the runs that failed or came late in the window, as facts of unknown weight."""
    for run in case.context.runs:
        yield Suspect(
            kind=CauseKind.FAILED_RUN,
            carried=None,
            words=f"the run of {run.start:%Y-%m-%d %H:%M} to {run.end:%H:%M}: {run.problem}",
            began=run.start,
        )


def doubles(case: Case) -> Suspect | None:
    """Return that rows came more than once, in all columns and their score."""
    size = min(case.reference.frame.rows, case.window.frame.rows)
    if size < models.FEWEST:
        return None
    share, copies = [], []
    for side in (case.reference, case.window):
        times = _copies(side)
        # A sample of the larger side holds fewer doubles: only as many rows are compared.
        share.append(float((_copies(side, size) > 0).mean()))
        copies.append(times)
    if share[1] - share[0] < _GONE or share[1] < 2 * share[0]:
        return None
    extra = copies[1] > 0
    held = case.window.labelled
    if not (held & ~extra).any():
        return None
    loss = case.window.loss
    carried = float(loss[held].mean() - loss[held & ~extra].mean())
    return Suspect(
        kind=CauseKind.DUPLICATES,
        carried=carried,
        words=f"{extra.mean():.1%} of the rows repeat another one in every column; "
        f"{share[0]:.1%} before",
        hit=extra.astype(float),
    )


def _copies(side: Side, size: int | None = None) -> NDArray[np.int64]:
    """Return for each row how many earlier ones are the same in every column and the score."""
    rows = side.frame.rows if size is None else size
    chosen = np.arange(side.frame.rows)
    if rows < side.frame.rows:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, rows, replace=False))
    hashed = np.zeros(rows, dtype=np.uint64)
    for column in side.frame.columns.values():
        hashed = hashed * _PRIME + _bits(column.values[chosen])
    if side.score is not None:
        hashed = hashed * _PRIME + _bits(side.score[chosen])
    _, first = np.unique(hashed, return_index=True)
    again = np.ones(rows, dtype=np.int64)
    again[first] = 0
    return again


_PRIME = np.uint64(0x9E3779B97F4A7C15 | 1)


def _bits(values: NDArray[Any]) -> NDArray[np.uint64]:
    import pyarrow as pa

    if values.dtype != object:
        return np.ascontiguousarray(values, dtype=np.float64).view(np.uint64) >> np.uint64(3)
    codes = pa.array(values, pa.string()).dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False)).astype(np.int64).view(np.uint64)


def _scores(values: Floats, logits: bool) -> Floats:
    return 1 / (1 + np.exp(-values)) if logits else values


def _spread(case: Case, own: NDArray[np.bool_]) -> Floats:
    hit = np.zeros(case.window.frame.rows)
    hit[case.rows[1][own]] = 1.0
    return hit


def _jump(before: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
    return shares_z(float(before.sum()), len(before), float(now.sum()), len(now))
