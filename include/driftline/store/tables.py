"""The tables. `migrations` makes them; a test holds the two to each other.

The column order is the order in which a person reads a row. The order of a primary key is that of
its index: by monitor and time first, which is how everything here is read.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    column,
    table,
    text,
)

from driftline.store.types import Label, Utc, Words

metadata = MetaData()

SERIES = (
    "model_version",
    "segment",
    "cadence",
    "suite",
    "metric",
    "column_name",
    "detail",
    "baseline",
    "engine",
)
"""The columns of a `Series`."""

NUMBER = ("monitor", "cadence", "window_start", *(name for name in SERIES if name != "cadence"))
"""What a number is about; the same number may be measured again, as more becomes known."""

MEASUREMENT = (*NUMBER, "as_of", "config_hash", "reference_id")
"""The key of a measurement."""


def _label(name: str) -> Column[str]:
    return Column(name, Label, nullable=False, server_default=text("''"))


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Utc, nullable=nullable)


measurements = Table(
    "measurements",
    metadata,
    _label("monitor"),
    _label("model_version"),
    _label("segment"),
    _label("cadence"),
    _time("window_start"),
    _time("window_end"),
    _label("suite"),
    _label("metric"),
    _label("column_name"),
    _label("detail"),
    _label("baseline"),
    _label("engine"),
    Column("value", Double),
    Column("lower", Double),
    Column("upper", Double),
    Column("row_count", BigInteger),
    Column("coverage", Double),
    Column("reason", Words, nullable=False, server_default=text("''")),
    _time("as_of"),
    _label("reference_id"),
    _label("config_hash"),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(*MEASUREMENT, name="measurements_pkey"),
    CheckConstraint("value IS NOT NULL OR reason <> ''", name="measurements_missing_has_reason"),
    Index("measurements_by_time", "monitor", "window_start"),
)

current_measurements = table(
    "current_measurements",
    *(column(c.name, c.type) for c in measurements.columns),
    column("verdict", Text()),
)
"""The view; its SQL stands in the migration that made it."""

verdicts = Table(
    "verdicts",
    metadata,
    _label("monitor"),
    _label("rule"),
    _label("model_version"),
    _label("segment"),
    _label("cadence"),
    _time("window_start"),
    _time("window_end"),
    _label("suite"),
    _label("metric"),
    _label("column_name"),
    _label("detail"),
    _label("baseline"),
    _label("engine"),
    Column("value", Double),
    Column("verdict", Text, nullable=False),
    Column("reason", Words, nullable=False, server_default=text("''")),
    Column("streak", Integer, nullable=False, server_default=text("0")),
    Column("firing", Boolean, nullable=False, server_default=text("false")),
    _time("as_of"),
    _label("reference_id"),
    _label("config_hash"),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(*MEASUREMENT, "rule", name="verdicts_pkey"),
    CheckConstraint(
        "verdict IN ('ok', 'warn', 'critical', 'not_evaluated')", name="verdicts_known"
    ),
    Index("verdicts_by_outcome", "monitor", "verdict", "window_start"),
)

monitors = Table(
    "monitors",
    metadata,
    Column("monitor", Label, primary_key=True),
    _label("config_hash"),
    _label("run_id"),
    _time("recorded_at"),
)
"""The configuration that each monitor ran with last: what `current_measurements` calls current."""

references = Table(
    "references",
    metadata,
    _label("monitor"),
    _label("config_hash"),
    _label("reference_id"),
    _time("valid_from"),
    _time("window_start", nullable=True),
    _time("window_end", nullable=True),
    Column("row_count", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    PrimaryKeyConstraint("monitor", "reference_id", name="references_pkey"),
    Index("references_by_time", "monitor", "config_hash", "valid_from"),
)

profiles = Table(
    "profiles",
    metadata,
    _label("monitor"),
    _label("reference_id"),
    _label("cadence"),
    _time("window_start"),
    _label("model_version"),
    _label("segment"),
    Column("row_count", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(
        "monitor",
        "reference_id",
        "cadence",
        "window_start",
        "model_version",
        "segment",
        name="profiles_pkey",
    ),
    CheckConstraint("cadence IN ('1h', '1d', 'reference')", name="profiles_known"),
)
"""Additive counts on a reference's bins, of hours, of whole days, and of the reference itself."""

