"""Records, merging and time-outs: what a session is, decided without a store, a clock or chance."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

from .._codec import decode, encode
from ..errors import DecodeError
from .binding import Place
from .ids import LAST_SERIAL

_VERSION = 2

Standing = Literal["current", "next", "previous", "old", "ahead"]

_STANDING: Mapping[int, Standing] = {0: "current", 1: "next", -1: "previous"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: without a request, in any case, between two prolongations, until the id is renewed, and after that for
    the old one; and how many sessions a user may have.
    """

    idle: float
    absolute: float
    touch: float
    renewal: float
    grace: float
    sessions: int

    def __post_init__(self) -> None:
        if not (0 <= self.touch < self.idle <= self.absolute < math.inf):
            raise ValueError(
                "expected 0 <= touch_interval < idle_timeout <= absolute_timeout (seconds), got "
                f"{self.touch}, {self.idle} and {self.absolute}"
            )
        if not 0 <= self.grace < self.renewal:
            raise ValueError(
                f"expected 0 <= rotation_grace < renewal_timeout (seconds), got {self.grace} and {self.renewal}"
            )
        if self.absolute / self.renewal > LAST_SERIAL:
            raise ValueError(f"renewal_timeout is too short for absolute_timeout: over {LAST_SERIAL:,} renewals")
        if self.sessions < 1:
            raise ValueError(f"expected max_sessions of 1 or more, got {self.sessions}")

    @property
    def idle_ms(self) -> int:
        """The idle time-out in milliseconds."""
        return max(round(self.idle * 1000), 1)

    @property
    def absolute_ms(self) -> int:
        """The absolute time-out in milliseconds."""
        return max(round(self.absolute * 1000), 1)

    @property
    def guard_ms(self) -> int:
        """How long a user's generation and list are kept: longer than any session that they name."""
        return math.ceil(self.absolute * 1000) + 60_000


def check_options(whose: str, given: Collection[str], known: Collection[str]) -> None:
    """Raise :class:`TypeError` for an option that there is not: a time-out that is misspelt would be the default."""
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"{whose} has no option {', '.join(unknown)}; it has {', '.join(known)}")


class Record(NamedTuple):
    """What is sealed in a row; a tuple, for one is made at each request.

    ``generation`` is the user's when they logged in. ``serial`` is the issue of the id that counts. ``began_us``,
    ``ends_us`` and ``left_us`` are by the store's clock, ``touched_us``, the last write, and ``renewed_us``, when
    ``serial`` was first used, by the writer's: of hosts whose clocks differ none renews at each request. ``left_us`` is
    when the id before ``serial`` was left or, where ``moved`` names the row of the session that took this one's place,
    this session was. ``agent`` and ``network`` are where the client was last seen. ``version`` is the model's.
    ``fields`` are the data, each encoded by itself, so that two requests that changed different ones are merged without
    reading either.
    """

    user_id: str | None
    generation: int
    began_us: int
    ends_us: int
    touched_us: int
    serial: int
    renewed_us: int
    left_us: int
    agent: str | None
    network: str | None
    version: int
    moved: bytes | None
    fields: Mapping[str, bytes]

    def merged(self, changes: Changes, now_us: int) -> Record:
        """This record with ``changes`` made, touched now."""
        kept = {name: value for name, value in self.fields.items() if name not in changes.removed}
        return self._replace(fields={**kept, **changes.changed}, touched_us=now_us)

    def renewed(self, serial: int, now_us: int) -> Record:
        """This record, being touched, once ``serial`` has been used; the one before it is left at ``now_us``."""
        if serial != self.serial + 1:
            return self
        return self._replace(serial=serial, renewed_us=self.touched_us, left_us=now_us)

    def seen_at(self, place: Place) -> Record:
        """This record with where its client is now, as far as that is known."""
        return self._replace(agent=place.agent or self.agent, network=place.network or self.network)

    def is_at(self, place: Place) -> bool:
        """Whether the client is where it was, as far as that is known."""
        return place.agent in {None, self.agent} and place.network in {None, self.network}

    def left(self, successor: bytes, now_us: int) -> Record:
        """What stays of this session when another takes its place."""
        return self._replace(moved=successor, left_us=now_us)


@dataclass(frozen=True, slots=True)
class Changes:
    """The fields one request gave another value, and those it took away."""

    changed: Mapping[str, bytes]
    removed: Collection[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


NONE = Changes({}, ())


def difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Changes:
    """What makes ``after`` out of ``before``."""
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return Changes(changed, before.keys() - after.keys())


def pack(record: Record) -> bytes:
    """The bytes of ``record``, to be sealed."""
    owner = [record.user_id, record.generation]
    times = [record.began_us, record.ends_us, record.touched_us, record.serial, record.renewed_us, record.left_us]
    client = [record.agent, record.network]
    return encode([_VERSION, *owner, *times, *client, record.version, record.moved, dict(record.fields)])


def unpack(data: bytes) -> Record:
    """The record in ``data``; anything that :func:`pack` did not write raises :class:`DecodeError`."""
    match decode(data):
        case [2, *values] if tuple(map(type, values)) in _TYPES:
            return Record(*values)
    raise DecodeError("the session is not of this version")


_NONE = type(None)
# The types of a record's values, in their order: four of them may be None.
_TYPES = frozenset(
    (user_id, *[int] * 7, agent, network, int, moved, dict)
    for user_id, agent, network, moved in product((str, _NONE), (str, _NONE), (str, _NONE), (bytes, _NONE))
)


def standing(presented: int, serial: int) -> Standing:
    """How the issue of an id that a client presents stands to the one that counts.

    ``next`` was offered and is used for the first time; ``previous`` is good for a grace; ``old`` has been replaced
    twice. ``ahead`` was offered by a later state of the row than this one: it has been put back.
    """
    return _STANDING.get(presented - serial, "ahead" if presented > serial else "old")


def is_revoked(record: Record, generation: bytes | None) -> bool:
    """Whether the user's generation is another than at login."""
    return record.user_id is not None and generation != b"%d" % record.generation


def is_in_place(record: Record, presented: int, place: Place) -> bool:
    """Whether nothing has to be asked: the issue of the id that counts, used where it was."""
    is_bound = record.user_id is not None
    return record.moved is None and presented == record.serial and (not is_bound or record.is_at(place))


def renewal_due(renewed_us: int, now_us: int, interval: float) -> bool:
    """Whether the id is to be replaced."""
    return now_us - renewed_us >= interval * 1e6


def touch_due(since_us: int, now_us: int, interval: float) -> bool:
    """Whether a request that changed nothing should prolong the session.

    A time in the future was written by a host whose clock is ahead: prolong, lest the session ends though it is used.
    """
    return not 0 <= now_us - since_us < interval * 1e6


def in_grace(left_us: int, now_us: int, grace: float) -> bool:
    """Whether an id that was replaced at ``left_us`` is still good; both by the store's clock."""
    return now_us - left_us < grace * 1e6


def generation(raw: bytes | None) -> int | None:
    """The number in a user's generation; ``None`` where there is none, or what no Script wrote."""
    return int(raw) if raw is not None and raw.isdigit() and len(raw) <= 16 else None
