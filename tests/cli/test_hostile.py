"""Names and values out of hostile data are shown by every command, and act in none.

A column, a segment's values, a class and an error carry what a terminal, a log, a spreadsheet, a
browser or Slack would act upon.
"""

import csv
import io
import logging
import os
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from math import isfinite
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner, Result
from sqlalchemy import make_url, select, update

from driftline.alerts import slack
from driftline.alerts.notice import Notice
from driftline.cli import _Formatter, main
from driftline.cli.metrics import _cell
from driftline.monitor import draft
from driftline.store import Store, tables
from tests.models import logs
from tests.warehouses import Warehouse

ACTS = (
    "\x1b[31m\x07\r\x9b31m\u202e\u200b\u2028\n2026-01-01 ERROR forged <!channel> <@U1> *b* _i_ `c`"
)
COLUMN = f"=cmd|' /C calc'!A0{ACTS} [red]x :smile: <script>alert(1)</script>"
VALUES = [f"@SUM(1){ACTS}[bold]north[/bold]", "-2+3\t\x1b]0;title\x07 south"]
CONTROLS = re.compile(
    "[^\\n\\t\\x20-\\x7e\\xa1-\\u2010\\u2014-\\u2027\\u2030-\\ud7ff\\ue000-\\uffff\\U00010000-\\U0001ffff]"
)
DAYS = ("--from", "2024-01-09", "--to", "2024-01-10")
ENVIRONMENT = {"COLUMNS": "80", "SLACK_BOT_TOKEN": ""}


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=ENVIRONMENT)


def opened(file: Path) -> AbstractContextManager[Store]:
    return Store.open(make_url(f"sqlite:///{file.parent}/results.db"))


