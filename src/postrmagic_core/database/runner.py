"""How a unit lives: begun, committed or rolled back, given back, settled. Both faces run their units here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from .._clock import Clock
from .._metrics import Metrics
from .._sql import Backend, Role
from .listeners import listen
from .unit import Unit


class UnitRunner:
    """Makes the units of one database; ``delivered`` is called after a commit that left rows for a relay."""

    def __init__(self, backend: Backend, clock: Clock, metrics: Metrics, delivered: Callable[[], None]) -> None:
        self.database_id = backend.database_id()
        self._backend = backend
        self._clock = clock
        self._delivered = delivered
        self._heard: dict[Role, Engine] = {}
        self._hook_errors = metrics.counter("db_hook_errors_total")

    def new(self, role: Role, **options: object) -> Unit:
        """A unit that has not begun; ``options`` are the engine's execution options."""
        engine = self._backend.engine(role)
        if engine is not self._heard.get(role):  # a forked child may have engines of its own
            self._heard[role] = engine
            listen(engine)
        return Unit(engine, self.database_id, self._clock, options, writes=role == "write")

    @contextmanager
    def running(self, unit: Unit) -> Iterator[None]:
        """Begin ``unit``; :meth:`finish` it at the end of the block."""
        unit.begin()
        try:
            yield
        except BaseException:
            self.finish(unit, failed=True)
            raise
        self.finish(unit, failed=False)

    def finish(self, unit: Unit, *, failed: bool) -> None:
        """Commit ``unit``, or roll it back if it ``failed`` or cannot commit; give its connection back."""
        try:
            if failed:
                unit.roll_back()
            else:
                unit.commit()
        except BaseException:
            unit.roll_back()
            raise
        finally:
            unit.release()

    @contextmanager
    def settling(self, unit: Unit) -> Iterator[None]:
        """Around everything: when the unit is no longer current, call its hooks and wake the relays."""
        try:
            yield
        finally:
            self._hook_errors.add(unit.settle())
            if unit.delivers:
                self._delivered()
