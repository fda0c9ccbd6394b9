"""What the rules said of the measurements."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select

from driftline.domain import (
    HOUR,
    Measurement,
    Outcome,
    Series,
    Suite,
    Verdict,
    Window,
    cadence_length,
)
from driftline.store.engine import lock
from driftline.store.measurements import newest
from driftline.store.rows import Row, key, measurement_of, row_of, same, series_of, window_of
from driftline.store.tables import MEASUREMENT, NUMBER, verdicts
from driftline.store.types import label, storable

History = dict[tuple[str, Series], list[tuple[datetime, Outcome]]]
"""By rule and series: the ends of the judged windows and what was said, oldest first."""


def replace(
    connection: Connection,
    found: Iterable[Verdict],
    *,
    judged: Sequence[Measurement],
    run_id: str,
    recorded_at: datetime,
) -> bool:
    """Make these all verdicts on the measurements that were judged, whichever rules there were.

    Returns whether that changed anything; verdicts that say what they said stay untouched. Raises
    ValueError for a verdict on something else.
    """
    rows = [row_of(measurement) for measurement in judged]
    verdict_rows = [_row(verdict, run_id, recorded_at) for verdict in found]
    known = {tuple(row[name] for name in MEASUREMENT) for row in rows}
    for row in verdict_rows:
        if tuple(row[name] for name in MEASUREMENT) not in known:
            raise ValueError(f"{row['rule']} speaks of {row['metric']}, which was not judged")
    if not rows:
        return False
    for monitor in sorted({row["monitor"] for row in rows}):
        lock(connection, monitor)
    before = _said(connection, rows)
    after = {_subject(row): _says(row) for row in verdict_rows}
    if before == after:
        return False
    judged_before = delete(verdicts).where(same(verdicts, MEASUREMENT))
    connection.execute(judged_before, [key(row, MEASUREMENT) for row in rows])
    if verdict_rows:
        connection.execute(insert(verdicts), verdict_rows)
    return True


_SAYS = ("verdict", "reason", "streak", "firing")


def _subject(row: Row) -> tuple[object, ...]:
    named = (row[name] for name in ("rule", *MEASUREMENT))
    return tuple(label(value) if isinstance(value, str) else value for value in named)


def _says(row: Row) -> tuple[object, ...]:
    return tuple(storable(v) if isinstance(v, str) else v for v in (row[name] for name in _SAYS))


def _said(connection: Connection, judged: Sequence[Row]) -> dict[tuple[object, ...], object]:
    """Return by rule and measurement what is said of these measurements by now."""
    own = verdicts.c
    shared = ("monitor", "cadence", "window_start", "suite", "as_of", "config_hash")
    known = {_subject({**row, "rule": ""})[1:] for row in judged}
    said: dict[tuple[object, ...], object] = {}
    for one in {tuple(row[name] for name in shared) for row in judged}:
        asked = select(verdicts).where(
            *(own[name] == value for name, value in zip(shared, one, strict=True))
        )
        said |= {_subject(row): _says(row) for row in connection.execute(asked).mappings()}
    return {subject: words for subject, words in said.items() if subject[1:] in known}


def judged_after(
    connection: Connection,
    monitor: str,
    interval: Window,
    config_hash: str,
    *,
    longest: timedelta,
) -> list[Window]:
    """Return the hours and days that end later than this interval and were judged, in order.

    A run judges windows, at most `longest`, that end with its interval; of an hour and a day that
    end together the hour comes first.
    """
    own = verdicts.c
    later = own.window_end > interval.end
    if interval.cadence == "1h":
        later = or_(later, and_(own.window_end == interval.end, own.cadence != "1h"))
    asked = (
        select(own.window_end, own.cadence)
        .distinct()
        .where(
            own.monitor == monitor,
            own.config_hash == config_hash,
            own.window_start >= interval.end - longest,
            own.as_of == own.window_end,
            later,
        )
    )
    ends = {(row.window_end, row.cadence != "1h") for row in connection.execute(asked)}
    return [Window.ending("1d" if daily else "1h", end) for end, daily in sorted(ends)]


def says(
    connection: Connection,
    monitor: str,
    beginning: str,
    *,
    config_hash: str,
    after: datetime,
    until: datetime,
) -> bool:
    """Return whether a reason begins like this, of a window that ends in `(after, until]`."""
    own = verdicts.c
    asked = select(own.rule).where(
        own.monitor == monitor,
        own.config_hash == config_hash,
        own.window_end > after,
        own.window_end <= until,
        own.reason.startswith(beginning, autoescape=True),
    )
    return connection.execute(asked.limit(1)).first() is not None


def of_window(
    connection: Connection, monitor: str, window: Window, config_hash: str
) -> list[Verdict]:
    """Return what is said by now of a window: the verdicts on the newest as_of of each number."""
    known, own = newest(monitor, window, config_hash).subquery(), verdicts.c
    asked = (
        select(
            known,
            own.rule,
            own.verdict,
            own.reason.label("verdict_reason"),
            own.streak,
            own.firing,
        )
        .join(verdicts, and_(*(own[name] == known.c[name] for name in MEASUREMENT)))
        .order_by(own.rule, *(known.c[name] for name in MEASUREMENT))
    )
    return [
        Verdict(
            rule=row["rule"],
            measurement=measurement_of(row),
            outcome=Outcome(row["verdict"]),
            reason=row["verdict_reason"],
            streak=row["streak"],
            firing=row["firing"],
        )
        for row in connection.execute(asked).mappings()
    ]


def history(
    connection: Connection,
    monitor: str,
    rules: Collection[str],
    *,
    cadence: str,
    config_hash: str,
    start: datetime | None = None,
    before: datetime | None = None,
    limit: int | None = None,
) -> History:
    """Return what these rules said of windows that start in `[start, before)`.

    Only the newest as_of of a window counts, and only this configuration: numbers that were made
    differently do not add up to a streak. What could not be evaluated is left out, for it neither
    counts nor resets. `limit` keeps the newest so many of each rule and series.
    """
    own = verdicts.c
    subject = [*(own[name] for name in NUMBER), own.rule]
    last = func.max(own.as_of).over(partition_by=subject).label("newest")
    chosen = select(*subject, own.window_end, own.verdict, own.as_of, last).where(
        own.monitor == monitor,
        own.rule.in_(rules),
        own.cadence == cadence,
        own.config_hash == config_hash,
    )
    if start is not None:
        chosen = chosen.where(own.window_start >= start)
    if before is not None:
        chosen = chosen.where(own.window_start < before)
    said = chosen.subquery()
    series = [said.c.rule, *(said.c[name] for name in NUMBER if name != "window_start")]
    place = func.row_number().over(partition_by=series, order_by=said.c.window_start.desc())
    evaluated = (
        select(
            *series, said.c.window_start, said.c.window_end, said.c.verdict, place.label("place")
        )
        .where(said.c.as_of == said.c.newest, said.c.verdict != Outcome.NOT_EVALUATED.value)
        .subquery()
    )
    asked = select(evaluated).order_by(evaluated.c.window_start)
    if limit is not None:
        asked = asked.where(evaluated.c.place <= limit)
    found: History = defaultdict(list)
    for row in connection.execute(asked).mappings():
        said_of = found[row["rule"], series_of(row)]
        said_of.append((row["window_end"], Outcome(row["verdict"])))
    return dict(found)


REACH = 30
"""Windows that `outcomes` looks back for each one it wants: a series that is evaluated less often
than in one window of so many starts anew. It bounds what a judgement reads of a long history."""


def outcomes(
    connection: Connection,
    monitor: str,
    rules: Collection[str],
    *,
    cadence: str,
    before: datetime,
    config_hash: str,
    limit: int,
    after: datetime | None = None,
) -> dict[tuple[str, Series], list[Outcome]]:
    """Return the last `limit` outcomes of each rule and series, oldest first, for counting `for`.

    Of windows that start before the given moment (and at or `after` another) and could be
    evaluated; see `history`.
    """
    step = min(cadence_length(cadence), 24 * HOUR)  # windows of days end at every midnight
    start = before - max(limit * REACH * step, timedelta(days=3))
    past = history(
        connection,
        monitor,
        rules,
        cadence=cadence,
        config_hash=config_hash,
        start=max(start, after) if after else start,
        before=before,
        limit=limit,
    )
    return {subject: [outcome for _, outcome in said] for subject, said in past.items()}


def failures(
    connection: Connection,
    monitor: str,
    *,
    suite: Suite,
    outcome: Outcome,
    config_hash: str,
    start: datetime,
    end: datetime,
) -> list[tuple[str, Series, Window]]:
    """Return (rule, series, window) of the verdicts of a suite that came out so.

    Of windows inside `[start, end]`; what was said of a number that was measured and judged again
    since does not count.
    """
    own, newer = verdicts.c, verdicts.alias("newer").c
    number = ("rule", "config_hash", *NUMBER)
    restated = exists().where(
        *(newer[name] == own[name] for name in number), newer.as_of > own.as_of
    )
    asked = select(verdicts).where(
        own.monitor == monitor,
        own.verdict == outcome.value,
        own.suite == suite.value,
        own.config_hash == config_hash,
        own.window_start >= start,
        own.window_end <= end,
        ~restated,
    )
    rows = connection.execute(asked.order_by(own.window_start, own.rule)).mappings()
    return [(row["rule"], series_of(row), window_of(row)) for row in rows]


def _row(verdict: Verdict, run_id: str, recorded_at: datetime) -> dict[str, object]:
    row = row_of(verdict.measurement)
    for name in ("lower", "upper", "row_count", "coverage"):
        del row[name]
    return row | {
        "rule": verdict.rule,
        "verdict": verdict.outcome.value,
        "reason": verdict.reason,
        "streak": verdict.streak,
        "firing": verdict.firing,
        "run_id": run_id,
        "recorded_at": recorded_at,
    }
