"""What is asked of a source of keys, and what a token that is good, or is not, comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from .keys import SigningKey

Reason: TypeAlias = Literal[
    "malformed",
    "header",
    "type",
    "algorithm",
    "key",
    "signature",
    "claims",
    "issuer",
    "audience",
    "expired",
    "early",
]
"""Why a token is refused, in the order in which it is looked at.

``malformed``: no text of three segments in base64url. ``header``: no JSON object of ``alg``, ``typ`` and ``kid`` alone.
``type``: no access token. ``algorithm``: not one of those allowed, or not its key's. ``key``: nobody's that is known.
``claims``: one is missing, twice there or of another type. ``early``: not yet good.
"""


class KeySource(Protocol):
    """Where a verifier finds keys: what a token's header says of them is a name to look up, never a key."""

    def find(self, kid: str) -> SigningKey | None:
        """The key of this name; ``None``: there is none. :class:`BackendError` if that cannot be said now."""
        ...


class TokenRefusal(NamedTuple):
    """Why a token is not good, and its ``jti`` if it was signed by a known key: for logs, never for who sent it."""

    reason: Reason
    id: str | None = None


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token that is good says (RFC 9068, section 2.2).

    ``id`` is its ``jti``. ``scopes``: the words of ``scope``, none if it is not there. ``extra``: all other claims, as
    JSON has them, unchecked but for names that stand twice and numbers that are none.
    """

    issuer: str
    audience: tuple[str, ...]
    subject: str
    client_id: str
    id: str
    issued_at: datetime
    expires_at: datetime
    scopes: frozenset[str] = frozenset()
    extra: Mapping[str, object] = field(default_factory=dict)
