"""Areas from counts by score bin: scikit-learn's, within the error that bins are said to hide."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from driftline.stats.interval import Z, on_logit, share
from driftline.stats.ranking import (
    binned_average_precision,
    binned_roc_area,
    roc_area,
    score_levels,
)

AREAS = {binned_roc_area: roc_auc_score, binned_average_precision: average_precision_score}
both = pytest.mark.parametrize(("binned", "exact"), AREAS.items(), ids=["roc", "precision"])

fewer = settings(max_examples=50, deadline=None)  # scikit-learn takes its time.
few = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=25).map(np.array)
values = st.one_of(st.integers(-4, 4).map(float), st.floats(-4, 4))
mixed = st.lists(values, min_size=1, max_size=25).map(np.array)
cuts = st.lists(values, max_size=8, unique=True).map(sorted).map(np.array)


def counted(truth, score, edges):
    """Return the positives and the negatives in each bin, and which bins hold a single value."""
    place, size = np.searchsorted(edges, score, side="right"), len(edges) + 1
    groups = [np.bincount(place[truth == label], minlength=size) for label in (1, 0)]
    own = np.nextafter(edges[:-1], np.inf) == edges[1:]
    return *groups, np.concatenate([[False], own, [False]]) if len(edges) else np.array([False])


def alone(distinct):
    """Return the edges that give each of these values a bin of its own."""
    return np.unique(np.concatenate([distinct, np.nextafter(distinct, np.inf)]))


def rows_of(positive, negative):
    return np.repeat([1, 0], [len(positive), len(negative)]), np.concatenate([positive, negative])


def test_published_areas():
    # Hanley and McNeil's ratings (Radiology 143, 1982) and Stata's standard error, as for the rows
    # in test_ranking.py; the precision is the example of scikit-learn's manual.
    abnormal, normal = np.array([3, 2, 2, 11, 33]), np.array([33, 6, 6, 11, 2])
    found = binned_roc_area(abnormal, normal, np.ones(5, bool))
    assert found.value == pytest.approx(0.8932, abs=5e-5)
    assert found.error == 0
    assert (found.upper - found.lower) / (2 * Z) == pytest.approx(0.0307, abs=0.002)
    found = binned_average_precision(np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0]))
    assert found.value == pytest.approx(0.83, abs=0.005)


@both
@given(few, few)
@fewer
def test_a_bin_a_value_is_exact(binned, exact, positive, negative):
    truth, score = rows_of(positive, negative)
    found = binned(*counted(truth, score, alone(np.unique(score))))
    assert found.value == pytest.approx(exact(truth, score), rel=0, abs=1e-12)
    assert found.error == pytest.approx(0, abs=1e-12)


@both
@given(mixed, mixed, cuts, st.integers(-4, 4))
@fewer
def test_the_area_of_the_rows_lies_within_the_error(binned, exact, positive, negative, edges, own):
    truth, score = rows_of(positive, negative)
    edges = np.unique(np.concatenate([edges, alone(np.array([float(own)]))]))
    found, true = binned(*counted(truth, score, edges)), exact(truth, score)
    assert abs(found.value - true) <= found.error + 1e-12
    assert not found.lower > true + 1e-12
    assert not found.upper < true - 1e-12
    assert not found.lower < 0
    assert not found.upper > 1


@both
def test_the_error_is_reached_by_the_worst_and_the_best_order(binned, exact):
    positive, negative = np.array([3, 4, 2]), np.array([5, 2, 1])
    truth, score = [], []
    for place, (hits, misses) in enumerate(zip(positive, negative, strict=True)):
        truth += [1] * hits + [0] * misses
        # Worst: positives below all negatives, one after the other; best: equal and above.
        score.append(
            [
                np.concatenate([place + np.arange(hits) / 100, np.full(misses, place + 0.5)]),
                np.concatenate([np.full(hits, place + 0.5), np.full(misses, float(place))]),
            ]
        )
    found = binned(positive, negative)
    ends = [exact(truth, np.concatenate([each[way] for each in score])) for way in (0, 1)]
    assert ends[0] < found.value < ends[1]
    assert found.error == pytest.approx(max(found.value - ends[0], ends[1] - found.value))


pair = st.lists(st.floats(0, 4), min_size=1, max_size=3).map(np.array)


@given(pair, pair, cuts)
@settings(fewer, max_examples=20)
def test_precision_is_the_mean_over_the_orders_in_a_bin(positive, negative, edges):
    positive = positive[: 5 - len(negative)]  # 120 orders are enough.
    hits, misses, _ = counted(*rows_of(positive, negative), edges)
    place = np.repeat(np.arange(len(hits)), hits + misses)
    truth = np.concatenate([np.repeat([1, 0], [h, m]) for h, m in zip(hits, misses, strict=True)])
    areas = [
        average_precision_score(truth, place + np.array(order) / 100)
        for order in permutations(range(len(truth)))
    ]
    assert binned_average_precision(hits, misses).value == pytest.approx(np.mean(areas))


@both
@given(mixed, mixed, cuts)
@fewer
def test_bins_that_are_joined_hide_more(binned, exact, positive, negative, edges):
    fine = binned(*counted(*rows_of(positive, negative), edges)[:2])
    coarse = binned(*counted(*rows_of(positive, negative), edges[::2])[:2])
    if binned is binned_roc_area:
        assert fine.error <= coarse.error + 1e-12
    assert abs(fine.value - coarse.value) <= fine.error + coarse.error + 1e-12


@both
@given(mixed, mixed, cuts)
@fewer
def test_bins_without_rows_change_nothing(binned, exact, positive, negative, edges):
    hits, misses, _ = counted(*rows_of(positive, negative), edges)
    wider = [np.insert(each, [0, len(each) // 2, len(each)], 0) for each in (hits, misses)]
    assert binned(*wider) == pytest.approx(binned(hits, misses), nan_ok=True)


@given(few, few)
@fewer
def test_the_interval_is_delongs(positive, negative):
    counts = counted(*rows_of(positive, negative), alone(np.arange(-4.0, 5)))
    found, rows = binned_roc_area(*counts), roc_area(positive, negative)
    pairs = min(len(positive), len(negative))
    assert found.value == pytest.approx(rows.value, abs=1e-12)
    if pairs < 2:
        assert np.isnan([found.lower, found.upper]).all()
    elif rows.value in (0, 1):
        assert found[1:3] == pytest.approx(share(rows.value * pairs, pairs)[1:])
    elif rows.variance > 0:
        # Brunner and Munzel's degrees of freedom lie between those of the groups.
        least, most = on_logit(*rows, pairs - 1), on_logit(*rows, len(positive) + len(negative) - 2)
        assert least.lower - 1e-9 <= found.lower <= most.lower + 1e-9
        assert most.upper - 1e-9 <= found.upper <= least.upper + 1e-9


def test_of_many_rows_the_interval_is_delongs_normal_one():
    rng = np.random.default_rng(4)
    positive, negative = (np.round(rng.normal(mean, 1, 20_000), 1) for mean in (1, 0))
    truth, score = rows_of(positive, negative)
    counts = counted(truth, score, alone(np.unique(score)))
    found, rows = binned_roc_area(*counts), roc_area(positive, negative)
    assert found.value == pytest.approx(rows.value, abs=1e-12)
    lower, upper = rows.interval
    assert found[1:3] == pytest.approx((lower, upper), abs=5e-5)
    assert found.upper - found.lower == pytest.approx(upper - lower, rel=1e-3)


def flights(rng, rows):
    score = expit(rng.normal(-1.2, 0.8, rows))
    return rng.random(rows) < score, score


def skewed(rng, rows):
    score = rng.beta(0.05, 2, rows)
    return rng.random(rows) < score, score


def rare(rng, rows):
    truth = rng.random(rows) < 0.001
    return truth, expit(rng.normal(-7, 1, rows) + 2 * truth)


def discrete(rng, rows):
    score = rng.integers(0, 21, rows) / 20
    return rng.random(rows) < score, score


def constant(rng, rows):
    return rng.random(rows) < 0.3, np.full(rows, 0.3)


# The error against scikit-learn by how many even bins: ROC area, average precision, and the latter
# when the top bin is cut further as `score_levels` has it. The ROC area's falls with the square of
# the bins (design: 4e-5 of 100, 5e-8 of 1000 in a case like `flights`).
ERRORS = {
    flights: {100: (5e-5, 2e-3, 1e-4), 200: (2e-5, 1e-3, 1e-4), 1000: (3e-6, 2e-4, 2e-5)},
    skewed: {100: (5e-4, 4e-2, 5e-3), 200: (2e-4, 2e-2, 3e-3), 1000: (1e-5, 4e-3, 1e-3)},
    rare: {100: (1e-3, 6e-2, 5e-4), 200: (5e-4, 5e-2, 5e-4), 1000: (5e-5, 4e-2, 2e-3)},
}
BINS = (100, 200, 1000)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(6)
    rows = {draw: draw(rng, 200_000) for draw in (*ERRORS, discrete, constant)}
    return {
        draw: (truth.astype(int), score, [exact(truth, score) for exact in AREAS.values()])
        for draw, (truth, score) in rows.items()
    }


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("draw", ERRORS, ids=lambda draw: draw.__name__)
def test_the_error_of_quantile_bins(drawn, draw, bins):
    truth, score, (area, precision) = drawn[draw]
    even, levels = np.arange(1, bins) / bins, score_levels(bins)
    assert len(levels) - len(even) < 30
    counts, finer = (counted(truth, score, np.quantile(score, each)) for each in (even, levels))
    most = ERRORS[draw][bins]
    for binned, groups, true, error in (
        (binned_roc_area, counts, area, most[0]),
        (binned_roc_area, finer, area, most[0]),
        (binned_average_precision, counts, precision, most[1]),
        (binned_average_precision, finer, precision, most[2]),
    ):
        found = binned(*groups)
        assert found.value == pytest.approx(true, rel=0, abs=error)
        assert abs(found.value - true) <= found.error
        assert found.lower <= true <= found.upper
    if draw is rare:  # Positives lie in the top bin: even steps alone will not do.
        assert abs(binned_average_precision(*counts).value - precision) > 0.01
    assert binned_roc_area(*finer).error < 0.5 / bins
    assert binned_average_precision(*finer).error < (0.1 if bins < 1000 else 0.02)


@pytest.mark.parametrize("draw", [discrete, constant], ids=lambda draw: draw.__name__)
def test_scores_with_bins_of_their_own_leave_no_error(drawn, draw):
    truth, score, expected = drawn[draw]
    counts = counted(truth, score, alone(np.unique(score)))
    for binned, true in zip(AREAS, expected, strict=True):
        assert binned(*counts).value == pytest.approx(true, rel=0, abs=1e-12)
        assert binned(*counts).error == 0


@both
def test_a_single_row_of_a_group_tells_no_spread(binned, exact):
    found = binned(np.array([0, 1]), np.array([5, 5]), np.array([True, True]))
    assert found.value == exact([0] * 5 + [0] * 5 + [1], [0] * 5 + [1] * 6)
    assert np.isnan([found.lower, found.upper]).all()


def test_a_perfect_order_of_a_few_rows_is_not_certain():
    counts = np.array([0, 5]), np.array([9, 0]), np.array([True, True])
    for found in (binned_roc_area(*counts), binned_average_precision(*counts)):
        assert found[:3] == share(5, 5)
        assert found.lower == pytest.approx(0.566, abs=5e-4)


def test_one_score_for_all_rows():
    counts = np.array([30]), np.array([70]), np.array([True])
    assert binned_roc_area(*counts) == (0.5, 0.5, 0.5, 0)
    found = binned_average_precision(*counts)
    assert found.value == pytest.approx(0.3)
    # It is the share of positives, and as sure as one.
    assert found[1:3] == pytest.approx(share(30, 100)[1:], abs=0.01)


@pytest.mark.parametrize("binned", AREAS)
def test_a_group_without_rows_is_an_error(binned):
    with pytest.raises(ValueError, match="no positive row"):
        binned(np.zeros(3), np.ones(3))


def test_a_roc_area_wants_negatives():
    with pytest.raises(ValueError, match="no negative row"):
        binned_roc_area(np.ones(3), np.zeros(3))
    assert binned_average_precision(np.ones(3), np.zeros(3)).value == pytest.approx(1)
