"""A table on its way to a plan: what its columns are called and become, with all tables in view. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ..interface import ROWID, Server
from ..names import target_name
from ..server import CHECKPOINTS, ExistingColumn, ExistingTable
from ..source.schema import SourceTable, TableStats
from .choices import Choice, Doubt, Kind
from .choose import LARGE_TEXT, choose
from .keys import Identity, identity, rowid_name
from .lengths import TooLong, keys_of, lengths
from .links import Choices, ColumnId, Link, links, united

# Bytes of a row, without what is kept outside of it; a TEXT or a number takes at most as many in it.
_ROW, _POINTER = 65_535, 12
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"), "integer"),
    **dict.fromkeys(("DECIMAL", "NUMERIC"), "decimal"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), "real"),
    **dict.fromkeys(("BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"), "bytes"),
    "DATE": "date",
    "DATETIME": "datetime",
}

_NONE = Identity((), ())


@dataclass(frozen=True, slots=True)
class Remark:
    """A doubt about a table: about its ``column``, or about a part of it by ``name``, or about the whole."""

    table: str
    doubt: Doubt
    column: str = ""
    name: str = ""


@dataclass(slots=True)
class Draft:
    """One table so far; ``names`` are those of the columns in the target, ``existing`` the table that stands there."""

    table: SourceTable
    stats: TableStats
    target: str
    names: dict[str, str]
    choices: dict[str, Choice]
    existing: ExistingTable | None
    identity: Identity = _NONE
    too_long: tuple[TooLong, ...] = ()
    remarks: list[Remark] = field(default_factory=list)

    def remark(self, doubt: Doubt, *, column: str = "", name: str = "") -> None:
        """Add one."""
        self.remarks.append(Remark(self.table.name, doubt, column, name))

    def there(self, column: str) -> ExistingColumn | None:
        """The column as it stands in the target."""
        try:
            return self.existing.column(self.names[column]) if self.existing else None
        except KeyError:
            return None


def drafts(
    tables: Mapping[str, SourceTable],
    stats: Mapping[str, TableStats],
    server: Server,
    existing: Mapping[str, ExistingTable],
) -> tuple[dict[str, Draft], list[Link]]:
    """A draft of each table, and their foreign keys."""
    found = list(links(tables))
    made: dict[str, Draft] = {}
    for table in tables.values():
        made[table.name] = _draft(
            table, stats[table.name], server, existing, [CHECKPOINTS, *(one.target for one in made.values())]
        )
    for draft in made.values():
        if draft.existing is None:
            _fit_keys(draft, server, [link.key.columns for link in found if link.table == draft.table.name])
    # What stands in the target already keeps its types, and the others are made like it.
    chosen: Choices = {(name, column): one for name, draft in made.items() for column, one in draft.choices.items()}
    standing = [name for name, draft in made.items() if draft.existing]
    changed: dict[ColumnId, Choice] = united(found, chosen, stats, standing)
    for (name, column), choice in changed.items():
        if column != tables[name].rowid_alias or choice.kind == "integer":
            made[name].choices[column] = choice
    linked = {one for link in found if not link.missing for pair in link.pairs for one in pair}
    for draft in made.values():
        if draft.existing is None:
            _fit_row(draft, {column for name, column in linked if name == draft.table.name})
        _identify(draft, server)
    return made, found


def _draft(
    table: SourceTable, stats: TableStats, server: Server, existing: Mapping[str, ExistingTable], taken: list[str]
) -> Draft:
    there = existing.get(table.name) or next(
        (one for one in existing.values() if one.name.lower() == table.name.lower()), None
    )
    names: dict[str, str] = {}
    for column in table.columns:
        names[column.name] = target_name(column.name, [ROWID, *names.values()])
        if there is not None:
            by_name = {one.name.lower(): one.name for one in there.columns}
            names[column.name] = by_name.get(column.name.lower(), names[column.name])
    target = there.name if there else target_name(table.name, taken)
    draft = Draft(table, stats, target, names, {}, there)
    for written in table.conflicts:
        text = f"{written}: the target has no ON CONFLICT, and refuses the row"
        draft.remark(Doubt("on-conflict", "note", text))
    for column in table.columns:
        standing = draft.there(column.name)
        here = stats.columns[column.name]
        chosen = choose(column, here, server)
        draft.choices[column.name] = chosen if standing is None else _standing(standing, here.grammar)
    return draft


def _standing(column: ExistingColumn, grammar: str) -> Choice:
    word = column.type.partition("(")[0].split()[0].upper()
    kind = _KINDS.get(word, "text")
    shown = column.type.upper() if kind != "text" or "CHAR" in word or "TEXT" in word else column.type
    if kind == "integer":  # MariaDB tells how wide integers are shown
        shown = re.sub(r"\(\d+\)", "", shown)
    reason = "the column stands in the target already"
    return Choice(shown, kind, reason, column.collation, grammar if kind in ("date", "datetime") else "")


def _fit_keys(draft: Draft, server: Server, linked: Collection[tuple[str, ...]]) -> None:
    found, draft.too_long = lengths(draft.table, draft.stats, draft.choices, linked)
    for name, length in found.items():
        draft.choices[name] = choose(draft.table.column(name), draft.stats.columns[name], server, length)


def _fit_row(draft: Draft, linked: set[str]) -> None:
    """Turn the longest columns that no key needs whole into TEXT or BLOB, until a row has room for the rest."""
    keyed = {name for _, columns in keys_of(draft.table) for name in columns} | linked
    sizes = {name: _in_row(choice) for name, choice in draft.choices.items()}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sum(sizes.values()) > _ROW and name not in keyed and draft.choices[name].length is not None:
            kind = "TEXT" if draft.choices[name].kind == "text" else "BLOB"
            wide = f"MEDIUM{kind}" if sizes[name] > LARGE_TEXT else kind
            reason = "a row has no room for it as a VARCHAR"
            draft.choices[name] = replace(draft.choices[name], type=wide, reason=reason)
            sizes[name] = _POINTER


def _in_row(choice: Choice) -> int:
    return _POINTER if choice.length is None else choice.length * (4 if choice.kind == "text" else 1) + 2


def _identify(draft: Draft, server: Server) -> None:
    found = identity(draft.table, draft.stats, draft.choices, server)
    draft.identity = found if draft.existing is None else _standing_identity(draft, found)
    if draft.table.utf16 and any(draft.choices[name].kind == "text" for name in draft.identity.columns):
        told = "its key has text, which a file in UTF-16 sorts otherwise than the target"
        draft.remark(Doubt("utf-16", "stop", f"{told}: make one in UTF-8, by sqlite3 OLD .dump | sqlite3 NEW"))
    if draft.existing is not None:
        return
    if not found.columns and not rowid_name(draft.table):
        text = "its columns have all the names of the rowid, by which alone its rows could be told apart"
        draft.remark(Doubt("rowid-hidden", "stop", text))
    for name in found.exact:
        draft.choices[name] = replace(draft.choices[name], collation=server.exact, doubts=())
        text = f"in the primary key of a table WITHOUT ROWID its letters count exactly: {server.exact}"
        draft.remark(Doubt("key-collation", "decide", text), column=name)
    if found.reason:
        draft.remark(Doubt("rowid", "note", f"{found.reason}; the hidden column {ROWID} is the primary key"))


def _standing_identity(draft: Draft, found: Identity) -> Identity:
    there = draft.existing
    names = {draft.names[name].lower(): name for name in draft.table.primary_key}
    if there is not None and {name.lower() for name in there.primary_key} == set(names) and names:
        return Identity(draft.table.primary_key, draft.table.primary_key)
    if there is not None and [name.lower() for name in there.primary_key] == [ROWID]:
        return Identity((), ("rowid",), found.reason or "so it stands in the target")
    text = (
        "the table in the target has another primary key than the source: no batch of rows could be told from another"
    )
    draft.remark(Doubt("existing-key", "stop", text))
    return Identity(draft.table.primary_key, draft.table.primary_key or ("rowid",))
