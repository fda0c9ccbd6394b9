"""The Airflow plugin that serves driftline's pages, where driftline lies in a folder uninstalled.

An installed driftline brings it by itself, and Airflow calls a second one an error. The file may
not be called `driftline.py`: Airflow would load it under that name, over the package.
"""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="driftline"):
    from driftline.orchestration.plugin import DriftlinePlugin as DriftlinePlugin
