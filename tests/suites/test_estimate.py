"""Estimates before labels, where a predicted class is missing in the window or the reference."""

import warnings

import numpy as np
import pyarrow as pa
import pytest

from driftline.metrics import FROM_SCORES
from driftline.profile.outcome_rows import bins_of_outcomes, profile_of
from driftline.suites import estimate
from tests.suites.conftest import monitor_of, rows

N = 600
RNG = np.random.default_rng(23)
OF_CLASSES = {"accuracy", "balanced_accuracy", "precision", "recall", "f1"}
NAMES = {"binary": ("0", "1"), "multiclass": ("a", "b", "c")}


def drawn(task: str, missing: np.ndarray | None) -> dict:
    """Return scores, labels drawn by them and a logged class, null where it is missing."""
    names = NAMES[task]
    chances = RNG.dirichlet(np.ones(len(names)), N)
    truth = (chances.cumsum(axis=1) < RNG.random((N, 1))).sum(axis=1)
    columns = {f"_score:{name}": chances[:, n] for n, name in enumerate(names)}
    columns = {"_score": chances[:, 1]} if task == "binary" else columns
    said = np.array(names)[chances.argmax(axis=1)]
    columns |= {"_label": np.array(names)[truth], "_prediction": pa.array(said, mask=missing)}
    return columns


def estimated(scope, task: str, window: dict, reference: dict) -> dict:
    monitor = monitor_of(task, {"prediction": "said"})
    tables = [rows(**columns).table for columns in (window, reference)]
    bins = bins_of_outcomes(monitor, tables[1])
    found = estimate.of_scores(scope, *(profile_of(monitor, bins, t) for t in tables), {})
    return {each.metric: each for each in found}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("side", ["window", "reference", "both"])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_what_is_estimated_of_scores_needs_no_predicted_class(scope, task, side, share):
    missing = np.arange(N) < share * N
    window, reference = drawn(task, None), drawn(task, None)
    complete = estimated(scope, task, window, reference)
    assert complete.keys() >= OF_CLASSES
    for name, columns in (("window", window), ("reference", reference)):
        if side in (name, "both"):
            columns["_prediction"] = pa.array(columns["_prediction"].to_pylist(), mask=missing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimated(scope, task, window, reference)
    assert complete.keys() - OF_CLASSES >= {"log_loss", "roc_auc", "brier"}
    for metric in complete.keys() - OF_CLASSES:
        assert found[metric] == complete[metric]
        assert found[metric].row_count == N
    assert (FROM_SCORES & complete.keys()) <= found.keys()
    assert (found.keys() >= OF_CLASSES) == (share < 1)
    if share < 1 and side != "reference":
        some = {
            name: pa.array(values).filter(pa.array(~missing)) for name, values in window.items()
        }
        alone = estimated(scope, task, some, reference)
        for metric in OF_CLASSES:
            assert found[metric].row_count == (~missing).sum()
            near = {"rel": 1e-9} if task == "binary" else {"abs": 0.02}  # all rows' chances add up
            assert found[metric].value == pytest.approx(alone[metric].value, **near)
            width = alone[metric].upper - alone[metric].lower
            assert found[metric].upper - found[metric].lower == pytest.approx(width, rel=1e-9)


def test_a_reference_without_usable_scores_has_no_calibration(scope):
    """Its classes are logged; that says nothing of what a score means."""
    window, reference = drawn("binary", None), drawn("binary", None)
    scores = reference["_score"].copy()
    scores[20:] = np.nan
    found = estimated(scope, "binary", window, {**reference, "_score": scores})
    why = "20 labelled rows with a score in the reference: an estimate takes 30"
    assert {(each.value, each.reason) for each in found.values()} == {(None, why)}
