"""Whether a plan may run as things are. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ....errors import PlanRefused
from ..interface import Plan, TablePlan
from ..server import ExistingColumn, ExistingTable
from .checkpoint import Mark


def chosen(plan: Plan, names: Sequence[str]) -> list[TablePlan]:
    """The tables of those names, or all without any; :class:`PlanRefused` names what the plan does not know."""
    known = {table.name for table in plan.tables}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise PlanRefused(f"the plan has no table {', '.join(unknown)}")
    return [table for table in plan.tables if not names or table.name in names]


def check_decided(plan: Plan) -> None:
    """Raise :class:`PlanRefused` where something of the plan is undecided or cannot be."""
    if plan.blocking:
        told = "\n".join(f"  {finding.id}: {finding.text}" for finding in plan.blocking)
        raise PlanRefused(f"{len(plan.blocking)} finding(s) stand in the way:\n{told}")


def check_schema(plan: Plan, digest: str, what: str) -> None:
    """Raise :class:`PlanRefused` where ``what`` has another schema than the plan was made for."""
    if digest != plan.schema:
        raise PlanRefused(f"the schema of {what} is not the one that was planned for: plan again")


def check_target(
    plan: Plan, tables: Sequence[TablePlan], existing: Mapping[str, ExistingTable], marks: Mapping[str, Mark]
) -> None:
    """Raise :class:`PlanRefused`, naming everything, where the target is not as the plan needs it.

    ``marks`` are of tables that this plan's transfer has already begun: what is in them is ours.
    """
    problems = [
        f"  {table.target}: {problem}"
        for table in tables
        for problem in (
            _losses(marks[table.target], existing.get(table.target))
            if table.target in marks
            else _problems(table, existing.get(table.target))
        )
    ]
    if problems:
        raise PlanRefused("the target is not as planned:\n" + "\n".join(problems))
    lacking = sorted(_lacking(plan, tables, existing, marks))
    if lacking:
        raise PlanRefused(f"foreign keys need these tables too: {', '.join(lacking)}")


def _losses(mark: Mark, there: ExistingTable | None) -> Iterator[str]:
    if mark.moved and (there is None or not there.filled):
        yield f"{mark.moved} rows were moved into it and are gone; drop pm_transfer too to begin anew"


def _problems(table: TablePlan, there: ExistingTable | None) -> Iterator[str]:
    if not table.existing:
        if there is not None:
            yield "a table of that name is there already; drop it, or plan again to move rows into it"
        return
    if there is None:
        yield f"the plan {'keeps its rows' if table.kept else 'moves rows into it'}, but it is not there"
        return
    if table.kept:
        if not there.filled:
            yield "the plan keeps its rows, but it has none: plan again"
        return
    if there.engine.lower() != "innodb":
        yield f"its engine is {there.engine}, which has no transactions"
    if there.filled:
        yield "it holds rows that are not of this transfer"
    if there.triggers:
        yield "a trigger would act on each row: drop it, and make it again afterwards"
    names = {column.name.lower() for column in there.columns}
    absent = [column.target for column in table.moved if column.target.lower() not in names]
    if absent:
        yield f"it has no column {', '.join(absent)}"
    given = {column.target.lower() for column in table.columns}
    # LOAD DATA would put a zero there without a word.
    needed = [column.name for column in there.columns if _needs_value(column) and column.name.lower() not in given]
    if needed:
        yield f"it wants a value for {', '.join(needed)}, which the source has not"


def _needs_value(column: ExistingColumn) -> bool:
    return not (column.nullable or column.auto_increment or column.generated or column.default is not None)


def _lacking(
    plan: Plan, tables: Sequence[TablePlan], existing: Mapping[str, ExistingTable], marks: Mapping[str, Mark]
) -> Iterator[str]:
    """The source's names of parents that are neither moved now nor in the target with their rows."""
    moving = {table.target for table in tables}
    planned = {table.target: table for table in plan.tables}
    parents = {key.parent for table in tables for key in table.foreign_keys} - moving
    for parent in parents:
        mark, there, plan_of = marks.get(parent), existing.get(parent), planned.get(parent)
        complete = mark.state != "rows" if mark is not None else there is not None and there.filled
        empty = there is not None and plan_of is not None and not plan_of.rows
        if not complete and not empty:
            yield plan_of.name if plan_of is not None else parent
