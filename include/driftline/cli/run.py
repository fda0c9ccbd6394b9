"""`driftline run` and `driftline backfill`: measure, judge and tell."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from driftline import monitor_file
from driftline.cli.console import (
    COLORS,
    FAILED,
    VERDICT,
    as_of_option,
    err,
    fail_on_option,
    jobs_option,
    open_store,
    out,
    period,
)
from driftline.config import Monitor
from driftline.domain import DAY, Outcome, Window, floor
from driftline.errors import InputError

if TYPE_CHECKING:
    from driftline.conclusion import Conclusion


@click.command()
@click.argument("monitor")
@period
@as_of_option
@fail_on_option
@jobs_option
def run(
    monitor: str,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    fail_on: str | None,
    jobs: int,
) -> None:
    """Measure MONITOR and tell what is wrong.

    Every window that ends after --from and not after --to is measured, in order, as a scheduled
    run would have at its end: only labels known by then count. Rules are judged, and a message
    goes to the routes of the file. Running it again changes nothing.
    """
    _run(monitor, start, end, as_of, fail_on, jobs, page=True)


@click.command()
@click.argument("monitor")
@period
@as_of_option
@fail_on_option
@jobs_option
@click.option("--redo", is_flag=True, help="Measure again what the ledger says is done.")
def backfill(
    monitor: str,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    fail_on: str | None,
    jobs: int,
    redo: bool,
) -> None:
    """Measure the past of MONITOR and tell nobody.

    Like `run`, but incidents are only recorded, and what is done is left alone: it can be
    stopped and goes on where it was.
    """
    _run(monitor, start, end, as_of, fail_on, jobs, page=False, resume=not redo)


def _run(
    name: str,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    fail_on: str | None,
    jobs: int,
    *,
    page: bool,
    resume: bool = False,
) -> None:
    from driftline import run as running

    monitor = monitor_file.find(name)
    end = end or floor(datetime.now(UTC), DAY)
    start = start or end - DAY
    if start >= end:
        raise InputError(f"--from {start:%F %H:%M} is not before --to {end:%F %H:%M}")
    with open_store(monitor) as store:
        todo = running.planned(monitor, start, end, store if resume else None, as_of)
        if not todo:
            out.print("Nothing to measure: " + ("all is done" if resume else "no window ends"))
            return
        conclusions = list(
            _shown(running.run(monitor, todo, store, as_of=as_of, page=page, jobs=jobs), todo)
        )
    errors = [error for conclusion in conclusions for error in conclusion.errors]
    for error in errors:
        err.print(f"[red]failed:[/] {escape(error)}", soft_wrap=True)
    _summary(monitor, conclusions)
    if errors:
        raise click.exceptions.Exit(FAILED)
    at_least = {"warn": {Outcome.WARN, Outcome.CRITICAL}, "critical": {Outcome.CRITICAL}}
    said = {verdict.outcome for conclusion in conclusions for verdict in conclusion.verdicts}
    if fail_on and said & at_least[fail_on]:
        raise click.exceptions.Exit(VERDICT)


def _shown(conclusions: "Iterator[Conclusion]", todo: Sequence[Window]) -> "Iterator[Conclusion]":
    """Pass the conclusions on and show a progress bar, and what fires as it does."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(f"measuring {todo[0]}", total=len(todo))
        for number, conclusion in enumerate(conclusions, start=1):
            following = f"measuring {todo[number]}" if number < len(todo) else "done"
            progress.update(task, advance=1, description=following)
            for incident in conclusion.opened:
                color = COLORS[incident.severity]
                verdict = conclusion.open[incident]
                progress.console.print(
                    f"{conclusion.interval.end:%F} [{color}]{incident.severity}[/] "
                    f"[bold]{escape(incident.rule)}[/]: {escape(verdict.reason)}",
                    highlight=False,
                )
            yield conclusion


def _summary(monitor: Monitor, conclusions: "Sequence[Conclusion]") -> None:
    from driftline.home import artifact
    from driftline.reports import REPORT

    last = conclusions[-1]
    verdicts = [verdict for conclusion in conclusions for verdict in conclusion.verdicts]
    counts = {o: sum(verdict.outcome is o for verdict in verdicts) for o in Outcome}
    table = Table(title=f"{escape(monitor.monitor)}: open at {last.interval.end:%F %H:%M} UTC")
    for heading in ("rule", "severity", "what was found", "since"):
        table.add_column(heading, overflow="fold")
    for incident, verdict in last.open.items():
        color = COLORS[incident.severity]
        table.add_row(
            escape(incident.rule),
            f"[{color}]{incident.severity}[/]",
            escape(verdict.reason),
            incident.first.span,
        )
    out.print(
        f"{len(conclusions)} run(s), {len(verdicts)} verdicts: "
        + ", ".join(f"[{COLORS[o]}]{n} {o.replace('_', ' ')}[/]" for o, n in counts.items())
    )
    failed = sum(verdict.outcome.failed for verdict in last.verdicts)
    calm = f"{failed} verdict(s) failed, none long enough," if failed else "Nothing is wrong"
    out.print(table if last.open else f"{calm} at {last.interval.end:%F %H:%M} UTC.")
    reports = [artifact(monitor, c.interval, REPORT) for c in conclusions]
    for path in [path for path in reports if path.exists()][-1:]:
        out.print(f"report: {escape(str(path))}", soft_wrap=True, highlight=False)
    called = escape(monitor_file.called(monitor))
    out.print(f"next:   driftline metrics {called}", soft_wrap=True, highlight=False)
