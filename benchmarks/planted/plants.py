"""What is broken in a window, and how one knows it again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from planted.worlds import Log, World

from driftline.domain import CauseKind as Kind

SIZES = {"small": 0.15, "medium": 0.4, "large": 1.0}


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


def shift_to_middle(case: Case) -> Truth:
    """Rows of middling scores come more often: other inputs, by their score alone."""
    rank = pd.Series(case.world.answer(case.log.x)).rank(pct=True).to_numpy()
    _tilt(case, np.exp(-8 * case.size * np.abs(rank - 0.5)))
    return Truth(kinds=(Kind.SHIFT, Kind.SEGMENT_LOST))


PURE: Mapping[str, Callable[[Case], Truth]] = {
    "shift to the middle": shift_to_middle,
    "shift of a number": shift_numeric,
    "concept everywhere": concept_everywhere,
    "labels flipped everywhere": flipped_everywhere,
}
"""What changes the inputs alone, or what comes of them alone."""
