"""The Airflow DAGs that watch: one hourly and one daily for each file in include/monitors."""

from driftline.orchestration import airflow_dags

airflow_dags(kinds=["monitoring"])
