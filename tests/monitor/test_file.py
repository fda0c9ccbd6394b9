"""Reading monitor files: short and long form, defaults of a folder, and faults with their place."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from driftline.errors import ConfigError, Fault, UnknownMonitor
from driftline.monitor import file as monitor_file
from driftline.monitor.config import Monitor
from driftline.monitor.sections import DriftMethod, Worsening

SHORT = """\
monitor: flight_delay
task: binary
warehouse: driftline_warehouse
predictions:
  table: predictions
  id: request_id
  timestamp: predicted_at
  score: probability
labels:
  table: labels
  id: request_id
  timestamp: labelled_at
  label: delayed
reference:
  window: [2013-03-01, 2013-04-01]
"""

LONG = """\
monitor: flight_delay
task: multiclass
warehouse: postgresql://${USER}@localhost/logs
store: sqlite:///results.db
artifacts: reports
owner: ml-team
schedule: {hourly: true, start: 2013-04-01, end: null}
predictions:
  table: serving.predictions
  id: [session_id, item_id]
  timestamp: predicted_at
  where: "model = 'flight_delay' and not shadow"
  version: model_version
  latency_ms: latency_ms
  status: {column: status, ok: [200]}
  score: {a: p_a, b: outputs.scores.b}
  partition: {column: ds, slack: 1d}
  timezone: America/New_York
  settle: 10m
  lookback: 3d
labels:
  table: labels
  id: [session_id, item_id]
  timestamp: labelled_at
  label: delayed
  loaded_at: loaded_at
  absent: {value: b, after: 60d}
  maturity: 60d
  min_coverage: 0.8
  lookback: 90d
features:
  numeric: [distance, temp, inputs.feature1]
  categorical: [carrier, origin]
  text: [comment, inputs.note]
  timestamp: [booked_at]
  exclude: [email]
  sensitive: [postcode]
windows: [7d, 1h, 1d]
segments: [origin]
reference: {previous: 28d}
quality:
  - expect_column_values_to_not_be_null: {column: carrier, mostly: 0.99, severity: critical}
  - expect_table_row_count_to_be_between: {min_value: 10}
drift: {method: auto, columns: {temp: {method: [psi, ks]}}}
business:
  conversion: "avg(case when purchased then 1.0 else 0.0 end)"
rules:
  - name: worse-than-a-constant
    metric: log_loss_ratio
    columns: ["*"]
    window: 7d
    max: 1.0
    for: 3
    severity: critical
    then: [alert, retrain]
  - {metric: accuracy, worse_by: 5%, window: 7d}
  - {metric: ks_p_value, columns: temp, min: 0.01}
routes:
  critical: [{slack: "#ml-alerts"}, {pagerduty: pagerduty_default}]
  warn: [{email: ml-team@example.com}]
retraining:
  train: flights.training:train
  window: 60d
  cooldown: 3d
  gate: {metric: log_loss, holdout: 14d}
  approval: human
