"""The catalogue: what a revision may do beside the release that runs, and what it may not, with the reason.

The table in ``docs/explanation/expand-and-contract.md`` is written from it. The pattern is Fowler's *Parallel Change*
(martinfowler.com/bliki/ParallelChange.html), that of Ambler and Sadalage, *Refactoring Databases* (2006), transition
periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["breaks", "untold", "note"]
"""``breaks`` and ``untold`` are refused unless the line gives a reason; a ``note`` is only said."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``what`` it is about, ``why`` the running release suffers, and what to do ``instead``.

    ``lost`` says what a downgrade does not bring back; empty when it brings back all.
    """

    name: str
    verdict: Verdict
    what: str
    why: str
    instead: str
    lost: str = ""


_RULES = (
    Rule(
        "drop-table",
        "breaks",
        "a table is dropped",
        "the running release still reads and writes it",
        "release code that does not use it, then drop it in the release after",
        "a downgrade makes the table again, empty",
    ),
    Rule(
        "drop-column",
        "breaks",
        "a column is dropped",
        "the running release names it in its SELECTs and INSERTs",
        "release code that does not name it (make it nullable or defaulted first), then drop it in the release after",
        "a downgrade makes the column again, without its values",
    ),
    Rule(
        "rename-table",
        "breaks",
        "a table is renamed",
        "the running release knows it by its old name",
        "make a table of the new name, write to both, copy the rows, and drop the old one a release later",
    ),
    Rule(
        "rename-column",
        "breaks",
        "a column is renamed",
        "the running release knows it by its old name",
        "add a column of the new name, write to both, copy the values, and drop the old one a release later",
    ),
    Rule(
        "add-not-null",
        "breaks",
        "a NOT NULL column without a server default is added to a table",
        "the running release's INSERTs do not give it a value and are refused",
        "add it nullable or with a server_default (the database does not see default=); make it strict a release later",
    ),
    Rule(
        "set-not-null",
        "breaks",
        "a nullable column becomes NOT NULL",
        "the running release may still write NULL",
        "release code that always writes a value, fill the empty ones, and make it NOT NULL in the release after",
    ),
    Rule(
        "set-nullable",
        "note",
        "a NOT NULL column becomes nullable",
        "the running release does not expect the NULLs that the next one may write",
        "let the next release write no NULL until the running one is gone",
        "a downgrade fails on the rows that hold NULL by then",
    ),
    Rule(
        "change-type",
        "breaks",
        "a column's type is narrowed, or changed for another",
        "what the running release writes may not fit, and what it reads may be another value",
        "add a column of the new type, write to both, copy the values, and drop the old one a release later",
        "a downgrade does not bring back what the narrower type cut off",
    ),
    Rule(
        "unknown-type",
        "untold",
        "a column's type is changed, and the old one is not told",
        "nobody can tell whether what the running release writes still fits",
        "give existing_type=, or the reason on the line",
    ),
    Rule(
        "widen-type",
        "note",
        "a column's type is widened",
        "the running release may read values longer or greater than it has ever written",
        "nothing, where it can show and compute them",
        "a downgrade fails on, or cuts off, what only fits the wider type",
    ),
    Rule(
        "change-default",
        "breaks",
        "a server default is dropped or changed",
        "the running release's INSERTs that leave the column out fail, or write another value than before",
        "write the value in code for a release, then change the default; say existing_server_default=None if there was "
        "none",
    ),
    Rule(
        "add-unique",
        "breaks",
        "a UNIQUE constraint or index comes to a table",
        "the running release may write rows that are now refused as doubles",
        "release code that writes no doubles, clear those that are there, and add it in the release after; or put a "
        "new nullable column without a default into it",
    ),
    Rule(
        "add-foreign-key",
        "breaks",
        "a FOREIGN KEY comes to columns that are there",
        "the running release may write a row before the one it refers to, or delete the one referred to",
        "release code that keeps the order, clear what dangles, and add the key in the release after",
    ),
    Rule(
        "refers-to",
        "note",
        "a new table or column refers to a table that is there, and its rows hold on to that one's",
        "the running release's DELETEs of rows that the next release's rows refer to are refused",
        'ondelete="CASCADE" or "SET NULL" where that is right; else let no running release delete such rows',
    ),
    Rule(
        "add-check",
        "breaks",
        "a CHECK comes to a table",
        "the running release may write rows that are now refused",
        "release code that keeps the rule, mend the rows, and add it in the release after",
    ),
    Rule(
        "change-primary-key",
        "breaks",
        "a primary key is added, dropped or changed",
        "the running release finds, updates and upserts rows by it",
        "make a table with the new key, write to both, copy the rows, and drop the old one a release later",
    ),
    Rule(
        "drop-unique",
        "breaks",
        "a UNIQUE constraint or index is dropped",
        "the running release's upserts name it (SQLite refuses them) or rely on it (MySQL then writes doubles)",
        "release code that does not rely on it, then drop it in the release after",
        "a downgrade fails when doubles were written meanwhile",
    ),
    Rule(
        "drop-constraint",
        "breaks",
        "a FOREIGN KEY, a CHECK or a constraint of unknown kind is dropped",
        "the running release relies on it to refuse, or to delete what belongs to a row",
        "release code that does so itself, then drop it in the release after",
        "a downgrade fails when rows that break it were written meanwhile",
    ),
    Rule(
        "drop-index",
        "note",
        "an index is dropped that is not unique",
        "the running release's queries become slow, not wrong",
        "drop it when no release that runs needs it",
    ),
    Rule(
        "drop-fulltext",
        "breaks",
        "a FULLTEXT or SPATIAL index is dropped",
        "the running release's MATCH … AGAINST is refused without it",
        "drop it in the release after the one that does not search by it",
    ),
    Rule(
        "unknown-index",
        "untold",
        "an index is dropped that no earlier revision made",
        "it may be unique, and the running release's upserts rely on it",
        "give the reason on the line if it is not unique",
    ),
    Rule(
        "write-rows",
        "note",
        "rows that are there are updated",
        "the running release writes the old form afterwards, and sees the new one",
        "let the next release read both forms, and repeat the update when the running one is gone",
        "a downgrade does not bring the old values back",
    ),
    Rule(
        "delete-rows",
        "note",
        "rows are deleted",
        "the running release may need them, and may write them again",
        "delete in the release after the one that stops using them",
        "a downgrade does not bring the rows back",
    ),
    Rule(
        "trigger",
        "untold",
        "a trigger is made on a table that is there",
        "it runs at each write of the running release, and what it does is not read",
        "say on the line what it does for the running release",
    ),
    Rule(
        "drop-trigger",
        "breaks",
        "a trigger is dropped",
        "the running release relies on what it does",
        "drop it in the release after the one that does without",
    ),
    Rule(
        "drop-view",
        "breaks",
        "a view is dropped or replaced",
        "the running release reads it as it was",
        "make a view of another name, and drop the old one a release later",
    ),
    Rule(
        "copies-table",
        "note",
        "the server makes the whole table anew",
        "writers wait until it is done: long, where the table is large",
        "measure on a copy; on MySQL see its ALGORITHM and LOCK, or an online tool",
    ),
    Rule(
        "restates-column",
        "note",
        "MySQL gives the column anew, and the revision does not say all that it was",
        "MODIFY without existing_nullable= or existing_server_default= makes it nullable, or drops its default",
        "give existing_type=, existing_nullable= and existing_server_default=",
    ),
    Rule(
        "makes-anew",
        "untold",
        "a batch describes the table itself",
        "copy_from=, reflect_args= or table_args= may leave out or add what the running release relies on",
        "give the reason on the line",
    ),
    Rule(
        "reads-database",
        "untold",
        "what the revision does depends on what it finds",
        "nothing is read while it is judged, so it may do something else",
        "say on the line what it does in every case",
    ),
    Rule(
        "asks-offline",
        "untold",
        "the revision asks whether its SQL is only written down",
        "it may do something else when it runs",
        "say on the line what it does when it runs",
    ),
    Rule(
        "reaches-out",
        "untold",
        "the revision does something besides Alembic's operations",
        "it connects, starts a process or changes a file by itself; while it is judged that is stopped",
        "do it outside of revisions, or say on the line why the running release can live with it",
    ),
    Rule(
        "unread-sql",
        "untold",
        "SQL that is not understood here",
        "nobody can tell what it does to the running release",
        "use Alembic's operation for it, or say on the line why the running release can live with it",
    ),
    Rule(
        "unknown-operation",
        "untold",
        "an operation that is not Alembic's own",
        "nobody can tell what it does to the running release",
        "say on the line why the running release can live with it",
    ),
    Rule(
        "stopped",
        "untold",
        "the revision cannot be run through without a database",
        "what comes after this line is not judged",
        'write compatible = "why the running release can live with it" into the revision, beside its down_revision',
    ),
    Rule(
        "no-reason",
        "breaks",
        "a reason is announced and not given",
        "nobody who reads it later knows why it was let through",
        "write the reason after the colon, or remove the word",
    ),
)

RULES = {rule.name: rule for rule in _RULES}


@dataclass(frozen=True, slots=True)
class Finding:
    """A case of a rule: ``what`` in the words of the revision, at ``line`` of ``file``, on these ``dialects``.

    ``reason`` is what the revision says for itself; ``None`` when it says nothing.
    """

    revision: str
    file: str
    line: int
    rule: Rule
    what: str
    dialects: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the revision must not run beside the release that runs."""
        return self.rule.verdict != "note" and not self.reason


def table() -> str:
    """The catalogue as a table in Markdown."""
    verdicts = {"breaks": "refused", "untold": "refused: not told", "note": "noted"}
    lines = ["| rule | what | | why | instead |", "|---|---|---|---|---|"]
    for rule in _RULES:
        why = f"{rule.why}; {rule.lost}" if rule.lost else rule.why
        lines.append(f"| `{rule.name}` | {rule.what} | {verdicts[rule.verdict]} | {why} | {rule.instead} |")
    return "\n".join(lines) + "\n"
