"""Makes outcome profiles of grouped rows, whoever grouped them: here classes get their names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.monitor.sections import Task
from driftline.profile.classes import (
    canonical,
    classes_of,
    negative_class,
    positive_class,
    rows_by_class,
)
from driftline.profile.outcomes import (
    MOMENTS,
    NO_CLASS,
    NO_LABEL_VALUE,
    NO_PREDICTED_VALUE,
    NO_PREDICTION_VALUE,
    NO_VALUE,
    POSITIVE,
    STRAY,
    UNLABELLED,
    ClassProfile,
    OutcomeBins,
    OutcomeProfile,
    ScoreCounts,
    ValueProfile,
)
from driftline.profile.tally import Places, coded, encoded, named, numbered

Key = tuple[Any, ...]
Mask = NDArray[np.bool_]

NOTHING_SAID = 2
"""The place among the counts by score of rows without a predicted class."""
SCORED = "score"
"""What a binary model's only score is called among the bins."""

LABEL_KEY, PREDICTION_KEY = "labels.label", "predictions.prediction"


class Groups:
    """Rows of a grouped table by the combination of its keys."""

    def __init__(self, table: Any, keys: Sequence[str], there: Sequence[Key] | None = None) -> None:
        encodings = [encoded(table[key]) for key in keys]
        codes, self.place = numbered(*coded(encodings, len(table)))
        self.names = named(encodings, codes)
        if there is not None:
            known = {name: n for n, name in enumerate(there)}
            self.place = np.array([known[name] for name in self.names], np.int64)[self.place]
            self.names = list(there)
        self._table = table
        self.rows = self.column("rows").astype(np.int64)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers; what is missing is 0."""
        filled = pc.fill_null(self._table[name], 0)
        return np.asarray(filled.to_numpy(zero_copy_only=False), np.float64)

    def count(self, chosen: Mask | None = None) -> Places:
        """Return how many of the chosen rows each group holds."""
        return self.counts((), (), chosen)

    def counts(
        self, places: Sequence[Places], sizes: Sequence[int], chosen: Mask | None = None
    ) -> Places:
        """Return how many of the chosen rows each group holds, by these places."""
        return np.rint(self.sums(self.rows, places, sizes, chosen)).astype(np.int64)

    def sums(
        self,
        values: NDArray[Any],
        places: Sequence[Places] = (),
        sizes: Sequence[int] = (),
        chosen: Mask | None = None,
    ) -> NDArray[np.float64]:
        """Return the sum of values over the chosen rows of each group, by these places."""
        where = self.place
        for place, size in zip(places, sizes, strict=True):
            where = where * size + place
        if chosen is not None:
            where, values = where[chosen], values[chosen]
        shape = (len(self.names), *sizes)
        # Always in the same order: sums of floating point numbers depend on it.
        order = np.lexsort((values, where))
        flat = np.bincount(where[order], values[order], minlength=int(np.prod(shape)))
        return np.asarray(flat.reshape(shape), np.float64)

    def ends(self, name: str, chosen: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least and the greatest value of the chosen rows of each group, 0 of none."""
        found, values = [], self.column(name)[chosen]
        for furthest, start in ((np.minimum, np.inf), (np.maximum, -np.inf)):
            end = np.full(len(self.names), start)
            furthest.at(end, self.place[chosen], values)
            found.append(np.where(np.isfinite(end), end, 0.0))
        return found[0], found[1]


def _dropped(
    labelled: Mask, reasons: Mapping[str, Mask], groups: Groups
) -> tuple[Mask, list[dict[str, int]]]:
    """Return which labelled rows can be used, and why how many of each group cannot."""
    kept, dropped = labelled, [dict[str, int]() for _ in groups.names]
    for reason, usable in reasons.items():
        lost = groups.count(kept & ~usable)
        for place in np.flatnonzero(lost):
            dropped[place][reason] = int(lost[place])
        kept = kept & usable
    return kept, dropped


