"""What second factors promise when things go wrong: rows A1 to A3 of the fault matrix."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from pyotp.totp import TOTP

from postrmagic_core._crypto import KeyRing
from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError
from postrmagic_core.security.factors import SecondFactors, StoreLedger, Totp
from postrmagic_core.security.tables import metadata
from postrmagic_core.stores import Store, open_store
from postrmagic_core.testing import FakeClock, spawn
from postrmagic_core.testing.proxy import FaultProxy
from tests.backends import KINDS
from tests.security.conftest import KEY, empty
from tests.security.factors_rig import ALICE, AMPLE, ISSUER, Rig, rigged

pytestmark = pytest.mark.fault

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
THREADS, PROCESSES, CODES = 10, 3, 20
ROUNDS = 6
SHORT = Timeouts(connect=0.5, statement=0.5, lock=0.5)


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    """Faults before the shared Redis."""
    with FaultProxy(redis_url) as proxy:
        yield proxy


def app(clock: FakeClock) -> str:
    """What the authenticator app of an application's own secret shows."""
    return TOTP(SECRET).at(clock.now)


def accepted_by_threads(verify: Callable[[], Any]) -> int:
    """How many of ten threads that verify at once are accepted."""
    barrier = Barrier(THREADS)

    def at_once() -> bool:
        barrier.wait(30)
        return bool(verify())

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(at_once) for _ in range(THREADS)]].count(True)


# A1: what remembers used codes is away.


@pytest.mark.redis
@pytest.mark.parametrize("how", ["refused", "silent", "lost answer"])
def test_while_the_store_is_away_no_code_is_accepted(
    proxy: FaultProxy, redis_url: str, ring: KeyRing, how: str
) -> None:
    """An error in time, never an acceptance; afterwards a code that may have been used is good once at most."""
    clock = FakeClock()
    with ExitStack() as opened:
        totp, beside = (
            opened.enter_context(Totp(StoreLedger(opened.enter_context(closing(store)), ring), clock=clock))
            for store in (open_store(proxy.url, timeout=0.5), open_store(redis_url, timeout=20.0))
        )
        healed(lambda: next_code(totp, clock))
        clock.advance(30)
        match how:
            case "refused":
                proxy.refuse()
            case "silent":
                proxy.blackhole()
            case _:
                proxy.cut(on=b"EVALSHA")
        began = time.monotonic()
        with pytest.raises(BackendError):
            totp.verify(ALICE, SECRET, app(clock))
        assert time.monotonic() - began < 0.5 + 2.0
        assert proxy.hits
        proxy.heal()
        told = [beside.verify(ALICE, SECRET, app(clock)).accepted for _ in range(2)]
        # What was sent into the silence arrives when it ends: the code may be used by that.
        assert told in {"refused": [[True, False]], "lost answer": [[False, False]]}.get(
            how, [[True, False], [False] * 2]
        )
        assert healed(lambda: next_code(totp, clock))


def next_code(totp: Totp, clock: FakeClock) -> bool:
    """Whether the code of half a minute later is accepted, which nobody has tried before."""
    clock.advance(30)
    return bool(totp.verify(ALICE, SECRET, app(clock)))


