"""`driftline dags write`: a DAG file a monitor, so that its faults are an import error."""

import os
from pathlib import Path

import click

from driftline.cli.console import literal, out
from driftline.errors import InputError
from driftline.monitor import file as monitor_file

MARK = "# Written by `driftline dags write`, which writes it anew: change nothing here.\n"
_FILE = (
    MARK
    + """
from pathlib import Path

from driftline.orchestration import airflow_dags

airflow_dags(Path(__file__).parent / {path!r}{kinds})
"""
)


@click.group()
def dags() -> None:
    """DAG files for Airflow."""


@dags.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def write(folder: Path) -> None:
    """Write a DAG file for each monitor, and one for housekeeping, into FOLDER.

    Each names its monitor's file from where it lies, and raises that file's faults: Airflow shows
    them as an import error. What was written before for monitors that are gone is removed.
    """
    wanted = _wanted(folder)
    folder.mkdir(parents=True, exist_ok=True)
    theirs = [path for path in folder.glob("*.py") if not _ours(path)]
    if taken := sorted({path.name for path in theirs} & wanted.keys()):
        raise InputError(f"{folder / taken[0]} was not written by this command: move it away")
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
        out.print(f"wrote   {literal(str(folder / name))}", soft_wrap=True, highlight=False)
    for path in sorted(folder.glob("*.py")):
        if path.name not in wanted and _ours(path):
            path.unlink()
            out.print(f"removed {literal(str(path))}", soft_wrap=True, highlight=False)
    for path in theirs:
        if "airflow_dags(" in path.read_text(encoding="utf-8", errors="replace"):
            note = f"note: {path} makes DAGs of monitor files too: no two may make the same"
            out.print(literal(note), soft_wrap=True, highlight=False)


def _wanted(folder: Path) -> dict[str, str]:
    """Return the DAG files by their names: of the first folder that holds monitors."""
    for place in monitor_file.search_path():
        if files := list(monitor_file.monitor_files([place])):
            wanted = {f"{monitor_file.plain_stem(f)}.py": _text(folder, f) for f in files}
            house = _text(folder, place, ', kinds=["housekeeping"]')
            return {**wanted, "driftline_housekeeping.py": house}
    looked = ", ".join(map(str, monitor_file.search_path()))
    raise InputError(f"no monitor files in {looked}; write one with: driftline init")


def _text(folder: Path, monitor: Path, kinds: str = "") -> str:
    return _FILE.format(path=os.path.relpath(monitor, folder), kinds=kinds)


def _ours(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith(MARK.encode())
