"""From a folder of monitor files to DAGs; from the one that is asked for to just that one."""

import gc
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from driftline import monitor_file
from driftline.config import Monitor
from driftline.errors import DriftlineError
from driftline.orchestration.housekeeping import HOUSEKEEPING, housekeeping
from driftline.orchestration.monitoring import NAMES, cadences, dag_id, watching
from driftline.orchestration.places import monitor_folder
from driftline.orchestration.retraining import retraining
from driftline.orchestration.settings import Settings

log = logging.getLogger(__name__)

KINDS = ("monitoring", "retraining", "housekeeping")


def airflow_dags(
    folder: Path | str | None = None, *, kinds: Sequence[str] = KINDS, **settings: Any
) -> dict[str, DAG]:
    """Make the DAGs of the monitor files of a folder, by their ids; Airflow registers them.

    The folder is $DRIFTLINE_MONITORS where none is given, else `include/monitors` beside the dags
    folder. `settings` are those of `Settings`: pool, queue, python, retries, ... A worker that asks
    for one DAG gets that one only. A file that has faults makes no DAGs, and the others do not
    suffer: the faults are logged, and fail the task `monitor_files` of `housekeeping`.
    """
    chosen, asked = Settings(**settings), get_parsing_context().dag_id
    place = Path(folder).resolve() if folder else monitor_folder()
    with _nothing_collected():
        return {dag.dag_id: dag for dag in _made(place, kinds, chosen, asked)}


def _made(
    folder: Path, kinds: Sequence[str], settings: Settings, asked: str | None
) -> Iterator[DAG]:
    for monitor in _monitors(folder, asked):
        if "monitoring" in kinds:
            for cadence in cadences(monitor):
                if asked in (None, dag_id(monitor, NAMES[cadence])):
                    yield watching(monitor, cadence, settings)
        if "retraining" in kinds and asked in (None, dag_id(monitor, "retrain")):
            yield from retraining(monitor, settings)
    if "housekeeping" in kinds and asked in (None, HOUSEKEEPING):
        yield housekeeping(folder, settings)


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


def _monitors(folder: Path, asked: str | None) -> Iterator[Monitor]:
    """Yield the monitors of a folder whose files are right; with `asked` only that DAG's."""
    wanted = asked.rpartition("__")[0] if asked else None
    seen: dict[str, Path] = {}
    for file in monitor_file.monitor_files([folder]):
        if wanted is not None and not _is_named(file, wanted):
            continue
        try:
            monitor = monitor_file.load(file)
        except DriftlineError as error:
            log.error("%s makes no DAGs:\n%s", file, error)
            continue
        if monitor.monitor in seen:
            log.error("%s makes no DAGs: %s is the monitor of %s", file, monitor.monitor, seen)
            continue
        seen[monitor.monitor] = file
        yield monitor


def _is_named(file: Path, name: str) -> bool:
    """Whether a file's `monitor:` is this, read without parsing the file."""
    found = re.search(r"^monitor:\s*[\"']?([\w.-]+)", file.read_text(errors="replace"), re.M)
    return found is not None and found[1] == name
