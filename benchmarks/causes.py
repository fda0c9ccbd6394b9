"""How often `why` puts the true cause first, when it is planted.

    python benchmarks/causes.py              every cause, size and data set: some ten minutes
    python benchmarks/causes.py --quick      one seed of two data sets, the largest size

A window is drawn like its reference and one thing is broken in it, from some hour on: for the
last 15%, 40% or 100% of its rows (a shift is as strong as that). What is broken is drawn at
random among the columns that the model depends on. Data sets: `made` (a logistic world with
correlated columns), `flights` (2013, whole days at random: real days differ); held out, and not
looked at while the method was made: `visits` (RAND's health insurance experiment, by statsmodels)
and `costs` (a regression whose columns have heavy tails).

A cause counts as named where its column, or its segment, is: for the rest (labels, versions,
hours) its kind. `kind` is how often the first cause is also of the right kind.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from driftline import why
from driftline.domain import CauseKind as Kind
from driftline.domain import ColumnKind, Explanation
from driftline.metrics import HIGHER_IS_BETTER
from driftline.stats import influence
from driftline.suites.frame import Frame
from driftline.warehouse.rows import Rows

SIZES = {"small": 0.15, "medium": 0.4, "large": 1.0}
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


# Data sets


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


# What is planted


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What was planted: kinds that say it, and the column and the segment that must be named."""

    kinds: tuple[Kind, ...]
    column: str = ""
    category: str = ""
    whole: bool = False
    """Whether all rows are concerned, so that no column or segment may be named."""
    began: np.datetime64 | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A plant's material: the window, its world, a generator and how much is to be broken."""

    log: Log
    reference: Log
    world: World
    rng: np.random.Generator
    size: float

    @property
    def since(self) -> np.ndarray:
        """The rows from some hour on: the last ones, as many as the size says."""
        if self.size >= 1:
            return np.ones(len(self.log.y), dtype=bool)
        cut = np.quantile(self.log.time.astype(np.int64), 1 - self.size)
        return self.log.time.astype("datetime64[h]").astype(np.int64) >= int(cut // 3600)

    @property
    def began(self) -> np.datetime64:
        return self.log.time[self.since].min().astype("datetime64[h]")

    def numeric(self, *, most: int = 6) -> str:
        """Draw a number that the model depends on, with values enough to be broken."""
        world = self.world
        known = [n for n in world.important if n in world.numeric and self.log.x[n].nunique() > 12]
        return str(self.rng.choice(known[:most]))

    def category(self) -> str:
        known = [n for n in self.world.important if n in self.world.categorical]
        return str(self.rng.choice(known or self.world.categorical))

    def segment(self, low: float = 0.05, high: float = 0.4) -> tuple[str, str]:
        """Draw a category of 5 to 40% of the rows, of any column."""
        pairs = [
            (name, value)
            for name in self.world.categorical
            for value, share in self.log.x[name].value_counts(normalize=True).items()
            if low <= share <= high
        ]
        name, value = pairs[self.rng.integers(len(pairs))]
        return name, str(value)

    def costs(self) -> np.ndarray:
        return self.world.loss(self.log.y, self.world.answer(self.log.x))

    def expected(self, log: Log | None = None) -> np.ndarray:
        """What rows cost on average, by what they hold: a smoothed loss for choosing directions."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        chosen = self.reference
        loss = self.world.loss(chosen.y, self.world.answer(chosen.x))
        rows = _numbers(chosen.x, self.world)
        model = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(rows, loss)
        return np.asarray(model.predict(_numbers((log or self.log).x, self.world)))


def _numbers(x: pd.DataFrame, world: World) -> np.ndarray:
    codes = x.copy()
    for name in world.categorical:
        codes[name] = pd.factorize(codes[name], sort=True)[0]
    return codes.to_numpy(dtype=float)


def constant(case: Case) -> Truth:
    name, rows = case.numeric(), case.since
    value = case.log.x[name].quantile(case.rng.choice([0.1, 0.9]), interpolation="nearest")
    case.log.x.loc[rows, name] = value
    return Truth(kinds=(Kind.STUCK,), column=name, began=case.began)


def unit_fahrenheit(case: Case) -> Truth:
    return _unit(case, 1.8, 32)


def unit_thousand(case: Case) -> Truth:
    return _unit(case, 1000, 0)


def _unit(case: Case, factor: float, offset: float) -> Truth:
    name, rows = case.numeric(), case.since
    case.log.x.loc[rows, name] = case.log.x.loc[rows, name] * factor + offset
    return Truth(kinds=(Kind.UNIT, Kind.RANGE), column=name, began=case.began)


def sentinel(case: Case) -> Truth:
    name, rows = case.numeric(), case.since
    case.log.x.loc[rows, name] = -999.0
    return Truth(kinds=(Kind.RANGE, Kind.STUCK), column=name, began=case.began)


def nulls_numeric(case: Case) -> Truth:
    name, rows = case.numeric(), case.since
    case.log.x.loc[rows, name] = np.nan
    return Truth(kinds=(Kind.NULLS,), column=name, began=case.began)


def nulls_category(case: Case) -> Truth:
    name, rows = case.category(), case.since
    case.log.x.loc[rows, name] = None
    return Truth(kinds=(Kind.NULLS,), column=name, began=case.began)


def new_category(case: Case) -> Truth:
    name, rows = case.category(), case.since
    case.log.x.loc[rows, name] = case.log.x.loc[rows, name].str.lower() + "_v2"
    return Truth(kinds=(Kind.NEW_CATEGORY,), column=name, began=case.began)


def swapped(case: Case) -> Truth:
    name, rows = case.category(), case.since
    known = case.log.x[name].value_counts().index[:4].tolist()
    turn = dict(zip(known, known[1:] + known[:1], strict=True))
    case.log.x.loc[rows, name] = case.log.x.loc[rows, name].replace(turn)
    return Truth(
        kinds=(Kind.SCRAMBLED, Kind.CONCEPT, Kind.SHIFT, Kind.LABELS_FLIPPED),
        column=name,
        began=case.began,
    )


def shuffled(case: Case) -> Truth:
    name, rows = case.numeric(), case.since
    values = case.log.x.loc[rows, name].to_numpy()
    case.log.x.loc[rows, name] = case.rng.permutation(values)
    return Truth(kinds=(Kind.SCRAMBLED,), column=name, began=case.began)


def stale(case: Case) -> Truth:
    """A feature that is looked up by a category stays at what it was when the hour came."""
    name, rows = case.numeric(), case.since
    key = case.world.categorical[0]
    first = case.log.x[rows].groupby(key)[name].first()
    case.log.x.loc[rows, name] = case.log.x.loc[rows, key].map(first).to_numpy()
    return Truth(kinds=(Kind.STUCK,), column=name, began=case.began)


def segment_lost(case: Case) -> Truth:
    """The cheapest of the larger segments loses rows."""
    costs = case.costs()
    best: tuple[float, str, str] | None = None
    for name in case.world.categorical:
        if name == "sched_hour":  # its segments are hours: that is another plant
            continue
        for value, share in case.log.x[name].value_counts(normalize=True).items():
            if 0.05 <= share <= 0.6:
                own = (case.log.x[name] == value).to_numpy()
                gain = share / (1 - share) * (costs.mean() - costs[own].mean())
                if best is None or gain > best[0]:
                    best = gain, name, str(value)
    assert best is not None
    _, name, value = best
    own = (case.log.x[name] == value).to_numpy() & case.since
    began = case.began
    case.log.keep(np.flatnonzero(~own))
    return Truth(kinds=(Kind.SEGMENT_LOST, Kind.SHIFT), column=name, category=value, began=began)


def flipped_segment(case: Case) -> Truth:
    name, value = case.segment()
    own = (case.log.x[name] == value).to_numpy() & case.since
    case.log.y[own] = _turned(case, own)
    return Truth(
        kinds=(Kind.CONCEPT, Kind.LABELS_FLIPPED), column=name, category=value, began=case.began
    )


def flipped_everywhere(case: Case) -> Truth:
    own = case.since & (case.rng.random(len(case.log.y)) < 0.4)
    case.log.y[own] = _turned(case, own)
    return Truth(kinds=(Kind.CONCEPT, Kind.LABELS_FLIPPED), whole=True, began=case.began)


def _turned(case: Case, own: np.ndarray) -> np.ndarray:
    y = case.log.y[own]
    return 1 - y if case.world.binary else 2 * np.median(case.log.y) - y


def concept_everywhere(case: Case) -> Truth:
    """Labels have nothing to do with inputs any more."""
    own = case.since
    case.log.y[own] = case.rng.permutation(case.log.y[own])
    return Truth(kinds=(Kind.CONCEPT, Kind.LABELS_FLIPPED), whole=True, began=case.began)


def concept_segment(case: Case) -> Truth:
    name, value = case.segment()
    own = (case.log.x[name] == value).to_numpy() & case.since
    _move(case, own)
    return Truth(
        kinds=(Kind.CONCEPT, Kind.LABELS_FLIPPED), column=name, category=value, began=case.began
    )


def concept_range(case: Case) -> Truth:
    name = case.numeric()
    values = case.log.x[name]
    own = (values > values.quantile(0.75)).to_numpy() & case.since
    _move(case, own)
    return Truth(kinds=(Kind.CONCEPT, Kind.LABELS_FLIPPED), column=name, began=case.began)


def _move(case: Case, own: np.ndarray) -> None:
    """Outcomes rise: by 2 in log-odds, or by one and a half standard deviations of the error."""
    score = case.world.answer(case.log.x[own])
    if case.world.binary:
        odds = np.log(score / (1 - score)) + np.where(score.mean() < 0.5, 2.0, -2.0)
        case.log.y[own] = case.rng.random(own.sum()) < 1 / (1 + np.exp(-odds))
    else:
        case.log.y[own] += 1.5 * np.sqrt(case.costs().mean())


def shift_numeric(case: Case) -> Truth:
    """The column's distribution is tilted to where rows cost more."""
    expected = case.expected()
    ranks = {
        name: case.log.x[name].rank(pct=True).fillna(0.5).to_numpy()
        for name in case.world.important
        if name in case.world.numeric and case.log.x[name].nunique() > 12
    }
    ties = {name: np.corrcoef(values, expected)[0, 1] for name, values in ranks.items()}
    name = max(ties, key=lambda one: abs(ties[one]))
    values, sign = ranks[name], np.sign(ties[name])
    _tilt(case, np.exp(sign * 5 * case.size * values))
    return Truth(kinds=(Kind.SHIFT, Kind.SEGMENT_LOST), column=name)


def shift_category(case: Case) -> Truth:
    """The category that costs most comes up to ten times as often."""
    costs = case.costs()
    best: tuple[float, str, str] | None = None
    for name in case.world.categorical:
        for value, share in case.log.x[name].value_counts(normalize=True).items():
            if 0.03 <= share <= 0.4:
                own = (case.log.x[name] == value).to_numpy()
                then = 10 * share / (1 + 9 * share)
                gain = (costs[own].mean() - costs[~own].mean()) * (then - share)
                if best is None or gain > best[0]:
                    best = gain, name, str(value)
    assert best is not None
    _, name, value = best
    own = (case.log.x[name] == value).to_numpy()
    _tilt(case, np.where(own, 1 + 9 * case.size, 1.0))
    return Truth(kinds=(Kind.SHIFT,), column=name, category=value)


def _tilt(case: Case, weight: np.ndarray) -> None:
    """Draw as many rows as the other windows have by weight, none of them twice."""
    keys = case.rng.exponential(size=len(weight)) / weight
    case.log.keep(np.sort(np.argsort(keys)[:6_000]))


def version(case: Case) -> Truth:
    """A new version that lost the use of two columns answers."""
    x = case.log.x.copy()
    for name in case.world.important[:2]:
        x[name] = case.rng.permutation(x[name].to_numpy())
    rows = case.since
    case.log.score = case.world.answer(case.log.x)
    case.log.score[rows] = case.world.answer(x)[rows]
    case.log.version[rows] = "v2"
    return Truth(kinds=(Kind.VERSION,), began=case.began)


def score_scaled(case: Case) -> Truth:
    """The model is served without its calibration: scores are too extreme."""
    score, rows = case.world.answer(case.log.x), case.since
    if case.world.binary:
        odds = np.log(score / (1 - score))
        score[rows] = 1 / (1 + np.exp(-(3 * odds[rows] + 1)))
    else:
        score[rows] = score.mean() + 1.6 * (score[rows] - score.mean())
    case.log.score = score
    return Truth(kinds=(Kind.SCORE,), began=case.began)


def score_old(case: Case) -> Truth:
    """An answer from a cache: that of the request before."""
    score, rows = case.world.answer(case.log.x), np.flatnonzero(case.since)
    score[rows] = score[np.maximum(rows - 1, 0)]
    case.log.score = score
    return Truth(kinds=(Kind.SCORE,), began=case.began)


def threshold(case: Case) -> Truth:
    """The class is taken at another threshold; the loss is the error of the class."""
    case.log.threshold = np.where(case.since, 0.15, 0.5)
    return Truth(kinds=(Kind.SCORE,), began=case.began)


def labels_delayed(case: Case) -> Truth:
    """Rows that cost more get their labels sooner, and only soon labels are there."""
    for log in (case.reference, case.log):
        cost = case.world.loss(log.y, case.world.answer(log.x))
        rank = pd.Series(cost).rank(pct=True).to_numpy()
        log.age = np.exp(-2 * rank) * 24 * case.rng.lognormal(0, 0.4, len(rank))
    late = case.since & (case.log.age > np.quantile(case.log.age, 0.4))
    case.log.labelled[late] = False
    return Truth(kinds=(Kind.LABELS_MISSING,))


def label_bias(case: Case) -> Truth:
    """Labels of one outcome are lost for most rows."""
    if case.world.binary:
        share = case.log.y.mean()
        own = case.log.y == (0 if share < 0.5 else 1)
    else:
        own = case.costs() < np.median(case.costs())
    lost = own & case.since & (case.rng.random(len(own)) < 0.75)
    case.log.labelled[lost] = False
    return Truth(kinds=(Kind.LABELS_MISSING,))


def rows_lost(case: Case) -> Truth:
    """Rows of the hours that cost least do not come any more."""
    hours, costs = case.log.time.astype("datetime64[h]").astype(int) % 24, case.costs()
    usual = np.array([costs[hours == h].mean() if (hours == h).any() else 9e9 for h in range(24)])
    rows = np.bincount(hours, minlength=24) / len(hours)
    order, chosen, total = np.argsort(usual), [], 0.0
    for hour in order:
        if rows[hour] > 0 and total < 0.35:
            chosen.append(int(hour))
            total += rows[hour]
    lost = np.isin(hours, chosen) & case.since
    began = case.log.time[lost].min().astype("datetime64[h]")
    case.log.keep(np.flatnonzero(~lost))
    return Truth(kinds=(Kind.ROWS_LOST, Kind.FAILED_RUN), began=began)


def duplicates(case: Case) -> Truth:
    """Rows that cost much are logged three times, as by a client that tries again."""
    costs = case.expected()
    own = np.flatnonzero((costs > np.quantile(costs, 0.8)) & case.since)
    rows = np.sort(np.concatenate([np.arange(len(costs)), own, own]))
    case.log.keep(rows)
    return Truth(kinds=(Kind.DUPLICATES,))


def control(case: Case) -> Truth:
    """Nothing is planted."""
    return Truth(kinds=())


PLANTS: Mapping[str, Callable[[Case], Truth]] = {
    "column constant": constant,
    "unit: 1.8 x + 32": unit_fahrenheit,
    "unit: 1000 x": unit_thousand,
    "sentinel -999": sentinel,
    "nulls in numbers": nulls_numeric,
    "nulls in categories": nulls_category,
    "new category": new_category,
    "categories swapped": swapped,
    "column shuffled": shuffled,
    "feature stale": stale,
    "segment lost": segment_lost,
    "rows lost by hour": rows_lost,
    "rows doubled": duplicates,
    "shift of a number": shift_numeric,
    "shift of a category": shift_category,
    "labels flipped in a segment": flipped_segment,
    "labels flipped everywhere": flipped_everywhere,
    "concept in a segment": concept_segment,
    "concept in a range": concept_range,
    "concept everywhere": concept_everywhere,
    "version roll-out": version,
    "score out of scale": score_scaled,
    "score of another row": score_old,
    "threshold moved": threshold,
    "labels delayed": labels_delayed,
    "labels biased": label_bias,
}
BINARY_ONLY = {"threshold moved"}


# The trial


def sides(logs: tuple[Log, Log], world: World, metric: str) -> tuple[why.Side, why.Side]:
    scores = [world.answer(log.x) if log.score is None else log.score for log in logs]
    classes = [
        (score >= (0.5 if log.threshold is None else log.threshold)).astype(int)
        for log, score in zip(logs, scores, strict=True)
    ]
    first, second = (
        influence.Rows(log.y[log.labelled].astype(int), said[log.labelled], score[log.labelled])
        if world.binary
        else influence.Rows(log.y[log.labelled], score[log.labelled])
        for log, said, score in zip(logs, classes, scores, strict=True)
    )
    added = influence.of_sides(metric, (first, second))
    assert added is not None
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    before, now = (
        side(log, world, score, said.astype(float) if world.binary else None, sign * own)
        for log, score, said, own in zip(logs, scores, classes, added, strict=True)
    )
    return before, now


def side(
    log: Log, world: World, score: np.ndarray, said: np.ndarray | None, added: np.ndarray
) -> why.Side:
    kinds = {
        name: ColumnKind.CATEGORICAL if name in world.categorical else ColumnKind.NUMERIC
        for name in world.x
    }
    loss = np.full(len(score), np.nan)
    loss[log.labelled] = added
    table = pa.Table.from_pandas(log.x, preserve_index=False)
    return why.Side(
        frame=Frame.of(Rows(table=table, total=len(table)), kinds),
        loss=loss,
        score=score,
        prediction=said,
        truth=np.where(log.labelled, log.y, np.nan),
        version=log.version,
        time=log.time,
        age=np.where(log.labelled, log.age, np.nan),
    )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one planted cause came to."""

    plant: str
    size: str
    world: str
    seed: int
    truth: Truth
    found: Explanation
    seconds: float

    @property
    def place(self) -> int:
        """The rank of the first cause that names the truth; 0 where none does."""
        for cause in self.found.causes:
            if self._named(cause):
                return cause.rank
        return 0

    def _named(self, cause: Any) -> bool:
        truth = self.truth
        if truth.whole:
            return cause.kind in truth.kinds and not cause.column
        if not truth.column:
            return cause.kind in truth.kinds
        inputs = cause.kind.of_inputs or cause.kind in (Kind.CONCEPT, Kind.LABELS_FLIPPED)
        if not inputs or cause.column != truth.column:
            return False
        if truth.category and not truth.kinds[0].of_inputs:
            return bool(cause.segment == f"{truth.column}={truth.category}")
        return True

    @property
    def kind(self) -> bool:
        return bool(self.place == 1 and self.found.causes[0].kind in self.truth.kinds)

    @property
    def late(self) -> float | None:
        """Hours from when it began to when it is said to have begun."""
        if self.place != 1 or self.truth.began is None or not self.found.causes[0].began:
            return None
        began = self.truth.began.astype("datetime64[s]").astype(int)
        return (self.found.causes[0].began.timestamp() - int(began)) / 3600


def trial(
    plant: str, size: str, world: World, seed: int, metrics: dict[bool, str] | None = None
) -> Trial:
    rng = np.random.default_rng([seed, *plant.encode(), len(size)])
    reference, window = world.draw(rng, 15_000 if plant.startswith("shift") else 6_000)
    case = Case(log=window, reference=reference, world=world, rng=rng, size=SIZES.get(size, 0))
    truth = PLANTS[plant](case) if plant != "control" else control(case)
    metric = (metrics or {}).get(world.binary, "log_loss_ratio" if world.binary else "rmse")
    if plant == "threshold moved":
        metric = "accuracy"
    both = sides((reference, window), world, metric)
    context = why.Context(
        coverage=float(window.labelled.mean()), usual_coverage=1.0, predictions=len(window.y)
    )
    began = time.perf_counter()
    found = why.explain(*both, context, metric=metric)
    seconds = time.perf_counter() - began
    return Trial(
        plant=plant, size=size, world=world.name, seed=seed, truth=truth, found=found,
        seconds=seconds,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worlds", nargs="*", default=None, choices=list(WORLDS))
    parser.add_argument("--plants", nargs="*", default=list(PLANTS), choices=list(PLANTS))
    parser.add_argument("--sizes", nargs="*", default=None, choices=list(SIZES))
    parser.add_argument("--seeds", nargs="*", type=int, default=None)
    parser.add_argument("--controls", type=int, default=None)
    parser.add_argument("--metric", help="what is explained of classes instead of log_loss_ratio")
    parser.add_argument("--error", help="what is explained of numbers instead of rmse")
    parser.add_argument("--verbose", action="store_true", help="show every miss")
    args = parser.parse_args()
    sizes = args.sizes or (["large"] if args.quick else list(SIZES))
    worlds = args.worlds or (["made", "flights"] if args.quick else list(WORLDS))
    seeds = args.seeds or [0]
    controls = args.controls if args.controls is not None else (5 if args.quick else 10)
    asked = {True: args.metric, False: args.error}
    metrics = {binary: metric for binary, metric in asked.items() if metric}
    trials: list[Trial] = []
    for name in worlds:
        world = WORLDS[name]()
        for plant in args.plants:
            if plant in BINARY_ONLY and not world.binary:
                continue
            for size in sizes:
                for seed in seeds:
                    trials.append(trial(plant, size, world, seed, metrics))
                    if args.verbose and trials[-1].place != 1:
                        _show(trials[-1])
        for seed in range(controls):
            trials.append(trial("control", "none", world, 1000 + seed, metrics))
            if args.verbose and trials[-1].found.causes:
                _show(trials[-1])
    for held_out, title in ((False, "tuned on"), (True, "held out")):
        own = [one for one in trials if (one.world in HELD_OUT) is held_out]
        if own:
            print(f"\n### {title}: {', '.join(dict.fromkeys(one.world for one in own))}\n")
            _table(own, sizes)
    took = [one.seconds for one in trials]
    print(f"\n{len(took)} explanations, {np.median(took):.1f} s each, {max(took):.1f} s at most")


def _table(trials: list[Trial], sizes: list[str]) -> None:
    planted = [one for one in trials if one.plant != "control"]
    print("| planted | " + " | ".join(f"{size}: first / three / kind" for size in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    rows: dict[str, list[Trial]] = defaultdict(list)
    for one in planted:
        rows[one.plant].append(one)
    for plant, own in {**rows, "**all**": planted}.items():
        cells = []
        for size in sizes:
            these = [one for one in own if one.size == size]
            cells.append(
                f"{_share(these, lambda t: t.place == 1)} / "
                f"{_share(these, lambda t: 1 <= t.place <= 3)} / {_share(these, lambda t: t.kind)}"
            )
        print(f"| {plant} | " + " | ".join(cells) + " |")
    fell = [one for one in planted if one.found.fell]
    for size in sizes:
        these = [one for one in fell if one.size == size]
        whole = [one for one in planted if one.size == size]
        print(
            f"\n{size}: {len(these)} of {len(whole)} windows fell beyond noise; of these first "
            f"{_share(these, lambda t: t.place == 1)}, among three "
            f"{_share(these, lambda t: 1 <= t.place <= 3)}"
        )
    late = [abs(one.late) for one in planted if one.late is not None and one.size != "large"]
    if late:
        exact = np.mean([hours <= 1 for hours in late])
        close = np.mean([hours <= 6 for hours in late])
        print(f"\nbegan: within an hour {exact:.0%}, within six {close:.0%} of {len(late)}")
    controls = [one for one in trials if one.plant == "control"]
    if controls:
        cried = [
            one for one in controls if any(c.kind is not Kind.UNEXPLAINED for c in one.found.causes)
        ]
        print(f"\ncontrols: {len(cried)} of {len(controls)} named a cause; ", end="")
        print(f"{sum(one.found.fell for one in controls)} fell beyond noise")


def _share(trials: list[Trial], held: Callable[[Trial], bool]) -> str:
    return f"{np.mean([held(one) for one in trials]):.0%}" if trials else "-"


def _show(one: Trial) -> None:
    truth = f"{one.truth.column} {one.truth.category}".strip()
    print(f"{one.world} / {one.plant} / {one.size} / {one.seed}: {truth}, place {one.place}")
    print(f"    {one.found.words}")
    for cause in one.found.causes:
        share = "-" if cause.share is None else f"{cause.share:.2f}"
        print(f"    {cause.rank} {cause.kind} {cause.column} {share} {cause.began} {cause.words}")


if __name__ == "__main__":
    main()
