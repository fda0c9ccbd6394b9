"""`driftline sql`: what the warehouse is asked for a window."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.filesize import decimal
from rich.table import Table

from driftline.cli.console import Time, literal, open_store, out
from driftline.domain import DAY, HOUR, Window, floor
from driftline.errors import InputError
from driftline.monitor import file as monitor_file
from driftline.printable import printable_lines

if TYPE_CHECKING:
    from driftline.warehouse.dialects.cost import Cost


@click.command("sql")
@click.argument("monitor")
@click.option(
    "--window", default="1h", show_default=True, help="The cadence of the window: 1h or 1d."
)
@click.option("--end", type=Time(), help="Its end.  [default: the last full one]")
@click.option("--cost", "costed", is_flag=True, help="What they would read, not the statements.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def sql(monitor: str, window: str, end: datetime | None, costed: bool, form: str) -> None:
    """Print the statements that count a window of MONITOR in its warehouse.

    They put each row into a bin of the reference and count the bins, by hour, model version and
    segment; where `drift.profiler` is `stream`, one statement fetches what is counted here.
    Where no reference is kept yet one is counted now, and not kept. Windows of several days are
    sums of what is kept of their hours, and ask the warehouse nothing.

    With --cost the database is asked what each would read, and none is run: the rows that its
    planner expects, and the bytes. Both are estimates; what lies in memory is not read again.
    """
    from driftline.flow import pipeline
    from driftline.flow.watch import Watch

    step = {"1h": HOUR, "1d": DAY}.get(window)
    if step is None:
        raise InputError(f"--window: found {window!r}; allowed are 1h and 1d: longer ones are sums")
    chosen = Window.ending(window, _end(end, step))
    loaded = monitor_file.find(monitor)
    with open_store(loaded) as store, Watch(loaded) as watch:
        with store.read() as connection:
            kept = pipeline.kept(connection, watch, chosen)
        reference = kept or watch.freeze(chosen)
        statements = watch.sql(reference, chosen)
        asked = watch.sql(reference, chosen, shown=False) if costed else []
        costs = [watch.logs.cost(statement) for statement in asked]
        dialect = watch.logs.dialect
    if form == "json":
        known = [asdict(cost) if cost else None for cost in costs] or [{}] * len(statements)
        pairs = zip(statements, known, strict=True)
        told = [{"statement": text, **({"cost": found} if costed else {})} for text, found in pairs]
        click.echo(json.dumps(told, indent=1))
    elif costed:
        shown = _costs(f"{loaded.monitor}: {chosen}", dialect, costs)
        out.print(shown, soft_wrap=isinstance(shown, str))
    else:
        for statement in statements:
            click.echo(printable_lines(statement) + ";\n")


def _end(given: datetime | None, step: timedelta) -> datetime:
    end = floor(given or datetime.now(UTC), step)
    if given and end != given:
        raise InputError(f"--end: found {given:%F %H:%M}; a window ends on a full hour or midnight")
    return end


def _costs(title: str, dialect: str, costs: "Sequence[Cost | None]") -> Table | str:
    """Return a row a statement, in the order in which they are printed, and their sum."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return f"{dialect} does not tell what a statement would cost before it has run"
    bases = "; ".join(dict.fromkeys(cost.basis for cost in known if cost.basis))
    caption = f"bytes: {literal(bases)}" if bases else None
    table = Table(title=literal(title), caption=caption, show_footer=len(costs) > 1)
    total = [
        _sum([getattr(cost, name) if cost else None for cost in costs])
        for name in ("rows", "scanned", "units")
    ]
    headings = ("statement", "rows expected", "bytes read", "planner's cost")
    for heading, footer in zip(headings, ["all", *_shown(*total)], strict=True):
        table.add_column(heading, footer, justify="right")
    for number, cost in enumerate(costs, 1):
        found = (cost.rows, cost.scanned, cost.units) if cost else (None, None, None)
        table.add_row(str(number), *_shown(*found))
    return table


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _shown(rows: float | None, scanned: float | None, units: float | None) -> tuple[str, str, str]:
    return (
        "-" if rows is None else f"{rows:,.0f}",
        "-" if scanned is None else decimal(int(scanned)),
        "-" if units is None else f"{units:,.0f}",
    )
