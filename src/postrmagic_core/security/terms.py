"""What an application's settings say of its security."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._rooms import OAuthSettings
    from ..settings import Settings
    from .oauth import ServerTerms


@dataclass(frozen=True, slots=True)
class SecurityTerms:
    """What an application's settings say of its security.

    ``issuer`` is what authenticator apps call the application; ``role_max_age`` (seconds) is how long a revoked role
    may still count in another process; ``strict`` raises for a permission that does not exist, for development.
    ``oauth``: how clients know the authorization server; ``None``: there is none.
    """

    issuer: str
    role_max_age: float
    strict: bool
    oauth: ServerTerms | None = None

    @classmethod
    def of(cls, settings: Settings) -> SecurityTerms:
        """As the settings have it; :class:`ConfigurationError` for an issuer that cannot be one."""
        room, stack = settings.security, settings.stack
        strict = stack.environment != "production"
        return cls(room.issuer or stack.service, room.role_max_age, strict, _server(settings.oauth))


def _server(room: OAuthSettings) -> ServerTerms | None:
    if room.issuer is None:
        return None
    from .oauth import OAuthPolicy, ServerTerms

    policy = OAuthPolicy(
        access_token_lifetime=room.access_token_lifetime,
        refresh_idle=room.refresh_idle,
        grant_lifetime=room.grant_lifetime,
    )
    keys = tuple(key.get_secret_value() for key in room.signing_keys)
    return ServerTerms(room.issuer, room.audience, keys, policy)
