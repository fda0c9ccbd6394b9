"""The command line: a thin shell over the pipeline."""

import logging
from typing import Any

import click

from driftline import __version__
from driftline.cli.compare import compare
from driftline.cli.console import FAILED, WRONG_INPUT, airflow_option, err, literal_lines
from driftline.cli.dags import dags
from driftline.cli.init import init
from driftline.cli.lint import lint, schema
from driftline.cli.metrics import metrics
from driftline.cli.report import report
from driftline.cli.retrain import retrain
from driftline.cli.run import backfill, run
from driftline.cli.sql import sql
from driftline.cli.store import store
from driftline.cli.why import why
from driftline.errors import DriftlineError, InputError
from driftline.printable import printable_lines


class _Group(click.Group):
    """Turns driftline's errors into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            err.print(f"[red]error:[/] {_said(error)}", soft_wrap=True)
            ctx.exit(WRONG_INPUT)
        except DriftlineError as error:
            err.print(f"[red]failed:[/] {_said(error)}", soft_wrap=True)
            ctx.exit(FAILED)


def _said(error: DriftlineError) -> str:
    """Return an error's words; lines after the first are set in, so that none is another error."""
    return literal_lines(str(error)).replace("\n", "\n  ")


class _Formatter(logging.Formatter):
    """Shows controls as escapes, and sets in what follows a line end: it forges no record."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record)).replace("\n", "\n    ")


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
    3 a verdict at or above --fail-on, or a critical rule that could not be judged.
    """
    level = logging.INFO if verbose else logging.WARNING
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("driftline").setLevel(level)


for _command in (
    init,
    lint,
    run,
    backfill,
    metrics,
    report,
    why,
    sql,
    retrain,
    store,
    schema,
    dags,
    compare,
):
    main.add_command(_command)
    if _command not in (schema, dags, compare):  # they need no connection
        for _each in getattr(_command, "commands", {"": _command}).values():
            _each.params.append(airflow_option())
