"""What an hour of monitoring costs under a real Airflow: CPU, wall time, the scheduler's pulse.

    python benchmarks/hours.py                  one monitor, six hours, with the preload and without
    python benchmarks/hours.py --monitors 20    twenty monitors, one hour each, with the preload

Every hour is a scheduled run of `<monitor>__hourly` on flight logs (Parquet read by DuckDB, Great
Expectations on every column): settle, reference, quality, judge. CPU seconds are those of the
scheduler's process tree, where the tasks run, from the first run to the last; an hour of one more
monitor comes before, so that what is done once (the fork server's imports) is done.
"""

import argparse
import os
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil

from flights.airflow import PRELOAD, Airflow
from flights.airflow_client import becomes
from flights.demo import prepare

START = datetime(2013, 4, 12, 6, tzinfo=UTC)
DAGS = Path(__file__).parents[1] / "dags"
MONITOR = """\
monitor: {name}
task: binary
store: sqlite:///{home}/{name}.db
artifacts: {home}/artifacts
predictions:
  parquet: {home}/logs/predictions/**/*.parquet
  id: request_id
  timestamp: predicted_at
  score: probability
  version: model_version
reference: {{window: [2013-03-01, 2013-04-01]}}
windows: [1h]
schedule: {{start: {start:%Y-%m-%dT%H:%M}, end: {end:%Y-%m-%dT%H:%M}}}
"""


def measure(monitors: int, hours: int, preload: tuple[str, ...]) -> dict[str, float]:
    """Run the hours of so many monitors; return what they cost."""
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as folder:
        home = Path(folder)
        prepare(home, date(2013, 3, 1), date(2013, 4, 14))
        (home / "monitors").mkdir()
        names = [f"model_{number:02d}" for number in range(monitors)]
        for name in ("first", *names):
            end = START + timedelta(hours=1 if name == "first" else hours)
            text = MONITOR.format(name=name, home=home, start=START, end=end)
            (home / "monitors" / f"{name}.yaml").write_text(text)
        environment = {"DRIFTLINE_MONITORS": str(home / "monitors"), "DRIFTLINE_HOME": folder}
        begun = time.monotonic()
        with Airflow(
            home / "airflow", dags=DAGS, preload=preload, environment=environment
        ) as airflow:
            dags = [f"{name}__hourly" for name in names]
            airflow.client.wait_for_dags("first__hourly", *dags)
            up = time.monotonic() - begun
            _wait(airflow, ["first__hourly"], 1)
            keeper = airflow.pid("scheduler")
            before, started = _cpu(keeper), time.monotonic()
            pulse = _wait(airflow, dags, hours)
            wall = time.monotonic() - started
            runs = [run for dag in dags for run in airflow.client.runs(dag)]
            failed = sum(run["state"] == "failed" for run in runs)
            spent = _cpu(keeper) - before
        return {
            "runs": len(runs),
            "failed": failed,
            "up": up,
            "wall": wall,
            "cpu a run": spent / len(runs),
            "longest pulse": pulse,
        }


def _wait(airflow: Airflow, dags: list[str], hours: int) -> float:
    """Let these DAGs run their hours; return how long the scheduler's heart stood still at most."""
    airflow.client.unpause(*dags)
    pulse = [0.0]

    def all_ended() -> bool:
        health = airflow.client.health() or {}
        beat = (health.get("scheduler") or {}).get("latest_scheduler_heartbeat")
        if beat:
            pulse.append((datetime.now(UTC) - datetime.fromisoformat(beat)).total_seconds())
        runs = [run for dag in dags for run in airflow.client.runs(dag)]
        ended = sum(run["state"] in ("success", "failed") for run in runs)
        return ended >= hours * len(dags)

    if not becomes(all_ended, 900):
        raise SystemExit("the runs have not ended after 900 s")
    return max(pulse)


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process and all below it, those that have ended included."""
    total = 0.0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    """Measure and print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--monitors", type=int, default=1)
    parser.add_argument("--hours", type=int, default=0)
    given = parser.parse_args()
    hours = given.hours or (6 if given.monitors == 1 else 1)
    settings = {"preload": PRELOAD}
    if given.monitors == 1:
        settings["no preload"] = ()
    print(f"{given.monitors} monitor(s), {hours} hour(s) each, {os.cpu_count()} cores")
    for name, preload in settings.items():
        found = measure(given.monitors, hours, preload)
        print(f"{name:<12}", ", ".join(f"{key} {value:.2f}" for key, value in found.items()))


if __name__ == "__main__":
    main()
