"""The buttons on a task: to its report, and to the numbers of its monitor."""

from typing import Any

from airflow.sdk import BaseOperatorLink

from driftline.domain import Window
from driftline.orchestration.addresses import base
from driftline.orchestration.context import interval_of, monitor_of
from driftline.orchestration.plugin import PREFIX


class ReportLink(BaseOperatorLink):
    """To the HTML report of the run's day."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page; Airflow asks for it when the task has ended."""
        monitor = _monitor(operator)
        return report_url(monitor, interval_of("1d", ti_key.get_template_context()))


class MetricsLink(BaseOperatorLink):
    """To the metrics table of the monitor."""

    name = "Metrics"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page; Airflow asks for it when the task has ended."""
        return metrics_url(_monitor(operator))


def _monitor(operator: Any) -> str:
    """Return the name of the monitor that an operator, or a decorated one, is about."""
    path = operator.op_kwargs["monitor"] if hasattr(operator, "op_kwargs") else operator.monitor
    return monitor_of(path).monitor


def report_url(monitor: str, window: Window) -> str:
    """Return where the report of a window is read."""
    form = "%Y-%m-%dT%H%M" if window.cadence == "1h" else "%Y-%m-%d"
    return _url(f"{monitor}/report/{window.cadence}/{window.start:{form}}")


def metrics_url(monitor: str) -> str:
    """Return where the numbers of a monitor are read."""
    return _url(f"{monitor}/metrics")


def _url(path: str) -> str:
    return f"{base()}{PREFIX}/{path}"
