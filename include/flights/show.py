"""What the demo prints: decisions, messages, retrainings, and two models side by side."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from driftline.domain import Retraining, RetrainingState
from driftline.flow.reports import REPORT
from driftline.monitor.config import Monitor
from driftline.retraining.registry import Version
from flights.comparison import Compared


def decision(reason: str, console: Console) -> None:
    """Say what the branch decided."""
    console.print(f"  the branch: {escape(reason)}", highlight=False, soft_wrap=True)


def messages(posted: Iterable[Mapping[str, Any]], console: Console) -> None:
    """Show messages as they came to the channel."""
    for message in posted:
        console.print(
            f"  [bold]to {message['channel']}[/]: {escape(message['text'])}",
            highlight=False,
            soft_wrap=True,
        )


def retraining(found: Retraining, console: Console) -> None:
    """Show what came of a retraining: a refusal is a result like any other."""
    color = "green" if found.state is RetrainingState.PROMOTED else "yellow"
    said = f"  [{color}]retraining[/]: {escape(found.decision)}"
    console.print(said, highlight=False, soft_wrap=True)


def comparison(
    days: Iterable[Compared],
    total: Compared,
    before: Compared,
    old: Version,
    new: Version,
    console: Console,
) -> None:
    """Show what the new model scored and what the old one would have, on the very same flights."""
    table = Table(title="Log-loss on the very same flights", title_justify="left")
    headings = (
        "day",
        "flights",
        f"{new.name}, in service",
        f"{old.name}, had it stayed",
        "new - old",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "day" else "right")
    each = list(days)
    for one in each:
        table.add_row(f"{one.start:%F}", *_figures(one))
    table.add_section()
    table.add_row("all of them", *_figures(total))
    console.print(table)
    better = sum(one.new < one.old for one in each)
    console.print(
        "A number that recovers is no evidence: days differ. "
        f"The old model's own went from {before.old:.3f} in the week before to {total.old:.3f}. "
        f"On the very same flights the new one is {abs(total.new - total.old):.3f} "
        f"{'lower' if total.new < total.old else 'higher'}, and lower on {better} of {len(each)} "
        "days.",
        highlight=False,
        soft_wrap=True,
    )


def _figures(one: Compared) -> tuple[str, ...]:
    return f"{one.flights:,}", f"{one.new:.3f}", f"{one.old:.3f}", f"{one.new - one.old:+.3f}"


def places(monitor: Monitor, home: Path, console: Console) -> None:
    """Say where what was found lies, and what to type next."""
    reports = sorted((home / "artifacts").rglob(REPORT))
    rows = (
        ("metrics table", home / "driftline.db"),
        ("HTML reports", f"{len(reports)}, such as {_short(reports[0])}" if reports else "none"),
        ("monitor file", monitor.path),
        ("messages", home / "slack.jsonl"),
        ("Airflow's logs", home / "airflow"),
    )
    for name, place in rows:
        console.print(f"  {name:<15} {_short(place)}", soft_wrap=True, highlight=False)
    console.print("Next:", highlight=False)
    for command in (
        "driftline metrics flight_delay --metric log_loss_ratio --window 7d",
        "driftline report flight_delay --window 7d --end 2013-04-12",
        "driftline init --help",
    ):
        console.print(f"  .venv/bin/{command}", highlight=False, soft_wrap=True)


def elapsed(seconds: float, console: Console) -> None:
    """Say how long it took."""
    minutes, rest = divmod(round(seconds), 60)
    console.print(f"It took {minutes} min {rest} s.", highlight=False)


def _short(place: object) -> str:
    if not isinstance(place, Path):
        return str(place)
    path = place.resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
