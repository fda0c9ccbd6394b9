"""Intervals of shares, against SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from driftline.stats.interval import share


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_wilsons_interval_is_scipys(rows: int, part: float) -> None:
    hits = round(part * rows)
    found = share(hits, rows)
    other = binomtest(hits, rows).proportion_ci(method="wilson")
    assert found.value == hits / rows
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    assert (found.lower, found.upper) == pytest.approx((other.low, other.high), abs=1e-12)


def test_there_is_no_share_of_nothing() -> None:
    with pytest.raises(ValueError, match="no rows"):
        share(0, 0)
