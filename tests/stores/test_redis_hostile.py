"""The Redis transport under attack, on both faces: bytes that nobody asked for, ends at every byte, full buffers."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import redis

from postrmagic_core.errors import (
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    OutcomeUnknown,
)
from postrmagic_core.stores.adapters.redis import RedisStore
from postrmagic_core.stores.scripts import GCRA
from postrmagic_core.testing import until
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer

pytestmark = [pytest.mark.redis, pytest.mark.fault]

OwnRedis = Callable[..., RedisServer]
Impostor = Callable[[Callable[[bytes], bytes]], int]
TIMEOUT = 0.5
SLACK = 2.0
KEY = b"{app}:k:1"


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$99999999999999999999\r\n",
        b"\x15\x03\x03\x00\x02\x02\x32",
        b"*-7\r\n",
    ],
)
def test_another_protocol_is_recognized(caller: Callable[..., Any], impostor: Impostor, garbage: bytes) -> None:
    """Nothing was sent but the greeting: a write is surely not done."""
    port = impostor(lambda request: garbage)
    with pytest.raises(BackendUnavailable, match="another protocol"):
        caller(f"redis://127.0.0.1:{port}/0")("set", {KEY: b"v"}, None)


def test_garbage_instead_of_an_answer_leaves_a_write_in_doubt(caller: Callable[..., Any], impostor: Impostor) -> None:
    """The server had the command; a read is unavailable, and neither connection is used again."""
    greetings: list[bytes] = []

    def answer(request: bytes) -> bytes:
        if b"SELECT" in request:
            greetings.append(request)
            return b"+OK\r\n+PONG\r\n"
        return b"!garbage\r\n"

    call = caller(f"redis://127.0.0.1:{impostor(answer)}/0")
    with pytest.raises(OutcomeUnknown):
        call("set", {KEY: b"v"}, None)
    with pytest.raises(BackendUnavailable):
        call("get", [KEY])
    assert len(greetings) == 2


def test_an_answer_that_nobody_asked_for_reaches_nobody(caller: Callable[..., Any], impostor: Impostor) -> None:
    """Two answers to one question: the second, on the connection at rest, is no answer to the next question."""
    reads = iter([b"*1\r\n$3\r\none\r\n*1\r\n$5\r\nwrong\r\n", b"*1\r\n$3\r\ntwo\r\n"])
    port = impostor(lambda request: b"+OK\r\n+PONG\r\n" if b"SELECT" in request else next(reads))
    call = caller(f"redis://127.0.0.1:{port}/0")
    assert call("get", [KEY]) == [b"one"]
    assert call("get", [KEY]) == [b"two"]


@pytest.mark.parametrize("operation", ["get", "run"])
def test_an_answer_cut_anywhere_is_never_half_believed(
    caller: Callable[..., Any], redis_url: str, operation: str
) -> None:
    """Whatever byte is the last that came: a typed error, the truth about the outcome, and the next call is right."""
    with FaultProxy(redis_url) as proxy, closing(redis.Redis.from_url(redis_url)) as raw:
        call = caller(proxy.url, timeout=2)
        call("set", {KEY: b"value"}, None)
        script = (GCRA, [b"bucket"], [3_600_000_000, 1_000])
        call("run", *script)
        for after, how in (
            (after, how) for after in range(14 if operation == "get" else 21) for how in ("close", "reset")
        ):
            raw.delete(b"bucket")
            proxy.cut(after, on=b"MGET" if operation == "get" else b"EVALSHA", how=how)  # type: ignore[arg-type]  # of the tuple above
            if operation == "get":
                with pytest.raises(BackendUnavailable):
                    call("get", [KEY])
                assert call("get", [KEY]) == [b"value"]
            else:
                with pytest.raises(OutcomeUnknown):
                    call("run", *script)
                admitted, ahead = call("run", *script)
                assert admitted == 1
                assert 3_600_000_000 < ahead <= 2 * 3_600_000_000
            assert proxy.hits == 1


def test_a_silent_server_costs_the_time_out_and_heals(caller: Callable[..., Any], redis_url: str) -> None:
    """Black-holed before and after the command was sent; no late answer is anybody's."""
    with FaultProxy(redis_url) as proxy:
        call = caller(proxy.url, TIMEOUT)
        for number in range(2):
            call("set", {KEY: b"%d" % number}, None)
            proxy.blackhole("replies")
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                call("set", {KEY: b"in doubt"}, None)
            with pytest.raises(BackendTimeout):
                call("get", [KEY])
            assert time.monotonic() - began < 2 * TIMEOUT + SLACK
            assert proxy.hits
            proxy.heal()
            assert call("get", [KEY]) == [b"in doubt"]


