"""What came of the predictions of a stretch, counted in the warehouse on a reference's bins."""

from collections.abc import Mapping
from typing import Any

from driftline.classes import canonical
from driftline.config import Monitor
from driftline.outcome_profile import OutcomeBins, OutcomeProfile
from driftline.sections import Task
from driftline.warehouse import outcome_fold as fold
from driftline.warehouse.outcome_counting import Grouped, Grouping, Stretch
from driftline.warehouse.reader import Reader
from driftline.warehouse.rows import PREDICTION, SCORE, score_of


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


def scores_of(monitor: Monitor) -> Mapping[str, str]:
    """Return by the name of a class what a table of rows calls its score."""
    score = monitor.predictions.score
    classes = score if isinstance(score, dict) else ()
    return {canonical(name): score_of(name) for name in classes}
