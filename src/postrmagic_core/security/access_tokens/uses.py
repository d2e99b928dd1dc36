"""When tokens were used, on its way to the table: bounded, and written by a thread that no request waits for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from ..._errand import Errand
from ..._lifecycle import after_fork

_log = logging.getLogger("postrmagic_core.security")

_MOST = 1000


class Uses:
    """Uses by token; ``write`` is given those that wait, and raises nothing.

    What is noted while 1,000 others wait is lost: the token's next use is noted in its place.
    """

    def __init__(self, write: Callable[[Mapping[str, int]], object]) -> None:
        self._write = write
        self._errand = Errand("postrmagic-tokens", self.flush, _log)
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: dict[str, int] = {}
        after_fork(self._forget)

    def open(self) -> None:
        """Take uses."""
        self._errand.open()

    def note(self, token_id: str, used_us: int) -> None:
        """Have it written soon."""
        with self._changing:
            if not self._errand.is_open or len(self._waiting) >= _MOST:
                return
            self._waiting[token_id] = used_us
        self._errand.ask()

    def flush(self) -> None:
        """Write what waits, and return when that is done."""
        with self._writing:
            with self._changing:
                taken, self._waiting = self._waiting, {}
            if taken:
                self._write(taken)

    def close(self) -> None:
        """End the thread, then write what waits."""
        self._errand.close(finish=False)
        self.flush()

    def _forget(self) -> None:
        """In a forked child: what waited to be written is the parent's."""
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._waiting = {}
