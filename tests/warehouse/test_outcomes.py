"""Outcome profiles: SQL counts what numpy counts of the same rows, and both are scikit-learn's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from sqlalchemy import column, make_url, select
from sqlalchemy.dialects import postgresql

from driftline.domain import DAY, HOUR, Scope, Window
from driftline.profile.outcome_rows import bins_of_outcomes, profile_of
from driftline.profile.outcomes import (
    NO_CLASS,
    NO_PREDICTED_VALUE,
    NO_SCORE,
    ClassProfile,
    OutcomeBins,
    ValueProfile,
)
from driftline.profile.rows import LABEL, PREDICTION, SCORE, TIMESTAMP, VERSION
from driftline.suites import performance
from driftline.warehouse import open_logs
from driftline.warehouse.dialects.base import dialect_of
from driftline.warehouse.outcome_counting import Grouping, Stretch
from driftline.warehouse.reader import Output
from tests.warehouses import Warehouse

START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + DAY
HOURS = [START + HOUR * n for n in range(24)]
N = 600
RNG = np.random.default_rng(5)
AT = [START + timedelta(minutes=int(m)) for m in RNG.integers(0, 24 * 60, N)]
LATE = [at + timedelta(hours=float(h)) for at, h in zip(AT, RNG.exponential(8, N), strict=True)]
P = RNG.beta(1, 4, N)
P[:7] = 0, 1, 1e-300, 1 - 1e-16, 0.5, 0.5, 0.3
TRUTH = (RNG.random(N) < P).astype(int)
ORIGIN = RNG.choice(["JFK", "LGA", "o'x; --"], N)
VERSIONS = RNG.choice(["1", "2"], N)
ID = [f"r{n}" for n in range(N)]
UNLABELLED = RNG.random(N) < 0.2
TIME = pa.timestamp("us", "UTC")


def holding(**columns) -> pa.Table:
    held = {"id": ID, "ts": pa.array(AT, TIME), "origin": ORIGIN, "version": VERSIONS}
    return pa.table({**held, **columns})


def labels(values, kind=None) -> pa.Table:
    kept = np.flatnonzero(~UNLABELLED)
    return pa.table(
        {
            "id": [ID[n] for n in kept],
            "y": pa.array([values[n] for n in kept], kind),
            "at": pa.array([LATE[n] for n in kept], TIME),
        }
    )


JOINED = {"id": "id", "timestamp": "at", "label": "y", "of": "labels"}


def same(one, other) -> None:
    assert type(one) is type(other)
    assert (one.rows, one.labelled, one.used) == (other.rows, other.labelled, other.used)
    assert dict(one.dropped) == dict(other.dropped)
    assert one.moments == pytest.approx(other.moments, rel=1e-11, abs=1e-10)
    if isinstance(one, ValueProfile):
        assert one.errors.tolist() == other.errors.tolist()
        assert (one.zeros, one.least, one.largest) == (other.zeros, other.least, other.largest)
        return
    assert (one.classes, one.found) == (other.classes, other.found)
    assert one.confusion.tolist() == other.confusion.tolist()
    assert one.unpredicted.tolist() == other.unpredicted.tolist()
    assert one.unscored.tolist() == other.unscored.tolist()
    assert (one.stray, one.logged) == (other.stray, other.logged)
    for name, score in one.scores.items():
        assert score.joint.tolist() == other.scores[name].joint.tolist()
        assert score.said.tolist() == other.scores[name].said.tolist()
        assert score.sums == pytest.approx(other.scores[name].sums, rel=1e-11)
        assert score.said_sums == pytest.approx(other.scores[name].said_sums, rel=1e-11)


def counted(monitor, as_of=None):
    """Return the whole day's profile, after checks that its parts add up to what numpy counts."""
    with open_logs(monitor) as logs:
        rows = logs.rows(START, END, {}, as_of=as_of).table
        bins = bins_of_outcomes(monitor, rows)
        (whole,) = logs.outcomes(bins, START, END, as_of=as_of).values()
        same(whole, profile_of(monitor, bins, rows))
        hourly = logs.outcomes(bins, START, END, as_of=as_of, starts=HOURS)
        same(whole.total(list(hourly.values())), whole)
        at = pa.compute.floor_temporal(rows[TIMESTAMP], unit="hour")
        assert {slot.hour for slot in hourly} == set(at.to_pylist())
        for slot, part in hourly.items():
            own = rows.filter(pa.compute.equal(at, pa.scalar(slot.hour, at.type)))
            same(part, profile_of(monitor, bins, own))
        content = [type(p).read(bins, p.rows, p.labelled, p.content) for p in hourly.values()]
        same(whole.total(content), whole)
        by_origin = logs.outcomes(
            bins, START, END, as_of=as_of, segment="origin", values=["JFK", "o'x; --"]
        )
        for slot, part in by_origin.items():
            same(
                part,
                profile_of(
                    monitor, bins, rows.filter(pa.compute.equal(rows["origin"], slot.segment))
                ),
            )
        assert {slot.segment for slot in by_origin} == {"JFK", "o'x; --"}
    return whole, rows


