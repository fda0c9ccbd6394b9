"""A Meeting: the form in which the ids of two tables are compared.

Equal types are compared as they are. Numbers and text meet as text: 5, 5.0 and '5' are one id,
'007' and 7 are two. A UUID meets text whatever its case and dashes. A double tells whole numbers
apart below 2^53 only: what lies beyond finds no label, for it could find another's.
"""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column, select
from sqlalchemy import types as sql

from driftline.errors import LogError
from driftline.warehouse.dialects.base import Dialect, Family
from driftline.warehouse.reader import Reader
from driftline.warehouse.source import Field, Source

SAMPLE = 1000
_DECIMAL = re.compile(r"decimal|numeric|number|fixed", re.IGNORECASE)
_BYTES = re.compile(r"blob|bytea|bytes|binary|varbyte", re.IGNORECASE)
_SINGLE = {
    "postgresql": r"real",
    "redshift": r"real|float4",
    "duckdb": r"float",
    "clickhouse": r".*float32.*",
    "spark": r"float",
    "databricks": r"float",
    "trino": r"real",
}
"""What a number of 32 bits is called, where it is not stored in 64."""
_READS_BYTES = ("duckdb", "sqlite")
_JOINS_ONE_TYPE = ("clickhouse",)
"""Who joins no Int64 with a UInt64 or a double: no type holds both."""
_WHOLE = "^-?[0-9]+[.]0+$"
"""A whole number that was written as a fraction."""


def meeting(own: Field, other: Field, dialect: Dialect) -> ColumnElement[Any]:
    """Return an id in the form in which it is compared with one of another table.

    Raises LogError where no form is safe.
    """
    if own.in_json or other.in_json or not _alike(own, other, dialect):
        return _as_text(own, other, dialect)
    return own.value if _is_exact(own) else _bounded(own.value, own, dialect)


def tell_apart(reader: Reader, source: Source, fields: Iterable[Field], key: str) -> None:
    """Raise LogError where most ids of a column of doubles are too large to be told apart."""
    for field in fields:
        if _is_exact(field):
            continue
        limit = _limit(field, source.dialect)
        there = select(field.value).select_from(source.relation).where(field.value.is_not(None))
        sample = [abs(float(row[0])) for row in reader.all(there.limit(SAMPLE))]
        if 2 * sum(size >= limit for size in sample) > len(sample):
            raise LogError(
                f"{key}: {field.name} of {source.name} is {field.type}, which does not tell whole "
                f"numbers beyond {limit:,} apart, and most of its ids are: predictions would get "
                "each other's labels. Keep the ids as BIGINT or text in both tables"
            )


def _alike(own: Field, other: Field, dialect: Dialect) -> bool:
    """Whether the database compares values of the two columns as they are."""
    if own.family.is_number and other.family.is_number:
        return _name(dialect) not in _JOINS_ONE_TYPE or _bare(own) == _bare(other)
    plain = own.family not in (Family.TEXT, Family.OTHER)
    return own.family is other.family and (plain or own.type == other.type)


def _as_text(own: Field, other: Field, dialect: Dialect) -> ColumnElement[Any]:
    """Return an id as text that its counterpart of another type can be compared with."""
    if bool(_BYTES.search(own.type)) != bool(_BYTES.search(other.type)):
        _refuse_bytes(own, other, dialect)
    words = dialect.string(own.value, own.family)
    if _is_uuid(own) or _is_uuid(other):
        return func.lower(func.replace(words, "-", ""))
    if not _is_exact(own):
        return _whole(own, dialect)
    numbers = own.family.is_number or other.family.is_number or (own.in_json or other.in_json)
    return _stripped(words, dialect) if numbers and own.family is not Family.INTEGER else words


def _refuse_bytes(own: Field, other: Field, dialect: Dialect) -> None:
    if _name(dialect) not in _READS_BYTES:
        raise LogError(
            f"ids of two types: {own.name} is {own.type} and {other.name} is {other.type}; bytes "
            "are compared with bytes only. Write a query: that decodes them to text"
        )


def _whole(field: Field, dialect: Dialect) -> ColumnElement[Any]:
    """Return the text of a double that is a whole number; else NULL."""
    number = _bounded(dialect.number(field.value, field.family), field, dialect)
    floor = func.floor(number)
    return case((floor == number, dialect.string(dialect.integer(floor), Family.INTEGER)))


def _stripped(words: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any]:
    """Return 5.0 as 5, and all other text as it is."""
    bare = func.rtrim(func.rtrim(words, "0"), ".")
    return case((dialect.matches(words, _WHOLE), bare), else_=words)


def _bounded(value: ColumnElement[Any], field: Field, dialect: Dialect) -> ColumnElement[Any]:
    """Return a double that is told from its neighbours; else NULL."""
    return case((func.abs(value) < _exactly(_limit(field, dialect), dialect), value))


def _is_exact(field: Field) -> bool:
    """Whether equal values of a column are the same id: all but doubles are."""
    return field.family is not Family.FLOAT or bool(_DECIMAL.search(field.type))


def _is_uuid(field: Field) -> bool:
    return "uuid" in field.type.lower() and field.family is Family.OTHER


def _limit(field: Field, dialect: Dialect) -> int:
    """Return below which size a column of doubles tells whole numbers apart."""
    single = _SINGLE.get(_name(dialect))
    return 2 ** (24 if single and re.fullmatch(single, field.type, re.IGNORECASE) else 53)


def _exactly(number: int, dialect: Dialect) -> ColumnElement[float]:
    return literal_column(dialect.exact(float(number)), sql.Double())


def _bare(field: Field) -> str:
    """Return ClickHouse's name of a column's type, whether its values may be NULL or not."""
    return re.sub(r"Nullable|LowCardinality|[()]", "", field.type)


def _name(dialect: Dialect) -> str:
    return getattr(dialect, "__name__", "").rpartition(".")[2]
