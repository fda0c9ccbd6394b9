"""By default rules, performance that falls far is told on the first day, once, and only then."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import select

from driftline.flow.conclusion import Conclusion
from driftline.monitor.config import Monitor
from driftline.run import planned, run
from driftline.store import Store, tables
from tests.models import DAY, START, instants, moments
from tests.warehouses import make_warehouse

pytestmark = pytest.mark.usefixtures("no_pages", "no_samples", "no_expectations")

CLASSES = ("cat", "dog", "eel")
SAID: dict[str, dict[str, Any]] = {
    "regression": {"prediction": "said"},
    "binary": {"score": "said"},
    "multiclass": {"score": {name: name for name in CLASSES}, "prediction": "said"},
    "classes only": {"prediction": "said"},
}


@pytest.fixture(autouse=True)
def no_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the estimates of a regression: learning them takes longer than all else here."""
    monkeypatch.setattr("driftline.flow.measure._expected_losses", lambda *_: [])


@pytest.fixture
def unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out why performance fell, which takes a second, where it is not tested."""
    monkeypatch.setattr("driftline.flow.conclusion._explained", lambda *_: {})


def monitor_of(
    request: Any,
    folder: Any,
    kind: str,
    broken: Iterable[int] = (),
    *,
    late: float = 0,
    grown: float = 0,
    rows: int = 400,
    **changes: Any,
) -> Monitor:
    """Return the monitor, without rules, of a model of which some days, from START, are broken.

    Then a regression's errors are twice as large, and a classifier answers other rows. Labels are
    known within `late` hours; `grown` is by how much errors are larger from day 8 on.
    """
    rng = np.random.default_rng(5)
    at = moments(rng, START, 12, rows)
    day = (at - at[0] // 86_400_000_000 * 86_400_000_000) // 86_400_000_000
    here = np.isin(day, [*broken])
    n = len(at)
    x = rng.normal(0, 2, n)
    seen = np.where(here, rng.permutation(x), x)
    chances = np.exp(np.stack([x, -x, np.zeros(n)], axis=1))
    table: dict[str, Any] = {"ts": instants(at), "x": x}
    table["known"] = instants(at + (rng.uniform(0, late, n) * 3.6e9).astype(np.int64))
    if kind == "regression":
        table |= {"y": 3 * x, "said": 3 * x + rng.normal(0, 1, n) * (1 + here)}
        table["said"] += grown * (table["said"] - table["y"]) * (day >= 8)
    elif kind == "multiclass":
        drawn = (rng.random((n, 1)) * chances.sum(axis=1)[:, None] > chances.cumsum(axis=1)).sum(1)
        answers = np.exp(np.stack([seen, -seen, np.zeros(n)], axis=1))
        answers /= answers.sum(axis=1, keepdims=True)
        table |= {name: answers[:, place] for place, name in enumerate(CLASSES)}
        table |= {"y": np.array(CLASSES)[drawn], "said": np.array(CLASSES)[answers.argmax(axis=1)]}
    else:
        table["y"] = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(np.int64)
        score = 1 / (1 + np.exp(-seen))
        table["said"] = score if kind == "binary" else (score >= 0.5).astype(np.int64)
    warehouse = make_warehouse(request, "parquet", folder)
    warehouse.load("predictions", pa.table(table))
    whole: dict[str, Any] = {
        "task": "binary" if kind == "classes only" else kind,
        "predictions": {"id": None, "score": None, **SAID[kind]},
        "labels": {"label": "y", "timestamp": "known"},
        "reference": {"window": ["2024-01-01", "2024-01-07"]},
        "windows": ["1d", "3d"],
        "drift": {"domain_classifier": False},
    }
    return warehouse.monitor(**whole | changes)


def days(monitor: Monitor, store: Store, first: int, last: int) -> list[Conclusion]:
    """Run the days from `first` until `last`, counted from START."""
    return list(run(monitor, planned(monitor, START + first * DAY, START + last * DAY), store))


def told(store: Store) -> list[dict[str, Any]]:
    with store.read() as connection:
        bodies = connection.scalars(select(tables.outbox.c.body)).all()
    return [json.loads(body) for body in bodies]


@pytest.mark.parametrize("kind", SAID)
def test_a_fall_that_lasts_is_told_on_the_first_day_and_once(
    request: Any, tmp_path: Any, store: Store, kind: str
) -> None:
    explained = kind in ("binary", "regression")
    if not explained:
        request.getfixturevalue("unexplained")
    monitor = monitor_of(request, tmp_path, kind, range(8, 12))
    found = days(monitor, store, 8, 12 if kind == "classes only" else 11)
    assert [c.interval.end for c in found if c.told] == [START + 9 * DAY]
    (message,) = told(store)
    (finding,) = message["findings"]
    assert (finding["rule"], message["severity"]) == ("performance-1d", "critical")
    assert "(1d) is" in finding["lines"][0]
    assert "surely worse than the reference's" in finding["lines"][0]
    assert bool(message["why"]) is explained
    assert {one.rule for one in found[-1].open} == {"performance-1d", "performance"}


@pytest.mark.parametrize("kind", SAID)
def test_the_same_log_without_the_fall_is_quiet(
    request: Any, tmp_path: Any, store: Store, kind: str
) -> None:
    found = days(monitor_of(request, tmp_path, kind), store, 8, 11)
    assert [c.interval.end for c in found if c.told or c.open or c.doubts.grave] == []
    judged = {v.rule for c in found for v in c.verdicts if v.outcome == "ok"}
    assert judged >= {"performance", "performance-1d"}


@pytest.mark.usefixtures("unexplained")
def test_a_day_whose_labels_trickle_in_is_judged_when_they_are_there(
    request: Any, tmp_path: Any, store: Store
) -> None:
    """Those of 20 hours are known at the day's end of hardly more than half of the rows."""
    monitor = monitor_of(request, tmp_path, "regression", [9], late=20)
    found = days(monitor, store, 8, 12)
    assert [c.interval.end for c in found if c.told] == [START + 11 * DAY]
    assert [one.series.cadence for one in found[2].open] == ["1d"]
    assert not any(c.doubts.grave for c in found)  # what waits for labels is no doubt


@pytest.mark.usefixtures("unexplained")
def test_a_week_that_fails_without_the_day_that_was_told_is_told(
    request: Any, tmp_path: Any, store: Store
) -> None:
    """The day's rule is told of the eighth; weeks that hold it are not, and later ones are."""
    monitor = monitor_of(request, tmp_path, "regression", [8], grown=0.4)
    found = days(monitor, store, 8, 12)
    names = [[one.rule for one in c.open if one.fired == c.interval.end] for c in found]
    assert names == [["performance-1d"], [], ["performance"], []]
    assert [c.told for c in found] == [True, False, False, True]
    assert [m["findings"][0]["rule"] for m in told(store)] == ["performance-1d", "performance"]


@pytest.mark.usefixtures("unexplained")
def test_where_days_are_all_that_is_watched_both_rules_look_at_them(
    request: Any, tmp_path: Any, store: Store
) -> None:
    monitor = monitor_of(request, tmp_path, "regression", range(8, 12), rows=1100, windows=["1d"])
    found = days(monitor, store, 8, 11)
    assert [c.told for c in found] == [True, False, False]
    assert {one.rule for one in found[-1].open} == {"performance-1d", "performance"}
