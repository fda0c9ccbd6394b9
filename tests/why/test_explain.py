"""What is planted is found first, and nothing is found where nothing is planted."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from driftline import metrics, why
from driftline.domain import CauseKind, ColumnKind
from driftline.profile.rows import Rows
from driftline.stats import influence
from driftline.stats.paired import log_losses
from driftline.suites.frame import Frame

START = np.datetime64("2026-03-02T00", "s")
NAMES = ("x", "z", "w", "group")
HOSTILE = ('"; DROP TABLE x; --', "a'b<script>", "{0}%s\n", "группа 🛫")


class World:
    """A logistic model of two tied numbers, one that means nothing, and a category."""

    def __init__(self, rows, seed, *, days=28, first=0, names=NAMES):
        rng = np.random.default_rng(seed)
        self.rng, self.names = rng, names
        self.x = rng.normal(size=rows)
        self.z = 0.7 * self.x + 0.7 * rng.normal(size=rows)
        self.w = rng.normal(size=rows)
        self.group = np.array(["a", "b", "c", "d"], dtype=object)[
            rng.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
        ]
        when = np.sort(rng.uniform(0, days * 86400, rows)).astype(int)
        self.time = START + (when + first * 86400).astype("timedelta64[s]")
        self.y = (rng.random(rows) < self.answer()).astype(float)
        self.score = None
        self.version = np.full(rows, "v1", dtype=object)
        self.labelled = np.ones(rows, dtype=bool)

    def answer(self):
        effect = np.select([self.group == g for g in "abcd"], [0.5, -0.5, 1.0, 0.0], 0.0)
        odds = 1.2 * np.nan_to_num(self.x) - 0.8 * np.nan_to_num(self.z) + effect - 0.5
        return 1 / (1 + np.exp(-np.clip(odds, -8, 8)))

    def side(self, loss=None):
        score = self.answer() if self.score is None else self.score
        cost = log_losses(self.y.astype(int), score) if loss is None else loss(self.y, score)
        columns = dict(zip(self.names, (self.x, self.z, self.w, self.group), strict=True))
        kinds = {
            name: ColumnKind.CATEGORICAL if values.dtype == object else ColumnKind.NUMERIC
            for name, values in columns.items()
        }
        table = pa.table({n: pa.array(v, from_pandas=True) for n, v in columns.items()})
        return why.Side(
            frame=Frame.of(Rows(table=table, total=len(table)), kinds),
            loss=np.where(self.labelled, cost, np.nan),
            score=score,
            truth=np.where(self.labelled, self.y, np.nan),
            version=self.version,
            time=self.time,
        )


@pytest.fixture(scope="module")
def reference():
    return World(8000, 1)


@pytest.fixture
def window():
    return World(4000, 2, days=7, first=28)


def first(reference, window, context=None):
    found = why.explain(reference.side(), window.side(), context)
    assert found.fell, found.words
    assert [cause.rank for cause in found.causes] == list(range(1, len(found.causes) + 1))
    return found, found.causes[0]


def test_nulls_of_a_column_come_first_with_their_hour_and_their_share(reference, window):
    late = window.time >= START + np.timedelta64(31, "D")
    window.x[late] = np.nan
    found, cause = first(reference, window)
    assert (cause.kind, cause.column) == (CauseKind.NULLS, "x")
    assert cause.share > 0.7
    assert cause.began == datetime(2026, 4, 2, tzinfo=UTC)
    assert f"x is null in {late.mean():.1%} of the rows; 0.0% before" in cause.words
    assert found.relation_lower < found.relation < found.relation_upper
    assert found.inputs + found.relation == pytest.approx(found.fall)


def test_the_store_dates_nulls_that_began_before_the_window(window):
    reference = World(8000, 1, days=20)
    window.x[:] = np.nan
    hours = np.arange(np.datetime64("2026-03-25T00", "h"), np.datetime64("2026-04-06T00", "h"))
    since = hours >= np.datetime64("2026-03-28T05", "h")
    context = why.Context(
        hours=why.Hours(start=hours, rows=np.full(len(hours), 50.0), nulls={"x": 50.0 * since})
    )
    _, cause = first(reference, window, context)
    assert cause.began == datetime(2026, 3, 28, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (lambda x: x * 1000, CauseKind.UNIT),
        (lambda x: np.full_like(x, 2.0), CauseKind.STUCK),
        (lambda x: np.full_like(x, -999.0), CauseKind.STUCK),
    ],
)
def test_a_broken_number_comes_before_the_column_that_is_tied_to_it(
    reference, window, broken, kind
):
    window.x = broken(window.x)
    found, cause = first(reference, window)
    assert (cause.kind, cause.column) == (kind, "x")
    assert found.inputs > 0.9 * found.fall


def test_a_shuffled_column_is_told_from_its_partner(reference, window):
    window.x = window.rng.permutation(window.x)
    _, cause = first(reference, window)
    assert (cause.kind, cause.column) == (CauseKind.SCRAMBLED, "x")


def test_a_renamed_category_names_what_it_was(reference, window):
    window.group[window.group == "c"] = "C"
    _, cause = first(reference, window)
    assert (cause.kind, cause.column) == (CauseKind.NEW_CATEGORY, "group")
    assert "while group = c fell from" in cause.words


def test_labels_flipped_in_one_segment(reference, window):
    own = window.group == "b"
    window.y[own] = 1 - window.y[own]
    found, cause = first(reference, window)
    assert (cause.kind, cause.segment) == (CauseKind.LABELS_FLIPPED, "group=b")
    assert cause.share > 0.8
    assert found.relation > 0.9 * found.fall


def test_a_concept_that_moved_in_a_range_of_one_number(reference, window):
    own = window.w > 1
    window.y[own] = window.rng.random(own.sum()) < 0.9
    _, cause = first(reference, window)
    assert (cause.kind, cause.column) == (CauseKind.CONCEPT, "w")
    assert 0.8 < float(cause.segment.removeprefix("w >= ")) < 1.2


def test_a_new_version_that_is_worse(reference, window):
    new = window.time >= START + np.timedelta64(32, "D")
    window.score = window.answer()
    window.score[new] = window.rng.permutation(window.score)[new]
    window.version[new] = "v2"
    _, cause = first(reference, window)
    assert (cause.kind, cause.segment) == (CauseKind.VERSION, "version=v2")
    assert cause.began == datetime(2026, 4, 3, tzinfo=UTC)
    window.version[:] = "v1"
    _, cause = first(reference, window)
    assert cause.kind is CauseKind.SCORE


def only(window, keep):
    for name in ("x", "z", "w", "group", "time", "y", "version", "labelled"):
        setattr(window, name, getattr(window, name)[keep])
    return window


def test_other_inputs_are_told_from_another_relation():
    """Rows of which the model is unsure come more often: the relation's interval mostly holds 0."""
    held = 0
    for seed in range(5):
        window = World(30000, 20 + seed, days=7, first=28)
        near = np.exp(-4 * np.abs(window.x - 0.4))
        found = why.explain(
            World(8000, 30 + seed).side(), only(window, window.rng.random(30000) < near).side()
        )
        assert found.fell
        assert found.inputs > 0.7 * found.fall
        held += found.relation_lower < 0 < found.relation_upper
    assert held >= 4


