"""What an alert channel is, as tests: subclass :class:`AlertChannelContract`, say what it reaches, and run it.

::

    class TestMyChannel(AlertChannelContract):
        @pytest.fixture
        def receiver(self, my_server):
            return Receiver(open=lambda: MyChannel(my_server.url), told=my_server.bodies, fail=my_server.failing)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import ClassVar

import pytest

from postrmagic_core.errors import BackendRejected
from postrmagic_core.observability.alerts.interface import AlertChannel, Notification, Told

from .applicable import Applicable

PROMPT = 20.0
"""Seconds in which a channel says that it cannot tell something."""

_HOSTILE = "a\r\nBcc: mallory@example.org\r\n\r\n<script>alert(1)</script> <!channel> *x*\x00\x1b[31m\u202e\ud800 end"


@dataclass(frozen=True)
class Receiver:
    """Where a channel tells things to, of the test's own.

    ``open`` makes a channel; ``told`` gives what arrived, each notification as the text that a reader or a program
    gets, in order; ``refuse`` has the receiver refuse for good, for a block, and ``fail`` has it fail as a server does
    that is away. ``secrets`` are what only the channel and the receiver may know.
    """

    open: Callable[[], AlertChannel]
    told: Callable[[], list[str]]
    refuse: Callable[[], AbstractContextManager[object]] | None = None
    fail: Callable[[], AbstractContextManager[object]] | None = None
    secrets: tuple[str, ...] = ()


def notification(number: int = 1, *, summary: str = "the disk is full", alerts: int = 1) -> Notification:
    """One to tell, as the alerts make it."""
    at = "2026-01-01T00:00:00+00:00"
    labels = {"host": summary, summary[:20]: "x"}
    told = tuple(Told(f"{one:032x}", labels, 1.5, f"{summary} {one}", at, at) for one in range(alerts))
    title = f"[warning] shop: {summary}"
    return Notification(f"{number:032x}", "t" * 16, "firing", "disk", "warning", title, at, told, "https://example.org")


class AlertChannelContract(Applicable):
    """Every promise of :class:`~postrmagic_core.observability.alerts.AlertChannel`.

    A subclass supplies the fixture ``receiver``. ``not_applicable`` maps rows to the reason why the channel has no such
    thing; they show as skipped. ``refusal``: the receiver can refuse for good; ``failure``: it can be away.
    """

    rows: ClassVar[tuple[str, ...]] = ("refusal", "failure")

    @pytest.fixture
    def receiver(self) -> Receiver:
        """Override: a receiver that nobody else tells anything to during the test."""
        raise NotImplementedError("supply a fixture `receiver`: an unused receiver for the channels of each test")

    @pytest.fixture
    def channel(self, receiver: Receiver) -> Iterator[AlertChannel]:
        """A channel to the receiver."""
        with closing(receiver.open()) as channel:
            yield channel

    def test_what_is_given_is_told(self, receiver: Receiver, channel: AlertChannel) -> None:
        """The title, what is wrong, and where; in order."""
        for number in range(3):
            channel.send(notification(number, summary=f"disk{number} is full"))
        told = receiver.told()
        assert len(told) == 3
        for number, text in enumerate(told):
            assert text.count(f"disk{number} is full") >= 2

    def test_a_long_one_arrives(self, receiver: Receiver, channel: AlertChannel) -> None:
        """Twenty alerts with long sentences: told in one, in whatever length the receiver takes."""
        channel.send(notification(summary="long " * 150, alerts=20))
        assert len(receiver.told()) == 1

    def test_text_is_no_markup(self, receiver: Receiver, channel: AlertChannel) -> None:
        """What an alert says begins no header, no page's element and no control of a terminal."""
        channel.send(notification(summary=_HOSTILE))
        [text] = receiver.told()
        for letter in ("\x00", "\x1b", "\u202e"):
            assert letter not in text
        assert "\nBcc:" not in text

    def test_each_try_has_the_same_id(self, receiver: Receiver, channel: AlertChannel) -> None:
        """By it a double is dropped, here or by the receiver; another notification has another one."""
        for number in (7, 7, 8):
            channel.send(notification(number))
        first, other = f"{7:032x}", f"{8:032x}"
        found = [(first in text, other in text) for text in receiver.told()]
        assert found in ([(True, False), (True, False), (False, True)], [(True, False), (False, True)])

    def test_it_opens_again(self, receiver: Receiver) -> None:
        """Closing is final, may be repeated, and takes nothing from the next one."""
        for number in range(2):
            channel = receiver.open()
            channel.send(notification(number))
            channel.close()
            channel.close()
        assert len(receiver.told()) == 2

    def test_no_secret_is_shown(
        self, receiver: Receiver, channel: AlertChannel, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not by its ``repr``, in no record of the log and in no error."""
        caplog.set_level(logging.DEBUG)
        said = [repr(channel), str(channel)]
        channel.send(notification())
        for ill in (receiver.refuse, receiver.fail):
            if ill is None:
                continue
            with ill(), pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it tells no secret
                channel.send(notification(2))
            said += _chain(caught.value)
        said.append(caplog.text)
        for secret in receiver.secrets:
            assert not [text for text in said if secret in text]

    @pytest.mark.promise("refusal")
    def test_a_refusal_for_good_is_told_apart(self, receiver: Receiver, channel: AlertChannel) -> None:
        """:class:`BackendRejected`, soon: nobody tries that again."""
        if receiver.refuse is None:
            raise NotImplementedError("supply `refuse`, or say in `not_applicable` why there is no refusal")
        with receiver.refuse(), _soon(), pytest.raises(BackendRejected):
            channel.send(notification())
        channel.send(notification())

    @pytest.mark.promise("failure")
    def test_a_failure_may_go_by(self, receiver: Receiver, channel: AlertChannel) -> None:
        """Any error but :class:`BackendRejected`, soon; when the receiver is back the same channel reaches it."""
        if receiver.fail is None:
            raise NotImplementedError("supply `fail`, or say in `not_applicable` why there is no failure")
        for _ in range(2):
            with receiver.fail(), _soon(), pytest.raises(Exception) as caught:  # noqa: PT011 - the channel's to say
                channel.send(notification())
            assert not isinstance(caught.value, BackendRejected)
        before = len(receiver.told())
        channel.send(notification())
        assert len(receiver.told()) == before + 1


class _soon:  # noqa: N801 - reads as a verb at its call site, like contextlib's own
    """The block ends in time."""

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        assert time.monotonic() - self._began < PROMPT, "it took too long to say that it cannot tell it"


def _chain(error: BaseException | None) -> list[str]:
    said: list[str] = []
    while error is not None:
        said += [str(error), repr(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said
