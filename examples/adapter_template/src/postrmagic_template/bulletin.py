"""A channel that is a file, which each publisher writes anew and each listener looks at a hundred times a second."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import ormsgpack

from postrmagic_core.errors import BackendUnavailable, translating
from postrmagic_core.events.channel import ChannelOptions, Missed
from postrmagic_core.events.subscription import Subscription, SubscriptionChannel


class BulletinChannel(SubscriptionChannel):
    """Enough for the processes of a small machine."""

    def __init__(self, url: str, options: ChannelOptions) -> None:
        super().__init__()
        self._path = Path(urlsplit(url).path).with_suffix(f".{options.namespace.encode().hex()}")
        self._keep = options.keep_bytes

    @classmethod
    def from_url(cls, url: str, options: ChannelOptions) -> Self:
        """``bulletin:///var/lib/app/news``; no I/O yet."""
        return cls(url, options)

    def _send(self, payload: bytes) -> None:  # of a size that every channel carries
        with translating(_ours), self._locked():
            first, payloads = self.read()
            payloads.append(payload)
            while sum(len(each) + 100 for each in payloads) > self._keep:
                payloads.pop(0)
                first += 1
            new = self._path.with_name(f"{self._path.name}.new")
            new.write_bytes(ormsgpack.packb([first, payloads]))
            new.replace(self._path)  # old or new, whatever happens

    def _subscribe(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> Subscription:
        return Reader(self, heard, missed)

    def read(self) -> tuple[int, list[bytes]]:
        """The number of the first payload that is left, and the payloads."""
        first, payloads = ormsgpack.unpackb(self._path.read_bytes()) if self._path.exists() else (0, [])
        return first, payloads

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Reader(Subscription):
    """One listener."""

    channel: BulletinChannel

    def _open(self) -> None:
        first, payloads = self.channel.read()
        self._next = first + len(payloads)  # whatever comes from here on is heard
        super()._open()

    def _listen(self) -> None:  # the thread
        while not self.ended.wait(0.01):
            first, payloads = self.channel.read()
            if first > self._next:
                self.tell_missed(Missed(first - self._next, "behind"))
                self._next = first
            for payload in payloads[self._next - first :]:
                self._next += 1
                self.tell(payload)  # nothing, once the listener has ended

    def _wake(self) -> None:
        pass  # it looks a hundred times a second


def _ours(error: BaseException) -> BackendUnavailable | None:
    return BackendUnavailable("the channel's file cannot be written") if isinstance(error, OSError) else None
