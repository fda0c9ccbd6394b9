"""`driftline report`: the report of a window, as a page or as JSON."""

import json
from datetime import datetime
from pathlib import Path

import click

from driftline.cli.console import Time, as_of_option, open_store, the_window
from driftline.domain import Suite
from driftline.errors import WarehouseError
from driftline.monitor import file as monitor_file
from driftline.printable import printable


@click.command()
@click.argument("monitor")
@click.option("--window", help="The cadence of the window.  [default: its shortest of days]")
@click.option("--end", type=Time(), help="Its end.  [default: the last that was measured]")
@click.option(
    "--format", "form", type=click.Choice(["html", "json"]), default="html", show_default=True
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to this file.  [default: html among the artifacts, json to the output]",
)
@as_of_option
def report(
    monitor: str,
    window: str | None,
    end: datetime | None,
    form: str,
    output: Path | None,
    as_of: datetime | None,
) -> None:
    """Make the report of a window of MONITOR: a page, whose path is printed, or JSON.

    The page shows drift and performance by Evidently, on the rows that the window's numbers came
    from. As JSON it is what the page says, for scripts: the verdicts, why it fell, the numbers of
    the metrics table and the distributions; it needs no Evidently.

    \b
    driftline report churn --window 7d
    driftline report churn --format json | jq .outcome
    """
    from driftline.flow import pipeline, reports
    from driftline.flow.step import Step
    from driftline.flow.watch import Watch
    from driftline.store import ledger

    loaded = monitor_file.find(monitor)
    with open_store(loaded) as store, Watch(loaded) as watch:
        with store.read() as connection:
            measured = [entry.window for entry in ledger.of(connection, loaded.monitor)]
        chosen = the_window(loaded, window or [*loaded.days, "1h"][0], end, measured)
        step = Step(suite=Suite.DRIFT, window=chosen, as_of=as_of or chosen.end)
        compared, missed = pipeline.references_of(store, watch, [step])
        for result in missed:
            raise WarehouseError(result.error or result.not_evaluated)
        if form == "html":
            path = reports.write_report(store, watch, compared[chosen], step, output)
            click.echo(printable(str(path)))
            return
        said = reports.document(store, watch, compared[chosen], step)
    text = json.dumps(said, indent=1, allow_nan=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        click.echo(printable(str(reports.write(output, text))))
