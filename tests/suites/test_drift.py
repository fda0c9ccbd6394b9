"""Drift from profiles, against SciPy and Evidently on the rows, and what is promised of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance
from statsmodels.stats.proportion import proportions_ztest

from driftline import metrics
from driftline.domain import ColumnKind, Engine
from driftline.monitor.sections import DriftMethod
from driftline.profile.bins import bins_of
from driftline.profile.columns import Layout
from driftline.profile.stream import stream_profiles
from driftline.stats import divergences
from driftline.stats.tables import shares_z
from driftline.suites import drift, evidently
from driftline.suites.pair import CLASSES, classes_of
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
MANY = flights(3000, 3, shift=0.5)
TYPES = {kind: pa.float64() for kind in ColumnKind} | {CATEGORICAL: pa.string()}


def every_method(_):
    """Every method that compares values."""
    return tuple(method for method in DriftMethod if method is not DriftMethod.NULL_SHARE)


def profiles(current, reference, kinds=KINDS):
    """Return the profiles of both sides' columns, on the bins of the reference's."""
    tables = [
        pa.table(
            {
                name: pa.chunked_array([pa.array(list(side[name]), TYPES[kind])])
                for name, kind in kinds.items()
                if name in side
            }
        )
        for side in (current, reference)
    ]
    layout = Layout(bins_of(tables[1], kinds))
    return [stream_profiles([table], layout).get((), layout.empty()) for table in tables]


def measured(scope, current, reference, kinds=KINDS, methods=every_method, **rest):
    found = drift.measure(scope, *profiles(current, reference, kinds), kinds, methods, **rest)
    return {(each.column_name, each.metric): each for each in found}


def of(scope, reference, current, methods=every_method, **rest):
    """Return what is measured of one column, by metric, without methods of the other kind."""
    present = [value for value in [*reference, *current] if value is not None]
    kind = CATEGORICAL if isinstance(present[0], str) else NUMERIC
    pair = {"x": current}, {"x": reference}
    fit = lambda name: [m for m in methods(name) if m.only in (None, kind)]  # noqa: E731
    found = measured(scope, *pair, {"x": kind}, fit, **rest)
    return {metric: each for (_, metric), each in found.items()}


def psi_only(_):
    return (DriftMethod.PSI,)


def table_of(reference, current):
    keys = np.unique(np.concatenate([reference, current]))
    return np.array([[(side == key).sum() for key in keys] for side in (reference, current)])


# Agreement with SciPy, on the rows themselves.


@pytest.mark.parametrize("current", [CURRENT, MANY], ids=len)
@pytest.mark.parametrize("name", ["temp", "distance", "precip"])
def test_the_bounds_hold_the_statistics_of_the_values(scope, name, current):
    found = measured(scope, current, REFERENCE)
    values = REFERENCE[name], current[name]
    for metric, true in {
        "ks": stats.ks_2samp(*values).statistic,
        "wasserstein": stats.wasserstein_distance(*values) / np.std(values[0]),
    }.items():
        each = found[name, metric]
        assert each.lower - 1e-9 <= true <= each.upper + 1e-9
        assert each.lower == each.value == pytest.approx(true, abs=0.02)
    moved = (values[1].mean() - values[0].mean()) / np.std(values[0])
    assert found[name, "mean_shift"].value == pytest.approx(moved)


@pytest.mark.parametrize("name", ["precip", "carrier", "origin"])
def test_classes_of_one_value_are_exact(scope, name):
    found = measured(scope, CURRENT, REFERENCE)
    reference, current = table_of(REFERENCE[name], CURRENT[name])
    p, q = reference / reference.sum(), current / current.sum()
    expected = {
        "psi": ((p - q) * np.log(p / q)).sum(),
        "jensen_shannon": distance.jensenshannon(p, q, base=2),
        "kl": stats.entropy(p, q),
        "hellinger": np.sqrt(1 - np.sqrt(p * q).sum()),
        "total_variation": np.abs(p - q).sum() / 2,
        "l_infinity": np.abs(p - q).max(),
    }
    if KINDS[name] is CATEGORICAL:
        for metric, law in {"chi_square": "pearson", "g_test": "log-likelihood"}.items():
            test = stats.chi2_contingency([reference, current], correction=False, lambda_=law)
            expected |= {metric: test.statistic, f"{metric}_p_value": test.pvalue}
    for metric, value in expected.items():
        assert found[name, metric].value == pytest.approx(value), metric


def test_order_statistics_of_few_distinct_values_are_exact(scope):
    found = measured(scope, CURRENT, REFERENCE)
    values = REFERENCE["precip"], CURRENT["precip"]
    ks = stats.ks_2samp(*values, method="asymp")
    assert found["precip", "ks"].value == pytest.approx(ks.statistic)
    assert found["precip", "ks"].upper == found["precip", "ks"].value
    assert found["precip", "ks_p_value"].value == pytest.approx(ks.pvalue, abs=0.003)
    apart = stats.wasserstein_distance(*values) / np.std(values[0])
    assert found["precip", "wasserstein"].value == pytest.approx(apart)
    assert found["precip", "wasserstein"].upper == pytest.approx(apart)


@pytest.mark.parametrize("current", [CURRENT, MANY], ids=len)
def test_cramer_von_mises_is_close_to_scipys(scope, current):
    found = measured(scope, current, REFERENCE)
    for name in ("temp", "distance"):
        expected = stats.cramervonmises_2samp(REFERENCE[name], current[name], method="asymptotic")
        assert found[name, "cramer_von_mises"].value == pytest.approx(expected.statistic, rel=0.1)
        p_value = found[name, "cramer_von_mises_p_value"].value
        assert p_value == pytest.approx(expected.pvalue, abs=0.05)


@pytest.mark.parametrize("name", ["temp", "distance"])
def test_psi_is_that_of_the_references_deciles(scope, name):
    inner = np.quantile(REFERENCE[name], np.arange(1, 10) / 10)
    p, q = (
        np.bincount(np.searchsorted(inner, side[name], side="right"), minlength=10)
        / len(side[name])
        for side in (REFERENCE, MANY)
    )
    found = measured(scope, MANY, REFERENCE)
    assert found[name, "psi"].value == pytest.approx(((p - q) * np.log(p / q)).sum())


# Agreement with Evidently, where both mean the same.

ALIKE = {
    "psi": ("precip", "carrier", "origin"),
    "jensen_shannon": ("precip", "carrier", "origin"),
    "kl": ("precip", "carrier", "origin"),
    # Evidently's puts numbers into Sturges' bins, however few values there are.
    "hellinger": ("carrier", "origin"),
    "wasserstein": ("temp", "distance", "precip"),
    "ks_p_value": ("temp", "distance", "precip"),
}


SHOWN = (
    *(("psi", "carrier"), ("jensen_shannon", "carrier"), ("kl", "carrier")),
    *(("hellinger", "carrier"), ("chi_square", "carrier"), ("psi", "precip")),
    *(("ks", "precip"), ("ks", "temp"), ("wasserstein", "precip"), ("wasserstein", "temp")),
    ("psi", "temp"),
)
"""The lines of the README's table."""


