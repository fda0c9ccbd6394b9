"""The user's logs: read by SQL where they lie, never written."""

from driftline.warehouse.logs import Logs
from driftline.warehouse.opening import open_logs, open_reference

__all__ = ["Logs", "open_logs", "open_reference"]
