"""The commands as a person types them: what they print, and how they end."""

import csv
import io
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from driftline.cli import main
from driftline.monitor.config import Monitor
from driftline.store import Store, outbox
from driftline.warehouse.dialects import duckdb as speaker
from tests.conftest import PASSWORD, run
from tests.models import logs
from tests.warehouses import Warehouse

TABLE = [
    "monitor",
    "model_version",
    "segment",
    "cadence",
    "window_start",
    "window_end",
    "suite",
    "metric",
    "column_name",
    "detail",
    "baseline",
    "engine",
    "value",
    "lower",
    "upper",
    "row_count",
    "coverage",
    "reason",
    "as_of",
    "reference_id",
    "config_hash",
    "run_id",
    "recorded_at",
]


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def logs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    place = Warehouse(kind="parquet", folder=folder)
    predictions, labels = logs(drift_on=8)
    place.load("predictions", predictions)
    place.load("labels", labels)
    return folder


@pytest.fixture
def file(logs_folder: Path, tmp_path: Path) -> Path:
    """A monitor file whose drift rule fires on 2024-01-10."""
    written = {
        "monitor": "model",
        "task": "binary",
        "store": f"sqlite:///{tmp_path}/results.db",
        "artifacts": str(tmp_path / "artifacts"),
        "predictions": {
            "parquet": f"{logs_folder}/predictions/*.parquet",
            "id": "id",
            "timestamp": "ts",
            "score": "score",
            "version": "version",
        },
        "labels": {
            "parquet": f"{logs_folder}/labels/*.parquet",
            "id": "id",
            "timestamp": "labelled_at",
            "label": "y",
        },
        "reference": {"window": ["2024-01-01", "2024-01-05"]},
        "windows": ["1d"],
        "drift": {"domain_classifier": False},
        "rules": [{"metric": "psi", "columns": "x", "window": "1d", "max": 0.5}],
    }
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


def test_a_run_says_what_it_found_and_ends_as_asked(file: Path) -> None:
    calm = driftline("run", file, "--from", "2024-01-05", "--to", "2024-01-06")
    assert calm.exit_code == 0, calm.output
    assert "Nothing is wrong" in calm.output
    days = ("--from", "2024-01-09", "--to", "2024-01-10")
    fired = driftline("run", file, *days)
    assert fired.exit_code == 0
    assert "psi-x-1d" in fired.output
    assert "report.html" in fired.output
    assert driftline("run", file, *days, "--fail-on", "warn").exit_code == 3
    assert driftline("run", file, *days, "--fail-on", "critical").exit_code == 0


DAY = ("--from", "2024-01-06", "--to", "2024-01-07")
AUC = "{metric: roc_auc, min: 0.5, window: 1d, severity: critical}"
LABELS = "{logs}/labels/*.parquet"
NOT_EVERY = "SELECT * FROM read_parquet('{logs}/labels/*.parquet') WHERE y = 1"
OF_OTHERS = "SELECT 'x' || id AS id, labelled_at, y FROM read_parquet('{logs}/labels/*.parquet')"


