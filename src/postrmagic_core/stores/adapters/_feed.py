"""The feed: how a process learns which keys changed on the server, and whether what it knows can be trusted."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

import hiredis

from postrmagic_core._lifecycle import after_fork
from postrmagic_core._metrics import Counter
from postrmagic_core.errors import PostrMagicError
from postrmagic_core.stores.adapters._feed_copies import Copies
from postrmagic_core.stores.adapters._feed_link import Link
from postrmagic_core.stores.adapters._redis_errors import refusal
from postrmagic_core.stores.adapters._sweeper import Sweeper
from postrmagic_core.stores.policy import PROBE_FIRST, PROBE_LONGEST

_log = logging.getLogger("postrmagic_core.stores")

# Seconds between two looks of the thread; a caller looks itself, so nobody waits for them.
TICK = 0.05
# Seconds between an answer and the next question whether the server still speaks.
ASKS_EVERY = 1.0
# Seconds that what is near may lag behind the server, whatever happens: to the network, the server, this process.
LAG = 3.0
# Seconds without an answer after which the connection is given up.
PATIENCE = 2.0


def feed_pause(failures: int, random: float) -> float:
    """Seconds to wait before connecting again after ``failures`` in a row; ``random`` in [0, 1) spreads processes."""
    return min(PROBE_FIRST * 2.0 ** min(failures, 10), PROBE_LONGEST) * (0.5 + random / 2)


class Feed:
    """Keeps ``copies`` current by a connection of its own, and says whether they are.

    A thread, started at first use and again after a fork, connects, takes what has come and asks whether the server is
    there. Whoever wants a copy calls :meth:`current` first, which takes what has come up to this moment.
    ``connect`` makes a :class:`Link` (at the given time); ``monotonic`` is the clock; ``lost`` counts connections lost.
    """

    _link: Link | None
    _told: bool

    def __init__(
        self, connect: Callable[[float], Link], copies: Copies, monotonic: Callable[[], float], lost: Counter
    ) -> None:
        self._connect = connect
        self._copies = copies
        self._monotonic = monotonic
        self._count_lost = lost
        self._closed = False
        self._sweeper = Sweeper(self.tend, TICK)
        self._forget()
        after_fork(self._forget)

    def start(self) -> None:
        """See that the thread runs."""
        if not self._closed:
            self._sweeper.start()

    def current(self) -> float | None:
        """The present time (monotonic seconds) if no change told before this call is missing in the copies.

        ``None`` if one may be, and while a question is unanswered: Redis writes its pushes before the answer to whoever
        made the change, but not surely to a connection that it owes an answer of its own in the same round.
        """
        link = self._link
        if link is None or ((link.come() or link.busy) and not self.drain()):
            return None
        now = self._monotonic()
        return now if now < link.sure_until else None

    def drain(self) -> bool:
        """Apply what has come; whether that was all."""
        with self._lock:
            link = self._link
            if link is None:
                return False
            # Set before anything leaves the socket: who finds the socket empty must not overlook what is in hand.
            link.busy = True
            try:
                for message in link.receive():
                    self._take(link, message)
                if link.answered and not link.busy:
                    self._vouch(link)
            except BaseException as error:
                self._lost(link, error)
                if not isinstance(error, Exception):
                    raise
                return False
            return not link.busy

    def tend(self) -> None:
        """What the thread does at each tick."""
        if self._link is None:
            if self._monotonic() >= self._retry_at:
                self._open()
            return
        self.drain()
        with self._lock:
            if self._link is not None:
                self._ask(self._link)

    def close(self) -> None:
        """End the thread and the connection."""
        self._closed = True
        self._sweeper.stop()
        with self._lock:
            link, self._link = self._link, None
            self._copies.withdraw()
            if link is not None:
                link.sure_until = 0.0
                link.close()

    def _open(self) -> None:
        try:
            link = self._connect(self._monotonic())
        except Exception as error:
            with self._lock:
                self._failed(error)
        else:
            with self._lock:
                self._link = link

    def _take(self, link: Link, message: Any) -> None:
        if isinstance(message, hiredis.PushNotification):
            if message[0] == b"invalidate":
                if message[1] is None:
                    self._copies.drop_all()
                else:
                    self._copies.drop(message[1])
        elif isinstance(message, hiredis.ReplyError):
            raise message
        elif message == b"PONG":
            link.answered = True

    def _vouch(self, link: Link) -> None:
        """All that was pushed before the server read the question, and with its answer, is applied."""
        if link.asked_at is not None:
            link.sure_until = link.asked_at + LAG
            link.asked_at = None
        if not link.served:
            link.serve()
            self._failures = 0
            self._copies.serve()
            if self._told:
                self._told = False
                _log.warning("the near cache serves again")

    def _ask(self, link: Link) -> None:
        now = self._monotonic()
        try:
            if link.elsewhere:
                raise ConnectionResetError
            if link.asked_at is None:
                if now >= link.sure_until - LAG + ASKS_EVERY:
                    link.ask(now)
            elif now > link.asked_at + PATIENCE:
                raise TimeoutError
        except Exception as error:
            self._lost(link, error)

    def _lost(self, link: Link, error: BaseException) -> None:
        link.sure_until = 0.0
        self._link = None
        self._copies.withdraw()
        link.close()
        if link.served:
            self._count_lost.add()
        self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self._retry_at = self._monotonic() + feed_pause(self._failures, random.random())  # noqa: S311 - jitter only
        self._failures += 1
        if not self._told:
            self._told = True
            ours = refusal(error) if isinstance(error, hiredis.ReplyError) else error
            # Others' texts may name anything.
            why = str(ours) if isinstance(ours, PostrMagicError) else type(ours).__name__
            _log.warning("the near cache is not told what changes (%s): all reads go to the server", why)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._link = None
        self._retry_at = 0.0
        self._failures = 0
        self._told = False