def test_a_dribbling_server_gets_no_more_time(caller: Callable[..., Any], redis_url: str) -> None:
    """Each byte comes in time, the answer does not."""
    with FaultProxy(redis_url) as proxy:
        call = caller(proxy.url, TIMEOUT)
        call("set", {KEY: b"x" * 1000}, None)
        proxy.slice(1, pause=TIMEOUT / 10)
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            call("get", [KEY])
        assert time.monotonic() - began < TIMEOUT + SLACK
        assert proxy.hits


def test_a_write_that_never_left_is_surely_not_done(caller: Callable[..., Any], own_redis_server: OwnRedis) -> None:
    """A stopped server's buffers are full before the last byte: that is a time-out, and no doubt."""
    server = own_redis_server()
    call = caller(server.url, TIMEOUT)
    call("set", {KEY: b"old"}, None)
    server.pause()
    began = time.monotonic()
    with pytest.raises(BackendTimeout):
        call("set", {KEY: b"x" * 16_000_000}, None)
    assert time.monotonic() - began < TIMEOUT + 3 * SLACK
    server.resume()
    with closing(redis.Redis.from_url(server.url)) as raw:
        assert raw.get(KEY) == b"old"


def test_a_connection_that_died_at_rest_is_replaced_unseen(caller: Callable[..., Any], redis_url: str) -> None:
    """Killed by the server while nobody looked, on the async face while no loop ran: the next write just works."""
    with closing(redis.Redis.from_url(redis_url)) as raw:
        call = caller(redis_url, timeout=2)
        for number in range(5):
            call("set", {KEY: b"%d" % number}, None)
            assert raw.client_kill_filter(_type="normal", skipme=True) >= 1
        assert call("get", [KEY]) == [b"4"]


def test_a_full_house_is_told_as_such(caller: Callable[..., Any], own_redis_server: OwnRedis) -> None:
    """At maxclients the server says ERR and hangs up: unavailable, not rejected; room heals it."""
    server = own_redis_server(options=["--maxclients", "2"])
    with closing(redis.Redis.from_url(server.url)) as one, closing(redis.Redis.from_url(server.url)) as two:
        one.ping()
        two.ping()
        call = caller(server.url, timeout=2)
        with pytest.raises(BackendUnavailable, match=r"no further connection|cannot be reached"):
            call("get", [KEY])
        two.close()
        one.close()
        deadline = time.monotonic() + 5
        while True:
            try:
                assert call("get", [KEY]) == [None]
            except BackendError:
                assert time.monotonic() < deadline, "it did not heal"
                time.sleep(0.02)
            else:
                return


def test_what_a_server_says_before_it_hangs_up_is_told(caller: Callable[..., Any], impostor: Impostor) -> None:
    """Protected mode and too many clients are said by their codes, not by their English."""
    said = {
        b"-DENIED go away\r\n\0": (BackendRejected, "protected mode"),
        b"-ERR full\r\n\0": (BackendUnavailable, "no further"),
    }
    for reply, (kind, text) in said.items():
        port = impostor(lambda request, reply=reply: reply)  # type: ignore[misc]  # a lambda's default
        with pytest.raises(kind, match=text):
            caller(f"redis://127.0.0.1:{port}/0", timeout=1)("get", [KEY])