@pytest.fixture(scope="module")
def both():
    """Return a function from a window to our measurements and Evidently's."""
    found = {}

    def compared(scope, number):
        if number not in found:
            current = {300: CURRENT, 3000: MANY}[number]
            theirs = evidently.drift(scope, rows(**current), rows(**REFERENCE), KINDS, every_method)
            found[number] = (
                measured(scope, current, REFERENCE),
                {(each.column_name, each.metric): each for each in theirs},
            )
        return found[number]

    return compared


@pytest.mark.parametrize("number", [300, 3000])
@pytest.mark.parametrize(("metric", "name"), [(m, n) for m, names in ALIKE.items() for n in names])
def test_agreement_with_evidently(scope, both, metric, name, number):
    ours, theirs = (found[name, metric] for found in both(scope, number))
    assert (ours.engine, theirs.engine) == (Engine.PROFILE, Engine.EVIDENTLY)
    if ours.upper is not None:
        near = 3e-3 if metric == "ks_p_value" else 1e-9  # SciPy's exact law, our limit law
        assert ours.lower - near <= theirs.value <= ours.upper + near
    else:
        assert ours.value == pytest.approx(theirs.value, rel=1e-9)


def test_the_readmes_table_is_what_comes_out(scope, both):
    """Written anew by hand when a definition changes: the message has the line as it should be."""
    ours, theirs = both(scope, 300)
    scipys = {}
    for name in ("carrier", "temp", "precip"):
        sides = REFERENCE[name], CURRENT[name]
        if KINDS[name] is CATEGORICAL:
            counts = table_of(*sides)
            scipys[name, "jensen_shannon"] = distance.jensenshannon(*counts, base=2)
            scipys[name, "kl"] = stats.entropy(*counts)
            test = stats.chi2_contingency(counts, correction=False)
            scipys[name, "chi_square"] = test.statistic
        else:
            scipys[name, "ks"] = stats.ks_2samp(*sides).statistic
            scipys[name, "wasserstein"] = stats.wasserstein_distance(*sides) / np.std(sides[0])
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for metric, name in SHOWN:
        each = ours[name, metric]
        value = f"{each.value:.6f}"
        if each.upper is not None and each.upper - each.value > 1e-6:
            value += f" to {each.upper:.6f}"
        their = theirs.get((name, metric))
        cells = [f"`{metric}` of {name}", value]
        cells += [
            f"{v:.6f}" if v is not None else ""
            for v in (their and their.value, scipys.get((name, metric)))
        ]
        line = " ".join(f"| {cell}" if cell else "|" for cell in cells) + " |"
        assert line in readme, line


