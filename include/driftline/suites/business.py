"""Business metrics: the file's own SQL aggregates over a window."""

import logging
from collections.abc import Mapping
from datetime import datetime

from driftline.domain import Engine, Measurement, Scope, Suite
from driftline.errors import LogError
from driftline.printable import printable
from driftline.suites.parts import parts
from driftline.warehouse import Logs

log = logging.getLogger(__name__)


def measure(
    scope: Scope, logs: Logs, segments: Mapping[str, tuple[str, ...]], most: int
) -> list[Measurement]:
    """Return what each expression is of the window, of each segment and of the common versions.

    Raises LogError about the first expression that the warehouse does not take.
    """
    window, measured = scope.window, []
    found = parts(
        scope,
        lambda cut: logs.business(window.start, window.end, cut),
        segments,
        version=logs.monitor.predictions.version is not None,
        most=most,
    )
    for own, part in found:
        rows = part.rows
        for name, value in part.values.items():
            reason = "" if value is not None else "the expression is NULL" if rows else "no rows"
            measured.append(
                own.measurement(
                    Suite.BUSINESS, name, value, engine=Engine.SQL, row_count=rows, reason=reason
                )
            )
    return measured


def of_reference(logs: Logs, start: datetime | None, end: datetime | None) -> dict[str, float]:
    """Return what the expressions are of a reference's rows; none where one of them is faulty.

    The reference must not fail for it: nothing at all could be measured. The step says it anew.
    """
    try:
        whole = logs.business(start, end)[""]
    except LogError as error:
        log.warning(
            "the reference has no business metrics to compare with: %s", printable(str(error))
        )
        return {}
    return {name: value for name, value in whole.values.items() if value is not None}
