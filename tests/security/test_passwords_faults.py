"""What passwords promise under load and to a watch: row A7, and that time tells nobody who has an account."""

from __future__ import annotations

import json
import math
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from postrmagic_core.errors import Overloaded
from postrmagic_core.security.passwords import Passwords
from postrmagic_core.security.passwords.policy import FLOOR
from postrmagic_core.testing import spawn

pytestmark = pytest.mark.fault

LOGINS = 50
AT_ONCE = 2
HASH_MIB = 64


def peak_mib() -> float:
    """The most memory that this program had so far; getrusage would count what the parent had when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def flood(face: str, wait: float) -> None:
    """In a child: 50 logins at once at the default cost; prints what became of them and what memory they took."""
    import asyncio

    became: list[str] = []  # an append is whole whichever thread makes it, a count is not

    def login() -> None:
        try:
            became.append("denied" if not passwords.verify("guess", None) else "in")
        except Overloaded:
            became.append("overloaded")

    async def alogin() -> None:
        try:
            became.append("denied" if not await passwords.aio.verify("guess", None) else "in")
        except Overloaded:
            became.append("overloaded")

    async def all_of_them() -> None:
        await asyncio.gather(*(alogin() for _ in range(LOGINS)))

    with Passwords(concurrency=AT_ONCE, wait=wait) as passwords:
        before = peak_mib()
        began = time.monotonic()
        if face == "async":
            asyncio.run(all_of_them())
        else:
            threads = [threading.Thread(target=login) for _ in range(LOGINS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        took = time.monotonic() - began
        after = int(not passwords.verify("guess", None))
    grown = peak_mib() - before
    outcomes = Counter(became) | Counter(after=after)
    sys.stdout.write(json.dumps({"outcomes": outcomes, "took": took, "grown_mib": grown}) + "\n")


@pytest.mark.parametrize("face", ["sync", "async"])
def test_fifty_logins_at_once_take_the_memory_of_two(face: str) -> None:
    """Two are hashed at a time; who waits longer than said is told so in time, and memory stays that of two."""
    with spawn(flood, face, 0.5) as child:
        told = json.loads(child.line(60))
    outcomes = told["outcomes"]
    assert outcomes["denied"] + outcomes["overloaded"] == LOGINS
    assert outcomes["overloaded"] > 0
    assert outcomes["denied"] >= AT_ONCE
    assert outcomes["after"] == 1
    assert HASH_MIB * 0.9 < told["grown_mib"] < AT_ONCE * HASH_MIB + HASH_MIB / 2
    assert told["took"] < 0.5 + 10.0


def test_a_forked_child_has_places_of_its_own() -> None:
    """A process forked while all places were taken hashes at once: those who held them did not come along."""
    with Passwords(FLOOR, concurrency=1, wait=5.0) as passwords, passwords.work.slots.held():
        child = os.fork()
        if child == 0:  # pragma: no cover - a process of its own
            try:
                os._exit(int(bool(passwords.verify("guess", None))))
            except BaseException:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Who has an account?

PAIRS = 40
SURELY = 1e-6


def tell_apart(ones: Sequence[float], others: Sequence[float]) -> float:
    """At most how probable it is that pairs differ so much by chance, in whichever direction (two-sided).

    Wilcoxon's signed ranks. If both are of one distribution and each pair's order was drawn, each sign is a fair coin;
    the sum of coins weighed by the ranks exceeds t with a probability of at most ``2 exp(-t**2 / 2 sum(rank**2))``
    (Hoeffding 1963, theorem 2): a bound, not an approximation, whatever else the machine does.
    """
    differences = sorted((one - other for one, other in zip(ones, others, strict=True)), key=abs)
    tilt = sum(math.copysign(rank, difference) for rank, difference in enumerate(differences, 1) if difference)
    return min(1.0, 2 * math.exp(-(tilt**2) / (2 * sum(rank**2 for rank in range(1, len(differences) + 1)))))


def seconds(passwords: Passwords, stored: str | None) -> float:
    """How long a wrong guess takes."""
    began = time.perf_counter()
    assert not passwords.verify("a wrong guess", stored)
    return time.perf_counter() - began


def timed_in_pairs(passwords: Passwords, one: str | None, other: str | None) -> tuple[list[float], list[float]]:
    """Both of each pair right after each other, in an order that is drawn."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(PAIRS):
        for which in random.sample([0, 1], 2):
            times[which].append(seconds(passwords, (one, other)[which]))
    return times[0], times[1]


@pytest.mark.parametrize(
    "absent",
    [
        pytest.param(None, id="unknown"),
        pytest.param("!", id="disabled", marks=pytest.mark.soak),
        pytest.param("", id="empty", marks=pytest.mark.soak),
        pytest.param("not a hash", id="unreadable", marks=pytest.mark.soak),
        pytest.param("$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g", id="planted", marks=pytest.mark.soak),
        pytest.param("$argon2id$v=19$m=19456,t=2,p=1$not base64$not base64", id="broken", marks=pytest.mark.soak),
    ],
)
def test_time_does_not_tell_an_unknown_user_from_a_wrong_password(absent: str | None) -> None:
    """Forty pairs, compared by rank: a right implementation is suspected once in a million times."""
    with Passwords(FLOOR) as passwords:
        stored = passwords.hash("the right one")
        for warm in (stored, absent):
            seconds(passwords, warm)
        known, unknown = timed_in_pairs(passwords, stored, absent)
    assert tell_apart(known, unknown) > SURELY


def test_the_watch_would_tell() -> None:
    """The statistic suspects a shift of a twentieth amid as much noise, and not the noise alone."""
    noise = random.Random(7)
    ones = [1.0 + noise.uniform(0, 0.05) for _ in range(PAIRS)]
    others = [1.0 + noise.uniform(0, 0.05) for _ in range(PAIRS)]
    assert tell_apart(ones, others) > 0.01
    assert tell_apart(ones, [other + 0.05 for other in others]) < SURELY
    assert tell_apart([1.0] * PAIRS, [0.0] * PAIRS) < SURELY
    assert tell_apart([1.0] * PAIRS, [1.0] * PAIRS) == 1.0
