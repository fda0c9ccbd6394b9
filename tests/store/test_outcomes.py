"""Outcomes: hours as they were known, and the newest that was known at a moment."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.domain import DAY, HOUR
from driftline.profile.columns import Part
from driftline.profile.outcomes import ClassProfile, OutcomeBins, ScoreCounts, alike
from driftline.store import Store, outcomes
from tests.store.conftest import RUN

MONDAY = datetime(2013, 4, 1, tzinfo=UTC)
BINS = OutcomeBins(scores={"score": (0.25, 0.5)})
NONE = ClassProfile.empty(BINS, ("", "1"))
PARTS = (Part("1", ""), Part("2", ""), Part("1", "origin='; DROP TABLE outcomes"))


def one(rows: int, seed: int = 0) -> ClassProfile:
    rng = np.random.default_rng([rows, seed])
    joint = rng.integers(0, rows, (2, 3, 3))
    by_class = joint.sum(axis=2)
    return ClassProfile(
        bins=BINS,
        classes=("", "1"),
        rows=rows,
        labelled=int(joint.sum()),
        dropped={"the label is not a class": seed} if seed else {},
        confusion=by_class[:, :2],
        unpredicted=by_class[:, 2],
        unscored=rng.integers(0, rows, 2),
        moments=rng.normal(size=(2, 7)),
        scores={
            "score": ScoreCounts(
                joint=joint,
                sums=rng.random(3),
                said=rng.integers(0, rows, (3, 3)),
                said_sums=rng.random((3, 3)),
            )
        },
        found=("0", "1"),
    )


def save(store: Store, hour: datetime, as_of: datetime, rows: int) -> None:
    parts = {part: one(rows, n) for n, part in enumerate(PARTS)} if rows else {}
    with store.begin("flights") as connection:
        outcomes.save(connection, "flights", "march", {hour: parts}, as_of=as_of, **RUN)


def read(store: Store, start: datetime, end: datetime, as_of: datetime):
    with store.read() as connection:
        return outcomes.read(connection, NONE, "flights", "march", start, end, as_of)


def test_what_was_known_at_a_moment_is_read(store: Store):
    for as_of, rows in ((MONDAY + DAY, 5), (MONDAY + 3 * DAY, 9)):
        save(store, MONDAY, as_of, rows)
    save(store, MONDAY + HOUR, MONDAY + 2 * DAY, 0)
    for as_of, rows in ((1, 5), (2, 5), (3, 9), (30, 9)):
        found = read(store, MONDAY, MONDAY + DAY, MONDAY + as_of * DAY)
        assert {part: profile.rows for part, profile in found.items()} == dict.fromkeys(PARTS, rows)
        assert all(alike(found[part], one(rows, n)) for n, part in enumerate(PARTS))
    assert read(store, MONDAY, MONDAY + DAY, MONDAY) == {}
    with store.read() as connection:
        args = connection, "flights", "march", MONDAY, MONDAY + DAY
        assert outcomes.known(*args, MONDAY + 2 * DAY) == {
            MONDAY: MONDAY + DAY,
            MONDAY + HOUR: MONDAY + 2 * DAY,
        }
        assert outcomes.rows(*args) == {MONDAY: 18, MONDAY + HOUR: 0}
        hours = [MONDAY, MONDAY + 9 * HOUR]
        assert outcomes.references_of(connection, "flights", hours) == {"march": {MONDAY}}


def test_to_save_again_replaces_what_was_known_at_that_moment(store: Store):
    save(store, MONDAY, MONDAY + DAY, 5)
    save(store, MONDAY, MONDAY + DAY, 7)
    found = read(store, MONDAY, MONDAY + HOUR, MONDAY + DAY)
    assert {profile.rows for profile in found.values()} == {7}


def test_a_reference_is_frozen(store: Store):
    for rows in (4, 8):
        days = {MONDAY + n * DAY: {Part("", ""): one(rows + n)} for n in range(3)}
        with store.begin("flights") as connection:
            outcomes.save_reference(connection, "flights", "march", days, **RUN)
    with store.read() as connection:
        found = outcomes.read_reference(connection, NONE, "flights", "march")
    assert [parts[Part("", "")].rows for parts in found.values()] == [4, 5, 6]
    assert list(found) == [MONDAY + n * DAY for n in range(3)]


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), st.randoms())
def test_profiles_add_up_in_any_order(rows, random):
    parts = [one(each, n) for n, each in enumerate(rows)]
    whole = NONE.total(parts)
    random.shuffle(parts)
    cut = random.randint(0, len(parts))
    halves = [NONE.total(parts[:cut]), NONE.total(parts[cut:])]
    assert alike(NONE.total(halves), whole)
    assert whole.rows == sum(rows)
    assert whole.moments == pytest.approx(sum(part.moments for part in parts))
    for name in ("confusion", "unpredicted", "unscored", "by_label", "by_ranked_label"):
        added = sum(getattr(part, name) for part in parts)
        assert getattr(whole, name).tolist() == added.tolist(), name
