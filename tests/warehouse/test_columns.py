"""Texts by their length and timestamps by their age, the same from every warehouse."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import DAY, HOUR, ColumnKind
from driftline.errors import MissingColumn
from driftline.profile.bins import bins_of
from driftline.profile.columns import Layout, NumericBins
from driftline.profile.rows import RAW, TIMESTAMP
from driftline.warehouse import Logs, open_logs, open_reference
from tests.warehouse.test_profiles import both, numbers
from tests.warehouses import Warehouse, documents

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
TEXT, TIMESTAMPED = ColumnKind.TEXT, ColumnKind.TIMESTAMP
START = datetime(2013, 4, 1, tzinfo=UTC)
END = START + DAY
ROWS = 120
MOMENTS = [START + timedelta(minutes=10) * place for place in range(ROWS)]
AGES = [(place - 20) * 3600.5 for place in range(ROWS)]
"""Seconds before each prediction; of the first twenty, after it."""
BOOKED = [m - timedelta(seconds=age) for m, age in zip(MOMENTS, AGES, strict=True)]
NEW_YORK = ZoneInfo("America/New_York")
TEXTS = ["", "a", "Grün 🛫", "it's %s :x", 'two\nlines "said"', "x" * 5000, None]


def log(**columns: Any) -> pa.Table:
    base = {
        "id": [f"r{place:03d}" for place in range(ROWS)],
        "ts": pa.array(MOMENTS, pa.timestamp("us", "UTC")),
        "score": np.arange(ROWS) / ROWS,
    }
    return pa.table({**base, **columns})


def cycle(values: list, size: int = ROWS) -> list:
    return [values[place % len(values)] for place in range(size)]


def read(logs: Logs, name: str, kind: ColumnKind) -> list:
    """Return what stands for the values of a column, in the order of the predictions."""
    return logs.rows(None, None, {name: kind}).table.sort_by(TIMESTAMP)[name].to_pylist()


def naive(moments: list[datetime], zone: ZoneInfo | None = None) -> pa.Array:
    walls = [moment.astimezone(zone or UTC).replace(tzinfo=None) for moment in moments]
    return pa.array(walls, pa.timestamp("us"))


def aware(warehouse: Warehouse, moments: list[datetime]) -> pa.Array:
    """Return instants, as text where there is no type for them."""
    if warehouse.kind == "sqlite":
        return pa.array([moment.isoformat().replace("+00:00", "Z") for moment in moments])
    return pa.array(moments, pa.timestamp("us", "UTC"))


def iso(moments: list[datetime], zone: ZoneInfo | None = None) -> pa.Array:
    return pa.array([moment.astimezone(zone or UTC).isoformat() for moment in moments])


# Texts


def test_a_text_is_its_length(warehouse: Warehouse):
    texts = cycle(TEXTS)
    rows = log(
        comment=texts,
        inputs=documents({"comment": text} for text in texts),
        size=cycle([1, 22, None]),
    )
    warehouse.load("predictions", rows, json=["inputs"])
    monitor = warehouse.monitor(features={"text": ["comment", "inputs.comment", "size"]})
    lengths = [None if text is None else len(text) for text in texts]
    with open_logs(monitor) as logs:
        assert logs.features(START, END) == dict.fromkeys(
            ("comment", "inputs.comment", "size"), TEXT
        )
        assert logs.check() == []
        assert read(logs, "comment", TEXT) == read(logs, "inputs.comment", TEXT) == lengths
        assert read(logs, "size", TEXT) == cycle([1.0, 2.0, None])
        statistics = logs.statistics(START, END, {"comment": TEXT})
        assert "comment" in logs.sql(START, END, {"comment": TEXT})
    column = statistics.columns["comment"]
    assert (column.kind, column.nulls) == (TEXT, texts.count(None))
    assert (column.minimum, column.maximum, column.categories) == (0, 5000, None)


def test_of_a_sensitive_text_only_the_length_is_known(warehouse: Warehouse):
    warehouse.load("predictions", log(comment=cycle(TEXTS), born=naive(BOOKED)))
    lists = {"text": ["comment"], "timestamp": ["born"], "sensitive": ["comment", "born"]}
    with open_logs(warehouse.monitor(features=lists)) as logs:
        columns = logs.features(START, END)
        assert columns == {"comment": TEXT, "born": CATEGORICAL}
        table = logs.rows(START, END, columns).table
        statistics = logs.statistics(START, END, columns).columns
    assert table["comment"].type == pa.float64()
    assert {len(value) for value in table["born"].to_pylist()} == {12}  # a hash
    assert (statistics["comment"].minimum, statistics["comment"].maximum) == (None, None)
    assert statistics["comment"].nulls == cycle(TEXTS).count(None)


# Timestamps

WHENS = {
    "aware": lambda: None,
    "naive": lambda: naive(MOMENTS, NEW_YORK),
    "text with a space": lambda: pa.array([str(w) for w in naive(MOMENTS, NEW_YORK).to_pylist()]),
    "text with a Z": lambda: pa.array([f"{m:%Y-%m-%dT%H:%M:%SZ}" for m in MOMENTS]),
    "text of mixed forms": lambda: pa.array(
        [m.isoformat() if n % 2 else f"{m:%Y-%m-%d %H:%M:%SZ}" for n, m in enumerate(MOMENTS)]
    ),
    "milliseconds": lambda: pa.array([round(m.timestamp() * 1000) for m in MOMENTS]),
    "float seconds": lambda: pa.array([m.timestamp() for m in MOMENTS]),
}
COLUMNS = {
    "aware": lambda: None,
    "naive": lambda: naive(BOOKED, NEW_YORK),
    "text": lambda: iso(BOOKED, NEW_YORK),
    "wall text": lambda: pa.array([str(wall) for wall in naive(BOOKED, NEW_YORK).to_pylist()]),
    "seconds": lambda: pa.array([moment.timestamp() for moment in BOOKED]),
    "microseconds": lambda: pa.array([round(m.timestamp() * 1e6) for m in BOOKED]),
    "in a document": lambda: documents(
        {"at": m.timestamp() if n % 2 else m.isoformat()} for n, m in enumerate(BOOKED)
    ),
}


@pytest.mark.parametrize("when", WHENS)
def test_a_timestamp_is_its_age(warehouse: Warehouse, when: str):
    """Whatever form the log's own time has, and whatever form the column."""
    columns = {name: made() for name, made in COLUMNS.items()}
    if warehouse.kind == "sqlite":  # seconds are all that the loader writes of times
        columns["naive"] = columns["wall text"]
    columns["aware"] = aware(warehouse, BOOKED)
    times = aware(warehouse, MOMENTS) if when == "aware" else WHENS[when]()
    rows = log(**columns).set_column(1, "ts", times)
    warehouse.load("predictions", rows, json=["in a document"])
    names = [*list(COLUMNS)[:-1], "in a document.at"]
    monitor = warehouse.monitor(
        predictions={"timezone": "America/New_York"}, features={"timestamp": names}
    )
    with open_logs(monitor) as logs:
        assert [kind for name, kind in logs.features(None, None).items() if name in names] == (
            [TIMESTAMPED] * len(names)
        )
        for name in names:
            # A double holds the seconds since 1970 to a quarter of a microsecond.
            assert read(logs, name, TIMESTAMPED) == pytest.approx(AGES, abs=1e-6), name


