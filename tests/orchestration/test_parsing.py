"""Parsing the DAG files loads none of the engines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"pandas", "great_expectations", "evidently", "sklearn", "scipy"}
PARSE = """
import sys, runpy
runpy.run_path(sys.argv[1])
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "dags").glob("*.py")))
def test_parsing_loads_nothing_heavy(file: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "_AIRFLOW__AS_LIBRARY": "1",
        "AIRFLOW_HOME": str(tmp_path),
        "DRIFTLINE_MONITORS": str(ROOT / "include" / "monitors"),
    }
    command = [sys.executable, "-c", PARSE, str(ROOT / "dags" / file)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert {"airflow", "driftline"} <= loaded
    assert loaded & HEAVY == set()
