"""Outcome profiles counted by the warehouse: predictions beside their labels, grouped and summed.

A model of two classes and a regression take one statement, one of more classes one and another for
each class that has a score. `outcome_groups` makes profiles of what the groups hold.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Double,
    Label,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal_column,
)
from sqlalchemy import select as sql_select

from driftline.monitor.config import Monitor
from driftline.monitor.sections import Task
from driftline.profile import outcome_groups as fold
from driftline.profile.outcomes import (
    EPSILON,
    LARGE,
    NO_LABEL_VALUE,
    NO_PREDICTION_VALUE,
    ROUNDING,
    SLACK,
    SMALL,
    STRAY,
    UNLABELLED,
    UNUSABLE,
    OutcomeBins,
    OutcomeProfile,
)
from driftline.profile.rows import PREDICTION, SCORE, scores_of
from driftline.warehouse.dialects.base import Dialect
from driftline.warehouse.reader import Output, Reader


class Stretch(NamedTuple):
    """Predictions beside their labels, as one SELECT.

    `outputs` are its columns in order: first the `keys`, then what the model said; the label, where
    there are labels, is the last.
    """

    statement: Select[Any]
    outputs: Sequence[Output]
    keys: int
    labelled: bool


class Grouped(NamedTuple):
    """A statement that groups a stretch, and what it returns."""

    statement: Select[Any]
    outputs: list[Output]


class Grouping:
    """Groups one stretch, on the bins of a reference, in one dialect's SQL."""

    def __init__(self, dialect: Dialect, stretch: Stretch, bins: OutcomeBins) -> None:
        self._dialect, self._bins = dialect, bins
        rows = stretch.statement.subquery("outcome")
        self._columns = {
            output.name: column for output, column in zip(stretch.outputs, rows.c, strict=True)
        }
        self._types = {output.name: output.type for output in stretch.outputs}
        keys = stretch.outputs[: stretch.keys]
        self.keys = [
            Output(key.name, self._columns[key.name].label(f"k{n}"), key.type)
            for n, key in enumerate(keys)
        ]
        self._label = stretch.outputs[-1].name if stretch.labelled else ""

    # Models of classes

    def two_classes(self, score: str, prediction: str, threshold: float) -> Grouped:
        """Return rows and sums by label, predicted class and bin of the score.

        Both losses of a row are summed: which of them is its own, the label tells later. Without
        a score, '', there are only rows; without a `prediction` the threshold decides.
        """
        p = self._probability(self._columns[score]) if score else None
        groups = [self._truth(), self._said(prediction, self._over(p, threshold))]
        if p is None:
            return self._grouped(self._inner(groups), groups, [])
        inner = self._inner(groups, p=p)
        code, chance = self._code(inner.c.p, self._bins.scores, ""), inner.c.p
        other = self._exact(1.0) - chance
        named = {
            "code": code,
            "own": self._floored(chance),
            "other": self._floored(other),
            "if_own": self._loss(chance),
            "if_other": self._loss(other),
        }
        valued = self._next(inner, drop={"p"}, **named)
        sums = [
            _sum(f"{name}{power}", _power(valued.c[name], power))
            for name, powers in (
                ("own", (1, 2, 4)),
                ("other", (2, 4)),
                ("if_own", (1, 2)),
                ("if_other", (1, 2)),
            )
            for power in powers
        ]
        return self._grouped(valued, [*groups, _code_output()], sums)

    def many_classes(self, scores: Mapping[str, str], prediction: str) -> Grouped:
        """Return rows and sums by label and predicted class.

        `scores` maps classes to the columns of their scores. Of each, the losses, the scores and
        the products are summed that the squared error of a row whose label it is needs. Without a
        `prediction` the predicted class is the place of the highest score.
        """
        chances = [self._probability(self._columns[column]) for column in scores.values()]
        groups = [self._truth(), self._said(prediction, self._highest(list(scores.values())))]
        if not chances:
            return self._grouped(self._inner(groups), groups, [])
        inner = self._inner(groups, **{f"p{n}": p for n, p in enumerate(chances)})
        own = [inner.c[f"p{n}"] for n, _ in enumerate(chances)]
        whole = _added(own)
        squares = _added([self._floored(p) * self._floored(p) for p in own])
        apart = func.abs(whole - self._exact(1.0)) > self._exact(SLACK)
        code = case((whole.is_(None), UNUSABLE), (apart, STRAY), else_=0)
        named = {f"p{n}": self._floored(p) for n, p in enumerate(own)}
        named |= {f"l{n}": self._loss(p) for n, p in enumerate(own)}
        drop = {f"p{n}" for n, _ in enumerate(own)}
        valued = self._next(inner, drop=drop, code=code, squares=squares, **named)
        c, s = valued.c, valued.c.squares
        sums = [_sum("squares1", s), _sum("squares2", s * s)]
        for n, _ in enumerate(own):
            p, loss = c[f"p{n}"], c[f"l{n}"]
            sums += [_sum(f"p{n}_1", p), _sum(f"p{n}_2", p * p), _sum(f"p{n}_s", p * s)]
            sums += [_sum(f"l{n}_1", loss), _sum(f"l{n}_2", loss * loss)]
        return self._grouped(valued, [*groups, _code_output()], sums)

    def one_class(
        self,
        name: str,
        scores: Mapping[str, str],
        prediction: str,
        truths: Mapping[str, Sequence[Any]],
        said: Mapping[str, Sequence[Any]],
    ) -> Grouped:
        """Return rows and sums by whether a class is the label, is predicted, and by its bin.

        `truths` and `said` hold by class the values of the label and of the predicted class that
        stand for it; without a `prediction` it is predicted where its score is the highest.
        """
        usable = and_(
            *(self._probability(self._columns[column]).is_not(None) for column in scores.values())
        )
        p = case((usable, self._probability(self._columns[scores[name]])))
        spoken = self._said(prediction, self._highest(list(scores.values()))).value
        groups = [
            Output(role, _among(value, values, name).label(role), pa.int64())
            for role, value, values in (
                ("truth", self._truth().value, truths),
                ("said", spoken, said),
            )
        ]
        inner = self._inner(groups, p=p)
        code = self._code(inner.c.p, self._bins.scores, name)
        valued = self._next(inner, drop=set(), code=code)
        return self._grouped(valued, [*groups, _code_output()], [_sum("own1", valued.c.p)])

    # Regressions

    def values(self, prediction: str) -> Grouped:
        """Return rows and sums by the bin of the absolute error."""
        label: ColumnElement[Any] = (
            self._columns[self._label] if self._label else literal_column("NULL")
        )
        scale = self._exact(self._bins.scale)
        rows = sql_select(
            *(key.value for key in self.keys),
            label.label("y"),
            self._columns[prediction].label("p"),
        ).subquery("pair")
        y, p = rows.c.y, rows.c.p
        code = case(
            (y.is_(None), UNLABELLED),
            (~self._finite(y), NO_LABEL_VALUE),
            (p.is_(None), NO_PREDICTION_VALUE),
            (~self._finite(p), NO_PREDICTION_VALUE),
            else_=literal_column("0"),
        )
        coded = self._next(rows, drop=set(), state=code)
        known = coded.c.state == 0
        own = case((known, coded.c.y))
        stretch = [coded.c[key.value.name] for key in self.keys]
        paired = self._next(
            coded,
            drop={"p", "y"},
            error=case((known, coded.c.p - coded.c.y)),
            known=own,
            least=func.min(own).over(partition_by=stretch or None),
            # What is divided by has a type: SQLAlchemy makes a NUMERIC of what has none.
            size=case((known, func.abs(coded.c.y, type_=Double()))),
        )
        edges = self._bins.errors or ()
        place = (
            self._dialect.bin_of(func.abs(paired.c.error), edges) if edges else literal_column("0")
        )
        e, size, small = paired.c.error, paired.c.size, self._exact(SMALL)
        valued = self._next(
            paired,
            drop={"error", "known", "size", "state"},
            code=case((paired.c.state == 0, place), else_=paired.c.state),
            far=func.abs(e),
            e=self._floored(e / scale),
            z=self._floored((paired.c.known - paired.c.least) / scale),
            r=case((size >= small, self._floored(func.abs(e) / size))),
            zero=case((size < small, 1), else_=0),
        )
        c = valued.c
        ee, zz = c.e * c.e, c.z * c.z
        sums = {
            "zeros": c.zero,
            "error": c.e,
            "absolute": func.abs(c.e),
            "squared": ee,
            "fourth": ee * ee,
            "relative": c.r,
            "relative_squared": c.r * c.r,
            "label": c.z,
            "label_squared": zz,
            "label_cubed": zz * c.z,
            "label_fourth": zz * zz,
            "squared_label": ee * c.z,
            "squared_label_squared": ee * zz,
        }
        ends = [_of(func.min, "least", c.least), _of(func.max, "largest", c.far)]
        counted = [*(_sum(name, value) for name, value in sums.items()), *ends]
        return self._grouped(valued, [_code_output()], counted)

    # What they share

    def _truth(self) -> Output:
        if not self._label:
            return Output("truth", literal_column("NULL").label("truth"), pa.string())
        return Output("truth", self._columns[self._label].label("truth"), self._types[self._label])

    def _said(self, prediction: str, otherwise: ColumnElement[Any] | None) -> Output:
        if prediction:
            value = self._columns[prediction].label("said")
            return Output("said", value, self._types[prediction])
        assert otherwise is not None
        return Output("said", otherwise.label("said"), pa.int64())

    def _over(self, p: ColumnElement[Any] | None, threshold: float) -> ColumnElement[Any] | None:
        if p is None:
            return None
        return case((p >= self._exact(threshold), literal_column("1")), else_=literal_column("0"))

    def _highest(self, columns: Sequence[str]) -> ColumnElement[Any] | None:
        """Return the place of the highest score, the first of equal ones."""
        chances = [self._columns[column] for column in columns]
        if not chances:
            return None
        return case(
            *(
                (and_(*(p >= other for other in chances)), literal_column(str(place)))
                for place, p in enumerate(chances)
            ),
            else_=literal_column("-1"),
        )

    def _code(
        self, p: ColumnElement[Any], scores: Mapping[str, tuple[float, ...]], name: str
    ) -> ColumnElement[Any]:
        place = self._place(p, scores[name] if name else next(iter(scores.values())))
        return case((p.is_(None), literal_column(str(UNUSABLE))), else_=place)

    def _place(self, value: ColumnElement[Any], edges: Sequence[float]) -> ColumnElement[Any]:
        return self._dialect.bin_of(value, edges) if edges else literal_column("0")

    def _inner(self, groups: Sequence[Output], **named: ColumnElement[Any]) -> Subquery:
        own = [key.value for key in self.keys] + [group.value for group in groups]
        return sql_select(*own, *(v.label(name) for name, v in named.items())).subquery("said")

    def _next(self, rows: Subquery, *, drop: set[str], **named: ColumnElement[Any]) -> Subquery:
        """Return the rows with more columns, and without those to be dropped."""
        kept = [column for column in rows.c if column.name not in drop | {*named}]
        made = (value.label(name) for name, value in named.items())
        return sql_select(*kept, *made).subquery(f"{rows.name}_")

    def _grouped(self, rows: Subquery, groups: Sequence[Output], sums: Sequence[Output]) -> Grouped:
        by = [rows.c[key.value.name] for key in self.keys] + [rows.c[g.name] for g in groups]
        count = Output("rows", func.count().label("rows"), pa.int64())
        counted = [count.value, *(output.value for output in sums)]
        statement = sql_select(*by, *counted).select_from(rows).group_by(*by)
        return Grouped(statement, [*self.keys, *groups, count, *sums])

    def _exact(self, value: float) -> ColumnElement[Any]:
        return literal_column(f"({self._dialect.exact(value)})", Double())

    def _probability(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a number between 0 and 1; NULL for all else."""
        none, one = self._exact(0.0), self._exact(1.0)
        return case(
            (and_(value >= none, value <= one), value),
            (and_(value >= self._exact(-ROUNDING), value < none), none),
            (and_(value > one, value <= self._exact(1 + ROUNDING)), one),
        )

    def _floored(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a number whose powers the database can tell from 0."""
        return case((func.abs(value) < self._exact(SMALL), self._exact(0.0)), else_=value)

    def _finite(self, value: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(value >= self._exact(-LARGE), value <= self._exact(LARGE))

    def _loss(self, chance: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what a row costs to whose label this chance was given, clipped as scikit-learn."""
        low, high = self._exact(EPSILON), self._exact(1 - EPSILON)
        return -func.ln(case((chance < low, low), (chance > high, high), else_=chance))


def _code_output() -> Output:
    return Output("code", literal_column("code"), pa.int64())


def _sum(name: str, value: ColumnElement[Any]) -> Output:
    return _of(func.sum, name, value)


def _of(aggregate: Any, name: str, value: ColumnElement[Any]) -> Output:
    return Output(name, aggregate(value).label(name), pa.float64())


def _added(values: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    found = values[0]
    for value in values[1:]:
        found = found + value
    return found


def _power(value: ColumnElement[Any], power: int) -> ColumnElement[Any]:
    found = value
    for _ in range(power - 1):
        found = found * value
    return found


def _among(value: Any, classes: Mapping[str, Sequence[Any]], wanted: str) -> ColumnElement[Any]:
    """Return 1 where a value stands for the wanted class, 0 for another, NULL where for none."""
    own = list(classes.get(wanted, ()))
    others = [one for name, many in classes.items() if name != wanted for one in many]
    bare = value.element if isinstance(value, Label) else value
    parts: list[Any] = [
        (bare.in_(many), literal_column(n)) for n, many in (("1", own), ("0", others)) if many
    ]
    return case(*parts) if parts else literal_column("NULL")


def count_outcomes(
    reader: Reader, monitor: Monitor, bins: OutcomeBins, stretch: Stretch
) -> dict[tuple[Any, ...], OutcomeProfile]:
    """Return the outcome profile of each combination of the stretch's keys.

    Raises LogError where labels or classes are not as the monitor's file says.
    """
    grouping = Grouping(reader.dialect, stretch, bins)
    keys = [key.name for key in grouping.keys]
    names = {output.name for output in stretch.outputs}
    prediction = PREDICTION if PREDICTION in names else ""

    def asked(grouped: Grouped) -> Any:
        return reader.table(grouped.statement, grouped.outputs)

    log = monitor.predictions
    if monitor.task is Task.REGRESSION:
        return dict(fold.values(asked(grouping.values(prediction)), keys, bins))
    if monitor.task is Task.BINARY:
        score = SCORE if SCORE in names else ""
        table = asked(grouping.two_classes(score, prediction, log.threshold))
        return dict(fold.two_classes(table, keys, bins, log.positive, logged=bool(prediction)))
    scores = scores_of(monitor) if bins.scores else {}
    table = asked(grouping.many_classes(scores, prediction))
    found = fold.many_classes(table, keys, bins, logged=bool(prediction))
    truths = {n: values for n, values in fold.raw_values(table["truth"]).items() if n in scores}
    said = (
        fold.raw_values(table["said"])
        if prediction
        else {name: [place] for place, name in enumerate(scores)}
    )
    for name in scores if found else ():
        counted = asked(grouping.one_class(name, scores, prediction, truths, said))
        found = fold.with_scores(found, counted, keys, name)
    return dict(found)
