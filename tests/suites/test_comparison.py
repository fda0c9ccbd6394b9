"""Two files or frames are compared without a monitor."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

import driftline
from driftline.cli import main
from driftline.errors import InputError

ROWS = 4000


@pytest.fixture
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    plan = np.repeat(["basic", "pro"], [2800, 1200])
    before = pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(ROWS)],
            "at": pd.date_range("2026-01-01", periods=ROWS, freq="min"),
            "x": rng.normal(size=ROWS),
            "few": rng.integers(0, 5, ROWS),
            "plan": plan,
            "paid": rng.random(ROWS) > 0.5,
            "gone": 1.5,
        }
    )
    now = before.drop(columns="gone").assign(new=2)
    return before, now.assign(x=before["x"] + 1, plan=np.repeat(["basic", "pro"], [1600, 2400]))


def test_what_drifted_and_by_how_much(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    found = driftline.compare(*frames)
    said = {each.column: each for each in found.columns}
    assert list(said) == ["x", "few", "plan", "paid"]
    # By PSI's definition, sum((q - p) ln(q / p)), of 70:30 against 40:60.
    expected = -0.3 * np.log(0.4 / 0.7) + 0.3 * np.log(0.6 / 0.3)
    assert said["plan"].psi == pytest.approx(expected, rel=5e-3)
    assert (said["few"].psi, said["paid"].psi) == (0.0, 0.0)
    assert found.drifted == ("x", "plan")
    assert (found.share, found.is_drift) == (0.5, False)
    assert (found.gone, found.new) == (("gone",), ("new",))
    assert found.left_out == ("id", "at")


def test_files_and_frames_of_every_kind_say_the_same(
    tmp_path: Path, frames: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before, now = frames
    expected = driftline.compare(before, now)
    before.to_csv(tmp_path / "a.csv", index=False)
    now.to_parquet(tmp_path / "b.parquet", index=False)
    now.to_json(tmp_path / "b.json", orient="records", lines=True, date_format="iso")
    assert driftline.compare(pa.table(before), pa.table(now)) == expected
    assert driftline.compare(tmp_path / "a.csv", tmp_path / "b.parquet") == expected
    of_json = driftline.compare(str(tmp_path / "a.csv"), str(tmp_path / "b.json"))
    assert of_json.drifted == expected.drifted
    assert of_json.left_out == expected.left_out


def test_the_command_ends_with_3_where_most_has_drifted(
    tmp_path: Path, frames: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before, now = frames
    calm, moved = tmp_path / "calm.csv", tmp_path / "moved.csv"
    before.to_csv(calm, index=False)
    now[["x", "plan", "paid"]].to_csv(moved, index=False)
    same = CliRunner().invoke(main, ["compare", str(calm), str(calm)])
    assert (same.exit_code, "0 of 5 columns drifted (0%)" in same.output) == (0, True)
    most = CliRunner().invoke(main, ["compare", str(calm), str(moved), "--json"])
    assert most.exit_code == 3
    said = json.loads(most.output)
    assert (said["drifted"], said["is_drift"]) == (["x", "plan"], True)
    assert said["share"] == pytest.approx(2 / 3)


def test_a_number_that_became_text_is_compared_as_text() -> None:
    before = pa.table({"age": [20, 30, 40] * 100})
    now = pa.table({"age": ["n/a"] * 300})
    assert driftline.compare(before, now).drifted == ("age",)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x.txt", "ends with none of parquet, json, csv"),
        ("nowhere.csv", "nowhere.csv"),
        (7, "found int; give a path or a frame"),
        (pa.table({"x": pa.array([], pa.float64())}), "there are no rows"),
        (pa.table({"other": [1.0]}), "there is no column to compare"),
    ],
)
def test_bad_input_is_one_error(given: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        driftline.compare(pa.table({"x": [1.0, 2.0]}), given)


def test_a_damaged_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1abc")
    ended = CliRunner().invoke(main, ["compare", *[str(tmp_path / "bad.parquet")] * 2])
    assert ended.exit_code == 2


@pytest.mark.parametrize("empty", [pa.nulls(300), pa.nulls(300, pa.string())])
def test_a_column_of_which_nothing_is_left_has_drifted(empty: pa.Array) -> None:
    before = pa.table({"age": [20, 30, 40] * 100, "plan": ["a", "b", "c"] * 100})
    now = pa.table({"age": empty, "plan": empty})
    assert driftline.compare(before, now).drifted == ("age", "plan")
    assert driftline.compare(before, before).drifted == ()


@pytest.mark.parametrize("missing", ["no/rows.csv", "no/*.parquet", "no.json"])
def test_an_error_names_the_file_and_not_the_database_in_memory(
    tmp_path: Path, missing: str
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    ended = CliRunner().invoke(main, ["compare", str(tmp_path / "a.csv"), str(tmp_path / missing)])
    assert ended.exit_code == 2
    assert f"{tmp_path / missing} cannot be read: " in ended.stderr
    assert "memory" not in ended.stderr
