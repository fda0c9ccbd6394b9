"""Column types that mean the same in SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from driftline.domain import digest, utc

LONGEST = 120
"""Characters of a key column. PostgreSQL refuses an index entry of more than 2,704 bytes."""


class Utc(TypeDecorator[datetime]):
    """An instant: aware going in, aware and in UTC coming out; a naive one is a ValueError.

    SQLite keeps text such as `2013-04-01 00:00:00+00:00`, which its date functions read and which
    sorts as time does: `+` comes before the `.` of a fraction.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use the database's own instants where it has them."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn an aware moment into what the database keeps."""
        if value is None:
            return None
        moment = utc(value)
        return moment if dialect.name == "postgresql" else moment.isoformat(" ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what the database keeps into an aware moment in UTC."""
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text out of anybody's data: what no database holds (NUL, half a surrogate) becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace the characters that cannot be stored."""
        return None if value is None else storable(value)


class Label(TypeDecorator[str]):
    """Text that is part of a key: a value that is too long or cannot be stored as it is gets
    shortened, and ends in the digest of the whole, so that two of them stay two.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the value itself or, where that cannot be, its short form."""
        return None if value is None else label(value)


def storable(text: str) -> str:
    """Return text with U+FFFD for the characters that PostgreSQL or UTF-8 has no room for."""
    return (
        text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def label(text: str) -> str:
    """Return the form under which a key column holds this text; it is its own form.

    >>> label("origin=JFK")
    'origin=JFK'
    >>> len(label("x" * 10_000))
    120
    """
    kept = storable(text)
    if kept == text and len(kept) <= LONGEST:
        return kept
    mark = "\u2026" + digest([ord(character) for character in text])
    return kept[: LONGEST - len(mark)] + mark
