"""`driftline run` and `driftline backfill`: measure, judge and tell."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from driftline.cli import summary
from driftline.cli.console import (
    COLORS,
    FAILED,
    VERDICT,
    as_of_option,
    err,
    fail_on_option,
    jobs_option,
    literal,
    open_store,
    out,
    period,
)
from driftline.domain import DAY, Outcome, Window, floor
from driftline.errors import InputError
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor

if TYPE_CHECKING:
    from driftline.flow.conclusion import Conclusion


MOST_NAMED = 3
"""So many steps are named that met the same error; the rest are counted."""


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
            _shown(
                monitor,
                running.run(monitor, todo, store, as_of=as_of, page=page, jobs=jobs),
                todo,
            )
        )
        said = list(summary.lines(store, monitor.monitor, conclusions))
    failed = [error for conclusion in conclusions for error in conclusion.failed]
    undone = [error for conclusion in conclusions for error in conclusion.undone]
    for title, errors in (("failed", failed), ("failed after the steps", undone)):
        for error in _grouped(errors):
            err.print(f"[red]{title}:[/] {literal(error)}", soft_wrap=True, highlight=False)
    for line in said:
        out.print(line, soft_wrap=not out.is_terminal, highlight=False)
    _close(monitor, conclusions)
    if failed or undone:
        raise click.exceptions.Exit(FAILED)
    if fail_on and _fails(conclusions, fail_on):
        raise click.exceptions.Exit(VERDICT)


def _fails(conclusions: "Sequence[Conclusion]", fail_on: str) -> bool:
    """Whether a verdict is as bad as that, or a critical rule could not be judged in the end."""
    at_least = {"warn": {Outcome.WARN, Outcome.CRITICAL}, "critical": {Outcome.CRITICAL}}
    said = {verdict.outcome for conclusion in conclusions for verdict in conclusion.verdicts}
    return bool(said & at_least[fail_on] or summary.at_the_end(conclusions).blind)


def _shown(
    monitor: Monitor, conclusions: "Iterator[Conclusion]", todo: Sequence[Window]
) -> "Iterator[Conclusion]":
    """Pass the conclusions on and show a progress bar, and what fires as it does.

    What has just gone to the log, which is this terminal, is not said again.
    """
    from driftline.alerts.delivery import LOG, ways

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
                if conclusion.told and LOG in ways(monitor.routes, incident.severity):
                    continue
                color = COLORS[incident.severity]
                verdict = conclusion.open[incident]
                progress.console.print(
                    f"{conclusion.interval.end:%F} [{color}]{incident.severity}[/] "
                    f"[bold]{literal(incident.rule)}[/]: {literal(verdict.reason)}",
                    highlight=False,
                )
            yield conclusion


def _close(monitor: Monitor, conclusions: "Sequence[Conclusion]") -> None:
    """Say where the newest report lies, and what to type next."""
    from driftline.flow.reports import REPORT
    from driftline.monitor.home import artifact

    reports = [artifact(monitor, c.interval, REPORT) for c in conclusions]
    for path in [path for path in reports if path.exists()][-1:]:
        out.print(f"report: {literal(str(path))}", soft_wrap=True, highlight=False)
    called = literal(monitor_file.called(monitor))
    out.print(f"next:   driftline metrics {called}", soft_wrap=True, highlight=False)


def _grouped(errors: Sequence[str]) -> Iterator[str]:
    """Yield each error once, with all that met it: a warehouse that is down fails every step."""
    met: dict[str, list[str]] = {}
    for error in errors:
        subject, _, words = error.partition(": ")
        met.setdefault(words, []).append(subject)
    for words, subjects in met.items():
        more = f" and {len(subjects) - MOST_NAMED} more" if len(subjects) > MOST_NAMED else ""
        yield f"{', '.join(subjects[:MOST_NAMED])}{more}: {words}"
