"""One run of the analysis: what is known, what is guessed from it, and what trying showed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ...errors import PostrMagicError
from . import advise
from .advise import Asked, Candidate
from .catalog import Table
from .interface import QueryStats
from .plans import Plan
from .report import Analysed, Report
from .rewrites import Rewrite, rewrites, spread, with_bound
from .values import distinct
from .verify import GAIN, Bench, Effect, Tried

# What is being done now, how many steps are done, and how many there are.
Progress = Callable[[str, int, int], None]

# OFFSETs that a patient reader, or a crawler, comes to.
_DEEP = 10_000


@dataclass
class Study:
    """One run's knowledge: the log's statements by fingerprint, those understood, and the tables."""

    dialect: str
    queries: Mapping[str, QueryStats]
    asked: Sequence[Asked]
    catalog: Mapping[str, Table]
    columns: Mapping[str, tuple[str, ...]]
    notes: dict[str, str]

    def guessed(self, found: Mapping[str, Plan | str]) -> Report:
        """Without a copy: plans of the original, and candidates nobody has tried."""
        plans = {print_: plan for print_, plan in found.items() if isinstance(plan, Plan)}
        self.notes |= {print_: why for print_, why in found.items() if isinstance(why, str)}
        return Report(
            self.dialect,
            verified=False,
            statements=tuple(
                Analysed(query, plans.get(print_), note=self.notes.get(print_, ""))
                for print_, query in self.queries.items()
            ),
            candidates=tuple(advise.candidates(self.asked, self.catalog, {})),
            rewrites=tuple(self._rewrites(plans)),
            remarks=tuple(self._remarks(plans.values())),
        )

    def tried(self, bench: Bench, progress: Progress) -> Report:
        """With a copy: each candidate built, measured and kept there if it helps."""
        for number, one in enumerate(self.asked):
            progress("measuring statements", number, len(self.asked))
            bench.begin(one)
        self.notes |= bench.failures
        runnable = [one for one in self.asked if one.fingerprint in bench.current]
        wanted = advise.candidates(runnable, self.catalog, self._distinct(bench.copy.connection))
        proposals: list[Tried] = []
        rejected: list[Tried] = []
        for number, candidate in enumerate(wanted):
            progress(f"trying {candidate.name}", number, len(wanted))
            if not any(_serves(done.candidate, candidate) for done in proposals):
                self._try(bench, candidate, proposals, rejected)
        plans = {print_: measure.plan for print_, measure in bench.first.items()}
        seen = [*plans.values(), *(measure.rare_plan for measure in bench.first.values())]
        return Report(
            self.dialect,
            verified=True,
            statements=tuple(
                Analysed(
                    query,
                    plans.get(print_),
                    bench.first.get(print_),
                    bench.current.get(print_),
                    self.notes.get(print_, ""),
                )
                for print_, query in self.queries.items()
            ),
            proposals=tuple(proposals),
            rejected=tuple(rejected),
            rewrites=(*self._rewrites(plans), *self._measured_rewrites(bench)),
            remarks=tuple(self._remarks(seen)),
        )

    def _try(self, bench: Bench, candidate: Candidate, proposals: list[Tried], rejected: list[Tried]) -> None:
        """The index, and beside it the covering one: that takes its place only if it is clearly better again."""
        tried = bench.trial(candidate, self.asked)
        if tried is None:
            return
        wide = bench.trial(candidate.widened(), self.asked) if candidate.covering else None
        if wide is not None and wide.accepted:
            if tried.accepted:
                bench.drop(candidate)
                first = {effect.fingerprint: effect.before for effect in tried.effects}
                effects = (Effect(one.fingerprint, first[one.fingerprint], one.after) for one in wide.effects)
                wide = replace(wide, effects=tuple(effects))
            proposals.append(wide)
        else:
            (proposals if tried.accepted else rejected).append(tried)

    def _distinct(self, connection: Connection) -> dict[tuple[str, str], int]:
        """Counted only where it decides: columns that some statement wants equal together with others."""
        wanted: dict[str, dict[str, None]] = {}
        for one in self.asked:
            for source in one.statement.sources:
                table = self.catalog.get(source.table)
                if table is not None and len(source.equal) > 1:
                    known = {name: None for name in source.equal if name in table.columns}
                    wanted.setdefault(table.name, {}).update(known)
        return {
            (table, column): count
            for table, columns in wanted.items()
            for column, count in distinct(connection, table, list(columns)).items()
        }

    def _rewrites(self, plans: Mapping[str, Plan]) -> Iterator[Rewrite]:
        for one in self.asked:
            yield from rewrites(self.queries[one.fingerprint], one, self.catalog, plans.get(one.fingerprint))

    def _measured_rewrites(self, bench: Bench) -> Iterator[Rewrite]:
        for one in self.asked:
            if one.fingerprint not in bench.current:
                continue
            try:
                found = [self._bounded(bench, one), self._deep(bench, one)]
            except PostrMagicError:
                continue
            yield from (rewrite for rewrite in found if rewrite is not None)

    def _bounded(self, bench: Bench, one: Asked) -> Rewrite | None:
        better = with_bound(one.statement, self.dialect, self.columns) if one.statement.keyset else None
        if better is None:
            return None
        known, found = bench.current[one.fingerprint], bench.rewritten(one, *better)
        before, after = known.frequent, found.frequent
        if before / after < GAIN or known.plan.lines == found.plan.lines:
            return None
        reason = (
            "the place in the order is an OR, which no index can go to: the rows before it are read and thrown away"
        )
        return Rewrite("keyset", one.fingerprint, reason, better[0].sql, (before, after))

    def _deep(self, bench: Bench, one: Asked) -> Rewrite | None:
        if "offset" not in one.statement.traits or not spread(self.queries[one.fingerprint]):
            return None
        first, deep = bench.current[one.fingerprint].frequent, bench.at_offset(one, _DEEP)
        if deep / first < GAIN:
            return None
        reason = (
            "its times in the log differ widely, as with pages far back: "
            f"OFFSET {_DEEP:,} reads and throws away as many rows"
        )
        instead = "keyset: WHERE a <= ? AND (a < ? OR id < ?) ORDER BY a DESC, id DESC, with the last row seen"
        return Rewrite("offset", one.fingerprint, reason, instead, (deep, first))

    def _remarks(self, plans: Iterable[Plan]) -> Iterator[str]:
        for name, index, longer in advise.duplicates(self.catalog):
            yield f"{name}.{index} is needless: {longer} begins with the same columns"
        used = [step.index for plan in plans for step in plan.steps]
        for name, index in advise.unused(self.catalog, used):
            yield f"{name}.{index} is used by none of the {len(self.asked)} statements looked at"
        for table in self.catalog.values():
            if table.rows < advise.FEWEST_ROWS:
                yield f"{table.name} has {table.rows} rows: too few to measure anything on it"


def _serves(there: Candidate, wanted: Candidate) -> bool:
    """Whether an accepted index begins with the columns of another candidate."""
    return there.table == wanted.table and there.columns[: len(wanted.columns)] == wanted.columns
