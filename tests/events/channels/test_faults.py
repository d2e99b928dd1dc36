"""Servers killed, emptied, promoted and cut off: a listener hears on, and what it did not hear it was told."""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import BackendError, BackendTimeout, BackendUnavailable, OutcomeUnknown
from postrmagic_core.events.adapters import _redis_subscription
from postrmagic_core.events.adapters.redis import RedisChannel
from postrmagic_core.events.channel import KEPT_LEAST, Missed
from postrmagic_core.testing import spawn, until
from postrmagic_core.testing.contracts.channel_rig import PROMPT, listening, numbered
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, SentinelServer
from tests.events.channels.rig import KEY, kill_connections, make, raw, waits

pytestmark = [pytest.mark.redis, pytest.mark.fault]

Servers = Callable[..., RedisServer]
FORGOTTEN = Missed(None, "forgotten")
SIZE = 16_000


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens every five seconds happens twice in one."""
    monkeypatch.setattr(_redis_subscription, "WAIT", 0.5)


@pytest.fixture
def server(own_redis_server: Servers) -> RedisServer:
    """One that forgets all when it is killed."""
    return own_redis_server()


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FaultProxy]:
    """Faults on the listener's way to it."""
    with FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def publisher(server: RedisServer) -> Iterator[RedisChannel]:
    """Whose way is free."""
    with make(server.url) as channel:
        yield channel


@pytest.fixture
def behind(proxy: FaultProxy) -> Iterator[RedisChannel]:
    """Whose way is not."""
    with make(proxy.url) as channel:
        yield channel


def published(channel: RedisChannel, payload: bytes) -> bool:
    """Whether it could be, this time."""
    try:
        channel.publish(payload)
    except BackendError:
        return False
    return True


def test_a_listener_that_is_cut_off_hears_the_rest_later(
    publisher: RedisChannel, behind: RedisChannel, proxy: FaultProxy
) -> None:
    """What was published meanwhile waits on the server: in order, once, and nothing is missed."""
    payloads = numbered(60)
    with listening(behind) as notebook:
        for number, payload in enumerate(payloads):
            if number == 20:
                proxy.refuse()
            publisher.publish(payload)
        assert notebook.payloads != payloads
        proxy.heal()
        notebook.expect(*payloads)


def test_connections_that_are_killed_cost_nothing(server: RedisServer, publisher: RedisChannel) -> None:
    """CLIENT KILL, time and again."""
    payloads = numbered(30)
    with listening(publisher) as notebook:
        killed = 0
        for payload in payloads:
            until(partial(published, publisher, payload), "it could not be published")
            killed += kill_connections(server.url)
        notebook.expect(*payloads)
    assert killed > len(payloads)


