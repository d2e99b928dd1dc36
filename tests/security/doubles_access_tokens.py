"""Access tokens without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from postrmagic_core.errors import BackendError
from postrmagic_core.security.access.interface import User
from postrmagic_core.security.access_tokens import AccessTokens, TokenUser, VerifiedToken
from postrmagic_core.security.access_tokens.policy import Read, Reason, Refusal
from postrmagic_core.security.access_tokens.rows import c, good, note_used
from postrmagic_core.security.tables import access_tokens

_judged = AccessTokens._judged
_known: dict[object, Any] = {}
_counted = threading.Barrier(2, timeout=0.5)


def nobody_while_away(tokens: AccessTokens, token: object) -> VerifiedToken | Refusal:
    """Who cannot be asked is nobody."""
    try:
        return _judged(tokens, token)
    except BackendError:
        return Refusal("unknown")


def known_once(tokens: AccessTokens, token: object) -> VerifiedToken | Refusal:
    """What was good once is good, for as long as the process lives."""
    if token not in _known:
        _known[token] = _judged(tokens, token)
    return _known[token]  # type: ignore[no-any-return]  # as above


def counted_only(tx: Any, user_id: str, now_us: int) -> int:
    """Counted, and nobody is kept from counting the same meanwhile."""
    count: int = tx.execute(select(func.count()).select_from(access_tokens).where(*good(user_id, now_us))).scalar_one()
    try:
        _counted.wait()
    except threading.BrokenBarrierError:
        _counted.reset()
    return count


def mine_or_not(user_id: str, now_us: int) -> list[Any]:
    """Whoever's it is."""
    return [c.revoked_us.is_(None), c.expires_us > now_us]


def until_the_end(stored: bytes, given: bytes, revoked_us: int | None, expires_us: int, now_us: int) -> Reason | None:
    """Good at the very instant of its end, too."""
    if stored != given:
        return "wrong"
    if revoked_us is not None:
        return "revoked"
    return "expired" if expires_us < now_us else None


def whatever_stands_there(
    stored: bytes, given: bytes, revoked_us: int | None, expires_us: int, now_us: int
) -> Reason | None:
    """The id is enough."""
    return "revoked" if revoked_us is not None else "expired" if expires_us <= now_us else None


def any_text(text: object) -> Read | None:
    """A checksum is not looked at."""
    found = re.fullmatch(r"pm_(.{16})_(.{49})", str(text))
    return None if found is None else Read(found[1], hashlib.sha256(str(text).encode("utf-8", "replace")).digest())


def all_of_the_owner_s(verified: VerifiedToken, user: User) -> TokenUser:
    """A token may what its owner may."""
    return TokenUser(user.id, user.roles, None, verified.id)


def in_the_request(tokens: AccessTokens, uses: Mapping[str, int]) -> None:
    """What cannot be noted fails."""
    with tokens.database.write() as unit:
        note_used(unit, uses, 60_000_000)


def first_of_header(header: str | None) -> str | None:
    """Of several the first; whatever else stands there is the cookie's business."""
    scheme, _, rest = (header or "").partition(" ")
    return rest.split(",")[0].strip() if scheme == "Bearer" else None
