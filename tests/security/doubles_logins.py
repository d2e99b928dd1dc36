"""Logins without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import base64
import time
from typing import Any

from sqlalchemy import delete

from postrmagic_core._protocols import UnitLike
from postrmagic_core.limits import Take
from postrmagic_core.security.logins import LoginTokens, Redeemed, ThrottleLimits
from postrmagic_core.security.logins.policy import Attempt, Names
from postrmagic_core.security.tables import login_tokens


def one_bucket_for_all(limits: ThrottleLimits, names: Names, attempt: Attempt, who: str) -> list[Take]:
    """Each account has one bucket, out of which everybody takes: its owner is locked out by whoever wants that."""
    return [limits.account.of(names.account(attempt.account))]


def unwatched_account(limits: ThrottleLimits, names: Names, attempt: Attempt, who: str) -> list[Take]:
    """Only the network is looked at: a thousand networks guess a thousand times."""
    return [limits.own.of("n" + names.network(attempt))]


def whoever_holds_it(tokens: LoginTokens, unit: UnitLike, purpose: str, digest: bytes, redeemed: Redeemed) -> Redeemed:
    """It was there when it was read, so it is good; the row is deleted and nobody asks whether it still was there."""
    time.sleep(0.01)
    unit.execute(delete(login_tokens).where(login_tokens.c.digest == digest))
    return redeemed


def anybody(names: Names, account: bytes, token: str | None, now_us: int) -> bytes | None:
    """Whatever a client calls its device's token is one."""
    return token.encode() if token else None


def as_typed(account: str) -> bytes:
    """Each spelling of a name is another account."""
    return account.encode()


def each_address(address: Any) -> str:
    """Each address is a network of its own, of which an IPv6 subscriber has 2**64."""
    return str(address or "")


def as_it_is(names: Names, purpose: str, token: bytes) -> list[bytes]:
    """Tokens are stored as they are."""
    return [token]


def lenient(text: object, size: int) -> bytes | None:
    """Whatever decodes is a token."""
    return base64.urlsafe_b64decode(str(text).rstrip("=") + "==")[:size]
