"""A run over a table of odd types, values and names measures it, or says in one error what is odd.

By `--soak` five hundred tables are tried, by their seeds. One alone is tried again by its number:
`pytest --soak -n 0 'tests/fuzz/test_tables.py::test_a_run_measures_or_says_why[sqlite-17]'`;
`DRIFTLINE_FUZZ_FROM=1000` tries others.
"""

import os
import random
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from sqlalchemy import make_url, select

from driftline.cli import main
from driftline.store import Store, tables
from tests.fuzz.tables import DAYS, REFERENCE, START, Table, load, table
from tests.warehouses import Warehouse, make_warehouse

DATABASES = ("duckdb", "parquet", "sqlite", "postgresql")
FEW, MANY = 1, 125
DAY = timedelta(days=1)
FOREIGN = re.compile(r"Traceback|(?<! failed: )\b[A-Z]\w*(Error|Exception)\b")
"""Words of Python's; what Evidently and Great Expectations raise stands behind their name."""
DATABASE = re.compile(r"\w+://")
NUMBERS = {
    "tiny",
    "small",
    "int",
    "big",
    "huge",
    "unsigned",
    "float",
    "double",
    "decimal",
    "numeric",
}
NO_NUMBER = {None, "NaN", "x"}
CONTROLS = re.compile(
    "[^\\n\\t\\x20-\\x7e\\xa1-\\u200a\\u2010-\\u2027\\u2030-\\ud7ff\\ue000-\\U000e0fff]"
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        first = int(os.environ.get("DRIFTLINE_FUZZ_FROM", "0"))
        number = MANY if metafunc.config.getoption("--soak") else FEW
        pairs = [(kind, seed) for seed in range(first, first + number) for kind in DATABASES]
        metafunc.parametrize(("kind", "seed"), pairs)


def test_a_run_measures_or_says_why(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    seed: int,
) -> None:
    if seed % 5:  # a page takes longer than all the rest
        monkeypatch.setattr("driftline.suites.report.html", lambda *_, **__: "")
    made = table(seed, "duckdb" if kind == "parquet" else kind)
    place = make_warehouse(request, kind, tmp_path)
    load(made, kind, tmp_path, place.owner)
    drafted = _drafted(made, place)
    path = tmp_path / "model.yaml"
    chance = random.Random(seed)
    document = drafted if drafted and chance.random() < 0.5 else _document(made, place, chance)
    document |= {
        "store": f"sqlite:///{tmp_path}/results.db",
        "reference": {"window": [START.date(), (START + REFERENCE * DAY).date()]},
        "windows": ["1d"],
    }
    path.write_text(yaml.safe_dump(document, allow_unicode=False), encoding="utf-8")
    end = START + DAYS * DAY
    ran = _driftline("run", path, "--from", f"{end - DAY:%F}", "--to", f"{end:%F}")
    _is_clear(ran)
    if ran.exit_code == 0:
        _is_known(made, document, ran.output, tmp_path)
    if seed % 3 == 0 and (tmp_path / "results.db").exists():
        for command in (("metrics",), ("report", "--format", "json"), ("lint", "--connect")):
            _is_clear(_driftline(command[0], path, *command[1:]))


def _driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _is_clear(said: Result) -> None:
    """It ended as it should, in words of driftline's, and nothing of the data acts."""
    if said.exception and not isinstance(said.exception, SystemExit):
        raise said.exception
    assert said.exit_code in (0, 1, 2, 3), said.output
    assert not CONTROLS.findall(said.output), said.output
    output = re.sub(r"\s+", " ", said.output)
    assert not FOREIGN.search(output), said.output
    if said.exit_code in (1, 2):
        words = said.stderr if "failed: " in output or "error: " in output else said.output
        assert words.strip(), said.output
        assert not DATABASE.search(words), said.output


def _drafted(made: Table, place: Warehouse) -> dict[str, Any] | None:
    """Return what `init` makes of a table whose columns are named to it; None where it refuses."""
    where = f"{place.folder}/logs/*.parquet" if place.kind == "parquet" else _quoted(made.name)
    said = [f"--{role}={name}" for role, name in made.roles.items()]
    if made.labels:
        truth = f"{place.folder}/truth/*.parquet" if place.kind == "parquet" else "truth"
        said += ["--labels", truth, f"--label={made.labels.roles['label']}"]
    if place.kind != "parquet":
        said += ["--warehouse", place.url]
    drafted = _driftline("init", "--predictions", where, "--name", "model", *said)
    _is_clear(drafted)
    if drafted.exit_code:
        return None
    return _of(yaml.safe_load(drafted.stdout), place)


def _of(document: dict[str, Any], place: Warehouse) -> dict[str, Any]:
    own = {} if place.kind == "parquet" else {"warehouse": place.url}
    for section, folder in (("predictions", "logs"), ("labels", "truth")):
        if place.kind == "parquet" and "parquet" in document.get(section, {}):
            document[section]["parquet"] = f"{place.folder}/{folder}/*.parquet"
    return document | own


def _quoted(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def _document(made: Table, place: Warehouse, chance: random.Random) -> dict[str, Any]:
    roles = dict(made.roles)
    label = roles.pop("label", None)
    where = "parquet" if place.kind == "parquet" else "table"
    task = "binary"
    if "score" not in roles:
        task = "regression" if chance.random() < 0.5 else "multiclass"
    document: dict[str, Any] = {
        "monitor": "model",
        "task": task,
        "predictions": {**roles, where: "" if where == "parquet" else _quoted(made.name)},
    }
    if label:
        document["labels"] = {"label": label}
    if made.labels:
        document["labels"] = {**made.labels.roles, where: "truth"}
    names = [each.name for each in made.features]
    if chance.random() < 0.6:
        listed: dict[str, list[str]] = {"numeric": [], "categorical": []}
        for name in names:
            if chance.random() < 0.9:
                listed[chance.choice(["numeric", "categorical"])].append(name)
        document["features"] = listed
    if chance.random() < 0.4:
        document["segments"] = chance.sample(names, 1)
    if chance.random() < 0.2:
        document.setdefault("features", {})["sensitive"] = chance.sample(names, 1)
    if chance.random() < 0.5:
        document["rules"] = [
            {"name": "drift", "metric": "psi", "columns": "*", "max": 5, "severity": "critical"},
            {"name": "nulls", "metric": "null_share", "max": 1, "severity": "critical"},
        ]
    return _of(document, place)


def _is_known(made: Table, document: Mapping[str, Any], said: str, folder: Path) -> None:
    """All that is watched was measured, or it is said what was not."""
    day = made.of_day(START + (DAYS - 1) * DAY)
    rows = len(day)
    with Store.open(make_url(f"sqlite:///{folder}/results.db")) as store, store.read() as read:
        found = read.execute(select(tables.measurements)).mappings().all()
    counted = [row["value"] for row in found if row["metric"] == "row_count" and not row["segment"]]
    assert counted == [rows], (counted, rows, said)
    lists = document.get("features", {})
    listed = [*lists.get("numeric", ()), *lists.get("categorical", ())]
    nulls = {row["column_name"]: row["value"] for row in found if row["metric"] == "null_share"}
    assert nulls.keys() >= set(listed), (set(listed) - nulls.keys(), said)
    for each in made.features:
        of_number = each.name in lists.get("numeric", ())
        if rows and each.name in listed and (each.kind in NUMBERS or not of_number):
            none = (
                NO_NUMBER if of_number and each.name not in lists.get("sensitive", ()) else {None}
            )
            missing = sum(each.values[row] in none for row in day)
            assert nulls[each.name] == pytest.approx(missing / rows), (each, said)
    drift = [r for r in found if r["suite"] == "drift" and r["engine"] == "profile"]
    assert {row["column_name"] for row in drift} >= set(listed), said
    unknown = [row for row in found if row["value"] is None and not row["reason"]]
    assert not unknown, unknown
    foreign = [(row["metric"], row["reason"]) for row in found if FOREIGN.search(row["reason"])]
    assert not foreign, foreign
    if re.search("(?m)^Nothing is wrong at", said.replace("\n", " ")):
        open_ = [row for row in drift if row["metric"] == "psi" and row["value"] is None]
        assert not open_ or "rules" not in document, (open_, said)
