"""What a shipper of log lines is, as tests: subclass :class:`ShipperContract`, say where it ships and how to read that.

::

    class TestMyShipper(ShipperContract):
        @pytest.fixture
        def inlet(self, my_server):
            return Inlet(open=lambda: MyShipper(my_server.url), read=my_server.messages, down=my_server.away)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from postrmagic_core.log.forwarding import Refused, Shipper

from ..waiting import until
from .applicable import Applicable

PROMPT = 12.0
"""Seconds in which a shipper says that it could not, whatever the receiver does: ten, and some for a busy machine."""
_AGAIN = 0.1


@dataclass(frozen=True)
class Inlet:
    """One receiver of the test's own.

    ``open`` makes a shipper to it; ``read`` gives the texts (``event``) of the lines that arrived, in their order.
    ``down`` has nobody listen there for a block; ``silent`` has it take connections and never answer; ``strict`` has it
    refuse whatever it is sent as malformed.
    """

    open: Callable[[], Shipper]
    read: Callable[[], list[str]]
    down: Callable[[], AbstractContextManager[object]] | None = None
    silent: Callable[[], AbstractContextManager[object]] | None = None
    strict: Callable[[], AbstractContextManager[object]] | None = None


def line(text: str, **fields: object) -> bytes:
    """A line of the log as the spool has it."""
    told = {"ts": "2026-01-01T12:00:00.000001Z", "level": "info", "logger": "media", "event": text, **fields}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


class ShipperContract(Applicable):
    """Every promise of :class:`~postrmagic_core.log.forwarding.Shipper`.

    A subclass supplies the fixture ``inlet``. ``not_applicable`` maps rows to the reason why the shipper has no such
    thing. ``outage``: it notices that nobody is there; ``silence``: that nobody answers; ``refusal``: that the receiver
    calls lines malformed.
    """

    rows: ClassVar[tuple[str, ...]] = ("outage", "silence", "refusal")

    @pytest.fixture
    def inlet(self) -> Inlet:
        """Override: a receiver that nobody else ships to during the test."""
        raise NotImplementedError("supply a fixture `inlet`: an unused receiver for the shipper of each test")

    @pytest.fixture
    def shipper(self, inlet: Inlet) -> Iterator[Shipper]:
        """A shipper to the inlet."""
        with closing(inlet.open()) as shipper:
            yield shipper

    def test_lines_arrive_in_order(self, inlet: Inlet, shipper: Shipper) -> None:
        """One, many, ones beyond ASCII, ones with every kind of value: each once."""
        hostile = {"n": 2**70, "list": [1, None, {"a": [True]}], 'a "name] =': 'say "]\\', "exception": {"type": "E"}}
        batches = [["first"], [f"number {number}" for number in range(300)], ["Grüße, 世界 \U0001f600"], ["last"]]
        for batch in batches:
            assert shipper.ship([line(text, job_id="j1", **hostile) for text in batch]) == 0
        _expect(inlet, [text for batch in batches for text in batch])

    def test_closing_may_be_repeated(self, inlet: Inlet) -> None:
        """What was shipped stays, a later line opens another connection, no descriptor is left."""
        descriptors = _descriptors()
        shipper = inlet.open()
        for text in ("a", "b"):
            shipper.ship([line(text)])
            shipper.close()
            shipper.close()
        _expect(inlet, ["a", "b"])
        until(lambda: _descriptors() <= descriptors, "a descriptor was left open")

    @pytest.mark.promise("outage")
    def test_nobody_there_is_an_os_error(self, inlet: Inlet, shipper: Shipper) -> None:
        """Each time, soon, and of no kind that drops lines; then it works again."""
        shipper.ship([line("before")])
        _expect(inlet, ["before"])
        with _during(inlet.down, "down"):
            for _ in range(3):
                _expect_failure(shipper)
        _ship_again(shipper, line("after"))
        _expect(inlet, ["before", "after"])

    @pytest.mark.promise("silence")
    def test_nobody_answering_is_an_os_error(self, inlet: Inlet, shipper: Shipper) -> None:
        """Within about ten seconds; then it works again."""
        with _during(inlet.silent, "silent"):
            _expect_failure(shipper)
        _ship_again(shipper, line("after"))
        until(lambda: inlet.read()[-1:] == ["after"], "nothing arrived afterwards")

    @pytest.mark.promise("refusal")
    def test_what_is_malformed_is_refused(self, inlet: Inlet, shipper: Shipper) -> None:
        """By the error that says so; the next lines arrive."""
        with _during(inlet.strict, "strict"), pytest.raises(Refused):
            shipper.ship([line("malformed")])
        shipper.ship([line("after")])
        _expect(inlet, ["after"])


def _expect(inlet: Inlet, texts: Sequence[str]) -> None:
    until(lambda: len(inlet.read()) >= len(texts), f"not all of {len(texts)} lines arrived")
    assert inlet.read() == texts


def _expect_failure(shipper: Shipper) -> None:
    began = time.monotonic()
    with pytest.raises(OSError) as failure:  # noqa: PT011 - which one is the shipper's to say
        shipper.ship([line("lost")])
    assert not isinstance(failure.value, Refused), "who drops lines of an outage loses them"
    assert time.monotonic() - began < PROMPT


def _ship_again(shipper: Shipper, again: bytes) -> None:
    """As a forwarder does: a receiver that came back may have to be asked twice."""

    def shipped() -> bool:
        try:
            return shipper.ship([again]) == 0
        except OSError:
            time.sleep(_AGAIN)
            return False

    until(shipped, "it did not ship again")


def _during(what: Callable[[], AbstractContextManager[object]] | None, name: str) -> AbstractContextManager[object]:
    if what is None:
        raise NotImplementedError(f"supply `{name}`, or say in `not_applicable` why there is no such thing")
    return what()


def _descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))