def healed(call: Callable[[], Any]) -> Any:
    """What ``call`` answers once the backend does again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return call()
        except BackendError:
            assert time.monotonic() < deadline, "it never healed"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def mariadb(mariadb_server: Any) -> Iterator[tuple[str, DatabaseManager]]:
    """A MariaDB with the tables, its URL and open, for the tests of this module; each leaves it empty."""
    url = mariadb_server.create_database()
    with DatabaseManager(url) as manager:
        with manager.write() as tx:
            metadata.create_all(tx.connection)
        yield url, manager
    mariadb_server.drop_database(url)


Behind = Callable[..., tuple[FaultProxy, Rig, Rig]]


@pytest.fixture
def behind(mariadb: tuple[str, DatabaseManager], ring: KeyRing) -> Iterator[Behind]:
    """``behind(face)``: faults before MariaDB, factors that reach it through them, and factors beside them."""
    url, direct = mariadb
    with ExitStack() as opened:

        def make(face: str, **options: Any) -> tuple[FaultProxy, Rig, Rig]:
            proxy = opened.enter_context(FaultProxy(url))
            database = opened.enter_context(DatabaseManager(proxy.url, **options))
            beside = opened.enter_context(rigged(direct, ring, face))
            return proxy, opened.enter_context(rigged(database, ring, face, clock=beside.clock)), beside

        yield make
    empty(direct, metadata)


FACES = pytest.mark.parametrize("face", ["sync", "async"])


@pytest.mark.mysql
@pytest.mark.parametrize(("face", "how"), [("sync", "refused"), ("async", "refused"), ("sync", "silent")])
def test_while_the_database_is_away_no_code_is_accepted(behind: Behind, face: str, how: str) -> None:
    """Neither a code nor a recovery code, and nothing is enabled, disabled or said to be so; then all is as it was."""
    proxy, rig, beside = behind(face, timeouts=SHORT)
    enrolment, codes = beside.enabled()
    assert healed(lambda: rig.status(ALICE)).enabled
    proxy.refuse() if how == "refused" else proxy.blackhole()
    calls: list[Callable[[], object]] = [
        lambda: rig.verify(ALICE, rig.code(enrolment)),
        lambda: rig.recover(ALICE, codes[0]),
        lambda: rig.confirm(ALICE, rig.code(enrolment)),
        lambda: rig.enrol("user 3"),
        lambda: rig.status(ALICE),
        lambda: rig.call("disable", ALICE),
        lambda: rig.call("renew_recovery", ALICE),
    ]
    for call in calls:
        began = time.monotonic()
        with pytest.raises(BackendError):
            call()
        assert time.monotonic() - began < 3.0 + 2.0
    proxy.heal()
    assert healed(lambda: rig.status(ALICE)).enabled
    assert beside.verify(ALICE, rig.code(enrolment))
    assert beside.recover(ALICE, codes[0])
    assert not beside.status("user 3").pending


@FACES
@pytest.mark.mysql
@pytest.mark.parametrize("on", [b"UPDATE pm_auth", b"COMMIT"])
def test_a_code_whose_use_is_not_known_is_refused(behind: Behind, face: str, on: bytes) -> None:
    """The answer is lost as the code is used: an error; afterwards it is good once at most."""
    proxy, rig, beside = behind(face)
    enrolment, _ = beside.enabled()
    assert rig.status(ALICE).enabled
    proxy.cut(on=on)
    with pytest.raises(BackendError):
        rig.verify(ALICE, rig.code(enrolment))
    assert proxy.hits == 1
    told = [beside.verify(ALICE, beside.code(enrolment)).accepted for _ in range(3)]
    assert told == [on != b"COMMIT", False, False]
    rig.clock.advance(30)
    assert healed(lambda: rig.verify(ALICE, rig.code(enrolment)))


@FACES
@pytest.mark.mysql
def test_a_recovery_code_whose_use_is_not_known_is_refused(behind: Behind, face: str) -> None:
    """It may be spent: an error, and it is good once at most."""
    proxy, rig, beside = behind(face)
    _, codes = beside.enabled()
    proxy.cut(on=b"COMMIT")
    with pytest.raises(BackendError):
        rig.recover(ALICE, codes[0])
    assert proxy.hits == 1
    assert not beside.recover(ALICE, codes[0])
    assert beside.recover(ALICE, codes[1])


def test_a_database_that_others_write_to_refuses(tmp_path: Any, ring: KeyRing) -> None:
    """SQLite, held by another writer for longer than is waited: an error, and the code is still good."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    with (
        DatabaseManager(url, timeouts=Timeouts(lock=0.1)) as database,
        DatabaseManager(url) as other,
        rigged(database, ring) as rig,
    ):
        with other.write() as tx:
            metadata.create_all(tx.connection)
        enrolment, _ = rig.enabled()
        with other.write(), ThreadPoolExecutor(1) as pool:
            busy = pool.submit(rig.verify, ALICE, rig.code(enrolment))
            with pytest.raises(BackendError):
                busy.result()
        assert rig.verify(ALICE, rig.code(enrolment))


# A2: one code, many at once.


def test_of_equal_codes_at_once_a_store_lets_one_pass(store: Store, ring: KeyRing) -> None:
    """Ten threads, six rounds: one each."""
    clock = FakeClock()
    with Totp(StoreLedger(store, ring), clock=clock) as totp:
        for _ in range(ROUNDS):
            clock.advance(30)
            code = app(clock)
            assert accepted_by_threads(partial(totp.verify, ALICE, SECRET, code)) == 1


def test_of_equal_codes_at_once_a_database_lets_one_pass(database: DatabaseManager, ring: KeyRing) -> None:
    """Ten threads, six rounds: one each."""
    with rigged(database, ring) as rig:
        enrolment, _ = rig.enabled()
        for _ in range(ROUNDS):
            code = rig.code(enrolment)
            assert accepted_by_threads(partial(rig.factors.verify, ALICE, code)) == 1
            rig.clock.advance(30)


def test_of_equal_codes_in_units_at_once_one_passes(database: DatabaseManager, ring: KeyRing) -> None:
    """Each as part of its caller's unit, as of one that is run again after a conflict."""
    with rigged(database, ring) as rig:
        enrolment, _ = rig.enabled()
        for _ in range(3):
            code = rig.code(enrolment)

            def login(tx: Any, code: str = code) -> bool:
                return rig.factors.verify(ALICE, code, tx=tx).accepted

            assert accepted_by_threads(partial(retried, database, login)) == 1
            rig.clock.advance(30)


def retried(database: DatabaseManager, login: Callable[..., bool]) -> bool:
    """A unit, run again for as long as others are in its way."""
    return database.transactional(retries=30)(login)()


def test_of_equal_recovery_codes_at_once_one_passes(database: DatabaseManager, ring: KeyRing) -> None:
    """Ten threads, for each of six codes of a user's."""
    with rigged(database, ring) as rig:
        _, codes = rig.enabled()
        for code in codes[:ROUNDS]:
            assert accepted_by_threads(partial(rig.factors.recover, ALICE, code)) == 1


