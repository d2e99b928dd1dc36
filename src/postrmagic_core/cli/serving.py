"""uvicorn, with a state between serving and ending: draining. Imported where a server is run: uvicorn is an extra.

::

    serving ── SIGTERM ──▶ draining ── after ``drain`` seconds ──▶ ending ── all answered, or ``grace`` over ──▶ ended
       └────── SIGINT ───────────────────────────────────────────────▲

While it drains readiness says so and everything is still served; while it ends nothing new is accepted. A second
SIGTERM, half a second later or more, ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from types import FrameType
from typing import Any

import uvicorn

from ..errors import ConfigurationError
from .draining import Draining

logger = logging.getLogger("postrmagic_core.cli.serve")

# A terminal's Ctrl-C reaches a whole group of processes, and some supervisors signal twice: that is one wish.
_ONE_WISH = 0.5
# Streams of events that look whether the server ends do so once a second; the others are ended then.
_STREAMS = 1.5
# What had been sent before the listener closed is still read.
_READ_ON = 0.05
_LOOK = 0.05
# Seconds for the cancelled to unwind, for the application to close, and for what is left once that is through.
_UNWIND = 1.0
_CLOSE = 10.0
_AT_ONCE = 3.0


@dataclass(frozen=True, slots=True)
class Terms:
    """In seconds: how long it still serves after SIGTERM, then what running requests get, and an idle connection."""

    drain: float = 0.0
    grace: float = 30.0
    keep_alive: int = 75

    def __post_init__(self) -> None:
        for name in ("drain", "grace"):
            if not 0 <= getattr(self, name) < inf:  # nan is neither
                raise ConfigurationError(f"--{name} {getattr(self, name)}: expected seconds, 0 or more")


@dataclass(frozen=True, slots=True)
class Served:
    """How it ended: how many requests it answered, how many were cut, and whether the application closed well."""

    requests: int
    cut: int
    closed: bool

    @property
    def status(self) -> int:
        """The exit status: 0 unless something was cut or left open."""
        return 1 if self.cut or not self.closed else 0


class Server(uvicorn.Server):
    """One run of ``app``, the last of its process.

    ``drained`` is called when it begins to drain, by a signal handler; ``said`` once it serves. Its bound method
    handles the signals: the dashboard's streams look there whether the server ends.
    """

    def __init__(
        self, app: Draining, terms: Terms, *, drained: Callable[[], None], said: Callable[[], None] = lambda: None
    ) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            workers=1,
            timeout_keep_alive=terms.keep_alive,
        )
        super().__init__(config)
        self.cut = 0
        self._app = app
        self._terms = terms
        self._drained = drained
        self._said = said
        self._asked: float | None = None
        self._until: float | None = None
        self._told = False
        self._last_word = _LastWord(terms)

    def serve_on(self, sockets: list[socket.socket]) -> Served:
        """Serve until a signal; :class:`ConfigurationError` if the application does not start."""
        self._last_word.start()
        # uvicorn takes the signals once its loop runs, and gives them back when that has ended.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        try:
            self.run(sockets)
        except SystemExit as error:
            if self.started:
                raise
            reason = self._app.startup_error or "the lines above say why"
            raise ConfigurationError(f"the application did not start: {reason}") from error
        return Served(self.server_state.total_requests, self.cut, not self.lifespan.should_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain, end, or end at once. Sets flags alone: it runs amidst anything."""
        now = time.monotonic()
        if self._asked is None:
            self._app.draining = True
            self._drained()
            self._until = now + self._drain(sig)
        elif now - self._asked < _ONE_WISH:
            return
        elif sig == signal.SIGINT and not self.should_exit:
            self._until = now
        else:
            self.force_exit = True
            self._until = now
        self._asked = now
        self.should_exit = self._until <= now
        self._last_word.begin(self._until if self.started else now - self._terms.grace)
        if self.force_exit:
            self._last_word.hurry()

    def _drain(self, sig: int) -> float:
        """Seconds; a person at a terminal does not wait, and before it serves nobody was sent here."""
        return self._terms.drain if sig == signal.SIGTERM and self.started else 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application, and listen."""
        try:
            await super().startup(sockets)
        except OSError:
            await self.lifespan.shutdown()
            raise
        self._said()

    async def on_tick(self, counter: int) -> bool:
        """What is looked at ten times a second: whether the drain is over."""
        if self._until is not None:
            if not self._told:
                self._told = True
                left = max(0.0, self._until - time.monotonic())
                logger.info("draining", extra={"drain": round(left, 3), "grace": self._terms.grace})
            if time.monotonic() >= self._until:
                self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, let what runs end within the grace, cut the rest, close the application."""
        self._app.draining = True
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        await asyncio.sleep(_READ_ON)
        await self._let_end()
        await self._cut_off()
        await self.lifespan.shutdown()
        if self.cut:  # what was cut may be a thread, which goes on, and which the interpreter would wait for
            self._last_word.hurry()

    async def _let_end(self) -> None:
        state, began, told = self.server_state, time.monotonic(), set[Any]()
        while not self.force_exit and time.monotonic() - began < self._terms.grace:
            for connection in state.connections - told:
                told.add(connection)
                connection.shutdown()
            if not state.connections and not state.tasks:
                return
            if time.monotonic() - began >= min(_STREAMS, self._terms.grace / 2):
                self._app.end_streams()
            await asyncio.sleep(_LOOK)

    async def _cut_off(self) -> None:
        state = self.server_state
        # A request has a task until it is answered, and a connection until its client has read the answer.
        self.cut = max(len(state.tasks), len(state.connections))
        if not self.cut:
            return
        why = "the end was asked for twice" if self.force_exit else "they did not end within the grace"
        logger.error("requests are cut", extra={"requests": self.cut, "reason": why, "grace": self._terms.grace})
        self._app.cutting = True
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel("the process ends")
        if tasks:
            await asyncio.wait(tasks, timeout=_UNWIND)
        for connection in list(state.connections):
            transport: Any = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


class _LastWord:
    """Ends the process in bounded time whatever hangs: a thread in a request, a close that waits for a dead server."""

    def __init__(self, terms: Terms) -> None:
        self._beyond = terms.grace + _CLOSE
        self._asked = threading.Event()
        self._hurried = threading.Event()
        self._from = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name="postrmagic-serve-end", daemon=True).start()

    def begin(self, until: float) -> None:
        """The grace begins at ``until``, of the monotonic clock; where nothing was served it is over."""
        self._from = until
        self._asked.set()

    def hurry(self) -> None:
        """A few seconds are left."""
        self._hurried.set()

    def _run(self) -> None:
        self._asked.wait()
        left = self._from + self._beyond - time.monotonic()
        if self._hurried.wait(max(0.0, left)):
            time.sleep(_AT_ONCE)
        sys.stderr.write("postrmagic serve: ended by force: something did not end within its time\n")
        sys.stderr.flush()
        os._exit(1)
