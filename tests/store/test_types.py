"""One meaning of time and of text in both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from driftline.errors import StoreError
from driftline.store import Store, measurements
from driftline.store.types import LONGEST, Utc, label, storable
from tests.store.conftest import MONDAY, measured, read_back, record

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=ZONES)
TEXT = st.text(st.characters(codec=None), max_size=300) | st.text("\0\ud800\udc00é😀", max_size=200)


def kept(moment: datetime) -> str:
    text = Utc().process_bind_param(moment, sqlite.dialect())
    assert isinstance(text, str)
    return text


@given(st.lists(MOMENTS, min_size=2))
def test_text_in_sqlite_sorts_as_time_does(moments: list[datetime]) -> None:
    assert [kept(m) for m in sorted(moments)] == sorted(map(kept, moments))
    assert all(Utc().process_result_value(kept(m), sqlite.dialect()) == m for m in moments)


def test_sqlite_itself_reads_the_text(store: Store) -> None:
    if store._engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps instants, not text")
    with store.begin() as connection:
        record(connection, measured())
        read = connection.exec_driver_sql(
            "SELECT datetime(window_start), typeof(window_start) FROM measurements"
        ).one()
    assert read == ("2013-04-01 00:00:00", "text")


def test_a_moment_comes_back_in_utc_from_any_session(store: Store) -> None:
    abroad = MONDAY.end.astimezone(timezone(timedelta(hours=-5)))
    with store.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'Asia/Kathmandu'")
        record(connection, measured(), recorded_at=abroad)
        (row,) = measurements.history(connection, "flights")
    for name in ("window_start", "window_end", "as_of", "recorded_at"):
        assert row[name].tzinfo is UTC
    assert (row["recorded_at"], row["window_start"]) == (MONDAY.end, MONDAY.start)


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="has no time zone"), store.begin() as connection:
        record(connection, measured(), recorded_at=datetime(2013, 4, 1))
    with pytest.raises(StoreError, match="has no time zone"), store.read() as connection:
        measurements.history(connection, "flights", start=datetime(2013, 4, 1))


@given(TEXT, TEXT)
def test_a_label_is_short_storable_and_tells_texts_apart(one: str, other: str) -> None:
    short = label(one)
    assert len(short) <= LONGEST
    assert short.encode().decode() == short
    assert "\0" not in short
    assert label(short) == short
    assert (short == label(other)) == (one == other)
    if one == storable(one) and len(one) <= LONGEST:
        assert short == one


def test_hostile_text_is_kept_in_both_databases(store: Store) -> None:
    hostile = "'; DROP TABLE measurements; --\0\ud800 😀" + "😀" * 5000
    found = measured(
        column_name=hostile,
        segment=f"origin={hostile}",
        detail=hostile,
        model_version=hostile,
        value=None,
        reason=f"broken: {hostile}",
    )
    with store.begin() as connection:
        record(connection, found, measured(column_name=hostile + "!"))
        record(connection, found, measured(column_name=hostile + "!"))
        rows = measurements.history(connection, "flights")
        again = read_back(connection, found)
        selected = measurements.history(connection, "flights", segment=f"origin={hostile}")
    assert len(rows) == len(again) == 2
    assert len(selected) == 1
    assert selected[0]["reason"] == storable(found.reason)
    assert selected[0]["segment"].startswith("origin='; DROP TABLE measurements; --\ufffd\ufffd 😀")
