"""The authorization endpoint: what a client asks a user for, and what the browser takes back."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._protocols import UnitLike
from ...errors import OAuthRefused
from ..checks import CLIENT, check_user
from ..units import in_unit
from . import policy, redirects, rows, texts
from .interface import AuthorizationRequest, ClientInfo

if TYPE_CHECKING:
    from .means import Means


class Asking:
    """Authorization requests, from the query to the code (RFC 6749, section 4.1)."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def ask(self, query: str) -> AuthorizationRequest:
        """What a query asks for; :class:`OAuthRefused`, with an address only if it is the client's."""
        fields = policy.parsed(query)
        client_id, uri = (policy.single(fields, name) for name in ("client_id", "redirect_uri"))
        client = self._client(client_id)
        if not redirects.matches(uri, client.redirect_uris):
            policy.refuse("invalid_request", "redirect_uri is not one that the client has registered")
        try:
            return policy.request(fields, client, uri, self._means.scopes, self._means.terms.resource)
        except OAuthRefused as wrong:
            told = {"error": wrong.error, "error_description": wrong.description}
            location = self._location(uri, policy.state(fields), told)
            raise OAuthRefused(wrong.error, wrong.description, location=location) from None

    def approve(
        self, request: AuthorizationRequest, user_id: str, scopes: Iterable[str] | None, tx: UnitLike | None
    ) -> str:
        """A code for what the user agreed to, in the address to send the browser to."""
        agreed = policy.left(scopes, request.scopes)
        if check_user(user_id).startswith(CLIENT):
            raise ValueError(
                f"a user's id that begins with {CLIENT!r} would be a client's: it cannot agree to anything"
            )
        code = texts.new(texts.CODE, secrets.choice)
        digest = texts.sha256(code)

        def put(unit: UnitLike) -> None:
            self._still_there(unit, request.client)
            lasts = round(self._means.terms.policy.code_lifetime * 1_000_000)
            values = {
                "digest": digest,
                "client_id": request.client.id,
                "user_id": user_id,
                "redirect_uri": request.redirect_uri.encode(),
                "scopes": rows.packed(agreed),
                "challenge": request.challenge,
                "expires_us": self._means.clock.now_us() + lasts,
            }
            rows.put_code(unit, values)
            self._record(unit, "approved", request, user_id, agreed)

        in_unit(self._means.database, tx, put)
        return self._location(request.redirect_uri, request.state, {"code": code})

    def deny(self, request: AuthorizationRequest, user_id: str) -> str:
        """That the user does not agree, in the address to send the browser to."""
        check_user(user_id)
        asked = tuple(scope.name for scope in request.scopes)
        in_unit(self._means.database, None, lambda unit: self._record(unit, "denied", request, user_id, asked))
        told = {"error": "access_denied", "error_description": "the user does not agree"}
        return self._location(request.redirect_uri, request.state, told)

    def _client(self, client_id: str) -> ClientInfo:
        row = None
        if texts.is_client_id(client_id):
            with self._means.database.read() as unit:
                row = rows.client(unit, client_id)
        if row is None or row.disabled_us is not None:
            policy.refuse("invalid_request", "client_id is not one of a client that there is")
        return rows.client_info(row)

    def _still_there(self, unit: UnitLike, client: ClientInfo) -> None:
        row = rows.client(unit, client.id)
        if row is None or row.disabled_us is not None:
            policy.refuse("invalid_request", "client_id is not one of a client that there is")

    def _record(
        self, unit: UnitLike, what: str, request: AuthorizationRequest, user_id: str, scopes: tuple[str, ...]
    ) -> None:
        detail = {"client": request.client.id, "scopes": scopes}
        self._means.record(unit, what, actor=user_id, subject=user_id, detail=detail)

    def _location(self, uri: str, state: str | None, answer: dict[str, str]) -> str:
        # Who answers stands beside it, so that a client of several servers is not taken in (RFC 9207).
        return redirects.answered(uri, answer | {"state": state, "iss": self._means.terms.issuer})
