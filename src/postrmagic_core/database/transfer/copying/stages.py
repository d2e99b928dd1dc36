"""What is done to one table, in stages. Each finds out what is done already, so that it can be begun again anywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import Conflict, IntegrityViolation, RowRefused, UniqueViolation
from ..interface import CheckPlan, Key, Server, TablePlan
from . import checkpoint, ddl
from .batches import PIECE, Reading, ahead, key_as_sql
from .checkpoint import Mark
from .holding import Patience, Throttle
from .load import Loader, Prepared
from .options import RunOptions
from .snapshot import opened

if TYPE_CHECKING:
    from ..session import Session

_INDEXES = (
    "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s"
)
_CONSTRAINTS = """
SELECT constraint_name FROM information_schema.table_constraints
WHERE constraint_schema = DATABASE() AND table_name = %s AND constraint_type = %s
"""


@dataclass(frozen=True, slots=True)
class Move:
    """What the tables of a run have in common."""

    transfer: str
    server: Server
    snapshot: Path
    bulk: bool
    options: RunOptions
    throttle: Throttle
    stopping: Callable[[], bool]
    # Told of each batch: the table, and how many of its rows are there.
    told: Callable[[TablePlan, int], None]


def create(session: Session, move: Move, table: TablePlan) -> None:
    """Make the table, unless it is there."""
    if not table.existing:
        session.define(ddl.create_table(table, move.server))


def copy_rows(session: Session, move: Move, table: TablePlan, mark: Mark, patience: Patience) -> Mark:
    """Move all rows beyond ``mark``, batch after batch, each with its checkpoint in one transaction; the last mark."""
    if table.existing:
        # Its foreign keys may name tables whose rows come later; they are looked at when all are there.
        session.execute("SET SESSION foreign_key_checks=0")
    loader = Loader(table, bulk=move.bulk, packet=move.server.max_allowed_packet)
    reading = Reading(table)
    with (
        opened(move.snapshot) as source,
        closing(ahead(_prepared(source, move.options, loader, reading, mark.key))) as coming,
    ):
        for prepared in coming:
            if move.stopping():
                raise Conflict("the run is being stopped")
            mark = _store(session, move, mark, loader, reading, prepared)
            patience.progressed()
            move.told(table, mark.moved)
            move.throttle.wait(prepared.rows)
    session.execute("SET SESSION foreign_key_checks=1")
    checkpoint.settle(session, move.transfer, table.target, "loaded")
    return replace(mark, state="loaded")


def keep(session: Session, move: Move, mark: Mark) -> Mark:
    """Note that nothing is to be moved; the mark after it."""
    checkpoint.settle(session, move.transfer, mark.table, "loaded")
    return replace(mark, state="loaded")


def complete(session: Session, table: TablePlan) -> None:
    """Add what was left for later: indexes, CHECKs, the next id. The server looks at every row."""
    if not table.existing:
        _add_indexes(session, table)
        _add_checks(session, table)
    numbering = ddl.set_auto_increment(table)
    if numbering:
        session.define(numbering)


def relate(session: Session, move: Move, table: TablePlan) -> None:
    """Add the foreign keys, or look whether each row of a table that has them already finds its parent; it is done."""
    if table.existing:
        _check_parents(session, table)
    else:
        statement = ddl.add_foreign_keys(table, _constraints(session, table, "FOREIGN KEY"))
        if statement:
            try:
                session.define(statement)
            except IntegrityViolation:
                _check_parents(session, table)
                raise
    checkpoint.settle(session, move.transfer, table.target, "done")


def _prepared(
    source: sqlite3.Connection, options: RunOptions, loader: Loader, reading: Reading, after: Key | None
) -> Generator[Prepared, None, None]:
    with closing(reading.batches(source, after=after, rows=min(PIECE, options.batch_rows))) as pieces:
        yield from loader.prepared(pieces, rows=options.batch_rows, size=options.batch_bytes)


def _store(session: Session, move: Move, mark: Mark, loader: Loader, reading: Reading, prepared: Prepared) -> Mark:
    """Both, the rows and how far they reach, or neither."""
    # The checkpoint first: whoever else believes to be at this place waits for its row, and then has lost.
    after = checkpoint.advance(session, move.transfer, mark, prepared.last, prepared.rows)
    if not loader.write(session, prepared):
        session.rollback()
        checkpoint.advance(session, move.transfer, mark, prepared.last, prepared.rows)
        with opened(move.snapshot) as source:
            again = reading.batches(source, after=mark.key, up_to=prepared.last)
            loader.write_each(session, again)
    session.commit()
    return after


def _add_indexes(session: Session, table: TablePlan) -> None:
    present = [name for (name,) in session.rows(_INDEXES, [table.target])]
    statement = ddl.add_indexes(table, present)
    if not statement:
        return
    try:
        session.define(statement)
    except UniqueViolation as error:
        name = error.constraint or "an index"
        columns = [part.column for index in table.indexes if index.target == name for part in index.parts]
        raise UniqueViolation(
            f"{table.name}: two rows are the same to the unique index {name} ({', '.join(columns)})",
            constraint=error.constraint,
            table=table.name,
            columns=columns,
        ) from error
    except IntegrityViolation as error:
        computed = ", ".join(column.target for column in table.columns if column.generated)
        raise IntegrityViolation(
            f"{table.name}: what is computed for an index or a column ({computed}) has no value in some row: {error}; "
            "take it out of the plan"
        ) from error


def _add_checks(session: Session, table: TablePlan) -> None:
    present = _constraints(session, table, "CHECK")
    statement = ddl.add_checks(table, present)
    if not statement:
        return
    try:
        session.define(statement)
    except IntegrityViolation:
        for check in table.checks:
            for row in _offender(session, table, check):
                raise RowRefused(f"CHECK ({check.source}) refuses it", table=table.name, key=key_as_sql(row)) from None
        raise


def _offender(session: Session, table: TablePlan, check: CheckPlan) -> tuple[tuple[Any, ...], ...]:
    try:
        return session.rows(ddl.offender(table, check))
    except IntegrityViolation as error:
        raise IntegrityViolation(
            f"{table.name}: CHECK ({check.source}) cannot be computed in some row: {error}; take it out of the plan"
        ) from error


def _check_parents(session: Session, table: TablePlan) -> None:
    for key in table.foreign_keys:
        for row in session.rows(ddl.orphan(table, key)):
            raise RowRefused(
                f"there is no such row in {key.parent}",
                table=table.name,
                key=key_as_sql(row),
                column=", ".join(key.columns),
            )


def _constraints(session: Session, table: TablePlan, kind: str) -> list[str]:
    return [name for (name,) in session.rows(_CONSTRAINTS, [table.target, kind])]
