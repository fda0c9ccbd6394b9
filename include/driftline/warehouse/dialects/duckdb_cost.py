"""What DuckDB would read for a statement: of the plan's columns, what the time filter leaves."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import duckdb
from sqlalchemy import BindParameter, Connection, bindparam, text
from sqlalchemy.exc import DBAPIError

from driftline.warehouse.dialects.cost import Cost, nodes

_LITERAL = r"'(?:[^']|'')*'"
_PARQUET = re.compile(
    rf"read_parquet\((?:({_LITERAL})|\[({_LITERAL}(?:, {_LITERAL})*)\])[,)]", re.IGNORECASE
)
_TIME = re.compile(
    r"(?P<name>.+?)(?P<sign>>=|<=|>|<|=)"
    r"'(?P<moment>[-+:. 0-9]+)'::(?P<type>DATE|TIMESTAMP(?: WITH TIME ZONE|_NS|_MS|_S)?)",
    re.DOTALL,
)

_STORED = r"""
    SELECT row_group_id::VARCHAR AS part, column_name AS name, start + count AS rows,
        regexp_extract(stats, '\[Min: (.*?), Max: (.*?)\]', 1) AS low,
        regexp_extract(stats, '\[Min: (.*?), Max: (.*?)\]', 2) AS high,
        list_append(additional_block_ids, block_id) AS blocks
    FROM pragma_storage_info(:place)"""
_BLOCKS = """
    SELECT (SELECT count(DISTINCT block) FROM (
        SELECT unnest(blocks) AS block FROM left_over WHERE name IN :columns
    ) WHERE block >= 0) * (SELECT max(block_size) FROM pragma_database_size())"""
_FILES = """
    SELECT concat(row_group_id, ' ', file_name) AS part,
        split_part(path_in_schema, ', ', 1) AS name,
        row_group_num_rows AS rows, stats_min_value AS low, stats_max_value AS high,
        total_compressed_size AS size
    FROM parquet_metadata(list_value :place)"""
_CHUNKS = "SELECT coalesce(sum(size) FILTER (name IN :columns), 0) FROM left_over"
_ROWS = """
    SELECT coalesce(sum(rows), 0) FROM (SELECT max(rows) AS rows FROM left_over GROUP BY part)"""

_NONE = "SELECT part FROM pieces WHERE false"


class _Place(NamedTuple):
    """A table or Parquet files: how its pieces are listed, and what those that are left hold."""

    name: str | list[str]
    pieces: str
    held: str


def cost(connection: Connection, statement: str) -> Cost:
    """Add up the columns that the plan's scans read, without the row groups that it skips.

    Which these are the zone maps say: the least and the greatest time of each row group. Bytes are
    the blocks of a table, or the compressed chunks of Parquet files.
    """
    (_, plan) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}").one()
    rows, scanned = 0, 0
    unknown: list[str] = []
    for node in nodes(json.loads(plan), "children"):
        found = {key: _listed(value) for key, value in node["extra_info"].items()}
        (estimate,) = found.get("Estimated Cardinality", ["0"])
        if not found.get("Table") and node["name"].strip() != "READ_PARQUET":
            if not node["children"]:
                rows += int(estimate)
            continue
        place = _place(found.get("Table", []), statement)
        read = place and _read(connection, place, found)
        if read is None:
            unknown.append(", ".join(found.get("Table", ["Parquet files"])))
        left, size = read or (int(estimate), 0)
        rows += min(left, int(estimate))
        scanned += size
    if unknown:
        return Cost(rows=rows, basis=f"it is not known how large these are: {', '.join(unknown)}")
    basis = "the columns that are read, in the row groups that the times leave"
    return Cost(rows=rows, scanned=scanned, basis=basis)


def _listed(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _place(tables: Sequence[str], statement: str) -> _Place | None:
    """Return what a scan reads; the plan names tables, but of Parquet files not even the folder."""
    if tables:
        return _Place(tables[0], _STORED, _BLOCKS)
    named = {match[1] or match[2] for match in _PARQUET.finditer(statement)}
    if len(named) != 1:
        return None
    files = [each[1:-1].replace("''", "'") for each in re.findall(_LITERAL, named.pop())]
    return _Place(files, _FILES, _CHUNKS)


def _read(
    connection: Connection, place: _Place, scan: dict[str, list[str]]
) -> tuple[int, int] | None:
    """Return the rows and the bytes of a scan; None when its table says nothing of its storage."""
    listed = f"WITH pieces AS ({place.pieces})"
    try:
        names = _asked(connection, f"{listed} SELECT DISTINCT name FROM pieces", place=place.name)  # noqa: S608
    except DBAPIError as error:
        if isinstance(error.orig, duckdb.CatalogException):  # such as a name that has a quote in it
            return None
        raise
    columns = _columns({name for (name,) in names}, scan)
    filters = " AND ".join(scan.get("Filters", []))
    times = [found for part in filters.split(" AND ") if (found := _TIME.fullmatch(part))]
    skipped = " UNION ALL ".join([_NONE, *(_skipped(n, t) for n, t in enumerate(times))])
    values = {f"name_{n}": time["name"] for n, time in enumerate(times)}
    left_over = (
        f"{listed}, skipped AS ({skipped}), left_over AS "  # noqa: S608
        "(SELECT * FROM pieces WHERE part NOT IN (SELECT part FROM skipped)) "
        f"SELECT ({_ROWS}), ({place.held})"
    )
    ((rows, size),) = _asked(connection, left_over, place=place.name, columns=columns, **values)
    return int(rows), int(size)


def _skipped(number: int, time: re.Match[str]) -> str:
    """Return the SELECT of the row groups none of whose times can be what the filter asks for."""
    moment = f"CAST('{time['moment']}' AS {time['type']})"
    bounds = {
        ">": f"max(TRY_CAST(high AS {time['type']})) < {moment}",
        "<": f"min(TRY_CAST(low AS {time['type']})) > {moment}",
    }
    outside = " OR ".join(bounds[sign] for sign in time["sign"][0].replace("=", "><"))
    return f"SELECT part FROM pieces WHERE name = :name_{number} GROUP BY part HAVING {outside}"  # noqa: S608


def _columns(known: Iterable[str], scan: dict[str, list[str]]) -> list[str]:
    """Return the columns that a scan names: what it hands on (also paths into structs), filters."""
    filters = " ".join(scan.get("Filters", []))
    return [
        name
        for name in known
        if any(each == name or each.startswith(f"{name}.") for each in scan.get("Projections", []))
        or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", filters)
    ] or [""]


def _asked(connection: Connection, statement: str, **values: Any) -> Sequence[Any]:
    options = {"literal_binds": True}
    marks: list[BindParameter[Any]] = [
        bindparam(name, value, expanding=isinstance(value, list)) for name, value in values.items()
    ]
    bound = text(statement).bindparams(*marks)
    literal = bound.compile(dialect=connection.dialect, compile_kwargs=options)
    return connection.exec_driver_sql(str(literal)).fetchall()
