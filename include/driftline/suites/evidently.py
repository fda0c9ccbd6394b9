"""Evidently: drift, performance and the report of a window. Nothing else imports it."""

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from driftline.domain import ColumnKind, Engine, Measurement, Scope, Suite, steady
from driftline.errors import SuiteError
from driftline.monitor.sections import DriftMethod, Task
from driftline.profile.rows import Rows
from driftline.suites import page
from driftline.suites.engines import FAILURES, engine, importing, unable
from driftline.suites.frame import Frame, obstacle, remark
from driftline.suites.outcomes import Outcomes

_NAME = "Evidently"
_FAILED = f"{_NAME} failed"

Found = float | str
"""What Evidently says of something: its value, or why there is none."""


class Test(NamedTuple):
    """How Evidently calls a method, what its score is to us, and in which unit."""

    stattest: str
    metric: str
    factor: float = 1.0


TESTS: Mapping[DriftMethod, Test] = {
    DriftMethod.PSI: Test("psi", "psi"),
    # Evidently takes natural logarithms; the distance in base 2 runs from 0 to 1.
    DriftMethod.JENSEN_SHANNON: Test("jensenshannon", "jensen_shannon", 1 / math.sqrt(math.log(2))),
    DriftMethod.KL: Test("kl_div", "kl"),
    DriftMethod.HELLINGER: Test("hellinger", "hellinger"),
    DriftMethod.WASSERSTEIN: Test("wasserstein", "wasserstein"),
    DriftMethod.KS: Test("ks", "ks_p_value"),
    DriftMethod.CHI_SQUARE: Test("chisquare", "chi_square_p_value"),
}
"""What it has of our methods; its TOTAL_VARIATION is a permutation test's p-value, minutes long."""


def drift(
    scope: Scope,
    current: Rows | Frame,
    reference: Rows | Frame,
    columns: Mapping[str, ColumnKind],
    methods: Callable[[str], tuple[DriftMethod, ...]],
) -> list[Measurement]:
    """Return what Evidently measures of each column's drift, a reason where it cannot.

    Hand over the reference as a Frame where several windows are compared with it: it is then
    converted once. What Evidently fails on has the failure as its reason.
    """
    current, reference = Frame.of(current, columns), Frame.of(reference, columns)
    pairs = [(name, method) for name in columns for method in methods(name) if method in TESTS]
    reasons = {pair: obstacle(*pair, current, reference) for pair in pairs}
    found: dict[Any, Found] = {pair: reason for pair, reason in reasons.items() if reason}
    asked = [pair for pair in pairs if not reasons[pair]]
    if asked:
        places = {name: f"c{place}" for place, name in enumerate(columns)}
        found |= _told(scope, asked, lambda: _drifted(asked, places, current, reference))
    return [
        _measured(
            scope,
            Suite.DRIFT,
            TESTS[method].metric,
            found[name, method],
            factor=TESTS[method].factor,
            remark=remark(name, current, reference),
            column_name=name,
            baseline="reference",
            row_count=current.columns[name].usable,
        )
        for name, method in pairs
    ]


def _drifted(
    asked: Iterable[tuple[str, DriftMethod]],
    places: Mapping[str, str],
    current: Frame,
    reference: Frame,
) -> dict[Any, Found]:
    library = load()
    with engine(_NAME):
        made = {
            (name, method): library.metrics.ValueDrift(
                # The bound is ours to judge by; Evidently's own would look for one.
                column=places[name],
                method=TESTS[method].stattest,
                threshold=1.0,
            )
            for name, method in asked
        }
    return _values(made, dataset_of(current, places), dataset_of(reference, places))


