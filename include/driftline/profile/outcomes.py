"""An outcome profile: additive statistics of what came of the predictions in one stretch of a log.

Like a `Profile` it adds up: that of a week is the sum of its hours. Metrics that are sums (losses,
errors, everything of the confusion matrix) come out of it exactly, ranking metrics up to the width
of the score's bins.
"""

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.profile.columns import Part
from driftline.stats.ranking import score_levels

UNUSABLE = -1
"""The code of a row whose score, or one of whose scores, is no probability."""
STRAY = 1
"""The code of a row whose probabilities do not add up to 1."""
UNLABELLED, NO_LABEL_VALUE, NO_PREDICTION_VALUE = -1, -2, -3
"""The codes of a regression's rows that have no error."""
ROUNDING = 1e-6
"""How far outside 0 to 1 a probability may lie that went through single precision."""
SLACK = 0.05
"""How far the probabilities of a row may miss 1 by rounding."""
EPSILON = float(np.finfo(np.float64).eps)
"""How far from 0 and 1 scikit-learn keeps a probability before it takes its logarithm."""
SMALL = 1e-60
"""Smaller numbers count as 0: their fourth power is no double."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

POSITIVE = 1
"""The place of a binary model's positive class; 0 is that of the other."""

CALIBRATION_BINS = 10
"""The expected calibration error is taken over so many bins of equal width."""

NO_CLASS = "the label is not a class"
NO_SCORE = "the score is not between 0 and 1"
NO_PREDICTION = "the predicted class is missing"
NO_VALUE = "the label is not a finite number"
NO_PREDICTED_VALUE = "the prediction is not a finite number"

LARGE = 1e60
"""Larger numbers are none: their fourth power is no double, nor its sum."""

