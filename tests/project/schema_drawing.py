"""The schema as a picture: the application's tables with their foreign keys, below them the package's, room by room.

``python -m tests.project.schema_page`` writes it, ``docs/images/schema.svg``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ForeignKey, Table

from tests.project import schema_facts
from tests.project.schema_facts import ROOT

FILE = ROOT / "docs" / "images" / "schema.svg"

_WIDE, _ROW, _HEAD, _GAP, _BETWEEN, _MARGIN = 220, 19, 26, 24, 110, 24
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b1f24}"
    ".name{font-weight:600;fill:#fff}.kind,.room{fill:#57606a}.key{font-weight:600}.refers{fill:#1f6feb}"
    ".box{fill:#fff;stroke:#8c959f}.head{fill:#1f6feb}.ours .head{fill:#57606a}"
    ".arrow{fill:none;stroke:#1f6feb;stroke-width:1.5}.stays{stroke-dasharray:5 4}"
)
_ARROW = (
    '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="#1f6feb"/></marker></defs>'
)

Place = tuple[int, int]


def current() -> str:
    """The picture of the schema as it is declared."""
    application, *package = schema_facts.rooms()
    tables = [*application.tables, schema_facts.full_text()]
    return drawn(tables, {room.name: room.tables for room in package})


def drawn(tables: Sequence[Table], rooms: Mapping[str, Sequence[Table]]) -> str:
    """``tables`` from left to right, each right of those that it refers to, and ``rooms`` side by side below them."""
    places, bottom = arranged(tables)
    boxes = [_box(table, places[table.name], list(table.columns), "") for table in tables]
    arrows = [_arrow(key, places) for table in tables for key in _references(table)]
    legend = bottom + _GAP
    below, height = _rooms(rooms, legend + 56)
    columns = max(1 + max(x for x, _ in places.values()) // (_WIDE + _BETWEEN), 1)
    width = max(columns * (_WIDE + _BETWEEN) - _BETWEEN, len(rooms) * (_WIDE + _GAP) - _GAP) + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" aria-labelledby="title"><title id="title">Tables and foreign keys</title>',
        f'<style>{_STYLE}</style>{_ARROW}<rect width="{width}" height="{height}" fill="#fff"/>',
        *arrows,
        *(line for box in boxes for line in box),
        *_legend(legend),
        *below,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def arranged(tables: Sequence[Table]) -> tuple[dict[str, Place], int]:
    """Where each table's box begins, and where the lowest ends. Children stand beside their parents where they can."""
    level = _levels(tables)
    places: dict[str, Place] = {}
    lowest = 0
    for number in range(max(level.values(), default=0) + 1):
        beside = {table.name: _middle(table, places) for table in tables if level[table.name] == number}
        x, y = _MARGIN + number * (_WIDE + _BETWEEN), _MARGIN
        for table in sorted((one for one in tables if one.name in beside), key=lambda one: beside[one.name]):
            places[table.name] = (x, y)
            y += _height(len(table.columns)) + _GAP
        lowest = max(lowest, y - _GAP)
    return places, lowest


def _levels(tables: Sequence[Table]) -> dict[str, int]:
    """0 for a table that refers to no other, else one more than the highest it refers to."""
    known = {table.name for table in tables}
    parents = {one.name: {_parent(key)[0] for key in one.foreign_keys} & known - {one.name} for one in tables}
    level: dict[str, int] = {}
    while len(level) < len(parents):
        ready = {name for name in parents if name not in level and parents[name] <= level.keys()}
        level |= {name: 1 + max((level[parent] for parent in parents[name]), default=-1) for name in ready}
    return level


def _middle(table: Table, places: Mapping[str, Place]) -> float:
    above = [places[name][1] for name, _ in map(_parent, table.foreign_keys) if name in places]
    return sum(above) / len(above) if above else 0.0


def _references(table: Table) -> list[ForeignKey]:
    return sorted(table.foreign_keys, key=lambda key: table.columns.keys().index(key.parent.name))


def _parent(key: ForeignKey) -> tuple[str, str]:
    table, _, column = key.target_fullname.partition(".")
    return table, column


def _height(rows: int) -> int:
    return _HEAD + rows * _ROW + 6


def _box(table: Table, place: Place, columns: Sequence[Column[Any]], group: str) -> Iterator[str]:
    x, y = place
    yield f'<g class="{group}">' if group else "<g>"
    yield f'<rect class="box" x="{x}" y="{y}" width="{_WIDE}" height="{_height(len(columns))}" rx="4"/>'
    yield f'<path class="head" d="M{x} {y + 4}q0-4 4-4h{_WIDE - 8}q4 0 4 4v{_HEAD - 4}h-{_WIDE}z"/>'
    yield f'<text class="name" x="{x + 10}" y="{y + 18}">{table.name}</text>'
    for number, column in enumerate(columns):
        line = y + _HEAD + number * _ROW + 15
        kinds = ["key"] if column.primary_key else []
        kinds += ["refers"] if column.foreign_keys else []
        styled = f' class="{" ".join(kinds)}"' if kinds else ""
        yield f'<text{styled} x="{x + 10}" y="{line}">{column.name}</text>'
        kind = schema_facts.kind_of(column)
        yield f'<text class="kind" x="{x + _WIDE - 10}" y="{line}" text-anchor="end">{kind}</text>'
    yield "</g>"


def _arrow(key: ForeignKey, places: Mapping[str, Place]) -> str:
    parent, column = _parent(key)
    child = key.parent.table
    x, y = places[child.name]
    start = y + _row(child, key.parent.name)
    end_x, end_y = places[parent]
    end = end_y + _HEAD + _ROW // 2 + 2  # its primary key, the first column
    reach = (x - end_x - _WIDE) // 2
    stays = "" if key.ondelete == "CASCADE" else " stays"
    said = f"{child.name}.{key.parent.name} refers to {parent}.{column}"
    return (
        f'<path class="arrow{stays}" marker-end="url(#end)" d="M{x} {start}C{x - reach} {start} '
        f'{end_x + _WIDE + reach} {end} {end_x + _WIDE + 2} {end}"><title>{said}</title></path>'
    )


def _row(table: Table, column: str) -> int:
    """The middle of a column's line below the top of its box."""
    return _HEAD + table.columns.keys().index(column) * _ROW + _ROW // 2 + 2


def _legend(y: int) -> Iterator[str]:
    said = (("", "rows go with the row they refer to"), (" stays", "a row that is referred to cannot go"))
    for number, (style, text) in enumerate(said):
        x = _MARGIN + number * 310
        yield f'<path class="arrow{style}" marker-end="url(#end)" d="M{x} {y}h40"/>'
        yield f'<text x="{x + 50}" y="{y + 4}">{text}</text>'
    yield f'<text x="{_MARGIN + 620}" y="{y + 4}"><tspan class="key">bold</tspan>: primary key</text>'


def _rooms(rooms: Mapping[str, Sequence[Table]], top: int) -> tuple[list[str], int]:
    """Each room's tables in a column, with their primary keys only, and where the lowest ends."""
    lines, lowest = [], top
    for number, (name, tables) in enumerate(rooms.items()):
        x, y = _MARGIN + number * (_WIDE + _GAP), top
        lines.append(f'<text class="room" x="{x}" y="{y}">{name}</text>')
        y += 14
        for table in tables:
            key = list(table.primary_key)
            lines += _box(table, (x, y), key, "ours")
            y += _height(len(key)) + 12
        lowest = max(lowest, y)
    return lines, lowest + _MARGIN - 12