def performance(scope: Scope, outcomes: Outcomes) -> list[Measurement]:
    """Return Evidently's performance of the labelled rows, under scikit-learn's names.

    A metric that these rows leave undefined (one class, no prediction of it), or that Evidently
    fails on, has a reason.
    """
    names = [
        name
        for name, metric in _METRICS.items()
        if outcomes.task in metric.tasks and (outcomes.scores is not None or not metric.scored)
    ]
    rows = {name: outcomes.of(name) for name in names}
    found: dict[tuple[str, str], Found] = {
        (name, ""): reason for name in names if (reason := rows[name].undefined(name))
    }
    for scored in (False, True):
        asked = [n for n in names if (n, "") not in found and _METRICS[n].scored is scored]
        if asked:
            keys, own = [(name, "") for name in asked], rows[asked[0]]
            found |= _told(scope, keys, lambda: _scored(own, asked, scored=scored))  # noqa: B023
    found = dict(sorted(found.items(), key=lambda item: (names.index(item[0][0]), item[0][1])))
    return [
        _measured(
            scope,
            Suite.PERFORMANCE,
            metric,
            value,
            remark=rows[metric].remark,
            detail=detail,
            row_count=len(rows[metric]),
            coverage=outcomes.coverage,
        )
        for (metric, detail), value in found.items()
    ]


def _scored(outcomes: Outcomes, asked: Sequence[str], *, scored: bool) -> dict[Any, Found]:
    if outcomes.task is Task.MULTICLASS and not scored:
        return _by_class(outcomes, asked)
    made = {(name, ""): _METRICS[name].make() for name in asked}
    return _values(made, scored_dataset(outcomes, scored=scored))


class _Metric(NamedTuple):
    """Evidently's name of a metric, the tasks it is of, and whether it reads scores."""

    name: str
    tasks: tuple[Task, ...]
    scored: bool = False
    options: Mapping[str, bool] = {}

    def make(self) -> Any:
        """Return Evidently's metric."""
        return self._called(self.name, **self.options)

    def by_class(self) -> Any:
        """Return Evidently's metric of each class."""
        return self._called(f"{self.name.removesuffix('Score')}ByLabel")

    def _called(self, name: str, **options: bool) -> Any:
        library = load()
        with engine(_NAME):
            return getattr(library.metrics, name)(**options)


_CLASSES = (Task.BINARY, Task.MULTICLASS)
_METRICS: Mapping[str, _Metric] = {
    "accuracy": _Metric("Accuracy", _CLASSES),
    "precision": _Metric("Precision", _CLASSES),
    "recall": _Metric("Recall", _CLASSES),
    "f1": _Metric("F1Score", _CLASSES),
    "roc_auc": _Metric("RocAuc", _CLASSES, True, {"roc_curve": False}),
    "log_loss": _Metric("LogLoss", _CLASSES, True),
    "mae": _Metric("MAE", (Task.REGRESSION,), False, {"error_distr": False}),
    "rmse": _Metric("RMSE", (Task.REGRESSION,), False, {"error_distr": False}),
    "r2": _Metric("R2Score", (Task.REGRESSION,), False, {"error_distr": False}),
}


def _by_class(outcomes: Outcomes, names: Iterable[str]) -> dict[tuple[str, str], Found]:
    """Return the class metrics of many classes: by class, and their plain mean.

    Evidently takes a window in which two classes occur for a binary task and fails, so accuracy
    is asked of "right or wrong" and the macro average is made of its values by class.
    """
    names = list(names)
    metrics = {name: _METRICS[name].by_class() for name in names if name != "accuracy"}
    classes = sorted({*outcomes.present.tolist(), *np.unique(outcomes.y_pred).tolist()})
    every = _values(metrics, scored_dataset(outcomes, scored=False))
    found: dict[tuple[str, str], Found] = {}
    for name, by_label in every.items():
        if isinstance(by_label, str):
            found[name, ""] = by_label
            continue
        # It leaves out a class that is predicted and never a label: nothing of it is right.
        values = {place: by_label.get(_label(place), 0.0) for place in classes}
        found[name, ""] = float(np.mean(list(values.values())))
        for place in classes:
            reason = outcomes.undefined(name, place)
            found[name, outcomes.classes[place]] = reason or values[place]
    if "accuracy" in names:
        right = (outcomes.y_true == outcomes.y_pred).astype(int)
        dataset = _labelled_dataset(np.ones_like(right), right)
        found |= _values({("accuracy", ""): _METRICS["accuracy"].make()}, dataset)
    return found


