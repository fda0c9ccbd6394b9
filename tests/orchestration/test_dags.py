"""The DAGs that a folder of monitor files makes: which, how they are joined, when they run."""

import logging
import os
import re
import runpy
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.utils.file import might_contain_dag
from click.testing import CliRunner
from sqlalchemy import make_url

from driftline.cli import main
from driftline.domain import Evidence
from driftline.errors import ConfigError
from driftline.orchestration import airflow_dags, factory, retraining
from driftline.orchestration.operators import DECLINE, PROMOTE
from driftline.retraining.request import Request
from driftline.store import Store, outbox, upgrade
from tests.orchestration.conftest import MONITOR, Folder

RETRAINED = "retraining: {train: models:train}\n"


def edges(dag: DAG) -> dict[str, set[str]]:
    return {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}


def rules(dag: DAG) -> dict[str, str]:
    return {t.task_id: t.trigger_rule.value for t in dag.tasks if t.trigger_rule != "all_success"}


def test_a_monitor_makes_an_hourly_and_a_daily_dag_and_one_keeps_house(folder: Folder) -> None:
    folder.add("churn")
    assert set(airflow_dags(folder.path)) == {"churn__hourly", "churn__daily", "housekeeping"}


@pytest.mark.parametrize(
    ("more", "made"),
    [
        ("windows: [1d, 7d]", {"m__daily"}),
        ("windows: [1h]", {"m__hourly", "m__daily"}),
        ("windows: [1h]\nschedule: {hourly: false}", {"m__daily"}),
        ("schedule: {hourly: false}", {"m__daily"}),
        (RETRAINED, {"m__hourly", "m__daily", "m__retrain"}),
        ("retraining: {dag: my_own}", {"m__hourly", "m__daily"}),
    ],
)
def test_the_file_says_which_dags_there_are(folder: Folder, more: str, made: set[str]) -> None:
    folder.add("m", more)
    assert set(airflow_dags(folder.path, kinds=["monitoring", "retraining"])) == made


def test_the_daily_graph(folder: Folder) -> None:
    folder.add("m", RETRAINED)
    daily = airflow_dags(folder.path)["m__daily"]
    follows = {"alert", "retrain", "all_clear", "not_clear", "report"}
    measured = {f"measure.{name}" for name in ("quality", "drift", "performance")}
    assert edges(daily) == {
        "settle": {"reference"},
        "reference": measured,
        **{key: {"judge", "done"} for key in (*measured, "measure.missing_hours")},
        "measure.drift": {"measure.missing_hours", "judge", "done"},
        "judge": follows,
        "alert": {"done"},
        "retrain": {"done"},
        "all_clear": {"done"},
        "not_clear": {"done"},
        "report": set(),
        "done": set(),
    }
    assert rules(daily) == {
        "judge": "all_done",
        "report": "all_done",
        "done": "none_failed_min_one_success",
    }


def test_the_hourly_graph_is_smaller(folder: Folder) -> None:
    folder.add("m")
    assert edges(airflow_dags(folder.path)["m__hourly"]) == {
        "settle": {"reference"},
        "reference": {"measure.quality", "measure.drift"},
        "measure.quality": {"judge", "done"},
        "measure.drift": {"judge", "done"},
        "judge": {"alert", "all_clear", "not_clear"},
        "alert": {"done"},
        "not_clear": {"done"},
        "all_clear": {"done"},
        "done": set(),
    }


def test_operations_and_business_are_measured_where_the_file_asks_for_them(
    folder: Folder,
) -> None:
    path = folder.add("m", "business: {sold: 'count(*)'}")
    path.write_text(path.read_text().replace("  score:", "  latency_ms: took\n  score:", 1))
    for kind, more in (("hourly", set()), ("daily", {"performance", "missing_hours"})):
        dag = airflow_dags(folder.path)[f"m__{kind}"]
        measured = {t.removeprefix("measure.") for t in dag.task_ids if t.startswith("measure.")}
        assert measured == {"quality", "operations", "business", "drift"} | more
        assert edges(dag)["measure.business"] == edges(dag)["measure.operations"]
        assert "most likely wrong" in dag.get_task("measure.business").doc_md


