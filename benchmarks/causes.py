"""How often `why` puts the true cause first, when it is planted.

    python benchmarks/causes.py              every cause, size and data set: an hour
    python benchmarks/causes.py --quick      one seed of two data sets, the largest size
    python benchmarks/causes.py --parts      how a pure shift, and a pure change, are told

A window is drawn like its reference and one thing is broken in it, from some hour on: for the
last 15%, 40% or 100% of its rows (a shift is as strong as that). What is broken is drawn at
random among the columns that the model depends on. Predictions and labels are written as logs, and
the product's own inquiry is asked about the window a day after its end: what it does not read from
a log, it does not know. Data sets: `made` (a logistic world with
correlated columns), `flights` (2013, whole days at random: real days differ); held out, and not
looked at while the method was made: `visits` (RAND's health insurance experiment, by statsmodels)
and `costs` (a regression whose columns have heavy tails).

A cause counts as named where its column, or its segment, is: for the rest (labels, versions,
hours) its kind. `kind` is how often the first cause is also of the right kind.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from planted.plants import BINARY_ONLY, PLANTS, PURE, SIZES, Case, Truth, control
from planted.worlds import HELD_OUT, START, WORLDS, Log, World

from driftline import metrics as known_metrics
from driftline.connections import from_environment
from driftline.domain import CauseKind as Kind
from driftline.domain import Explanation, Suite, Window
from driftline.flow import pipeline
from driftline.flow.inquiry import inquire
from driftline.flow.step import Step
from driftline.flow.watch import Watch
from driftline.monitor import file as monitor_file
from driftline.store import open_store

BEGIN = datetime.fromtimestamp(int(START.astype("datetime64[s]").astype(int)), UTC)
END = BEGIN + timedelta(days=35)
LOOKED = timedelta(days=1)
"""So long after the window's end its labels are looked at."""


def written(logs: tuple[Log, Log], world: World, folder: Path) -> Path:
    """Write both stretches as one log of predictions and one of labels, and what monitors them."""
    said, came = [], []
    for number, log in enumerate(logs):
        score = world.answer(log.x) if log.score is None else log.score
        threshold = 0.5 if log.threshold is None else log.threshold
        own = pd.DataFrame({"id_": np.arange(len(score)) + number * 1_000_000, "at_": log.time})
        own["score_"], own["version_"] = score, log.version
        if world.binary:
            own["class_"] = (score >= threshold).astype(int)
        late = (log.age * 3600).astype("timedelta64[s]")
        label = pd.DataFrame({"id_": own["id_"], "at_": log.time + late, "y_": log.y})
        said.append(pd.concat([own, log.x.reset_index(drop=True)], axis=1))
        came.append(label[log.labelled].astype({"y_": int} if world.binary else {}))
    pd.concat(said, ignore_index=True).to_parquet(folder / "predictions.parquet", index=False)
    pd.concat(came, ignore_index=True).to_parquet(folder / "labels.parquet", index=False)
    role = {"score": "score_", "prediction": "class_"} if world.binary else {"prediction": "score_"}
    log = {"parquet": str(folder / "predictions.parquet"), "id": "id_", "timestamp": "at_"}
    kinds = {"numeric": world.numeric, "categorical": world.categorical}
    file = folder / "planted.yaml"
    monitor = {
        "monitor": "planted",
        "task": "binary" if world.binary else "regression",
        "store": f"sqlite:///{folder}/store.db",
        "predictions": {**log, **role, "version": "version_"},
        "labels": {
            "parquet": str(folder / "labels.parquet"),
            "id": "id_",
            "timestamp": "at_",
            "label": "y_",
        },
        "features": {kind: names for kind, names in kinds.items() if names},
        "reference": {"window": [f"{BEGIN:%F}", f"{BEGIN + timedelta(days=28):%F}"]},
        "windows": ["7d"],
    }
    file.write_text(yaml.safe_dump(monitor))
    return file


def asked(
    logs: tuple[Log, Log], world: World, metrics: Iterable[str]
) -> dict[str, tuple[Explanation, float]]:
    """Return what the product's inquiry says of the window, and in how many seconds."""
    window = Window.ending("7d", END)
    step, found = Step(suite=Suite.PERFORMANCE, window=window, as_of=END + LOOKED), {}
    with tempfile.TemporaryDirectory() as folder:
        monitor = monitor_file.find(str(written(logs, world, Path(folder))))
        with open_store(monitor, from_environment) as store, Watch(monitor) as watch:
            compared, missed = pipeline.references_of(store, watch, [step])
            assert not missed, missed
            for metric in metrics:
                began = time.perf_counter()
                told = inquire(store, watch, compared[window], step, metric)
                found[metric] = told, time.perf_counter() - began
    return found


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
    found, seconds = asked((reference, window), world, [metric])[metric]
    return Trial(
        plant=plant, size=size, world=world.name, seed=seed, truth=truth, found=found,
        seconds=seconds,
    )  # fmt: skip


def parts(worlds: list[str], seeds: list[int]) -> None:
    """Show how much of a pure shift is told as other inputs, and of a changed relation as that."""
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name in worlds:
        world = WORLDS[name]()
        task = known_metrics.PERFORMANCE["binary" if world.binary else "regression"]
        metrics = [metric for metric in known_metrics.GATE if metric in task]
        metrics += ["log_loss_ratio"] if world.binary else []
        for plant in PURE:
            for seed in seeds:
                rng = np.random.default_rng([seed, *plant.encode()])
                reference, window = world.draw(rng, 15_000 if plant.startswith("shift") else 6_000)
                PURE[plant](Case(log=window, reference=reference, world=world, rng=rng, size=1.0))
                for metric, (found, _) in asked((reference, window), world, metrics).items():
                    if not found.fell or found.relation is None:
                        continue
                    part = found.inputs if plant.startswith("shift") else found.relation
                    shares[metric, plant].append(float(np.clip(part / found.fall, 0, 1)))
    print("| metric | " + " | ".join(f"{plant}: told as that, least" for plant in PURE) + " |")
    print("|---|" + "---|" * len(PURE))
    for metric in dict.fromkeys(metric for metric, _ in shares):
        own = [shares[metric, plant] for plant in PURE]
        cells = [f"{np.median(s):.0%}, {min(s):.0%} of {len(s)}" if s else "-" for s in own]
        print(f"| `{metric}` | " + " | ".join(cells) + " |")


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
    parser.add_argument("--parts", action="store_true", help="inputs and relation, by metric")
    parser.add_argument("--verbose", action="store_true", help="show every miss")
    args = parser.parse_args()
    sizes = args.sizes or (["large"] if args.quick else list(SIZES))
    worlds = args.worlds or (["made", "flights"] if args.quick else list(WORLDS))
    seeds = args.seeds or [0]
    controls = args.controls if args.controls is not None else (5 if args.quick else 10)
    if args.parts:
        parts(worlds, seeds)
        return
    named = {True: args.metric, False: args.error}
    metrics = {binary: metric for binary, metric in named.items() if metric}
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
