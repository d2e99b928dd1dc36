"""A site in this process for programs of version 1, and what stands around them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pyotp.totp import TOTP

from media_library import tasks
from media_library.client import Client
from media_library.specification import SPECIFICATION
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.clock import FakeClock
from tests.app.exchanges import Recorder
from tests.app.house import Browser, House, open_house
from tests.app.programs import Program
from tests.app.test_worker_killed import at_rest, wait_until


@dataclass
class Site:
    """A house with a clock; each agent has a client of httpx, which asks version ``version`` for what it asks of 1."""

    house: House
    clock: FakeClock
    version: str = "1"
    recorder: Recorder | None = None
    _browsers: dict[str, Browser] = field(default_factory=dict)
    _asked: str = ""

    def http(self, agent: str) -> Browser:
        """The client of httpx of ``agent``."""
        if agent not in self._browsers:
            browser = self._browsers[agent] = self.house.browser(None)
            # What the program says stands in its own requests.
            del browser.headers["Sec-Fetch-Site"]
            browser.event_hooks["request"].append(self._towards)
            if self.recorder is not None:
                browser.event_hooks["response"].append(self.recorder.hook(agent))
        return self._browsers[agent]

    def _towards(self, request: httpx.Request) -> None:
        raw = request.url.raw_path.replace(b"/api/v1/", f"/api/v{self.version}/".encode(), 1)
        request.url = request.url.copy_with(raw_path=raw)

    def client(self, agent: str, token: str | None = None) -> Client:
        """The generated client of ``agent``."""
        return Client(http=self.http(agent), token=token)

    def settle(self) -> None:
        """Let the worker do everything there is to do."""
        stack = self.house.application.stack
        with stack.relay(), stack.worker(threads=2):
            wait_until(lambda: at_rest(self.house))
        if self.recorder is not None:
            self.recorder.settled()

    def code(self, secret: str) -> str:
        """The code of the next half minute: each is good once."""
        self.clock.advance(30)
        code = TOTP(secret.replace(" ", "")).at(int(self.clock.now.timestamp()))
        return code if self.recorder is None else self.recorder.came("code", code)

    def reset(self, name: str) -> str:
        """The token of a link that sets a new password."""
        token = self.house.application.accounts.reset_token(name)
        assert token is not None
        return token if self.recorder is None else self.recorder.came("reset", token)

    def asked(self) -> str:
        """What a program asks for, which the user ``demo`` has allowed the same once."""
        if not self._asked:
            program = Program(self.house)
            program.connect()
            self._asked = program.query(state="")
        return self._asked if self.recorder is None else self.recorder.came("asked", self._asked)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let figures settle soon: it is not what programs look at."""
    monkeypatch.setattr(tasks, "SETTLING", 0.2)


def unused(asked: Collection[tuple[str, str]]) -> list[str]:
    """The operations of version 1 that are none of these methods and paths."""
    return [
        one.name
        for one in SPECIFICATION.operations
        if not any(one.method == method and _pattern(one.path).fullmatch(path) for method, path in asked)
    ]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(SPECIFICATION.base + re.sub(r"\{[^{}]+\}", "[^/]+", path))


@contextmanager
def open_site(directory: Path, furnished: Path, version: str = "1", recorder: Recorder | None = None) -> Iterator[Site]:
    """The application in ``directory`` with the accounts of ``furnished``."""
    shutil.copy(furnished, directory / "app.db")
    clock = FakeClock(datetime.now(UTC))
    with open_house(embedded_settings(directory), clock) as house:
        yield Site(house, clock, version, recorder)