def test_without_labels_no_performance_is_measured_and_without_hours_none_are_filled(
    folder: Folder,
) -> None:
    path = folder.add("m", "windows: [1d]")
    text = path.read_text()
    path.write_text(text[: text.index("labels:")] + text[text.index("reference:") :])
    measured = {
        t for t in airflow_dags(folder.path)["m__daily"].task_ids if t.startswith("measure.")
    }
    assert measured == {"measure.quality", "measure.drift"}


def test_a_table_without_predictions_is_watched_and_never_retrained(folder: Folder) -> None:
    path = folder.add("m", "windows: [1h, 1d]")
    text = path.read_text().replace("task: binary", "task: none").replace("  score: score\n", "")
    path.write_text(text[: text.index("labels:")] + text[text.index("reference:") :])
    made = airflow_dags(folder.path)
    assert set(made) == {"m__hourly", "m__daily", "housekeeping"}
    measured = {t for t in made["m__daily"].task_ids if t.startswith("measure.")}
    assert measured == {"measure.quality", "measure.drift", "measure.missing_hours"}
    assert "retrain" not in made["m__daily"].task_ids
    assert "(a table without predictions, owned by" in made["m__daily"].doc_md


@pytest.mark.parametrize("approval", ["human", "none"])
def test_the_retraining_graph(folder: Folder, approval: str) -> None:
    folder.add("m", f"retraining: {{train: models:train, approval: {approval}}}")
    retrain = airflow_dags(folder.path)["m__retrain"]
    better = {"approve": {"refit", "declined"}, "declined": {"announce"}}
    assert edges(retrain) == {
        "admit": {"challenger", "refused"},
        "challenger": {"gate"},
        "gate": {"approve" if approval == "human" else "refit", "refused"},
        **(better if approval == "human" else {}),
        "refit": {"promote"},
        "promote": {"announce"},
        "refused": {"announce"},
        "announce": set(),
    }
    joins = "none_failed_min_one_success"
    assert rules(retrain) == {"refused": joins, "announce": joins}
    assert retrain.max_active_runs == 1
    assert not retrain.timetable.can_be_scheduled


def test_nobody_answering_declines(folder: Folder) -> None:
    folder.add("m", RETRAINED)
    made = airflow_dags(folder.path, approval_timeout=timedelta(hours=3))
    approve: Any = made["m__retrain"].get_task("approve")
    assert approve.options == [PROMOTE, DECLINE]
    assert approve.defaults == [DECLINE]
    assert approve.response_timeout == timedelta(hours=3)
    assert approve.execution_timeout is None


def test_runs_catch_up_within_the_schedule_and_only_there(folder: Folder) -> None:
    folder.add("m", "schedule: {start: 2013-04-01, end: 2013-05-01}")
    folder.add("n")
    made = airflow_dags(folder.path)
    for name, last in (
        ("m__daily", datetime(2013, 4, 30)),
        ("m__hourly", datetime(2013, 4, 30, 23)),
    ):
        assert made[name].catchup
        assert made[name].start_date == datetime(2013, 4, 1, tzinfo=UTC)
        assert made[name].end_date == last.replace(tzinfo=UTC)  # begins there, ends at the end
    assert not made["n__daily"].catchup
    assert made["n__daily"].end_date is None
    assert made["n__daily"].start_date == airflow_dags(folder.path)["n__daily"].start_date


def test_tags_owner_and_words_are_there(folder: Folder) -> None:
    folder.add("m", "owner: ml-team\n" + RETRAINED)
    for name, kind in (
        ("m__daily", "daily"),
        ("m__hourly", "hourly"),
        ("m__retrain", "retraining"),
    ):
        dag = airflow_dags(folder.path)[name]
        assert set(dag.tags) == {"driftline", "m", kind}
        assert dag.owner == "ml-team"
        assert dag.description
        assert "m" in (dag.doc_md or "")
        assert all(task.doc_md for task in dag.tasks)


