"""Reading, writing and invalidating entries, written once for both faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from .._clock import Clock
from .._codec import decode
from .._steps import Steps
from ..errors import BackendError, DecodeError
from ..stores.scripts import INVALIDATE, READ_TAGGED
from . import policy
from .codecs import Codec, Codecs
from .failures import FAILED, restored
from .names import CacheKeys
from .near import MISSING, Held, Near
from .outage import Outage
from .policy import Entry, Freshness
from .tally import Tally

# Keys whose tags are remembered, and sets of tags whose bytes are.
_LEARNT = 8192

# Names, or the mapping that capture() answered before the value was computed.
Tags: TypeAlias = Iterable[str] | Mapping[str, int]

# The values that a store gave, or why it gave none.
Answer: TypeAlias = Sequence[bytes | None] | BackendError


class Found(NamedTuple):
    """A value that may be served.

    ``stale``: its fresh time is over. ``due``: it should be computed anew, be it stale already or soon. ``cost_us``:
    what computing it took.
    """

    value: Any
    payload: bytes
    stale: bool
    due: bool
    cost_us: int = 0


class Wanted(NamedTuple):
    """The entry a caller asks for: its key as given and in the store, its tags and theirs, the type of its value.

    ``errors``: the exceptions of its computation that may be stored in its place.
    """

    key: str
    name: bytes
    tags: tuple[str, ...]
    tag_keys: list[bytes]
    codec: Codec
    errors: tuple[type[Exception], ...] = ()


class Access:
    """One namespace's entries in a store."""

    def __init__(self, keys: CacheKeys, outage: Outage, tally: Tally, clock: Clock, near: Near | None) -> None:
        self.near = near
        self._tags: dict[str, tuple[str, ...]] = {}
        self._blocks: dict[tuple[str, ...], bytes] = {}
        # Whether a hit leaves nothing behind: neither at hand nor for bad times.
        self._short = near is None and outage.policy != "stale"
        self.keys = keys
        self.outage = outage
        self.tally = tally
        self.clock = clock
        self.codecs = Codecs()

    def asked(self, key: str) -> tuple[tuple[str, ...], list[bytes]]:
        """What to read for ``key``: the tags it had the last time, and the names of its entry and of those."""
        name, tags = self.keys.known.get(key) or self.keys.entry(key), self._tags.get(key)
        return ((), [name]) if tags is None else (tags, [name, *self.keys.tags(tags)])

    def named(self, key: str, tags: Tags) -> tuple[tuple[str, ...], list[bytes]]:
        """What to read for ``key`` under just these tags: them in order, and the names of its entry and of theirs."""
        name = self.keys.entry(key)
        if not tags:
            return (), [name]
        names = policy.tag_names(tags)
        return names, [name, *self.keys.tags(names)]

    def plain(self, answer: Answer, kind: Any, tags: tuple[str, ...]) -> Any:
        """The value in what was read, where that takes no more than a look (nearly every hit), else ``MISSING``."""
        if kind is not None or not self._short or isinstance(answer, BackendError):
            return MISSING
        data = answer[0]
        if data is None:
            return MISSING
        if tags:
            present = [value for value in answer[1:] if value is not None]
            found = policy.payload_of(data, self.clock.now_us(), self._block(tags), b",".join(present))
        else:
            found = policy.payload_of(data, self.clock.now_us())
        if found is None:
            return MISSING
        payload, cost_us = found
        try:
            value = decode(payload)
        except DecodeError:  # counted on the long way
            return MISSING
        if self.outage.away:
            self.outage.answered()
        self.tally.hits.value += 1
        self.tally.saved_us.value += cost_us
        return value

    def _block(self, tags: tuple[str, ...]) -> bytes:
        block = self._blocks.get(tags)
        if block is None:
            if len(self._blocks) >= _LEARNT:
                self._blocks.clear()
            block = self._blocks[tags] = policy.tag_block(tags)
        return block

    def get(self, key: str, kind: Any, default: Any, tags: tuple[str, ...], answer: Answer) -> Steps[Any]:
        """The fresh value of ``key``, or ``default``; ``tags`` as :meth:`asked` told, ``answer`` what reading brought.

        Another trip is made where the entry has other tags.
        """
        codec, name = self.codecs.of(kind), self.keys.entry(key)
        try:
            if isinstance(answer, BackendError):
                raise answer
            data, *values = answer
            entry = self.unpacked(data)
            if entry is not None and entry.tags != tags:
                tags = self._learn(key, entry.tags)
                values = (yield lambda port: port.store.get(self.keys.tags(tags))) if tags else []
            self.outage.answered()
        except BackendError as error:
            self.outage.failed(error)
            found = self._at_hand(name, codec)
        else:
            found = None if entry is None else self._judged(entry, values, codec)
            if entry is not None and data is not None and found is not None:
                self.outage.saw(name, data, tags)
                if self.near is not None:
                    self._keep(Wanted(key, name, tags, self.keys.tags(tags), codec), data, entry, values, found)
        if found is None or found.stale:
            self.tally.misses.add()
            return default
        self.tally.hits.add()
        self.tally.saved_us.add(found.cost_us)
        return found.value

    def get_many(self, keys: Iterable[str], kind: Any) -> Steps[dict[str, Any]]:
        """The fresh values among ``keys``: one trip, and one more where entries have tags."""
        if isinstance(keys, str):
            raise TypeError(f"keys is a collection of keys: write get_many([{keys!r}])")
        codec = self.codecs.of(kind)
        names = {key: self.keys.entry(key) for key in keys}
        if not names:
            return {}
        try:
            answer = yield lambda port: port.store.get(list(names.values()))
            read = dict(zip(names, answer, strict=True))
            entries = {key: entry for key, data in read.items() if (entry := self.unpacked(data))}
            tags = policy.tag_names(tag for entry in entries.values() for tag in entry.tags)
            present: dict[str, bytes | None] = {}
            if tags:
                values = yield lambda port: port.store.get(self.keys.tags(tags))
                present = dict(zip(tags, values, strict=True))
            self.outage.answered()
        except BackendError as error:
            self.outage.failed(error)
            found = {key: self._at_hand(name, codec) for key, name in names.items()}
        else:
            found = {
                key: self._judged(entry, [present[tag] for tag in entry.tags], codec) for key, entry in entries.items()
            }
            for key, entry in entries.items():
                if found[key] is not None:
                    self.outage.saw(names[key], read[key], entry.tags)
        served = {key: one for key, one in found.items() if one is not None and not one.stale}
        self.tally.hits.add(len(served))
        self.tally.saved_us.add(sum(one.cost_us for one in served.values()))
        self.tally.misses.add(len(names) - len(served))
        return {key: one.value for key, one in served.items()}

    def read(self, wanted: Wanted) -> Steps[Found | None]:
        """The entry if it may be served under its tags, in one trip; an absent store counts as policy says."""
        try:
            answer: Answer = yield lambda port: port.store.get([wanted.name, *wanted.tag_keys])
        except BackendError as error:
            answer = error
        return self.received(wanted, answer)

    def received(self, wanted: Wanted, answer: Answer) -> Found | None:
        """The entry in what reading it and its tags brought, as :meth:`read` answers it."""
        if isinstance(answer, BackendError):
            self.outage.failed(answer)
            return self._at_hand(wanted.name, wanted.codec)
        self.outage.answered()
        return self.checked(wanted, answer[0], answer[1:])

    def checked(self, wanted: Wanted, data: bytes | None, values: Sequence[bytes | int | None]) -> Found | None:
        """What a read brought, judged; an entry under other tags than asked for is a miss, a stored error raised."""
        entry = self.unpacked(data)
        if data is None or entry is None or entry.tags != wanted.tags:
            return None
        found = self._judged(entry, values, wanted.codec, wanted.errors)
        if found is not None:
            self.outage.saw(wanted.name, data, entry.tags)
            if self.near is not None:
                self._keep(wanted, data, entry, values, found)
        return found

    def _learn(self, key: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Remember ``tags`` for the next :meth:`get`; should they be others then, it takes a trip more."""
        if tags:
            if len(self._tags) >= _LEARNT:
                self._tags.clear()
            self._tags[key] = tags
        else:
            self._tags.pop(key, None)
        return tags

    def _keep(
        self, wanted: Wanted, data: bytes, entry: Entry, values: Sequence[bytes | int | None], found: Found
    ) -> None:
        """Have the entry at hand for the next look, where the store holds its tags' generations as they were read."""
        theirs = [
            (name, value) for name, value in zip(wanted.tag_keys, values, strict=True) if isinstance(value, bytes)
        ]
        if self.near is not None and not found.due and len(theirs) == len(values):
            until = self.near.monotonic() + (policy.due_us(entry) - self.clock.now_us()) / 1e6
            held = Held(wanted.name, data, until, tuple(theirs), wanted.codec, entry, found.value)
            self.near.keep(wanted.key, held)

    def set(self, key: str, value: Any, ttl: float, tags: Tags, kind: Any) -> Steps[None]:
        """Store ``value``; tags given as names are captured now."""
        if not 0 < ttl < math.inf:
            raise ValueError(f"ttl is a positive number of seconds, got {ttl}")
        codec, freshness, name = self.codecs.of(kind), Freshness(ttl), self.keys.entry(key)
        names = policy.tag_names(tags)
        payload = codec.encode(value)
        try:
            captured = tags if isinstance(tags, Mapping) else (yield from self.capture(names))
        except BackendError as error:
            self.outage.failed(error)
        else:
            theirs = {tag: captured[tag] for tag in names}
            yield from self.write(name, payload, freshness, theirs, codec.schema)

    def write(
        self,
        name: bytes,
        payload: bytes,
        freshness: Freshness,
        tags: Mapping[str, int],
        schema: bytes,
        random: float = 0,
        cost_us: int = 0,
    ) -> Steps[None]:
        """Store an entry; an absent store counts as policy says."""
        if tags:
            freshness.check_tagged()
        now = self.clock.now_us()
        fresh_until, stale_until = freshness.bounds_us(now, random)
        names = tuple(sorted(tags))
        generations = tuple(tags[name] for name in names)
        entry = Entry(now, fresh_until, stale_until, schema, names, generations, payload, cost_us)
        data = policy.pack(entry)
        self.outage.saw(name, data, names)
        try:
            yield lambda port: port.store.set({name: data}, policy.ttl_ms(entry))
        except BackendError as error:
            self.outage.failed(error)
        else:
            self.outage.answered()
            self.tally.bytes.add(len(data))

    def delete(self, keys: Sequence[str]) -> Steps[int]:
        """Delete entries; the store's errors are raised whatever the policy: it did not happen."""
        names = [self.keys.entry(key) for key in keys]
        if not names:
            return 0
        self.outage.forget(names)
        return (yield lambda port: port.store.delete(names))  # type: ignore[no-any-return]  # ports are untyped

    def clear(self) -> Steps[int]:
        """Delete every entry of the namespace."""
        self.outage.forget_all()
        return (yield lambda port: port.store.clear(self.keys.prefix))  # type: ignore[no-any-return]  # as above

    def capture(self, tags: Iterable[str]) -> Steps[dict[str, int]]:
        """The generation of each tag, made where it is missing."""
        names = policy.tag_names(tags)
        if not names:
            return {}
        # The script wants an entry before the tags: the key of one no caller can name.
        answer = yield capturing(self.keys.prefix, self.keys.tags(names))
        return dict(zip(names, answer[1:], strict=True))

    def invalidate(self, tags: Sequence[str], keys: CacheKeys | None = None) -> Steps[None]:
        """Give every tag a new generation; the store's errors are raised whatever the policy."""
        names = policy.tag_names(tags)
        if names:
            self.outage.forget(tags=names)
            tag_keys = (keys or self.keys).tags(names)
            yield lambda port: port.store.run(INVALIDATE, tag_keys, [policy.TAG_TTL_MS])

    def unpacked(self, data: bytes | None) -> Entry | None:
        """The entry in ``data``; what is unreadable is counted and is none."""
        if data is None:
            return None
        try:
            return policy.unpack(data)
        except DecodeError:
            self.tally.unreadable.add()
            return None

    def _judged(
        self,
        entry: Entry,
        generations: Sequence[bytes | int | None],
        codec: Codec,
        errors: tuple[type[Exception], ...] = (),
    ) -> Found | None:
        """The value of ``entry`` if it may be served; one of ``errors`` stored in its place is raised."""
        verdict = policy.judge(entry, generations, self.clock.now_us())
        if verdict == "miss":
            return None
        try:
            if entry.schema == FAILED:
                error = restored(entry.payload, errors)
                if error is None or verdict == "stale":
                    return None
            elif entry.schema != codec.schema:
                return None
            else:
                value = codec.decode(entry.payload)
                return Found(value, entry.payload, verdict == "stale", verdict != "fresh", entry.cost_us)
        except DecodeError:
            self.tally.unreadable.add()
            return None
        self.tally.hits.add()
        self.tally.saved_us.add(entry.cost_us)
        raise error

    def _at_hand(self, name: bytes, codec: Codec) -> Found | None:
        """The entry last seen, served as if it were fresh: there is no store to refresh it in."""
        entry = self.unpacked(self.outage.at_hand(name))
        if entry is None:
            return None
        found = self._judged(entry, entry.generations, codec)  # nobody can tell the present ones
        return None if found is None else found._replace(stale=False, due=False)


def capturing(name: bytes, tag_keys: Sequence[bytes]) -> Callable[[Any], Any]:
    """The step that reads an entry and its tags' generations in one trip, making those that are missing."""
    if not tag_keys:
        return lambda port: port.store.get([name])
    return lambda port: port.store.run(READ_TAGGED, [name, *tag_keys], [policy.TAG_TTL_MS])
