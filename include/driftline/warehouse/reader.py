"""One connection to a warehouse: statements are literal SQL, for every driver alike."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from functools import wraps
from inspect import signature
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

import pyarrow as pa
from sqlalchemy import URL, ColumnElement, Connection, Executable, FromClause, Row, Select, event

from driftline.warehouse.caller import Caller, sign
from driftline.warehouse.dialects.base import Column, Dialect, backend, dialect_of
from driftline.warehouse.dialects.cost import Cost
from driftline.warehouse.failures import mapped

Said = ParamSpec("Said")
Answer = TypeVar("Answer")


class Output(NamedTuple):
    """A column of a result: its name, what is selected, the Arrow type that it gets."""

    name: str
    value: ColumnElement[Any]
    type: pa.DataType


class Reader:
    """Reads a warehouse; raises MissingTable, MissingColumn and WarehouseError."""

    def __init__(self, url: URL, caller: Caller) -> None:
        self.url = url
        self.caller = caller
        self.dialect: Dialect = dialect_of(url)
        with mapped(self.dialect, url, caller):
            self._engine = self.dialect.engine(url, caller)
        self._attached: dict[str, Any] = {}
        self.files: list[str] = []
        """The files that are read in place, as the monitor's file has them."""
        sign(self._engine, lambda: self.caller)

    @contextmanager
    def asking(self, purpose: str, start: datetime | None, end: datetime | None) -> Iterator[None]:
        """Have the statements of the block say what they are for."""
        before = self.caller
        self.caller = before.of(purpose, start, end)
        try:
            yield
        finally:
            self.caller = before

    def look_in(self, folder: Path) -> None:
        """Have DuckDB take the paths that a query names from this folder on, before it connects.

        A file that the working directory has under the very path comes first; patterns match in the
        folder only. The setting is a list: a folder with a comma in its name cannot be looked in.
        """
        if backend(self.url) == "duckdb" and "," not in str(folder):
            where = str(folder.absolute()).replace("'", "''")
            said = f"SET file_search_path = '{where}'"
            event.listen(self._engine, "connect", lambda native, _: native.execute(said))

    def attach(self, name: str, file_system: Callable[[URL], Any]) -> Any:
        """Have DuckDB read what such addresses begin with through a file system of Python's, and
        return that.
        """
        with self._connected() as connection:
            native: Any = connection.connection.driver_connection
            if name not in native.list_filesystems():
                self._attached[name] = file_system(self.url)
                native.register_filesystem(self._attached[name])
        return self._attached[name]

    def literal(self, statement: Executable | Select[Any], *, shown: bool = False) -> str:
        """Return the statement with its values written out and quoted by SQLAlchemy.

        Where it is `shown`, the key of hidden values is `:key`.
        """
        compiled = statement.compile(  # type: ignore[union-attr]
            dialect=self._engine.dialect, compile_kwargs={"literal_binds": True, "shown": shown}
        )
        return str(compiled)

    def all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Return the few rows of an aggregate."""
        literal = self.literal(statement)
        with self._connected() as connection:
            return connection.exec_driver_sql(literal).fetchall()

    def one(self, statement: Select[Any]) -> Row[Any]:
        """Return the only row of an aggregate."""
        (row,) = self.all(statement)
        return row

    def columns(self, relation: FromClause) -> dict[str, Column]:
        """Describe the columns of a relation."""
        with self._connected() as connection:
            return self.dialect.columns(connection, relation)

    def cost(self, literal: str) -> Cost | None:
        """Return what a literal statement would read, as far as the database tells."""
        with self._connected() as connection:
            return self.dialect.cost(connection, literal)

    def table(self, statement: Select[Any], outputs: Sequence[Output]) -> pa.Table:
        """Return a statement's rows as Arrow, under the names and types of the outputs."""
        (found,) = self.tables([(statement, outputs)])
        return found

    def tables(self, asked: Sequence[tuple[Select[Any], Sequence[Output]]]) -> Iterator[pa.Table]:
        """Yield the rows of each statement; all see the same rows of the warehouse."""
        literals = [self.caller.signed(self.literal(statement)) for statement, _ in asked]
        with self._mapped():
            tables = self.dialect.arrow(self._engine, literals)
            for found, (_, outputs) in zip(tables, asked, strict=True):
                arrays = [
                    _typed(column, output.type)
                    for column, output in zip(found.columns, outputs, strict=True)
                ]
                yield pa.table(arrays, schema=pa.schema([(o.name, o.type) for o in outputs]))

    def batches(
        self, statement: Select[Any], outputs: Sequence[Output]
    ) -> Generator[pa.RecordBatch, None, None]:
        """Yield a statement's rows in batches, under the names and types of the outputs."""
        literal = self.caller.signed(self.literal(statement))
        with (
            self._mapped(),
            closing(self.dialect.batches(self._engine, literal)) as batches,
        ):
            for batch in batches:
                arrays = [
                    _typed(column, output.type)
                    for column, output in zip(batch.columns, outputs, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, [output.name for output in outputs])

    def _mapped(self) -> AbstractContextManager[None]:
        return mapped(self.dialect, self.url, self.caller, self.files)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yield a connection for literal statements."""
        with (
            self._mapped(),
            self._engine.connect() as connection,
        ):
            yield connection.execution_options(no_parameters=True)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def asks(method: Callable[Said, Answer]) -> Callable[Said, Answer]:
    """Have the statements of a method say its name, and the stretch that it is about.

    They are asked of the object's `_reader`.
    """
    known = signature(method)

    @wraps(method)
    def asked(*args: Said.args, **kwargs: Said.kwargs) -> Answer:
        said = known.bind(*args, **kwargs).arguments
        asking = said["self"]._reader.asking
        with asking(method.__name__, said.get("start"), said.get("end")):
            return method(*args, **kwargs)

    return asked


def _typed(column: Any, kind: pa.DataType) -> Any:
    """Return a column in the type of its output; bare seconds are the times of ClickHouse."""
    if not pa.types.is_timestamp(kind):
        return column.cast(kind)
    if pa.types.is_integer(column.type):
        column = column.cast(pa.int64()).cast(pa.timestamp("s"))
    return column.cast(kind, safe=False)
