"""Takes the pictures of Airflow in the README: `.venv/bin/python docs/screenshots.py`.

It plays the demo's days around 2013-04-22 in a folder of its own, with `approval: human`, and looks
at the pages with a Chromium: $CHROMIUM, `/usr/bin/chromium`, or the one that Playwright installed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from driftline.domain import DAY
from driftline.monitor import file as monitor_file
from flights import demo
from flights.airflow import LOGIN, Airflow
from flights.stage import Stage
from flights.story import slack_of

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "images"
SIZE = {"width": 1400, "height": 860}
SETTLED = 2000
"""Milliseconds after which a page has drawn itself."""
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AS_OF = datetime(2013, 4, 22, tzinfo=UTC)
"""The day of the approval: the model has been worse than a constant for three days."""


def main() -> None:
    """Play the days, take the pictures."""
    with tempfile.TemporaryDirectory(prefix="driftline-pictures-") as folder:
        _lay_out(Path(folder))
        os.chdir(folder)
        monitor = monitor_file.load(Path("include/monitors/flight_delay.yaml"))
        demo.prepare(demo.HOME, end=AS_OF.date())
        console = Console()
        with (
            slack_of(demo.HOME, console),
            Airflow(demo.HOME / "airflow", dags=Path("dags"), wait=False) as airflow,
        ):
            stage = Stage(monitor=monitor, airflow=airflow, console=console)
            stage.remember(AS_OF - 8 * DAY, AS_OF - DAY)
            stage.open()
            stage.day(AS_OF)
            assert monitor.schedule.start
            assert monitor.schedule.end
            stage.hours(monitor.schedule.start, monitor.schedule.end)
            retrain, run_id = stage.dag("retrain"), f"retrain__{AS_OF:%FT%H:%M:%S}"
            airflow.client.wait_for_task(retrain, run_id, "approve", ["awaiting_input"])
            with _browser(airflow) as page:
                _take(page, airflow, stage, run_id)


def _lay_out(folder: Path) -> None:
    text = (ROOT / "include/monitors/flight_delay.yaml").read_text(encoding="utf-8")
    assert "approval: none" in text
    shutil.copytree(ROOT / "dags", folder / "dags")
    monitors = folder / "include" / "monitors"
    monitors.mkdir(parents=True)
    (monitors / "flight_delay.yaml").write_text(text.replace("approval: none", "approval: human"))


@contextmanager
def _browser(airflow: Airflow) -> Iterator[Page]:
    given = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    path = given if Path(given).exists() else None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{airflow.url}/auth/login")
        page.fill("input[name=username]", LOGIN[0])
        page.fill("input[name=password]", LOGIN[1])
        page.keyboard.press("Enter")
        page.wait_for_url(f"{airflow.url}/")
        yield page
        browser.close()


def _take(page: Page, airflow: Airflow, stage: Stage, retraining: str) -> None:
    dag = f"{airflow.url}/dags/{stage.monitor.monitor}__"
    hourly = stage.dag("hourly")
    page.evaluate(f"localStorage.setItem('dag_runs_limit-{hourly}', '25')")
    page.goto(f"{dag}hourly")
    page.get_by_label("Expand all task groups").click()
    _widen(page, to=780)
    _shoot(page, "grid")
    page.evaluate("localStorage.setItem('default_dag_view', '\"graph\"')")
    page.goto(f"{dag}daily/runs/manual__{AS_OF:%FT%H:%M:%S}")
    page.get_by_label("Expand all task groups").click()
    page.get_by_label("Collapse Details Panel").click()
    page.wait_for_timeout(SETTLED)
    page.get_by_label("Fit View").click()
    _shoot(page, "graph")
    page.evaluate("localStorage.setItem('default_dag_view', '\"grid\"')")
    page.goto(f"{dag}retrain/runs/{retraining}/tasks/approve/required_actions")
    _shoot(page, "approval")


def _widen(page: Page, *, to: int) -> None:
    """Move the border between the grid and the details."""
    page.wait_for_timeout(SETTLED)
    border = page.get_by_role("separator").first.bounding_box()
    assert border
    page.mouse.move(border["x"] + 1, 300)
    page.mouse.down()
    page.mouse.move(to, 300, steps=10)
    page.mouse.up()


def _shoot(page: Page, name: str) -> None:
    page.mouse.move(700, 855)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