def _label(place: int) -> str:
    return f"k{place}"


def scored_dataset(outcomes: Outcomes, *, scored: bool) -> Any:
    """Return labels beside scores, or beside predicted classes or values."""
    import pandas as pd

    evidently = load()
    if outcomes.task is Task.REGRESSION:
        frame = pd.DataFrame({"target": outcomes.y_true, "prediction": outcomes.y_pred})
        return typed(frame, regression=[evidently.Regression()])
    if scored and outcomes.scores is not None:
        # Two classes, however they are written, are a binary task to Evidently.
        if len(outcomes.classes) == 2:
            score = outcomes.scores if outcomes.scores.ndim == 1 else outcomes.scores[:, 1]
            frame = pd.DataFrame({"target": outcomes.y_true, "score": score})
            task = evidently.BinaryClassification(
                target="target", prediction_probas="score", pos_label=1
            )
            return typed(frame, classification=[task])
        labels = [_label(place) for place in range(len(outcomes.classes))]
        frame = pd.DataFrame(dict(zip(labels, outcomes.scores.T, strict=True)))
        frame["target"] = np.array(labels, dtype=object)[outcomes.y_true]
        task = evidently.MulticlassClassification(target="target", prediction_probas=labels)
        return typed(frame, classification=[task])
    if outcomes.task is Task.BINARY:
        return _labelled_dataset(outcomes.y_true, outcomes.y_pred)
    named = np.array([_label(place) for place in range(len(outcomes.classes))], dtype=object)
    return _labelled_dataset(named[outcomes.y_true], named[outcomes.y_pred])


def _labelled_dataset(y_true: Any, y_pred: Any) -> Any:
    import pandas as pd

    evidently = load()
    frame = pd.DataFrame({"target": y_true, "prediction": y_pred})
    if y_true.dtype == object:
        task = evidently.MulticlassClassification(target="target", prediction_labels="prediction")
    else:
        task = evidently.BinaryClassification(
            target="target", prediction_labels="prediction", pos_label=1
        )
    return typed(frame, classification=[task])


_datasets: WeakKeyDictionary[Frame, dict[tuple[str, ...], Any]] = WeakKeyDictionary()


def dataset_of(frame: Frame, names: Mapping[str, str], *, shown: bool = False) -> Any:
    """Return a frame's usable columns as Evidently's dataset, under other names; made once.

    With `shown`, texts are made fit to be drawn; Evidently is never told to guess a type.
    """
    made = _datasets.setdefault(frame, {})
    key = (*names.values(), str(shown))
    if key not in made:
        import pandas as pd

        usable = {n: c for n, c in frame.columns.items() if n in names and not c.problem}
        values = {
            names[name]: _shown(column.values)
            if shown and column.kind is ColumnKind.CATEGORICAL
            else column.values
            for name, column in usable.items()
        }
        made[key] = typed(pd.DataFrame(values), kinds={names[n]: c.kind for n, c in usable.items()})
    return made[key]


def _shown(values: Any) -> Any:
    texts = {value: page.plain(value) for value in set(values.tolist()) if value is not None}
    return np.array([texts.get(value) for value in values.tolist()], dtype=object)


