"""The base of every store that can hold keys locked: it runs Scripts' Python bodies and derives the operations.

An adapter supplies three functions, ``locked``, ``load`` and ``save``, besides ``close``; and ``now_us`` where it has a
better clock than the process's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar

from postrmagic_core._clock import SystemClock

from .checks import check_keys, check_ttl, check_values, script_args
from .interface import Script

H = TypeVar("H")
R = TypeVar("R")


class Entry(NamedTuple):
    """A stored value and when it ends, in milliseconds since the epoch; ``None``: it stays."""

    value: bytes
    ends_ms: int | None

    def live(self, now_ms: int) -> bool:
        """Whether the value can still be read at ``now_ms``."""
        return self.ends_ms is None or self.ends_ms > now_ms


class Draft:
    """The :class:`View` of a body over loaded entries; it gathers ``changes`` and writes nothing itself."""

    __slots__ = ("_declared", "_entries", "_now_ms", "changes")

    def __init__(self, keys: Sequence[bytes], entries: Mapping[bytes, Entry], now_ms: int) -> None:
        self._declared = keys
        self._entries = entries
        self._now_ms = now_ms
        self.changes: dict[bytes, Entry | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """The live value of ``key``, as left by the body so far."""
        entry = self.changes[key] if key in self.changes else self._entries.get(self._check(key))
        return entry.value if entry is not None and entry.live(self._now_ms) else None

    def put(self, key: bytes, value: bytes, ttl_ms: int | None) -> None:
        """Store ``value`` when the body has ended."""
        check_ttl(ttl_ms)
        self.changes[self._check(key)] = Entry(value, None if ttl_ms is None else self._now_ms + ttl_ms)

    def drop(self, key: bytes) -> None:
        """Delete ``key`` when the body has ended."""
        self.changes[self._check(key)] = None

    def _check(self, key: bytes) -> bytes:
        if key not in self._declared:
            raise KeyError("the script touched a key it was not given: every key is declared in keys=")
        return key


class LockedStore(ABC, Generic[H]):
    """A :class:`Store` out of ``locked``, ``load`` and ``save``; ``H`` is what ``locked`` yields, a connection mostly.

    An adapter may override any operation it can do faster.
    """

    blocking: ClassVar[bool] = True
    atomic: ClassVar[Literal["keys", "key"]] = "keys"
    clock: ClassVar[Literal["store", "process"]] = "process"

    @abstractmethod
    def locked(self, keys: Sequence[bytes]) -> AbstractContextManager[H]:
        """Hold ``keys`` against every other user. Left normally all saves are kept; left by an exception, none."""

    @abstractmethod
    def load(self, held: H, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """The entries of ``keys``; what has expired may be among them."""

    @abstractmethod
    def save(self, held: H, changes: Mapping[bytes, Entry | None]) -> None:
        """Store or, where ``None``, delete."""

    def now_us(self, held: H) -> int:
        """The store's time in microseconds, read after the lock was taken: here the process's wall clock."""
        return SystemClock().now_us()

    @abstractmethod
    def close(self) -> None:
        """Release what the store holds."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        check_keys(keys)
        if not keys:
            return []

        def read(held: H) -> list[bytes | None]:
            entries, now_ms = self.load(held, keys), self.now_us(held) // 1000
            found = [entries.get(key) for key in keys]
            return [entry.value if entry is not None and entry.live(now_ms) else None for entry in found]

        return self.attempt(keys, read)

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        check_keys(items)
        check_values(items.values())
        check_ttl(ttl_ms)
        if not items:
            return

        def write(held: H) -> None:
            ends_ms = None if ttl_ms is None else self.now_us(held) // 1000 + ttl_ms
            self.save(held, {key: Entry(value, ends_ms) for key, value in items.items()})

        self.attempt(list(items), write)

    def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        return self._change_live(keys, lambda entry, now_ms: None)

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        check_ttl(ttl_ms)
        return self._change_live(
            keys, lambda entry, now_ms: Entry(entry.value, None if ttl_ms is None else now_ms + ttl_ms)
        )

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`."""
        check_keys(keys)
        texts = script_args(args)

        def execute(held: H) -> R:
            result, changes = self.play(held, script, keys, texts, now_us)
            if changes:
                self.save(held, changes)
            return result

        return self.attempt(keys, execute)

    def play(
        self, held: H, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes], now_us: int | None
    ) -> tuple[R, dict[bytes, Entry | None]]:
        """Run the body on what is loaded: its result, and the changes it wants."""
        entries = self.load(held, keys)
        now = self.now_us(held) if now_us is None else now_us
        draft = Draft(keys, entries, now // 1000)
        result = script.body(draft, keys, args, now)
        if draft.changes and script.read_only:
            raise ValueError(f"the script {script.name} is declared read_only and writes")
        return result, draft.changes

    def attempt(self, keys: Sequence[bytes], work: Callable[[H], R]) -> R:
        """Do ``work`` while ``keys`` are held; an adapter whose locks may conflict tries again here."""
        with self.locked(keys) as held:
            return work(held)

    def _change_live(self, keys: Sequence[bytes], change: Callable[[Entry, int], Entry | None]) -> int:
        check_keys(keys)
        if not keys:
            return 0

        def write(held: H) -> int:
            entries, now_ms = self.load(held, keys), self.now_us(held) // 1000
            changes = {key: change(entry, now_ms) for key, entry in entries.items() if entry.live(now_ms)}
            self.save(held, changes)
            return len(changes)

        return self.attempt(keys, write)