def test_pool_queue_and_retries_are_set_for_all_tasks(folder: Folder) -> None:
    folder.add("m", RETRAINED)
    made = airflow_dags(folder.path, pool="warehouse", queue="heavy", retries=5, max_active_days=7)
    for dag in made.values():
        assert {task.pool for task in dag.tasks} == {"warehouse"}
        assert {task.queue for task in dag.tasks} == {"heavy"}
    assert made["m__daily"].get_task("measure.drift").retries == 5
    assert made["m__daily"].get_task("measure.drift").retry_exponential_backoff
    assert made["m__daily"].max_active_runs == 7


def test_a_monitor_may_have_a_pool_and_a_queue_of_its_own(folder: Folder) -> None:
    folder.add("m", "schedule: {pool: small}")
    folder.add("n")
    made = airflow_dags(folder.path, pool="warehouse", queue="heavy")
    assert {task.pool for task in made["m__daily"].tasks} == {"small"}
    assert {task.queue for task in made["m__daily"].tasks} == {"heavy"}
    assert {task.pool for task in made["n__daily"].tasks} == {"warehouse"}


def test_a_faulty_file_leaves_the_others_their_dags_and_is_one_that_fails(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.add("good")
    folder.add("bad", "nonsense: 1")
    folder.add("good", file="other.yaml")
    with caplog.at_level(logging.ERROR):
        made = airflow_dags(folder.path, kinds=["monitoring"])
    assert set(made) == {"good__hourly", "good__daily", "bad__faulty", "other__faulty"}
    assert "bad.yaml:17: nonsense: unknown key" in caplog.text
    assert made["good__daily"].get_task("reference").monitor == str(folder.path / "good.yaml")
    assert "bad.yaml:17: nonsense: unknown key" in failure(made["bad__faulty"])
    assert "other.yaml:1: monitor: good.yaml has a monitor of this name" in failure(
        made["other__faulty"]
    )
    stub = made["bad__faulty"]
    assert stub.is_paused_upon_creation is False  # it runs, and is red, without a person
    assert stub.timetable.can_be_scheduled
    assert "bad.yaml:17: nonsense" in (stub.doc_md or "")
    assert set(airflow_dags(folder.path, kinds=["retraining"])) == set()


def failure(dag: DAG) -> str:
    """Return the words that the one task of a faulty file's DAG fails with."""
    (task,) = dag.tasks
    assert not task.template_fields  # what a file holds is no template
    with pytest.raises(AirflowFailException) as caught:
        task.execute({})
    return str(caught.value)


HOSTILE = [
    ("monitor: m\nsegments: " + "[" * 200_000, "nested more than 32 deep"),
    ("monitor: m\nowner: !!int x\n", "'x' is no int"),
    ('"monitor": m\n', "the key 'task' is missing"),
    ("", "it is empty"),
    ("monitor: {{ 1 / 0 }}\n", "a key must be a plain word or number"),
    (MONITOR.format(name="m") + "schedule: {end: 0001-01-01}\n", "write a date between"),
    (MONITOR.format(name="m") + "statement_timeout: 999999999999d\n", "at most 36500d"),
    (MONITOR.format(name="m" * 101), "at most 100"),
]


@pytest.mark.parametrize(("text", "problem"), HOSTILE)
def test_whatever_a_file_holds_is_its_own_fault(folder: Folder, text: str, problem: str) -> None:
    folder.add("good")
    (folder.path / "bad.yaml").write_text(text)
    made = airflow_dags(folder.path)
    assert set(made) == {"good__hourly", "good__daily", "bad__faulty", "housekeeping"}
    assert problem in failure(made["bad__faulty"])


def test_what_is_no_file_is_a_fault_and_an_editors_lock_is_nothing(folder: Folder) -> None:
    folder.add("good")
    os.mkfifo(folder.path / "pipe.yaml")
    (folder.path / "folder.yaml").mkdir()
    (folder.path / "device.yml").symlink_to("/dev/zero")
    (folder.path / "broken.yaml").symlink_to("nowhere")
    (folder.path / ".#good.yaml").symlink_to("me@host.1:2")
    made = airflow_dags(folder.path, kinds=["monitoring"])
    stubs = {f"{name}__faulty" for name in ("pipe", "folder", "device", "broken")}
    assert set(made) == {"good__hourly", "good__daily", *stubs}
    assert "a folder, not a file" in failure(made["folder__faulty"])


@pytest.mark.parametrize(
    "name", ["a b.yaml", "größe.yaml", "a\n{{ x }}.yaml", "x" * 249 + ".yaml", "..yaml", "x.yml"]
)
def test_a_file_of_any_name_has_an_id_that_airflow_takes(folder: Folder, name: str) -> None:
    folder.add("x", "nonsense: 1")
    (folder.path / name).write_text("monitor: [")
    made = airflow_dags(folder.path, kinds=["monitoring"])
    if name.startswith("."):
        assert set(made) == {"x__faulty"}
        return
    (other,) = set(made) - {"x__faulty"}
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,240}__faulty", other)
    assert airflow_dags(folder.path, kinds=["monitoring"]).keys() == made.keys()


