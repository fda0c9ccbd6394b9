"""The Airflow DAG that keeps house for all monitors."""

from driftline.orchestration import airflow_dags

airflow_dags(kinds=["housekeeping"])
