"""Print each requirement of the package and its extras at the lowest version that pyproject.toml admits.

``tox -e lowest`` installs under them, so that a lower bound is one that was tried: lowest.py [PYPROJECT]
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

LINE = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*([0-9][^,;\s]*)")


def lowest(requirements: Iterable[str]) -> list[str]:
    """``name==version`` of each requirement, at its lower bound; `SystemExit` names one that has none."""
    found: dict[str, str] = {}
    for line in requirements:
        bound = LINE.match(line)
        if bound is None:
            raise SystemExit(f"{line!r} has no lower bound: nobody knows what it needs")
        if found.setdefault(bound[1], bound[2]) != bound[2]:
            raise SystemExit(
                f"{bound[1]} has two lower bounds, {found[bound[1]]} and {bound[2]}: which of them is tried?"
            )
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def named(pyproject: Path) -> list[str]:
    """What the package and its extras require, but for the extras of its own that an extra names."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return [line for line in lines if not line.startswith(f"{project['name']}[")]


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "pyproject.toml"
    print("\n".join(lowest(named(Path(sys.argv[1]) if sys.argv[1:] else default))))
