"""What parsing costs: a folder of a thousand monitors, and the one DAG that a worker asks for.

    python benchmarks/parse_dags.py [--monitors 1000]

Each figure is the median of three processes, in seconds: Airflow's own imports (which every DAG
file pays), then driftline's and the making of the DAGs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MONITOR = """\
monitor: model_{number:04d}
task: binary
warehouse: driftline_warehouse
owner: team-{team}
predictions: {{table: predictions, id: id, timestamp: ts, score: score, version: version}}
labels: {{table: labels, id: id, timestamp: labelled_at, label: label}}
reference: {{window: [2013-03-01, 2013-04-01]}}
windows: [1h, 1d, 7d]
rules:
  - {{metric: psi, columns: score, window: 7d, max: 0.2, for: 3, then: [alert, retrain]}}
retraining: {{train: models:train}}
"""
PARSE = """
import time
began = time.perf_counter()
import airflow.sdk, airflow.providers.standard.operators.hitl
imported = time.perf_counter()
from driftline.orchestration import airflow_dags
made = airflow_dags()
print(len(made), imported - began, time.perf_counter() - imported)
"""


def measure(folder: Path, asked: str = "") -> tuple[int, float, float]:
    """Parse in three fresh processes; return how many DAGs there are, and the median seconds."""
    environment = os.environ | {
        "_AIRFLOW__AS_LIBRARY": "1",
        "AIRFLOW_HOME": str(folder / "airflow"),
        "DRIFTLINE_MONITORS": str(folder / "monitors"),
        **({"_AIRFLOW_PARSING_CONTEXT_DAG_ID": asked} if asked else {}),
    }
    runs = []
    for _ in range(3):
        said = subprocess.run(
            [sys.executable, "-c", PARSE], env=environment, capture_output=True, check=True
        )
        runs.append([float(word) for word in said.stdout.decode().splitlines()[-1].split()])
    count, imports, ours = (statistics.median(column) for column in zip(*runs, strict=True))
    return int(count), imports, ours


def main() -> None:
    """Measure both, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--monitors", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as name:
        folder = Path(name)
        (folder / "monitors").mkdir()
        for number in range(given.monitors):
            text = MONITOR.format(number=number, team=number % 7)
            (folder / "monitors" / f"model_{number:04d}.yaml").write_text(text)
        last = f"model_{given.monitors - 1:04d}__daily"
        for words, asked in (("all", ""), (f"one, {last}", last)):
            count, imports, ours = measure(folder, asked)
            print(
                f"{words}: {count} DAGs of {given.monitors} monitors, "
                f"{ours:.2f} s (Airflow's own imports: {imports:.2f} s)"
            )


if __name__ == "__main__":
    main()
