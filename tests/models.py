"""Logs of made-up models, with what goes wrong planted in them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CLASSES = ("cat", "dog", "eel")


def moments(rng: np.random.Generator, start: datetime, days: int, rows: int) -> np.ndarray:
    """Return sorted times within the days, as microseconds since the epoch."""
    first = int(start.timestamp()) * 1_000_000
    return np.sort(first + rng.integers(0, days * 86_400_000_000, days * rows))


def instants(microseconds: np.ndarray) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us", "UTC"))


def logs(
    task: str = "binary", *, days: int = 12, rows: int = 150, seed: int = 0, drift_on: int = 99
) -> tuple[pa.Table, pa.Table]:
    """Return predictions and labels of a model of this task, from `START` on.

    From day `drift_on` the feature `x` is shifted by two and the model no longer sees it. Labels
    arrive one to twenty hours after their prediction; one in thirty never does.
    """
    rng = np.random.default_rng(seed)
    at = moments(rng, START, days, rows)
    n = len(at)
    day = (at - at[0] // 86_400_000_000 * 86_400_000_000) // 86_400_000_000
    drifted = day >= drift_on
    x = rng.normal(0, 1, n)
    group = rng.choice(["north", "south"], n, p=[0.6, 0.4])
    seen = np.where(drifted, rng.normal(0, 1, n), x)
    predictions = {
        "id": [f"r{number:06d}" for number in range(n)],
        "ts": instants(at),
        "x": x + 2.0 * drifted,
        "noise": rng.normal(5, 2, n),
        "group": group,
        "version": np.where(day < days // 2, "1", "2"),
    }
    if task == "binary":
        truth = rng.random(n) < 1 / (1 + np.exp(-1.5 * x))
        predictions |= {"score": 1 / (1 + np.exp(-1.5 * seen))}
        label = pa.array(truth.astype(np.int64))
    elif task == "multiclass":
        scores = np.exp(np.stack([seen, -seen, np.zeros(n)], axis=1))
        scores /= scores.sum(axis=1, keepdims=True)
        ideal = np.exp(np.stack([x, -x, np.zeros(n)], axis=1)).cumsum(axis=1)
        drawn = (rng.random((n, 1)) * ideal[:, -1:] > ideal).sum(axis=1)
        predictions |= {f"p_{name}": scores[:, place] for place, name in enumerate(CLASSES)}
        predictions |= {"prediction": np.array(CLASSES)[scores.argmax(axis=1)]}
        label = pa.array(np.array(CLASSES)[drawn])
    else:
        predictions |= {"prediction": 3 * seen + 10}
        label = pa.array(3 * x + 10 + rng.normal(0, 1, n))
    labelled = rng.random(n) > 1 / 30
    arrived = at + (rng.uniform(1, 20, n) * 3_600_000_000).astype(np.int64)
    labels = pa.table({"id": predictions["id"], "labelled_at": instants(arrived), "y": label})
    return pa.table(predictions), labels.filter(pa.array(labelled))


def parts(task: str) -> dict:
    """Return what a monitor of these logs writes beside the tables' names."""
    predictions: dict = {"version": "version"}
    if task == "multiclass":
        predictions |= {
            "score": {name: f"p_{name}" for name in CLASSES},
            "prediction": "prediction",
        }
    elif task == "regression":
        predictions |= {"score": None, "prediction": "prediction"}
    return {
        "task": task,
        "predictions": predictions,
        "labels": {"of": "labels", "id": "id", "timestamp": "labelled_at", "label": "y"},
        "reference": {"window": ["2024-01-01", "2024-01-05"]},
        "windows": ["1d", "3d"],
        "drift": {"domain_classifier": False},  # half of a small day's time
    }
