"""The rules that stand: those of settings with those of the database over them, looked up without waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .._clock import Clock
from .._errand import Errand
from .._lifecycle import after_fork
from .._metrics import Metrics, Told
from .._protocols import Units
from ..errors import PostrMagicError
from . import rows
from .interface import Rule, Source, shown

_log = logging.getLogger("postrmagic_core.flags")

# Seconds for which close() waits for a read that is under way.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by flag, never changed: who holds them is given the same answers for as long as they do.

    ``stored`` names the flags whose rule is of the database.
    """

    rules: Mapping[str, Rule]
    stored: frozenset[str] = field(default_factory=frozenset)

    def source(self, name: str) -> Source:
        """Where the flag's rule comes from."""
        if name in self.stored:
            return "database"
        return "settings" if name in self.rules else "nowhere"


class Standing:
    """The present :class:`Rules`, read anew by a thread every half ``max_age``.

    So they are at most ``max_age`` seconds old while the database answers; while it does not, the last ones stand,
    which is logged once and counted (``flag_load_failures_total``; ``flag_rules_age_seconds``). The thread starts when
    :meth:`watch` is first called. In a forked child there is none, until :meth:`watch` is called there.
    """

    def __init__(
        self, database: Units, configured: Mapping[str, Rule], max_age: float, clock: Clock, metrics: Metrics
    ) -> None:
        self.configured = MappingProxyType(dict(configured))
        self.now = Rules(self.configured)
        self.watched = False
        self._database = database
        self._pause = max_age / 2
        self._clock = clock
        self._failures = metrics.counter("flag_load_failures_total")
        self._errand = Errand("postrmagic-flags", self._keep_up, _log)
        self._loaded_at = clock.monotonic()
        self._read: list[rows.Row] | None = None
        self._changes = 0
        self._failing = False
        self._faults: Mapping[str, str] = {}
        self._forked = False
        self._forget()
        metrics.report(self._figures)
        after_fork(self._forget)

    def open(self) -> None:
        """Read them; what cannot be read leaves those of settings."""
        self.watched = False
        self._errand.open()
        self.load()

    def close(self) -> None:
        """End the thread; one that waits for a silent server is left to its time-out, as it has nothing to lose."""
        self.watched = False
        self._errand.close(finish=False, patience=_PATIENCE)

    def watch(self) -> None:
        """Keep up with the database from here on; in a forked child, read first what changed since the fork.

        On an event loop and inside a unit nothing is read here: there the first answers may be as old as the fork.
        """
        if self.watched:
            return
        self.watched = True
        if self._forked and asyncio._get_running_loop() is None and not self._in_unit():
            self.load()  # before there is a thread, whose own load would have this one give way
        self._errand.ask()

    def put(self, name: str, rule: Rule | None) -> None:
        """This process has changed a flag, and knows it before it reads it: its rule, or ``None`` for settings'."""
        with self._lock:
            self._changes += 1
            self._read = None
            found = dict(self.now.rules)
            stored = self.now.stored - {name}
            if rule is None:
                rule = self.configured.get(name)
            else:
                stored |= {name}
            if rule is None:
                found.pop(name, None)
            else:
                found[name] = rule
            self.now = Rules(MappingProxyType(found), stored)
        self._errand.ask()

    def stir(self) -> None:
        """Have them read soon: something may have changed."""
        self._errand.ask()

    def load(self) -> bool:
        """Read them now; ``False`` if that failed. Who comes while another reads takes what that one finds."""
        if not self._loading.acquire(blocking=False):
            return False
        try:
            for _ in range(3):  # read again if this process has changed something meanwhile
                changes, began = self._changes, self._clock.monotonic()
                with self._database.read() as tx:
                    found = rows.read(tx)
                if self._take(found, changes, began):
                    break
        except Exception as error:  # whatever keeps it from reading, the last rules stand
            self._failed(error)
            return False
        finally:
            self._loading.release()
        if self._failing:
            self._failing = False
            _log.info("flags are read again", extra={"event": "flags.recovered"})
        return True

    def _take(self, found: list[rows.Row], changes: int, began: float) -> bool:
        with self._lock:
            if changes != self._changes:
                return False
            self._loaded_at = began
            if found == self._read:
                return True
            stored, faults = rows.understood(found)
            # A row that cannot be read leaves what settings say; where they say nothing, it is off, and known.
            off = {name: Rule() for name in faults}
            self.now = Rules(MappingProxyType({**off, **self.configured, **stored}), frozenset(stored))
            self._read = found
            faults, self._faults = {name: faults[name] for name in faults if name not in self._faults}, faults
        for name, fault in faults.items():
            _log.error(
                "the row of a flag in pm_flags cannot be read and does not count: set it again, or clear it",
                extra={"event": "flags.row_refused", "flag": shown(name), "fault": shown(fault)},
            )
        return True

    def _failed(self, error: Exception) -> None:
        self._failures.add()
        if self._failing:
            return
        self._failing = True
        kind = error.code if isinstance(error, PostrMagicError) else type(error).__qualname__
        _log.warning(
            "flags cannot be read from the database: the last rules known stand",
            extra={"event": "flags.load_failed", "error": kind},
        )

    def _keep_up(self) -> float:
        self.load()
        return self._pause

    def _figures(self) -> Iterator[Told]:
        if self.watched:  # who asks for no flag has none that grow old
            yield "flag_rules_age_seconds", {}, self._clock.monotonic() - self._loaded_at

    def _in_unit(self) -> bool:
        try:
            return self._database.current() is not None
        except PostrMagicError:  # one of another task or thread
            return True

    def _forget(self) -> None:
        self._forked = self._errand.is_open
        self.watched = False
        self._lock = threading.Lock()
        self._loading = threading.Lock()
