"""Hearing a Redis stream: a thread that waits on a connection of its own, and knows where in the chain it stands."""

from __future__ import annotations

import logging
import random
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import PostrMagicError
from ...stores.redis_client import RedisClient
from ..channel import Missed
from ..subscription import Subscription
from ._redis_chain import Entry, Found, Mark, begun, entry_of, found_of, pause, resumed, skipped
from ._redis_scripts import ATTACH

if TYPE_CHECKING:
    from .redis import RedisChannel

logger = logging.getLogger("postrmagic_core.events")

# Seconds that the server holds back its answer while nothing is published. After them the listener asks where it
# stands: whoever waits for what comes after an entry is not told that the entry is gone.
WAIT = 5.0
# Entries taken at once.
_MANY = 100
# A stream that nobody publishes to or listens to vanishes after a day.
IDLE_MS = 86_400_000


def token() -> int:
    """What tells an entry from every other that has or had its number."""
    return secrets.randbits(63)


class RedisSubscription(Subscription):
    """One listener. What it has not heard waits on the server: a slow listener costs nobody anything."""

    _line: RedisClient | None
    _mark: Mark | None
    _failures: int

    def __init__(self, channel: RedisChannel, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> None:
        self._client = channel.client
        self._key = channel.key
        super().__init__(channel, heard, missed)

    def _open(self) -> None:
        super()._open()
        self._tried.wait()

    def _listen(self) -> None:
        while not self.ended.is_set():
            line = self._client.line()
            with self._lock:
                if self.ended.is_set():
                    return
                self._line = line
            try:
                self._follow(line)
            except Exception as error:
                self._failed(error)
            finally:
                line.close()
            self._tried.set()
            self.ended.wait(pause(self._failures, random.random()))  # noqa: S311 - jitter only

    def _follow(self, line: RedisClient) -> None:
        """Tell what comes on one connection, until it breaks."""
        self._attach(line)
        self._came_back()
        while not self.ended.is_set() and self._mark is not None:
            wait = ("XREAD", "BLOCK", int(WAIT * 1000), "COUNT", _MANY, "STREAMS", self._key, self._mark.point.id)
            streams = line.commands(wait, writes=False, patience=WAIT)[0]
            if streams is None:
                self._look(line)
            else:
                self._take(line, streams[0][1])

    def _look(self, line: RedisClient) -> None:
        """Nothing came: perhaps because the stream in which something might come is another one."""
        self._attach(line)

    def _attach(self, line: RedisClient) -> Found:
        """Learn where it stands, tell what that says was missed, and stand there."""
        heard = b"" if self._mark is None else self._mark.point.id
        found = found_of(line.run(ATTACH, [self._key], [token(), IDLE_MS, heard], writes=False))
        if self._mark is None:
            self._mark, missed = begun(found, late=self._tried.is_set())
        else:
            self._mark, missed = resumed(self._mark, found)
        if missed is not None:
            self.tell_missed(missed)
        return found

    def _take(self, line: RedisClient, entries: Sequence[Any]) -> None:
        for entry in map(entry_of, entries):
            mark = self._mark
            if mark is None or self.ended.is_set() or not self._follows(line, mark, entry):
                return
            self._mark = Mark(entry.point, entry.since or mark.since, mark.history)
            if entry.payload is not None:
                self.tell(entry.payload)

    def _follows(self, line: RedisClient, mark: Mark, entry: Entry) -> bool:
        """Whether ``entry`` is what comes next; if not, the stream is read anew from where :meth:`_attach` stands."""
        if entry.after == mark.point:
            return True
        if not self._attach(line).kept:
            return False
        self.tell_missed(skipped(mark, entry))
        return True

    def _failed(self, error: Exception) -> None:
        if not self._failures and not self.ended.is_set():
            # Others' texts may name anything.
            why = str(error) if isinstance(error, PostrMagicError) else type(error).__name__
            logger.warning("a channel's listener is cut off (%s); it tries again until it hears", why)
        self._failures += 1

    def _came_back(self) -> None:
        if self._failures:
            logger.warning("a channel's listener hears again")
        self._failures = 0
        self._tried.set()

    def _wake(self) -> None:
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _forget(self) -> None:
        super()._forget()
        self._lock = threading.Lock()
        self._tried = threading.Event()
        self._line = None
        self._mark = None
        self._failures = 0
