"""How the cost of counting grows: with rows, columns, segments, and the length of a window.

    python benchmarks/growth.py                        a day of a million rows in DuckDB
    python benchmarks/growth.py --kind postgresql

The data are those of drift.py. The first three are a day's hours counted in the warehouse, the
best of three in a process that is warm; the last is the sum of hours that are kept in SQLite.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import drift

ROWS = 1_000_000
DAY = (drift.START, drift.START + drift.DAY)


def main() -> None:
    """Make the data, vary one thing at a time, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=["duckdb", "postgresql"], default="duckdb")
    kind = parser.parse_args().kind
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as name:
        folder = Path(name)
        drift.make(folder, 2 * ROWS)
        with drift.warehouse(folder, kind):
            _counting(folder, kind)
            _merging(folder, kind)


def _counting(folder: Path, kind: str) -> None:
    from driftline.domain import ColumnKind
    from driftline.monitor import file as monitor_file
    from driftline.profile.bins import bins_of
    from driftline.profile.columns import Layout
    from driftline.warehouse import open_logs

    columns = dict.fromkeys(drift.NUMBERS, ColumnKind.NUMERIC)
    columns |= dict.fromkeys(drift.CATEGORIES, ColumnKind.CATEGORICAL)
    hours = [DAY[0] + timedelta(hours=number) for number in range(24)]
    with open_logs(monitor_file.load(folder / f"{kind}.yaml")) as logs:
        rows = logs.rows(*DAY, columns, limit=50_000).table
        bins = bins_of(rows, columns, logs.categories(*DAY, columns))

        def count(names: Sequence[str], many: int, segments: dict[str, list[str]]) -> None:
            layout = Layout({name: bins[name] for name in names})
            end = DAY[0] + many * timedelta(hours=1)
            logs.parts(layout, DAY[0], end, hours=hours[:many], segments={"": [], **segments})

        every, groups = list(columns), list(drift.CATEGORIES)
        for many in (6, 12, 24):
            _say(f"{ROWS * many // 24:,} rows", lambda many=many: count(every, many, {}))
        for part in (5, 10, 20):
            names = drift.NUMBERS[: part * 4 // 5] + groups[: part // 5]
            _say(f"{part} columns", lambda names=names: count(names, 24, {}))
        for column, values in {"k0": 5, "k1": 50}.items():
            asked = {column: [f"v{number}" for number in range(values)]}
            _say(f"all rows and {values} segments", lambda asked=asked: count(every, 24, asked))


def _merging(folder: Path, kind: str) -> None:
    drift._driftline(folder, kind, cold=True)
    for days in (1, 7, 30):
        print(
            f"{f'a window of {days} days':<30} {drift._merge(folder, kind, days)['inner']:8.4f} s"
        )


def _say(what: str, work: Callable[[], Any]) -> None:
    best = 1e9
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    print(f"{what:<30} {best:8.3f} s", flush=True)


if __name__ == "__main__":
    main()
