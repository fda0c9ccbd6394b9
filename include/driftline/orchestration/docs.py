"""What the DAGs and tasks say of themselves to whoever looks at them in Airflow."""

from collections.abc import Mapping

from driftline.domain import Retraining, Suite
from driftline.monitor.config import Monitor
from driftline.monitor.default_rules import rules_of
from driftline.monitor.sections import Task
from driftline.printable import amount

SETTLE = """Waits until the logs of the interval are expected to be whole: its end and
`predictions.settle`. It holds no worker meanwhile, and where that moment is past it goes on at once."""

REFERENCE = """Counts the reference in the warehouse the first time it is needed, and keeps it.

**When it fails** the warehouse did not answer, or the monitor file names what is not there. Nothing of
this run can be measured then; clear the task when that is mended."""

SUITES: Mapping[Suite, str] = {
    Suite.QUALITY: """Counts rows and nulls, and validates the expectations with Great Expectations.

**When it fails** the ledger (`windows`) holds why. Clear it: what it writes replaces what it wrote.""",
    Suite.DRIFT: """Counts the hours that are not counted yet in the warehouse, and compares the windows that
end now, which are sums of hours, with the reference, column by column.

**When it fails** the ledger (`windows`) holds why. Clear it: what it writes replaces what it wrote.""",
    Suite.OPERATIONS: """Counts latencies, failed requests and predictions a second in the warehouse, of
the window, its segments and model versions.

**When it fails** the ledger (`windows`) holds why. Clear it: what it writes replaces what it wrote.""",
    Suite.BUSINESS: """Has the warehouse compute the SQL under `business:`, of the window, its segments and
model versions.

**When it fails** the expression is most likely wrong: the last line of the log and the ledger (`windows`)
name it. Mend the file and clear the task.""",
    Suite.PERFORMANCE: """Joins the labels known by the end of the interval and measures performance; and
once more that of the windows whose labels have come of age by now.

**When it fails** the ledger (`windows`) holds why. Clear it: what it writes replaces what it wrote.""",
}

MISSING_HOURS = """Measures and judges the hours of the day that no hourly run has measured. An hour that
another run is at, or that ended less than an hour ago, is left alone."""

JUDGE = """Judges what was recorded by the rules, keeps the incidents, puts the message into the outbox,
and chooses what follows. It judges what there is, also when a measurement failed. The log says why
nothing is retrained where a rule asks for it."""

ALERT = """Sends the message to the routes of the monitor file.

**When it fails** the channel did not take it: it stays in the outbox, is tried again here, and later by
`housekeeping`."""

RETRAIN = """Starts the retraining DAG with the evidence. The run id follows from the moment: the same
evidence never starts two.

**When it fails** because the DAG is paused: unpause it, then clear this task."""

ALL_CLEAR = """Nothing fires, every step was measured, every critical rule that could be judged was, and
predictions that are old enough have labels."""

NOT_CLEAR = """No new message and no retraining, and yet not all is well: what fires has been told already, a
step failed, a critical rule could not be judged, or no prediction found a label. The last line of the log of
`judge` says which."""

DONE = "The run is whole: everything was measured, and what followed was done."

REPORT = """Writes the HTML report of the day, and of longer windows in which an incident opened. The
button *Report* opens it."""


ADMIT = """Refuses what comes within the cooldown of the last decision, on broken data, or twice. A refusal
is a result, not a failure: it goes to *refused*, with its reason in the table `retrainings`."""

CHALLENGER = """Trains a challenger on labelled rows that end before the holdout begins.

**When it fails** the function under `retraining.train` raised, or could not be imported here: its words
are the last line of the log. Mend it and clear the task."""

GATE = """Compares challenger and champion on the same holdout rows, with a bootstrap by day. It goes on only
when the whole 95% interval is a gain; anything else is refused."""

REFUSED = (
    "The champion stays. Why, is in the log of the task before, the message, and `retrainings`."
)

APPROVE = """Waits for a person: *Required Actions* shows the comparison. Without an answer in time it counts
as declined."""

DECLINED = "Records that the challenger was declined, and by whom. The champion stays."

REFIT = "Fits the same recipe once more, on all labelled rows up to now, and registers it with its digest."

PROMOTE = """Makes the refitted model the champion and freezes a new reference, in one transaction; notes it on
the incidents. Clearing it after a crash completes what was begun."""