def typed(frame: Any, *, kinds: Mapping[str, ColumnKind] | None = None, **tasks: Any) -> Any:
    """Return Evidently's dataset with every column's type stated, so that it infers none."""
    evidently = load()
    if kinds is None:
        kinds = {
            name: ColumnKind.NUMERIC if frame[name].dtype.kind == "f" else ColumnKind.CATEGORICAL
            for name in frame.columns
        }
    definition = evidently.DataDefinition(
        numerical_columns=[n for n, kind in kinds.items() if kind.is_number],
        categorical_columns=[n for n, kind in kinds.items() if kind is ColumnKind.CATEGORICAL],
        text_columns=[],
        datetime_columns=[],
        unknown_columns=[],
        list_columns=[],
        **tasks,
    )
    with engine(_NAME), quiet():
        return evidently.Dataset.from_pandas(frame, data_definition=definition)


def _told(scope: Scope, keys: Iterable[Any], asked: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
    """Return what Evidently says, or of each of the keys why it says nothing; tell the log."""
    try:
        found = asked()
    except FAILURES as error:
        return dict.fromkeys(keys, unable(error, scope.window))
    failures = (text for text in found.values() if isinstance(text, str))
    for failure in dict.fromkeys(text for text in failures if text.startswith(_FAILED)):
        unable(SuiteError(failure), scope.window)
    return found


def _values(metrics: Mapping[Any, Any], current: Any, reference: Any = None) -> dict[Any, Any]:
    """Return the values of these metrics, one by one where all at once fail: then in words why."""
    try:
        return _run(metrics, current, reference)
    except SuiteError as error:
        if len(metrics) == 1:
            return dict.fromkeys(metrics, str(error))
        alone = (_values({key: metric}, current, reference) for key, metric in metrics.items())
        return {key: value for each in alone for key, value in each.items()}


def _run(metrics: Mapping[Any, Any], current: Any, reference: Any) -> dict[Any, Any]:
    evidently = load()
    with engine(_NAME), quiet(), without_pictures():
        snapshot = evidently.Report(list(metrics.values())).run(current, reference)
        results = snapshot.metric_results
        return {key: _value(results[metric.metric_id]) for key, metric in metrics.items()}


@contextmanager
def without_pictures() -> Iterator[None]:
    """Keep Evidently from drawing what nobody looks at: five sixths of the time of a column."""
    from evidently.metrics.column_statistics import ValueDriftCalculation

    drawn = ValueDriftCalculation._render
    ValueDriftCalculation._render = lambda *_: []
    try:
        yield
    finally:
        ValueDriftCalculation._render = drawn


@contextmanager
def one_picture() -> Iterator[None]:
    """Keep Evidently from drawing a column anew for its mean, its deviation and each quantile.

    The seven pictures are the same but for a title, and its summary shows the first.
    """
    from evidently.metrics import column_statistics

    draw, drawn = column_statistics.distribution, dict[Any, Any]()

    def first(title: str, current: Any, reference: Any) -> Any:
        name = current.data.name
        if name not in drawn:
            drawn[name] = draw(title, current, reference)
        return drawn[name]

    column_statistics.distribution = first
    try:
        yield
    finally:
        column_statistics.distribution = draw


def rendered(widgets: Sequence[Any]) -> str:
    """Return Evidently's own page of these widgets."""
    load()
    from evidently.core.metric_types import render_widgets

    return str(render_widgets(list(widgets)))


def _value(result: Any) -> Any:
    if hasattr(result, "mean"):
        return result.mean.value
    if hasattr(result, "values"):
        return {label: single.value for label, single in result.values.items()}
    return result.value


def _measured(
    scope: Scope,
    suite: Suite,
    metric: str,
    found: Found,
    *,
    factor: float = 1.0,
    remark: str = "",
    **rest: Any,
) -> Measurement:
    value, reason = (None, found) if isinstance(found, str) else (steady(found * factor), remark)
    return scope.measurement(suite, metric, value, engine=Engine.EVIDENTLY, reason=reason, **rest)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep numpy's and scikit-learn's warnings of divisions by zero out of the log."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def load() -> Any:
    """Return Evidently, which takes seconds to import, with its telemetry off."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    with importing("evidently", "evidently", "evidently"), quiet():
        import evidently
        import evidently.metrics
        import evidently.presets
    return evidently
