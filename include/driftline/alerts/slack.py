"""Slack: a notice as a message with blocks, sent through slack-sdk."""

import os
from typing import Any

from driftline.alerts.notice import Notice
from driftline.errors import DeliveryError, MissingExtra

TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105 (the variable's name)
API_URL = "SLACK_API_URL"

TIMEOUT = 10
"""Seconds that one request may take."""

_ICONS = {"critical": ":red_circle:", "warn": ":large_yellow_circle:"}
_LONGEST_TEXT = 2_900
"""Characters of one section; Slack refuses more than 3,000."""


def send(notice: Notice, channel: str) -> None:
    """Post a notice to a channel, once; a failure is a DeliveryError.

    The token is read from $SLACK_BOT_TOKEN; $SLACK_API_URL points elsewhere than to Slack itself.
    """
    try:
        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError
    except ModuleNotFoundError:
        raise MissingExtra("slack-sdk", "slack") from None
    token = os.environ.get(TOKEN)
    if not token:
        raise DeliveryError(f"no Slack token: set {TOKEN}")
    client = WebClient(
        token=token,
        base_url=os.environ.get(API_URL, WebClient.BASE_URL),
        timeout=TIMEOUT,
        retry_handlers=[],
    )
    try:
        client.chat_postMessage(
            channel=channel,
            text=escape(notice.title),
            blocks=blocks(notice),
            unfurl_links=False,
            unfurl_media=False,
        )
    except SlackApiError as error:
        wait = error.response.headers.get("Retry-After") if error.response else None
        reason = error.response.get("error") if error.response else "no answer"
        raise DeliveryError(f"Slack refused: {reason}", retry_after=_seconds(wait)) from None
    except (SlackClientError, OSError, ValueError) as error:
        raise DeliveryError(f"Slack did not answer: {type(error).__name__}") from None


def blocks(notice: Notice) -> list[dict[str, Any]]:
    """Return the notice as Slack's Block Kit."""
    icon = _ICONS.get(notice.severity, "")
    title = f"{icon} *{escape(notice.monitor)}* · {escape(notice.interval)}"
    sections = [title]
    for finding in notice.findings:
        lines = [f"*{escape(finding.rule)}* ({finding.severity}), since {finding.since}"]
        lines += [f"• {escape(line)}" for line in finding.lines]
        sections.append("\n".join(lines))
    if notice.why:
        sections.append("*Why*\n" + "\n".join(f"• {escape(line)}" for line in notice.why))
    if notice.causes:
        causes = "\n".join(f"• {escape(cause)}" for cause in notice.causes)
        sections.append(f"*Probable cause*\n{causes}")
    if notice.look:
        sections.append("*Where to look*\n" + "\n".join(f"`{escape(p)}`" for p in notice.look))
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": text[:_LONGEST_TEXT]}}
        for text in sections[:50]
    ]


def escape(text: str) -> str:
    """Return text that Slack shows as it is: no mention, link or formatting can hide in it."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text.replace("`", "'")


def _seconds(header: Any) -> float | None:
    try:
        return float(header)
    except (TypeError, ValueError):
        return None