def test_a_host_with_several_addresses_is_tried_at_each(caller: Callable[..., Any], redis_url: str) -> None:
    """``localhost`` may be ::1 first, where nobody listens."""
    call = caller(redis_url.replace("127.0.0.1", "localhost"), timeout=2)
    call("set", {KEY: b"v"}, None)
    assert call("get", [KEY]) == [b"v"]


def test_signals_give_a_silent_server_no_more_time(redis_url: str) -> None:
    """Each interrupts the wait, and the wait goes on with what is left of it (PEP 475)."""
    with FaultProxy(redis_url) as proxy, closing(RedisStore.from_url(proxy.url, timeout=TIMEOUT)) as store:
        store.get([KEY])
        proxy.blackhole()
        before = signal.signal(signal.SIGALRM, lambda number, frame: None)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            began = time.monotonic()
            with pytest.raises(BackendTimeout):
                store.get([KEY])
            assert time.monotonic() - began < TIMEOUT + SLACK
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_a_threads_connection_ends_with_it(redis_url: str) -> None:
    """Threads come and go; their connections do not pile up."""
    with FaultProxy(redis_url) as proxy, closing(RedisStore.from_url(proxy.url, timeout=2)) as store:
        for _ in range(20):
            thread = threading.Thread(target=store.get, args=([KEY],))
            thread.start()
            thread.join()
        until(lambda: not proxy.connections, "connections outlive their threads")
        assert proxy.accepted == 20


def test_a_forked_child_leaves_its_parents_connection_alone(redis_url: str) -> None:
    """It makes its own, and ends without ending its parent's: the parent goes on, on the connection it had."""
    with FaultProxy(redis_url) as proxy, closing(RedisStore.from_url(proxy.url, timeout=5)) as store:
        store.set({KEY: b"parent"}, None)
        child = os.fork()
        if not child:
            status = 1
            try:
                store.set({b"child": b"1"}, None)
                status = int(store.get([KEY]) != [b"parent"])
                store.close()
            finally:
                os._exit(status)
        for _ in range(20):
            assert store.get([KEY]) == [b"parent"]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store.get([KEY, b"child"]) == [b"parent", b"1"]
        assert proxy.accepted == 2


def test_closing_ends_the_calls_that_wait(redis_url: str) -> None:
    """A thread inside a call is not left to its time-out."""
    with FaultProxy(redis_url) as proxy:
        store, errors = RedisStore.from_url(proxy.url, timeout=30), []

        def wait() -> None:
            try:
                store.get([KEY])
            except BackendError as error:
                errors.append(error)

        store.get([KEY])
        proxy.blackhole()
        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: proxy.hits, "it did not ask")
        store.close()
        thread.join(10)
        assert not thread.is_alive()
        assert len(errors) == 1


def test_an_event_loop_that_ended_is_not_kept(redis_url: str) -> None:
    """A store outlives many loops, and holds neither them nor their connections."""

    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        await asyncio.gather(*(store.native.get([KEY]) for _ in range(20)))
        return weakref.ref(asyncio.get_running_loop())

    with closing(RedisStore.from_url(redis_url, timeout=10)) as store:
        ended = [asyncio.run(main()) for _ in range(3)]
        gc.collect()
        assert [loop() for loop in ended] == [None] * 3


def test_cancelled_tasks_leave_no_answer_behind(redis_url: str) -> None:
    """Forty tasks at random times, a third of them cancelled: who gets an answer gets its own."""

    async def one(number: int, store: RedisStore) -> bool:
        key = b"task-%d" % number
        await store.native.set({key: key}, 60_000)
        for _ in range(10):
            assert await store.native.get([key]) == [key]
        return True

    async def main(store: RedisStore) -> int:
        answered = 0
        for _ in range(10):
            tasks = [asyncio.ensure_future(one(number, store)) for number in range(40)]
            for turn, task in enumerate(tasks):
                if turn % 3 == 0:
                    await asyncio.sleep(0)
                    task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result is True or isinstance(result, asyncio.CancelledError) for result in results)
            answered += results.count(True)
        return answered

    with closing(RedisStore.from_url(redis_url, timeout=10)) as store:
        assert asyncio.run(main(store)) >= 200
