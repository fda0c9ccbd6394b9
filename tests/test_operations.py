"""Operations and business from the log to the incident, on real warehouses and a real store."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner

from driftline.cli import main
from driftline.domain import HOUR, Outcome, Suite, Window
from driftline.flow.pipeline import steps
from driftline.monitor.config import Monitor
from driftline.run import planned, run
from driftline.store import Store, ledger, measurements
from tests.models import DAY, START, logs, parts
from tests.warehouses import Warehouse, make_warehouse

pytestmark = pytest.mark.usefixtures("no_pages", "no_samples", "no_expectations")

CONVERSION = "avg(case when purchased = 1 then 1.0 else 0.0 end)"
RULES = [
    {"metric": "latency_p95", "window": "1d", "worse_by": "50%"},
    {"metric": "latency_p99", "window": "1d", "max": 10_000},
    {"metric": "error_share", "window": "1d", "max": 0.1, "severity": "critical"},
    {"metric": "throughput", "window": "1d", "worse_by": "50%", "segment": "*"},
    {"metric": "conversion", "window": "1d", "worse_by": "20%"},
    {"metric": "revenue", "window": "1d", "min": 1},
]


def served(*, slow_on: int = 8, days: int = 10) -> pd.DataFrame:
    """A log whose requests take three times as long from a day on, and fail and sell less."""
    predictions, _ = logs(days=days)
    frame = predictions.to_pandas()
    rng = np.random.default_rng(1)
    late = (frame["ts"] - pd.Timestamp(START)).dt.days >= slow_on
    frame["took"] = rng.gamma(2, 20, len(frame)) * np.where(late, 3, 1)
    frame["status"] = np.where(rng.random(len(frame)) < np.where(late, 0.3, 0.02), 503, 200)
    frame["purchased"] = (rng.random(len(frame)) < np.where(late, 0.1, 0.4)).astype(int)
    frame["price"] = rng.integers(1, 100, len(frame)).astype(float)
    return frame


def written(**changes: Any) -> dict[str, Any]:
    own = parts("binary")
    own["predictions"] |= {"latency_ms": "took", "status": {"column": "status"}}
    return {
        **own,
        "labels": None,
        "windows": ["1d"],
        "segments": ["group"],
        "features": {"numeric": ["x"]},
        "rules": RULES,
        "drift": {"domain_classifier": False},
        "business": {
            "conversion": {"sql": CONVERSION, "better": "higher"},
            "revenue": "sum(price)",
        },
        **changes,
    }


def days(monitor: Monitor, store: Store, first: int, last: int) -> list[Any]:
    return list(run(monitor, planned(monitor, START + first * DAY, START + last * DAY), store))


def expected(rows: pd.DataFrame) -> dict[str, float]:
    return {
        "throughput": len(rows) / 86_400,
        "latency_mean": rows["took"].mean(),
        **{f"latency_p{p}": np.percentile(rows["took"], p) for p in (50, 95, 99)},
        "error_share": (rows["status"] != 200).mean(),
        "conversion": rows["purchased"].mean(),
        "revenue": rows["price"].sum(),
    }


def test_every_number_is_numpys_and_every_rule_looks_at_its_own(
    warehouse: Warehouse, store: Store
) -> None:
    frame = served()
    warehouse.load("predictions", pa.Table.from_pandas(frame))
    monitor = warehouse.monitor(**written())
    calm, loud = days(monitor, store, 7, 9)
    assert not [v for v in calm.verdicts if v.outcome.failed]
    failed = {(v.rule, v.measurement.segment) for v in loud.verdicts if v.outcome.failed}
    assert failed == {
        ("latency_p95-1d", ""),
        ("error_share-1d", ""),
        ("conversion-1d", ""),
    }
    assert {i.rule for i in loud.opened} == {rule for rule, _ in failed}
    unjudged = {
        (v.rule, v.measurement.segment): v.reason
        for v in loud.verdicts
        if v.outcome is Outcome.NOT_EVALUATED
    }
    assert unjudged == {
        ("throughput-1d", f"group={name}"): "the reference has no throughput to compare with"
        for name in ("north", "south")
    }
    with store.read() as connection:
        rows = measurements.current(connection, "model", start=START + 8 * DAY)
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row["suite"] in ("operations", "business"):
            own = found.setdefault((row["segment"], row["model_version"]), {})
            own[row["metric"]] = row
    inside = frame[(frame["ts"] >= START + 8 * DAY) & (frame["ts"] < START + 9 * DAY)]
    groups = {(f"group={name}", ""): inside[inside["group"] == name] for name in ("north", "south")}
    for part, own in {("", ""): inside, **groups, ("", "2"): inside}.items():
        values = {metric: row["value"] for metric, row in found.pop(part).items()}
        assert values == pytest.approx(expected(own), rel=1e-9), part
    assert found == {}
    (share,) = [
        r for r in rows if r["metric"] == "error_share" and not (r["segment"] or r["model_version"])
    ]
    assert share["lower"] < share["value"] < share["upper"]
    assert {(r["engine"], r["column_name"]) for r in rows if r["suite"] == "operations"} == {
        ("sql", "")
    }


def test_a_faulty_expression_fails_its_own_step_and_no_other(
    warehouse: Warehouse, store: Store
) -> None:
    warehouse.load("predictions", pa.Table.from_pandas(served()))
    faulty = {"conversion": CONVERSION, "revenue": "sum(prize)"}
    about = {"business": faulty, "rules": RULES[:4]}
    monitor = warehouse.monitor(**written(**about))
    (conclusion,) = days(monitor, store, 8, 9)
    (error,) = conclusion.errors
    assert "business of 1d" in error
    assert "business.revenue: sum(prize): " in error
    assert "prize" in error.partition("sum(prize): ")[2]  # the database says it, too
    assert {i.rule for i in conclusion.opened} == {"latency_p95-1d", "error_share-1d"}
    with store.read() as connection:
        entries = ledger.of(connection, "model", end=START + 9 * DAY)
    states = {entry.suite: entry.state for entry in entries}
    assert states.pop(Suite.BUSINESS) is ledger.State.FAILED
    assert set(states.values()) == {ledger.State.DONE}
    assert {Suite.QUALITY, Suite.OPERATIONS, Suite.DRIFT} == set(states)
    mended = warehouse.monitor(**written(**about | {"business": {"revenue": "sum(price)"}}))
    (conclusion,) = days(mended, store, 8, 9)
    assert conclusion.errors == ()


def test_an_empty_day_has_no_latency_and_a_throughput_of_nothing(
    tmp_path: Path, store: Store, request: pytest.FixtureRequest
) -> None:
    frame = served()
    gap = (frame["ts"] >= START + 8 * DAY) & (frame["ts"] < START + 9 * DAY)
    frame.loc[frame["ts"] >= START + 9 * DAY, "took"] = -1.0
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    warehouse.load("predictions", pa.Table.from_pandas(frame[~gap]))
    monitor = warehouse.monitor(**written())
    empty, broken = days(monitor, store, 8, 10)
    said = {v.measurement.metric: v for v in empty.verdicts if not v.measurement.segment}
    assert said["throughput"].outcome is Outcome.WARN
    for metric in ("latency_p95", "error_share", "conversion", "revenue"):
        assert (said[metric].outcome, said[metric].reason) == (Outcome.NOT_EVALUATED, "no rows")
    said = {v.measurement.metric: v for v in broken.verdicts if not v.measurement.segment}
    rows = said["error_share"].measurement.row_count
    assert said["latency_p95"].measurement.row_count == 0
    assert said["latency_p95"].reason == (
        f"{rows} of {rows} rows have no latency, or one that is none"
    )


def test_a_reference_of_its_own_may_lack_what_was_not_logged_then(
    tmp_path: Path, store: Store, request: pytest.FixtureRequest
) -> None:
    warehouse = make_warehouse(request, "duckdb", tmp_path)
    frame = served()
    warehouse.load("predictions", pa.Table.from_pandas(frame))
    trained = frame[frame["ts"] < START + 4 * DAY]
    warehouse.load("training", pa.Table.from_pandas(trained[["x", "score", "group", "status"]]))
    monitor = warehouse.monitor(**written(reference=warehouse.source("training")))
    (conclusion,) = days(monitor, store, 8, 9)
    assert conclusion.errors == ()
    said = {v.measurement.metric: v for v in conclusion.verdicts if not v.measurement.segment}
    for metric in ("latency_p95", "throughput", "conversion"):
        assert said[metric].reason == f"the reference has no {metric} to compare with"
    assert said["error_share"].outcome is Outcome.CRITICAL


@pytest.mark.parametrize("kind", ["duckdb", "parquet", "sqlite"])
def test_a_run_ends_with_3_where_requests_fail(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    warehouse = make_warehouse(request, kind, tmp_path)
    warehouse.load("predictions", pa.Table.from_pandas(served()))
    model = warehouse.monitor(**written())
    text = model.model_dump(mode="json", exclude_unset=True, by_alias=True, exclude={"labels"})
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(text | {"store": f"sqlite:///{tmp_path}/of_cli.db"}))

    def driftline(*words: str) -> Any:
        return CliRunner().invoke(main, [words[0], str(file), *words[1:]])

    linted = driftline("lint", "--connect")
    assert linted.exit_code == 0, linted.output
    assert "not measured" not in linted.output
    calm = driftline("run", "--from", "2024-01-07", "--to", "2024-01-08", "--fail-on", "warn")
    assert calm.exit_code == 0, calm.output
    loud = driftline("run", "--from", "2024-01-09", "--to", "2024-01-10", "--fail-on", "critical")
    assert loud.exit_code == 3, loud.output
    assert "error_share" in loud.output
    file.write_text(file.read_text().replace("sum(price)", "sum(prize)"))
    wrong = driftline("lint", "--connect")
    assert wrong.exit_code == 2
    assert "business.revenue: sum(prize): " in wrong.output
    assert "| " in wrong.output  # the line of the file


def test_hours_and_days_are_measured() -> None:
    monitor = Warehouse(kind="parquet", folder=Path()).monitor(
        **written(windows=["1h", "1d", "7d"], rules=[])
    )
    hour = Window.ending("1h", START + HOUR)
    assert [s.suite for s in steps(monitor, hour)] == ["quality", "operations", "business", "drift"]
    day = steps(monitor, Window.ending("1d", START + DAY))
    for suite in (Suite.OPERATIONS, Suite.BUSINESS):
        assert [s.window.cadence for s in day if s.suite is suite] == ["1d", "7d"]
    plain = monitor.model_copy(update={"business": {}})
    assert Suite.BUSINESS not in {s.suite for s in steps(plain, hour)}
