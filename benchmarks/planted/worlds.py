"""Models, and logs of their predictions that are drawn like one another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

START = np.datetime64("2026-03-02T00", "h")
DAY = np.timedelta64(24, "h")


@dataclass(kw_only=True)
class Log:
    """A stretch of a log: what was asked, answered, and came of it."""

    x: pd.DataFrame
    y: np.ndarray
    time: np.ndarray
    age: np.ndarray
    score: np.ndarray | None = None
    threshold: np.ndarray | None = None
    version: np.ndarray = field(default_factory=lambda: np.array([]))
    labelled: np.ndarray = field(default_factory=lambda: np.array([]))

    def __post_init__(self) -> None:
        self.version = np.full(len(self.y), "v1", dtype=object)
        self.labelled = np.ones(len(self.y), dtype=bool)

    def keep(self, rows: np.ndarray) -> None:
        self.x = self.x.iloc[rows].reset_index(drop=True)
        for name in ("y", "time", "age", "score", "threshold", "version", "labelled"):
            values = getattr(self, name)
            if values is not None:
                setattr(self, name, values[rows])


@dataclass(frozen=True, kw_only=True)
class World:
    """A data set, its model, and how rows become a reference and a window."""

    name: str
    x: pd.DataFrame
    y: np.ndarray
    day: np.ndarray
    hour: np.ndarray
    model: Any
    binary: bool = True

    @property
    def numeric(self) -> list[str]:
        return [name for name in self.x if self.x[name].dtype != object]

    @property
    def categorical(self) -> list[str]:
        return [name for name in self.x if self.x[name].dtype == object]

    def answer(self, x: pd.DataFrame) -> np.ndarray:
        if self.binary:
            return np.asarray(self.model.predict_proba(x)[:, 1])
        return np.asarray(self.model.predict(x))

    def loss(self, y: np.ndarray, score: np.ndarray) -> np.ndarray:
        if not self.binary:
            return np.asarray((y - score) ** 2)
        kept = np.clip(score, 1e-15, 1 - 1e-15)
        return np.asarray(-np.where(y == 1, np.log(kept), np.log(1 - kept)))

    def draw(self, rng: np.random.Generator, most: int = 6_000) -> tuple[Log, Log]:
        """Return a reference of 28 days and a window of 7, of whole days drawn at random."""
        days = rng.permutation(np.unique(self.day))
        cut = len(days) * 4 // 5
        groups = days[:cut], days[cut:]
        logs = []
        for number, (chosen, limit) in enumerate(zip(groups, (12_000, most), strict=True)):
            rows = np.flatnonzero(np.isin(self.day, chosen))
            rows = rng.permutation(rows)[:limit]
            place = {day: at for at, day in enumerate(chosen)}
            long = 28 if number == 0 else 7
            which = np.array([place[day] * long // len(chosen) for day in self.day[rows]])
            first = START + number * 28 * DAY
            when = first + which * DAY + self.hour[rows].astype("timedelta64[h]")
            when = when.astype("datetime64[s]") + rng.integers(0, 3600, len(rows)).astype(
                "timedelta64[s]"
            )
            order = np.argsort(when, kind="stable")
            rows = rows[order]
            logs.append(
                Log(
                    x=self.x.iloc[rows].reset_index(drop=True),
                    y=self.y[rows].astype(float),
                    time=when[order],
                    age=rng.exponential(6, len(rows)),
                )
            )
        return logs[0], logs[1]

    @property
    def important(self) -> list[str]:
        return _important(self.name)


@cache
def _important(name: str) -> list[str]:
    """Return the columns that cost most when they are shuffled, the first four that cost much."""
    world, rng = WORLDS[name](), np.random.default_rng(5)
    rows = rng.permutation(len(world.y))[:5000]
    x, y = world.x.iloc[rows].reset_index(drop=True), world.y[rows].astype(float)
    base = world.loss(y, world.answer(x)).mean()
    lost = {}
    for column in x:
        mixed = x.copy()
        mixed[column] = rng.permutation(x[column].to_numpy())
        lost[column] = world.loss(y, world.answer(mixed)).mean() - base
    most = max(lost.values())
    return [name for name in sorted(lost, key=lambda n: -lost[n]) if lost[name] > 0.3 * most][:4]


def _pipeline(numeric: list[str], categorical: list[str], last: Any) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categories = OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist")
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        ColumnTransformer([("c", categories, categorical), ("n", numbers, numeric)]), last
    )


def _trained(name: str, x: pd.DataFrame, y: np.ndarray, day: Any, hour: Any, last: Any) -> World:
    """Train on a third of the days, and keep the others."""
    binary = hasattr(last, "predict_proba")
    numeric = [column for column in x if x[column].dtype != object]
    categorical = [column for column in x if x[column].dtype == object]
    seen = np.asarray(day) % 3 == 0
    model = _pipeline(numeric, categorical, last).fit(x[seen], y[seen])
    left = ~seen
    return World(
        name=name,
        x=x[left].reset_index(drop=True),
        y=np.asarray(y)[left],
        day=np.asarray(day)[left],
        hour=np.asarray(hour)[left],
        model=model,
        binary=binary,
    )


@cache
def made() -> World:
    from sklearn.linear_model import LogisticRegression

    rng, size = np.random.default_rng(11), 60_000
    common = rng.normal(size=(size, 3))
    columns: dict[str, Any] = {}
    for at in range(10):
        own = rng.normal(size=size)
        columns[f"n{at}"] = 0.6 * common[:, at % 3] + 0.8 * own if at < 6 else own
    columns["n1"] = np.exp(columns["n1"] / 2)
    columns["n2"] = np.round(columns["n2"] * 3 + 20)
    columns["n6"] = columns["n6"] * 8 + 15
    hour = np.minimum(23, rng.poisson(13, size))
    columns["hour"] = hour.astype(float)
    shares = {"k0": [0.35, 0.25, 0.2, 0.1, 0.1], "k1": [0.5, 0.3, 0.2]}
    for name, share in shares.items():
        columns[name] = np.array([f"{name}{c}" for c in "abcdefgh"][: len(share)])[
            rng.choice(len(share), size, p=share)
        ].astype(object)
    many = rng.zipf(1.6, size).clip(1, 40)
    columns["k2"] = np.array([f"k2_{value}" for value in many], dtype=object)
    x = pd.DataFrame(columns)
    effects = {"k0b": -2.5, "k0c": 2.2, "k0d": -1.5, "k0e": 1.5, "k1a": -0.3, "k1b": 0.7}
    logit = (
        0.9 * x["n0"] - 0.7 * np.log(x["n1"]) * 2 + 0.2 * (x["n2"] - 20) / 3 + 0.6 * x["n3"]
        + 0.08 * (x["n6"] - 15) - 0.5 * x["n7"] + 0.25 * (x["hour"] - 13)
        + x["k0"].map(effects).fillna(0) + x["k1"].map(effects).fillna(0)
        + 0.5 * x["n0"] * (x["k1"] == "k1c") - 0.8
    )  # fmt: skip
    y = (rng.random(size) < 1 / (1 + np.exp(-logit))).astype(int)
    day = rng.integers(0, 90, size)
    return _trained("made", x, y, day, hour, LogisticRegression(max_iter=500))


@cache
def flights() -> World:
    from sklearn.linear_model import LogisticRegression

    from flights import data

    rows = data.predictions(data.tables())
    rows = rows[rows["delayed"].notna()].reset_index(drop=True)
    x = rows[list(data.FEATURES)].copy()
    for name in data.CATEGORICAL:
        x[name] = x[name].astype(str).astype(object)
    for name in data.NUMERIC:
        x[name] = x[name].astype(float)
    at = rows["predicted_at"]
    return _trained(
        "flights",
        x,
        rows["delayed"].to_numpy().astype(int),
        at.dt.dayofyear.to_numpy(),
        at.dt.hour.to_numpy(),
        LogisticRegression(C=0.5, max_iter=1000),
    )


@cache
def visits() -> World:
    import statsmodels.api as sm
    from sklearn.ensemble import HistGradientBoostingClassifier

    raw = sm.datasets.randhie.load_pandas().data
    rng = np.random.default_rng(77)
    health = np.select(
        [raw["hlthg"] == 1, raw["hlthf"] == 1, raw["hlthp"] == 1], ["good", "fair", "poor"], "best"
    )
    coins = raw["lncoins"].round(1).astype(str)
    x = pd.DataFrame(
        {
            "lpi": raw["lpi"].astype(float),
            "fmde": raw["fmde"].astype(float),
            "physlm": raw["physlm"].astype(float),
            "disea": raw["disea"].astype(float),
            "health": health.astype(object),
            "coins": coins.to_numpy().astype(object),
            "idp": np.where(raw["idp"] == 1, "yes", "no").astype(object),
        }
    )
    day, hour = rng.integers(0, 90, len(x)), rng.integers(0, 24, len(x))
    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0)
    return _dense("visits", x, (raw["mdvis"] >= 2).to_numpy().astype(int), day, hour, model)


@cache
def costs() -> World:
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng, size = np.random.default_rng(4242), 50_000
    area = rng.gamma(3, 30, size)
    weight = area * rng.lognormal(0, 0.3, size)
    tenure = rng.exponential(4, size)
    load = rng.beta(2, 4, size)
    region = np.array(["north", "south", "east", "west", "isles"], dtype=object)[
        rng.choice(5, size, p=[0.3, 0.25, 0.25, 0.15, 0.05])
    ]
    plan = np.where(area > 110, "big", np.where(rng.random(size) < 0.4, "mid", "tiny"))
    hour = rng.integers(6, 22, size)
    rate = pd.Series(region).map({"north": 10, "south": 14, "east": 11, "west": 18, "isles": 25})
    target = 0.2 * area + 0.05 * weight * load * 4 + 3 * np.sqrt(tenure) + rate.to_numpy()
    target = target + 12 * (load > 0.5) + np.where(plan == "mid", 6, 0)
    target = target + rng.normal(size=size) * (3 + 3 * load + (hour > 17))
    x = pd.DataFrame(
        {
            "area": area, "weight": weight, "tenure": tenure, "load": load,
            "noise": rng.normal(size=size), "region": region, "plan": plan.astype(object),
            "hour": hour.astype(float),
        }
    )  # fmt: skip
    day = rng.integers(0, 90, size)
    model = HistGradientBoostingRegressor(max_iter=80, max_leaf_nodes=12, random_state=0)
    return _dense("costs", x, target, day, hour, model)


def _dense(name: str, x: pd.DataFrame, y: np.ndarray, day: Any, hour: Any, last: Any) -> World:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    world = _trained(name, x, y, day, hour, last)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    model = make_pipeline(
        ColumnTransformer([("c", codes, world.categorical)], remainder="passthrough"), last
    )
    seen = np.asarray(day) % 3 == 0
    model.fit(x[seen], np.asarray(y)[seen])
    return World(**{**vars(world), "model": model})


WORLDS: Mapping[str, Callable[[], World]] = {
    "made": made,
    "flights": flights,
    "visits": visits,
    "costs": costs,
}
HELD_OUT = ("visits", "costs")
