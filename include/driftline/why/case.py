"""The case: both sides' columns in bins, which of them matter, and what models say of rows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from driftline.why import models
from driftline.why.columns import Coded, coded, matrix
from driftline.why.fall import Days, Difference
from driftline.why.faults import Fault, faults
from driftline.why.models import Effects, Learnt
from driftline.why.scan import Excess
from driftline.why.sides import Context, Floats, Side, Times

Places = NDArray[np.int64]

_MATTERS = 0.02
"""A column matters whose effect has so large a share of the score's standard deviation."""
_SCORED = 0.9
"""Where the score of so large a share of the labelled rows is known, the others teach nothing."""
_DRAWS = 3
_WELL = 0.1
"""So large a share of the rows without fault can say what rows cost more anyway."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What an explanation looks at; computed when it is asked for, and once."""

    reference: Side
    window: Side
    context: Context

    @cached_property
    def columns(self) -> list[Coded]:
        """Features and segment columns in bins."""
        return coded(self.reference, self.window)

    @cached_property
    def features(self) -> list[Coded]:
        """The columns that the model sees."""
        return [column for column in self.columns if column.feature]

    @cached_property
    def rows(self) -> tuple[Places, Places]:
        """The places of the labelled rows that are learnt from, of both sides.

        A few whose score is not known, and that count for their class, are not among them: what is
        said of scores is said of rows that have one.
        """
        found = []
        sides = (self.reference, self.window)
        scored = [
            side.labelled if side.score is None else side.labelled & np.isfinite(side.score)
            for side in sides
        ]
        few = all(
            own.sum() >= _SCORED * side.labelled.sum()
            for own, side in zip(scored, sides, strict=True)
        )
        for seed, (own, side) in enumerate(zip(scored, sides, strict=True)):
            held = np.flatnonzero(own if few else side.labelled)
            if len(held) > models.MOST:
                held = np.sort(np.random.default_rng(seed).choice(held, models.MOST, replace=False))
            found.append(held)
        return found[0], found[1]

    @cached_property
    def all_rows(self) -> tuple[Places, Places]:
        """The places of as many rows, labelled or not: what the inputs are judged by."""
        found = []
        for seed, side in enumerate((self.reference, self.window)):
            rows = np.arange(side.frame.rows)
            if len(rows) > models.MOST:
                rows = np.sort(np.random.default_rng(seed).choice(rows, models.MOST, replace=False))
            found.append(rows)
        return found[0], found[1]

    @property
    def enough(self) -> bool:
        """Whether there are rows enough to learn from."""
        return min(map(len, self.rows)) >= models.FEWEST and bool(self.features)

    @cached_property
    def losses(self) -> tuple[Floats, Floats]:
        """The losses of those rows."""
        return self.reference.loss[self.rows[0]], self.window.loss[self.rows[1]]

    @property
    def times(self) -> tuple[Times | None, Times | None]:
        """The times of those rows."""
        both = []
        for side, rows in zip((self.reference, self.window), self.rows, strict=True):
            both.append(None if side.time is None else side.time[rows])
        return both[0], both[1]

    @cached_property
    def days(self) -> Days:
        """Which rows of both sides belong together."""
        return Days.of(self.reference.time, self.window.time)

    @cached_property
    def learnt_days(self) -> Days:
        """The same of the rows that are learnt from."""
        return self.days.at(*self.rows)

    @cached_property
    def total(self) -> Difference:
        """How far performance fell."""
        held = [np.flatnonzero(side.labelled) for side in (self.reference, self.window)]
        losses = self.reference.loss[held[0]], self.window.loss[held[1]]
        return self.days.at(held[0], held[1]).compare(*losses)

    @cached_property
    def effects(self) -> Effects | None:
        """What each bin adds to the score; None without a score that varies."""
        score = self.reference.score
        rows = self.rows[0]
        if score is None or self.window.score is None or len(rows) < models.FEWEST:
            return None
        rows = rows[np.isfinite(score[rows])]
        if len(rows) < models.FEWEST or not score[rows].std():
            return None
        return models.effects(self.features, score, rows)

    @cached_property
    def tied(self) -> list[Coded]:
        """The features that the score depends on; none where it is not known."""
        effects = self.effects
        return [one for one in self.features if effects and effects.sizes[one.name] > 0]

    @cached_property
    def residuals(self) -> tuple[Floats, Floats] | None:
        """Label less score of the rows that are learnt from; None where one is not known."""
        found = []
        for side, rows in zip((self.reference, self.window), self.rows, strict=True):
            if side.truth is None or side.score is None:
                return None
            found.append(side.truth[rows] - side.score[rows])
        return (found[0], found[1]) if all(np.isfinite(each).all() for each in found) else None

    @cached_property
    def matters(self) -> frozenset[str]:
        """The features that the score or the loss depends on; all where neither is known."""
        if self.effects is None:
            return frozenset(column.name for column in self.features)
        level = 0.01 / len(self.features)
        return frozenset(
            column.name
            for column in self.features
            if self.effects.sizes[column.name] >= _MATTERS or self._tells(column) < level
        )

    def _tells(self, column: Coded) -> float:
        """Return the chance of losses so unlike in a column's bins (analysis of variance)."""
        from scipy.special import fdtrc

        codes, loss = column.reference[self.rows[0]], self.losses[0]
        size = np.bincount(codes, minlength=column.size)
        held = size >= 10
        groups, rows = int(held.sum()), int(size[held].sum())
        if groups < 2 or rows <= groups:
            return 1.0
        sums = np.bincount(codes, weights=loss, minlength=column.size)[held]
        chosen = loss[held[codes]]
        between = float((sums**2 / size[held]).sum() - chosen.sum() ** 2 / rows)
        within = float(((chosen - chosen.mean()) ** 2).sum()) - between
        if within <= 0:
            return 1.0
        return float(
            fdtrc(groups - 1, rows - groups, between / (groups - 1) / within * (rows - groups))
        )

    @cached_property
    def faults(self) -> list[Fault]:
        """Columns that matter, and broke."""
        asked = [column for column in self.features if column.name in self.matters]
        return faults(self.reference, self.window, asked)

    @cached_property
    def hit(self) -> Floats:
        """How surely each row of the window is hit by a fault, 0 to 1."""
        hit = np.zeros(self.window.frame.rows)
        for fault in self.faults:
            hit = np.maximum(hit, fault.hit)
        return hit

    @cached_property
    def _learnt_from(self) -> list[Coded]:
        chosen = [column for column in self.features if column.name in self.matters]
        return chosen or self.features

    @cached_property
    def categorical(self) -> NDArray[np.bool_]:
        """Which columns of the matrices are codes."""
        codes = [not column.numeric for column in self._learnt_from]
        return np.array([*codes, *([False] if self.effects else [])])

    @cached_property
    def matrices(self) -> tuple[Floats, Floats]:
        """The features that matter, of those rows, as numbers; last what their bins add up to.

        Rows of like scores cost alike, and models of few rows do not find that by themselves.
        """
        both = []
        for which, side, rows in zip(
            ("reference", "window"), (self.reference, self.window), self.rows, strict=True
        ):
            held = [side.frame.columns.get(column.name) for column in self._learnt_from]
            own = matrix(self._learnt_from, held, which, rows)
            both.append(np.column_stack([own, *self._scored(which, rows)]))
        return both[0], both[1]

    def _scored(self, which: str, rows: Places) -> list[Floats]:
        """Return what the bins of rows' features add up to in the score, where that is known."""
        if self.effects is None:
            return []
        known = self.effects.of
        parts = [known[one.name][getattr(one, which)[rows]] for one in self._learnt_from]
        return [np.asarray(np.sum(parts, axis=0))]

    @cached_property
    def cost(self) -> Learnt:
        """What the reference would lead to expect that each row costs."""
        return models.regression(*self.matrices, self.kept[0], self.categorical)

    @cached_property
    def kept(self) -> tuple[Floats, Floats]:
        """The losses, none of them larger than all of the reference's: one row is no evidence."""
        most = float(self.losses[0].max())
        return self.losses[0], np.minimum(self.losses[1], most)

    @cached_property
    def side(self) -> Learnt:
        """How likely each row is one of the window's."""
        return models.side_of(*self.matrices, self.categorical)

    @cached_property
    def excess(self) -> Excess:
        """What each row costs beyond what was to be expected."""
        before, now = self.kept[0] - self.cost.reference, self.kept[1] - self.cost.window
        weights = self.side.reference, (1 - self.side.window) * (1 - self.hit[self.rows[1]])
        return Excess(
            reference=before,
            window=now,
            full=self.losses[1] - self.cost.window,
            weights=weights,
            rows=self.rows,
            days=self.learnt_days,
        )

    def put_back(self, fault: Fault) -> Difference:
        """Return what a fault adds to the window's mean loss: its rows, less the same rows mended.

        To mend a row its value is drawn from the reference, and the model of the loss says what
        that would cost. Without a model it costs what the reference does.
        """
        hit = fault.hit[self.rows[1]]
        nothing = Difference(0.0, 0.0, 0.0, 0.0)
        if not hit.sum():
            return nothing
        said = np.full(len(hit), float(self.losses[0].mean()))
        names = [column.name for column in self._learnt_from]
        if self.enough and fault.column in names:
            place = names.index(fault.column)
            random, said = np.random.default_rng(0), np.zeros(len(hit))
            rows = self.matrices[1].copy()
            column, ones = self._learnt_from[place], np.arange(len(self.matrices[0]))
            codes = [column.reference[self.rows[0]], column.window[self.rows[1]]]
            for _ in range(_DRAWS):
                drawn = random.choice(ones, len(rows))
                rows[:, place] = self.matrices[0][drawn, place]
                if self.effects is not None:
                    gain = self.effects.of[column.name]
                    added = gain[codes[0][drawn]] - gain[codes[1]]
                    rows[:, -1] = self.matrices[1][:, -1] + added
                said += self.cost.of(rows) / _DRAWS
            missed = self.losses[0] - self.cost.reference
        else:
            missed = self.losses[0] - self.losses[0].mean()
        added = self.losses[1] - said
        # What all rows cost more is not the fault's.
        hurt = self.hit[self.rows[1]]
        well = np.where(hurt < 0.5, 1 - hurt, 0.0)
        if self.enough and well.mean() >= _WELL:
            added = added - float(well @ (self.losses[1] - self.cost.window) / well.sum())
        gap = self.learnt_days.compare(missed, added, (np.ones(len(missed)), hit))
        share = float(hit.mean())
        return Difference(*(share * number for number in gap))


def coded_hours(reference: Times, window: Times) -> Coded:
    """Return the hour of the day of each row as a column."""
    theirs, ours = (
        (side.astype("datetime64[h]").astype(np.int64) % 24) for side in (reference, window)
    )
    return Coded(
        name="hour of the day",
        numeric=False,
        reference=theirs,
        window=ours,
        names=(*(f"= {hour:02}" for hour in range(24)), "is null", "is new"),
        ordered=0,
        feature=False,
    )
