"""AuthorizationServer: the sync face."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock
from ..._crypto import KeyRing
from ..._ids import Ids
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ..._protocols import UnitLike, Units
from ..._unit import in_own_unit
from ...errors import ConfigurationError
from ..access_tokens.policy import check_permissions
from ..signed_tokens import SigningKey, SigningKeys
from ..tables import oauth_codes, oauth_grants, oauth_refresh_tokens
from . import metadata, rows
from .asking import Asking
from .clients import Clients
from .granting import Granting
from .grants import Grants
from .interface import AuthorizationRequest, Endpoints, GrantInfo, Scopes, ServerTerms, VerifiedAccess
from .judging import Judging
from .means import Means

if TYPE_CHECKING:
    from ..access import Access
    from .aio import AsyncAuthorizationServer

_BATCH: Final = 500
_DAY_US: Final = 86_400 * 1_000_000


class AuthorizationServer(Lifecycle):
    """Gives clients tokens for what users agree to: authorization code with PKCE, refresh tokens, client credentials.

    ``database``, ``access``, whose roles tell what permissions there are and whose audit log is written, and ``keys``
    are borrowed. :class:`ConfigurationError` for a scope with a permission that no role can give, and for signing keys
    that are none. The tables hold digests alone of codes, tokens and secrets.

    A code or refresh token is good for one use; used again, all that follows from the same consent ends. Each
    :meth:`verify` asks the database, so that what was revoked is refused from the next request on, in every process;
    while it is away :class:`BackendError` is raised: what cannot be asked about is not refused.

    Counts ``oauth_tokens_issued_total`` (by ``grant_type``), ``oauth_refused_total`` (by ``error``),
    ``oauth_grants_revoked_total`` and ``oauth_access_refused_total`` (by ``reason``), ``oauth_access_verified_total``.
    """

    def __init__(
        self,
        database: Units,
        access: Access,
        keys: KeyRing,
        *,
        terms: ServerTerms,
        scopes: Scopes,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        for scope in scopes:
            try:
                check_permissions(scope.permissions, access.roles)
            except ValueError as error:
                raise ConfigurationError(f"scope {scope.name}: {error}") from None
        given = [SigningKey.from_pem(text) for text in terms.signing_keys]
        if given and not any(key.can_sign for key in given):
            raise ConfigurationError(
                "expected a private key among oauth.signing_keys: with public ones nothing is signed"
            )
        signing = SigningKeys(given) if given else SigningKeys.of_ring(keys)
        algorithms = signing.algorithms if given else frozenset({"EdDSA"})  # those of a ring are made when used
        how = (terms, scopes, clock or SystemClock(), metrics or Metrics(), Ids())
        self._means = Means(database, access, keys, signing, algorithms, *how)
        self.bridge = Bridge(name="postrmagic-oauth")
        self.database = database
        self.terms = terms
        self.scopes = scopes
        self._grants = Grants(self._means)
        self._asking = Asking(self._means)
        self._granting = Granting(self._means, self._grants)
        self._judging = Judging(self._means, self._grants)

    @cached_property
    def clients(self) -> Clients:
        """The programs that may ask."""
        return Clients(self._means)

    @cached_property
    def aio(self) -> AsyncAuthorizationServer:
        """The same server for asyncio, with the same names."""
        from .aio import AsyncAuthorizationServer

        return AsyncAuthorizationServer(self)

    def ask(self, query: str) -> AuthorizationRequest:
        """What the query of ``GET /oauth/authorize`` asks for, as it came, undecoded and without its ``?``.

        :class:`OAuthRefused`: with a ``location`` the browser is sent there; without one the user is told, as the
        client or its address is not known. Nothing is kept: to be called again when the user has answered.
        """
        self.ensure_open()
        with self._means.counting():
            return self._asking.ask(query)

    def approve(
        self,
        request: AuthorizationRequest,
        user_id: str,
        *,
        scopes: Iterable[str] | None = None,
        tx: UnitLike | None = None,
    ) -> str:
        """Where to send the browser once the user has agreed, with a code; the code is good if ``tx`` commits.

        ``scopes``: those they agreed to, by name, at least one; left out, all. :class:`ValueError` for others, and for
        a user id that begins with ``client:``.
        """
        self.ensure_open()
        with self._means.counting():
            return self._asking.approve(request, user_id, scopes, tx)

    def deny(self, request: AuthorizationRequest, user_id: str) -> str:
        """Where to send the browser when the user does not agree."""
        self.ensure_open()
        return self._asking.deny(request, user_id)

    def token(
        self, form: Mapping[str, str], *, authorization: str | None = None, request_id: str | None = None
    ) -> dict[str, object]:
        """What ``POST /oauth/token`` answers, given its form, without duplicates, and the ``Authorization`` header.

        ``request_id``, of 1 to 255 visible ASCII characters, names the request: a client whose answer was lost gets the
        same one again, if it asks with the same refresh token and name within the policy's ``retry_window``.
        :class:`OAuthRefused` for whatever is not good.
        """
        self.ensure_open()
        with self._means.counting():
            return self._granting.token(form, authorization, request_id)

    def revoke(self, form: Mapping[str, str], *, authorization: str | None = None) -> None:
        """End what a token, of either kind, follows from (RFC 7009): all that the client got by the same consent.

        A token that is not good, or another client's, is no error. :class:`OAuthRefused` for whoever is no client.
        """
        self.ensure_open()
        with self._means.counting():
            self._judging.revoke(form, authorization)

    def introspect(self, form: Mapping[str, str], *, authorization: str | None = None) -> dict[str, object]:
        """What a token is good for (RFC 7662): ``{"active": False}`` if for nothing, or not for the client to know.

        A client may know of its own tokens, one that ``introspects`` of every access token; a public one of none.
        :class:`OAuthRefused` for whoever is no client.
        """
        self.ensure_open()
        with self._means.counting():
            return self._judging.introspect(form, authorization)

    def metadata(self, endpoints: Endpoints) -> dict[str, object]:
        """The document of ``/.well-known/oauth-authorization-server`` (RFC 8414)."""
        return metadata.document(self.terms.issuer, self.scopes, endpoints)

    def jwks(self) -> dict[str, object]:
        """The public keys by which others verify access tokens (RFC 7517)."""
        return self._means.signing.jwks()

    def verify(self, token: object) -> VerifiedAccess | None:
        """Who acts by an access token and what it is limited to; one read, which locks nothing.

        ``None`` alike for a text that is malformed, tampered with, expired, revoked or not for here.
        """
        self.ensure_open()
        return self._judging.verify(token)

    def grants_of(self, user_id: str) -> list[GrantInfo]:
        """What the user lets clients do now, the newest first."""
        self.ensure_open()
        return self._grants.of(user_id)

    def revoke_grant(
        self, user_id: str, grant_id: str, *, actor: str | None = None, tx: UnitLike | None = None
    ) -> bool:
        """End one of the user's grants with all its tokens; ``False`` if there is none such that is good."""
        self.ensure_open()
        return self._grants.revoke(user_id, grant_id, actor, tx)

    def revoke_all(self, user_id: str, *, actor: str | None = None, tx: UnitLike | None = None) -> int:
        """End all of the user's grants; returns how many there were. Codes that wait to be redeemed end too."""
        self.ensure_open()
        return self._grants.revoke_all(user_id, actor, tx)

    def sweep(self) -> int:
        """Delete what ended longer ago than the policy keeps it, 500 at a time, and kept answers; returns how many.

        Codes and refresh tokens stay as long as their grant, so that one that comes again ends it. What clients got for
        themselves is kept for a day at most.
        """
        self.ensure_open()
        now_us = self._means.clock.now_us()
        keep_us = round(self.terms.policy.keep * 1_000_000)
        before_us, own_before_us = now_us - keep_us, now_us - min(keep_us, _DAY_US)
        self._each(partial(rows.stale_replies, now_us=now_us), rows.drop_replies)
        swept = self._each(
            partial(rows.ended_grants, before_us=before_us, own_before_us=own_before_us),
            partial(rows.delete_each, table=oauth_grants),
        )
        for table in (oauth_codes, oauth_refresh_tokens):
            alone = partial(rows.left_behind, table=table, before_us=before_us)
            swept += self._each(alone, partial(rows.delete_each, table=table))
        return swept

    def _each(self, find: Callable[..., Sequence[Any]], change: Callable[..., int]) -> int:
        """Change what is found until nothing is, each batch in a transaction of its own; returns how many."""
        done = 0
        while True:
            with self.database.read() as unit:
                keys = find(unit, limit=_BATCH)
            if not keys:
                return done
            done += in_own_unit(self.database, partial(change, keys=keys))

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        self.bridge.close()