def test_a_shift_with_sharp_edges_is_told_by_and_large(reference):
    window = World(12000, 3, days=7, first=28)
    unsure = np.abs(window.answer() - 0.5) < 0.15
    window = only(window, window.rng.random(12000) < np.where(unsure, 1, 0.1))
    found = why.explain(reference.side(), window.side())
    assert found.fell
    assert found.inputs > 0.6 * found.fall


def test_missing_labels_are_named_before_the_relation(reference, window):
    window.labelled = (window.y == 1) | (window.rng.random(4000) < 0.25)
    context = why.Context(
        coverage=float(window.labelled.mean()), usual_coverage=0.99, predictions=4000
    )
    _, cause = first(reference, window, context)
    assert cause.kind is CauseKind.LABELS_MISSING
    assert "99.0% is usual at this age" in cause.words


def test_a_failed_run_is_told(reference, window):
    window.x[:] = np.nan
    run = why.Run(
        start=datetime(2026, 4, 1, tzinfo=UTC),
        end=datetime(2026, 4, 1, 1, tzinfo=UTC),
        problem="failed: no such host",
    )
    found, cause = first(reference, window, why.Context(runs=(run,)))
    assert cause.kind is CauseKind.NULLS
    (told,) = [c for c in found.causes if c.kind is CauseKind.FAILED_RUN]
    assert told.share is None
    assert "no such host" in told.words


