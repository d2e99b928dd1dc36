"""Roles, explanations and the audit log as tables, trees and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from .words import plain, span

if TYPE_CHECKING:
    from ..security.access import AuditEntry, Explanation, Role, Roles, Step

_COLOURS = {"allows": "green", "denies": "bold red", "silent": "dim", "told": ""}
_OUTCOMES = {"done": "green", "denied": "bold red"}


def listed(found: Sequence[Role]) -> Table:
    """One line a role."""
    table = Table("role", "inherits", "allows", "denies", "about")
    for role in found:
        name = f"{role.name} (always held)" if role.keep_one else role.name
        table.add_row(*map(plain, (name, *map(", ".join, (role.inherits, role.allow, role.deny)), role.about)))
    return table


def described(roles: Roles, name: str, users: Sequence[str]) -> RenderableType:
    """A role with what it inherits beneath it, and who has it."""
    holders = plain(f"held by {', '.join(users)}" if users else "held by nobody")
    return Group(_branch(roles, name, set()), holders)


def _branch(roles: Roles, name: str, drawn: set[str]) -> Tree:
    role = roles.get(name)
    tree = Tree(plain(f"{name}, as above" if name in drawn else name))
    if role is None or name in drawn:
        return tree
    drawn.add(name)
    for text in role.deny:
        tree.add(Text(f"deny {text}", style=_COLOURS["denies"]))
    for text in role.allow:
        tree.add(Text(f"allow {text}", style=_COLOURS["allows"]))
    for parent in role.inherits:
        tree.add(_branch(roles, parent, drawn))
    return tree


def held(names: Sequence[str], roles: Roles) -> Text:
    """A user's roles, one a line."""
    return Text("\n").join(plain(name if name in roles else f"{name} (not declared: without effect)") for name in names)


def explained(explanation: Explanation) -> Tree:
    """The decision, and what was looked at."""
    tree = Tree(plain(explanation.sentence), style=_COLOURS["allows" if explanation.allowed else "denies"])
    for step in explanation.steps:
        _add(tree, step)
    return tree


def _add(tree: Tree, step: Step) -> None:
    text = plain(step.text)
    text.stylize(_COLOURS[step.effect] if not step.below else "default")
    branch = tree.add(text, style="default", guide_style="dim")
    for each in step.below:
        _add(branch, each)


def told(found: Sequence[AuditEntry], now: datetime) -> Table:
    """One line an entry."""
    table = Table(
        Column("age", no_wrap=True), "actor", "action", "subject", "outcome", Column("detail", overflow="fold")
    )
    for entry in found:
        detail = ", ".join(f"{name}={value}" for name, value in entry.detail.items() if value != "")
        outcome = plain(entry.outcome)
        outcome.stylize(_OUTCOMES.get(entry.outcome, ""))
        age = span((now - entry.recorded_at).total_seconds())
        cells = (entry.actor or "nobody", entry.action, entry.subject or "")
        table.add_row(age, *map(plain, cells), outcome, plain(detail))
    return table


def role_as_json(role: Role) -> dict[str, Any]:
    """What programs are told of a role."""
    return asdict(role)


def explanation_as_json(explanation: Explanation) -> dict[str, Any]:
    """What programs are told of a decision."""
    return asdict(explanation)


def entry_as_json(entry: AuditEntry) -> dict[str, Any]:
    """What programs are told of an entry."""
    return asdict(entry)
