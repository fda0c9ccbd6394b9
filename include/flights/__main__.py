"""`python -m flights`: prepare the demo below `.demo/`."""

from datetime import datetime
from pathlib import Path

import click

from flights.demo import END, HOME, START, prepare

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--home", type=click.Path(path_type=Path), default=HOME, show_default=True)
@click.option("--from", "start", type=DAY, default=str(START), show_default=True)
@click.option("--to", "end", type=DAY, default=str(END), show_default=True)
def main(home: Path, start: datetime, end: datetime) -> None:
    """Train the flight-delay model and write its logs of some days of 2013."""
    prepare(home, start.date(), end.date())
    click.echo(f"logs from {start:%Y-%m-%d} to {end:%Y-%m-%d} are in {home / 'logs'}")


main()
