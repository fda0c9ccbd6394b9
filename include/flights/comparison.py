"""Two models on the very same flights: what one said, and what the other would have said."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from flights.data import FEATURES, LABEL, between

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The log-loss of two models on the labelled flights that were predicted in `[start, end)`."""

    start: datetime
    end: datetime
    flights: int
    old: float
    new: float


def compare(rows: "pd.DataFrame", old: Any, new: Any, edges: list[datetime]) -> Iterator[Compared]:
    """Yield how two models do between each two edges; spans without labels are left out."""
    from sklearn.metrics import log_loss

    for start, end in pairwise(edges):
        flown = between(rows, "predicted_at", start, end).dropna(subset=LABEL)
        if flown[LABEL].nunique() < 2:
            continue
        truth = flown[LABEL].astype(int)
        yield Compared(
            start=start,
            end=end,
            flights=len(flown),
            old=log_loss(truth, old.predict_proba(flown[list(FEATURES)])[:, 1]),
            new=log_loss(truth, new.predict_proba(flown[list(FEATURES)])[:, 1]),
        )
