"""Who counts profiles: the warehouse in SQL, or numpy from a stream of the rows.

    python benchmarks/profilers.py                     a day of 1,000,000 rows in three warehouses
    python benchmarks/profilers.py --rows 10000000 --only duckdb postgresql

The data are those of drift.py: 16 columns of numbers, 4 of categories, the day's rows parted by
hour; once more with a segment's column of 20 values. Each figure is a process of its own; CPU
seconds are of it and of the warehouse's server.
"""

import argparse
import json
import pickle
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import drift

SEGMENT = "k1"


def main() -> None:
    """Make the data, and count a day of it in each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", default=["duckdb", "postgresql", "sqlite"])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        folder, kind, profiler, segments = given.one
        print(json.dumps(_counted(Path(folder), kind, profiler, segments == "1")))
        return
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as name:
        folder = Path(name)
        drift.make(folder, 2 * given.rows)
        for kind in given.only:
            with _warehouse(folder, kind):
                for segments in ("0", "1"):
                    for profiler in ("sql", "stream"):
                        _row(folder, kind, profiler, segments)


def _row(folder: Path, kind: str, profiler: str, segments: str) -> None:
    command = [sys.executable, __file__, "--one", str(folder), kind, profiler, segments]
    before = _server_cpu(folder)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{kind} {profiler} failed: {done.stderr.strip().splitlines()[-1]}")
        return
    time.sleep(1)
    server = _server_cpu(folder) - before
    found = json.loads(done.stdout.splitlines()[-1])
    of = "with a segment" if segments == "1" else ""
    print(
        f"{kind:<11} {profiler:<7} {found['wall']:7.2f} s, CPU {found['cpu']:6.2f} here, "
        f"{server:6.2f} of the server, {found['mb']:5.0f} MB {of}",
        flush=True,
    )


def _server_cpu(folder: Path) -> float:
    """Return the CPU seconds of the PostgreSQL that runs in the folder, if one does."""
    import psutil

    try:
        number = int((folder / "pg" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return 0.0
    total = 0.0
    server = psutil.Process(number)
    for process in [server, *server.children()]:
        spent = process.cpu_times()
        total += spent.user + spent.system
        if process.pid == number:
            total += spent.children_user + spent.children_system
    return total


@contextmanager
def _warehouse(folder: Path, kind: str) -> Iterator[None]:
    if kind != "sqlite":
        with drift.warehouse(folder, kind):
            yield
        return
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with sqlite3.connect(folder / "log.sqlite") as connection:
        names = pq.read_schema(folder / "log.parquet").names
        kinds = {"id": "INTEGER", **dict.fromkeys(drift.NUMBERS, "REAL")}
        declared = ", ".join(f"{name} {kinds.get(name, 'TEXT')}" for name in names)
        connection.execute(f"CREATE TABLE log ({declared})")
        for batch in pq.ParquetFile(folder / "log.parquet").iter_batches(50_000):
            columns: list[Any] = [column.to_pylist() for column in batch.columns]
            place = names.index("ts")
            columns[place] = pc.strftime(batch["ts"], format="%Y-%m-%d %H:%M:%S").to_pylist()
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO log VALUES ({marks})", zip(*columns, strict=True))
        connection.execute("CREATE INDEX by_time ON log (ts)")
    connection.close()
    drift._monitor(folder, kind, f"sqlite:///{folder}/log.sqlite")
    yield


def _counted(folder: Path, kind: str, profiler: str, segments: bool) -> dict[str, float]:
    import psutil

    from driftline.domain import HOUR, ColumnKind
    from driftline.monitor import file as monitor_file
    from driftline.monitor.sections import Profiler
    from driftline.profile.bins import bins_of
    from driftline.profile.columns import Layout
    from driftline.warehouse import open_logs

    monitor = monitor_file.load(folder / f"{kind}.yaml")
    how = monitor.drift.model_copy(update={"profiler": Profiler(profiler)})
    monitor = monitor.model_copy(update={"drift": how, "segments": (SEGMENT,)})
    columns = dict.fromkeys(drift.NUMBERS, ColumnKind.NUMERIC)
    columns |= dict.fromkeys(drift.CATEGORIES, ColumnKind.CATEGORICAL)
    day = drift.START, drift.START + drift.DAY
    hours = [drift.START + HOUR * number for number in range(24)]
    asked: dict[str, list[str]] = {"": []}
    if segments:
        asked[SEGMENT] = [f"v{number}" for number in range(20)]
    kept = folder / "layout.pickle"
    with open_logs(monitor) as logs:
        if not kept.exists():
            rows = logs.rows(*day, columns, limit=50_000).table
            kept.write_bytes(pickle.dumps(bins_of(rows, columns, logs.categories(*day, columns))))
            return _counted(folder, kind, profiler, segments)
        layout, own = Layout(pickle.loads(kept.read_bytes())), psutil.Process()
        began, spent = time.perf_counter(), sum(own.cpu_times()[:2])
        logs.parts(layout, *day, hours=hours, segments=asked)
        wall = time.perf_counter() - began
    return drift._spent(wall=wall, cpu=sum(own.cpu_times()[:2]) - spent)


if __name__ == "__main__":
    main()
