"""Fetching ahead: a thread asks for the next batch while the last one is counted."""

from collections.abc import Generator
from contextlib import closing
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")

_AHEAD = 2
"""So many batches wait at most: what is in memory does not grow with the rows."""

_POLL = 0.1


def ahead(source: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield what the source yields, made by a thread of its own, in which it is closed too.

    What it raises is raised here.
    """
    waiting: Queue[tuple[Any, bool, BaseException | None]] = Queue(_AHEAD)
    stop = Event()

    def put(item: T | None, last: bool, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                waiting.put((item, last, error), timeout=_POLL)
            except Full:
                continue  # the reader is busy with what it has
            return

    def fetch() -> None:
        try:
            with closing(source):
                for item in source:
                    put(item, False)
                    if stop.is_set():
                        break
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that reads
            put(None, True, error)
        else:
            put(None, True)

    thread = Thread(target=fetch, name="driftline-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, last, error = waiting.get()
            if error:
                raise error
            if last:
                return
            yield item
    finally:
        stop.set()
        thread.join()
