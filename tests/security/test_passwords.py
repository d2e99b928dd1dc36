"""Passwords: hashed as they are, verified alike, replaced when outdated, and never too many at once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError, NotOpen, Overloaded, ValidationFailed
from postrmagic_core.security.passwords import Argon2Cost, Passwords, Verified, policy
from postrmagic_core.security.passwords.policy import FLOOR
from tests.faces import Caller

TINY = Argon2Cost(64, 1, 1)
MORE = Argon2Cost(FLOOR.memory_kib, 3, 1)
RIGHT = "correct horse battery"


class Pbkdf2:
    """Hashes as an application made them before: ``pbkdf2$salt$digest``."""

    calls = 0

    def identify(self, hash: str) -> bool:
        """See :class:`LegacyHasher`."""
        return hash.startswith("pbkdf2$")

    def verify(self, password: str, hash: str) -> bool:
        """See :class:`LegacyHasher`; a malformed hash raises :class:`ValueError`."""
        self.calls += 1
        _, salt, digest = hash.split("$")
        return hmac.compare_digest(self._digest(password, bytes.fromhex(salt)), base64.b64decode(digest))

    def hash(self, password: str, salt: bytes = b"salt") -> str:
        """A hash of this scheme."""
        return f"pbkdf2${salt.hex()}${base64.b64encode(self._digest(password, salt)).decode()}"

    def _digest(self, password: str, salt: bytes) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000)


def cheap(**options: Any) -> Passwords:
    """Of a cost that no application can have, for what does not depend on it; what stored hashes may cost is usual."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(policy, "FLOOR", TINY)
        return Passwords(TINY, **{"max_cost": Argon2Cost(4 * FLOOR.memory_kib, 4 * FLOOR.passes, 16), **options})


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Callable[..., Caller]]:
    """A factory: ``caller(legacy=[…])`` opens passwords, cheap ones where no cost is given, and gives each face."""
    with ExitStack() as opened:

        def make(cost: Argon2Cost | None = None, **options: Any) -> Caller:
            passwords = opened.enter_context(cheap(**options) if cost is None else Passwords(cost, **options))
            return Caller(passwords, opened.enter_context(asyncio.Runner()) if request.param == "async" else None)

        yield make


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    """Open and cheap."""
    with cheap() as opened:
        yield opened


def test_a_password_fits_its_own_hash_alone(caller: Any) -> None:
    """The hash is argon2id of the cost asked for, with a salt of its own, and holds no password."""
    passwords = caller(FLOOR)
    stored, again = passwords.hash(RIGHT), passwords.hash(RIGHT)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert stored != again
    assert RIGHT not in stored
    assert len(Passwords().work.hashing._nobody) < 255
    assert passwords.verify(RIGHT, stored) == Verified(True)
    assert passwords.verify(RIGHT, again)
    assert not passwords.verify("correct horse", stored)


def test_the_default_is_what_rfc_9106_recommends() -> None:
    """64 MiB, 3 passes and 4 lanes, above OWASP's floor in each."""
    with Passwords() as passwords:
        stored = passwords.hash(RIGHT)
        assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert passwords.verify(RIGHT, stored) == Verified(True)
    assert Argon2Cost(19 * 1024, 2, 1) == FLOOR
    assert FLOOR.within(Argon2Cost())


@pytest.mark.parametrize(
    "cost", [Argon2Cost(19_455, 2, 1), Argon2Cost(65_536, 1, 1), Argon2Cost(65_536, 2, 0)], ids=str
)
def test_a_cost_below_the_floor_is_refused(cost: Argon2Cost) -> None:
    """An application cannot be wired with a weak hash."""
    with pytest.raises(ConfigurationError, match="at least 19456 KiB"):
        Passwords(cost)


def test_new_hashes_must_be_within_what_stored_ones_may_cost() -> None:
    """Otherwise nobody could log in with a hash that was just made."""
    with pytest.raises(ConfigurationError, match="more than stored ones may"):
        Passwords(Argon2Cost(), max_cost=Argon2Cost(65_535, 12, 16))
    with pytest.raises(ConfigurationError, match="concurrency"):
        Passwords(concurrency=0)


