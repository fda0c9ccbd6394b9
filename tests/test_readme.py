"""What the README shows is what there is: its files read, its commands run."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline.cli import main
from driftline.monitor import file as monitor_file

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MONITOR = ROOT / "include" / "monitors" / "flight_delay.yaml"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def test_the_first_example_is_the_demos_file() -> None:
    assert blocks("yaml")[0] == MONITOR.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_examples_are_monitor_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "monitor.yaml"
    if "reference:" not in text:
        text += "reference: {previous: 28d}\n"
    path.write_text(text, encoding="utf-8")
    assert monitor_file.load(path).path == path


def test_the_ten_minutes_work(
    flight_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").symlink_to(flight_home / "logs")
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("driftline ")]
    assert [words[1] for words in commands] == (
        ["init", "lint", "backfill", "metrics", "metrics", "report", "run"]
    )
    for words in commands:
        ended = CliRunner().invoke(main, words[1:])
        assert ended.exit_code == 0, (words, ended.output)


def test_every_command_is_documented() -> None:
    for name in main.commands:
        assert f"driftline {name}" in README, name


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make (\w+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size > 10_000
