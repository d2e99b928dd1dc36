"""What a throttle allows and decided, and what a token stood for: small frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ...limits import Limit

Judged: TypeAlias = Literal["device", "network", "stranger"]
Detail: TypeAlias = bytes | Mapping[str, object] | None

_OWN = Limit("login", 10, 600.0)
_NETWORK = Limit("login-network", 100, 3600.0)
_ACCOUNT = Limit("login-account", 50, 3600.0)


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How many attempts are admitted; a login that succeeded is taken back from ``own``.

    ``own``: for an account from one network, or with one device's token. Strangers, who have neither logged in to the
    account from their network before nor present a token, share two more: ``network``, of all accounts, and
    ``account``, of all networks. NIST SP 800-63B-4, section 3.2.2, admits 100 failed attempts in a row.
    """

    own: Limit = _OWN
    network: Limit = _NETWORK
    account: Limit = _ACCOUNT


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an attempt may be made, and if not, after how many seconds the next one might; true if it may.

    ``judged``: as whom. For logs, not for clients, whom it would tell where the account's owner logs in from.
    """

    allowed: bool
    retry_after: float
    judged: Judged

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whose token it was, and what was sealed with it."""

    user_id: str
    detail: bytes | dict[str, object] | None = field(default=None, repr=False)
