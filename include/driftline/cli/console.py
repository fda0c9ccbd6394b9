"""What the commands share: the console, the exit codes, the options, the store."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from driftline.connections import ASK_AIRFLOW, STORE, from_environment
from driftline.domain import Window
from driftline.errors import InputError, UnknownConnection
from driftline.monitor.config import Monitor
from driftline.monitor.fields import moment
from driftline.printable import printable, printable_lines

if TYPE_CHECKING:
    from driftline.store import Store

FAILED, WRONG_INPUT, VERDICT = 1, 2, 3
"""Exit codes; 0 is that it ran."""

COLORS = {"critical": "red", "warn": "yellow", "ok": "green", "not_evaluated": "dim"}


class _Console(Console):
    """A console to which no sign of what is printed can be a control, whoever forgets `literal`."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the pieces that are to be written, printable ones."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable_lines(text), style, control)


out = _Console(emoji=False)
err = _Console(emoji=False, stderr=True)


def literal(text: str) -> str:
    """Return text, out of data or a file, that a console prints sign for sign on one line."""
    return escape(printable(text))


def literal_lines(text: str) -> str:
    """Return text in lines of our own making that a console prints sign for sign."""
    return escape(printable_lines(text))


Command = TypeVar("Command", bound=Callable[..., Any])


class Time(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A date or a time; UTC unless it names a zone."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return what was typed as a time in UTC."""
        try:
            return moment(value)
        except ValueError as error:
            self.fail(f"found {value!r}; {error}")


def period(command: Command) -> Command:
    """Give a command the options --from and --to."""
    for option in (
        click.option("--to", "end", type=Time(), help="Its end.  [default: last midnight, UTC]"),
        click.option("--from", "start", type=Time(), help="Its start.  [default: a day before]"),
    ):
        command = option(command)
    return command


jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that measure; each loads the libraries (about 600 MB).",
)
as_of_option = click.option(
    "--as-of",
    type=Time(),
    help="Which labels count: those known by then.  [default: the end of each day]",
)
fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(["warn", "critical"]),
    help="Exit with 3 when a verdict is this or worse, or a critical rule could not be judged in "
    "the end (not where labels are still to come, or too few rows for its min_rows).",
)


def the_window(
    monitor: Monitor, cadence: str, end: datetime | None, measured: Iterable[Window], of: str = ""
) -> Window:
    """Return the window that is asked for; without an end it is the last that was measured.

    `of` is what of it would have been measured. Raises InputError where there is none.
    """
    if end is None:
        ends = [window.end for window in measured if window.cadence == cadence]
        if not ends:
            own = f"; its windows are: {', '.join(monitor.windows)}"
            raise InputError(
                f"{of}no {cadence} window of {monitor.monitor} has been measured"
                + ("; name its --end" if cadence in monitor.windows else own)
            )
        end = max(ends)
    try:
        return Window.ending(cadence, end)
    except ValueError as error:
        raise InputError(str(error)) from None


@contextmanager
def open_store(monitor: Monitor) -> "Iterator[Store]":
    """Open a monitor's store; a SQLite file that is not there yet is made."""
    from driftline import store as stores

    refuse_unnamed_store(monitor.store, str(monitor.path))
    with stores.open_store(monitor, from_environment) as opened:
        yield opened


def refuse_unnamed_store(store: str | None, where: str) -> None:
    """Raise InputError beside an Airflow whose store nobody has named.

    Airflow may keep the connection where a shell does not see it; an empty store made here would
    say that nothing was ever measured.
    """
    if store or "AIRFLOW_HOME" not in os.environ:
        return
    try:
        from_environment(STORE)
    except UnknownConnection:
        asked = os.environ.get(ASK_AIRFLOW)
        raise InputError(
            f"{where}: no store is named, and with AIRFLOW_HOME set its tasks may keep theirs in a "
            "connection of Airflow's. "
            + (
                f"Airflow has no connection {STORE!r} that it would tell. Write "
                if asked
                else f"Name it: --airflow asks Airflow for {STORE!r}; or write "
            )
            + f"store: in the file or in driftline.yaml, or set AIRFLOW_CONN_{STORE.upper()}"
        ) from None


def _ask(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked:
        os.environ[ASK_AIRFLOW] = "1"


def airflow_option() -> click.Option:
    """Return the option of every command that reads connections."""
    return click.Option(
        ["--airflow"],
        is_flag=True,
        expose_value=False,
        callback=_ask,
        help="Ask Airflow for connections that the environment does not name.",
    )
