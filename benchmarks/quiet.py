"""How quiet the default rules on performance are while nothing changes, and how soon they tell.

    python benchmarks/quiet.py               all sets: five minutes
    python benchmarks/quiet.py --sets flights loans

Each set is a stretch in which nothing is known to have changed; its first days are the reference.
Every day after them is counted from a log in DuckDB, measured and judged as the product does it, as
known at its end and, if labels were missing then, a day later. Sets:

* `flights`: 2013, as the demo's model saw them; the reference is March, quiet months are October to
  December, in which the default rule of the week fires on no day. `delays` is a regression of the
  minutes of delay on the same flights, whose errors differ from day to day with the weather.
* `loans`, `cars`, `cards`: the reference periods of three data sets that NannyML ships (a binary
  model, a regression, a model of three classes), as they lie in time, and drawn.
* `visits`, `costs`: benchmarks/planted, drawn; `rare` (one positive in a hundred) and `tails` (a
  few errors as large as all others together) are made up, and drawn.

Drawn are days of so many rows at random, with replacement; of the flights so many of a day's own.

"Near" is how far the worst day got: by how much it was surely worse, as a share of what would have
been told. "First day" is the share of the same days that are told if the model breaks on them: a
regression's errors doubled, a classifier's answers given to other rows.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from planted.worlds import WORLDS

from driftline.domain import DAY, Measurement, Scope, Window
from driftline.flow.watch import Watch
from driftline.judge import Evidence, judge, wider_half
from driftline.metrics import worsening
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.default_rules import FAR, default_rules
from driftline.monitor.sections import Rule
from driftline.profile.outcomes import OutcomeProfile, coverage
from driftline.profile.reference import Reference
from driftline.suites import performance

REFERENCE_DAYS, DRAWN_DAYS = 28, 300
SIZES = (200, 1_000, 5_000)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """A log in which nothing changes: `at`, `known`, `y` and what the model said.

    `said` is the log's columns of the score (by class, where there are more than two), `answer`
    that of the predicted class or value.
    """

    name: str
    task: str
    rows: pd.DataFrame
    reference: tuple[datetime, datetime]
    said: Any = None
    answer: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that hold what the model said."""
        scores = list(self.said.values()) if isinstance(self.said, dict) else [self.said]
        return [name for name in (*scores, self.answer) if name]

    def broken(self) -> "Quiet":
        """Return the same days after the reference with a model that is broken."""
        rng, rows = np.random.default_rng(1), self.rows.copy()
        after = (rows["at"] >= self.reference[1]).to_numpy()
        if self.task == "regression":
            off = rows[self.answer] - rows["y"]
            rows[self.answer] = rows[self.answer] + np.where(after, off, 0)
        else:
            for _, at in rows[after].groupby(rows["at"].dt.floor("D")).groups.items():
                others = rng.permutation(at)
                rows.loc[at, self.columns] = rows.loc[others, self.columns].to_numpy()
            kinds = self.rows[self.columns].dtypes
            rows = rows.astype(kinds.to_dict())
        return replace(self, rows=rows)

    def written(self, folder: Path) -> Monitor:
        """Write the log, and return what monitors it by the default rules."""
        rows = self.rows.assign(id=np.arange(len(self.rows)))
        rows.drop(columns=["y", "known"]).to_parquet(folder / "log.parquet", index=False)
        rows[rows["y"].notna()][["id", "known", "y"]].to_parquet(
            folder / "labels.parquet", index=False
        )
        log = {"parquet": str(folder / "log.parquet"), "id": "id", "timestamp": "at"}
        log |= {k: v for k, v in (("score", self.said), ("prediction", self.answer)) if v}
        labels = {"parquet": str(folder / "labels.parquet"), "id": "id", "timestamp": "known"}
        file = folder / "quiet.yaml"
        monitor = {"monitor": "quiet", "task": self.task, "predictions": log}
        monitor |= {"labels": {**labels, "label": "y"}, "windows": ["1d", "7d"]}
        monitor |= {"reference": {"window": [f"{moment:%F}" for moment in self.reference]}}
        file.write_text(yaml.safe_dump(monitor))
        return monitor_file.load(file)


