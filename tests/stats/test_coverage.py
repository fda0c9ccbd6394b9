"""Every 95% interval holds the truth in some 95 of 100 samples, and is as wide as a jackknife's."""

import numpy as np
import pytest
from scipy.special import expit

from driftline.stats import confusion, interval, losses, ranking

SAMPLES = 400
POPULATION = 2_000_000
STEPS = np.arange(1, 100) / 100
OWN = np.unique(np.concatenate([STEPS, np.nextafter(STEPS, 1)]))
SINGLE = np.concatenate([[False], np.nextafter(OWN[:-1], 1) == OWN[1:], [False]])
EDGES = {
    "binary": expit(-1.2 + 0.8 * np.linspace(-4, 4, 1000)),
    "rare": expit(-4.2 + 1.5 * np.linspace(-4, 5, 1000)),
}


def binary(rng, rows):
    score = expit(rng.normal(-1.2, 0.8, rows))
    return (rng.random(rows) < 0.9 * score + 0.03).astype(int), score


def rare(rng, rows):
    score = expit(rng.normal(-4.6, 1.5, rows))
    return (rng.random(rows) < score).astype(int), score


def multiclass(rng, rows):
    truth = np.searchsorted([0.5, 0.8, 0.96], rng.random(rows))
    said = np.where(rng.random(rows) < 0.6, truth, rng.integers(0, 4, rows))
    return truth, said


def regression(rng, rows):
    label = rng.gamma(3, 4, rows)
    return label, rng.laplace(0.3, 1 + label / 10)


def table(truth, said, size):
    return np.bincount(truth * size + said, minlength=size**2).reshape(size, size)


def of_two(truth, said):
    return table(truth, (said > 0.3).astype(int), 2)


def of_four(truth, said):
    return table(truth, said, 4)


def sums(truth, *values):
    return [np.bincount(truth, weights=each, minlength=2) for each in (None, *values)]


def log_loss(truth, score):
    return -np.log(np.where(truth == 1, score, 1 - score))


def mean(values, **ends):
    return interval.mean(len(values), values.sum(), (values**2).sum(), **ends)


def binned(area, truth, score, edges, single=None):
    place = np.searchsorted(edges, score, side="right")
    counts = (np.bincount(place[truth == k], minlength=len(edges) + 1) for k in (1, 0))
    return area(*counts, single)


def r2(label, error):
    y, square = label - 12.0, error**2
    powers = {f"y{n}": (y**n).sum() for n in (2, 3, 4)}
    powers |= {"y": y.sum(), "e2": square.sum(), "e4": (square**2).sum()}
    both = {"e2_y": (square * y).sum(), "e2_y2": (square * y**2).sum()}
    return losses.r2(len(y), **powers, **both)


def quantile(q):
    edges = np.linspace(0, 20, 4000)

    def found(_, error):
        size = np.abs(error)
        counts = np.bincount(np.searchsorted(edges, size, side="right"), minlength=4001)
        return losses.quantile(edges, counts, q, size.min(), size.max())

    return found


