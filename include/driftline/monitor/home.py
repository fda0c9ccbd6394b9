"""Where driftline keeps files on this machine."""

import os
from pathlib import Path

from driftline.domain import Window
from driftline.errors import InputError
from driftline.monitor.config import Monitor


def expanded(path: str, key: str) -> Path:
    """Return a path in which `~` and `~user` are the homes that they mean.

    Raises InputError, beginning with the `key` that holds it, where there is no such home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0].removeprefix("~")
        whose = f"no user {user!r} on this machine" if user else "no home of this user"
        raise InputError(
            f"{key}: found {path!r}; there is {whose} to take ~{user} for: write the whole path"
        ) from None


def home() -> Path:
    """Return $DRIFTLINE_HOME, else `~/.driftline`."""
    return expanded(os.environ.get("DRIFTLINE_HOME") or "~/.driftline", "$DRIFTLINE_HOME")


def artifacts(monitor: Monitor) -> Path:
    """Return the folder of a monitor's artifacts; it may not exist yet."""
    written = monitor.artifacts
    given = expanded(written, "artifacts") if written else home() / "artifacts"
    return (monitor.folder / given).resolve() / monitor.monitor


def artifact(monitor: Monitor, window: Window, name: str) -> Path:
    """Return where an artifact of this window lies; its folder may not exist yet."""
    start = f"{window.start:%Y-%m-%dT%H%M}" if window.cadence == "1h" else f"{window.start:%F}"
    return artifacts(monitor) / window.cadence / start / name
