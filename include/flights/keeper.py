"""Keeps a command and all that it starts: none of it outlives whoever asked for it.

`python -m flights.keeper COMMAND...` runs a command until it ends, or until standard input is
closed: on purpose, or because the process at its other end is gone, however it went.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import psutil

PATIENCE = 10
"""So many seconds are given to what was asked to end, before it is killed."""


def keep(command: list[str]) -> int:
    """Run a command while standard input is open; return its exit code when nothing is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become our children
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:  # noqa: S603 (ours)
        threading.Thread(target=_end_with_input, args=[child], daemon=True).start()
        code = child.wait()
    left = psutil.Process().children(recursive=True)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, PATIENCE)
    return code


def _end_with_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):
        continue
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
