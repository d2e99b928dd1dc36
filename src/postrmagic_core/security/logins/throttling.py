"""The steps of a throttle, written once for both faces: their port is a limiter's face, with its store."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from ..._clock import Clock
from ..._crypto import KeyRing
from ..._metrics import Metrics
from ..._steps import Steps
from ...errors import BackendError
from ...limits import Decision, RateLimiter
from ...limits.interface import Unavailable
from . import policy
from .interface import Admission, Judged, ThrottleLimits
from .policy import Attempt

Address: TypeAlias = str | IPv4Address | IPv6Address | None

AWAY_RETRY = 5.0
"""Seconds after which who was refused because the store is away may try again."""

_log = logging.getLogger("postrmagic_core.security")


@dataclass(frozen=True, slots=True)
class Terms:
    """A throttle's settings: ``device_lifetime`` is how many seconds a network or a device is known after a login."""

    limits: ThrottleLimits
    unavailable: Unavailable
    device_lifetime: float

    @property
    def device_lifetime_ms(self) -> int:
        """The same in milliseconds."""
        return round(self.device_lifetime * 1000)


class Throttling:
    """One namespace's logins."""

    def __init__(self, limiter: RateLimiter, ring: KeyRing, terms: Terms, clock: Clock, metrics: Metrics) -> None:
        self._names = policy.Names(ring)
        self._terms = terms
        self._bucket = limiter.deciding.names.bucket
        self._clock = clock
        self._metrics = metrics

    def admit(self, account: str, address: Address, device: str | None) -> Steps[Admission]:
        """Count an attempt, if it is admitted."""
        attempt = self._attempt(account, address, device)
        try:
            who = yield from self._judged(attempt)
        except BackendError:
            if self._terms.unavailable == "closed":  # the limiter would wait for the same store once more
                return self._told(attempt, Admission(False, AWAY_RETRY, "stranger"), "nothing")
            who = policy.judged(attempt, known=False)
        takes = policy.takes(self._terms.limits, self._names, attempt, who)
        decision: Decision = yield lambda port: port.hit(*takes, unavailable=self._terms.unavailable)
        return self._told(attempt, policy.admission(decision, who), decision.counted_in)

    def failed(self, account: str, address: Address) -> None:
        """Say that a password, or another factor, was wrong."""
        self._metrics.counter("logins_failed_total").add()
        self._event(logging.INFO, "a login failed", "security.login_failed", account, address)

    def succeeded(self, account: str, address: Address, device: str | None) -> Steps[None]:
        """Know the network from now on, and give back what the attempts took."""
        attempt = self._attempt(account, address, device)
        self._metrics.counter("logins_succeeded_total").add()
        self._event(logging.INFO, "a login succeeded", "security.login_succeeded", account, address)
        # Their own alone: who guesses from the same network gets nothing back.
        own, *_ = policy.takes(self._terms.limits, self._names, attempt, policy.judged(attempt, known=True))
        try:
            yield lambda port: port.store.delete([self._bucket(own)])
            if attempt.network:
                known = {self._known_keys(attempt)[0]: b"1"}
                yield lambda port: port.store.set(known, self._terms.device_lifetime_ms)
        except BackendError:
            # Who has logged in is in; from here they are a stranger until the next login.
            self._metrics.counter("logins_unremembered_total").add()

    def remember(self, account: str) -> str:
        """A device's token."""
        ends_us = self._clock.now_us() + round(self._terms.device_lifetime * 1_000_000)
        return self._names.token(policy.fold(account), secrets.token_bytes(policy.NONCE), ends_us)

    def _attempt(self, account: str, address: Address, device: str | None) -> Attempt:
        folded = policy.fold(account)
        nonce = self._names.read_token(folded, device, self._clock.now_us())
        return Attempt(folded, policy.network_of(address), nonce)

    def _judged(self, attempt: Attempt) -> Steps[Judged]:
        if attempt.device is not None or not attempt.network:
            return policy.judged(attempt, known=False)
        keys = self._known_keys(attempt)
        found = yield lambda port: port.store.get(keys)
        return policy.judged(attempt, known=any(value is not None for value in found))

    def _known_keys(self, attempt: Attempt) -> list[bytes]:
        return [self._bucket(policy.KNOWN.of(name)) for name in self._names.networks(attempt)]

    def _told(self, attempt: Attempt, admission: Admission, counted_in: str) -> Admission:
        if not admission.allowed:
            self._metrics.counter("logins_throttled_total", judged=admission.judged).add()
            why = "the store is away" if counted_in == "nothing" else "too many attempts"
            _log.warning(
                "a login was not tried: %s",
                why,
                extra={
                    "event": "security.login_throttled",
                    "account": self._names.logged(attempt.account),
                    "network": attempt.network,
                    "judged": admission.judged,
                    "retry_after": admission.retry_after,
                },
            )
        return admission

    def _event(self, level: int, text: str, event: str, account: str, address: Address) -> None:
        told = {"account": self._names.logged(policy.fold(account)), "network": policy.network_of(address)}
        _log.log(level, text, extra={"event": event, **told})
