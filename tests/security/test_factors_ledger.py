"""Ledgers of used steps, and codes of secrets that an application keeps itself, on every store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyotp.totp import TOTP

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, NotOpen
from postrmagic_core.security.factors import DatabaseLedger, StepLedger, StoreLedger, Totp
from postrmagic_core.stores import Keys, Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.scripts import ADVANCE
from postrmagic_core.testing import FakeClock
from tests.security.conftest import KEY
from tests.security.factors_rig import ALICE, BOB, events, listen, rigged

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW_KEY = "a-newer-master-value-9876543210-zyxwvutsrq"
NAMES = [Keys("app").build("totp-step", name) for name in "ab"]
THEN = 60 * 366 * 86_400 * 1_000_000


@pytest.fixture(params=["sync", "async"])
def verify(request: pytest.FixtureRequest, store: Store, ring: KeyRing) -> Iterator[Callable[..., Any]]:
    """``verify(user_id, code, clock)`` of each face on each store."""
    with ExitStack() as opened:
        runner = opened.enter_context(asyncio.Runner())

        def call(user_id: str, code: object, clock: FakeClock) -> Any:
            with Totp(StoreLedger(store, ring), clock=clock) as totp:
                if request.param == "async":
                    return runner.run(totp.aio.verify(user_id, SECRET, code))
                return totp.verify(user_id, SECRET, code)

        yield call


def test_a_code_is_used_once_on_any_store(verify: Any, caplog: pytest.LogCaptureFixture) -> None:
    """By its user; an older one not any more, a newer one once, another user's not at all."""
    listen(caplog)
    clock, app = FakeClock(), TOTP(SECRET)
    old = app.at(clock.now)
    clock.advance(30)
    code = app.at(clock.now)
    told = [verify(ALICE, given, clock).reason for given in (code, code, old)]
    assert told == ["accepted", "replayed", "replayed"]
    assert verify(BOB, code, clock).reason == "accepted"
    clock.advance(30)
    assert verify(ALICE, app.at(clock.now), clock).reason == "accepted"
    assert verify(ALICE, f" {app.at(clock.now)}", clock).reason == "wrong"
    assert events(caplog) == [
        "security.factor_accepted",
        *["security.factor_replayed"] * 2,
        *["security.factor_accepted"] * 2,
        "security.factor_refused",
    ]


def test_a_rotated_key_forgets_no_step(store: Store, ring: KeyRing) -> None:
    """The step that was used under the old key is used under the new one, too."""
    assert StoreLedger(store, ring).advance(ALICE, 100)
    rotated = StoreLedger(store, KeyRing([NEW_KEY, KEY]))
    assert [rotated.advance(ALICE, step) for step in (99, 100, 101, 101)] == [False, False, True, False]
    assert not StoreLedger(store, KeyRing([NEW_KEY])).advance(ALICE, 101)


def test_a_store_learns_no_user(store: Store, ring: KeyRing) -> None:
    """A user is named by an HMAC there, and a namespace has users of its own."""
    seen: list[bytes] = []
    run = store.run

    def watched(script: Any, keys: Any, *args: Any, **options: Any) -> Any:
        seen.extend(keys)
        return run(script, keys, *args, **options)

    store.run = watched  # type: ignore[method-assign]  # a spy on one store
    assert StoreLedger(store, ring).advance("alice", 100)
    assert StoreLedger(store, ring, namespace="other").advance("alice", 100)
    assert len(set(seen)) == 2
    assert not any(b"alice" in key for key in seen)


def test_a_step_is_remembered_as_long_as_told(ring: KeyRing) -> None:
    """By default for a day: no clock that is set back by less makes an old code good."""
    clock = FakeClock()
    with closing(MemoryStore(clock=clock)) as store:
        ledger = StoreLedger(store, ring)
        assert ledger.advance(ALICE, 100)
        clock.advance(86_399)
        assert not ledger.advance(ALICE, 100)
        clock.advance(2)
        assert ledger.advance(ALICE, 100)


@pytest.mark.parametrize("keep", [0, 59.0, -1, float("nan")])
def test_a_short_memory_is_refused(ring: KeyRing, keep: float) -> None:
    """One that ends before the code does."""
    with pytest.raises(ValueError, match="expected keep of 600 seconds"):
        StoreLedger(MemoryStore(), ring, keep=keep)


