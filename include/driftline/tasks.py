"""One run of a monitor's interval, cut into what a task of its DAG calls.

    freeze -> measure each suite, fill -> judge -> report, alert, or retrain

Every function opens what it needs and closes it; each may be called again after whatever end.
`python -m driftline.tasks '{"do": "measure", ...}'` calls one in another Python than Airflow's.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driftline.alerts import delivery
from driftline.child import obey
from driftline.connections import Connections, from_environment
from driftline.domain import Evidence, Incident, Suite, Verdict, Window
from driftline.errors import (
    DeliveryError,
    DriftlineError,
    InputError,
    StepFailed,
    StoreError,
    WindowClaimed,
)
from driftline.flow import measure as measuring
from driftline.flow import pipeline, reports
from driftline.flow.conclusion import Conclusion
from driftline.flow.inquiry import conclude_explained
from driftline.flow.reports import Links
from driftline.flow.step import Result, Step
from driftline.flow.watch import Watch
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.printable import amount
from driftline.retraining import admission
from driftline.retraining.request import Request
from driftline.store import Store, ledger, open_store, outbox, retrainings


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a monitor's interval, under which name, and whether it may speak.

    `interval` is an hour (`1h`) or a day (`1d`). A run that does not `page` (a backfill) tells
    nobody and retrains nothing.
    """

    monitor: Monitor
    interval: Window
    run_id: str
    page: bool = True
    connections: Connections = from_environment
    links: Links | None = None
    """Where it is seen in Airflow."""

    @property
    def steps(self) -> list[Step]:
        """What it measures, in order."""
        return pipeline.steps(self.monitor, self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from the verdicts of a run: somebody is told, the model is retrained, or not.

    `clear` is whether all is well: no incident is open, and nothing is in doubt that should not be.
    """

    alert: bool
    retrain: Request | None
    clear: bool
    reason: str


def suites(monitor: Monitor, cadence: str) -> tuple[Suite, ...]:
    """Return which suites the runs of this cadence (`1h` or `1d`) measure."""
    if cadence == "1h":
        return (Suite.QUALITY, *pipeline.in_sql(monitor), Suite.DRIFT)
    days = any(window != "1h" for window in monitor.windows)
    own = (Suite.QUALITY, *pipeline.in_sql(monitor)) if days else ()
    labelled = (Suite.PERFORMANCE,) if monitor.labels else ()
    return (*own, Suite.DRIFT, *labelled)  # drift also finds the rows that came late


def freeze(run: Run) -> str:
    """Count and keep the references of the run's windows; say what they are compared with.

    What goes wrong stands in the ledger too: nothing of this run can be measured then.
    """
    with open_store(run.monitor, run.connections) as store:
        try:
            with Watch(run.monitor, run.connections) as watch:
                compared, missed = pipeline.references_of(store, watch, run.steps)
        except StoreError:
            raise
        except DriftlineError as error:
            _record(store, run, _failed(run.steps, error))
            raise
        _record(store, run, [result for result in missed if result.error])
    _raise(missed)
    said = [
        f"{window}: reference {one.id}, {amount(one.statistics.rows, 'row')}"
        for window, one in compared.items()
    ]
    return "\n".join([*said, *(f"{r.step.window}: {r.not_evaluated}" for r in missed)])


def measure(run: Run, suite: Suite) -> list[Result]:
    """Measure one suite of the run's windows and record what was found.

    Raises WindowClaimed while another run measures the same, and StepFailed when something went
    wrong: what did stands in the ledger, and what could be measured is kept.
    """
    wanted = _TOGETHER.get(suite, (suite,))
    planned = [step for step in run.steps if step.suite in wanted]
    unknown: list[Result] = []
    with open_store(run.monitor, run.connections) as store:
        again = pipeline.done_before(store, run.monitor, planned)
        pipeline.claim(store, run.monitor, planned, run.run_id)
        try:
            with Watch(run.monitor, run.connections) as watch:
                if suite in pipeline.RESTATED:
                    found, unknown = pipeline.plan(
                        store, watch, run.interval, run.run_id, suites=(suite,)
                    )
                    planned = [step for step in found if step.suite in wanted]
                results = [*unknown, *_measured(store, watch, planned, run.run_id, again)]
        except StoreError:
            raise
        except DriftlineError as error:
            _record(store, run, _failed(planned, error))
            raise
        _record(store, run, results)
    _raise(results)
    return results


_TOGETHER = {Suite.PERFORMANCE: (Suite.PERFORMANCE, Suite.ESTIMATE)}
"""What one task measures because it is made of the same counts."""


def fill(run: Run) -> list[Window]:
    """Measure and judge the hours of the run's day that no run has measured; return them.

    Hours that another run is at are left to it.
    """
    with _opened(run) as (store, watch):
        filled, failed = [], []
        for hour in pipeline.missing_hours(store, run.monitor, run.interval, datetime.now(UTC)):
            one = replace(run, interval=hour, run_id=f"fill__{run.run_id}")
            try:
                pipeline.claim(store, one.monitor, one.steps, one.run_id)
            except WindowClaimed:
                continue
            results = _measured(store, watch, one.steps, one.run_id)
            _record(store, one, results)
            _judged(store, watch, one)
            failed += [result for result in results if result.error]
            filled.append(hour)
    _raise(failed)
    return filled


def judge(run: Run) -> Decision:
    """Judge what the run recorded, keep the incidents, put the message into the outbox.

    Returns what follows; calling it again changes nothing and returns the same.
    """
    with _opened(run) as (store, watch):
        conclusion = _judged(store, watch, run)
        with store.read() as connection:
            alert = run.page and bool(outbox.pending(connection, run.monitor.monitor))
        retrain, reason = _retraining(store, run, conclusion.open)
    failed = sum(verdict.outcome.failed for verdict in conclusion.verdicts)
    verdicts = amount(len(conclusion.verdicts), "verdict")
    said = f"{verdicts}, {failed} failed, {len(conclusion.open)} open"
    return Decision(
        alert=alert,
        retrain=retrain,
        clear=not conclusion.open and not conclusion.doubts.grave,
        reason="; ".join([said, *conclusion.doubts.lines, reason]),
    )


def report(run: Run) -> list[Path]:
    """Write the HTML reports that the run owes: of its day, and where an incident opened."""
    with _opened(run) as (store, watch):
        with store.read() as connection:
            owed = reports.owed(connection, run.monitor, run.interval.end) | {run.interval}
        planned = [
            Step(suite=Suite.DRIFT, window=window, as_of=run.interval.end)
            for window in sorted(owed, key=lambda window: (window.end, window.start))
        ]
        compared, _ = pipeline.references_of(store, watch, planned)
        with store.read() as connection:
            known = ledger.of(
                connection,
                run.monitor.monitor,
                config_hash=run.monitor.config_hash,
                start=min((step.window.start for step in planned), default=run.interval.start),
                end=run.interval.end,
                states=[ledger.State.DONE],
            )
        filled = {e.window for e in known if e.suite in pipeline.RESTATED and e.rows}
        return [
            reports.write_report(store, watch, compared[step.window], step)
            for step in planned
            if step.window in compared and step.window in filled
        ]


def alert(run: Run) -> None:
    """Send what is due in the monitor's outbox; raises DeliveryError for what is not taken."""
    deliver(run.monitor, run.connections)


def deliver(monitor: Monitor, connections: Connections = from_environment) -> None:
    """Send what is due in a monitor's outbox; raises DeliveryError for what is not taken."""
    with open_store(monitor, connections) as store:
        errors = delivery.deliver(store, monitor.monitor)
    if errors:
        raise DeliveryError("\n".join(errors))


def _retraining(
    store: Store, run: Run, open_now: Mapping[Incident, Verdict]
) -> tuple[Request | None, str]:
    """Return the retraining that open incidents ask for, if it may be, and why or why not."""
    monitor, end = run.monitor, run.interval.end
    if monitor.retraining is None:
        return None, "no retraining is set up"
    asking = {rule.name for rule in monitor.rules or () if "retrain" in rule.then}
    with store.read() as connection:
        promotions = retrainings.promotions(connection, monitor.monitor)
    evidence = [
        Evidence.of(incident, verdict)
        for incident, verdict in sorted(open_now.items(), key=lambda pair: pair[0].id)
        if incident.rule in asking
        and not any(verdict.measurement.window.start < one < end for one in promotions)
    ]
    if not evidence:
        return None, "nothing asks for retraining"
    if not run.page:
        return None, "a backfill retrains nothing"
    reason = "; ".join(dict.fromkeys(each.reason for each in evidence))
    request = Request(monitor=monitor.monitor, as_of=end, reason=reason, evidence=tuple(evidence))
    with store.read() as connection:
        refusal = admission.refusal(connection, monitor, request)
    if refusal:
        return None, f"not retrained: {refusal}"
    return request, f"to be retrained: {reason}"


@contextmanager
def _opened(run: Run) -> Iterator[tuple[Store, Watch]]:
    with (
        open_store(run.monitor, run.connections) as store,
        Watch(run.monitor, run.connections) as watch,
    ):
        yield store, watch


def _measured(
    store: Store, watch: Watch, planned: Sequence[Step], run_id: str, again: Sequence[Step] = ()
) -> list[Result]:
    compared, counted, ready, missed = pipeline.prepare(
        store, watch, planned, run_id=run_id, again=again
    )
    measured = measuring.measure_all(watch, ready, compared, counted)
    return [*missed, *measured]


def _failed(planned: Sequence[Step], error: DriftlineError) -> list[Result]:
    return [Result(step=step, reference_id="", error=str(error)) for step in planned]


def _record(store: Store, run: Run, results: Sequence[Result]) -> None:
    with store.begin(run.monitor.monitor) as connection:
        pipeline.record(connection, run.monitor, results, run.run_id)


def _judged(store: Store, watch: Watch, run: Run) -> Conclusion:
    with store.read() as connection:
        planned = pipeline.planned(connection, run.monitor, run.interval)
    compared, _ = pipeline.references_of(store, watch, planned)
    return conclude_explained(
        store,
        watch,
        compared,
        run.interval,
        run_id=run.run_id,
        page=run.page,
        links=run.links,
    )


def _raise(results: Sequence[Result]) -> None:
    errors = [f"{r.step.suite} of {r.step.window}: {r.error}" for r in results if r.error]
    if errors:
        raise StepFailed("\n".join(errors))


def call(what: str, run: Run, suite: str = "") -> Any:
    """Call one of the tasks that need the heavy engines, by its name; return plain JSON types."""
    if what == "freeze":
        return freeze(run)
    if what == "measure":
        return sum(len(result.measurements) for result in measure(run, Suite(suite)))
    if what == "fill":
        return [str(hour) for hour in fill(run)]
    if what == "report":
        return [str(path) for path in report(run)]
    raise InputError(f"no task {what!r}; there are: freeze, measure, fill, report")


def main(argument: str) -> int:
    """Call one task as its JSON says, in another Python than Airflow's; see `child.obey`."""
    return obey(argument, _asked)


def _asked(asked: Mapping[str, Any]) -> Any:
    run = Run(
        monitor=monitor_file.load(asked["monitor"]),
        interval=Window.ending(asked["cadence"], datetime.fromisoformat(asked["end"])),
        run_id=asked["run_id"],
        page=asked["page"],
        links=Links(**asked["links"]) if asked.get("links") else None,
    )
    return call(asked["do"], run, asked.get("suite", ""))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(main(sys.argv[1]))
