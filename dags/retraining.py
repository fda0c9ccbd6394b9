"""The Airflow DAGs that retrain: one for each monitor with `retraining: {train: ...}`."""

from driftline.orchestration import dags

dags(kinds=["retraining"])
