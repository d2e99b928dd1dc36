"""What is limited, and what was decided: small frozen values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Unavailable: TypeAlias = Literal["open", "closed", "local"]
Where: TypeAlias = Literal["store", "process", "nothing"]

UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "week": 604_800.0}
_PARSED = re.compile(r"(\d{1,12}) ?/ ?(?:(\d{1,9}) ?)?([a-z]+?)s?(?: ?; ?burst ?= ?(\d{1,12}))?", re.ASCII)
_LONGEST = 366 * 86_400.0  # seconds
_MAX_SLOTS = 10_000  # a semaphore is one value, read and written as a whole


@dataclass(frozen=True, slots=True)
class Limit:
    """``amount`` calls in ``period`` seconds, evenly: one becomes free every ``period / amount``.

    ``burst`` (by default ``amount``) is how many may come at once after a time of rest. ``name`` (visible ASCII, at
    most 64) stands in keys and response headers: limits of one name share their buckets, so they are the same limit.
    ``emission_us``: microseconds in which one call becomes free, rounded up.
    """

    name: str
    amount: int
    period: float
    burst: int = 0
    emission_us: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_number("amount", self.amount)
        _check_number("burst", self.burst, least=0)
        if not 0 < self.period <= _LONGEST:
            raise ValueError(
                f"{self.name}: a period is more than 0 and at most {_LONGEST:g} seconds, got {self.period}"
            )
        emission = self.period * 1_000_000 / self.amount
        if emission < 1:
            raise ValueError(f"{self.name}: at most 1,000,000 calls a second, got {self.amount} in {self.period:g} s")
        object.__setattr__(self, "burst", self.burst or self.amount)
        # Up, so that no period ever admits more than the amount beyond the burst.
        object.__setattr__(self, "emission_us", -int(-emission // 1))
        if self.emission_us * self.burst > 10 * _LONGEST * 1_000_000:
            raise ValueError(f"{self.name}: an empty bucket would take over ten years to fill; choose a smaller burst")

    @classmethod
    def parse(cls, text: str, *, name: str = "") -> Limit:
        """``"10/minute"``, ``"100/2 hours"``, ``"100/hour;burst=20"``: the name is the text, unless one is given."""
        found = _PARSED.fullmatch(text.strip())
        if found is None or found[3] not in UNITS:
            raise ValueError(
                f"expected a limit such as '10/minute' or '100/2 hours;burst=20' (of {', '.join(UNITS)}), "
                f"got {text[:80]!r}"
            )
        amount, count, unit, burst = found.groups()
        if burst is not None:
            _check_number("burst", int(burst))
        return cls(name or text.strip(), int(amount), int(count or 1) * UNITS[unit], int(burst or 0))

    @property
    def full_us(self) -> int:
        """Microseconds in which an empty bucket becomes full."""
        return self.emission_us * self.burst

    def of(self, key: str | bytes, cost: int = 1) -> Take:
        """This limit, for ``key``: what is passed to ``hit()``."""
        return Take(self, key, cost)


@dataclass(frozen=True, slots=True)
class Take:
    """``cost`` calls out of the bucket that ``limit`` has for ``key``; a ``str`` is its UTF-8."""

    limit: Limit
    key: str | bytes
    cost: int = 1

    def __post_init__(self) -> None:
        _check_number("cost", self.cost)
        if self.cost > self.limit.burst:
            raise ValueError(
                f"a cost of {self.cost} can never be admitted by {self.limit.name}: "
                f"at most {self.limit.burst} may come at once; raise its burst, or split the call"
            )


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most ``slots`` holders at once; a slot ends by itself after ``lease`` seconds, as its holder may have died.

    Choose ``lease`` longer than the work lasts, or renew: who holds on past it has a slot no more, and does not know.
    """

    name: str
    slots: int
    lease: float = 60.0

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_number("slots", self.slots)
        if self.slots > _MAX_SLOTS:
            raise ValueError(f"{self.name}: at most {_MAX_SLOTS} slots, got {self.slots}")
        if not 0.001 <= self.lease <= _LONGEST:
            raise ValueError(f"{self.name}: lease is 0.001 to {_LONGEST:g} seconds, got {self.lease}")

    @property
    def lease_ms(self) -> int:
        """The same in milliseconds."""
        return round(self.lease * 1000)


class Standing(NamedTuple):
    """How full a bucket is: ``ahead_us`` microseconds from now it is full again."""

    limit: Limit
    ahead_us: int

    @property
    def remaining(self) -> int:
        """How many calls may come now."""
        return max(self.limit.full_us - self.ahead_us, 0) // self.limit.emission_us

    @property
    def reset_after(self) -> float:
        """Seconds until it is full again."""
        return self.ahead_us / 1_000_000

    @property
    def more_after(self) -> float:
        """Seconds until there is one more than ``remaining``; 0 where it is full."""
        if self.ahead_us <= 0:
            return 0.0
        return (self.ahead_us - self.limit.full_us + (self.remaining + 1) * self.limit.emission_us) / 1_000_000


class Decision(NamedTuple):
    """What became of a call: admitted by every bucket, or refused, and counted by none of them.

    ``standings``: the buckets as they are now, in the order given; ``decides``: which of them refuses longest, or has
    least left; ``retry_after``: seconds until the same call would be admitted, 0 where it was. ``counted_in`` is
    ``"store"``, or while that is away ``"process"``, which knows of its own calls only, or ``"nothing"``: then the
    standings say nothing.
    """

    allowed: bool
    standings: tuple[Standing, ...]
    decides: int = 0
    retry_after: float = 0.0
    counted_in: Where = "store"

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def limit(self) -> Limit:
        """The limit that decides."""
        return self.standings[self.decides].limit

    @property
    def remaining(self) -> int:
        """How many calls that limit admits now."""
        return self.standings[self.decides].remaining

    @property
    def reset_after(self) -> float:
        """Seconds until that limit's bucket is full again."""
        return self.standings[self.decides].reset_after


class Slot(NamedTuple):
    """A slot taken, to be given to ``release()``, or none: ``retry_after`` seconds from now one surely becomes free.

    ``taken``: how many slots are. ``counted_in``: see :class:`Decision`.
    """

    allowed: bool
    concurrency: Concurrency
    key: str | bytes
    owner: bytes
    taken: int = 0
    retry_after: float = 0.0
    counted_in: Where = "store"

    def __bool__(self) -> bool:
        return self.allowed


def _check_name(name: str) -> None:
    if not (0 < len(name) <= 64 and name.isascii() and name.isprintable()):
        raise ValueError(f"a limit's name has 1 to 64 printable ASCII characters, got {name[:80]!r}")


def _check_number(what: str, value: int, least: int = 1) -> None:
    if type(value) is not int or value < least:
        raise ValueError(f"expected {what} to be a whole number of at least {least}, got {value!r}")