def test_a_date_has_an_age_too(warehouse: Warehouse):
    days = [None, date(2013, 3, 31), date(2013, 4, 1), date(2013, 4, 2)]
    warehouse.load("predictions", log(due=pa.array(cycle(days), pa.date32())))
    midnights = [day and datetime(day.year, day.month, day.day, tzinfo=UTC) for day in cycle(days)]
    ages = [m and (now - m).total_seconds() for m, now in zip(midnights, MOMENTS, strict=True)]
    listed = {"timestamp": ["due"]} if warehouse.kind == "sqlite" else {}
    with open_logs(warehouse.monitor(features=listed)) as logs:
        assert logs.features(START, END) == {"due": TIMESTAMPED}
        assert read(logs, "due", TIMESTAMPED) == ages
        statistics = logs.statistics(START, END, {"due": TIMESTAMPED}).columns["due"]
        assert (statistics.nulls, statistics.minimum) == (ROWS // 4, min(a for a in ages if a))


def test_what_is_no_time_and_what_never_ends_is_null(warehouse: Warehouse):
    words = cycle(["soon", "", None, "2013-03-31T00:00:00Z"])
    ends = pa.array(cycle(["infinity", "-infinity", None, "2013-03-31 00:00:00"]))
    kind = "TIMESTAMP" if warehouse.kind != "sqlite" else "TEXT"
    rows = log(words=words)
    if warehouse.kind not in ("parquet", "s3", "spark"):  # whose times are no more than numbers
        rows = rows.append_column("ends", ends)
    warehouse.load("predictions", rows, types={"ends": kind} if "ends" in rows.schema.names else {})
    columns = [name for name in rows.schema.names if name in ("words", "ends")]
    with open_logs(warehouse.monitor(features={"timestamp": columns})) as logs:
        for name in columns:
            found = read(logs, name, TIMESTAMPED)
            assert [age is None for age in found] == cycle([True, True, True, False])
            assert found[3] == (MOMENTS[3] - START + DAY) / timedelta(seconds=1)


@pytest.mark.parametrize("when", ["wall", "instant"])
def test_where_the_clocks_are_changed_two_wall_times_are_subtracted(
    warehouse: Warehouse, when: str
):
    changed = datetime(2013, 11, 3, 6, tzinfo=UTC)  # the second pass of 1 o'clock begins
    moments = [changed + HOUR * place for place in (-6, -1, 0, 2, 12)]
    booked = naive([moment - 10 * HOUR for moment in moments], NEW_YORK)
    rows = {"id": range(5), "score": [0.5] * 5, "booked": booked, "wall": naive(moments, NEW_YORK)}
    warehouse.load("predictions", pa.table({**rows, "instant": aware(warehouse, moments)}))
    ages = {"wall": [10, 10, 9, 9, 10], "instant": [10] * 5}
    if warehouse.kind == "sqlite":
        # Its wall times are text, and so read as instants: of 1 o'clock only the second pass.
        ages["wall"] = [10, 11, 10, 10, 10]
    monitor = warehouse.monitor(
        predictions={"timestamp": when, "timezone": "America/New_York"},
        features={"timestamp": ["booked"]},
    )
    with open_logs(monitor) as logs:
        table = logs.rows(None, None, {"booked": TIMESTAMPED}).table
    found = sorted(age / 3600 for age in table["booked"].to_pylist())
    assert found == sorted(ages[when])


# Both, counted and trained on


def test_profiles_of_both_are_those_of_their_numbers(warehouse: Warehouse):
    rng = np.random.default_rng(5)
    words = [" ".join(["word"] * int(n)) if n else None for n in rng.integers(0, 40, ROWS)]
    rows = log(comment=words, booked=aware(warehouse, BOOKED))
    warehouse.load("predictions", rows)
    kinds = {"comment": TEXT, "booked": TIMESTAMPED}
    lists = {"text": ["comment"], "timestamp": ["booked"]}
    hours = [START + HOUR * place for place in range(24)]
    with open_logs(warehouse.monitor(features=lists)) as logs:
        table = logs.rows(START, END, kinds).table
        layout = Layout(bins_of(table, kinds))
        assert {name: bins.kind for name, bins in layout.bins.items()} == kinds
        assert all(isinstance(bins, NumericBins) for bins in layout.bins.values())
        (whole,) = both(logs, layout, START, END).values()
        parts = both(logs, layout, START, END, hours=hours)
    summed = layout.total(parts.values())
    assert np.array_equal(summed.counts, whole.counts)
    lengths = [len(text) for text in rows["comment"].to_pylist() if text is not None]
    assert numbers(whole, "comment").mean == pytest.approx(np.mean(lengths))
    assert numbers(whole, "comment").nulls == ROWS - len(lengths)
    assert numbers(whole, "booked").minimum == pytest.approx(min(AGES), abs=1e-6)


def test_models_are_trained_on_what_was_logged(warehouse: Warehouse):
    texts = cycle(TEXTS)
    rows = log(
        comment=texts,
        aware=aware(warehouse, BOOKED),
        naive=naive(BOOKED),
        day=pa.array([moment.date() for moment in BOOKED], pa.date32()),
        words=iso(BOOKED),
        y=cycle([0, 1]),
    )
    warehouse.load("predictions", rows)
    kinds = {"comment": TEXT} | dict.fromkeys(("aware", "naive", "day", "words"), TIMESTAMPED)
    monitor = warehouse.monitor(
        features={"text": ["comment"], "timestamp": [*kinds][1:]}, labels={"label": "y"}
    )
    with open_logs(monitor) as logs:
        table = logs.rows(START, END, kinds, raw=True).table.sort_by(TIMESTAMP)
    assert table["comment"].type == table["aware"].type == pa.float64()
    assert table[RAW + "comment"].to_pylist() == texts
    assert table[RAW + "words"].to_pylist() == iso(BOOKED).to_pylist()
    if warehouse.kind != "sqlite":  # which has text for times
        assert table[RAW + "aware"].to_pylist() == BOOKED
        assert table[RAW + "naive"].to_pylist() == naive(BOOKED).to_pylist()
        assert table[RAW + "day"].to_pylist() == [moment.date() for moment in BOOKED]


def test_a_reference_without_times_has_no_ages(warehouse: Warehouse):
    warehouse.load("predictions", log(booked=pa.array(BOOKED, pa.timestamp("us", "UTC"))))
    warehouse.load("frozen", log(booked=pa.array(BOOKED, pa.timestamp("us", "UTC"))).drop(["ts"]))
    monitor = warehouse.monitor(reference=warehouse.source("frozen"))
    with open_reference(monitor) as logs:
        assert TIMESTAMPED not in logs.features(None, None).values()
        with pytest.raises(MissingColumn, match=r"predictions\.timestamp: no column 'ts'"):
            logs.rows(None, None, {"booked": TIMESTAMPED})


# What is inferred

SENTENCE = "the crew was kind and our seat had more room than last time but lunch came late"
WORDS = SENTENCE.split()


def prose(number: int = ROWS, fewest: int = 4) -> list[str]:
    rng = np.random.default_rng(9)
    return [" ".join(rng.choice(WORDS, int(rng.integers(fewest, 30)))) for _ in range(number)]


NO_PROSE = {
    "hashes": [f"{place:040x}" for place in range(ROWS)],
    "urls": [f"https://example.com/flights/{place}/seats" for place in range(ROWS)],
    "paths": [f"/var/log/{place} of today/some file.txt" for place in range(ROWS)],
    "names": [f"{WORDS[p % 15].title()} {WORDS[p % 13].title()}son" for p in range(ROWS)],
    "numbered": [f"the message that has the number {place:05d}" for place in range(ROWS)],
    "lists": [str(list(range(place, place + 9 + place % 20))) for place in range(ROWS)],
    "dates": [f"{moment:%a, %d %b %Y %H:%M:%S} GMT" for moment in MOMENTS],
    "iso": [moment.isoformat() for moment in MOMENTS],
    "short": [f"wrote {place} words" for place in range(ROWS)],
    "keys": [f"{place:032x} {place * 7:x} {place * 5:x} {place:x}" for place in range(ROWS)],
}


def test_prose_is_text_and_what_is_none_is_left_out(warehouse: Warehouse):
    rows = log(
        review=prose(),
        some=cycle([*prose(30), None, None, None]),
        ids_are_no_text_id=prose(),
        few=cycle(prose(5)),
        inputs=documents({"note": text, "key": f"{n:040x}"} for n, text in enumerate(prose())),
        **NO_PROSE,
    )
    warehouse.load("predictions", rows, json=["inputs"])
    with open_logs(warehouse.monitor()) as logs:
        found = logs.features(START, END)
    assert found == {"review": TEXT, "few": CATEGORICAL, "some": CATEGORICAL, "inputs.note": TEXT}


def test_times_are_timestamps_unless_they_have_a_role(warehouse: Warehouse):
    rows = log(
        booked=aware(warehouse, BOOKED),
        local=naive(BOOKED),
        day=pa.array([moment.date() for moment in BOOKED], pa.date32()),
        ds=pa.array([moment.date() for moment in MOMENTS], pa.date32()),
        seen=aware(warehouse, BOOKED),
        skipped=aware(warehouse, BOOKED),
        filed=pa.array([moment.date() for moment in BOOKED], pa.date32()),
        never=pa.array([None] * ROWS, pa.timestamp("us", "UTC")),
        always=pa.array([START] * ROWS, pa.timestamp("us", "UTC")),
        words=iso(BOOKED),
        y=cycle([0, 1]),
    )
    warehouse.load("predictions", rows)
    monitor = warehouse.monitor(
        predictions={"partition": {"column": "ds"}},
        labels={"label": "y", "timestamp": "seen"},
        features={"exclude": ["skipped"]},
        segments=["filed"],
    )
    with open_logs(monitor) as logs:
        found = logs.features(START, END)
    kinds = dict.fromkeys(("booked", "local", "day"), TIMESTAMPED)
    # A database without types for times has no times to be seen.
    assert {k: v for k, v in found.items() if v is TIMESTAMPED} == (
        {} if warehouse.kind == "sqlite" else kinds
    )
    if warehouse.kind != "sqlite":
        assert set(found) == set(kinds)


def test_lists_of_both_add_to_what_is_inferred_or_listed(warehouse: Warehouse):
    rows = log(x=np.arange(ROWS) % 7, key=NO_PROSE["hashes"], words=iso(BOOKED), tag=cycle(["a"]))
    warehouse.load("predictions", rows)
    lists = {"text": ["key"], "timestamp": ["words"]}
    added = {"key": TEXT, "words": TIMESTAMPED}
    with open_logs(warehouse.monitor(features=lists)) as logs:
        assert logs.features(START, END) == {"x": NUMERIC, "tag": CATEGORICAL} | added
    with open_logs(warehouse.monitor(features={**lists, "numeric": ["x"]})) as logs:
        assert logs.features(START, END) == {"x": NUMERIC} | added
    warehouse.load("predictions", rows.select(["ts", "score", "key", "words"]))
    with open_logs(warehouse.monitor(predictions={"id": None}, features=lists)) as logs:
        assert logs.features(START, END) == added