@pytest.mark.parametrize(
    ("changes", "said", "code"),
    [
        (
            {"quality": "[{expect_no_such_thing: {column: x}}]"},
            ("At 2024-01-07 00:00 UTC: 1 of 5 steps failed", " met no number"),
            1,
        ),
        (
            {"rules": f"[{AUC}]", "labels": NOT_EVERY},
            ("roc_auc-1d (critical): every label is ", "1 critical rule could not be judged."),
            3,
        ),
        (
            {"labels": OF_OTHERS},
            ("predictions of 1d 2024-01-05 to", "UTC: no prediction has found a label."),
            0,
        ),
        (
            {"rules": f"[{AUC[:-1]}, min_rows: 500}}]"},
            ("rows, fewer than the rule's 500", "Nothing is wrong that could be judged at"),
            0,
        ),
    ],
)
@pytest.mark.usefixtures("no_pages", "no_samples")
def test_all_is_well_only_where_everything_is_known(
    file: Path,
    logs_folder: Path,
    changes: dict[str, str],
    said: tuple[str, ...],
    code: int,
) -> None:
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, text in changes.items():
        if key == "labels":
            del written["labels"]["parquet"]
            written["labels"]["query"] = text.format(logs=logs_folder)
            written["warehouse"] = "duckdb:///:memory:"
        else:
            written[key] = yaml.safe_load(text)
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    ended = driftline("run", file, *DAY, "--fail-on", "critical")
    assert ended.exit_code == code, ended.output
    for words in said:
        assert words in ended.output
    assert "Nothing is wrong at" not in ended.output


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_a_report_that_cannot_be_written_is_no_step_that_failed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("driftline.suites.report.html", full)
    ran = driftline("run", file, *DAY)
    assert ran.exit_code == 1, ran.output
    assert "failed after the steps: report of 1d 2024-01-06 to 2024-01-07: " in ran.output
    assert "failed: " not in ran.output
    assert "Nothing is wrong at 2024-01-07" in ran.output


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_what_began_and_ended_within_a_run_is_listed(file: Path) -> None:
    """The shift of `x` begins on the 9th."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("max: 0.5", "min: 0.5"), encoding="utf-8")
    ran = driftline("backfill", file, "--from", "2024-01-08", "--to", "2024-01-10")
    assert ran.exit_code == 0, ran.output
    _, _, ended = ran.output.partition("ended in this time:")
    assert "warn psi-x-1d since 2024-01-08 to 2024-01-09, until 2024-01-10 00:00" in ended
    assert "psi of x (1d) is " in ended


@pytest.mark.usefixtures("no_pages", "no_samples", "no_expectations")
def test_an_alert_that_goes_to_the_log_is_not_said_twice(file: Path, caplog: Any) -> None:
    days = ("--from", "2024-01-09", "--to", "2024-01-10")
    live = driftline("run", file, *days)
    assert caplog.text.count("psi-x-1d (warn), since") == 1
    assert "2024-01-10 warn psi-x-1d" not in live.stderr
    past = driftline("backfill", file, *days, "--redo")  # nobody is told: it is shown
    assert "2024-01-10 warn psi-x-1d" in past.stderr


HOURLY = {"metric": "row_count", "window": "1h", "max": 0}


@pytest.mark.usefixtures("no_samples", "no_expectations")
def test_where_an_hourly_alert_says_to_look_there_is_something(file: Path, caplog: Any) -> None:
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    written |= {"windows": ["1h", "1d"], "rules": [HOURLY]}
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    driftline("run", file, "--from", "2024-01-06T03:00", "--to", "2024-01-06T04:00")
    (look,) = [line for line in caplog.text.splitlines() if line.startswith("look: driftline ")]
    command = shlex.split(look.removeprefix("look: driftline "))
    assert command[0] == "metrics"
    (row,) = json.loads(driftline(*command, "--format", "json").stdout)
    assert (row["metric"], row["window_end"]) == ("row_count", "2024-01-06T04:00:00Z")


def unnamed(file: Path) -> Path:
    """The file without the store that it names, beside an Airflow."""
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    del written["store"]
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return file


def test_beside_an_airflow_no_empty_store_is_made(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its tasks measured stands in a connection that a shell does not see."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for command in (
        ("metrics", unnamed(file)),
        ("run", file, *DAY),
        ("store", "status"),
        ("store", "upgrade", "--monitor", file),
    ):
        ended = driftline(*command)
        assert ended.exit_code == 2, ended.output
        for words in ("store:", "AIRFLOW_CONN_DRIFTLINE_STORE", "--airflow"):
            assert words in ended.output
    assert not list(tmp_path.rglob("driftline.db"))


def test_airflow_is_asked_for_the_connections_that_it_keeps(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for name in ("DRIFTLINE_ASK_AIRFLOW", "AIRFLOW_CONN_DRIFTLINE_STORE"):
        monkeypatch.setenv(name, "")  # and taken back after the test
    kept = {"conn_id": "driftline_store", "conn_type": "sqlite", "host": "", "password": None}
    kept |= {"schema": f"{tmp_path}/airflows.db", "port": None, "extra_dejson": {}, "login": None}
    airflow = tmp_path / "airflow"
    told = f"[{json.dumps(kept)}]"
    airflow.write_text(
        '#!/bin/sh\n[ "$*" = "connections get driftline_store --output json" ] || exit 1\n'
        f"echo 'some warning' >&2\ncat <<'END'\n{told}\nEND\n"
    )
    airflow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = driftline("store", "upgrade", "--airflow")
    assert made.exit_code == 0, made.output
    assert f"{tmp_path}/airflows.db" in made.output
    assert "No such measurements" in driftline("metrics", unnamed(file), "--airflow").output


def test_numbers_fit_a_terminal_and_say_whose_they_are(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    driftline("run", file, *DAY)
    shown = driftline("metrics", file, "--limit", "200").output
    assert max(map(len, shown.splitlines())) <= 80
    rows = json.loads(driftline("metrics", file, "--format", "json").stdout)
    for row in rows:
        assert row["metric"] in shown
    for words in ("log_loss_ratio (estimate) ", "log_loss (evidently) ", "log_loss "):
        assert words in shown


def test_a_backfill_goes_on_where_it_was(file: Path) -> None:
    days = ("--from", "2024-01-05", "--to", "2024-01-07")
    assert "2 runs" in driftline("backfill", file, *days).output
    assert "all is done" in driftline("backfill", file, *days).output
    assert "2 runs" in driftline("backfill", file, *days, "--redo").output


def test_metrics_have_the_tables_columns(file: Path) -> None:
    driftline("run", file, "--from", "2024-01-05", "--to", "2024-01-06")
    shown = driftline("metrics", file, "--format", "json", "--metric", "psi")
    rows = json.loads(shown.stdout)
    assert {row["column_name"] for row in rows} == {"x", "noise", "group", "score"}
    for row in rows:
        assert [name for name in row if name != "verdict"] == TABLE
        assert row["window_start"] == "2024-01-05T00:00:00Z"
        assert row["window_end"] == row["as_of"] == "2024-01-06T00:00:00Z"
        assert row["lower"] is None
    text = driftline("metrics", file, "--format", "csv", "--metric", "psi").stdout
    again = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["value"]) for row in again] == [row["value"] for row in rows]
    assert "psi" in driftline("metrics", file, "--suite", "drift").output


def test_metrics_of_nothing(file: Path) -> None:
    assert json.loads(driftline("metrics", file, "--format", "json").stdout) == []
    header = driftline("metrics", file, "--format", "csv").stdout.strip()
    assert header == ",".join([*TABLE, "verdict"])
    assert f"driftline run {file}" in driftline("metrics", file).output


def test_a_report_is_made_on_demand(file: Path) -> None:
    refused = driftline("report", file)
    assert refused.exit_code == 2
    assert "name its --end" in refused.output
    made = driftline("report", file, "--end", "2024-01-07")
    assert made.exit_code == 0, made.output
    assert Path(made.stdout.strip()).read_text(encoding="utf-8").startswith("<")
    unknown = driftline("report", file, "--window", "30d")
    assert "no 30d window of model has been measured; its windows are: 1d" in unknown.output


def test_a_report_is_read_by_scripts(file: Path, tmp_path: Path) -> None:
    driftline("run", file, "--from", "2024-01-09", "--to", "2024-01-10")
    found = json.loads(driftline("report", file, "--format", "json").stdout)
    assert found["window"]["end"] == "2024-01-10T00:00:00Z"
    assert (found["outcome"], found["verdicts"][0]["rule"]) == ("warn", "psi-x-1d")
    asked = ("metrics", file, "--segment", "", "--from", "2024-01-09", "--format", "json")
    shown = json.loads(driftline(*asked).stdout)
    same = ("suite", "metric", "detail", "baseline", "engine", "model_version", "value", "lower")
    numbers = [[n["column"], *(n[key] for key in same)] for n in found["measurements"]]
    rows = [[row["column_name"], *(row[key] for key in same)] for row in shown]
    assert sorted(numbers, key=str) == sorted(rows, key=str)
    kept = tmp_path / "there" / "report.json"
    made = driftline("report", file, "--format", "json", "-o", kept)
    assert made.stdout.strip() == str(kept)
    assert json.loads(kept.read_text(encoding="utf-8")) == found


def test_the_statements_that_count_a_window_can_be_run_by_hand(file: Path) -> None:
    asked = ("sql", file, "--window", "1d", "--end", "2024-01-07")
    streamed = driftline(*asked)
    written = file.read_text(encoding="utf-8")
    file.write_text(written.replace("drift:\n", "drift:\n  profiler: sql\n"), encoding="utf-8")
    said = driftline(*asked)
    assert said.exit_code == streamed.exit_code == 0, said.output
    statements = [text for text in said.stdout.split(";\n") if text.strip()]
    with duckdb.connect() as connection:
        counted = [connection.execute(text).fetchall() for text in statements]
        rows = connection.execute(statements[0]).fetchall()
    assert len(counted) == 5  # rows; x, noise, the score; the group
    assert {sum(row[2] for row in rows)} == {
        sum(row[-1 if len(row) == 4 else 3] for row in found) for found in counted[1:]
    }
    with duckdb.connect() as connection:
        fetched = connection.execute(streamed.stdout.strip().removesuffix(";")).fetchall()
    assert len(fetched) == sum(row[2] for row in rows)
    for wrong in (("--window", "7d"), ("--end", "2024-01-07T00:30")):
        refused = driftline("sql", file, *wrong)
        assert refused.exit_code == 2
        assert "found" in refused.output


def test_what_the_statements_would_read_is_told_before_they_run(file: Path) -> None:
    day = ("--window", "1d", "--end", "2024-01-07")
    shown = driftline("sql", file, *day, "--cost")
    assert shown.exit_code == 0, shown.output
    for words in ("model: 1d 2024-01-06", "rows expected", "kB", "row groups"):
        assert words in shown.output
    statements = [text for text in driftline("sql", file, *day).stdout.split(";\n") if text.strip()]
    told = json.loads(driftline("sql", file, *day, "--cost", "--format", "json").stdout)
    assert [each["statement"] for each in told] == statements
    for each in told:
        assert 0 < each["cost"]["scanned"] < 1_000_000
        assert each["cost"]["rows"] <= 1800
    plain = json.loads(driftline("sql", file, *day, "--format", "json").stdout)
    assert plain == [{"statement": text} for text in statements]


def test_a_warehouse_that_cannot_tell_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker, "cost", lambda connection, statement: None)
    day = ("--window", "1d", "--end", "2024-01-07", "--cost")
    said = driftline("sql", file, *day)
    assert said.exit_code == 0
    assert said.output.startswith("duckdb does not tell what a statement would cost")
    told = json.loads(driftline("sql", file, *day, "--format", "json").stdout)
    assert {each["cost"] for each in told} == {None}


def test_lint_says_ok_and_what_is_not_done_yet(file: Path) -> None:
    fine = driftline("lint", file, "--connect")
    assert fine.exit_code == 0, fine.output
    assert fine.output.startswith("ok ")
    assert "features: x, noise, group" in fine.output
    assert "predictions find a label" in fine.output
    with file.open("a", encoding="utf-8") as text:
        text.write("routes: {warn: [{email: 'ml@example.com'}]}\n")
    assert "email and pagerduty go to the log yet" in driftline("lint", file).output


@pytest.mark.parametrize(
    ("old", "new", "said", "where"),
    [
        ("score: score", "score: scor", "predictions.score: no column 'scor'", "  score:"),
        ("label: y", "label: yy", "labels.label: no column 'yy'", "  label:"),
        ("timestamp: ts", "timestamp: when", "no column 'when'", "  timestamp: when"),
        ("/labels/", "/nowhere/", "labels: ", "labels:"),
        ("columns: x", "columns: xx", "no column that is watched is like xx", "- columns:"),
        ("  id: id\n  p", "  id: id\n  latency_ms: tk\n  p", "no column 'tk'", "  latency_ms:"),
        ("task:", "business: {a: 'avg(y)'}\ntask:", "business.a: avg(y): ", "business:"),
        ("task:", "business: {a: score}\ntask:", "business.a: score: ", "business:"),
    ],
)
def test_lint_connect_compares_with_the_warehouse(
    file: Path, old: str, new: str, said: str, where: str
) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    assert driftline("lint", file).exit_code == 0
    wrong = driftline("lint", file, "--connect")
    assert wrong.exit_code == 2
    assert said in wrong.output
    lines = file.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.startswith(where))
    assert f"{file}:{line}: " in wrong.output


def test_a_fault_of_the_defaults_is_told_once_for_all_files(file: Path) -> None:
    others = [file.with_name(f"{name}.yaml") for name in ("a", "b")]
    for other in others:
        other.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    file.with_name("driftline.yaml").write_text("stroe: x\n", encoding="utf-8")
    wrong = driftline("lint", file, *others)
    assert wrong.exit_code == 2
    assert wrong.stderr.count("Did you mean 'store'?") == 1


def test_lint_connect_fails_where_no_prediction_finds_its_label(file: Path) -> None:
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    parquet = written["labels"].pop("parquet")
    written["labels"]["query"] = f"SELECT * REPLACE (upper(id) || ' ' AS id) FROM '{parquet}'"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    wrong = driftline("lint", file, "--connect")
    assert wrong.exit_code == 2
    assert "labels.id: none of " in wrong.output
    assert "finds a label: id of " in wrong.output


def test_lint_knows_great_expectations_names(file: Path) -> None:
    with file.open("a", encoding="utf-8") as text:
        text.write("quality: [{expect_column_values_to_not_be_nul: {column: x}}]\n")
    wrong = driftline("lint", file)
    assert wrong.exit_code == 2
    assert "expect_column_values_to_not_be_null" in wrong.output
    run = driftline("run", file, "--from", "2024-01-05", "--to", "2024-01-06")
    assert run.exit_code != 0
    assert "expect_column_values_to_not_be_nul" in run.output


def test_a_bad_file_is_exit_code_2_everywhere(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("task:", "taks:"), encoding="utf-8")
    for command in ("lint", "run", "backfill", "metrics", "report"):
        ended = driftline(command, file)
        assert ended.exit_code == 2, command
        assert "Did you mean 'task'?" in ended.output
        assert "Traceback" not in ended.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "nobody"),
        ("run", "{file}", "--from", "2024-01-06", "--to", "2024-01-05"),
        ("run", "{file}", "--from", "yesterday"),
        ("run", "{file}", "--from", "2024-01-05", "--to", "2999-01-01"),
        ("backfill", "{file}", "--from", "2024-01-05", "--to", "2999-01-01"),
        ("report", "{file}", "--window", "2h", "--end", "2024-01-05"),
        ("report", "{file}", "--end", "2024-01-05T06:00"),
        ("metrics", "{file}", "--suite", "nothing"),
    ],
)
def test_wrong_arguments_are_exit_code_2(file: Path, arguments: tuple[str, ...]) -> None:
    ended = driftline(*(argument.format(file=file) for argument in arguments))
    assert ended.exit_code == 2, ended.output
    assert "Traceback" not in ended.output


def test_a_reference_without_rows_is_an_input_error(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("2024-01-0", "1999-01-0"), encoding="utf-8")
    ended = driftline("run", file, "--from", "2024-01-05", "--to", "2024-01-06")
    assert ended.exit_code == 2
    assert "spans 2024-01-01 to 2024-01-12" in ended.output


def test_the_store_is_made_by_its_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a/b/store.db"
    refused = driftline("store", "status", "--url", url)
    assert refused.exit_code == 1
    assert "driftline store upgrade" in refused.output
    assert "upgraded to 0001" in driftline("store", "upgrade", "--url", url).output
    assert "is up to date" in driftline("store", "upgrade", "--url", url).output
    assert (
        "CREATE TABLE measurements" in driftline("store", "upgrade", "--sql", "--url", url).output
    )
    assert "outbox:   0 messages" in driftline("store", "status", "--url", url).output
    assert driftline("store", "deliver", "--url", url).exit_code == 0


def test_a_message_that_was_given_up_is_sent_again_or_let_go_of(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    driftline("store", "upgrade", "--url", url)
    pigeons = outbox.Message(
        id="1", monitor="m", channel="pigeon", target="#a", body="{}", created=datetime.now(UTC)
    )
    with Store.open(make_url(url)) as store, store.begin() as connection:
        outbox.add(connection, [pigeons])
    for options, code in (((), 1), ((), 0), (("--failed",), 1)):
        tried = driftline("store", "deliver", *options, "--url", url)
        assert tried.exit_code == code, tried.output
        assert ("given up" in tried.output) is bool(code)
    said = driftline("store", "status", "--url", url).output
    assert "0 messages not delivered, 1 given up" in said
    assert "pigeon #a: there is no such channel" in said
    assert "driftline store deliver --failed" in said
    assert "1 message discarded" in driftline("store", "discard", "--url", url).output
    assert "0 given up" in driftline("store", "status", "--url", url).output


def test_init_drafts_a_file_that_runs(
    logs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "drafted.yaml"
    predictions, labels = (f"{logs_folder}/{name}/*.parquet" for name in ("predictions", "labels"))
    made = driftline("init", "--predictions", predictions, "--labels", labels, "-o", path)
    assert made.exit_code == 0, made.output
    assert "1,800 predictions from 2024-01-01 to 2024-01-12" in made.output
    assert "of the predictions find a label" in made.output
    file: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert file["task"] == "binary"
    assert file["predictions"]["timestamp"] == "ts"
    assert file["labels"]["label"] == "y"
    assert Monitor.model_validate(file).predictions.version == "version"
    assert driftline("init", "--predictions", predictions, "-o", path).exit_code == 2
    ran = driftline("run", path, "--from", "2024-01-10", "--to", "2024-01-11")
    assert ran.exit_code == 0, ran.output


def test_a_table_without_predictions_is_drafted_measured_and_shown(
    logs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_HOME", str(tmp_path / "home"))
    bare = Warehouse(kind="parquet", folder=tmp_path)
    bare.load("rows", logs(drift_on=8)[0].drop_columns(["score"]))
    path, rows = tmp_path / "table.yaml", f"{tmp_path}/rows/*.parquet"
    asked = ("init", "--predictions", rows, "-o", path)
    assert "with --task none" in driftline(*asked).output
    refused = driftline(*asked, "--task", "none", "--labels", f"{logs_folder}/labels/*.parquet")
    assert "--labels: with --task none there is no model" in refused.output
    made = driftline(*asked, "--task", "none")
    assert made.exit_code == 0, made.output
    assert "1,800 rows from 2024-01-01 to 2024-01-12" in made.output
    file: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(file["predictions"]) == {"parquet", "id", "timestamp"}
    assert driftline("lint", path, "--connect").exit_code == 0
    made = driftline("report", path, "--end", "2024-01-10")
    assert "Why it fell" not in Path(made.stdout.strip()).read_text(encoding="utf-8")
    assert "CREATE" not in (counting := driftline("sql", path, "--end", "2024-01-10").stdout)
    assert "SELECT" in counting
    why = driftline("why", path)
    assert why.exit_code == 2
    assert "task: none has no model, and so no performance" in why.stderr


def test_init_writes_no_password_down(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = "generate_series(timestamptz '2024-01-01Z', '2024-01-08Z', '1 hour')"
    run(postgres_database, f"CREATE TABLE scores AS SELECT ts, random() AS p FROM {hours} AS ts")
    path = tmp_path / "drafted.yaml"
    args = ("--warehouse", postgres_database, "--predictions", "scores", "-o", path)
    made = driftline("init", *args)
    assert made.exit_code == 0, made.output
    assert "set WAREHOUSE_PASSWORD" in made.output
    assert PASSWORD not in made.output + path.read_text(encoding="utf-8")
    monkeypatch.setenv("WAREHOUSE_PASSWORD", PASSWORD)
    assert driftline("lint", path, "--connect").exit_code == 0


def test_every_command_has_help_that_teaches() -> None:
    for words in (
        [],
        ["run"],
        ["backfill"],
        ["lint"],
        ["init"],
        ["metrics"],
        ["report"],
        ["store"],
    ):
        shown = driftline(*words, "--help")
        assert shown.exit_code == 0
        assert len(shown.output.splitlines()) > 8


def test_the_schema_is_json() -> None:
    schema = json.loads(driftline("schema").stdout)
    assert {"monitor", "task", "predictions", "reference"} <= set(schema["required"])
