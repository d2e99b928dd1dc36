"""The structure as a picture: rooms from the roof down, and for each what it uses, beside what it never may.

``python -m tests.project.structure_drawing`` writes ``docs/images/structure.svg`` anew from the code's imports.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tests.project import structure

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "images" / "structure.svg"

_CELL, _LEFT, _TOP = 34, 132, 110
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b1f24}"
    ".used{fill:#1f6feb}.may{fill:#fff;stroke:#c8ccd1}.never{fill:#e4e6ea;stroke:#c8ccd1}"
    ".self{fill:#57606a}"
)

Floors = Sequence[Sequence[str]]


def floors(pyproject: str) -> list[list[str]]:
    """The rooms of each floor, from the roof down, as the import contract has them; foundations are one room."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "layers")
    found = [re.findall(r"\w+", layer) for layer in layers]
    return [[name for name in floor if not name.startswith("_") or name == "_sql"] for floor in found[:-1]] + [
        ["foundations"]
    ]


def may(pair: tuple[str, str], house: Floors) -> bool:
    """Whether the contract lets the first room use the second: it stands on a lower floor."""
    level = {name: number for number, floor in enumerate(house) for name in floor}
    return level[pair[0]] < level[pair[1]]


def drawn(house: Floors, arrows: Collection[tuple[str, str]]) -> str:
    """The picture: a row uses the columns that are filled, never those that are grey."""
    rooms = [name for floor in house for name in floor]
    side = _CELL * len(rooms)
    width, height = _LEFT + side + 64, _TOP + side + 44
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" aria-labelledby="title"><title id="title">Which room uses which</title>',
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
        *_labels(rooms),
        *_cells(rooms, house, set(arrows)),
        *_legend(_TOP + side + 16),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _labels(rooms: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(rooms):
        middle = number * _CELL + _CELL // 2
        yield f'<text x="{_LEFT - 8}" y="{_TOP + middle + 4}" text-anchor="end">{name}</text>'
        x, y = _LEFT + middle + 4, _TOP - 8
        yield f'<text x="{x}" y="{y}" transform="rotate(-60 {x} {y})">{name}</text>'


def _cells(rooms: Sequence[str], house: Floors, arrows: set[tuple[str, str]]) -> Iterator[str]:
    for row, source in enumerate(rooms):
        for column, target in enumerate(rooms):
            kind = "self" if source == target else "used" if (source, target) in arrows else "never"
            if kind == "never" and may((source, target), house):
                kind = "may"
            x, y = _LEFT + column * _CELL + 1, _TOP + row * _CELL + 1
            said = {"self": "", "used": "uses", "may": "may use", "never": "never uses"}[kind]
            title = f"<title>{source} {said} {target}</title>" if said else ""
            yield f'<rect class="{kind}" x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" rx="3">{title}</rect>'


def _legend(y: int) -> Iterator[str]:
    for number, (kind, text) in enumerate((("used", "uses"), ("may", "may use"), ("never", "never"))):
        x = _LEFT + number * 110
        yield f'<rect class="{kind}" x="{x}" y="{y}" width="16" height="16" rx="3"/>'
        yield f'<text x="{x + 22}" y="{y + 13}">{text}</text>'


def current() -> str:
    """The picture of the package as it is."""
    used = structure.arrows(structure.uses(structure.modules(ROOT / "src" / structure.PACKAGE)))
    house = floors((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = {name for floor in house for name in floor}
    return drawn(
        [[name for name in floor if _built(name)] for floor in house], {p for p in used if rooms.issuperset(p)}
    )


def _built(name: str) -> bool:
    source = ROOT / "src" / structure.PACKAGE
    return name == "foundations" or (source / name).is_dir() or (source / f"{name}.py").is_file()


if __name__ == "__main__":
    FILE.write_text(current(), encoding="utf-8")
    sys.stdout.write(f"{FILE.relative_to(ROOT)}\n")
