"""The first tables: measurements, verdicts and what goes with them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

EXPLAINED = ("monitor", "cadence", "window_start", "scope", "metric", "as_of", "config_hash")
INSTANT = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")

# The newest as_of of each number of the current configuration, with the worst verdict on it.
CURRENT_MEASUREMENTS = """
CREATE VIEW current_measurements AS
SELECT
    m.monitor, m.model_version, m.segment, m.cadence, m.window_start, m.window_end, m.suite,
    m.metric, m.column_name, m.detail, m.baseline, m.engine, m.value, m.lower, m.upper,
    m.row_count, m.coverage, m.reason, m.as_of, m.reference_id, m.config_hash, m.run_id,
    m.recorded_at,
    (
        SELECT v.verdict
        FROM verdicts AS v
        WHERE v.monitor = m.monitor
            AND v.cadence = m.cadence
            AND v.window_start = m.window_start
            AND v.model_version = m.model_version
            AND v.segment = m.segment
            AND v.suite = m.suite
            AND v.metric = m.metric
            AND v.column_name = m.column_name
            AND v.detail = m.detail
            AND v.baseline = m.baseline
            AND v.engine = m.engine
            AND v.as_of = m.as_of
            AND v.config_hash = m.config_hash
            AND v.reference_id = m.reference_id
        ORDER BY
            CASE v.verdict
                WHEN 'critical' THEN 0 WHEN 'warn' THEN 1 WHEN 'ok' THEN 2 ELSE 3
            END
        LIMIT 1
    ) AS verdict