def test_what_was_trimmed_meanwhile_is_counted(
    publisher: RedisChannel, behind: RedisChannel, proxy: FaultProxy
) -> None:
    """More was published than is kept: how much is lost is told, and the rest is heard in order."""
    payloads = numbered(3 * KEPT_LEAST // SIZE, SIZE)
    with listening(behind) as notebook:
        publisher.publish(b"before")
        notebook.expect(b"before")
        proxy.refuse()
        for payload in payloads:
            publisher.publish(payload)
        proxy.heal()
        notebook.await_heard(payloads[-1])
        gap, rest = notebook.told[1], notebook.told[2:]
        assert isinstance(gap, Missed)
        assert gap == Missed(len(payloads) - len(rest), "behind")
        assert rest == payloads[-len(rest) :]


def test_a_silent_connection_is_given_up(
    impatient: None, publisher: RedisChannel, behind: RedisChannel, proxy: FaultProxy
) -> None:
    """One that hangs for ever is replaced, and nothing is missed."""
    with listening(behind) as notebook:
        proxy.cut(on=b"XREAD", how="hang")
        payloads = numbered(5)
        for payload in payloads:
            publisher.publish(payload)
        notebook.expect(*payloads)
        assert proxy.hits == 1


@pytest.mark.parametrize("after", [1, 60, 400])
def test_an_answer_that_is_cut_short_is_read_again(
    publisher: RedisChannel, behind: RedisChannel, proxy: FaultProxy, after: int
) -> None:
    """Nothing of it was heard before all of it was there: neither twice nor never."""
    payloads = numbered(5, 100)
    with listening(behind) as notebook:
        publisher.publish(b"first")
        notebook.expect(b"first")
        proxy.cut(after, on=b"XREAD", how="reset")
        for payload in payloads:
            publisher.publish(payload)
        notebook.expect(b"first", *payloads)
        assert proxy.hits == 1


def test_a_black_hole_swallows_nothing(
    impatient: None, publisher: RedisChannel, behind: RedisChannel, proxy: FaultProxy
) -> None:
    """Neither the listener nor its attempts to come back get anywhere; when the way is free it hears everything."""
    payloads = numbered(20)
    with listening(behind) as notebook:
        proxy.blackhole()
        for payload in payloads:
            publisher.publish(payload)
        time.sleep(2.0)
        assert notebook.told == []
        assert proxy.hits > 1
        proxy.heal()
        notebook.expect(*payloads)


def test_a_paused_server_is_waited_for(impatient: None, server: RedisServer, publisher: RedisChannel) -> None:
    """Publishing fails in time, as it may or may not have happened; afterwards all goes on."""
    with listening(publisher) as notebook:
        publisher.publish(b"before")
        notebook.expect(b"before")
        server.pause()
        began = time.monotonic()
        with pytest.raises((OutcomeUnknown, BackendTimeout)):
            publisher.publish(b"maybe")
        assert time.monotonic() - began < 2.0
        time.sleep(1.0)
        server.resume()
        until(lambda: published(publisher, b"after"), "it did not heal")
        notebook.await_heard(b"after")
        assert notebook.told in ([b"before", b"after"], [b"before", b"maybe", b"after"])


def test_a_server_that_forgot_everything_is_told(server: RedisServer, publisher: RedisChannel) -> None:
    """Killed without persistence: something may be missed; what is published from then on is heard."""
    with listening(publisher) as notebook:
        for number in range(3):
            payload = b"%d" % number
            until(partial(published, publisher, payload), "it did not heal")
            notebook.await_heard(payload)
            server.kill()
            server.start()
        until(lambda: len(notebook.gaps) == 3, "it was not told")
        assert notebook.told == [b"0", FORGOTTEN, b"1", FORGOTTEN, b"2", FORGOTTEN]


def test_a_server_that_forgot_nothing_is_not_told(own_redis_server: Servers) -> None:
    """Killed with an append-only file: the listener stands where it stood."""
    server = own_redis_server(appendonly="always")
    with make(server.url) as publisher, listening(publisher) as notebook:
        publisher.publish(b"before")
        notebook.expect(b"before")
        server.kill()
        server.start()
        until(lambda: published(publisher, b"after"), "it did not heal")
        notebook.expect(b"before", b"after")


def test_a_listener_hears_on_when_all_was_deleted(server: RedisServer, publisher: RedisChannel) -> None:
    """FLUSHALL: the next payload wakes it, tells it that something may be missed, and is heard."""
    with listening(publisher) as notebook:
        publisher.publish(b"before")
        notebook.expect(b"before")
        with raw(server.url) as client:
            client.flushall()
        began = time.monotonic()
        publisher.publish(b"after")
        notebook.await_heard(b"after")
        assert time.monotonic() - began < _redis_subscription.WAIT / 2
        assert notebook.told == [b"before", FORGOTTEN, b"after"]


def test_a_listener_is_never_deaf_for_long(impatient: None, server: RedisServer, publisher: RedisChannel) -> None:
    """What it waits for will not come, since the stream now counts from less: it looks, and is told."""
    with listening(publisher) as notebook:
        publisher.publish(b"before")
        notebook.expect(b"before")
        with raw(server.url) as client:
            client.delete(KEY)
            client.xadd(KEY, {"s": "5", "a": "0-0", "b": "0"}, id="5-5")  # as by a clock that was set back
        publisher.publish(b"lost")
        until(lambda: notebook.gaps, "it was not told")
        publisher.publish(b"after")
        notebook.expect(b"before", FORGOTTEN, b"after")


def test_a_hole_in_the_stream_is_told(server: RedisServer, publisher: RedisChannel) -> None:
    """Somebody deleted entries that a listener has not read; how many is known."""
    first, *others = numbered(4)
    with listening(publisher) as notebook:
        notebook.gate.clear()
        publisher.publish(first)
        notebook.await_told(1)  # and it is held there: what follows is read later
        for payload in others:
            publisher.publish(payload)
        with raw(server.url) as client:
            ids: list[Any] = [entry[0] for entry in client.xrange(KEY) or []]
            assert client.xdel(KEY, ids[-2], ids[-3]) == 2
        notebook.gate.set()
        notebook.expect(first, Missed(2, "forgotten"), others[-1])


def replicated_to(replica: RedisServer, primary: RedisServer) -> bool:
    """Whether both hold the same stream."""
    with raw(primary.url) as one, raw(replica.url) as two:
        return one.xrevrange(KEY, count=1) == two.xrevrange(KEY, count=1) != []


@pytest.mark.parametrize("more", [1, 50], ids=["less than was heard", "more than was heard"])
def test_a_promoted_replica_that_lags_is_told(
    replicated: Callable[..., tuple[RedisServer, RedisServer]], more: int
) -> None:
    """It lacks what was heard, and numbers other entries so: that is told, nothing is heard twice, and it goes on."""
    primary, replica = replicated()
    with FaultProxy(primary.url) as proxy, make(proxy.url) as channel, listening(channel) as notebook:
        early, late = numbered(10, who="early"), numbered(10, who="late")
        for payload in early:
            channel.publish(payload)
        until(lambda: replicated_to(replica, primary), "the replica does not follow")
        with raw(replica.url) as client:
            client.replicaof("NO", "ONE")
        for payload in late:
            channel.publish(payload)
        notebook.expect(*early, *late)
        proxy.refuse()
        primary.kill()
        with make(replica.url) as elsewhere:
            for payload in numbered(more, who="meanwhile"):
                elsewhere.publish(payload)
        proxy.redirect(replica.url)
        proxy.heal()
        until(lambda: notebook.gaps, "it was not told")
        until(lambda: published(channel, b"after"), "it did not heal")
        notebook.expect(*early, *late, FORGOTTEN, b"after")


def test_a_promoted_replica_in_step_is_not_told(
    replicated: Callable[..., tuple[RedisServer, RedisServer]],
) -> None:
    """It has what was heard: nothing was missed, and what was published meanwhile is heard."""
    primary, replica = replicated()
    with FaultProxy(primary.url) as proxy, make(proxy.url) as channel, listening(channel) as notebook:
        channel.publish(b"before")
        notebook.expect(b"before")
        until(lambda: replicated_to(replica, primary), "the replica does not follow")
        proxy.refuse()
        primary.kill()
        with raw(replica.url) as client:
            client.replicaof("NO", "ONE")
        with make(replica.url) as elsewhere:
            elsewhere.publish(b"meanwhile")
        proxy.redirect(replica.url)
        proxy.heal()
        notebook.await_heard(b"meanwhile")
        until(lambda: published(channel, b"after"), "it did not heal")
        notebook.expect(b"before", b"meanwhile", b"after")


def test_the_sentinels_primary_is_followed(replicated: Callable[..., tuple[RedisServer, RedisServer]]) -> None:
    """Publisher and listener find the promoted replica by themselves."""
    primary, replica = replicated()
    with SentinelServer(primary) as sentinel:
        with raw(sentinel.url.replace("redis+sentinel", "redis").rpartition("/")[0]) as client:
            until(lambda: client.execute_command("SENTINEL", "SLAVES", "main"), "the Sentinel sees no replica")  # type: ignore[no-untyped-call]  # redis-py's is none
        with make(sentinel.url) as channel, listening(channel) as notebook:
            channel.publish(b"before")
            notebook.expect(b"before")
            until(lambda: replicated_to(replica, primary), "the replica does not follow")
            primary.kill()
            until(lambda: published(channel, b"after"), "the replica was not promoted")
            notebook.await_heard(b"after")
            assert notebook.gaps == []


@pytest.mark.parametrize("fault", ["blackholed", "refused", "paused", "killed"])
@pytest.mark.parametrize("when", ["waiting", "coming back"])
def test_it_ends_promptly_while_the_server_is_away(
    server: RedisServer, proxy: FaultProxy, behind: RedisChannel, publisher: RedisChannel, fault: str, when: str
) -> None:
    """Whatever the listener's thread is doing; none is left, and publishing after that is refused."""
    begin = {
        "blackholed": proxy.blackhole,
        "refused": proxy.refuse,
        "paused": server.pause,
        "killed": server.kill,
    }[fault]
    with listening(behind):
        until(lambda: waits(server.url), "it does not wait")
        (thread,) = (each for each in threading.enumerate() if each.name == "postrmagic-channel")
        begin()
        if when == "coming back":
            proxy.reset_all()
            time.sleep(0.4)
        began = time.monotonic()
        behind.close()
        assert time.monotonic() - began < PROMPT
    if fault == "paused":
        server.resume()
    thread.join(2.0)  # closing has waited for it already: this is for a busy machine
    assert not thread.is_alive()


def test_who_begins_while_the_server_is_away_is_told(
    server: RedisServer, proxy: FaultProxy, behind: RedisChannel, publisher: RedisChannel
) -> None:
    """It may have missed something when it hears at last; opening and listening are no errors."""
    proxy.refuse()
    began = time.monotonic()
    with listening(behind) as notebook:
        assert time.monotonic() - began < PROMPT
        publisher.publish(b"lost")
        proxy.heal()
        until(lambda: notebook.told, "it was not told")
        publisher.publish(b"after")
        notebook.expect(Missed(None, "away"), b"after")


def test_publishing_says_what_became_of_it(behind: RedisChannel, publisher: RedisChannel, proxy: FaultProxy) -> None:
    """Refused is surely not heard; without an answer it may be, and is not repeated."""
    with listening(publisher) as notebook:
        behind.publish(b"before")
        proxy.cut(on=b"EVAL")
        with pytest.raises(OutcomeUnknown):
            behind.publish(b"maybe")
        assert proxy.hits == 1
        proxy.refuse()
        with pytest.raises(BackendUnavailable):
            behind.publish(b"never")
        proxy.heal()
        publisher.publish(b"after")
        notebook.expect(b"before", b"maybe", b"after")


def publish_many(url: str, who: str, count: int, size: int, pause: float) -> None:
    """A process that publishes; it prints what it was told about each payload that was not simply acknowledged."""
    unknown = []
    with make(url) as channel:
        for number in range(count):
            while True:
                try:
                    channel.publish(b"%s:%0*d" % (who.encode(), size, number))
                except OutcomeUnknown:
                    unknown.append(number)
                except BackendError:
                    time.sleep(0.02)
                    continue
                break
            time.sleep(pause)
    sys.stdout.write(" ".join(map(str, unknown)) + "\n")
    sys.stdout.flush()


# Together more than is kept, and no more in the second for which a listener may be cut off than it can hear later.
@pytest.mark.parametrize(
    ("count", "size", "pause"), [(400, 1500, 0.012), pytest.param(5000, 1, 0.0, marks=pytest.mark.soak)]
)
def test_two_processes_through_random_cuts(
    server: RedisServer, publisher: RedisChannel, count: int, size: int, pause: float
) -> None:
    """Hundreds each, while everybody's connections are reset at random: heard and missed account for all, in order.

    One listener is quick; the other is paused until more than is kept waits for it.
    """
    drawn = random.Random(20261128)
    with (
        FaultProxy(server.url) as theirs,
        FaultProxy(server.url) as ours,
        make(ours.url) as channel,
        listening(channel) as quick,
        listening(channel) as slow,
        spawn(publish_many, theirs.url, "a", count, size, pause) as one,
        spawn(publish_many, theirs.url, "b", count, size, pause) as two,
    ):
        slow.gate.clear()
        resets, ended = 0, threading.Event()

        def told() -> list[set[int]]:
            lines = [set(map(int, child.line(100.0).split())) for child in (one, two)]
            ended.set()
            return lines

        unknown: list[set[int]] = []
        waiter = threading.Thread(target=lambda: unknown.extend(told()))
        waiter.start()
        while not ended.wait(drawn.uniform(0.01, 0.1)):
            for proxy in drawn.sample((theirs, ours), drawn.choice((1, 2))):
                proxy.reset_all()
                resets += proxy.hits
        waiter.join()
        publisher.publish(b"end")
        quick.await_heard(b"end")
        slow.gate.set()
        slow.await_heard(b"end")
    assert resets > 20
    assert (quick.gaps, bool(slow.gaps)) == ([], True)
    heard = [payload for payload in quick.payloads if payload != b"end"]
    for who, doubtful in zip((b"a", b"b"), unknown, strict=True):
        numbers = [int(payload[2:]) for payload in heard if payload.startswith(who)]
        assert numbers == sorted(set(numbers)), "heard twice, or not in order"
        assert set(range(count)) - doubtful <= set(numbers), "acknowledged, and not heard"
    assert slow.accounted == len(quick.payloads), "heard and missed do not sum up"
    assert [payload for payload in quick.payloads if payload in set(slow.payloads)] == slow.payloads


def peers(port: int) -> int:
    """How many of this process's sockets lead to that port."""
    found = 0
    for name in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(name.name))) as copy:
                found += copy.family == socket.AF_INET and copy.getpeername()[1] == port
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_none_of_its_parent_s_connections(server: RedisServer, publisher: RedisChannel) -> None:
    """Or the server would take the listener for alive as long as any child is."""
    with listening(publisher) as notebook:
        publisher.publish(b"before")
        notebook.expect(b"before")
        until(lambda: waits(server.url), "it does not wait")
        assert peers(server.port) == 2
        child = os.fork()
        if child == 0:
            os._exit(peers(server.port))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        publisher.publish(b"after")
        notebook.expect(b"before", b"after")
