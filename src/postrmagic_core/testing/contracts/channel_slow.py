"""The channel contract on listeners that are slower than publishers: nobody waits for them, and they are told."""

from __future__ import annotations

import time

from postrmagic_core.events.channel import MAX_PAYLOAD, Channel, Missed

from ..waiting import until
from .channel_rig import KEEP, MEANWHILE, PROMPT, Notebook, listening, numbered

_SIZE = 16_000


class SlowPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.channel.ChannelContract`."""

    def stuck(self, notebook: Notebook, channel: Channel) -> None:
        """The listener is being called, and will be until its gate opens."""
        notebook.gate.clear()
        channel.publish(b"stuck")
        until(lambda: notebook.told, "it was not called")

    def test_a_slow_listener_delays_nobody(self, channel: Channel, other: Channel) -> None:
        """Neither the publisher nor the other listeners, of its process or another."""
        payloads = numbered(50)
        with listening(channel) as slow:
            self.stuck(slow, other)
            with listening(channel) as beside, listening(other) as there:
                began = time.monotonic()
                for payload in payloads:
                    channel.publish(payload)
                assert time.monotonic() - began < PROMPT
                beside.expect(*payloads)
                there.expect(*payloads)
                time.sleep(MEANWHILE)
                assert slow.told == [b"stuck"]
            slow.gate.set()
            slow.expect(b"stuck", *payloads)

    def test_a_slow_listener_misses_nothing_that_is_kept(self, channel: Channel, other: Channel) -> None:
        """Half of what is to be kept certainly is."""
        payloads = numbered(KEEP // 2 // (_SIZE + 200), _SIZE)
        with listening(channel) as slow:
            self.stuck(slow, other)
            for payload in payloads:
                other.publish(payload)
            slow.gate.set()
            slow.expect(b"stuck", *payloads)

    def test_great_payloads_push_out_no_more_than_they_need(self, channel: Channel, other: Channel) -> None:
        """However payloads are mixed, half of what is to be kept certainly is."""
        great, small = numbered(2, MAX_PAYLOAD - 200), numbered(400)
        with listening(channel) as slow:
            self.stuck(slow, other)
            for payload in [*great, *great, *great, *great, *small, *great]:
                other.publish(payload)
            slow.gate.set()
            slow.await_heard(great[-1])
            until(lambda: slow.accounted == 411, "heard and missed do not sum up")
            assert slow.payloads[-402:] == [*small, *great]

    def test_what_a_slow_listener_missed_it_is_told(self, channel: Channel, other: Channel) -> None:
        """How many, in their place: the oldest are missed, what follows is heard in order, to the newest."""
        payloads = numbered(4 * KEEP // _SIZE, _SIZE)
        with listening(channel) as slow:
            for _ in range(2):
                slow.told.clear()
                self.stuck(slow, other)
                for payload in payloads:
                    other.publish(payload)
                slow.gate.set()
                until(lambda: slow.accounted > len(payloads), "heard and missed do not sum up")
                assert slow.told[0] == b"stuck"
                assert isinstance(slow.told[1], Missed)
                assert slow.told[1].reason == "behind"
                self.sums_up(slow, payloads)

    def sums_up(self, slow: Notebook, payloads: list[bytes]) -> None:
        """Each payload was heard in its place, or is one of those counted there."""
        place = 0
        for each in slow.told[1:]:
            if isinstance(each, Missed):
                assert each.count
                place += each.count
            else:
                assert payloads[place] == each
                place += 1
        assert place == len(payloads)
        assert payloads[-1] == slow.told[-1]
        assert len(slow.payloads) > KEEP // 2 // (_SIZE + 200), "less was kept than was to be"

    def test_what_is_kept_is_bounded(self, channel: Channel, other: Channel) -> None:
        """Far more than is to be kept is not."""
        payloads = numbered(8 * KEEP // _SIZE, _SIZE)
        with listening(channel) as slow:
            self.stuck(slow, other)
            for payload in payloads:
                other.publish(payload)
            slow.gate.set()
            until(lambda: slow.accounted > len(payloads), "heard and missed do not sum up")
            assert len(slow.payloads) < 3 * KEEP // _SIZE
