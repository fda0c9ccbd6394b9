"""Drift and performance as Evidently has them, recomputed from the raw rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance
from sklearn import metrics as sk

from driftline.domain import ColumnKind, Engine
from driftline.monitor.sections import DriftMethod
from driftline.profile.rows import Rows
from driftline.suites import evidently
from driftline.suites.frame import Frame
from driftline.suites.outcomes import outcomes
from tests.suites.conftest import flights, rows

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
KINDS = {
    "temp": NUMERIC,
    "distance": NUMERIC,
    "precip": NUMERIC,
    "carrier": CATEGORICAL,
    "origin": CATEGORICAL,
}
REFERENCE, CURRENT = flights(2000, 1), flights(300, 2, shift=0.5)
SIDES = (REFERENCE, CURRENT)


def psi_only(_):
    return (DriftMethod.PSI,)


def every_method(_):
    return tuple(DriftMethod)


def measured(scope, current, reference, kinds=KINDS, methods=psi_only):
    found = evidently.drift(scope, current, reference, kinds, methods)
    return {(each.column_name, each.metric): each for each in found}


def shares(name, zero=1e-4):
    """Return Evidently's bins: Sturges' on both samples, or a value each up to 20 of them."""
    reference, current = (side[name] for side in SIDES)
    if KINDS[name] is NUMERIC and len(np.unique(reference)) > 20:
        edges = np.histogram_bin_edges(np.concatenate([reference, current]), bins="sturges")
        counted = [np.histogram(sample, edges)[0] for sample in (reference, current)]
    else:
        keys = np.unique(np.concatenate([reference, current]))
        counted = [[(sample == key).sum() for key in keys] for sample in (reference, current)]
    result = []
    for counts in counted:
        share = np.array(counts) / np.sum(counts)
        if zero:
            share[share == 0] = zero
        result.append(share)
    return result


@pytest.mark.parametrize("name", KINDS)
def test_the_distances_are_what_it_says_they_are(scope, name):
    found = measured(scope, rows(**CURRENT), rows(**REFERENCE), methods=every_method)
    p, q = shares(name)
    assert found[name, "psi"].value == pytest.approx(((p - q) * np.log(p / q)).sum())
    assert found[name, "kl"].value == pytest.approx(stats.entropy(p, q))
    p, q = shares(name, zero=None)
    expected = distance.jensenshannon(p, q, base=2)
    assert found[name, "jensen_shannon"].value == pytest.approx(expected)
    if KINDS[name] is NUMERIC:  # Sturges' bins of the distinct values, however few they are.
        values = np.unique(np.concatenate([REFERENCE[name], CURRENT[name]]))
        edges = np.histogram_bin_edges(values, bins="sturges")
        p, q = (np.histogram(side[name], edges)[0] / len(side[name]) for side in SIDES)
    assert found[name, "hellinger"].value == pytest.approx(np.sqrt(1 - np.sqrt(p * q).sum()))


def test_numeric_tests_are_scipys(scope):
    found = measured(scope, rows(**CURRENT), rows(**REFERENCE), methods=every_method)
    expected = stats.ks_2samp(REFERENCE["temp"], CURRENT["temp"])
    assert found["temp", "ks_p_value"].value == pytest.approx(expected.pvalue)
    apart = stats.wasserstein_distance(REFERENCE["temp"], CURRENT["temp"])
    assert found["temp", "wasserstein"].value == pytest.approx(apart / np.std(REFERENCE["temp"]))


def test_the_chi_square_test_takes_the_reference_for_exact(scope):
    found = measured(scope, rows(**CURRENT), rows(**REFERENCE), methods=every_method)
    keys = np.unique(REFERENCE["carrier"])
    reference, current = (
        np.array([(sample["carrier"] == key).sum() for key in keys]) for sample in SIDES
    )
    exact = stats.chisquare(current, reference / 2000 * 300)
    assert found["carrier", "chi_square_p_value"].value == pytest.approx(exact.pvalue)


def test_each_method_that_it_has_is_recorded_in_order(scope):
    found = evidently.drift(scope, rows(**CURRENT), rows(**REFERENCE), KINDS, every_method)
    names = [each.metric for each in found if each.column_name == "temp"]
    assert names == [evidently.TESTS[m].metric for m in DriftMethod if m in evidently.TESTS]
    assert [each.column_name for each in found[:: len(names)]] == list(KINDS)
    assert {each.baseline for each in found} == {"reference"}
    assert {each.engine for each in found} == {Engine.EVIDENTLY}
    assert {each.row_count for each in found} == {300}


def test_a_method_that_makes_no_sense_says_which_does(scope):
    found = measured(scope, rows(**CURRENT), rows(**REFERENCE), methods=every_method)
    for key in [("carrier", "ks_p_value"), ("carrier", "wasserstein")]:
        assert found[key].value is None
        assert "use psi, " in found[key].reason
    assert found["temp", "chi_square_p_value"].value is None


def test_published_psi_of_categories(scope):
    found = measured(
        scope,
        rows(c=["a", "b", "b", "c", "c", "c"]),
        rows(c=["a", "a", "a", "b", "b", "c", "c"]),
        {"c": CATEGORICAL},
    )
    p, q = np.array([3, 2, 2]) / 7, np.array([1, 2, 3]) / 6
    assert found["c", "psi"].value == pytest.approx(((p - q) * np.log(p / q)).sum())


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), random=st.randoms())
def test_the_same_rows_in_any_order_have_not_drifted(scope, values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    methods = (DriftMethod.PSI, DriftMethod.JENSEN_SHANNON, DriftMethod.WASSERSTEIN, DriftMethod.KS)
    found = measured(
        scope, rows(x=shuffled), rows(x=values), {"x": NUMERIC}, methods=lambda _: methods
    )
    for metric in ("psi", "jensen_shannon", "wasserstein"):
        assert found["x", metric].value == pytest.approx(0, abs=1e-6)
    assert found["x", "ks_p_value"].value == pytest.approx(1)


BAD = {
    "missing": (None, "bad is missing in the window"),
    "null": (pa.nulls(300, pa.float64()), "bad is null in every row in the window"),
    "infinite": (np.full(300, np.inf), "bad has no finite value in the window"),
    "one value": ([1.0, *[None] * 299], "bad has only one value in the window"),
    "text": (["x"] * 300, "bad holds string, not numbers in the window"),
}


@pytest.mark.parametrize("side", ["window", "reference"])
@pytest.mark.parametrize("bad", BAD)
def test_one_bad_column_does_not_spoil_the_others(scope, bad, side):
    values, reason = BAD[bad]
    worse = dict(CURRENT) if values is None else {**CURRENT, "bad": values}
    better = {**CURRENT, "bad": np.arange(300.0)}
    pair = (rows(**worse), rows(**better)) if side == "window" else (rows(**better), rows(**worse))
    found = measured(scope, *pair, {**KINDS, "bad": NUMERIC})
    assert found["bad", "psi"].value is None
    assert found["bad", "psi"].reason == reason.replace("the window", f"the {side}")
    assert all(found[name, "psi"].value is not None for name in KINDS)


def test_nan_and_infinities_are_left_out_and_counted(scope):
    clean = np.arange(100.0)
    dirty = np.concatenate([clean, [np.inf, -np.inf, np.nan]])
    found = measured(scope, rows(x=dirty), rows(x=clean), {"x": NUMERIC}, every_method)
    assert found["x", "ks_p_value"].value == pytest.approx(1)
    assert found["x", "psi"].value == pytest.approx(0)
    assert found["x", "psi"].reason == "2 infinite values of the window left out"
    assert found["x", "psi"].row_count == 100


@pytest.mark.parametrize("number", [0, 1])
def test_a_window_without_rows_to_speak_of(scope, number):
    few = {name: values[:number] for name, values in CURRENT.items()}
    found = measured(scope, rows(**few), rows(**REFERENCE), methods=every_method)
    assert all(each.value is None and each.reason for each in found.values())


def test_it_takes_the_kinds_that_we_give_it(scope):
    # Two values: Evidently by itself would read a category and could not run a KS test.
    flags = {"x": np.tile([0.0, 1.0], 100)}
    found = measured(
        scope, rows(**flags), rows(**flags), {"x": NUMERIC}, lambda _: (DriftMethod.KS,)
    )
    assert found["x", "ks_p_value"].value == pytest.approx(1)
    numbers = {"x": [str(n % 40) for n in range(400)]}
    found = measured(
        scope,
        rows(**numbers),
        rows(**numbers),
        {"x": CATEGORICAL},
        lambda _: (DriftMethod.CHI_SQUARE,),
    )
    assert found["x", "chi_square_p_value"].value == pytest.approx(1)


def test_names_that_it_gives_a_meaning_are_columns_like_others(scope):
    names = ["target", "prediction", "id", "datetime", "a b", 'x"; --', "", "c0"]
    columns = dict.fromkeys(names, REFERENCE["temp"])
    reference = Rows(table=pa.table(columns), total=2000)
    moved = {name: column + place for place, (name, column) in enumerate(columns.items())}
    found = measured(
        scope,
        Rows(table=pa.table(moved), total=2000),
        reference,
        dict.fromkeys(names, NUMERIC),
        lambda _: (DriftMethod.WASSERSTEIN,),
    )
    apart = [found[name, "wasserstein"].value * np.std(REFERENCE["temp"]) for name in names]
    assert apart == pytest.approx(range(len(names)))


def test_a_column_that_it_fails_on_is_told_and_the_rest_measured(scope):
    huge = {**CURRENT, "temp": np.tile([-1.7e308, 1.7e308, 0.0], 100)}
    found = measured(scope, rows(**huge), rows(**REFERENCE))
    assert found["temp", "psi"].value is None
    assert "Evidently failed" in found["temp", "psi"].reason
    assert found["distance", "psi"].value is not None
    (alone,) = measured(scope, rows(**huge), rows(**REFERENCE), {"temp": NUMERIC}).values()
    assert (alone.value, alone.reason) == (None, found["temp", "psi"].reason)


def test_a_sample_says_so(scope):
    found = measured(scope, rows(total=3000, **CURRENT), rows(**REFERENCE))
    assert found["temp", "psi"].reason == "a sample: 300 of 3,000 rows (10.0%)"


def test_a_frame_is_converted_once(scope, monkeypatch):
    made = []
    typed = evidently.typed
    monkeypatch.setattr(evidently, "typed", lambda *a, **k: made.append(a) or typed(*a, **k))
    reference = Frame.of(rows(**REFERENCE), KINDS)
    first, second = (measured(scope, rows(**CURRENT), reference) for _ in range(2))
    assert len(made) == 3  # the reference, and the window twice
    assert first == second


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_each_kind_of_performance_has_its_own_rows(scope, monitor, share):
    rng, place = np.random.default_rng(6), np.arange(300)
    score, gone, unscored = rng.random(300), place < share * 300, place % 10 == 9
    label, said = (rng.random(300) < score).astype(int), (score >= 0.4).astype(int)
    given = rows(
        _label=label,
        _score=np.where(unscored, np.nan, score),
        _prediction=pa.array(said, mask=gone),
    )
    known = outcomes(monitor(predictions={"prediction": "said"}), given)
    found = {each.metric: each for each in evidently.performance(scope, known)}
    loss = sk.log_loss(label[~unscored], score[~unscored])
    assert found["log_loss"].value == pytest.approx(loss, rel=1e-6)
    assert (found["log_loss"].row_count, found["accuracy"].row_count) == (270, 300 - gone.sum())
    assert found["log_loss"].reason == "30 rows left out: the score is not between 0 and 1"
    why = f"{gone.sum()} rows left out: the predicted class is missing"
    if share == 1:
        assert found["accuracy"].reason == f"no labelled row can be used: {why}"
    else:
        assert found["accuracy"].reason == why
        hits = sk.accuracy_score(label[~gone], said[~gone])
        assert found["accuracy"].value == pytest.approx(hits)
