"""What a client is answered that gets a token: RFC 6749, section 5.1, and RFC 9068, section 2.2."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._protocols import UnitLike
from . import rows, texts
from .means import subject

if TYPE_CHECKING:
    from .means import Means

_SECOND = 1_000_000


class Issuing:
    """Access tokens, each of a grant whose id stands in it, and refresh tokens."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def answer(
        self, grant_id: str, client_id: str, user_id: str | None, scopes: Iterable[str], now_us: int, ends_us: int
    ) -> dict[str, object]:
        """An access token of these scopes, that ends with the grant, at ``ends_us``, or before."""
        terms, scope = self._means.terms, " ".join(scopes)
        issued = now_us // _SECOND
        expires = min(issued + int(terms.policy.access_token_lifetime), ends_us // _SECOND)
        claims = {
            "iss": terms.issuer,
            "aud": terms.resource,
            "sub": subject(user_id, client_id),
            "client_id": client_id,
            "iat": issued,
            "exp": expires,
            "jti": self._means.ids.text(now_us),
            "scope": scope,
            "grant": grant_id,
        }
        token = self._means.signing.sign(claims)
        return {"access_token": token, "token_type": "Bearer", "expires_in": expires - issued, "scope": scope}

    def refresh_token(self) -> tuple[str, bytes]:
        """A new one and its digest."""
        text = texts.new(texts.REFRESH, secrets.choice)
        return text, texts.sha256(text)

    def put_refresh(self, unit: UnitLike, digest: bytes, grant_id: str, now_us: int, ends_us: int) -> None:
        """Keep a new one's digest, until it has not been used for too long or its grant has ended."""
        idle_us = now_us + round(self._means.terms.policy.refresh_idle * _SECOND)
        rows.put_refresh(unit, digest, grant_id, min(idle_us, ends_us))

    def count(self, unit: UnitLike, kind: str) -> None:
        """Count a token of this grant type, once it is surely given."""
        unit.after_commit(self._means.metrics.counter("oauth_tokens_issued_total", grant_type=kind).add)
