"""Reads one YAML file, however hostile: its values, and where in it each key stands.

What is read is bounded before it is built: bytes, values (what an alias repeats counts again) and
depth. Beyond these bounds, and for whatever else is wrong, there is one ConfigError with its line.
"""

import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.resolver import Resolver

from driftline.errors import ConfigError, Fault

MOST_BYTES = 256 * 1024
MOST_VALUES = 20_000
DEEPEST = 32
LONGEST_NUMBER = 64

_CORE = "tag:yaml.org,2002:"
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML; `str.splitlines` knows more."""


class _Bounded(Composer):
    """Builds nodes and values within bounds, and every error has its place."""

    peek_event: Any

    def __init__(self) -> None:
        Composer.__init__(self)
        self.depth = self.size = 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node; one that is too deep, or one too many, is an error."""
        event, before = self.peek_event(), self.size
        self.depth += 1
        if self.depth > DEEPEST:
            raise ComposerError(
                None, None, f"it is nested more than {DEEPEST} deep", event.start_mark
            )
        node = super().compose_node(parent, index)
        self.size += self._size(event, node)
        if self.size > MOST_VALUES:
            problem = f"it holds more than {MOST_VALUES:,} values, what aliases repeat included"
            raise ComposerError(None, None, problem, event.start_mark)
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self.sizes[id(node)] = self.size - before
        self.depth -= 1
        return node

    def _size(self, event: Any, node: Any) -> int:
        mark = event.start_mark
        if not isinstance(event, yaml.AliasEvent):
            return 1
        if id(node) not in self.sizes:
            problem = f"the alias {_cut(str(event.anchor))!r} stands within what it names"
            raise ComposerError(None, None, problem, mark)
        return self.sizes[id(node)]

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return the value of a node; what Python cannot make of it is an error at its line."""
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except yaml.YAMLError:
            raise
        except Exception:  # noqa: BLE001  # of `!!int x`, `2013-02-30`: any class there is
            kind = node.tag.removeprefix(_CORE)
            problem = f"{_cut(str(node.value))!r} is no {kind}"
            raise ConstructorError(None, None, problem, node.start_mark) from None


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Bounded, _Base):  # type: ignore[misc]
    """Safe YAML on libyaml's parser, which is ten times as fast and never recurses.

    It refuses a key written twice; as in YAML 1.2, `yes` and `on` are words.
    """

    def __init__(self, text: str) -> None:
        _Base.__init__(self, text)
        _Bounded.__init__(self)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise ConstructorError(None, None, "a mapping is expected", node.start_mark)
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == f"{_CORE}merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool):
            problem = "a key must be a plain word or number"
            raise ConstructorError(None, None, problem, key_node.start_mark)
        if key in seen:
            problem = f"{_cut(str(key))!r} is written twice"
            raise ConstructorError(None, None, problem, key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_mapping(node, deep=True))


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return list(loader.construct_sequence(node, deep=True))


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if "\0" in text:
        raise ConstructorError(None, None, "a text must not hold a NUL", node.start_mark)
    return text


def _number(of: Any) -> Any:
    def number(loader: _Loader, node: yaml.ScalarNode) -> Any:
        if len(node.value) > LONGEST_NUMBER:
            problem = f"a number of {len(node.value):,} characters; {LONGEST_NUMBER} are enough"
            raise ConstructorError(None, None, problem, node.start_mark)
        return of(loader, node)

    return number


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != f"{_CORE}bool"]
    for first, known in Resolver.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{_CORE}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_Loader.yaml_constructors = {
    None: SafeConstructor.construct_undefined,
    f"{_CORE}null": SafeConstructor.construct_yaml_null,
    f"{_CORE}bool": SafeConstructor.construct_yaml_bool,
    f"{_CORE}int": _number(SafeConstructor.construct_yaml_int),
    f"{_CORE}float": _number(SafeConstructor.construct_yaml_float),
    f"{_CORE}timestamp": SafeConstructor.construct_yaml_timestamp,
    f"{_CORE}str": _text,
    f"{_CORE}seq": _sequence,
    f"{_CORE}map": _mapping,
}


class Document:
    """The text of one YAML file, a mapping, and where in it each key stands.

    Raises ConfigError, with the line, where it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = _BREAKS.split(text := text_of(path))
        loader = None
        try:
            loader = _Loader(text)
            self.root: Any = loader.get_single_node()
            values = None if self.root is None else loader.construct_document(self.root)
        except yaml.MarkedYAMLError as error:
            raise ConfigError([self._marked(error)]) from None
        except yaml.reader.ReaderError as error:
            line = len(_BREAKS.split(text[: error.position]))
            problem = f"the character {error.character:#x} is not allowed"
            raise ConfigError([self._fault(line, "", problem)]) from None
        finally:
            if loader is not None:
                loader.dispose()
        if not isinstance(values, dict):
            found = "; it is empty" if values is None else ""
            problem = f"it must be a mapping of keys to values{found}"
            raise ConfigError([self._fault(1, "", problem)])
        self.values: dict[Any, Any] = values

    def fault(
        self, keys: Sequence[str | int], problem: str, hint: str = "", *, missing: str = ""
    ) -> Fault:
        """Return a fault at a key."""
        name = ".".join(map(str, keys))
        return self._fault(self._line(keys), name, problem, hint, missing)

    def value(self, keys: Sequence[str | int]) -> object:
        """Return what is written at a key; None where nothing is."""
        value: object = self.values
        for key in keys:
            if not holds(value, key):
                return None
            value = value[key]  # type: ignore[index]
        return value

    def _fault(
        self, line: int | None, key: str, problem: str, hint: str = "", missing: str = ""
    ) -> Fault:
        source = self.lines[line - 1].rstrip() if line and line <= len(self.lines) else ""
        return Fault(
            file=self.path,
            line=line,
            key=key,
            problem=f"the key {missing!r} is missing" if missing else problem,
            source=source,
            hint=hint,
            missing=missing,
        )

    def _marked(self, error: yaml.MarkedYAMLError) -> Fault:
        begins = error.context_mark
        mark = error.problem_mark or begins
        line = mark.line + 1 if mark else None
        context = ""
        if mark and begins and begins.line != mark.line:
            context = f", {error.context} that begins at line {begins.line + 1}"
        return self._fault(line, "", f"{error.problem}{context}")

    def _line(self, keys: Sequence[str | int]) -> int:
        node, line = self.root, 1
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return int(line)


