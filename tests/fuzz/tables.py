"""Tables as nobody plans them: odd names, types and values, and times at the ends of the calendar.

One seed is one table. Values are text that each database casts to the type of its column, so that
a value no driver can bind (1e400, a date before Christ, an infinity) is in the table as well.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
from sqlalchemy import make_url

from tests.warehouses import quoted

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 6
REFERENCE = 3
"""The first days are the reference; the last one is measured."""

Value = str | bytes | None


@dataclass(frozen=True)
class Kind:
    """A type of columns: what it is in each database, and what it may hold.

    Where a database is not named it has no such type. `plain` makes an everyday value, `odd` lists
    values of all databases, `own` those that one of them takes.
    """

    types: dict[str, str]
    plain: Callable[[random.Random], str]
    odd: Sequence[Value] = ()
    own: dict[str, Sequence[Value]] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """A column of a table."""

    name: str
    kind: str
    type: str
    values: list[Value]


@dataclass(frozen=True)
class Table:
    """A table, what its columns are for, and when each of its rows is (None: at no time)."""

    seed: int
    name: str
    columns: list[Made]
    roles: dict[str, str]
    moments: list[datetime | None]
    labels: "Table | None" = None
    """The labels' own table, where they do not stand in the rows."""

    def of_day(self, start: datetime) -> list[int]:
        """Return the numbers of the rows of a day."""
        end = start + timedelta(days=1)
        return [n for n, at in enumerate(self.moments) if at and start <= at < end]

    @property
    def features(self) -> list[Made]:
        """The columns that have no role."""
        return [made for made in self.columns if made.name not in self.roles.values()]


NAMES = (
    *("x", "Y", "amount", "feature one", " lead", "trail ", "Größe", "日本語", "👍🏽", "עברית"),
    *("do.t", "a.b.c", ".", "x.", ".x", "0", "a.0", "a@b", "@", "100%", "%s", "%(x)s", ":key"),
    *("$1", "?", "a:b", "back\\slash", 'quo"te', "'single'", "`tick`", "[bracket]", "{brace}"),
    *("select", "order", "table", "null", "true", "rows", "hour", "segment", "version", "c0"),
    *("value", "code", "stretch", "window", "label_0", "a=b", "a,b", "a;b", "--", "/* */", "*"),
    *("tab\there", "new\nline", "\x1b[31mred", "\u202eturned", "=cmd", "-1", "+1", "n" * 60),
    *("é", "e\u0301", "ß", "ﬀ", "user id", "created", "is_true", "_", "__", "a-b", "a/b", "~", "#"),
)
TEXTS: tuple[Value, ...] = (
    *("", " ", "  lead", "trail  ", "\t", "\n", "a\r\nb", "\x01\x02", "\x1b[31mred", "\x7f"),
    *("\u202eturned", "\u200b", "\u2028", "\ufeff", "\uffff", "👍🏽", "👨\u200d👧", "עברית"),
    *("e\u0301", "é", "ﬀ", "İ", "ß", "SS", "NULL", "null", "None", "nan", "NaN", "inf", "-inf"),
    *("true", "FALSE", "0", "-0", "1e400", "1_000", "0x10", "٣", "1,5", "'", '"', "\\", "%"),
    *("%s", "${HOME}", "a=b", "a=b=c", "2024-01-01", "2024-02-30", "9999-12-31", "{", "{}", "[]"),
    *('{"a": 1}', '{"a": {"b": [1, 2]}}', "x" * 10_000, "x" * 300 + "1", "x" * 300 + "2"),
    *("<script>alert(1)</script>", "=1+1", "@SUM(1)"),
)
NUMBERS: tuple[Value, ...] = (
    *("0", "-0.0", "1", "-1", "1e308", "-1e308", "1.7976931348623157e308", "5e-324", "-5e-324"),
    *("1e-310", "1e16", "9007199254740993", "0.1", "1e60", "-1e60", "123456789.123456789", None),
)
NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def _whole(bits: int, signed: bool = True) -> tuple[str, ...]:
    top = 2 ** (bits - signed)
    return (*("0", "1"), str(top - 1), *((str(-top), "-1") if signed else ()))


