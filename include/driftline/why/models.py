"""What a row of the reference would cost, which side it is of, and what the model answers to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.suites.domain_classifier import classifier
from driftline.why.columns import Coded
from driftline.why.sides import Floats

FEWEST = 100
"""Labelled rows of either side below which nothing is learnt."""
MOST = 8_000
"""Rows of either side that are learnt from."""
FOLDS = 3


class Learnt(NamedTuple):
    """What models that have not seen a row say of it, and the models."""

    reference: Floats
    window: Floats
    models: tuple[Any, ...]

    def of(self, rows: Floats) -> Floats:
        """Return what they say of other rows, on average."""
        return np.asarray(np.mean([model.predict(rows) for model in self.models], axis=0))


def regression(
    reference: Floats, window: Floats, target: Floats, categorical: NDArray[np.bool_]
) -> Learnt:
    """Learn a number from the rows of the reference: each of them is told by the others."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    fold = _fold(len(reference), 3)
    said, models = np.zeros(len(reference)), []
    for number in range(FOLDS):
        seen, held = fold != number, fold == number
        model = HistGradientBoostingRegressor(
            max_iter=60,
            max_leaf_nodes=15,
            learning_rate=0.1,
            categorical_features=categorical,
            early_stopping=False,
            random_state=0,
        ).fit(_fit(reference[seen]), target[seen])
        said[held] = model.predict(reference[held])
        models.append(model)
    learnt = Learnt(said, np.zeros(0), tuple(models))
    return learnt._replace(window=learnt.of(window))


def side_of(reference: Floats, window: Floats, categorical: NDArray[np.bool_]) -> Learnt:
    """Return how likely each row is one of the window's, were both sides equally large."""
    folds = [_fold(len(side), seed) for seed, side in enumerate((reference, window), start=1)]
    said = [np.zeros(len(reference)), np.zeros(len(window))]
    for number in range(FOLDS):
        seen = [side[fold != number] for side, fold in zip((reference, window), folds, strict=True)]
        truth = np.repeat([0, 1], [len(side) for side in seen])
        # Weights would cost six times the time: the odds are put right afterwards.
        model = classifier(categorical).fit(_fit(np.concatenate(seen)), truth)
        larger = len(seen[0]) / len(seen[1])
        for at, side in enumerate((reference, window)):
            held = folds[at] == number
            chance = model.predict_proba(side[held])[:, 1]
            said[at][held] = larger * chance / (larger * chance + 1 - chance)
    return Learnt(said[0], said[1], ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """What each bin of each column adds to the score, as far as columns add up."""

    of: dict[str, Floats]
    sizes: dict[str, float]
    """The standard deviation of each column's effect over the reference, as a share of the score's.
    """


def effects(columns: Sequence[Coded], score: Floats, rows: NDArray[np.int64]) -> Effects:
    """Return the additive effects of all columns on the score, by ridge regression on their bins.

    Source: Hastie and Tibshirani, Generalized Additive Models, 1990, with one step for each bin.
    """
    starts = np.concatenate([[0], np.cumsum([column.size for column in columns])])
    design = np.zeros((len(rows), int(starts[-1])), dtype=np.float32)
    for start, column in zip(starts, columns, strict=False):
        design[np.arange(len(rows)), start + column.reference[rows]] = 1
    held = design.mean(axis=0)
    centred = score[rows] - score[rows].mean()
    gram = (design.T @ design).astype(np.float64) - len(rows) * np.outer(held, held)
    known = design.T.astype(np.float64) @ centred
    weights = np.linalg.solve(gram + np.eye(len(gram)) * (1e-3 * len(rows) / 20 + 1), known)
    spread = max(float(score[rows].std()), 1e-12)
    found, sizes = {}, {}
    for start, column in zip(starts, columns, strict=False):
        own = weights[start : start + column.size]
        share = held[start : start + column.size]
        own = own - float(own @ share)
        found[column.name] = own
        sizes[column.name] = float(np.sqrt(max(0.0, float(own**2 @ share)))) / spread
    return Effects(of=found, sizes=sizes)


def _fold(size: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(np.arange(size) % FOLDS)


def _fit(rows: Floats) -> Floats:
    """Return rows that scikit-learn takes: it refuses a column of nulls only."""
    empty = np.isnan(rows).all(axis=0)
    if not empty.any():
        return rows
    rows = rows.copy()
    rows[:, empty] = 0
    return rows
