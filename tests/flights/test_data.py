"""The recipe against its known figures, against SQL on the raw tables, and against the future."""

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from flights import data
from flights.data import CATEGORICAL, FEATURES, WEATHER, between


def moment(text):
    return pd.Timestamp(text, tz="UTC")


def month(rows, number):
    return rows[(rows.predicted_at.dt.month == number) & (rows.predicted_at.dt.year == 2013)]


def test_every_flight_is_predicted_once_in_order(raw, rows):
    assert len(rows) == len(raw.flights) == 336_776
    assert rows.request_id.is_unique
    assert rows.predicted_at.is_monotonic_increasing


def test_the_training_set(rows):
    asked = between(rows, "predicted_at", moment("2013-01-01"), moment("2013-03-01"))
    assert len(between(asked, "labelled_at", moment("2013-01-01"), moment("2013-03-01"))) == 49_674


def test_the_reference(rows):
    assert month(rows, 3).delayed.notna().sum() == 27_933


@pytest.mark.parametrize(
    ("number", "rate"), [(3, 0.236), (4, 0.288), (6, 0.315), (7, 0.322), (12, 0.335)]
)
def test_the_share_of_late_flights(rows, number, rate):
    assert month(rows, number).delayed.mean() == pytest.approx(rate, abs=5e-4)


def test_hours_without_rows(rows):
    counts = rows.groupby("predicted_at").size().resample("h").sum()
    assert len(counts) == 8_755
    assert (counts == 0).sum() == 1_819
    assert ((counts > 0) & (counts < 10)).sum() == 1_094


def test_how_late_labels_are(rows):
    delay = (rows.labelled_at - rows.predicted_at).dt.total_seconds() / 3600
    assert delay.median() == pytest.approx(4.8, abs=0.05)
    assert delay.quantile(0.99) == pytest.approx(9.7, abs=0.05)
    assert delay.max() == pytest.approx(34.7, abs=0.05)
    assert rows.delayed.isna().mean() == pytest.approx(0.028, abs=5e-4)
    assert (rows.delayed.isna() == rows.labelled_at.isna()).all()


def test_early_labels_are_biased(rows):
    labelled = rows.dropna(subset="delayed")
    known = labelled[
        labelled.labelled_at < labelled.predicted_at.dt.floor("D") + pd.Timedelta("1D")
    ]
    assert len(known) / len(labelled) == pytest.approx(0.69, abs=5e-3)
    assert known.delayed.mean() == pytest.approx(0.184, abs=5e-4)
    assert labelled.delayed.mean() == pytest.approx(0.245, abs=5e-4)


def test_labels_arrive_when_the_aircraft_does(raw, rows):
    """The time between leaving and landing is the flight itself and some taxiing, in every zone."""
    flights = raw.flights
    date = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d-")
    flight = flights.carrier + "-" + flights.flight.astype(str) + "-" + flights.origin
    flights = flights.assign(request_id=date + flight)[["request_id", "dep_delay", "air_time"]]
    both = rows.merge(flights, on="request_id", validate="1:1").dropna(subset="labelled_at")
    left = both.predicted_at + pd.Timedelta("2h") + pd.to_timedelta(both.dep_delay, "min")
    taxi = (both.labelled_at - left).dt.total_seconds() / 60 - both.air_time
    typical = taxi.groupby(both.dest).median()
    assert set(typical.index) >= {"HNL", "ANC", "PHX", "BQN", "PSE", "SJU", "STT"}
    assert typical.between(10, 55).all(), typical[~typical.between(10, 55)]
    assert taxi.min() > 0


def test_a_night_when_the_clocks_change_is_not_24_hours_long(rows):
    """On 11-03 the 22:50 to Buffalo is due at 00:08 winter time, and was 11 minutes early."""
    flight = rows[(rows.dest == "BUF") & (rows.predicted_at == moment("2013-11-04 01:50"))]
    assert flight.labelled_at.item() == moment("2013-11-04 04:57")


