"""A framework is imported when it is used, and a missing one is named."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter runs ``program``."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["asgi", "wsgi", "starlette", "fastapi", "flask"])
def test_no_framework_is_loaded(name: str) -> None:
    """Importing a module of the room loads no framework; Django's is needed for its classes."""
    done = run(
        f"import sys, postrmagic_core.integrations.{name}\n"
        "print({'django', 'fastapi', 'flask', 'starlette'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(
    ("framework", "use"),
    [
        ("flask", "from postrmagic_core.integrations.flask import install; install(None, None)"),
        ("django", "import postrmagic_core.integrations.django"),
    ],
)
def test_a_missing_framework_is_named(framework: str, use: str) -> None:
    """Given a framework that is not installed, the error says which, and what to install."""
    done = run(f"import sys; sys.modules[{framework!r}] = None\n{use}")
    assert f"MissingExtra: postrmagic_core.integrations.{framework} needs {framework.title()}" in done.stderr
    assert f"pip install 'postrmagic-core[{framework}]'" in done.stderr
