"""What an entry is and when it may be served: pure decisions on bytes, times and generations."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from .._codec import decode, encode
from ..errors import DecodeError

Verdict: TypeAlias = Literal["fresh", "due", "stale", "miss"]

# A tagged entry must not outlive the generations it is checked against.
TAG_TTL = 30 * 86_400.0
TAG_TTL_MS = int(TAG_TTL * 1000)

# The part of the fresh time that chance may take away, so that entries stored together do not end together.
JITTER = 0.1

# The last part of its fresh time in which an entry that may become stale is computed anew already.
EARLY = 0.1

# First byte of every entry: a change of the layout gets another one.
_FORMAT = b"\x03"
# CRC-32 of all that follows it; created, fresh until, stale until; cost; lengths of schema, tags, generations.
_HEAD = struct.Struct(">xIqqqIBII")
_DEAREST = 2**32 - 1
_CHECKED = 5
_FOREIGN = "the stored bytes are not an entry of this version"


class Entry(NamedTuple):
    """A stored value and the conditions under which it may be served.

    Times are microseconds since the epoch. ``generations`` belong to ``tags`` one by one. ``schema`` names the type the
    payload was encoded as; empty for plain values. ``cost_us``: what computing it took, up to 71 minutes.
    """

    created_us: int
    fresh_until_us: int
    stale_until_us: int
    schema: bytes
    tags: tuple[str, ...]
    generations: tuple[int, ...]
    payload: bytes
    cost_us: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long an entry is fresh, and for how long after that it may be served while it is computed anew (seconds)."""

    fresh: float
    stale: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.fresh < math.inf and 0 <= self.stale < math.inf):
            raise ValueError(f"expected fresh > 0 and stale >= 0 seconds, got fresh={self.fresh} stale={self.stale}")

    def bounds_us(self, now_us: int, random: float) -> tuple[int, int]:
        """Until when fresh and until when stale, for an entry made now; ``random`` is uniform in [0, 1)."""
        fresh_until = now_us + max(round(self.fresh * (1 - JITTER * random) * 1e6), 1)
        return fresh_until, fresh_until + round(self.stale * 1e6)

    def check_tagged(self) -> None:
        """Raise :class:`ValueError` if an entry of this length could outlive its tags."""
        if self.fresh + self.stale > TAG_TTL:
            raise ValueError(f"an entry with tags lives at most {TAG_TTL:g} s, got {self.fresh + self.stale:g}")


def pack(entry: Entry) -> bytes:
    """The bytes of ``entry``: format (1), CRC-32 of the rest (4), times (3 x 8), cost (4), lengths (1, 4, 4), texts.

    The texts are schema, tags (:func:`tag_block`), generations (digits as stores keep them, commas between). The
    payload is what remains.
    """
    tags, generations = tag_block(entry.tags), b",".join([b"%d" % each for each in entry.generations])
    times = entry.created_us, entry.fresh_until_us, entry.stale_until_us
    cost = min(entry.cost_us, _DEAREST)
    head = _HEAD.pack(0, *times, cost, len(entry.schema), len(tags), len(generations))
    body = b"".join((head[_CHECKED:], entry.schema, tags, generations, entry.payload))
    return b"".join((_FORMAT, zlib.crc32(body).to_bytes(_CHECKED - 1, "big"), body))


def unpack(data: bytes) -> Entry:
    """The entry in ``data``; anything that :func:`pack` did not write raises :class:`DecodeError`."""
    if data[:1] != _FORMAT or len(data) < _HEAD.size:
        raise DecodeError(_FOREIGN)
    check, created, fresh, stale, cost, schema, tags, generations = _HEAD.unpack_from(data)
    tags_at = _HEAD.size + schema
    generations_at = tags_at + tags
    payload_at = generations_at + generations
    if payload_at > len(data) or zlib.crc32(memoryview(data)[_CHECKED:]) != check:
        raise DecodeError(_FOREIGN)
    names = _names(data[tags_at:generations_at])
    numbers = _numbers(data[generations_at:payload_at])
    if len(names) != len(numbers):
        raise DecodeError(_FOREIGN)
    return Entry(created, fresh, stale, data[_HEAD.size : tags_at], names, numbers, data[payload_at:], cost)


