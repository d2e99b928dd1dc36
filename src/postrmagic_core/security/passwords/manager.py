"""Passwords: the sync face."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ..._bridge import Bridge
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ...errors import ConfigurationError, ValidationFailed
from .common import COMMON, check_installed
from .hashing import Hashing
from .interface import Argon2Cost, LegacyHasher, Verified
from .policy import PasswordRules
from .slots import Slots
from .work import Work

if TYPE_CHECKING:
    from .aio import AsyncPasswords


class Passwords(Lifecycle):
    """Hashes and verifies passwords, at most ``concurrency`` at a time, whoever waits in order.

    ``cost``: of new hashes; ``max_cost``: up to which cost a stored hash is checked (by default four times ``cost``),
    since its parameters decide what the check takes. ``legacy``: readers of older schemes. ``rules`` and ``breached``,
    which answers whether a password is known from leaks, are what :meth:`require` asks. ``concurrency`` is by default
    the number of cores, at least 2: of both faces together they take so many times the cost's memory. Who waits longer
    than ``wait`` seconds gets :class:`Overloaded`: by default so long that a busy moment turns nobody away, and shorter
    than browsers and proxies wait. A flood of guesses is for :class:`LoginThrottle` to end.

    Counts ``passwords_verified_total`` (by ``outcome``), ``passwords_rehashed_total``, ``passwords_overloaded_total``
    and ``passwords_unreadable_total``.
    """

    rules: PasswordRules

    def __init__(
        self,
        cost: Argon2Cost = Argon2Cost(),  # noqa: B008 - frozen value object
        *,
        max_cost: Argon2Cost | None = None,
        legacy: Sequence[LegacyHasher] = (),
        rules: PasswordRules = PasswordRules(),  # noqa: B008 - frozen value object
        breached: Callable[[str], bool] | None = None,
        concurrency: int | None = None,
        wait: float = 10.0,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        size = max(2, os.cpu_count() or 2) if concurrency is None else concurrency
        if size < 1 or wait <= 0:
            raise ConfigurationError(f"expected concurrency of at least 1 and a wait above 0 s, got {size} and {wait}")
        if rules.common is COMMON:
            check_installed()
        counts = metrics or Metrics()
        self.rules = rules
        self.bridge = Bridge(threads=size, name="postrmagic-passwords")
        self.checks = Bridge(name="postrmagic-password-rules")
        self.work = Work(Hashing(cost, max_cost, legacy, counts), Slots(size, wait), rules, counts)
        self._breached = breached

    @cached_property
    def aio(self) -> AsyncPasswords:
        """The same passwords for asyncio, with the same names."""
        from .aio import AsyncPasswords

        return AsyncPasswords(self)

    def require(self, password: str, context: Iterable[str] = (), *, pointer: str = "/password") -> None:
        """Raise :class:`ValidationFailed` with everything that is wrong with a new password.

        ``context``: what belongs to the user or to the service (name, e-mail address, the service's name). An error of
        ``breached`` is passed on: what could not be checked is not accepted.
        """
        self.ensure_open()
        codes = self.rules.problems(password, context)
        if not codes and self._breached is not None and self._breached(password):
            codes = ["password.breached"]
        if codes:
            raise ValidationFailed(self.rules.described(codes, pointer))

    def hash(self, password: str) -> str:
        """The hash to store: at most 255 characters of ASCII, of the password exactly as it is.

        One that is too long, or no text, raises :class:`ValidationFailed`; :meth:`require` is asked before.
        """
        self.ensure_open()
        self.work.check_length(password)
        with self.work.watched(), self.work.slots.held():
            return self.work.hashing.hash(password)

    def verify(self, password: str, stored: str | None) -> Verified:
        """Whether ``stored`` is a hash of ``password``; an unknown user's is ``None``.

        That, a disabled hash (empty, or beginning with ``!`` or ``*``) and one that cannot be read take as long as a
        wrong password. Raises :class:`Overloaded` where too many are being hashed.
        """
        self.ensure_open()
        if not self.work.can_be_right(password):
            return Verified(False)
        with self.work.watched(), self.work.slots.held():
            return self.work.counted(self.work.hashing.verify(password, stored))

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        self.bridge.close()
        self.checks.close()
