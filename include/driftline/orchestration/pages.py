"""The pages that the buttons on tasks open, served by Airflow's API server."""

from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse

from driftline.domain import Window, cadence_length, utc
from driftline.errors import DriftlineError
from driftline.flow.reports import REPORT
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.home import artifact
from driftline.orchestration.connections import airflow_connection
from driftline.orchestration.places import monitor_folder
from driftline.orchestration.tables import page, table
from driftline.printable import amount
from driftline.store import incidents, ledger, measurements, open_store, retrainings

NEWEST = 300
"""So many of the newest numbers are shown."""

# A report carries its own policy, by the digests of its scripts; this keeps it out of our origin.
_SANDBOX = {"Content-Security-Policy": "sandbox allow-scripts allow-downloads"}
_PLAIN = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

app = FastAPI(dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)


def _monitor(monitor: str, user: GetUserDep) -> Monitor:
    """Return a monitor whose daily DAG the user may read; 403 or 404 otherwise."""
    details = DagDetails(id=f"{monitor}__daily")
    if not get_auth_manager().is_authorized_dag(method="GET", details=details, user=user):
        raise HTTPException(403, "you may not see this monitor's DAGs")
    for file in monitor_file.monitor_files([monitor_folder()]):
        try:
            found = monitor_file.load(file)
        except DriftlineError:
            continue  # a DAG of its own tells of it
        if found.monitor == monitor:
            return found
    raise HTTPException(404, "no monitor file has this name, or it has faults")


Readable = Annotated[Monitor, Depends(_monitor)]


@app.get("/{monitor}/report/{cadence}/{start}")
def report(monitor: Readable, cadence: str, start: str) -> FileResponse:
    """Send the HTML report of a window."""
    try:
        begin = utc(datetime.fromisoformat(start).replace(tzinfo=UTC))
        window = Window.ending(cadence, begin + cadence_length(cadence))
    except ValueError as error:
        raise HTTPException(404, f"no such window: {error}") from None
    path = artifact(monitor, window, REPORT)
    if not path.is_file():
        raise HTTPException(
            404,
            f"no report of {window} is among the artifacts that this server sees. They are of days "
            "and of windows in which an incident opened; `driftline report` writes any other.",
        )
    return FileResponse(path, media_type="text/html", headers=_SANDBOX)


@app.get("/{monitor}/metrics")
def metrics(monitor: Readable) -> HTMLResponse:
    """Show the newest numbers of a monitor with their verdicts, incidents and retrainings."""
    with open_store(monitor, airflow_connection) as store, store.read() as connection:
        rows = measurements.current(connection, monitor.monitor, limit=NEWEST)
        firing = incidents.firing(connection, monitor.monitor)
        failed = ledger.of(
            connection,
            monitor.monitor,
            config_hash=monitor.config_hash,
            states=[ledger.State.FAILED],
        )
        retrained = retrainings.history(connection, monitor.monitor)
    body = [
        "<h2>Open incidents</h2>",
        table(
            ("severity", "rule", "what", "since", "note"),
            [
                (i.severity, i.rule, i.series.subject, i.first.span, i.note)
                for i in reversed(firing)
            ],
            "No incident is open." if not failed else "No incident is open, and steps failed:",
        ),
        "<h2>Steps that failed and were not taken again</h2>",
        table(
            ("state", "suite", "window", "as of", "error"),
            [
                (e.state, e.suite, str(e.window), f"{e.as_of:%F %H:%M}", e.error)
                for e in reversed(failed[-20:])
            ],
            "None.",
        ),
        "<h2>Retrainings</h2>",
        table(
            ("state", "as of", "metric", "champion", "challenger", "decision"),
            [
                (
                    r.state,
                    f"{r.as_of:%F %H:%M}",
                    r.metric,
                    r.champion_value,
                    r.challenger_value,
                    r.decision,
                )
                for r in retrained[:20]
            ],
            "None yet.",
        ),
        f"<h2>The newest {amount(len(rows), 'number')}</h2>",
        table(
            (
                "verdict",
                "window",
                "metric",
                "column",
                "segment",
                "version",
                "value",
                "rows",
                "as of",
                "reason",
            ),
            [
                (
                    row["verdict"] or "",
                    str(
                        Window(
                            cadence=row["cadence"], start=row["window_start"], end=row["window_end"]
                        )
                    ),
                    row["metric"],
                    row["column_name"],
                    row["segment"],
                    row["model_version"],
                    row["value"],
                    row["row_count"],
                    f"{row['as_of']:%F %H:%M}",
                    row["reason"],
                )
                for row in rows
            ],
            "Nothing was measured yet.",
        ),
    ]
    return HTMLResponse(page(monitor.monitor, body), headers=_PLAIN)