def payload_of(data: bytes, now_us: int, tags: bytes = b"", generations: bytes = b"") -> tuple[memoryview, int] | None:
    """The payload of a plain entry that is fresh, not due, and under just these tags and their present generations.

    And what computing it took (microseconds). That is nearly every hit, found without what others need. ``tags`` is
    their :func:`tag_block`, ``generations`` what a store has for them, joined by commas. ``None``: look closer, with
    :func:`unpack` and :func:`judge`.
    """
    if len(data) < _HEAD.size or data[0] != _FORMAT[0]:
        return None
    check, created, fresh, stale, cost, schema, tagged, numbered = _HEAD.unpack_from(data)
    if now_us >= fresh or (stale != fresh and now_us >= _early(created, fresh)):
        return None
    if schema or tagged != len(tags) or numbered != len(generations):
        return None
    payload_at = _HEAD.size + tagged + numbered
    if tagged and data[_HEAD.size : payload_at] != tags + generations:
        return None
    view = memoryview(data)
    return (view[payload_at:], cost) if zlib.crc32(view[_CHECKED:]) == check else None


def tag_block(tags: Sequence[str]) -> bytes:
    """The tags' names as an entry keeps them."""
    return encode(list(tags)) if tags else b""


def _names(block: bytes) -> tuple[str, ...]:
    names = decode(block) if block else []
    if not isinstance(names, list) or not all(type(name) is str for name in names):
        raise DecodeError(_FOREIGN)
    return tuple(names)


def _numbers(block: bytes) -> tuple[int, ...]:
    try:
        return tuple([int(number) for number in block.split(b",")]) if block else ()
    except ValueError:
        raise DecodeError(_FOREIGN) from None


def generation(value: bytes | int | None) -> int | None:
    """A tag's generation as a store keeps it; ``None`` for what is not there, or no number."""
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


def judge(entry: Entry, generations: Sequence[bytes | int | None], now_us: int) -> Verdict:
    """Whether ``entry`` may be served, and whether it is due to be computed anew.

    It may only if each of its tags still has the generation it was computed under. ``generations`` are the present
    ones, in the order of its tags, as a store keeps them (decimal digits) or a Script answers them; one that is missing
    (evicted, expired), or is no number, is no match.
    """
    if entry.tags:
        for was, found in zip(entry.generations, generations, strict=True):
            if found not in (was, b"%d" % was):
                return "miss"
    if now_us < entry.fresh_until_us:
        return "fresh" if now_us < due_us(entry) else "due"
    return "stale" if now_us < entry.stale_until_us else "miss"


def due_us(entry: Entry) -> int:
    """When ``entry`` should be computed anew: a little before it is stale, so that nobody is served a stale one.

    Where stale entries are not served nobody may compute ahead of a caller: then at its end.
    """
    if entry.stale_until_us == entry.fresh_until_us:
        return entry.fresh_until_us
    return _early(entry.created_us, entry.fresh_until_us)


def _early(created_us: int, fresh_until_us: int) -> int:
    return fresh_until_us - int((fresh_until_us - created_us) * EARLY)


def ttl_ms(entry: Entry) -> int:
    """How long a store should keep ``entry``: milliseconds, at least one."""
    return max(math.ceil((entry.stale_until_us - entry.created_us) / 1000), 1)


def tag_names(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags in order, each once; a lone string is refused, since its letters are hardly meant."""
    if isinstance(tags, str):
        raise TypeError(f"tags is a collection of names: write tags=[{tags!r}]")
    return tuple(sorted(set(tags)))


def invalidation(namespace: str, tags: Sequence[str]) -> bytes:
    """What is staged in the outbox for the tags of a namespace."""
    return encode([namespace, list(tags)])


def read_invalidation(payload: bytes) -> tuple[str, tuple[str, ...]]:
    """Namespace and tags of what :func:`invalidation` made; other bytes raise :class:`DecodeError`."""
    match decode(payload):
        case [str() as namespace, list() as tags] if all(isinstance(tag, str) for tag in tags):
            return namespace, tuple(tags)
    raise DecodeError("the outbox row is not an invalidation")
