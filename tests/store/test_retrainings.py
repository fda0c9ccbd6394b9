"""Retrainings: written again as they go on, found by their moment."""

from dataclasses import replace
from datetime import timedelta

from driftline.domain import Evidence, Retraining, RetrainingState
from driftline.store import Store, retrainings
from tests.store.conftest import MONDAY, RUN, contents

DAY = timedelta(days=1)
REFUSED = Retraining(
    monitor="flights",
    as_of=MONDAY.end,
    state=RetrainingState.REFUSED,
    reason="it drifts",
    evidence=(
        Evidence(rule="é", subject="psi", value=0.3, window="1d", reason="above", incident="i"),
    ),
    decision="not surely better",
    champion="v1",
    challenger="v2",
    metric="f1",
    champion_value=0.7,
    challenger_value=0.71,
    gain=0.01,
    lower=-0.1,
    upper=0.1,
    rows=1000,
    train_start=MONDAY.start - 60 * DAY,
    holdout_start=MONDAY.start - 14 * DAY,
)


def test_they_come_back_as_they_were_the_newest_first(store: Store) -> None:
    later = replace(REFUSED, as_of=MONDAY.end + DAY, rows=None, evidence=())
    with store.begin() as connection:
        retrainings.save(connection, replace(REFUSED, state=RetrainingState.TRAINED), **RUN)
        for one in (REFUSED, later, replace(REFUSED, monitor="ferries", champion="v9")):
            retrainings.save(connection, one, **RUN)
    with store.read() as connection:
        assert retrainings.get(connection, "flights", MONDAY.end) == REFUSED
        assert retrainings.get(connection, "flights", MONDAY.start) is None
        assert retrainings.history(connection, "flights") == [later, REFUSED]
        assert retrainings.history(connection, "flights", before=later.as_of) == [REFUSED]
    assert any("\u00e9" in str(row) for row in contents(store, "retrainings"))
    assert {row[-2] for row in contents(store, "retrainings")} == {"run-1"}


def test_promotions_are_those_of_the_monitor_in_order(store: Store) -> None:
    promoted = [
        replace(REFUSED, as_of=MONDAY.end + days * DAY, state=RetrainingState.PROMOTED)
        for days in (3, 1)
    ]
    with store.begin() as connection:
        for one in (*promoted, REFUSED, replace(promoted[0], monitor="ferries", as_of=MONDAY.end)):
            retrainings.save(connection, one, **RUN)
    with store.read() as connection:
        assert retrainings.promotions(connection, "flights") == [
            *(MONDAY.end + days * DAY for days in (1, 3))
        ]
        assert retrainings.promotions(connection, "trains") == []
