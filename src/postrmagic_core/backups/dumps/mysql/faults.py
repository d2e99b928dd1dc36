"""What a server finds wrong with its own tables, and foreign keys that point nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .session import Opened, quoted

_KEYS = """
SELECT table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL
ORDER BY table_name, constraint_name, ordinal_position
"""


def tables_checked(server: Opened, names: Sequence[str]) -> Iterator[str]:
    """What CHECK TABLE says of each that is not as it should be."""
    for name in names:
        for _, _, kind, text in server.rows(f"CHECK TABLE {quoted(name)}"):
            if kind in ("error", "warning") or (kind == "status" and text not in ("OK", "Table is already up to date")):
                yield f"{name}: {text}"


def foreign_keys(server: Opened) -> Iterator[str]:
    """The foreign keys with rows that name no row of the other table, and how many there are."""
    keys: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {}
    for table, key, *columns in server.rows(_KEYS):
        keys.setdefault((table, key), []).append((columns[0], columns[1], columns[2], columns[3]))
    for (table, key), columns in keys.items():
        _, schema, parent, first = columns[0]
        joined = " AND ".join(f"c.{quoted(own)} = p.{quoted(theirs)}" for own, _, _, theirs in columns)
        given = " AND ".join(f"c.{quoted(own)} IS NOT NULL" for own, *_ in columns)
        ((lost,),) = server.rows(
            f"SELECT COUNT(*) FROM {quoted(table)} c LEFT JOIN {quoted(schema)}.{quoted(parent)} p ON {joined} "  # noqa: S608 - quoted names
            f"WHERE {given} AND p.{quoted(first)} IS NULL"
        )
        if lost:
            yield f"{table}: {lost} row(s) name a row of {parent} that is not there ({key})"
