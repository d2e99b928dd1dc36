"""Reading, writing and invalidating entries, written once for both faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .._clock import Clock
from .._steps import Steps
from ..errors import BackendError, DecodeError
from ..stores.scripts import INVALIDATE, READ_TAGGED
from . import policy
from .codecs import Codec, Codecs
from .names import CacheKeys
from .outage import Outage
from .policy import Entry, Freshness
from .tally import Tally

# Names, or the mapping that capture() answered before the value was computed.
Tags: TypeAlias = Iterable[str] | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A value that may be served; ``stale`` says that it should be computed anew."""

    value: Any
    payload: bytes
    stale: bool


class Access:
    """One namespace's entries in a store."""

    def __init__(self, keys: CacheKeys, outage: Outage, tally: Tally, clock: Clock) -> None:
        self.keys = keys
        self.outage = outage
        self.tally = tally
        self.clock = clock
        self.codecs = Codecs()

    def get_many(self, keys: Sequence[str], kind: Any) -> Steps[dict[str, Any]]:
        """The fresh values among ``keys``: one trip, and one more where entries have tags."""
        codec = self.codecs.of(kind)
        names = {key: self.keys.entry(key) for key in keys}
        if not names:
            return {}
        try:
            answer = yield lambda port: port.store.get(list(names.values()))
            entries = {key: entry for key, data in zip(names, answer, strict=True) if (entry := self.unpacked(data))}
            tags = policy.tag_names(tag for entry in entries.values() for tag in entry.tags)
            generations: Mapping[str, int | None] = {}
            if tags:
                answer = yield lambda port: port.store.get(self.keys.tags(tags))
                generations = policy.generations_of(tags, answer)
            self.outage.answered()
        except BackendError as error:
            self.outage.failed(error)
            found = {key: self._at_hand(name, codec) for key, name in names.items()}
        else:
            found = {key: self.judged(entry, generations, codec) for key, entry in entries.items()}
        values = {key: one.value for key, one in found.items() if one is not None and not one.stale}
        self.tally.hits.add(len(values))
        self.tally.misses.add(len(names) - len(values))
        return values

    def read(self, name: bytes, tags: tuple[str, ...], tag_keys: Sequence[bytes], codec: Codec) -> Steps[Found | None]:
        """The entry ``name`` if it may be served under ``tags``, in one trip; an absent store counts as policy says."""
        try:
            data, *values = yield lambda port: port.store.get([name, *tag_keys])
        except BackendError as error:
            self.outage.failed(error)
            return self._at_hand(name, codec)
        self.outage.answered()
        return self.checked(name, data, tags, values, codec)

    def checked(
        self, name: bytes, data: bytes | None, tags: tuple[str, ...], values: Sequence[bytes | int | None], codec: Codec
    ) -> Found | None:
        """What a read brought, judged; an entry under other tags than asked for is a miss."""
        entry = self.unpacked(data)
        if data is None or entry is None or entry.tags != tags:
            return None
        found = self.judged(entry, policy.generations_of(tags, values), codec)
        if found is not None:
            self.outage.saw(name, data, tags)
        return found

    def set(self, key: str, value: Any, ttl: float, tags: Tags, kind: Any) -> Steps[None]:
        """Store ``value``; tags given as names are captured now."""
        codec, freshness, name = self.codecs.of(kind), Freshness(ttl), self.keys.entry(key)
        names = policy.tag_names(tags)
        payload = codec.encode(value)
        try:
            captured = tags if isinstance(tags, Mapping) else (yield from self.capture(names))
        except BackendError as error:
            self.outage.failed(error)
        else:
            yield from self.write(name, payload, freshness, {tag: captured[tag] for tag in names}, codec)

    def write(
        self,
        name: bytes,
        payload: bytes,
        freshness: Freshness,
        tags: Mapping[str, int],
        codec: Codec,
        random: float = 0,
    ) -> Steps[None]:
        """Store an entry; an absent store counts as policy says."""
        if tags:
            freshness.check_tagged()
        now = self.clock.now_us()
        fresh_until, stale_until = freshness.bounds_us(now, random)
        names = tuple(sorted(tags))
        generations = tuple(tags[name] for name in names)
        entry = Entry(now, fresh_until, stale_until, codec.schema, names, generations, payload)
        data = policy.pack(entry)
        self.outage.saw(name, data, names)
        try:
            yield lambda port: port.store.set({name: data}, policy.ttl_ms(entry))
        except BackendError as error:
            self.outage.failed(error)
        else:
            self.outage.answered()

    def delete(self, keys: Sequence[str]) -> Steps[int]:
        """Delete entries; the store's errors are raised whatever the policy: it did not happen."""
        names = [self.keys.entry(key) for key in keys]
        if not names:
            return 0
        self.outage.forget(keys=names)
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

    def judged(self, entry: Entry, generations: Mapping[str, int | None], codec: Codec) -> Found | None:
        """The value of ``entry`` if it may be served."""
        verdict = policy.judge(entry, generations, self.clock.now_us())
        if verdict == "miss" or entry.schema != codec.schema:
            return None
        try:
            value = codec.decode(entry.payload)
        except DecodeError:
            self.tally.unreadable.add()
            return None
        return Found(value, entry.payload, verdict == "stale")

    def _at_hand(self, name: bytes, codec: Codec) -> Found | None:
        """The entry last seen, served as if it were fresh: there is no store to refresh it in."""
        entry = self.unpacked(self.outage.at_hand(name))
        if entry is None:
            return None
        unchecked = dict(zip(entry.tags, entry.generations, strict=True))
        found = self.judged(entry, unchecked, codec)
        return None if found is None else Found(found.value, found.payload, stale=False)


def capturing(name: bytes, tag_keys: Sequence[bytes]) -> Callable[[Any], Any]:
    """The step that reads an entry and its tags' generations in one trip, making those that are missing."""
    if not tag_keys:
        return lambda port: port.store.get([name])
    return lambda port: port.store.run(READ_TAGGED, [name, *tag_keys], [policy.TAG_TTL_MS])
