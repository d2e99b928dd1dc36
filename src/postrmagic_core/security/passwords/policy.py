"""Which passwords are refused and why, and which stored hashes and costs are: without hashing, a clock or chance."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass

from ...errors import ConfigurationError
from .common import COMMON
from .interface import Argon2Cost

FLOOR = Argon2Cost(19_456, 2, 1)
"""The least that OWASP's Password Storage Cheat Sheet and ASVS 5.0 (appendix C) accept of argon2id: 19 MiB, 2, 1."""

LEAST = 8
"""Characters that ASVS 5.0 6.2.1 asks for at least; and how many must remain beside the user's own names."""

_ALLOWED = 64  # characters that must be allowed (ASVS 5.0 6.2.9): 256 bytes of UTF-8 at most
_LONGEST_HASH = 512
_LONGEST_COMMON = 20  # of the shipped list
_AFFIX = 4
_SHORTEST_NAME = 3

_MESSAGES = {
    "password.not_text": "use characters that can be written as UTF-8",
    "password.too_short": "use at least {least} characters; several words are easy to remember",
    "password.too_long": "use at most {most} bytes",
    "password.common": "this is among the passwords that are tried first; choose another",
    "password.context": "this is little more than your own name or ours; choose another",
    "password.breached": "this was found in a leak of passwords; choose another",
}


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a new password must be: long enough and hard to guess; nothing is said of which characters it has.

    ``min_length`` counts code points. 15 is what NIST SP 800-63B-4 asks of a password that is the only factor, and what
    ASVS 5.0 6.2.1 recommends; 8 is the least, for applications where each account has a second factor. ``max_bytes``
    bounds the work: a longer password is refused, never cut. ``common`` holds passwords known to all, in lower case.
    """

    min_length: int = 15
    max_bytes: int = 1024
    common: Container[str] = COMMON

    def __post_init__(self) -> None:
        if not LEAST <= self.min_length <= _ALLOWED:
            raise ConfigurationError(f"expected min_length of {LEAST} to {_ALLOWED} characters, got {self.min_length}")
        if self.max_bytes < 4 * _ALLOWED:
            raise ConfigurationError(f"expected max_bytes of {4 * _ALLOWED} or more, got {self.max_bytes}")

    def problems(self, password: str, context: Iterable[str] = ()) -> list[str]:
        """The code of everything that is wrong with ``password``; ``context``: names of the user and of the service."""
        raw = encoded(password)
        if raw is None:
            return ["password.not_text"]
        if len(raw) > self.max_bytes:
            return ["password.too_long"]
        found = []
        if len(password) < self.min_length:
            found.append("password.too_short")
        folded = fold(password)
        if is_common(folded, self.common):
            found.append("password.common")
        if is_context(folded, context):
            found.append("password.context")
        return found

    def described(self, codes: Iterable[str], pointer: str) -> list[dict[str, str]]:
        """The errors of a :class:`ValidationFailed`; none repeats the password."""
        return [
            {
                "pointer": pointer,
                "code": code,
                "message": _MESSAGES[code].format(least=self.min_length, most=self.max_bytes),
            }
            for code in codes
        ]


def encoded(password: str) -> bytes | None:
    """The UTF-8 of ``password``; ``None`` for lone surrogates, which have none. Not ``str``: :class:`TypeError`."""
    if not isinstance(password, str):
        raise TypeError(f"expected the password as str, got {type(password).__name__}")
    try:
        return password.encode()
    except UnicodeEncodeError:
        return None


def fold(text: str) -> str:
    """How passwords and names are compared: never how they are hashed."""
    return unicodedata.normalize("NFKC", text).casefold()


def is_common(folded: str, common: Container[str]) -> bool:
    """Whether it is a common password, two of them in a row, or one with up to four characters before or after it.

    Leaks have few long passwords, and guessers make long ones in just this way.
    """
    if folded in common:
        return True
    if len(folded) > 2 * _LONGEST_COMMON:
        return False
    for cut in range(1, len(folded)):
        head, tail = folded[:cut], folded[cut:]
        if (head in common and (cut + _AFFIX >= len(folded) or tail in common)) or (cut <= _AFFIX and tail in common):
            return True
    return False


def is_context(folded: str, context: Iterable[str]) -> bool:
    """Whether fewer than eight characters remain when the names are taken out of it."""
    names = {fold(part).strip() for name in context for part in (name, *name.split("@"))}
    left = folded
    for name in sorted((name for name in names if len(name) >= _SHORTEST_NAME), key=len, reverse=True):
        left = left.replace(name, "")
    return left != folded and len(left) < LEAST


def is_disabled(stored: str | None) -> bool:
    """Whether nothing is stored, or what is commonly put there so that no password fits."""
    return stored is None or stored == "" or stored[0] in "!*"


def is_readable(stored: str) -> bool:
    """Whether it may be a hash at all: short ASCII."""
    return len(stored) <= _LONGEST_HASH and stored.isascii()


def check_cost(cost: Argon2Cost, max_cost: Argon2Cost | None) -> Argon2Cost:
    """What stored hashes may cost at most; :class:`ConfigurationError` for what is below the floor, or contradicts.

    By default four times ``cost`` in memory and passes, and 16 lanes: who can write a hash into the table must not be
    able to take the machine's memory with it.
    """
    if not FLOOR.within(cost):
        raise ConfigurationError(
            f"argon2id needs at least {FLOOR.memory_kib} KiB, {FLOOR.passes} passes and {FLOOR.lanes} lane, got {cost}"
        )
    limit = max_cost or Argon2Cost(4 * cost.memory_kib, 4 * cost.passes, max(16, cost.lanes))
    if not cost.within(limit):
        raise ConfigurationError(f"new hashes would cost more than stored ones may: {cost} is above max_cost={limit}")
    return limit