def test_nothing_is_found_where_nothing_changed(reference):
    """Of twenty windows, half of them small, at most one has a cause."""
    cried = []
    for seed in range(10):
        for rows in (300, 2000):
            window = World(rows, 100 + seed, days=7, first=28)
            found = why.explain(reference.side(), window.side())
            cried += [c for c in found.causes if c.kind is not CauseKind.UNEXPLAINED][:1]
    assert len(cried) <= 1, cried


def test_small_sides_say_a_large_break():
    reference, window = World(300, 1), World(300, 2, days=7, first=28)
    window.x[:] = np.nan
    window.y = 1 - window.y
    _, cause = first(reference, window)
    assert cause.kind is CauseKind.NULLS


def test_the_same_rows_give_the_same_answer(reference, window):
    window.x[:2000] = np.nan
    assert why.explain(reference.side(), window.side()) == why.explain(
        reference.side(), window.side()
    )


def test_hostile_names_are_only_told():
    reference = World(3000, 1, names=HOSTILE)
    window = World(3000, 2, days=7, first=28, names=HOSTILE)
    window.group[:] = "<img onerror=alert(1)>{}%s"
    window.y = (window.rng.random(3000) < 0.9).astype(float)
    _, cause = first(reference, window)
    assert (cause.kind, cause.column) == (CauseKind.NEW_CATEGORY, HOSTILE[3])
    window.x[:] = np.nan
    assert HOSTILE[0] in {cause.column for cause in first(reference, window)[0].causes}


def test_constant_columns_and_columns_of_nulls_are_borne(reference):
    odd, window = World(3000, 1), World(3000, 2, days=7, first=28)
    for one in (odd, window):
        one.w[:] = np.nan
        one.z[:] = 1.0
    window.y = 1 - window.y
    found = why.explain(odd.side(), window.side())
    assert found.causes[0].kind in (CauseKind.LABELS_FLIPPED, CauseKind.CONCEPT)
    assert found.causes[0].column == ""


def test_nulls_everywhere_are_borne(reference, window):
    window.x[:] = window.z[:] = window.w[:] = np.nan
    window.group[:] = None
    found = why.explain(reference.side(), window.side())
    assert {cause.kind for cause in found.causes} <= {CauseKind.NULLS}


def test_one_class_only_is_borne(reference, window):
    window.y[:] = 0
    found = why.explain(reference.side(), window.side())
    assert found.fall is not None


OF_TWO_CLASSES = sorted(influence.METRICS.keys() & set(metrics.PERFORMANCE["binary"]))


@pytest.mark.parametrize("metric", OF_TWO_CLASSES)
def test_any_metric_that_rows_add_up_to_is_explained(reference, window, metric):
    own = window.group == "c"
    window.y[own] = 1 - window.y[own]
    sign = -1 if metric in metrics.HIGHER_IS_BETTER else 1

    rows = [
        influence.Rows(each.y.astype(int), (each.answer() >= 0.5).astype(int), each.answer())
        for each in (reference, window)
    ]
    before, now = (sign * added for added in influence.of_sides(metric, tuple(rows)))
    sides = reference.side(lambda *_: before), window.side(lambda *_: now)
    found = why.explain(*sides, metric=metric)
    assert found.causes[0].segment == "group=c"
    assert found.words.startswith(f"{metric} is ")
    assert found.window_value == pytest.approx(sign * now.mean())
    assert found.fall == pytest.approx(sign * (found.window_value - found.reference_value))


