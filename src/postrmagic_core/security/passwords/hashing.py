"""The hashing itself: argon2id by pwdlib, older schemes, and the same work where there is nothing to check."""

from __future__ import annotations

import logging
import secrets
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..._metrics import Metrics
from ...errors import MissingExtra, Overloaded
from . import policy
from .interface import Argon2Cost, LegacyHasher, Verified

if TYPE_CHECKING:
    from argon2 import Parameters

_log = logging.getLogger("postrmagic_core.security")


class Hashing:
    """One configuration's; every call takes memory and time, which its caller bounds."""

    def __init__(
        self, cost: Argon2Cost, max_cost: Argon2Cost | None, legacy: Sequence[LegacyHasher], metrics: Metrics
    ) -> None:
        self._max_cost = policy.check_cost(cost, max_cost)
        try:
            import argon2
            from pwdlib.hashers.argon2 import Argon2Hasher
        except ImportError as error:
            raise MissingExtra(
                "passwords are hashed by pwdlib and argon2-cffi, which are not installed: "
                "pip install 'postrmagic-core[security]'"
            ) from error
        self._argon2 = argon2
        self._new = Argon2Hasher(cost.passes, cost.memory_kib, cost.lanes)
        self._any = argon2.PasswordHasher()
        self._legacy = tuple(legacy)
        self._nobody = _nobody(cost)
        self._unreadable = metrics.counter("passwords_unreadable_total")

    def hash(self, password: str) -> str:
        """A new hash, with a salt of its own."""
        try:
            return self._new.hash(password)
        except self._argon2.exceptions.HashingError as error:
            raise _out_of_memory() from error

    def verify(self, password: str, stored: str | None) -> Verified:
        """Whether ``stored`` was made of ``password``; where it says nothing, a new hash's work is done."""
        right = None if policy.is_disabled(stored) else self._right(password, stored or "")
        if right is None:
            self._matches(password, self._nobody)
            return Verified(False)
        return Verified(right, self._outdated(password, stored or "") if right else None)

    def _right(self, password: str, stored: str) -> bool | None:
        """``None``: the hash cannot be read, or would cost too much to check."""
        right = None
        if policy.is_readable(stored):
            if self._new.identify(stored):
                right = self._matches(password, stored) if self._affordable(stored) else None
            else:
                right = self._by_legacy(password, stored)
        if right is None:
            self._unreadable.add()
            _log.error(
                "a stored password hash cannot be read, or is above the cost that is accepted: its owner cannot log in",
                extra={"event": "security.password_hash_unreadable"},
            )
        return right

    def _matches(self, password: str, stored: str) -> bool | None:
        # Not by pwdlib, for which it is a wrong password, too, if memory ran out.
        try:
            return self._any.verify(stored, password)
        except self._argon2.exceptions.VerifyMismatchError:
            return False
        except (self._argon2.exceptions.VerificationError, self._argon2.exceptions.InvalidHashError) as error:
            if stored is self._nobody:
                raise _out_of_memory() from error
            return None

    def _by_legacy(self, password: str, stored: str) -> bool | None:
        for hasher in self._legacy:
            if hasher.identify(stored):
                with suppress(ValueError):
                    return hasher.verify(password, stored)
        return None

    def _affordable(self, stored: str) -> bool:
        found = self._parameters(stored)
        if found is None:
            return False
        return Argon2Cost(found.memory_cost, found.time_cost, found.parallelism).within(self._max_cost)

    def _parameters(self, stored: str) -> Parameters | None:
        try:
            return self._argon2.extract_parameters(stored)
        except self._argon2.exceptions.InvalidHashError:
            return None

    def _outdated(self, password: str, stored: str) -> str | None:
        old = not self._new.identify(stored)
        if not old and not self._new.check_needs_rehash(stored):
            return None
        with suppress(Overloaded):  # the login counts; the next one will upgrade it
            upgraded = self.hash(password)
            _log.info(
                "a password hash of %s is to be replaced",
                "an older scheme" if old else "other parameters",
                extra={"event": "security.password_rehash"},
            )
            return upgraded
        return None


def _nobody(cost: Argon2Cost) -> str:
    """A hash that costs as much as a new one, and that no password has: its digest is random."""
    salt, digest = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${salt}${digest}"


def _out_of_memory() -> Overloaded:
    return Overloaded("there is not enough memory to hash a password: lower the cost, or how many are hashed at once")
