"""Drift that no column shows alone is seen, and none is seen where there is none."""

import sys

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score

from driftline.domain import ColumnKind, Engine, Suite
from driftline.profile.rows import Rows
from driftline.stats.divergences import psi
from driftline.suites import domain_classifier
from driftline.suites.frame import Frame
from tests.suites.conftest import flights

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL


def frame(columns, total=None):
    table = pa.table(columns)
    kinds = {
        name: CATEGORICAL if pa.types.is_string(table[name].type) else NUMERIC for name in columns
    }
    return Frame.of(Rows(table=table, total=total or len(table)), kinds)


def measured(scope, current, reference):
    return domain_classifier.measure(scope, frame(current), frame(reference), list(reference))


def correlated(number, seed, correlation):
    """Two standard normal columns of this correlation, and three that mean nothing."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, number))
    rest = {f"noise {n}": rng.normal(size=number) for n in range(3)}
    return {"x": x, "y": correlation * x + np.sqrt(1 - correlation**2) * y, **rest}


def shares(values, categories):
    return np.array([(values == category).sum() for category in categories])


def test_a_correlation_that_flips_is_seen_and_no_column_shows_it(scope):
    reference, current = correlated(6000, 1, 0.7), correlated(6000, 2, -0.7)
    for name, values in reference.items():
        edges = np.quantile(values, np.linspace(0.1, 0.9, 9))
        counts = (np.bincount(np.digitize(v, edges)) for v in (values, current[name]))
        assert psi(*counts) < 0.02
    found = measured(scope, current, reference)
    assert found.lower > 0.6
    assert found.lower < found.value < found.upper < 1
    named = found.reason.removeprefix("the window's rows are told apart most by ").split(", ")
    assert sorted(named) == ["x", "y"]
    assert (found.suite, found.metric, found.column_name, found.engine, found.baseline) == (
        Suite.DRIFT,
        "domain_classifier_auc",
        "",
        Engine.SCIKIT_LEARN,
        "reference",
    )
    assert found.row_count == 6000


def test_two_categories_that_swap_their_meaning_are_seen(scope):
    def pair(number, seed):
        rng = np.random.default_rng(seed)
        home = rng.integers(0, 4, number)
        away = np.where(rng.random(number) < 0.8, (home + 1) % 4, rng.integers(0, 4, number))
        letters = np.array(["a", "b", "c", "d"])
        return {"home": letters[home], "away": letters[away], "noise": rng.normal(size=number)}

    reference, current = pair(2000, 1), pair(2000, 2)
    current |= {"home": current["away"], "away": current["home"]}
    for name in ("home", "away"):
        assert psi(*(shares(side[name], "abcd") for side in (reference, current))) < 0.02
    found = measured(scope, current, reference)
    assert found.lower > 0.6
    assert "home" in found.reason
    assert "away" in found.reason
    assert "noise" not in found.reason


def test_where_nothing_has_changed_the_interval_holds_a_half(scope):
    found = [
        measured(scope, flights(150, 2 * seed), flights(150, 2 * seed + 1)) for seed in range(50)
    ]
    assert sum(each.lower <= 0.5 <= each.upper for each in found) >= 46
    assert np.mean([each.value for each in found]) == pytest.approx(0.5, abs=0.01)
    assert all(each.reason == "" for each in found if each.lower <= 0.5 <= each.upper)


def test_it_is_what_scikit_learn_measures(scope):
    reference, current = correlated(1000, 1, 0.6), correlated(1000, 2, -0.3)
    reference["kind"], current["kind"] = (np.tile(["a", "b"], 500) for _ in range(2))
    found = measured(scope, current, reference)
    rows = np.column_stack(
        [
            np.concatenate([current[name], reference[name]])
            if name != "kind"
            else np.tile([0.0, 1.0], 1000)
            for name in reference
        ]
    )
    truth = np.repeat([1, 0], 1000)
    model = domain_classifier.classifier(np.array([False] * 5 + [True]))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    with domain_classifier.one_thread():
        each = cross_val_score(model, rows, truth, cv=folds, scoring="roc_auc")
        pooled = cross_val_predict(model, rows, truth, cv=folds, method="predict_proba")[:, 1]
    # Other folds, so another number, by less than its interval.
    for other in (each.mean(), roc_auc_score(truth, pooled)):
        assert found.value == pytest.approx(other, abs=0.02)
        assert found.lower < other < found.upper


def test_the_same_folds_give_scikit_learns_very_number(scope, monkeypatch):
    reference, current = correlated(300, 1, 0.6), correlated(300, 2, -0.6)
    seen = []
    folds = domain_classifier._folds

    def spied(window, ours, kinds):
        for fold in folds(window, ours, kinds):
            seen.append(fold)
            yield fold

    monkeypatch.setattr(domain_classifier, "_folds", spied)
    found = measured(scope, current, reference)
    each = [
        roc_auc_score(
            np.repeat([1, 0], [len(fold.window), len(fold.reference)]),
            fold.model.predict_proba(np.concatenate([fold.window, fold.reference]))[:, 1],
        )
        for fold in seen
    ]
    assert found.value == pytest.approx(np.mean(each), abs=1e-12)
    held = np.concatenate([fold.window for fold in seen])
    assert sorted(map(tuple, held)) == sorted(zip(*current.values(), strict=True))


def test_the_same_rows_give_the_same_number(scope):
    reference, current = flights(1500, 1), flights(300, 2, shift=0.3)
    assert measured(scope, current, reference) == measured(scope, current, reference)


def test_rows_that_recur_in_the_reference_are_named(scope):
    schedule = {"flight": np.array([f"f{number // 20}" for number in range(1000)])}
    found = measured(scope, schedule, schedule)
    assert found.upper < 0.5
    assert found.reason == "worse than chance, as where rows of the window recur in the reference"


def test_a_shift_of_one_column_names_it_alone(scope):
    found = measured(scope, flights(500, 1, shift=1.0), flights(900, 2))
    assert found.reason == "the window's rows are told apart most by temp"
    assert found.row_count == 500


def test_no_more_rows_than_the_bound_are_used_and_it_says_so(scope, monkeypatch):
    monkeypatch.setattr(domain_classifier, "MOST", 200)
    current, reference = frame(flights(300, 1), total=3000), frame(flights(400, 2))
    found = domain_classifier.measure(scope, current, reference, list(reference.columns))
    assert found.row_count == 200
    assert found.reason.endswith("a sample: 200 of 3,000 rows (6.7%)")


@pytest.mark.parametrize("rows", [0, 1, 99])
def test_few_rows_are_no_measurement(scope, rows):
    found = measured(scope, flights(rows, 1), flights(500, 2))
    assert (found.value, found.row_count) == (None, rows)
    said = f"{rows} row{'s' * (rows != 1)}"
    assert found.reason == f"{said} in the window: a classifier wants 100 of each side"
    found = measured(scope, flights(500, 1), flights(rows, 2))
    assert found.reason == f"{said} in the reference: a classifier wants 100 of each side"


def test_without_features_there_is_nothing_to_learn(scope):
    some = frame(flights(200, 1))
    found = domain_classifier.measure(scope, some, some, [])
    assert (found.value, found.reason) == (None, "there are no features")


def test_columns_that_say_nothing(scope):
    quiet = {"one": np.ones(200), "null": pa.nulls(200, pa.float64()), "void": pa.nulls(200)}
    quiet["void"] = quiet["void"].cast(pa.string())
    found = measured(scope, quiet, quiet)
    assert (found.value, found.lower, found.upper, found.reason) == (0.5, 0.5, 0.5, "")
    once = {"once": pa.array([1.0, *[None] * 199])}  # in four of five folds
    rest = quiet | once
    found = measured(scope, flights(200, 1, shift=2) | rest, flights(200, 2) | rest)
    assert found.reason == "the window's rows are told apart most by temp"


def test_one_feature_only(scope):
    for low, high in ((0.0, 3.0), (np.nan, 3.0)):
        found = measured(scope, {"x": np.full(150, low)}, {"x": np.full(150, high)})
        assert (found.value, found.reason) == (1.0, "the window's rows are told apart most by x")
    rng = np.random.default_rng(0)
    found = measured(scope, {"x": rng.normal(size=300)}, {"x": rng.normal(size=300)})
    assert found.lower < 0.5 < found.upper


def test_a_column_that_becomes_null_is_seen(scope):
    reference = flights(300, 1)
    for name, nulls in (("temp", pa.float64()), ("origin", pa.string())):
        found = measured(scope, {**flights(300, 2), name: pa.nulls(300, nulls)}, reference)
        assert found.lower > 0.95
        assert found.reason.endswith(f"most by {name}")


def test_a_column_that_is_not_there_is_left_out(scope):
    current, reference = flights(300, 1), flights(300, 2)
    gone = _without(current, "temp")
    found = domain_classifier.measure(scope, gone, frame(reference), list(reference))
    assert found.lower <= 0.5 <= found.upper
    found = domain_classifier.measure(scope, gone, frame(reference), ["temp"])
    assert found.reason == "no feature is there in both the window and the reference"


def _without(columns, name):
    kinds = {each: column.kind for each, column in frame(columns).columns.items()}
    return Frame.of(Rows(table=pa.table(columns).drop_columns(name), total=300), kinds)


def test_a_new_category_is_seen_and_its_value_not_told(scope):
    current = flights(600, 1)
    current["carrier"] = np.where(np.arange(600) % 3 == 0, "secret", current["carrier"])
    found = measured(scope, current, flights(600, 2))
    assert found.lower > 0.6
    assert found.reason == "the window's rows are told apart most by carrier"


def test_ten_thousand_categories_are_folded(scope):
    def wide(seed, often):
        rng = np.random.default_rng(seed)
        rare = rng.integers(0, 10_000, 3000)
        values = np.where(rng.random(3000) < 0.4, often, rare)
        return {"id": np.char.add("v", values.astype(str)), "x": rng.normal(size=3000)}

    same, other = (measured(scope, wide(1, often), wide(2, 1)) for often in (1, 2))
    assert same.lower <= 0.5 <= same.upper
    assert other.lower > 0.6
    assert other.reason.startswith("the window's rows are told apart most by id")


def test_numbers_without_measure(scope):
    rng = np.random.default_rng(0)
    huge = rng.choice([-1.7e308, -1.0, 5e-324, 1.7e308, np.inf, -np.inf, np.nan], 400)
    found = measured(scope, {"x": huge, "y": huge[::-1]}, {"x": huge[::-1], "y": huge})
    assert found.value is not None
    found = measured(scope, {"x": np.where(huge > 0, np.nan, huge)}, {"x": huge})
    assert found.lower > 0.6


def test_hostile_names_are_names(scope):
    names = ["", 'a "b"; --', "select", "ü" * 80, "<img onerror=1>", "x"]
    reference = {name: flights(300, 2)["temp"] for name in names}
    current = {name: flights(300, 1)["temp"] for name in names}
    current['a "b"; --'] = current['a "b"; --'] + 40
    found = measured(scope, current, reference)
    assert found.reason == """the window's rows are told apart most by a "b"; --"""


def test_a_missing_library_names_its_extra(scope, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    found = measured(scope, flights(200, 1), flights(200, 2))
    assert found.value is None
    assert "scikit-learn is not installed" in found.reason
    assert "driftline[evidently]" in found.reason
