"""The demo's story: two months of flights, watched by a real Airflow as each day saw them."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from driftline import store
from driftline.connections import from_environment
from driftline.domain import DAY
from driftline.monitor import file as monitor_file
from driftline.retraining.registry import Version
from flights import data, demo, show
from flights.airflow import LOGIN, Airflow
from flights.comparison import compare
from flights.slack import SlackReceiver
from flights.stage import Stage, waiting

if TYPE_CHECKING:
    import pandas as pd

MONITOR = Path("include/monitors/flight_delay.yaml")
DAGS = Path("dags")
TOKEN = "xoxb-the-demo's-own"  # noqa: S105 (of the receiver on this machine, no secret)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


START = _day(f"{demo.START}")
FIRST = _day("2013-03-25")
DRIFTED = _day("2013-04-04")
WORSE = _day("2013-04-12")
WORSE_AGAIN = _day("2013-04-22")
LAST = _day("2013-05-01")


def tell(home: Path, console: Console, *, stay: bool = False) -> None:
    """Play the story with everything below `home`; with `stay` Airflow runs on until Ctrl-C."""
    started = time.monotonic()
    shutil.rmtree(home, ignore_errors=True)
    with (
        slack_of(home, console) as slack,
        Airflow(home / "airflow", dags=DAGS, wait=False) as airflow,
    ):
        stage = Stage(monitor=monitor_file.load(MONITOR), airflow=airflow, console=console)
        story = Story(home=home, stage=stage, slack=slack)
        story.begin()
        story.until(DRIFTED)
        story.until(WORSE)
        story.hours()
        story.until(WORSE_AGAIN)
        story.afterwards()
        show.places(stage.monitor, home, console)
        show.elapsed(time.monotonic() - started, console)
        if stay:
            _stay(airflow, console)


@dataclass(slots=True, kw_only=True)
class Story:
    """What has happened so far: until when flights are served and watched, and who was promoted."""

    home: Path
    stage: Stage
    slack: SlackReceiver | None
    rows: "pd.DataFrame" = field(init=False)
    first: Version = field(init=False)
    served: datetime = START
    watched: datetime = field(default_factory=lambda: FIRST)
    promoted: tuple[datetime, Version] | None = None
    heard: int = 0

    def begin(self) -> None:
        """Train the first champion, and let it serve and be watched until the first day shown."""
        stage, monitor = self.stage, self.stage.monitor
        where = store.store_url(monitor.store, folder=monitor.folder, connections=from_environment)
        store.upgrade(where)
        with waiting(stage.console, "A model of January and February is trained"):
            self.rows = data.predictions(data.tables())
            self.first = demo.found_first_champion(self.home, self.rows)
            self._serve(DRIFTED)
        self._remember(DRIFTED - DAY)
        stage.open()

    def until(self, end: datetime) -> None:
        """Go on to a day: what lies between is history, the day itself is the scheduler's."""
        self._serve(end)
        self._remember(end - DAY)
        self.stage.console.rule(f"{end:%F}", align="left")
        show.decision(self.stage.day(end), self.stage.console)
        self.watched = end
        self._show_messages()
        retraining = self.stage.retraining(end)
        if retraining is not None:
            show.retraining(retraining, self.stage.console)
            champion = demo.models(self.home).champion()
            if champion is not None and champion != self._champion:
                self.promoted = end, champion
            self._show_messages()

    def hours(self) -> None:
        """Let the scheduler run the hours that `schedule:` names."""
        schedule = self.stage.monitor.schedule
        if schedule.start is None or schedule.end is None:
            raise ValueError(f"{MONITOR}: the demo's schedule has a start and an end")
        self._serve(schedule.end.replace(hour=0) + DAY)
        self.stage.hours(schedule.start, schedule.end)
        self._show_messages()

    def afterwards(self) -> None:
        """Let the promoted model serve to the end, and hold it against the old one."""
        console = self.stage.console
        if self.promoted is None:
            console.print("No challenger was promoted: the first model serves on.")
            return
        since, version = self.promoted
        self._serve(LAST)
        console.rule(f"{since:%F} to {LAST:%F}", align="left")
        self._remember(LAST)
        self._show_messages()
        registry = demo.models(self.home)
        models = registry.load(self.first), registry.load(version)
        days = [since + DAY * n for n in range((LAST - since) // DAY + 1)]
        week = compare(self.rows, *models, [since - 7 * DAY, since])
        total = compare(self.rows, *models, [since, LAST])
        show.comparison(
            compare(self.rows, *models, days), *total, *week, self.first, version, console
        )

    @property
    def _champion(self) -> Version:
        return self.promoted[1] if self.promoted else self.first

    def _serve(self, until: datetime) -> None:
        """Let the world go on: who is champion now scores the flights until this moment."""
        demo.serve(self.home, self.rows, self.served.date(), until.date())
        self.served = max(self.served, until)

    def _remember(self, until: datetime) -> None:
        """Measure the days until this moment in process; nobody is told."""
        if self.watched < until:
            self.stage.remember(self.watched, until)
            self.watched = until

    def _show_messages(self) -> None:
        if self.slack is not None:
            show.messages(self.slack.messages[self.heard :], self.stage.console)
            self.heard = len(self.slack.messages)


@contextmanager
def slack_of(home: Path, console: Console) -> Iterator[SlackReceiver | None]:
    """Speak to Slack itself where there is a token, else to a receiver on this machine."""
    if os.environ.get("SLACK_BOT_TOKEN"):
        console.print("Messages go to Slack, channel #ml-alerts")
        yield None
        return
    log = home / "slack.jsonl"
    home.mkdir(parents=True, exist_ok=True)
    with SlackReceiver(token=TOKEN, log=log) as receiver:
        console.print(f"Messages go to a Slack of the demo's own, and are kept in {log}")
        os.environ |= {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": receiver.url}
        try:
            yield receiver
        finally:
            del os.environ["SLACK_BOT_TOKEN"], os.environ["SLACK_API_URL"]


def _stay(airflow: Airflow, console: Console) -> None:
    user, password = LOGIN
    console.print(
        f"\nAirflow is at [bold]{airflow.url}[/], user {user}, password {password}, until Ctrl-C"
    )
    while True:
        time.sleep(3600)
