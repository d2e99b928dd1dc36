"""Jobs kept and handed out by Redis or Valkey, 7.0 or later: each operation is one script, time is the server's."""

from __future__ import annotations

import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self, cast

from ..._lifecycle import after_fork
from ...errors import BackendError, ConfigurationError, OutcomeUnknown
from ...stores.durability import durability_check
from ...stores.redis_client import Lua, RedisClient
from .. import policy
from ..interface import (
    Beat,
    BrokerOptions,
    Change,
    Counts,
    JobRecord,
    NewJob,
    Renewal,
    Selection,
    Settlement,
    Turn,
    Want,
)
from . import _redis_scripts as scripts
from . import _redis_words as words
from ._redis_bells import Listener
from ._redis_found import batches, found

_log = logging.getLogger("postrmagic_core.jobs")

# Seconds an exchange may take; put() may need two.
_TIMEOUT = 1.0
# Jobs enqueued by one script, which takes some 0.1 s of the server.
_MANY = 5000


class RedisBroker:
    """Jobs as hashes, ordered by sorted sets; ``redis_scripts/prelude.lua`` draws them.

    A server that evicts, or keeps no append-only file, is refused, unless the URL says ``?durability=none``.
    """

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self._url, self._lossy = _told_lossy(url)
        self._client = RedisClient(self._url, _TIMEOUT)
        self._prefix = b"{%s}:jobs:" % options.namespace.encode()
        self._lease = words.micros(options.lease)
        self._served: dict[str, int] = {}
        self._turns = itertools.count(1)
        self._complained: set[bytes] = set()
        self._forget()
        after_fork(self._forget)

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """An adapter for a server or its Sentinels, as the Redis store's URLs have it; no I/O yet."""
        return cls(url, options)

    def open(self) -> None:
        """Raise :class:`ConfigurationError` for a server that may lose what it acknowledges, saying why."""
        doubts = "; ".join(durability_check(self._url, timeout=_TIMEOUT))
        if doubts and not self._lossy:
            raise ConfigurationError(
                f"the jobs' Redis may lose what it acknowledged: {doubts}. "
                "Mend the server, or say ?durability=none in its URL if jobs may be lost"
            )
        if doubts:
            _log.warning("the jobs' Redis may lose what it acknowledged, which was accepted: %s", doubts)

    def put(self, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See :meth:`Deliveries.put`; so many jobs are one script that the others do not wait for it."""
        holders: dict[str, str] = {}
        for start in range(0, len(jobs), _MANY):
            names = [word.decode() for word in self._enqueued(words.of_jobs(jobs[start : start + _MANY]))]
            holders.update(zip(names[::2], names[1::2], strict=True))
        return holders

    def _enqueued(self, told: Sequence[Any]) -> Sequence[bytes]:
        try:
            return cast("Sequence[bytes]", self._run(scripts.PUT, told))
        except OutcomeUnknown as unknown:
            # A job put twice is put once: where the answer was lost, asking again does no harm and tells the truth.
            try:
                return cast("Sequence[bytes]", self._run(scripts.PUT, told))
            except BackendError:
                raise unknown from None  # whatever became of the second, the first may have happened

    def turn(self, settlements: Sequence[Settlement], want: Want | None) -> Turn:
        """See :meth:`Deliveries.turn`. Claims whose answer is lost come again when their leases end."""
        told = [self._lease, *words.of_settlements(settlements)]
        if want is not None:
            # Who was served longest ago goes first: with one thread free only the first queue would ever be.
            told += words.of_want(want, sorted(want.queues, key=lambda queue: self._served.get(queue, 0)))
        owned, taken, due, complaints = self._run(scripts.TURN, told)
        self._complain(complaints)
        claims = words.claims(taken)
        if claims:
            self._served[claims[0].queue] = next(self._turns)
        if want is not None:
            sated = len(claims) >= want.free or any(claim.alone for claim in claims)
            with self._lock:
                for listener in self._listeners:
                    listener.want(not sated)
        return Turn([each == 1 for each in owned], claims, None if due < 0 or claims else due / 1e6)

    def renew(self, beats: Sequence[Beat]) -> Renewal:
        """See :meth:`Deliveries.renew`."""
        if not beats:
            return Renewal()
        lost, cancelled, complaints = self._run(scripts.RENEW, [self._lease, *words.of_beats(beats)])
        self._complain(complaints)
        return Renewal(_ids(lost), _ids(cancelled))

    def records(self, selection: Selection) -> Sequence[JobRecord]:
        """See :meth:`Inspection.records`."""
        return found(self._client, self._prefix, selection)

    def alter(self, change: Change, selection: Selection) -> Sequence[str]:
        """See :meth:`Inspection.alter`; each batch of ids is one script."""
        ids = selection.ids
        if ids is None:
            ids = [record.status.id for record in self.records(policy.changeable(change, selection))]
        changed: list[str] = []
        for batch in batches([job_id.encode() for job_id in dict.fromkeys(ids)]):
            changed += (word.decode() for word in self._run(scripts.ALTER, [change, *batch]))
        return changed

    def counts(self) -> Mapping[str, Counts]:
        """See :meth:`Inspection.counts`."""
        figures = self._run(scripts.COUNTS, [], writes=False)
        return {
            queue.decode(errors="replace"): Counts(queued, later, running, dead, age / 1e6)
            for queue, queued, later, running, dead, age in figures
            if queued or later or running or dead
        }

    def listen(self, queues: Sequence[str], ring: Callable[[], None]) -> AbstractContextManager[object]:
        """See :meth:`Deliveries.listen`."""
        listener = Listener(self._client, self._prefix, queues, ring)
        with self._lock:
            self._listeners.add(listener)
        return listener

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()

    def _run(self, lua: Lua, told: Sequence[Any], *, writes: bool = True) -> Any:
        return self._client.run(lua, [self._prefix], [b"", *told], writes=writes)

    def _complain(self, complaints: Sequence[bytes]) -> None:
        """Tell once of each thing in the server that is none of ours."""
        for name in complaints:
            with self._lock:
                told = name in self._complained or len(self._complained) >= 1000
                self._complained.add(name)
            if not told:
                _log.error("the jobs' Redis holds something that is no job of ours, passed over: %r", name)


def _told_lossy(url: str) -> tuple[str, bool]:
    """The URL as stores take it, and whether it said that jobs may be lost."""
    address, _, query = url.partition("?")
    options = [option for option in query.split("&") if option]
    rest = [option for option in options if option != "durability=none"]
    return "?".join([address, "&".join(rest)]).rstrip("?"), rest != options


def _ids(reply: Sequence[bytes]) -> frozenset[str]:
    return frozenset(word.decode() for word in reply)
