"""`driftline metrics`: the metrics table."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

import click
from rich.table import Table

from driftline.cli.console import COLORS, Time, literal, open_store, out
from driftline.domain import Engine, Suite
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.sections import Baseline
from driftline.printable import printable


@click.command()
@click.argument("monitor")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option("--suite", type=click.Choice([str(suite) for suite in Suite]))
@click.option("--metric", help="One metric, such as psi or roc_auc.")
@click.option("--column", help="One column.")
@click.option("--segment", help="One segment, such as origin=JFK; '' is all rows.")
@click.option("--window", help="One cadence, such as 7d.")
@click.option("--from", "start", type=Time(), help="Windows that start then or later.")
@click.option("--to", "end", type=Time(), help="Windows that end then or before.")
@click.option("--history", is_flag=True, help="All that was ever known, not only the newest.")
@click.option("--limit", type=click.IntRange(1), help="The newest so many rows.")
def metrics(
    monitor: str,
    form: str,
    suite: str | None,
    metric: str | None,
    column: str | None,
    segment: str | None,
    window: str | None,
    start: datetime | None,
    end: datetime | None,
    history: bool,
    limit: int | None,
) -> None:
    """Show MONITOR's rows of the metrics table.

    Each number as it is known by now, with the worst verdict that a rule gave it. As json or csv
    it has the table's columns, times in UTC, and null where a value is missing. The table form
    shows the newest 40 rows unless --limit says otherwise.
    """
    from driftline.store import measurements, tables

    loaded = monitor_file.find(monitor)
    read = measurements.history if history else measurements.current
    with open_store(loaded) as store, store.read() as connection:
        rows = read(
            connection,
            loaded.monitor,
            suite=suite,
            metric=metric,
            column=column,
            segment=segment,
            cadence=window,
            start=start,
            end=end,
            limit=limit or (40 if form == "table" else None),
        )
    if form == "table":
        shown = _metrics_table(loaded, rows)
        out.print(shown, soft_wrap=isinstance(shown, str))
    elif form == "json":
        click.echo(json.dumps(rows, default=_plain, indent=1))
    else:
        columns = (tables.measurements if history else tables.current_measurements).c.keys()
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _plain(value: object) -> object:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for a formula's start, in both widths; printable text has no other."""


def _cell(value: object) -> object:
    """Return a value that a spreadsheet shows as it is: text never runs there as a formula."""
    if not isinstance(value, str):
        return _plain(value)
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _number(text) else text


def _number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _metrics_table(monitor: Monitor, rows: Sequence[dict[str, Any]]) -> Table | str:
    if not rows:
        called = literal(monitor_file.called(monitor))
        return f"No such measurements; to measure: driftline run {called}"
    table = Table(box=None, pad_edge=False)
    longest = max(len(row["metric"]) for row in rows)
    table.add_column("window to", no_wrap=True)
    table.add_column("what", overflow="fold", min_width=min(longest, WIDEST))
    for heading in ("value", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", width=len("evaluated"))
    for row in rows:
        verdict = row.get("verdict") or ""
        table.add_row(
            _window(row),
            _what(row),
            "-" if row["value"] is None else f"{row['value']:.4g}",
            "-" if row["row_count"] is None else f"{row['row_count']:,}",
            f"[{COLORS.get(verdict, 'default')}]{verdict.replace('_', ' ')}[/]",
        )
    return table


WIDEST = 36
"""So many characters of a metric's name stay on one line."""


def _window(row: Mapping[str, Any]) -> str:
    hour = "%F %H:%M" if row["cadence"] == "1h" else "%F"
    return f"{row['cadence']:>3} {row['window_end']:{hour}}"


def _what(row: Mapping[str, Any]) -> str:
    """Return the metric, whose number it is, what it is of, and the reason on its own line.

    What is only expected is not to be taken for what came true, nor a sample's for all rows'.
    """
    against = "" if row["baseline"] == Baseline.REFERENCE else row["baseline"]
    of = (row["column_name"], row["segment"], row["model_version"], row["detail"], against)
    subject = ", ".join(filter(None, of))
    whose = "estimate" if row["suite"] == Suite.ESTIMATE else ""
    whose = whose or ("evidently" if row["engine"] == Engine.EVIDENTLY else "")
    return (
        literal(row["metric"])
        + (f" [italic]({whose})[/]" if whose else "")
        + (f" of {literal(subject)}" if subject else "")
        + (f"\n[dim]{literal(row['reason'])}[/]" if row["reason"] else "")
    )
