"""Where Airflow's processes find the monitor files."""

import os
from pathlib import Path

from airflow.configuration import conf


def monitor_folder() -> Path:
    """Return $DRIFTLINE_MONITORS, else the folder `include/monitors` beside the dags folder."""
    if named := os.environ.get("DRIFTLINE_MONITORS"):
        return Path(named).resolve()
    return Path(conf.get("core", "dags_folder")).resolve().parent / "include" / "monitors"
