"""`driftline sql`: what the warehouse is asked for a window."""

from datetime import UTC, datetime, timedelta

import click

from driftline import monitor_file
from driftline.cli.console import Time, open_store
from driftline.domain import DAY, HOUR, Window, floor
from driftline.errors import InputError


@click.command("sql")
@click.argument("monitor")
@click.option(
    "--window", default="1h", show_default=True, help="The cadence of the window: 1h or 1d."
)
@click.option("--end", type=Time(), help="Its end.  [default: the last full one]")
def sql(monitor: str, window: str, end: datetime | None) -> None:
    """Print the statements that count a window of MONITOR in its warehouse.

    They put each row into a bin of the reference and count the bins, by hour, model version and
    segment; where `drift.profiler` is `stream`, one statement fetches what is counted here.
    Where no reference is kept yet one is counted now, and not kept. Windows of several days are
    sums of what is kept of their hours, and ask the warehouse nothing.
    """
    from driftline import pipeline
    from driftline.watch import Watch

    step = {"1h": HOUR, "1d": DAY}.get(window)
    if step is None:
        raise InputError(f"--window: found {window!r}; allowed are 1h and 1d: longer ones are sums")
    chosen = Window.ending(window, _end(end, step))
    loaded = monitor_file.find(monitor)
    with open_store(loaded) as store, Watch(loaded) as watch:
        with store.read() as connection:
            kept = pipeline.kept(connection, watch, chosen)
        reference = kept or watch.freeze(chosen)
        for statement in watch.sql(reference, chosen):
            click.echo(statement + ";\n")


def _end(given: datetime | None, step: timedelta) -> datetime:
    end = floor(given or datetime.now(UTC), step)
    if given and end != given:
        raise InputError(f"--end: found {given:%F %H:%M}; a window ends on a full hour or midnight")
    return end
