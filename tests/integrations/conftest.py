"""A Stack on SQLite files, Django's one example per process, and what was logged."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from postrmagic_core import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.integrations.apps import PIPELINE, Gate
from tests.integrations.servers import under_uvicorn, under_wsgiref
from tests.integrations.sites import Site, open_site
from tests.records import Records, records  # noqa: F401 - pytest looks for fixtures here


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of a Stack that was open once: its tables are made."""
    directory = tmp_path_factory.mktemp("migrated")
    with Stack(embedded_settings(directory), configure_logging=False):
        pass
    return directory


@pytest.fixture
def stack(tmp_path: Path, migrated: Path) -> Stack:
    """A Stack on SQLite files of its own, not open yet; its tables are there."""
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    return Stack(embedded_settings(tmp_path))


@pytest.fixture(scope="session")
def imported_django(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Django's settings are the process's, so its example is imported once, on a Stack in a directory of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("POSTRMAGIC_STACK__DATA_DIR", str(tmp_path_factory.mktemp("django")))
        module = importlib.import_module("integrations.django_app")
    # It is open while each test has a configuration of logging of its own.
    module.stack._configure_logging = False
    return module


@pytest.fixture(scope="module")
def django_example(imported_django: ModuleType) -> Iterator[ModuleType]:
    """The example for Django, open; closed again before other files' tests: its tracker hears of their errors."""
    with imported_django.stack:
        yield imported_django


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """Closes what the test opened."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    stack: Stack,
    records: Records,  # noqa: F811 - the fixture imported
    closing: ExitStack,
) -> Site:
    """The example whose kind the test is given, behind its framework's client."""
    if "django" in request.param:
        request.getfixturevalue("django_example")
    return open_site(request.param, stack, closing)


@pytest.fixture
def django_views(django_example: ModuleType) -> Iterator[ModuleType]:
    """Further views in the place of the example's, behind ``edge`` and a middleware that fails for one path."""
    from django.test import override_settings

    views: Any = importlib.import_module("tests.integrations.django_views")
    views.GATE = Gate()
    middleware = [f"{views.__name__}.edge", f"{views.__name__}.failing"]
    with override_settings(ROOT_URLCONF=views.__name__, MIDDLEWARE=middleware):
        yield views


@pytest.fixture
def django_site(django_views: ModuleType) -> Any:
    """``with django_site("asgi") as (port, views)``: those views under a server of that kind."""
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    from postrmagic_core.integrations.django import install

    @contextmanager
    def serving(kind: str) -> Iterator[tuple[int, ModuleType]]:
        if kind == "asgi":
            server: Any = under_uvicorn(install(get_asgi_application(), PIPELINE))
        else:
            server = under_wsgiref(install(get_wsgi_application(), PIPELINE))
        with server as port:
            yield port, django_views

    return serving