def text_of(path: Path) -> str:
    """Return the text of a file; ConfigError where it is none, or more than anybody writes.

    Only a regular file is opened: a pipe would wait for ever, a device never end.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise _unread(path, f"it is {kind}, not a file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        linked = f"it links to {path.readlink()}, which is not there" if path.is_symlink() else ""
        raise _unread(path, linked or "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unread(path, f"it cannot be read: {reason}") from None
    if len(content) > MOST_BYTES:
        raise _unread(path, f"it is larger than {MOST_BYTES // 1024} kB, which no monitor needs")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = f"the byte {content[error.start]:#04x} is no UTF-8; save the file as UTF-8"
        raise _unread(path, problem, line) from None


def holds(value: object, key: str | int) -> bool:
    """Whether a value has something under this key or number."""
    if isinstance(value, list):
        return isinstance(key, int) and 0 <= key < len(value)
    return isinstance(value, dict) and key in value


def _unread(path: Path, problem: str, line: int | None = None) -> ConfigError:
    return ConfigError([Fault(file=path, line=line, key="", problem=problem)])


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."


def _child(node: yaml.Node | None, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if str(key_node.value) == str(key):
                return key_node.start_mark.line + 1, value_node
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child = node.value[key]
        return child.start_mark.line + 1, child
    if isinstance(node, yaml.SequenceNode):
        return next(filter(None, (_child(child, key) for child in node.value)), None)
    return None
