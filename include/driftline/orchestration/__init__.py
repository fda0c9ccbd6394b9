"""driftline under Airflow: the DAGs of every monitor file of a folder.

from driftline.orchestration import dags  # for Airflow
dags()
"""

from driftline.orchestration.factory import KINDS, dags
from driftline.orchestration.settings import Settings

__all__ = ["KINDS", "Settings", "dags"]
