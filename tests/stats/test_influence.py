"""Rows' parts of a metric have the metric as their mean, and tell how it moves with each row."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from driftline.stats.influence import METRICS, OF_TWO_CLASSES, Rows, of_sides


def _ratio(y, _, p):
    labels = list(range(p.shape[1])) if p.ndim == 2 else [0, 1]
    shares = np.bincount(y) / len(y)
    return sklearn.log_loss(y, p, labels=labels) / -(shares @ np.log(shares))


EXPECTED = {
    "accuracy": lambda y, s, _: sklearn.accuracy_score(y, s),
    "balanced_accuracy": lambda y, s, _: sklearn.balanced_accuracy_score(y, s),
    "precision": lambda y, s, _: sklearn.precision_score(y, s),
    "recall": lambda y, s, _: sklearn.recall_score(y, s),
    "f1": lambda y, s, _: sklearn.f1_score(y, s),
    "log_loss": lambda y, _, p: sklearn.log_loss(y, p),
    "log_loss_ratio": _ratio,
    "brier": lambda y, _, p: sklearn.brier_score_loss(y, p, scale_by_half=p.ndim == 1),
    "roc_auc": lambda y, _, p: sklearn.roc_auc_score(y, p),
    "average_precision": lambda y, _, p: sklearn.average_precision_score(y, p),
    "mae": lambda y, s, _: sklearn.mean_absolute_error(y, s),
    "mse": lambda y, s, _: sklearn.mean_squared_error(y, s),
    "rmse": lambda y, s, _: sklearn.root_mean_squared_error(y, s),
    "mape": lambda y, s, _: sklearn.mean_absolute_percentage_error(y, s),
    "r2": lambda y, s, _: sklearn.r2_score(y, s),
}
OF_VALUES = {"mae", "mse", "rmse", "mape", "r2"}
CASES = [(metric, kind) for metric in EXPECTED for kind in ("binary", "multiclass", "regression")]


def rows(kind):
    rng = np.random.default_rng(7)
    if kind == "regression":
        truth = rng.gamma(3.0, 2.0, 3_000)
        return truth, truth + rng.normal(0.2, 1.0, 3_000), None
    if kind == "multiclass":
        scores = rng.dirichlet([2.0, 1.0, 1.0], 3_000)
        truth = (scores.cumsum(axis=1) < rng.random((3_000, 1))).sum(axis=1)
        return truth, scores.argmax(axis=1), scores
    scores = np.round(rng.beta(1, 3, 3_000), 2)  # with ties
    return (rng.random(3_000) < scores).astype(int), (scores > 0.3).astype(int), scores


def defined(metric, kind):
    if kind == "regression" or metric in OF_VALUES:
        return (kind == "regression") == (metric in OF_VALUES)
    return kind == "binary" or metric not in OF_TWO_CLASSES


CASES = [case for case in CASES if defined(*case)]


def test_every_metric_is_asked_for():
    assert set(EXPECTED) == set(METRICS)


def other(kind):
    """Rows of a worse model, of other classes' shares."""
    rng, (truth, said, scores) = np.random.default_rng(8), rows(kind)
    if kind == "regression":
        return Rows(truth[:2_000] * 1.5, said[:2_000] - rng.gamma(2.0, 2.0, 2_000))
    chosen = rng.permutation(len(truth))[:2_000]
    chosen = chosen[(truth[chosen] != 1) | (rng.random(2_000) < 0.6)]
    mixed = rng.permutation(chosen)
    half = len(chosen) // 2
    truth, said, scores = truth[chosen], said[chosen], scores[chosen]
    said[:half], scores[:half] = rows(kind)[1][mixed[:half]], rows(kind)[2][mixed[:half]]
    return Rows(truth, said, scores)


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_the_means_are_the_metrics_of_both_sides(metric, kind):
    sides = Rows(*rows(kind)), other(kind)
    for side, added in zip(sides, of_sides(metric, sides), strict=True):
        assert added.mean() == pytest.approx(EXPECTED[metric](*side), rel=1e-11)


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_a_row_more_moves_the_metric_as_the_row_says(metric, kind):
    side = Rows(*rows(kind))
    found, value = of_sides(metric, (side, side))[0], EXPECTED[metric](*side)
    for place in range(40):
        more = [None if each is None else np.append(each, each[[place]], axis=0) for each in side]
        moved = (EXPECTED[metric](*more) - value) * (len(side.truth) + 1)
        assert moved == pytest.approx(found[place] - value, rel=0.01, abs=0.01)


