"""`driftline retrain`: train a challenger, and promote it if it is better."""

from datetime import UTC, datetime

import click
from rich.table import Table

from driftline.cli.console import Time, err, literal, out, refuse_unnamed_store
from driftline.domain import DAY, Retraining, RetrainingState, floor
from driftline.monitor import file as monitor_file


@click.command()
@click.argument("monitor")
@click.option("--as-of", type=Time(), help="What is known.  [default: last midnight, UTC]")
@click.option("--reason", default="started by hand", show_default=True, help="Why; it is kept.")
@click.option("--approve", is_flag=True, help="Promote what passes, where the file wants a person.")
def retrain(monitor: str, as_of: datetime | None, reason: str, approve: bool) -> None:
    """Train a challenger for MONITOR and promote it if it beats the champion.

    What its DAG does in tasks: the challenger learns from labelled rows that end before the
    holdout, both models are compared on the holdout, and only when the whole 95% interval is a
    gain does it pass. With `approval: human` it stops there: look, then run it again with
    --approve. A refusal is a result, not a failure.
    """
    from driftline import tasks
    from driftline.flow.pipeline import refuse_future
    from driftline.retraining import steps
    from driftline.retraining.request import Request

    loaded = monitor_file.find(monitor)
    refuse_future("--as-of", as_of)
    refuse_unnamed_store(loaded.store, str(loaded.path))
    moment = as_of or floor(datetime.now(UTC), DAY)
    run_id = f"retrain__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    request = Request(monitor=loaded.monitor, as_of=moment, reason=reason)
    waits = loaded.retraining is not None and loaded.retraining.approval == "human"
    with err.status("asking whether it may begin") as status:
        row = steps.admit(loaded, request, run_id=run_id)
        if row.state is RetrainingState.ADMITTED:
            status.update("training a challenger")
            row = steps.challenge(loaded, moment, run_id=run_id)
        if row.state is RetrainingState.TRAINED:
            status.update("comparing it with the champion on the holdout")
            row = steps.gate(loaded, moment, run_id=run_id)
        if row.state is RetrainingState.PASSED and (approve or not waits):
            status.update("fitting it on everything, promoting it")
            steps.refit(loaded, moment, run_id=run_id)
            row = steps.promote(loaded, moment, run_id=run_id)
        steps.announce(loaded, moment, run_id=run_id)
    _show(row)
    if row.state is RetrainingState.PASSED:
        called = literal(monitor_file.called(loaded))
        out.print(
            "It awaits your approval:  driftline retrain "
            f"{called} --as-of {moment:%Y-%m-%dT%H:%M:%S} --approve",
            soft_wrap=True,
            highlight=False,
        )
    tasks.deliver(loaded)


def _show(row: Retraining) -> None:
    color = {RetrainingState.PROMOTED: "green", RetrainingState.REFUSED: "yellow"}.get(
        row.state, ""
    )
    out.print(f"[{color or 'bold'}]{row.state}[/]: {literal(row.decision)}", soft_wrap=True)
    if row.champion_value is None or row.challenger_value is None or row.gain is None:
        return
    table = Table("model", literal(row.metric), title_justify="left")
    table.add_row(f"champion {literal(row.champion)}", f"{row.champion_value:.4f}")
    table.add_row("challenger", f"{row.challenger_value:.4f}")
    table.add_row("gain, 95% interval", f"{row.gain:+.4f} [{row.lower:+.4f}, {row.upper:+.4f}]")
    out.print(table)
