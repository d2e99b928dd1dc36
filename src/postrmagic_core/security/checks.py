"""What the parts of security ask of their arguments alike: users' ids, other texts, and lifetimes."""

from __future__ import annotations

USER_BYTES = 190
"""Bytes that every table gives a user's id."""

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
