"""The Airflow DAGs that retrain: one for each monitor with `retraining: {train: ...}`."""

from driftline.orchestration import airflow_dags

airflow_dags(kinds=["retraining"])
