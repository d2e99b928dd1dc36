"""The channel contract on what is heard: everything, by everybody, in one order, and nothing else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from postrmagic_core.errors import UsageError
from postrmagic_core.events.channel import MAX_PAYLOAD, Channel, Missed

from ..waiting import until
from .channel_rig import MEANWHILE, SOON, Notebook, Opener, listening, numbered

PUBLISHERS, EACH = 4, 100


class HearingPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.channel.ChannelContract`."""

    def test_all_that_is_published_is_heard_everywhere(self, channel: Channel, other: Channel) -> None:
        """By the publisher's own process and by another, by each of several listeners, in order."""
        payloads = numbered(300)
        with listening(channel) as here, listening(channel) as beside, listening(other) as there:
            for number, payload in enumerate(payloads):
                (channel, other)[number % 2].publish(payload)
            for notebook in (here, beside, there):
                notebook.expect(*payloads)

    def test_the_order_is_one(self, channel: Channel, other: Channel) -> None:
        """Whatever is published at once, all hear it in the same order, and each publisher's own in his."""
        said = [numbered(EACH, who=f"{number}-") for number in range(PUBLISHERS)]
        barrier = threading.Barrier(PUBLISHERS)

        def publish(number: int) -> None:
            barrier.wait(SOON)
            for payload in said[number]:
                (channel, other)[number % 2].publish(payload)

        with listening(channel) as here, listening(other) as there:
            with ThreadPoolExecutor(PUBLISHERS) as pool:
                list(pool.map(publish, range(PUBLISHERS)))
            for notebook in (here, there):
                notebook.await_told(PUBLISHERS * EACH)
            assert here.told == there.told
            for number, payloads in enumerate(said):
                assert [each for each in here.payloads if each.startswith(b"%d-" % number)] == payloads

    def test_a_listener_hears_from_its_beginning_to_its_end(self, channel: Channel, other: Channel) -> None:
        """Nothing that was published before, nothing after, and each time anew."""
        other.publish(b"before")
        with listening(channel) as first:
            other.publish(b"first")
            first.expect(b"first")
        other.publish(b"between")
        with listening(channel) as second:
            other.publish(b"second")
            second.expect(b"second")
        other.publish(b"after")
        time.sleep(MEANWHILE)
        assert (first.told, second.told) == ([b"first"], [b"second"])

    def test_who_begins_to_listen_misses_nothing_from_then_on(self, channel: Channel, other: Channel) -> None:
        """What is published right after the block was entered is heard; while others publish, the rest in order."""
        ended = threading.Event()

        def publish() -> None:
            number = 0
            while not ended.is_set():
                other.publish(b"%d" % number)
                number += 1
                time.sleep(0.0005)  # not so fast that a listener falls behind

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            for number in range(10):
                with listening(channel) as notebook:
                    channel.publish(b"mark %d" % number)
                    notebook.await_heard(b"mark %d" % number)
                heard = [int(each) for each in notebook.payloads if not each.startswith(b"mark")]
                assert heard == list(range(min(heard, default=0), max(heard, default=-1) + 1))
                assert notebook.gaps == []
        finally:
            ended.set()
            publisher.join()

    @pytest.mark.parametrize(
        "payload",
        [b"", b"\x00", bytes(range(256)), b"\r\n$-1\r\n", "\N{POSTBOX}".encode(), b"x" * MAX_PAYLOAD],
        ids=["empty", "zero", "all bytes", "protocol", "text", "greatest"],
    )
    def test_a_payload_is_heard_as_it_was(self, channel: Channel, other: Channel, payload: bytes) -> None:
        """Any bytes, none at all and as many as may be among them."""
        with listening(channel) as notebook:
            other.publish(payload)
            other.publish(b"next")
            notebook.expect(payload, b"next")

    def test_what_no_channel_carries_is_refused(self, channel: Channel, other: Channel) -> None:
        """With an error of the caller's; nobody hears of it."""
        with listening(other) as notebook:
            with pytest.raises(UsageError, match=str(MAX_PAYLOAD)):
                channel.publish(b"x" * (MAX_PAYLOAD + 1))
            with pytest.raises(TypeError, match="bytes"):
                channel.publish("text")  # type: ignore[arg-type]  # the mistake under test
            channel.publish(b"next")
            notebook.expect(b"next")

    @pytest.mark.parametrize("namespace", ["contract2", "other", "c*", "contract:events"])
    def test_applications_do_not_hear_each_other(self, channel: Channel, open_channel: Opener, namespace: str) -> None:
        """Each namespace is its own, whatever it is called."""
        stranger = open_channel(namespace=namespace)
        with listening(channel) as ours, listening(stranger) as theirs:
            stranger.publish(b"theirs")
            channel.publish(b"ours")
            ours.expect(b"ours")
            theirs.expect(b"theirs")

    def test_a_listener_that_fails_goes_on(self, channel: Channel, other: Channel) -> None:
        """Its errors are neither the publisher's nor the other listeners', and it hears what comes next."""
        heard: list[bytes] = []

        def fail(payload: bytes) -> None:
            heard.append(payload)
            raise ZeroDivisionError

        def missed(_: Missed) -> None:
            raise ZeroDivisionError

        with channel.listen(fail, missed), listening(channel) as beside:
            for payload in (b"1", b"2", b"3"):
                other.publish(payload)
            beside.expect(b"1", b"2", b"3")
            until(lambda: len(heard) == 3, "it gave up")
            assert heard == [b"1", b"2", b"3"]

    def test_a_listener_may_publish(self, channel: Channel) -> None:
        """What it publishes is heard by itself too, after what caused it."""
        notebook = Notebook()

        def answer(payload: bytes) -> None:
            notebook.heard(payload)
            if payload == b"question":
                channel.publish(b"answer")

        with channel.listen(answer, notebook.missed):
            channel.publish(b"question")
            notebook.expect(b"question", b"answer")

    def test_listeners_are_called_in_a_thread_of_the_channel_s(self, channel: Channel) -> None:
        """Always the same, and not the publisher's."""
        called: list[threading.Thread] = []
        with channel.listen(lambda _: called.append(threading.current_thread()), lambda _: None):
            channel.publish(b"1")
            channel.publish(b"2")
            until(lambda: len(called) == 2, "it was not called")
        assert len(set(called)) == 1
        assert called[0] is not threading.current_thread()
