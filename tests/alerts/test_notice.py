from dataclasses import replace
from datetime import UTC, datetime

import pytest

from driftline.alerts.notice import MOST_LINES, Finding, Notice, may_cause, notice
from driftline.alerts.slack import blocks, escape, message
from driftline.domain import DAY, Engine, Incident, Outcome, Scope, Suite, Verdict, Window

END = datetime(2013, 4, 12, tzinfo=UTC)
DAY_WINDOW, WEEK = Window.ending("1d", END), Window.ending("7d", END)


def verdict(rule: str, metric: str, value: float, **rest: object) -> Verdict:
    suite = rest.pop("suite", Suite.DRIFT)
    scope = Scope(monitor="flights", window=WEEK, as_of=END, config_hash="c")
    measurement = scope.measurement(suite, metric, value, engine=Engine.EVIDENTLY, **rest)
    return Verdict(
        rule=rule,
        measurement=measurement,
        outcome=Outcome.CRITICAL,
        reason=f"{measurement.series.subject} is {value}, above 1",
        streak=3,
        firing=True,
    )


def incident(found: Verdict, severity: Outcome = Outcome.CRITICAL) -> Incident:
    return Incident(
        monitor="flights",
        rule=found.rule,
        series=found.measurement.series,
        severity=severity,
        began=END - 2 * DAY,
        fired=END,
        last_failed=END,
    )


def told(*found: Verdict, quality: tuple[Verdict, ...] = ()) -> Notice:
    firing = {incident(one): one for one in found}
    return notice("flights", DAY_WINDOW, firing, quality, ["report.html"])


def test_it_says_what_how_much_since_when_and_where_to_look() -> None:
    loss = verdict("worse-than-a-constant", "log_loss_ratio", 1.03, row_count=6812, coverage=0.9571)
    text = told(loss).text
    for part in (
        "flights: worse-than-a-constant (critical, 1d 2013-04-11 to 2013-04-12)",
        "since the window of 2013-04-03 to 2013-04-10",
        "log_loss_ratio (7d) is 1.03, above 1 (6,812 rows, 96% labelled)",
        "look: report.html",
    ):
        assert part in text


def test_one_rule_on_many_columns_is_one_finding_with_the_worst_first() -> None:
    columns = [
        verdict("drift", "psi", value / 10, column_name=f"c{value}") for value in range(1, 10)
    ]
    (finding,) = told(*columns).findings
    assert finding.lines[0].startswith("psi of c9")
    assert finding.lines[MOST_LINES] == f"and {9 - MOST_LINES} more"


def test_a_message_is_as_severe_as_its_worst_incident() -> None:
    mild, bad = verdict("mild", "psi", 1.0), verdict("bad", "psi", 1.0, column_name="x")
    firing = {incident(mild, Outcome.WARN): mild}
    assert notice("flights", DAY_WINDOW, firing, (), []).severity == "warn"
    said = notice("flights", DAY_WINDOW, firing | {incident(bad): bad}, (), [])
    assert [said.severity, *(one.severity for one in said.findings)] == [
        *("critical", "critical", "warn")
    ]


def test_broken_data_is_named_as_the_probable_cause() -> None:
    loss = verdict("worse", "log_loss_ratio", 1.03)
    nulls = verdict("not-null", "null_share", 0.9, suite=Suite.QUALITY, column_name="temp")
    assert told(loss, quality=(nulls,)).causes == (nulls.reason,)
    assert told(loss, nulls, quality=(nulls,)).causes == ()


def test_a_broken_column_is_no_cause_of_another_broken_column() -> None:
    nulls = verdict("not-null", "null_share", 0.9, suite=Suite.QUALITY, column_name="temp")
    known = verdict("in-set", "expect_in_set", 0.0, suite=Suite.QUALITY, column_name="carrier")
    assert told(nulls, quality=(nulls, known)).causes == ()


def test_the_worst_accuracy_is_the_lowest() -> None:
    found = [
        verdict("accuracy", "accuracy", value / 10, column_name=f"s={value}") for value in (5, 0, 9)
    ]
    (finding,) = told(*found).findings
    assert [line.split("s=")[1][0] for line in finding.lines] == ["0", "5", "9"]


def test_broken_data_of_an_earlier_day_is_named_too() -> None:
    loss = verdict("worse", "log_loss_ratio", 1.03)
    earlier = ["not-null failed on temp in 1d 2013-04-09 to 2013-04-10"]
    said = notice("flights", DAY_WINDOW, {incident(loss): loss}, (), [], earlier)
    assert said.causes == tuple(earlier)


