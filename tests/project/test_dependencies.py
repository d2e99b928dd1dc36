"""Whatever is imported is declared: nobody is saved by a package that another one happens to bring along."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OWN = {"postrmagic_core", "media_library", "benchmarks", "tests", "standalone"}
# Released in lockstep and documented as one: whoever names the second has the first.
PARTS = {"pydantic_core": "pydantic", "_pytest": "pytest"}


def imports(text: str) -> set[str]:
    """The top-level modules a file imports from elsewhere: not its own package, not the standard library."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - OWN - set(sys.stdlib_module_names)


_STATEMENT = re.compile(r"\b(?:import|from)[ \t]+([\w., \t]+)")


def perhaps(text: str) -> set[str]:
    """Every word behind an import: all of :func:`imports` and more. To parse every file takes long."""
    return {word.partition(".")[0] for words in _STATEMENT.findall(text) for word in re.split(r"[,\s]+", words)}


def undeclared(modules: Iterable[str], declared: Iterable[str]) -> set[str]:
    """The modules that are installed here by no declared requirement. Names are compared as PEP 503 normalizes them."""
    known = {normal(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]) for line in declared}
    owners = {module: installed().get(PARTS.get(module, module), []) for module in modules}
    return {module for module, names in owners.items() if names and not known & set(map(normal, names))}


@cache
def installed() -> Mapping[str, list[str]]:
    """Which distributions install a module; read once, for it reads every package's list of files."""
    return packages_distributions()


def normal(name: str) -> str:
    """A distribution's name by PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def declared() -> dict[str, list[str]]:
    """What may be imported where: the package its dependencies and extras, each folder beside it what it says."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    core, extras, groups = (
        table["project"]["dependencies"],
        table["project"]["optional-dependencies"],
        table["dependency-groups"],
    )
    package = core + [line for name, lines in extras.items() if name not in {"all", "demo"} for line in lines]
    return {
        "src": package,
        "examples/media_library": core + extras["demo"],
        "examples/standalone": core,
        "examples/integrations": core + extras["demo"] + extras["fastapi"] + extras["flask"] + extras["django"],
        "examples/adopt": core + extras["fastapi"] + extras["flask"] + extras["django"] + extras["testing"],
        "examples/adapter_template": core + extras["testing"],
        "tests": package + extras["demo"] + [line for line in groups["test"] if isinstance(line, str)],
        "benchmarks": package + extras["demo"],
    }


FOLDERS = (
    "src",
    "examples/media_library",
    "examples/standalone",
    "examples/integrations",
    "examples/adopt",
    "examples/adapter_template",
    "tests",
    "benchmarks",
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_imported_is_declared(folder: str, declared: dict[str, list[str]]) -> None:
    """No file imports a distribution that its part of pyproject.toml does not name."""
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")}
    found = {
        f"{path.relative_to(ROOT)}: {module}"
        for path, text in texts.items()
        if undeclared(perhaps(text) - OWN, declared[folder])
        for module in undeclared(imports(text), declared[folder])
    }
    assert sorted(found) == []


def test_an_undeclared_import_is_found() -> None:
    """A package that is installed but not named is found, wherever in the file it is imported; named ones are not."""
    text = "import os, pluggy; import a.b\nfrom . import x\ndef f():\n    from hypothesis.extra import numpy\n"
    modules = imports(text)
    assert modules == {"pluggy", "hypothesis", "a"}
    assert perhaps(text) >= modules
    assert undeclared(modules, ["hypothesis>=6"]) == {"pluggy"}
    assert undeclared({"_pytest"}, ["PyTest[x]>=9"]) == set()
