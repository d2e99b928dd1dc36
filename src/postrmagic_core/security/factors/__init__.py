"""Second factors: time-based one-time passwords (TOTP, RFC 6238) and recovery codes, each accepted once.

::

    factors = SecondFactors(database, KeyRing([key]), issuer="Shop", limiter=limiter).open()

    enrolment = factors.enrol(user_id, "alice@example.org")  # show enrolment.svg
    recovery_codes = factors.confirm(user_id, code)  # shown once; None: not the right code
    decision = factors.verify(user_id, code, challenge=login_id)

An application that keeps the secrets itself takes :class:`Totp` with a :class:`StoreLedger` on any Store.
"""

from .interface import Enrolment, FactorDecision, FactorStatus, GuessLimits, StepLedger
from .ledgers import DatabaseLedger, StoreLedger
from .manager import SecondFactors
from .policy import TotpPolicy
from .totp import Totp

__all__ = [
    "DatabaseLedger",
    "FactorDecision",
    "Enrolment",
    "FactorStatus",
    "GuessLimits",
    "SecondFactors",
    "StepLedger",
    "StoreLedger",
    "Totp",
    "TotpPolicy",
]
