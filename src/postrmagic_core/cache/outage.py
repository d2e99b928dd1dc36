"""What happens while the store is away: the namespace's policy, counted always, logged once a minute at most."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Collection

from .._clock import Clock
from .._metrics import Counter
from ..errors import BackendError
from ..stores.outage import OutageLog
from .interface import Unavailable

_log = logging.getLogger("postrmagic_core.cache")

_LARGEST = 64 * 1024
_MOST = 1024


class Outage(OutageLog):
    """The policy of one namespace, and under ``stale`` the entries last seen by this process.

    ``open``: reads are misses, writes do nothing. ``stale``: an entry seen lately is served until its stale time ends,
    though its tags cannot be checked. ``closed``: the store's error is raised.
    At most 1,024 entries of at most 64 KiB each are held, the least recently seen out first.
    """

    def __init__(self, policy: Unavailable, errors: Counter, clock: Clock) -> None:
        if policy not in {"open", "stale", "closed"}:
            raise ValueError(f"unavailable is 'open', 'stale' or 'closed', got {policy!r}")
        super().__init__("cache's", _log, errors, clock)
        self.policy = policy
        self._lock = threading.Lock()
        self._seen: OrderedDict[bytes, tuple[bytes, tuple[str, ...]]] = OrderedDict()

    def failed(self, error: BackendError) -> None:
        """Count the failure; raise it under ``closed``."""
        self.note(error, self.policy)
        if self.policy == "closed":
            raise error

    def saw(self, name: bytes, data: bytes, tags: tuple[str, ...]) -> None:
        """Hold the entry for bad times."""
        if self.policy != "stale" or len(data) > _LARGEST:
            return
        with self._lock:
            self._seen[name] = data, tags
            self._seen.move_to_end(name)
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)

    def at_hand(self, name: bytes) -> bytes | None:
        """The entry last seen under ``name``."""
        held = self._seen.get(name)
        return None if held is None else held[0]

    def forget(self, names: Collection[bytes] = (), tags: Collection[str] = ()) -> None:
        """Hold the entries of these names, and whatever has one of these tags, no longer."""
        with self._lock:
            for name, (_, has) in list(self._seen.items()):
                if name in names or not set(tags).isdisjoint(has):
                    del self._seen[name]

    def forget_all(self) -> None:
        """Hold nothing."""
        with self._lock:
            self._seen.clear()
