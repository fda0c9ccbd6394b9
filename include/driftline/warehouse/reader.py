"""One connection to a warehouse: statements are literal SQL, for every driver alike."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
from sqlalchemy import URL, ColumnElement, Executable, FromClause, Row, Select

from driftline.warehouse.dialect import Column, Dialect, dialect_of
from driftline.warehouse.failures import mapped


class Output(NamedTuple):
    """A column of a result: its name, what is selected, the Arrow type that it gets."""

    name: str
    value: ColumnElement[Any]
    type: pa.DataType


class Reader:
    """Reads a warehouse; raises MissingTable, MissingColumn and WarehouseError."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.dialect: Dialect = dialect_of(url)
        with mapped(self.dialect, url):
            self._engine = self.dialect.engine(url)

    def literal(self, statement: Executable | Select[Any]) -> str:
        """Return the statement with its values written out and quoted by SQLAlchemy."""
        compiled = statement.compile(  # type: ignore[union-attr]
            dialect=self._engine.dialect, compile_kwargs={"literal_binds": True}
        )
        return str(compiled)

    def all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Return the few rows of an aggregate."""
        literal = self.literal(statement)
        with mapped(self.dialect, self.url), self._engine.connect() as connection:
            quiet = connection.execution_options(no_parameters=True)
            return quiet.exec_driver_sql(literal).fetchall()

    def one(self, statement: Select[Any]) -> Row[Any]:
        """Return the only row of an aggregate."""
        (row,) = self.all(statement)
        return row

    def columns(self, relation: FromClause) -> dict[str, Column]:
        """Describe the columns of a relation."""
        with mapped(self.dialect, self.url), self._engine.connect() as connection:
            quiet = connection.execution_options(no_parameters=True)
            return self.dialect.columns(quiet, relation)

    def table(self, statement: Select[Any], outputs: Sequence[Output]) -> pa.Table:
        """Return a statement's rows as Arrow, under the names and types of the outputs."""
        (found,) = self.tables([(statement, outputs)])
        return found

    def tables(self, asked: Sequence[tuple[Select[Any], Sequence[Output]]]) -> Iterator[pa.Table]:
        """Yield the rows of each statement; all see the same rows of the warehouse."""
        literals = [self.literal(statement) for statement, _ in asked]
        with mapped(self.dialect, self.url):
            tables = self.dialect.arrow(self._engine, literals)
            for found, (_, outputs) in zip(tables, asked, strict=True):
                arrays = [
                    column.cast(output.type, safe=not pa.types.is_timestamp(output.type))
                    for column, output in zip(found.columns, outputs, strict=True)
                ]
                yield pa.table(arrays, schema=pa.schema([(o.name, o.type) for o in outputs]))

    def batches(
        self, statement: Select[Any], outputs: Sequence[Output]
    ) -> Generator[pa.RecordBatch, None, None]:
        """Yield a statement's rows in batches, under the names and types of the outputs."""
        literal = self.literal(statement)
        with (
            mapped(self.dialect, self.url),
            closing(self.dialect.batches(self._engine, literal)) as batches,
        ):
            for batch in batches:
                arrays = [
                    column.cast(output.type, safe=not pa.types.is_timestamp(output.type))
                    for column, output in zip(batch.columns, outputs, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, [output.name for output in outputs])

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
