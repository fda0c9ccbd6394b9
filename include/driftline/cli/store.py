"""`driftline store`: driftline's own tables, and the messages that wait in them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from driftline import monitor_file
from driftline.cli.console import FAILED, err, out
from driftline.connections import from_environment, shown

if TYPE_CHECKING:
    from sqlalchemy import URL


@click.group()
def store() -> None:
    """Look after the store: driftline's own tables."""


_where = click.option(
    "--url",
    help="A connection id or a URL.  [default: the connection driftline_store, else SQLite in"
    " $DRIFTLINE_HOME]",
)
_of_monitor = click.option("--monitor", help="Use the store that this monitor's file names.")


@store.command()
@_where
@_of_monitor
@click.option("--sql", is_flag=True, help="Print the DDL instead of running it.")
def upgrade(url: str | None, monitor: str | None, sql: bool) -> None:
    """Make or update the tables. Nothing else in driftline ever changes a schema."""
    from driftline import store as stores

    where = _store_url(url, monitor)
    if sql:
        click.echo(stores.upgrade_sql(where))
        return
    applied = stores.upgrade(where)
    done = f"upgraded to {applied[-1]}" if applied else "is up to date"
    out.print(f"{escape(shown(where))} {done}", soft_wrap=True, highlight=False)


@store.command()
@_where
@_of_monitor
def status(url: str | None, monitor: str | None) -> None:
    """Show where the store is, its revision, and what is left in the outbox."""
    from driftline import store as stores
    from driftline.store import monitors, outbox

    where = _store_url(url, monitor)
    out.print(f"store:    {escape(shown(where))}", soft_wrap=True)
    with stores.Store.open(where) as opened, opened.read() as connection:
        names, waiting = monitors.names(connection), outbox.pending(connection)
    out.print(f"revision: {stores.revision(where)}")
    out.print(f"monitors: {escape(', '.join(names)) or 'none yet'}", soft_wrap=True)
    out.print(f"outbox:   {len(waiting)} message(s) not delivered")
    for message in waiting:
        said = message.error or "not tried yet"
        line = f"  {message.channel} {message.target}: {said} ({message.attempts} attempts)"
        out.print(escape(line), soft_wrap=True)


@store.command()
@_where
@_of_monitor
def deliver(url: str | None, monitor: str | None) -> None:
    """Send the messages that are due in the outbox."""
    from driftline import store as stores
    from driftline.alerts import delivery

    with stores.Store.open(_store_url(url, monitor)) as opened:
        errors = delivery.deliver(opened)
    for error in errors:
        err.print(f"[red]failed:[/] {escape(error)}", soft_wrap=True)
    if errors:
        raise click.exceptions.Exit(FAILED)


def _store_url(given: str | None, monitor: str | None) -> "URL":
    from driftline.store import store_url

    if monitor and not given:
        loaded = monitor_file.find(monitor)
        return store_url(loaded.store, folder=loaded.folder, connections=from_environment)
    return store_url(given, folder=Path.cwd(), connections=from_environment)
