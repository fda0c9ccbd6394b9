"""The Airflow DAG that keeps house for all monitors."""

from driftline.orchestration import dags

dags(kinds=["housekeeping"])
