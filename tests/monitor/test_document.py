"""Reading YAML that means harm, and files that are none."""

import os
import time
from pathlib import Path

import pytest
import yaml

from driftline.errors import ConfigError
from driftline.monitor import document
from driftline.monitor import file as monitor_file
from driftline.monitor.document import Document

FILE = """\
monitor: m
task: binary
warehouse: w
reference: {previous: 28d}
predictions: {table: t, timestamp: at, score: s}
"""


def said(path: Path) -> str:
    """Return the words of the error that a file is, which came soon and are few."""
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        monitor_file.load(path)
    assert time.process_time() - begun < 2  # a tenth of it as a rule
    assert len(str(caught.value)) < 10_000
    return str(caught.value)


LAUGHS = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("segments: " + "[" * 200_000, ":6: it is nested more than 32 deep"),
        ("drift: " + "{" * 200_000, ":6: it is nested more than 32 deep"),
        ("segments:\n  " + "- " * 100_000, ":7: it is nested more than 32 deep"),
        (LAUGHS, ":10: it holds more than 20,000 values, what aliases repeat included"),
        (MERGES, ":10: it holds more than 20,000 values, what aliases repeat included"),
        ("segments: [" + "a, " * 3_000_000 + "]", ".yaml: it is larger than 256 kB"),
        ("segments: [" + "a, " * 60_000 + "]", ":6: it holds more than 20,000 values"),
        ("segments: &a [*a]", ":6: the alias 'a' stands within what it names"),
        ("drift: &a {<<: *a}", ":6: the alias 'a' stands within what it names"),
        ("segments: [" + "1, " * 19_000 + "]", "and 80 more faults"),
        ("".join(f"k{n}: 1\n" for n in range(9_000)), "k0: unknown key"),
        ("drift: {rows: " + "9" * 100_000 + "}", ":6: a number of 100,000 characters"),
        ("drift: {rows: 0x" + "f" * 100_000 + "}", ":6: a number of 100,002 characters"),
        ("drift: {rows: 1" + ":1" * 50_000 + "}", ":6: a number of 100,001 characters"),
        ("owner: [" + "x" * 200_000 + "]", ":6: owner: found ['xxx"),
        ("x" * 900 + ": 1", f":6: {'x' * 100}... (900 characters): unknown key"),
        ('"\\e[31m": 1', ":6: \\x1b[31m: unknown key"),
        ("owner: '\x1b[31m'", ":6: the character 0x1b is not allowed"),
        ('segments: ["a\\0b"]', ":6: a text must not hold a NUL"),
        ("owner: !!int x", ":6: 'x' is no int"),
        ("owner: !!bool x", ":6: 'x' is no bool"),
        ("owner: !!map [a]", ":6: a mapping is expected"),
        ("segments: !!set {a}", ":6: could not determine a constructor"),
        ("schedule: {start: 2013-02-30}", ":6: '2013-02-30' is no timestamp"),
        ("schedule: {start: 0001-01-01}", ":6: schedule.start: found 0001-01-01; write a date"),
        ("schedule: {end: 9999-12-31}", ":6: schedule.end: found 9999-12-31; write a date betw"),
        ("schedule: {start: 0001-01-01T00:00:00+23:59}", ":6: schedule.start: found 0001-01-01"),
        ("schedule: {start: '0001-01-01'}", ":6: schedule.start: found '0001-01-01'; write a d"),
        ("statement_timeout: 99999999999999999999d", "at most 36500d, a hundred years"),
        ("retraining: {train: 'a:b', window: 999999999w}", "at most 36500d, a hundred years"),
        ("rules: [{metric: psi, max: .nan}]", ":6: rules.0.max: found nan; allowed is a finite"),
        ("rules: [{metric: psi, worse_by: .inf}]", ":6: rules.0.worse_by: found inf"),
        ("store: [postgresql://me:secret@host/db]", ":6: store: found ['postgresql://me:***@host"),
    ],
)
def test_what_is_hostile_is_one_short_error_soon(tmp_path: Path, more: str, problem: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(FILE + more + "\n")
    assert problem in said(path)


def test_long_lists_of_rules_and_expectations_are_read_soon(tmp_path: Path) -> None:
    columns = "".join(f"    c{n}: {{method: [psi, ks]}}\n" for n in range(1_500))
    rules = "".join(f"  - {{name: r{n}, metric: psi, max: 1}}\n" for n in range(1_400))
    path = tmp_path / "m.yaml"
    path.write_text(f"{FILE}drift:\n  columns:\n{columns}rules:\n{rules}")
    begun = time.process_time()
    assert len(monitor_file.load(path).rules or ()) == 1_400
    assert time.process_time() - begun < 2  # .4 s; it was 4.5 s


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    (tmp_path / "broken.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / ".#edited.yaml").symlink_to("me@host.123:456")  # an editor's lock
    (tmp_path / ".hidden.yaml").write_text(FILE)
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "latin.yaml").write_bytes(FILE.replace("table: t", "table: größe").encode("latin1"))
    (tmp_path / "wide.yaml").write_bytes(FILE.encode("utf-16"))
    problems = {path.name: said(path) for path in monitor_file.monitor_files([tmp_path])}
    for name, problem in {
        "broken": ": it links to nowhere, which is not there",
        "device": ": it is a pipe or a device, not a file",
        "empty": ":1: it must be a mapping of keys to values; it is empty",
        "folder": ": it is a folder, not a file",
        "latin": ":5: the byte 0xf6 is no UTF-8; save the file as UTF-8",
        "loop": ": it cannot be read: Too many levels of symbolic links",
        "pipe": ": it is a pipe or a device, not a file",
        "wide": ":1: the byte 0xff is no UTF-8; save the file as UTF-8",
    }.items():
        assert problem in problems.pop(f"{name}.yaml")
    assert problems == {}


@pytest.mark.parametrize(
    "line",
    [
        *("monitor: m", '"monitor": m', "'monitor': 'm'", "monitor : m", "? monitor\n: m"),
        *("!!str monitor: m", '"mon\\u0069tor": m', "\ufeffmonitor: m"),
    ],
)
def test_a_monitor_may_be_named_in_every_way_of_yaml(tmp_path: Path, line: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(FILE.replace("monitor: m", line), encoding="utf-8")
    assert list(monitor_file.monitor_files([tmp_path])) == [path]
    assert monitor_file.named(path) == "m"
    assert monitor_file.find("m", [tmp_path]).path == path


def test_other_yaml_is_no_monitor_and_a_misspelt_one_is(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  monitor:\n    image: x\n")
    (tmp_path / "values.yaml").write_text("monitoring: {enabled: true}\n")
    (tmp_path / "misspelt.yaml").write_text(FILE.replace("monitor:", "moniter:"))
    (found,) = monitor_file.monitor_files([tmp_path])
    assert "misspelt.yaml:1: moniter: unknown key" in said(found)


def test_one_file_takes_no_other_from_who_looks_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("monitor: a\n" + "[" * 1000)
    (tmp_path / "b.yaml").write_text("{monitor: b")
    (tmp_path / "c.yaml").write_text(FILE)
    assert monitor_file.find("m", [tmp_path]).path == tmp_path / "c.yaml"
    with pytest.raises(ConfigError, match=r"a\.yaml:3: "):
        monitor_file.find("a", [tmp_path])
    with pytest.raises(ConfigError, match=r"b\.yaml:2: "):
        monitor_file.find("b", [tmp_path])


def test_whatever_a_file_provokes_is_that_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(FILE)
    monkeypatch.setattr(monitor_file, "_validated", lambda *_: 1 / 0)
    assert said(path) == f"{path}: driftline cannot read it: ZeroDivisionError: division by zero"


def test_both_parsers_of_yaml_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(document._Bounded, yaml.SafeLoader):  # type: ignore[misc]
        yaml_implicit_resolvers = document._Loader.yaml_implicit_resolvers
        yaml_constructors = document._Loader.yaml_constructors

        def __init__(self, text: str) -> None:
            yaml.SafeLoader.__init__(self, text)
            document._Bounded.__init__(self)

    path = tmp_path / "m.yaml"
    path.write_text(FILE + "segments: &a [yes, on, 1, 2.5]\nowner: *a\n")
    read = Document(path)
    monkeypatch.setattr(document, "_Loader", Slow)
    slow = Document(path)
    assert read.values == slow.values
    assert read.fault(["owner"], "x") == slow.fault(["owner"], "x")