"""


def write(folder: Path, text: str, name: str = "flight_delay.yaml") -> Path:
    path = folder / name
    path.write_text(dedent(text), encoding="utf-8")
    return path


def faults(path: Path) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        monitor_file.load(path)
    return caught.value.faults


def test_the_short_form_is_enough(tmp_path: Path) -> None:
    monitor = monitor_file.load(write(tmp_path, SHORT))
    assert monitor.predictions.id == ("request_id",)
    assert monitor.reference.window == (
        datetime(2013, 3, 1, tzinfo=UTC),
        datetime(2013, 4, 1, tzinfo=UTC),
    )
    assert monitor.windows == ("1h", "1d", "7d")
    assert monitor.rules is None
    assert monitor.drift_methods("temp") == (DriftMethod.PSI,)
    assert monitor.folder == tmp_path


def test_the_long_form_is_read(tmp_path: Path) -> None:
    monitor = monitor_file.load(write(tmp_path, LONG))
    assert monitor.predictions.id == ("session_id", "item_id")
    assert monitor.predictions.settle == timedelta(minutes=10)
    assert monitor.predictions.score == {"a": "p_a", "b": "outputs.scores.b"}
    assert monitor.windows == ("1h", "1d", "7d")
    assert monitor.reference.previous == timedelta(days=28)
    first, second = monitor.quality
    assert (first.column, first.severity, first.kwargs["mostly"]) == ("carrier", "critical", 0.99)
    assert (second.column, second.severity) == ("", "warn")
    assert monitor.drift_methods("temp") == (DriftMethod.PSI, DriftMethod.KS)
    assert monitor.drift_methods("humid") == (DriftMethod.PSI, DriftMethod.KS)
    named, sliding, p_value = monitor.rules or ()
    assert (named.in_a_row, named.then) == (3, ("alert", "retrain"))
    assert sliding.worse_by == Worsening(amount=0.05, relative=True)
    assert sliding.name == "accuracy-7d"
    assert (p_value.name, p_value.columns) == ("ks_p_value-temp", ("temp",))
    assert [route.channel for route in monitor.routes["critical"]] == ["slack", "pagerduty"]


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Y", "true_label", "False?"])
def test_a_bare_yes_is_the_word(tmp_path: Path, word: str) -> None:
    text = SHORT.replace("score: probability", f"score: probability\n  positive: {word}")
    assert monitor_file.load(write(tmp_path, text)).predictions.positive == word


@pytest.mark.parametrize("text", [SHORT, LONG])
def test_a_monitor_that_is_written_out_reads_the_same(tmp_path: Path, text: str) -> None:
    monitor = monitor_file.load(write(tmp_path, text))
    written = monitor.model_dump(mode="json", by_alias=True, exclude_unset=True)
    again = monitor_file.load(write(tmp_path, yaml.safe_dump(written), "again.yaml"))
    assert again.model_dump() == monitor.model_dump()
    assert again.config_hash == monitor.config_hash


def test_the_folders_defaults_hold_where_the_file_is_silent(tmp_path: Path) -> None:
    write(tmp_path, "store: sqlite:///all.db\nowner: us\nwindows: [1d]\n", "driftline.yaml")
    monitor = monitor_file.load(write(tmp_path, SHORT + "owner: me\n"))
    assert (monitor.store, monitor.owner, monitor.windows) == ("sqlite:///all.db", "me", ("1d",))


def test_a_fault_in_the_defaults_is_placed_there(tmp_path: Path) -> None:
    write(tmp_path, "owner: us\nstoer: x\n", "driftline.yaml")
    (fault,) = faults(write(tmp_path, SHORT))
    assert (fault.file.name, fault.line, fault.key) == ("driftline.yaml", 2, "stoer")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "said"),
    [
        ("task: binary", "task: binry", 2, "task", "Did you mean 'binary'?"),
        ("  score:", "  scoer:", 8, "predictions.scoer", "Did you mean 'score'?"),
        ("labels:", "lables:", 9, "lables", "Did you mean 'labels'?"),
        ("  label: delayed\n", "", 9, "labels", "the key 'label' is missing"),
        ("2013-04-01]", "2013-02-01]", 14, "reference", "backwards: 2013-03-01 to 2013-02-01"),
        ("2013-04-01]", "soon]", 15, "reference.window.1", "found 'soon'"),
        (
            "  id: request_id",
            "  id: []",
            6,
            "predictions.id",
            "found []; it should have at least 1 item",
        ),
        ("monitor: flight_delay", "monitor: ../x", 1, "monitor", "found '../x'"),
        ("warehouse: driftline_warehouse\n", "", 1, "warehouse", "a connection id or a URL"),
        (
            "  label: delayed",
            "  label: delayed\n  absent: {value: 0}",
            14,
            "labels.absent",
            "the key 'after' is missing",
        ),
        (
            "  label: delayed",
            "  label: delayed\n  absent: {value: 0, aftr: 2d}",
            14,
            "labels.absent.aftr",
            "Did you mean 'after'?",
        ),
        ("  table: labels\n", "  table: labels\n  query: select 1\n", 9, "labels", "write one of"),
        ("  score: probability", "  score: {a: b}", 8, "predictions.score", "is one column"),
    ],
)
def test_a_fault_names_line_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: int, key: str, said: str
) -> None:
    assert old in SHORT
    found = faults(write(tmp_path, SHORT.replace(old, new, 1)))
    assert [(fault.line, fault.key) for fault in found] == [(line, key)]
    assert said in str(found[0])
    assert str(found[0]).startswith(f"{tmp_path / 'flight_delay.yaml'}:{line}: ")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{metric: psii, max: 1}", "Did you mean 'psi'?"),
        ("{metric: roc_auc, window: 30d, min: 0}", "30d is not among windows"),
        ("{metric: mae, max: 1}", "nothing here measures 'mae'"),
        ("{metric: domain_classifier_auc, window: 7d, max: 1}", "measured once a day, on 1d"),
        ("{metric: null_share, window: 7d, max: 1}", "quality is measured on: 1h, 1d"),
        ("{metric: latency_p95, max: 1}", "It needs predictions.latency_ms"),
        ("{metric: throughput, min: 1}", "It needs predictions.latency_ms or predictions.status"),
        (
            "{name: a, metric: psi, baseline: seasonal, max: 1}",
            "seasonal is not among drift.baselines",
        ),
        ("{metric: roc_auc, baseline: reference, min: 0}", "roc_auc is no drift"),
        ("{metric: roc_auc, suite: estimate, baseline: reference, min: 0}", "is no drift"),
        ("{metric: null_share, baseline: reference, max: 1}", "null_share is no drift"),
        ("{metric: psi}", "write a bound"),
        ("{metric: psi, max: 1, min: 2}", "above max"),
        ("{metric: psi, worse_by: lots}", "found 'lots'"),
        ("{metric: psi, worse_by: [5%, lots]}", "or a list of them"),
        ("{metric: psi, worse_by: []}", "or a list of them"),
        ("{name: a, metric: psi, surely: true, max: 1}", "found psi, which has no interval"),
        ("{metric: ece, surely: true, max: 1}", "found ece, which has no interval"),
        ("{metric: roc_auc, engine: evidently, surely: true, min: 0}", "has no interval"),
        ("{metric: psi, max: 1, for: 0}", "found 0"),
        ("{metric: psi, max: 1, windw: 7d}", "Did you mean 'window'?"),
    ],
)
def test_a_rule_that_can_never_be_judged_is_a_fault(tmp_path: Path, rule: str, said: str) -> None:
    text = SHORT + f"rules:\n  - {{metric: psi, max: 1}}\n  - {rule}\n"
    (fault,) = faults(write(tmp_path, text))
    assert fault.key.startswith("rules.1")
    assert fault.line == 18
    assert said in str(fault)


@pytest.mark.parametrize(
    ("drift", "reference", "metric", "said"),
    [
        ("previous", "window: [2013-03-01, 2013-04-01]", "psi", ""),
        ("[reference, previous]", "window: [2013-03-01, 2013-04-01]", "drift_share", ""),
        ("seasonal", "window: [2013-03-01, 2013-04-01]", "psi", "not among drift.baselines"),
        ("previous", "window: [2013-03-01, 2013-04-01]", "domain_classifier_auc", "reference only"),
        ("previous", "previous: 7d", "psi", "that past only"),
    ],
)
def test_a_rule_names_a_baseline_that_windows_are_compared_with(
    tmp_path: Path, drift: str, reference: str, metric: str, said: str
) -> None:
    text = SHORT.replace("window: [2013-03-01, 2013-04-01]", reference)
    text += f"drift: {{baselines: {drift}}}\n"
    path = write(tmp_path, f"{text}rules: [{{metric: {metric}, baseline: previous, max: 1}}]\n")
    if not said:
        assert monitor_file.load(path).rules
        return
    (fault,) = faults(path)
    assert (fault.key, fault.line) == ("rules.0.baseline", 17)
    assert said in str(fault)


PARTED = "segments: [origin, postcode]\nfeatures: {sensitive: [postcode]}\n"


@pytest.mark.parametrize(
    ("rule", "key", "said"),
    [
        ("engine: evidently, baseline: previous", "baseline", "with the reference only"),
        ("engine: evidently, segment: 'origin=*'", "segment", "measures no segments"),
        ("engine: evidently, window: 7d", "window", "once a day, on 1d"),
        ("engine: evidently, window: 1h", "window", "once a day, on 1d"),
        ("engine: evidentl", "engine", "Did you mean 'evidently'?"),
        ("segment: 'orign=JFK'", "segment", "Did you mean 'origin=JFK'?"),
        ("segment: JFK", "segment", "there are: origin=..., postcode=..."),
        ("segment: 'postcode=10115'", "segment", "named by hashes"),
        ("segment: 'postcode=10*'", "segment", "named by hashes"),
    ],
)
def test_a_rule_that_no_number_can_match_is_refused(
    tmp_path: Path, rule: str, key: str, said: str
) -> None:
    text = f"{SHORT}{PARTED}drift: {{baselines: [previous]}}\n"
    path = write(tmp_path, f"{text}rules: [{{metric: psi, max: 1, {rule}}}]\n")
    (fault,) = faults(path)
    assert (fault.key, fault.line) == (f"rules.0.{key}", 19)
    assert said in str(fault)


@pytest.mark.parametrize(
    "rule",
    [
        "engine: evidently",
        "engine: evidently, window: 1d, baseline: reference",
        "segment: 'postcode=*'",
        "segment: 'postcode=0123456789ab'",
        "segment: 'origin=J*'",
        "segment: '*'",
        "segment: '*=JFK'",
    ],
)
def test_a_rule_that_some_number_can_match_is_not(tmp_path: Path, rule: str) -> None:
    path = write(tmp_path, f"{SHORT}{PARTED}rules: [{{metric: psi, max: 1, {rule}}}]\n")
    assert monitor_file.load(path).rules


def test_baselines_beside_a_sliding_past_are_said_to_do_nothing(tmp_path: Path) -> None:
    text = SHORT.replace("window: [2013-03-01, 2013-04-01]", "previous: 28d")
    assert monitor_file.load(write(tmp_path, text)).not_acted_on == ()
    monitor = monitor_file.load(write(tmp_path, text + "drift: {baselines: [seasonal]}\n"))
    assert "drift.baselines: with reference.previous" in monitor.not_acted_on[0]


@pytest.mark.parametrize(
    ("business", "key", "said"),
    [
        ("{psi: 'avg(x)'}", "business.psi", "that of another metric"),
        ("{latency_p50: 'avg(x)'}", "business.latency_p50", "that of another metric"),
        ("{'a b': 'avg(x)'}", "business.a b", "use letters"),
        ("{a: ''}", "business.a", "at least 1 character"),
        ("{a: ' -- nothing'}", "business.a", "write a SQL aggregate"),
        ("{a: 'avg(x); drop table y'}", "business.a", "without a semicolon"),
        ("{a: {sql: avg(x), better: more}}", "business.a.better", "allowed are: higher, lower"),
        ("{a: {better: higher}}", "business.a", "the key 'sql' is missing"),
        ("{a: {sql: avg(x), bettr: higher}}", "business.a.bettr", "unknown key"),
    ],
)
def test_a_business_metric_is_one_aggregate_under_a_name_of_its_own(
    tmp_path: Path, business: str, key: str, said: str
) -> None:
    (fault,) = faults(write(tmp_path, f"{SHORT}business: {business}\n"))
    assert fault.key == key
    assert fault.line == 16
    assert said in str(fault)


def test_worse_by_wants_to_know_which_way_a_business_metric_is_worse(tmp_path: Path) -> None:
    rules = "rules: [{metric: sold, worse_by: 5%}]\n"
    (fault,) = faults(write(tmp_path, SHORT + "business: {sold: count(*)}\n" + rules))
    assert (fault.key, fault.line) == ("rules.0.worse_by", 17)
    assert "business.sold: {sql: ..., better: higher}" in str(fault)
    text = SHORT + "business: {sold: {sql: count(*), better: higher}}\n" + rules
    assert monitor_file.load(write(tmp_path, text)).business["sold"].better == "higher"


TABLE = """\
monitor: customers
task: none
warehouse: driftline_warehouse
predictions:
  table: features.customers
  timestamp: computed_at
