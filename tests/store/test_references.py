"""References: frozen, and in force from a moment on."""

from datetime import UTC, datetime, timedelta

import pytest

from driftline.domain import ColumnKind, ColumnStatistics, WindowStatistics
from driftline.profile.columns import CategoryBins, NumericBins
from driftline.profile.reference import Reference
from driftline.store import Store, references
from tests.store.conftest import contents

MARCH = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def reference(name: str, valid_from: datetime, rows: int = 3) -> Reference:
    return Reference(
        id=name,
        monitor="flights",
        valid_from=valid_from,
        start=valid_from,
        end=valid_from + 30 * DAY,
        statistics=WindowStatistics(
            rows=rows,
            columns={
                "temp": ColumnStatistics(
                    kind=ColumnKind.NUMERIC, nulls=1, minimum=0.1, maximum=1 / 3
                ),
                '\'; DROP TABLE "references"; --\0': ColumnStatistics(
                    kind=ColumnKind.CATEGORICAL, nulls=0, categories={"JFK\0\ud800": 2, "": 1}
                ),
                "postcode": ColumnStatistics(kind=ColumnKind.CATEGORICAL, nulls=0),
                "comment": ColumnStatistics(kind=ColumnKind.TEXT, nulls=0, minimum=0, maximum=9),
            },
        ),
        daily_rows=(1, 0, 2),
        performance={("log_loss", ""): 0.484, ("recall", "delayed"): 1 / 3},
        operations={"latency_p95": 12.5, "conversion": 1 / 7},
        bins={
            "temp": NumericBins(edges=(0.1, 1 / 3), shift=0.2),
            "comment": NumericBins(edges=(1.0,), shift=4.5, kind=ColumnKind.TEXT),
            "postcode": CategoryBins(categories=("a",)),
            "carrier": CategoryBins(categories=("AA", "\ud800"), folded=("aa", "uk")),
        },
        spreads={("7d", "roc_auc", "cat"): (0.9, 1 / 64)},
        units={"predictions.timestamp": 6},
        segments={"origin": ("JFK", "LGA")},
        model_version="v2",
        rows_sha256="5a",
    )


def save(store: Store, *saved: Reference, config_hash: str = "config-1") -> None:
    with store.begin() as connection:
        for one in saved:
            references.save(connection, one, config_hash)


def test_a_reference_comes_back_as_it_was(store: Store) -> None:
    one = reference("march", MARCH)
    save(store, one)
    with store.read() as connection:
        assert references.by_id(connection, "flights", "march") == one
        assert references.by_id(connection, "flights", "april") is None
        assert references.by_id(connection, "ferries", "march") is None


def test_a_reference_from_a_table_has_no_window(store: Store) -> None:
    one = Reference(
        id="table",
        monitor="flights",
        valid_from=MARCH,
        start=None,
        end=None,
        statistics=WindowStatistics(rows=0, columns={}),
    )
    save(store, one)
    with store.read() as connection:
        assert references.by_id(connection, "flights", "table") == one


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (MARCH - 100 * DAY, "first"),
        (MARCH, "first"),
        (MARCH + 9 * DAY, "first"),
        (MARCH + 10 * DAY, "second"),
        (MARCH + 99 * DAY, "third"),
    ],
)
def test_the_newest_that_was_valid_by_then_is_in_force(
    store: Store, at: datetime, expected: str
) -> None:
    save(store, reference("third", MARCH + 20 * DAY), reference("first", MARCH))
    save(store, reference("second", MARCH + 10 * DAY))
    save(store, reference("stranger", MARCH + 30 * DAY), config_hash="config-2")
    with store.read() as connection:
        found = references.in_force(connection, "flights", "config-1", at)
        assert references.in_force(connection, "flights", "config-3", at) is None
    assert found is not None
    assert found.id == expected


def test_what_is_saved_is_frozen(store: Store) -> None:
    save(store, reference("march", MARCH))
    before = contents(store, "references")
    save(store, reference("march", MARCH + DAY, rows=99))
    assert contents(store, "references") == before