def test_the_code_of_the_enrolment_is_used(database: DatabaseManager, ring: KeyRing) -> None:
    """Ten threads log in by the code that has just confirmed the factor: none passes."""
    with rigged(database, ring) as rig:
        enrolment = rig.enrol(ALICE)
        code = rig.code(enrolment)
        assert rig.confirm(ALICE, code) is not None
        assert accepted_by_threads(lambda: rig.factors.verify(ALICE, code)) == 0


def verify_in_store(url: str) -> None:
    """Verify twenty codes, one after another, once told; print which were accepted."""
    clock = FakeClock()
    with closing(open_store(url, timeout=20.0)) as store, Totp(StoreLedger(store, KeyRing([KEY])), clock=clock) as totp:
        print("ready")  # noqa: T201 - the parent reads it
        while not store.get([b"go"])[0]:
            time.sleep(0.001)
        told = []
        for _ in range(CODES):
            clock.advance(30)
            told.append(int(totp.verify(ALICE, SECRET, app(clock)).accepted))
        print(*told)  # noqa: T201 - the parent reads it


def verify_in_database(url: str, secret: str) -> None:
    """The same in a database: the factor's being enabled is the word."""
    clock = FakeClock()
    with (
        DatabaseManager(url) as database,
        SecondFactors(database, KeyRing([KEY]), issuer=ISSUER, limits=AMPLE, clock=clock) as factors,
    ):
        print("ready")  # noqa: T201 - the parent reads it
        while not factors.status(ALICE).enabled:
            time.sleep(0.001)
        told = []
        for _ in range(CODES):
            clock.advance(30)
            told.append(int(factors.verify(ALICE, TOTP(secret).at(clock.now)).accepted))
        print(*told)  # noqa: T201 - the parent reads it


def rounds(children: list[Any], go: Callable[[], object]) -> list[int]:
    """How many of the processes were accepted, in each round."""
    assert [child.line() for child in children] == ["ready"] * PROCESSES
    go()
    told = [[int(word) for word in child.line(60).split()] for child in children]
    return [sum(of_round) for of_round in zip(*told, strict=True)]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_of_equal_codes_a_store_lets_one_process_pass(url_of: Callable[[str], str], kind: str) -> None:
    """Three processes, twenty codes: each is accepted by one."""
    url = url_of(kind)
    with closing(open_store(url, timeout=20.0)) as store, ExitStack() as stack:
        children = [stack.enter_context(spawn(verify_in_store, url)) for _ in range(PROCESSES)]
        assert rounds(children, lambda: store.set({b"go": b"1"}, 600_000)) == [1] * CODES


def test_of_equal_codes_a_database_lets_one_process_pass(
    database: DatabaseManager, database_url: str, ring: KeyRing
) -> None:
    """Three processes, twenty codes: each is accepted by one."""
    with rigged(database, ring) as rig, ExitStack() as stack:
        enrolment = rig.enrol(ALICE)
        children = [
            stack.enter_context(spawn(verify_in_database, database_url, enrolment.secret)) for _ in range(PROCESSES)
        ]
        assert rounds(children, lambda: rig.confirm(ALICE, rig.code(enrolment))) == [1] * CODES


# A3: the clock is set back.


def test_a_clock_set_back_makes_no_code_good_again_on_a_store(store: Store, ring: KeyRing) -> None:
    """Five minutes: codes of that time, used or not, stay refused; when time has caught up the user passes."""
    clock = FakeClock()
    with Totp(StoreLedger(store, ring), clock=clock) as totp:
        codes = []
        for number in range(10):
            codes.append(app(clock))
            assert number % 2 or totp.verify(ALICE, SECRET, codes[-1])
            clock.advance(30)
        assert totp.verify(ALICE, SECRET, app(clock))
        clock.jump(-300)
        for code in codes:
            assert totp.verify(ALICE, SECRET, code).reason == "replayed"
            clock.advance(30)
        assert totp.verify(ALICE, SECRET, app(clock)).reason == "replayed"
        clock.advance(30)
        assert totp.verify(ALICE, SECRET, app(clock))


def test_a_clock_set_back_makes_no_code_good_again_in_a_database(database: DatabaseManager, ring: KeyRing) -> None:
    """Five minutes: codes of that time, used or not, stay refused; when time has caught up the user passes."""
    with rigged(database, ring) as rig:
        enrolment, _ = rig.enabled()
        codes = []
        for number in range(10):
            codes.append(rig.code(enrolment))
            assert number % 2 or rig.verify(ALICE, codes[-1])
            rig.clock.advance(30)
        assert rig.verify(ALICE, rig.code(enrolment))
        rig.clock.jump(-300)
        for code in codes:
            assert rig.verify(ALICE, code).reason == "replayed"
            rig.clock.advance(30)
        rig.clock.advance(30)
        assert rig.verify(ALICE, rig.code(enrolment))
