"""Another Python than Airflow's, that a task starts and ends with."""

import json
import logging
import os
import subprocess
from collections import deque
from contextlib import suppress
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from driftline.connections import connection_ids
from driftline.orchestration.connections import airflow_connection
from driftline.orchestration.context import monitor_of

log = logging.getLogger(__name__)

LAST = 20
"""So many of the last lines of another Python go into the error of a task."""


def elsewhere(python: str, module: str, asked: dict[str, Any], monitor: str) -> Any:
    """Run a module's `main` in another Python and return what it prints; its log becomes ours.

    The connections that the monitor names go along in the child's environment. The child ends
    with this process, however that ends.
    """
    given = {
        f"AIRFLOW_CONN_{name.upper()}": airflow_connection(name)
        for name in connection_ids(monitor_of(monitor), airflow_connection)
    }
    lines: deque[str] = deque(maxlen=LAST)
    with subprocess.Popen(  # noqa: S603 (the deployment's own interpreter)
        [python, "-m", module, json.dumps(asked | {"attached": True})],
        env=os.environ | given,
        stdin=subprocess.PIPE,  # which ends with us, and the child with it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            for line in child.stdout or ():
                lines.append(line.rstrip())
                log.info("%s", lines[-1])
        except BaseException:
            child.kill()
            raise
    return _result(f"{python} -m {module}", child.returncode, lines)


def _result(command: str, code: int, lines: deque[str]) -> Any:
    """Return what a child said last; raise what it failed with."""
    if code == 0:
        for line in reversed(lines):
            with suppress(json.JSONDecodeError):
                return json.loads(line)
    words = "\n".join(lines)
    if code == 2:  # what a person wrote is wrong: a retry cannot help
        raise AirflowFailException(words)
    raise AirflowException(f"{command} ended with {code}; the last it said:\n{words}")
