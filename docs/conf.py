"""Sphinx: Markdown by MyST, shown by Furo. Every warning is an error where it is built (make docs, tox -e docs)."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

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


def _fill_in(app: Any, docname: str, source: list[str]) -> None:
    if docname == "reference/settings":
        source[0] = source[0].replace("{settings}", settings_table())


def setup(app: Any) -> None:
    """Sphinx's hook: put what the code knows into the pages that ask for it."""
    app.connect("source-read", _fill_in)
