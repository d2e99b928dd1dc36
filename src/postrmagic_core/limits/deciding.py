"""What both faces share: how a call is asked, what becomes of it, and slots that are taken and given back."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from .._clock import Clock
from .._metrics import Metrics
from .._steps import Steps
from ..errors import BackendError, Overloaded
from ..stores.keys import Keys
from ..stores.scripts import GCRA, GCRA_PEEK, SEMAPHORE_ACQUIRE, SEMAPHORE_RELEASE
from . import policy
from .interface import Concurrency, Decision, Slot, Take, Unavailable
from .outage import Outage
from .policy import Call

_log = logging.getLogger("postrmagic_core.limits")


class Deciding:
    """The limits of one namespace; ``unavailable`` is their policy unless a call brings its own."""

    def __init__(self, namespace: str, unavailable: Unavailable, clock: Clock, metrics: Metrics) -> None:
        policy.check_unavailable(unavailable)
        self.names = policy.Names(Keys(namespace))
        self.unavailable: Unavailable = unavailable
        self.outage = Outage(clock, metrics)
        self._admitted = metrics.counter("limits_admitted_total")
        self._refused = metrics.counter("limits_refused_total")
        self._uncounted = metrics.counter("limits_uncounted_total")

    def asked(self, takes: tuple[Take, ...], *, look: bool = False) -> Call:
        """See :func:`policy.asked`."""
        return policy.asked(self.names, takes, look=look)

    def decided(self, call: Call, answer: list[int]) -> Decision:
        """The store answered a hit."""
        if self.outage.away:
            self.outage.answered()
        return self._counted(policy.decided(call, answer))

    def looked(self, call: Call, answer: list[int]) -> Decision:
        """The store answered a look."""
        if self.outage.away:
            self.outage.answered()
        return policy.looked(call, answer)

    def undecided(self, call: Call, error: BackendError, unavailable: Unavailable | None) -> Decision:
        """The store did not answer a hit."""
        match self._away(error, unavailable):
            case "open":
                self._uncounted.add()
                return self._counted(policy.admitted_unseen(call))
            case "closed":
                return self._counted(policy.refused_unseen(call))
        return self._counted(policy.decided(call, self.outage.fallback.run(GCRA, call.keys, call.args), "process"))

    def unlooked(self, call: Call, error: BackendError, unavailable: Unavailable | None) -> Decision:
        """The store did not answer a look."""
        match self._away(error, unavailable):
            case "open":
                return policy.admitted_unseen(call)
            case "closed":
                return policy.refused_unseen(call)
        return policy.looked(call, self.outage.fallback.run(GCRA_PEEK, call.keys, call.args), "process")

    def slot(self, concurrency: Concurrency, key: str | bytes) -> Slot:
        """The slot to ask for: a new owner's."""
        return Slot(True, concurrency, key, secrets.token_hex(16).encode())

    def acquire(self, wanted: Slot, unavailable: Unavailable | None) -> Steps[Slot]:
        """Ask for a slot; once more under the same token where the answer was lost."""
        ask = self._asking(wanted)
        try:
            try:
                answer: list[int] = yield ask
            except BackendError as error:
                if not policy.ask_again(error):
                    raise
                answer = yield ask
        except BackendError as error:
            return self._unheld(wanted, error, unavailable)
        self.outage.answered()
        return _held(wanted, answer)

    def renew(self, slot: Slot) -> Steps[bool]:
        """Hold the slot as long from now."""
        if not slot.allowed or slot.counted_in == "nothing":
            return slot.allowed
        ask = self._asking(slot)
        try:
            answer: list[int] = ask(self.outage) if slot.counted_in == "process" else (yield ask)
        except BackendError as error:
            self._away(error, None)
            return False
        return answer[0] == 1

    def release(self, slot: Slot) -> Steps[bool]:
        """Give the slot back; once more where the answer was lost. A store that is away is only told of."""
        if not slot.allowed or slot.counted_in == "nothing":
            return False
        key = self._semaphore(slot)
        if slot.counted_in == "process":
            return self.outage.fallback.run(SEMAPHORE_RELEASE, [key], [slot.owner])[0] == 1

        def give(port: Any) -> Any:
            return port.store.run(SEMAPHORE_RELEASE, [key], [slot.owner])

        try:
            try:
                answer: list[int] = yield give
            except BackendError as error:
                if not policy.ask_again(error):
                    raise
                answer = yield give
        except BackendError as error:
            self._away(error, None)
            _log.debug(
                "a slot of %s ends by itself in %g s at the latest", slot.concurrency.name, slot.concurrency.lease
            )
            return False
        return answer[0] == 1

    def _asking(self, slot: Slot) -> Callable[[Any], Any]:
        key, terms = self._semaphore(slot), slot.concurrency

        def ask(port: Any) -> Any:
            store = port.fallback if port is self.outage else port.store
            return store.run(SEMAPHORE_ACQUIRE, [key], [terms.slots, slot.owner, terms.lease_ms])

        return ask

    def _unheld(self, wanted: Slot, error: BackendError, unavailable: Unavailable | None) -> Slot:
        match self._away(error, unavailable):
            case "open":
                self._uncounted.add()
                return wanted._replace(counted_in="nothing")
            case "closed":
                return wanted._replace(allowed=False, retry_after=policy.AWAY_RETRY, counted_in="nothing")
        return _held(wanted._replace(counted_in="process"), self._asking(wanted)(self.outage))

    def _semaphore(self, slot: Slot) -> bytes:
        return self.names.semaphore(slot.concurrency, slot.key)

    def _away(self, error: BackendError, unavailable: Unavailable | None) -> Unavailable:
        held = policy.while_away(unavailable or self.unavailable, error)
        self.outage.note(error, held)
        return held

    def _counted(self, decision: Decision) -> Decision:
        (self._admitted if decision.allowed else self._refused).add()
        return decision


def _held(wanted: Slot, answer: list[int]) -> Slot:
    if answer[0] == 1:
        return wanted._replace(taken=answer[1])
    return wanted._replace(allowed=False, taken=answer[1], retry_after=answer[2] / 1_000_000)


def full(slot: Slot) -> Overloaded:
    """The error of who needs a slot and got none."""
    name, slots = slot.concurrency.name, slot.concurrency.slots
    return Overloaded(f"all {slots} slots of {name} are taken; try again in {slot.retry_after:g} s at the latest")
