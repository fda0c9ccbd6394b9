"""The report of a window: what it shows, and its page with Evidently's charts."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from driftline.domain import ColumnKind, Explanation, Outcome, Verdict, Window
from driftline.errors import SuiteError
from driftline.monitor.config import Monitor
from driftline.monitor.sections import DriftMethod, Task
from driftline.printable import amount
from driftline.profile.rows import Rows
from driftline.suites import evidently, page
from driftline.suites.drift import BOUNDS
from driftline.suites.engines import FAILURES, engine, unable
from driftline.suites.frame import Frame, obstacle
from driftline.suites.outcomes import Outcomes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Content:
    """What the report of a window is made of, as a page or a document; nothing sensitive is in it.

    `methods` is by column the first of its drift methods that can be drawn, `verdicts` what rules
    say of the whole window, the worst first; `remarks` name what cannot be shown, and why.
    """

    monitor: Monitor
    window: Window
    current: Frame
    reference: Frame
    methods: Mapping[str, DriftMethod]
    outcomes: Outcomes | None
    verdicts: tuple[Verdict, ...]
    why: Explanation | None
    remarks: tuple[str, ...]


def content(
    monitor: Monitor,
    window: Window,
    current: Rows | Frame,
    reference: Rows | Frame,
    columns: Mapping[str, ColumnKind],
    outcomes: Outcomes | None = None,
    verdicts: Sequence[Verdict] = (),
    *,
    why: Explanation | None = None,
    remarks: Sequence[str] = (),
) -> Content:
    """Choose what is shown of a window: all but what is sensitive or cannot be compared."""
    hides = monitor.features.hides
    sensitive = {name for name in columns if hides(name)}
    columns = {name: kind for name, kind in columns.items() if name not in sensitive}
    current, reference = Frame.of(current, columns), Frame.of(reference, columns)
    remarks = list(remarks)
    if sensitive:
        remarks.append(f"not shown, being sensitive: {', '.join(sorted(sensitive))}")
    methods = {}
    for name, kind in columns.items():
        written = monitor.drift_methods(name, kind)
        drawn = [m for m in (*written, DriftMethod.PSI) if m in evidently.TESTS]
        reasons = [obstacle(name, method, current, reference) for method in drawn]
        if not all(reasons):
            methods[name] = drawn[reasons.index("")]
        else:
            remarks.append(f"not shown: {reasons[0]}")
    if outcomes is not None:
        remarks += _without_performance(outcomes)
    shown = [verdict for verdict in verdicts if not hides(verdict.measurement.column_name)]
    return Content(
        monitor=monitor,
        window=window,
        current=current,
        reference=reference,
        methods=methods,
        outcomes=outcomes,
        verdicts=tuple(sorted(shown, key=lambda v: (_WORST_FIRST.index(v.outcome), v.rule))),
        why=why,
        remarks=tuple(remarks),
    )


def html(shown: Content) -> str:
    """Return the report as one HTML page that needs nothing else and runs no data.

    It begins with what the rules say of the window, the worst first; then come drift by the first
    method of each column that Evidently draws, performance where there are outcomes, and a summary
    of the columns.
    """
    current, reference, methods = shown.current, shown.reference, shown.methods
    outcomes, remarks = shown.outcomes, list(shown.remarks)
    widgets: list[Any] = []
    sections: list[tuple[str, Callable[[], list[Any]]]] = []
    if methods:
        sections.append(("drift", lambda: _drift_widgets(current, reference, methods)))
    if outcomes is not None and not outcomes.empty:
        sections.append(("performance", lambda: _performance_widgets(outcomes)))
    if methods:
        sections.append(("the summary", lambda: _summary_widgets(current, reference, methods)))
    for name, draw in sections:
        try:
            with engine("Evidently"), evidently.quiet():
                widgets += draw()
        except FAILURES as error:
            remarks.append(f"{name} could not be drawn: {unable(error, shown.window)}")
    try:
        drawing = _drawing(widgets) if widgets else None
    except FAILURES as error:
        drawing = None
        remarks.append(f"nothing could be drawn: {unable(error, shown.window)}")
    header = page.Header(
        title=shown.monitor.monitor,
        subtitle=str(shown.window),
        facts=_facts(shown.monitor, current, reference, outcomes),
        said=_said(shown.verdicts),
        why=_told(shown.why),
        remarks=tuple(remarks),
    )
    return page.render(header, drawing)


_WORST_FIRST = (Outcome.CRITICAL, Outcome.WARN, Outcome.NOT_EVALUATED, Outcome.OK)
_MOST_SAID = 8


def _said(verdicts: Sequence[Verdict]) -> tuple[tuple[str, str], ...]:
    """Return the verdicts that are not ok, the worst come first, and how many are."""
    failed = (v for v in verdicts if v.outcome != Outcome.OK)
    open_ = [(str(v.outcome), f"{v.rule}: {v.reason}") for v in failed]
    more = [("", f"and {len(open_) - _MOST_SAID} more")] if len(open_) > _MOST_SAID else []
    kept = len(verdicts) - len(open_)
    fine = [(str(Outcome.OK), amount(kept, "other verdict"))] if kept else []
    return (*open_[:_MOST_SAID], *more, *fine)


def _told(found: Explanation | None) -> tuple[str, ...]:
    """Return an explanation as the page shows it: the fall, then the causes."""
    if found is None:
        return ()
    causes = [
        f"{cause.words}{f' (since {cause.began:%Y-%m-%d %H:%M} UTC)' if cause.began else ''}"
        + ("" if cause.share is None else f": {cause.share:.0%} of the fall")
        for cause in found.causes
    ]
    return (found.words, *causes)


def _facts(
    monitor: Monitor, current: Frame, reference: Frame, outcomes: Outcomes | None
) -> tuple[tuple[str, str], ...]:
    rows = f"{current.total:,}" if current.rows >= current.total else current.sample
    span = monitor.reference.window
    compared = amount(reference.total, "row")
    if span:
        compared = f"{span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}, {compared}"
    facts = [("Rows", rows), ("Compared with", compared)]
    if outcomes is not None and outcomes.coverage is not None:
        labelled = f"{outcomes.coverage:.1%} ({outcomes.labelled:,} of {outcomes.rows:,})"
        facts.append(("Predictions with a label", labelled))
    return tuple(facts)


def _drift_widgets(
    current: Frame, reference: Frame, methods: Mapping[str, DriftMethod]
) -> list[Any]:
    library = evidently.load()
    names = _titles(current, methods)
    shown = [evidently.dataset_of(frame, names, shown=True) for frame in (current, reference)]
    preset = library.presets.DataDriftPreset(
        columns=list(names.values()),
        per_column_method={names[n]: evidently.TESTS[m].stattest for n, m in methods.items()},
        per_column_threshold={names[n]: _threshold(m) for n, m in methods.items()},
    )
    with evidently.without_pictures():  # the preset draws its own
        return _drawn([preset], *shown)


def _summary_widgets(current: Frame, reference: Frame, columns: Iterable[str]) -> list[Any]:
    names = _titles(current, columns)
    shown = [evidently.dataset_of(frame, names, shown=True) for frame in (current, reference)]
    preset = evidently.load().presets.DataSummaryPreset(columns=list(names.values()))
    with evidently.one_picture():
        return _drawn([preset], *shown)


def _threshold(method: DriftMethod) -> float:
    """Return the conventional bound in the unit of Evidently's own score."""
    test = evidently.TESTS[method]
    return BOUNDS[test.metric].limit / test.factor


