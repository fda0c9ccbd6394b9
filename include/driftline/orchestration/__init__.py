"""driftline under Airflow: the DAGs of every monitor file of a folder.

from driftline.orchestration import airflow_dags
airflow_dags()

Airflow reads only files that hold the words `airflow` and `dag`; these two lines do.
"""

from driftline.orchestration.factory import KINDS, airflow_dags
from driftline.orchestration.settings import Settings

__all__ = ["KINDS", "Settings", "airflow_dags"]
