"""A Slack of one's own: takes messages on the loopback as Slack's Web API would, and keeps them."""

import json
import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

METHOD = "/api/chat.postMessage"


class Trouble(StrEnum):
    """What may befall a request."""

    RATE_LIMITED = "rate_limited"
    """429 with Retry-After; nothing is posted."""
    SERVER_ERROR = "server_error"
    """500; nothing is posted."""
    DROPPED = "dropped"
    """The message is posted, but the connection breaks before the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request is told; None stands for a broken connection."""

    body: dict[str, Any] | None
    status: int = 200
    retry_after: int | None = None


class SlackReceiver:
    """A context manager that serves `chat.postMessage` at `url`, for slack_sdk's `base_url`.

    It listens on 127.0.0.1, on a free port unless one is given. `messages` holds the posted
    messages in order, each with its `ts`; `log` is a file that gets one JSON line for each;
    `requests` counts what arrived, posted or not. The channel of an answer is the one that was
    asked for, where Slack would give its id.
    """

    def __init__(self, *, token: str, log: Path | None = None, port: int = 0) -> None:
        self.messages: list[dict[str, Any]] = []
        self.requests = 0
        self._token = token
        self._log = log
        self._troubles: deque[tuple[Trouble, int]] = deque()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where the Web API begins."""
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    def trouble(self, trouble: Trouble, *, times: int = 1, retry_after: int = 1) -> None:
        """Let the next `times` requests meet this trouble; `retry_after` is in seconds."""
        with self._lock:
            self._troubles.extend([(trouble, retry_after)] * times)

    def answer(self, path: str, authorization: str, content_type: str, body: bytes) -> Answer:
        """Return what a POST is told, and keep the message if it is a good one."""
        with self._lock:
            self.requests += 1
            trouble, retry_after = self._troubles.popleft() if self._troubles else (None, 0)
            if trouble is Trouble.RATE_LIMITED:
                return Answer(body=_refusal("ratelimited"), status=429, retry_after=retry_after)
            if trouble is Trouble.SERVER_ERROR:
                return Answer(body=_refusal("internal_error"), status=500)
            answer = self._post(path, authorization, content_type, body)
            return Answer(body=None) if trouble is Trouble.DROPPED else Answer(body=answer)

    def _post(
        self, path: str, authorization: str, content_type: str, body: bytes
    ) -> dict[str, Any]:
        if path != METHOD:
            return _refusal("unknown_method")
        if authorization != f"Bearer {self._token}":
            return _refusal("invalid_auth" if authorization else "not_authed")
        try:
            message = _decoded(content_type, body)
        except ValueError:
            return _refusal("invalid_json")
        if not message.get("channel"):
            return _refusal("channel_not_found")
        if not any(message.get(part) for part in ("text", "blocks", "attachments")):
            return _refusal("no_text")
        message["ts"] = f"{int(time())}.{len(self.messages):06d}"
        self.messages.append(message)
        if self._log:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(message, ensure_ascii=False) + "\n")
        said = {"type": "message", "text": message.get("text", ""), "ts": message["ts"]}
        return {"ok": True, "channel": message["channel"], "ts": message["ts"], "message": said}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _refusal(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


def _decoded(content_type: str, body: bytes) -> dict[str, Any]:
    """Return a message sent as JSON or as a form, whose blocks and attachments are JSON."""
    if content_type.startswith("application/json"):
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError("a message is a JSON object")
        return message
    form: dict[str, Any] = dict(parse_qsl(body.decode()))
    return form | {key: json.loads(form[key]) for key in ("blocks", "attachments") if key in form}


def _handler(slack: SlackReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = self.headers
            answer = slack.answer(
                self.path,
                headers.get("Authorization", ""),
                headers.get("Content-Type", ""),
                self.rfile.read(int(headers.get("Content-Length", 0))),
            )
            if answer.body is None:
                self.close_connection = True
                return
            content = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            if answer.retry_after is not None:
                self.send_header("Retry-After", str(answer.retry_after))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
            """Say nothing: what matters is in `messages`."""

    return Handler
