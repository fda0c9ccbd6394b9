"""`driftline report`: the HTML report of a window."""

from datetime import datetime

import click

from driftline import monitor_file
from driftline.cli.console import Time, as_of_option, open_store
from driftline.domain import Suite, Window
from driftline.errors import InputError, WarehouseError
from driftline.printable import printable


@click.command()
@click.argument("monitor")
@click.option("--window", default="1d", show_default=True, help="The cadence of the window.")
@click.option("--end", type=Time(), help="Its end.  [default: the last that was measured]")
@as_of_option
def report(monitor: str, window: str, end: datetime | None, as_of: datetime | None) -> None:
    """Make the HTML report of a window of MONITOR and print its path.

    It shows drift and performance by Evidently, on the rows that the window's numbers came from.
    """
    from driftline import pipeline, reports
    from driftline.steps import Step
    from driftline.store import ledger
    from driftline.watch import Watch

    loaded = monitor_file.find(monitor)
    with open_store(loaded) as store, Watch(loaded) as watch:
        if end is None:
            with store.read() as connection:
                entries = ledger.of(connection, loaded.monitor)
            ends = [entry.window.end for entry in entries if entry.window.cadence == window]
            if not ends:
                raise InputError(
                    f"no {window} window of {loaded.monitor} has been measured; name its --end"
                )
            end = max(ends)
        try:
            chosen = Window.ending(window, end)
        except ValueError as error:
            raise InputError(str(error)) from None
        step = Step(suite=Suite.DRIFT, window=chosen, as_of=as_of or end)
        compared, missed = pipeline.references_of(store, watch, [step])
        for result in missed:
            raise WarehouseError(result.error or result.not_evaluated)
        path = reports.write_report(store, watch, compared[chosen], step)
    click.echo(printable(str(path)))