# Laws.


def test_each_method_records_its_names_in_order(scope):
    found = drift.measure(scope, *profiles(CURRENT, REFERENCE), KINDS, lambda _: tuple(DriftMethod))
    names = [each.metric for each in found if each.column_name == "temp"]
    assert names == [name for method in DriftMethod for name in metrics.DRIFT[method]]
    assert [each.column_name for each in found[:: len(names)]] == list(KINDS)
    assert {each.baseline for each in found} == {"reference"}
    assert {each.engine for each in found} == {Engine.PROFILE}
    assert {each.row_count for each in found} == {300}


def nothing(found):
    """Return whether no metric sees a change."""
    return all(
        each.value == pytest.approx(1 if metric.endswith("_p_value") else 0, abs=1e-7)
        for metric, each in found.items()
    )


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.floats(-1e6, 1e6) | st.sampled_from([0.0, 0.1, 1e16 / 3, 5e-324, -1e140]),
        min_size=1,
        max_size=80,
    ),
    random=st.randoms(),
)
def test_the_same_rows_in_any_order_have_not_drifted(scope, values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert nothing(of(scope, values, shuffled))
    assert nothing(of(scope, [str(v) for v in values], [str(v) for v in shuffled]))


def test_psi_without_a_change_is_that_of_noise(scope):
    found = [measured(scope, flights(500, n), flights(5000, 1000 + n)) for n in range(100)]
    for name, classes in {"temp": 10, "distance": 10, "precip": 3, "carrier": 4}.items():
        mean = np.mean([each[name, "psi"].value for each in found])
        assert mean == pytest.approx(divergences.psi_noise(classes, 5000, 500), rel=0.25), name


# Promises.


def zeros(number, seed, spike=0.0):
    """Return numbers of which 91% are one value."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(number) < 0.91, spike, rng.gamma(2, 1, number))


def letters(number, seed, names="abc", shares=None):
    return np.random.default_rng(seed).choice(list(names), number, p=shares)


NULLS = [None] * 300
CHANGES = {
    "a constant": ([5.0] * 1000, [6.0] * 300),
    "a constant, a little": ([5.0] * 1000, [5.000001] * 300),
    "a constant zero, in small units": ([0.0] * 1000, np.full(300, 1e-6)),
    "a constant, to a spread": ([5.0] * 1000, flights(300, 1)["temp"]),
    "a constant, huge": ([1e140] * 1000, [1.1e140] * 300),
    "a constant of rounding": ([0.1] * 1000, [0.3] * 300),
    "tiny numbers": (np.arange(1000) * 1e-200, np.arange(300) * 1e-200 + 1e-196),
    "numbers, to null": (REFERENCE["temp"], NULLS),
    "a constant, to null": ([0.0] * 1000, NULLS),
    "numbers, to NaN": (REFERENCE["temp"], [float("nan")] * 300),
    "numbers, to infinity": (REFERENCE["temp"], [float("inf")] * 300),
    "null, to numbers": ([None] * 1000, CURRENT["temp"]),
    "null, to a constant": ([None] * 1000, [0.0] * 300),
    "zeros, to another value": (zeros(5000, 1), zeros(600, 2, spike=1.5)),
    "zeros, to many values": (zeros(5000, 1), np.random.default_rng(2).gamma(2, 1, 600)),
    "a spike that moves": (zeros(5000, 1, spike=3.0), zeros(600, 2, spike=4.0)),
    "all above": (REFERENCE["temp"], CURRENT["temp"] + 1000),
    "all below": (REFERENCE["temp"], CURRENT["temp"] - 1000),
    "a category for another": (letters(2000, 1), letters(600, 2, "abd")),
    "a new category": (letters(2000, 1), letters(600, 2, "abcd")),
    "one category": (["a"] * 1000, ["b"] * 300),
    "categories, to null": (letters(2000, 1), NULLS),
    "null, to categories": ([None] * 1000, letters(300, 2)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_drift_by_every_method(scope, change):
    for metric, each in of(scope, *CHANGES[change]).items():
        assert each.value is not None, metric
        if metric in drift.BOUNDS:
            assert drift.BOUNDS[metric].broken_by(each.value), metric
        else:
            assert abs(each.value) > 0.05, metric
        assert each.row_count in (300, 600)


SAME = {
    "a constant": ([5.0] * 1000, [5.0] * 300),
    "a constant zero": ([0.0] * 1000, [0.0] * 300),
    "a constant of rounding": ([0.1] * 999, [0.1] * 301),
    "a constant of great numbers": ([1e16 / 3] * 1000, [1e16 / 3] * 300),
    "a huge constant": ([1e149] * 1000, [1e149] * 300),
    "one row": ([1.0], [1.0]),
    "zeros": (zeros(5000, 1), zeros(5000, 1)),
    "denormal neighbours": ([0.0, 5e-324, -5e-324] * 300, [0.0, 5e-324, -5e-324] * 100),
    "one category": (["a"] * 1000, ["a"] * 300),
    "categories": (letters(900, 1), letters(900, 1)),
}


@pytest.mark.parametrize("same", SAME)
def test_what_has_not_changed_is_no_drift_by_any_method(scope, same):
    assert nothing(of(scope, *SAME[same]))


@pytest.mark.parametrize(
    "pair", [(zeros(5000, 1), zeros(3000, 2)), (letters(5000, 1), letters(3000, 2))]
)
def test_other_rows_of_the_same_kind_are_within_the_bounds(scope, pair):
    for metric, each in of(scope, *pair).items():
        assert metric not in drift.BOUNDS or not drift.BOUNDS[metric].broken_by(each.value), metric


def test_one_row_is_no_proof(scope):
    found = of(scope, REFERENCE["temp"], [40.0])
    assert all(each.value > 0.05 for name, each in found.items() if name.endswith("_p_value"))


# Remarks, and what cannot be measured.


def reason(scope, reference, current, **rest):
    return of(scope, reference, current, psi_only, **rest)["psi"].reason


def half_null(values):
    return [None if place % 2 else value for place, value in enumerate(values)]


REMARKS = {
    "nulls went from 0.0% to 50.0%": (MANY["temp"], half_null(MANY["temp"])),
    "nulls went from 50.0% to 0.0%": (half_null(MANY["carrier"]), MANY["carrier"]),
    "nulls went from 0.0% to 100.0%": (MANY["temp"], NULLS),
    "25.0% of the values are new categories": (["a"] * 900, ["a", "a", "a", "new"] * 400),
    "vanished: b, c": (list("abc") * 900, ["a"] * 3000),
    "vanished: b, c, d, ...": (list("abcdef") * 900, ["a"] * 3000),
    "2 infinite values of the window left out": (
        MANY["temp"],
        [*MANY["temp"], float("inf"), -1e308],
    ),
    "the values are about 1e+03 times the reference's: another unit?": (
        MANY["temp"],
        MANY["temp"] * 1000,
    ),
    "the values are about 0.001 times the reference's: another unit?": (
        MANY["temp"],
        MANY["temp"] * 0.001,
    ),
    "0.061 is to be expected of so few rows without a change": (
        REFERENCE["temp"],
        MANY["temp"][:160],
    ),
}


@pytest.mark.parametrize("remark", REMARKS)
def test_remarks(scope, remark):
    assert reason(scope, *REMARKS[remark]) == remark


def test_a_sensitive_column_has_none_of_its_values_named(scope):
    assert (
        reason(scope, *REMARKS["vanished: b, c"], hides="x".__eq__) == "2 categories have vanished"
    )
    unit = MANY["temp"], MANY["temp"] * 1000
    assert reason(scope, *unit, hides="x".__eq__) == ""


@pytest.mark.parametrize("moved", [lambda x: x + 200, lambda x: -x, lambda x: x * 2])
def test_a_mere_shift_is_no_other_unit(scope, moved):
    assert reason(scope, MANY["temp"], moved(MANY["temp"])) == ""


def test_a_few_nulls_and_a_rare_new_category_are_not_worth_a_word(scope):
    assert reason(scope, MANY["temp"], [*MANY["temp"], *[None] * 100]) == ""
    assert reason(scope, ["a"] * 900, ["a"] * 900 + ["b"] * 5) == ""


@pytest.mark.parametrize("methods", [tuple(DriftMethod), (DriftMethod.KS, DriftMethod.PSI)])
def test_a_remark_stands_once_a_column(scope, methods):
    found = of(scope, MANY["temp"], half_null(MANY["temp"]), lambda _: methods)
    assert [each.reason for each in found.values() if "nulls" in each.reason] == [
        "nulls went from 0.0% to 50.0%"
    ]


def test_an_empty_window(scope):
    found = measured(scope, {name: [] for name in KINDS}, REFERENCE)
    assert {each.value for each in found.values()} == {None}
    assert {each.row_count for each in found.values()} == {0}
    assert found["temp", "psi"].reason == "temp has no rows in the window"


def test_a_column_without_a_value_on_both_sides(scope):
    found = measured(scope, {"x": NULLS}, {"x": NULLS}, {"x": NUMERIC})
    assert {each.value for each in found.values()} == {None}
    assert found["x", "psi"].reason == "x has no value, in the reference and in the window"
    assert found["x", "psi"].row_count == 0


def test_a_column_that_the_window_lacks_is_null(scope):
    found = measured(scope, {"carrier": CURRENT["carrier"]}, REFERENCE)
    assert found["temp", "psi"].value > 1
    assert found["temp", "psi"].reason == "nulls went from 0.0% to 100.0%"


def test_a_method_that_makes_no_sense_says_which_does(scope):
    found = measured(scope, CURRENT, REFERENCE)
    for method in DriftMethod:
        names = metrics.DRIFT[method]
        for other in {NUMERIC: ["carrier"], CATEGORICAL: ["temp"], None: []}[method.only]:
            assert {found[other, name].value for name in names} == {None}
            assert "use psi, " in found[other, names[0]].reason
    assert found["carrier", "ks"].reason.startswith(
        "ks compares numeric columns and carrier is categorical: use psi, "
    )


def test_only_finite_values_count(scope):
    clean = np.arange(100.0)
    dirty = [*clean, np.inf, -np.inf, np.nan, 1e308, -1e308, None]
    found = of(scope, clean, dirty)
    assert nothing(found)
    assert {each.row_count for each in found.values()} == {100}
    assert found["psi"].reason.endswith("4 infinite values of the window left out")
    assert nothing(of(scope, dirty, clean))


# The share of nulls.


def null_share(scope, before, n, now, m, value=1.0, kind=NUMERIC):
    """Measure a column with so many nulls among the rows of the reference and of the window."""
    sides = [[None] * nulls + [value] * (rows - nulls) for nulls, rows in ((before, n), (now, m))]
    pair = {"x": sides[1]}, {"x": sides[0]}
    found = measured(scope, *pair, {"x": kind}, lambda _: (DriftMethod.NULL_SHARE,))
    shift, p_value = found["x", "null_share_shift"], found["x", "null_share_p_value"]
    assert shift.row_count == p_value.row_count == m
    return shift.value, p_value.value


@pytest.mark.parametrize(("value", "kind"), [(1.0, NUMERIC), ("a", CATEGORICAL)])
def test_the_share_of_nulls_is_compared_by_a_z_test(scope, value, kind):
    shift, p_value = null_share(scope, 100, 1000, 45, 300, value, kind)
    assert shift == pytest.approx(0.05)
    assert p_value == pytest.approx(proportions_ztest([100, 45], [1000, 300])[1])
    assert null_share(scope, 100, 1000, 30, 300, value, kind) == (0.0, 1.0)


def test_the_share_of_nulls_of_few_rows_is_compared_exactly(scope):
    shift, p_value = null_share(scope, 1, 1000, 1, 5)
    assert shift == pytest.approx(0.199)
    assert p_value == pytest.approx(stats.fisher_exact([[1, 999], [1, 4]]).pvalue)
    assert p_value > stats.norm.sf(abs(shares_z(1, 1000, 1, 5))) * 2 * 1e6


def test_nan_is_null_and_infinity_is_not(scope):
    window = [1.0, None, float("nan"), float("inf")] * 100
    sides = {"x": window}, {"x": [1.0] * 400}
    found = measured(scope, *sides, {"x": NUMERIC}, lambda _: (DriftMethod.NULL_SHARE,))
    assert found["x", "null_share_shift"].value == 0.5


def test_nulls_alone_are_a_share_too(scope):
    assert null_share(scope, 100, 100, 300, 300) == (0.0, 1.0)
    assert null_share(scope, 0, 100, 300, 300) == (1.0, pytest.approx(0, abs=1e-12))
    assert null_share(scope, 100, 100, 0, 300) == (-1.0, pytest.approx(0, abs=1e-12))


@pytest.mark.parametrize(("side", "place"), [(0, "reference"), (1, "window")])
def test_no_rows_have_no_share(scope, side, place):
    rows = [[1.0, None], [1.0, None]]
    rows[side] = []
    pair = {"x": rows[1]}, {"x": rows[0]}
    found = measured(scope, *pair, {"x": NUMERIC}, lambda _: (DriftMethod.NULL_SHARE,))
    assert {each.value for each in found.values()} == {None}
    assert found["x", "null_share_shift"].reason == f"x has no rows in the {place}"


# Texts and timestamps.


@pytest.mark.parametrize("kind", [ColumnKind.TEXT, ColumnKind.TIMESTAMP])
def test_what_stands_for_a_number_is_said_and_compared_as_one(scope, kind):
    found = measured(scope, {"x": CURRENT["temp"]}, {"x": REFERENCE["temp"]}, {"x": kind})
    plain = measured(scope, {"x": CURRENT["temp"]}, {"x": REFERENCE["temp"]}, {"x": NUMERIC})
    assert {key: each.value for key, each in found.items()} == {
        key: each.value for key, each in plain.items()
    }
    assert found["x", "psi"].reason.endswith(f"what counts is its {kind.counted}")
    refused = found["x", "chi_square"].reason
    assert refused.startswith(f"chi_square compares categorical columns and x is {kind}: use psi, ")


# The share of drifted columns, the bounds, the classes.


def share(scope, values, features=("a", "b", "c", "d"), moved=1.0):
    found = [
        scope.measurement(
            drift.Suite.DRIFT, metric, value, engine=Engine.PROFILE, column_name=name, reason="r"
        )
        for name, metric, value in values
    ]
    return drift.drift_share(scope, found, features, lambda *_: moved)


def test_drift_share_counts_features_beyond_the_bound_of_their_first_method(scope):
    found = share(
        scope,
        [
            ("a", "psi", 0.3),
            ("a", "ks_p_value", 0.9),
            ("b", "ks", 0.9),
            ("b", "ks_p_value", 0.01),
            ("c", "psi", 0.2),
            ("d", "psi", None),
            ("d", "kl", 9.0),
            ("score", "psi", 9.0),
        ],
    )
    assert found.value == pytest.approx(2 / 3)
    assert found.column_name == ""
    assert found.reason == "of the 3 of 4 features that were measured"


def test_what_is_significant_and_small_is_no_drift(scope):
    """With five million rows a shift of a hundredth of a deviation has a p-value of 1e-55."""
    p_values = [(name, "ks_p_value", 1e-55) for name in "abc"] + [("d", "psi", 0.3)]
    assert share(scope, p_values, moved=0.004).value == 0.25
    assert share(scope, p_values, moved=0.11).value == 1.0


@pytest.mark.parametrize("shift", [0.02, 0.5])
def test_of_many_rows_the_size_of_the_effect_decides_not_the_p_value(scope, shift):
    rng = np.random.default_rng(4)
    rows = 200_000
    before = {
        "x": rng.normal(size=rows),
        "kind": rng.choice(["a", "b"], rows, p=[0.5, 0.5]),
        "full": np.ones(rows),
    }
    now = {
        "x": rng.normal(shift, 1, rows),
        "kind": rng.choice(["a", "b"], rows, p=[0.5 + shift / 2, 0.5 - shift / 2]),
        "full": np.where(rng.random(rows) < shift, np.nan, 1.0),
    }
    kinds = {"x": NUMERIC, "kind": CATEGORICAL, "full": NUMERIC}
    pair = profiles(now, before, kinds)
    for methods in (
        {"x": "ks", "kind": "chi_square", "full": "null_share"},
        {"x": "cramer_von_mises", "kind": "g_test", "full": "null_share"},
    ):
        found = drift.measure(scope, *pair, kinds, lambda n, m=methods: (DriftMethod(m[n]),))
        p_values = [each.value for each in found if each.metric.endswith("p_value")]
        assert max(p_values) < 1e-3
        expected = 1.0 if shift > 0.1 else 0.0
        assert drift.drift_share(scope, found, kinds, drift.moved(*pair)).value == expected


def test_drift_share_of_nothing(scope):
    assert share(scope, [("a", "psi", None)]).value is None
    assert share(scope, [], features=()).reason == "there are no features"
    assert share(scope, [(n, "psi", 0.0) for n in "abcd"]).value == 0.0


def test_every_drift_metric_has_a_bound_or_is_a_bare_statistic():
    named = {name for names in metrics.DRIFT.values() for name in names}
    bare = {"ks", "cramer_von_mises", "chi_square", "g_test", "mean_shift", "null_share_shift"}
    assert named - set(drift.BOUNDS) == bare
    assert set(drift.BOUNDS) <= named


def column(reference, of_others=()):
    """Return the profile of numbers, on the bins of others where there are some."""
    bins = {"x": reference} if not len(of_others) else {"x": of_others}
    return profiles({"x": reference}, bins, {"x": NUMERIC})[0].column("x")


@settings(max_examples=50)
@given(
    values=st.lists(st.floats(-1e3, 1e3) | st.integers(-3, 3).map(float), min_size=1, max_size=300)
)
def test_spikes_are_classes_and_the_rest_is_at_most_ten(values):
    reference = column(values)
    place, single = classes_of(reference), reference.bins.single
    held = reference.counts > 0
    spikes, others = place[single & held], place[~single & held]
    assert len(set(spikes)) == len(spikes)
    assert len(set(others)) <= CLASSES
    assert not set(spikes) & set(others)
    assert len(set(place[~held])) <= 1
    assert not set(place[~held]) & set(place[held])


def test_classes_of_a_continuous_column_are_deciles():
    reference = column(np.random.default_rng(1).normal(size=10_000))
    assert np.bincount(classes_of(reference), weights=reference.counts).tolist() == [1000] * 10


def test_bins_that_the_reference_leaves_empty_are_one_class():
    # On the bins of more numbers than the reference has, as when those came from a sample.
    reference = column(np.repeat([1.0, 2.0], 50), of_others=np.arange(10.0))
    place = classes_of(reference)
    assert len(set(place)) == 3
    assert set(place[reference.counts == 0]) == {2}
