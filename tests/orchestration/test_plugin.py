"""The pages' plugin is there once: by the entry point, by the file in plugins/, or by both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"

CODE = """
import importlib.metadata, logging, sys
logging.disable(logging.CRITICAL)
if sys.argv[1] == "uninstalled":  # as where the package lies on the path alone
    known = importlib.metadata.Distribution.entry_points
    importlib.metadata.Distribution.entry_points = property(
        lambda self: [each for each in known.fget(self) if not each.value.startswith("driftline.")]
    )
from airflow import plugins_manager
import driftline
plugins, errors = plugins_manager._get_plugins()
apps, _ = plugins_manager.get_fastapi_plugins()
print(sum(plugin.name == "driftline" for plugin in plugins), errors,
      [app["url_prefix"] for app in apps if app["name"] == "driftline"], driftline.__file__)
"""


@pytest.mark.parametrize(
    ("state", "folder"), [("installed", PLUGINS), ("installed", None), ("uninstalled", PLUGINS)]
)
def test_airflow_loads_the_plugin_once_and_calls_nothing_an_error(
    state: str, folder: Path | None, tmp_path: Path
) -> None:
    home = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder or tmp_path / "none"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    command = [sys.executable, "-c", CODE, state]
    said = subprocess.run(command, env=os.environ | home, capture_output=True, text=True)
    (*_, last) = said.stdout.splitlines() or [said.stderr]
    assert last.startswith("1 {} ['/driftline'] ")
    assert last.endswith("driftline/__init__.py")