def test_faulty_defaults_are_told_once_and_stop_each_that_rests_on_them(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.add("a")
    folder.add("b")
    (folder.path / "driftline.yaml").write_text("owner: us\nstoer: x\n")
    with caplog.at_level(logging.ERROR):
        made = airflow_dags(folder.path, kinds=["monitoring"])
    assert set(made) == {"a__faulty", "b__faulty"}
    assert all("driftline.yaml:2: stoer: unknown key" in failure(dag) for dag in made.values())
    assert caplog.text.count("stoer: unknown key") == 1


def test_whatever_making_the_dags_of_a_file_raises_is_its_fault(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.add("a")
    folder.add("b")
    whole = factory.watching

    def failing(monitor: Any, *rest: Any) -> DAG:
        if monitor.monitor == "a":
            raise ZeroDivisionError("of a")
        return whole(monitor, *rest)

    monkeypatch.setattr(factory, "watching", failing)
    made = airflow_dags(folder.path, kinds=["monitoring"])
    assert set(made) == {"a__faulty", "b__hourly", "b__daily"}
    assert "its DAGs cannot be made: ZeroDivisionError: of a" in failure(made["a__faulty"])


def test_one_files_dags_are_made_or_its_faults_raised(folder: Folder) -> None:
    made = airflow_dags(folder.add("good", RETRAINED))
    assert set(made) == {"good__hourly", "good__daily", "good__retrain"}
    with pytest.raises(ConfigError, match=r"bad\.yaml:17: nonsense: unknown key"):
        airflow_dags(folder.add("bad", "nonsense: 1"))


def test_a_dag_file_a_monitor_raises_what_is_wrong_with_it(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(code: int = 0) -> str:
        ended = CliRunner().invoke(main, ["dags", "write", str(dags)])
        assert ended.exit_code == code, ended.output
        return ended.output

    dags = tmp_path / "dags"
    monkeypatch.setenv("DRIFTLINE_MONITORS", str(folder.path))
    folder.add("good")
    folder.add("bad", "nonsense: 1", file="it's {bad}.yaml")
    write()
    house, good, bad = sorted(dags.glob("*.py"))
    assert all(might_contain_dag(str(file), safe_mode=True) for file in (good, bad, house))
    with pytest.raises(ConfigError, match=r"it's {bad}\.yaml:17: nonsense: unknown key"):
        runpy.run_path(str(bad))
    made: list[str] = []
    monkeypatch.setattr(
        factory, "airflow_dags", lambda *given, **more: made.extend(airflow_dags(*given, **more))
    )
    runpy.run_path(str(good))
    runpy.run_path(str(house))
    assert made == ["good__hourly", "good__daily", "housekeeping"]
    (folder.path / "it's {bad}.yaml").unlink()
    (dags / "own.py").write_text("airflow_dags()")
    assert "own.py makes DAGs of monitor files too" in write()
    assert {path.name for path in dags.glob("*.py")} == {good.name, house.name, "own.py"}
    (folder.path / "own.yaml").write_text("monitor: own")
    assert "was not written by this command" in write(2)


def test_only_the_faulty_dag_that_is_asked_for_is_made(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.add("a")
    folder.add("a", file="twice.yaml")
    folder.add("bad", "nonsense: 1", file="file_of_bad.yaml")
    for dag_id in ("a__daily", "twice__faulty", "file_of_bad__faulty"):
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        assert list(airflow_dags(folder.path)) == [dag_id]


def test_only_the_dag_that_is_asked_for_is_made(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        folder.add(name, RETRAINED, file=f"file_of_{name}.yaml")
    read: list[Path] = []
    load = factory.monitor_file.load

    def noted(path: Path) -> Any:
        read.append(path)
        return load(path)

    monkeypatch.setattr(factory.monitor_file, "load", noted)
    for dag_id in ("b__daily", "b__hourly", "b__retrain", "housekeeping"):
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        assert list(airflow_dags(folder.path)) == [dag_id]
    assert {path.name for path in read} == {"file_of_b.yaml"}
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "somebody_elses")
    assert airflow_dags(folder.path) == {}


def test_the_folder_is_that_of_the_environment_else_beside_the_dags(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder.add("here")
    monkeypatch.setenv("DRIFTLINE_MONITORS", str(folder.path))
    assert "here__daily" in airflow_dags()
    monkeypatch.delenv("DRIFTLINE_MONITORS")
    beside = tmp_path / "include" / "monitors"
    beside.parent.mkdir()
    folder.path.rename(beside)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    assert "here__daily" in airflow_dags()


def test_a_retraining_is_started_once_with_its_evidence(folder: Folder) -> None:
    folder.add("m", RETRAINED)
    folder.add("n", "retraining: {dag: my_own}")
    made = airflow_dags(folder.path)
    for monitor, dag, path in (
        ("m", "m__retrain", None),
        ("n", "my_own", str(folder.path / "n.yaml")),
    ):
        start: Any = made[f"{monitor}__daily"].get_task("retrain")
        assert start.trigger_dag_id == dag
        assert start.monitor == path  # driftline's own DAG records its start by itself
        assert start.fail_when_dag_is_paused
        assert start.skip_when_already_exists
        assert start.logical_date is None
        assert not start.wait_for_completion
        assert start.trigger_run_id.operator.task_id == start.conf.operator.task_id == "judge"


EVIDENCE = Evidence(
    rule="r", subject="psi of x", value=None, window="7d", reason="0.3 > 0.2", incident="1f"
)
REQUEST = Request(
    monitor="m", as_of=datetime(2013, 4, 4, tzinfo=UTC), reason="psi", evidence=(EVIDENCE,)
)


@pytest.mark.parametrize(
    "conf",
    [
        REQUEST.to_conf(),
        {"reason": "by hand"},
        {"reason": "by hand", "as_of": "2013-04-04T00:00:00Z"},
    ],
)
def test_what_the_branch_and_a_person_send_is_taken(conf: dict[str, Any]) -> None:
    params = ParamsDict(deepcopy(retraining._PARAMS))
    params.update({name: value for name, value in conf.items() if name in params})
    assert params.validate()["reason"] == conf["reason"]


@pytest.mark.parametrize(
    "conf",
    [
        {},
        {"reason": "x"},
        {"reason": "why not", "evidence": [{"rule": "r"}]},
    ],
)
def test_a_retraining_without_a_reason_or_with_nonsense_is_refused(conf: dict[str, Any]) -> None:
    params = ParamsDict(deepcopy(retraining._PARAMS))

    def check() -> None:
        params.update(conf)
        params.validate()

    with pytest.raises(ParamValidationError):
        check()


def test_housekeeping_stays_red_while_a_message_is_given_up(folder: Folder) -> None:
    url = make_url(f"sqlite:///{folder.path}/driftline.db")
    folder.add("m")
    upgrade(url)
    message = outbox.Message(
        id="1", monitor="m", channel="pigeon", target="#a", body="{}", created=datetime.now(UTC)
    )
    with Store.open(url) as store, store.begin() as connection:
        outbox.add(connection, [message])
    deliver = airflow_dags(folder.path)["housekeeping"].get_task("deliver").python_callable
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"there is no such channel.* given up"):
            deliver(str(folder.path))
    with Store.open(url) as store, store.begin() as connection:
        outbox.discard(connection, datetime.now(UTC))
    deliver(str(folder.path))
