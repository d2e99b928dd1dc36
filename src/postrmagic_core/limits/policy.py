"""Every decision about limits: what to ask of a store, what its answer means, and what holds while it is away. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, get_args

from ..errors import BackendError, Conflict, OutcomeUnknown, PoolExhausted
from ..stores.keys import Keys
from .interface import Concurrency, Decision, Standing, Take, Unavailable, Where

AWAY_RETRY = 5.0
"""Seconds after which who was refused because the store is away may ask again: a store that is back answers by then."""


# Keys at hand: a lookup costs a tenth of building one. Long ones are not kept, as clients choose them.
_AT_HAND, _SHORT = 4096, 100


class Call(NamedTuple):
    """What is asked of the buckets: ``GCRA``'s keys and arguments."""

    takes: Sequence[Take]
    keys: list[bytes]
    args: list[bytes | int]


class Names:
    """The keys of one namespace; those of short keys asked for lately are at hand."""

    def __init__(self, keys: Keys) -> None:
        self._build = keys.build
        self._at_hand = lru_cache(maxsize=_AT_HAND)(keys.build)

    def bucket(self, take: Take) -> bytes:
        """The bucket of a limit and a key: different ones never meet."""
        build = self._at_hand if len(take.key) <= _SHORT else self._build
        return build("limit", take.limit.name, take.key)

    def semaphore(self, concurrency: Concurrency, key: str | bytes) -> bytes:
        """The semaphore of a concurrency limit and a key."""
        return self._build("concurrency", concurrency.name, key)


def asked(names: Names, takes: Sequence[Take], *, look: bool = False) -> Call:
    """The call for ``takes``; with ``look`` it costs nothing. Two of one limit and key raise :class:`ValueError`."""
    buckets = [names.bucket(take) for take in takes]
    args: list[bytes | int] = []
    costs, dear = [], look
    for take in takes:
        limit, cost = take.limit, take.cost
        args += (limit.emission_us, limit.burst)
        costs.append(0 if look else cost)
        dear = dear or cost != 1
    if dear:
        args += costs
    if len(buckets) != 1:
        _check_different(buckets)
    return Call(takes, buckets, args)


def _check_different(buckets: Sequence[bytes]) -> None:
    if not buckets:
        raise ValueError("expected at least one limit: hit(limit.of(key))")
    if len(set(buckets)) < len(buckets):
        raise ValueError("a limit occurs twice for the same key: add up the costs, or give the limits different names")


def decided(call: Call, answer: list[int], where: Where = "store") -> Decision:
    """What ``GCRA``'s answer means."""
    takes = call.takes
    if len(takes) == 1:
        standings: tuple[Standing, ...] = (Standing(takes[0].limit, answer[1]),)
    else:
        standings = tuple([Standing(take.limit, ahead) for take, ahead in zip(takes, answer[1:], strict=True)])
    if answer[0] == 1:
        least = min(range(len(standings)), key=lambda index: standings[index].remaining) if len(standings) > 1 else 0
        return Decision(True, standings, least, 0.0, where)
    return _refused(call, standings, where)


def looked(call: Call, answer: list[int], where: Where = "store") -> Decision:
    """What the call would be told, by an answer to a call that cost nothing."""
    found = decided(call, answer, where)
    return found if max(_waits(call, found.standings)) <= 0 else _refused(call, found.standings, where)


def _refused(call: Call, standings: tuple[Standing, ...], where: Where) -> Decision:
    waits = _waits(call, standings)
    longest = max(waits)
    return Decision(False, standings, waits.index(longest), longest / 1_000_000, where)


def _waits(call: Call, standings: Sequence[Standing]) -> list[int]:
    """Microseconds until each bucket would admit its cost; none where it does now."""
    return [
        ahead + take.cost * take.limit.emission_us - take.limit.full_us
        for take, (_, ahead) in zip(call.takes, standings, strict=True)
    ]


def admitted_unseen(call: Call) -> Decision:
    """Admitted, and nobody counted it."""
    return Decision(True, tuple(Standing(take.limit, 0) for take in call.takes), 0, 0.0, "nothing")


def refused_unseen(call: Call) -> Decision:
    """Refused, since nobody can say whether it is too much."""
    return Decision(
        False, tuple(Standing(take.limit, take.limit.full_us) for take in call.takes), 0, AWAY_RETRY, "nothing"
    )


def while_away(unavailable: Unavailable, error: BackendError) -> Unavailable:
    """What holds for a call that failed so. A store that is only busy does not open: a flood must not help itself."""
    if unavailable == "open" and isinstance(error, (PoolExhausted, Conflict)):
        return "local"
    return unavailable


def ask_again(error: BackendError) -> bool:
    """Whether what a token names may have happened: asked once more, the Script knows its owner again.

    Never for a hit, which has no token: it would count twice.
    """
    return isinstance(error, OutcomeUnknown)


def check_unavailable(given: str) -> None:
    """Raise :class:`ValueError` unless ``given`` is a policy."""
    if given not in get_args(Unavailable):
        raise ValueError(f"unavailable is 'open', 'closed' or 'local', got {given!r}")
