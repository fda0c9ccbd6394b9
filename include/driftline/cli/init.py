"""`driftline init`: a monitor file from the tables that are there."""

import re
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError

from driftline import draft
from driftline.cli.console import err, literal
from driftline.config import Monitor
from driftline.domain import DAY
from driftline.errors import InputError
from driftline.fields import slug
from driftline.sections import FILES, Task

_VARIABLE = "WAREHOUSE_PASSWORD"
_PASSWORD = re.compile(
    r"(?P<before>^[\w+]+://[^:@/]*:|[?&]password=)(?!\$\{)[^&]+?(?P<after>@(?!.*@)|&|$)"
)
"""A password in a URL, unless it comes from the environment already."""


@click.command()
@click.option("--warehouse", metavar="URL", help="A connection id or a SQLAlchemy URL.")
@click.option(
    "--predictions", required=True, metavar="TABLE", help="A table or *.parquet, *.json, *.csv."
)
@click.option("--labels", metavar="TABLE", help="The same for labels, if they have a table.")
@click.option("--task", type=click.Choice([str(task) for task in Task]))
@click.option("--name", help="The monitor's name.  [default: from the table's]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file.")
def init(
    warehouse: str | None,
    predictions: str,
    labels: str | None,
    task: str | None,
    name: str | None,
    output: Path | None,
) -> None:
    """Draft a monitor file from the columns of its tables.

    Which column is what is guessed from names and types; read it before you trust it. It is
    tried on the logs at once: how many predictions there are, and how many find a label.

    \b
    driftline init --warehouse postgresql://me@localhost/logs --predictions scores --labels truth
    driftline init --predictions 'logs/**/*.parquet' -o include/monitors/churn.yaml
    """
    from driftline.warehouse import open_logs

    if output and output.exists():
        raise InputError(f"{output} is there already; remove it or name another file")
    folder = output.parent if output else Path.cwd()
    name = name or slug(Path(predictions.split("*")[0].rstrip("/")).stem or "model")
    place = _place(predictions)
    places = _place(labels) if labels else None
    with open_logs(_outline(name, warehouse, place, places, folder)) as logs:
        found = draft.guess(logs.column_types(), logs.label_column_types(), task)
    now = datetime.now(UTC)
    file = draft.document(
        name,
        found,
        warehouse=warehouse,
        predictions=place,
        labels=places,
        reference=(now - DAY, now),
    )
    with open_logs(_monitor(file, folder)) as logs:
        first, last = logs.first_timestamp(), logs.last_timestamp()
        if first is None or last is None:
            raise InputError(f"{predictions} holds no rows with a {found.timestamp}")
        start, end = draft.reference_window(first, last)
        counts = logs.counts(None, None)
        file["reference"] = {"window": [start.date(), end.date()]}
        features = logs.features(start, end)
    said = [
        f"{counts.rows:,} predictions from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        f"{len(features)} features: {', '.join(k.heading(n) for n, k in features.items())}",
    ]
    if found.label:
        said.append(f"{counts.coverage or 0:.1%} of the predictions find a label")
    for line in said:
        err.print(literal(line), highlight=False, soft_wrap=True)
    if warehouse and (unsaid := _PASSWORD.sub(rf"\g<before>${{{_VARIABLE}}}\g<after>", warehouse)):
        file["warehouse"] = unsaid
        if unsaid != warehouse:
            err.print(f"the password is not written down: set {_VARIABLE} to it, URL-encoded")
    text = draft.to_yaml(file)
    if output is None:
        click.echo(text, nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    wrote = literal(str(output))
    err.print(f"wrote {wrote}; next: driftline lint {wrote} --connect", soft_wrap=True)


def _place(where: str) -> dict[str, str]:
    name = where.rpartition("/")[2]
    kind = next((kind for kind in FILES if f".{kind}" in name), "table")
    return {kind: where}


def _outline(
    name: str,
    warehouse: str | None,
    place: dict[str, str],
    labels: dict[str, str] | None,
    folder: Path,
) -> Monitor:
    """Return a monitor that knows its tables and nothing of their columns yet."""
    file: dict[str, object] = {
        "monitor": name,
        "task": Task.BINARY,
        "warehouse": warehouse,
        "predictions": {**place, "timestamp": "?", "score": "?", "id": "?"},
        "labels": {**labels, "label": "?", "id": "?"} if labels else None,
        "reference": {"previous": "28d"},
    }
    return _monitor(file, folder)


def _monitor(file: dict[str, object], folder: Path) -> Monitor:
    try:
        monitor = Monitor.model_validate(file)
    except ValidationError as error:
        said = "; ".join(details["msg"] for details in error.errors())
        raise InputError(f"what the columns seem to be makes no monitor file: {said}") from None
    monitor._path = folder / "monitor.yaml"
    return monitor
