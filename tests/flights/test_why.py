"""In the year's flights the model fails with the weather's warmth, and that is what is found."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from driftline import why
from driftline.domain import CauseKind, ColumnKind
from driftline.profile.rows import Rows
from driftline.stats.influence import Rows as Scored
from driftline.stats.influence import of_sides
from driftline.stats.paired import log_losses
from driftline.suites.frame import Frame
from flights import data
from flights.training import train

KINDS = {
    name: ColumnKind.CATEGORICAL if name in data.CATEGORICAL else ColumnKind.NUMERIC
    for name in data.FEATURES
}


@pytest.fixture(scope="module")
def side(rows):
    """Return a function from two dates to the rows between, as the champion answered them."""
    january, march = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-03-01", tz="UTC")
    asked = data.between(rows, "predicted_at", january, march)
    champion = train(data.between(asked, "labelled_at", january, march))

    def make(start, end):
        stretch = pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC")
        own = data.between(rows, "predicted_at", *stretch).reset_index(drop=True)
        features = own[list(data.FEATURES)]
        score = champion.predict_proba(features)[:, 1]
        truth = own[data.LABEL].to_numpy(dtype=float, na_value=np.nan)
        loss = log_losses(np.nan_to_num(truth).astype(int), score)
        table = pa.Table.from_pandas(features, preserve_index=False)
        return why.Side(
            frame=Frame.of(Rows(table=table, total=len(table)), KINDS),
            loss=np.where(np.isnan(truth), np.nan, loss),
            score=score,
            truth=truth,
            time=own["predicted_at"].dt.tz_localize(None).to_numpy(),
        )

    return make


def test_temperature_explains_the_months_after_march(side):
    found = why.explain(side("2013-03-01", "2013-04-01"), side("2013-04-01", "2013-07-01"))
    assert found.fell
    assert (round(found.reference_value, 3), round(found.window_value, 2)) == (0.484, 0.61)
    named = {cause.column: cause for cause in found.causes[:2]}
    assert named["temp"].kind is CauseKind.SHIFT
    assert named["temp"].share > 0.5
    assert "its median is 62.96, 39.92 before" in named["temp"].words
    assert named["temp"].began < datetime(2013, 4, 20, tzinfo=UTC)


def test_in_june_no_row_is_like_march_and_temperature_comes_first(side):
    found = why.explain(side("2013-03-01", "2013-04-01"), side("2013-06-01", "2013-07-01"))
    assert (found.causes[0].kind, found.causes[0].column) == (CauseKind.SHIFT, "temp")
    assert found.causes[0].share > 0.8
    assert found.inputs == found.fall
    assert "hardly a row is like one of the reference" in found.words


@pytest.mark.parametrize("end", ["2013-04-10", "2013-04-12", "2013-04-21", "2013-04-29"])
def test_temperature_is_named_in_the_weeks_that_the_demos_rule_is_about(side, end):
    start = pd.Timestamp(end) - pd.Timedelta(days=7)
    sides = side("2013-03-01", "2013-04-01"), side(start, end)
    labelled = [each.labelled for each in sides]
    rows = [
        Scored(each.truth[known].astype(int), each.score[known] >= 0.5, each.score[known])
        for each, known in zip(sides, labelled, strict=True)
    ]
    metric = "log_loss_ratio"
    for each, known, added in zip(sides, labelled, of_sides(metric, tuple(rows)), strict=True):
        each.loss[known] = added
    found = why.explain(*sides, metric=metric)
    assert found.fell
    assert found.reference_value == pytest.approx(0.886, abs=5e-4)
    assert found.window_value > 1
    (temp,) = (cause for cause in found.causes[:3] if cause.column == "temp")
    assert temp.kind is CauseKind.SHIFT
