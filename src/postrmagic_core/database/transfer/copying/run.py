"""A plan carried out: from one snapshot, in batches that outlast any interruption, until everything is there."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import PlanRefused
from ..interface import Plan, Report, Server, TablePlan, unreported
from ..server import Target, open_target
from ..source.catalogue import read_source
from ..source.sourcefile import source_file
from . import admission, checkpoint, ddl, stages
from .checkpoint import Progress
from .holding import Hold, Patience, Throttle
from .options import RunOptions, RunReport, TableRun
from .snapshot import make_snapshot, opened, path_of

if TYPE_CHECKING:
    from ..session import Session


def run(
    plan: Plan,
    target: str,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen value object
    report: Report = unreported,
) -> RunReport:
    """Move what ``plan`` says into the database at the URL ``target``, or go on where an earlier run ended.

    ``report`` is called from several threads, one at a time. Raises :class:`PlanRefused` where the plan cannot run as
    things are, :class:`RowRefused` naming the first row that does not fit, :class:`OutOfSpace`, and
    :class:`BackendUnavailable` where the server stays away. Whatever it raises, it can be run again.
    """
    admission.check_decided(plan)
    tables = ddl.parents_first(admission.chosen(plan, options.tables))
    database = open_target(target)
    _check_source(plan)
    if options.dry_run:
        with closing(database.connect()) as session:
            return _rehearsed(plan, tables, database, session)
    with Hold(database, options.patience) as hold:
        return _Run(plan, tables, database, options, hold, report).carry_out()


def finish(plan: Plan, target: str, options: RunOptions = RunOptions()) -> None:  # noqa: B008 - frozen value object
    """Remove what a transfer kept for its continuation and its check: the checkpoints and the snapshot."""
    database = open_target(target)
    with Hold(database, options.patience), closing(database.connect()) as session:
        path = snapshot_of(plan, session, options)
        checkpoint.forget(session, plan)
        if path is not None:
            path.unlink(missing_ok=True)


def snapshot_of(plan: Plan, session: Session, options: RunOptions = RunOptions()) -> Path | None:  # noqa: B008 - frozen
    """Where the snapshot is that the rows in the target are from; ``None`` where no transfer of ``plan`` has begun."""
    progress = checkpoint.read_progress(session, plan)
    return None if progress is None else path_of(options.snapshots(plan.source), plan.source, progress.snapshot)


class _Run:
    """One call of :func:`run`, with the target held."""

    def __init__(
        self, plan: Plan, tables: list[TablePlan], target: Target, options: RunOptions, hold: Hold, report: Report
    ) -> None:
        self._plan, self._tables, self._target, self._options, self._hold = plan, tables, target, options, hold
        self._report = report
        self._lock = threading.Lock()

    def carry_out(self) -> RunReport:
        began = time.monotonic()
        found = self._hold.persist(self._admitted)
        resumed = found is not None and bool(found.marks)
        snapshot = self._snapshot(found)
        self._hold.persist(lambda session: checkpoint.enter(session, self._plan, self._tables))
        move = stages.Move(
            checkpoint.transfer_id(self._plan),
            self._target.server,
            snapshot,
            self._target.local_infile,
            self._options,
            Throttle(self._options.rows_per_second, self._hold.stopped),
            self._hold.stopped.is_set,
            self._moved,
        )
        reports = self._move_all(move)
        for table in self._tables:
            self._hold.persist(partial(stages.relate, move=move, table=table))
        self._hold.persist(self._close)
        return RunReport(move.transfer, tuple(reports), time.monotonic() - began, resumed, snapshot)

    def _admitted(self, session: Session) -> Progress | None:
        progress = checkpoint.read_progress(session, self._plan)
        marks = progress.marks if progress is not None else {}
        admission.check_target(self._plan, self._tables, self._target.existing(), marks)
        return progress

    def _snapshot(self, progress: Progress | None) -> Path:
        """The snapshot that was begun with, or a new one where nothing was moved yet."""
        name = progress.snapshot if progress is not None else secrets.token_hex(8)
        path = path_of(self._options.snapshots(self._plan.source), self._plan.source, name)
        if progress is None:
            # Noted first: whatever ends this process, the next one knows of the file.
            self._hold.persist(lambda session: checkpoint.begin(session, self._plan, name))
        if not path.exists():
            if progress is not None and progress.marks:
                raise PlanRefused(
                    f"the snapshot {path}, from which rows are in the target already, is gone: name its directory, "
                    "or drop the target's tables and pm_transfer to begin anew"
                )
            make_snapshot(self._plan.source, path, self._told)
        with opened(path) as source:
            admission.check_schema(self._plan, read_source(source).digest, "the snapshot")
        return path

    def _move_all(self, move: stages.Move) -> list[TableRun]:
        with ThreadPoolExecutor(self._options.workers, thread_name_prefix="transfer") as workers:
            moving: list[Future[TableRun]] = []
            try:  # around the beginning, too: the workers are waited for whatever interrupts it
                for table in self._tables:
                    moving.append(workers.submit(self._move, move, table))
                for done in as_completed(moving):
                    done.result()
            except BaseException:
                self._hold.stop()
                for waiting in moving:
                    waiting.cancel()
                raise
        return [done.result() for done in moving]

    def _move(self, shared: stages.Move, table: TablePlan) -> TableRun:
        began = time.monotonic()
        found: list[int] = []
        patience = Patience(self._options.patience)

        def move(session: Session) -> int:
            mark = checkpoint.mark_of(session, shared.transfer, table.target)
            if found and mark.moved > found[-1]:
                patience.progressed()
            found.append(mark.moved)
            stages.create(session, shared, table)
            if mark.state == "rows" and table.kept:
                mark = stages.keep(session, shared, mark)
            if mark.state == "rows":
                mark = stages.copy_rows(session, shared, table, mark, patience)
            if mark.state == "loaded":
                self._told(f"indexes of {table.name}", 0, None)
                stages.complete(session, table)
            return mark.moved

        rows = self._hold.persist(move, patience)
        there = table.rows if table.kept else rows
        return TableRun(table.name, table.target, there, rows - found[0], time.monotonic() - began)

    def _close(self, session: Session) -> None:
        """The transfer is done when all its tables are, whichever run moved them."""
        progress = checkpoint.read_progress(session, self._plan)
        done = (
            {mark.table for mark in progress.marks.values() if mark.state == "done"} if progress is not None else set()
        )
        if done >= {table.target for table in self._plan.tables}:
            checkpoint.settle(session, checkpoint.transfer_id(self._plan), "", "done")

    def _moved(self, table: TablePlan, rows: int) -> None:
        self._told(table.name, rows, max(rows, table.rows))

    def _told(self, what: str, done: int, total: int | None) -> None:
        with self._lock:
            self._report(what, done, total)


def _check_source(plan: Plan) -> None:
    with source_file(Path(plan.source)) as source:
        admission.check_schema(plan, read_source(source).digest, "the source")


def _rehearsed(plan: Plan, tables: list[TablePlan], target: Target, session: Session) -> RunReport:
    progress = checkpoint.read_progress(session, plan)
    marks = progress.marks if progress is not None else {}
    admission.check_target(plan, tables, target.existing(), marks)
    statements = tuple(_statements(tables, target.server, bulk=target.local_infile))
    told = tuple(TableRun(table.name, table.target, table.rows) for table in tables)
    return RunReport(checkpoint.transfer_id(plan), told, resumed=bool(marks), statements=statements)


def _statements(tables: list[TablePlan], server: Server, *, bulk: bool) -> Iterator[str]:
    from ..session import FILE

    for table in tables:
        if not table.existing:
            yield ddl.create_table(table, server)
        if not table.kept:
            yield ddl.load_data(table, FILE) if bulk else f"{ddl.insert(table)}…"
        later = () if table.existing else (ddl.add_indexes(table), ddl.add_checks(table))
        yield from filter(None, (*later, ddl.set_auto_increment(table)))
    for table in tables:
        if not table.existing:
            yield from filter(None, (ddl.add_foreign_keys(table),))
