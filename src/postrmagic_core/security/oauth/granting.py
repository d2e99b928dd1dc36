"""The token endpoint: codes, refresh tokens and clients' own credentials become access tokens, each in one transaction.

What is good for one use is used up by one UPDATE, which of any number at once one wins; who comes second ends what the
first one got (RFC 9700, sections 2.1.1 and 4.14). That is decided in the transaction and answered once it has
committed: a refusal that was raised in it would undo the revocation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..._protocols import UnitLike
from ...errors import SealBroken
from ..units import in_unit
from . import policy, rows, texts
from .interface import ClientInfo, Scope
from .issuing import Issuing
from .policy import Refused

if TYPE_CHECKING:
    from .grants import Grants
    from .means import Means

Answer: TypeAlias = "dict[str, object]"

_log = logging.getLogger("postrmagic_core.security")

_SECOND = 1_000_000
_PURPOSE = "oauth-reply"
_REQUEST_ID = 255


class _Refreshing(NamedTuple):
    """A refresh token that was shown: its digest, its row, who shows it, what for, and the name of the request."""

    digest: bytes
    row: Any
    client: ClientInfo
    scopes: tuple[Scope, ...]
    request_id: str | None


class Granting:
    """What clients are answered that ask for a token."""

    def __init__(self, means: Means, grants: Grants) -> None:
        self._means = means
        self._grants = grants
        self._issuing = Issuing(means)

    def token(self, form: Mapping[str, str], authorization: str | None, request_id: str | None) -> Answer:
        """An answer of RFC 6749, section 5.1; :class:`OAuthRefused` of section 5.2."""
        kind = policy.grant_type(form)
        client = self._means.client(form, authorization)
        policy.check_allowed(client, kind)
        policy.check_resource(form, self._means.terms.resource)
        if kind == policy.AUTHORIZATION_CODE:
            return self._by_code(form, client)
        if kind == policy.REFRESH_TOKEN:
            return self._by_refresh(form, client, request_id)
        return self._by_itself(form, client)

    # By a code.

    def _by_code(self, form: Mapping[str, str], client: ClientInfo) -> Answer:
        code, uri, verifier = (policy.required(form, name) for name in ("code", "redirect_uri", "code_verifier"))
        digest = texts.digest(texts.CODE, code)
        row = None
        if digest is not None:
            # Read first, without a transaction: guesses, which find nothing, then lock nothing.
            with self._means.database.read() as unit:
                row = rows.code(unit, digest)
        if row is None or row.client_id != client.id:
            why = "malformed" if digest is None else "unknown" if row is None else "other_client"
            return self._refuse(client, "code", Refused(why))
        wrong = _wrong(row, uri, verifier)
        return self._answered(client, "code", partial(self._redeem, row, client, wrong))

    def _redeem(self, row: Any, client: ClientInfo, wrong: str | None, unit: UnitLike) -> Answer | Refused:
        now_us = self._means.clock.now_us()
        digest, grant_id = bytes(row.digest), self._means.ids.text(now_us)
        # What is shown with the wrong proof is used up too: nobody tries a second one.
        if rows.redeem(unit, digest, None if wrong else grant_id, now_us):
            return Refused(wrong) if wrong else self._granted(unit, row, client, grant_id, now_us)
        stands = rows.code(unit, digest)
        if stands is None or stands.redeemed_us is None:
            return Refused("expired")
        grant = None if stands.grant_id is None else rows.grant(unit, stands.grant_id)
        return Refused("redeemed", grant is not None and self._grants.end(unit, grant, "code_replayed", client.id))

    def _granted(self, unit: UnitLike, row: Any, client: ClientInfo, grant_id: str, now_us: int) -> Answer:
        ends_us = now_us + round(self._means.terms.policy.grant_lifetime * _SECOND)
        scopes = rows.unpacked(row.scopes)
        values = {"id": grant_id, "client_id": client.id, "user_id": row.user_id}
        rows.put_grant(unit, values | {"created_us": now_us, "expires_us": ends_us}, scopes)
        self._grants.end_oldest(unit, row.user_id, client.id)
        answer = self._issuing.answer(grant_id, client.id, row.user_id, scopes, now_us, ends_us)
        if policy.REFRESH_TOKEN in client.grant_types:
            text, digest = self._issuing.refresh_token()
            self._issuing.put_refresh(unit, digest, grant_id, now_us, ends_us)
            answer["refresh_token"] = text
        detail = {"grant": grant_id, "client": client.id, "scopes": scopes}
        self._means.record(unit, "granted", actor=row.user_id, subject=row.user_id, detail=detail)
        self._issuing.count(unit, policy.AUTHORIZATION_CODE)
        return answer

    # By a refresh token.

    def _by_refresh(self, form: Mapping[str, str], client: ClientInfo, request_id: str | None) -> Answer:
        digest = texts.digest(texts.REFRESH, policy.required(form, "refresh_token"))
        row = None
        if digest is not None:
            with self._means.database.read() as unit:
                row = rows.refresh(unit, digest)
        if digest is None or row is None:
            return self._refuse(client, "refresh_token", Refused("malformed" if digest is None else "unknown"))
        if row.client_id != client.id and row.used_us is None:
            return self._refuse(client, "refresh_token", Refused("other_client"))
        scopes: tuple[Scope, ...] = ()
        # Of what is not good the scope says nothing: neither what is wrong, nor that nothing ends.
        if row.client_id == client.id and rows.may_refresh(row, self._means.clock.now_us()):
            granted = rows.unpacked(row.scopes)
            if not self._means.scopes.named(granted):
                return self._refuse(client, "refresh_token", Refused("no_scope"))
            scopes = policy.asked(form.get("scope") or None, granted, self._means.scopes)
        shown = _Refreshing(digest, row, client, scopes, _request_id(request_id))
        return self._answered(client, "refresh_token", partial(self._refresh, shown))

    def _refresh(self, shown: _Refreshing, unit: UnitLike) -> Answer | Refused:
        now_us = self._means.clock.now_us()
        row, client = shown.row, shown.client
        if row.client_id == client.id and shown.scopes:
            names = (scope.name for scope in shown.scopes)
            answer = self._issuing.answer(row.grant_id, client.id, row.user_id, names, now_us, row.ends_us)
            answer["refresh_token"], successor = self._issuing.refresh_token()
            if rows.use_refresh(unit, shown.digest, now_us, self._kept(shown, answer, now_us)):
                if not rows.touch_grant(unit, row.grant_id, now_us):
                    return Refused("revoked")
                self._issuing.put_refresh(unit, successor, row.grant_id, now_us, row.ends_us)
                self._issuing.count(unit, policy.REFRESH_TOKEN)
                return answer
        return self._used(shown, now_us, unit)

    def _used(self, shown: _Refreshing, now_us: int, unit: UnitLike) -> Answer | Refused:
        stands = rows.refresh(unit, shown.digest)
        if stands is None or stands.used_us is None:
            return Refused("expired")
        if stands.revoked_us is not None or stands.ends_us <= now_us:
            return Refused("revoked")
        answer = self._again(shown, stands, now_us)
        if answer is not None:
            return answer
        grant = rows.grant(unit, stands.grant_id)
        return Refused("used", grant is not None and self._grants.end(unit, grant, "refresh_replayed", shown.client.id))

    def _kept(self, shown: _Refreshing, answer: Answer, now_us: int) -> rows.Kept | None:
        """What is kept for a client that names its request."""
        window_us = round(self._means.terms.policy.retry_window * _SECOND)
        if shown.request_id is None or not window_us:
            return None
        sealed = self._means.ring.seal(json.dumps(answer).encode(), purpose=_PURPOSE, context=shown.digest)
        return rows.Kept(self._means.ring.mac(_named(shown), purpose=_PURPOSE), sealed, now_us + window_us)

    def _again(self, shown: _Refreshing, row: Any, now_us: int) -> Answer | None:
        """The answer of before, unchanged, for the same request of the same client, if it comes soon: it was lost."""
        if shown.request_id is None or row.client_id != shown.client.id or row.request_digest is None:
            return None
        if row.reply is None or now_us >= row.reply_until_us:
            return None
        same = self._means.ring.macs(_named(shown), purpose=_PURPOSE)
        if not any(compare_digest(bytes(row.request_digest), mac) for mac in same):
            return None
        try:
            opened = self._means.ring.open(bytes(row.reply), purpose=_PURPOSE, context=shown.digest)
        except SealBroken:
            told = {"event": "security.oauth.seal_broken", "client_id": shown.client.id}
            _log.error("the answer to a refresh token cannot be opened", extra=told)
            return None
        answer: Answer = json.loads(opened)
        return answer

    # By the client's own credentials.

    def _by_itself(self, form: Mapping[str, str], client: ClientInfo) -> Answer:
        names = [scope.name for scope in policy.asked(form.get("scope") or None, client.scopes, self._means.scopes)]

        def grant(unit: UnitLike) -> Answer:
            now_us = self._means.clock.now_us()
            grant_id, lifetime = self._means.ids.text(now_us), self._means.terms.policy.access_token_lifetime
            ends_us = now_us + round(lifetime * _SECOND)
            values = {"id": grant_id, "client_id": client.id, "created_us": now_us, "expires_us": ends_us}
            rows.put_grant(unit, values, names)
            self._issuing.count(unit, policy.CLIENT_CREDENTIALS)
            return self._issuing.answer(grant_id, client.id, None, names, now_us, ends_us)

        return in_unit(self._means.database, None, grant)

    def _answered(self, client: ClientInfo, what: str, work: Callable[[UnitLike], Answer | Refused]) -> Answer:
        found = in_unit(self._means.database, None, work)
        return self._refuse(client, what, found) if isinstance(found, Refused) else found

    def _refuse(self, client: ClientInfo, what: str, refused: Refused) -> Answer:
        if not refused.told:
            self._means.denied(client.id, what, refused.why)
        raise policy.bad_grant()


def _wrong(row: Any, uri: str, verifier: str) -> str | None:
    if bytes(row.redirect_uri) != uri.encode("utf-8", "surrogatepass"):
        return "wrong_redirect_uri"
    return None if policy.is_verifier(verifier, row.challenge) else "wrong_verifier"


def _request_id(given: str | None) -> str | None:
    """The name of a request; one that is none does not name it: without it there is no second answer."""
    fits = given is not None and 0 < len(given) <= _REQUEST_ID and given.isascii() and given.isprintable()
    return given if fits else None


def _named(shown: _Refreshing) -> bytes:
    return f"{shown.client.id} {shown.request_id}".encode()
