"""Runs a monitor in process over a stretch of time, as its DAGs would, interval by interval."""

import logging
import os
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from multiprocessing import get_context, parent_process, util
from multiprocessing.connection import wait

from driftline.alerts.delivery import deliver
from driftline.connections import Connections, from_environment
from driftline.domain import Suite, Window, intervals
from driftline.errors import DriftlineError, SuiteError, unforeseen
from driftline.flow import measure, pipeline, reports
from driftline.flow.conclusion import Conclusion, unjudged
from driftline.flow.inquiry import conclude_explained
from driftline.flow.pipeline import Compared
from driftline.flow.step import Known, Result, Step
from driftline.flow.watch import Watch
from driftline.monitor.config import Monitor
from driftline.printable import amount, printable
from driftline.store import Store, ledger

log = logging.getLogger(__name__)


def planned(
    monitor: Monitor,
    start: datetime,
    end: datetime,
    store: Store | None = None,
    as_of: datetime | None = None,
) -> list[Window]:
    """Return the hours and days that end in `(start, end]`; given a store, those not done yet.

    Raises InputError for an end, or an `as_of`, that is yet to come: what is recorded is done.
    """
    pipeline.refuse_future("the end of the period", end)
    pipeline.refuse_future("the moment as of which labels count", as_of)
    found = list(intervals(monitor.windows, start, end))
    if store is None:
        return found
    with store.read() as connection:
        done = ledger.done(connection, monitor.monitor, config_hash=monitor.config_hash)
    return [
        interval
        for interval in found
        if any(
            (step.suite, step.window, step.as_of) not in done
            for step in pipeline.steps(monitor, interval, as_of)
        )
    ]


def run(
    monitor: Monitor,
    todo: Sequence[Window],
    store: Store,
    *,
    connections: Connections = from_environment,
    as_of: datetime | None = None,
    page: bool = True,
    jobs: int = 1,
) -> Iterator[Conclusion]:
    """Measure, judge and tell each interval in order; yield what it came to.

    Each interval is written in one transaction: a kill leaves the store as before it or after it.
    With `page` (a live run) incidents are told, and an HTML report is made of each window in which
    one fires, of a day that tells of one, and of the last day. `jobs` processes measure ahead;
    judging keeps to the order.
    """
    with ExitStack() as opened:
        watch = opened.enter_context(Watch(monitor, connections))
        measured = _measured(watch, todo, store, connections, as_of, jobs, opened)
        coming = set(todo)
        for interval, run_id, compared, results in measured:
            coming.discard(interval)
            if compared:
                conclusion = conclude_explained(
                    store,
                    watch,
                    compared,
                    interval,
                    results=results,
                    as_of=as_of,
                    run_id=run_id,
                    page=page,
                    coming=coming,
                )
            else:
                with store.begin(monitor.monitor) as connection:
                    pipeline.record(connection, monitor, results, run_id)
                    unmeasured = unjudged(connection, monitor, interval, as_of)
                conclusion = Conclusion(interval=interval, verdicts=(), open={}, doubts=unmeasured)
            for result in results:
                trouble = result.error or result.not_evaluated
                found = (
                    printable(trouble) if trouble else amount(len(result.measurements), "number")
                )
                log.info("%s of %s: %s", result.step.suite, result.step.window, found)
            failed = (f"{r.step.suite} of {r.step.window}: {r.error}" for r in results if r.error)
            undone = []
            if page and interval.cadence != "1h":
                day = conclusion.told or interval == todo[-1]
                undone += _reports(store, watch, compared, results, interval, day=day)
            if page:
                undone += deliver(store, monitor.monitor)
            yield replace(conclusion, failed=tuple(failed), undone=tuple(undone))


def _measured(
    watch: Watch,
    todo: Sequence[Window],
    store: Store,
    connections: Connections,
    as_of: datetime | None,
    jobs: int,
    opened: ExitStack,
) -> Iterator[tuple[Window, str, Compared, list[Result]]]:
    """Yield each interval's measurements, made here or ahead of time in worker processes."""
    alone = jobs == 1 or len(todo) < 2 * jobs
    if not alone:
        workers = ProcessPoolExecutor(
            jobs, get_context("spawn"), initializer=_open, initargs=(watch.monitor, connections)
        )
        opened.callback(workers.shutdown, cancel_futures=True)
    ahead: deque[tuple[Window, str, Compared, list[Result], Future[list[Result]]]] = deque()
    pending: list[Step] = []
    for interval in todo:
        run_id = f"run__{interval.end:%Y-%m-%dT%H:%M}__{uuid.uuid4().hex[:8]}"
        own = pipeline.steps(watch.monitor, interval, as_of)
        again = pipeline.done_before(store, watch.monitor, own)
        steps, unknown = pipeline.plan(store, watch, interval, run_id, as_of, pending=pending)
        pending = [*pending, *steps] if not alone else []
        compared, counted, ready, missed = pipeline.prepare(
            store,
            watch,
            steps,
            run_id=run_id,
            again=again,
            until=todo[-1].end,
        )
        if alone:
            future = _done(measure.measure_all(watch, ready, compared, counted))
        else:
            future = workers.submit(_measure, ready, compared, counted)
        missed = [*unknown, *missed]
        ahead.append((interval, run_id, compared, missed, future))
        if alone or len(ahead) > 3 * jobs:
            yield _awaited(*ahead.popleft())
    while ahead:
        yield _awaited(*ahead.popleft())


def _done(results: list[Result]) -> Future[list[Result]]:
    future: Future[list[Result]] = Future()
    future.set_result(results)
    return future


def _awaited(
    interval: Window,
    run_id: str,
    compared: Compared,
    missed: list[Result],
    future: Future[list[Result]],
) -> tuple[Window, str, Compared, list[Result]]:
    try:
        return interval, run_id, compared, [*missed, *future.result()]
    except BrokenProcessPool:
        raise SuiteError(
            f"a measuring process died at {interval} (out of memory?); what came before is kept: "
            "run it again, with --jobs 1 or a smaller drift.rows"
        ) from None


_worker: Watch


def _open(monitor: Monitor, connections: Connections) -> None:
    """Make this worker's watch; it ends with the run, however that ends."""
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Watch(monitor, connections)
    util.Finalize(None, _worker.close, exitpriority=1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _measure(
    steps: Sequence[Step], compared: Compared, counted: Mapping[Step, Known]
) -> list[Result]:
    return measure.measure_all(_worker, steps, compared, counted)


def _reports(
    store: Store,
    watch: Watch,
    compared: Compared,
    results: Sequence[Result],
    interval: Window,
    *,
    day: bool,
) -> list[str]:
    """Make the HTML reports that this run owes; return what went wrong."""
    with store.read() as connection:
        owed = reports.owed(connection, watch.monitor, interval.end)
    owed |= {interval} if day else set()
    filled = {r.step.window for r in results if r.rows and r.step.suite in pipeline.RESTATED}
    errors = []
    for window in sorted(owed & filled, key=lambda window: (window.end, window.start)):
        step = Step(suite=Suite.DRIFT, window=window, as_of=interval.end)
        try:
            with unforeseen():
                reports.write_report(store, watch, compared[window], step)
        except DriftlineError as error:
            errors.append(f"report of {window}: {error}")
    return errors
