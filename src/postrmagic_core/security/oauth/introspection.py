"""Introspector: another authorization server is asked whether a token is good (RFC 7662), and asked seldom."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ...errors import BackendRejected, BackendUnavailable
from ..checks import TOKEN_LENGTH, unique_names
from ..exchange import MAX_BYTES, Endpoint

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*").fullmatch  # RFC 6750, section 2.1
_MAX_AGE, _NEGATIVE = 30.0, 5.0
_KEPT = 10_000  # answers
_LAST_SECOND = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True)
class IntrospectedToken:
    """What another server says of a token that is good (RFC 7662, section 2.2).

    Its ``subject`` is one of its ``issuer``, and says nothing about a user of the same id elsewhere. ``extra``: all
    other members, unchecked.
    """

    issuer: str
    subject: str | None
    client_id: str | None
    scopes: frozenset[str]
    expires_at: datetime | None
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)


class _Kept(NamedTuple):
    found: IntrospectedToken | None
    until: float


class Introspector(Lifecycle):
    """A client of the introspection endpoint at ``url``, whose tokens are those of ``issuer``.

    It authenticates by ``client_id`` and ``secret`` (HTTP Basic, as RFC 6749, section 2.3.1, writes it). An answer is
    kept for ``max_age`` seconds, 30 at most, and never beyond the token's own end; that a token is not good for five at
    most: so long may a token that was revoked still count. It is kept by the issuer and the SHA-256 of the whole token,
    10,000 of them, and none longer than the others need the room. With ``audience`` a token must be for it. ``url`` is
    ``https://``, or ``http://`` of this machine.

    Counts ``introspections_total`` by ``outcome``: ``kept``, ``active``, ``refused``, ``away``.
    """

    def __init__(
        self,
        url: str,
        *,
        issuer: str,
        client_id: str,
        secret: str,
        audience: str | None = None,
        max_age: float = _MAX_AGE,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= max_age <= _MAX_AGE:
            raise ValueError(f"expected max_age to be 0 to {_MAX_AGE:g} seconds, got {max_age!r}")
        self._endpoint = Endpoint(url, "the introspection endpoint")
        self.issuer = issuer
        self._authorization = _basic(client_id, secret)
        self._audience = audience
        self._max_age = max_age
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self.bridge = Bridge(name="postrmagic-introspection")
        self._changing = threading.Lock()
        after_fork(self._forget)

    @cached_property
    def aio(self) -> AsyncIntrospector:
        """The same for asyncio, with the same names."""
        return AsyncIntrospector(self)

    def verify(self, token: object) -> IntrospectedToken | None:
        """What the server says of a token; ``None`` alike for whatever is not good, and for what is no token's text.

        :class:`BackendError` if it cannot be asked, or answers with something else than it should: who cannot be asked
        is not nobody. The server has two seconds.
        """
        done, found = self.at_once(token)
        return found if done else self._ask(str(token))

    def at_once(self, token: object) -> tuple[bool, IntrospectedToken | None]:
        """Whether :meth:`verify` would not have to ask, and what it would say then."""
        self.ensure_open()
        if not isinstance(token, str) or len(token) > TOKEN_LENGTH or _TOKEN(token) is None:
            return True, None
        key = self._key(token)
        with self._changing:
            kept = self._kept.get(key)
            if kept is None:
                return False, None
            if self._clock.monotonic() >= kept.until or (kept.found is not None and self._is_over(kept.found)):
                del self._kept[key]
                return False, None
            self._kept.move_to_end(key)
        self._count("kept")
        return True, kept.found

    def _ask(self, token: str) -> IntrospectedToken | None:
        asked = self._clock.monotonic()
        try:
            answer = self._answered(token)
            found = self._judged(answer)
        except Exception:
            self._count("away")
            raise
        if self._keeps(found):
            self._keep(self._key(token), found, asked)
        self._count("refused" if found is None else "active")
        return found

    def _answered(self, token: str) -> dict[str, Any]:
        form = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = self._endpoint.exchange("POST", headers, form, max_bytes=MAX_BYTES)
        if answer.status in (401, 403):
            raise BackendRejected(f"the introspection endpoint refuses this client: status {answer.status}")
        if answer.status != 200:
            raise BackendUnavailable(f"the introspection endpoint answered with status {answer.status}")
        try:
            document = json.loads(answer.body.decode(), object_pairs_hook=unique_names)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("active"), bool):
            raise BackendUnavailable("the introspection endpoint answered with no object that says active or not")
        return document

    def _judged(self, answer: dict[str, Any]) -> IntrospectedToken | None:
        """The token, if it is good here too. An answer whose members are none of their kind says nothing."""
        if not answer["active"]:
            return None
        members = {name: value for name, value in answer.items() if value is not None and name != "active"}
        take = members.pop
        issuer, audience, kind = take("iss", self.issuer), take("aud", None), take("token_type", "Bearer")
        scope, subject, client = take("scope", ""), take("sub", None), take("client_id", None)
        expires, begins = take("exp", None), take("nbf", None)
        texts = (issuer, kind, scope, *(each for each in (subject, client) if each is not None))
        if not all(isinstance(each, str) for each in texts) or not all(map(_is_time, (expires, begins))):
            raise BackendUnavailable("the introspection endpoint answered with members of other kinds than they are")
        audiences = [audience] if isinstance(audience, str) else audience
        if self._audience is not None and not (isinstance(audiences, list) and self._audience in audiences):
            return None
        if issuer != self.issuer or kind.lower() != "bearer":  # a refresh token is none to ask with
            return None
        ends = None if expires is None else datetime.fromtimestamp(expires, UTC)
        scopes = frozenset(scope.split())
        found = IntrospectedToken(issuer, subject, client, scopes, ends, MappingProxyType(members))
        too_early = begins is not None and begins * 1_000_000 > self._clock.now_us()
        return None if too_early or self._is_over(found) else found

    def _is_over(self, found: IntrospectedToken) -> bool:
        return found.expires_at is not None and found.expires_at <= from_us(self._clock.now_us())

    def _keeps(self, found: IntrospectedToken | None) -> bool:
        return self._max_age > 0 and (found is None or not self._is_over(found))

    def _keep(self, key: bytes, found: IntrospectedToken | None, asked: float) -> None:
        until = asked + (min(self._max_age, _NEGATIVE) if found is None else self._max_age)
        with self._changing:
            self._kept[key] = _Kept(found, until)
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def _key(self, token: str) -> bytes:
        return hashlib.sha256(f"{self.issuer}\n{token}".encode()).digest()

    def _count(self, outcome: str) -> None:
        self._metrics.counter("introspections_total", outcome=outcome).add()

    def _forget(self) -> None:
        self._changing = threading.Lock()
        self._kept = OrderedDict()

    def _open(self) -> None:
        """Nothing is needed before the first token."""

    def _close(self) -> None:
        with self._changing:
            self._kept.clear()
        self.bridge.close()


class AsyncIntrospector:
    """The async face of :class:`Introspector`."""

    def __init__(self, introspector: Introspector) -> None:
        self._introspector = introspector

    async def verify(self, token: object) -> IntrospectedToken | None:
        """See :meth:`Introspector.verify`; what is known takes no thread."""
        done, found = self._introspector.at_once(token)
        if done:
            return found
        return await self._introspector.bridge.lift(lambda: self._introspector.verify(token))

    def at_once(self, token: object) -> tuple[bool, IntrospectedToken | None]:
        """See :meth:`Introspector.at_once`."""
        return self._introspector.at_once(token)


def _basic(client_id: str, secret: str) -> str:
    """HTTP Basic of both, each encoded as a form has it (RFC 6749, section 2.3.1)."""
    both = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


def _is_time(given: object) -> bool:
    """Nothing, or a NumericDate that a datetime can tell."""
    if given is None:
        return True
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return False
    return math.isfinite(given) and 0 <= given <= _LAST_SECOND
