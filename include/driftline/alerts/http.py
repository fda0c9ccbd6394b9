"""One request to somebody else's server: bounded in time and in bytes, whatever it answers."""

import math
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from driftline.errors import DeliveryError, MissingExtra
from driftline.printable import printable

if TYPE_CHECKING:
    import httpx

MOST_BYTES = 65_536
"""A longer answer is no answer to a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said; `retry_after` is its wish in seconds, where it had one that can be."""

    status: int
    body: bytes
    retry_after: float | None = None


def post(url: str, body: Any, *, headers: Mapping[str, str], seconds: float) -> Answer:
    """Post JSON, once, to exactly this address; raises DeliveryError without an answer in time.

    The time holds for all of it: name, connection, TLS, headers and body. Timeouts of sockets and
    of reads begin anew with every byte, and a name is looked up without any; so the exchange has
    a thread of its own, which is left alone when time is over and does not keep Python from ending.
    """
    try:
        import httpx
    except ModuleNotFoundError:
        raise MissingExtra("httpx", "slack") from None

    answer: Future[Answer] = Future()

    def exchange() -> None:
        try:
            # Redirects are not followed: the token would go where they say.
            with httpx.Client(
                timeout=seconds, follow_redirects=False, verify=ssl.create_default_context()
            ) as client:
                answer.set_result(_exchanged(client, url, body, headers))
        except BaseException as error:  # noqa: BLE001 (told to who waits)
            answer.set_exception(error)

    threading.Thread(target=exchange, name="driftline-post", daemon=True).start()
    host = _host(url)
    try:
        return answer.result(seconds)
    except (TimeoutError, httpx.TimeoutException):
        said = f"{host} did not answer within {seconds:g} seconds"
        raise DeliveryError(said, timed_out=True) from None
    except DeliveryError as error:
        raise DeliveryError(f"{host} {error}") from None
    except httpx.ConnectError as error:
        raise DeliveryError(f"{host} cannot be reached: {printable(str(error))}") from None
    except Exception as error:  # noqa: BLE001 (its words may hold the token)
        raise DeliveryError(f"{host} did not answer: {type(error).__name__}") from None


def _host(url: str) -> str:
    """Return what of an address may be shown: neither who asks nor its path, they may be secret."""
    try:
        return printable(urlsplit(url).netloc.rpartition("@")[2]) or "the server"
    except ValueError:
        return "the server"


def _exchanged(client: "httpx.Client", url: str, body: Any, headers: Mapping[str, str]) -> Answer:
    plain = {**headers, "Accept-Encoding": "identity"}  # what is packed may unpack to gigabytes
    with client.stream("POST", url, json=body, headers=plain) as response:
        if response.is_redirect:
            raise DeliveryError(
                f"answered with a redirect ({response.status_code}), which is not followed"
            )
        taken = bytearray()
        for chunk in response.iter_raw():
            taken += chunk
            if len(taken) > MOST_BYTES:
                raise DeliveryError(f"answered with more than {MOST_BYTES:,} bytes")
        wish = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        return Answer(status=response.status_code, body=bytes(taken), retry_after=wish)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or a date (RFC 9110).

    None where there is no header, or one that cannot be: infinite, negative, in the past, no date.
    """
    try:
        seconds = float(header or "")
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header or "").astimezone(UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
