"""The plugin through which Airflow's API server serves driftline's pages.

Airflow loads its plugins in every process, each task's too; the pages load when they are read.
"""

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

PREFIX = "/driftline"
"""Where the API server serves driftline's pages, below its base URL."""


async def _pages(scope: Any, receive: Any, send: Any) -> None:
    from driftline.orchestration.pages import app

    await app(scope, receive, send)


class DriftlinePlugin(AirflowPlugin):
    """Serves driftline's pages to who may see the monitor's DAGs."""

    name = "driftline"
    fastapi_apps = [{"app": _pages, "url_prefix": PREFIX, "name": "driftline"}]  # noqa: RUF012
