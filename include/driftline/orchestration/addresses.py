"""Where Airflow is seen in a browser, as its `[api] base_url` says."""

from urllib.parse import quote

from airflow.sdk.configuration import conf

from driftline.flow.reports import Links
from driftline.orchestration.plugin import PREFIX


def base() -> str:
    """Return the address of Airflow's UI; '' where nothing names it."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def runs_of(dag_id: str) -> str:
    """Return where the runs of a DAG are seen; '' where nothing says where Airflow is."""
    where = base()
    return f"{where}/dags/{quote(dag_id, safe='')}/runs" if where else ""


def links_to(dag_id: str, run_id: str) -> Links | None:
    """Return where a run is seen; None where nothing says where Airflow is."""
    runs = runs_of(dag_id)
    run = f"{runs}/{quote(run_id, safe='')}"
    return Links(run=run, pages=base() + PREFIX) if runs else None
