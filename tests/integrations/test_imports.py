"""A framework is imported when it is used, and a missing one is named."""

from __future__ import annotations

import pytest

from tests.programs import Ran, run

MODULES = ("asgi", "wsgi", "starlette", "fastapi", "flask")
USES = {
    "flask": "from postrmagic_core.integrations.flask import install; install(None, None)",
    "django": "import postrmagic_core.integrations.django",
}
LOOKING = f"""
import importlib, sys
for name in {MODULES}:
    importlib.import_module(f"postrmagic_core.integrations.{{name}}")
    print(name, *sorted({{"django", "fastapi", "flask", "starlette"}} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """A program that imports the room's modules, and one for each framework that is not there."""
    programs = {"": LOOKING}
    programs |= {name: f"import sys; sys.modules[{name!r}] = None\n{use}" for name, use in USES.items()}
    folders = [(tmp_path_factory.mktemp("imports"), program) for program in programs.values()]
    return dict(zip(programs, run(folders, ["postrmagic_core.stack", "postrmagic_core.middleware"]), strict=True))


def test_no_framework_is_loaded(ran: dict[str, Ran]) -> None:
    """Importing a module of the room loads no framework; Django's is needed for its classes."""
    assert ran[""].lines == [*MODULES]


@pytest.mark.parametrize("framework", USES)
def test_a_missing_framework_is_named(framework: str, ran: dict[str, Ran]) -> None:
    """Given a framework that is not installed, the error says which, and what to install."""
    told = ran[framework].stderr
    assert f"MissingExtra: postrmagic_core.integrations.{framework} needs {framework.title()}" in told
    assert f"pip install 'postrmagic-core[{framework}]'" in told
