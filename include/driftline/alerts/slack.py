"""Slack: a notice as a message with blocks, posted by `chat.postMessage`."""

import json
import os
import re
from typing import Any

from driftline.alerts import http
from driftline.alerts.notice import Notice
from driftline.errors import DeliveryError
from driftline.printable import printable

TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105 (the variable's name)
API_URL = "SLACK_API_URL"
SLACK = "https://slack.com/api/"

TIMEOUT = 10
"""Seconds that one message may take, all in all."""

_ICONS = {"critical": "\N{LARGE RED CIRCLE}", "warn": "\N{LARGE YELLOW CIRCLE}"}
_LONGEST_HEADER = 150
_LONGEST_TEXT = 2_900
"""Characters of one section; Slack refuses more than 3,000."""

_PASSING = {
    "accesslimited",
    "ekm_access_denied",
    "external_channel_migrating",
    "fatal_error",
    "internal_error",
    "message_limit_exceeded",
    "org_login_required",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}
"""Refusals that pass by themselves (docs.slack.dev, chat.postMessage); any other needs a person."""


def send(notice: Notice, channel: str) -> None:
    """Post a notice to a channel, once; a failure is a DeliveryError.

    The token is read from $SLACK_BOT_TOKEN; $SLACK_API_URL points elsewhere than to Slack itself.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise DeliveryError(f"no Slack token: set {TOKEN}")
    if not (token.isascii() and token.isprintable()):
        raise DeliveryError(f"{TOKEN} holds characters that no token has; set it anew")
    answer = http.post(
        os.environ.get(API_URL, SLACK).rstrip("/") + "/chat.postMessage",
        message(notice, channel),
        headers={"Authorization": f"Bearer {token}"},
        seconds=TIMEOUT,
    )
    _check(answer)


def message(notice: Notice, channel: str) -> dict[str, Any]:
    """Return the arguments of `chat.postMessage`; names and values are shown as they are."""
    return {
        "channel": channel,
        "text": escape(notice.title),
        "blocks": blocks(notice),
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def blocks(notice: Notice) -> list[dict[str, Any]]:
    """Return the notice as Slack's Block Kit, in plain text: no sign of it formats anything."""
    icon = _ICONS.get(notice.severity, "")
    title = f"{icon} {notice.monitor} · {notice.interval}".strip()
    sections = [
        "\n".join(
            [
                f"{finding.rule} ({finding.severity}), since {finding.since}",
                *(f"• {line}" for line in finding.lines),
            ]
        )
        for finding in notice.findings
    ]
    for heading, lines in (
        ("Why", notice.why),
        ("Probable cause", notice.causes),
        ("Where to look", [p for p in notice.look if not _ADDRESS.fullmatch(p)]),
    ):
        if lines:
            sections.append("\n".join([heading, *(f"• {line}" for line in lines)]))
    pages = [f"<{place}>" for place in notice.look if _ADDRESS.fullmatch(place)]
    links = {"type": "mrkdwn", "text": "\n".join(pages)[:_LONGEST_TEXT], "verbatim": True}
    return [
        {"type": "header", "text": _plain(title, _LONGEST_HEADER)},
        *({"type": "section", "text": _plain(text, _LONGEST_TEXT)} for text in sections[:48]),
        *([{"type": "section", "text": links}] if pages else []),
    ]


_ADDRESS = re.compile(r"https?://[^\s<>|]+")
"""A page that may be opened; all else stays plain text."""


def escape(text: str) -> str:
    """Return text that Slack shows as it is: no mention, link or formatting can hide in it."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text.replace("`", "'")


def _plain(text: str, longest: int) -> dict[str, Any]:
    """Return a text object; where it is cut, no half of an entity is left."""
    cut = re.sub(r"&\w*$", "", escape(text)[:longest])
    return {"type": "plain_text", "text": cut, "emoji": False}


def _check(answer: http.Answer) -> None:
    """Raise DeliveryError unless Slack says that it has the message."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if answer.status == 200 and isinstance(said, dict) and said.get("ok") is True:
        return
    reason = said.get("error") if isinstance(said, dict) else None
    if not isinstance(reason, str) or not reason:
        raise DeliveryError(
            f"Slack's answer cannot be understood (HTTP {answer.status})",
            retry_after=answer.retry_after,
        )
    passing = reason in _PASSING or answer.status == 429 or answer.status >= 500
    raise DeliveryError(
        f"Slack refused: {printable(reason[:100])}",
        retry_after=answer.retry_after,
        permanent=not passing,
    )
