"""Drift of all features at once: how well a classifier tells the window from the reference.

It sees what no column shows alone: a correlation that flips, two columns that swap their meaning.
Source: Rabanser, Günnemann and Lipton, Failing Loudly, NeurIPS 2019; Lopez-Paz and Oquab,
Revisiting Classifier Two-Sample Tests, ICLR 2017.
"""

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline import metrics
from driftline.domain import ColumnKind, Engine, Measurement, Scope, Suite
from driftline.printable import amount
from driftline.profile.rows import sample_of
from driftline.stats.ranking import cross_validated_area, roc_area
from driftline.suites.engines import FAILURES, engine, importing, unable
from driftline.suites.frame import Column, Frame

FEWEST = 100
"""Rows of either side below which nothing is learnt."""
MOST = 10_000
"""Rows of either side that are learnt from: two seconds of one core with 20 columns."""
FOLDS = 5
_MOST_CODES = 255
"""So many categories scikit-learn's trees can tell apart."""
_ASKED = 500
"""Rows of either side, of each fold, that are asked which columns matter."""
_NAMED = 3
_WORTH = 0.1
"""A column is named that matters at least so much, as a share of what the first one does."""


class _Fold(NamedTuple):
    """A classifier and the rows of the window and of the reference that it has not seen."""

    model: Any
    window: NDArray[np.float64]
    reference: NDArray[np.float64]

    def scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how likely each row is one of the window's."""
        with engine("scikit-learn"):
            return np.asarray(self.model.predict_proba(rows)[:, 1])


def measure(
    scope: Scope, current: Frame, reference: Frame, features: Collection[str]
) -> Measurement:
    """Return the ROC AUC of a classifier between the two frames' rows, out of fold, by features.

    It is 0.5 where nothing tells them apart and 1 where everything does; `lower` and `upper` are
    its 95% interval. As many rows of either side are used, drawn by a fixed seed: the same rows
    give the same number. `reason` names the columns that tell most. None below `FEWEST` rows, and
    where scikit-learn fails.
    """
    size = min(current.rows, reference.rows, MOST)
    names = [
        name
        for name in features
        if not current.columns[name].absent and not reference.columns[name].absent
    ]
    if reason := _obstacle(current, reference, size, features, names):
        return _measurement(scope, None, size, reason=reason)
    random = np.random.default_rng(0)
    drawn = [np.sort(random.permutation(side.rows)[:size]) for side in (current, reference)]
    kinds = [current.columns[name].kind for name in names]
    coded = np.column_stack(
        [_coded(current.columns[name], reference.columns[name], *drawn) for name in names]
    )
    try:
        with one_thread():
            folds = list(_folds(coded[:size], coded[size:], kinds))
            area = cross_validated_area(
                (fold.scores(fold.window), fold.scores(fold.reference)) for fold in folds
            )
            lower, upper = area.interval
            found = _words(_telling(folds, names)) if lower > 0.5 else ""
    except FAILURES as error:
        return _measurement(scope, None, size, reason=unable(error, scope.window))
    if upper < 0.5:
        found = "worse than chance, as where rows of the window recur in the reference"
    reason = "; ".join(filter(None, (found, sample_of(size, current.total))))
    return _measurement(scope, area.value, size, lower=lower, upper=upper, reason=reason)


def _obstacle(
    current: Frame, reference: Frame, size: int, features: Collection[str], names: Collection[str]
) -> str:
    """Return why nothing can be learnt from these rows, in words; '' when something can."""
    if not features:
        return "there are no features"
    for frame, place in ((current, "window"), (reference, "reference")):
        if frame.rows < FEWEST:
            rows = amount(frame.rows, "row")
            return f"{rows} in the {place}: a classifier wants {FEWEST} of each side"
    return "" if names else "no feature is there in both the window and the reference"


