"""The one place where threads' connections to Redis are made: no retries, one time budget a call.

redis-py repeats every failed command ten times by default, counters included, and waits 5 s for each reply.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

from hiredis import ReplyError

from postrmagic_core._lifecycle import after_fork
from postrmagic_core._steps import drive
from postrmagic_core.errors import BackendError, BackendUnavailable
from postrmagic_core.stores.adapters._redis_errors import failure, lost_script, refusal, replica
from postrmagic_core.stores.adapters._redis_place import Address, Command, Place
from postrmagic_core.stores.adapters._redis_primary import confirm, reach
from postrmagic_core.stores.adapters._redis_steps import Call
from postrmagic_core.stores.adapters._redis_wire import Wire, dial, packed
from postrmagic_core.stores.circuit import Circuit


class Judge:
    """What both faces make of an exchange's end. ``timeout``: seconds an exchange may take, connecting included."""

    def __init__(self, place: Place, timeout: float, circuit: Circuit) -> None:
        self._place = place
        self._timeout = timeout
        self._circuit = circuit

    def answered(self, replies: list[Any]) -> list[Any]:
        """The replies; the first error among them is raised."""
        self._circuit.succeeded()
        if len(replies) == 1 and not isinstance(replies[0], ReplyError):
            return replies
        for reply in replies:
            if isinstance(reply, ReplyError):
                if replica(reply):
                    self._place.moved()
                raise refusal(reply) from reply
        return replies

    def failed(self, error: BaseException, *, in_doubt: bool) -> None:
        """Count ``error`` and raise ours for it, if there is one; else the caller raises it again."""
        ours = failure(error, in_doubt=in_doubt)
        if ours is not None or isinstance(error, BackendError):
            self._circuit.failed()
        if ours is not None:
            raise ours from error


class Wires(Judge):
    """One connection for each thread that asks: nothing is handed over, so no reply meets the wrong caller."""

    def __init__(self, place: Place, timeout: float, circuit: Circuit) -> None:
        super().__init__(place, timeout, circuit)
        self._forget()
        after_fork(self._forget)

    def exchange(self, commands: Sequence[Command], *, writes: bool, patience: float = 0.0) -> list[Any]:
        """Send the commands together and return their replies, all within the time-out.

        An error reply is raised after all replies were read. A connection in doubt is closed: an answer that comes late
        finds nobody. ``writes`` says whether losing the answer leaves the outcome unknown; ``patience`` is for how many
        seconds the server may hold back the answer of a command that waits.
        """
        self._circuit.enter()
        until = time.monotonic() + self._timeout
        data = packed(commands)
        wire: Wire | None = getattr(self._local, "wire", None)
        try:
            if wire is not None and until > self._place.confirm_at + self._timeout:
                drive(confirm(self._place, until), self)
            if wire is None or wire.epoch != self._place.epoch or wire.spoiled():
                wire = None
                wire = self._renewed(until)
            replies = wire.talk(data, len(commands), until + patience)
        except BaseException as error:
            self._drop()
            self.failed(error, in_doubt=writes and wire is not None and wire.sent)
            raise
        return self.answered(replies)

    def call(self, call: Call) -> Any:
        """What a script answers; a server that does not know it has done nothing, and is taught it."""
        try:
            return self.exchange((call.by_digest,), writes=call.writes)[0]
        except BackendError as error:
            if not lost_script(error):
                raise
        return self.exchange((call.by_source,), writes=call.writes)[0]

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for wire in list(self._all):
                wire.interrupt()

    # What _redis_primary's procedure asks for.

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def dial(self, address: Address, place: Place, until: float) -> Wire:
        """A connection that has said nothing yet."""
        wire = dial(address, place.tls, place.epoch, until)
        with self._lock:
            self._all.add(wire)
        return wire

    def say(self, wire: Wire, commands: Sequence[Command], until: float) -> list[Any]:
        """The replies, errors among them."""
        return wire.talk(packed(commands), len(commands), until)

    def _renewed(self, until: float) -> Wire:
        self._drop()
        wire: Wire = drive(reach(self._place, until), self)
        self._local.wire = wire
        return wire

    def _drop(self) -> None:
        wire = self._local.__dict__.pop("wire", None)
        if wire is not None:
            wire.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._local = threading.local()
        self._all: weakref.WeakSet[Wire] = weakref.WeakSet()


class OneWire(Wires):
    """A single connection, made at the first exchange; once it is lost, left or closed, all further ones are refused.

    Whoever has to know that a connection is still the same one uses it.
    """

    def __init__(self, place: Place, timeout: float, circuit: Circuit) -> None:
        super().__init__(place, timeout, circuit)
        self._spent = False
        self._closed = False

    def close(self) -> None:
        """Close it, also under the hands of one that waits, or that makes it this moment."""
        self._closed = True
        super().close()

    def dial(self, address: Address, place: Place, until: float) -> Wire:
        """See :meth:`Wires.dial`."""
        wire = super().dial(address, place, until)
        # Known to close() by now: either it finds the connection, or is seen here.
        if self._closed:
            wire.close()
            raise BackendUnavailable("the connection was closed")
        return wire

    def _renewed(self, until: float) -> Wire:
        if self._spent or self._closed:
            raise BackendUnavailable("the connection was lost")
        self._spent = True
        return super()._renewed(until)

    def _forget(self) -> None:
        # In a forked child the thread that waits is no more, but what it held would keep the connection open.
        for wire in list(self.__dict__.get("_all", ())):
            wire.close()
        super()._forget()
