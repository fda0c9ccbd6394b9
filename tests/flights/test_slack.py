"""The local Slack, as slack_sdk sees it."""

import json
from urllib.request import Request, urlopen

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from flights.slack import SlackReceiver, Trouble

TOKEN = "xoxb-local"
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Grüße* <&>"}}]


@pytest.fixture
def slack(tmp_path):
    with SlackReceiver(token=TOKEN, log=tmp_path / "slack.jsonl") as receiver:
        yield receiver


@pytest.fixture
def client(slack):
    return WebClient(token=TOKEN, base_url=slack.url, timeout=5, retry_handlers=[])


def post_form(slack, path, body, content_type="application/x-www-form-urlencoded"):
    request = Request(slack.url + path, data=body, method="POST")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    request.add_header("Content-Type", content_type)
    with urlopen(request, timeout=5) as response:
        return json.load(response)


def test_messages_are_kept_in_order_and_in_the_log(slack, client, tmp_path):
    first = client.chat_postMessage(channel="#ml-alerts", text="first", blocks=BLOCKS)
    second = client.chat_postMessage(channel="#ml-alerts", text="second", thread_ts=first["ts"])
    assert first["ok"]
    assert first["channel"] == "#ml-alerts"
    assert first["message"]["text"] == "first"
    assert float(first["ts"]) < float(second["ts"])
    assert [message["text"] for message in slack.messages] == ["first", "second"]
    assert slack.messages[0]["blocks"] == BLOCKS
    assert slack.messages[1]["thread_ts"] == first["ts"]
    lines = (tmp_path / "slack.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == slack.messages


def test_a_form_says_the_same(slack):
    body = b"channel=C1&text=a+b&blocks=%5B%7B%22type%22%3A%22divider%22%7D%5D"
    assert post_form(slack, "chat.postMessage", body)["ok"]
    assert slack.messages[0]["text"] == "a b"
    assert slack.messages[0]["blocks"] == [{"type": "divider"}]


@pytest.mark.filterwarnings("ignore:The top-level `text`")
@pytest.mark.parametrize(
    ("token", "arguments", "error"),
    [
        ("xoxb-other", {"channel": "#a", "text": "b"}, "invalid_auth"),
        (None, {"channel": "#a", "text": "b"}, "not_authed"),
        (TOKEN, {"channel": "", "text": "b"}, "channel_not_found"),
        (TOKEN, {"channel": "#a", "text": ""}, "no_text"),
    ],
)
def test_what_slack_refuses(slack, token, arguments, error):
    client = WebClient(token=token, base_url=slack.url, retry_handlers=[])
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(**arguments)
    assert caught.value.response["error"] == error
    assert slack.messages == []
    assert slack.requests == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_what_is_no_json(slack, body):
    answer = post_form(slack, "chat.postMessage", body, "application/json;charset=utf-8")
    assert answer == {"ok": False, "error": "invalid_json"}


def test_only_one_method_is_known(slack):
    assert post_form(slack, "chat.delete", b"")["error"] == "unknown_method"


def test_a_rate_limit_says_when_to_come_back(slack, client):
    slack.trouble(Trouble.RATE_LIMITED, times=2, retry_after=30)
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(channel="#a", text="b")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "30"
    assert slack.messages == []
    assert client.chat_postMessage(channel="#a", text="b")["ok"]
    assert (slack.requests, len(slack.messages)) == (3, 1)


def test_a_server_error_posts_nothing(slack, client):
    slack.trouble(Trouble.SERVER_ERROR)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="#a", text="b")
    assert caught.value.response.status_code == 500
    assert slack.messages == []


def test_a_dropped_connection_leaves_the_message_posted(slack, client):
    slack.trouble(Trouble.DROPPED)
    with pytest.raises(OSError, match="closed connection"):
        client.chat_postMessage(channel="#a", text="b")
    assert [message["text"] for message in slack.messages] == ["b"]


def test_troubles_come_in_the_order_they_were_named(slack, client):
    slack.trouble(Trouble.SERVER_ERROR)
    slack.trouble(Trouble.RATE_LIMITED)
    seen = []
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(channel="#a", text="b")
        seen.append(caught.value.response.status_code)
    assert seen == [500, 429]


def test_the_port_is_free_again_afterwards(tmp_path):
    with SlackReceiver(token=TOKEN) as first:
        port = int(first.url.split(":")[2].split("/")[0])
    with SlackReceiver(token=TOKEN, port=port) as second:
        assert second.url == first.url