reference: {previous: 28d}
"""


def test_a_table_without_predictions_may_be_watched(tmp_path: Path) -> None:
    monitor = monitor_file.load(write(tmp_path, TABLE))
    assert monitor.prediction_columns == ()
    assert not monitor.estimated


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        ("labels: {label: y}", "labels", "leave labels out, or write task: binary"),
        ("retraining: {dag: mine}", "retraining", "leave retraining out"),
        ("rules: [{metric: roc_auc, min: 0.7}]", "rules.0.metric", "has no predictions whose"),
        ("rules: [{metric: rmse, max: 1}]", "rules.0.metric", "has no predictions whose"),
        ("rules: [{metric: mae, suite: estimate, max: 1}]", "rules.0.suite", "has neither"),
        ("rules: [{metric: psi, max: 1, then: [retrain]}]", "rules.0.then", "no model to retrain"),
    ],
)
def test_what_needs_a_model_is_refused_where_there_is_none(
    tmp_path: Path, more: str, key: str, said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        monitor_file.load(write(tmp_path, TABLE + more + "\n"))
    (fault,) = error.value.faults
    assert (fault.key, fault.line) == (key, 8)
    assert "task: none" in fault.problem
    assert said in fault.problem


@pytest.mark.parametrize(
    "line", ["score: p", "prediction: p", "score: {a: p, b: q}", "positive: 1", "threshold: 0.5"]
)
def test_where_nothing_is_predicted_no_column_says_what_was(tmp_path: Path, line: str) -> None:
    text = TABLE.replace("  timestamp", f"  {line}\n  timestamp")
    with pytest.raises(ConfigError) as error:
        monitor_file.load(write(tmp_path, text))
    (fault,) = error.value.faults
    assert (fault.key, fault.line) == (f"predictions.{line.partition(':')[0]}", 6)


def test_a_model_without_its_word_is_told_of_tables_without_predictions(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"write score, prediction or both; .* has task: none"):
        monitor_file.load(write(tmp_path, TABLE.replace("none", "binary")))


def test_a_rule_on_performance_without_labels_says_what_it_needs(tmp_path: Path) -> None:
    text = TABLE.replace("none", "binary").replace("  timestamp", "  score: p\n  timestamp")
    with pytest.raises(ConfigError, match="Performance needs labels"):
        monitor_file.load(write(tmp_path, text + "rules: [{metric: roc_auc, min: 0.7}]\n"))


def test_every_fault_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = SHORT.replace("binary", "binry").replace("score", "scoer") + "windows: [2h]\n"
    assert [fault.line for fault in faults(write(tmp_path, text))] == [2, 8, 16]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a mapping"),
        ("- a\n", "must be a mapping"),
        ("monitor: a\nmonitor: b\n", "written twice"),
        ("a: {b: c\n", "expected"),
        ("a: !!python/object/apply:os.system [true]\n", "could not determine a constructor"),
        ("? [a]\n: b\n", "a key must be"),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str, said: str) -> None:
    (fault,) = faults(write(tmp_path, text))
    assert said in str(fault)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path / "none.yaml")
    assert "no such file" in str(fault)


def test_a_monitor_is_found_by_name_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, SHORT, "other_name.yaml")
    write(tmp_path, "services: {}\n", "compose.yaml")
    monkeypatch.setenv("DRIFTLINE_MONITORS", str(tmp_path))
    assert monitor_file.find("flight_delay").path == path
    assert monitor_file.find(str(path)).monitor == "flight_delay"
    with pytest.raises(UnknownMonitor, match="Did you mean 'flight_delay'"):
        monitor_file.find("flight_dely")


def test_what_shapes_numbers_shapes_the_config_hash(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        return monitor_file.load(write(tmp_path, text)).config_hash

    plain = hashed(SHORT)
    assert plain == hashed(SHORT)
    for same in ("owner: x", "routes: {warn: []}", "windows: [1d]", "store: sqlite:///x.db"):
        assert hashed(f"{SHORT}{same}\n") == plain
    for same in (
        "rules: [{metric: psi, max: 1}]",
        "drift: {profiler: stream}",
        "drift: {domain_classifier: false}",
    ):
        assert hashed(f"{SHORT}{same}\n") == plain
    for other in (
        "segments: [origin]",
        "drift: {method: ks}",
        "drift: {rows: 99999}",
        "features: {exclude: [a]}",
        "business: {a: count(*)}",
    ):
        assert hashed(f"{SHORT}{other}\n") != plain
    for latency in ("latency_ms: took", "status: {column: code}", "status: {column: c, ok: [1]}"):
        assert hashed(SHORT.replace("  score:", f"  {latency}\n  score:")) != plain
    sold = hashed(f"{SHORT}business: {{a: count(*)}}\n")
    assert hashed(f"{SHORT}business: {{a: {{sql: count(*), better: lower}}}}\n") == sold
    assert hashed(f"{SHORT}business: {{b: count(*)}}\n") != sold
    assert hashed(SHORT.replace("2013-03-01", "2013-03-02")) != plain


def test_the_schema_knows_every_key_of_the_long_form() -> None:
    schema = json.dumps(Monitor.model_json_schema(by_alias=True))
    written = yaml.safe_load(LONG)
    for key in [*written, *written["labels"], *yaml.safe_load(EVENTS)["labels"], "within"]:
        assert f'"{key}"' in schema


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("  text: [", "  text: [temp, ", "features", "temp cannot be numeric and text at once"),
        ("[booked_at]", "[carrier]", "features", "carrier cannot be categorical and timestamp at"),
        ("[booked_at]", "[comment]", "features", "comment cannot be text and timestamp at once"),
        ("[booked_at]", "[predicted_at]", "features.timestamp", "its age is always 0"),
        ("segments: [origin]", "segments: [comment]", "segments", "comment stands under features"),
        ("  text: [", "  texts: [", "features.texts", "Did you mean 'text'?"),
    ],
)
def test_a_column_is_watched_in_one_way(
    tmp_path: Path, old: str, new: str, key: str, said: str
) -> None:
    assert old in LONG
    (fault,) = faults(write(tmp_path, LONG.replace(old, new, 1)))
    assert fault.key == key
    assert said in str(fault)


def test_what_a_rule_speaks_of_is_measured(tmp_path: Path) -> None:
    rule = "rules: [{metric: null_share_p_value, columns: temp, window: 7d, min: 0.001}]\n"
    monitor = monitor_file.load(write(tmp_path, SHORT + rule))
    assert monitor.drift_methods("temp") == (DriftMethod.PSI, DriftMethod.NULL_SHARE)


EVENTS = """\
labels:
  table: churned
  timestamp: churned_at
  label: churn
  absent: {value: 0, after: 45d}
  join: {key: customer_id, within: 30d}