def two_classes(
    table: Any, keys: Sequence[str], bins: OutcomeBins, chosen: object, *, logged: bool
) -> dict[Key, ClassProfile]:
    """Return the profiles of a binary model from the groups of `Grouping.two_classes`.

    `chosen` is the positive class that the monitor's file names, if it does; `logged` is whether
    the predicted class is, and not the threshold's.
    """
    groups, positive = Groups(table, keys), positive_class(chosen)
    names, truth = classes_of(table["truth"], LABEL_KEY)
    spoken, said = classes_of(table["said"], PREDICTION_KEY) if logged else ([], None)
    held = _held(groups, (names, truth), (spoken, said))
    at = {positive: POSITIVE, _negative(groups, bins, chosen, (names, truth), (spoken, said)): 0}
    labelled = _valid(table["truth"])
    truth = _places(names, truth, at, -1)
    said = groups.column("said").astype(np.int64) if said is None else _places(spoken, said, at, -1)
    scored = bool(bins.scores)
    code = groups.column("code").astype(np.int64) if scored else np.zeros(len(table), np.int64)
    usable = code >= 0
    known_label, dropped = _dropped(labelled, {NO_CLASS: truth >= 0}, groups)
    used, has_class = known_label & usable, said >= 0 if logged else usable
    rows, known = groups.count(), groups.count(labelled)
    confusion = groups.counts((truth, said), (2, 2), known_label & has_class)
    unpredicted = groups.counts((truth,), (2,), known_label & ~has_class)
    unscored = groups.counts((truth,), (2,), known_label & ~usable)
    moments, scores = np.zeros((len(groups.names), 2, 7)), []
    if scored:
        ((name, edges),) = bins.scores.items()
        own = [groups.column(f"own{n}") for n in (1, 2, 4)]
        other = [groups.column(f"other{n}") for n in (2, 4)]
        costs = [(groups.column(f"if_own{n}"), groups.column(f"if_other{n}")) for n in (1, 2)]
        is_own = truth == POSITIVE
        values = [np.where(is_own, other[n], own[n + 1]) for n in (0, 1)]
        values += [np.where(is_own, mine, others) for mine, others in costs]
        values += [*own[:2], groups.rows]
        for place, value in enumerate(values):
            moments[:, :, place] = groups.sums(value, (truth,), (2,), used)
        spoke = np.where(has_class, said, NOTHING_SAID)
        scores = _by_score(groups, truth, spoke, code, len(edges) + 1, used, usable)
    return {
        key: ClassProfile(
            bins=bins,
            classes=("", positive),
            rows=int(rows[n]),
            labelled=int(known[n]),
            dropped=dropped[n],
            confusion=confusion[n],
            unpredicted=unpredicted[n],
            moments=moments[n],
            scores={name: scores[n]} if scored else {},
            unscored=unscored[n],
            found=held[n],
            logged=logged,
        )
        for n, key in enumerate(groups.names)
    }


def _negative(
    groups: Groups,
    bins: OutcomeBins,
    chosen: object,
    *columns: tuple[Sequence[str], Places | None],
) -> str:
    """Return the name of the class that is not the positive one: as the reference has it."""
    if bins.negative:
        return bins.negative
    there = ((names, np.repeat(at, groups.rows)) for names, at in columns if at is not None)
    return negative_class(rows_by_class(*there), chosen)


def _held(groups: Groups, *columns: tuple[Sequence[str], Places | None]) -> list[tuple[str, ...]]:
    """Return the classes that each group holds, in order, whatever others hold beside it."""
    held: list[set[str]] = [set() for _ in groups.names]
    for names, places in columns:
        if names and places is not None:
            there = groups.counts((places,), (len(names),), places >= 0)
            for group, place in np.argwhere(there).tolist():
                held[group].add(names[place])
    return [tuple(sorted(own)) for own in held]


def _by_score(
    groups: Groups,
    truth: Places,
    said: Places,
    code: Places,
    size: int,
    used: Mask,
    everyone: Mask,
) -> list[ScoreCounts]:
    own = groups.column("own1")
    counted = groups.counts((truth, said, code), (2, 3, size), used)
    sums = groups.sums(own, (code,), (size,), used)
    spoken = groups.counts((said, code), (3, size), everyone)
    spoken_sums = groups.sums(own, (said, code), (3, size), everyone)
    return [
        ScoreCounts(joint=counted[n], sums=sums[n], said=spoken[n], said_sums=spoken_sums[n])
        for n, _ in enumerate(groups.names)
    ]


def many_classes(
    table: Any, keys: Sequence[str], bins: OutcomeBins, *, logged: bool
) -> dict[Key, ClassProfile]:
    """Return the profiles of a model of many classes from the groups of `Grouping.many_classes`.

    What is counted by score is added by `with_scores`.
    """
    groups = Groups(table, keys)
    names, truth = classes_of(table["truth"], LABEL_KEY)
    spoken, said = classes_of(table["said"], PREDICTION_KEY) if logged else ([], None)
    held = _held(groups, (names, truth), (spoken, said))
    scored = tuple(bins.scores)
    classes = (*scored, *sorted({*names, *spoken} - {*scored}))
    at = {name: n for n, name in enumerate(classes)}
    many, labelled = len(classes), _valid(table["truth"])
    truth = _places(names, truth, at, -1)
    said = groups.column("said").astype(np.int64) if said is None else _places(spoken, said, at, -1)
    code = groups.column("code").astype(np.int64) if scored else np.zeros(len(table), np.int64)
    used, dropped = _dropped(labelled, {NO_CLASS: truth >= 0}, groups)
    has_class = (said >= 0) if logged else (said >= 0) & (code >= 0)
    rows, known = groups.count(), groups.count(labelled)
    confusion = groups.counts((truth, said), (many, many), used & has_class)
    unpredicted = groups.counts((truth,), (many,), used & ~has_class)
    moments, stray = np.zeros((len(groups.names), many, 7)), np.zeros(len(groups.names), np.int64)
    unscored = groups.counts((truth,), (many,), used & (code < 0))
    if scored:
        of_scored = used & (truth < len(scored))
        stray = groups.count(of_scored & (code == STRAY))
        whole = of_scored & (code == 0)
        for place, value in _of_truth(groups, truth, len(scored)).items():
            moments[:, :, place] = groups.sums(value, (truth,), (many,), whole)
    profiles = {}
    for n, key in enumerate(groups.names):
        own = [name for name in classes if name in {*scored, *held[n]}]
        places = [at[name] for name in own]
        profiles[key] = replace(
            ClassProfile.empty(bins, tuple(own)),
            rows=int(rows[n]),
            labelled=int(known[n]),
            dropped=dropped[n],
            confusion=confusion[n][np.ix_(places, places)],
            unpredicted=unpredicted[n][places],
            moments=moments[n][places],
            unscored=unscored[n][places],
            stray=int(stray[n]),
            found=held[n],
            logged=logged,
        )
    return profiles


