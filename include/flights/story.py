"""The demo's story: two months of flights, watched day by day as each day would have seen them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from driftline import monitor_file, store
from driftline.conclusion import Conclusion
from driftline.config import Monitor
from driftline.connections import from_environment
from driftline.domain import Window
from driftline.home import artifact
from driftline.reports import REPORT
from driftline.run import planned, run
from flights.demo import prepare
from flights.slack import SlackReceiver

MONITOR = Path("include/monitors/flight_delay.yaml")
WATCHED = datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)
TOKEN = "xoxb-the-demo's-own"  # noqa: S105 (of the receiver on this machine, no secret)


def tell(
    home: Path, console: Console, watched: tuple[datetime, datetime] = WATCHED
) -> list[Conclusion]:
    """Prepare the logs below `home`, watch them, show what is found; return what each day said."""
    shutil.rmtree(home, ignore_errors=True)
    with console.status("Training on January and February, writing the logs of three months"):
        prepare(home)
    console.print(f"Flight logs, as a warehouse would hold them: {home / 'logs'}")
    monitor = monitor_file.load(MONITOR)
    where = store.store_url(monitor.store, folder=monitor.folder, connections=from_environment)
    store.upgrade(where)
    with store.Store.open(where) as opened, _slack(home, console):
        conclusions = _watch(monitor, opened, console, watched)
    _summary(monitor, conclusions, home, console)
    return conclusions


@contextmanager
def _slack(home: Path, console: Console) -> Iterator[None]:
    """Speak to Slack itself where there is a token, else to a receiver on this machine."""
    if os.environ.get("SLACK_BOT_TOKEN"):
        console.print("Messages go to Slack, channel #ml-alerts")
        yield
        return
    log = home / "slack.jsonl"
    with SlackReceiver(token=TOKEN, log=log) as receiver:
        console.print(f"Messages go to a Slack of the demo's own, and are kept in {log}")
        os.environ |= {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": receiver.url}
        try:
            yield
        finally:
            del os.environ["SLACK_BOT_TOKEN"], os.environ["SLACK_API_URL"]


def _watch(
    monitor: Monitor,
    opened: store.Store,
    console: Console,
    watched: tuple[datetime, datetime],
) -> list[Conclusion]:
    todo = planned(monitor, *watched)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    conclusions = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{watched[0]:%F}", total=len(todo))
        for conclusion in run(monitor, todo, opened, jobs=min(4, os.cpu_count() or 1)):
            conclusions.append(conclusion)
            progress.update(task, advance=1, description=f"{conclusion.interval.end:%F}")
            if conclusion.told:
                _show_message(conclusion, console)
    return conclusions


def _show_message(conclusion: Conclusion, console: Console) -> None:
    console.print(f"[bold]{conclusion.interval.end:%F}[/] a message to #ml-alerts:")
    for incident in conclusion.opened:
        color = "red" if incident.severity == "critical" else "yellow"
        reason = conclusion.open[incident].reason
        console.print(
            f"   [{color}]{incident.rule}[/]: {escape(reason)}",
            highlight=False,
        )


def _summary(monitor: Monitor, conclusions: list[Conclusion], home: Path, console: Console) -> None:
    table = Table(title="What driftline found", title_justify="left")
    for heading in ("fired", "rule", "severity", "what"):
        table.add_column(heading, overflow="fold")
    fired: list[Window] = []
    for conclusion in conclusions:
        for incident in conclusion.opened:
            verdict = conclusion.open[incident]
            fired.append(verdict.measurement.window)
            table.add_row(
                f"{incident.fired:%F}", incident.rule, incident.severity, escape(verdict.reason)
            )
    errors = [error for conclusion in conclusions for error in conclusion.errors]
    verdicts = sum(len(conclusion.verdicts) for conclusion in conclusions)
    console.print(table)
    console.print(f"{len(conclusions)} days, {verdicts:,} verdicts, {len(errors)} errors")
    for error in errors:
        console.print(f"[red]failed:[/] {escape(error)}")
    rows = (
        ("metrics table", home / "driftline.db"),
        ("HTML reports", next((artifact(monitor, w, REPORT) for w in fired), "none")),
        ("monitor file", MONITOR),
        ("messages", home / "slack.jsonl"),
    )
    for name, place in rows:
        console.print(f"  {name:<14} {_short(place)}", soft_wrap=True, highlight=False)
    console.print("Next:", highlight=False)
    for command in (
        "driftline metrics flight_delay --metric log_loss_ratio --window 7d",
        "driftline report flight_delay --window 7d --end 2013-04-12",
        "driftline init --help",
    ):
        console.print(f"  .venv/bin/{command}", highlight=False, soft_wrap=True)


def _short(place: object) -> str:
    path = Path(str(place)).resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
