"""What a channel adapter is, as tests: subclass :class:`ChannelContract`, name the adapter and its URL, and run it.

::

    class TestMyChannel(ChannelContract):
        channel_class = MyChannel

        @pytest.fixture
        def channel_url(self, my_server):
            return my_server.empty_url()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest

from postrmagic_core.events.channel import Channel, ChannelOptions

from .applicable import Applicable
from .channel_ends import EndPromises
from .channel_hearing import HearingPromises
from .channel_rig import KEEP, Opener
from .channel_slow import SlowPromises


class ChannelContract(Applicable, HearingPromises, SlowPromises, EndPromises):
    """Every promise of :class:`~postrmagic_core.events.channel.Channel` that needs no fault to be seen.

    A subclass supplies ``channel_class`` and the fixture ``channel_url``. Adapters are opened as two processes would
    have them. ``not_applicable`` maps rows (``"processes"``: a forked child is heard by its parent) to the reason why
    the channel has no such thing; they show as skipped.
    """

    channel_class: ClassVar[type[Any]]
    rows: ClassVar[tuple[str, ...]] = ("processes",)

    @pytest.fixture
    def channel_url(self) -> str:
        """Override: the URL of a channel that nobody else uses during the test."""
        raise NotImplementedError("supply a fixture `channel_url`: the URL of an unused channel for each test")

    @pytest.fixture
    def made(self, channel_url: str) -> Channel:
        """An adapter that was not opened yet."""
        adapter: Channel = self.channel_class.from_url(channel_url, ChannelOptions("contract", KEEP))
        return adapter

    @pytest.fixture
    def open_channel(self, channel_url: str) -> Iterator[Opener]:
        """Opens adapters as other processes would have them."""
        with ExitStack() as opened:

            def open_one(*, namespace: str = "contract") -> Channel:
                adapter: Channel = self.channel_class.from_url(channel_url, ChannelOptions(namespace, KEEP))
                opened.callback(adapter.close)
                adapter.open()
                return adapter

            yield open_one

    @pytest.fixture
    def channel(self, open_channel: Opener) -> Channel:
        """The adapter of one process."""
        return open_channel()

    @pytest.fixture
    def other(self, open_channel: Opener) -> Channel:
        """The adapter of another process."""
        return open_channel()
