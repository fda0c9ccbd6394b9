"""`driftline compare`: two files, no monitor and no store."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table

from driftline.cli.console import VERDICT, literal, out
from driftline.printable import amount

if TYPE_CHECKING:
    from driftline.suites.comparison import Comparison


@click.command()
@click.argument("reference")
@click.argument("current")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def compare(reference: str, current: str, as_json: bool) -> None:
    """Say which columns of the file CURRENT have drifted from REFERENCE, by PSI.

    Files are Parquet, CSV or JSON, by the ending of their names; patterns are quoted. Nothing is
    kept. It ends with exit code 3 where more than half of the columns have drifted.
    """
    from driftline.suites import comparison

    found = comparison.compare(reference, current)
    if as_json:
        said = asdict(found) | {"drifted": found.drifted, "is_drift": found.is_drift}
        click.echo(json.dumps(said, indent=1))
    else:
        _show(found)
    if found.is_drift:
        raise click.exceptions.Exit(VERDICT)


def _show(found: "Comparison") -> None:
    table = Table("column", "kind", "psi", "")
    for each in sorted(found.columns, key=lambda each: -(each.psi or 0)):
        psi = "" if each.psi is None else f"{each.psi:.4f}"
        words = "; ".join(filter(None, ("drifted" if each.drifted else "", each.reason)))
        table.add_row(literal(each.column), each.kind, psi, literal(words))
    out.print(table)
    beside = {"gone": found.gone, "new": found.new, "not compared": found.left_out}
    for title, names in beside.items():
        if names:
            out.print(f"{title}: {literal(', '.join(names))}", soft_wrap=True, highlight=False)
    share = "none could be measured" if found.share is None else f"{found.share:.0%}"
    out.print(
        f"{len(found.drifted)} of {amount(len(found.columns), 'column')} drifted ({share}), "
        f"{amount(found.rows[0], 'row')} against {found.rows[1]:,}",
        soft_wrap=True,
        highlight=False,
    )