def _without_performance(outcomes: Outcomes) -> list[str]:
    """Return why performance, or that of the predicted classes, is not shown."""
    classed = outcomes.of("accuracy")
    if outcomes.empty or (outcomes.scores is None and classed.empty):
        return [f"performance is not shown: {outcomes.empty or classed.empty}"]
    return [f"predicted classes are not shown: {classed.empty}"] if classed.empty else []


def _performance_widgets(outcomes: Outcomes) -> list[Any]:
    library = evidently.load()
    if outcomes.task is Task.REGRESSION:
        return _drawn(
            [library.presets.RegressionPreset()], evidently.scored_dataset(outcomes, scored=False)
        )
    widgets = []
    classed, scored = outcomes.of("accuracy"), outcomes.of("roc_auc")
    if len({*classed.present.tolist(), *np.unique(classed.y_pred).tolist()}) > 1:
        widgets += _drawn(
            [library.presets.ClassificationPreset()],
            _named_classes(classed),
        )
    if scored.scores is not None and not scored.undefined("roc_auc"):
        metrics = library.metrics
        widgets += _drawn(
            [
                metrics.RocAuc(roc_curve=True, pr_table=scored.task is Task.BINARY),
                metrics.LogLoss(),
            ],
            evidently.scored_dataset(scored, scored=True),
        )
    return widgets


def _named_classes(outcomes: Outcomes) -> Any:
    """Return labels and predicted classes by name, as a reader knows them."""
    import pandas as pd

    library = evidently.load()
    names = list(_display_names(outcomes.classes).values())
    named = np.array(names, dtype=object)
    frame = pd.DataFrame({"label": named[outcomes.y_true], "predicted": named[outcomes.y_pred]})
    seen = {*frame["label"], *frame["predicted"]}
    roles = {"target": "label", "prediction_labels": "predicted"}
    if len(seen) > 2:
        task = library.MulticlassClassification(**roles)
    else:
        positive = names[1] if names[1] in seen else sorted(seen)[-1]
        task = library.BinaryClassification(**roles, pos_label=positive)
    return evidently.typed(frame, classification=[task])


def _titles(frame: Frame, names: Iterable[str]) -> dict[str, str]:
    """Return the names of columns with what is counted of them, fit to be drawn."""
    return _display_names({name: frame.columns[name].kind.heading(name) for name in names})


def _display_names(names: Iterable[str]) -> dict[str, str]:
    """Return names, or the titles that they map to, fit to be drawn and still one for each."""
    titles = names if isinstance(names, Mapping) else {}
    shown: dict[str, str] = {}
    for name in names:
        text = page.plain(titles.get(name, name)) or "?"
        while text in shown.values():
            text += "′"  # noqa: RUF001 (a prime)
        shown[name] = text
    return shown


def _drawn(parts: Sequence[Any], current: Any, reference: Any = None) -> list[Any]:
    snapshot = evidently.load().Report(list(parts)).run(current, reference)
    return list(snapshot.to_snapshot_model().widgets)


def _drawing(widgets: Sequence[Any]) -> page.Drawing:
    """Return the widgets for our page: Evidently's carries its data in a script, unescaped."""
    with engine("Evidently"):
        drawn = evidently.rendered(widgets)
        static = files("evidently") / "nbextension" / "static"
        return page.Drawing(
            dashboard=_json_after(drawn, r"var metric_\w+ = "),
            graphs=_json_after(drawn, r"var additional_graphs_\w+ = "),
            library=(static / "index.js").read_text(encoding="utf-8"),
            font=(static / "material-ui-icons.woff2").read_bytes(),
        )


def _json_after(text: str, pattern: str) -> Any:
    match = re.search(pattern, text)
    if match is None:
        raise SuiteError("Evidently's page has no data where this version should have them")
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    return decoder.raw_decode(text, match.end())[0]
