"""The command line: a thin shell over the pipeline."""

import csv
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from driftline import __version__, monitor_file
from driftline.config import Cadence, Moment, Monitor
from driftline.connections import from_environment, resolve
from driftline.domain import DAY, Outcome, Suite, Window, floor
from driftline.errors import DriftlineError, InputError
from driftline.pipeline import Conclusion

OK, FAILED, WRONG_INPUT, VERDICT = 0, 1, 2, 3

_COLORS = {"critical": "red", "warn": "yellow", "ok": "green", "not_evaluated": "dim"}
_out = Console()
_err = Console(stderr=True)

Command = TypeVar("Command", bound=Callable[..., Any])


class _Time(click.ParamType):
    """A date or a time; UTC unless it names a zone."""

    name = "time"
    _adapter = TypeAdapter(Moment)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return self._adapter.validate_python(value)
        except ValidationError:
            self.fail(f"{value!r} is no date or time, such as 2013-04-01 or 2013-04-01T06:00")


class _Group(click.Group):
    """Turns driftline's errors into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            _err.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
            ctx.exit(WRONG_INPUT)
        except DriftlineError as error:
            _err.print(f"[red]failed:[/] {escape(str(error))}", soft_wrap=True)
            ctx.exit(FAILED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="driftline")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, to standard error.")
def main(verbose: bool) -> None:
    """Watch machine-learning models from the logs in your warehouse.

    A monitor is a YAML file. MONITOR is its path, or its name: then it is looked for in
    $DRIFTLINE_MONITORS, else in include/monitors and here.

    \b
    A first watch:
      driftline init --warehouse URL --predictions TABLE > churn.yaml
      driftline lint churn.yaml --connect
      driftline run churn.yaml --from 2026-01-01 --to 2026-02-01
      driftline metrics churn.yaml
      driftline report churn.yaml

    \b
    Exit codes: 0 it ran; 1 it failed; 2 the input is wrong;
    3 a verdict at or above --fail-on.
    """
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


@main.command()
@click.argument("monitors", nargs=-1, metavar="[MONITOR]...")
@click.option("--connect", is_flag=True, help="Also compare with the tables in the warehouse.")
def lint(monitors: Sequence[str], connect: bool) -> None:
    """Check monitor files; without a MONITOR, all that are found.

    Every fault is shown with its line, what was found and what is allowed.
    """
    names = monitors or [str(path) for path in monitor_file.monitor_files()]
    if not names:
        looked = ", ".join(map(str, monitor_file.search_path()))
        raise InputError(f"no monitor files in {looked}; write one with: driftline init")
    faulty = 0
    for name in names:
        try:
            monitor = monitor_file.find(name)
            problems = _problems(monitor, connect)
        except InputError as error:
            problems, monitor = [str(error)], None
        for problem in problems:
            _err.print(escape(problem), soft_wrap=True, highlight=False)
        faulty += bool(problems)
        if monitor and not problems:
            _out.print(f"[green]ok[/] {escape(str(monitor.path))}", soft_wrap=True)
            for note in monitor.not_acted_on:
                _out.print(f"   note: {escape(note)}", soft_wrap=True)
    if faulty:
        raise click.exceptions.Exit(WRONG_INPUT)


def _problems(monitor: Monitor, connect: bool) -> list[str]:
    problems: list[str] = []
    if monitor.quality:
        from driftline.suites.quality import unknown_types

        problems += [f"{monitor.path}: {problem}" for problem in unknown_types(monitor.quality)]
    if connect:
        from driftline.warehouse import open_logs

        with open_logs(monitor) as logs:
            problems += [f"{monitor.path}: {fault}" for fault in logs.check()]
    return problems


@main.command()
def schema() -> None:
    """Print the JSON Schema of the monitor file, for editors."""
    click.echo(json.dumps(Monitor.model_json_schema(by_alias=True), indent=2))


def _period(command: Command) -> Command:
    for option in (
        click.option("--to", "end", type=_Time(), help="Its end.  [default: last midnight, UTC]"),
        click.option("--from", "start", type=_Time(), help="Its start.  [default: a day before]"),
    ):
        command = option(command)
    return command


_jobs = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that measure; each loads the libraries (about 600 MB).",
)
_as_of = click.option(
    "--as-of",
    type=_Time(),
    help="Which labels count: those known by then.  [default: the end of each day]",
)
_fail_on = click.option(
    "--fail-on",
    type=click.Choice(["warn", "critical"]),
    help="Exit with 3 when a verdict is this or worse.",
)


@main.command()
@click.argument("monitor")
@_period
@_as_of
@_fail_on
@_jobs
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


@main.command()
@click.argument("monitor")
@_period
@_as_of
@_fail_on
@_jobs
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
    with _store(monitor) as store:
        todo = running.planned(monitor, start, end, store if resume else None, as_of)
        if not todo:
            _out.print("Nothing to measure: " + ("all is done" if resume else "no window ends"))
            return
        conclusions = list(
            _shown(running.run(monitor, todo, store, as_of=as_of, page=page, jobs=jobs), todo)
        )
    errors = [error for conclusion in conclusions for error in conclusion.errors]
    for error in errors:
        _err.print(f"[red]failed:[/] {escape(error)}", soft_wrap=True)
    _summary(monitor, conclusions)
    if errors:
        raise click.exceptions.Exit(FAILED)
    at_least = {"warn": {Outcome.WARN, Outcome.CRITICAL}, "critical": {Outcome.CRITICAL}}
    said = {verdict.outcome for conclusion in conclusions for verdict in conclusion.verdicts}
    if fail_on and said & at_least[fail_on]:
        raise click.exceptions.Exit(VERDICT)


def _shown(conclusions: Iterator[Conclusion], todo: Sequence[Window]) -> Iterator[Conclusion]:
    """Pass the conclusions on and show a progress bar, and what fires as it does."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, transient=True) as progress:
        task = progress.add_task(f"measuring {todo[0]}", total=len(todo))
        for number, conclusion in enumerate(conclusions, start=1):
            following = f"measuring {todo[number]}" if number < len(todo) else "done"
            progress.update(task, advance=1, description=following)
            for incident in conclusion.opened:
                color = _COLORS[incident.severity]
                verdict = conclusion.open[incident]
                progress.console.print(
                    f"{conclusion.interval.end:%F} [{color}]{incident.severity}[/] "
                    f"[bold]{escape(incident.rule)}[/]: {escape(verdict.reason)}",
                    highlight=False,
                )
            yield conclusion


