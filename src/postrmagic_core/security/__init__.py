"""Security: passwords, one-time tokens, second factors, who may do what, and tokens for scripts and other programs.

Here is what an application begins with. What goes with it stands in the package of its kind: ``passwords``, ``logins``,
``factors``, ``access``, ``access_tokens``, ``signed_tokens`` and ``oauth``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .access import Access, Role, Roles, User, requires
    from .access_tokens import AccessTokens
    from .factors import SecondFactors
    from .logins import LoginThrottle, LoginTokens
    from .manager import Security
    from .passwords import PasswordRules, Passwords
else:  # whoever only asks who may do what loads neither limits nor the hashing of passwords
    __getattr__ = lazily(
        __name__,
        {
            "Access": "access",
            "AccessTokens": "access_tokens",
            "LoginThrottle": "logins",
            "LoginTokens": "logins",
            "PasswordRules": "passwords",
            "Passwords": "passwords",
            "Role": "access",
            "Roles": "access",
            "SecondFactors": "factors",
            "Security": "manager",
            "User": "access",
            "requires": "access",
        },
    )

__all__ = [
    "Access",
    "AccessTokens",
    "LoginThrottle",
    "LoginTokens",
    "PasswordRules",
    "Passwords",
    "Role",
    "Roles",
    "SecondFactors",
    "Security",
    "User",
    "requires",
]
