"""A transfer on a terminal: how far it is, what a plan found, and how a run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import MofNCompleteColumn, ProgressColumn, Task
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Column, Table
from rich.text import Text

from ..database.transfer.interface import Finding, Plan, Report
from ..database.transfer.planfile.differences import counted, place
from ..database.transfer.planfile.edits import blocking_first
from . import progress
from .words import plain

if TYPE_CHECKING:
    from ..database.transfer.copying.options import RunReport
    from ..database.transfer.reversing.reverse import ReverseReport
    from ..database.transfer.verifying.verify import VerifyReport

_STYLES = {"stop": "bold red", "decide": "yellow", "note": "cyan"}
_SHOWN = 3


class _Rate(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")


def bars() -> AbstractContextManager[Report]:
    """What long work reports to: a bar on standard error for each thing under way, with its rate and the time left."""
    return progress.bars(MofNCompleteColumn(), _Rate(), Remaining())


def stands(plan: Plan) -> int:
    """The exit status that says how a plan stands: 0 it can run, 3 something is to be decided, 4 rows cannot move."""
    kinds = {finding.severity for finding in plan.blocking}
    return 4 if "stop" in kinds else 3 if kinds else 0


def show_plan(console: Console, plan: Plan, out: Path, pages: Sequence[Path]) -> None:
    """What will move, what was found, and what to do now; names and texts come from a database."""
    rows = sum(table.rows for table in plan.tables)
    _say(console, f"{len(plan.tables):,} tables, {rows:,} rows, to {plan.server.kind} {plan.server.version}")
    if plan.findings:
        console.print(_findings(plan))
    if plan.objects:
        kinds = Counter(one.kind for one in plan.objects)
        _say(console, f"stays behind: {', '.join(f'{count} {kind}(s)' for kind, count in kinds.items())}")
    for path in (out, *pages):
        _say(console, f"written: {path}")
    _say(console, _NEXT[stands(plan)].format(out=out))


_NEXT = {
    0: "it can run: postrmagic db transfer run {out}",
    3: "decide what is marked so, with accept = true in {out} or by changing the source; then run it",
    4: "mend what stops it (the queries in {out} find the rows), then plan again with --replace",
}


def show_run(console: Console, report: RunReport, plan: Path, *, dry_run: bool) -> None:
    """What was moved, or the statements that would be run."""
    if dry_run:
        for statement in report.statements:
            console.print(Text("\n".join(plain(line).plain for line in f"{statement};".split("\n"))), soft_wrap=True)
    table = Table("table", Column("rows", justify="right"), Column("moved now", justify="right"), "seconds")
    for one in report.tables:
        table.add_row(plain(one.target), f"{one.rows:,}", f"{one.moved:,}", f"{one.seconds:.1f}")
    console.print(table)
    if dry_run:
        _say(console, "nothing was written; this is what would be")
        return
    rate = f", {report.moved / report.seconds:,.0f} rows/s" if report.seconds else ""
    _say(console, f"moved {report.moved:,} rows in {report.seconds:.1f} s{rate}{_RESUMED * report.resumed}")
    _say(console, f"now compare: postrmagic db transfer verify {plan}")


_RESUMED = ", after those of an earlier run"


def show_verified(console: Console, report: VerifyReport, source: str) -> None:
    """Whether the target is the same, and all that is told of what differs."""
    for table in report.tables:
        for one in table.differences:
            values = f": {one.source} in the source, {one.target} in the target" if one.kind == "changed" else ""
            column = f".{one.column}" if one.column else ""
            _say(console, f"{one.kind}: {one.table}{column}, row {one.key}{values}", "red")
        told = f"{counted(table.changed)} changed, {table.missing:,} missing, {table.surplus:,} surplus"
        if table.changed or table.missing or table.surplus:
            _say(console, f"{table.name}: {told}", "bold red")
        for failure in table.failures:
            rows = f" ({counted(failure.rows)})" if failure.rows else ""
            _say(console, f"{failure.kind} {failure.name} of {failure.table}: {failure.text}{rows}", "red")
    verdict, style = ("equal", "bold green") if report.equal else ("not equal", "bold red")
    compared = f"{report.rows:,} rows of {len(report.tables):,} tables in {report.seconds:.1f} s"
    _say(console, f"{verdict}: {compared}, compared with {source}", style)


def show_reversed(console: Console, report: ReverseReport) -> None:
    """What came back, and what is different there."""
    if report.plan.findings:
        console.print(_findings(report.plan))
    _say(console, f"written: {report.path}, {report.rows:,} rows of {len(report.plan.tables):,} tables")


def _findings(plan: Plan) -> Table:
    table = Table(Column("", no_wrap=True), Column("where", overflow="fold"), Column("rows", justify="right"), "what")
    for finding in blocking_first(plan.findings):
        told = Text(" ").join([plain(finding.text), *(_example(finding, at) for at in range(_examples(finding)))])
        kind = Text(finding.severity, _STYLES[finding.severity])
        table.add_row(
            Text("accepted", "dim") if finding.severity == "decide" and finding.accepted else kind,
            plain(place(finding)),
            f"{finding.rows:,}" if finding.rows else "",
            told,
        )
    return table


def _examples(finding: Finding) -> int:
    return min(_SHOWN, len(finding.examples))


def _example(finding: Finding, at: int) -> Text:
    one = finding.examples[at]
    return Text.assemble(("[row ", "dim"), plain(one.key), (": ", "dim"), plain(one.value), ("]", "dim"))


def _say(console: Console, line: str, style: str = "") -> None:
    console.print(plain(line), style=style, soft_wrap=True)