def _number(chance: random.Random) -> str:
    return f"{chance.gauss(5, 2):.6g}"


def _small(chance: random.Random) -> str:
    return str(chance.randrange(100))


def _word(chance: random.Random) -> str:
    return chance.choice(["north", "south", "east", "west"])


def _day(chance: random.Random) -> str:
    return f"{START - timedelta(days=chance.randrange(3000)):%Y-%m-%d}"


def _moment(chance: random.Random) -> str:
    return f"{START - timedelta(seconds=chance.randrange(10**8)):%Y-%m-%d %H:%M:%S}"


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _json(chance: random.Random) -> str:
    return f'{{"a": {chance.gauss(0, 1):.3f}, "b": {{"c": "{_word(chance)}"}}, "d": [1, 2]}}'


def _same(duckdb: str, postgresql: str = "", sqlite: str = "") -> dict[str, str]:
    return {"duckdb": duckdb, "postgresql": postgresql, "sqlite": sqlite}


OLD = ("0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01", "1582-10-10", "2024-02-29", None)
_EVER = {
    "duckdb": ("infinity", "-infinity", "0044-03-15 (BC)"),
    "postgresql": ("infinity", "-infinity", "0044-03-15 BC"),
    "sqlite": ("infinity", "0000-00-00", "-0044-03-15", "10000-01-01", "today", "5", b"\x00"),
}
_MIDNIGHTS = tuple(old and f"{old} 00:00:00" for old in OLD)
_EVERY_NUMBER = {"duckdb": NOT_FINITE, "postgresql": NOT_FINITE, "sqlite": ("1e400", "-1e400", "x")}
_UNTYPED = ("", "x", "1", b"\xff\xfe", b"\x00", b"{}", "1.5", None)
_INVALID = (b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"a\x00b")
"""Bytes that are no UTF-8: half of a surrogate pair among them. SQLite keeps them as text."""

