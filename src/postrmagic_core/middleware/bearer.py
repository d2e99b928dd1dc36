"""What a request's bearer token says, whoever issued it: put in front of an application's own ``authenticate``.

::

    tokens = bearer_tokens(security.access_tokens, security.oauth, audit=security.audit)

    async def who(request):
        found = await tokens(request)
        if found is None:
            return await by_session(request)  # no token was sent: another way to say who asks may hold
        return found if found is REFUSED else await owner(request, security.access, found)

    Pipeline([…, authentication(who), authorization(security.access, rules, scopes=security.oauth.scopes)])
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar, overload

from ..errors import ConfigurationError
from ..security.access_tokens import AccessTokens, TokenUser, VerifiedToken, bearer
from ..security.checks import TOKEN_LENGTH
from .authentication import REFUSED, Refused
from .interface import Request

if TYPE_CHECKING:
    from ..security.access import Access, AuditLog
    from ..security.oauth import VerifiedAccess
    from ..security.signed_tokens import KeySource

A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

# Personal access tokens, and the codes, refresh tokens and clients' secrets of an authorization server here.
_OURS = re.compile(r"pm[a-z]?_").match
_DENIED = "bearer:token"


class Verifies(Protocol[A_co]):
    """What tells of a token whether it is good."""

    def verify(self, token: object) -> A_co | None:
        """What the token says; ``None`` if it is not good."""
        ...


_Ask: TypeAlias = Callable[[Request, str], Awaitable[Any]]
Tokens: TypeAlias = Callable[[Request], Awaitable["A | Refused | None"]]


@overload
def bearer_tokens(one: Verifies[A], /, *, audit: AuditLog | None = None) -> Tokens[A]: ...
@overload
def bearer_tokens(one: Verifies[A], two: Verifies[B], /, *, audit: AuditLog | None = None) -> Tokens[A | B]: ...
@overload
def bearer_tokens(
    one: Verifies[A], two: Verifies[B], three: Verifies[C], /, *, audit: AuditLog | None = None
) -> Tokens[A | B | C]: ...
@overload
def bearer_tokens(*sources: Verifies[Any], audit: AuditLog | None = None) -> Tokens[Any]: ...
def bearer_tokens(*sources: Verifies[Any], audit: AuditLog | None = None) -> Tokens[Any]:
    """A function to be awaited with a request: what its token says, or ``REFUSED``, or ``None`` where none was sent.

    ``sources`` are an :class:`AccessTokens` (``pm_…``), an :class:`AuthorizationServer` of this application,
    :class:`TokenVerifier`\\ s of others, and at most one :class:`Introspector`; each gives what its ``verify`` gives. A
    token is shown to the source that it can be of, by its shape and, of several for signed ones, by the issuer that it
    names: to nobody else, so that no server is told another's. What it names is believed only once it is verified.

    The header is read as :func:`.bearer` does: several of them, another syntax and tokens of more than 8,192
    characters are refused, a token in the query or the body is none. Whatever is not good gets the same
    :data:`REFUSED`, and one entry in ``audit``: the authorization server's own, or one of ``bearer:token`` for nobody.
    With ``REFUSED`` a request is nobody's, whatever else it carries: a cookie must not stand in for a token.
    :class:`BackendError` where a source cannot say.
    """
    routes = _Routes(sources)

    async def tokens(request: Request) -> Any:
        text = _credentials(request)
        if text is None:
            return None
        for source in routes.of(text):
            found = await source.ask(request, text)
            if found is not None:
                return found
            if source.audits:
                return REFUSED
        if audit is not None:
            audit.denied(None, _DENIED, _shape(text))
        return REFUSED

    return tokens


async def owner(request: Request, access: Access, verified: VerifiedToken | VerifiedAccess) -> TokenUser:
    """Who asks by a token of this application: its owner with the roles they have now, limited to what it allows."""
    subject = verified.user_id if isinstance(verified, VerifiedToken) else verified.subject
    return verified.restrict(await request.face(access).identity(subject))


class _Source(NamedTuple):
    """One of those that tokens are shown to; ``issuer``: whose signed tokens it takes."""

    ask: _Ask
    issuer: str | None = None
    audits: bool = False


class _Routes:
    """Which sources a token may be of."""

    def __init__(self, sources: tuple[Any, ...]) -> None:
        from ..security.oauth import AuthorizationServer, Introspector
        from ..security.signed_tokens import TokenVerifier

        self._personal: list[_Source] = []
        self._signed: list[_Source] = []
        self._opaque: list[_Source] = []
        for source in sources:
            if isinstance(source, AccessTokens):
                self._personal.append(_Source(_by_face(source)))
            elif isinstance(source, AuthorizationServer):
                self._signed.append(_Source(_by_face(source), source.terms.issuer, audits=True))
            elif isinstance(source, TokenVerifier):
                self._signed.append(_Source(_by_keys(source), source.issuer))
            elif isinstance(source, Introspector):
                asked = _Source(_by_face(source), source.issuer)
                self._signed.append(asked)
                self._opaque.append(asked)
            else:
                raise ConfigurationError(
                    "bearer_tokens: expected AccessTokens, AuthorizationServer, TokenVerifier or Introspector, "
                    f"got {type(source).__qualname__}"
                )
        if not sources or len(self._opaque) > 1:
            raise ConfigurationError(
                "bearer_tokens: expected at least one source, and at most one Introspector: "
                "with two, a token would be told to a server that did not issue it"
            )

    def of(self, text: str) -> list[_Source]:
        """Those to be asked, in the order in which they were given."""
        if not text:
            return []
        if _OURS(text) is not None:
            return self._personal
        if not self._opaque and len(self._signed) == 1:
            return self._signed
        named = _claimed(text, 1, "iss")
        known = [source for source in self._signed if named is not None and source.issuer == named]
        if known:
            return known
        # What has a signed token's head is no opaque one, however broken: the server here notes it, and no other sees
        # it. An opaque one may have dots too.
        if self._opaque and named is None and _segment(text, 0) is None:
            return self._opaque
        return [source for source in self._signed if source.audits]


def _credentials(request: Request) -> str | None:
    """The token; an empty text for one that is used wrongly, ``None`` where the scheme is not used."""
    text = bearer(", ".join(request.headers.get_all("authorization")) or None)
    return text if text is None or len(text) <= TOKEN_LENGTH else ""


def _by_face(source: Any) -> _Ask:
    return lambda request, text: request.face(source).verify(text)


def _by_keys(verifier: Any) -> _Ask:
    """By a verifier that does not wait, once the keys that it will look for have been waited for."""
    from ..security.signed_tokens import RemoteKeys

    keys: KeySource = verifier.keys

    async def ask(request: Request, text: str) -> Any:
        if isinstance(keys, RemoteKeys):
            kid = _claimed(text, 0, "kid")
            if kid is not None and keys.waits(kid):
                await request.face(keys).find(kid)
        return verifier.verify(text)

    return ask


def _claimed(token: str, index: int, name: str) -> str | None:
    """A text that a token claims, of which nothing is proved: it leads to who can tell, and no further."""
    found = (_segment(token, index) or {}).get(name)
    return found if isinstance(found, str) else None


def _segment(token: str, index: int) -> dict[str, Any] | None:
    """The JSON object in a segment; ``None`` if there is none."""
    segments = token.split(".", index + 1)
    if len(segments) <= index:
        return None
    text = segments[index].replace("-", "+").replace("_", "/")
    try:
        found = json.loads(a2b_base64(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _shape(text: str) -> str:
    """What is told of a token in the audit log: nothing of it."""
    if not text:
        return "malformed"
    if _OURS(text) is not None:
        return "personal"
    return "signed" if text.count(".") == 2 else "opaque"
