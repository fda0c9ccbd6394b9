"""A retraining from the request to the promotion, on real logs, stores and fits."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import URL

from driftline import store
from driftline.domain import Evidence, RetrainingState
from driftline.errors import InputError, TrainingError
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.profile.columns import Part
from driftline.retraining import promoted_reference, steps
from driftline.retraining.registry import POINTER, Version, registry_of
from driftline.retraining.request import Request
from driftline.run import planned, run
from driftline.store import incidents, outbox, references, retrainings
from tests.models import DAY, START, logs, parts

pytestmark = pytest.mark.usefixtures("no_samples")

NOW = START + 20 * DAY
TRAINER = '''
"""Recipes of a user."""
import numpy as np
from sklearn.linear_model import LogisticRegression

SEEN = []


def train(rows, context):
    SEEN.append((rows, context))
    return LogisticRegression().fit(rows[["x"]].to_numpy(), rows["y"])


class Guess:
    """A model that says the same whatever it is asked."""

    classes_ = np.array([0, 1])

    def predict_proba(self, rows):
        return np.full((len(rows), 2), 0.5)


class Pipeline:
    """Takes data frames."""

    def __init__(self, model):
        self.model, self.classes_ = model, model.classes_

    def predict_proba(self, rows):
        return self.model.predict_proba(rows[["x"]].to_numpy())


def good(rows, context):
    return Pipeline(train(rows, context))


def guess(rows, context):
    return Guess()


def broken(rows, context):
    raise ValueError("no such column: tmep")


def wrong(rows, context):
    return "a model"


not_callable = 3
'''


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"trainer_{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / f"{name}.py").write_text(TRAINER)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def monitor(
    request: pytest.FixtureRequest, tmp_path: Path, store_url: URL, trainer: str
) -> Iterator[Any]:
    """A function that returns a monitor whose logged scores have gone bad from day 4 on."""
    from tests.warehouses import make_warehouse

    place = make_warehouse(request, "parquet", tmp_path)
    store.upgrade(store_url)

    def load(train: str = "good", *, drift_on: int = 4, **changes: Any) -> Monitor:
        predictions, labels = logs(days=20, rows=300, drift_on=drift_on)
        place.load("predictions", predictions)
        place.load("labels", labels)
        how = {
            "train": f"{trainer}:{train}",
            "window": "10d",
            "cooldown": "2d",
            "gate": {"holdout": "6d"},
            "approval": "none",
        }
        written = place.monitor(
            **parts("binary")
            | {"store": store_url.render_as_string(hide_password=False), "rules": []}
            | {"windows": ["1d"], "retraining": how | changes.pop("retraining", {})}
            | changes
        )
        path = tmp_path / "model.yaml"
        plain = written.model_dump(mode="json", by_alias=True, exclude_unset=True)
        path.write_text(yaml.safe_dump(plain), encoding="utf-8")
        return monitor_file.load(path)

    return load


def watch(monitor: Monitor, first: int, last: int, *, page: bool = False) -> Any:
    url = store.store_url(monitor.store, folder=monitor.folder, connections=str)
    with store.Store.open(url) as opened:
        todo = planned(monitor, START + first * DAY, START + last * DAY)
        return list(run(monitor, todo, opened, page=page))


def asked(monitor: Monitor, at: Any = NOW, **rest: Any) -> Request:
    return Request(monitor=monitor.monitor, as_of=at, reason="it drifts", **rest)


def whole(monitor: Monitor, at: Any = NOW) -> Any:
    row = steps.admit(monitor, asked(monitor, at), run_id="r")
    for step in (steps.challenge, steps.gate, steps.refit, steps.promote):
        if row.state.final:
            break
        row = step(monitor, at, run_id="r")
    steps.announce(monitor, at, run_id="r")
    return row


def read(monitor: Monitor, function: Any, *arguments: Any) -> Any:
    with store.open_store(monitor, str) as opened, opened.read() as connection:
        return function(connection, *arguments)


def known(start: Any, end: Any) -> int:
    """Return how many rows of a stretch had a label by its end; the others' came later, or never.

    Who trains on what was known only later trains on what the gate is to judge by.
    """
    frame, labels = (table.to_pandas() for table in logs(days=20, rows=300, drift_on=4))
    labelled = frame.merge(labels, on="id")
    inside = (labelled["ts"] >= start) & (labelled["ts"] < end)
    by_then = inside & (labelled["labelled_at"] <= end)
    assert by_then.sum() < inside.sum()
    return int(by_then.sum())


def test_a_better_model_is_promoted_with_a_reference_of_its_own(monitor: Any, trainer: str) -> None:
    model = monitor()
    watch(model, 19, 20)
    row = whole(model)
    assert row.state is RetrainingState.PROMOTED, row.decision
    assert row.gain < row.upper < 0
    assert row.champion == steps.LOGGED
    assert "the champion's logged scores stand for it" in row.decision
    (trained, context), (refitted, _) = sys.modules[trainer].SEEN
    assert trained["ts"].min() >= NOW - 16 * DAY
    assert trained["ts"].max() < NOW - 6 * DAY
    assert refitted["ts"].max() > NOW - 2 * DAY
    assert len(trained) == known(NOW - 16 * DAY, NOW - 6 * DAY)
    assert len(refitted) == known(NOW - 10 * DAY, NOW)
    assert context.reason == "it drifts"
    assert str(trained["x"].dtype) == "float64"
    assert set(trained["group"]) == {"north", "south"}

    champion = registry_of(model).champion()
    assert (champion.name, champion.sha256) == ("v2024-01-21", row.promoted_sha256)
    frozen = read(
        model, references.in_force, model.monitor, model.config_hash, NOW + timedelta(hours=1)
    )
    assert (frozen.model_version, frozen.valid_from) == ("v2024-01-21", NOW)
    assert frozen.statistics.columns["score"].nulls == 0
    assert frozen.performance["log_loss", ""] == pytest.approx(row.challenger_value)
    rows = promoted_reference.rows_of(model, frozen).table
    assert rows["score"].null_count > 0  # rows that the challenger learned from
    assert len(rows) - rows["score"].null_count == row.rows
    assert promoted_reference.rows_of(model, frozen).total == frozen.statistics.rows
    days = promoted_reference.outcomes_of(model, frozen)
    assert sorted(days) == [NOW - DAY * n for n in range(6, 0, -1)]
    assert {part for parts in days.values() for part in parts} == {Part("v2024-01-21", "")}
    assert sum(profile.labelled for parts in days.values() for profile in parts.values()) == (
        row.rows
    )
    assert all(profile.labelled for parts in days.values() for profile in parts.values())
    before = read(model, references.in_force, model.monitor, model.config_hash, NOW - DAY)
    assert before.model_version == ""

    (message,) = read(model, outbox.pending)
    assert "retrained and promoted" in message.body


def test_windows_after_a_promotion_are_compared_with_its_reference(monitor: Any) -> None:
    model = monitor(rules=[{"metric": "psi", "columns": "*", "window": "1d", "max": 0.2}])
    at = START + 16 * DAY
    watch(model, 15, 16)
    row = whole(model, at)
    assert row.state is RetrainingState.PROMOTED
    (conclusion,) = watch(model, 16, 17)
    assert conclusion.errors == ()
    used = {v.measurement.reference_id for v in conclusion.verdicts if v.rule.startswith("psi")}
    frozen = read(model, references.in_force, model.monitor, model.config_hash, at)
    assert used == {frozen.id}
    values = {
        v.measurement.column_name: v.measurement.value
        for v in conclusion.verdicts
        if v.measurement.metric == "psi"
    }
    assert values["x"] < 0.2  # the drift since day 4 is what the new model was trained on
    assert values["score"] is not None


@pytest.mark.parametrize("sliding", [False, True])
def test_windows_in_a_row_are_counted_anew_after_a_promotion(monitor: Any, sliding: bool) -> None:
    """In verdicts, in incidents and in what is told; also where no reference comes with it."""
    always = {"metric": "jensen_shannon", "columns": "noise", "window": "1d", "max": 0.0, "for": 2}
    model = monitor(rules=[always], **{"reference": {"previous": "3d"}} if sliding else {})

    def rows_in_a_row(first: int, last: int) -> list[int]:
        found = watch(model, first, last, page=True)
        reasons = [v.reason for c in found for v in c.verdicts]
        spoke.extend(c.told for c in found)
        return [int(n) for words in reasons for n in re.findall(r"window (\d+)", words)]

    spoke: list[bool] = []
    assert rows_in_a_row(14, 16) == [1, 2]
    assert whole(model, START + 16 * DAY).state is RetrainingState.PROMOTED
    assert rows_in_a_row(16, 18) == [1, 2]
    assert spoke == [False, True, False, True]
    first, second = read(model, incidents.of, model.monitor)
    assert (first.began, first.resolved) == (START + 15 * DAY, START + 17 * DAY)
    assert (second.began, second.fired) == (START + 17 * DAY, START + 18 * DAY)


def test_the_champion_of_the_registry_is_what_a_challenger_is_held_to(monitor: Any) -> None:
    model = monitor()
    watch(model, 13, 14)
    assert whole(model, START + 14 * DAY).state is RetrainingState.PROMOTED
    row = whole(model, START + 19 * DAY)  # the same recipe again: no better
    assert row.champion == "v2024-01-15"
    assert row.state is RetrainingState.REFUSED
    assert "not surely better" in row.decision
    assert registry_of(model).champion().name == "v2024-01-15"


def test_a_worse_challenger_is_refused_and_nothing_changes(monitor: Any) -> None:
    model = monitor("guess", drift_on=99)
    watch(model, 19, 20)
    early = NOW
    row = steps.admit(model, asked(model, early), run_id="r")
    row = steps.challenge(model, early, run_id="r")
    row = steps.gate(model, early, run_id="r")
    assert row.state is RetrainingState.REFUSED, row.decision
    assert registry_of(model).champion() is None
    with pytest.raises(InputError, match="nothing has passed: refused"):
        steps.refit(model, early, run_id="r")
    with pytest.raises(InputError, match="nothing has passed: refused"):
        steps.promote(model, early, run_id="r")


def test_not_again_within_the_cooldown(monitor: Any) -> None:
    model = monitor()
    watch(model, 13, 14)
    whole(model, START + 14 * DAY)
    again = steps.admit(model, asked(model, START + 15 * DAY), run_id="r")
    assert again.state is RetrainingState.REFUSED
    assert "within the cooldown" in again.decision
    assert "from 2024-01-17 00:00 on" in again.decision
    # What was not admitted is no decision: it does not put the next one off.
    later = steps.admit(model, asked(model, START + 16 * DAY), run_id="r")
    assert later.state is RetrainingState.ADMITTED


def test_broken_data_block_it(monitor: Any) -> None:
    model = monitor(
        quality=[
            {"expect_table_row_count_to_be_between": {"min_value": 10**6, "severity": "critical"}}
        ]
    )
    watch(model, 19, 20)
    row = steps.admit(model, asked(model), run_id="r")
    assert row.state is RetrainingState.REFUSED
    assert "the data are broken: " in row.decision


def test_too_few_rows_are_refused_in_words(monitor: Any) -> None:
    model = monitor(retraining={"window": "1d"})
    row = whole(model)
    assert row.state is RetrainingState.REFUSED
    assert "1,000 are wanted to train on" in row.decision


@pytest.mark.parametrize(
    ("train", "error", "words"),
    [
        ("broken", TrainingError, r"broken raised ValueError: no such column: tmep"),
        ("wrong", TrainingError, r"wrong returned a str, which has no predict_proba"),
        ("missing", InputError, r"has no function 'missing'"),
        ("not_callable", InputError, r"has no function 'not_callable'"),
    ],
)
def test_a_function_that_fails_is_named(monitor: Any, train: str, error: Any, words: str) -> None:
    model = monitor(train)
    steps.admit(model, asked(model), run_id="r")
    with pytest.raises(error, match=words):
        steps.challenge(model, NOW, run_id="r")


def test_a_module_that_is_not_there_is_named(monitor: Any) -> None:
    model = monitor(retraining={"train": "no_such_module:train"})
    steps.admit(model, asked(model), run_id="r")
    with pytest.raises(InputError, match="no_such_module cannot be imported here"):
        steps.challenge(model, NOW, run_id="r")


def test_every_step_may_be_taken_again(monitor: Any) -> None:
    model = monitor()
    watch(model, 19, 20)
    for step in ("admit", "challenge", "gate", "refit", "promote"):
        for _ in range(2):
            if step == "admit":
                row = steps.admit(model, asked(model), run_id="r")
            else:
                row = getattr(steps, step)(model, NOW, run_id="r")
    assert row.state is RetrainingState.PROMOTED
    assert steps.admit(model, asked(model), run_id="r") == row  # it is done
    for _ in range(2):
        steps.announce(model, NOW, run_id="r")
    assert len(read(model, outbox.pending)) == 1


@pytest.mark.parametrize("crash", ["promoted", "save", "_point"])
def test_a_promotion_that_was_cut_off_is_completed(
    monitor: Any, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    model = monitor()
    watch(model, 19, 20)
    row = steps.admit(model, asked(model), run_id="r")
    for step in (steps.challenge, steps.gate, steps.refit):
        row = step(model, NOW, run_id="r")
    places = {"promoted": steps.promoted_reference, "save": steps.references, "_point": steps}

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(places[crash], crash, die)
        with pytest.raises(Killed):
            steps.promote(model, NOW, run_id="r")
    assert registry_of(model).champion() is None
    expected = RetrainingState.PROMOTED if crash == "_point" else RetrainingState.REFITTED
    assert steps.found(model, NOW, connections=str).state is expected
    assert steps.promote(model, NOW, run_id="r").state is RetrainingState.PROMOTED
    assert registry_of(model).champion().name == row.promoted
    frozen = read(model, references.in_force, model.monitor, model.config_hash, NOW)
    assert frozen.model_version == row.promoted
    assert len(promoted_reference.rows_of(model, frozen).table)


def test_a_model_file_that_was_changed_is_not_loaded(monitor: Any) -> None:
    model = monitor()
    watch(model, 19, 20)
    steps.admit(model, asked(model), run_id="r")
    row = steps.challenge(model, NOW, run_id="r")
    path = registry_of(model).folder / f"{row.challenger}.joblib"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="is not the file that was registered and is not loaded"):
        steps.gate(model, NOW, run_id="r")


@pytest.mark.parametrize("name", ["v2024-01-15", "v2024-01-16"])
def test_model_and_pointer_that_were_replaced_together_are_noticed(monitor: Any, name: str) -> None:
    model = monitor()
    watch(model, 13, 14)
    assert whole(model, START + 14 * DAY).promoted == "v2024-01-15"
    registry = registry_of(model)
    (registry.folder / POINTER).unlink()
    registry.promote(registry.register(name, Version(name="evil", sha256="")))
    with pytest.raises(InputError, match="which the store does not know; it is not loaded") as told:
        steps.admit(model, asked(model, START + 19 * DAY), run_id="r")
    assert "v2024-01-15" in str(told.value)


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_first_champion_is_known_from_its_first_retraining_on(monitor: Any, name: str) -> None:
    model = monitor()
    watch(model, 13, 14)
    registry = registry_of(model)
    registry.promote(registry.register("first", Version(name="good", sha256="")))
    row = steps.admit(model, asked(model, START + 14 * DAY), run_id="r")
    assert (row.champion, row.champion_sha256) == ("first", registry.champion().sha256)
    (registry.folder / POINTER).unlink()
    registry.promote(registry.register(name, Version(name="evil", sha256="")))
    steps.challenge(model, START + 14 * DAY, run_id="r")
    told = f"names {name} with .* which the store does not know.* none; known are first"
    with pytest.raises(InputError, match=told):
        steps.gate(model, START + 14 * DAY, run_id="r")


def test_an_older_promotion_does_not_roll_the_champion_back(monitor: Any) -> None:
    model = monitor()
    watch(model, 13, 14)
    early = START + 14 * DAY
    whole(model, early)
    registry = registry_of(model)
    row = steps.found(model, early, connections=str)
    newer = registry.register("v2024-01-20", registry.load(registry.champion()))
    with store.open_store(model, str) as opened, opened.begin(model.monitor) as connection:
        later = replace(
            row, as_of=START + 19 * DAY, promoted=newer.name, promoted_sha256=newer.sha256
        )
        retrainings.save(connection, later, run_id="r", recorded_at=NOW)
    registry.promote(newer)
    steps.promote(model, early, run_id="r")
    assert registry.champion().name == "v2024-01-20"


def test_a_person_may_decline(monitor: Any) -> None:
    model = monitor()
    watch(model, 19, 20)
    steps.admit(model, asked(model), run_id="r")
    steps.challenge(model, NOW, run_id="r")
    assert steps.gate(model, NOW, run_id="r").state is RetrainingState.PASSED
    row = steps.decline(model, NOW, who="Ada", run_id="r")
    assert row.state is RetrainingState.REFUSED
    assert "declined by Ada" in row.decision
    assert steps.decline(model, NOW, who="Ada", run_id="r") == row
    with pytest.raises(InputError, match="nothing has passed"):
        steps.promote(model, NOW, run_id="r")


def test_a_request_travels_as_json() -> None:
    evidence = Evidence(
        rule="psi", subject="psi of x (1d)", value=0.3, window="1d", reason="above", incident="i"
    )
    request = Request(monitor="m", as_of=NOW, reason="it drifts", evidence=(evidence,))
    assert Request.from_conf(request.to_conf()) == request
    assert request.run_id == "retrain__2024-01-21T00:00:00"
