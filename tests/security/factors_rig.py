"""Second factors on one of their faces, a user's authenticator app, and what was logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from pyotp.totp import TOTP

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.limits import Limit
from postrmagic_core.security.factors import Enrolment, FactorDecision, FactorStatus, GuessLimits, SecondFactors
from postrmagic_core.testing import FakeClock

ISSUER = "Shop"
ALICE, BOB = "user 1", "user 2"
AMPLE = GuessLimits(Limit("challenge", 10_000, 60.0), Limit("user", 10_000, 60.0))


class Rig:
    """One face, waited for; with ``tx=True`` each call is the only one of a unit of its own."""

    def __init__(
        self, factors: SecondFactors, database: DatabaseManager, clock: FakeClock, face: str, runner: asyncio.Runner
    ) -> None:
        self.factors = factors
        self.database = database
        self.clock = clock
        self.face = face
        self._runner = runner

    def enrol(self, user_id: str, account: str = "alice@example.org", **options: Any) -> Enrolment:
        """See :meth:`SecondFactors.enrol`."""
        enrolment: Enrolment = self.call("enrol", user_id, account, **options)
        return enrolment

    def confirm(self, user_id: str, code: object, **options: Any) -> list[str] | None:
        """See :meth:`SecondFactors.confirm`."""
        codes: list[str] | None = self.call("confirm", user_id, code, **options)
        return codes

    def verify(self, user_id: str, code: object, **options: Any) -> FactorDecision:
        """See :meth:`SecondFactors.verify`."""
        decision: FactorDecision = self.call("verify", user_id, code, **options)
        return decision

    def recover(self, user_id: str, code: object, **options: Any) -> bool:
        """See :meth:`SecondFactors.recover`."""
        return bool(self.call("recover", user_id, code, **options))

    def status(self, user_id: str) -> FactorStatus:
        """See :meth:`SecondFactors.status`."""
        status: FactorStatus = self.call("status", user_id)
        return status

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Any method, of the rig's face."""
        if self.face == "sync":
            return getattr(self.factors, name)(*args, **options)
        return self._runner.run(getattr(self.factors.aio, name)(*args, **options))

    def rolled_back(self, name: str, *args: Any) -> Any:
        """What a method answers in a unit that is then undone."""
        answers = []

        async def awaited() -> None:
            async with self.database.aio.write() as tx:
                answers.append(await getattr(self.factors.aio, name)(*args, tx=tx))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is undone
            if self.face == "async":
                self._runner.run(awaited())
            with self.database.write() as tx:
                answers.append(getattr(self.factors, name)(*args, tx=tx))
                raise ZeroDivisionError
        return answers[0]

    def code(self, enrolment: Enrolment, seconds: float = 0) -> str:
        """What the user's app shows, so many seconds from now."""
        return TOTP(enrolment.secret).at(self.clock.now.timestamp() + seconds)

    def wrong(self, enrolment: Enrolment) -> str:
        """A code that is none of these minutes."""
        near = {self.code(enrolment, seconds) for seconds in range(-90, 91, 30)}
        return next(code for code in ("000000", *map(str, range(111_111, 111_119))) if code not in near)

    def enabled(self, user_id: str = ALICE) -> tuple[Enrolment, list[str]]:
        """A confirmed factor and its recovery codes; its next code is good."""
        enrolment = self.enrol(user_id)
        codes = self.confirm(user_id, self.code(enrolment))
        assert codes is not None
        self.clock.advance(30)
        return enrolment, codes


@contextmanager
def rigged(database: DatabaseManager, ring: KeyRing, face: str = "sync", **options: Any) -> Iterator[Rig]:
    """Open factors that count no guesses, unless told."""
    clock = options.setdefault("clock", FakeClock())
    with ExitStack() as opened:
        factors = opened.enter_context(SecondFactors(database, ring, issuer=ISSUER, **{"limits": AMPLE, **options}))
        yield Rig(factors, database, clock, face, opened.enter_context(asyncio.Runner()))


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The security events logged so far, which are forgotten by that."""
    said = [vars(record)["event"] for record in caplog.records if record.name == "postrmagic_core.security"]
    caplog.clear()
    return said


def listen(caplog: pytest.LogCaptureFixture) -> None:
    """Log from INFO on."""
    caplog.set_level(logging.INFO, "postrmagic_core.security")
