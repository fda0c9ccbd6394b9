"""A value of a sensitive column is planted everywhere it can be, and looked for everywhere it may
have gone: store, artifacts, page, message, log, what is printed, and words of errors.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from click.testing import CliRunner, Result

from driftline import hidden
from driftline.cli import main
from driftline.domain import ColumnKind
from driftline.errors import LogError, MissingColumn, MissingTable, TrainingError, WarehouseError
from driftline.retraining.training import TrainingContext, fit, training_set
from driftline.run import planned, run
from driftline.store import Store
from driftline.warehouse import open_logs
from tests.models import DAY, START, logs
from tests.warehouses import Warehouse, documents

CANARY = "CANARY"
KEY = "c3ab8ff13720e8ad"
SENSITIVE = ["postcode", "inputs.address"]


def planted(seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Logs whose postcodes and addresses are canaries; new ones from the tenth day on."""
    predictions, labels = logs("binary", rows=120, seed=seed, drift_on=9)
    number = np.arange(len(predictions))
    late = pc.greater_equal(predictions["ts"], pa.scalar(START + 9 * DAY)).to_numpy()
    codes = np.where(late, number % 2 + 5, number % 4)
    postcode = [f"{CANARY}-{code}" if place % 9 else None for place, code in enumerate(codes)]
    inputs = documents(
        {"age": int(20 + n % 40), "address": {"zip": f"{CANARY}-{code}", "no": n % 7}}
        for n, code in zip(number.tolist(), codes, strict=True)
    )
    return predictions.append_column("postcode", pa.array(postcode)).append_column(
        "inputs", inputs
    ), labels


def file_of(warehouse: Warehouse, **parts: Any) -> dict[str, Any]:
    """The monitor's file: all that is made of a column is asked of the sensitive ones."""
    return {
        "monitor": "model",
        "task": "binary",
        **({} if warehouse.kind == "parquet" else {"warehouse": warehouse.url}),
        "predictions": {
            **warehouse.source("predictions"),
            "id": "id",
            "timestamp": "ts",
            "score": "score",
            "version": "version",
        },
        "labels": {
            **warehouse.source("labels"),
            "id": "id",
            "timestamp": "labelled_at",
            "label": "y",
        },
        "reference": {"window": [START.date(), (START + 6 * DAY).date()]},
        "features": {"sensitive": SENSITIVE},
        "segments": ["postcode"],
        "windows": ["1d", "3d"],
        "quality": [
            {"expect_column_values_to_not_be_null": {"column": "postcode"}},
            {"expect_column_values_to_be_unique": {"column": "inputs.address.zip"}},
            {
                "expect_column_pair_values_to_be_equal": {
                    "column_A": "postcode",
                    "column_B": "group",
                }
            },
        ],
        "rules": [
            {"metric": "psi", "columns": ["*"], "window": "1d", "max": 0.1},
            {"metric": "expect_column_values_to_be_unique", "window": "1d", "min": 1},
            {"metric": "roc_auc", "window": "1d", "min": 0.75, "severity": "critical"},
            {"name": "parts", "metric": "roc_auc", "segment": "postcode=*", "min": 0.75},
        ],
        "drift": {"method": ["psi", "chi_square"]},
        "store": f"sqlite:///{warehouse.folder}/store.db",
        "artifacts": str(warehouse.folder / "artifacts"),
        **parts,
    }


