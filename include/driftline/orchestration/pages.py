"""The pages that the buttons on tasks open, served by Airflow's API server."""

from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse

from driftline import monitor_file
from driftline.config import Monitor
from driftline.domain import Window, cadence_length, utc
from driftline.errors import DriftlineError
from driftline.home import artifact
from driftline.orchestration.connections import airflow_connection
from driftline.orchestration.places import monitor_folder
from driftline.printable import printable
from driftline.reports import REPORT
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
        f"<h1>{escape(monitor.monitor)}</h1>",
        "<h2>Open incidents</h2>",
        _table(
            ("severity", "rule", "what", "since", "note"),
            [
                (i.severity, i.rule, i.series.subject, i.first.span, i.note)
                for i in reversed(firing)
            ],
            "No incident is open." if not failed else "No incident is open, and steps failed:",
        ),
        "<h2>Steps that failed and were not taken again</h2>",
        _table(
            ("state", "suite", "window", "as of", "error"),
            [
                (e.state, e.suite, str(e.window), f"{e.as_of:%F %H:%M}", e.error)
                for e in reversed(failed[-20:])
            ],
            "None.",
        ),
        "<h2>Retrainings</h2>",
        _table(
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
        f"<h2>The newest {len(rows)} numbers</h2>",
        _table(
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
    page = _PAGE.format(title=escape(monitor.monitor), style=_STYLE, body="\n".join(body))
    return HTMLResponse(page, headers=_PLAIN)


def _table(heads: tuple[str, ...], rows: list[tuple[Any, ...]], empty: str) -> str:
    """Return a table whose first cell of a row gives the row its colour."""
    if not rows:
        return f"<p>{escape(empty)}</p>"
    lines = ["<table><tr>", *(f"<th>{escape(head)}</th>" for head in heads), "</tr>"]
    for row in rows:
        cells = "".join(f"<td>{_cell(value)}</td>" for value in row)
        lines.append(f'<tr class="{escape(str(row[0]), quote=True)}">{cells}</tr>')
    return "".join([*lines, "</table>"])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return escape("" if value is None else printable(str(value)))


_STYLE = """\
body { font: 14px/1.45 system-ui, sans-serif; margin: 24px 32px; color: #1c2733; background: #fff; }
h1 { font-size: 22px; margin: 0 0 8px; } h2 { font-size: 16px; margin: 26px 0 8px; }
table { border-collapse: collapse; } th { text-align: left; color: #5b6875; font-weight: 500; }
th, td { padding: 4px 14px 4px 8px; border-bottom: 1px solid #e6ebf0; vertical-align: top; }
tr td:first-child { border-left: 4px solid transparent; }
tr.critical td:first-child { border-left-color: #c62828; color: #c62828; }
tr.warn td:first-child { border-left-color: #f0a030; color: #8a4b00; }
tr.ok td:first-child, tr.promoted td:first-child { border-left-color: #4caf6a; }
"""
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{title} · driftline</title><style>{style}</style></head><body>{body}</body></html>"""
