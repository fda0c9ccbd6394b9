"""Operations: how long requests took, how many there were, and which share of them failed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from driftline import metrics
from driftline.domain import Engine, Measurement, Scope, Suite
from driftline.printable import amount
from driftline.stats.interval import share
from driftline.suites.parts import parts
from driftline.warehouse import Logs
from driftline.warehouse.operations import PERCENTILES, Served


class Number(NamedTuple):
    """One number about how requests were served; without a value the reason says why."""

    metric: str
    value: float | None
    rows: int
    reason: str = ""
    lower: float | None = None
    upper: float | None = None


def measure(
    scope: Scope, logs: Logs, segments: Mapping[str, tuple[str, ...]], most: int
) -> list[Measurement]:
    """Return the numbers of the window, of each segment, and of the `most` common versions.

    `throughput` is predictions a second over the whole window. A latency is a number of
    milliseconds from 0 on; what else stands there is left out, and the reason says of how many
    rows. `error_share` is the share of rows whose status is not among those that are ok, or that
    have none, with Wilson's 95% interval.
    """
    window, measured = scope.window, []
    found = parts(
        scope,
        lambda cut: logs.operations(window.start, window.end, cut),
        segments,
        version=logs.monitor.predictions.version is not None,
        most=most,
    )
    seconds = (window.end - window.start).total_seconds()
    for own, served in found:
        for each in _numbers(served, seconds):
            measured.append(
                own.measurement(
                    Suite.OPERATIONS,
                    each.metric,
                    each.value,
                    engine=Engine.SQL,
                    lower=each.lower,
                    upper=each.upper,
                    row_count=each.rows,
                    reason=each.reason,
                )
            )
    return measured


def of_reference(logs: Logs, start: datetime | None, end: datetime | None) -> dict[str, float]:
    """Return the numbers of a reference's rows by metric, as far as its log has what they need."""
    seconds = (end - start).total_seconds() if start and end else None
    served = logs.operations(start, end)[""]
    return {n.metric: n.value for n in _numbers(served, seconds) if n.value is not None}


def _numbers(served: Served, seconds: float | None) -> Iterator[Number]:
    if seconds is not None:
        yield Number(metrics.THROUGHPUT, served.rows / seconds, served.rows)
    if served.timed is not None:
        yield from _latencies(served, served.timed)
    if served.succeeded is None:
        return
    if not served.rows:
        yield Number(metrics.ERROR_SHARE, None, 0, "no rows")
        return
    errors = share(served.rows - served.succeeded, served.rows)
    yield Number(metrics.ERROR_SHARE, errors.value, served.rows, "", errors.lower, errors.upper)


def _latencies(served: Served, timed: int) -> Iterator[Number]:
    left_out = served.rows - timed
    have = "has" if left_out == 1 else "have"
    rows = amount(served.rows, "row")
    reason = f"{left_out:,} of {rows} {have} no latency, or one that is none"
    if not left_out:
        reason = "" if served.rows else "no rows"
    yield Number("latency_mean", served.mean, timed, reason)
    for percent in PERCENTILES:
        yield Number(f"latency_p{percent}", served.percentiles[percent], timed, reason)