def written(warehouse: Warehouse, **parts: Any) -> Path:
    path = warehouse.folder / "model.yaml"
    path.write_text(yaml.safe_dump(file_of(warehouse, **parts)))
    return path


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hidden.VARIABLE, KEY)


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a search of all that was written, logged and printed so far."""
    caplog.set_level(logging.DEBUG)

    def search(words: str, folder: Path, *results: Result) -> list[str]:
        places = {"log": caplog.text}
        for number, result in enumerate(results):
            chain = repr(result.exception), repr(getattr(result.exception, "__cause__", None))
            places[f"output {number}"] = f"{result.output} {chain}"
        found = [place for place, text in places.items() if words in text]
        made = [folder / "store.db", *folder.glob("store.db-wal"), *folder.glob("artifacts/**/*")]
        return found + [
            str(path) for path in made if path.is_file() and words.encode() in path.read_bytes()
        ]

    return search


@pytest.mark.filterwarnings("ignore")
def test_a_run_and_all_that_comes_of_it_hold_no_value(
    warehouse: Warehouse, everything: Any
) -> None:
    if warehouse.kind != "parquet":
        pytest.skip("it takes seconds, and what is asked of a warehouse is tried on each below")
    for name, rows in zip(("predictions", "labels"), planted(), strict=True):
        warehouse.load(name, rows, json=["inputs"] if name == "predictions" else ())
    path = written(warehouse)
    span = ["--from", f"{START + 10 * DAY:%F}", "--to", f"{START + 11 * DAY:%F}"]
    asked = [
        ["lint", str(path), "--connect"],
        ["run", str(path), *span],
        ["metrics", str(path), "--format", "csv"],
        ["why", str(path), "--metric", "roc_auc", "--window", "1d"],
        ["report", str(path)],
        ["sql", str(path), "--window", "1d", "--end", f"{START + 11 * DAY:%F}"],
    ]
    results = [CliRunner().invoke(main, words) for words in asked]
    assert [result.exit_code for result in results] == [0] * len(asked), results[-1].output
    assert everything(CANARY, warehouse.folder, *results) == []
    assert everything(KEY, warehouse.folder, *results) == []
    digest = hidden.hashed(f"{CANARY}-1", KEY)
    assert f"postcode={digest}" in results[2].output  # it was watched, by its hash
    assert "expect_column_values_to_be_unique" in results[2].output
    assert ":key" in results[5].output


def test_what_is_only_sensitive_is_watched_beside_what_is_listed(warehouse: Warehouse) -> None:
    warehouse.load("predictions", planted()[0], json=["inputs"])
    lists = {"numeric": ["x"], "sensitive": ["postcode", "inputs.address.zip"]}
    with open_logs(warehouse.monitor(features=lists)) as found:
        columns = found.features(START, START + DAY)
    assert columns == {
        "x": ColumnKind.NUMERIC,
        "postcode": ColumnKind.CATEGORICAL,
        "inputs.address.zip": ColumnKind.CATEGORICAL,
    }


COVERED = ["inputs", "inputs.address", "inputs.address.zip", "Inputs.Address", "inputs.ADDRESS.no"]


def test_parents_and_children_of_a_path_are_hidden_too(warehouse: Warehouse) -> None:
    warehouse.load("predictions", planted()[0], json=["inputs"])
    lists = {"categorical": COVERED[:3], "numeric": ["inputs.age"], "sensitive": ["inputs.address"]}
    with open_logs(warehouse.monitor(features=lists)) as found:
        columns = found.features(START, START + DAY)
        table = found.rows(START, START + DAY, columns).table
        counted = found.categories(START, START + DAY, columns)
    assert CANARY not in str(table.to_pydict()) + str(counted)
    assert set(map(len, table["inputs"].to_pylist())) == {hidden.DIGITS}
    assert table["inputs.age"].to_pylist()[0] >= 20  # beside it nothing is hidden


@pytest.mark.parametrize(
    ("name", "hides"),
    [
        *((name, True) for name in COVERED),
        *((name, True) for name in ("post_code", "PostCode", "postcode", "postcode.first")),
        *((name, False) for name in ("inputs.age", "inputs.addresses", "post", "postcodes", "x")),
    ],
)
def test_which_names_are_covered(name: str, hides: bool) -> None:
    assert hidden.covers(SENSITIVE, name) is hides


# Names that the log lacks


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("postcod", "postcode"),
        ("POSTCODE", "postcode"),
        ("inputs.adress", "inputs.address"),
        ("inputs.Address.zip", "inputs.address.zip"),
        ("phone", ""),
    ],
)
def test_a_name_that_the_log_lacks_measures_nothing(
    warehouse: Warehouse, store: Store, name: str, near: str
) -> None:
    warehouse.load("predictions", planted()[0].slice(0, 960), json=["inputs"])
    monitor = warehouse.monitor(
        features={"sensitive": [name]}, reference={"window": ["2024-01-01", "2024-01-04"]}
    )
    hint = f"did you mean {near!r}" if near else ""
    with open_logs(monitor) as found:
        assert hint in "".join(map(str, found.check()))
        with pytest.raises(MissingColumn, match=rf"features\.sensitive: no .*{name!r}.*{hint}"):
            found.features(START, START + DAY)
    with pytest.raises(MissingColumn, match=repr(name)):
        list(run(monitor, planned(monitor, START + 4 * DAY, START + 5 * DAY), store))
    with store.read() as connection:
        assert not connection.exec_driver_sql("SELECT value FROM measurements").all()


@pytest.mark.usefixtures("no_pages", "no_samples", "no_expectations")
def test_a_column_that_is_renamed_later_stops_the_measuring(
    warehouse: Warehouse, store: Store
) -> None:
    predictions, _ = planted()
    warehouse.load("predictions", predictions, json=["inputs"])
    monitor = warehouse.monitor(
        features={"numeric": ["x"], "sensitive": ["postcode"]},
        reference={"window": ["2024-01-01", "2024-01-04"]},
        windows=["1d"],
    )
    list(run(monitor, planned(monitor, START + 4 * DAY, START + 5 * DAY), store))
    renamed = [{"postcode": "zip"}.get(name, name) for name in predictions.column_names]
    warehouse.load("predictions", predictions.rename_columns(renamed), json=["inputs"])
    with pytest.raises(MissingColumn, match="no column 'postcode'"):
        list(run(monitor, planned(monitor, START + 5 * DAY, START + 6 * DAY), store))


# Words of errors


def test_words_of_a_database_that_may_hold_values_are_kept_back(warehouse: Warehouse) -> None:
    warehouse.load("predictions", planted()[0], json=["inputs"])
    cast = {"duckdb": "CAST(postcode AS INTEGER) > 0", "postgresql": "postcode::int > 0"}
    where = cast.get(warehouse.dialect)
    if where is None:
        pytest.skip("a cast does not fail there, and no error of it names a value")
    for lists, words in (({"sensitive": SENSITIVE}, "kept back"), ({"numeric": ["x"]}, CANARY)):
        monitor = warehouse.monitor(features=lists, predictions={"where": where})
        with open_logs(monitor) as found, pytest.raises(WarehouseError, match=words) as caught:
            found.rows(START, START + DAY, {"x": ColumnKind.NUMERIC})
        assert (CANARY in str(caught.value)) is (words == CANARY)
        assert (caught.value.__suppress_context__ and not caught.value.__cause__) is (
            words != CANARY
        )


def test_a_table_that_is_missing_is_still_named(warehouse: Warehouse) -> None:
    warehouse.load("others", planted()[0], json=["inputs"])
    monitor = warehouse.monitor(features={"sensitive": ["postcode"]})
    with pytest.raises(MissingTable, match="predictions"), open_logs(monitor) as found:
        found.first_timestamp()


def test_an_answer_that_is_no_number_is_not_repeated(warehouse: Warehouse) -> None:
    warehouse.load("predictions", planted()[0], json=["inputs"])
    monitor = warehouse.monitor(
        features={"sensitive": ["postcode"]}, business={"last": "max(postcode)"}
    )
    with (
        open_logs(monitor) as found,
        pytest.raises(LogError, match="no number but a str") as caught,
    ):
        found.business(START, START + DAY)
    assert CANARY not in str(caught.value)


def raises(rows: Any, context: TrainingContext) -> Any:
    raise ValueError(f"could not convert {CANARY}, one of {list(rows)}")


def test_a_training_function_gets_what_is_listed_and_its_error_says_no_value(
    warehouse: Warehouse,
) -> None:
    predictions, labels = planted()
    warehouse.load("predictions", predictions, json=["inputs"])
    warehouse.load("labels", labels)
    monitor = warehouse.monitor(
        features={
            "numeric": ["x"],
            "categorical": ["postcode", "inputs"],
            "sensitive": ["postcode", "inputs.address"],
        },
        labels={"id": "id", "timestamp": "labelled_at", "label": "y", "of": "labels"},
        retraining={
            "train": "tests.test_privacy:raises",
            "window": "5d",
            "gate": {"holdout": "1d"},
        },
    )
    end = START + 5 * DAY
    with open_logs(monitor) as found:
        given = training_set(monitor, found, START, end, as_of=end)
    assert list(given) == ["x", "postcode", "ts", "y"]
    assert given["postcode"].dropna().str.startswith(CANARY).all()  # as it will be served
    context = TrainingContext(
        monitor="model", reason="", start=START, end=end, as_of=end, champion=""
    )
    with pytest.raises(TrainingError, match="raised ValueError; its words are kept back") as caught:
        fit(monitor, given, context)
    assert caught.value.__cause__ is None
    assert CANARY not in str(caught.value)


# The file, and the key


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"features": {"sensitive": ["score"]}}, "score is predictions.score, which is shown"),
        ({"features": {"sensitive": ["TS"]}}, "ts is predictions.timestamp, which is shown"),
        (
            {"predictions": {"prediction": "out.label"}, "features": {"sensitive": ["out"]}},
            "out.label is predictions.prediction, which is shown",
        ),
        (
            {
                "features": {"sensitive": ["a.b"]},
                "quality": [{"expect_column_min_to_be_between": {"column": "a", "min_value": 1}}],
            },
            "a is sensitive: its values are hashed",
        ),
        (
            {
                "features": {"sensitive": ["b"]},
                "quality": [{"expect_multicolumn_sum_to_equal": {"column_list": ["a", "b"]}}],
            },
            "b is sensitive: its values are hashed",
        ),
    ],
)
def test_what_a_file_may_not_hide(warehouse: Warehouse, parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        warehouse.monitor(**parts)


def test_another_key_is_another_configuration(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, plain = ({"features": lists} for lists in ({"sensitive": ["a"]}, {"numeric": ["a"]}))
    names: dict[str, list[str]] = {"secret": [], "plain": []}
    for key in ("one", "two", ""):
        monkeypatch.setenv(hidden.VARIABLE, key)
        names["secret"].append(warehouse.monitor(**secret).config_hash)
        names["plain"].append(warehouse.monitor(**plain).config_hash)
    assert len(set(names["secret"])) == 3
    assert len(set(names["plain"])) == 1


def test_without_a_key_lint_says_that_hashes_are_pseudonyms(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(warehouse)
    assert "pseudonymous" not in CliRunner().invoke(main, ["lint", str(path)]).output
    monkeypatch.delenv(hidden.VARIABLE)
    assert "pseudonymous only" in CliRunner().invoke(main, ["lint", str(path)]).output