@pytest.mark.core
def test_binary_scores(warehouse: Warehouse):
    warehouse.load("predictions", holding(score=P))
    warehouse.load("labels", labels(TRUTH))
    monitor = warehouse.monitor(labels=JOINED, segments=["origin"])
    whole, rows = counted(monitor)
    assert isinstance(whole, ClassProfile)
    y, p = (rows.filter(pa.compute.is_valid(rows[LABEL]))[c].to_numpy() for c in (LABEL, SCORE))
    assert whole.confusion.tolist() == sk.confusion_matrix(y, p >= 0.5).tolist()
    squares, _, losses = whole.moments.sum(axis=0)[:3] / len(y)
    assert squares == pytest.approx(sk.brier_score_loss(y, p), rel=1e-12)
    assert losses == pytest.approx(sk.log_loss(y, p), rel=1e-12)
    early, _ = counted(monitor, as_of=END)
    assert early.labelled == sum(at <= END for at, u in zip(LATE, UNLABELLED, strict=True) if not u)
    assert early.rows == N


def test_each_model_version_has_a_profile(warehouse: Warehouse):
    warehouse.load("predictions", holding(score=P))
    warehouse.load("labels", labels(TRUTH))
    monitor = warehouse.monitor(predictions={"version": "version"}, labels=JOINED)
    with open_logs(monitor) as logs:
        rows = logs.rows(START, END, {}).table
        bins = bins_of_outcomes(monitor, rows)
        found = logs.outcomes(bins, START, END)
        assert {slot.version for slot in found} == {"1", "2"}
        for slot, part in found.items():
            own = rows.filter(pa.compute.equal(rows[VERSION], slot.version))
            same(part, profile_of(monitor, bins, own))


@pytest.mark.parametrize("form", ["boolean", "words", "floats"])
def test_classes_in_every_form(warehouse: Warehouse, form):
    said = RNG.random(N) < 0.4
    forms = {
        "boolean": lambda y: [bool(v) for v in y],
        "words": lambda y: np.where(np.asarray(y) == 1, "yes", "no ").tolist(),
        "floats": lambda y: [float(v) for v in y],
    }
    write = forms[form]
    warehouse.load("predictions", holding(score=P, said=write(said)))
    warehouse.load("labels", labels(write(TRUTH)))
    predictions = {"prediction": "said"}
    if form == "words":
        predictions["positive"] = "yes"
    whole, _ = counted(
        warehouse.monitor(predictions=predictions, labels=JOINED, segments=["origin"])
    )
    known = ~UNLABELLED
    assert whole.confusion.tolist() == sk.confusion_matrix(TRUTH[known], said[known]).tolist()
    assert whole.found == (("no", "yes") if form == "words" else ("0", "1"))


