"""What `driftline init` drafts of tables as they occur passes lint and a backfill as it stands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner, Result
from sqlalchemy import make_url, select

from driftline.cli import main
from driftline.domain import ColumnKind
from driftline.monitor.config import Monitor
from driftline.store import Store
from driftline.store.tables import measurements, windows
from driftline.warehouse import open_logs
from tests.warehouses import Warehouse, documents

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS, DAILY = 6, 40
ROWS = DAYS * DAILY
RANDOM = np.random.default_rng(8)

# All of a day in four hours: what is counted by the hour takes as long as there are hours.
TIMES = [START + timedelta(days=n // DAILY, minutes=6 * (n % DAILY)) for n in range(ROWS)]
KNOWN = [moment + timedelta(minutes=30) for moment in TIMES]
NAIVE, AWARE = pa.timestamp("us"), pa.timestamp("us", "UTC")
SCORES = RANDOM.random(ROWS).round(4)
TRUTH = (RANDOM.random(ROWS) < SCORES).astype(int)
SAID = (SCORES >= 0.5).astype(int)
AGES = RANDOM.integers(18, 80, ROWS)
PLANS = RANDOM.choice(["basic", "plus", "gold"], ROWS)
THREE = RANDOM.dirichlet([1, 1, 1], ROWS)
ANIMALS = np.array(["bird", "cat", "dog"])
BEST, SEEN = ANIMALS[THREE.argmax(1)], RANDOM.choice(ANIMALS, ROWS)
PRICES = RANDOM.normal(200, 40, ROWS).round(2)
PAID = (PRICES + RANDOM.normal(0, 10, ROWS)).round(2)
IDS = np.arange(ROWS) + 70_000
UUIDS = [str(UUID(int=place * 7919)) for place in range(ROWS)]
KEYS = [f"r-{place}" for place in range(ROWS)]

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
AGE_AND_PLAN = {"age": NUMERIC, "plan": CATEGORICAL}


def times(moments: Sequence[datetime], kind: pa.DataType = AWARE) -> pa.Array:
    return pa.array([m if kind == AWARE else m.replace(tzinfo=None) for m in moments], kind)


def inputs() -> dict[str, Any]:
    return {"age": AGES, "plan": PLANS}


def cents(values: np.ndarray, digits: int = 2) -> pa.Array:
    exact = [Decimal(f"{value:.{digits}f}") for value in values]
    return pa.array(exact, pa.decimal128(12, digits))


def gappy(values: Sequence[Any]) -> list[Any]:
    return [None if place % 7 == 3 else value for place, value in enumerate(list(values))]


@dataclass(frozen=True)
class Schema:
    """Tables, and what the file is to say of them."""

    task: str
    log: Mapping[str, Any]
    roles: Mapping[str, Any]
    """Of `predictions`."""
    labels: Mapping[str, Any]
    """What is said of them: the roles."""
    truth: Mapping[str, Any] | None = None
    """The labels' own table."""
    features: Mapping[str, ColumnKind] = field(default_factory=lambda: AGE_AND_PLAN)
    options: Sequence[str] = ()
    by_day: str = ""
    """The column that folders are named by."""


CLASSIC = Schema(
    "binary",
    {
        "request_id": KEYS,
        "predicted_at": times(TIMES),
        **inputs(),
        "probability": SCORES,
        "prediction": SAID,
        "model_version": ["v1"] * ROWS,
        "latency_ms": RANDOM.random(ROWS) * 50,
        "status_code": [200] * ROWS,
    },
    {
        "id": "request_id",
        "timestamp": "predicted_at",
        "score": "probability",
        "prediction": "prediction",
        "version": "model_version",
        "latency_ms": "latency_ms",
        "status": {"column": "status_code"},
    },
    {"id": "request_id", "timestamp": "labelled_at", "label": "churned"},
    {"request_id": KEYS, "labelled_at": times(KNOWN), "churned": TRUTH},
)
COMPOSITE = Schema(
    "binary",
    {
        "session_id": IDS // 4,
        "item_id": IDS % 4,
        "ts": times(TIMES, NAIVE),
        **inputs(),
        "click_score": SCORES,
    },
    {"id": ["session_id", "item_id"], "timestamp": "ts", "score": "click_score"},
    {"id": ["session_id", "item_id"], "timestamp": "observed_at", "label": "clicked"},
    {
        "session_id": IDS // 4,
        "item_id": IDS % 4,
        "observed_at": times(KNOWN, NAIVE),
        "clicked": TRUTH,
    },
)
REGRESSION = Schema(
    "regression",
    {
        "id": IDS,
        "event_time": [f"{m:%Y-%m-%dT%H:%M:%S}Z" for m in TIMES],
        **inputs(),
        "credit_score": AGES * 5,
        "predicted_price": PRICES,
        "actual_price": PAID,
    },
    {"id": "id", "timestamp": "event_time", "prediction": "predicted_price"},
    {"label": "actual_price"},
    features=AGE_AND_PLAN | {"credit_score": NUMERIC},
)

