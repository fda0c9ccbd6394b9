"""Sensitive columns: which names they cover, and what stands for their values.

A value is hidden by 12 hexadecimal digits of sha256(key, value, key), in the warehouse and in an
endpoint alike. The key is `$DRIFTLINE_HASH_KEY`, which no store and no statement holds; without
one anybody who can guess a value can check the guess: the hashes are pseudonyms only.
"""

import hashlib
import os
from collections.abc import Iterable
from functools import lru_cache

VARIABLE = "DRIFTLINE_HASH_KEY"
DIGITS = 12
PSEUDONYMS = (
    f"sensitive values are pseudonymous only: without {VARIABLE} who guesses one can check it; "
    "set it to a secret of your own (openssl rand -hex 32)"
)


def key() -> str:
    """Return the key of this process; '' without one."""
    return os.environ.get(VARIABLE, "")


def hashed(value: str, secret: str) -> str:
    """Return what stands for a value."""
    text = f"{secret}{value}{secret}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]


@lru_cache(maxsize=4)
def fingerprint(secret: str) -> str:
    """Return a name for a key that is slow to guess it by; '' for none."""
    if not secret:
        return ""
    own = secret.encode("utf-8", "surrogateescape")
    return hashlib.pbkdf2_hmac("sha256", own, b"driftline", 200_000).hex()[:DIGITS]


def covers(sensitive: Iterable[str], name: str) -> bool:
    """Whether a column or path is sensitive, lies inside of what is, or holds some of it.

    Names that differ in case and punctuation only are one name: `Post_Code` is `postcode`.
    """
    own = _parts(name)
    return any(own[: len(other)] == other[: len(own)] for other in map(_parts, sensitive))


def holds(name: str, sensitive: Iterable[str]) -> bool:
    """Whether a sensitive path leads into this column or path."""
    own = _parts(name)
    return any(len(p) > len(own) and p[: len(own)] == own for p in map(_parts, sensitive))


@lru_cache(maxsize=4096)
def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a path as they are compared; of what is all punctuation, itself."""
    return tuple(
        "".join(filter(str.isalnum, part.casefold())) or part
        for part in name.replace("[", ".").split(".")
    )
