"""From a folder of monitor files to DAGs; from the one that is asked for to just that one."""

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from driftline.errors import ConfigError, Fault
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.document import Document
from driftline.orchestration.faulty import faulty, faulty_id
from driftline.orchestration.housekeeping import HOUSEKEEPING, housekeeping
from driftline.orchestration.monitoring import NAMES, cadences, dag_id, watching
from driftline.orchestration.places import monitor_folder
from driftline.orchestration.retraining import retraining
from driftline.orchestration.settings import Settings
from driftline.printable import printable

log = logging.getLogger(__name__)

KINDS = ("monitoring", "retraining", "housekeeping")


def airflow_dags(
    folder: Path | str | None = None, *, kinds: Sequence[str] = KINDS, **settings: Any
) -> dict[str, DAG]:
    """Make the DAGs of the monitor files of a folder, by their ids; Airflow registers them.

    The folder is $DRIFTLINE_MONITORS where none is given, else `include/monitors` beside the dags
    folder. `settings` are those of `Settings`: pool, queue, python, retries, ... A worker that asks
    for one DAG gets that one only. A file with faults makes `<stem>__faulty`, whose task fails with
    them, and the others do not suffer. Given one file instead of a folder, its DAGs are made
    without housekeeping, and its faults are raised: Airflow shows them as an import error.
    """
    chosen, asked = Settings(**settings), get_parsing_context().dag_id
    place = Path(folder).absolute() if folder else monitor_folder()
    place = place.parent.resolve() / place.name
    with _nothing_collected():
        if place.suffix in (".yaml", ".yml") and not place.is_dir():
            made = _of(monitor_file.load(place), kinds, chosen, asked)
        else:
            made = _made(place, kinds, chosen, asked)
        return {dag.dag_id: dag for dag in made}


def _made(
    folder: Path, kinds: Sequence[str], settings: Settings, asked: str | None
) -> Iterator[DAG]:
    owners: dict[str, Path] = {}
    told: set[str] = set()
    for file in _files(folder, asked):
        try:
            monitor = monitor_file.load(file)
            if owners.setdefault(monitor.monitor, file) != file:
                raise _taken(file, owners[monitor.monitor])
            yield from list(_of(monitor, kinds, settings, asked))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this file's fault
            faults = _words(file, error)
            if faults not in told:  # those of driftline.yaml are the faults of every file
                log.error("%s makes no DAGs: %s", printable(str(file)), faults)
            told.add(faults)
            if "monitoring" in kinds and asked in (None, faulty_id(file)):
                yield faulty(file, faults, settings)
    if "housekeeping" in kinds and asked in (None, HOUSEKEEPING):
        yield housekeeping(folder, settings)


def _of(
    monitor: Monitor, kinds: Sequence[str], settings: Settings, asked: str | None
) -> Iterator[DAG]:
    """Yield the DAGs of one monitor; with `asked` only that one."""
    if "monitoring" in kinds:
        for cadence in cadences(monitor):
            if asked in (None, dag_id(monitor, NAMES[cadence])):
                yield watching(monitor, cadence, settings)
    if "retraining" in kinds and asked in (None, dag_id(monitor, "retrain")):
        yield from retraining(monitor, settings)


def _files(folder: Path, asked: str | None) -> list[Path]:
    """Return the monitor files of a folder; with `asked` those that may have a say in that DAG."""
    files = list(monitor_file.monitor_files([folder]))
    if asked is None:
        return files
    names = {asked.rpartition("__")[0]}
    own = [file for file in files if faulty_id(file) == asked]
    names |= {monitor_file.named(file) for file in own}
    return [file for file in files if file in own or monitor_file.named(file) in names]


def _taken(file: Path, owner: Path) -> ConfigError:
    problem = f"{owner.name} has a monitor of this name; give each its own"
    return ConfigError([Document(file).fault(["monitor"], problem)])


def _words(file: Path, error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    problem = f"its DAGs cannot be made: {type(error).__name__}: {error}"
    return str(Fault(file=file, line=None, key="", problem=problem))


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Make DAGs without the garbage collector, which would search them all again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