SCHEMAS = {
    "labels in a table of their own": CLASSIC,
    "a composite id": COMPOSITE,
    "a regression with ISO text": REGRESSION,
    "a label in the row, integer ids": Schema(
        "binary",
        {
            "id": IDS,
            "timestamp": times(TIMES, NAIVE),
            **inputs(),
            "y_score": SCORES,
            "y_true": TRUTH,
        },
        {"id": "id", "timestamp": "timestamp", "score": "y_score"},
        {"label": "y_true"},
    ),
    "what pandas saved of its index": Schema(
        "binary",
        {
            "Unnamed: 0": np.arange(ROWS),
            "index": np.arange(ROWS) % DAILY,
            "created_at": times(TIMES),
            **inputs(),
            "p": SCORES,
            "label": TRUTH,
            "__index_level_0__": np.arange(ROWS) % DAILY,
        },
        {"timestamp": "created_at", "score": "p"},
        {"label": "label"},
    ),
    "folders of days": Schema(
        "binary",
        {
            "prediction_id": UUIDS,
            "prediction_time": times(TIMES),
            **inputs(),
            "proba": SCORES,
            "ds": [f"{m:%Y-%m-%d}" for m in TIMES],
        },
        {"id": "prediction_id", "timestamp": "prediction_time", "score": "proba"},
        {"id": "prediction_id", "timestamp": "label_time", "label": "target"},
        {
            "prediction_id": UUIDS,
            "label_time": times(KNOWN),
            "target": TRUTH,
            "ds": [f"{m:%Y-%m-%d}" for m in KNOWN],
        },
        by_day="ds",
    ),
    "milliseconds since 1970": Schema(
        "binary",
        {
            "uuid": UUIDS,
            "timestamp_ms": [int(m.timestamp() * 1000) for m in TIMES],
            **inputs(),
            "prediction_probability": SCORES,
            "outcome": TRUTH == 1,
        },
        {"id": "uuid", "timestamp": "timestamp_ms", "score": "prediction_probability"},
        {"label": "outcome"},
    ),
    "a feature store's export": Schema(
        "binary",
        {
            "driver_id": IDS % 9,
            "event_timestamp": times(TIMES),
            "created": times(TIMES[:1] * ROWS),
            "event_date": pa.array([m.date() for m in TIMES]),
            **inputs(),
            "date_key": [int(f"{m:%Y%m%d}") for m in TIMES],
            "default_probability": SCORES,
            "is_default": TRUTH,
        },
        {"id": "driver_id", "timestamp": "event_timestamp", "score": "default_probability"},
        {"label": "is_default"},
    ),
    "times beside the label": Schema(
        "binary",
        {
            "case_id": KEYS,
            "scored_at": times(TIMES),
            "last_login": times(
                [m - timedelta(hours=h) for m, h in zip(TIMES, AGES.tolist(), strict=True)]
            ),
            **inputs(),
            "fraud_score": SCORES,
            "label": TRUTH,
            "labelled_at": times(KNOWN),
        },
        {"id": "case_id", "timestamp": "scored_at", "score": "fraud_score"},
        {"timestamp": "labelled_at", "label": "label"},
        features=AGE_AND_PLAN | {"last_login": ColumnKind.TIMESTAMP},
    ),
    "a label behind times, partitions and copies": Schema(
        "binary",
        {"request_id": KEYS, "ts": times(TIMES), **inputs(), "score": SCORES},
        {"id": "request_id", "timestamp": "ts", "score": "score"},
        {"id": "request_id", "timestamp": "arrived_at", "label": "bought"},
        {
            "request_id": KEYS,
            "arrived_at": times(KNOWN),
            "resolved": times(KNOWN),
            "closed_on_date": [f"{m:%Y-%m-%d}" for m in KNOWN],
            "dt": [f"{m:%Y-%m-%d}" for m in KNOWN],
            "plan": PLANS,
            "source": ["crm"] * ROWS,
            "bought": TRUTH,
        },
    ),
    "a payload of JSON": Schema(
        "binary",
        {
            "request_id": UUIDS,
            "request_time": times(TIMES),
            "payload": documents(
                [{"age": int(a), "plan": str(p)} for a, p in zip(AGES, PLANS, strict=True)]
            ),
            "score": SCORES,
            "ground_truth": TRUTH,
        },
        {"id": "request_id", "timestamp": "request_time", "score": "score"},
        {"label": "ground_truth"},
        features={"payload.age": NUMERIC, "payload.plan": CATEGORICAL},
    ),
    "structs with a probability of each class": Schema(
        "multiclass",
        {
            "id": UUIDS,
            "ts": times(TIMES),
            "inputs": pa.array([{"age": int(a)} for a in AGES]),
            "probabilities": pa.array([dict(zip(ANIMALS, row, strict=True)) for row in THREE]),
            "predicted_class": BEST,
            "true_class": SEEN,
        },
        {
            "id": "id",
            "timestamp": "ts",
            "score": {name: f"probabilities.{name}" for name in ("bird", "cat", "dog")},
            "prediction": "predicted_class",
        },
        {"label": "true_class"},
        features={"inputs.age": NUMERIC},
    ),
    "a column for each class": Schema(
        "multiclass",
        {
            "id": IDS,
            "predicted_at": times(TIMES),
            **inputs(),
            **{f"prob_{name}": THREE[:, place] for place, name in enumerate(ANIMALS)},
            "prediction": BEST,
        },
        {
            "id": "id",
            "timestamp": "predicted_at",
            "score": {name: f"prob_{name}" for name in ("bird", "cat", "dog")},
            "prediction": "prediction",
        },
        {"id": "id", "timestamp": "labelled_at", "label": "label"},
        {"id": IDS, "labelled_at": times(KNOWN), "label": SEEN},
    ),
    "classes without scores": Schema(
        "multiclass",
        {"id": IDS, "ts": times(TIMES), **inputs(), "y_pred": BEST, "y_true": SEEN},
        {"id": "id", "timestamp": "ts", "prediction": "y_pred"},
        {"label": "y_true"},
    ),
    "predict_proba of two classes": Schema(
        "binary",
        {
            "row_id": IDS,
            "ts": times(TIMES),
            **inputs(),
            "proba_0": 1 - SCORES,
            "proba_1": SCORES,
            "pred": SAID,
            "target": TRUTH,
        },
        {"id": "row_id", "timestamp": "ts", "score": "proba_1", "prediction": "pred"},
        {"label": "target"},
        features=AGE_AND_PLAN | {"proba_0": NUMERIC},
    ),
    "decimals, booleans and nulls": Schema(
        "binary",
        {
            "order_id": IDS,
            "predicted_on": times(TIMES),
            "age": gappy(AGES),
            "plan": gappy(PLANS),
            "balance": cents(PRICES),
            "is_new": pa.array(gappy(AGES > 40)),
            "empty": pa.array([None] * ROWS, pa.float64()),
            "risk_probability": cents(SCORES, 4),
            "defaulted": pa.array(gappy(TRUTH == 1)),
        },
        {"id": "order_id", "timestamp": "predicted_on", "score": "risk_probability"},
        {"label": "defaulted"},
        features=AGE_AND_PLAN | {"balance": NUMERIC, "is_new": CATEGORICAL, "empty": NUMERIC},
    ),
    "camel case": Schema(
        "binary",
        {
            "requestId": UUIDS,
            "predictedAt": times(TIMES),
            **inputs(),
            "fraudScore": SCORES,
            "modelVersion": ["7"] * ROWS,
        },
        {
            "id": "requestId",
            "timestamp": "predictedAt",
            "score": "fraudScore",
            "version": "modelVersion",
        },
        {"id": "requestId", "timestamp": "labeledAt", "label": "isFraud"},
        {"requestId": UUIDS, "labeledAt": times(KNOWN), "isFraud": TRUTH},
    ),
    "text": Schema(
        "binary",
        {
            "ticket_id": KEYS,
            "created_at": times(TIMES),
            "comment": [
                f"The {plan} plan of mine has failed {age} times since{' then' * (age % 15)}."
                for age, plan in zip(AGES, PLANS, strict=True)
            ],
            "trace": UUIDS,
            **inputs(),
            "spam_prob": SCORES,
            "is_spam": TRUTH,
        },
        {"id": "ticket_id", "timestamp": "created_at", "score": "spam_prob"},
        {"label": "is_spam"},
        features=AGE_AND_PLAN | {"comment": ColumnKind.TEXT},
    ),
    "a regression of decimals with labels by order": Schema(
        "regression",
        {
            "order_id": IDS,
            "prediction_timestamp": times(TIMES),
            **inputs(),
            "yhat": cents(PRICES),
        },
        {"id": "order_id", "timestamp": "prediction_timestamp", "prediction": "yhat"},
        {"id": "order_id", "timestamp": "event_time", "label": "sale_price"},
        {"order_id": IDS, "event_time": times(KNOWN), "sale_price": cents(PAID)},
    ),
    "a regression whose prediction is said": Schema(
        "regression",
        {"trip": KEYS, "moment": times(TIMES), **inputs(), "eta": PRICES, "took": PAID},
        {"timestamp": "moment", "prediction": "eta"},
        {"label": "took"},
        options=("--prediction", "eta", "--label", "took"),
    ),
}


