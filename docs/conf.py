"""Sphinx: Markdown by MyST, shown by Furo. Every warning is an error where it is built (make docs, tox -e docs)."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

_root = Path(__file__).parents[1]
_project = tomllib.loads((_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_asvs = _root / "tests" / "asvs.toml"

project = _project["name"]
version = release = _project["version"]
author = "the postrmagic-core developers"
project_copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
# Docstrings name things as their module does; what the pages link to among themselves is checked all the same.
nitpick_ignore_regex = [("py:.*", ".*")]
# Two rooms may have a class of one name, as a history of figures and one of what a test saw: any of them is linked.
suppress_warnings = ["ref.python"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = True

html_theme = "furo"
html_title = f"{project} {version}"


def shown(default: object) -> str:
    """A default as it would be written in the environment; nothing for none."""
    if default in (None, (), {}):
        return ""
    return f"`{json.dumps(default) if isinstance(default, tuple | dict) else default}`"


def settings_table() -> str:
    """Every setting with its default and meaning, from the code."""
    from postrmagic_core.settings import Settings

    parts = []
    for room, field in Settings.model_fields.items():
        model: Any = field.annotation
        parts.append(
            f"## {room}\n\n{(model.__doc__ or '').strip()}\n\n| variable | default | meaning |\n| --- | --- | --- |"
        )
        for name, setting in model.model_fields.items():
            variable = f"`POSTRMAGIC_{room.upper()}__{name.upper()}`"
            default = shown(setting.get_default(call_default_factory=True))
            parts.append(f"| {variable} | {default} | {setting.description or ''} |")
        parts.append("")
    return "\n".join(parts)


def in_words(test: str) -> str:
    """A test's name as it is read: ``TestLogin::test_it_is_slow[sqlite]`` is "TestLogin: it is slow [sqlite]"."""
    name, _, parameters = test.partition("[")
    words = ": ".join(part.removeprefix("test_").replace("_", " ") for part in name.split("::"))
    return f"{words} \\[{parameters}" if parameters else words


def asvs_table(chapter: str) -> str:
    """A chapter's requirements with status and proof, from tests/asvs.toml."""
    from postrmagic_core.testing.asvs import load_requirements

    lines = ["| id | level | requirement | status | proof, or why |", "| --- | --- | --- | --- | --- |"]
    for entry in load_requirements(_asvs):
        if entry.chapter == chapter:
            files: dict[str, list[str]] = {}
            for file, _, test in (name.partition("::") for name in entry.named):
                files.setdefault(file, []).append(in_words(test))
            proofs = [f"{file}: {'; '.join(tests)}." for file, tests in files.items()]
            proof = "<br>".join([entry.why, *proofs] if entry.why else proofs)
            lines.append(f"| {entry.id} | {entry.level} | {entry.what} | {entry.status} | {proof} |")
    return "\n".join(lines)


def asvs_count() -> str:
    """How many requirements stand how."""
    from postrmagic_core.testing.asvs import load_requirements

    count = Counter(entry.status for entry in load_requirements(_asvs))
    return ", ".join(f"{number} {status}" for status, number in count.most_common())


def _fill_in(app: Any, docname: str, source: list[str]) -> None:
    if docname == "reference/settings":
        source[0] = source[0].replace("{settings}", settings_table())
    elif docname == "reference/security":
        text = source[0].replace("{asvs}", asvs_count())
        source[0] = re.sub(r"\{asvs (V\d+)\}", lambda found: asvs_table(found[1]), text)


def setup(app: Any) -> None:
    """Sphinx's hook: put what the code knows into the pages that ask for it."""
    app.connect("source-read", _fill_in)