@pytest.mark.parametrize(
    ("metric", "kind"), [case for case in CASES if case != ("log_loss_ratio", "binary")]
)
def test_a_row_adds_the_same_on_both_sides(metric, kind):
    """A rank or a share that is taken among a row's own side alone would add otherwise."""
    good, bad = Rows(*rows(kind)), other(kind)
    both = Rows(
        *(None if a is None else np.append(a, b, 0) for a, b in zip(good, bad, strict=True))
    )
    first, second = of_sides(metric, (both, bad))
    assert first[len(good.truth) :] == pytest.approx(second, rel=1e-3, abs=1e-3)


def test_what_is_not_defined_is_none():
    truth, said = np.array([0, 0, 1]), np.array([0, 0, 0])
    fine = Rows(truth, truth, np.array([0.1, 0.2, 0.3]))
    one_class = Rows(np.zeros(3, int), said, np.array([0.1, 0.2, 0.3]))

    def undefined(metric, side):
        return of_sides(metric, (fine, side)) is None and of_sides(metric, (side, fine)) is None

    assert undefined("precision", Rows(truth, said))
    assert undefined("log_loss", Rows(truth, said))
    assert undefined("roc_auc", one_class)
    assert undefined("average_precision", one_class)
    assert undefined("average_precision", Rows(truth, said))
    assert undefined("balanced_accuracy", one_class)
    assert undefined("r2", Rows(np.ones(3), np.zeros(3)))
    assert undefined("ece", fine)
    assert undefined("accuracy", Rows(truth[:0], said[:0]))


def world(kind, place, said, faith):
    """Rows of nine kinds, which are all that inputs tell: of each a score and an outcome's law.

    A `faith` of 1 is that of the score, of less the outcome follows it less.
    """
    rng, at = np.random.default_rng(said), np.linspace(-3, 3, 9)[place]
    if kind == "regression":
        error = rng.normal(size=len(at)) * (2.5 - np.abs(at) / 2)
        return Rows(30 + faith * 2 * at + error, 30 + 2 * at)
    odds = np.stack([np.zeros(len(at)), 1.5 * at, *([1 - at**2] if kind == "multiclass" else [])])
    score, law = (np.exp(part) / np.exp(part).sum(axis=0) for part in (odds, faith * odds))
    truth = (law.cumsum(axis=0) < rng.random(len(at))).sum(axis=0)
    if kind == "multiclass":
        return Rows(truth, score.argmax(axis=0), score.T)
    return Rows(truth, (score[1] >= 0.5).astype(int), score[1])


@pytest.mark.parametrize("planted", ["other inputs", "another relation"])
@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_other_inputs_are_told_from_another_relation(metric, kind, planted):
    """Rows of a kind add more only where what comes of them is other: the rest is other inputs."""
    rng, shifted = np.random.default_rng(3), planted == "other inputs"
    usual = np.full(9, 1 / 9)
    moved = np.array([0, 1, 4, 9, 16, 9, 4, 1, 0]) / 44 * 0.9 + usual * 0.1
    before = rng.choice(9, 100_000, p=usual)
    now = rng.choice(9, 100_000, p=moved if shifted else usual)
    sides = world(kind, before, 1, 1.0), world(kind, now, 2, 1.0 if shifted else 0.3)
    one, other = of_sides(metric, sides)
    rows = np.bincount(now)
    means = [np.bincount(p, weights=a) / np.bincount(p) for p, a in ((before, one), (now, other))]
    relation = float(rows @ (means[1] - means[0])) / rows.sum()
    total = float(other.mean() - one.mean())
    assert abs(total) > 0.01 * abs(one.mean())
    assert relation / total == pytest.approx(0.0 if shifted else 1.0, abs=0.08)
