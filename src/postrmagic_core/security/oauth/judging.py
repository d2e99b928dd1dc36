"""Whether an access token is good: its signature, what it says, and that its grant was not revoked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..signed_tokens import TokenVerifier
from ..signed_tokens.interface import TokenClaims, TokenRefusal
from ..units import in_unit
from . import policy, rows, texts
from .interface import ClientInfo, VerifiedAccess
from .means import subject
from .policy import Refused

if TYPE_CHECKING:
    from ..._protocols import UnitLike
    from .grants import Grants
    from .means import Means

_NOT_ACTIVE: dict[str, object] = {"active": False}


@dataclass(frozen=True, slots=True)
class _Good:
    """An access token that is good, and its grant's row."""

    claims: TokenClaims
    grant: Any
    access: VerifiedAccess


class Judging:
    """Verification, introspection (RFC 7662) and revocation (RFC 7009) of what clients have got."""

    def __init__(self, means: Means, grants: Grants) -> None:
        self._means = means
        self._grants = grants
        self._verifier = TokenVerifier(
            means.signing,
            issuer=means.terms.issuer,
            audience=means.terms.resource,
            algorithms=means.algorithms,
            clock=means.clock,
            metrics=means.metrics,
        )
        self._verified = means.metrics.counter("oauth_access_verified_total")

    def verify(self, token: object) -> VerifiedAccess | None:
        """What the token allows, or that it is not good."""
        found = self._judged(token)
        if isinstance(found, _Good):
            self._verified.add()
            return found.access
        self._tell(None, found)
        return None

    def introspect(self, form: Mapping[str, str], authorization: str | None) -> dict[str, object]:
        """What RFC 7662, section 2.2, tells of a token to a client that may know."""
        client = self._means.client(form, authorization)
        if client.public:
            self._means.denied(client.id, "client", "public")
            raise policy.bad_client()
        token = policy.required(form, "token")
        if token.startswith(texts.REFRESH):
            return self._told_of_refresh(client, token)
        found = self._judged(token)
        if isinstance(found, _Good) and not (client.introspects or found.access.client_id == client.id):
            found = Refused("other_client")
        if isinstance(found, Refused):
            self._tell(client, found)
            return dict(_NOT_ACTIVE)
        claims = found.claims
        return {
            "active": True,
            "token_type": "Bearer",
            "iss": claims.issuer,
            "aud": self._means.terms.resource,
            "sub": claims.subject,
            "client_id": claims.client_id,
            "scope": " ".join(sorted(found.access.scopes)),
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
            "jti": claims.id,
            "grant": found.access.grant_id,
        }

    def revoke(self, form: Mapping[str, str], authorization: str | None) -> None:
        """End the grant that a token is of, if it is the client's; what is none is ended already."""
        client = self._means.client(form, authorization)
        token = policy.required(form, "token")
        if token.startswith(texts.REFRESH):
            what, grant = "refresh_token", self._grant_of_refresh(token)
        else:
            found = self._judged(token)
            what, grant = "access_token", found.grant if isinstance(found, _Good) else None
        if grant is None:
            return
        if grant.client_id != client.id:
            self._means.denied(client.id, what, "other_client")
            return

        def end(unit: UnitLike) -> bool:
            return self._grants.end(unit, grant, "revoked_by_client", client.id)

        in_unit(self._means.database, None, end)

    def _judged(self, token: object) -> _Good | Refused:
        claims = self._verifier.judge(token)
        if isinstance(claims, TokenRefusal):
            return Refused(claims.reason)
        grant_id = claims.extra.get("grant")
        if not isinstance(grant_id, str) or not texts.is_grant_id(grant_id):
            return Refused("claims")
        with self._means.database.read() as unit:
            row = rows.grant(unit, grant_id)
        if row is None or (row.client_id, subject(row.user_id, row.client_id)) != (claims.client_id, claims.subject):
            return Refused("unknown")
        if not rows.is_good(row, self._means.clock.now_us()):
            return Refused("revoked", client_id=row.client_id)
        scopes = claims.scopes & set(rows.unpacked(row.scopes)) & set(self._means.scopes.names)
        permissions = self._means.scopes.permissions(scopes)
        access = VerifiedAccess(grant_id, row.client_id, row.user_id, scopes, permissions, claims.expires_at)
        return _Good(claims, row, access)

    def _told_of_refresh(self, client: ClientInfo, token: str) -> dict[str, object]:
        """Of a refresh token its own client alone is told: to a resource server it is no token at all."""
        digest = texts.digest(texts.REFRESH, token)
        row = None
        if digest is not None:
            with self._means.database.read() as unit:
                row = rows.refresh(unit, digest)
        now_us = self._means.clock.now_us()
        if row is None or row.client_id != client.id:
            why = "malformed" if digest is None else "unknown" if row is None else "other_client"
        elif row.used_us is not None:
            why = "used"
        elif row.revoked_us is not None:
            why = "revoked"
        elif row.expires_us <= now_us:
            why = "expired"
        else:
            return {
                "active": True,
                "iss": self._means.terms.issuer,
                "sub": subject(row.user_id, row.client_id),
                "client_id": row.client_id,
                "scope": " ".join(rows.unpacked(row.scopes)),
                "exp": row.expires_us // 1_000_000,
            }
        self._means.denied(client.id, "refresh_token", why)
        return dict(_NOT_ACTIVE)

    def _grant_of_refresh(self, token: str) -> Any:
        digest = texts.digest(texts.REFRESH, token)
        if digest is None:
            return None
        with self._means.database.read() as unit:
            row = rows.refresh(unit, digest)
            return None if row is None else rows.grant(unit, row.grant_id)

    def _tell(self, client: ClientInfo | None, refused: Refused) -> None:
        self._means.metrics.counter("oauth_access_refused_total", reason=refused.why).add()
        self._means.denied(refused.client_id if client is None else client.id, "access_token", refused.why)