@pytest.mark.parametrize("stored", [None, "", "!", "*", "!$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"])
def test_nobody_and_a_disabled_hash_fit_no_password(
    caller: Any, stored: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither an unknown user nor one who may not log in is an error."""
    caplog.set_level(logging.DEBUG, "postrmagic_core")
    passwords = caller()
    assert passwords.verify(RIGHT, stored) == Verified(False)
    assert passwords.verify("", stored) == Verified(False)
    assert [record for record in caplog.records if record.name.startswith("postrmagic_core")] == []


PLANTED = [
    "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=19456,t=4000000000,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=77825,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=19456,t=9,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=19456,t=2,p=255$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=19456,t=2,p=1,m=9999999$c2FsdHNhbHQ$aGFzaGhhc2g",
    f"$argon2id$v=19$m={10**400},t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
]
MALFORMED = [
    "plain text",
    "$argon2id$",
    "$argon2id$v=19$m=19456,t=2,p=1$$",
    "$argon2id$v=19$m=19456,t=2,p=1$not base64!$aGFzaGhhc2g",
    "$argon2id$v=19$m=-1,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$argon2id$v=19$m=١٩٤٥٦,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "$2b$12$abcdefghijklmnopqrstuuJ4bVvyTlNnKYnLkWsSrn8lO3Ld4UeZ2",
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$" + "A" * 100_000,
    "x\x00y",
    "\ud800",
]


@pytest.mark.parametrize("stored", [*PLANTED, *MALFORMED], ids=lambda stored: ascii(stored)[:50])
def test_a_planted_or_broken_hash_is_a_wrong_password_and_told_of(
    caller: Any, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not computed, however much it asks for; the operator learns of it once a login, without the hash."""
    passwords = caller()
    assert passwords.verify(RIGHT, stored) == Verified(False)
    (record,) = caplog.records
    assert record.__dict__["event"] == "security.password_hash_unreadable"
    assert stored[:20] not in record.getMessage()


def test_what_a_stored_hash_may_cost_can_be_said(caller: Any) -> None:
    """Who lowers the cost far says up to where old hashes are read."""
    stored = caller(Argon2Cost(19_456, 9, 1)).hash(RIGHT)
    assert not caller().verify(RIGHT, stored)
    assert caller(max_cost=Argon2Cost(19_456, 9, 1)).verify(RIGHT, stored)


def test_a_hash_of_another_cost_is_replaced_at_login(caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Only a right password gives a new hash, which is good, current, and in no repr."""
    caplog.set_level(logging.INFO)
    old = caller(MORE).hash(RIGHT)
    metrics = Metrics()
    passwords = caller(FLOOR, metrics=metrics)
    assert passwords.verify("wrong", old) == Verified(False)
    found = passwords.verify(RIGHT, old)
    assert found.rehash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert found.rehash not in repr(found)
    assert passwords.verify(RIGHT, found.rehash) == Verified(True)
    assert [record.__dict__["event"] for record in caplog.records] == ["security.password_rehash"]
    counts = {(name, *labels): value for name, labels, value in metrics.counters()}
    assert counts[("passwords_rehashed_total",)] == 1
    assert counts[("passwords_verified_total", ("outcome", "right"))] == 2
    assert counts[("passwords_verified_total", ("outcome", "wrong"))] == 1


def test_an_older_scheme_is_read_and_replaced(caller: Any) -> None:
    """A legacy hash is verified by the hasher given for it, and replaced by argon2id; without one nobody gets in."""
    legacy = Pbkdf2()
    stored = legacy.hash(RIGHT)
    passwords = caller(legacy=[legacy])
    assert passwords.verify("wrong", stored) == Verified(False)
    found = passwords.verify(RIGHT, stored)
    assert found.ok
    assert passwords.verify(RIGHT, found.rehash) == Verified(True)
    assert passwords.verify(RIGHT, "pbkdf2$zz$zz") == Verified(False)
    assert caller().verify(RIGHT, stored) == Verified(False)


def test_weaker_variants_of_argon2_are_replaced(passwords: Passwords) -> None:
    """Argon2i and argon2d hashes are read, and become argon2id."""
    from argon2 import PasswordHasher, Type

    for variant in (Type.I, Type.D):
        found = passwords.verify(RIGHT, PasswordHasher(2, 19_456, 1, type=variant).hash(RIGHT))
        assert found.ok
        assert str(found.rehash).startswith("$argon2id$")


PAIRS = [
    ("a" * 72, "a" * 73),
    ("a" * 72 + "b", "a" * 72 + "c"),
    ("a" * 1023, "a" * 1024),
    ("pass\x00word", "pass\x00worm"),
    ("pass\x00word", "pass"),
    ("caf\u00e9 au lait", "cafe\u0301 au lait"),
    ("trailing", "trailing "),
    ("leading", " leading"),
    ("Case", "case"),
    ("\uff50\uff41\uff53\uff53", "pass"),
    ("line\n", "line"),
    ("", " "),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda text: ascii(text)[:30])
def test_a_password_is_taken_exactly_as_it_is(passwords: Passwords, one: str, other: str) -> None:
    """Nothing is cut, folded, normalized or trimmed, neither when hashed nor when verified."""
    stored = passwords.hash(one)
    assert passwords.verify(one, stored)
    assert not passwords.verify(other, stored)
    assert not passwords.verify(one, passwords.hash(other))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_the_text_only_itself_fits(passwords: Passwords, one: str, other: str) -> None:
    """Any text is a password of its own."""
    stored = passwords.hash(one)
    assert passwords.verify(one, stored).ok
    assert passwords.verify(other, stored).ok == (one == other)


class Untouchable:
    """What must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


@pytest.mark.parametrize("password", ["a" * 1025, "\u00e9" * 513, "a" * 10_000_000, "\ud800"], ids=["1", "2", "3", "4"])
def test_what_is_too_long_is_refused_before_anything_is_computed(
    caller: Any, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cut: such a password gets no hash and fits none, and neither takes a place among the hashings."""
    passwords = caller()
    for part in ("slots", "hashing"):
        monkeypatch.setattr(passwords.manager.work, part, Untouchable())
    with pytest.raises(ValidationFailed) as refused:
        passwords.hash(password)
    assert refused.value.errors[0]["code"] in {"password.too_long", "password.not_text"}
    assert passwords.verify(password, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA") == Verified(False)


@pytest.mark.parametrize("password", [None, b"bytes", 1, True, ["a"], {}], ids=repr)
def test_only_text_is_a_password(caller: Any, password: Any) -> None:
    """Whatever JSON may hold in its place is an error of the caller's, not a password."""
    passwords = caller()
    with pytest.raises(TypeError, match="expected the password as str"):
        passwords.hash(password)
    with pytest.raises(TypeError, match="expected the password as str"):
        passwords.verify(password, None)


def test_passwords_are_opened_first() -> None:
    """Used before it was opened, it says so."""
    with pytest.raises(NotOpen):
        cheap().hash(RIGHT)
    with pytest.raises(NotOpen):
        cheap().require(RIGHT)


class Held:
    """A legacy hasher whose verification takes until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def identify(self, hash: str) -> bool:
        """See :class:`LegacyHasher`."""
        return hash == "held"

    def verify(self, password: str, hash: str) -> bool:
        """See :class:`LegacyHasher`."""
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.begun.release()
        assert self.go.wait(60)
        with self._lock:
            self.now -= 1
        return False


def test_who_finds_all_places_taken_is_told_in_time(caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Overloaded, after the wait, for both faces; counted each time, logged once, and all is well afterwards."""
    held, metrics = Held(), Metrics()
    passwords = caller(legacy=[held], concurrency=2, wait=0.05, metrics=metrics)
    busy = [threading.Thread(target=passwords.manager.verify, args=("x", "held")) for _ in range(2)]
    for thread in busy:
        thread.start()
    for _ in busy:
        assert held.begun.acquire(timeout=30)
    calls: list[Callable[[], object]] = [lambda: passwords.verify(RIGHT, None), lambda: passwords.hash(RIGHT)]
    for call in calls:
        with pytest.raises(Overloaded) as full:
            call()
        assert full.value.retryable
    held.go.set()
    for thread in busy:
        thread.join(30)
    assert passwords.verify(RIGHT, passwords.hash(RIGHT))
    assert [record.__dict__["event"] for record in caplog.records] == ["security.passwords_overloaded"]
    assert {name: value for name, _, value in metrics.counters()}["passwords_overloaded_total"] == 2


def test_both_faces_share_the_places() -> None:
    """Twenty threads and twenty tasks at once: never more than two are at work, and all are served."""
    held = Held()
    with cheap(legacy=[held], concurrency=2, wait=60.0) as passwords:

        async def tasks() -> None:
            await asyncio.gather(*(passwords.aio.verify("x", "held") for _ in range(20)))

        threads = [threading.Thread(target=passwords.verify, args=("x", "held")) for _ in range(20)]
        threads.append(threading.Thread(target=lambda: asyncio.run(tasks())))
        for thread in threads:
            thread.start()
        for _ in range(2):
            assert held.begun.acquire(timeout=30)
        assert not held.begun.acquire(timeout=0.05)
        held.go.set()
        for thread in threads:
            thread.join(60)
        assert held.most == 2
        assert passwords.work.slots._free == 2


def test_a_cancelled_call_keeps_its_place_until_its_thread_ends() -> None:
    """Whoever hangs up gives nobody the memory that is still in use."""
    held = Held()

    async def main(passwords: Passwords) -> None:
        task = asyncio.create_task(passwords.aio.verify("x", "held"))
        assert await asyncio.to_thread(held.begun.acquire, timeout=30)
        task.cancel()
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await passwords.aio.verify(RIGHT, None)
        assert not task.done()
        held.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not await passwords.aio.verify(RIGHT, None)

    with cheap(legacy=[held], concurrency=1, wait=0.05) as passwords:
        asyncio.run(main(passwords))
        assert passwords.work.slots._free == 1


def test_who_is_cancelled_while_waiting_takes_no_place_along() -> None:
    """A hundred waiters that hang up leave the places as they were."""
    held = Held()

    async def main(passwords: Passwords) -> None:
        first = asyncio.create_task(passwords.aio.verify("x", "held"))
        assert await asyncio.to_thread(held.begun.acquire, timeout=30)
        waiting = [asyncio.create_task(passwords.aio.verify(RIGHT, None)) for _ in range(100)]
        await asyncio.sleep(0)
        for task in waiting[:50]:
            task.cancel()
        held.go.set()
        for task in waiting[50:99]:
            task.cancel()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        assert not await waiting[99]

    with cheap(legacy=[held], concurrency=1, wait=60.0) as passwords:
        asyncio.run(main(passwords))
        assert passwords.work.slots._free == 1
        assert not passwords.verify(RIGHT, None)


def test_the_loop_runs_while_passwords_are_hashed() -> None:
    """Hashing is done in threads: the loop ticks meanwhile."""
    held = Held()

    async def main(passwords: Passwords) -> None:
        task = asyncio.create_task(passwords.aio.verify("x", "held"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        held.go.set()
        await task

    with cheap(legacy=[held]) as passwords:
        asyncio.run(main(passwords))


def test_memory_that_runs_out_is_no_wrong_password(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overloaded, whether the user is known or not: a wrong password would be counted against somebody."""
    from argon2 import PasswordHasher
    from argon2.exceptions import HashingError, VerificationError

    stored = passwords.hash(RIGHT)

    def exhausted(*args: object, **options: object) -> bool:
        raise VerificationError("Memory allocation error")

    def no_hash(*args: object, **options: object) -> str:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(PasswordHasher, "verify", exhausted)
    for asked in (stored, None):
        with pytest.raises(Overloaded, match="memory"):
            passwords.verify(RIGHT, asked)
    monkeypatch.setattr(PasswordHasher, "hash", no_hash)
    with pytest.raises(Overloaded, match="memory"):
        passwords.hash(RIGHT)


def test_a_login_is_good_though_its_new_hash_could_not_be_made(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upgrade waits for the next login."""
    from argon2 import PasswordHasher
    from argon2.exceptions import HashingError

    with Passwords(MORE) as costlier:
        stored = costlier.hash(RIGHT)

    def no_hash(*args: object, **options: object) -> str:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(PasswordHasher, "hash", no_hash)
    assert passwords.verify(RIGHT, stored) == Verified(True, None)


def test_a_password_is_in_no_error_and_no_record(caller: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong, neither the password nor a hash of it is told."""
    caplog.set_level(logging.DEBUG)
    secret = "hunter2hunter2hunter2"
    passwords = caller(concurrency=1, wait=0.01)
    stored = passwords.hash(secret)
    passwords.verify(secret, stored[:-5] + "!!!!!")
    passwords.verify("wrong", stored)
    with pytest.raises(ValidationFailed) as refused:
        passwords.require(secret[:7] * 200)
    with pytest.raises(Overloaded) as full, passwords.manager.work.slots.held():
        passwords.verify(secret, stored)
    said = f"{refused.value} {refused.value.errors} {full.value} {passwords.manager!r} {caplog.text}"
    assert "hunter2" not in said
    assert stored[:-5] not in said
