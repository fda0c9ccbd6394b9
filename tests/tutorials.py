"""NannyML's public data, read from its wheel, and how rows are counted in score bins."""

import sys
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@cache
def data(name: str) -> pd.DataFrame:
    """Return one of the data sets that NannyML 0.13.1 ships (Apache-2.0)."""
    wheel = Path(sys.prefix) / "nannyml" / "nannyml-0.13.1-py3-none-any.whl"
    if not wheel.exists():
        pytest.skip("NannyML's data are not there: `make test` fetches them")
    with zipfile.ZipFile(wheel) as files, files.open(f"nannyml/datasets/data/{name}.csv") as rows:
        return pd.read_csv(rows)


def quantile_edges(scores, threshold, bins=250):
    """Return the edges of so many quantile bins, the threshold and the tenths among them."""
    shares = np.linspace(0, 1, bins + 1)[1:-1]
    quantiles = np.quantile(scores, shares, method="inverted_cdf")
    return np.unique(np.concatenate([quantiles, [threshold], np.arange(1, 10) / 10]))


def counted(labels, predicted, scores, edges):
    """Return the rows by label, predicted class and score bin, and the sums of their scores."""
    bins = len(edges) + 1
    cells = (labels * 2 + predicted) * bins + np.digitize(scores, edges)
    return tuple(
        np.bincount(cells, weights, minlength=4 * bins).reshape(2, 2, bins)
        for weights in (None, scores)
    )
