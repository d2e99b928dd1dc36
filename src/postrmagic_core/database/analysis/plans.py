"""What EXPLAIN answered, in one form for every database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Access: TypeAlias = Literal["scan", "index scan", "search", "other"]
_TEMPORARY = "temporary table"
_ACCESS: dict[str, Access] = {"": "other", "ALL": "scan", "index": "index scan"}
_STEP = re.compile(r"(SCAN|SEARCH) (?:TABLE )?(.*)", re.DOTALL)
_USING = re.compile(
    r" USING (?:(AUTOMATIC )?(?:PARTIAL )?(COVERING )?INDEX (.+?)|(INTEGER PRIMARY KEY|PRIMARY KEY))(?: \(.*)?$",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Step:
    """How one source (its alias) is read: every row, every entry of an index, or by looking up.

    ``rows`` is the server's estimate; SQLite gives none. ``index`` is empty where none is used.
    """

    alias: str
    access: Access
    index: str = ""
    covering: bool = False
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, what is sorted or grouped without help of an index, and EXPLAIN's own lines, free of values."""

    steps: tuple[Step, ...]
    sorts: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def scanned(self) -> tuple[str, ...]:
        """Sources of which every row is read."""
        return tuple(step.alias for step in self.steps if step.access == "scan")

    @property
    def verdict(self) -> str:
        """The plan in a few words."""
        parts = [f"reads all of {alias}" for alias in self.scanned]
        parts += [f"reads all of {step.index}" for step in self.steps if step.access == "index scan"]
        parts += ["makes a temporary table" if what == _TEMPORARY else f"sorts for {what}" for what in self.sorts]
        return "; ".join(parts) or "by index"


def sqlite_plan(details: Sequence[str]) -> Plan:
    """From the ``detail`` column of EXPLAIN QUERY PLAN (https://sqlite.org/eqp.html)."""
    steps, sorts = [], []
    for line in details:
        found = _STEP.match(line)
        if found is not None:
            steps.append(_sqlite_step(found[1], found[2]))
        elif line.startswith("USE TEMP B-TREE FOR "):
            sorts.append(line.removeprefix("USE TEMP B-TREE FOR "))
    return Plan(tuple(steps), tuple(sorts), tuple(details))


def _sqlite_step(verb: str, rest: str) -> Step:
    if " VIRTUAL TABLE INDEX " in rest:
        return Step(rest.partition(" VIRTUAL TABLE INDEX ")[0], "other")
    rest = re.sub(r" (LEFT-JOIN|RIGHT-JOIN)$", "", rest)
    using = _USING.search(rest)
    if using is None:
        constant = rest.startswith(("CONSTANT ROW", "(subquery", "SUBQUERY ")) or re.fullmatch(r"\d+.*", rest)
        return Step(rest, "other" if constant else "scan")
    alias, automatic, covering, index = rest[: using.start()], using[1], using[2], using[3] or "primary key"
    if automatic:  # made for this one execution: every row is read to make it
        return Step(alias, "scan", "", covering=False)
    return Step(alias, "search" if verb == "SEARCH" else "index scan", index, covering is not None)


def mysql_plan(rows: Sequence[Mapping[str, Any]]) -> Plan:
    """From tabular EXPLAIN: https://dev.mysql.com/doc/refman/8.4/en/explain-output.html and MariaDB's of that form."""
    steps, sorts, lines = [], dict[str, None](), []
    for row in rows:
        told = {name.lower(): value for name, value in row.items()}
        kind, extra, alias = str(told.get("type") or ""), str(told.get("extra") or ""), told.get("table")
        estimate = None if told.get("rows") is None else int(told["rows"])
        key = str(told.get("key") or "")
        if alias is not None and not str(alias).startswith("<"):
            access = _ACCESS.get(kind, "search")
            steps.append(
                Step(str(alias), access, key, "Using index" in extra.replace("Using index condition", ""), estimate)
            )
        sorts |= {name: None for name in ("filesort", "temporary") if f"Using {name}" in extra}
        shown = (str(alias or "-"), kind, key and f"key {key}", "" if estimate is None else f"{estimate:,} rows", extra)
        lines.append(", ".join(part for part in shown if part))
    names = {"filesort": "ORDER BY", "temporary": _TEMPORARY}
    return Plan(tuple(steps), tuple(names[name] for name in sorts), tuple(lines))
