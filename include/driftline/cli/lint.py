"""`driftline lint` and `driftline schema`: is the file right?"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from driftline import hidden
from driftline.cli.console import WRONG_INPUT, err, literal, literal_lines, out
from driftline.errors import InputError
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor


@click.command()
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
    told: set[str] = set()  # the faults of driftline.yaml are those of every file beside it
    for name in names:
        notes: list[str] = []
        try:
            monitor = monitor_file.find(name)
            problems, notes = _checked(monitor, connect)
        except InputError as error:
            problems, monitor = [str(error)], None
        for problem in problems:
            if problem not in told:
                err.print(literal_lines(problem), soft_wrap=True, highlight=False)
        told.update(problems)
        faulty += bool(problems)
        if monitor and not problems:
            out.print(f"[green]ok[/] {literal(str(monitor.path))}", soft_wrap=True)
            unsure = [hidden.PSEUDONYMS] if monitor.features.sensitive and not hidden.key() else []
            said = (*unsure, *monitor.not_acted_on)
            for note in (*notes, *(f"note: {each}" for each in said)):
                out.print(f"   {literal(note)}", soft_wrap=True, highlight=False)
    if faulty:
        raise click.exceptions.Exit(WRONG_INPUT)


def _checked(monitor: Monitor, connect: bool) -> tuple[list[str], list[str]]:
    """Return what `_problems` does, each with its place in the file, whatever stops the check."""
    try:
        said, notes = _problems(monitor, connect)
    except InputError as error:
        said, notes = [str(error)], []
    return [str(monitor_file.placed(monitor.path, words)) for words in said], notes


def _problems(monitor: Monitor, connect: bool) -> tuple[list[str], list[str]]:
    """Return what is wrong with a file, and what the warehouse tells of it that is not."""
    said: list[str] = []
    notes: list[str] = []
    if monitor.quality:
        from driftline.suites.quality import unknown_types

        said += unknown_types(monitor.quality)
    if monitor.retraining and monitor.retraining.train:
        from driftline.retraining.training import unready

        said += unready(monitor)
    if connect:
        from driftline.flow.watch import Watch

        with Watch(monitor) as watch:
            faults = [str(fault) for fault in watch.logs.check()]
            said += faults or watch.idle_rules()
            if not said:
                said += watch.unanswered()
            if not faults:
                coverage, unmet = watch.logs.coverage(datetime.now(UTC))
                said += [str(unmet)] if unmet else []
                notes += [coverage] if coverage else []
                notes += watch.logs.untimed()
                titles = ", ".join(kind.heading(name) for name, kind in watch.inferred.items())
                notes.append(f"features: {titles or 'none'}")
                notes += watch.unwatched
    return said, notes


@click.command()
def schema() -> None:
    """Print the JSON Schema of the monitor file, for editors."""
    click.echo(json.dumps(Monitor.model_json_schema(by_alias=True), indent=2))
