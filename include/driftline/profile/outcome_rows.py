"""The outcome profile of rows that lie in no warehouse: the same that SQL counts of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.monitor.config import Monitor
from driftline.monitor.sections import Task
from driftline.profile import outcome_groups as fold
from driftline.profile.classes import classes_of, negative_class, rows_by_class
from driftline.profile.outcomes import (
    EPSILON,
    LARGE,
    NO_LABEL_VALUE,
    NO_PREDICTION_VALUE,
    ROUNDING,
    SLACK,
    SMALL,
    STRAY,
    UNLABELLED,
    UNUSABLE,
    OutcomeBins,
    OutcomeProfile,
)
from driftline.profile.rows import LABEL, PREDICTION, SCORE, scores_of

Floats = NDArray[np.float64]


def bins_of_outcomes(monitor: Monitor, table: pa.Table) -> OutcomeBins:
    """Return the bins of a reference's rows, or of a sample of them."""
    if monitor.task is Task.REGRESSION:
        labels = _numbers(table, LABEL)
        return OutcomeBins.of_errors(labels, _numbers(table, PREDICTION))
    thresholds = [monitor.predictions.threshold] if monitor.task is Task.BINARY else []
    scores = {name: _numbers(table, column) for name, column in _scores(monitor, table).items()}
    bins = OutcomeBins.of_scores(scores, thresholds) if scores else OutcomeBins()
    return replace(bins, negative=_negative(monitor, table))


def _negative(monitor: Monitor, table: pa.Table) -> str:
    """Return what a reference calls the class of a binary model that is not the positive one."""
    if monitor.task is not Task.BINARY:
        return ""
    roles = {LABEL: fold.LABEL_KEY, PREDICTION: fold.PREDICTION_KEY}
    there = [
        classes_of(table[name], key) for name, key in roles.items() if name in table.column_names
    ]
    return negative_class(rows_by_class(*there), monitor.predictions.positive)


def profile_of(monitor: Monitor, bins: OutcomeBins, table: pa.Table) -> OutcomeProfile:
    """Return the outcome profile of rows, as `Logs.outcomes` counts one.

    Raises LogError where labels or classes are not as the monitor's file says.
    """
    rows = len(table)
    truth = table[LABEL] if LABEL in table.column_names else pa.nulls(rows, pa.string())
    logged = PREDICTION in table.column_names
    held: dict[str, Any] = {"rows": np.ones(rows, np.int64), "truth": _whole(truth)}
    if logged:
        held["said"] = _whole(table[PREDICTION])
    if monitor.task is Task.REGRESSION:
        found = fold.values(pa.table(_of_values(table, bins)), (), bins)
        return found[()] if found else _empty(monitor, bins)
    scores = _scores(monitor, table) if bins.scores else {}
    p = {name: probabilities(_numbers(table, column)) for name, column in scores.items()}
    if monitor.task is Task.BINARY:
        if p:
            ((name, chance),) = p.items()
            held |= _of_two(chance, bins.scores[name])
            with np.errstate(invalid="ignore"):
                held.setdefault("said", (chance >= monitor.predictions.threshold).astype(np.int64))
        counted = pa.table(held)
        chosen = monitor.predictions.positive
        one = fold.two_classes(counted, (), bins, chosen, logged=logged)
        return one[()] if one else _empty(monitor, bins)
    if p:
        held |= _of_many(list(p.values()))
        whole = np.nan_to_num(np.stack(list(p.values())), nan=-1.0)
        held.setdefault("said", whole.argmax(axis=0))
    many = fold.many_classes(pa.table(held), (), bins, logged=logged)
    for name in p if many else ():
        counted = pa.table(_of_class(name, p, held, bins, logged=logged))
        many = fold.with_scores(many, counted, (), name)
    return many[()] if many else _empty(monitor, bins)


def _empty(monitor: Monitor, bins: OutcomeBins) -> OutcomeProfile:
    return fold.empty(monitor.task, bins, monitor.predictions.positive)


def _scores(monitor: Monitor, table: pa.Table) -> Mapping[str, str]:
    if monitor.task is Task.BINARY:
        return {fold.SCORED: SCORE} if SCORE in table.column_names else {}
    return {n: column for n, column in scores_of(monitor).items() if column in table.column_names}


