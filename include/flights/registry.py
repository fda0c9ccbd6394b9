"""A folder of models, one of which is the champion: `champion.json` names it and its digest."""

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from driftline.errors import InputError
from driftline.fields import SLUG

POINTER = "champion.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model in service, and its name in the logs."""

    version: str
    model: Any


def promote(folder: Path, champion: Champion) -> None:
    """Keep a model in the folder and make it the champion; a reader sees the old one or the new."""
    import joblib

    buffer = BytesIO()
    joblib.dump(champion.model, buffer)
    content = buffer.getvalue()
    pointer = {"version": champion.version, "sha256": hashlib.sha256(content).hexdigest()}
    folder.mkdir(parents=True, exist_ok=True)
    _replace(_model_file(folder, champion.version), content)
    _replace(folder / POINTER, json.dumps(pointer, indent=2).encode() + b"\n")


def load_champion(folder: Path) -> Champion:
    """Return the champion of a folder.

    Unpickling runs code, so nothing is unpickled but the very bytes that were promoted: a folder
    without a champion, or a file with another digest than the pointer's, is an InputError.
    """
    import joblib

    try:
        pointer = json.loads((folder / POINTER).read_bytes())
        version, expected = str(pointer["version"]), str(pointer["sha256"])
        content = _model_file(folder, version).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no champion: {error.filename} is missing") from None
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{folder / POINTER} is not the pointer that a promotion writes") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise InputError(
            f"{folder}: the model {version} is not the file that was promoted and is not loaded: "
            f"its SHA-256 is {found}, {POINTER} says {expected}"
        )
    return Champion(version=version, model=joblib.load(BytesIO(content)))


def _model_file(folder: Path, version: str) -> Path:
    if not SLUG.fullmatch(version):
        raise InputError(
            f"{version!r} is no model version: use letters, digits, dots, dashes and underscores"
        )
    return folder / f"{version}.joblib"


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
