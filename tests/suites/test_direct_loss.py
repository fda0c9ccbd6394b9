"""Errors of a regression before its labels: NannyML's published ones, and those that came true."""

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import ColumnKind
from driftline.errors import MissingExtra
from driftline.metrics import ESTIMATED
from driftline.profile.rows import Rows
from driftline.stats.confidence_based import thresholds
from driftline.suites import direct_loss
from driftline.suites.frame import Column, Frame
from tests import tutorials

# NannyML's tutorial Estimating Performance for Regression, on the car price data (docs/
# example_notebooks/Tutorial - Estimating Performance - Regression.ipynb): chunks of 6,000 rows.
CHUNK = 6000
PRINTED = """1067.212885 1063.129715 1054.158749 1060.665742 1055.230227
928.513388 928.915961 927.915836 930.426206 919.397864"""
RMSE = [float(each) for each in PRINTED.split()]
ERROR = 10.348009
THRESHOLDS = (1014.276167, 1103.31)
REALIZED = """1086.309762 1060.221538 1038.419338 1038.398714 1072.021221
1074.967232 1058.475997 1050.695322 1048.396774 1060.043640"""
ALERTS = [False] * 5 + [True] * 5
NUMBERS = ("car_age", "km_driven", "price_new", "accident_count", "door_count")
FEATURES = (*NUMBERS, "fuel", "transmission")


def frame(columns):
    table = pa.table(columns)
    kinds = {
        name: ColumnKind.CATEGORICAL if pa.types.is_string(table[name].type) else ColumnKind.NUMERIC
        for name in columns
    }
    return Frame.of(Rows(table=table, total=len(table)), kinds)


def cars(rows):
    return frame({name: pa.array(rows[name]) for name in FEATURES})


@pytest.fixture(scope="module")
def price():
    """What was learnt of the car prices, and the estimates of each later chunk."""
    rows = tutorials.data("regression_synthetic_reference")
    learnt = direct_loss.fit(
        cars(rows), rows["y_pred"].to_numpy(), rows["y_true"].to_numpy(), FEATURES
    )
    later = tutorials.data("regression_synthetic_analysis")
    parts = [later[start : start + CHUNK] for start in range(0, len(later), CHUNK)]
    return learnt, [learnt.estimates(cars(part), part["y_pred"].to_numpy()) for part in parts]


def test_estimates_are_the_published_ones_within_their_sampling_error(price):
    found = [each["rmse"].value for each in price[1]]
    assert found == pytest.approx(RMSE, abs=ERROR)
    assert np.mean(np.abs(np.array(found) - RMSE)) < ERROR / 3


def test_thresholds_and_alerts_are_the_published_ones(price):
    rows = tutorials.data("regression_synthetic_reference")
    squares = ((rows["y_pred"] - rows["y_true"]) ** 2).to_numpy()
    came = np.sqrt(squares.reshape(-1, CHUNK).mean(axis=1))
    assert came == pytest.approx([float(each) for each in REALIZED.split()], abs=1e-6)
    lower, upper = thresholds(came)
    assert (lower, upper) == pytest.approx(THRESHOLDS, abs=5e-3)
    assert [not lower <= each["rmse"].value <= upper for each in price[1]] == ALERTS


def test_intervals_are_near_nannymls_sampling_error(price):
    for each in price[1]:
        reach = (each["rmse"].upper - each["rmse"].lower) / 2 / 1.96
        # The reference's own rows widen it; what the features tell of a row's error narrows it.
        assert reach == pytest.approx(ERROR, rel=0.2)


def test_what_came_true_is_near(price):
    labels = tutorials.data("regression_synthetic_analysis_targets")["y_true"].to_numpy()
    predicted = tutorials.data("regression_synthetic_analysis")["y_pred"].to_numpy()
    error = np.abs(predicted - labels)
    came = {
        "mae": error.reshape(-1, CHUNK).mean(axis=1),
        "rmse": np.sqrt((error**2).reshape(-1, CHUNK).mean(axis=1)),
        "mape": (error / labels).reshape(-1, CHUNK).mean(axis=1),
    }
    for metric, values in came.items():
        for place, value in enumerate(values):
            found = price[1][place][metric]
            if place < 5:
                assert abs(found.value - value) < 3 / 1.96 * (found.upper - found.value), metric
            assert found.value == pytest.approx(value, rel=0.05), metric


def drawn(rng, rows, where=(0, 1), *, of=3, unseen=0):
    """Return features, predictions and labels: errors are wider where `x` and `kind` are large."""
    x = rng.uniform(*where, rows)
    kind = rng.choice(np.arange(of), rows)
    scale = 0.2 + 2 * x + kind
    predicted = 10 + x
    kinds = np.array([f"k{number}" for number in range(of)])[kind].astype(object)
    if unseen:
        kinds[:unseen] = "new"
    columns = {"x": x, "kind": pa.array(kinds.tolist(), pa.string()), "idle": rng.normal(size=rows)}
    return frame(columns), predicted, predicted + rng.normal(0, scale)


NAMES = ("x", "kind", "idle")


def test_intervals_hold_where_the_inputs_shift():
    rng, inside = np.random.default_rng(0), {"mae": [], "rmse": []}
    for _ in range(4):
        reference, predicted, actual = drawn(rng, 6000)
        learnt = direct_loss.fit(reference, predicted, actual, NAMES)
        before = np.abs(predicted - actual).mean()
        for _ in range(15):
            window, said, came = drawn(rng, 1500, (0.5, 1))
            found = learnt.estimates(window, said)
            error = np.abs(said - came)
            assert error.mean() > before + 0.2
            assert abs(found["mae"].value - error.mean()) < 0.15
            for metric, value in (("mae", error.mean()), ("rmse", np.sqrt((error**2).mean()))):
                inside[metric].append(found[metric].lower <= value <= found[metric].upper)
    for metric, each in inside.items():
        assert np.mean(each) > 0.88, metric


