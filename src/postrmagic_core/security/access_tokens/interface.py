"""What access tokens are limited to, and what is told of them: small frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ..access.interface import User

DAY: Final = 86_400.0
_MAX_LIFETIME, _MAX_PER_USER = 365 * DAY, 10_000


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """How long tokens live, in seconds, and how many a user may have at once.

    ``lifetime``: where none is asked for. ``max_lifetime``: at most, whatever is asked for; never more than 365 days.
    ``max_per_user`` counts those that are good. ``keep``: how long one that has ended stays in the table, to be seen.
    """

    lifetime: float = 90 * DAY
    max_lifetime: float = _MAX_LIFETIME
    max_per_user: int = 50
    keep: float = 30 * DAY

    def __post_init__(self) -> None:
        if not 0 < self.lifetime <= self.max_lifetime <= _MAX_LIFETIME:
            raise ValueError(
                f"expected 0 < lifetime <= max_lifetime <= {_MAX_LIFETIME:g} seconds, "
                f"got {self.lifetime!r} and {self.max_lifetime!r}"
            )
        if type(self.max_per_user) is not int or not 0 < self.max_per_user <= _MAX_PER_USER:
            raise ValueError(
                f"expected max_per_user to be a whole number of 1 to {_MAX_PER_USER}, got {self.max_per_user!r}"
            )
        if not 0 <= self.keep <= _MAX_LIFETIME:
            raise ValueError(f"expected keep to be 0 to {_MAX_LIFETIME:g} seconds, got {self.keep!r}")


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What its owner is told of a token. ``id`` stands in the token itself and is no secret.

    ``permissions``: what it is limited to; ``None``: to nothing less than its owner may. ``last_used_at`` is told to
    the minute. ``revoked_at``: when it was ended before it expired.
    """

    id: str
    name: str
    permissions: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token: ``token`` is its text, to be shown once, as nothing keeps it and no ``repr`` shows it."""

    token: str = field(repr=False)
    info: TokenInfo


@dataclass(frozen=True, slots=True)
class TokenUser(User):
    """An :class:`Identity`: a user who asks by a token, with what it is limited to as ``scopes``."""

    token_id: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that is good: whose it is, and what it is limited to (``None``: to nothing less than its owner may)."""

    id: str
    user_id: str
    permissions: frozenset[str] | None
    expires_at: datetime

    def restrict(self, user: User) -> TokenUser:
        """The owner, as :meth:`Access.identity` tells of them now, limited to what the token allows.

        Raises :class:`ValueError` for somebody else, and for who is limited already.
        """
        if user.id != self.user_id or user.scopes is not None:
            raise ValueError("expected the token's owner as access.identity(verified.user_id) returns them")
        return TokenUser(user.id, user.roles, self.permissions, self.id)
