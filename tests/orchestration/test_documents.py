"""What docs/airflow.md shows is what there is: its files make DAGs, its names exist."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.utils.file import might_contain_dag

from driftline.domain import Evidence
from driftline.orchestration import KINDS, Settings, airflow_dags
from driftline.retraining.request import Request
from tests.orchestration.conftest import Folder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "airflow.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def made(folder: Folder) -> dict[str, DAG]:
    folder.add("m", "retraining: {train: models:train}\n")
    return airflow_dags(folder.path)


@pytest.mark.parametrize("text", [*blocks("python"), *blocks("python", README)])
def test_dag_files_are_found_by_airflow_and_make_dags(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    folder.add("m", "retraining: {train: models:train}\n")
    monkeypatch.setenv("DRIFTLINE_MONITORS", str(folder.path))
    file = tmp_path / "watched.py"
    file.write_text(text)
    assert might_contain_dag(str(file), safe_mode=True)
    names = {"airflow_dags": lambda *given, **more: airflow_dags(folder.path, **more)}
    exec(text.replace("from driftline.orchestration import airflow_dags", ""), names)


def test_the_shipped_dag_files_are_found_by_airflow() -> None:
    files = sorted((ROOT / "dags").glob("*.py"))
    assert len(files) == len(KINDS)
    assert all(might_contain_dag(str(file), safe_mode=True) for file in files)


def test_all_that_the_dag_file_takes_is_shown() -> None:
    shown = blocks("python")[1]
    taken = {field.name for field in fields(Settings)} | {"kinds"}
    assert set(re.findall(r"^    (\w+)=", shown, re.MULTILINE)) == taken


def test_every_task_is_described(made: dict[str, DAG]) -> None:
    for dag in made.values():
        for task_id in dag.task_ids:
            if task_id != "measure":
                assert f"`{task_id}`" in PAGE, (dag.dag_id, task_id)


def test_the_configuration_of_a_retraining_is_the_one_that_is_sent() -> None:
    (text,) = blocks("json")
    shown = json.loads(text)
    assert Request.from_conf(shown).to_conf() == shown
    assert set(shown["evidence"][0]) == {field.name for field in fields(Evidence)}


def test_the_extras_are_there() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    for page in (PAGE, README):
        for named in re.findall(r"driftline\[([\w,]+)\]", page):
            assert set(named.split(",")) <= set(extras)


def test_pictures_are_there() -> None:
    for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / picture).stat().st_size > 10_000
