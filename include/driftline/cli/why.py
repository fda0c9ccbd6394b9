"""`driftline why`: why performance fell."""

from datetime import datetime

import click
from rich.table import Table

from driftline import metrics
from driftline.cli.console import Time, as_of_option, literal, open_store, out, the_window
from driftline.domain import Explanation, Suite
from driftline.errors import InputError, WarehouseError
from driftline.monitor import file as monitor_file
from driftline.monitor.sections import Task


@click.command()
@click.argument("monitor")
@click.option("--window", help="The cadence of the window.  [default: that of the rule]")
@click.option("--end", type=Time(), help="Its end.  [default: the last that was measured]")
@click.option("--metric", help="The metric.  [default: the first that a rule is about]")
@click.option("--segment", default="", help="One segment, such as origin=JFK.")
@as_of_option
def why(
    monitor: str,
    window: str | None,
    end: datetime | None,
    metric: str | None,
    segment: str,
    as_of: datetime | None,
) -> None:
    """Say why the performance of MONITOR's model fell in a window.

    It compares the labelled rows of the window with the reference's: how much of the fall comes of
    other inputs and how much of another relation to what came, and the likeliest causes, each with
    the share of the fall that it carries and the hour in which it began. An explanation that an
    alert has already waited for is shown as it stands in the store.
    """
    from driftline.flow import inquiry, pipeline
    from driftline.flow.step import Step
    from driftline.flow.watch import Watch
    from driftline.monitor.default_rules import performance_metric, performance_window
    from driftline.store import explanations, ledger

    loaded = monitor_file.find(monitor)
    if loaded.task is Task.NONE:
        raise InputError(
            f"{loaded.path}: task: none has no model, and so no performance that could fall; what "
            "has drifted is shown by driftline report and driftline metrics"
        )
    if loaded.labels is None:
        raise InputError(f"{loaded.path}: labels: without them nothing tells performance")
    allowed = metrics.PERFORMANCE[loaded.task]
    if metric is not None and metric not in allowed:
        raise InputError(f"--metric: found {metric!r}; allowed: {', '.join(allowed)}")
    with open_store(loaded) as store:
        with store.read() as connection:
            entries = ledger.of(connection, loaded.monitor, config_hash=loaded.config_hash)
        done = [entry for entry in entries if entry.suite is Suite.PERFORMANCE]
        chosen = the_window(
            loaded,
            window or performance_window(loaded),
            end,
            [entry.window for entry in done],
            "the performance of ",
        )
        known = [entry.as_of for entry in done if entry.window == chosen]
        moment = as_of or max(known, default=chosen.end)
        with store.read() as connection:
            found = explanations.newest(
                connection,
                loaded.monitor,
                chosen,
                loaded.config_hash,
                scope=segment,
                metric=metric,
                as_of=moment,
            )
        if found is None:
            metric = metric or performance_metric(loaded)
            with Watch(loaded) as watch:
                step = Step(suite=Suite.PERFORMANCE, window=chosen, as_of=moment)
                compared, missed = pipeline.references_of(store, watch, [step])
                for result in missed:
                    raise WarehouseError(result.error or result.not_evaluated)
                found = inquiry.inquire(store, watch, compared[chosen], step, metric, segment)
    about = f"{loaded.monitor}, {chosen}{f', {segment}' if segment else ''}"
    out.print(f"[bold]{literal(about)}[/], as known at {moment:%Y-%m-%d %H:%M} UTC", soft_wrap=True)
    out.print(literal(found.words), soft_wrap=True)
    if found.causes:
        out.print(_causes(found))


def _causes(found: Explanation) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "cause", "share of the fall", "began"):
        table.add_column(name, overflow="fold")
    for cause in found.causes:
        table.add_row(
            str(cause.rank),
            literal(cause.words),
            "" if cause.share is None else f"{cause.share:.0%}",
            "" if cause.began is None else f"{cause.began:%Y-%m-%d %H:%M}",
        )
    return table
