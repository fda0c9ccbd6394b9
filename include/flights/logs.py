"""The demo's warehouse: its logs as Parquet, one file a day.

    logs/predictions/ds=2013-04-01/predictions.parquet    by the day of the prediction
    logs/labels/ds=2013-04-01/labels.parquet              by the day of the arrival

A file holds all that its UTC day brought and depends on no other day, as in a warehouse that is
filled day by day. DuckDB reads `ds` from the path and opens only the days that a query names.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flights.data import CATEGORICAL, LABEL, NUMERIC, between
from flights.scorer import score

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write(
    home: Path, version: str, model: Any, rows: "pd.DataFrame", start: date, end: date
) -> None:
    """Write the logs of the days `[start, end)` below `home`, scored by this version of the model.

    Labels are those that arrived in these days, also of predictions made before.
    """
    for number in range((end - start).days):
        midnight = datetime.combine(start, datetime.min.time(), UTC) + timedelta(days=number)
        day = midnight, midnight + timedelta(days=1)
        asked = between(rows, "predicted_at", *day)
        if len(asked):
            _write_day(
                home, "predictions", midnight, score(version, model, asked), _predictions_schema()
            )
        landed = between(rows, "labelled_at", *day).sort_values(["labelled_at", "request_id"])
        if len(landed):
            _write_day(home, "labels", midnight, landed, _labels_schema())


def _write_day(
    home: Path, log: str, day: datetime, rows: "pd.DataFrame", schema: "pa.Schema"
) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    path = home / "logs" / log / f"ds={day:%Y-%m-%d}" / f"{log}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    table = pa.Table.from_pandas(rows, schema, preserve_index=False)
    write_table(table.replace_schema_metadata(), partial)
    partial.replace(path)  # a reader sees the whole day or none of it


def _predictions_schema() -> "pa.Schema":
    import pyarrow as pa

    whole = {"sched_hour": pa.int16(), "distance": pa.int32()}
    return pa.schema(
        {
            "request_id": pa.string(),
            "predicted_at": pa.timestamp("us", "UTC"),
            "model_version": pa.string(),
            **{name: whole.get(name, pa.string()) for name in CATEGORICAL},
            **{name: whole.get(name, pa.float64()) for name in NUMERIC},
            "probability": pa.float64(),
            "prediction": pa.int8(),
            "latency_ms": pa.float64(),
            "status": pa.int16(),
        }
    )


def _labels_schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        {
            "request_id": pa.string(),
            "labelled_at": pa.timestamp("us", "UTC"),
            LABEL: pa.int8(),
        }
    )
