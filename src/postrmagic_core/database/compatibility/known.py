"""The schema as far as the revisions tell it, and which parts of it the running release cannot know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from . import changes as c

_Name = tuple[str, str]


@dataclass(slots=True)
class Known:
    """What the changes so far have made; ``made`` parts came with revisions that the running release lacks.

    SQLite takes no heed of case in names; MySQL does in those of tables.
    """

    dialect: str
    columns: dict[_Name, c.Column] = field(default_factory=dict)
    keys: dict[_Name, c.Key] = field(default_factory=dict)
    indexes: dict[_Name, bool] = field(default_factory=dict)
    searched: set[_Name] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    made_tables: set[str] = field(default_factory=set)
    made: set[_Name] = field(default_factory=set)
    made_keys: set[_Name] = field(default_factory=set)
    made_named: set[_Name] = field(default_factory=set)

    def table(self, name: str) -> str:
        """``name`` as it is compared here."""
        return name.lower().removeprefix("main.") if self.dialect == "sqlite" else name

    def part(self, table: str, name: str) -> _Name:
        """A column, constraint or index of ``table`` as it is compared here."""
        return self.table(table), name.lower()

    def is_made(self, table: str, column: str | None = None) -> bool:
        """Whether the running release cannot know this table, or this column of it."""
        return self.table(table) in self.made_tables or (column is not None and self.part(table, column) in self.made)

    def is_made_key(self, table: str, name: str | None) -> bool:
        """Whether the running release cannot know this constraint or index."""
        return self.is_made(table) or (name is not None and self.part(table, name) in self.made_keys)

    def is_made_named(self, kind: c.NamedKind, name: str) -> bool:
        """Whether the running release cannot know this view or trigger."""
        return (kind, self.table(name)) in self.made_named

    def column(self, table: str, name: str) -> c.Column | None:
        """A column as it is now, if a revision told."""
        return self.columns.get(self.part(table, name))

    def stays_empty(self, table: str, names: tuple[str, ...]) -> bool:
        """Whether the running release leaves NULL in one of these columns: a constraint then passes its rows."""
        return any(
            self.is_made(table, name) and (found := self.column(table, name)) is not None and _empty(found)
            for name in names
        )

    def unique_with(self, table: str, column: str) -> list[tuple[str, ...]]:
        """The columns of each UNIQUE constraint or index that holds this one."""
        of_table = [key for part, key in self.keys.items() if part[0] == self.table(table) and key.kind == "unique"]
        found = [tuple(each.lower() for each in key.columns) for key in of_table]
        return [columns for columns in found if column.lower() in columns]

    def altered(self, change: c.AlterColumn) -> c.Column:
        """The column as it is after ``change``."""
        found = self.columns.get(self.part(change.table, change.was.name), change.was)
        nullable = found.nullable if change.nullable is None else change.nullable
        filled = found.filled if change.default == "unchanged" else change.default == "set"
        if self.dialect == "mysql" and change.anew:  # what is not said is lost
            nullable = change.was.nullable is not False if change.nullable is None else change.nullable
            filled = change.filled_before is True if change.default == "unchanged" else filled
        name, type_ = change.to or found.name, change.type or found.type
        counts = found.counts if change.counts is None else change.counts
        return replace(found, name=name, type=type_, nullable=nullable, filled=filled, counts=counts)

    def index(self, table: str | None, name: str) -> tuple[str | None, bool | None]:
        """The table of an index, and whether it is unique; ``None`` for what is not known."""
        if table is None or self.dialect == "sqlite":  # there an index is found by its name alone
            table = next((on for on, called in self.indexes if called == name.lower()), table)
        return (table, None) if table is None else (table, self.indexes.get(self.part(table, name)))

    def settle(self) -> None:
        """From here on the running release is one that knows all of this."""
        self.made_tables.clear()
        self.made.clear()
        self.made_keys.clear()
        self.made_named.clear()

    def learn(self, change: c.Change, *, new: bool) -> None:
        """Take ``change`` in; ``new`` when it is not in the schema that the running release was made for."""
        match change:
            case c.AddTable(if_absent=True) if self.table(change.table) in self.tables:
                pass
            case c.AddTable():
                self._forget(change.table)
                self.tables.add(self.table(change.table))
                self.made_tables |= {self.table(change.table)} if new else set()
                self.columns |= {self.part(change.table, column.name): column for column in change.columns}
                for key in change.keys:
                    self._add_key(change.table, key, new=False)
            case c.DropTable():
                self._forget(change.table)
            case c.RenameTable():
                self._rename_table(change)
            case c.AddColumn():
                part = self.part(change.table, change.column.name)
                if part in self.columns:  # IF NOT EXISTS: it was there, and is still what it was
                    return
                self.columns[part] = change.column
                self.made |= {part} if new else set()
                for key in change.keys:
                    self._add_key(change.table, key, new=new)
            case c.DropColumn():
                self.columns.pop(self.part(change.table, change.name), None)
                self.made.discard(self.part(change.table, change.name))
            case c.AlterColumn():
                self._alter(change)
            case _:
                self._learn_named(change, new=new)

    def _learn_named(self, change: c.Change, *, new: bool) -> None:
        match change:
            case c.AddKey():
                self._add_key(change.table, change.key, new=new)
            case c.DropKey(name=str(name)):
                self.keys.pop(self.part(change.table, name), None)
                self.indexes.pop(self.part(change.table, name), None)
                self.made_keys.discard(self.part(change.table, name))
            case c.AddIndex(name=str(name)):
                part = self.part(change.table, name)
                if self.index(change.table, name)[1] is not None:  # IF NOT EXISTS, as above
                    return
                self.indexes[part] = change.unique
                self.searched |= {part} if change.searched else set()
                self.made_keys |= {part} if new else set()
                if change.unique:
                    self.keys[part] = c.Key("unique", change.columns, name)
            case c.DropIndex():
                table, _ = self.index(change.table, change.name)
                if table is not None:
                    self.indexes.pop(self.part(table, change.name), None)
                    self.searched.discard(self.part(table, change.name))
                    self.keys.pop(self.part(table, change.name), None)
                    self.made_keys.discard(self.part(table, change.name))
            case c.AddNamed(if_absent=False) if new:
                self.made_named.add((change.kind, self.table(change.name)))
            case c.DropNamed():
                self.made_named.discard((change.kind, self.table(change.name)))
            case _:
                pass

    def _add_key(self, table: str, key: c.Key, *, new: bool) -> None:
        name = key.name
        if name is None and key.kind == "unique" and key.columns:
            name = key.columns[0]  # so MySQL calls it
        if name is not None and self.part(table, name) not in self.keys:
            self.keys[self.part(table, name)] = key
            if new:
                self.made_keys.add(self.part(table, name))
            if key.kind == "unique":
                self.indexes[self.part(table, name)] = True  # MySQL drops it as an index, too

    def _alter(self, change: c.AlterColumn) -> None:
        after = self.altered(change)
        before, part = self.part(change.table, change.was.name), self.part(change.table, after.name)
        self.columns.pop(before, None)
        self.columns[part] = after
        if before in self.made:
            self.made.remove(before)
            self.made.add(part)

    def _rename_table(self, change: c.RenameTable) -> None:
        before, after = self.table(change.table), self.table(change.to)
        self._forget(change.to)
        self.tables = (self.tables - {before}) | {after}
        if before in self.made_tables:
            self.made_tables.remove(before)
            self.made_tables.add(after)
        self.columns = {_moved(part, before, after): found for part, found in self.columns.items()}
        self.keys = {_moved(part, before, after): found for part, found in self.keys.items()}
        self.indexes = {_moved(part, before, after): found for part, found in self.indexes.items()}
        self.searched = {_moved(part, before, after) for part in self.searched}
        self.made = {_moved(part, before, after) for part in self.made}
        self.made_keys = {_moved(part, before, after) for part in self.made_keys}

    def _forget(self, table: str) -> None:
        gone = self.table(table)
        self.tables.discard(gone)
        self.made_tables.discard(gone)
        self.columns = {part: found for part, found in self.columns.items() if part[0] != gone}
        self.keys = {part: found for part, found in self.keys.items() if part[0] != gone}
        self.indexes = {part: found for part, found in self.indexes.items() if part[0] != gone}
        self.searched = {part for part in self.searched if part[0] != gone}
        self.made = {part for part in self.made if part[0] != gone}
        self.made_keys = {part for part in self.made_keys if part[0] != gone}


def _empty(column: c.Column) -> bool:
    return column.nullable is True and not column.filled


def _moved(part: _Name, before: str, after: str) -> _Name:
    return (after, part[1]) if part[0] == before else part
