"""What CONTRIBUTING says is there: every path, every room in its line, every hook."""

import re
from pathlib import Path

import yaml

from tests.test_boundaries import LEVELS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_path_is_there() -> None:
    paths = re.findall(r"`([\w./-]+/[\w./-]*)`", TEXT)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_picture_shows_the_levels() -> None:
    picture = TEXT.split("```")[1].strip().splitlines()
    assert len(picture) == len(LEVELS)
    for line, level in zip(picture, reversed(LEVELS), strict=True):
        words = re.split(r"\s{2,}", line.strip())
        assert {word.rstrip("/") for word in words[:-1]} == level


def test_the_hooks_are_what_lint_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlint:")[1].split("\n\n")[0]
    for hook in config["repos"][0]["hooks"]:
        command = hook["entry"].removeprefix(".venv/bin/").removesuffix(" --fix")
        assert f"$(BIN)/{command}" in lint
