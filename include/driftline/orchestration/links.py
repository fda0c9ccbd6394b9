"""The buttons on a task: to its report, and to the numbers of its monitor."""

from typing import Any

from airflow.sdk import BaseOperatorLink

from driftline.orchestration.context import interval_of, monitor_of

PREFIX = "/driftline"
"""Where the API server serves driftline's pages."""


class ReportLink(BaseOperatorLink):
    """To the HTML report of the run's day."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page."""
        arguments = operator.op_kwargs
        monitor = monitor_of(arguments["monitor"])
        interval = interval_of(arguments["cadence"], ti_key.get_template_context())
        return f"{PREFIX}/{monitor.monitor}/report/{interval.cadence}/{interval.start:%Y-%m-%d}"


class MetricsLink(BaseOperatorLink):
    """To the metrics table of the monitor."""

    name = "Metrics"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page."""
        return f"{PREFIX}/{monitor_of(operator.op_kwargs['monitor']).monitor}/metrics"