def judged(quiet: Quiet) -> Iterator[tuple[datetime, int, float, bool]]:
    """Yield each day after the reference that could be judged, its rows, how near it came to being
    told (1 is told), and whether it was told.
    """
    with tempfile.TemporaryDirectory() as folder, Watch(quiet.written(Path(folder))) as watch:
        start = quiet.reference[1]
        reference = watch.freeze(Window.ending("1d", start + DAY))
        (rule,) = (r for r in default_rules(watch.monitor) if r.name == FAR)
        end = pd.Timestamp(quiet.rows["at"].max()).floor("D").to_pydatetime() + DAY
        days = [start + n * DAY for n in range((end - start) // DAY)]
        for day, counted, as_of in _counted(watch, reference, days, quiet):
            if found := _judged(watch, rule, reference, day, counted, as_of):
                yield found


def _counted(
    watch: Watch, reference: Reference, days: list[datetime], quiet: Quiet
) -> Iterator[tuple[datetime, OutcomeProfile, datetime]]:
    """Yield what came of each day, as known at its end or, where labels are late, when 80% are."""
    none, outcomes = watch.none(reference), reference.outcomes
    assert outcomes is not None
    if (quiet.rows["known"] == quiet.rows["at"]).all():
        end = days[-1] + DAY
        found = watch.logs.outcomes(outcomes, days[0], end, as_of=end, starts=days)
        for day in days:
            own = [profile for slot, profile in found.items() if slot.hour == day]
            yield day, none.total(own), day + DAY
        return
    for day in days:
        for as_of in (day + DAY, day + 2 * DAY):
            found = watch.logs.outcomes(outcomes, day, day + DAY, as_of=as_of, starts=[day])
            whole = none.total([*found.values()])
            if (coverage(whole) or 0.0) >= 0.8:
                break
        yield day, whole, as_of


def _judged(
    watch: Watch,
    rule: Rule,
    reference: Reference,
    day: datetime,
    counted: OutcomeProfile,
    as_of: datetime,
) -> tuple[datetime, int, float, bool] | None:
    window = Window.ending("1d", day + DAY)
    scope = Scope(monitor="quiet", window=window, as_of=as_of, config_hash="")
    labels = watch.monitor.labels
    assert labels is not None
    evidence = Evidence(
        baselines={(m, "", detail): value for (m, detail), value in reference.performance.items()},
        spreads={(m, "", d): s for (c, m, d), s in reference.spreads.items() if c == "1d"},
        min_coverage=labels.min_coverage,
        maturity=labels.maturity,
    )
    (verdict,) = judge([rule], performance.measure(scope, counted), evidence)
    if verdict.outcome == "not_evaluated":
        return None
    m = verdict.measurement
    return day, m.row_count or 0, _near(rule, m, evidence), verdict.firing


def _near(rule: Rule, m: Measurement, evidence: Evidence) -> float:
    """Return the least of how far a value is surely beyond what is allowed, 1 is as far."""
    assert m.value is not None
    half, key = wider_half(m), (m.metric, "", "")
    base, (mean, deviation) = evidence.baselines[key], evidence.spreads[key]
    share, deviations = rule.worsenings
    of_share = (worsening(m.metric, m.value, base) - half) / (share.amount * abs(base))
    of_days = (worsening(m.metric, m.value, mean) - half) / (deviations.amount * deviation)
    return min(of_share, of_days)


# The sets


def flights(size: int | None) -> Quiet | None:
    if size not in (None, 200):
        return None
    from flights import data
    from flights.training import train

    rows = data.predictions(data.tables())
    champion = train(data.between(_trained_on(rows), "labelled_at", *_TRAINING))
    rows = _months(rows)
    rows["score"] = champion.predict_proba(rows[list(data.FEATURES)])[:, 1]
    rows = rows.rename(columns={"predicted_at": "at", "labelled_at": "known", "delayed": "y"})
    return Quiet(
        name="flights",
        task="binary",
        rows=_fewer(rows[["at", "known", "y", "score"]], size),
        reference=_MARCH,
        said="score",
    )


def delays(size: int | None) -> Quiet | None:
    if size not in (None, 200):
        return None
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from flights import data

    raw = data.tables()
    own = raw.flights
    date = pd.to_datetime(own[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    ids = date + "-" + own["carrier"] + "-" + own["flight"].astype(str) + "-" + own["origin"]
    minutes = pd.DataFrame({"request_id": ids, "y": own["arr_delay"].astype(float)})
    rows = data.predictions(raw).merge(minutes, on="request_id")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer([("c", codes, list(data.CATEGORICAL))], remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingRegressor(random_state=0))
    seen = _trained_on(rows).dropna(subset=["y"])
    model.fit(seen[list(data.FEATURES)], seen["y"])
    rows = _months(rows)
    rows["answer"] = model.predict(rows[list(data.FEATURES)])
    rows = rows.rename(columns={"predicted_at": "at", "labelled_at": "known"})
    return Quiet(
        name="delays",
        task="regression",
        rows=_fewer(rows[["at", "known", "y", "answer"]], size),
        reference=_MARCH,
        answer="answer",
    )


_TRAINING = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-03-01", tz="UTC")
_MARCH = datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC)


def _trained_on(rows: pd.DataFrame) -> pd.DataFrame:
    at = rows["predicted_at"]
    return rows[(at >= _TRAINING[0]) & (at < _TRAINING[1])]


def _months(rows: pd.DataFrame) -> pd.DataFrame:
    """Return March, and October to December."""
    return rows[rows["predicted_at"].dt.month.isin([3, 10, 11, 12])].copy()


def _fewer(rows: pd.DataFrame, size: int | None) -> pd.DataFrame:
    """Return at most so many of each day's labelled rows."""
    if size is None:
        return rows.reset_index(drop=True)
    mixed = rows[rows["y"].notna()].sample(frac=1, random_state=0)
    return mixed[mixed.groupby(mixed["at"].dt.floor("D")).cumcount() < size].reset_index(drop=True)


def _published(
    name: str, label: str, answer: str | None, said: Any, task: str
) -> Callable[[int | None], Quiet | None]:
    def quiet(size: int | None) -> Quiet | None:
        from tests.tutorials import data

        rows = data(f"{name}_reference")
        rows = rows.assign(at=pd.to_datetime(rows["timestamp"], utc=True), y=rows[label])
        rows = rows.dropna(subset=["y"]).sort_values("at")
        rows = rows if size is None else _drawn(rows, size)
        start = rows["at"].min().ceil("D").to_pydatetime()
        days = REFERENCE_DAYS if task != "regression" or size else 10  # of 23
        scores = list(said.values()) if isinstance(said, dict) else [said]
        kept = [column for column in (*scores, answer) if column]
        return Quiet(
            name=name,
            task=task,
            rows=rows.assign(known=rows["at"])[["at", "known", "y", *kept]].reset_index(drop=True),
            reference=(start, start + days * DAY),
            said=said,
            answer=answer,
        )

    return quiet


def _drawn(rows: pd.DataFrame, size: int) -> pd.DataFrame:
    """Return days of so many of these rows, drawn at random."""
    days = REFERENCE_DAYS + (DRAWN_DAYS if size < 5_000 else DRAWN_DAYS // 3)
    rng = np.random.default_rng(size)
    found = rows.iloc[rng.integers(0, len(rows), days * size)].copy()
    at = np.arange(days * size) * (86_400 / size)
    return found.assign(at=pd.Timestamp(BEGIN) + pd.to_timedelta(at, unit="s"))


def _planted(name: str) -> Callable[[int | None], Quiet | None]:
    def quiet(size: int | None) -> Quiet | None:
        world = WORLDS[name]()
        rows = pd.DataFrame({"y": world.y, "said": world.answer(world.x)})
        return _made(name, rows.astype({"y": int} if world.binary else {}), size)

    return quiet


def _made(name: str, rows: pd.DataFrame, size: int | None) -> Quiet | None:
    if size is None:
        return None
    binary = rows["y"].dtype == int
    drawn = _drawn(rows, size)
    return Quiet(
        name=name,
        task="binary" if binary else "regression",
        rows=drawn.assign(known=drawn["at"]).reset_index(drop=True),
        reference=(BEGIN, BEGIN + REFERENCE_DAYS * DAY),
        said="said" if binary else None,
        answer=None if binary else "said",
    )


def rare(size: int | None) -> Quiet | None:
    """One positive in a hundred, with probabilities that are right."""
    odds = np.random.default_rng(2).normal(-5.3, 1.3, 200_000)
    score = 1 / (1 + np.exp(-odds))
    came = (np.random.default_rng(3).random(len(score)) < score).astype(int)
    return _made("rare", pd.DataFrame({"y": came, "said": score}), size)


def tails(size: int | None) -> Quiet | None:
    """Errors of which a few are as large as all others together: lognormal, sigma 1.5."""
    errors = np.random.default_rng(4).lognormal(0, 1.5, 200_000)
    return _made("tails", pd.DataFrame({"y": errors, "said": 0.0}), size)


_CARDS = {
    "prepaid_card": "y_pred_proba_prepaid_card",
    "highstreet_card": "y_pred_proba_highstreet_card",
    "upmarket_card": "y_pred_proba_upmarket_card",
}
SETS: dict[str, Callable[[int | None], Quiet | None]] = {
    "flights": flights,
    "delays": delays,
    "loans": _published("synthetic_car_loan", "repaid", None, "y_pred_proba", "binary"),
    "loans, classes only": _published("synthetic_car_loan", "repaid", "y_pred", None, "binary"),
    "cars": _published("regression_synthetic", "y_true", "y_pred", None, "regression"),
    "cards": _published("mc", "y_true", "y_pred", _CARDS, "multiclass"),
    "cards, classes only": _published("mc", "y_true", "y_pred", None, "multiclass"),
    "visits": _planted("visits"),
    "costs": _planted("costs"),
    "rare": rare,
    "tails": tails,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="*", type=int, default=[0, *SIZES], help="0: as they lie")
    asked = parser.parse_args()
    print("| set | rows a day | days | near | told | told on the first day, if broken |")
    print("|---|---|---|---|---|---|")
    for name in asked.sets:
        for size in asked.sizes:
            quiet = SETS[name](size or None)
            if quiet is None:
                continue
            days, broken = [*judged(quiet)], [*judged(quiet.broken())]
            if not days:
                continue
            rows = f"{size:,}" if size else f"{np.median([d[1] for d in days]):,.0f}, as they lie"
            worst = max(days, key=lambda day: day[2])
            told = sum(day[3] for day in days)
            soon = np.mean([day[3] for day in broken])
            print(
                f"| {name} | {rows} | {len(days)} | {worst[2]:.2f} ({worst[0]:%m-%d}) | {told} "
                f"| {soon:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