KINDS: dict[str, Kind] = {
    "tiny": Kind(_same("TINYINT", "smallint", "TINYINT"), _small, _whole(8)),
    "small": Kind(_same("SMALLINT", "smallint", "SMALLINT"), _small, _whole(16)),
    "int": Kind(_same("INTEGER", "integer", "INTEGER"), _small, _whole(32)),
    "big": Kind(_same("BIGINT", "bigint", "BIGINT"), _small, _whole(64)),
    "huge": Kind(_same("HUGEINT", "numeric(39,0)", "INTEGER"), _small, _whole(127)),
    "unsigned": Kind(
        _same("UBIGINT", "numeric(20,0)", "UNSIGNED BIG INT"), _small, _whole(64, False)
    ),
    "byte": Kind(_same("UTINYINT", '"char"'), lambda chance: str(chance.randrange(9)), ("0", None)),
    "float": Kind(_same("FLOAT", "real", "REAL"), _number, ("1e38", "1e-45", None), _EVERY_NUMBER),
    "double": Kind(_same("DOUBLE", "double precision", "DOUBLE"), _number, NUMBERS, _EVERY_NUMBER),
    "decimal": Kind(
        _same("DECIMAL(38, 10)", "numeric(38, 10)", "DECIMAL(38, 10)"),
        _number,
        ("9999999999999999999999999999.9999999999", "-0.0000000001", None),
    ),
    "numeric": Kind(
        _same("", "numeric", "NUMERIC"),
        _number,
        ("1e400", "-1e400", "1e-400", "0." + "1" * 500, None),
        {"postgresql": NOT_FINITE},
    ),
    "boolean": Kind(
        _same("BOOLEAN", "boolean", "BOOLEAN"),
        lambda chance: chance.choice(["true", "false"]),
        (None,),
    ),
    "truth": Kind(_same("", "", "BOOLEAN"), lambda chance: chance.choice("01"), ("2", "x", None)),
    "bit": Kind(_same("BIT", "bit varying"), lambda chance: chance.choice(["101", "1"]), (None,)),
    "text": Kind(
        _same("VARCHAR", "text", "TEXT"),
        _word,
        (*TEXTS, None),
        {"duckdb": ("a\x00b", "\x00"), "sqlite": (b"", *_INVALID)},
    ),
    "padded": Kind(_same("", "character(9)", "CHAR(9)"), _word, ("", " ", "é", None)),
    "enum": Kind(_same("ENUM ('north', 'south', 'east', 'west', '')"), _word, ("", None)),
    "date": Kind(_same("DATE", "date", "DATE"), _day, OLD, _EVER),
    "timestamp": Kind(_same("TIMESTAMP", "timestamp", "TIMESTAMP"), _moment, _MIDNIGHTS, _EVER),
    "zoned": Kind(_same("TIMESTAMPTZ", "timestamptz", "TEXT"), _moment, _MIDNIGHTS, _EVER),
    "seconds": Kind(_same("TIMESTAMP_S"), _moment, _MIDNIGHTS),
    "nanoseconds": Kind(_same("TIMESTAMP_NS"), _moment, ("1677-09-22 00:00:00", None)),
    "clock": Kind(_same("TIME", "time", "TIME"), lambda chance: "12:30:45", ("24:00:00", None)),
    "interval": Kind(
        _same("INTERVAL", "interval"),
        lambda chance: f"{chance.randrange(9)} days",
        ("1000 years", None),
    ),
    "blob": Kind(_same("BLOB", "bytea"), lambda chance: chance.choice("ab"), ("\\x00", "", None)),
    "uuid": Kind(_same("UUID", "uuid", "TEXT"), _uuid, (f"{0:08}-0000-0000-0000-{0:012}", None)),
    "json": Kind(
        _same("JSON", "json", "JSON"),
        _json,
        ("{}", "[]", "1", "null", '"x"', '{"a": null}', '{"a": "x"}', '{"a": 1e400}', None),
        {"postgresql": (r'{"a": "\u0000"}', r'{"a": "\ud800"}')},
    ),
    "jsonb": Kind(_same("", "jsonb"), _json, ("{}", "[]", "1", '{"a": 1e400}', None)),
    "documents": Kind(
        _same("VARCHAR", "text", "TEXT"),
        _json,
        ('{"a": 1', "{", "", "x", '{"a": 1}{', r'{"a": "\ud800"}', r'{"a": "\u0000"}', None),
    ),
    "list": Kind(_same("INTEGER[]"), lambda chance: "[1, 2]", ("[]", "[NULL]", None)),
    "array": Kind(_same("", "integer[]"), lambda chance: "{1,2}", ("{}", "{NULL}", None)),
    "fixed": Kind(_same("DOUBLE[2]"), lambda chance: f"[{_number(chance)}, 1]", (None,)),
    "struct": Kind(
        _same('STRUCT(a DOUBLE, "b.c" VARCHAR)'),
        lambda chance: f"{{'a': {_number(chance)}, 'b.c': {_word(chance)}}}",
        ("{'a': NULL, 'b.c': NULL}", None),
    ),
    "map": Kind(
        _same("MAP(VARCHAR, DOUBLE)"), lambda chance: f"{{k={_number(chance)}}}", ("{}", None)
    ),
    "address": Kind(_same("", "inet"), lambda chance: f"10.0.0.{_small(chance)}", ("::1", None)),
    "money": Kind(_same("", "money"), _small, ("-92233720368547758.08", None)),
    "range": Kind(
        _same("", "int4range"), lambda chance: f"[1,{100 + int(_small(chance))})", ("empty",)
    ),
    "point": Kind(_same("", "point"), lambda chance: "(1,2)", (None,)),
    "untyped": Kind(_same("", "", ""), _number, _UNTYPED),
}

TIMES = {
    "timestamp": Kind(_same("TIMESTAMP", "timestamp", "TIMESTAMP"), str, _MIDNIGHTS, _EVER),
    "zoned": Kind(_same("TIMESTAMPTZ", "timestamptz", "TEXT"), str, _MIDNIGHTS, _EVER),
    "written": Kind(_same("VARCHAR", "text", "TEXT"), str, (*TEXTS, *_MIDNIGHTS)),
    "counted": Kind(_same("BIGINT", "bigint", "INTEGER"), str, ("0", "-1", str(2**63 - 1), None)),
    "fraction": Kind(
        _same("DOUBLE", "double precision", "REAL"), str, ("0", "1e308", None), _EVERY_NUMBER
    ),
    "exact": Kind(_same("DECIMAL(38, 6)", "numeric", "NUMERIC"), str, ("0", "-1", "1e25", None)),
}