FROM (
    SELECT
        measurements.*,
        MAX(measurements.as_of) OVER (
            PARTITION BY
                measurements.monitor, cadence, window_start, model_version, segment, suite,
                metric, column_name, detail, baseline, engine
        ) AS newest
    FROM measurements
    INNER JOIN monitors
        ON monitors.monitor = measurements.monitor
        AND monitors.config_hash = measurements.config_hash
) AS m
WHERE m.as_of = m.newest
"""


def upgrade() -> None:
    """Make the tables and the view."""
    op.create_table(
        "measurements",
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
        sa.Column("value", sa.Double),
        sa.Column("lower", sa.Double),
        sa.Column("upper", sa.Double),
        sa.Column("row_count", sa.BigInteger),
        sa.Column("coverage", sa.Double),
        _label("reason"),
        _time("as_of"),
        _label("reference_id"),
        _label("config_hash"),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(*_MEASUREMENT, name="measurements_pkey"),
        sa.CheckConstraint(
            "value IS NOT NULL OR reason <> ''", name="measurements_missing_has_reason"
        ),
    )
    op.create_index("measurements_by_time", "measurements", ["monitor", "window_start"])

    op.create_table(
        "verdicts",
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
        sa.Column("value", sa.Double),
        sa.Column("verdict", sa.Text, nullable=False),
        _label("reason"),
        sa.Column("streak", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("firing", sa.Boolean, nullable=False, server_default=sa.text("false")),
        _time("as_of"),
        _label("reference_id"),
        _label("config_hash"),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(*_MEASUREMENT, "rule", name="verdicts_pkey"),
        sa.CheckConstraint(
            "verdict IN ('ok', 'warn', 'critical', 'not_evaluated')", name="verdicts_known"
        ),
    )
    op.create_index("verdicts_by_outcome", "verdicts", ["monitor", "verdict", "window_start"])

    op.create_table(
        "monitors",
        sa.Column("monitor", sa.Text, primary_key=True),
        _label("config_hash"),
        _label("run_id"),
        _time("recorded_at"),
    )

    op.create_table(
        "references",
        _label("monitor"),
        _label("config_hash"),
        _label("reference_id"),
        _time("valid_from"),
        _time("window_start", nullable=True),
        _time("window_end", nullable=True),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("monitor", "reference_id", name="references_pkey"),
    )
    op.create_index("references_by_time", "references", ["monitor", "config_hash", "valid_from"])

    op.create_table(
        "profiles",
        _label("monitor"),
        _label("reference_id"),
        _label("cadence"),
        _time("window_start"),
        _label("model_version"),
        _label("segment"),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(
            "monitor",
            "reference_id",
            "cadence",
            "window_start",
            "model_version",
            "segment",
            name="profiles_pkey",
        ),
        sa.CheckConstraint("cadence IN ('1h', '1d', 'reference')", name="profiles_known"),
    )

    op.create_table(
        "outcomes",
        _label("monitor"),
        _label("reference_id"),
        _label("cadence"),
        _time("window_start"),
        _time("as_of"),
        _label("model_version"),
        _label("segment"),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("labelled", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(
            "monitor",
            "reference_id",
            "cadence",
            "window_start",
            "as_of",
            "model_version",
            "segment",
            name="outcomes_pkey",
        ),
        sa.CheckConstraint("cadence IN ('1h', 'reference')", name="outcomes_known"),
    )

    op.create_table(
        "windows",
        _label("monitor"),
        _label("cadence"),
        _time("window_start"),
        _time("window_end"),
        _label("suite"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("row_count", sa.BigInteger),
        sa.Column("coverage", sa.Double),
        _label("error"),
        _time("as_of"),
        _label("config_hash"),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(
            "monitor",
            "cadence",
            "window_start",
            "suite",
            "as_of",
            "config_hash",
            name="windows_pkey",
        ),
        sa.CheckConstraint(
            "state IN ('done', 'failed', 'not_evaluated', 'claimed')", name="windows_known"
        ),
    )

    op.create_table(
        "incidents",
        sa.Column("id", sa.Text, primary_key=True),
        _label("monitor"),
        _label("rule"),
        _label("model_version"),
        _label("segment"),
        _label("cadence"),
        _label("suite"),
        _label("metric"),
        _label("column_name"),
        _label("detail"),
        _label("baseline"),
        _label("engine"),
        sa.Column("severity", sa.Text, nullable=False),
        _time("began"),
        _time("fired"),
        _time("last_failed"),
        _time("resolved", nullable=True),
        _time("paged_at", nullable=True),
        _label("note"),
        sa.CheckConstraint("severity IN ('warn', 'critical')", name="incidents_known"),
    )
    op.create_index("incidents_by_time", "incidents", ["monitor", "fired"])

    op.create_table(
        "explanations",
        _label("monitor"),
        _label("cadence"),
        _time("window_start"),
        _time("window_end"),
        _label("scope"),
        _label("metric"),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("reference_value", sa.Double),
        sa.Column("window_value", sa.Double),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("fall", sa.Double),
        sa.Column("lower", sa.Double),
        sa.Column("upper", sa.Double),
        sa.Column("inputs", sa.Double),
        sa.Column("relation", sa.Double),
        sa.Column("relation_lower", sa.Double),
        sa.Column("relation_upper", sa.Double),
        _time("as_of"),
        _label("config_hash"),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(*EXPLAINED, name="explanations_pkey"),
    )

    op.create_table(
        "causes",
        _label("monitor"),
        _label("cadence"),
        _time("window_start"),
        _time("window_end"),
        _label("scope"),
        _label("metric"),
        sa.Column("rank", sa.Integer, nullable=False),
        _label("kind"),
        _label("column_name"),
        _label("segment"),
        sa.Column("share", sa.Double),
        _time("began", nullable=True),
        sa.Column("words", sa.Text, nullable=False),
        _time("as_of"),
        _label("config_hash"),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint(*EXPLAINED, "rank", name="causes_pkey"),
    )

    op.create_table(
        "retrainings",
        _label("monitor"),
        _time("as_of"),
        sa.Column("state", sa.Text, nullable=False),
        _label("decision"),
        _label("reason"),
        sa.Column("evidence", sa.Text, nullable=False),
        _label("champion"),
        _label("champion_sha256"),
        _label("challenger"),
        _label("challenger_sha256"),
        _label("promoted"),
        _label("promoted_sha256"),
        _label("metric"),
        sa.Column("champion_value", sa.Double),
        sa.Column("challenger_value", sa.Double),
        sa.Column("gain", sa.Double),
        sa.Column("lower", sa.Double),
        sa.Column("upper", sa.Double),
        sa.Column("row_count", sa.BigInteger),
        _time("train_start", nullable=True),
        _time("holdout_start", nullable=True),
        _label("run_id"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint("monitor", "as_of", name="retrainings_pkey"),
        sa.CheckConstraint(
            "state IN ('admitted', 'trained', 'passed', 'refused', 'refitted', 'promoted')",
            name="retrainings_known",
        ),
    )

    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, primary_key=True),
        _label("monitor"),
        _label("channel"),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        _time("created"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        _time("due", nullable=True),
        _time("delivered", nullable=True),
        _label("error"),
    )
    op.create_index("outbox_by_due", "outbox", ["due"])

    op.execute(CURRENT_MEASUREMENTS)


def downgrade() -> None:
    """Drop the view and the tables, and all that was recorded."""
    op.execute("DROP VIEW current_measurements")
    for name in (
        "outbox",
        "retrainings",
        "incidents",
        "windows",
        "causes",
        "explanations",
        "outcomes",
        "profiles",
        "references",
        "monitors",
        "verdicts",
        "measurements",
    ):
        op.drop_table(name)


_MEASUREMENT = (
    "monitor",
    "cadence",
    "window_start",
    "model_version",
    "segment",
    "suite",
    "metric",
    "column_name",
    "detail",
    "baseline",
    "engine",
    "as_of",
    "config_hash",
    "reference_id",
)


def _label(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))


def _time(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, INSTANT, nullable=nullable)
