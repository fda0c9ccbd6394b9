"""What it costs to follow labels: a day of a long log is restated, and only that day is read.

    python benchmarks/labels.py --rows 10000000

Makes a log of 30 days in DuckDB, with a label for each prediction; a thousand corrections of one
day's labels arrive. Prints how long it takes to find the hours that they touch, to count these anew
in SQL, and to count all 30 days, in seconds of one run.
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from driftline.domain import DAY, HOUR
from driftline.monitor.config import Monitor
from driftline.profile.outcomes import OutcomeBins
from driftline.warehouse import open_logs

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 30
LATE = START + (DAYS + 1) * DAY


def make(file: Path, rows: int) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            "CREATE TABLE predictions AS SELECT i AS id, "
            f"TIMESTAMPTZ '{START:%F %T}+00' "
            f"+ INTERVAL (i * {DAYS} * 86400.0 / {rows}) SECOND AS ts, "
            "random() * random() AS score "
            f"FROM range({rows}) AS r(i)"
        )
        connection.execute(
            "CREATE TABLE labels AS SELECT id, CAST(random() < score AS INTEGER) AS y, "
            "ts + INTERVAL (random() * 20) HOUR AS at FROM predictions"
        )
        day = START + 12 * DAY
        connection.execute(
            "INSERT INTO labels SELECT id, 1 - y, $late FROM labels WHERE id IN "
            "(SELECT id FROM predictions WHERE ts >= $day AND ts < $end LIMIT 1000)",
            {"late": LATE - HOUR, "day": day, "end": day + DAY},
        )


def monitor(file: Path) -> Monitor:
    return Monitor.model_validate(
        {
            "monitor": "labels",
            "task": "binary",
            "warehouse": f"duckdb:///{file}",
            "predictions": {
                "table": "predictions",
                "id": "id",
                "timestamp": "ts",
                "score": "score",
            },
            "labels": {"table": "labels", "id": "id", "timestamp": "at", "label": "y"},
            "reference": {"window": [f"{START:%F}", f"{START + DAY:%F}"]},
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    asked = parser.parse_args()
    edges = tuple(n / 200 for n in range(1, 200))
    bins = OutcomeBins(scores={"score": edges})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "logs.duckdb")
        make(file, asked.rows)
        with open_logs(monitor(file)) as logs:

            def count(first: datetime, days: int) -> float:
                began = time.perf_counter()
                for n in range(days):
                    start = first + n * DAY
                    hours = [start + HOUR * h for h in range(24)]
                    found = logs.outcomes(bins, start, start + DAY, as_of=LATE, starts=hours)
                    assert len(found) == 24
                return time.perf_counter() - began

            count(START, 1)
            began = time.perf_counter()
            touched = logs.landed(LATE - timedelta(hours=2), LATE, since=START) or {}
            finding = time.perf_counter() - began
            days = {hour.date() for hour in touched}
            print(f"{asked.rows:,} predictions of {DAYS} days, as many labels")
            print(f"hours that 1,000 labels touch, all of one day: {finding:.2f} s")
            assert len(days) == 1
            again = count(START + 12 * DAY, 1)
            print(f"a day counted anew ({asked.rows // DAYS:,} rows): {again:.2f} s")
            print(f"all {DAYS} days: {count(START, DAYS):.2f} s")


if __name__ == "__main__":
    main()