_LEAST_SCALE = 1e-10
_STEP = 1.1
"""How much wider each next edge of an error lies where the reference has none."""
_MOST_STEPS = 40
_SPIKE = 0.02
_FINE, _COARSE = score_levels(200), score_levels(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeBins:
    """On what outcomes are counted, frozen with a reference.

    `scores` maps each class that has a score (of a binary model: the positive one) to the edges of
    its bins: `edges[i - 1] <= score < edges[i]`. `errors` are the edges of a regression's absolute
    error, None for a model of classes. Labels and errors are divided by `scale` before they are
    raised to powers and summed. `negative` names the class of a binary model that is not the
    positive one, '' where the reference does not tell.
    """

    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    errors: tuple[float, ...] | None = None
    scale: float = 1.0
    negative: str = ""

    @classmethod
    def of_scores(
        cls, scores: Mapping[str, Floats], thresholds: Iterable[float] = ()
    ) -> "OutcomeBins":
        """Return the bins of a reference's scores, or of a sample of them.

        They are its quantiles, what the calibration error wants and the `thresholds`; a score that
        many rows have gets a bin of its own. Scores outside 0 to 1 are left out.
        """
        quantiles = _FINE if len(scores) == 1 else _COARSE
        fixed = [n / CALIBRATION_BINS for n in range(1, CALIBRATION_BINS)]
        return cls(
            scores={
                name: _edges(
                    values[(values >= 0) & (values <= 1)], quantiles, [*fixed, *thresholds]
                )
                for name, values in scores.items()
            }
        )

    @classmethod
    def of_errors(cls, labels: Floats, predictions: Floats) -> "OutcomeBins":
        """Return the bins of a reference's absolute errors, or of a sample of them.

        They are its quantiles, and far beyond its largest a bin each 10%: that is where errors lie
        when it matters.
        """
        known = (np.abs(labels) <= LARGE) & (np.abs(predictions) <= LARGE)
        labels, errors = labels[known], np.abs(predictions - labels)[known]
        if not len(labels):
            return cls(errors=_beyond(()))
        size = max(np.abs(labels - labels.mean()).mean(), errors.mean()) or 1.0
        scale = float(np.clip(size, _LEAST_SCALE, LARGE))
        return cls(errors=_beyond(_edges(errors, _FINE, ()), scale), scale=scale)


def _beyond(edges: Sequence[float], scale: float = 1.0) -> tuple[float, ...]:
    """Return these edges with more of them in wide gaps, below the least and above the greatest."""
    found = np.array([edge for edge in edges if edge > 1e-9 * scale] or [scale])
    gaps = np.log(found[1:] / found[:-1]) / math.log(_STEP)
    inside = [
        np.geomspace(low, high, 1 + min(_MOST_STEPS, math.ceil(gap)))[1:-1]
        for low, high, gap in zip(found, found[1:], gaps, strict=False)
        if gap > 1
    ]
    below = found[0] / 2.0 ** np.arange(1, 21)
    steps = np.concatenate([_STEP ** np.arange(1, 101), _STEP**100 * 2.0 ** np.arange(1, 41)])
    return tuple(
        np.unique(np.concatenate([edges, found, *inside, below, found[-1] * steps])).tolist()
    )


def _edges(values: Floats, quantiles: Floats, fixed: Iterable[float]) -> tuple[float, ...]:
    distinct, rows = np.unique(values, return_counts=True)
    few = len(distinct) <= len(quantiles)
    spikes = distinct if few else distinct[rows >= _SPIKE * len(values)]
    rest = values[~np.isin(values, spikes)]
    cut = np.quantile(rest, quantiles) if len(rest) else rest
    edges = np.concatenate([cut, spikes, np.nextafter(spikes, np.inf), np.array([*fixed])])
    return tuple(np.unique(edges).tolist())


def single(edges: Sequence[float]) -> NDArray[np.bool_]:
    """Return which of the bins between these edges hold one value only."""
    bounds = np.array(edges)
    own = np.nextafter(bounds[:-1], np.inf) == bounds[1:]
    return np.concatenate([[False], own, [False]]) if len(bounds) else np.array([False])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreCounts:
    """Rows and sums by ascending bin of one class's score.

    `joint` counts the labelled rows, (2, 3, B): by whether this class is the label, and whether the
    model said another, said this one, or no class is known; `sums` (B,) sums their scores. `said`
    counts all predictions, labelled or not, by what the model said, and `said_sums` their scores,
    both (3, B).
    """

    joint: Counts
    sums: Floats
    said: Counts
    said_sums: Floats

    @classmethod
    def empty(cls, edges: Sequence[float]) -> "ScoreCounts":
        """Return the counts of no row."""
        size = len(edges) + 1
        ints, floats = np.zeros((2, 3, size), np.int64), np.zeros((3, size))
        return cls(joint=ints, sums=floats[0], said=ints[0], said_sums=floats)

    @property
    def truth(self) -> Counts:
        """The labelled rows by whether this class is the label, (2, B)."""
        return np.asarray(self.joint.sum(axis=1))

    @classmethod
    def total(cls, parts: Sequence["ScoreCounts"]) -> "ScoreCounts":
        """Return the sum of counts on the same edges."""
        return cls(
            joint=np.sum([part.joint for part in parts], axis=0),
            sums=np.sum([part.sums for part in parts], axis=0),
            said=np.sum([part.said for part in parts], axis=0),
            said_sums=np.sum([part.said_sums for part in parts], axis=0),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassProfile:
    """What came of a classifier's predictions.

    `rows` are predictions, `labelled` those with a label; `dropped` maps why a labelled row could
    not be used to how many there were. `confusion` (K, K) counts the others by label and predicted
    class, in the order of `classes`, and `unpredicted` (K,) those without a predicted class by
    label. `moments` (K, 7) sums by label, of those that have usable scores that add up to 1, with a
    predicted class or without: the squared error of a row's probabilities and its square, the log
    loss and its square, the positive class's score and its square, and 1. `unscored` (K,) counts
    those without a usable score by label, `stray` those whose probabilities do not add up to 1.
    `found` names the classes that labels and predictions hold; `logged` is whether the predicted
    class is, and not told by the scores.
    """

    bins: OutcomeBins
    classes: tuple[str, ...]
    rows: int = 0
    labelled: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    confusion: Counts
    unpredicted: Counts
    moments: Floats
    scores: Mapping[str, ScoreCounts] = field(default_factory=dict)
    unscored: Counts
    stray: int = 0
    found: tuple[str, ...] = ()
    logged: bool = True

    @classmethod
    def empty(cls, bins: OutcomeBins, classes: tuple[str, ...]) -> "ClassProfile":
        """Return the profile of no row."""
        many = len(classes)
        return cls(
            bins=bins,
            classes=classes,
            confusion=np.zeros((many, many), np.int64),
            unpredicted=np.zeros(many, np.int64),
            moments=np.zeros((many, 7)),
            unscored=np.zeros(many, np.int64),
            scores={name: ScoreCounts.empty(edges) for name, edges in bins.scores.items()},
        )

    @property
    def used(self) -> int:
        """How many labelled rows can be used, for their class, their score or both."""
        return int(self.by_label.sum())

    @property
    def predicted(self) -> int:
        """How many of them have a predicted class."""
        return int(self.confusion.sum())

    @property
    def by_label(self) -> Counts:
        """How many rows have each class as label."""
        return np.asarray(self.confusion.sum(axis=1) + self.unpredicted)

    @property
    def by_ranked_label(self) -> Counts:
        """How many rows have each class as label, of those that `scores` are of."""
        found = np.zeros(len(self.classes), np.int64)
        for name, counted in self.scores.items():
            if self.binary:
                found += counted.truth.sum(axis=1)
            else:
                found[self.classes.index(name)] = counted.truth[POSITIVE].sum()
        return found

    @property
    def by_scored_label(self) -> Counts:
        """How many rows have each class as label, of those that `moments` are of."""
        return np.rint(self.moments[:, 6]).astype(np.int64)

    @property
    def unclassed(self) -> str:
        """Why rows have no predicted class."""
        return NO_PREDICTION if self.logged else NO_SCORE

    @property
    def binary(self) -> bool:
        """Whether there is a positive class and another."""
        return len(self.classes) == 2 and self.classes[0] == ""

    def total(self, parts: Sequence[Any]) -> "ClassProfile":
        """Return the sum of profiles on this one's bins, whatever classes each holds."""
        classes = self.classes
        if not self.binary:
            names = {name for part in parts for name in part.classes} - {*classes}
            classes = (*classes, *sorted(names))
        whole = ClassProfile.empty(self.bins, classes)
        for part in parts:
            places = np.array([classes.index(name) for name in part.classes], np.int64)
            whole.confusion[np.ix_(places, places)] += part.confusion
            for name in ("unpredicted", "moments", "unscored"):
                getattr(whole, name)[places] += getattr(part, name)
        return replace(
            whole,
            rows=sum(part.rows for part in parts),
            labelled=sum(part.labelled for part in parts),
            dropped=_added(part.dropped for part in parts),
            scores={
                name: ScoreCounts.total([empty, *(part.scores[name] for part in parts)])
                for name, empty in whole.scores.items()
            },
            stray=sum(part.stray for part in parts),
            found=tuple(sorted({name for part in parts for name in part.found})),
            logged=all(part.logged for part in parts),
        )

    @property
    def content(self) -> bytes:
        """Its numbers, packed; `read` unpacks them."""
        head = {"classes": self.classes, "found": self.found, "stray": self.stray}
        head |= {"logged": self.logged}
        ints = [self.confusion, self.unpredicted, self.unscored]
        ints += [a for s in self.scores.values() for a in (s.joint, s.said)]
        floats = [self.moments, *(a for s in self.scores.values() for a in (s.sums, s.said_sums))]
        return _packed(head | {"dropped": dict(self.dropped)}, ints, floats)

    @classmethod
    def read(cls, bins: OutcomeBins, rows: int, labelled: int, content: bytes) -> "ClassProfile":
        """Return the profile that `content` holds."""
        head, ints, floats = _unpacked(content)
        many = len(head["classes"])
        take, sum_of = _Taken(ints), _Taken(floats)
        confusion, unpredicted, unscored = take((many, many)), take((many,)), take((many,))
        moments = sum_of((many, 7))
        scores = {}
        for name, edges in bins.scores.items():
            size = len(edges) + 1
            joint, said = take((2, 3, size)), take((3, size))
            sums, said_sums = sum_of((size,)), sum_of((3, size))
            scores[name] = ScoreCounts(joint=joint, sums=sums, said=said, said_sums=said_sums)
        return cls(
            bins=bins,
            classes=tuple(head["classes"]),
            rows=rows,
            labelled=labelled,
            dropped=head["dropped"],
            confusion=confusion,
            unpredicted=unpredicted,
            moments=moments,
            scores=scores,
            unscored=unscored,
            stray=head["stray"],
            found=tuple(head["found"]),
            logged=head["logged"],
        )


MOMENTS = (
    "error",
    "absolute",
    "squared",
    "fourth",
    "relative",
    "relative_squared",
    "label",
    "label_squared",
    "label_cubed",
    "label_fourth",
    "squared_label",
    "squared_label_squared",
)
"""What is summed of a regression: of the error (prediction less label) and of the label less the
least one of the stretch, both scaled. Above the least nothing cancels, however far labels lie from
those of the reference.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueProfile:
    """What came of a regression's predictions.

    `rows`, `labelled` and `dropped` as of a `ClassProfile`. `used` labelled rows can be used, of
    `zeros` the label is 0. `least` is the least label, `largest` the largest absolute error.
    `moments` are the sums that `MOMENTS` names; relative errors are those to labels other than 0.
    `errors` counts the absolute errors by ascending bin.
    """

    bins: OutcomeBins
    rows: int = 0
    labelled: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    used: int = 0
    zeros: int = 0
    least: float = 0.0
    largest: float = 0.0
    moments: Floats
    errors: Counts

    @classmethod
    def empty(cls, bins: OutcomeBins) -> "ValueProfile":
        """Return the profile of no row."""
        size = len(bins.errors or ()) + 1
        return cls(bins=bins, moments=np.zeros(len(MOMENTS)), errors=np.zeros(size, np.int64))

    def moment(self, name: str) -> float:
        """Return one of the sums."""
        return float(self.moments[MOMENTS.index(name)])

    @property
    def mean_label(self) -> float | None:
        """The mean of the labels; None without any."""
        if not self.used:
            return None
        return self.least + self.bins.scale * self.moment("label") / self.used

    def about(self, label: float) -> Floats:
        """Return the sums with another label taken for the least: the binomial theorem."""
        d, held = (
            (self.least - label) / self.bins.scale,
            dict(zip(MOMENTS, self.moments, strict=True)),
        )
        y, y2, y3, n = held["label"], held["label_squared"], held["label_cubed"], self.used
        e2, e2_y = held["squared"], held["squared_label"]
        held["label"] += n * d
        held["label_squared"] += 2 * d * y + n * d**2
        held["label_cubed"] += 3 * d * y2 + 3 * d**2 * y + n * d**3
        held["label_fourth"] += 4 * d * y3 + 6 * d**2 * y2 + 4 * d**3 * y + n * d**4
        held["squared_label"] += d * e2
        held["squared_label_squared"] += 2 * d * e2_y + d**2 * e2
        return np.array([*held.values()])

    def total(self, parts: Sequence[Any]) -> "ValueProfile":
        """Return the sum of profiles on this one's bins."""
        whole = ValueProfile.empty(self.bins)
        held = [part for part in parts if part.used]
        least = min((part.least for part in held), default=0.0)
        return replace(
            whole,
            rows=sum(part.rows for part in parts),
            labelled=sum(part.labelled for part in parts),
            dropped=_added(part.dropped for part in parts),
            used=sum(part.used for part in parts),
            zeros=sum(part.zeros for part in parts),
            least=least,
            largest=max((part.largest for part in held), default=0.0),
            moments=np.sum([whole.moments, *(part.about(least) for part in held)], axis=0),
            errors=np.sum([whole.errors, *(part.errors for part in parts)], axis=0),
        )

    @property
    def content(self) -> bytes:
        """Its numbers, packed; `read` unpacks them."""
        head = {"used": self.used, "zeros": self.zeros, "dropped": dict(self.dropped)}
        return _packed(head, [self.errors], [self.moments, np.array([self.least, self.largest])])

    @classmethod
    def read(cls, bins: OutcomeBins, rows: int, labelled: int, content: bytes) -> "ValueProfile":
        """Return the profile that `content` holds."""
        head, ints, floats = _unpacked(content)
        return cls(
            bins=bins,
            rows=rows,
            labelled=labelled,
            dropped=head["dropped"],
            used=head["used"],
            zeros=head["zeros"],
            moments=floats[:-2],
            least=float(floats[-2]),
            largest=float(floats[-1]),
            errors=ints,
        )


OutcomeProfile = ClassProfile | ValueProfile
OutcomeParts = Mapping[Part, OutcomeProfile]
"""By model version and segment what came of a stretch."""


def coverage(profile: OutcomeProfile) -> float | None:
    """Return the share of the predictions that have a label; None without predictions."""
    return profile.labelled / profile.rows if profile.rows else None


def alike(one: OutcomeProfile, other: OutcomeProfile) -> bool:
    """Whether two profiles hold the same: counts to the last row, sums up to their rounding."""
    if (type(one), one.rows, one.labelled) != (type(other), other.rows, other.labelled):
        return False
    (head, ints, floats), (head2, ints2, floats2) = (_unpacked(p.content) for p in (one, other))
    same = head == head2 and np.array_equal(ints, ints2)
    return bool(same and np.allclose(floats, floats2, rtol=1e-9, atol=1e-9))


def _added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for name, number in part.items():
            found[name] = found.get(name, 0) + number
    return found


class _Taken:
    """Cuts arrays off the front of one vector."""

    def __init__(self, vector: NDArray[Any]) -> None:
        self._vector, self._at = vector, 0

    def __call__(self, shape: tuple[int, ...]) -> NDArray[Any]:
        size = int(np.prod(shape))
        self._at += size
        return self._vector[self._at - size : self._at].reshape(shape)


def _packed(
    head: Mapping[str, Any], ints: Sequence[NDArray[Any]], floats: Sequence[NDArray[Any]]
) -> bytes:
    counts = np.concatenate([array.ravel() for array in ints]).astype("<i8")
    sums = np.concatenate([array.ravel() for array in floats]).astype("<f8")
    text = json.dumps({**head, "counts": len(counts)}, separators=(",", ":"))
    return zlib.compress(text.encode() + b"\n" + counts.tobytes() + sums.tobytes(), 1)


def _unpacked(content: bytes) -> tuple[dict[str, Any], Counts, Floats]:
    text, _, numbers = zlib.decompress(content).partition(b"\n")
    head = json.loads(text)
    cut = 8 * head["counts"]
    return head, np.frombuffer(numbers[:cut], "<i8"), np.frombuffer(numbers[cut:], "<f8")
