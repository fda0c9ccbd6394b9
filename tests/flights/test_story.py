"""The demo as a whole: the rules fire on the days that are known, and what it leaves is there."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from driftline import monitor_file
from driftline.domain import Suite
from driftline.store import Store, measurements, outbox, store_url
from flights.story import tell

pytestmark = pytest.mark.xdist_group("story")

ROOT = Path(__file__).parents[2]


WATCHED = datetime(2013, 3, 28, tzinfo=UTC), datetime(2013, 4, 13, tzinfo=UTC)
"""Both rules fire in these days; `make demo` watches two months."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Run the demo in a folder of its own; give the folder and what was shown."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "include" / "monitors").mkdir(parents=True)
    monitor = ROOT / "include" / "monitors" / "flight_delay.yaml"
    (folder / "include" / "monitors" / "flight_delay.yaml").write_text(monitor.read_text())
    console = Console(file=io.StringIO(), width=160)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("SLACK_BOT_TOKEN", raising=False)
        tell(Path(".demo"), console, WATCHED)
        yield folder, console.file.getvalue()


@pytest.fixture
def monitor(demo: tuple[Path, str]):
    return monitor_file.load(demo[0] / "include" / "monitors" / "flight_delay.yaml")


def test_it_fires_on_the_days_that_are_known(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    lines = (folder / ".demo" / "slack.jsonl").read_text().splitlines()
    messages = [json.loads(line)["text"] for line in lines]
    assert [message.rpartition(" to ")[2] for message in messages] == [
        "2013-04-04)",
        "2013-04-12)",
    ]
    assert "scores-have-drifted (warn" in messages[0]
    assert "worse-than-a-constant (critical" in messages[1]


def test_the_summary_says_where_to_look_and_what_to_type(demo: tuple[Path, str], monitor) -> None:
    folder, shown = demo
    for place in (".demo/driftline.db", ".demo/slack.jsonl", "report.html", "driftline metrics"):
        assert place in shown
    assert (folder / ".demo/artifacts/flight_delay/7d/2013-04-05/report.html").stat().st_size > 1e6
    assert "0 errors" in shown


def test_the_numbers_are_those_that_are_known(demo: tuple[Path, str], monitor) -> None:
    url = store_url(monitor.store, folder=monitor.folder, connections=_none)
    with Store.open(url) as store, store.read() as connection:

        def weekly(metric: str, **selected: object) -> dict[str, float]:
            rows = measurements.history(
                connection,
                "flight_delay",
                metric=metric,
                cadence="7d",
                model_version="",
                **selected,
            )
            seen = {row["window_end"]: row for row in rows if row["window_end"] == row["as_of"]}
            return {f"{end:%m-%d}": row["value"] for end, row in seen.items()}

        psi = weekly("psi", column="probability", suite=str(Suite.DRIFT))
        # Evidently's PSI of the score over the week, as published with the demo's data.
        assert [round(psi[day], 3) for day in ("04-02", "04-03", "04-04")] == [0.336, 0.321, 0.322]
        ratio = weekly("log_loss_ratio")
        assert round(ratio["04-13"], 3) == 0.968  # it recovers by itself: no evidence of a cure
        assert [day for day in ("04-10", "04-11", "04-12") if ratio[day] <= 1] == []
        assert max(value for day, value in ratio.items() if day < "04-01") < 1
        assert outbox.pending(connection) == []


def _none(connection_id: str) -> str:
    raise AssertionError(f"the demo asks for no connection, but for {connection_id}")