def table(seed: int, database: str) -> Table:
    """Return the table of a seed, as this database takes it."""
    chance = random.Random(f"{seed} {database}")
    rows = chance.choice([0, 1, 2, 7, 60, 300, 300, 300, 300, 300])
    names = _names(chance)
    told, moments = _time(chance, database, next(names), rows)
    columns = [told]
    roles = {"timestamp": told.name}
    if chance.random() < 0.7:
        columns.append(_id(chance, database, next(names), rows))
        roles["id"] = columns[-1].name
    score = chance.choice(["score", "prediction", "both"])
    if score != "prediction":
        kind = "double" if chance.random() < 0.6 else _any(chance, database)
        own = _probability if kind == "double" else None
        columns.append(_column(chance, database, next(names), rows, kind, own))
        roles["score"] = columns[-1].name
    if score != "score":
        kind = chance.choice(["boolean", "text", "int", _any(chance, database)])
        columns.append(_column(chance, database, next(names), rows, kind))
        roles["prediction"] = columns[-1].name
    labels = None
    if chance.random() < 0.4:
        columns.append(_label(chance, database, next(names), rows))
        roles["label"] = columns[-1].name
    elif "id" in roles and chance.random() < 0.5:
        labels = _labels(chance, database, names, columns[1], rows)
    for _ in range(chance.randrange(1, 9)):
        columns.append(_column(chance, database, next(names), rows, _any(chance, database)))
    chance.shuffle(columns)
    name = chance.choice(["logs", "logs", "Logs 2", "order", "lo'gs", "łogs"])
    return Table(seed, name, columns, roles, moments, labels)


def _label(chance: random.Random, database: str, name: str, rows: int) -> Made:
    kind = chance.choice(["boolean", "int", "int", _any(chance, database)])
    own = (lambda c: c.choice("01")) if kind == "int" else None
    return _column(chance, database, name, rows, kind, own)


def _labels(
    chance: random.Random, database: str, names: Iterator[str], own: Made, rows: int
) -> Table:
    """Return a table of labels whose ids are those of the log, or of another type."""
    ids = own if chance.random() < 0.6 else _id(chance, database, own.name, rows)
    known, moments = _time(chance, database, next(names), rows)
    label = _label(chance, database, next(names), rows)
    columns = [ids, known, label]
    roles = {"id": ids.name, "timestamp": known.name, "label": label.name}
    return Table(0, "truth", columns, roles, moments)


def _any(chance: random.Random, database: str) -> str:
    own = [name for name, kind in KINDS.items() if kind.types[database] or name == "untyped"]
    return chance.choice([n for n in own if n != "untyped" or database == "sqlite"])


def _names(chance: random.Random) -> Iterator[str]:
    """Yield names of which no two are one to a database that folds their case."""
    own = list(NAMES)
    chance.shuffle(own)
    return iter([f"c{n}" if chance.random() < 0.3 and n else name for n, name in enumerate(own)])


def _column(
    chance: random.Random,
    database: str,
    name: str,
    rows: int,
    kind: str,
    plain: Callable[[random.Random], str] | None = None,
) -> Made:
    found = KINDS[kind]
    odd = [*found.odd, *found.own.get(database, ())]
    share = chance.choice([0, 0, 0.01, 0.3, 1]) if odd else 0
    make = plain or found.plain
    shape = chance.choice(["any"] * 6 + ["constant", "null", "gone", "new"])
    fixed = chance.choice(odd) if odd and share else make(chance)
    values: list[Value] = []
    for row in range(rows):
        value = chance.choice(odd) if chance.random() < share else make(chance)
        late = row >= rows * REFERENCE / DAYS
        if shape == "null" or (shape == "gone" and late) or (shape == "new" and not late):
            value = None
        values.append(fixed if shape == "constant" else value)
    return Made(name, kind, found.types[database], values)


def _probability(chance: random.Random) -> str:
    return f"{chance.random():.6f}"


