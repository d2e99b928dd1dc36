"""The structure of the package, read from its own imports: which module uses which, and when it comes to be loaded."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

PACKAGE = "postrmagic_core"

When = Literal["import", "call", "types"]


@dataclass(frozen=True, slots=True)
class Use:
    """One import of a module of the package: when it is loaded, in a function that is called, or for types alone.

    ``name`` is what it takes from ``target``; empty where it takes the module.
    """

    source: str
    target: str
    when: When
    line: int
    name: str = ""


def modules(root: Path) -> dict[str, Path]:
    """Each module under ``root``, the package's own folder, by its dotted name."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def uses(found: Mapping[str, Path]) -> list[Use]:
    """Every import of one of these modules by another."""
    return [
        use
        for source, path in found.items()
        for use in _of_module(source, path.name == "__init__.py", ast.parse(path.read_text(encoding="utf-8")), found)
        if use.target != source
    ]


def _of_module(source: str, is_package: bool, tree: ast.Module, found: Mapping[str, Path]) -> Iterator[Use]:
    home = source.split(".") if is_package else source.split(".")[:-1]
    for node, when in _imports(tree, "import"):
        if isinstance(node, ast.Import):
            targets = [(alias.name, "") for alias in node.names if alias.name in found]
        else:
            stem = home[: len(home) - node.level + 1] if node.level else []
            base = ".".join([*stem, *filter(None, [node.module])])
            names = [alias.name for alias in node.names]
            # A submodule wins over a name of the package, as it is the file that is meant.
            targets = [(f"{base}.{n}", "") if f"{base}.{n}" in found else (base, n) for n in names if base in found]
        for target, name in targets:
            yield Use(source, target, when, node.lineno, name)


def _imports(node: ast.AST, when: When) -> Iterator[tuple[ast.Import | ast.ImportFrom, When]]:
    for child in ast.iter_child_nodes(node):
        inner: When = when
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, when
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inner = "types"
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and when == "import":
            inner = "call"
        yield from _imports(child, inner)


def room(module: str) -> str:
    """The room that a module stands in: the package's folder or file, every ``_module`` being a foundation."""
    parts = module.split(".")
    if len(parts) == 1:
        return "window"
    name = parts[1]
    foundation = name in {"errors", "registry", "settings"} or (name.startswith("_") and name != "_sql")
    return "foundations" if foundation else name


def arrows(found: Iterable[Use]) -> Counter[tuple[str, str]]:
    """How many imports lead from one room to another; those for types alone count too."""
    between = Counter((room(use.source), room(use.target)) for use in found)
    return Counter({pair: count for pair, count in between.items() if pair[0] != pair[1]})


def circle(found: Iterable[Use]) -> list[str]:
    """Modules that need one another to be loaded; none where every module can be imported first."""
    graph = TopologicalSorter[str]()
    for use in found:
        if use.when == "import" and not use.source.startswith(f"{use.target}."):  # a package is always loaded first
            graph.add(use.source, use.target)
    try:
        graph.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def reaching(found: Iterable[Use]) -> list[str]:
    """Imports of what another room keeps to itself: a module or a name with a leading underscore."""
    return sorted(
        f"{use.source}:{use.line} takes {use.name or use.target.rpartition('.')[2]} of {use.target}"
        for use in found
        if room(use.source) != room(use.target)
        and (use.name.startswith("_") or any(part.startswith("_") for part in use.target.split(".")[2:]))
    )
