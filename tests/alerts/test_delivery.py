"""Messages go out through a real HTTP server that speaks Slack's Web API, and none is lost."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from time import sleep

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import URL, select, update

from driftline.alerts import http
from driftline.alerts.delivery import CHANNELS, deliver, given_up, routed
from driftline.alerts.notice import Finding, Notice
from driftline.domain import Incident, Outcome, Series, Verdict
from driftline.errors import DeliveryError
from driftline.monitor.config import Defaults
from driftline.store import Store, outbox, upgrade
from driftline.store.tables import outbox as table
from flights.slack import SlackReceiver, Trouble
from tests.alerts.unruly import Unruly, faults, says

NOW = datetime(2013, 4, 12, tzinfo=UTC)
TOKEN = "xoxb-not-a-real-token"


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackReceiver]:
    with SlackReceiver(token=TOKEN) as receiver:
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("SLACK_API_URL", receiver.url)
        yield receiver


def message(channel: str = "slack", **changes: str) -> outbox.Message:
    finding = Finding(rule="drift", severity="warn", lines=("psi is 1",), since="2013-04-10")
    body = Notice(monitor="m", severity="warn", interval="1d", findings=(finding,)).to_json()
    plain = outbox.Message(
        id="1", monitor="m", channel=channel, target="#ml-alerts", body=body, created=NOW
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def add(store: Store, *messages: outbox.Message) -> None:
    with store.begin() as connection:
        outbox.add(connection, messages)


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


TAKEN = b'{"ok": true}'


def refuses(error: str) -> Unruly:
    return Unruly(says(f'{{"ok": false, "error": "{error}"}}'.encode()))


@pytest.mark.parametrize("name", ["silence", "drips headers", "drips its body", "goes on"])
def test_a_message_has_one_deadline_and_the_channel_is_not_asked_again(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch, caplog, name: str
) -> None:
    monkeypatch.setattr("driftline.alerts.slack.TIMEOUT", 0.3)
    add(store, message(id="1"), message(id="2"), message("log", id="3"))
    (fault,) = [fault for fault in faults("") if fault.name == name]
    with Unruly(fault.manner) as server:
        monkeypatch.setenv("SLACK_API_URL", server.url)
        first, second = deliver(store)
        assert len(server.requests) == 1
    assert "did not answer within 0.3 seconds" in first
    assert "1 more message was not tried" in second
    assert "psi is 1" in caplog.text
    # What is left of the exchange cannot keep Python from ending.
    left = [thread for thread in threading.enumerate() if thread.name == "driftline-post"]
    assert all(thread.daemon for thread in left)
    monkeypatch.setenv("SLACK_API_URL", slack.url)
    assert deliver(store) == []  # the second, not due later for what befell the first
    make_due(store)
    assert deliver(store) == []
    assert len(slack.messages) == 2


def test_a_delivery_ends_though_every_message_takes_long(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftline.alerts.delivery.LONGEST_DELIVERY", 0.2)

    def slowly(client: socket.socket) -> None:
        sleep(0.3)
        says(TAKEN)(client)

    add(store, *(message(id=str(number)) for number in range(5)))
    with Unruly(slowly) as server:
        monkeypatch.setenv("SLACK_API_URL", server.url)
        (error,) = deliver(store)
    assert "4 more messages were not tried" in error
    monkeypatch.setenv("SLACK_API_URL", slack.url)
    monkeypatch.setattr("driftline.alerts.delivery.LONGEST_DELIVERY", 60)
    assert deliver(store) == []
    assert len(slack.messages) == 4


def test_what_is_refused_for_good_is_given_up_and_can_be_sent_again(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    add(store, message())
    with refuses("channel_not_found") as server:
        monkeypatch.setenv("SLACK_API_URL", server.url)
        (error,) = deliver(store)
        for _ in range(3):
            make_due(store)
            assert deliver(store) == []
        assert len(server.requests) == 1
    assert "channel_not_found; it is given up" in error
    assert "psi is 1" in caplog.text  # somebody may read the log
    assert waiting(store) == []
    (left,) = given_up(store)
    assert "channel_not_found" in left
    assert "driftline store deliver --failed --monitor m" in left
    assert (given_up(store, "m"), given_up(store, "another")) == ([left], [])
    with store.begin() as connection:
        assert outbox.send_again(connection, datetime.now(UTC), "another") == 0
        assert outbox.send_again(connection, datetime.now(UTC), "m") == 1
    monkeypatch.setenv("SLACK_API_URL", slack.url)
    assert deliver(store) == []
    assert len(slack.messages) == 1
    assert given_up(store) == []


def test_what_is_given_up_can_be_let_go_of(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, message())
    with refuses("is_archived") as server:
        monkeypatch.setenv("SLACK_API_URL", server.url)
        deliver(store)
    with store.begin() as connection:
        (left,) = outbox.discard(connection, NOW)
    assert "is_archived" in left.error
    add(store, message())  # a rerun makes it again
    assert deliver(store) == given_up(store) == waiting(store) == []
    assert slack.requests == 0


@pytest.mark.parametrize(
    ("status", "answer", "stays"),
    [
        ("200 OK", "[]", True),
        ("200 OK", '{"ok": false, "error": "fatal_error"}', True),
        ("200 OK", '{"ok": false, "error": "no_text"}', False),
        ("500 Oh", '{"ok": false, "error": "no_text"}', True),
        ("429 Later", '{"ok": false, "error": "no_text"}', True),
        ("404 No", '{"ok": false, "error": "no_text"}', False),
        ("404 No", '{"ok": true}', True),
    ],
)
def test_a_refusal_is_for_good_unless_it_is_known_to_pass(
    store: Store, monkeypatch: pytest.MonkeyPatch, status: str, answer: str, stays: bool
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    soon = datetime.now(UTC) + timedelta(minutes=20)
    add(store, message())
    with Unruly(
        says(answer.encode(), f"Retry-After: {format_datetime(soon, True)}", status=status)
    ) as server:
        monkeypatch.setenv("SLACK_API_URL", server.url)
        (error,) = deliver(store)
    assert error.endswith("; it stays in the outbox") is stays
    assert ("cannot be understood" in error) is ("no_text" not in answer and "fatal" not in answer)
    with store.read() as connection:
        due = connection.execute(select(table.c.due)).scalar_one()
    assert due is None if not stays else timedelta() <= soon - due < timedelta(seconds=2)


@pytest.mark.parametrize(
    "broken",
    [
        {"body": "{"},
        {"body": "[]"},
        {"body": "7"},
        {"body": "[" * 100_000},
        {"body": '{"monitor": 5, "severity": "warn", "interval": "1d", "findings": []}'},
        {"body": '{"monitor": "m", "severity": "warn", "interval": "1d", "findings": {}}'},
        {"channel": "pigeon"},
    ],
)
def test_a_damaged_message_is_given_up_alone(
    store: Store, slack: SlackReceiver, broken: dict[str, str]
) -> None:
    add(store, message(id="0", **broken), message(id="1"))
    (error,) = deliver(store)
    assert "given up" in error
    assert len(slack.messages) == 1
    assert len(given_up(store)) == 1


def test_a_fault_of_our_own_is_one_messages_too(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(CHANNELS, "log", breaks)  # type: ignore[misc]
    add(store, message("log", id="0"), message(id="1"))
    (error,) = deliver(store)
    assert "ZeroDivisionError, see the log; it stays in the outbox" in error
    assert "Traceback" in caplog.text
    assert len(slack.messages) == 1


def test_each_wait_is_twice_the_last_an_hour_at_most_and_no_less_than_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = [  # at this attempt, when asked for so many seconds: so many
        *((n, None, wait) for n, wait in enumerate([30, 60, 120, 240, 480, 960, 1920], start=1)),
        (8, None, 3600),  # twice 1920 is more than an hour
        (79, None, 3600),
        *((1, 5.0, 30), (1, 600.0, 600), (1, 1e18, 3600), (5, 600.0, 600), (9, 600.0, 3600)),
    ]

    def refuses(_: Notice, target: str) -> None:
        raise DeliveryError("503", retry_after=waits[int(target)][1])

    monkeypatch.setitem(CHANNELS, "log", refuses)  # type: ignore[misc]
    add(store, *(message("log", id=f"{n}", target=f"{n}") for n in range(len(waits))))
    with store.begin() as connection:
        for number, (attempt, _, _) in enumerate(waits):
            tried = update(table).where(table.c.id == f"{number}").values(attempts=attempt - 1)
            connection.execute(tried)
    before = datetime.now(UTC)
    assert len(deliver(store)) == len(waits)
    after = datetime.now(UTC)
    with store.read() as connection:
        due = dict(connection.execute(select(table.c.id, table.c.due)).tuples().all())
    for number, (*tried_, seconds) in enumerate(waits):
        wait = timedelta(seconds=seconds)
        assert before + wait <= due[f"{number}"] <= after + wait, tried_


@pytest.mark.parametrize("attempts", [1, 43, 79, 80, 5_000])
def test_a_wait_has_its_end_however_often_it_was_tried(
    store: Store, slack: SlackReceiver, attempts: int
) -> None:
    add(store, message())
    with store.begin() as connection:
        connection.execute(update(table).values(attempts=attempts - 1))
    slack.trouble(Trouble.SERVER_ERROR)
    (error,) = deliver(store)
    assert ("given up" in error) is (attempts >= 80)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{closed}/api/", "cannot be reached"),
        ("https://127.0.0.1:{open}/api/", "cannot be reached"),
        ("http://not-a-host.invalid/api/", "not-a-host.invalid"),
        ("http://me:secret-part@not-a-host.invalid/", "not-a-host.invalid"),
        ("ftp://127.0.0.1/", "did not answer"),
        ("127.0.0.1:1", "did not answer"),
        ("http://[::1", "the server"),
        ("http://\x1b[31m/", "the server"),
        ("http://127.0.0.1:99999999/", "127.0.0.1:99999999"),
    ],
)
def test_what_cannot_be_reached_is_named(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    with Unruly(says(TAKEN)) as server:
        closed = server.port
    with Unruly(says(TAKEN)) as server:
        monkeypatch.setenv("SLACK_API_URL", url.format(closed=closed, open=server.port))
        add(store, message())
        (error,) = deliver(store)
    assert said in error
    assert error.isprintable()
    assert "secret-part" not in error
    assert TOKEN not in error
    assert len(waiting(store)) == 1


def test_a_server_that_nobody_vouches_for_gets_no_token(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, own = datetime.now(UTC), x509.IPAddress(ip_address("127.0.0.1"))
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([own]), critical=False)
    pem = tmp_path / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(secret + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with (
            suppress(OSError),
            context.wrap_socket(listener.accept()[0], server_side=True) as client,
        ):
            heard.append(client.recv(65_536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("SLACK_API_URL", f"https://127.0.0.1:{listener.getsockname()[1]}/api/")
        add(store, message())
        (error,) = deliver(store)
        server.join(10)
    assert "cannot be reached" in error
    assert "CERTIFICATE_VERIFY_FAILED" in error
    assert heard == []


@pytest.mark.parametrize("token", ["xoxb-a\nb", "xoxb-\xfc", "xoxb-\udcff", " \n"])
def test_a_token_that_cannot_be_one_is_not_shown(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", token)
    add(store, message())
    (error,) = deliver(store)
    assert "SLACK_BOT_TOKEN" in error
    assert "xoxb" not in error
    assert slack.requests == 0


def test_a_token_from_a_file_may_end_in_a_line(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", f"{TOKEN}\n")
    add(store, message())
    assert deliver(store) == []


def test_a_redirect_is_not_followed_with_the_token(
    store: Store, slack: SlackReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for status in ("302 Found", "307 Temporary Redirect"):
        add(store, message(id=status))
        with Unruly(says(b"", f"Location: {slack.url}chat.postMessage", status=status)) as server:
            monkeypatch.setenv("SLACK_API_URL", server.url)
            (error,) = deliver(store)
        assert "redirect" in error
    assert slack.requests == 0


def test_deliverers_at_the_same_time_send_each_message_once(
    store_url: URL, slack: SlackReceiver
) -> None:
    upgrade(store_url)
    with Store.open(store_url) as store:
        add(store, *(message(id=str(number)) for number in range(12)))
    errors: list[str] = []

    def one() -> None:
        with Store.open(store_url) as own:
            errors.extend(deliver(own))

    deliverers = [threading.Thread(target=one) for _ in range(3)]
    for deliverer in deliverers:
        deliverer.start()
    for deliverer in deliverers:
        deliverer.join()
    assert errors == []
    assert len(slack.messages) == 12


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        ("1.5", 1.5),
        ("0.5", 0.5),
        ("1e18", 1e18),  # the wait has a cap of its own
        ("Fri, 12 Apr 2013 00:10:00 GMT", 600.0),
        ("Fri, 12 Apr 2013 02:10:00 +0200", 600.0),
        *((bad, None) for bad in ("inf", "nan", "-5", "0", "", "soon", None, "9" * 5_000)),
        ("Thu, 11 Apr 2013 00:10:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_a_wish_to_wait_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert http.retry_after(header, NOW) == seconds


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
