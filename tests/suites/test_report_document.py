"""The report as JSON says what its page says, and nothing that JSON or a reader cannot take."""

import html as markup
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from driftline.domain import (
    Cause,
    CauseKind,
    ColumnKind,
    Engine,
    Explanation,
    Outcome,
    Suite,
    Verdict,
    WindowStatistics,
)
from driftline.profile.reference import Reference
from driftline.suites import report, report_document
from driftline.suites.outcomes import outcomes
from tests.suites.conftest import flights, rows

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
KINDS = {"temp": NUMERIC, "carrier": CATEGORICAL, "origin": CATEGORICAL, "gone": NUMERIC}
START, END = datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC)
REFERENCE = Reference(
    id="r",
    monitor="model",
    valid_from=START,
    start=START,
    end=END,
    statistics=WindowStatistics(rows=900, columns={}),
)
WHY = Explanation(
    reference_value=0.8,
    window_value=np.float64("nan"),
    rows=np.int64(240),
    words="roc_auc fell by <.1>",
    fall=0.1,
    causes=(Cause(rank=1, kind=CauseKind.NULLS, words="temp is null", share=0.7, began=END),),
)


@pytest.fixture
def measurement(scope):
    def make(metric, value, column="", segment=""):
        more = {"column_name": column, "reason": "" if value is not None else "no labels"}
        whose = replace(scope, segment=segment)
        return whose.measurement(Suite.DRIFT, metric, value, engine=Engine.PROFILE, **more)

    return make


@pytest.fixture
def shown(monitor, scope, measurement):
    rng = np.random.default_rng(3)
    label = [*rng.integers(0, 2, 240).tolist(), *[None] * 60]
    columns = flights(300, 2) | {"_score": rng.random(300), "_label": label}
    columns |= {"temp": np.where(rng.random(300) < 0.1, np.nan, columns["temp"])}
    columns |= {"origin": np.array(["5ebe2294ecd0", "e0f08d6eab72"] * 150)}
    columns |= {"gone": np.full(300, np.inf)}
    given = rows(total=1200, **columns)
    past = rows(**flights(900, 1), gone=np.arange(900.0))
    own = monitor(features={"sensitive": ["origin"]})
    said = [
        Verdict(rule=rule, measurement=measurement("psi", 1.0, column), outcome=outcome, reason=why)
        for rule, column, outcome, why in (
            ("fine", "temp", Outcome.OK, "all is well"),
            ("mild", "carrier", Outcome.WARN, "a <b>little</b>"),
            ("bad", "temp", Outcome.CRITICAL, "very\x1b[31m"),
            ("secret", "origin", Outcome.CRITICAL, "5ebe2294ecd0 is new"),
        )
    ]
    known = outcomes(own, given)
    return report.content(
        own, scope.window, given, past, KINDS, known, said, why=WHY, remarks=["labels lean"]
    )


@pytest.fixture
def told(shown, scope, measurement):
    kept = [
        measurement("psi", 0.3, "temp"),
        measurement("psi", None, "carrier"),
        measurement("psi", 0.4, "temp", segment="origin=5ebe2294ecd0"),
        measurement("psi", 0.5, "origin"),
    ]
    found = report_document.document(shown, REFERENCE, scope.as_of, kept)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_it_says_what_the_page_says(shown, told, monkeypatch):
    for name in ("_drift_widgets", "_performance_widgets", "_summary_widgets"):
        monkeypatch.setattr(report, name, lambda *_: [])  # the charts are not compared
    page = report.html(shown)
    header = markup.unescape(page[page.index("<header>") : page.index("</header>")])
    assert f"{told['monitor']}</h1>" in header
    assert f"a sample: {told['rows']['sampled']} of {told['rows']['rows']:,} rows" in header
    assert f"{told['reference']['rows']} rows" in header
    labels = told["labels"]
    assert f"{labels['coverage']:.1%} ({labels['labelled']} of {labels['rows']})" in header
    listed = re.findall(r'<li><b class="(\w+)">[^<]*</b>(\w+): ', header)
    assert listed == [(v["outcome"], v["rule"]) for v in told["verdicts"] if v["failed"]]
    assert [v["rule"] for v in told["verdicts"]] == ["bad", "mild", "fine"]
    assert told["outcome"] == "critical"
    assert told["why"]["words"] in header
    assert f"{told['why']['causes'][0]['words']} (since 2013-04-01 00:00 UTC): 70%" in header
    assert all(remark in header for remark in told["remarks"])
    assert "labels lean" in told["remarks"]
    assert "not shown: gone has no finite value in the window" in told["remarks"]


def test_what_is_sensitive_is_only_named(told):
    assert "5ebe2294ecd0" not in json.dumps(told)
    assert "not shown, being sensitive: origin" in told["remarks"]
    assert [each["column"] for each in told["columns"]] == ["temp", "carrier", "gone"]


def test_what_is_no_number_is_null_and_times_are_in_utc(told):
    assert told["why"]["window_value"] is None
    assert told["why"]["rows"] == 240
    assert told["window"] == {
        "cadence": "1d",
        "start": "2013-04-01T00:00:00Z",
        "end": "2013-04-02T00:00:00Z",
    }
    assert [(n["column"], n["value"]) for n in told["measurements"]] == [
        ("temp", 0.3),
        ("carrier", None),
    ]
    (gone,) = (each for each in told["columns"] if each["column"] == "gone")
    assert gone["method"] is None
    assert gone["window"] == {"values": 0, "missing": 300} | dict.fromkeys(
        ("mean", "std", "min", "p25", "p50", "p75", "max")
    )


def test_distributions_are_those_of_pandas(shown, told):
    temp, carrier, _ = told["columns"]
    values = pd.Series(shown.current.columns["temp"].values).describe()
    assert (temp["kind"], temp["method"]) == ("numeric", "psi")
    assert temp["window"]["values"] == values["count"]
    assert temp["window"]["missing"] == 300 - values["count"]
    for name, key in (("p25", "25%"), ("p50", "50%"), ("p75", "75%")):
        assert temp["window"][name] == pytest.approx(values[key])
    for name in ("mean", "std", "min", "max"):
        assert temp["window"][name] == pytest.approx(values[name])
    counts = pd.Series(flights(900, 1)["carrier"]).value_counts()
    assert carrier["reference"]["distinct"] == 4
    common = {each["value"]: each["rows"] for each in carrier["reference"]["common"]}
    assert common == counts.to_dict()
