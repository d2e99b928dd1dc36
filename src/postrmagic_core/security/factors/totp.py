"""Totp: codes of secrets that the application keeps itself, each step once by any ledger."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock
from ..._lifecycle import Lifecycle
from ..checks import check_user
from . import policy as rules
from .interface import FactorDecision, StepLedger
from .policy import TotpPolicy
from .telling import tell

if TYPE_CHECKING:
    from .aio import AsyncTotp


class Totp(Lifecycle):
    """For an application with secrets in its own table: ``Totp(StoreLedger(store, keys)).open()``.

    Guesses are not counted here: put a ``RateLimiter`` before it.
    """

    def __init__(
        self,
        ledger: StepLedger,
        *,
        policy: TotpPolicy = TotpPolicy(),  # noqa: B008 - frozen value object
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self.policy = policy
        self.bridge = Bridge(name="postrmagic-totp")
        self._ledger = ledger
        self._clock = clock or SystemClock()

    @cached_property
    def aio(self) -> AsyncTotp:
        """The same for asyncio."""
        from .aio import AsyncTotp

        return AsyncTotp(self)

    def verify(self, user_id: str, secret: str, code: object) -> FactorDecision:
        """Whether ``code`` is the base32 secret's of now, and was not used before; it is from then on.

        Verify the code that confirms an enrolment by this method, too: then it cannot be the first login's. Raises
        :class:`BackendError` while the ledger is away.
        """
        self.ensure_open()
        check_user(user_id)
        step = None
        if rules.is_code(code, self.policy):
            step = rules.matching_step(secret, code, rules.step_at(self._clock.now_us(), self.policy), self.policy)
        if step is None:
            tell("factor_refused", user_id, reason="wrong")
            return FactorDecision(False, "wrong")
        return told(user_id, self._ledger.advance(user_id, step))

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        self.bridge.close()


def told(user_id: str, first: bool) -> FactorDecision:
    """The decision about a right code, which was used ``first`` here or before; it is logged."""
    tell("factor_accepted" if first else "factor_replayed", user_id)
    return FactorDecision(True, "accepted") if first else FactorDecision(False, "replayed")
