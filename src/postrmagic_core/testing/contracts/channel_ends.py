"""The channel contract on beginnings and ends: used in time only, ended promptly, left alone by forked children."""

from __future__ import annotations

import os
import threading
import time

import pytest

from postrmagic_core.errors import NotOpen
from postrmagic_core.events.channel import Channel

from ..waiting import until
from .channel_rig import MEANWHILE, PROMPT, Notebook, listening, numbered


class EndPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.channel.ChannelContract`."""

    def test_it_is_used_while_it_is_open(self, made: Channel) -> None:
        """Before and after that: NotOpen; opening and closing again do nothing, and a closed one may be opened."""
        notebook = Notebook()
        for _ in range(2):
            with pytest.raises(NotOpen):
                made.publish(b"")
            with pytest.raises(NotOpen), made.listen(notebook.heard, notebook.missed):
                pass
            made.open()
            made.open()
            with listening(made) as listener:
                made.publish(b"1")
                listener.expect(b"1")
            made.close()
            made.close()

    def test_a_listener_ends_promptly(self, channel: Channel, other: Channel) -> None:
        """Though nothing was ever published; no thread is left, and what is published is no longer heard."""
        with listening(channel):
            other.publish(b"")  # what an adapter begins with its first call is no listener's
        before = threading.active_count()
        for _ in range(4):
            with listening(channel) as notebook:
                began = time.monotonic()
            assert time.monotonic() - began < PROMPT
            other.publish(b"late")
            assert notebook.told == []
        until(lambda: threading.active_count() <= before, "a thread was left")

    def test_a_listener_that_is_being_called_ends(self, channel: Channel, other: Channel) -> None:
        """It is not waited for long, and not called again."""
        notebook = Notebook()
        notebook.gate.clear()
        with channel.listen(notebook.heard, notebook.missed):
            for payload in numbered(3):
                other.publish(payload)
            until(lambda: notebook.told, "it was not called")
            began = time.monotonic()
        assert time.monotonic() - began < PROMPT
        notebook.gate.set()
        time.sleep(MEANWHILE)
        assert notebook.payloads == numbered(1)

    def test_a_listener_ends_where_its_block_fails(self, channel: Channel, other: Channel) -> None:
        """The error comes out as it was."""
        notebook = Notebook()
        with pytest.raises(ZeroDivisionError), channel.listen(notebook.heard, notebook.missed):
            raise ZeroDivisionError
        other.publish(b"late")
        time.sleep(MEANWHILE)
        assert notebook.told == []

    def test_closing_ends_every_listener(self, channel: Channel, other: Channel) -> None:
        """Promptly, and once: leaving the blocks afterwards is no error. Others go on."""
        with listening(other) as there:
            with listening(channel) as first, listening(channel) as second:
                began = time.monotonic()
                channel.close()
                assert time.monotonic() - began < PROMPT
                other.publish(b"late")
                there.expect(b"late")
                time.sleep(MEANWHILE)
            assert first.told + second.told == []

    def test_a_listener_may_close_its_channel(self, channel: Channel, other: Channel) -> None:
        """While it is called: nobody waits for himself."""
        done = threading.Event()

        def close(_: bytes) -> None:
            channel.close()
            done.set()

        with channel.listen(close, lambda _: None):
            other.publish(b"")
            assert done.wait(PROMPT)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_forked_child_leaves_its_parent_s_listeners_alone(self, channel: Channel, other: Channel) -> None:
        """It has none of their threads, ends without a word to them, and they go on."""
        with listening(channel) as notebook:
            other.publish(b"before")
            notebook.expect(b"before")
            child = os.fork()
            if child == 0:
                # What would wait for threads that are not there is ended by the parent's patience.
                left = threading.active_count() - 1
                channel.close()
                os._exit(left)
            assert os.waitstatus_to_exitcode(awaited(child)) == 0
            other.publish(b"after")
            notebook.expect(b"before", b"after")

    @pytest.mark.promise("processes")
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_forked_child_is_heard_and_hears(self, channel: Channel, other: Channel) -> None:
        """By a channel that its parent opened and listened to, too."""
        with listening(channel) as notebook:
            other.publish(b"before")
            notebook.expect(b"before")
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    with listening(channel) as own:
                        channel.publish(b"child")
                        own.expect(b"child")
                    code = 0
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(awaited(child)) == 0
            notebook.expect(b"before", b"child")


def awaited(child: int) -> int:
    """How the child ended; killed where it does not."""
    deadline = time.monotonic() + 10 * PROMPT
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.01)
    os.kill(child, 9)
    return os.waitpid(child, 0)[1]
