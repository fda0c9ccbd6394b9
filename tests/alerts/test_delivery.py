"""Messages go out through a real HTTP server that speaks Slack's Web API, and none is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url, update

from driftline.alerts.delivery import deliver, routed
from driftline.alerts.notice import Finding, Notice
from driftline.config import Defaults
from driftline.domain import Incident, Outcome, Series, Verdict
from driftline.store import Store, outbox, upgrade
from driftline.store.tables import outbox as table
from flights.slack import SlackReceiver, Trouble

NOW = datetime(2013, 4, 12, tzinfo=UTC)
TOKEN = "xoxb-not-a-real-token"


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackReceiver]:
    with SlackReceiver(token=TOKEN) as receiver:
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("SLACK_API_URL", receiver.url)
        yield receiver


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    url = make_url(store_url)
    upgrade(url)
    with Store.open(url) as opened:
        yield opened


def message(channel: str = "slack") -> outbox.Message:
    finding = Finding(rule="drift", severity="warn", lines=("psi is 1",), since="2013-04-10")
    body = Notice(monitor="m", severity="warn", interval="1d", findings=(finding,)).to_json()
    return outbox.Message(
        id="1", monitor="m", channel=channel, target="#ml-alerts", body=body, created=NOW
    )


def add(store: Store, one: outbox.Message) -> None:
    with store.begin() as connection:
        outbox.add(connection, [one])


def waiting(store: Store) -> list[outbox.Message]:
    with store.read() as connection:
        return outbox.pending(connection)


def make_due(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(
            update(table).where(table.c.due.is_not(None)).values(due=NOW - timedelta(days=1))
        )


def test_a_message_arrives_once(store: Store, slack: SlackReceiver) -> None:
    add(store, message())
    add(store, message())
    assert deliver(store) == []
    assert deliver(store) == []
    (arrived,) = slack.messages
    assert arrived["channel"] == "#ml-alerts"
    assert "psi is 1" in str(arrived["blocks"])
    assert waiting(store) == []


@pytest.mark.parametrize("trouble", [Trouble.RATE_LIMITED, Trouble.SERVER_ERROR])
def test_a_message_that_is_refused_is_sent_later(
    store: Store, slack: SlackReceiver, trouble: Trouble
) -> None:
    add(store, message())
    slack.trouble(trouble, retry_after=600)
    (error,) = deliver(store)
    assert "stays in the outbox" in error
    assert TOKEN not in error
    assert [one.attempts for one in waiting(store)] == [1]
    assert deliver(store) == []  # not due yet
    assert slack.requests == 1
    make_due(store)
    assert deliver(store) == []
    assert len(slack.messages) == 1


def test_a_retry_waits_as_long_as_slack_asks(store: Store, slack: SlackReceiver) -> None:
    add(store, message())
    slack.trouble(Trouble.RATE_LIMITED, retry_after=600)
    before = datetime.now(UTC)
    deliver(store)
    with store.read() as connection:
        due = connection.execute(table.select()).mappings().one()["due"]
    assert due >= before + timedelta(seconds=600)


def test_a_broken_connection_is_an_error_and_the_message_stays(
    store: Store, slack: SlackReceiver
) -> None:
    add(store, message())
    slack.trouble(Trouble.DROPPED)
    (error,) = deliver(store)
    assert "did not answer" in error
    assert len(waiting(store)) == 1


def test_without_a_token_nothing_is_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    add(store, message())
    (error,) = deliver(store)
    assert "SLACK_BOT_TOKEN" in error
    assert len(waiting(store)) == 1


def test_a_wrong_token_is_named(store: Store, slack: SlackReceiver, monkeypatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-wrong")
    add(store, message())
    (error,) = deliver(store)
    assert "invalid_auth" in error


def test_without_a_route_it_goes_to_the_log(store: Store, caplog) -> None:
    add(store, message("log"))
    assert deliver(store) == []
    assert "psi is 1" in caplog.text
    assert waiting(store) == []


def test_incidents_go_where_their_severity_says() -> None:
    routes = Defaults.model_validate(
        {
            "routes": {
                "critical": [{"slack": "#pages"}, {"slack": "#all"}],
                "warn": [{"slack": "#all"}],
            }
        }
    ).routes
    series = Series("", "", "1d", "drift", "psi", "", "", "", "evidently")

    def incident(rule: str, severity: Outcome) -> Incident:
        return Incident(
            monitor="m",
            rule=rule,
            series=series,
            severity=severity,
            began=NOW,
            fired=NOW,
            last_failed=NOW,
        )

    bad, mild = incident("bad", Outcome.CRITICAL), incident("mild", Outcome.WARN)
    verdicts: dict[Incident, Verdict] = dict.fromkeys([bad, mild])  # type: ignore[arg-type]
    assert {(c, t): list(part) for c, t, part in routed(routes, verdicts)} == {
        ("slack", "#pages"): [bad],
        ("slack", "#all"): [bad, mild],
    }
    email = Defaults.model_validate({"routes": {"warn": [{"email": "a@example.com"}]}}).routes
    assert [(c, t) for c, t, _ in routed(email, {mild: verdicts[mild]})] == [("log", "")]
    assert [(c, t) for c, t, _ in routed({}, {bad: verdicts[bad]})] == [("log", "")]
