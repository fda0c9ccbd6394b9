"""How often `why` puts the true cause first, when it is planted.

    python benchmarks/causes.py              every cause, size and data set: some 15 minutes
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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from planted.plants import BINARY_ONLY, PLANTS, SIZES, Case, Truth, control
from planted.worlds import HELD_OUT, WORLDS, Log, World

from driftline import why
from driftline.domain import CauseKind as Kind
from driftline.domain import ColumnKind, Explanation
from driftline.metrics import HIGHER_IS_BETTER
from driftline.stats import influence
from driftline.suites.frame import Frame
from driftline.warehouse.rows import Rows


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
