"""Where driftline keeps files on this machine."""

import os
from pathlib import Path

from driftline.config import Monitor
from driftline.domain import Window


def home() -> Path:
    """Return $DRIFTLINE_HOME, else `~/.driftline`."""
    return Path(os.environ.get("DRIFTLINE_HOME") or "~/.driftline").expanduser()


def artifacts(monitor: Monitor) -> Path:
    """Return the folder of a monitor's artifacts; it may not exist yet."""
    given = Path(monitor.artifacts).expanduser() if monitor.artifacts else home() / "artifacts"
    return (monitor.folder / given).resolve() / monitor.monitor


def artifact(monitor: Monitor, window: Window, name: str) -> Path:
    """Return where an artifact of this window lies; its folder may not exist yet."""
    start = f"{window.start:%Y-%m-%dT%H%M}" if window.cadence == "1h" else f"{window.start:%F}"
    return artifacts(monitor) / window.cadence / start / name
