"""A deadline for databases that run in this process and keep none themselves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

_AGAIN = 0.1


@contextmanager
def deadline(limit: timedelta, interrupt: Callable[[], object]) -> Iterator[None]:
    """Interrupt what the block runs once it has taken longer; no thread outlives the block."""
    done = Event()

    def watch() -> None:
        wait = limit.total_seconds()
        while not done.wait(wait):
            interrupt()
            wait = _AGAIN  # what was late may have come between two statements

    thread = Thread(target=watch, name="driftline-deadline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