def _coded(
    ours: Column, theirs: Column, our_rows: NDArray[Any], their_rows: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the window's values and then the reference's as numbers, NaN where there is none.

    Categories are numbered by how frequent they are; the rarest share the last number.
    """
    values = np.concatenate([ours.values[our_rows], theirs.values[their_rows]])
    if ours.kind.is_number:
        return values.astype(np.float64)
    texts = pa.array(values, pa.string()).dictionary_encode()
    names = texts.dictionary.to_pylist()
    codes = np.array(texts.indices, dtype=np.float64)  # NaN for null
    known = ~np.isnan(codes)
    counts = np.bincount(codes[known].astype(np.int64), minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    ranks = np.empty(len(names))
    ranks[ranked] = np.minimum(np.arange(len(names)), _MOST_CODES - 1)
    codes[known] = ranks[codes[known].astype(np.int64)]
    return codes


def _folds(
    window: NDArray[np.float64], reference: NDArray[np.float64], kinds: Sequence[ColumnKind]
) -> Iterator[_Fold]:
    """Yield the folds: of each side the same number of rows, every row in one of them."""
    categorical = np.array([kind is ColumnKind.CATEGORICAL for kind in kinds])
    random = np.random.default_rng(1)
    places = [random.permutation(np.arange(len(side)) % FOLDS) for side in (window, reference)]
    for fold in range(FOLDS):
        seen = [side[at != fold] for side, at in zip((window, reference), places, strict=True)]
        rows, truth = np.concatenate(seen), np.repeat([1, 0], [len(side) for side in seen])
        rows[:, np.isnan(rows).all(axis=0)] = 0  # scikit-learn refuses a column of nulls only
        held = [side[at == fold] for side, at in zip((window, reference), places, strict=True)]
        with engine("scikit-learn"):
            learnt = classifier(categorical).fit(rows, truth)
        yield _Fold(learnt, *held)


def classifier(categorical: NDArray[np.bool_]) -> Any:
    """Return the untrained classifier: small trees that see interactions, and nulls as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=50,
        max_leaf_nodes=15,
        categorical_features=categorical,
        early_stopping=False,
        random_state=0,
    )


def _telling(folds: Sequence[_Fold], names: Sequence[str]) -> list[str]:
    """Return the columns by which the rows are told apart most, at most three, the first first.

    What a column matters is how much of the AUC is lost when its values are shuffled, in rows
    that the classifiers have not seen. Source: Breiman, Random Forests, Machine Learning 45, 2001.
    """
    random, lost = np.random.default_rng(2), np.zeros(len(names))
    for fold in folds:
        window, reference = fold.window[:_ASKED], fold.reference[:_ASKED]
        rows, size = np.concatenate([window, reference]), len(window)
        whole = fold.scores(rows)
        before = roc_area(whole[:size], whole[size:]).value
        for place in range(len(names)):
            shuffled = rows.copy()
            shuffled[:, place] = random.permutation(shuffled[:, place])
            scores = fold.scores(shuffled)
            lost[place] += before - roc_area(scores[:size], scores[size:]).value
    ranked = np.argsort(-lost, kind="stable")[:_NAMED]
    return [names[at] for at in ranked if lost[at] > max(0.0, _WORTH * lost.max())]


def _words(telling: Sequence[str]) -> str:
    return f"the window's rows are told apart most by {', '.join(telling)}" if telling else ""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep scikit-learn on one core: its threads wait by spinning, and others work here too."""
    with importing("scikit-learn", "sklearn", "evidently"):
        import sklearn.ensemble  # noqa: F401 (it loads what is to be limited)
        from threadpoolctl import threadpool_limits
    with (
        threadpool_limits(1, user_api="openmp"),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


def _measurement(scope: Scope, value: float | None, size: int, **rest: Any) -> Measurement:
    return scope.measurement(
        Suite.DRIFT,
        metrics.DOMAIN_CLASSIFIER_AUC,
        value,
        engine=Engine.SCIKIT_LEARN,
        baseline="reference",
        row_count=size,
        **rest,
    )
