"""Reads monitor files: YAML text into a Monitor, or every fault with its line."""

import difflib
import os
import re
import reprlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from driftline.domain import digest
from driftline.errors import ConfigError, Fault, UnknownMonitor
from driftline.monitor.config import Defaults, Monitor
from driftline.monitor.document import Document, holds, text_of

DEFAULTS_FILE = "driftline.yaml"
MOST_ERRORS, MOST_NAMES = 100, 50
MOST_SIGNS = 200  # of a file's name in an id, of which Airflow takes 250


class _Short(reprlib.Repr):
    """Shows a value as a file would have it, and not all of a long one."""

    def repr_datetime(self, value: datetime, level: int) -> str:
        return str(value)

    def repr_date(self, value: date, level: int) -> str:
        return str(value)


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = 100

Read = TypeVar("Read", bound=BaseModel)

_KEY = re.compile(r"""^["']?monitor["']?[ \t]*:[ \t]*(?:["']?([\w.-]+))?""", re.MULTILINE)
"""How nearly everybody writes the name of a monitor."""
_LIKELY = re.compile(r"\b(monitor|predictions)\b['\"]?[ \t]*:")


def load(path: Path | str) -> Monitor:
    """Read one monitor file, over the `driftline.yaml` of its folder.

    Raises ConfigError with every fault of the defaults, else of the file.
    """
    path = Path(path)
    try:
        monitor = _loaded(path)
    except ConfigError:
        raise
    except Exception as error:  # whatever a file provokes, it is that file's fault
        problem = f"driftline cannot read it: {type(error).__name__}: {error}"
        raise ConfigError([Fault(file=path, line=None, key="", problem=problem)]) from error
    monitor._path = path
    return monitor


def _loaded(path: Path) -> Monitor:
    source = Document(path)
    values = dict(source.values)
    beside = path.parent / DEFAULTS_FILE
    if os.path.lexists(beside) and beside.absolute() != path.absolute():
        defaults = Document(beside)
        _validated(defaults, Defaults, defaults.values)
        values = {**defaults.values, **values}
    return _validated(source, Monitor, values)


def placed(path: Path, said: str) -> Fault:
    """Return a fault of words that begin with a key: `predictions.score: no column 'scor'`.

    Words that begin with no key of the file are about all of it.
    """
    key, _, problem = said.partition(": ")
    keys = [int(word) if word.isdigit() else word for word in key.split(".")]
    source = Document(path)
    if keys[0] not in source.values:
        return Fault(file=path, line=None, key="", problem=said)
    return source.fault(keys, problem)


def find(name: str, folders: Sequence[Path] | None = None) -> Monitor:
    """Read the monitor of this name, or the file at this path."""
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return load(name)
    files = {file: named(file) for file in monitor_files(folders)}
    for file in sorted(files, key=lambda file: file.stem != name):
        if files[file] == name:
            return load(file)
    names = list(files.values())
    looked = ", ".join(map(str, folders or search_path()))
    raise UnknownMonitor(
        f"no monitor {name!r} in {looked}; there {_listing(names)}. {_nearest(name, names)}".strip()
    )


def named(file: Path) -> str:
    """Return what a file calls its monitor, whatever else is wrong with it; else its own name."""
    try:
        found = _KEY.search(text_of(file))
        return (found and found[1]) or str(Document(file).values["monitor"])
    except (ConfigError, KeyError):
        return file.stem


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
    """Yield the YAML files of these folders that are a monitor's, in the order of their names.

    What cannot be read is one too, so that somebody is told; a hidden file is none: editors leave
    such beside what they edit.
    """
    for folder in folders or search_path():
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if file.name != DEFAULTS_FILE and not file.name.startswith(".") and _is_one(file):
                yield file


def plain_stem(file: Path) -> str:
    """Return a file's name without its ending, in signs that an id may hold.

    What is not the name itself gets a digest of it, as does `x.yml` beside `x.yaml`: no two files
    of a folder are called the same.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", file.stem)[:MOST_SIGNS]
    beside = file.suffix == ".yml" and os.path.lexists(file.with_suffix(".yaml"))
    if plain == file.stem and not beside:
        return plain
    return f"{plain}-{digest(os.fsencode(file.name).hex())[:8]}"


def _is_one(file: Path) -> bool:
    """Whether a file is a monitor's, be it ever so faulty; an empty one was."""
    try:
        text = text_of(file)
        if _KEY.search(text) or not text.strip():
            return True
        written = Document(file).values.keys() if _LIKELY.search(text) else set()
        return bool({"monitor", "predictions"} & written)
    except ConfigError:
        return True


def _validated(source: Document, model: type[Read], values: Mapping[str, Any]) -> Read:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        told = islice(error.errors(include_url=False), MOST_ERRORS)
        faults = _in_order(_fault(source, model, details) for details in told)
        raise ConfigError(faults) from None


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Sort by line; a key that is missing because it is misspelt is one fault, not two."""
    found = dict.fromkeys(faults)
    misspelt = {(fault.key.rpartition(".")[0], fault.hint) for fault in found}
    kept = [f for f in found if not f.missing or (f.key, _meant(f.missing)) not in misspelt]
    return sorted(kept, key=lambda fault: fault.line or 0)


def _fault(source: Document, model: type[BaseModel], details: ErrorDetails) -> Fault:
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
        return source.fault(keys, f"found {_SHORT.repr(found)}; allowed {_listing(valid)}", hint)
    if details["type"] == "value_error":
        section = isinstance(details["input"], dict)
        return source.fault(
            keys, message if section else f"found {_SHORT.repr(details['input'])}; {message}"
        )
    return source.fault(keys, f"found {_SHORT.repr(details['input'])}; {message}")


def _written(source: Document, location: tuple[str | int, ...]) -> list[str | int]:
    """Leave out the parts of pydantic's location that name a branch of a union, not a key."""
    keys: list[str | int] = []
    for part in location:
        value = source.value(keys)
        if holds(value, part) or (part == location[-1] and isinstance(value, dict)):
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
    more = f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"are: {', '.join(names[:MOST_NAMES])}{more}" if names else "are none"


def _nearest(name: str, names: Sequence[str]) -> str:
    match = difflib.get_close_matches(name[:100], names, n=1)
    return _meant(match[0]) if match else ""


def _meant(name: str) -> str:
    return f"Did you mean {name!r}?"
