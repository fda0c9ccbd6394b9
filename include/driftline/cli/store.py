"""`driftline store`: driftline's own tables, and the messages that wait in them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.console import FAILED, err, literal, out, refuse_unnamed_store
from driftline.connections import from_environment, shown
from driftline.monitor import file as monitor_file
from driftline.printable import amount

if TYPE_CHECKING:
    from sqlalchemy import URL

    from driftline.store.outbox import Message


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
    out.print(f"{literal(shown(where))} {done}", soft_wrap=True, highlight=False)


@store.command()
@_where
@_of_monitor
def status(url: str | None, monitor: str | None) -> None:
    """Show where the store is, its revision, and what is left in the outbox."""
    from driftline import store as stores
    from driftline.alerts.delivery import mend
    from driftline.store import monitors, outbox

    where = _store_url(url, monitor)
    out.print(f"store:    {literal(shown(where))}", soft_wrap=True)
    with stores.Store.open(where) as opened, opened.read() as connection:
        names, waiting = monitors.names(connection), outbox.pending(connection)
        given_up = outbox.given_up(connection)
    out.print(f"revision: {stores.revision(where)}")
    out.print(f"monitors: {literal(', '.join(names)) or 'none yet'}", soft_wrap=True)
    out.print(
        f"outbox:   {amount(len(waiting), 'message')} not delivered, {len(given_up)} given up"
    )
    for message in waiting:
        said = message.error or "not tried yet"
        _say(message, f"{said} ({message.attempts} attempts)")
    for message in given_up:
        _say(message, f"{message.error} (given up)")
    if given_up:
        out.print(f"next:     {literal(mend(given_up[0]))}", soft_wrap=True, highlight=False)


@store.command()
@_where
@_of_monitor
@click.option("--failed", is_flag=True, help="Also those that were given up.")
def deliver(url: str | None, monitor: str | None, failed: bool) -> None:
    """Send the messages that are due in the outbox.

    A message that its channel refused for good, such as channel_not_found, is given up: it is
    sent again by --failed, when that is mended.
    """
    from driftline import store as stores
    from driftline.alerts import delivery
    from driftline.store import outbox

    with stores.Store.open(_store_url(url, monitor)) as opened:
        if failed:
            with opened.begin() as connection:
                outbox.send_again(connection, datetime.now(UTC))
        errors = delivery.deliver(opened)
    for error in errors:
        err.print(f"[red]failed:[/] {literal(error)}", soft_wrap=True)
    if errors:
        raise click.exceptions.Exit(FAILED)


@store.command()
@_where
@_of_monitor
def discard(url: str | None, monitor: str | None) -> None:
    """Let go of the messages that were given up; print what they said."""
    from driftline import store as stores
    from driftline.store import outbox

    with stores.Store.open(_store_url(url, monitor)) as opened, opened.begin() as connection:
        left = outbox.discard(connection, datetime.now(UTC))
    for message in left:
        _say(message, message.error)
        out.print(literal(message.body), soft_wrap=True, highlight=False)
    out.print(f"{amount(len(left), 'message')} discarded")


def _say(message: "Message", said: str) -> None:
    line = literal(f"{message.channel} {message.target}: {said}")
    out.print(f"  {line}", soft_wrap=True, highlight=False)


def _store_url(given: str | None, monitor: str | None) -> "URL":
    from driftline.store import store_url

    if monitor and not given:
        loaded = monitor_file.find(monitor)
        refuse_unnamed_store(loaded.store, str(loaded.path))
        return store_url(loaded.store, folder=loaded.folder, connections=from_environment)
    refuse_unnamed_store(given, "--url")
    return store_url(given, folder=Path.cwd(), connections=from_environment)
