"""Areas under the ROC curve against published ones, scikit-learn's, and draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from driftline.stats.ranking import cross_validated_area, roc_area

few = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)


def test_published_area_of_ratings():
    # Hanley and McNeil, Radiology 143, 1982: 109 CT images in five classes. The standard error and
    # the interval are DeLong's, as Stata's manual prints them for these data (roctab, example 1).
    normal = np.repeat(np.arange(5.0), [33, 6, 6, 11, 2])
    abnormal = np.repeat(np.arange(5.0), [3, 2, 2, 11, 33])
    area = roc_area(abnormal, normal)
    assert area.value == pytest.approx(0.8932, abs=5e-5)
    assert np.sqrt(area.variance) == pytest.approx(0.0307, abs=5e-5)
    assert area.interval == pytest.approx((0.83295, 0.95339), abs=5e-6)


@given(few, few)
def test_it_is_scikit_learns(positive, negative):
    truth = [1] * len(positive) + [0] * len(negative)
    area = roc_area(np.array(positive), np.array(negative))
    assert area.value == pytest.approx(roc_auc_score(truth, positive + negative))
    lower, upper = area.interval
    assert 0 <= lower <= area.value <= upper <= 1


@given(few, few)
def test_the_groups_change_places(positive, negative):
    there, back = (np.array(positive), np.array(negative)), (np.array(negative), np.array(positive))
    assert roc_area(*there).value == pytest.approx(1 - roc_area(*back).value)
    assert roc_area(*there).variance == pytest.approx(roc_area(*back).variance)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_the_variance_is_that_of_draws(shift):
    rng = np.random.default_rng(3)
    areas = [roc_area(rng.normal(shift, 1, 80), rng.normal(0, 1, 50)) for _ in range(800)]
    spread = np.var([area.value for area in areas])
    assert np.mean([area.variance for area in areas]) == pytest.approx(spread, rel=0.15)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    inside = [area.interval[0] <= truth <= area.interval[1] for area in areas]
    assert np.mean(inside) > 0.9


def test_folds_are_averaged_and_their_models_share_rows():
    rng = np.random.default_rng(4)
    folds = [(rng.normal(1, 1, 40), rng.normal(0, 1, 40)) for _ in range(5)]
    area, alone = cross_validated_area(folds), [roc_area(*fold) for fold in folds]
    assert area.value == pytest.approx(np.mean([each.value for each in alone]))
    own = np.mean([each.variance for each in alone])
    assert area.variance == pytest.approx(own * (1 / 5 + 1 / 4))
