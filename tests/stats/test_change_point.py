"""One split of a series is found, with its chance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from driftline.stats.change_point import change_point


def slow(means, weights):
    """The split of least squares, by trying all of them."""

    def cost(part):
        mean = np.average(means[part], weights=weights[part])
        return (weights[part] * (means[part] - mean) ** 2).sum()

    places = range(1, len(means))
    return min(places, key=lambda at: cost(slice(None, at)) + cost(slice(at, None)))


@given(arrays(float, 12, elements=st.integers(0, 1000).map(float), unique=True), st.integers(1, 9))
def test_it_is_the_split_of_least_squares(means, seed):
    weights = np.random.default_rng(seed).integers(1, 50, 12).astype(float)
    place, found = slow(means, weights), change_point(means, weights, draws=1)

    def cost(at):
        parts = (slice(None, at), slice(at, None))
        mean = [np.average(means[part], weights=weights[part]) for part in parts]
        return sum(
            (weights[p] * (means[p] - m) ** 2).sum() for p, m in zip(parts, mean, strict=True)
        )

    assert np.isclose(cost(found.place), cost(place))


def test_noise_has_no_change_more_often_than_its_level_says():
    rng = np.random.default_rng(0)
    chances = [
        change_point(rng.normal(size=60), rng.integers(1, 50, 60).astype(float)).p_value
        for _ in range(200)
    ]
    assert np.mean(np.array(chances) <= 0.05) <= 0.1


def test_hours_without_rows_are_passed_over():
    means = np.array([0, np.nan, 0, 1, 9, 8, np.nan, 9, 9])
    weights = np.array([5, 0, 5, 5, 5, 5, 0, 5, 5])
    found = change_point(means, weights)
    assert found.place == 4
    assert found.p_value < 0.1
    assert change_point(means[:4], weights[:4]) is None


def test_no_change_is_looked_for_before_a_place():
    means = np.array([0.0, 1, 0, 9, 8, 9, 9, 30, 31, 30])
    assert change_point(means, np.ones(10)).place == 7
    assert change_point(-means, np.ones(10), first=8).place == 8
    assert change_point(means[:7], np.ones(7), first=0).place == 3
    assert change_point(means[:7], np.ones(7), first=7) is None
