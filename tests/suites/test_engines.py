"""An engine beside ours that fails, fails alone: its rows say why, and ours stand."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftline.errors import LogError, MissingExtra, SuiteError
from driftline.monitor.config import Monitor
from driftline.profile.rows import Rows
from driftline.run import planned, run
from driftline.store import measurements
from driftline.suites.engines import engine, importing
from driftline.suites.report import content, html

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Odd(Exception):
    """What no one thought of."""


def test_whatever_an_engine_raises_is_mapped_and_ours_passes():
    with (
        pytest.raises(SuiteError, match=r"^Evidently failed: Odd: two lines$"),
        engine("Evidently"),
    ):
        raise Odd("two\nlines")
    with pytest.raises(LogError, match="ours"), engine("Evidently"):
        raise LogError("ours")


def test_an_import_that_fails_is_told_from_a_package_that_is_not_there(monkeypatch):
    with pytest.raises(MissingExtra, match="not installed"), importing("no-such", "no_such", "x"):
        import no_such  # type: ignore[import-not-found]  # noqa: F401
    broken = importing("Evidently", "evidently", "evidently")
    with (
        pytest.raises(SuiteError, match=r"Evidently cannot be imported: ImportError: numpy"),
        broken,
    ):
        raise ImportError("numpy is too new", name="numpy.core")


def measured(tmp_path, store, **changes: Any) -> tuple[dict[tuple[str, str, str], Any], Any]:
    """Measure a regression whose labels of the last day are all 0; return its rows by name."""
    rng, rows = np.random.default_rng(0), 600
    hours = np.sort(rng.uniform(0, 5 * 24, rows))
    y = rng.gamma(2, 50, rows)
    said = y * rng.normal(1, 0.1, rows)
    last = hours >= 4 * 24
    y[last] = 0.0
    log = {
        "id": np.arange(rows),
        "ts": pa.array([START + timedelta(hours=h) for h in hours], pa.timestamp("us", "UTC")),
        "said": said,
        "age": rng.normal(40, 10, rows),
        "later": np.where(last, 1.0, np.nan),  # A new column: null in all of the reference.
        "y": y,
    }
    pq.write_table(pa.table(log), tmp_path / "log.parquet")
    monitor = Monitor.model_validate(
        {
            "monitor": "claims",
            "task": "regression",
            "predictions": {
                "parquet": str(tmp_path / "log.parquet"),
                "id": "id",
                "timestamp": "ts",
                "prediction": "said",
            },
            "labels": {"label": "y"},
            "features": {"numeric": ["age", "later"]},
            "quality": [{"expect_column_mean_to_be_between": {"column": "age", "min_value": 1}}],
            "reference": {"window": [START, START + 4 * DAY]},
            "windows": ["1d"],
            "rules": [
                {"metric": "mae", "window": "1d", "max": 50, "severity": "critical"},
                {"metric": "rmse", "suite": "estimate", "window": "1d", "max": 1e9},
            ],
            **changes,
        }
    )
    todo = planned(monitor, START + 4 * DAY, START + 5 * DAY)
    (conclusion,) = run(monitor, todo, store, page=False)
    with store.read() as connection:
        rows_ = measurements.current(connection, monitor.monitor)
    truth = float(np.abs(said[last]).mean()), float(np.sqrt((said[last] ** 2).mean()))
    return {(r["engine"], r["suite"], r["metric"], r["column_name"]): r for r in rows_}, (
        conclusion,
        truth,
    )


def ours_stand(found, conclusion, truth):
    """Whatever failed beside them: no step did, and the worst day of all is judged."""
    assert conclusion.errors == ()
    mae, rmse = (found["profile", "performance", name, ""]["value"] for name in ("mae", "rmse"))
    assert (mae, rmse) == pytest.approx(truth)  # numpy's
    outcomes = {v.measurement.metric: str(v.outcome) for v in conclusion.verdicts}
    assert outcomes["mae"] == "critical"
    assert "psi" in {metric for engine, _, metric, _ in found if engine == "profile"}
    assert found["sql", "quality", "row_count", ""]["value"] > 0


def test_a_day_of_zeros_on_which_evidently_fails_is_judged(tmp_path, store, caplog):
    found, (conclusion, truth) = measured(tmp_path, store)
    ours_stand(found, conclusion, truth)
    lost = found["evidently", "performance", "mae", ""]
    assert lost["value"] is None
    assert lost["reason"].startswith("Evidently failed: ")
    assert found["profile", "performance", "mape", ""]["reason"].endswith("relative to them")
    assert found["profile", "estimate", "mae", ""]["value"] > 0  # the new column is no obstacle
    assert "Evidently failed" in caplog.text


def raising(*_: Any, **__: Any) -> Any:
    raise Odd("out of order")


BROKEN = (
    "evidently.Report.run",
    "sklearn.ensemble.HistGradientBoostingRegressor.fit",
    "sklearn.ensemble.HistGradientBoostingClassifier.fit",
    "great_expectations.validator.validator.Validator.graph_validate",
)
LOST = (
    ("evidently", "drift", "psi", "age"),
    ("profile", "estimate", "rmse", ""),
    ("scikit_learn", "drift", "domain_classifier_auc", ""),
    ("great_expectations", "quality", "expect_column_mean_to_be_between", "age"),
)


def test_engines_that_fail_on_everything_take_nothing_of_ours(tmp_path, store, monkeypatch, caplog):
    for call in BROKEN:
        monkeypatch.setattr(call, raising)
    found, (conclusion, truth) = measured(tmp_path, store)
    ours_stand(found, conclusion, truth)
    for key in LOST:
        assert (found[key]["value"], "Odd: out of order" in found[key]["reason"]) == (None, True)
    for name in ("Evidently", "scikit-learn", "Great Expectations"):
        assert f"{name} failed: Odd: out of order" in caplog.text


def test_engines_that_are_not_there_take_nothing_of_ours(tmp_path, store, monkeypatch):
    from driftline.suites import quality

    quality.load.cache_clear()
    for module in ("evidently", "sklearn.ensemble", "great_expectations"):
        monkeypatch.setitem(sys.modules, module, None)
    found, (conclusion, truth) = measured(tmp_path, store)
    ours_stand(found, conclusion, truth)
    for key in LOST:
        assert (found[key]["value"], "is not installed" in found[key]["reason"]) == (None, True)


def test_a_bug_of_ours_is_not_taken_for_an_engines(tmp_path, store, monkeypatch):
    monkeypatch.setattr("driftline.suites.evidently._measured", raising)
    _, (conclusion, _) = measured(tmp_path, store)
    assert any("Odd: out of order" in error for error in conclusion.errors)


def test_a_report_that_cannot_be_drawn_says_so_and_keeps_its_verdicts(monitor, scope, monkeypatch):
    monkeypatch.setattr("evidently.core.metric_types.render_widgets", raising)
    from driftline.domain import ColumnKind

    side = Rows(table=pa.table({"x": np.arange(50.0)}), total=50)
    page = html(content(monitor(), scope.window, side, side, {"x": ColumnKind.NUMERIC}))
    assert "nothing could be drawn: Evidently failed: Odd: out of order" in page
    assert "<script" not in page