def test_what_is_learnt_by_heart_does_not_count():
    """Errors that no feature foretells are as large where they were seen as where they were not."""
    rng = np.random.default_rng(1)
    columns = {f"noise {n}": rng.normal(size=600) for n in range(20)}
    actual = rng.standard_t(3, 600)
    learnt = direct_loss.fit(frame(columns), np.zeros(600), actual, list(columns))
    fresh = {name: rng.normal(size=600) for name in columns}
    found = learnt.estimates(frame(fresh), np.zeros(600))["mae"]
    assert found.lower < np.abs(actual).mean() < found.upper
    spread = (found.upper - found.value) / 1.96 / np.sqrt(2 / 600)
    assert spread >= np.abs(actual).std()  # Of rows learnt from it would be far less.


def test_the_same_rows_give_the_same_estimates():
    made = [drawn(np.random.default_rng(2), 500) for _ in range(2)]
    found = [direct_loss.fit(*each, NAMES).estimates(*each[:2]) for each in made]
    assert found[0] == found[1]
    assert found[0].keys() == {"mae", "mse", "rmse", "mape"}


def test_rows_without_a_label_or_a_prediction_do_not_count():
    rng = np.random.default_rng(3)
    reference, predicted, actual = drawn(rng, 400)
    actual[::4], predicted[1::4] = np.nan, np.nan
    learnt = direct_loss.fit(reference, predicted, actual, NAMES)
    assert learnt.rows == 200
    window, said, _ = drawn(rng, 300)
    said[:100] = np.nan
    found = learnt.estimates(window, said)
    kept = {name: column.values[100:] for name, column in window.columns.items()}
    kept["kind"] = pa.array(kept["kind"].tolist(), pa.string())
    assert found == learnt.estimates(frame(kept), said[100:])
    assert learnt.estimates(window, np.full(300, np.nan)) == {}


def test_new_and_missing_values_are_no_obstacle():
    rng = np.random.default_rng(4)
    learnt = direct_loss.fit(*drawn(rng, 2000), NAMES)
    window, said, came = drawn(rng, 1000, unseen=300)
    found = learnt.estimates(window, said)["mae"].value
    assert found == pytest.approx(np.abs(said - came).mean(), rel=0.3)
    empty = {"x": pa.array([None] * 50, pa.float64()), "kind": pa.array([None] * 50, pa.string())}
    assert learnt.estimates(frame(empty | {"idle": np.zeros(50)}), np.ones(50))["mae"].value > 0


def test_more_categories_than_trees_tell_apart():
    rng = np.random.default_rng(5)
    learnt = direct_loss.fit(*drawn(rng, 3000, of=400), NAMES)
    assert len(learnt.categories["kind"]) == 254
    assert learnt.estimates(*drawn(rng, 500, of=400)[:2])["mae"].value > 10


def test_a_relative_error_is_not_learnt_where_a_label_is_0():
    reference, predicted, actual = drawn(np.random.default_rng(6), 300)
    actual[7] = 0
    assert direct_loss.fit(reference, predicted, actual, NAMES).losses.keys() == {"mae", "mse"}


def test_errors_are_learnt_without_a_single_feature():
    rng = np.random.default_rng(7)
    actual = rng.normal(size=300)
    found = direct_loss.fit(frame({"x": actual}), np.zeros(300), actual, []).estimates(
        frame({"x": actual}), np.zeros(300)
    )
    assert found["rmse"].value == pytest.approx(np.sqrt((actual**2).mean()), rel=0.02)


def test_few_labels_are_too_few():
    reference, predicted, actual = drawn(np.random.default_rng(8), 120)
    actual[:30] = np.nan
    learnt = direct_loss.fit(reference, predicted, actual, NAMES)
    assert learnt.estimates(reference, predicted) == {}
    assert set(learnt.unlearnt) == set(ESTIMATED["regression"])
    assert "90 labelled rows in the reference" in learnt.unlearnt["mae"]


@pytest.mark.parametrize("filled", [0, 1, 3, 200])
def test_a_column_that_is_all_but_null_in_the_reference_is_no_obstacle(filled):
    rng = np.random.default_rng(11)
    reference, predicted, actual = drawn(rng, 200)
    new = np.full(200, np.nan)
    new[:filled] = rng.normal(size=filled)
    columns = {**reference.columns, "new": Column(kind=ColumnKind.NUMERIC, values=new)}
    learnt = direct_loss.fit(
        replace(reference, columns=columns), predicted, actual, [*NAMES, "new"]
    )
    now = {**columns, "new": Column(kind=ColumnKind.NUMERIC, values=rng.normal(size=200))}
    found = learnt.estimates(replace(reference, columns=now), predicted)
    assert found["mae"].value == pytest.approx(np.abs(predicted - actual).mean(), rel=0.3)
    if not filled:
        without = direct_loss.fit(reference, predicted, actual, NAMES)
        assert found == without.estimates(reference, predicted)


def test_a_loss_that_cannot_be_learnt_takes_no_other_with_it():
    reference, predicted, actual = drawn(np.random.default_rng(12), 200)
    actual[0] = 1e200  # squared it is infinite, which scikit-learn refuses
    learnt = direct_loss.fit(reference, predicted, actual, NAMES)
    assert set(learnt.losses) == {"mae", "mape"}
    assert "scikit-learn failed" in learnt.unlearnt["rmse"]


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingExtra, match="evidently"):
        direct_loss.fit(*drawn(np.random.default_rng(9), 200), NAMES)
