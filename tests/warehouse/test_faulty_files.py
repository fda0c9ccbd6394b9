"""A file that is broken is one error that names it, and never a part of its rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from driftline.domain import ColumnKind
from driftline.errors import WarehouseError
from driftline.warehouse import open_logs
from tests.warehouse.test_rows import END, START, log
from tests.warehouses import Warehouse

PAGE = 4096
Breaks = Callable[[bytes], bytes]


def _zeroed(page: int) -> Breaks:
    return lambda held: held[: page * PAGE] + bytes(PAGE) + held[(page + 1) * PAGE :]


FAULTS: dict[str, Breaks] = {
    "first page zeroed": _zeroed(0),
    "page of rows zeroed": _zeroed(3),
    "last page zeroed": lambda held: held[:-PAGE] + bytes(PAGE),
    "cut in half": lambda held: held[: len(held) // 2],
    "only its head": lambda held: held[:100],
    "no database": lambda held: b"some notes\n" * 1000,
}


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "parquet"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_one_error_that_names_it(tmp_path: Path, kind: str, fault: str) -> None:
    place = Warehouse(kind=kind, folder=tmp_path)
    values = np.random.default_rng(0).normal(size=1000)
    place.load("predictions", log(1000, x=pa.array(values)))
    file = place.file if kind != "parquet" else tmp_path / "predictions" / "rows.parquet"
    file.write_bytes(FAULTS[fault](file.read_bytes()))
    said = ""
    try:
        with open_logs(place.monitor()) as logs:
            logs.check()
            rows = logs.rows(START, END, {"x": ColumnKind.NUMERIC}).table
    except WarehouseError as error:
        said = str(error)
    if said:
        assert (file.name if kind != "parquet" else "predictions/") in said
        assert len(said) < 600
        assert "\n" not in said
    else:  # nothing that was asked for was on this page
        assert "zeroed" in fault
        assert np.array_equal(np.sort(rows["x"].to_numpy()), np.sort(values))
