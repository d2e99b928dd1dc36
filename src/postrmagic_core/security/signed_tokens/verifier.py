"""TokenVerifier: whether a token is good, by its signature and what it says; no database is asked."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from ..._clock import Clock, SystemClock
from ..._metrics import Metrics
from . import policy as rules
from .interface import KeySource, Reason, TokenClaims, TokenRefusal

_log = logging.getLogger("postrmagic_core.security")

_HEADERS: Final = 16


class TokenVerifier:
    """Verifies the access tokens of one issuer for one audience (RFC 9068, section 4).

    ``keys`` is asked for the key that a token names; nothing else in a token leads to a key. ``algorithms`` are all
    that is allowed, secrets' or public keys' but not both. ``leeway``: by how many seconds clocks may differ, 0 to
    60; ``iat`` may be five seconds ahead besides. :class:`ConfigurationError` for anything else. Safe for threads.

    A token is good until it expires: whatever ends it earlier is for its issuer's database to say. Counts
    ``signed_tokens_verified_total`` and ``signed_tokens_refused_total`` (by ``reason``).
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        algorithms: Collection[str] = ("EdDSA",),
        leeway: float = 0,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.keys = keys
        self.issuer = issuer
        self._terms = rules.Terms(
            rules.check_name("issuer", issuer), rules.check_name("audience", audience), rules.check_leeway(leeway)
        )
        self._algorithms = rules.check_algorithms(algorithms)
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self._verified = self._metrics.counter("signed_tokens_verified_total")
        self._headers: dict[str, rules.Header] = {}

    def verify(self, token: object) -> TokenClaims | None:
        """What a token says; ``None`` alike for whatever is not good, and for what is no text.

        :class:`BackendError` if the keys are another server's and cannot be had.
        """
        found = self.judge(token)
        if isinstance(found, TokenRefusal):
            self._refused(found)
            return None
        self._verified.add()
        return found

    def judge(self, token: object) -> TokenClaims | TokenRefusal:
        """What a token says, or why it is refused; who calls this counts and logs, and tells its sender nothing."""
        given = rules.read(token, self._algorithms, self._headers)
        if not isinstance(given, rules.Read):
            return TokenRefusal(given)
        why = self._doubt(given)
        if why is not None:
            return TokenRefusal(why)
        return rules.claims(given.payload, self._terms, self._clock.now_us())

    def _doubt(self, given: rules.Read) -> Reason | None:
        """Why it is not known who made the token; ``None``: it is."""
        key = self.keys.find(given.header.kid)
        if key is None:
            return "key"
        if key.algorithm != given.header.algorithm:
            return "algorithm"
        if not key.verify(given.message, given.signature):
            return "signature"
        if given.segment not in self._headers:
            self._remember(given.segment, given.header)
        return None

    def _remember(self, segment: str, header: rules.Header) -> None:
        """Keep what a header said that a known key has signed: an issuer writes one for each of its keys."""
        if len(self._headers) >= _HEADERS:
            self._headers.clear()
        self._headers[segment] = header

    def _refused(self, refusal: TokenRefusal) -> None:
        self._metrics.counter("signed_tokens_refused_total", reason=refusal.reason).add()
        # Of what nobody known has signed nothing is logged: anybody can send as much of it as they like.
        if refusal.id is not None:
            told = {"event": "security.signed_token.refused", "jti": refusal.id, "reason": refusal.reason}
            _log.warning("a signed token was refused: %s", refusal.reason, extra=told)