def _whole(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _numbers(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    return np.asarray(pc.cast(table[name], pa.float64(), safe=False).to_numpy(), np.float64)


def probabilities(numbers: Floats) -> Floats:
    """Return the numbers between 0 and 1, NaN for all else."""
    with np.errstate(invalid="ignore"):
        inside = (numbers >= -ROUNDING) & (numbers <= 1 + ROUNDING)
    return np.where(inside, np.clip(numbers, 0, 1), np.nan)


def _loss(chance: Floats) -> Floats:
    return np.asarray(-np.log(np.clip(chance, EPSILON, 1 - EPSILON)))


def _codes(values: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    places = np.searchsorted(np.asarray(edges, np.float64), values, side="right")
    return np.where(np.isnan(values), UNUSABLE, places)


def _of_two(p: Floats, edges: Sequence[float]) -> dict[str, Any]:
    own, other = p, 1 - p
    held: dict[str, Any] = {"code": _codes(p, edges)}
    for name, value, powers in (
        ("own", own, (1, 2, 4)),
        ("other", other, (2, 4)),
        ("if_own", _loss(own), (1, 2)),
        ("if_other", _loss(other), (1, 2)),
    ):
        held |= {f"{name}{power}": np.nan_to_num(value**power) for power in powers}
    return held


def _of_many(chances: Sequence[Floats]) -> dict[str, Any]:
    every = np.stack(chances)
    whole, squares = every.sum(axis=0), (every**2).sum(axis=0)
    held = {
        "code": np.where(np.isnan(whole), UNUSABLE, STRAY * (np.abs(whole - 1) > SLACK)),
        "squares1": squares,
        "squares2": squares**2,
    }
    for place, p in enumerate(chances):
        loss = _loss(p)
        held |= {f"p{place}_1": p, f"p{place}_2": p**2, f"p{place}_s": p * squares}
        held |= {f"l{place}_1": loss, f"l{place}_2": loss**2}
    return {name: np.nan_to_num(value).astype(np.float64) for name, value in held.items()}


def _of_class(
    name: str, p: Mapping[str, Floats], held: Mapping[str, Any], bins: OutcomeBins, *, logged: bool
) -> dict[str, Any]:
    usable = ~np.isnan(np.stack(list(p.values()))).any(axis=0)
    own = np.where(usable, p[name], np.nan)
    return {
        "rows": held["rows"],
        "truth": _among(held["truth"], name, [*p]),
        "said": (
            _among(held["said"], name)
            if logged
            else pa.array((held["said"] == list(p).index(name)).astype(np.int64))
        ),
        "code": _codes(own, bins.scores[name]),
        "own1": np.nan_to_num(own),
    }


def _among(column: Any, wanted: str, known: Sequence[str] = ()) -> Any:
    """Return 1 where a value stands for the wanted class, 0 for another, NULL where for none.

    Where some are `known`, any other is none.
    """
    names, places = classes_of(pa.chunked_array([column]), "classes")
    at = names.index(wanted) if wanted in names else -2
    strange = [place for place, name in enumerate(names) if known and name not in known]
    return pa.array((places == at).astype(np.int64), mask=(places < 0) | np.isin(places, strange))


def _of_values(table: pa.Table, bins: OutcomeBins) -> dict[str, Any]:
    y, p = _numbers(table, LABEL), _numbers(table, PREDICTION)
    missing = (
        np.asarray(pc.is_null(table[LABEL]).to_numpy(), bool)
        if LABEL in table.column_names
        else np.ones(len(table), bool)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        y_known, p_known = np.abs(y) <= LARGE, np.abs(p) <= LARGE
    known = ~missing & y_known & p_known
    with np.errstate(invalid="ignore"):
        far = np.where(known, np.abs(p - y), 0.0)
        e = np.where(known, p - y, 0.0)
    least = float(y[known].min()) if known.any() else 0.0
    y = np.where(known, y, least)
    code = np.searchsorted(np.asarray(bins.errors or (), np.float64), np.abs(e), side="right")
    for unknown, state in (
        (~p_known, NO_PREDICTION_VALUE),
        (~y_known, NO_LABEL_VALUE),
        (missing, UNLABELLED),
    ):
        code = np.where(unknown, state, code)
    size = np.abs(y)
    r = np.divide(far, size, out=np.zeros_like(e), where=size >= SMALL)
    e, z = e / bins.scale, (y - least) / bins.scale
    return {
        "rows": np.ones(len(table), np.int64),
        "code": code,
        "zeros": (known & (size < SMALL)).astype(np.float64),
        "least": np.full(len(table), least),
        "largest": far,
        "error": e,
        "absolute": np.abs(e),
        "squared": e**2,
        "fourth": e**4,
        "relative": r,
        "relative_squared": r**2,
        "label": z,
        "label_squared": z**2,
        "label_cubed": z**3,
        "label_fourth": z**4,
        "squared_label": e**2 * z,
        "squared_label_squared": e**2 * z**2,
    }
