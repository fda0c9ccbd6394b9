"""`driftline init`: a monitor file from the tables that are there."""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from driftline.cli.console import err, literal
from driftline.connections import DATABASE_FILES
from driftline.domain import DAY
from driftline.errors import InputError
from driftline.monitor import draft
from driftline.monitor.config import Monitor
from driftline.monitor.fields import slug
from driftline.monitor.home import expanded
from driftline.monitor.sections import FILES, Task
from driftline.printable import amount

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
@click.option("--timestamp", metavar="COLUMN", help="When a prediction was made.")
@click.option("--id", multiple=True, metavar="COLUMN", help="Once for each column of the key.")
@click.option("--score", metavar="COLUMN", help="P(positive).")
@click.option("--prediction", metavar="COLUMN", help="The class or number that was predicted.")
@click.option("--label", metavar="COLUMN", help="What came of it.")
@click.option("--name", help="The monitor's name.  [default: from the table's]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file.")
def init(
    warehouse: str | None,
    predictions: str,
    labels: str | None,
    task: str | None,
    name: str | None,
    output: Path | None,
    **said: str | Sequence[str] | None,
) -> None:
    """Draft a monitor file from the columns of its tables.

    Which column is what is guessed from names and types, unless an option says it; read it
    before you trust it. It is tried on the logs at once: how many predictions there are, and how
    many find a label.

    \b
    driftline init --warehouse postgresql://me@localhost/logs --predictions scores --labels truth
    driftline init --predictions 'logs/**/*.parquet' -o include/monitors/churn.yaml
    driftline init --task none --predictions 'store/*.parquet'    # features, and no model
    """
    from driftline.warehouse import open_logs

    if output and output.exists():
        raise InputError(f"{output} is there already; remove it or name another file")
    if task == Task.NONE:
        _refuse_a_model(labels=labels, **said)
    name = name or _name(predictions)
    place = _place(predictions, warehouse)
    places = _place(labels, warehouse) if labels else None
    with open_logs(_outline(name, warehouse, place, places)) as logs:
        found = draft.guess(logs.column_types(), logs.label_column_types(), task, said)
    now = datetime.now(UTC)
    file = draft.document(
        name,
        found,
        warehouse=warehouse,
        predictions=place,
        labels=places,
        reference=(now - DAY, now),
    )
    drafted = _monitor(file)
    with open_logs(drafted) as logs:
        for fault in logs.check():
            raise fault
        first, last = logs.first_timestamp(), logs.last_timestamp()
        if first is None or last is None:
            raise InputError(f"{predictions} holds no rows with a {found.timestamp}")
        start, end = draft.reference_window(first, last)
        counts = logs.counts(None, None)
        file["reference"] = {"window": [start.date(), end.date()]}
        features, alone = logs.inferred(start, end)
    told = [
        f"{amount(counts.rows, drafted.row)} from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        f"{amount(len(features), 'feature')}"
        f": {', '.join(k.heading(n) for n, k in features.items()) or 'none'}",
    ]
    if found.label:
        told.append(f"{counts.coverage or 0:.1%} of the predictions find a label")
        if not found.label_timestamp:
            told.append(
                "no column says since when labels are known: they count as known from the start; "
                "write it as labels.timestamp"
            )
    told += alone
    for line in told:
        err.print(literal(line), highlight=False, soft_wrap=True)
    _move(file, output.parent if output else Path())
    warehouse = file.get("warehouse")
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


def _refuse_a_model(**said: str | Sequence[str] | None) -> None:
    """Raise InputError for an option that says what a model would predict."""
    for name in ("labels", "score", "prediction", "label"):
        if said[name]:
            raise InputError(f"--{name}: with --task none there is no model; leave it out")


def _name(predictions: str) -> str:
    """Return a name from that of the table, or of the folder that files and partitions lie in."""
    fixed = [part for part in Path(predictions.split("*")[0]).parts if "=" not in part]
    return slug(Path(*fixed).stem or "model")


def _place(where: str, warehouse: str | None) -> dict[str, str]:
    name = where.rpartition("/")[2]
    is_folder = not warehouse and expanded(where, "the path").is_dir()
    kind = next((kind for kind in FILES if f".{kind}" in name), "parquet" if is_folder else "table")
    return {kind: where}


def _move(file: dict[str, Any], folder: Path) -> None:
    """Make relative paths, which were said from here, start at the file's own folder."""
    for section in ("predictions", "labels"):
        for kind in file.get(section, {}).keys() & FILES:
            file[section][kind] = _from(folder, file[section][kind])
    if "://" in (where := file.get("warehouse", "")) and where.startswith(DATABASE_FILES):
        try:
            url = make_url(where)
        except (ArgumentError, ValueError):
            return
        if url.database and url.database != ":memory:":
            moved = url.set(database=_from(folder, url.database))
            file["warehouse"] = moved.render_as_string(hide_password=False)


def _from(folder: Path, where: str) -> str:
    if "://" in where or expanded(where, "the path").is_absolute():
        return where
    return Path(os.path.relpath(Path.cwd().resolve() / where, folder.resolve())).as_posix()


def _outline(
    name: str, warehouse: str | None, place: dict[str, str], labels: dict[str, str] | None
) -> Monitor:
    """Return a monitor that knows its tables and nothing of their columns yet."""
    file: dict[str, Any] = {
        "monitor": name,
        "task": Task.BINARY,
        "warehouse": warehouse,
        "predictions": {**place, "timestamp": "?", "score": "?", "id": "?"},
        "labels": {**labels, "label": "?", "id": "?"} if labels else None,
        "reference": {"previous": "28d"},
    }
    return _monitor(file)


def _monitor(file: Mapping[str, Any]) -> Monitor:
    try:
        monitor = Monitor.model_validate(file)
    except ValidationError as error:
        said = "; ".join(details["msg"] for details in error.errors())
        raise InputError(f"what the columns seem to be makes no monitor file: {said}") from None
    monitor._path = Path.cwd() / "monitor.yaml"
    return monitor