class Values(World):
    """Numbers, for the most part made by one column that is tied to no other."""

    def __init__(self, rows, seed, *, days=28, first=0, turned="none"):
        super().__init__(rows, seed, days=days, first=first)
        self.z = self.rng.normal(size=rows)
        self.score = self.expected(1.0)
        own = {
            "none": np.zeros(rows, bool),
            "segment": self.group == "b",
            "range": self.z > 1,
            "everywhere": np.ones(rows, bool),
        }[turned]
        self.y = self.expected(np.where(own, -1.0, 1.0)) + self.rng.normal(size=rows)

    def expected(self, sign):
        effect = np.select([self.group == g for g in "abcd"], [0.5, -0.5, 1.0, 0.0], 0.0)
        return sign * 2.0 * self.x + 0.6 * self.z + effect


def of_values(metric, reference, window):
    rows = [influence.Rows(each.y, each.score) for each in (reference, window)]
    sign = -1 if metric in metrics.HIGHER_IS_BETTER else 1
    before, now = (sign * added for added in influence.of_sides(metric, tuple(rows)))
    return why.explain(
        reference.side(lambda *_: before), window.side(lambda *_: now), metric=metric
    )


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "r2"])
@pytest.mark.parametrize(
    ("turned", "column", "segment"),
    [("segment", "group", "group=b"), ("range", "z", None), ("everywhere", "x", "")],
)
def test_a_relation_that_turned_is_found_where_it_turned(metric, turned, column, segment):
    found = of_values(metric, Values(8000, 1), Values(3000, 2, days=7, first=28, turned=turned))
    cause = found.causes[0]
    assert (cause.kind, cause.column) == (CauseKind.CONCEPT, column)
    assert segment is None or cause.segment == segment
    assert cause.share > 0.8  # of losses far beyond the reference's largest, too
    assert cause.began == datetime(2026, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "r2"])
def test_labels_that_all_rise_rise_everywhere(metric):
    window = Values(3000, 2, days=7, first=28)
    window.y += 1
    cause = of_values(metric, Values(8000, 1), window).causes[0]
    assert (cause.kind, cause.column) == (CauseKind.CONCEPT, "")
    assert cause.share > 0.8


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_narrower_or_wider_inputs_alone_are_told_as_inputs(metric):
    wider = metric != "r2"  # which falls where its labels vary less
    sides = Values(8000, 1), Values(3000, 2, days=7, first=28)
    sides[1].x *= 2.0 if wider else 0.5
    sides[1].score = sides[1].expected(1.0)
    for side in sides:  # the wider, the noisier
        noise = 1 + 0.8 * np.abs(side.x) if wider else 1.0
        side.y = side.score + noise * side.rng.normal(size=len(side.x))
    found = of_values(metric, *sides)
    assert found.fell
    assert abs(found.relation) < 0.2 * found.fall
    assert (found.causes[0].kind, found.causes[0].column) == (CauseKind.SHIFT, "x")


@pytest.mark.parametrize("where", ["b", "c"])
def test_one_huge_loss_is_not_told_as_what_a_segment_costs(where):
    window = Values(3000, 2, days=7, first=28)
    window.y[window.group == "b"] += 0.8
    window.y[np.flatnonzero(window.group == where)[5]] = 1e6
    found = of_values("mae", Values(8000, 1), window)
    assert not found.fell  # within the noise of that row
    (cause,) = found.causes
    assert cause.segment == "group=b"
    assert float(cause.words.split("cost ")[1].split()[0]) < 1


def test_without_labels_there_is_no_fall_to_speak_of(reference, window):
    window.labelled[:] = False
    found = why.explain(reference.side(), window.side(), why.Context(usual_coverage=0.98))
    assert found.fall is None
    assert not found.fell
    assert [cause.kind for cause in found.causes] == [CauseKind.LABELS_MISSING]
    assert "0 rows of the window" in found.words


def test_without_times_scores_and_versions_inputs_are_still_judged(reference, window):
    window.x[:] = np.nan
    window.y = 1 - window.y
    sides = [
        why.Side(frame=side.frame, loss=side.loss) for side in (reference.side(), window.side())
    ]
    cause = why.explain(*sides).causes[0]
    assert (cause.kind, cause.column, cause.began) == (CauseKind.NULLS, "x", None)


def test_arrays_of_another_length_are_refused(reference):
    side = reference.side()
    with pytest.raises(ValueError, match="score has 3 values for 8000 rows"):
        why.Side(frame=side.frame, loss=side.loss, score=np.ones(3))
