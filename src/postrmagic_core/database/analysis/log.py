"""The query log: what each statement cost, without its values, for a few microseconds a statement."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..._clock import Clock
from ..._lifecycle import after_fork
from ..._work import current_work
from .attach import attach, detach
from .callers import calling_line
from .entry import FAST, Entry
from .execution import Execution
from .fetching import time_fetching
from .files import Publisher
from .fingerprint import Statement, read
from .interface import QueryLogFile, QueryStats
from .options import QueryLogOptions
from .slow import SlowLog
from .watch import Watch

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ..._sql.dialect import Watcher

logger = logging.getLogger("postrmagic_core.database")

OTHER = Statement("0" * 16, "(other statements)", "other")
# Texts remembered with their statement, and the length up to which one is remembered whole.
_TEXTS = 2000
_LENGTH = 2000
# PyMySQL says 2 ** 64 - 1 of a result that it has not read.
_UNKNOWN_ROWS = 2**63

# Told of each statement: what ran, seconds, and the line that asked.
Observer: TypeAlias = Callable[[Statement, float, str], None]


class QueryLog:
    """Counts the statements of one database by fingerprint.

    Statements that begin and end transactions, or set up a session, are no queries and not counted.
    """

    _entries: dict[str, Entry]
    _written: int

    def __init__(self, options: QueryLogOptions, *, database_id: str, clock: Clock) -> None:
        self.options = options
        self._database_id = database_id
        self._clock = clock
        self._dialect: Any = None
        self._slow = SlowLog(options.slow, clock)
        self._watch = Watch(options, clock)
        self._observers: list[Observer] = []
        self._texts: dict[str, Entry] = {}
        self._long: dict[int, Entry] = {}
        self._control: set[str] = set()
        self._ended = self._watcher()
        self._publisher = None
        if options.directory is not None:
            self._publisher = Publisher(options.directory, options.interval, self._changed)
        self._forget()
        after_fork(self._forget)

    def stats(self) -> list[QueryStats]:
        """Every statement since the start or the last :meth:`reset`, the costliest first; of this process alone."""
        return sorted((entry.stats() for entry in list(self._entries.values())), key=lambda each: -each.seconds)

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self._begin()

    def flush(self) -> None:
        """Write this process's file now; raises :class:`OSError`. Without a directory nothing happens."""
        if self._publisher is not None:
            self._publisher.write(self._file())

    def close(self) -> None:
        """End the file's thread, having written what changed."""
        if self._publisher is not None:
            self._publisher.close()
            self._texts.clear()  # the next statement is looked up anew, and starts the thread again

    def listen(self, engine: Engine) -> None:
        """Count what ``engine`` executes."""
        self._dialect = engine.dialect
        attach(engine, self._ended)

    def leave(self, engine: Engine) -> None:
        """Count it no longer."""
        detach(engine)

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` of each statement of every thread, until :meth:`unobserve`."""
        self._observers.append(observer)

    def unobserve(self, observer: Observer) -> None:
        """End :meth:`observe`."""
        self._observers.remove(observer)

    def _watcher(self) -> Watcher:
        """The function on every statement's way: what it uses is bound here, since looking it up is what it costs."""
        find, work_of, tally, observers = self._texts.get, current_work, self._watch.tally, self._observers
        fast_end, unknown = FAST, _UNKNOWN_ROWS

        def ended(
            cursor: Any, statement: str, parameters: Any, context: Any, seconds: float, error: BaseException | None
        ) -> None:
            entry = find(statement) or self._entry(statement)
            if entry is None:
                return
            entry.seconds += seconds
            if seconds > entry.slowest:  # noqa: PLR1730 - max() costs more than all the rest of this line
                entry.slowest = seconds
            fast = entry.fast + 1
            if seconds <= fast_end and fast & entry.mask and error is None:
                entry.fast = fast
            else:
                self._look(entry, cursor, statement, parameters, context, seconds, error)
            if entry.tells_rows:
                rows = cursor.rowcount
                if 0 < rows < unknown:
                    entry.rows += rows
            work = work_of()
            if work is not None:
                tally(work, entry, seconds)
            if observers:
                self._tell(entry.statement, seconds)

        return ended

    def _look(
        self,
        entry: Entry,
        cursor: Any,
        text: str,
        parameters: Any,
        context: Any,
        seconds: float,
        error: BaseException | None,
    ) -> None:
        try:
            found = weakref.ref(context) if context is not None else lambda: None
            execution = Execution(
                entry, seconds, calling_line(), error is not None, cursor.connection, text, parameters, found
            )
            entry.looked_at(execution)
            entry.tells_rows = cursor.rowcount >= 0
            if seconds >= self._slow.threshold:
                self._slow.tell(execution, self._dialect.name)
            elif error is None and self._dialect.name == "sqlite" and context is not None and cursor.description:
                time_fetching(context, lambda spent, rows: self._fetched(execution, spent, rows))
        except Exception:  # what is only told must not fail what was done
            logger.exception("the query log failed")

    def _fetched(self, execution: Execution, spent: float, rows: int) -> None:
        execution.entry.fetched_in(spent, execution.seconds, rows)
        work = current_work()
        if work is not None:
            self._watch.fetched(work, execution.entry, spent)
        if execution.seconds + spent >= self._slow.threshold:
            self._slow.tell(execution.lasting(execution.seconds + spent), self._dialect.name)

    def _tell(self, statement: Statement, seconds: float) -> None:
        line = calling_line()
        for observer in list(self._observers):
            observer(statement, seconds, line)

    def _entry(self, text: str) -> Entry | None:
        if text in self._control:
            return None
        with self._lock:
            entry = self._long.get(hash(text)) if len(text) > _LENGTH else self._texts.get(text)
            return entry or self._read(text)

    def _read(self, text: str) -> Entry | None:
        statement = read(text, self._dialect.name)
        if statement.kind == "control":
            if len(self._control) < _TEXTS:
                self._control.add(text)
            return None
        if len(self._texts) + len(self._long) >= _TEXTS:
            self._texts.clear()
            self._long.clear()
        entry = self._entries.get(statement.fingerprint)
        if entry is None:
            if len(self._entries) >= self.options.fingerprints:
                statement = OTHER
            entry = self._entries.setdefault(statement.fingerprint, Entry(statement))
        if self._publisher is not None:
            self._publisher.start()
        if len(text) > _LENGTH:
            self._long[hash(text)] = entry
        else:
            self._texts[text] = entry
        return entry

    def _changed(self) -> QueryLogFile | None:
        count = sum(entry.count for entry in list(self._entries.values()))
        if count == self._written:
            return None
        self._written = count
        return self._file()

    def _file(self) -> QueryLogFile:
        name = "mariadb" if getattr(self._dialect, "is_mariadb", False) else self._dialect.name
        return QueryLogFile(
            name, self._database_id, os.getpid(), self._since_us, self._clock.now_us(), tuple(self.stats())
        )

    def _begin(self) -> None:
        self._texts.clear()
        self._long.clear()
        self._entries = {}
        self._since_us = self._clock.now_us()
        self._written = 0

    def _forget(self) -> None:
        """In a forked child: what the parent counted is the parent's."""
        self._lock = threading.Lock()
        self._begin()
