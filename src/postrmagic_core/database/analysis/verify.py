"""Trying an index on the copy: plan and time before and after, what it costs, and whether that is an improvement."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import inspect

from ...errors import BackendError, PostrMagicError
from .advise import Asked, Candidate
from .catalog import Table, spelled
from .explain import explain
from .plans import Plan
from .scratch import Copy, quoted
from .sqltext import bound
from .statements import Statement
from .values import Sample, sample

# Times as fast: less is within what two runs of the same statement differ on a busy machine.
GAIN = 1.3
# Times as fast or as slow within which a spell of other work on the machine could be the reason.
CLOSE = 3.0
# Seconds saved that a stopwatch can see.
VISIBLE = 0.00005
# Seconds: a statement is run again until it has had this long, but at least three times.
PATIENCE = 0.2
MOST_RUNS = 9
# Seconds a single run may take on the copy.
LIMIT = 60.0
_SQLITE_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class Measure:
    """Seconds (median, warm) with frequent values and with rare ones, and the plans for both."""

    frequent: float
    rare: float
    plan: Plan
    rare_plan: Plan

    def better(self, other: Measure) -> Measure:
        """The same with the shorter times of both."""
        return replace(self, frequent=min(self.frequent, other.frequent), rare=min(self.rare, other.rare))


@dataclass(frozen=True, slots=True)
class Effect:
    """What an index did to one statement."""

    fingerprint: str
    before: Measure
    after: Measure

    @property
    def changed(self) -> bool:
        """Whether the statement is run in another way now."""
        return self.after is not self.before

    @property
    def close(self) -> bool:
        """Whether another look at the times might tell otherwise."""
        return self.changed and any(1 / CLOSE < ratio < CLOSE for ratio in self._ratios())

    @property
    def speedup(self) -> float:
        """Times as fast, by the values for which it does more."""
        return max(self._ratios())

    @property
    def helps(self) -> bool:
        """Clearly faster for some values, or rid of a full scan or sort; and not clearly slower for others."""
        fast, slow = max(self._ratios()), min(self._ratios())
        if slow < 1 / GAIN:
            return False
        saved = max(self.before.frequent - self.after.frequent, self.before.rare - self.after.rare)
        return (fast >= GAIN and saved >= VISIBLE) or (self._simpler() and saved > 0)

    @property
    def harms(self) -> bool:
        """Clearly slower for some values."""
        lost = max(self.after.frequent - self.before.frequent, self.after.rare - self.before.rare)
        return min(self._ratios()) < 1 / GAIN and lost >= VISIBLE

    def _ratios(self) -> tuple[float, float]:
        return self.before.frequent / self.after.frequent, self.before.rare / self.after.rare

    def _simpler(self) -> bool:
        before, after = self.before.plan, self.after.plan
        return len(after.scanned) < len(before.scanned) or len(after.sorts) < len(before.sorts)


@dataclass(frozen=True, slots=True)
class Tried:
    """An index that was built on the copy: ``seconds`` to build it and ``size`` in bytes are what it costs there.

    ``effects`` are those on the statements it is meant for, ``others`` on the rest of its table's.
    """

    candidate: Candidate
    effects: tuple[Effect, ...]
    others: tuple[Effect, ...]
    seconds: float
    size: int
    ddl: str

    @property
    def harmed(self) -> tuple[Effect, ...]:
        """What became clearly slower."""
        return tuple(effect for effect in (*self.effects, *self.others) if effect.harms)

    @property
    def accepted(self) -> bool:
        """Whether it is worth proposing."""
        return not self.harmed and any(effect.helps for effect in self.effects)


@dataclass
class Bench:
    """Measures statements on a copy, each state of its indexes once; ``failures``: why one could not be run."""

    copy: Copy
    catalog: Mapping[str, Table]
    failures: dict[str, str] = field(default_factory=dict)
    current: dict[str, Measure] = field(default_factory=dict)
    first: dict[str, Measure] = field(default_factory=dict)
    _samples: dict[str, Sample] = field(default_factory=dict)

    def begin(self, asked: Asked) -> None:
        """Take the statement as it is now; one that cannot be run is noted and left out from then on."""
        if asked.statement.refusal:
            self.failures[asked.fingerprint] = f"not run: {asked.statement.refusal}"
            return
        try:
            self._samples[asked.fingerprint] = sample(self.copy.connection, asked.statement, self.catalog)
            self.first[asked.fingerprint] = self.current[asked.fingerprint] = self.measure(asked)
        except PostrMagicError as error:
            self.failures[asked.fingerprint] = f"not run: {error}"
            self.copy.connection.rollback()

    def measure(self, asked: Asked) -> Measure:
        """Plan and time of a statement now."""
        return self._measured(asked.statement, self._samples[asked.fingerprint])

    def rewritten(self, asked: Asked, statement: Statement, order: Sequence[int]) -> Measure:
        """The same of another text for it, whose placeholders take the values of the original's in ``order``."""
        values = self._samples[asked.fingerprint]
        moved = (tuple(some[number] for number in order) for some in (values.frequent, values.rare))
        return self._measured(statement, Sample(*moved))

    def at_offset(self, asked: Asked, offset: int) -> float:
        """Seconds that the statement takes with frequent values and this OFFSET."""
        values = self._samples[asked.fingerprint].frequent
        slots = asked.statement.slots
        moved = [offset if slot.role == "offset" else value for slot, value in zip(slots, values, strict=True)]
        return self._timed(asked.statement, moved)

    def _measured(self, statement: Statement, values: Sample) -> Measure:
        plans = [self._explained(statement, some) for some in (values.frequent, values.rare)]
        frequent = self._timed(statement, values.frequent)
        rare = frequent if values.rare == values.frequent else self._timed(statement, values.rare)
        return Measure(frequent, rare, *plans)

    def trial(self, candidate: Candidate, asked: Sequence[Asked]) -> Tried | None:
        """Build the index, measure the statements of its table, and keep it there only if it is accepted.

        ``None`` when the database refuses to build it, or none of its statements can be run.
        """
        runnable = [one for one in asked if one.fingerprint in self.current]
        if not any(one.fingerprint in candidate.fingerprints for one in runnable):
            return None
        touched = [one for one in runnable if _touches(one.statement, candidate.table)]
        try:
            tried = self._tried(candidate, touched)
            if any(effect.close for effect in (*tried.effects, *tried.harmed)):
                tried = self._tried_again(tried, candidate, touched)
        except BackendError:
            self.copy.connection.rollback()
            self.drop(candidate)
            return None
        if tried.accepted:
            self.current |= {effect.fingerprint: effect.after for effect in (*tried.effects, *tried.others)}
        else:
            self.drop(candidate)
        return tried

    def _tried(self, candidate: Candidate, touched: Sequence[Asked]) -> Tried:
        ddl, seconds, size = self._build(candidate)
        effects = [
            Effect(one.fingerprint, self.current[one.fingerprint], self._now(one, self.current[one.fingerprint]))
            for one in touched
        ]
        meant = tuple(effect for effect in effects if effect.fingerprint in candidate.fingerprints)
        others = tuple(effect for effect in effects if effect.fingerprint not in candidate.fingerprints)
        return Tried(candidate, meant, others, seconds, size, ddl)

    def _tried_again(self, first: Tried, candidate: Candidate, touched: Sequence[Asked]) -> Tried:
        """Another round without and with the index, the better time of each kept: a busy machine is slow in spells."""
        changed = {effect.fingerprint for effect in (*first.effects, *first.others) if effect.changed}
        self.drop(candidate)
        for one in touched:
            if one.fingerprint in changed:
                self.current[one.fingerprint] = self.current[one.fingerprint].better(self.measure(one))
        again = self._tried(candidate, touched)
        after = {effect.fingerprint: effect.after for effect in (*first.effects, *first.others) if effect.changed}
        effects, others = (
            tuple(
                replace(one, after=one.after.better(after[one.fingerprint])) if one.fingerprint in after else one
                for one in part
            )
            for part in (again.effects, again.others)
        )
        return replace(again, effects=effects, others=others)

    def _now(self, asked: Asked, before: Measure) -> Measure:
        """The statement as it is now; where both plans are what they were, so is the time."""
        values = self._samples[asked.fingerprint]
        plans = tuple(self._explained(asked.statement, some) for some in (values.frequent, values.rare))
        return before if _same(plans, (before.plan, before.rare_plan)) else self.measure(asked)

    def drop(self, candidate: Candidate) -> None:
        """Remove the index again, if it is there."""
        there = inspect(self.copy.connection).get_indexes(candidate.table)
        if candidate.name not in {spelled(self.copy.connection, str(index["name"])) for index in there}:
            return
        name, table = (quoted(self.copy.connection, part) for part in (candidate.name, candidate.table))
        on = "" if self.copy.dialect == "sqlite" else f" ON {table}"
        self._execute(f"DROP INDEX {name}{on}")
        self.copy.connection.commit()

    def _build(self, candidate: Candidate) -> tuple[str, float, int]:
        connection = self.copy.connection
        ddl = create_index(candidate, lambda name: quoted(connection, name))
        before, started = self._size(candidate.table), time.perf_counter()
        self._execute(ddl)
        seconds = time.perf_counter() - started
        word = "ANALYZE" if self.copy.dialect == "sqlite" else "ANALYZE TABLE"
        self._execute(f"{word} {quoted(connection, candidate.table)}")
        connection.commit()
        return ddl, seconds, max(0, self._size(candidate.table) - before)

    def _size(self, table: str) -> int:
        connection = self.copy.connection
        if self.copy.dialect == "sqlite":
            pages, free, size = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int((pages - free) * size)
        found = connection.exec_driver_sql(
            "SELECT index_length FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
            (table,),
        ).scalar()
        return int(found or 0)

    def _execute(self, sql: str) -> None:
        result = self.copy.connection.exec_driver_sql(sql.replace("%", "%%") if self.copy.dialect != "sqlite" else sql)
        if result.returns_rows:
            result.all()

    def _explained(self, statement: Statement, values: Sequence[Any]) -> Plan:
        return explain(self.copy.connection, self.copy.dialect, statement, values)

    def _timed(self, statement: Statement, values: Sequence[Any]) -> float:
        """The median of several runs, after one that is not counted; changes are undone each time."""
        sql, parameters = bound(statement.sql, statement.positions, values, self.copy.dialect)
        with _bounded(self.copy):
            warm = self._run(statement, sql, parameters)
            if warm > PATIENCE * 10:
                return warm
            runs = max(3, min(MOST_RUNS, int(PATIENCE / max(warm, 1e-9))))
            return statistics.median(self._run(statement, sql, parameters) for _ in range(runs))

    def _run(self, statement: Statement, sql: str, parameters: tuple[Any, ...]) -> float:
        connection = self.copy.connection
        if statement.kind == "select":
            started = time.perf_counter()
            connection.exec_driver_sql(sql, parameters).fetchall()
            return time.perf_counter() - started
        change = connection.begin_nested()
        try:
            started = time.perf_counter()
            connection.exec_driver_sql(sql, parameters)
            return time.perf_counter() - started
        finally:
            change.rollback()