def test_rows_that_cannot_be_used_are_told_apart(warehouse: Warehouse):
    scores = [None, 1.5, -0.2, float("nan"), float("inf"), *P[5:]]
    said = ["a", "b", "a", "b", "a", None, " ", *np.where(P[7:] > 0.2, "b", "a")]
    truth = [*np.where(TRUTH[:8] == 1, "b", "a"), " ", "?", *np.where(TRUTH[10:] == 1, "b", "a")]
    rows = holding(score=pa.array(scores, pa.float64()), said=said, y=truth)
    warehouse.load("predictions", rows)
    monitor = warehouse.monitor(
        predictions={"prediction": "said", "positive": "b"},
        labels={"label": "y"},
        segments=["origin"],
    )
    whole, _ = counted(monitor)
    assert whole.bins.negative == "a"
    assert whole.dropped == {NO_CLASS: 2}
    assert (whole.labelled, whole.used, whole.predicted) == (N, N - 2, N - 4)
    assert (whole.unpredicted.sum(), whole.unscored.sum()) == (2, 5)
    used = [n for n in range(N) if said[n] in ("a", "b") and truth[n] in ("a", "b")]
    expected = sk.confusion_matrix([truth[n] for n in used], [said[n] for n in used])
    assert whole.confusion.tolist() == expected.tolist()
    of_scores = [n for n in range(5, N) if truth[n] in ("a", "b")]
    y, p = ([values[n] for n in of_scores] for values in (truth, scores))
    losses = whole.moments.sum(axis=0)[2] / whole.by_scored_label.sum()
    assert losses == pytest.approx(sk.log_loss(y, p), rel=1e-12)


@pytest.mark.parametrize("sentinel", [-1, 2])
def test_a_sentinel_among_numbers_is_no_class(warehouse: Warehouse, sentinel):
    truth = np.where(np.arange(N) % 50 == 7, sentinel, TRUTH).tolist()
    warehouse.load("predictions", holding(score=P, y=truth))
    whole, _ = counted(warehouse.monitor(labels={"label": "y"}, segments=["origin"]))
    known = np.arange(N) % 50 != 7
    assert whole.dropped == {NO_CLASS: 12}
    assert whole.confusion.tolist() == sk.confusion_matrix(TRUTH[known], P[known] >= 0.5).tolist()


def test_classes_without_scores(warehouse: Warehouse):
    said = RNG.integers(0, 2, N)
    warehouse.load("predictions", holding(said=said))
    warehouse.load("labels", labels(TRUTH))
    log = {"score": None, "prediction": "said"}
    whole, _ = counted(warehouse.monitor(predictions=log, labels=JOINED, segments=["origin"]))
    known = ~UNLABELLED
    assert whole.confusion.tolist() == sk.confusion_matrix(TRUTH[known], said[known]).tolist()
    assert not whole.scores


@pytest.mark.parametrize("logged", [False, pytest.param(True, marks=pytest.mark.core)])
def test_many_classes(warehouse: Warehouse, logged):
    chances = RNG.dirichlet([1, 2, 3], N)
    chances[3] = 0.2, 0.2, 0.3  # adds up to no 1
    truth = np.array(["a", "b", "c"])[RNG.integers(0, 3, N)].tolist()
    truth[10] = "d"  # of which no score is logged
    said = np.array(["a", "b", "c"])[chances.argmax(axis=1)].tolist()
    columns = {f"p {name}": chances[:, n] for n, name in enumerate("abc")}
    warehouse.load("predictions", holding(said=said, **columns))
    warehouse.load("labels", labels(truth, pa.string()))
    log = {"score": {name: f"p {name}" for name in "abc"}, "prediction": "said" if logged else None}
    monitor = warehouse.monitor(
        task="multiclass", predictions=log, labels=JOINED, segments=["origin"]
    )
    whole, rows = counted(monitor)
    assert isinstance(whole, ClassProfile)
    known = rows.filter(pa.compute.is_valid(rows[LABEL]))
    y = known[LABEL].to_pylist()
    names = list(whole.classes)
    place = np.array([rows_id for rows_id, u in enumerate(UNLABELLED) if not u])
    expected = sk.confusion_matrix(
        [truth[n] for n in place], [said[n] for n in place], labels=names
    )
    assert whole.confusion.tolist() == expected.tolist()
    assert len(y) == whole.used
    assert whole.stray == int(not UNLABELLED[3])
    # Of ranks and losses those have a part that the scores are about: not the label d.
    scored = [n for n in place if truth[n] != "d"]
    for each, name in enumerate("abc"):
        came = [truth[n] == name for n in scored]
        assert whole.scores[name].truth.sum(axis=1).tolist() == [
            len(scored) - sum(came),
            sum(came),
        ]
        assert whole.scores[name].sums.sum() == pytest.approx(chances[scored, each].sum())
    losses = whole.moments.sum(axis=0)[2] / whole.by_scored_label.sum()
    own = [n for n in scored if n != 3]
    assert losses == pytest.approx(sk.log_loss([truth[n] for n in own], chances[own]), rel=1e-11)