def _of_truth(groups: Groups, truth: Places, scored: int) -> dict[int, NDArray[np.float64]]:
    """Return the squared error, its square, the loss and its square, by each row's own class.

    Each by its place among the moments; the last is the number of rows.
    """

    def own(form: str) -> NDArray[np.float64]:
        every = np.stack([groups.column(form.format(n)) for n in range(scored)])
        known = (truth >= 0) & (truth < scored)
        return np.where(known, every[np.where(known, truth, 0), np.arange(len(truth))], 0.0)

    p, pp, ps = own("p{}_1"), own("p{}_2"), own("p{}_s")
    s, ss, rows = groups.column("squares1"), groups.column("squares2"), groups.rows
    return {
        0: s - 2 * p + rows,
        1: ss + 4 * pp + rows - 4 * ps + 2 * s - 4 * p,
        2: own("l{}_1"),
        3: own("l{}_2"),
        6: rows.astype(np.float64),
    }


def with_scores(
    profiles: Mapping[Key, ClassProfile], table: Any, keys: Sequence[str], name: str
) -> dict[Key, ClassProfile]:
    """Return the profiles with what the groups of `Grouping.one_class` say of one class."""
    groups = Groups(table, keys, list(profiles))
    places = {role: groups.column(role).astype(np.int64) for role in ("truth", "said", "code")}
    size = len(next(iter(profiles.values())).bins.scores[name]) + 1
    said = np.where(_valid(table["said"]), places["said"], NOTHING_SAID)
    everyone = places["code"] >= 0
    used = _valid(table["truth"]) & everyone
    found = _by_score(groups, places["truth"], said, places["code"], size, used, everyone)
    return {
        key: replace(profile, scores={**profile.scores, name: found[n]})
        for n, (key, profile) in enumerate(profiles.items())
    }


def values(table: Any, keys: Sequence[str], bins: OutcomeBins) -> dict[Key, ValueProfile]:
    """Return the profiles of a regression from the groups of `Grouping.values`."""
    groups = Groups(table, keys)
    code = groups.column("code").astype(np.int64)
    labelled, used = code != UNLABELLED, code >= 0
    reasons = {
        NO_VALUE: code != NO_LABEL_VALUE,
        NO_PREDICTED_VALUE: code != NO_PREDICTION_VALUE,
    }
    _, dropped = _dropped(labelled, reasons, groups)
    rows, known, counted = groups.count(), groups.count(labelled), groups.count(used)
    zeros = np.rint(groups.sums(groups.column("zeros"), chosen=used)).astype(np.int64)
    moments = np.stack([groups.sums(groups.column(m), chosen=used) for m in MOMENTS], axis=-1)
    (least, _), (_, largest) = groups.ends("least", used), groups.ends("largest", used)
    errors = groups.counts((code,), (len(bins.errors or ()) + 1,), used)
    return {
        key: ValueProfile(
            bins=bins,
            rows=int(rows[n]),
            labelled=int(known[n]),
            dropped=dropped[n],
            used=int(counted[n]),
            zeros=int(zeros[n]),
            least=float(least[n]),
            largest=float(largest[n]),
            moments=moments[n],
            errors=errors[n],
        )
        for n, key in enumerate(groups.names)
    }


def empty(task: Task, bins: OutcomeBins, chosen: object) -> OutcomeProfile:
    """Return the profile of no row."""
    if task is Task.REGRESSION:
        return ValueProfile.empty(bins)
    two = task is Task.BINARY
    return ClassProfile.empty(bins, ("", positive_class(chosen)) if two else tuple(bins.scores))


def raw_values(column: Any) -> dict[str, list[Any]]:
    """Return by class the values of a column that stand for it."""
    found: dict[str, list[Any]] = {}
    for value in pc.unique(column).to_pylist():
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            continue
        if name := canonical(value):
            found.setdefault(name, []).append(value)
    return found


def _valid(column: Any) -> Mask:
    return np.asarray(pc.is_valid(column).to_numpy())


def _places(names: Sequence[str], places: Places, at: Mapping[str, int], otherwise: int) -> Places:
    """Return places among names as places among classes."""
    return np.array([*(at.get(name, otherwise) for name in names), -1], np.int64)[places]
