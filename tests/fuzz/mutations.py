"""Monitor files as accidents and enemies leave them: cut, doubled, bent."""

import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```yaml\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)
FILES += [path.read_text(encoding="utf-8") for path in (ROOT / "include/monitors").glob("*.yaml")]

WORDS = [
    *("null", "~", "''", "[]", "{}", "[[]]", "{a: {b: c}}", "true", "False", "yes", "0", "-1"),
    *("1.5", "1e400", "-1e400", ".inf", "-.inf", ".nan", "9" * 30, "9" * 5000, "0x" + "f" * 60),
    *("0b1", "0o7", "1_000", "12:30:45", "1e-320", "-0.0", "999999999999d", "10000000w", "0d"),
    *("-1d", "1h", "0s", "1 d", "٣d", "0001-01-01", "9999-12-31", "2013-02-30", "0000-00-00"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2013-03-01 00:00:00 +99:99"),
    *("!!int x", "!!float ''", "!!bool 2", "!!timestamp x", "!!binary x", "!!set {a}", "!!null x"),
    *("!!python/object/apply:os.system [true]", "!x y", "!!map [a]", "!!seq {a: b}", "!<x> y"),
    *(
        "*a",
        "&a [*a]",
        "<<",
        "<<: x",
        "&a x",
        "- a",
        "? a",
        "|",
        ">",
        "%YAML 1.2",
        "---",
        "...",
        "#",
    ),
    *('"\\0"', '"\\ud800"', '"\\e[31m"', '"\\u202e"', "'unclosed", '"\\x"', "\t", "\ufeff", "日本"),
    *(
        "a" * 3000,
        "[" * 200,
        "{a: " * 100,
        "- " * 100,
        "${HOME}",
        "${}",
        "~nobody/x",
        "../../x",
        "%",
    ),
    *("5%", "nan%", "infsd", "1e999sd", "-5%", "psi", "ks", "1d", "7d", "30d", "999d", "critical"),
    *("postgresql://u:secret@h:port/d", "sqlite:///x?a=b=c", "://", "a://[::1", "UTC", "Europe"),
    *("expect_column_to_exist: {column: a, value_set: {1: a, b: c}}", "models:train", "a.b:c"),
]
VALUES: list[Any] = [None, True, 0, -1, 10**30, 1e400, float("nan"), "", "x", "*", [], [[]], {}]
VALUES += [{1: 2}, {"a": None}, ["a", 1], "x" * 5000, "999999999999d", "9999-12-31", {"metric": []}]


def mutated(number: int, seed: int) -> Iterator[bytes]:
    """Yield so many files, each a few mutations away from one of the documentation."""
    chance = random.Random(seed)
    for _ in range(number):
        content = chance.choice(FILES).encode()
        for _ in range(chance.choice([1, 1, 1, 2, 3, 5])):
            content = chance.choice(MUTATIONS)(content, chance)
        yield content


def _bytes(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    until = min(len(content), at + chance.choice([0, 1, 1, 2, 20]))
    new = chance.choice([b"", bytes([chance.randrange(256)]), content[at:until] * 2, b"\xff\xfe"])
    return content[:at] + new + content[until:]


def _torn(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _lines(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.randrange(4)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = b" " * chance.randrange(5) + lines[at].lstrip()
    return b"".join(lines)


def _words(content: bytes, chance: random.Random) -> bytes:
    text = content.decode(errors="replace")
    words = list(re.finditer(r"[^\s,:\[\]{}]+|[,:\[\]{}]", text))
    if not words:
        return content
    word = chance.choice(words)
    new = chance.choice([chance.choice(WORDS), chance.choice(WORDS), chance.choice(words)[0], ""])
    return (text[: word.start()] + new + text[word.end() :]).encode(errors="replace")


def _values(content: bytes, chance: random.Random) -> bytes:
    try:
        tree = yaml.safe_load(content)
        places = list(_places(tree))
        holder, key = chance.choice(places)
        _bend(holder, key, chance, places)
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode()
    except Exception:  # noqa: BLE001  # it was bent before, and PyYAML raises what it likes
        return _lines(content, chance)


def _bend(holder: Any, key: Any, chance: random.Random, places: list[tuple[Any, Any]]) -> None:
    other, at = chance.choice(places)
    kind = chance.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = deepcopy(other[at])
    elif kind == 2:
        holder[key] = chance.choice([[holder[key]], {"a": holder[key]}, [holder[key]] * 50])
    elif kind == 3 and isinstance(holder, dict):
        holder[chance.choice([f"{key}s", 1, True, 2.5, ""])] = holder.pop(key)
    else:
        holder[key] = chance.choice(VALUES)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        yield value, key
        if isinstance(child, dict | list):
            yield from _places(child)


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    *(_bytes, _torn, _lines, _words, _words, _words, _values, _values, _values)
]
