"""Explanations: kept by window, scope, metric and moment, the newest first."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from driftline.domain import Cause, CauseKind, Explanation, Window
from driftline.store import Store, explanations
from tests.store.conftest import MONDAY, RUN

FELL = Explanation(
    reference_value=0.8,
    window_value=0.6,
    rows=1000,
    words="f1 fell",
    fall=0.2,
    lower=0.1,
    upper=0.3,
    inputs=0.05,
    relation=0.15,
    relation_lower=0.1,
    relation_upper=0.2,
    causes=(
        Cause(rank=1, kind=CauseKind.NULLS, words="x is null", column="x", share=0.5),
        Cause(
            rank=2,
            kind=CauseKind.RANGE,
            words="y is large",
            segment="y >= 9",
            began=MONDAY.start + timedelta(hours=5),
        ),
    ),
)
WHERE: dict[str, Any] = {
    "monitor": "flights",
    "window": MONDAY,
    "scope": "",
    "metric": "f1",
    "as_of": MONDAY.end,
    "config_hash": "c",
}
ASIDE: list[dict[str, Any]] = [
    {"monitor": "ferries"},
    {"window": Window.ending("1d", MONDAY.end + timedelta(days=1))},
    {"window": Window(cadence="7d", start=MONDAY.start, end=MONDAY.start + timedelta(days=7))},
    {"scope": "origin=JFK"},
    {"metric": "recall"},
    {"as_of": MONDAY.end + timedelta(days=1)},
    {"config_hash": "d"},
]


def save(store: Store, found: Explanation, **changes: Any) -> None:
    with store.begin() as connection:
        explanations.save(connection, found, **WHERE | changes, **RUN)


def newest(store: Store, **changes: Any) -> Explanation | None:
    asked = WHERE | changes
    place = [asked.pop(name) for name in ("monitor", "window", "config_hash")]
    with store.read() as connection:
        return explanations.newest(connection, *place, **asked)


def test_each_place_has_an_explanation_of_its_own_and_the_last_stands(store: Store) -> None:
    save(store, replace(FELL, causes=FELL.causes[:1], words="it fell"))
    save(store, FELL)
    assert newest(store) == FELL
    for number, change in enumerate(ASIDE):
        assert newest(store, **change) is None
        other = replace(FELL, words=f"{number}", causes=FELL.causes[number % 3 :])
        save(store, other, **change)
        assert newest(store, **change) == other
    assert newest(store) == FELL


def test_the_newest_of_any_metric_and_moment(store: Store) -> None:
    later = MONDAY.end + timedelta(days=1)
    save(store, FELL)
    save(store, replace(FELL, words="later"), as_of=later, metric="recall")
    save(store, replace(FELL, words="first by name"), as_of=later, metric="accuracy")
    found = [newest(store, as_of=at, metric=None) for at in (None, MONDAY.end)]
    assert [one and one.words for one in found] == ["first by name", "f1 fell"]
    assert newest(store, as_of=None) == FELL