def _id(chance: random.Random, database: str, name: str, rows: int) -> Made:
    kind = chance.choice(["int", "text", "uuid", "double", _any(chance, database)])
    made = _column(chance, database, name, rows, kind)
    if kind in ("int", "text", "double") and chance.random() < 0.7:
        return Made(name, kind, made.type, [str(row) for row in range(rows)])
    return made


def _time(
    chance: random.Random, database: str, name: str, rows: int
) -> tuple[Made, list[datetime | None]]:
    kind = chance.choice(list(TIMES))
    found = TIMES[kind]
    odd = [*found.odd, *found.own.get(database, ())]
    share = chance.choice([0, 0, 0, 0.02, 0.3])
    moments: list[datetime | None] = []
    values: list[Value] = []
    for row in range(rows):
        at = START + timedelta(days=DAYS) * row / rows
        at = at.replace(microsecond=0)
        stamp = int(at.timestamp())
        written = f"{at:%Y-%m-%d %H:%M:%S}"
        value: Value = {"counted": str(stamp), "fraction": f"{stamp}.0", "exact": f"{stamp}.5"}.get(
            kind, written
        )
        if chance.random() < share:
            value, at = chance.choice(odd), None
        values.append(value)
        moments.append(at)
    return Made(name, kind, found.types[database], values), moments


def load(table: Table, kind: str, folder: Path, owner: str = "") -> None:
    """Write a table to `folder`, or to the PostgreSQL database of this owner."""
    write = {
        "duckdb": _load_duckdb,
        "parquet": _load_parquet,
        "sqlite": _load_sqlite,
        "postgresql": _load_postgresql,
    }[kind]
    for each in filter(None, (table, table.labels)):
        write(each, folder, owner)


def _load_duckdb(table: Table, folder: Path, _: str) -> None:
    with duckdb.connect(str(folder / "logs.duckdb")) as connection:
        _fill_duckdb(connection, table)


def _load_parquet(table: Table, folder: Path, _: str) -> None:
    files = folder / ("truth" if table.name == "truth" else "logs")
    files.mkdir()
    with duckdb.connect() as connection:
        _fill_duckdb(connection, table)
        place = str(files / "rows.parquet").replace("'", "''")
        connection.execute(f"COPY {quoted(table.name)} TO '{place}' (FORMAT parquet)")


def _fill_duckdb(connection: Any, table: Table) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    arriving = {f"c{n}": pa.array(made.values, pa.string()) for n, made in enumerate(table.columns)}
    connection.register("arriving", pa.table(arriving))
    cast = ", ".join(
        f"CAST(c{n} AS {made.type}) AS {quoted(made.name)}" for n, made in enumerate(table.columns)
    )
    connection.execute(f"CREATE TABLE {quoted(table.name)} AS SELECT {cast} FROM arriving")


def _load_sqlite(table: Table, folder: Path, _: str) -> None:
    declared = ", ".join(f"{quoted(made.name)} {made.type}" for made in table.columns)
    # Bytes that stand in a column of text are kept as such, as programs in other languages do it.
    marks = ", ".join(
        "CAST(? AS TEXT)" if made.type == "TEXT" and bytes in map(type, made.values) else "?"
        for made in table.columns
    )
    with sqlite3.connect(folder / "logs.sqlite") as connection:
        connection.execute(f"CREATE TABLE {quoted(table.name)} ({declared})")
        connection.executemany(
            f"INSERT INTO {quoted(table.name)} VALUES ({marks})",
            list(zip(*(made.values for made in table.columns), strict=True)),
        )
    connection.close()


def _load_postgresql(table: Table, _: Path, owner: str) -> None:
    url = make_url(owner).set(drivername="postgresql").render_as_string(hide_password=False)
    declared = ", ".join(f"{quoted(made.name)} {made.type}" for made in table.columns)
    with psycopg.connect(url) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(f"CREATE TABLE {quoted(table.name)} ({declared})".encode())
        with connection.cursor().copy(f"COPY {quoted(table.name)} FROM STDIN".encode()) as copy:
            for row in zip(*(made.values for made in table.columns), strict=True):
                copy.write_row(row)