def _summary(monitor: Monitor, conclusions: Sequence[Conclusion]) -> None:
    from driftline.home import artifact
    from driftline.pipeline import REPORT

    last = conclusions[-1]
    verdicts = [verdict for conclusion in conclusions for verdict in conclusion.verdicts]
    counts = {o: sum(verdict.outcome is o for verdict in verdicts) for o in Outcome}
    table = Table(title=f"{escape(monitor.monitor)}: open at {last.interval.end:%F %H:%M} UTC")
    for heading in ("rule", "severity", "what was found", "since"):
        table.add_column(heading, overflow="fold")
    for incident, verdict in last.open.items():
        color = _COLORS[incident.severity]
        table.add_row(
            escape(incident.rule),
            f"[{color}]{incident.severity}[/]",
            escape(verdict.reason),
            f"{incident.began:%F %H:%M}",
        )
    _out.print(
        f"{len(conclusions)} run(s), {len(verdicts)} verdicts: "
        + ", ".join(f"[{_COLORS[o]}]{n} {o.replace('_', ' ')}[/]" for o, n in counts.items())
    )
    _out.print(table if last.open else f"Nothing is wrong at {last.interval.end:%F %H:%M} UTC.")
    reports = [artifact(monitor, c.interval, REPORT) for c in conclusions]
    for path in [path for path in reports if path.exists()][-1:]:
        _out.print(f"report: {escape(str(path))}", soft_wrap=True, highlight=False)
    _out.print(f"next:   driftline metrics {escape(monitor.monitor)}", highlight=False)


@contextmanager
def _store(monitor: Monitor) -> Iterator[Any]:
    from driftline.store import Store, store_url

    url = store_url(monitor.store, folder=monitor.folder, connections=from_environment)
    store = Store.open(url)
    try:
        yield store
    finally:
        store.close()
