"""The programs of the guide run as they stand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.programs import Ran, files, run

BLOCKS = files(Path(__file__).parents[2] / "docs" / "how-to" / "add-the-pipeline-to-an-application.md")
LOADED = ["starlette.testclient", "werkzeug.test", "fastapi", "flask", "django.core.wsgi", "alembic.command"]
LOADED += [f"postrmagic_core.{name}" for name in ("stack", "api", "cache.manager", "sessions.manager")]
LOADED += [f"postrmagic_core.{name}" for name in ("events.manager", "jobs.manager", "stores.adapters.sql")]
LOADED += [f"postrmagic_core.{name}" for name in ("integrations.flask", "integrations.fastapi", "security.access")]
# The program is imported as a server would; then it is asked once.
ASGI = """
from starlette.testclient import TestClient
import {name}
with TestClient({name}.app, base_url="https://testserver") as client:
    answer = client.get("/")
    print(answer.status_code, answer.headers["x-request-id"] in answer.text)
"""
WSGI = """
from werkzeug.test import Client
import {name}
with Client({name}.{attribute}).get("/", base_url="https://testserver") as answer:
    print(answer.status_code, answer.headers["x-request-id"] in answer.text)
"""
PROGRAMS = [name for name in BLOCKS if name != "edge"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> dict[str, Ran]:
    """Each program, copied into files of its own folder and asked."""
    programs = []
    for name in PROGRAMS:
        folder = tmp_path_factory.mktemp(name)
        shutil.copytree(migrated, folder / "var")
        for file, block in BLOCKS.items():
            (folder / f"{file}.py").write_text(block, encoding="utf-8")
        attribute = "application" if name == "django_app" else "app"
        ask = (ASGI if name in {"fastapi_app", "asgi_app"} else WSGI).format(name=name, attribute=attribute)
        programs.append((folder, ask))
    return dict(zip(PROGRAMS, run(programs, LOADED), strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_guide_runs(name: str, ran: dict[str, Ran]) -> None:
    """Copied into files, the module and the application answer."""
    assert ran[name].lines == ["200 True"], ran[name].stderr
    assert '"level":"error"' not in ran[name].stderr


def test_every_framework_has_its_program() -> None:
    """One for each module of the room."""
    assert set(BLOCKS) == {"edge", "fastapi_app", "flask_app", "django_app", "asgi_app", "wsgi_app"}
