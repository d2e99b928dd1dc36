"""What the parts of security ask of their arguments alike: users' ids, other texts, and lifetimes."""

from __future__ import annotations

from typing import Any

USER_BYTES = 190
"""Bytes that every table gives a user's id."""

TOKEN_LENGTH = 8192
"""Characters of the longest bearer token, of whichever kind: a longer one is refused before anything else."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are this machine, with which nobody needs TLS."""

CLIENT = "client:"
"""What the id of a program stands behind where it asks for itself: no user's id begins so."""


def check_user(user_id: object) -> str:
    """The user's id; :class:`ValueError` unless it is a text of 1 to 190 bytes.

    A number would match other users' texts on MySQL.
    """
    return check_text("user_id", user_id, USER_BYTES)


def check_text(what: str, text: object, max_bytes: int) -> str:
    """The text; :class:`ValueError` unless it is one of 1 to ``max_bytes`` bytes, as its column takes it."""
    if not isinstance(text, str):
        got = type(text).__name__
    else:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            got = "what cannot be written as UTF-8"
        else:
            if 0 < size <= max_bytes:
                return text
            got = f"{size:,} bytes"
    raise ValueError(f"expected as {what} a text of 1 to {max_bytes} bytes, got {got}")


def lifetime_us(lifetime: float, max_lifetime: float) -> int:
    """The microseconds that a token lives; :class:`ValueError` above ``max_lifetime`` seconds."""
    if not 0 < lifetime <= max_lifetime:
        raise ValueError(f"expected a lifetime of more than 0 and at most {max_lifetime:g} seconds, got {lifetime}")
    return max(round(lifetime * 1_000_000), 1)


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of these pairs (``object_pairs_hook``); :class:`ValueError` where a name stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
