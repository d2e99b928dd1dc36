"""Being woken by Redis: a thread that waits for a token in the bells of some queues."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from ..._lifecycle import Lifecycle
from ...errors import BackendError
from ...stores.redis_client import RedisClient
from ._redis_scripts import RING

_log = logging.getLogger("postrmagic_core.jobs")

# Seconds that the server lets the thread wait for a token, and that the thread waits for a server that is away.
_PATIENCE = 1
_PAUSE = 0.5


class Listener(Lifecycle):
    """Calls ``ring`` for each token that it takes.

    A bell holds one token at most, which wakes one listener: as many are woken as there is work for, since who takes
    all he can and leaves some behind puts a new one in. A listener whose process has no thread free waits for no token
    (:meth:`want`), and gives back one that came too late; a token that is lost all the same only means a sweep.
    """

    def __init__(self, client: RedisClient, prefix: bytes, queues: Sequence[str], ring: Callable[[], None]) -> None:
        super().__init__()
        self._client = client.patient(_PATIENCE)
        self._prefix = prefix
        self._bells = [b"%sbell:%s" % (prefix, queue.encode()) for queue in queues]
        self._ring = ring
        self._wanted = threading.Event()
        self._ended = threading.Event()

    def want(self, wanted: bool) -> None:
        """Whether work could be taken."""
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()

    def _open(self) -> None:
        self._wanted.set()
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="postrmagic-jobs-listener", daemon=True)
        self._thread.start()

    def _close(self) -> None:
        self._ended.set()
        self._wanted.set()
        self._client.close()
        self._thread.join()

    def _run(self) -> None:
        away = False
        while self._wanted.wait() and not self._ended.is_set():
            try:
                token = self._client.commands(("BLPOP", *self._bells, _PATIENCE), writes=False)[0]
                if token is not None and not self._wanted.is_set():
                    self._client.run(RING, [self._prefix], [b"", token[0].removeprefix(self._prefix + b"bell:")])
                elif token is not None or away:
                    self._ring()
                away = False
            except BackendError as error:
                if not away and not self._ended.is_set():
                    _log.warning("nobody is woken by Redis now, workers sweep: %s", error)
                away = True
                self._ended.wait(_PAUSE)
