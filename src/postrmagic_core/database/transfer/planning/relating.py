"""The foreign keys of a plan, and what is to be said of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ..interface import ForeignKeyPlan
from ..names import target_name
from .choices import Doubt
from .drafting import Draft
from .links import Link, unequal


def related(drafts: Mapping[str, Draft], links: Collection[Link]) -> Iterator[tuple[Link, ForeignKeyPlan]]:
    """Every foreign key that the target can have; what it cannot is remarked in the draft of its table."""
    taken: list[str] = []
    for number, link in enumerate(links, 1):
        draft = drafts[link.table]
        columns = ", ".join(link.key.columns)
        name = f"{columns}>{link.key.parent}"
        chosen = {(table, column): one for table in drafts for column, one in drafts[table].choices.items()}
        standing = draft.existing and not link.missing and drafts[link.key.parent].existing
        missing = link.missing or ("" if standing else unequal(link, chosen))
        if missing:
            text = f"the foreign key ({columns}) to {link.key.parent} stays behind: {missing}"
            draft.remark(Doubt("foreign-key", "decide", text), name=name)
            continue
        if link.table == link.key.parent and link.key.columns == link.key.parent_columns:
            # MySQL refuses it when there are rows.
            text = f"the foreign key ({columns}) leads each row to itself: it always holds, and is left out"
            draft.remark(Doubt("foreign-key", "note", text), name=name)
            continue
        if link.key.deferred:
            text = (
                f"the foreign key ({columns}) was looked at at the end of a transaction, and is with each statement now"
            )
            draft.remark(Doubt("deferred", "note", text), name=name)
        parent = drafts[link.key.parent]
        target = target_name(f"{draft.target}_fk_{number}", taken)
        taken.append(target)
        yield (
            link,
            ForeignKeyPlan(
                target,
                tuple(draft.names[column] for column in link.key.columns),
                parent.target,
                tuple(parent.names[column] for column in link.key.parent_columns),
                _action(draft, link, name, "DELETE", link.key.on_delete),
                _action(draft, link, name, "UPDATE", link.key.on_update),
            ),
        )


def _action(draft: Draft, link: Link, name: str, when: str, action: str) -> str:
    """``action`` as the target has it; one that it has not becomes NO ACTION, which a person has to accept."""
    held = draft.identity.columns
    fixed = [name for name in link.key.columns if name in held or not draft.table.column(name).nullable]
    computed = [column for column in link.key.columns if draft.table.column(column).generated]
    if action == "SET DEFAULT":
        why = "the target's tables have no such action"
    elif action == "SET NULL" and fixed:
        why = f"{', '.join(fixed)} is NOT NULL"
    elif computed and action in ("SET NULL", "CASCADE"):
        why = f"{', '.join(computed)} is computed"
    else:
        return action
    text = f"ON {when} {action} of the foreign key ({', '.join(link.key.columns)}) becomes NO ACTION: {why}"
    draft.remark(Doubt(f"on-{when.lower()}", "decide", text), name=name)
    return "NO ACTION"
