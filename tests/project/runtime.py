"""What an installation of the package brings along, read from what is installed here.

`python -m tests.project.runtime` writes it a line each, `name==version`, as an auditor reads it. What only another
platform needs is not in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def required() -> list[Requirement]:
    """What pyproject.toml names: the core's dependencies and those of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for extra in project["optional-dependencies"].values() for line in extra]
    named = [Requirement(line) for line in project["dependencies"] + lines]
    return [one for one in named if canonicalize_name(one.name) != project["name"]]  # `all` names the other extras


def closure(
    roots: Iterable[Requirement], find: Callable[[str], Distribution] = distribution
) -> dict[str, Distribution]:
    """By name, each distribution that these require and those require in turn, with the extras that are asked for.

    Raises `PackageNotFoundError` for one that is not installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    left = list(roots)
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                found[name] = find(name)
                lines = map(Requirement, found[name].requires or ())
                left += [line for line in lines if line.marker is None or line.marker.evaluate({"extra": extra})]
    return dict(sorted(found.items()))


if __name__ == "__main__":
    for name, one in closure(required()).items():
        print(f"{name}=={one.version}")  # noqa: T201 - its output is what it is for