def test_a_store_that_cannot_compare_all_names_is_refused(ring: KeyRing) -> None:
    """A step that an older key named must be seen in the same operation."""

    class Narrow(MemoryStore):
        atomic: ClassVar[Literal["keys", "key"]] = "key"

    with pytest.raises(ConfigurationError, match="atomic over several keys"):
        StoreLedger(Narrow(), ring)


def test_the_databases_ledger_knows_confirmed_users_only(database: DatabaseManager, ring: KeyRing) -> None:
    """Each step once; nobody's, and a pending factor's, never."""
    ledger: StepLedger = DatabaseLedger(database)
    assert not ledger.advance(ALICE, 1)
    with rigged(database, ring) as rig:
        rig.enrol(BOB)
        rig.enabled()
    assert not ledger.advance(BOB, 10**9)
    assert [ledger.advance(ALICE, step) for step in (1, 10**9, 10**9, 10**9 - 1, 10**9 + 1)] == [
        False,
        True,
        False,
        False,
        True,
    ]


def test_totp_is_used_while_open(ring: KeyRing) -> None:
    """Before and after, an error says so."""
    totp = Totp(StoreLedger(MemoryStore(), ring))
    with pytest.raises(NotOpen):
        totp.verify(ALICE, SECRET, "123456")
    with totp, pytest.raises(ValueError, match="user_id"):
        totp.verify(1, SECRET, "123456")  # type: ignore[arg-type]  # that is the test


# The Script.


@pytest.fixture
def four(url_of: Callable[[str], str]) -> Iterator[list[Store]]:
    """One store of each kind."""
    with ExitStack() as stack:
        stores = [open_store(url_of(kind), timeout=5.0) for kind in ("memory", "sqlite", "mariadb", "redis")]
        yield [stack.enter_context(closing(store)) for store in stores]


CALLS = st.tuples(
    st.sampled_from([NAMES, NAMES[::-1], NAMES[:1], NAMES[1:]]),
    st.integers(0, 5) | st.sampled_from([2**53 - 2, 2**53 - 1]),
    st.sampled_from([1, 999, 60_000]),
    st.sampled_from([0, 1, 999, 1_000_000, 60_000_000, -1_000_000]),
)


@pytest.mark.mysql
@pytest.mark.redis
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.lists(CALLS, min_size=1, max_size=12))
def test_both_texts_of_the_script_are_equal(four: list[Store], calls: list[tuple[list[bytes], int, int, int]]) -> None:
    """Any sequence of calls is answered alike by every store, and leaves the same values."""
    now = time.time_ns() // 1000 + 3_600_000_000  # ahead of every server's clock, which would end values by itself
    for store in four:
        store.delete(NAMES)
    for names, number, ttl_ms, step in calls:
        now += step
        answers = [store.run(ADVANCE, names, [number, ttl_ms], now_us=now) for store in four]
        assert answers == [answers[0]] * 4
        values = [store.get(NAMES) for store in four]
        assert values == [values[0]] * 4


def test_a_number_only_grows(store: Store) -> None:
    """Larger than under any of its names, or refused; it stands under the newest."""
    told = [
        store.run(ADVANCE, names, [number, 60_000], now_us=THEN)
        for names, number in [(NAMES[1:], 7), (NAMES, 6), (NAMES, 7), (NAMES, 8), (NAMES, 8), (NAMES[1:], 8)]
    ]
    assert told == [[1], [0], [0], [1], [0], [1]]
    assert store.get(NAMES) == [b"8", b"8"]


@pytest.mark.parametrize("planted", [b"", b"?", b"-1", b"1.5", b" 7", b"0x7", b"1e3", b"9" * 16, b"9" * 400])
def test_what_is_no_number_counts_as_none(store: Store, planted: bytes) -> None:
    """Bytes that no Script wrote; who can plant them could delete the number as well."""
    store.set({NAMES[0]: planted}, None)
    assert store.run(ADVANCE, NAMES, [5, 60_000]) == [1]
    assert store.run(ADVANCE, NAMES, [5, 60_000]) == [0]