def test_no_weather_is_known_at_the_end_of_the_year(rows):
    last = rows[rows.predicted_at >= moment("2013-12-31 02:00")]
    assert len(last) > 700
    assert last[list(WEATHER)].isna().all(axis=None)


def test_weather_and_recent_departures_equal_sql_on_the_raw_tables(raw, rows):
    asked = between(rows, "predicted_at", moment("2013-12-06"), moment("2013-12-09"))
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        connection.register("flights", raw.flights)
        connection.register("weather", raw.weather)
        expected = connection.sql("""
            WITH departed AS (
                SELECT origin, greatest(-30, least(180, dep_delay)) AS delay,
                    time_hour + (minute + dep_delay) * INTERVAL 1 MINUTE AS left_at
                FROM flights WHERE dep_delay IS NOT NULL
            ), recent AS (
                SELECT request_id, avg(delay) AS delay FROM asked LEFT JOIN departed
                ON departed.origin = asked.origin
                AND left_at >= predicted_at - INTERVAL 3 HOUR AND left_at < predicted_at
                GROUP BY 1
            )
            SELECT request_id, recent.delay AS recent_dep_delay,
                CASE WHEN predicted_at - time_hour <= INTERVAL 3 HOUR THEN weather.temp END AS temp
            FROM asked JOIN recent USING (request_id)
            ASOF LEFT JOIN weather
            ON weather.origin = asked.origin AND weather.time_hour <= predicted_at
        """).df()
    both = asked.merge(expected, on="request_id", suffixes=("", "_sql"), validate="1:1")
    assert len(both) == len(asked) > 2_000
    assert 0 < both.recent_dep_delay.isna().sum() < 500
    for column in ("recent_dep_delay", "temp"):
        np.testing.assert_allclose(both[column], both[f"{column}_sql"], rtol=1e-12)


@pytest.mark.parametrize("now", ["2013-03-08 11:05", "2013-03-08 17:00", "2013-03-09 00:42"])
def test_no_feature_knows_the_future(raw, now):
    now = moment(now)
    start, end = now - pd.Timedelta("2D"), now + pd.Timedelta("2D")
    raw = replace(
        raw,
        flights=between(raw.flights, "time_hour", start, end).reset_index(drop=True),
        weather=between(raw.weather, "time_hour", start, end).reset_index(drop=True),
    )
    before = data.predictions(raw)
    after = data.predictions(changed_from(now, raw))
    asked = before.predicted_at <= now
    pd.testing.assert_frame_equal(before.loc[asked, FEATURES], after.loc[asked, FEATURES])
    later = before.predicted_at > now + pd.Timedelta("2h")
    for column in ("temp", "recent_dep_delay"):
        assert (before.loc[later, column] != after.loc[later, column]).mean() > 0.5


def changed_from(now, raw):
    """Return the same past with another future: who leaves, who lands and the weather from now."""
    flights, weather = raw.flights.copy(), raw.weather.copy()
    departs = flights.time_hour + pd.to_timedelta(flights.minute, "min")
    left = departs + pd.to_timedelta(flights.dep_delay, "min")
    flights.loc[left >= now, "dep_delay"] += 77
    until_now = (now - departs).dt.total_seconds() / 60  # the cancelled leave now, or in time
    flights.loc[left.isna(), "dep_delay"] = until_now.clip(lower=0)
    flights.loc[~(left < now), "arr_delay"] = 500.0
    weather.loc[weather.time_hour > now, list(WEATHER)] += 50
    return replace(raw, flights=flights, weather=weather)


def test_new_destinations_appear_after_the_training(rows):
    first = rows.groupby("dest").predicted_at.min()
    known = {"ABQ": "04-22", "ACK": "05-16", "MVY": "05-16", "TVC": "06-14", "ILM": "09-07"}
    assert {dest: f"{first[dest]:%m-%d}" for dest in known} == known


def test_features_are_the_models_and_nothing_else(rows):
    assert list(rows.columns) == [
        "request_id",
        "predicted_at",
        *FEATURES,
        "delayed",
        "labelled_at",
    ]
    assert rows[list(CATEGORICAL)].notna().all(axis=None)