def test_only_what_broke_before_or_during_the_first_failing_window_may_have_caused_it() -> None:
    """The incident's first window ended at END - 2 days and is a week long."""
    loss = verdict("worse", "log_loss_ratio", 1.03)

    def may(days: int) -> bool:
        return may_cause(Window.ending("1d", END - days * DAY), [incident(loss)])

    assert [may(days) for days in (0, 1, 2, 5, 8, 9, 10, 30)] == [
        *(False, False, True, True, True, True),
        *(False, False),
    ]
    nulls = verdict("not-null", "null_share", 0.9, suite=Suite.QUALITY, column_name="temp")
    assert not may_cause(WEEK, [incident(nulls)])
    today = replace(nulls, measurement=replace(nulls.measurement, window=DAY_WINDOW))
    assert told(loss, quality=(today,)).causes == ()


def test_the_outbox_keeps_it_whole() -> None:
    written = told(verdict("a", "psi", 1.0), verdict("b", "psi", 2.0, column_name="é<&>"))
    assert Notice.from_json(written.to_json()) == written
    assert "é<&>" in written.to_json()  # the log shows what is given up


def test_slack_shows_hostile_text_as_text() -> None:
    hostile = verdict("r", "psi", 2.0, column_name="<!channel> <http://x|click> & `rm`")
    shown = str(blocks(told(hostile)))
    assert "<!channel>" not in shown
    assert "&lt;!channel&gt; &lt;http://x|click&gt; &amp; 'rm'" in shown
    assert escape("a&lt;") == "a&amp;lt;"


HOSTILE = "<!channel> <http://x|click> & `rm`"


def test_slack_shows_every_part_of_a_message_as_text() -> None:
    """Names and values of the data stand in all of them, causes and explanations too."""
    finding = Finding(rule=HOSTILE, severity=HOSTILE, lines=(HOSTILE,), since=HOSTILE)
    parts = {"why": (HOSTILE,), "causes": (HOSTILE,), "look": (HOSTILE,)}
    said = Notice(monitor=HOSTILE, severity=HOSTILE, interval=HOSTILE, findings=(finding,), **parts)
    sent = message(said, "#c")
    shown = [sent["text"], *(block["text"]["text"] for block in sent["blocks"])]
    for text in shown:
        assert "&lt;!channel&gt;" in text
        assert not set("<>`") & set(text)
    assert [text.split("\n")[0] for text in shown[3:]] == ["Why", "Probable cause", "Where to look"]
    assert {block["text"]["type"] for block in sent["blocks"]} == {"plain_text"}
    del sent["text"], sent["blocks"]
    shows = dict.fromkeys(("mrkdwn", "link_names", "unfurl_links", "unfurl_media"), False)
    assert sent == {"channel": "#c", "parse": "none", **shows}


def test_slack_makes_a_link_of_an_address_and_of_nothing_else() -> None:
    loss = verdict("worse", "log_loss_ratio", 1.03)
    look = ["https://air/dags/d/runs/manual__2013-04-12T00%3A00", "driftline metrics flights"]
    look += ["https://x|<!channel>"]
    said = blocks(notice("flights", DAY_WINDOW, {incident(loss): loss}, (), look))
    (links,) = [block["text"] for block in said if block["text"]["type"] == "mrkdwn"]
    assert links["text"] == f"<{look[0]}>"
    assert "• driftline metrics flights" in str(said)


@pytest.mark.parametrize(
    ("severity", "sign"), [("critical", "\U0001f534 "), ("warn", "\U0001f7e1 "), ("other", "")]
)
def test_slack_shows_how_bad_it_is_before_the_name(severity: str, sign: str) -> None:
    shown = blocks(replace(told(verdict("r", "psi", 1.0)), severity=severity))
    assert shown[0]["text"]["text"].startswith(f"{sign}flights · ")


def test_slack_takes_a_long_message() -> None:
    found = [verdict(f"rule-{n}", "psi", 1.0, column_name="x" * 2_000) for n in range(80)]
    shown = blocks(replace(told(*found), monitor="x" * 200))
    assert len(shown) <= 50
    assert len(shown[0]["text"]["text"]) == 150  # a header may hold no more
    assert all(len(block["text"]["text"]) <= 3_000 for block in shown)
