"""`driftline lint` tries what else would only fail later."""

from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from driftline.cli import main

FILE = """\
monitor: m
task: binary
warehouse: duckdb:///logs.duckdb
predictions: {table: predictions, id: id, timestamp: predicted_at, score: score}
labels: {table: labels, id: id, timestamp: labelled_at, label: label}
reference: {previous: 28d}
"""


def lint(path: Path, text: str, *options: str) -> str:
    path.write_text(text)
    ended = CliRunner().invoke(main, ["lint", str(path), *options])
    assert ended.exit_code == (0 if ended.output.startswith("ok") else 2), ended.output
    return ended.output


@pytest.mark.parametrize(
    ("retraining", "said"),
    [
        ("train: no_such_module:train", "no_such_module cannot be imported here: ModuleNotFound"),
        ("train: json:train", "m.yaml:7: retraining.train: json has no function 'train'"),
        (
            "train: json:dumps, gate: {holdout: 4d}",
            "retraining.gate.holdout: found 4d; the gate compares 5 days or more: write 5d",
        ),
        ("train: json:dumps, gate: {holdout: 5d}", "ok "),
        ("dag: my_own", "ok "),
    ],
)
def test_a_retraining_that_can_never_pass_is_a_fault(
    tmp_path: Path, retraining: str, said: str
) -> None:
    assert said in lint(tmp_path / "m.yaml", f"{FILE}retraining: {{{retraining}}}\n")


def test_a_holdout_is_longer_than_negatives_take_to_be_known(tmp_path: Path) -> None:
    absent = FILE.replace("label: label", "label: label, absent: {value: 0, after: 60d}")
    for holdout, said in (("64d", "is known after 60d"), ("65d", "ok ")):
        text = f"{absent}retraining: {{train: 'json:dumps', gate: {{holdout: {holdout}}}}}\n"
        assert said in lint(tmp_path / "m.yaml", text)


def test_a_time_is_no_label(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "logs.duckdb")) as logs:
        logs.execute("CREATE TABLE predictions AS SELECT 1 id, now() predicted_at, .5 score")
        logs.execute("CREATE TABLE labels AS SELECT 1 id, now() labelled_at, 1 AS label")
    assert lint(tmp_path / "m.yaml", FILE, "--connect").startswith("ok")
    wrong = lint(
        tmp_path / "m.yaml", FILE.replace("label: label}", "label: labelled_at}"), "--connect"
    )
    assert "m.yaml:5: labels.label: 'labelled_at' is a time" in wrong


@pytest.mark.parametrize("option", ["--from", "--to", "--as-of"])
@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+23:59"])
def test_the_ends_of_the_calendar_are_one_clear_error(
    tmp_path: Path, option: str, time: str
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(FILE)
    for command in ("run", "backfill"):
        ended = CliRunner().invoke(main, [command, str(path), option, time])
        assert ended.exit_code == 2, ended.output
        assert f"found '{time}'; write a date between" in " ".join(ended.output.split())
