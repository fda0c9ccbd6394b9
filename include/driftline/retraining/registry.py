"""The embedded registry: a folder of models, one of which is the champion, each with its digest.

models/v2013-03-01.joblib
models/champion.json         names the champion and its SHA-256
"""

import hashlib
import json
import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from driftline.errors import InputError, MissingExtra
from driftline.monitor.config import Monitor
from driftline.monitor.fields import SLUG
from driftline.monitor.home import artifacts

POINTER = "champion.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A model in the registry: its name, and the SHA-256 of the bytes that were registered."""

    name: str
    sha256: str


class Registry:
    """The models of one monitor.

    Unpickling runs code, so nothing is unpickled but the very bytes that were registered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def register(self, name: str, model: Any) -> Version:
        """Keep a model under a name; the champion in force is not replaced by another one."""
        content = _bytes(model)
        version = Version(name=name, sha256=hashlib.sha256(content).hexdigest())
        champion = self.champion()
        if champion and champion.name == name and champion.sha256 != version.sha256:
            raise InputError(f"{name} is the champion in {self.folder}: it cannot be replaced")
        self.folder.mkdir(parents=True, exist_ok=True)
        _replace(self._file(name), content)
        return version

    def load(self, version: Version) -> Any:
        """Return a model; InputError where its file is missing or holds other bytes."""
        try:
            content = self._file(version.name).read_bytes()
        except FileNotFoundError:
            raise InputError(f"{self.folder} holds no model {version.name}") from None
        found = hashlib.sha256(content).hexdigest()
        if found != version.sha256:
            raise InputError(
                f"{self.folder}: the model {version.name} is not the file that was registered and "
                f"is not loaded: its SHA-256 is {found}, not {version.sha256}"
            )
        return _joblib().load(BytesIO(content))

    def champion(self) -> Version | None:
        """Return the model in service; None before the first promotion."""
        path = self.folder / POINTER
        try:
            pointer = json.loads(path.read_bytes())
            return Version(name=str(pointer["version"]), sha256=str(pointer["sha256"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{path} is not the pointer that a promotion writes") from None

    def promote(self, version: Version) -> None:
        """Make a registered model the champion; a reader sees the old one or the new."""
        self.load(version)  # what cannot be loaded is no champion
        pointer = {"version": version.name, "sha256": version.sha256}
        _replace(self.folder / POINTER, json.dumps(pointer, indent=2).encode() + b"\n")

    def _file(self, name: str) -> Path:
        if not SLUG.fullmatch(name):
            raise InputError(
                f"{name!r} is no model version: use letters, digits, dots, dashes and underscores"
            )
        return self.folder / f"{name}.joblib"


def registry_of(monitor: Monitor) -> Registry:
    """Return the registry of a monitor's models, among its artifacts."""
    return Registry(artifacts(monitor) / "models")


def _bytes(model: Any) -> bytes:
    buffer = BytesIO()
    _joblib().dump(model, buffer)
    return buffer.getvalue()


def _joblib() -> Any:
    try:
        import joblib
    except ModuleNotFoundError:
        raise MissingExtra("joblib", "retraining") from None
    return joblib


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
