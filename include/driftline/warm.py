"""Imports what measuring needs, for a fork server: its children then have it at once.

    AIRFLOW__SCHEDULER__MP_START_METHOD=forkserver
    AIRFLOW__SCHEDULER__MP_FORKSERVER_PRELOAD=airflow,airflow.executors.local_executor,driftline.warm

Importing this module takes seconds, on purpose. What is not installed is left out.
"""

from contextlib import suppress

import duckdb_engine  # noqa: F401 (SQLAlchemy would load it by its name)

from driftline.errors import MissingExtra
from driftline.suites import evidently, quality

for _load in (quality.load, evidently.load):
    with suppress(MissingExtra):
        _load()
