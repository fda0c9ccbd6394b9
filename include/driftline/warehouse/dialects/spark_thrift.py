"""A Thrift server's answers as Arrow: columns come as columns, and are never turned into rows."""

import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ROWS = 50_000
_SIDE_BY_SIDE = 4
"""How many statements run at once: more make 16 columns of a million rows no faster."""

_NAMED = re.compile(r"\[[A-Z][A-Z0-9_.]*\] (?![\w.$]+(?:Exception|Error):)")
"""The name of an error, where its words follow; a class of Java may stand in between."""
_TYPES = {"TIMESTAMP_TYPE": pa.timestamp("us"), "DATE_TYPE": pa.date32()}
"""What comes as text and is none; a session in UTC writes times without a zone."""
_NUMBERS = {
    "boolVal": np.bool_,
    "byteVal": np.int8,
    "i16Val": np.int16,
    "i32Val": np.int32,
    "i64Val": np.int64,
    "doubleVal": np.float64,
}


@contextmanager
def refusals() -> Iterator[None]:
    """Raise what PyHive raises of a response with the words that Spark put into it."""
    from pyhive import exc

    try:
        yield
    except exc.OperationalError as error:
        response = error.args[0] if error.args else None
        if (status := getattr(response, "status", None)) is None:
            raise
        raise exc.OperationalError(_words(status.errorMessage)) from None


def _words(message: str | None) -> str:
    """Return what Spark says, from the name of the error on."""
    named = _NAMED.search(message or "")
    return str(message)[named.start() :] if named else message or "Spark gives no reason"


def side_by_side(connection: Any, statements: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of each statement, in order, while the next ones run already.

    They share one session. One after the other, a cluster would idle between them.
    """
    waiting = iter(statements)
    running: deque[Any] = deque()
    try:
        for statement in islice(waiting, _SIDE_BY_SIDE):
            running.append(_started(connection, statement))
        while running:
            _finish(connection, running[0])
            yield _fetched(connection, running[0])
            _close(connection, running.popleft())
            for statement in islice(waiting, 1):
                running.append(_started(connection, statement))
    finally:
        for operation in running:
            _close(connection, operation)


def _started(connection: Any, statement: str) -> Any:
    from TCLIService import ttypes

    request = ttypes.TExecuteStatementReq(connection.sessionHandle, statement, runAsync=True)
    response = connection.client.ExecuteStatement(request)
    _check(response.status)
    return response.operationHandle


def _finish(connection: Any, operation: Any) -> None:
    """Wait; the server answers when it is done, or after some seconds."""
    from pyhive import exc
    from TCLIService import ttypes

    state, pause = ttypes.TOperationState, 0.002
    while True:
        response = connection.client.GetOperationStatus(ttypes.TGetOperationStatusReq(operation))
        _check(response.status)
        if response.operationState == state.FINISHED_STATE:
            return
        if response.operationState not in (
            state.INITIALIZED_STATE,
            state.PENDING_STATE,
            state.RUNNING_STATE,
        ):
            late = response.operationState == state.TIMEDOUT_STATE
            raise exc.OperationalError("TIMEDOUT" if late else _words(response.errorMessage))
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _fetched(connection: Any, operation: Any) -> pa.Table:
    from TCLIService import ttypes

    client = connection.client
    described = client.GetResultSetMetadata(ttypes.TGetResultSetMetadataReq(operation))
    _check(described.status)
    names = ttypes.TTypeId._VALUES_TO_NAMES
    kinds = [
        names[column.typeDesc.types[0].primitiveEntry.type] for column in described.schema.columns
    ]
    request = ttypes.TFetchResultsReq(operation, ttypes.TFetchOrientation.FETCH_NEXT, _ROWS)
    chunks: list[list[pa.Array]] = []
    while True:
        response = client.FetchResults(request)
        _check(response.status)
        chunk = [_array(c, k) for c, k in zip(response.results.columns, kinds, strict=True)]
        chunks.append(chunk)
        if not len(chunk[0]):  # the server's word on whether there is more cannot be trusted
            columns = [pa.chunked_array(list(arrays)) for arrays in zip(*chunks, strict=True)]
            return pa.table(columns, names=[str(place) for place, _ in enumerate(kinds)])


def _array(column: Any, kind: str) -> pa.Array:
    """Return a column of an answer: its values, and a bit for each that is null."""
    held, part = next((p, name) for name, p in vars(column).items() if p is not None)
    null = np.zeros(len(held.values), np.bool_)
    bits = np.unpackbits(np.frombuffer(held.nulls, np.uint8), bitorder="little")[: len(null)]
    null[: len(bits)] = bits
    if part in _NUMBERS:
        return pa.array(np.array(held.values, _NUMBERS[part]), mask=null)
    words = pa.array(held.values, pa.binary() if part == "binaryVal" else pa.string())
    if null.any():
        words = pc.if_else(pa.array(null), pa.scalar(None, words.type), words)
    return words.cast(_TYPES.get(kind, words.type))


def _close(connection: Any, operation: Any) -> None:
    """Let the server forget a statement, and end it where it still runs."""
    from TCLIService import ttypes

    _check(connection.client.CloseOperation(ttypes.TCloseOperationReq(operation)).status)


def _check(status: Any) -> None:
    from pyhive import exc
    from TCLIService import ttypes

    if status.statusCode not in (
        ttypes.TStatusCode.SUCCESS_STATUS,
        ttypes.TStatusCode.SUCCESS_WITH_INFO_STATUS,
    ):
        raise exc.OperationalError(_words(status.errorMessage))
