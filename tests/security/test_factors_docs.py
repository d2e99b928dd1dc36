"""What the pages about second factors show runs, and what they say is what the code does."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pyotp.totp import TOTP

from postrmagic_core.security.factors import GuessLimits, TotpPolicy, policy
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock
from tests.security.factors_rig import ALICE

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "how-to/add-a-second-factor.md").read_text(encoding="utf-8")
REASONS = (DOCS / "explanation/second-factors.md").read_text(encoding="utf-8")


def test_the_guide_runs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks, one after another: enrolled, confirmed, logged in, delayed, recovered, disabled."""
    monkeypatch.setattr(Stack, "from_env", lambda: stack)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "add-a-second-factor.md", "exec"), names)  # noqa: S102 - the page's own code
    clock = FakeClock()
    names["factors"]._clock = names["totp"]._clock = clock
    with names["factors"], names["totp"]:
        page = names["begin"](ALICE, "alice@example.org")
        app = TOTP(re.findall(r"<code>(.*)</code>", page)[0].replace(" ", ""))
        assert page.startswith('<svg role="img"')
        assert names["finish"](ALICE, "12345") == []
        codes = names["finish"](ALICE, app.at(clock.now))
        assert len(codes) == 10
        assert names["second_step"](ALICE, "login", app.at(clock.now))[1].startswith("This code was used")
        clock.advance(30)
        assert names["second_step"](ALICE, "login", app.at(clock.now)) == (303, "logged in")
        told = {names["second_step"](ALICE, "login", "000000")[0] for _ in range(6)}
        assert told == {422, 429}
        assert names["recover"](ALICE, codes[0].lower()) == (303, "logged in; 9 recovery codes left")
        assert names["recover"](ALICE, codes[0])[0] == 422
        names["disable"](ALICE)
        assert not names["factors"].status(ALICE).enabled
        assert [names["verify_own"](ALICE, app.secret, app.at(clock.now)) for _ in range(2)] == [True, False]


def test_the_figures_of_the_pages_are_those_of_the_code() -> None:
    """The defaults: digits, step, window, guesses, letters of a recovery code."""
    default, guesses = TotpPolicy(), GuessLimits()
    assert (default.digits, default.period, default.algorithm, default.behind, default.ahead) == (6, 30, "SHA1", 1, 0)
    assert (guesses.challenge.burst, guesses.challenge.period / guesses.challenge.amount) == (5, 60)
    assert (guesses.user.burst, guesses.user.amount, guesses.user.period) == (20, 10, 3600)
    assert (policy.RECOVERY_LENGTH, len(policy.RECOVERY_ALPHABET), policy.RECOVERY_CODES) == (25, 24, 10)
    assert "25 letters of 24 are 114 bits" in REASONS
    assert "twenty at once, then ten an hour. That is 260 in the first day" in REASONS


def test_every_event_is_told_of() -> None:
    """The guide lists those that there are."""
    from postrmagic_core.security.factors.telling import _EVENTS

    assert set(re.findall(r"`security\.(\w+)`", GUIDE)) == set(_EVENTS)
    assert {level for level, _ in _EVENTS.values()} == {logging.INFO, logging.WARNING}
