"""What the suites' tests share: a scope, and rows like the demo's."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import Scope, Window
from driftline.monitor.config import Monitor
from driftline.profile.rows import Rows


@pytest.fixture
def scope() -> Scope:
    window = Window.ending("1d", datetime(2013, 4, 2, tzinfo=UTC))
    return Scope(monitor="model", window=window, as_of=window.end, config_hash="c")


def monitor_of(task: str = "binary", predictions: Any = (), **parts: Any) -> Monitor:
    """Return the monitor of these parts of its file."""
    said = {
        "binary": {"score": "p"},
        "multiclass": {"score": {"a": "p_a", "b": "p_b", "c": "p_c"}},
        "regression": {"prediction": "y_hat"},
    }[task]
    whole = {
        "monitor": "model",
        "task": task,
        "warehouse": "warehouse",
        "predictions": {"table": "log", "timestamp": "ts", **said, **dict(predictions)},
        "labels": {"label": "y"},
        "reference": {"window": ["2013-03-01", "2013-04-01"]},
        **parts,
    }
    return Monitor.model_validate(whole)


@pytest.fixture
def monitor():
    """Return a function from parts of a monitor's file to the monitor."""
    return monitor_of


def rows(total: int | None = None, **columns: Any) -> Rows:
    """Return rows of these columns; `_label` and the like stand for the roles."""
    table = pa.table(
        {f"@@{name[1:]}" if name[0] == "_" else name: values for name, values in columns.items()}
    )
    return Rows(table=table, total=len(table) if total is None else total)


def flights(number: int, seed: int, shift: float = 0.0) -> dict[str, Any]:
    """Return columns that look like the demo's."""
    rng = np.random.default_rng(seed)
    return {
        "temp": rng.normal(40 + 10 * shift, 10, number),
        "distance": rng.gamma(2, 500, number),
        "precip": rng.choice([0.0, 0.0, 0.0, 0.01, 0.2], number),
        "carrier": rng.choice(["UA", "B6", "DL", "AA"], number),
        "origin": rng.choice(["JFK", "LGA", "EWR"], number),
    }
