"""Tables and their foreign keys as a drawing: whoever is referred to stands to the left. Pure; SVG without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..interface import Plan

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _EDGE = 190, 34, 90, 16, 8
_SHORT = 24


@dataclass(frozen=True, slots=True)
class Box:
    """Where a table stands: its left upper corner."""

    x: int
    y: int


def layers(parents: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The tables in columns: each right of all it refers to, but for circles, which are cut where they close."""
    depth: dict[str, int] = {}
    for name in parents:
        _deepen(name, parents, depth)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in parents:
        found[depth[name]].append(name)
    return [_near(layer, parents, found) for layer in found]


def placed(columns: Sequence[Sequence[str]]) -> dict[str, Box]:
    """Each table's box, columns centred against the longest."""
    tallest = max(map(len, columns), default=0)
    return {
        name: Box(
            _EDGE + across * (_WIDTH + _ACROSS),
            _EDGE + down * (_HEIGHT + _DOWN) + (tallest - len(column)) * (_HEIGHT + _DOWN) // 2,
        )
        for across, column in enumerate(columns)
        for down, name in enumerate(column)
    }


def as_svg(plan: Plan) -> str:
    """The drawing of a plan's tables as they will be; names are escaped, colours are the page's."""
    parents = {table.target: [link.parent for link in table.foreign_keys] for table in plan.tables}
    boxes = placed(layers(parents))
    width = max((box.x for box in boxes.values()), default=0) + _WIDTH + _EDGE
    height = max((box.y for box in boxes.values()), default=0) + _HEIGHT + _EDGE
    lines = [
        _line(boxes[name], boxes[parent], f"{name} to {parent}")
        for name, wanted in parents.items()
        for parent in dict.fromkeys(wanted)
        if parent in boxes
    ]
    drawn = [_box(name, box) for name, box in boxes.items()]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-label="Tables and their foreign keys" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(lines)}{''.join(drawn)}</svg>"
    )


def _deepen(start: str, parents: Mapping[str, Sequence[str]], depth: dict[str, int]) -> None:
    """Note how deep ``start`` stands, and all that it refers to; without recursion, for chains may be long."""
    path = {start: None}
    while path:
        name = next(reversed(path))
        wanted = [one for one in parents[name] if one in parents and one not in path]
        unknown = [one for one in wanted if one not in depth]
        if name not in depth and unknown:
            path[unknown[0]] = None
            continue
        depth.setdefault(name, max((depth[one] + 1 for one in wanted), default=0))
        del path[name]


def _near(layer: Sequence[str], parents: Mapping[str, Sequence[str]], columns: Sequence[Sequence[str]]) -> list[str]:
    """A column's tables in the order in which those they refer to stand: lines cross less."""
    heights = {name: at / len(column) for column in columns for at, name in enumerate(column)}

    def height(name: str) -> float:
        known = [heights[one] for one in parents[name] if one in heights and one != name]
        return sum(known) / len(known) if known else 1.0

    return sorted(layer, key=height)


def _box(name: str, box: Box) -> str:
    shown = name if len(name) <= _SHORT else f"{name[: _SHORT - 1]}…"
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{box.x + _WIDTH // 2}" y="{box.y + _HEIGHT // 2 + 4}" text-anchor="middle">{_text(shown)}</text>'
    )


def _line(child: Box, parent: Box, title: str) -> str:
    """From a table to the one it refers to; to itself, or against the order, round the outside."""
    y_from, y_to = child.y + _HEIGHT // 2, parent.y + _HEIGHT // 2
    if parent.x < child.x:
        start, end, bend = child.x, parent.x + _WIDTH, -_ACROSS // 2
    else:
        start, end, bend = child.x + _WIDTH, parent.x + _WIDTH, _ACROSS // 2
        y_from, y_to = (y_from - 6, y_to + 6) if child == parent else (y_from, y_to)
    away = end + abs(bend)
    return (
        f'<path d="M{start} {y_from} C{start + bend} {y_from} {away} {y_to} {end} {y_to}">'
        f"<title>{_text(title)}</title></path>"
        f'<circle cx="{end}" cy="{y_to}" r="3"/>'
    )


def _text(text: str) -> str:
    return escape("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))