AREAS = {
    "roc_auc": ranking.binned_roc_area,
    "average_precision": ranking.binned_average_precision,
}
STATISTICS = {
    ("accuracy", binary): lambda y, s: confusion.accuracy(of_two(y, s)),
    ("balanced_accuracy", binary): lambda y, s: confusion.balanced_accuracy(of_two(y, s)),
    ("precision", binary): lambda y, s: confusion.precision(of_two(y, s), 1),
    ("recall", binary): lambda y, s: confusion.recall(of_two(y, s), 1),
    ("f1", binary): lambda y, s: confusion.f1(of_two(y, s), 1),
    ("brier", binary): lambda y, s: mean((s - y) ** 2, least=0, most=1),
    ("log_loss", binary): lambda y, s: mean(log_loss(y, s), least=0),
    ("log_loss_ratio", binary): lambda y, s: losses.log_loss_ratio(
        *sums(y, log_loss(y, s), log_loss(y, s) ** 2)
    ),
    ("log_loss_ratio", rare): lambda y, s: losses.log_loss_ratio(
        *sums(y, log_loss(y, s), log_loss(y, s) ** 2)
    ),
    ("observed_predicted_ratio", binary): lambda y, s: losses.observed_predicted_ratio(
        *sums(y, s, s**2)
    ),
    ("observed_predicted_ratio", rare): lambda y, s: losses.observed_predicted_ratio(
        *sums(y, s, s**2)
    ),
    ("accuracy", multiclass): lambda y, c: confusion.accuracy(of_four(y, c)),
    ("balanced_accuracy", multiclass): lambda y, c: confusion.balanced_accuracy(of_four(y, c)),
    ("precision", multiclass): lambda y, c: confusion.macro(confusion.precision, of_four(y, c)),
    ("recall", multiclass): lambda y, c: confusion.macro(confusion.recall, of_four(y, c)),
    ("f1", multiclass): lambda y, c: confusion.macro(confusion.f1, of_four(y, c)),
    ("weighted_f1", multiclass): lambda y, c: confusion.weighted_f1(of_four(y, c)),
    ("mae", regression): lambda _, e: mean(np.abs(e), least=0),
    ("bias", regression): lambda _, e: mean(e),
    ("mape", regression): lambda y, e: mean(np.abs(e) / (y + 1), least=0),
    ("rmse", regression): lambda _, e: losses.rmse(len(e), (e**2).sum(), (e**4).sum()),
    ("r2", regression): r2,
    ("error_p50", regression): quantile(0.5),
    ("error_p95", regression): quantile(0.95),
}
for name, area in AREAS.items():
    for draw in (binary, rare):
        STATISTICS[f"{name}_binned", draw] = lambda y, s, area=area, draw=draw: binned(
            area, y, s, EDGES[draw.__name__]
        )
    STATISTICS[f"{name}_single", binary] = lambda y, s, area=area: binned(
        area, y, np.round(s, 2), OWN, SINGLE
    )


def of(statistics):
    return pytest.mark.parametrize(
        ("draw", "statistic"),
        [(draw, statistic) for (_, draw), statistic in statistics.items()],
        ids=[f"{name}-{draw.__name__}" for name, draw in statistics],
    )


@pytest.fixture(scope="module")
def populations():
    rng = np.random.default_rng(0)
    return {draw: draw(rng, POPULATION) for draw in (binary, rare, multiclass, regression)}


@of(STATISTICS)
def test_95_percent_is_95_percent(populations, draw, statistic):
    truth = statistic(*populations[draw]).value
    rng = np.random.default_rng(1)
    for rows in (1000, 5000) if draw is rare else (300, 3000):
        values = draw(rng, SAMPLES * rows)
        split = (each.reshape(SAMPLES, rows) for each in values)
        found = np.array([statistic(*sample)[:3] for sample in zip(*split, strict=True)])
        covered = np.mean((found[:, 1] <= truth) & (truth <= found[:, 2]))
        assert 0.91 <= covered <= 0.99


# A quantile is not smooth in its rows, and intervals of binned areas are wider by what bins hide.
SMOOTH = {key: s for key, s in STATISTICS.items() if not key[0].startswith("error")}
SMOOTH = {key: s for key, s in SMOOTH.items() if not key[0].endswith("binned")}


@of(SMOOTH)
def test_the_interval_is_as_wide_as_a_jackknifes(draw, statistic):
    # Efron and Stein, The Jackknife Estimate of Variance, Annals of Statistics 9, 1981.
    rows = 3000 if draw is rare else 1000
    values = draw(np.random.default_rng(5), rows)
    without = [statistic(*(np.delete(v, row) for v in values)).value for row in range(rows)]
    error = np.sqrt(np.var(without) * (rows - 1))
    found = statistic(*values)
    assert found.upper - found.lower == pytest.approx(2 * interval.Z * error, rel=0.06)
