"""Airflow as a library: no settings, no database, no logging, a home that is thrown away.

What is set here for its import is taken back at once: other tests of this process start Airflows.
"""

import os
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest

_FOR_IMPORT = {"_AIRFLOW__AS_LIBRARY": "1", "AIRFLOW_HOME": tempfile.mkdtemp(prefix="airflow-")}

_before = {name: os.environ.get(name) for name in _FOR_IMPORT}
os.environ.update(_FOR_IMPORT)
try:
    import airflow.sdk  # noqa: F401
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value

MONITOR = """\
monitor: {name}
task: binary
warehouse: sqlite:///logs.db
store: sqlite:///driftline.db
predictions:
  table: predictions
  id: id
  timestamp: predicted_at
  score: score
labels:
  table: labels
  id: id
  timestamp: labelled_at
  label: label
reference:
  window: [2013-03-01, 2013-04-01]
"""


class Folder:
    """A folder of monitor files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, more: str = "", *, file: str = "") -> Path:
        path = self.path / (file or f"{name}.yaml")
        path.write_text(MONITOR.format(name=name) + dedent(more))
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "monitors"
    path.mkdir()
    return Folder(path)
