"""The errors of a regression before its labels come: direct loss estimation.

A second model learns from the reference how far off the first one is, by the features and by what
it predicted. That holds where the inputs change; where the same input comes to mean another label,
no model tells, and `driftline.stats.trust` finds it out later.
Source: NannyML 0.13.1, `nannyml/performance_estimation/direct_loss_estimation` and the page on DLE
in How it Works; it learns from all rows at once, this from folds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.errors import SuiteError
from driftline.metrics import ESTIMATED
from driftline.monitor.sections import Task
from driftline.printable import amount
from driftline.suites.domain_classifier import one_thread
from driftline.suites.engines import engine, unable
from driftline.suites.frame import Column, Frame

FEWEST = 100
"""Labelled rows of the reference below which nothing is learnt."""
MOST = 20_000
"""Labelled rows that are learnt from, drawn by a fixed seed: two seconds of one core."""
FOLDS = 3
_MOST_CODES = 255
"""So many categories scikit-learn's trees can tell apart."""
_Z = 1.959963984540054

Numbers = NDArray[np.float64]


class Estimate(NamedTuple):
    """An error as it is expected, and the ends of its 95% interval, in the metric's units."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loss:
    """What each row costs, as learnt: a model a fold, and what none of them knew."""

    models: Sequence[Any]
    bias: float
    """By how much losses were above their estimates on average, in rows not learnt from."""
    spread: float
    """How far a row's loss is from its estimate, in rows not learnt from, over the mean loss.

    A share of it and not a number: where errors are large they also vary more.
    """

    def mean(self, rows: Numbers) -> float:
        """Return the mean loss to expect of rows."""
        with engine("scikit-learn"):
            found = np.mean([model.predict(rows).mean() for model in self.models])
        return max(0.0, float(found) + self.bias)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DirectLoss:
    """What was learnt from a reference; make one with `fit`."""

    categories: Mapping[str, pa.Array | None]
    """Of each feature the categories by how frequent they are; None for numbers."""
    losses: Mapping[str, _Loss]
    """By metric; `rmse` is the root of `mse`."""
    unlearnt: Mapping[str, str]
    """By metric why its loss could not be learnt."""
    rows: int
    """Rows that were learnt from."""

    def estimates(self, window: Frame, predicted: Numbers) -> dict[str, Estimate]:
        """Return `mae`, `mse`, `rmse` and `mape`, as far as learnt, to expect of a window's rows.

        `predicted` is each row's prediction, in the order of the frame; rows without one do not
        count, and with none there are no estimates. The interval holds the chance of the labels and
        of the reference's rows.
        """
        made = np.isfinite(predicted)
        size = int(made.sum())
        if not size or not self.losses:
            return {}
        rows = _coded(window, predicted, self.categories)[made]
        share = math.sqrt(1 / size + 1 / self.rows)
        with one_thread():
            means = {name: loss.mean(rows) for name, loss in self.losses.items()}
        found = {}
        for name, mean in means.items():
            reach = _Z * self.losses[name].spread * mean * share
            low, high = max(0.0, mean - reach), mean + reach
            found[name] = Estimate(mean, low, high)
        if "mse" in found:
            found["rmse"] = Estimate(*map(math.sqrt, found["mse"]))
        return found


def fit(
    reference: Frame, predicted: Numbers, actual: Numbers, features: Sequence[str]
) -> DirectLoss:
    """Learn from a reference's rows what errors to expect, by its features and predictions.

    `predicted` and `actual` are NaN where a row has none. The same rows give the same estimates.
    `mape` is learnt where no label is 0; of a loss that could not be learnt the result says why.
    """
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(actual))
    if len(known) < FEWEST:
        few = (
            f"{amount(len(known), 'labelled row')} in the reference: to learn errors takes {FEWEST}"
        )
        unlearnt = dict.fromkeys(ESTIMATED[Task.REGRESSION], few)
        return DirectLoss(categories={}, losses={}, unlearnt=unlearnt, rows=len(known))
    random = np.random.default_rng(0)
    drawn = np.sort(random.permutation(known)[:MOST])
    there = [name for name in features if not reference.columns[name].absent]
    categories = {name: _categories(reference.columns[name], drawn) for name in there}
    rows = _coded(reference, predicted, categories)[drawn]
    with np.errstate(over="ignore"):
        error = np.abs(predicted - actual)[drawn]
        losses, unlearnt = {"mae": error, "mse": error**2}, {}
    if np.all(actual[drawn] != 0):
        losses["mape"] = error / np.abs(actual[drawn])
    else:
        unlearnt["mape"] = "labels of the reference are 0: no error is relative to them"
    folds = random.permutation(np.arange(len(drawn)) % FOLDS)
    categorical = np.array([each is not None for each in (*categories.values(), None)])
    learnt = {}
    with one_thread():
        for name, loss in losses.items():
            try:
                learnt[name] = _learnt(rows, loss, folds, categorical)
            except SuiteError as problem:
                unlearnt[name] = unable(problem, f"estimates of {name}")
    if "mse" in unlearnt:
        unlearnt["rmse"] = unlearnt["mse"]
    return DirectLoss(categories=categories, losses=learnt, unlearnt=unlearnt, rows=len(drawn))


def regressor(categorical: NDArray[np.bool_]) -> Any:
    """Return the untrained model of a loss: trees that see interactions, and nulls as they are."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=50,
        categorical_features=categorical,
        early_stopping=False,
        random_state=0,
    )


def _learnt(
    rows: Numbers, loss: Numbers, folds: NDArray[Any], categorical: NDArray[np.bool_]
) -> _Loss:
    """Return the models of a loss; what they do not know is seen in rows of the other folds."""
    models, off = [], np.empty(len(loss))
    for fold in range(FOLDS):
        held = folds == fold
        seen = rows[~held]
        seen[:, np.isnan(seen).all(axis=0)] = 0  # scikit-learn refuses a column of nulls only
        with engine("scikit-learn"):
            model = regressor(categorical).fit(seen, loss[~held])
            off[held] = loss[held] - model.predict(rows[held])
        models.append(model)
    mean = float(loss.mean())
    spread = float(off.std()) / mean if mean > 0 else 0.0
    return _Loss(models=models, bias=float(off.mean()), spread=spread)


def _categories(column: Column, rows: NDArray[Any]) -> pa.Array | None:
    """Return the categories that are told apart, the most frequent first; None for numbers."""
    if column.kind.is_number:
        return None
    counts = pc.value_counts(pa.array(column.values[rows], pa.string()).drop_null())
    ranked = sorted(counts.to_pylist(), key=lambda each: (-each["counts"], each["values"]))
    return pa.array([each["values"] for each in ranked[: _MOST_CODES - 1]], pa.string())


def _coded(frame: Frame, predicted: Numbers, categories: Mapping[str, pa.Array | None]) -> Numbers:
    """Return the rows as numbers, the prediction last; NaN where there is none.

    A category is its rank in the reference, and all that are rare or new there share the next.
    """
    parts = []
    for name, known in categories.items():
        column = frame.columns[name]
        if known is None:
            parts.append(column.values.astype(np.float64))
            continue
        texts = pa.array(column.values, pa.string())
        codes = pc.fill_null(pc.index_in(texts, known), len(known)).to_numpy(zero_copy_only=False)
        empty = texts.is_null().to_numpy(zero_copy_only=False)
        parts.append(np.where(empty, np.nan, codes.astype(np.float64)))
    return np.column_stack([*parts, predicted])