def create_index(candidate: Candidate, quote: Callable[[str], str]) -> str:
    """The DDL, with names quoted by ``quote``."""
    columns = ", ".join(quote(column) for column in candidate.columns)
    return f"CREATE INDEX {quote(candidate.name)} ON {quote(candidate.table)} ({columns})"


def alembic_line(candidate: Candidate) -> str:
    """The same for a migration."""
    return f"op.create_index({candidate.name!r}, {candidate.table!r}, {list(candidate.columns)!r})"


def _same(plans: Sequence[Plan], others: Sequence[Plan]) -> bool:
    """Whether the ways are the same; a server's estimate of rows differs after each ANALYZE."""
    return [_way(plan) for plan in plans] == [_way(plan) for plan in others]


def _way(plan: Plan) -> tuple[object, ...]:
    return (tuple(replace(step, rows=None) for step in plan.steps), plan.sorts)


def _touches(statement: Statement, table: str) -> bool:
    return any(source.table == table for source in statement.sources)


@contextmanager
def _bounded(copy: Copy) -> Iterator[None]:
    """Stop a statement of SQLite, which knows no time-out, after :data:`LIMIT` seconds; a server has its own."""
    raw: Any = copy.connection.connection.dbapi_connection
    if copy.dialect != "sqlite" or not isinstance(raw, sqlite3.Connection):
        yield
        return
    end = time.monotonic() + LIMIT
    raw.set_progress_handler(lambda: int(time.monotonic() > end), _SQLITE_STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)
