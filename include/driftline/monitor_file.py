"""Reads monitor files: YAML text into a Monitor, or every fault with its line."""

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from driftline.config import Defaults, Monitor
from driftline.errors import ConfigError, Fault, UnknownMonitor

DEFAULTS_FILE = "driftline.yaml"

Read = TypeVar("Read", bound=BaseModel)

_BOOLEAN = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice; as in YAML 1.2, `yes` and `on` are words."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a plain word or number", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key!r} is written twice", key_node.start_mark
            )
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != _BOOLEAN]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _BOOLEAN, re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same on libyaml's parser, ten times as fast; what is wrong the other says better."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
    yaml_constructors = _Loader.yaml_constructors


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """Return a YAML document as nodes, which know their lines, and as values."""
    try:
        return _composed(_FastLoader(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return _composed(_Loader(text))


def _composed(loader: Any) -> tuple[yaml.Node | None, Any]:
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


class _Source:
    """The text of one YAML file and where in it each key stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError([self._fault(None, "", "there is no such file")]) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([self._fault(None, "", f"it cannot be read: {error}")]) from None
        try:
            self.root, self.values = _read(self.text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else None
            raise ConfigError([self._fault(line, "", f"{error.problem}")]) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError([self._fault(None, "", f"it is no valid YAML: {error}")]) from None
        if not isinstance(self.values, dict):
            raise ConfigError([self._fault(1, "", "it must be a mapping of keys to values")])

    def fault(
        self, keys: Sequence[str | int], problem: str, hint: str = "", *, missing: str = ""
    ) -> Fault:
        name = ".".join(map(str, keys))
        return self._fault(self._line(keys), name, problem, hint, missing)

    def _fault(
        self, line: int | None, key: str, problem: str, hint: str = "", missing: str = ""
    ) -> Fault:
        lines = self.text.splitlines() if hasattr(self, "text") else []
        source = lines[line - 1].rstrip() if line and line <= len(lines) else ""
        return Fault(
            file=self.path,
            line=line,
            key=key,
            problem=f"the key {missing!r} is missing" if missing else problem,
            source=source,
            hint=hint,
            missing=missing,
        )

    def _line(self, keys: Sequence[str | int]) -> int:
        node, line = self.root, 1
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            line, node = found
        return int(line)

    def value(self, keys: Sequence[str | int]) -> object:
        value: object = self.values
        for key in keys:
            if not _holds(value, key):
                return None
            value = value[key]  # type: ignore[index]
        return value


def load(path: Path | str) -> Monitor:
    """Read one monitor file, over the `driftline.yaml` of its folder.

    Raises ConfigError with every fault of the defaults, else of the file.
    """
    path = Path(path)
    source = _Source(path)
    values = dict(source.values)
    beside = path.parent / DEFAULTS_FILE
    if beside.is_file() and beside.resolve() != path.resolve():
        defaults = _Source(beside)
        _validated(defaults, Defaults, defaults.values)
        values = {**defaults.values, **values}
    monitor = _validated(source, Monitor, values)
    monitor._path = path
    return monitor


def placed(path: Path, said: str) -> Fault:
    """Return a fault of words that begin with a key: `predictions.score: no column 'scor'`.

    Words that begin with no key of the file are about all of it.
    """
    key, _, problem = said.partition(": ")
    keys = [int(word) if word.isdigit() else word for word in key.split(".")]
    source = _Source(path)
    if keys[0] not in source.values:
        return Fault(file=path, line=None, key="", problem=said)
    return source.fault(keys, problem)


def find(name: str, folders: Sequence[Path] | None = None) -> Monitor:
    """Read the monitor of this name, or the file at this path."""
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return load(name)
    files = list(monitor_files(folders))
    for file in sorted(files, key=lambda file: file.stem != name):
        if _Source(file).values.get("monitor") == name:
            return load(file)
    names = [str(_Source(file).values.get("monitor")) for file in files]
    looked = ", ".join(map(str, folders or search_path()))
    raise UnknownMonitor(
        f"no monitor {name!r} in {looked}; there {_listing(names)}. {_nearest(name, names)}".strip()
    )


def called(monitor: Monitor) -> str:
    """Return what a command finds this monitor by: its name from here, else its file's path."""
    path = monitor.path.resolve()
    by_name = any(file.resolve() == path for file in monitor_files())
    return monitor.monitor if by_name else shlex.quote(str(path))


def search_path() -> tuple[Path, ...]:
    """Return the folders that monitors are looked for in: $DRIFTLINE_MONITORS, else two usual."""
    given = os.environ.get("DRIFTLINE_MONITORS")
    folders = given.split(os.pathsep) if given else ["include/monitors", "."]
    return tuple(Path(folder) for folder in folders)


def monitor_files(folders: Sequence[Path] | None = None) -> Iterator[Path]:
    """Yield the YAML files of these folders that hold a monitor, in the order of their names."""
    for folder in folders or search_path():
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if file.name == DEFAULTS_FILE:
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            if text.startswith("monitor:") or "\nmonitor:" in text:
                yield file


def _holds(value: object, key: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and key < len(value)
    return isinstance(value, dict) and key in value


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


def _validated(source: _Source, model: type[Read], values: Mapping[str, Any]) -> Read:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = _in_order(_fault(source, model, details) for details in error.errors())
        raise ConfigError(faults) from None


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Sort by line; a key that is missing because it is misspelt is one fault, not two."""
    found = dict.fromkeys(faults)
    misspelt = {(fault.key.rpartition(".")[0], fault.hint) for fault in found}
    kept = [f for f in found if not f.missing or (f.key, _meant(f.missing)) not in misspelt]
    return sorted(kept, key=lambda fault: fault.line or 0)


def _fault(source: _Source, model: type[BaseModel], details: ErrorDetails) -> Fault:
    keys = _written(source, details["loc"])
    if details["type"] == "extra_forbidden":
        valid = _keys(model, details["loc"][:-1])
        hint = _nearest(str(keys[-1]), valid)
        return source.fault(keys, f"unknown key; allowed {_listing(valid)}", hint)
    if details["type"] == "inconsistent":
        words = details["ctx"]["key"].split(".")
        keys = [int(word) if word.isdigit() else word for word in words]
        return source.fault(keys, details["msg"])
    if details["type"] == "missing":
        return source.fault(keys[:-1], "", missing=str(details["loc"][-1]))
    message = details["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "allowed is").replace("Value should", "it should")
    if details["type"] in ("enum", "literal_error"):
        allowed = str((details.get("ctx") or {}).get("expected", "")).replace(" or ", ", ")
        valid = [word.strip(" '") for word in allowed.split(",")]
        found = details["input"]
        hint = _nearest(str(found), valid)
        return source.fault(keys, f"found {found!r}; allowed {_listing(valid)}", hint)
    if details["type"] == "value_error":
        section = isinstance(details["input"], dict)
        return source.fault(keys, message if section else f"found {details['input']!r}; {message}")
    return source.fault(keys, f"found {details['input']!r}; {message}")


def _written(source: _Source, location: tuple[str | int, ...]) -> list[str | int]:
    """Leave out the parts of pydantic's location that name a branch of a union, not a key."""
    keys: list[str | int] = []
    for part in location:
        value = source.value(keys)
        if _holds(value, part) or (part == location[-1] and isinstance(value, dict)):
            keys.append(part)
    return keys or list(location[:1])


def _keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that may stand in the section at this location."""
    section: type[BaseModel] = model
    for part in location:
        field = section.model_fields.get(str(part))
        if field is not None:
            section = next(_sections(field.annotation), section)
    return [field.alias or name for name, field in section.model_fields.items()]


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, tuple, dict, list) or get_args(annotation):
        for argument in get_args(annotation):
            yield from _sections(argument)


def _listing(names: Sequence[str]) -> str:
    return f"are: {', '.join(names)}" if names else "are none"


def _nearest(name: str, names: Sequence[str]) -> str:
    match = difflib.get_close_matches(name, names, n=1)
    return _meant(match[0]) if match else ""


def _meant(name: str) -> str:
    return f"Did you mean {name!r}?"