@pytest.mark.core
def test_values(warehouse: Warehouse):
    y = RNG.normal(50, 10, N)
    y[:3] = 0, 1e200, -3
    guess = y + RNG.normal(1, 4, N)
    guess[4], guess[5] = np.nan, np.inf
    guess = pa.array([None if n == 6 else v for n, v in enumerate(guess)], pa.float64())
    warehouse.load("predictions", holding(guess=guess, score=P))
    warehouse.load("labels", labels(y))
    log = {"score": None, "prediction": "guess"}
    monitor = warehouse.monitor(
        task="regression", predictions=log, labels=JOINED, segments=["origin"]
    )
    whole, rows = counted(monitor)
    assert isinstance(whole, ValueProfile)
    truth = rows[LABEL].to_numpy()
    guess = rows[PREDICTION].to_numpy()
    assert whole.bins.scale < 100  # a label of 1e200 is none: it does not set the scale
    used = (np.abs(truth) < 1e100) & np.isfinite(guess)
    assert whole.used == used.sum()
    scale = whole.bins.scale
    rmse = np.sqrt(whole.moment("squared") / whole.used) * scale
    assert rmse == pytest.approx(sk.root_mean_squared_error(truth[used], guess[used]), rel=1e-12)
    assert whole.mean_label == pytest.approx(truth[used].mean())


def test_doubles_are_divided_as_doubles():
    """SQLAlchemy casts an untyped divisor to NUMERIC: to a whole number in ClickHouse or Spark."""
    outputs = [Output(name, column(name), pa.float64()) for name in ("said", "truth")]
    statement = select(*(output.value for output in outputs))
    stretch = Stretch(statement, outputs, keys=0, labelled=True)
    bins = OutcomeBins.of_errors(P, P)
    grouping = Grouping(dialect_of(make_url("postgresql:///")), stretch, bins)
    written = str(grouping.values("said").statement.compile(dialect=postgresql.dialect()))
    assert " / CAST(" in written
    assert "NUMERIC" not in written


def test_nan_among_small_numbers_is_no_value(warehouse: Warehouse):
    # Parquet keeps the least and the greatest value without NaN, and DuckDB believed them.
    score, y = P.copy(), RNG.normal(0, 1, N)
    score[:5] = y[5:9] = np.nan
    warehouse.load("predictions", holding(score=score, y=y, truth=TRUTH))
    log = {"score": None, "prediction": "score"}
    values, _ = counted(
        warehouse.monitor(
            task="regression", predictions=log, labels={"label": "y"}, segments=["origin"]
        )
    )
    # A label of NaN is NULL to SQLite, and so none.
    assert (values.used, values.dropped[NO_PREDICTED_VALUE]) == (N - 9, 5)
    assert values.mean_label == pytest.approx(np.nanmean(y[5:]))
    scored, _ = counted(warehouse.monitor(labels={"label": "truth"}, segments=["origin"]))
    assert (scored.dropped, scored.unclassed, scored.used) == ({}, NO_SCORE, N)
    assert scored.unscored.sum() == scored.unpredicted.sum() == 5
    assert scored.moments.sum(axis=0)[2] / (N - 5) == pytest.approx(
        sk.log_loss(TRUTH[5:], P[5:]), rel=1e-12
    )