ANNOUNCE = (
    "Tells the routes of the monitor what came of it: promoted, refused, or declined, with numbers."
)

HOUSEKEEPING = """Keeps house for all monitors: sends what is left in the outboxes, and tells of monitors
that have gone silent. A red task here wants a person."""

SILENT = """Fails, and sends one message, when a monitor that is on schedule has measured nothing for three
of its intervals: its DAG is paused, fails, or is no longer parsed. Set `schedule.end` in the file of a
monitor that is at rest."""

DELIVER = """Sends what is due in every outbox; what fails stays there and falls due again. A message that its
channel refused for good, such as `channel_not_found`, is given up, and this task stays red until somebody has
mended that and ran `driftline store deliver --failed`, or let go of the message by `driftline store discard`."""

FAULTY = """Fails with each fault of the monitor file: file, line, key, what was found and what is
allowed. Once the file is mended its own DAGs are back, and this one is gone."""


def faulty(faults: str) -> str:
    """Return what the DAG of a file with faults says of itself."""
    shown = "\n".join(f"    {line}" for line in faults.splitlines())
    return f"A monitor file has faults, and **nothing of it is watched**:\n\n{shown}\n\n{FAULTY}"


def watching(monitor: Monitor, cadence: str, retraining: str | None) -> str:
    """Return what a hourly or daily DAG says of itself."""
    period = "hour" if cadence == "1h" else "day"
    windows = [w for w in monitor.windows if (w == "1h") == (cadence == "1h")]
    rules = [
        f"| `{rule.name}` | {rule.severity} | {rule.in_a_row} | {', '.join(rule.then)} |"
        for rule in rules_of(monitor, [])
        if rule.window is None or rule.window in windows
    ]
    what = "a table without predictions" if monitor.task is Task.NONE else monitor.task
    lines = [
        f"Watches **{monitor.monitor}** ({what}, owned by {monitor.owner}): every {period} it "
        f"measures the windows that end then ({', '.join(windows) or 'none but hours'}), judges them, "
        "and tells who is to know.",
        f"File: `{monitor.path}`",
        "| rule | severity | windows in a row | then |\n|---|---|---|---|\n" + "\n".join(rules)
        if rules
        else "No rule is about these windows but those of data quality.",
        "**A failed run**: open the red task, read its last line, mend, clear the task with its "
        "downstream. Writing is idempotent; the failed window stands in the table `windows` until then.",
        f"**Another time**: *Trigger*, with the end of the {period} as `window_end`. **The past**: "
        f"`airflow backfill create --dag-id {monitor.monitor}__{'hourly' if cadence == '1h' else 'daily'} "
        "--from-date ... --to-date ...`; a backfill pages nobody and retrains nothing.",
    ]
    if retraining:
        lines.append(f"A rule that says `then: retrain` starts **{retraining}**.")
    return "\n\n".join(lines)


def retraining(monitor: Monitor) -> str:
    """Return what a retraining DAG says of itself."""
    how = monitor.retraining
    assert how is not None
    return "\n\n".join(
        [
            f"Retrains **{monitor.monitor}** with `{how.train}` on {amount(how.window.days, 'day')}, and promotes "
            f"the model only if it beats the champion in {monitor.gate_metric} on the last "
            f"{amount(how.gate.holdout.days, 'day')}, which it has not seen.",
            f"Not again within {amount(how.cooldown.days, 'day')} of a decision. Approval: {how.approval}.",
            "**By hand**: *Trigger* with a reason, or `POST /api/v2/dags/"
            f"{monitor.monitor}__retrain/dagRuns` with "
            '`{"logical_date": null, "conf": {"reason": "..."}}`.',
            "**A refusal is a valid result**: the run is green, and goes by *refused*.",
        ]
    )


def comparison(row: Retraining) -> str:
    """Return what a person is to approve, in words."""
    return "\n".join(
        [
            f"{row.decision}",
            "",
            f"| {row.metric} | value |",
            "|---|---|",
            f"| champion {row.champion} | {row.champion_value:.4f} |",
            f"| challenger | {row.challenger_value:.4f} |",
            f"| gain, with its 95% interval | {row.gain:+.4f} [{row.lower:+.4f}, {row.upper:+.4f}] |",
            "",
            f"Holdout: {row.holdout_start:%Y-%m-%d} to {row.as_of:%Y-%m-%d}, {amount(row.rows or 0, 'row')}. "
            f"Asked for because: {row.reason}",
        ]
    )