"""


def events(extra: str = "", old: str = "", new: str = "") -> str:
    """Return the short form with labels that are events."""
    before, after = SHORT.index("labels:"), SHORT.index("reference:")
    assert old in EVENTS
    return SHORT[:before] + EVENTS.replace(old, new, 1) + extra + SHORT[after:]


def test_labels_are_waited_for_as_long_as_the_file_lets_them_take(tmp_path: Path) -> None:
    def labels(text: str) -> tuple[timedelta, timedelta]:
        read = monitor_file.load(write(tmp_path, text)).labels
        assert read
        return read.maturity, read.lookback

    day = timedelta(days=1)
    assert labels(SHORT) == (day, 30 * day)
    assert labels(events()) == (45 * day, 46 * day)
    assert labels(events("  maturity: 50d\n")) == (50 * day, 50 * day)
    assert labels(events("  lookback: 90d\n")) == (45 * day, 90 * day)
    rare = events(old="  absent: {value: 0, after: 45d}\n").replace("within: 30d", "within: 60d")
    assert labels(rare) == (day, 60 * day)
    read = monitor_file.load(write(tmp_path, events()))
    assert read.labels
    assert read.labels.join
    assert read.labels.join.key == ("customer_id",)
    written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert not {"maturity", "lookback"} & written["labels"].keys()


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (events("  maturity: 24h\n"), "labels.maturity", "1d; labels.absent.after asks for 45d or"),
        (events("  lookback: 45d\n"), "labels.lookback", "absent.after and a day asks for 46d or"),
        (
            events("  lookback: 10d\n", "  absent: {value: 0, after: 45d}\n"),
            "labels.lookback",
            "found 10d; labels.join.within asks for 30d or more",
        ),
        (SHORT.replace("label: d", "lookback: 12h\n  label: d"), "labels.lookback", "labels.matur"),
        (events(old="after: 45d", new="after: 7d"), "labels.absent.after", "events count for 30d"),
        (events(old="  timestamp: churned_at\n"), "labels.join", "write labels.timestamp"),
        (events(old="  table: churned\n"), "labels.join", "write labels.table"),
        (events("  id: request_id\n"), "labels.join", "labels.id or labels.join"),
        (events(old="customer_id", new="[]"), "labels.join.key", "at least 1 item"),
        (SHORT.replace("  id: request_id\n  timestamp: l", "  timestamp: l"), "labels", "write id"),
    ],
)
def test_labels_that_cannot_come_so_are_one_fault(
    tmp_path: Path, text: str, key: str, said: str
) -> None:
    (fault,) = faults(write(tmp_path, text))
    assert fault.key == key
    assert said in str(fault)


def test_the_shape_of_labels_is_hashed_and_how_long_is_waited_is_not(tmp_path: Path) -> None:
    def hashed(text: str) -> str:
        return monitor_file.load(write(tmp_path, text)).config_hash

    plain = hashed(events())
    for same in ("maturity: 50d", "lookback: 99d", "min_coverage: 0.5"):
        assert hashed(events(f"  {same}\n")) == plain
    assert hashed(events("  loaded_at: loaded_at\n")) != plain
    for old, new in (("value: 0", "value: 1"), ("45d", "46d"), ("30d", "29d"), ("_id,", ",")):
        assert hashed(events(old=old, new=new)) != plain


@pytest.mark.parametrize("line", range(1, len(LONG.splitlines()) + 1))
def test_a_line_that_is_lost_is_a_fault_or_a_monitor(tmp_path: Path, line: int) -> None:
    lines = LONG.splitlines()
    del lines[line - 1]
    path = write(tmp_path, "\n".join(lines))
    found: tuple[Fault, ...] = ()
    try:
        assert isinstance(monitor_file.load(path), Monitor)
    except ConfigError as error:
        found = error.faults
    assert all(fault.file == path and fault.problem for fault in found)


def test_an_expectation_that_is_written_twice_is_a_fault(tmp_path: Path) -> None:
    nulls = "  - expect_column_values_to_not_be_null: {column: x, severity: %s}\n"
    text = LONG.replace("quality:\n", "quality:\n" + nulls % "warn" + nulls % "critical")
    (fault,) = faults(write(tmp_path, text))
    assert (fault.key, fault.problem) == ("quality.1", "the same as quality.0")


def test_an_expectation_of_hashed_values_is_a_fault(tmp_path: Path) -> None:
    values = "  - expect_column_values_to_be_in_set: {column: postcode, value_set: [N1]}\n"
    nulls = "  - expect_column_values_to_not_be_null: {column: postcode}\n"
    text = LONG.replace("quality:\n", "quality:\n" + nulls + values)
    (fault,) = faults(write(tmp_path, text))
    assert fault.key == "quality.1"
    assert "postcode is sensitive" in fault.problem


def test_a_monitor_is_called_by_its_name_where_that_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, LONG)
    monitor = monitor_file.load(path)
    for folders, called in ((tmp_path, monitor.monitor), (tmp_path / "other", str(path))):
        monkeypatch.setenv("DRIFTLINE_MONITORS", str(folders))
        assert monitor_file.called(monitor) == called
        assert monitor_file.find(called).monitor == monitor.monitor