def test_labels_far_from_the_references(warehouse: Warehouse):
    """A million of their standard deviations away, where sums about the reference cancel."""
    y = RNG.normal(0, 1, N)
    guess = y + RNG.normal(0, 0.5, N)
    far = y + 1e6
    warehouse.load("predictions", holding(guess=far + (guess - y), y=far))
    monitor = warehouse.monitor(
        task="regression",
        predictions={"score": None, "prediction": "guess"},
        labels={"label": "y"},
        segments=["origin"],
    )
    bins = OutcomeBins.of_errors(y, guess)
    with open_logs(monitor) as logs:
        (whole,) = logs.outcomes(bins, START, END).values()
        hourly = logs.outcomes(bins, START, END, starts=HOURS)
        rows = logs.rows(START, END, {}).table
    same(whole.total(list(hourly.values())), whole)
    same(whole, profile_of(monitor, bins, rows))
    scope = Scope(monitor="m", window=Window.ending("1d", END), as_of=END, config_hash="")
    found = {m.metric: m for m in performance.measure(scope, whole)}
    said = far + (guess - y)
    expected = {
        "r2": sk.r2_score(far, said),
        "mse": sk.mean_squared_error(far, said),
        "rmse": sk.root_mean_squared_error(far, said),
        "bias": (said - far).mean(),
        "mape": sk.mean_absolute_percentage_error(far, said),
        "label_mean": far.mean(),
    }
    for metric, value in expected.items():
        assert found[metric].value == pytest.approx(value, rel=1e-7), metric
        assert found[metric].lower < found[metric].value < found[metric].upper


def test_a_stretch_without_rows_has_no_profile(warehouse: Warehouse):
    warehouse.load("predictions", holding(score=P))
    warehouse.load("labels", labels(TRUTH))
    monitor = warehouse.monitor(labels=JOINED)
    with open_logs(monitor) as logs:
        bins = bins_of_outcomes(monitor, logs.rows(START, END, {}).table)
        assert logs.outcomes(bins, END, END + HOUR) == {}


def performance_of(whole: ClassProfile) -> dict:
    scope = Scope(monitor="m", window=Window.ending("1d", END), as_of=END, config_hash="")
    return {m.metric: m for m in performance.measure(scope, whole) if not m.detail}


NO_CLASS_SAID = "rows left out: the predicted class is missing"
NO_SCORE_SAID = "rows left out: the score is not between 0 and 1"


@pytest.mark.parametrize("missing", [0.3, 0.6, 1.0])
def test_scores_of_rows_without_a_predicted_class(warehouse: Warehouse, missing):
    """Over half of the classes are NULL: what scikit-learn makes of label and score stands."""
    rng = np.random.default_rng(17)
    gone, said, unscored = rng.random(N) < missing, rng.random(N) < P, rng.random(N) < 0.1
    held = holding(
        score=pa.array([None if u else float(p) for p, u in zip(P, unscored, strict=True)]),
        said=pa.array([None if g else int(s) for s, g in zip(said, gone, strict=True)], pa.int64()),
    )
    warehouse.load("predictions", held)
    warehouse.load("labels", labels(TRUTH))
    monitor = warehouse.monitor(
        predictions={"prediction": "said"}, labels=JOINED, segments=["origin"]
    )
    whole, _ = counted(monitor)
    assert isinstance(whole, ClassProfile)
    found, known = performance_of(whole), ~UNLABELLED
    y, p = TRUTH[known & ~unscored], P[known & ~unscored]
    for metric, value in {
        "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p),
        "log_loss_ratio": sk.log_loss(y, p) / sk.log_loss(y, np.full(len(y), y.mean())),
        "observed_predicted_ratio": y.mean() / p.mean(),
        "roc_auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
    }.items():
        near = {"abs": 2e-3} if metric in ("roc_auc", "average_precision") else {"rel": 1e-11}
        assert found[metric].value == pytest.approx(value, **near), metric
        assert found[metric].row_count == len(y)
        assert found[metric].reason == f"{(known & unscored).sum()} {NO_SCORE_SAID}"
    place = np.minimum((p * 10).astype(int), 9)
    ece = sum(abs((y - p)[place == n].sum()) for n in range(10)) / len(y)
    assert found["ece"].value == pytest.approx(ece)
    assert found["label_mean"].value == pytest.approx(TRUTH[known].mean())
    assert (found["label_mean"].row_count, found["label_mean"].reason) == (known.sum(), "")
    classed, lost = known & ~gone, (known & gone).sum()
    assert whole.confusion.sum() == classed.sum()
    for metric in ("accuracy", "balanced_accuracy", "precision", "recall", "f1"):
        assert found[metric].row_count == classed.sum()
        assert f"{lost} {NO_CLASS_SAID}" in found[metric].reason
        if missing < 0.5:
            expected = getattr(sk, f"{metric}_score")(TRUTH[classed], said[classed])
            assert found[metric].value == pytest.approx(expected), metric
        else:
            assert found[metric].value is None
            only = f"only {classed.sum()} of {known.sum()}" if missing < 1 else "no"
            assert found[metric].reason.startswith(f"{only} labelled row")


