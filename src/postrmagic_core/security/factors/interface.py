"""What second factors are asked and answer: small frozen values, and the ledger that makes a code good once."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from ...limits.interface import Limit

IN_A_CHALLENGE: Final = Limit("factor-challenge", 5, 300.0)
FOR_A_USER: Final = Limit("factor-user", 10, 3600.0, burst=20)

Reason: TypeAlias = Literal["accepted", "wrong", "replayed", "delayed", "not_enrolled"]


class FactorDecision(NamedTuple):
    """Whether a code was accepted, and why not; true where it was.

    ``wrong``: it is no code of these minutes. ``replayed``: it, or a later one, was used before, or the factor was
    changed while it was looked at. ``delayed``: too many codes were tried, or nobody can count them now; this one was
    not looked at, ``retry_after`` seconds from now one will be. ``not_enrolled``: there is no confirmed factor.
    """

    accepted: bool
    reason: Reason
    retry_after: float = 0.0

    def __bool__(self) -> bool:
        return self.accepted


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the user's authenticator app is to be given, shown once and stored nowhere in clear.

    ``secret`` is base32, for typing; ``uri`` is ``otpauth://…``; ``svg`` is its QR code, fit to stand in a page (no
    style, no script, black on white, named by ``alt``). No ``repr`` shows any of them.
    """

    account: str
    alt: str
    secret: str = field(repr=False)
    uri: str = field(repr=False)
    svg: str = field(repr=False)

    @property
    def data_uri(self) -> str:
        """The QR code for ``<img src=…>``, in letters that need no escaping; the page's policy needs ``img-src data:``.

        Where the policy is stricter, put :attr:`svg` into the page.
        """
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()

    @property
    def grouped_secret(self) -> str:
        """The secret in groups of four, easier to type; authenticator apps ignore the spaces."""
        return " ".join(self.secret[start : start + 4] for start in range(0, len(self.secret), 4))


@dataclass(frozen=True, slots=True)
class FactorStatus:
    """How a user's second factor stands: ``enabled`` since ``enabled_at`` (UTC), or ``pending`` its first code."""

    enabled: bool = False
    pending: bool = False
    enabled_at: datetime | None = None
    recovery_left: int = 0


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """How many codes may be tried: in one challenge, and for one user over all challenges; right ones count, too.

    A guess is right with 2 in 1,000,000, as two steps are accepted: by default an attacker who has the password, and
    guesses all day, succeeds that day with about 1 in 2,000.
    """

    challenge: Limit = IN_A_CHALLENGE
    user: Limit = FOR_A_USER


class StepLedger(Protocol):
    """Remembers the newest time step of each user that was used, and lets each step pass once."""

    def advance(self, user_id: str, step: int) -> bool:
        """Whether ``step`` is later than every step used before; it is used from then on.

        One compare-and-set: of any number of calls with one step, at once or not, at most one is answered ``True``.
        Raises :class:`BackendError` where it cannot be known.
        """
        ...
