"""The champion, the logs it leaves and the story that they tell."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from sklearn.metrics import log_loss, roc_auc_score

from driftline.monitor import file as monitor_file
from flights import demo
from flights.data import FEATURES, LABEL, between
from flights.training import train
from tests.flights.test_data import moment

ROOT = Path(__file__).parents[2]
MONITOR = ROOT / "include" / "monitors" / "flight_delay.yaml"


@pytest.fixture(scope="module")
def log(flight_home):
    """The predictions with the labels they were given, read as DuckDB does."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(f"""
            SELECT p.*, labelled_at, delayed
            FROM read_parquet('{flight_home}/logs/predictions/**/*.parquet') p
            LEFT JOIN read_parquet('{flight_home}/logs/labels/**/*.parquet') USING (request_id)
            ORDER BY predicted_at, request_id
        """).df()


def test_the_champion_ranks_march_as_is_known(log):
    march = between(log, "predicted_at", moment("2013-03-01"), moment("2013-04-01"))
    march = march.dropna(subset="delayed")
    assert len(march) == 27_933
    assert roc_auc_score(march.delayed, march.probability) == pytest.approx(0.7246, abs=5e-4)
    assert log_loss(march.delayed, march.probability) == pytest.approx(0.484, abs=5e-4)


def test_scores_drift_as_is_known(log):
    """PSI by the reference's deciles of the seven days that end 04-02, 04-03 and 04-04."""
    reference = between(log, "predicted_at", moment("2013-03-01"), moment("2013-04-01")).probability
    edges = np.quantile(reference, np.linspace(0, 1, 11))[1:-1]

    def shares(scores):
        return np.bincount(np.digitize(scores, edges), minlength=10) / len(scores)

    def psi(end):
        week = between(log, "predicted_at", end - pd.Timedelta("7D"), end).probability
        return np.sum((shares(week) - shares(reference)) * np.log(shares(week) / shares(reference)))

    days = pd.date_range("2013-04-01", "2013-04-04", tz="UTC")
    assert list(map(psi, days)) == pytest.approx([0.134, 0.286, 0.268, 0.268], abs=6e-4)


def test_performance_falls_as_is_known(log):
    """Log-loss over the entropy of the base rate, on seven days and the labels known at their end.

    It first exceeds 1 three days in a row on 04-12, and falls again on the very next day.
    """

    def ratio(end):
        week = between(log, "predicted_at", end - pd.Timedelta("7D"), end)
        known = week[week.labelled_at < end]
        rate = known.delayed.mean()
        entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        return log_loss(known.delayed, known.probability) / entropy

    days = pd.date_range("2013-03-02", "2013-04-13", tz="UTC")
    ratios = pd.Series(list(map(ratio, days)), index=days)
    above = ratios.index[ratios > 1]
    assert [f"{day:%m-%d}" for day in above] == ["04-10", "04-11", "04-12"]
    assert ratios[moment("2013-04-13")] == pytest.approx(0.968, abs=5e-4)


@pytest.mark.parametrize(("now", "gain"), [("2013-04-12", -0.0136), ("2013-04-22", -0.0153)])
def test_retraining_gains_what_is_known(rows, log, now, gain):
    """Trained on 60 days, judged on the 14 days that follow, by what was known then."""
    now = moment(now)
    holdout = now - pd.Timedelta("14D")
    asked = between(rows, "predicted_at", holdout - pd.Timedelta("60D"), holdout)
    challenger = train(asked[asked.labelled_at < holdout])
    judged = between(log, "predicted_at", holdout, now)
    judged = judged[judged.labelled_at < now]
    challenged = challenger.predict_proba(judged[list(FEATURES)])[:, 1]
    found = log_loss(judged.delayed, challenged) - log_loss(judged.delayed, judged.probability)
    assert found == pytest.approx(gain, abs=6e-5)


