"""A monitor file that was bent by chance is a monitor, or has faults with their places."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.errors import ConfigError
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.default_rules import rules_of
from tests.fuzz.mutations import mutated

Many = Callable[[int, int], int]


@pytest.mark.parametrize("part", range(4))
def test_a_bent_file_is_a_monitor_or_a_located_fault(tmp_path: Path, many: Many, part: int) -> None:
    path = tmp_path / "bent.yaml"
    for content in mutated(many(100, 3_000), seed=part):
        path.write_bytes(content)
        _holds(path, path)


def test_so_is_one_over_bent_defaults(tmp_path: Path, many: Many) -> None:
    path, defaults = tmp_path / "m.yaml", tmp_path / "driftline.yaml"
    path.write_text(
        "monitor: m\ntask: binary\nwarehouse: w\nreference: {previous: 28d}\n"
        "predictions: {table: t, timestamp: at, score: s}\n"
    )
    for content in mutated(many(50, 1_000), seed=9):
        kept = [b"warehouse:", b"store:", b"owner:", b"windows:", b"schedule:", b"routes:"]
        lines = [line for line in content.splitlines() if line.startswith((*kept, b" "))]
        defaults.write_bytes(b"\n".join(lines))
        _holds(path, defaults)


def _holds(path: Path, bent: Path) -> None:
    """Read a file; whatever comes of it comes soon, and every fault has its place."""
    begun, content = time.process_time(), bent.read_bytes()
    assert list(monitor_file.monitor_files([path.parent])) in ([path], []), content
    read = _read(path)
    assert time.process_time() - begun < 1, content  # of the processor, whoever else is at it
    if isinstance(read, Monitor):
        assert read.config_hash
        assert len({rule.name for rule in rules_of(read, [])}) == len(rules_of(read, []))
        assert monitor_file.named(path) == read.monitor
        return
    assert len(str(read)) < 20_000, content
    assert all(line.isprintable() for line in str(read).splitlines()), content
    assert read.faults, content
    for fault in read.faults:
        assert fault.file in (path, bent), content
        assert fault.line, (fault, content)


def _read(path: Path) -> Monitor | ConfigError:
    try:
        return monitor_file.load(path)
    except ConfigError as error:
        return error