@pytest.fixture
def sample_free(no_samples: None, no_expectations: None, no_pages: None) -> None:
    """Only what is counted is looked at."""


@pytest.mark.usefixtures("sample_free")
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_draft_passes_a_backfill(
    schema: Schema,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    many: Callable[[int, int], int],
) -> None:
    lake = Warehouse("parquet", tmp_path)
    tables = {"predictions": schema.log} | ({"truth": schema.truth} if schema.truth else {})
    for name, columns in tables.items():
        _filed(lake, name, pa.table(dict(columns)), schema.by_day)
    where = ["--predictions", "predictions/**/*.parquet"]
    where += ["--labels", "truth/**/*.parquet"] if schema.truth else []
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "monitors" / "model.yaml"
    _drafted(schema, [*where, "-o", "monitors/model.yaml"], path, days=many(1, 2))


@pytest.mark.usefixtures("sample_free")
@pytest.mark.parametrize(
    "schema", [CLASSIC, COMPOSITE, REGRESSION], ids=["classic", "composite", "regression"]
)
@pytest.mark.parametrize("warehouse", ["postgresql", "sqlite"], indirect=True)
def test_a_draft_of_a_database_passes_a_backfill(
    schema: Schema, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.load("predictions", pa.table(dict(schema.log)))
    if schema.truth:
        warehouse.load("truth", pa.table(dict(schema.truth)))
    url = make_url(warehouse.url)
    if url.get_backend_name() == "sqlite":
        monkeypatch.chdir(warehouse.folder)
        url = url.set(database=warehouse.file.name)
    monkeypatch.setenv("WAREHOUSE_PASSWORD", url.password or "")
    where = ["--warehouse", url.render_as_string(hide_password=False)]
    where += ["--predictions", "predictions", *(["--labels", "truth"] if schema.truth else [])]
    path = tmp_path / "monitors" / "model.yaml"
    _drafted(schema, [*where, "-o", str(path)], path, days=2)


def _filed(lake: Warehouse, name: str, rows: pa.Table, by_day: str) -> None:
    if not by_day:
        lake.load(name, rows)
        return
    for day in rows[by_day].unique().to_pylist():
        of_day = rows.filter(pa.compute.equal(rows[by_day], day)).drop_columns([by_day])
        lake.load(f"{name}/{by_day}={day}", of_day)


def _drafted(schema: Schema, options: Sequence[str], path: Path, *, days: int) -> None:
    """Draft a file, compare what it says, and measure the last days by it."""
    made = driftline("init", *options, *schema.options)
    assert made.exit_code == 0, made.output
    file = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert file["task"] == schema.task
    places = ("parquet", "table")
    assert {k: v for k, v in file["predictions"].items() if k not in places} == schema.roles
    assert {k: v for k, v in file["labels"].items() if k not in places} == schema.labels
    monitor = Monitor.model_validate(file)
    monitor._path = path
    with open_logs(monitor) as logs:
        assert logs.features(*monitor.reference.window) == schema.features
    linted = driftline("lint", path, "--connect")
    assert linted.exit_code == 0, linted.output
    store = f"sqlite:///{path.parent / 'store.db'}"
    path.write_text(path.read_text() + f"store: {store}\n", encoding="utf-8")
    end = START + 5 * timedelta(days=1)
    start = end - timedelta(days=days)
    ran = driftline("backfill", path, "--from", f"{start:%F}", "--to", f"{end:%F}")
    assert ran.exit_code == 0, ran.output
    with Store.open(make_url(store)) as opened, opened.read() as connection:
        found = connection.execute(
            select(measurements.c.suite).where(measurements.c.value.is_not(None))
        )
        assert {"drift", "performance"} <= set(found.scalars())
        assert "failed" not in set(connection.execute(select(windows.c.state)).scalars())


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])
