"""What another Python does for an Airflow task that has started it: one thing, then it ends."""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from driftline.errors import DriftlineError, InputError, MissingExtra


def obey(argument: str, call: Callable[[Mapping[str, Any]], Any]) -> int:
    """Do what a JSON argument asks for and print the result as the last line, as JSON.

    Returns the exit code: 0 it is done, 1 it failed and may be tried again, 2 a retry cannot help.
    With `attached` it ends when its standard input does: whoever asked is no more.
    """
    asked = json.loads(argument)
    if asked.get("attached"):
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        result = call(asked)
    except DriftlineError as error:
        print(error, file=sys.stderr)  # noqa: T201 (its output)
        return 2 if isinstance(error, InputError | MissingExtra) else 1
    print(json.dumps(result))  # noqa: T201 (its output)
    return 0


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)
