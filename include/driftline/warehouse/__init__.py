"""The user's logs: read by SQL where they lie, never written."""

from driftline.warehouse.logs import Logs
from driftline.warehouse.opening import open_logs, open_reference
from driftline.warehouse.rows import (
    LABEL,
    PREDICTION,
    SCORE,
    TIMESTAMP,
    VERSION,
    Counts,
    Rows,
    score_of,
)

__all__ = [
    "LABEL",
    "PREDICTION",
    "SCORE",
    "TIMESTAMP",
    "VERSION",
    "Counts",
    "Logs",
    "Rows",
    "open_logs",
    "open_reference",
    "score_of",
]