def test_the_log_is_what_the_champion_said_of_the_rows(flight_home, rows, log):
    asked = between(rows, "predicted_at", moment("2013-02-01"), moment("2013-05-01"))
    champion = demo.models(flight_home).champion()
    assert champion.name == "v2013-03-01"
    assert log.model_version.unique().tolist() == [champion.name]
    both = log.merge(asked, on="request_id", suffixes=("", "_asked"), validate="1:1")
    assert len(both) == len(log) == len(asked)
    for column in FEATURES:
        pd.testing.assert_series_equal(
            both[column], both[f"{column}_asked"], check_names=False, check_dtype=False
        )
    expected = demo.models(flight_home).load(champion).predict_proba(both[list(FEATURES)])[:, 1]
    np.testing.assert_allclose(both.probability, expected, rtol=1e-12)
    assert ((both.probability >= 0.5) == both.prediction).all()
    assert both.prediction.nunique() == 2


def test_every_label_that_landed_in_the_days_is_logged(flight_home, rows):
    landed = between(rows, "labelled_at", moment("2013-02-01"), moment("2013-05-01"))
    labels = parquet.read_table(flight_home / "logs" / "labels").to_pandas()
    both = landed.merge(labels, on="request_id", suffixes=("", "_logged"), validate="1:1")
    assert len(both) == len(landed) == len(labels)
    assert (both.delayed == both.delayed_logged).all()
    assert (both.labelled_at == both.labelled_at_logged).all()


@pytest.mark.parametrize(
    ("name", "time"), [("predictions", "predicted_at"), ("labels", "labelled_at")]
)
def test_a_file_holds_one_utc_day_and_is_found_by_it(flight_home, name, time):
    files = f"read_parquet('{flight_home}/logs/{name}/**/*.parquet')"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {files}").fetchall()}
        assert (kinds[time], kinds["ds"]) == ("TIMESTAMP WITH TIME ZONE", "DATE")
        counted = f"SELECT count(DISTINCT ds), count(*) FILTER ({time}::DATE <> ds) FROM {files}"
        assert connection.execute(counted).fetchone() == (89, 0)
        one_day = f"EXPLAIN ANALYZE SELECT max({time}) FROM {files} WHERE ds = '2013-04-01'"
        assert "Scanning Files: 1/89" in connection.execute(one_day).fetchone()[1]


def test_preparing_again_writes_the_same_days(flight_home, tmp_path):
    """Whatever the range, a day's files are the same, but for the latency, which is measured."""
    demo.prepare(tmp_path, date(2013, 3, 9), date(2013, 3, 11))
    again = sorted((tmp_path / "logs").rglob("*.parquet"))
    assert len(again) == 4
    for path in again:
        first = parquet.read_table(flight_home / path.relative_to(tmp_path), partitioning=None)
        second = parquet.read_table(path, partitioning=None)
        if "latency_ms" in second.column_names:
            assert second.column("latency_ms").to_numpy().min() > 0
            first, second = (table.drop_columns("latency_ms") for table in (first, second))
        assert second.num_rows > 0
        assert second.equals(first)


def test_the_demos_monitor_speaks_of_these_logs(flight_home):
    """It is valid, its paths lead to `.demo/`, and what it names is in the logs."""
    monitor = monitor_file.load(MONITOR)
    for table in (monitor.predictions, monitor.labels):
        inside = (MONITOR.parent / table.parquet).resolve().relative_to(ROOT / demo.HOME)
        columns = parquet.read_schema(next(flight_home.glob(str(inside)))).names
        assert {*table.id, table.timestamp} <= set(columns)
    logged = set(parquet.read_schema(next(flight_home.glob("logs/predictions/*/*"))).names)
    said = monitor.predictions
    named = {*said.id, said.timestamp, said.score, said.prediction, said.version}
    named |= {said.latency_ms, said.status.column}
    assert logged - named == set(FEATURES)
    assert monitor.labels.label == LABEL