outcomes = Table(
    "outcomes",
    metadata,
    _label("monitor"),
    _label("reference_id"),
    _label("cadence"),
    _time("window_start"),
    _time("as_of"),
    _label("model_version"),
    _label("segment"),
    Column("row_count", BigInteger, nullable=False),
    Column("labelled", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(
        "monitor",
        "reference_id",
        "cadence",
        "window_start",
        "as_of",
        "model_version",
        "segment",
        name="outcomes_pkey",
    ),
    CheckConstraint("cadence IN ('1h', 'reference')", name="outcomes_known"),
)
"""What came of the predictions of each hour, as it was known at a moment, and of the reference."""

windows = Table(
    "windows",
    metadata,
    _label("monitor"),
    _label("cadence"),
    _time("window_start"),
    _time("window_end"),
    _label("suite"),
    Column("state", Text, nullable=False),
    Column("row_count", BigInteger),
    Column("coverage", Double),
    Column("error", Words, nullable=False, server_default=text("''")),
    _time("as_of"),
    _label("config_hash"),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(
        "monitor",
        "cadence",
        "window_start",
        "suite",
        "as_of",
        "config_hash",
        name="windows_pkey",
    ),
    CheckConstraint(
        "state IN ('done', 'failed', 'not_evaluated', 'claimed')", name="windows_known"
    ),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    _label("monitor"),
    _label("rule"),
    *map(_label, SERIES),
    Column("severity", Text, nullable=False),
    _time("began"),
    _time("fired"),
    _time("last_failed"),
    _time("resolved", nullable=True),
    _time("paged_at", nullable=True),
    Column("note", Words, nullable=False, server_default=text("''")),
    CheckConstraint("severity IN ('warn', 'critical')", name="incidents_known"),
    Index("incidents_by_time", "monitor", "fired"),
)

_EXPLAINED = (
    "monitor",
    "cadence",
    "window_start",
    "scope",
    "metric",
    "as_of",
    "config_hash",
)

explanations = Table(
    "explanations",
    metadata,
    _label("monitor"),
    _label("cadence"),
    _time("window_start"),
    _time("window_end"),
    _label("scope"),
    _label("metric"),
    Column("words", Words, nullable=False),
    Column("reference_value", Double),
    Column("window_value", Double),
    Column("row_count", BigInteger, nullable=False),
    Column("fall", Double),
    Column("lower", Double),
    Column("upper", Double),
    Column("inputs", Double),
    Column("relation", Double),
    Column("relation_lower", Double),
    Column("relation_upper", Double),
    _time("as_of"),
    _label("config_hash"),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(*_EXPLAINED, name="explanations_pkey"),
)
"""Why a metric of performance fell in a window, or in a segment of it (`scope`)."""

causes = Table(
    "causes",
    metadata,
    _label("monitor"),
    _label("cadence"),
    _time("window_start"),
    _time("window_end"),
    _label("scope"),
    _label("metric"),
    Column("rank", Integer, nullable=False),
    _label("kind"),
    _label("column_name"),
    _label("segment"),
    Column("share", Double),
    _time("began", nullable=True),
    Column("words", Words, nullable=False),
    _time("as_of"),
    _label("config_hash"),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint(*_EXPLAINED, "rank", name="causes_pkey"),
)
"""The causes that an explanation names, the likeliest first."""

retrainings = Table(
    "retrainings",
    metadata,
    _label("monitor"),
    _time("as_of"),
    Column("state", Text, nullable=False),
    Column("decision", Words, nullable=False, server_default=text("''")),
    Column("reason", Words, nullable=False, server_default=text("''")),
    Column("evidence", Words, nullable=False),
    _label("champion"),
    _label("champion_sha256"),
    _label("challenger"),
    _label("challenger_sha256"),
    _label("promoted"),
    _label("promoted_sha256"),
    _label("metric"),
    Column("champion_value", Double),
    Column("challenger_value", Double),
    Column("gain", Double),
    Column("lower", Double),
    Column("upper", Double),
    Column("row_count", BigInteger),
    _time("train_start", nullable=True),
    _time("holdout_start", nullable=True),
    _label("run_id"),
    _time("recorded_at"),
    PrimaryKeyConstraint("monitor", "as_of", name="retrainings_pkey"),
    CheckConstraint(
        "state IN ('admitted', 'trained', 'passed', 'refused', 'refitted', 'promoted')",
        name="retrainings_known",
    ),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    _label("monitor"),
    _label("channel"),
    Column("target", Words, nullable=False),
    Column("body", Words, nullable=False),
    _time("created"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _time("due", nullable=True),
    _time("delivered", nullable=True),
    Column("error", Words, nullable=False, server_default=text("''")),
    Index("outbox_by_due", "due"),
)
