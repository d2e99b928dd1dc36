"""The reliability promises as a pytest class: subclass it, say how to use your backend, and run it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from postrmagic_core.testing.servers import ServerProcess

from . import promises
from .applicable import Applicable
from .rig import FAULTS, Budget, Harness, Rig, S, rigged


class ReliabilityContract(Applicable, Harness[S]):
    """P1 to P9 against a real server behind a :class:`~postrmagic_core.testing.proxy.FaultProxy`.

    A subclass supplies :class:`Harness`'s hooks and a fixture ``server`` (a private
    :class:`~postrmagic_core.testing.servers.ServerProcess`, any scope). ``not_applicable`` maps rows (``"P5"``,
    ``"cancel"``) to the reason why they cannot apply; they show as skipped. ``durable`` is false where the server is
    allowed to forget what it acknowledged when it is killed.
    """

    budget: ClassVar[Budget] = Budget()
    durable: ClassVar[bool] = True
    rows: ClassVar[tuple[str, ...]] = ("P1", "P2", "P3", "P4", "P5", "cancel", "P6", "P7", "P8", "P9")

    @pytest.fixture
    def server(self) -> ServerProcess:
        """Override: the private server to break."""
        raise NotImplementedError("supply a fixture `server`, for example from own_redis_server()")

    @pytest.fixture
    def rig(self, server: ServerProcess) -> Iterator[Rig[Any]]:
        """The rig for one test."""
        with rigged(self, server, self.budget) as rig:
            yield rig

    @pytest.mark.promise("P1")
    @pytest.mark.parametrize("fault", FAULTS)
    def test_p1_every_call_is_bounded(self, rig: Rig[Any], fault: str) -> None:
        """Calls return or raise within the budget."""
        promises.bounded(rig, fault)

    @pytest.mark.promise("P2")
    @pytest.mark.parametrize("fault", FAULTS)
    def test_p2_errors_are_typed(self, rig: Rig[Any], fault: str) -> None:
        """Errors are ours, with the driver's as cause."""
        promises.typed(rig, fault)

    @pytest.mark.promise("P3")
    def test_p3_no_false_acknowledgement(self, rig: Rig[Any]) -> None:
        """What was acknowledged is there; what was denied is not."""
        promises.no_false_ack(rig, durable=self.durable)

    @pytest.mark.promise("P4")
    @pytest.mark.parametrize("how", ["close", "reset", "hang"])
    @pytest.mark.parametrize("after", [0, 1])
    def test_p4_a_lost_reply_is_unknown_and_never_repeated(self, rig: Rig[Any], how: str, after: int) -> None:
        """One effect at most, and the caller is told that it cannot be known."""
        promises.unknown_is_said(rig, how, after)

    @pytest.mark.promise("P4")
    def test_p4_a_late_request_was_not_denied(self, rig: Rig[Any]) -> None:
        """A request stuck on its way may still happen."""
        promises.late_is_unknown(rig)

    @pytest.mark.promise("P5")
    def test_p5_replies_are_never_crossed(self, rig: Rig[Any]) -> None:
        """A late reply answers nobody else."""
        promises.no_crossed_replies(rig)

    @pytest.mark.promise("cancel")
    def test_p5_replies_are_never_crossed_by_cancelling(self, rig: Rig[Any]) -> None:
        """A cancelled task leaves no reply behind."""
        promises.no_crossed_replies_when_cancelled(rig)

    @pytest.mark.promise("P6")
    @pytest.mark.parametrize("fault", FAULTS)
    def test_p6_decisions_are_closed(self, rig: Rig[Any], fault: str) -> None:
        """Nothing is allowed that could not be asked."""
        promises.closed_for_decisions(rig, fault)

    @pytest.mark.promise("P7")
    @pytest.mark.parametrize("fault", FAULTS)
    def test_p7_it_heals_by_itself(self, rig: Rig[Any], fault: str) -> None:
        """The same client works again when the server does."""
        promises.heals(rig, fault)

    @pytest.mark.promise("P8")
    def test_p8_nothing_leaks(self, rig: Rig[Any]) -> None:
        """Descriptors and threads are back at their baseline."""
        promises.leaks_nothing(rig)

    @pytest.mark.promise("P9")
    def test_p9_intervals_ignore_the_wall_clock(self, rig: Rig[Any]) -> None:
        """A clock that is set changes no time-out."""
        promises.monotonic_time(rig)
