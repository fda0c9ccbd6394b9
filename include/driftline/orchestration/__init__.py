"""driftline under Airflow: the DAGs of every monitor file of a folder.

from driftline.orchestration import airflow_dags
airflow_dags()

Airflow reads only files that hold the words `airflow` and `dag`; these two lines do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftline.orchestration.factory import KINDS, airflow_dags
    from driftline.orchestration.settings import Settings

__all__ = ["KINDS", "Settings", "airflow_dags"]
_ROOMS = {"KINDS": "factory", "airflow_dags": "factory", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    """Load a name when it is asked for: Airflow loads the plugin beside it in every process."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
