"""Renews the leases of computations that take longer than a lease, in one background thread."""

from __future__ import annotations

import logging
import threading
import time

from .._lifecycle import after_fork
from ..errors import PostrMagicError
from ..stores.interface import Store
from ..stores.lease import Grant
from ..stores.scripts import LEASE_RENEW

_log = logging.getLogger("postrmagic_core.cache")


class Kept:
    """A lease being renewed."""

    __slots__ = ("due", "grant", "until")

    def __init__(self, grant: Grant, left: float) -> None:
        now = time.monotonic()
        self.grant = grant
        self.until = now + left
        self.due = now + left - grant.ttl * 2 / 3

    @property
    def held(self) -> bool:
        """Whether it is surely held yet: a process that was paused past its end holds it no more."""
        return time.monotonic() < self.until


class Keeper:
    """Renews every third of its time to live each lease it was given; the thread starts with the first of them.

    A killed process renews nothing: its leases end by themselves, and another process computes.
    """

    _thread: threading.Thread | None

    def __init__(self, store: Store) -> None:
        self._store = store
        self._forget()
        after_fork(self._forget)

    def keep(self, grant: Grant, left: float) -> Kept:
        """Renew ``grant``, which is surely held for ``left`` seconds yet, until :meth:`drop`."""
        kept = Kept(grant, left)
        with self._changed:
            self._kept.add(kept)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="postrmagic-cache-keeper", daemon=True)
                self._thread.start()
            self._changed.notify()
        return kept

    def drop(self, kept: Kept) -> None:
        """Renew it no more."""
        with self._changed:
            self._kept.discard(kept)

    def close(self) -> None:
        """End the thread; leases not given back end by themselves."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._kept.clear()
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                if self._thread is not me:
                    return
                now = time.monotonic()
                due = [kept for kept in self._kept if kept.due <= now]
                if not due:
                    nearest = min((kept.due for kept in self._kept), default=None)
                    self._changed.wait(None if nearest is None else nearest - now)
                    continue
            for kept in due:
                self._renew(kept)

    def _renew(self, kept: Kept) -> None:
        asked_at = time.monotonic()
        grant = kept.grant
        try:
            renewed = self._store.run(LEASE_RENEW, [grant.key], [grant.owner, grant.ttl_ms])[0] == 1
        except PostrMagicError as error:
            _log.warning("the lease of a computation could not be renewed", exc_info=error)
        else:
            kept.until = asked_at + grant.ttl if renewed else asked_at
        kept.due = asked_at + grant.ttl / 3
        if not kept.held:
            self.drop(kept)

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._kept: set[Kept] = set()
        self._thread = None
