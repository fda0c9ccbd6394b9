"""Which windows a run measures, and which hours a day fills: no warehouse is asked."""

from datetime import timedelta
from typing import Any

import pytest

from driftline.config import Monitor
from driftline.domain import DAY, HOUR, Suite, Window
from driftline.pipeline import missing_hours, steps
from driftline.store import Store
from tests.models import START

END = START + 10 * DAY
MIDNIGHT = Window.ending("1d", END)


def monitor(windows: list[str], **labels: Any) -> Monitor:
    own = {"table": "l", "id": "id", "timestamp": "at", "label": "y", **labels}
    return Monitor.model_validate(
        {
            "monitor": "model",
            "task": "binary",
            "warehouse": "duckdb:///logs.db",
            "predictions": {"table": "p", "id": "id", "timestamp": "ts", "score": "s"},
            "labels": own,
            "reference": {"window": ["2023-12-01", "2024-01-01"]},
            "windows": windows,
        }
    )


@pytest.mark.parametrize(
    ("maturity", "days"),
    [("1h", 1), ("24h", 1), ("25h", 2), ("36h", 2), ("48h", 2), ("49h", 3), ("30d", 30)],
)
def test_a_window_is_measured_again_on_the_first_day_on_which_its_labels_are_of_age(
    maturity: str, days: int
) -> None:
    watched = monitor(["1d", "7d"], maturity=maturity)
    assert watched.labels
    planned = [step for step in steps(watched, MIDNIGHT) if step.suite is Suite.PERFORMANCE]
    ripe = [step.window for step in planned if step.window.end < END]
    assert ripe == [Window.ending(cadence, END - days * DAY) for cadence in ("1d", "7d")]
    assert {step.as_of for step in planned} == {END}
    assert END - DAY < ripe[0].end + watched.labels.maturity <= END


def test_a_day_leaves_the_hour_that_has_just_ended_to_its_own_run(store: Store) -> None:
    """It fills the hour before its own, and of its own those that ended an hour ago or longer."""
    watched = monitor(["1h", "1d"])

    def ends(now: Any) -> list[Any]:
        return [hour.end for hour in missing_hours(store, watched, MIDNIGHT, now)]

    whole = [END - DAY + HOUR * number for number in range(25)]
    assert ends(END) == ends(END + HOUR - timedelta(seconds=1)) == whole[:-1]
    assert ends(END + HOUR) == whole
    assert ends(END - 3 * HOUR) == whole[:-4]
