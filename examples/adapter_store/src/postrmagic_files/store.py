"""The store: one file a key, replaced as a whole; one lock for all processes; a journal where several keys change."""

from __future__ import annotations

import fcntl
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias
from urllib.parse import unquote, urlsplit

from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core._lifecycle import after_fork
from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendTimeout, ConfigurationError, translating
from postrmagic_core.stores.adapters import _machine_time as machine
from postrmagic_core.stores.checks import check_prefix
from postrmagic_core.stores.locked import Entry, LockedStore

from .records import pack, pack_all, pack_time, refused, unknown, unpack, unpack_all, unpack_time

# What `locked` yields: the changes that come true when it is left.
Pending: TypeAlias = dict[bytes, Entry | None]

# Seconds between two tries for a lock that another process has.
_PAUSE = 0.001
_NAME = re.compile(r"[0-9a-f]{64}")


class FileStore(LockedStore[Pending]):
    """Values in the files of ``directory``, which makes itself. ``timeout``: seconds an operation may wait its turn.

    What was acknowledged is there whatever becomes of this process, all of a Script's keys or none; a power failure may
    take the last seconds, never half a value. A damaged file is a miss, and is removed. Time is what the first process
    since the machine's start read from the wall clock, carried on by what elapsed since: a clock that is set changes no
    time to live.
    """

    def __init__(self, directory: Path, *, timeout: float = 0.5, clock: Clock | None = None) -> None:
        self._directory = directory
        self._lock_file = directory / "lock"
        self._journal = directory / "journal"
        # Written only by who has the lock: a crash leaves one of them at most, and the next writer takes it over.
        self._new = directory / "new"
        self._timeout = timeout
        self._elapsed = machine.elapsed if clock is None else clock.monotonic
        self._start = machine.start() if clock is None else ""
        self._anchor_us = (clock or SystemClock()).now_us() - self._elapsed_us()
        self._forget()
        after_fork(self._forget)

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 0.5, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> Self:
        """``files:///var/cache/app``: an absolute path; no I/O yet."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.netloc or not path.is_absolute() or path == Path("/"):
            raise ConfigurationError("expected the absolute path of a directory of the store's own: files:///var/kv")
        return cls(path, timeout=timeout, clock=clock)

    # What an adapter supplies

    @contextmanager
    def locked(self, keys: Sequence[bytes]) -> Iterator[Pending]:
        """All keys: there is one lock. What another process began and did not finish is finished first."""
        with translating(refused), self._exclusive():
            self._finish()
            pending: Pending = {}
            yield pending
            self._commit(pending)

    def load(self, held: Pending, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """What the files say; the base looks whether it has ended."""
        found = {key: self._read(self._path(key)) for key in keys}
        return {key: record[1] for key, record in found.items() if record is not None and record[0] == key}

    def save(self, held: Pending, changes: Mapping[bytes, Entry | None]) -> None:
        """Note them: left by an exception, the lock leaves nothing behind."""
        held.update(changes)

    def now_us(self, held: Pending) -> int:
        """The time that the processes of a machine agree on."""
        return self._anchor_us + self._elapsed_us()

    def close(self) -> None:
        """Between two operations nothing is held."""

    # What it can do besides

    def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`: every file is read, since a digest tells nothing of its key."""
        check_prefix(prefix)
        return self._remove(lambda key, entry, now_ms: key.startswith(prefix), lambda entry, now_ms: entry.live(now_ms))

    def sweep(self) -> int:
        """Remove the files of what has ended, and return how many. Call it from time to time, off a request's way."""
        return self._remove(lambda key, entry, now_ms: not entry.live(now_ms), lambda entry, now_ms: True)

    def _remove(self, doomed: Callable[[bytes, Entry, int], bool], counts: Callable[[Entry, int], bool]) -> int:
        def work(held: Pending) -> int:
            now_ms = self.now_us(held) // 1000
            paths = [path for path in self._directory.iterdir() if _NAME.fullmatch(path.name)]
            records = [record for path in paths if (record := self._read(path)) is not None]
            found = [(key, entry) for key, entry in records if doomed(key, entry, now_ms)]
            self.save(held, {key: None for key, _ in found})
            return sum(counts(entry, now_ms) for _, entry in found)

        return self.attempt((), work)

    # Files

    def _path(self, key: bytes) -> Path:
        return self._directory / blake2b(key, digest_size=32).hexdigest()

    def _read(self, path: Path) -> tuple[bytes, Entry] | None:
        try:
            record = unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        if record is None or record[1] is None or self._path(record[0]) != path:
            path.unlink(missing_ok=True)  # damaged, or not ours: of no use to anybody
            return None
        return record[0], record[1]

    def _apply(self, key: bytes, entry: Entry | None) -> None:
        path = self._path(key)
        if entry is None:
            path.unlink(missing_ok=True)
        else:
            self._replace(path, pack(key, entry))

    def _replace(self, path: Path, data: bytes) -> None:
        self._new.write_bytes(data)
        self._new.replace(path)

    # All or nothing

    def _commit(self, pending: Pending) -> None:
        if len(pending) > 1:
            with translating(unknown):
                self._replace(self._journal, pack_all(pending))
            with suppress(OSError):  # it has happened already: if need be the next operation finishes it
                self._finish()
            return
        for key, entry in pending.items():
            with translating(unknown):
                self._apply(key, entry)

    def _finish(self) -> None:
        """Do what the journal says; doing it again does no harm."""
        try:
            data = self._journal.read_bytes()
        except FileNotFoundError:
            return
        for key, entry in unpack_all(data):
            self._apply(key, entry)
        self._journal.unlink()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Alone among threads and processes; :class:`BackendTimeout` where that takes too long."""
        until = time.monotonic() + self._timeout
        if not self._threads.acquire(timeout=self._timeout):
            raise BackendTimeout("the store was busy with other threads")
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock_file.open("a+b") as file:
                while not _locked(file.fileno()):
                    if time.monotonic() > until:
                        raise BackendTimeout("the store was busy with another process")
                    time.sleep(_PAUSE)
                try:
                    self._agree(file)
                    yield
                finally:
                    # Not left to close(): a child forked meanwhile has a copy of the descriptor, and with it the lock.
                    fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def _agree(self, file: BinaryIO) -> None:
        """On what the time was when the machine started: the lock's file tells, from the first who had it on."""
        if not self._start:
            return  # a clock was given, or the system does not name its starts
        file.seek(0)
        anchor_us = unpack_time(file.read(), self._start)
        if anchor_us is not None:
            self._anchor_us = anchor_us
            return
        file.truncate(0)
        file.write(pack_time(self._start, self._anchor_us))
        file.flush()

    def _elapsed_us(self) -> int:
        return int(self._elapsed() * 1e6)

    def _forget(self) -> None:
        self._threads = threading.Lock()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
