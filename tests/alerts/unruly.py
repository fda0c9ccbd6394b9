"""A server on the loopback that answers as no server should, and what it may do."""

import gzip
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from types import TracebackType
from typing import Self

Manner = Callable[[socket.socket], None]


class Unruly:
    """A context manager that serves `url`, each request in one manner; `requests` holds them."""

    def __init__(self, manner: Manner) -> None:
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def _serve(self) -> None:
        with suppress(OSError):  # closed at the end
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # who asked may have gone
            self.requests.append(_request(client))
            self._manner(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(client: socket.socket) -> bytes:
    taken = b""
    while b"\r\n\r\n" not in taken and (part := client.recv(65_536)):
        taken += part
        if not taken.startswith(b"POST "):
            return taken  # TLS, to a server that speaks none
    head, _, body = taken.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    while len(body) < length and (part := client.recv(65_536)):
        body += part
    return head + b"\r\n\r\n" + body


def says(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Manner:
    """A whole answer; `length` lies about it."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {size}"]
    return sends("\r\n".join([*lines, *headers, "", ""]).encode() + body)


def sends(everything: bytes) -> Manner:
    return lambda client: client.sendall(everything)


def drips(start: bytes, drop: bytes) -> Manner:
    """A start, then a drop every little while, without an end."""

    def manner(client: socket.socket) -> None:
        client.sendall(start)
        while True:
            sleep(0.05)
            client.sendall(drop)

    return manner


def pours(start: bytes) -> Manner:
    """A start, then as much as the other side takes."""

    def manner(client: socket.socket) -> None:
        client.sendall(start)
        while True:
            client.sendall(b" " * 65_536)

    return manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a server does, and what a message comes to that meets it."""

    name: str
    manner: Manner
    state: str = "waits"
    """`waits`, `given up` or `delivered`."""
    slow: bool = False


def _limited(wish: str) -> Manner:
    body = b'{"ok": false, "error": "ratelimited"}'
    return says(body, f"Retry-After: {wish}", status="429 Too Many Requests")


def _redirect(status: str, place: str) -> Fault:
    return Fault(name=f"redirect {status}", manner=says(b"", f"Location: {place}", status=status))


OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ODD_WAITS = (
    *("1e18", "inf", "-inf", "nan", "-5", "0", "1e400", "", "soon", "9" * 5_000, "1_0", "\x0b7"),
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Fri, 99 Foo 20x6 07:28:00",
)
NO_ANSWERS = (
    *(
        b"",
        b"[]",
        b'["ok"]',
        b"null",
        b"true",
        b"1",
        b'"ok"',
        b"{",
        b'{"ok": tr',
        b"\xff\xfe",
        b"{}",
    ),
    *(b"<html>\n<h1>503</h1>", b'{"ok": 1}', b'{"ok": "true"}', b'{"ok": null, "error": null}'),
    *(b'{"ok": false}', b'{"ok": false, "error": 7}', b'{"ok": false, "error": ["a"]}'),
    *(
        b"[" * 60_000,
        b'{"ok": ' + b"9" * 6_000 + b"}",
        b'{"ok": NaN}',
    ),
)
FOR_GOOD = (
    *("channel_not_found", "not_in_channel", "is_archived", "invalid_auth", "token_revoked"),
    *(
        "account_inactive",
        "missing_scope",
        "msg_too_long",
        "invalid_blocks",
        "no_text",
        "not_authed",
    ),
    *("nobody knows this one", "\x1b[31m\n2026 ERROR forged \u202e", "x" * 9_999),
)
PASSING = ("ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")


def faults(elsewhere: str) -> Iterator[Fault]:
    """Every fault; redirects lead `elsewhere`."""
    for wish in ODD_WAITS:
        yield Fault(name=f"Retry-After {wish[:40]!r}", manner=_limited(wish))
    for body in NO_ANSWERS:
        yield Fault(name=f"answers {body[:30]!r}", manner=says(body))
    for status in ("400 Bad", "404 Not Found", "500 Oops", "503 Later", "204 Nothing", "999 What"):
        yield Fault(name=status, manner=says(b"", status=status))
    for error in FOR_GOOD:
        told = f'{{"ok": false, "error": {_json(error)}}}'.encode()
        yield Fault(name=f"refuses {error[:30]!r}", manner=says(told), state="given up")
    for error in PASSING:
        told = f'{{"ok": false, "error": "{error}"}}'.encode()
        yield Fault(name=f"refuses {error!r}", manner=says(told))
    for status in ("301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"):
        yield _redirect(status, elsewhere)
    fine = b'{"ok": true, "ts": 7, "channel": null, "message": [1]}'
    many = [f"X-{number}: {number}" for number in range(150)]
    yield Fault(name="odd but taken", manner=says(fine), state="delivered")
    yield Fault(name="150 headers", manner=says(fine, *many), state="delivered")
    yield Fault(name="a long header", manner=says(fine, "X: " + "x" * 300_000))
    yield Fault(name="truncated", manner=says(b'{"ok": true', length=99))
    yield Fault(name="a bad length", manner=sends(OPEN + b"Content-Length: many\r\n\r\n{}"))
    chunked = OPEN + b"Transfer-Encoding: chunked\r\n\r\n"
    yield Fault(name="bad chunks", manner=sends(chunked + b"zz\r\n{}\r\n"))
    bomb = gzip.compress(b" " * 10_000_000)
    yield Fault(name="a gzip bomb", manner=says(bomb, "Content-Encoding: gzip"))
    yield Fault(name="no HTTP", manner=sends(b"SSH-2.0-OpenSSH_9.2\r\n"))
    yield Fault(name="nothing", manner=sends(b""))
    yield Fault(name="more and more", manner=pours(chunked[:0] + OPEN + b"\r\n"))
    yield Fault(name="silence", manner=lambda client: sleep(5), slow=True)
    yield Fault(name="drips its status", manner=drips(b"HT", b"T"), slow=True)
    yield Fault(name="drips headers", manner=drips(OPEN, b"X: y\r\n"), slow=True)
    yield Fault(name="drips its body", manner=drips(OPEN + b"\r\n{", b" "), slow=True)
    yield Fault(name="goes on", manner=drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), slow=True)


def random_fault(seed: int) -> Fault:
    """An answer that was right until chance cut, doubled and changed its bytes."""
    chance = random.Random(seed)
    answer = bytearray(OPEN + b'Retry-After: 30\r\nContent-Length: 12\r\n\r\n{"ok": true}')
    for _ in range(chance.randint(1, 8)):
        place, kind = chance.randrange(len(answer)), chance.randrange(4)
        if kind == 0:
            answer[place] = chance.randrange(256)
        elif kind == 1:
            del answer[place : place + chance.randint(1, 20)]
        elif kind == 2:
            answer[place:place] = answer[place : place + chance.randint(1, 20)] * 3
        else:
            answer[place:place] = chance.choice([b"\x1b[31m", b"\r\n", b"\0", b"\xff", b"-1", b"["])
        answer = answer or bytearray(b"\n")
    return Fault(name=f"chance {seed}", manner=sends(bytes(answer)), state="any")


def _json(text: str) -> str:
    return '"' + "".join(f"\\u{ord(sign):04x}" for sign in text) + '"'
