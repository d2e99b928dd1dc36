"""Whether the target holds what the source does: every row by hashes, and by its values where these differ."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ....errors import PlanRefused
from ..copying.batches import Batch, Reading
from ..copying.snapshot import opened
from ..interface import Key, Plan, Report, TablePlan, unreported
from ..server import open_target
from ..source.catalogue import read_source
from ..source.sourcefile import source_file
from .differing import Difference, compare
from .digest import Digest, Hashed
from .integrity import Failure, broken, lacking
from .unkeyed import compare_unkeyed

if TYPE_CHECKING:
    from ..session import Session

# Of a table, told one by one; all are counted.
TOLD = 100
_ROWS, _SIZE = 2000, 1_000_000
# Ranges the server is asked for before the first answer is waited for.
_AHEAD = 3


@dataclass(frozen=True, slots=True)
class TableVerdict:
    """One table: how many rows each side has and what they hash to, and everything that is not as it should be.

    ``changed``, ``missing`` and ``surplus`` count rows; of the differences in them the first :data:`TOLD` are told.
    """

    name: str
    target: str
    source_rows: int
    target_rows: int
    source_hash: str
    target_hash: str
    changed: int = 0
    missing: int = 0
    surplus: int = 0
    differences: tuple[Difference, ...] = ()
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether all rows are the same on both sides, and all promises kept."""
        return not (self.changed or self.missing or self.surplus or self.failures)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was compared, when (UTC, ISO 8601) and with what result.

    ``plan`` and ``schema`` are digests: of the plan as it was followed, and of the source's schema.
    """

    began: str
    seconds: float
    source: str
    target: str
    server: str
    plan: str
    schema: str
    tables: tuple[TableVerdict, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return all(table.equal for table in self.tables)

    @property
    def rows(self) -> int:
        """Of the source, in all tables."""
        return sum(table.source_rows for table in self.tables)


def verify(plan: Plan, target: str, snapshot: Path | None = None, report: Report = unreported) -> VerifyReport:
    """Compare the source, or a ``snapshot`` of it, with the database at the URL ``target``, each as of one moment.

    Without a snapshot the source is read within one transaction: others read it meanwhile, and write in WAL mode.
    Raises :class:`PlanRefused` where there is no source, or its schema is not the plan's.
    """
    began, start = datetime.now(UTC), monotonic()
    with _source(plan, snapshot) as connection, closing(open_target(target).connect()) as session:
        _begin(session, plan)
        tables = tuple(_Comparing(plan, table, connection, session, report).run() for table in plan.tables)
    return VerifyReport(
        began.isoformat(timespec="seconds"),
        round(monotonic() - start, 3),
        plan.source,
        plan.target,
        f"{plan.server.kind} {plan.server.version}",
        plan_digest(plan),
        plan.schema,
        tables,
    )


def plan_digest(plan: Plan) -> str:
    """SHA-256 of everything a plan says, in hexadecimal."""
    return hashlib.sha256(json.dumps(asdict(plan), sort_keys=True).encode()).hexdigest()


class _Comparing:
    """One table: the server hashes a range of it while the source's next rows are read and hashed here."""

    def __init__(
        self, plan: Plan, table: TablePlan, connection: sqlite3.Connection, session: Session, report: Report
    ) -> None:
        self._plan, self._table = plan, table
        self._connection, self._session, self._report = connection, session, report
        # What either side computes must be the same too; a part of an index is no column of the source.
        columns = tuple(column for column in table.columns if not (column.generated and column.hidden))
        self._hashed = Hashed(table, columns, plan.server)
        self._reading = Reading(replace(table, columns=tuple(replace(column, generated="") for column in columns)))
        self._differing: list[tuple[Key | None, Key | None]] = []
        self._here = self._there = Digest()

    def run(self) -> TableVerdict:
        """Compare it; what it lacks altogether is told without looking at rows."""
        start = monotonic()
        failures = lacking(self._session, self._table)
        told: list[Difference] = []
        rows = {"changed": 0, "missing": 0, "surplus": 0}
        if not failures:
            self._hash()
            for differences in self._differences():
                rows[differences[0].kind] += 1
                told += differences[: TOLD - len(told)]
            failures = broken(self._session, self._plan, self._table)
        return TableVerdict(
            self._table.name,
            self._table.target,
            self._here.rows,
            self._there.rows,
            str(self._here),
            str(self._there),
            rows["changed"],
            rows["missing"],
            rows["surplus"],
            tuple(told),
            tuple(failures),
            round(monotonic() - start, 3),
        )

    def _hash(self) -> None:
        asked: deque[tuple[Key | None, Key | None, Digest, Future[Digest]]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="transfer-verifier") as server:
            try:
                for after, up_to, digest in self._ranges():
                    asked.append((after, up_to, digest, server.submit(self._ask, after, up_to)))
                    if len(asked) > _AHEAD:
                        self._settle(*asked.popleft())
                while asked:
                    self._settle(*asked.popleft())
            except BaseException:
                server.shutdown(wait=False, cancel_futures=True)
                raise

    def _ranges(self) -> Iterator[tuple[Key | None, Key | None, Digest]]:
        """Every range of keys up to a batch's last, and what lies beyond the last of all; one of all without a key."""
        if not self._table.key:
            yield None, None, sum((self._hashed.digest(batch.columns) for batch in self._batches()), Digest())
            return
        after: Key | None = None
        for batch in self._batches():
            up_to = batch.key(-1)
            yield after, up_to, self._hashed.digest(batch.columns)
            after = up_to
        yield after, None, Digest()

    def _ask(self, after: Key | None, up_to: Key | None) -> Digest:
        ((rows, first, second),) = self._session.rows(*self._hashed.digest_query(after, up_to))
        return Digest() + Digest(int(rows), int(first), int(second))

    def _settle(self, after: Key | None, up_to: Key | None, here: Digest, answer: Future[Digest]) -> None:
        there = answer.result()
        if there != here:
            self._differing.append((after, up_to))
        self._here, self._there = self._here + here, self._there + there
        self._report(f"verify {self._table.name}", self._here.rows, self._table.rows)

    def _differences(self) -> Iterator[list[Difference]]:
        for after, up_to in self._differing:
            if not self._table.key:
                yield from compare_unkeyed(self._hashed, self._batches, self._stored)
                continue
            batch = None
            if up_to is not None:
                with closing(self._batches(after, up_to)) as again:
                    batch = next(again)
            yield from compare(self._hashed, batch, self._stored(after, up_to))

    def _batches(self, after: Key | None = None, up_to: Key | None = None) -> Generator[Batch, None, None]:
        return self._reading.batches(self._connection, after=after, up_to=up_to, rows=_ROWS, size=_SIZE)

    def _stored(self, after: Key | None = None, up_to: Key | None = None) -> Iterator[tuple[Any, ...]]:
        return self._session.stream(*self._hashed.rows_query(after, up_to))


def _begin(session: Session, plan: Plan) -> None:
    """One moment of the target, whatever others write."""
    session.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if plan.server.kind == "mysql":
        session.execute("SET SESSION information_schema_stats_expiry = 0")
    session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


@contextmanager
def _source(plan: Plan, snapshot: Path | None) -> Iterator[sqlite3.Connection]:
    place = Path(plan.source) if snapshot is None else snapshot
    if not place.is_file():
        raise PlanRefused(f"there is no file {place}")
    with source_file(place) if snapshot is None else opened(place) as connection:
        if read_source(connection).digest != plan.schema:
            raise PlanRefused("the source's schema was altered since the plan was made: make a new one")
        yield connection
