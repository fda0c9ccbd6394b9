"""From a connection id or a URL to an address, and what of it may be shown."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import make_url

from driftline.cli import main
from driftline.connections import from_environment, resolve, shown, without_secrets
from driftline.errors import InputError, UnknownConnection

HARD = "s3cr%t@/:#?&pw"


@pytest.mark.parametrize("extra", [{"sslmode": "prefer"}, '{"sslmode": "prefer"}'])
def test_a_json_connection_is_read_as_airflow_reads_it(
    monkeypatch: pytest.MonkeyPatch, extra: object
) -> None:
    parts = {"conn_type": "postgres", "host": "db", "port": 5433, "schema": "logs"}
    written = json.dumps({**parts, "login": "reader", "password": HARD, "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", written)
    url = resolve("logs", folder=Path(), connections=from_environment)
    assert (url.drivername, url.host, url.port) == ("postgresql+psycopg", "db", 5433)
    assert (url.username, url.password, url.database) == ("reader", HARD, "logs")
    assert url.query == {"sslmode": "prefer"}


def test_airflows_connection_to_a_thrift_server_is_read_by_spark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = {"conn_type": "hiveserver2", "host": "spark", "port": 10000, "schema": "logs"}
    extra = {"auth": "NOSASL", "run_set_variable_statements": "false"}
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", json.dumps({**parts, "login": "me", "extra": extra}))
    url = resolve("logs", folder=Path(), connections=from_environment)
    assert url.render_as_string() == "hive://me@spark:10000/logs?auth=NOSASL"


@pytest.mark.parametrize(
    "written", ["{", '{"host": "db"}', '{"conn_type": "postgres", "extra": "secret"}']
)
def test_a_broken_json_connection_is_one_error_without_its_text(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", written)
    with pytest.raises(InputError, match="'logs' is no valid JSON connection") as caught:
        resolve("logs", folder=Path(), connections=from_environment)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("form", ["json", "uri"])
def test_a_connection_to_aws_is_read_as_airflow_reads_it(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    extra = {"region_name": "eu-west-1", "endpoint_url": "http://here:9000", "verify": False}
    parts = {"conn_type": "aws", "login": "AKIA", "password": HARD, "extra": extra}
    packed = urlencode({"__extra__": json.dumps(extra)})
    uri = f"aws://AKIA:{quote(HARD, safe='')}@/?{packed}"
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(parts) if form == "json" else uri)
    url = resolve("lake", folder=Path(), connections=from_environment)
    assert (url.get_backend_name(), url.username, url.password) == ("aws", "AKIA", HARD)
    assert url.query == {"region_name": "eu-west-1", "endpoint_url": "http://here:9000"}
    assert shown(url) == "aws://"


def test_what_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_LOGS", raising=False)
    with pytest.raises(UnknownConnection, match="AIRFLOW_CONN_LOGS"):
        resolve("logs", folder=Path(), connections=from_environment)
    with pytest.raises(UnknownConnection, match="NOT_SET"):
        resolve("postgresql://me:${NOT_SET}@db/logs", folder=Path(), connections=from_environment)


@pytest.mark.parametrize(
    "text", ["postgresql://me:hunter2@db/logs", "postgresql://db/logs?user=me&password=hunter2"]
)
def test_a_password_is_never_shown_wherever_it_stands(text: str) -> None:
    url = make_url(text)
    assert "hunter2" not in shown(url)
    assert shown(url).endswith("db/logs")
    assert without_secrets("no hunter2 here", url) == "no *** here"


@pytest.mark.parametrize("value", ['{"a":' * 100_000, "sqlite://?__extra__=" + "[" * 100_000])
def test_a_connection_that_is_nested_without_end_is_wrong_input(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DEEP", value)
    with pytest.raises(InputError, match=r"'deep' (is|are) no"):
        from_environment("deep")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("artifacts", {"artifacts": "~nosuchuser/reports"}),
        ("store", {"store": "sqlite:///~nosuchuser/results.db"}),
        ("warehouse", {"warehouse": "duckdb:///~nosuchuser/logs.duckdb", "parquet": None}),
        ("predictions.parquet", {"parquet": "~nosuchuser/logs/*.parquet"}),
    ],
)
def test_a_home_that_nobody_has_is_told_with_its_key(
    tmp_path: Path, key: str, said: dict[str, str]
) -> None:
    file: dict[str, Any] = {
        "monitor": "m",
        "task": "none",
        "store": f"sqlite:///{tmp_path}/results.db",
        "predictions": {"parquet": "rows.parquet", "timestamp": "ts"},
        "reference": {"previous": "28d"},
    }
    if "parquet" in said:
        parquet = said["parquet"]
        file["predictions"] = {"timestamp": "ts", **({"parquet": parquet} if parquet else {})}
        file["predictions"] |= {} if parquet else {"table": "log"}
    file |= {name: text for name, text in said.items() if name != "parquet"}
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(file), encoding="utf-8")
    asked = ["run", str(path), "--from", "2024-01-01", "--to", "2024-01-02"]
    ended = CliRunner().invoke(main, asked)
    assert ended.exit_code == 2, ended.output
    assert f"{key}: found '~nosuchuser/" in ended.stderr
    assert "there is no user 'nosuchuser' on this machine" in ended.stderr
    if key != "store":  # which lint does not open
        linted = CliRunner().invoke(main, ["lint", str(path), "--connect"])
        assert linted.exit_code == 2
        assert re.search(rf"m\.yaml:\d+: {key}: found", linted.stderr)


@pytest.mark.parametrize("name", ["DRIFTLINE_HOME", "--predictions", "compare"])
def test_nor_can_the_command_line_start_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked = ["init", "--predictions", "~nosuchuser/rows.parquet"]
    if name == "DRIFTLINE_HOME":
        monkeypatch.setenv(name, "~nosuchuser")
        asked = ["store", "upgrade"]
    elif name == "compare":
        asked = ["compare", "~nosuchuser/a.parquet", "b.parquet"]
    ended = CliRunner().invoke(main, asked)
    assert ended.exit_code == 2, ended.output
    assert "there is no user 'nosuchuser' on this machine" in ended.stderr
