"""A store in one file, which it writes anew at each change: enough for a few hundred values."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

import ormsgpack

from postrmagic_core.errors import BackendTimeout, BackendUnavailable, translating
from postrmagic_core.stores.checks import check_prefix
from postrmagic_core.stores.locked import Entry, LockedStore


class OneFileStore(LockedStore[dict[bytes, Entry]]):
    """Values in the file at ``path``; nobody waits longer than ``timeout`` seconds for his turn."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path, self._timeout = path, timeout

    @classmethod
    def from_url(cls, url: str, *, timeout: float = 0.5, clock: object = None, metrics: object = None) -> Self:
        """``onefile:///var/lib/app/values``; no I/O yet."""
        return cls(Path(urlsplit(url).path), timeout)

    @contextmanager
    def locked(self, keys: Sequence[bytes]) -> Iterator[dict[bytes, Entry]]:
        """Until this is left nobody else touches these keys; here, any."""
        with translating(_ours), self._path.with_suffix(".lock").open("w") as lock:
            self._wait_for(lock)
            try:
                values = self._read()
                before = dict(values)
                yield values
                if values != before:  # not reached after an exception: then nothing is kept
                    self._write(values)
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def load(self, held: dict[bytes, Entry], keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """``{key: Entry(value, ends_ms or None)}``."""
        return {key: held[key] for key in keys if key in held}

    def save(self, held: dict[bytes, Entry], changes: Mapping[bytes, Entry | None]) -> None:
        """``{key: Entry, or None to delete}``."""
        for key, entry in changes.items():
            held.pop(key, None)
            if entry is not None:
                held[key] = entry

    def clear(self, prefix: bytes) -> int:
        """Optional: see :class:`SupportsScan`."""
        check_prefix(prefix)
        with self.locked(()) as values:
            now_ms = self.now_us(values) // 1000
            doomed = [key for key in values if key.startswith(prefix)]
            return sum(values.pop(key).live(now_ms) for key in doomed)

    def close(self) -> None:
        """Nothing is held."""

    def _read(self) -> dict[bytes, Entry]:
        if not self._path.exists():
            return {}
        stored = ormsgpack.unpackb(self._path.read_bytes())
        return {key: Entry(value, ends_ms) for key, value, ends_ms in stored}

    def _write(self, values: dict[bytes, Entry]) -> None:
        new = self._path.with_suffix(".new")
        new.write_bytes(ormsgpack.packb([[key, *entry] for key, entry in values.items()]))
        new.replace(self._path)  # old or new, whatever happens

    def _wait_for(self, lock: IO[Any]) -> None:
        until = time.monotonic() + self._timeout
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BackendTimeout("another process has the lock") from None
                time.sleep(0.001)


def _ours(error: BaseException) -> BackendUnavailable | None:
    if isinstance(error, OSError):
        return BackendUnavailable("the store's file cannot be used")
    return None