def harmless(text: str) -> None:
    """Nothing in it acts on a terminal, and no line of it is the data's."""
    assert not CONTROLS.findall(text)
    assert not re.search("(?m)^2026", text)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monitor file of hostile logs whose rules fire on 2024-01-10."""
    folder = tmp_path_factory.mktemp("hostile")
    place = Warehouse(kind="parquet", folder=folder)
    predictions, labels = logs(drift_on=8)
    groups = ["north", "south"]
    values = [VALUES[groups.index(str(value))] for value in predictions["group"]]
    predictions = predictions.set_column(
        predictions.column_names.index("group"), "group", pa.array(values)
    ).rename_columns({"x": COLUMN})
    place.load("predictions", predictions)
    place.load("labels", labels)
    written = {
        "monitor": "model",
        "task": "binary",
        "store": f"sqlite:///{folder}/results.db",
        "artifacts": str(folder / "artifacts"),
        "predictions": {
            "parquet": f"{folder}/predictions/*.parquet",
            "id": "id",
            "timestamp": "ts",
            "score": "score",
        },
        "labels": {
            "parquet": f"{folder}/labels/*.parquet",
            "id": "id",
            "timestamp": "labelled_at",
            "label": "y",
        },
        "features": {"numeric": [COLUMN, "noise"], "categorical": ["group"]},
        "segments": ["group"],
        "reference": {"window": ["2024-01-01", "2024-01-05"]},
        "windows": ["1d"],
        "rules": [
            {"name": "drift", "metric": "psi", "columns": "*", "window": "1d", "max": 0.5},
            {
                "name": "worse",
                "metric": "roc_auc",
                "segment": "group=*",
                "window": "1d",
                "min": 0.9,
            },
        ],
        "routes": {"warn": [{"slack": f"#a{ACTS}"}, {"email": "a@example.com"}]},
    }
    path = folder / "model.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ran(file: Path) -> Result:
    return driftline("-v", "run", file, *DAYS)


def test_a_run_shows_what_it_found(ran: Result) -> None:
    assert (
        "psi of =cmd|' /C calc'!A0\\x1b[31m"
        in ran.output.replace("\n", "").replace("│", "")[:9_999]
    )
    harmless(ran.output)
    assert "[red]x" in ran.output


@pytest.mark.parametrize(
    "command",
    [
        ("metrics",),
        ("metrics", "--format", "json"),
        ("metrics", "--history", "--limit", "400"),
        ("sql",),
        ("sql", "--format", "json"),
        ("sql", "--cost"),
        ("why", "--window", "1d"),
        ("why", "--window", "1d", "--segment", f"group={VALUES[0]}"),
        ("report",),
        ("backfill", "--redo", "--from", "2024-01-08", "--to", "2024-01-09"),
        ("lint",),
        ("lint", "--connect"),
        ("store", "status", "--monitor"),
        ("store", "deliver", "--monitor"),
        ("store", "deliver", "--failed", "--monitor"),
        ("store", "discard", "--monitor"),
        ("retrain",),
    ],
    ids=" ".join,
)
def test_every_command_shows_it(ran: Result, file: Path, command: tuple[str, ...]) -> None:
    at = len(command) if command[0] == "store" else 1
    shown = driftline("-v", *command[:at], file, *command[at:])
    assert not isinstance(shown.exception, Exception), shown.exception
    if command == ("sql",):  # a line end within a quoted name has to stay one
        assert not CONTROLS.findall(shown.output)
    else:
        harmless(shown.output)


def test_the_draft_of_a_file_shows_it(file: Path) -> None:
    where = file.parent / "predictions" / "*.parquet"
    drafted = driftline("init", "--predictions", where)
    assert drafted.exit_code == 0, drafted.output
    harmless(drafted.output)
    text = draft.to_yaml({"predictions": {"score": COLUMN}})
    assert not CONTROLS.findall(text)
    assert yaml.safe_load(text) == {"predictions": {"score": COLUMN}}
    assert "Größe" in draft.to_yaml({"features": ["Größe"]})


def test_no_cell_of_a_csv_runs(ran: Result, file: Path) -> None:
    text = driftline("metrics", file, "--format", "csv").stdout
    harmless(text)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert any(row["column_name"].startswith("'=cmd|' /C calc'!A0\\x1b") for row in rows)
    cells = [cell for row in rows for cell in row.values()]
    for cell in cells:
        assert not cell.startswith(("=", "@", "\t", "\r")), cell
        assert not cell.startswith(("+", "-")) or isfinite(float(cell)), cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *((number, number) for number in (-0.5, -3, None, True, "-0.5", "+1e3")),
        *(
            (text, f"'{text}")
            for text in ("=1+1", "+cmd", "-2+3", "@SUM(1)", "-inf", "-", "\uff1d1")
        ),
        ("\t=1", "\\t=1"),
        ("\r=1", "\\r=1"),
        ("a=1", "a=1"),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_cell_is_text_or_a_number(value: object, cell: object) -> None:
    assert _cell(value) == cell


def test_no_message_acts(ran: Result, file: Path) -> None:
    with opened(file) as store, store.read() as connection:
        bodies = connection.scalars(select(tables.outbox.c.body)).all()
    assert bodies
    for body in bodies:
        harmless(body)
        said = slack.message(Notice.from_json(body), "#a")
        assert said["mrkdwn"] is said["unfurl_links"] is said["unfurl_media"] is False
        for block in said["blocks"]:
            assert block["text"]["type"] == "plain_text"
            assert block["text"]["emoji"] is False
        for text in (said["text"], *(block["text"]["text"] for block in said["blocks"])):
            harmless(text)
            assert not set("<>`") & set(text)
            assert not re.search("&(?!amp;|lt;|gt;)", text)
    assert "*b* _i_" in str(bodies)
    assert "\\\\x1b[31m" in "".join(bodies)


def test_no_log_line_is_forged(ran: Result, file: Path) -> None:
    """In a process of its own, whose log goes where the command line sends it."""
    with opened(file) as store, store.begin() as connection:
        connection.execute(
            update(tables.outbox).values(due=tables.outbox.c.created, delivered=None)
        )
    done = subprocess.run(
        [sys.executable, "-m", "driftline.cli", "-v", "store", "deliver", "--monitor", file],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode() + done.stdout.decode()
    assert "drift (warn)" in said
    harmless(said)


def test_a_record_is_one_record(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("n", logging.ERROR, "", 0, "%s", (f"a{ACTS}",), None)
    shown = _Formatter("%(levelname)s %(name)s: %(message)s").format(record)
    harmless(shown)
    assert shown.splitlines()[1].startswith("    2026")


def test_no_page_acts(ran: Result, file: Path) -> None:
    pages = list(file.parent.rglob("report.html"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        header = text[text.index("<header>") : text.index("</header>")]
        data = re.findall(r'<script type="application/json".*?>(.*?)</script>', text, re.DOTALL)
        assert len(data) == 2
        harmless(header)
        for block in data:
            assert not re.search(r"(?<!\\)\\u(202e|200b|001b|2028|009b)", block)


def test_errors_show_it(file: Path, tmp_path: Path) -> None:
    text = yaml.safe_load(file.read_text(encoding="utf-8"))
    for change in (
        {"predictions": {**text["predictions"], "score": f"missing{ACTS}"}},
        {"task": ACTS},
        {ACTS: 1},
        {"store": f"sqlite:///{tmp_path}/no{ACTS}/results.db"},
        {"features": {"numeric": [f"gone{ACTS}"]}},
        {"labels": {**text["labels"], "parquet": f"{ACTS}/*.parquet"}},
        {"rules": [{"metric": ACTS, "max": 1}]},
    ):
        path = tmp_path / "bad.yaml"
        path.write_text(yaml.safe_dump({**text, **change}), encoding="utf-8")
        shown = driftline("lint", "--connect", path)
        assert not isinstance(shown.exception, Exception), (change, shown.exception)
        harmless(shown.output)
    harmless(driftline("run", path, *DAYS).output)
    harmless(driftline("lint", f"nothing{ACTS}").output)
    harmless(driftline("report", file, "--end", "2024-01-07", "--window", ACTS).output)


def test_a_comparison_shows_it(file: Path) -> None:
    where = file.parent / "predictions" / "rows.parquet"
    for form in ((), ("--json",)):
        shown = driftline("compare", where, where, *form)
        assert shown.exit_code == 0, shown.output
        harmless(shown.output)
        assert "cmd|" in shown.output
