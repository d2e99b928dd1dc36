"""Access tokens: what a script of a user's uses the API with, in the place of a login.

::

    tokens = AccessTokens(database, access).open()

    issued = tokens.issue("7", "backup at night", permissions=["media:read:own"])
    show_once(issued.token)  # pm_…: only its SHA-256 is kept

    verified = tokens.verify(bearer(request.headers["authorization"]))
    if verified is not None:
        who = verified.restrict(access.identity(verified.user_id))
        access.require(who, "media:read", poster)  # what the owner may now, and the token allows

"""

from ...errors import TooManyTokens
from .interface import IssuedToken, TokenInfo, TokenPolicy, TokenUser, VerifiedToken
from .manager import AccessTokens
from .policy import PATTERN, bearer, not_by_token

__all__ = [
    "PATTERN",
    "AccessTokens",
    "IssuedToken",
    "TokenInfo",
    "TokenPolicy",
    "TokenUser",
    "TooManyTokens",
    "VerifiedToken",
    "bearer",
    "not_by_token",
]
