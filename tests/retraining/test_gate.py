"""The gate's numbers against scikit-learn, SciPy and a plain loop; and what passes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap
from sklearn import metrics as sk

from driftline import metrics
from driftline.errors import ConfigError
from driftline.monitor.config import Monitor
from driftline.profile.rows import Rows
from driftline.retraining.gate import Comparison, compare
from driftline.stats import paired

START = datetime(2024, 3, 1, tzinfo=UTC)


def monitor(task: str = "binary", **changes: Any) -> Monitor:
    said = {"binary": {"score": "p"}, "regression": {"prediction": "y"}}
    said["multiclass"] = {"score": {"a": "pa", "b": "pb", "c": "pc"}}
    return Monitor.model_validate(
        {
            "monitor": "m",
            "task": task,
            "warehouse": "sqlite:///x.db",
            "predictions": {"table": "p", "timestamp": "ts", **said[task]},
            "labels": {"label": "label"},
            "reference": {"window": ["2024-01-01", "2024-02-01"]},
            **changes,
        }
    )


def rows(label: Any, days: np.ndarray, **said: Any) -> Rows:
    at = pa.array([START + timedelta(days=int(day)) for day in days], pa.timestamp("us", "UTC"))
    columns = {name.replace("_", "@@", 1).replace("__", ":"): value for name, value in said.items()}
    table = pa.table({"@@timestamp": at, "@@label": label, **columns})
    return Rows(table=table, total=len(table))


def binary(n: int = 4000, days: int = 14, gap: float = 0.3, seed: int = 1) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-2 * logit))).astype(int)
    good = 1 / (1 + np.exp(-2 * logit))
    bad = 1 / (1 + np.exp(-2 * logit - rng.normal(scale=gap * 4, size=n)))
    return truth, bad, good, rng.integers(0, days, n)


OF_BINARY = {
    "log_loss": lambda t, s: sk.log_loss(t, s),
    "brier": lambda t, s: sk.brier_score_loss(t, s),
    "accuracy": lambda t, s: sk.accuracy_score(t, s >= 0.5),
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "balanced_accuracy": lambda t, s: sk.balanced_accuracy_score(t, s >= 0.5),
    "precision": lambda t, s: sk.precision_score(t, s >= 0.5),
    "recall": lambda t, s: sk.recall_score(t, s >= 0.5),
    "f1": lambda t, s: sk.f1_score(t, s >= 0.5),
}


@pytest.mark.parametrize("metric", OF_BINARY)
def test_the_values_are_scikit_learns_and_the_better_model_passes(metric: str) -> None:
    truth, bad, good, days = binary()
    found = compare(
        monitor(), metric, rows(truth, days, _score=bad), rows(truth, days, _score=good)
    )
    assert found.champion == pytest.approx(OF_BINARY[metric](truth, bad), rel=1e-12)
    assert found.challenger == pytest.approx(OF_BINARY[metric](truth, good), rel=1e-12)
    assert found.gain == pytest.approx(found.challenger - found.champion)
    assert found.lower < found.gain < found.upper
    assert found.better or metric in ("precision", "recall")
    back = compare(monitor(), metric, rows(truth, days, _score=good), rows(truth, days, _score=bad))
    assert not back.better
    same = compare(monitor(), metric, rows(truth, days, _score=bad), rows(truth, days, _score=bad))
    assert (same.gain, same.lower, same.upper, same.better) == (0.0, 0.0, 0.0, False)


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "mape", "r2"])
def test_regression(metric: str) -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(10, 3, 3000) + 20
    bad, good = truth + rng.normal(0, 2, 3000), truth + rng.normal(0, 1, 3000)
    days = rng.integers(0, 10, 3000)
    own = {
        "mae": sk.mean_absolute_error,
        "mse": sk.mean_squared_error,
        "rmse": sk.root_mean_squared_error,
        "mape": sk.mean_absolute_percentage_error,
        "r2": sk.r2_score,
    }[metric]
    found = compare(
        monitor("regression"),
        metric,
        rows(truth, days, _prediction=bad),
        rows(truth, days, _prediction=good),
    )
    assert found.champion == pytest.approx(own(truth, bad), rel=1e-9)
    assert found.challenger == pytest.approx(own(truth, good), rel=1e-9)
    assert found.better


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "roc_auc", "f1"])
def test_multiclass(metric: str) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(3000, 3)) * 2
    good = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    place = (rng.random((3000, 1)) > good.cumsum(axis=1)).sum(axis=1)
    blurred = np.exp(logits / 3 + rng.normal(size=logits.shape))
    bad = blurred / blurred.sum(axis=1, keepdims=True)
    label, days = np.array(["a", "b", "c"])[place], rng.integers(0, 10, 3000)

    def said(scores: np.ndarray) -> Rows:
        own = {f"_score__{name}": scores[:, n] for n, name in enumerate("abc")}
        return rows(label, days, **own)

    own = {
        "log_loss": lambda s: sk.log_loss(place, s),
        "accuracy": lambda s: sk.accuracy_score(place, s.argmax(axis=1)),
        "roc_auc": lambda s: sk.roc_auc_score(place, s, multi_class="ovr"),
        "f1": lambda s: sk.f1_score(place, s.argmax(axis=1), average="macro"),
    }[metric]
    found = compare(monitor("multiclass"), metric, said(bad), said(good))
    assert found.champion == pytest.approx(own(bad), rel=1e-9)
    assert found.challenger == pytest.approx(own(good), rel=1e-9)
    assert found.better


def test_the_interval_is_that_of_a_plain_bootstrap_of_days() -> None:
    truth, bad, good, days = binary(n=3000, days=20)
    first, second = (paired.log_losses(truth, s) for s in (bad, good))
    found = paired.of_sums(first, second, days)
    rng, plain = np.random.default_rng(5), []
    for _ in range(2000):
        drawn = rng.integers(0, 20, 20)
        at = np.concatenate([np.flatnonzero(days == day) for day in drawn])
        plain.append((second[at] - first[at]).mean())
    low, high = np.quantile(plain, [0.025, 0.975])
    width = high - low
    assert found.lower == pytest.approx(low, abs=0.08 * width)
    assert found.upper == pytest.approx(high, abs=0.08 * width)
    slow = paired.of_rows(
        lambda at: first[at].mean(), lambda at: second[at].mean(), days, draws=2000, seed=7
    )
    assert (slow.lower, slow.upper) == pytest.approx((low, high), abs=0.08 * width)


def test_with_a_row_a_day_it_is_scipys_percentile_bootstrap() -> None:
    rng = np.random.default_rng(6)
    gain = rng.normal(-0.1, 1, 400)
    found = paired.of_sums(np.zeros(400), gain, np.arange(400))
    known = bootstrap((gain,), np.mean, method="percentile", n_resamples=5000, rng=rng)
    width = known.confidence_interval.high - known.confidence_interval.low
    assert found.lower == pytest.approx(known.confidence_interval.low, abs=0.06 * width)
    assert found.upper == pytest.approx(known.confidence_interval.high, abs=0.06 * width)


@given(st.integers(0, 1000), st.integers(2, 30))
def test_order_of_rows_does_not_matter(seed: int, days: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, day = rng.random(60), rng.random(60), rng.integers(0, days, 60)
    shuffled = rng.permutation(60)
    one = paired.of_sums(first, second, day)
    other = paired.of_sums(first[shuffled], second[shuffled], day[shuffled])
    assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper))


def test_days_that_swing_together_are_no_proof() -> None:
    """Rows of a day depend on one another: 5,000 rows of two kinds of days are 6 observations."""
    days = np.repeat(np.arange(6), 1000)
    gain = np.where(days < 4, -0.05, 0.06)
    found = paired.of_sums(np.zeros(6000), gain, days)
    assert found.difference < 0 < found.upper
    by_row = paired.of_sums(np.zeros(6000), gain, np.arange(6000))
    assert by_row.upper < 0  # as if rows were independent, it would have passed


def test_too_little_is_refused_in_words() -> None:
    truth, bad, good, days = binary(n=150)
    found = compare(
        monitor(), "log_loss", rows(truth, days, _score=bad), rows(truth, days, _score=good)
    )
    assert (found.better, found.champion, found.rows) == (False, None, 150)
    assert "150 labelled rows on" in found.words
    one = np.zeros(len(binary()[0]), dtype=int)
    truth, bad, good, days = binary()
    found = compare(monitor(), "roc_auc", rows(one, days, _score=bad), rows(one, days, _score=good))
    assert "every label is" in found.words


def test_only_rows_that_both_can_score_count() -> None:
    truth, bad, good, days = binary()
    holes = bad.copy()
    holes[::10] = np.nan
    found = compare(
        monitor(), "brier", rows(truth, days, _score=holes), rows(truth, days, _score=good)
    )
    kept = np.isfinite(holes)
    assert found.rows == kept.sum()
    assert found.challenger == pytest.approx(sk.brier_score_loss(truth[kept], good[kept]))


def test_a_comparison_of_scores_takes_rows_without_a_class() -> None:
    truth, bad, good, days = binary()
    gone = np.arange(len(truth)) % 3 > 0
    said = pa.array((bad >= 0.5).astype(int), mask=gone)
    champion = rows(truth, days, _score=bad, _prediction=said)
    challenger = rows(truth, days, _score=good, _prediction=pa.array((good >= 0.5).astype(int)))
    own = monitor(predictions={"table": "p", "timestamp": "ts", "score": "p", "prediction": "c"})
    losses, hits = (compare(own, m, champion, challenger) for m in ("log_loss", "accuracy"))
    assert (losses.rows, hits.rows) == (len(truth), (~gone).sum())
    assert losses.champion == pytest.approx(sk.log_loss(truth, bad))
    assert hits.champion == pytest.approx(sk.accuracy_score(truth[~gone], bad[~gone] >= 0.5))


@pytest.mark.parametrize("metric", metrics.GATE)
def test_only_an_interval_that_is_all_gain_passes(metric: str) -> None:
    """Of R2 and of what counts right answers more is better, of losses and errors less."""
    better = {"roc_auc", "average_precision", "accuracy", "balanced_accuracy"}
    sign = 1 if metric in better | {"precision", "recall", "f1", "r2"} else -1

    def passes(*edges: float) -> bool:
        lower, upper = sorted(sign * edge for edge in edges)
        return Comparison(metric=metric, rows=1, lower=lower, upper=upper).better

    assert passes(1e-9, 0.2)
    assert not any(passes(*draw) for draw in [(-0.1, 0.2), (0.0, 0.2), (0.0, 0.0), (-0.2, 0.0)])
    assert not passes(-0.2, -1e-9)
    assert not Comparison(metric=metric, rows=1, too_little="150 labelled rows").better


@pytest.mark.parametrize(("days", "enough"), [(4, False), (5, True)])
def test_however_many_rows_there_are_an_interval_needs_days_to_draw(
    days: int, enough: bool
) -> None:
    truth, bad, good, _ = binary()
    day = np.arange(len(truth)) % days
    found = compare(
        monitor(), "log_loss", rows(truth, day, _score=bad), rows(truth, day, _score=good)
    )
    assert found.better is enough
    assert ("4,000 labelled rows on 4 days in the holdout are too few" in found.words) is not enough


def test_a_metric_that_cannot_be_compared_is_a_fault_of_the_file(tmp_path: Any) -> None:
    from driftline.monitor import file as monitor_file

    path = tmp_path / "m.yaml"
    path.write_text(
        "monitor: m\ntask: binary\nwarehouse: 'sqlite:///x.db'\n"
        "predictions: {table: p, timestamp: ts, score: s}\nlabels: {label: y}\n"
        "reference: {window: [2024-01-01, 2024-02-01]}\n"
        "retraining: {train: 'a:b', gate: {metric: rmse}}\n"
    )
    with pytest.raises(ConfigError, match=r"m.yaml:7: retraining.gate.metric: found 'rmse'"):
        monitor_file.load(path)
