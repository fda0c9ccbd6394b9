"""The service that the demo watches: the champion answers a batch of requests."""

from time import perf_counter
from typing import TYPE_CHECKING, Any

from flights.data import FEATURES

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.5
OK = 200


def score(version: str, model: Any, rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the prediction log of these requests: what was asked, what was answered.

    `latency_ms` is what a request waited for its answer: the measured time of this call, the same
    for all of the batch. It is the one column that differs when the demo is prepared again.
    `status` is 200 throughout: the champion answers every request or none.
    """
    started = perf_counter()
    probability = model.predict_proba(rows[list(FEATURES)])[:, 1]
    latency_ms = 1000 * (perf_counter() - started)
    return rows[["request_id", "predicted_at", *FEATURES]].assign(
        model_version=version,
        probability=probability,
        prediction=(probability >= THRESHOLD).astype("int8"),
        latency_ms=latency_ms,
        status=OK,
    )