@pytest.mark.parametrize("missing", [0.3, 0.6, 1.0])
def test_scores_of_many_classes_without_a_predicted_one(warehouse: Warehouse, missing):
    rng = np.random.default_rng(18)
    names = np.array(["a", "b", "c"])
    chances, truth = rng.dirichlet([1, 2, 3], N), names[rng.integers(0, 3, N)]
    truth[(classless := rng.random(N) < 0.05)] = "d"  # never predicted, and without a score
    said, gone = names[rng.integers(0, 3, N)], rng.random(N) < missing
    unscored = rng.random(N) < 0.1
    columns = {f"p {name}": chances[:, n] for n, name in enumerate(names)}
    columns["p b"] = pa.array(
        [None if u else float(p) for p, u in zip(chances[:, 1], unscored, strict=True)]
    )
    held = [None if g else str(s) for s, g in zip(said, gone, strict=True)]
    warehouse.load("predictions", holding(said=pa.array(held, pa.string()), **columns))
    warehouse.load("labels", labels(truth.tolist(), pa.string()))
    monitor = warehouse.monitor(
        task="multiclass",
        predictions={"score": {name: f"p {name}" for name in "abc"}, "prediction": "said"},
        labels=JOINED,
        segments=["origin"],
    )
    whole, _ = counted(monitor)
    assert isinstance(whole, ClassProfile)
    found, known = performance_of(whole), ~UNLABELLED & ~classless
    scored, classed = known & ~unscored, known & ~gone
    y, p = truth[scored], chances[scored]
    base = sk.log_loss(y, np.tile([np.mean(y == name) for name in names], (len(y), 1)))
    strange = (~UNLABELLED & classless).sum()
    why = f"{strange} rows left out: the model has no score for their label 'd'"
    for metric, value in {
        "log_loss": sk.log_loss(y, p),
        "log_loss_ratio": sk.log_loss(y, p) / base,
        "brier": sk.brier_score_loss(y, p, labels=list(names)),
        "roc_auc": sk.roc_auc_score(y, p, multi_class="ovr"),
    }.items():
        near = {"abs": 2e-3} if metric == "roc_auc" else {"rel": 1e-11}
        assert found[metric].value == pytest.approx(value, **near), metric
        assert found[metric].row_count == scored.sum()
        assert found[metric].reason == f"{why}; {(known & unscored).sum()} {NO_SCORE_SAID}"
    of_classes = {
        "accuracy": sk.accuracy_score,
        "balanced_accuracy": sk.balanced_accuracy_score,
        "f1": lambda y, c: sk.f1_score(y, c, average="macro"),
        "f1_weighted": lambda y, c: sk.f1_score(y, c, average="weighted"),
    }
    for metric, score in of_classes.items():
        value = pytest.approx(score(truth[classed], said[classed])) if missing < 0.5 else None
        assert found[metric].value == value, metric
        assert found[metric].row_count == classed.sum()
        assert f"{(known & gone).sum()} {NO_CLASS_SAID}" in found[metric].reason
